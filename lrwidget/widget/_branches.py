"""What goes beside the run in its plots: forks, a fan, and the lines that rewinds have cut off."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrwidget.widget import _columns
from lrwidget.widget._run_status import finite, last

_LINES = 12


class _Fork(NamedTuple):
    id: str
    parent: str | None
    run: Any


class Branches:
    """The forks of the runs of a widget, by the ids that its pages know them by.

    Parameters
    ----------
    changed
        Called whenever a fork has something new, on any thread.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        self._followed: dict[int, tuple[Any, Callable[[], None]]] = {}
        self._cut_off: list[tuple[int, Any]] = []
        self._cuts = itertools.count()

    def forks(self, run: Any, parent: str | None = None) -> Iterator[_Fork]:
        """Return the forks of a run, each before its own forks."""
        for fork in getattr(run, "forks", ()):
            own = fork_id(fork)
            yield _Fork(own, parent, fork)
            yield from self.forks(fork, own)

    def _follow(self, forks: Sequence[_Fork]) -> None:
        """Hear of every fork that there is, and of no other."""
        there = {id(fork.run): fork.run for fork in forks}
        for gone in self._followed.keys() - there.keys():
            self._followed.pop(gone)[1]()
        for key, fork in there.items():
            # One on disk has nothing new ever.
            if key not in self._followed and hasattr(fork, "subscribe"):
                self._followed[key] = (fork, fork.subscribe(lambda _: self.changed()))

    def close(self) -> None:
        """Look at no fork any longer."""
        self._follow([])

    def find(self, run: Any, id: str) -> Any:  # noqa: A002
        """Return the fork of that id, or raise a ValueError."""
        forks = {fork.id: fork.run for fork in self.forks(run)}
        if id not in forks:
            known = ", ".join(forks) or "none, since this run has no forks"
            raise ValueError(f"fork must be the id of a fork of this run, {known}; got {id!r}")
        return forks[id]

    def fan(self, run: Any) -> Any:
        """Return the fan that a run shows, or None."""
        return getattr(run, "newest_fan", None)

    def shown(self, run: Any) -> dict[str, Any]:
        """Return ``forks`` and ``fan`` of the ``_train`` trait."""
        forks = list(self.forks(run))
        self._follow(forks)
        return {
            "forks": [
                {
                    "id": fork.id,
                    "parent": fork.parent,
                    "name": fork.run.name,
                    "step": fork.run.fork_step,
                    "state": fork.run.state,
                    "position": fork.run.position,
                    "total": fork.run.steps,
                    "loss": _last_loss(fork.run),
                }
                for fork in forks
            ],
            "fan": _fan_shown(self.fan(run)),
        }

    def lines(self, run: Any) -> list[Line]:
        """Return at most 12 lines: the fan's, then the newest forks, then what was cut off."""
        lines = _fan_lines(self.fan(run))
        for fork in reversed(list(self.forks(run))):
            own = fork.run
            lines.append(Line(fork.id, "fork", own.name, own.fork_step, own.history, own))
        for number, line in reversed(self._numbered(getattr(run, "lines", ()))):
            id = f"a{number}"  # noqa: A001
            lines.append(Line(id, "abandoned", line.name, line.start, line.columns, line))
        return lines[:_LINES]

    def _numbered(self, lines: Sequence[Any]) -> list[tuple[int, Any]]:
        """Return the lines that were cut off, each with a number that it keeps."""
        known = self._cut_off
        self._cut_off = [
            next((each for each in known if each[1] is line), None) or (next(self._cuts), line)
            for line in lines
        ]
        return self._cut_off


class Line(NamedTuple):
    """One line beside the run.

    Attributes
    ----------
    id, kind, name, step
        As the page has them; `step` is where the line begins.
    source
        Its columns: a dictionary, or a `History` that grows.
    of
        What it is a line of.
    """

    id: str
    kind: str
    name: str
    step: int
    source: Any
    of: Any

    @property
    def key(self) -> tuple[object, ...]:
        """What stays while the line only grows."""
        cuts = None if isinstance(self.source, dict) else self.source.cuts
        return (*self[:4], id(self.of), cuts)

    @property
    def state(self) -> tuple[object, ...]:
        """What is another when the line has something new."""
        source = self.source
        return (*self.key, _columns.length(source) if isinstance(source, dict) else len(source))


def fork_id(fork: Any) -> str:
    """Return the id that pages know a fork by."""
    id: str = fork.id  # noqa: A001
    return id.removeprefix("fork-")


def _last_loss(fork: Any) -> float | None:
    loss = fork.history.columns().get("loss")
    return None if loss is None else last(loss)


# ---- a fan --------------------------------------------------------------------------------------


def _fan_shown(fan: Any) -> dict[str, Any] | None:
    if fan is None:
        return None
    return {
        "state": fan.state,
        "step": fan.step,
        "steps": fan.steps,
        "done": finite(fan.done),
        "candidates": [
            {"label": label, "loss": _end(end, losses), "diverged": diverged}
            for label, end, losses, diverged in zip(
                fan.labels, fan.ends, fan.losses, fan.diverged, strict=True
            )
        ],
        "best": fan.best if fan.state == "done" else None,
        "error": fan.error,
    }


def _fan_lines(fan: Any) -> list[Line]:
    if fan is None:
        return []
    lines = []
    for i, (label, losses) in enumerate(zip(fan.labels, fan.losses, strict=True)):
        taken = _taken(losses)
        steps = np.arange(fan.step, fan.step + taken, dtype=np.float64)
        columns = {"step": steps, "loss": losses[:taken]}
        lines.append(Line(f"c{i}", "fan", label, fan.step, columns, fan))
    return lines


def _taken(losses: NDArray[Any]) -> int:
    """Return how many steps a candidate has taken; the rest is NaN."""
    known = np.flatnonzero(~np.isnan(losses))
    return int(known[-1]) + 1 if len(known) else 0


def _end(end: float, losses: NDArray[Any]) -> float | None:
    """Return what a candidate has come to: the mean of its last losses, or the newest of them."""
    known = losses[np.isfinite(losses)]
    if math.isfinite(end) or not len(known):
        return finite(float(end))
    return finite(float(known[-1]))

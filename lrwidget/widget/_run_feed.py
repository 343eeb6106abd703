"""A trainer's run as the browser sees it: numbers, plan, edits, journal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lrwidget.optimizers._addresses import shortened
from lrwidget.schedules import Schedule
from lrwidget.widget import _columns
from lrwidget.widget._journal_view import journal_view
from lrwidget.widget._stream import Stream

if TYPE_CHECKING:
    from lrwidget.training import LiveRun, Task, Trainer

    Run: TypeAlias = Trainer | LiveRun

_RATE = "learning_rate"
_EFFECTIVE = "effective_learning_rate"
_GHOST_ROWS = 1000
_AT_WORK = ("compiling", "running")
ENDED = ("finished", "stopped", "diverged", "failed")
"""The states in which a trainer takes no more commands."""


class RunFeed:
    """One run.

    Parameters
    ----------
    number
        The run's number in its widget, from 1.
    trainer
        Whose run it is: a `Trainer`, or a run of a `LiveControl`.
    ghost
        The rows of the run before it, or None.
    """

    def __init__(self, number: int, trainer: Run, ghost: dict[str, NDArray[Any]] | None) -> None:
        self.number = number
        self.trainer = trainer
        self.address = rate_address(trainer)
        self._ghost = None if ghost is None else _columns.encode(ghost)
        self._stream = Stream("train", x="step")
        self._taken = 0
        self._valid_taken = 0
        self._plan: Schedule | None = None
        self._plan_node: dict[str, Any] = {}

    @property
    def key(self) -> object:
        """The run's number."""
        return self.number

    @property
    def seq(self) -> int:
        """The number of the last delta."""
        return self._stream.seq

    @property
    def settled(self) -> bool:
        """Whether no steps are being taken."""
        return self.trainer.state not in _AT_WORK

    @property
    def active(self) -> bool:
        """Whether the run has begun and has not ended."""
        return self.trainer.state not in ("idle", *ENDED)

    @property
    def _measures(self) -> tuple[str, ...]:
        # A loop of the person's own tells them with its first step.
        return tuple(n for n in self.trainer.measures if n not in ("step", _RATE))

    @property
    def _effective(self) -> tuple[str, ...]:
        """The rates that adaptive links and groups make of the learning rate."""
        names = self.trainer.history.names
        return tuple(n for n in names if n.rpartition("/")[2] == _EFFECTIVE)

    # ---- rows ---------------------------------------------------------------------------------

    def fresh(self) -> bool:
        """Return whether there are rows that no delta has carried."""
        history = self.trainer.history
        return len(history) > self._taken or len(history.valid) > self._valid_taken

    def delta(self) -> tuple[dict[str, Any], list[bytes]]:
        """Take the new rows and return them as a message and its buffers."""
        rows = self._shown(self.trainer.history.columns(self._taken))
        valid = self.trainer.history.valid.columns(self._valid_taken)
        self._taken += _columns.length(rows)
        self._valid_taken += _columns.length(valid)
        message, buffers = self._stream.delta(rows, valid)
        return {**message, "run": self.number}, buffers

    def snapshot(self) -> dict[str, Any]:
        """Return the ``_history`` trait."""
        return {"run": self.number, **self._stream.snapshot(), "ghost": self._ghost}

    def rows(self) -> dict[str, NDArray[Any]]:
        """Return every row of the run, in the columns that are shown."""
        return self._shown(self.trainer.history.columns())

    def ghost(self) -> dict[str, NDArray[Any]]:
        """Return the run's rows, thinned to what the next run shows of it."""
        return _columns.thin(self.rows(), "step", _GHOST_ROWS)

    def _shown(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return step, the measures and the rates; other hyperparameters have no plot."""
        shown = {name: columns[name] for name in ("step", *self._measures, *self._effective)}
        if self.address is not None:
            # The short name is another column's where the person's metrics have it.
            short = shortened(self.trainer.addresses)[self.address]
            shown[_RATE] = columns[self.address if self.address in columns else short]
        return shown

    # ---- status -------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return the ``_train`` trait."""
        trainer = self.trainer
        history = trainer.history
        last = {name: _last(column) for name, column in self.rows().items()}
        return {
            "run": self.number,
            "state": trainer.state,
            "step": trainer.position,
            "total": trainer.steps,
            "steps_per_second": _finite(trainer.steps_per_second),
            "seconds_left": _finite(trainer.seconds_left),
            "pace": trainer.pace,
            "error": trainer.error,
            "metrics": {name: last[name] for name in self._measures if name in last},
            "learning_rate": last.get(_RATE),
            "held": None if self.address is None else trainer.held(self.address),
            "plan": self._planned(),
            "columns": list(self._measures),
            "valid_columns": [name for name in history.valid.names if name != "step"],
            "effective": list(self._effective),
            "reports": list(trainer.chain.reports()),
            "steps_per_epoch": trainer.steps_per_epoch,
            **journal_view(trainer.journal),
        }

    def _planned(self) -> dict[str, Any]:
        plan = None if self.address is None else self.trainer.plan(self.address)
        if plan is not None and plan != self._plan:
            self._plan = plan
            self._plan_node = plan.to_node(samples=True)
        return self._plan_node


def idle_status(task: Task, schedule: Schedule, number: int, pace: float | None) -> dict[str, Any]:
    """Return the ``_train`` trait without a run: what Start would do now."""
    return {
        "run": number,
        "state": "idle",
        "step": 0,
        "total": schedule.steps or 0,
        "steps_per_second": None,
        "seconds_left": None,
        "pace": pace,
        "error": None,
        "metrics": {},
        "learning_rate": schedule(0),
        "held": None,
        "plan": schedule.to_node(samples=True),
        "columns": ["loss", *task.metrics],
        "valid_columns": [],
        "effective": [],
        "reports": [],
        "steps_per_epoch": task.steps_per_epoch,
        "edits": [],
        "journal": [],
    }


def rate_address(run: Run) -> str | None:
    """Return the learning rate that is shown: the chain's, else the first; None without one."""
    if run.chain.rate in run.addresses:
        return run.chain.rate
    return next((a for a in run.addresses if a.rpartition(".")[2] == _RATE), None)


def _last(column: NDArray[Any]) -> float | None:
    return _finite(float(column[-1])) if len(column) else None


def _finite(value: float | None) -> float | None:
    # JSON has no infinity; a page shows what is not known as nothing.
    if value is None or not math.isfinite(value):
        return None
    return float(np.float64(value))

"""Snapshots: whole states of a run, kept in memory under a budget of bytes."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Iterator
from typing import Any, Literal

import jax

from lrwidget import _checks
from lrwidget.training._runner import Carry

Reason = Literal["start", "interval", "epoch", "best", "edit", "guard", "hand", "last", "end"]

# Without another wish a snapshot comes this often, if that costs less than a hundredth of the time.
_SECONDS = 0.5
_SHARE = 0.01
_BYTES_PER_SECOND = 2e9  # a slow memory's; that of an accelerator is faster

# A small model's take next to nothing by themselves, but they are looked through again and again,
# and a run may go on for days.
_MOST = 256

# Those that people or the guard are likely to go back to count as so many.
_WEIGHT = {"edit": 4.0, "epoch": 2.0, "hand": 16.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keep:
    """Which snapshots of a run are kept.

    Old ones are thinned out, so that those that remain lie the closer the younger they are.

    Attributes
    ----------
    memory
        Bytes that snapshots in memory may take, at least 0; default 256 MiB. One state that alone
        is larger is kept all the same.
    disk
        Bytes that those in the run's directory may take; default 2 GiB.
    every
        Steps between snapshots, ``"epoch"``, or None: twice a second, or as seldom as keeps their
        cost below a hundredth of the run's time.
    disk_every
        Steps between snapshots on disk; None: every ten seconds, where `every` is None, else
        each of them.
    """

    memory: int = 256 * 2**20
    disk: int = 2 * 2**30
    every: int | Literal["epoch"] | None = None
    disk_every: int | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "disk"):
            object.__setattr__(self, name, _checks.integer(name, getattr(self, name), low=0))
        if isinstance(self.every, str):
            _checks.choice("every", self.every, ("epoch",))
        elif self.every is not None:
            object.__setattr__(self, "every", _checks.integer("every", self.every, low=1))
        if self.disk_every is not None:
            steps = _checks.integer("disk_every", self.disk_every, low=1)
            object.__setattr__(self, "disk_every", steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SnapshotInfo:
    """What there is to go back to.

    Attributes
    ----------
    step
        Steps that had been done.
    reason
        ``"start"``, ``"interval"``, ``"epoch"``, ``"best"`` (validation), ``"edit"`` (before one
        that might do harm), ``"guard"``, ``"hand"``, ``"last"`` or ``"end"``.
    nbytes
        What it takes.
    where
        ``"memory"`` or ``"disk"``.
    value
        The validation loss, of the best.
    """

    step: int
    reason: str
    nbytes: int
    where: Literal["memory", "disk"]
    value: float | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The state of a run before step `step`; its arrays are its own.

    Attributes
    ----------
    carry
        Parameters, model state, optimizer state.
    stream
        Where the training data is, as it tells itself; None where the step says it.
    valid_value
        The validation loss that the next step is to hear of, on the device; NaN for none.
    validated
        The steps done at the last validation pass.
    """

    step: int
    carry: Carry
    reason: str
    stream: Any
    valid_value: Any
    validated: int
    value: float | None = None

    @functools.cached_property  # asked for of each at every addition
    def nbytes(self) -> int:
        """What its arrays take."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.carry))


class Snapshots:
    """The snapshots of one run in memory, by step.

    Parameters
    ----------
    budget
        Bytes that they may take.
    """

    def __init__(self, budget: int):
        self._budget = budget
        self._kept: dict[int, Snapshot] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Snapshot]:
        with self._lock:
            return iter(sorted(self._kept.values(), key=lambda s: s.step))

    def add(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and let others go if they take too much."""
        with self._lock:
            if snapshot.reason == "best":
                # There is one best; the one before it becomes one of many.
                for step, old in self._kept.items():
                    if old.reason == "best":
                        self._kept[step] = dataclasses.replace(old, reason="interval", value=None)
            there = self._kept.get(snapshot.step)
            if there is None or there.reason != "best":
                self._kept[snapshot.step] = snapshot
            self._thin(max(self._kept), snapshot.step)

    def nearest(self, step: int) -> Snapshot | None:
        """Return the last snapshot at or before `step`; None if there is none."""
        return max((s for s in self if s.step <= step), key=lambda s: s.step, default=None)

    def cut(self, step: int) -> None:
        """Forget those after `step`, where the run has been taken back to."""
        with self._lock:
            self._kept = {s: kept for s, kept in self._kept.items() if s <= step}

    def _thin(self, now: int, newest: int) -> None:
        steps = sorted(self._kept)
        total = sum(kept.nbytes for kept in self._kept.values())
        while (total > self._budget or len(steps) > _MOST) and len(steps) > 1:
            removable = [
                i
                for i, s in enumerate(steps)
                if s not in (now, newest) and self._kept[s].reason != "best"
            ]
            if not removable:
                return

            def worth(i: int) -> float:
                # How much further a rewind had to be replayed, beside how long ago it is.
                step = steps[i]  # noqa: B023  (called at once)
                before = steps[i - 1] if i else 0  # noqa: B023
                after = steps[i + 1] if i + 1 < len(steps) else now  # noqa: B023
                weight = _WEIGHT.get(self._kept[step].reason, 1.0)
                return weight * (after - before) / (now - step + 1)

            gone = self._kept.pop(steps[min(removable, key=worth)])
            total -= gone.nbytes
            steps = sorted(self._kept)


class Rhythm:
    """When the next snapshot is due.

    Parameters
    ----------
    every
        Steps between them; None for one by time.
    seconds
        The least time between two, where it goes by time.
    """

    def __init__(self, every: int | None, seconds: float = _SECONDS):
        self._every = every
        self._seconds = seconds
        self._last = 0
        self._next = time.monotonic() + seconds

    def due(self, step: int) -> bool:
        """Return whether one is due before `step`."""
        if self._every is not None:
            return step - self._last >= self._every
        return time.monotonic() >= self._next and step > self._last

    def limit(self, step: int) -> int | None:
        """Return how many steps may be taken until one is due; None where time decides."""
        return None if self._every is None else max(1, self._last + self._every - step)

    def taken(self, step: int, nbytes: int) -> None:
        """Note that one of so many bytes was taken before `step`, or the run went back there."""
        self._last = step if self._every is None else step - step % self._every
        pause = max(self._seconds, nbytes / _BYTES_PER_SECOND / _SHARE)
        self._next = time.monotonic() + pause

"""What one run gives another: where to begin, how to go on, and what was cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget.training._edits import Edits
from lrwidget.training._snapshots import Snapshot


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where a run begins that goes on from another one, or from disk.

    Attributes
    ----------
    step
        Steps that have been done, as the plans and the history tell.
    snapshot
        The state from which the run finds its way there; None for the task's start.
    rows, valid
        Of the history, as far as it is known: at most up to `step`.
    best
        The step and the loss of the best validation.
    passes
        The steps of validation passes out of turn: where the run ended, before it was extended.
    """

    step: int
    snapshot: Snapshot | None
    rows: Mapping[str, npt.NDArray[Any]]
    valid: Mapping[str, npt.NDArray[Any]]
    best: tuple[int, float] | None = None
    passes: tuple[int, ...] = ()


class Surrendered(NamedTuple):
    """A run that another one takes over."""

    state: Snapshot
    edits: Edits
    rows: Mapping[str, npt.NDArray[Any]]
    valid: Mapping[str, npt.NDArray[Any]]


class Line(NamedTuple):
    """What a rewind has cut off: the rows from step `start` on, by column."""

    name: str
    start: int
    columns: Mapping[str, npt.NDArray[Any]]

    def __repr__(self) -> str:
        return f"Line({self.name!r}, {len(self.columns['step'])} steps from {self.start})"


def best_of(valid: Mapping[str, npt.NDArray[Any]]) -> tuple[int, float] | None:
    """Return the step and the loss of the best of some validation passes; None without one."""
    losses = valid.get("loss")
    if losses is None or not np.isfinite(losses).any():
        return None
    row = int(np.nanargmin(np.where(np.isfinite(losses), losses, np.nan)))
    return int(valid["step"][row]), float(losses[row])

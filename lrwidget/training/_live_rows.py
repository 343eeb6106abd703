"""The rows that a person's own loop gets, one at a time, evaluated many at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lrwidget.optimizers import Injection
from lrwidget.training._plan import Plans

# Evaluating one row of a plan takes as long as evaluating hundreds.
_BLOCK = 256


class Rows:
    """Hands out the row of one step after the other.

    Parameters
    ----------
    plans
        What is applied.
    injection
        What to write of it.

    Attributes
    ----------
    last
        The row that was handed out last, float64; None before the first.
    """

    def __init__(self, plans: Plans, injection: Injection):
        self.last: npt.NDArray[np.float64] | None = None
        self._plans = plans
        self._names = injection.names
        self._columns = injection.columns
        self._first = 0
        self._rows: npt.NDArray[np.float64] = np.empty((0, 0))
        self._written: npt.NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._changing: list[tuple[int, str]] = []

    def forget(self) -> None:
        """Evaluate the plans anew: one has changed."""
        self._rows = self._rows[:0]

    def take(self, step: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return what to write for a step: the values that are not in the state already.

        With each block all are: also a state that another optimizer began gets them.
        """
        known = 0 <= step - self._first < len(self._rows)
        written = self.whole(step)
        changing = self._changing if known else enumerate(self._names)
        # Copies: what a jitted step has taken must not change under it.
        return {name: np.array(written[column]) for column, name in changing}

    def whole(self, step: int) -> npt.NDArray[np.float32]:
        """Return all of what to write for a step, in the order of `Injection.names`."""
        if not 0 <= step - self._first < len(self._rows):
            self._evaluate(step)
        self.last = self._rows[step - self._first]
        written: npt.NDArray[np.float32] = self._written[step - self._first]
        return written

    def row(self, step: int) -> npt.NDArray[np.float64]:
        """Return the float64 row of a step, and nothing of what to write."""
        row: npt.NDArray[np.float64] = self._plans.rows(step, 1)[0]
        self.last = row
        return row

    def columns(self, row: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        """Return all of what to write for a row."""
        [written] = self._columns(row[None])
        return {name: np.array(value) for name, value in zip(self._names, written, strict=True)}

    def _evaluate(self, step: int) -> None:
        self._first = step
        self._rows = self._plans.rows(step, _BLOCK)
        self._written = self._columns(self._rows)
        varies = (self._written != self._written[0]).any(axis=0)
        self._changing = [
            (column, name) for column, name in enumerate(self._names) if varies[column]
        ]

"""What the steps of a person's own loop report, on its way into the history."""

from __future__ import annotations

import collections
import math
import threading
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.optimizers import Chain
from lrwidget.training._effective import EffectiveRates
from lrwidget.training._history import History


class _Report(NamedTuple):
    """What a step has reported, perhaps before it has been computed."""

    step: int
    row: Any  # float64 of shape (addresses,), or as many arrays
    values: tuple[Any, ...]  # the loss and the metrics
    told: Any  # by the links, of shape (reports,)


class Reports:
    """Takes arrays that may not be there yet, and reads them later, many at a time.

    Parameters
    ----------
    chain
        How the loop trains.
    addresses
        The live hyperparameters, in the order of the rows.

    Attributes
    ----------
    history
        What has been read.
    told
        The addresses of what links tell.
    bad
        The loss that was not finite, with which the history ends; None before that.
    """

    def __init__(self, chain: Chain, addresses: tuple[str, ...]):
        self.told = chain.reports()
        self.bad: float | None = None
        self._addresses = addresses
        self._rates = EffectiveRates(chain, addresses)
        self._metrics: tuple[str, ...] = ("loss",)
        self._waiting: collections.deque[_Report] = collections.deque()
        self._reading = threading.Lock()
        self._far: bool | None = None  # whether a loss has to be copied to the host
        self.history = self._empty()

    @property
    def measures(self) -> tuple[str, ...]:
        """``"loss"``, the metrics, which the first report tells, and what links tell."""
        return (*self._metrics, *self.told)

    def __len__(self) -> int:
        """Return how many wait to be read."""
        return len(self._waiting)

    def take(self, step: int, row: Any, measures: dict[str, Any], told: Any) -> None:
        """Take the report of a step without waiting for it.

        Parameters
        ----------
        step
            The step.
        row
            What was applied in it: float64 of shape (addresses,), or as many arrays.
        measures
            ``"loss"`` and the metrics; a loss of None was not measured.
        told
            What the links told, of shape (told,).

        Raises
        ------
        ValueError
            If the measures are not those of the first report.
        """
        if tuple(measures) != self._metrics:
            self._name(tuple(measures))
        values = tuple(measures[name] for name in self._metrics)
        if self._far is None:
            self._far = jax.default_backend() != "cpu"
        if self._far:
            for value in values:
                if isinstance(value, jax.Array):
                    value.copy_to_host_async()
        self._waiting.append(_Report(step, row, values, told))

    def ready(self) -> int:
        """Return how many can be read without waiting: the device computes them in order."""
        low, high = 0, len(self._waiting)
        while low < high:
            middle = (low + high) // 2
            if all(_is_ready(value) for value in self._waiting[middle].values):
                low = middle + 1
            else:
                high = middle
        return low

    def read(self, count: int) -> int:
        """Wait for the first so many, and return how many of them are in the history by now.

        A loss that is not finite is the last that gets there.
        """
        with self._reading:
            count = min(count, len(self._waiting))
            if count == 0 or self.bad is not None:
                return 0
            reports = [self._waiting.popleft() for _ in range(count)]
            values = np.array([[_number(v) for v in r.values] for r in reports], np.float32)
            told = np.array([np.asarray(r.told) for r in reports], np.float32)
            # A step that reports no loss cannot diverge.
            measured = np.array([r.values[0] is not None for r in reports])
            bad = np.flatnonzero(measured & ~np.isfinite(values[:, 0]))
            count = int(bad[0]) + 1 if bad.size else count
            self._append(reports[:count], np.hstack([values, told])[:count])
            if bad.size:
                self._waiting.clear()
                self.bad = float(values[bad[0], 0])
            return count

    def _append(self, reports: list[_Report], measures: npt.NDArray[np.float32]) -> None:
        steps = np.array([report.step for report in reports])
        rows = np.array([_row(report.row) for report in reports])
        measured = dict(zip(self.measures, measures.T, strict=True))
        applied = dict(zip(self._addresses, rows.T, strict=True))
        rates = self._rates.columns(rows, measured)
        self.history.append({"step": steps, **measured, **applied, **rates})

    def _name(self, given: tuple[str, ...]) -> None:
        if len(self.history) == 0 and not self._waiting:
            self._metrics = given
            self.history = self._empty()
        elif set(given) != set(self._metrics):
            raise ValueError(
                f"the metrics of an update must be those of the first one, "
                f"{', '.join(self._metrics)}; got {', '.join(given)}"
            )

    def _empty(self) -> History:
        return History(self.measures, self._addresses, (), self._rates.names)


def _is_ready(value: Any) -> bool:
    # An array has the method, its declared type has not.
    return not isinstance(value, jax.Array) or bool(value.is_ready())  # type: ignore[attr-defined]


def _row(row: Any) -> npt.NDArray[np.float64]:
    return row if isinstance(row, np.ndarray) else np.array([_number(value) for value in row])


def _number(value: Any) -> float:
    return math.nan if value is None else float(np.asarray(value))

"""The curve of a sweep as it grows: smoothing, and the decision when to stop."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from lrwidget.finding._rules import HEAD_FRACTION, FloatArray

Stop = Literal["diverged", "nan"]

# The spread of the first losses needs a handful of points, also on a short ladder.
SETTLING_POINTS = 5

# A loss that is the same at every step (the full batch, say) still moves in its last digits.
SMALLEST_SPREAD = 0.01


class GrowingCurve:
    """Raw and smoothed losses, one step at a time, with the verdict after each.

    The smoothed loss is the bias-corrected exponential average
    ``a = smoothing * a + (1 - smoothing) * loss``, ``smoothed = a / (1 - smoothing ** count)``.

    The sweep has diverged when the smoothed loss exceeds `limit`. fastai, Lightning and others
    stop at ``smoothed > 4 * best``, which a negative loss fulfils at once and a loss near zero at
    the first noise. Here the smoothed loss must also have left the level at which it began, by
    more than the noise there; for ordinary positive losses that changes nothing.

    Parameters
    ----------
    steps
        Steps of the whole ladder. The first tenth (at least 5) shows the level and the noise
        of the loss while the rate is too low to matter; only NaN and infinity stop there.
    smoothing
        Weight of the past in the average, in [0, 1).
    stop_factor
        How many times the best smoothed loss counts as divergence, > 1; None never stops.
    """

    def __init__(self, *, steps: int, smoothing: float, stop_factor: float | None) -> None:
        self._settling = max(steps // HEAD_FRACTION, SETTLING_POINTS)
        self._smoothing = smoothing
        self._stop_factor = stop_factor
        self._average = 0.0
        self._best = math.inf
        self._floor = math.nan  # what the smoothed loss must exceed besides; known when settled
        self._losses: list[float] = []
        self._smoothed: list[float] = []

    @property
    def losses(self) -> FloatArray:
        """The finite losses so far, shape (n,)."""
        return np.array(self._losses, dtype=np.float64)

    @property
    def smoothed(self) -> FloatArray:
        """The smoothed losses so far, shape (n,)."""
        return np.array(self._smoothed, dtype=np.float64)

    def __len__(self) -> int:
        return len(self._losses)

    def append(self, loss: float) -> Stop | None:
        """Take the loss of one step; return why the sweep must stop, or None.

        A NaN or infinite loss is not kept; the loss at which divergence shows is.
        """
        if not math.isfinite(loss):
            return "nan"
        self._losses.append(loss)
        past = self._smoothing
        self._average = past * self._average + (1.0 - past) * loss
        smoothed = self._average / (1.0 - past ** len(self._losses))
        self._smoothed.append(smoothed)
        self._best = min(self._best, smoothed)
        return "diverged" if smoothed > self.limit() else None

    def limit(self) -> float:
        """Return the smoothed loss above which the sweep has diverged."""
        if self._stop_factor is None or len(self._losses) <= self._settling:
            return math.inf
        if math.isnan(self._floor):
            first = np.array(self._losses[: self._settling])
            level = float(first.mean())
            spread = max(float(first.std(ddof=1)), SMALLEST_SPREAD * abs(level))
            self._floor = level + (self._stop_factor - 1.0) * spread
        return max(self._stop_factor * self._best, self._floor)

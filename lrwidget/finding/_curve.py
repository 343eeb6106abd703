"""The curve of a sweep as it grows: smoothing, and the decision when to stop."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lrwidget.finding._rules import HEAD_FRACTION, FloatArray

Stop = Literal["diverged", "nan"]

# The spread of the first losses needs a handful of points, also on a short ladder.
SETTLING_POINTS = 5

# What is computed in float32 is not the same to its last digits.
_SAME = 1e-6

# A loss that is the same at every step (the full batch, say) still moves in its last digits.
SMALLEST_SPREAD = 0.01

# By how many standard errors the mean of some losses must lie below that of the first ones, or
# above it. Of a hundred curves of nothing but normal, independent noise, five seem to be more.
_CLEAR = 3.9
# How many losses that are: so many parts of the ladder, a short fall and a slow one.
_PARTS = (20, 10, 5)


def response(losses: FloatArray) -> tuple[bool, bool]:
    """Return whether a finished curve falls, and whether it rises, by more than its noise.

    Neighbouring losses differ by the noise of their batches; the mean of a few is compared with
    that of as many at the low end of the ladder, where a rate does next to nothing.

    Parameters
    ----------
    losses
        The finite losses as measured, shape (n,).
    """
    if len(losses) < 2 * SETTLING_POINTS:
        return True, True  # the rules have too few points, and say so
    falls = rises = False
    for parts in _PARTS:
        few = max(len(losses) // parts, 3)
        means = np.convolve(losses, np.full(few, 1.0 / few), "valid")
        # What comes behind the lowest ones may blow up by any factor, and is not the noise.
        before = losses[: max(int(np.argmin(means)) + few, 2 * few, 2 * SETTLING_POINTS)]
        # Of normal noise three quarters differ by less.
        noise = float(np.quantile(np.abs(np.diff(before)), 0.75)) / (1.1503 * math.sqrt(2.0))
        clear = _CLEAR * noise * math.sqrt(2.0 / few) + _SAME * float(np.abs(before).max())
        falls = falls or bool(means[0] - means.min() > clear)
        rises = rises or bool(means.max() - means[0] > clear)
    return falls, rises


class GrowingCurve:
    """Raw and smoothed losses of one or several seeds, one rung at a time, with the verdict.

    The smoothed loss is the bias-corrected exponential average
    ``a = smoothing * a + (1 - smoothing) * loss``, ``smoothed = a / (1 - smoothing ** count)``.
    That of the mean over the seeds is the mean of theirs; it is the one that is judged.

    The sweep has diverged when the smoothed loss exceeds `limit`. fastai, Lightning and others
    stop at ``smoothed > 4 * best``, which a negative loss fulfils at once and a loss near zero at
    the first noise. Here the smoothed loss must also have left the level at which it began, by
    more than the noise there; for ordinary positive losses that changes nothing.

    Parameters
    ----------
    steps
        Rungs of the whole ladder. The first tenth (at least 5) shows the level and the noise
        of the loss while the rate is too low to matter; only NaN and infinity stop there.
    smoothing
        Weight of the past in the average, in [0, 1).
    stop_factor
        How many times the best smoothed loss counts as divergence, > 1; None never stops.
    seeds
        How many losses there are of each rung.

    Attributes
    ----------
    seeds
        As given.
    culprit
        The first seed whose loss was not finite; None while all are.
    """

    def __init__(
        self, *, steps: int, smoothing: float, stop_factor: float | None, seeds: int = 1
    ) -> None:
        self.culprit: int | None = None
        self.seeds = seeds
        self._settling = max(steps // HEAD_FRACTION, SETTLING_POINTS)
        self._smoothing = smoothing
        self._stop_factor = stop_factor
        self._average = np.zeros(seeds)
        self._best = math.inf
        self._floor = math.nan  # what the smoothed loss must exceed besides; known when settled
        self._losses: list[FloatArray] = []
        self._smoothed: list[FloatArray] = []

    @property
    def losses(self) -> FloatArray:
        """The finite losses so far, their mean over the seeds, shape (n,)."""
        losses: FloatArray = self.by_seed.mean(axis=0)
        return losses

    @property
    def smoothed(self) -> FloatArray:
        """The smoothed losses so far, their mean over the seeds, shape (n,)."""
        smoothed: FloatArray = self.smoothed_by_seed.mean(axis=0)
        return smoothed

    @property
    def by_seed(self) -> FloatArray:
        """The finite losses so far, shape (seeds, n)."""
        return self._columns(self._losses)

    @property
    def smoothed_by_seed(self) -> FloatArray:
        """The smoothed losses so far, shape (seeds, n)."""
        return self._columns(self._smoothed)

    @property
    def band(self) -> FloatArray | None:
        """The lowest and the highest smoothed loss of any seed, shape (2, n); None for one seed."""
        if self.seeds == 1:
            return None
        smoothed = self.smoothed_by_seed
        return np.stack([smoothed.min(axis=0), smoothed.max(axis=0)])

    def __len__(self) -> int:
        return len(self._losses)

    def append(self, losses: ArrayLike) -> Stop | None:
        """Take the losses of one rung; return why the sweep must stop, or None.

        If one of them is NaN or infinite, none is kept; those at which divergence shows are.
        """
        new = np.array(losses, dtype=np.float64).reshape(self.seeds)
        finite = np.isfinite(new)
        if not finite.all():
            self.culprit = int(np.argmin(finite))
            return "nan"
        self._losses.append(new)
        past = self._smoothing
        self._average = past * self._average + (1.0 - past) * new
        self._smoothed.append(self._average / (1.0 - past ** len(self._losses)))
        smoothed = float(self._smoothed[-1].mean())
        self._best = min(self._best, smoothed)
        return "diverged" if smoothed > self.limit() else None

    def limit(self) -> float:
        """Return the smoothed loss above which the sweep has diverged."""
        if self._stop_factor is None or len(self._losses) <= self._settling:
            return math.inf
        if math.isnan(self._floor):
            first = np.array(self._losses[: self._settling]).mean(axis=1)
            level = float(first.mean())
            spread = max(float(first.std(ddof=1)), SMALLEST_SPREAD * abs(level))
            self._floor = level + (self._stop_factor - 1.0) * spread
        return max(self._stop_factor * self._best, self._floor)

    def _columns(self, rungs: list[FloatArray]) -> FloatArray:
        return np.array(rungs, dtype=np.float64).reshape(len(rungs), self.seeds).T.copy()

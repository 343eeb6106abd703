"""The smallest rate at which one update raises the loss, by forward passes alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

# Beside the loss itself; float32 sums of a batch agree so far.
_ROUNDING = 2e-6
# Neighbours between which the edge is interpolated.
_NEAR = 1.12
_MARGIN = 1.05
_LEAPS = (_MARGIN, 1.5, 2.0, 4.0, 8.0)
_LEAP = 8.0
# Neighbours farther apart than this are no straight line.
_STRAIGHT = 1e3
_LONGEST_LEAP = 64.0

MOST_PASSES = 9


@dataclasses.dataclass(frozen=True)
class Edge:
    """Where the loss along an update is again what it was at the start.

    Attributes
    ----------
    rate
        The rate; None where no rate raised the loss, or every one did.
    passes
        Forward passes that it took.
    never
        Whether no rate raised it.
    """

    rate: float | None
    passes: int
    never: bool = False


def critical_rate(
    loss_at: Callable[[float], float], loss: float, slope: float, guess: float
) -> Edge:
    r"""Find the rate at which the loss stops falling below its start.

    With the change of the loss :math:`\Delta(r)`, the secant :math:`\Delta(r) / r` is a straight
    line on a quadratic, from the slope at 0 to zero at the edge. Each pass is made near where the
    line through what is known meets zero, and the edge is read off between two neighbours on
    either side of it.

    Parameters
    ----------
    loss_at
        The loss after an update at a rate.
    loss
        The loss before.
    slope
        Of the loss along the update per unit of the rate, < 0.
    guess
        The first rate to try, > 0.

    References
    ----------
    Kalra et al. 2026, "Critical sharpness", arXiv 2601.16979: doubling, then halving the bracket,
    in 5 to 6 passes.
    """
    low, low_secant = 0.0, slope
    high, high_secant = math.inf, math.inf
    rate = guess
    for passes in range(1, MOST_PASSES + 1):
        change = loss_at(rate) - loss
        secant = change / rate if math.isfinite(change) else math.inf
        if secant > 0.0 and not abs(change) <= _ROUNDING * abs(loss):
            high, high_secant = rate, secant
        else:
            low, low_secant = rate, secant
        if low > 0.0 and high / low <= _NEAR:
            return Edge(_between(low, low_secant, high, high_secant), passes)
        # A line that falls short once is likely to do so again: the loss is no quadratic there.
        least = _LEAPS[min(passes, len(_LEAPS)) - 1]
        rate = _next(slope, low, low_secant, high, high_secant, least)
        if not (1e-30 < rate < 1e30):
            break
    if low > 0.0 and high < math.inf:
        return Edge(_between(low, low_secant, high, high_secant), passes)
    return Edge(None, passes, never=high == math.inf)


def _next(
    slope: float, low: float, low_secant: float, high: float, high_secant: float, least: float
) -> float:
    if high == math.inf:
        bend = (low_secant - slope) / low
        meets = -slope / bend if bend > 0.0 else math.inf
        farthest = _LONGEST_LEAP if math.isfinite(meets) else _LEAP
        return float(min(max(meets * _MARGIN, low * least), low * farthest))
    if low == 0.0:
        meets = high * -slope / (high_secant - slope) if math.isfinite(high_secant) else 0.0
        farthest = _LONGEST_LEAP if math.isfinite(high_secant) else _LEAP
        return float(max(min(meets / _MARGIN, high / least), high / farthest))
    meets = _between(low, low_secant, high, high_secant)
    # On the far side of the neighbour that is farther away, so that it comes near.
    rate = meets * _MARGIN if high / meets > meets / low else meets / _MARGIN
    halfway = math.sqrt(low * high)
    inside = low * _MARGIN < rate < high / _MARGIN
    # Where the line is no good guide, one end would stay for ever.
    return rate if inside and high / low < _LONGEST_LEAP else halfway


def _between(low: float, low_secant: float, high: float, high_secant: float) -> float:
    wide = high > _STRAIGHT * low
    if wide or not math.isfinite(high_secant) or high_secant <= low_secant:
        return math.sqrt(low * high)
    share = -min(low_secant, 0.0) / (high_secant - min(low_secant, 0.0))
    return low + (high - low) * share

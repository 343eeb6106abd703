"""From the ends of short runs to the best rate of a long one: local fits and their trend."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lrwidget.finding._trend import UNKNOWN, Trend

FloatArray = npt.NDArray[np.float64]

# A loss is told apart from the best one in shares of what the best run gained; beneath this
# share two runs are the same to the fit.
_GRAIN = 0.01

# So many points on either side of the best one tell where the ends are lowest, but for those with
# a regret beyond this, where a parabola is no picture of them; the higher one, the less it counts.
_NEIGHBOURS = 2
_FAR = 0.6
_LEVEL = 0.1

# What a single vertex is uncertain by, in decades, beside how far apart its points are: other
# batches, another end of the run. The trend is not quite a line: horizons that are shorter than
# the longest one are uncertain by so much more a decade.
_VERTEX_NOISE = 0.13
_BENDING = 0.5

# The lowest of the rates that were tried at a horizon, where none was tried beyond it.
_ONE_SIDED = 0.25

# 90 of 100 best rates shall lie between low and high.
QUANTILE = 1.645


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """Where the best rate lies.

    Attributes
    ----------
    best
        The rate.
    low, high
        The best rate is between them with a probability of about 0.9.
    """

    best: float
    low: float
    high: float

    @property
    def decades(self) -> float:
        """How wide it is."""
        return math.log10(self.high / self.low)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vertex:
    """The lowest place of the ends at one horizon, in log10 of the rate."""

    place: float
    spread: float  # one standard deviation
    inside: bool  # whether there are worse rates on both sides of it

    def blurred(self, spread: float) -> Vertex:
        """Return the same place, less sure."""
        return dataclasses.replace(self, spread=math.hypot(self.spread, spread))

    def joined(self, other: Vertex) -> Vertex:
        """Return the mean of two that other batches gave."""
        apart = abs(self.place - other.place) / 2.0
        spread = math.hypot(self.spread, other.spread) / 2.0
        return Vertex(
            place=(self.place + other.place) / 2.0, spread=math.hypot(spread, apart), inside=True
        )


def vertex(ends: Mapping[float, float], initial: float) -> Vertex | None:
    """Return where the ends of runs at one horizon are lowest; None where no run came to an end.

    A parabola goes through the best point and its two neighbours, in the logarithm of the rate
    and of the regret (the share of the best run's gain that a run lacks), or is fitted by least
    squares where there are more of them, which other batches move less.

    Parameters
    ----------
    ends
        log10 of the rate to the loss at the end, infinite where the run was lost.
    initial
        The loss before the first step.
    """
    places = np.array(sorted(ends))
    losses = np.array([ends[place] for place in places])
    best = int(np.argmin(losses))
    if not math.isfinite(losses[best]):
        return None
    regret = regrets(losses, initial)
    inside = 0 < best < len(places) - 1
    left = places[best] - places[best - 1] if best else 1.0
    right = places[best + 1] - places[best] if best < len(places) - 1 else 1.0
    place = float(places[best])
    if inside:
        place += _lowest_near(places - place, regret, best, left, right)
    # Rates that end nearly as low might have been the best with other batches.
    flat = places[regret <= _GRAIN]
    spread = math.hypot(_VERTEX_NOISE, (left + right) / 8.0, float(np.ptp(flat)) / 4.0)
    if not inside:
        spread = math.hypot(spread, _ONE_SIDED)
    return Vertex(place=place, spread=spread, inside=inside)


def _lowest_near(
    away: FloatArray, regret: FloatArray, best: int, left: float, right: float
) -> float:
    """Return where a parabola around the best point is lowest, from that point, in decades."""
    near = [
        i
        for i in range(max(best - _NEIGHBOURS, 0), min(best + _NEIGHBOURS + 1, len(away)))
        if abs(i - best) <= 1 or regret[i] < _FAR
    ]
    weights = 1.0 / np.sqrt(regret[near] + _LEVEL)
    bend, slope, _ = np.polyfit(away[near], np.log(regret[near] + _GRAIN), 2, w=weights)
    if bend <= 0.0:
        return 0.0
    return float(np.clip(-slope / (2.0 * bend), -0.75 * left, 0.75 * right))


def regrets(losses: FloatArray, initial: float) -> FloatArray:
    """Return what each run lacks to the best one, as a share of the best one's gain, at most 1."""
    lowest = float(losses.min())
    gain = max(initial - lowest, 1e-12 * max(abs(initial), abs(lowest), 1e-30))
    lacking = np.where(np.isfinite(losses), losses - lowest, np.inf) / gain
    return np.minimum(lacking, 1.0)


def extrapolated(
    vertices: Mapping[int, Vertex],
    steps: int,
    trend: Trend = UNKNOWN,
) -> tuple[Fit, float] | None:
    """Return the best rate at the horizon asked for, and the trend in decades a decade of steps.

    The vertices lie on a line over the logarithm of the horizon, whose slope is held near zero
    by what is usual: weighted least squares with a normal prior (ridge) on the slope.

    Parameters
    ----------
    vertices
        Those of each horizon.
    steps
        The horizon asked for.
    trend
        What to expect before anything is known.
    """
    if not vertices:
        return None
    horizons = sorted(vertices)
    away = np.log10(np.array(horizons) / steps)
    places = np.array([vertices[h].place for h in horizons])
    spreads = np.array([vertices[h].spread for h in horizons])
    weights = 1.0 / (spreads**2 + (_BENDING * (away.max() - away)) ** 2)
    design = np.stack([np.ones_like(away), away], axis=1)
    information = design.T @ (weights[:, None] * design)
    information[1, 1] += trend.spread**-2.0
    covariance = np.linalg.inv(information)
    seen = design.T @ (weights * places)
    seen[1] += trend.usual * trend.spread**-2.0
    place, slope = covariance @ seen
    spread = math.sqrt(covariance[0, 0])
    low, best, high = (
        float(10.0 ** (place + sign * QUANTILE * spread)) for sign in (-1.0, 0.0, 1.0)
    )
    return Fit(best=best, low=low, high=high), float(slope)

"""Which rates to try at which horizons: from a bracket at short ones to a fit at long ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Protocol

from lrwidget.finding._fit import Fit, Vertex, extrapolated, vertex
from lrwidget.finding._trend import UNKNOWN, Trend

# Steps of the shortest horizon: enough to tell rates apart by orders of magnitude.
_SHORTEST, _FIRST = 6, 10

# From one horizon to the next they grow by about this.
_GROWTH = 5.0

# Of the budget: what the last horizon may take, whose length follows from it, and what may have
# been spent after the first, the second and the third.
_LAST_SHARE = 0.6
_LAST_RUNS = 3
_SHARES = (0.42, 0.62, 0.8)

# How far apart rates are, in decades: at the first horizon, the second and later ones; and the
# closest, where there is budget left.
_DISTANCES = (1.0, 0.5, 0.3)
_CLOSEST = 0.16
_MOST_AT_ONE = 9

# Beside what else a place is uncertain by, where ends are noisy; and how far the trend may then be
# from the usual one: what overfits in a long run is not seen in a short one.
_NOISE = 0.15
_NOISY_TREND = 1.0

# A gain by less than this share of the loss at the start is none.
NOTHING = 1e-4

# What finding the edge to the closest distance may take of the budget, and from which budget on:
# a smaller one has better uses.
_BISECTING = 0.06
_ROOMY = 1000
_MOST_WALKED = 20

# Of an observed trend, what is believed when the next horizon's rates are chosen.
_BELIEVED = 0.6
_STEEPEST = 0.6


class Laboratory(Protocol):
    """Where runs are made and paid for."""

    def try_rate(self, place: float, horizon: int, replica: int) -> float:
        """Return the end of a run with the rate ``10**place``; infinite where it was lost."""

    def may_recover(self, place: float, horizon: int) -> bool:
        """Return whether a run that was lost only ended high: a longer one may come down again."""

    def price(self, horizon: int) -> float:
        """Return what a run costs at most, in gradient steps."""

    @property
    def spent(self) -> float:
        """Gradient steps so far."""


class Survey:
    """Tries rates at growing horizons, within a budget.

    Parameters
    ----------
    laboratory
        Where runs are made.
    steps
        The horizon asked for.
    budget
        Most gradient steps.
    centre
        log10 of the rate to begin at.
    limits
        log10 of the lowest and the highest rate that may be tried.
    bound
        log10 of the highest value that the hyperparameter itself may have; default none.
    initial
        The loss before the first step; or a function of the horizon, where runs of different
        lengths are not judged on the same batches.
    trend
        The trend to expect.
    every
        How many steps make one update: horizons are multiples of it.
    horizons
        Which horizons to use; default by the budget.
    noisy
        Whether the ends move for other reasons than the rate, as a validation loss does: then
        rates are tried a decade apart at every horizon before the gaps are filled, since small
        differences may be chance and long runs may like other rates (they overfit), and each
        horizon's best place is less sure.

    Attributes
    ----------
    ends
        Horizon to (log10 of the rate to the end), of the first replica.
    others
        The same of the second replica, where there is one.
    """

    def __init__(
        self,
        laboratory: Laboratory,
        *,
        steps: int,
        budget: float,
        centre: float,
        limits: tuple[float, float],
        initial: float | Callable[[int], float],
        bound: float = math.inf,
        trend: Trend = UNKNOWN,
        every: int = 1,
        horizons: tuple[int, ...] | None = None,
        noisy: bool = False,
    ) -> None:
        self._laboratory = laboratory
        self._budget = budget
        self.limits = limits
        self.bound = bound
        self.initial = initial if callable(initial) else lambda _: initial
        self._noisy = noisy
        self._centre = min(max(centre, limits[0]), limits[1])
        self._trend = dataclasses.replace(trend, spread=_NOISY_TREND) if noisy else trend
        self._every = every
        self.steps = steps
        self.horizons = horizons or self._chosen_horizons()
        self.ends: dict[int, dict[float, float]] = {}
        self.others: dict[int, dict[float, float]] = {}

    def run(self) -> None:
        """Spend the budget."""
        before = self._laboratory.spent
        left = self._budget - before
        for number, horizon in enumerate(self.horizons):
            last = number == len(self.horizons) - 1
            share = 1.0 if last or number >= len(_SHARES) else _SHARES[number]
            distance = _DISTANCES[0 if self._noisy else min(number, len(_DISTANCES) - 1)]
            most = before + share * left
            self._walk(horizon, self._expected(horizon), distance, most)
            if number == 0:
                self._between(horizon, most, distance / 2.0)
                self._again(horizon, most)
                if self._budget >= _ROOMY:
                    self._bisect(horizon, most + _BISECTING * left)
        longest = self.horizons[-1]
        self._between(longest, self._budget, _CLOSEST)
        self._again(longest, self._budget)
        for horizon in reversed(self.horizons):
            self._between(horizon, self._budget, _CLOSEST)

    @property
    def vertices(self) -> dict[int, Vertex]:
        """Where the ends are lowest, at each horizon that tells it."""
        found = {
            h: vertex(ends, self.initial(h))
            for h, ends in self.ends.items()
            if ends and not self._idle(h)
        }
        others = {h: vertex(ends, self.initial(h)) for h, ends in self.others.items() if ends}
        joined = {
            h: each.joined(other)
            if (other := others.get(h)) is not None and other.inside and each.inside
            else each
            for h, each in found.items()
            if each is not None
        }
        return {h: each.blurred(_NOISE) for h, each in joined.items()} if self._noisy else joined

    def _idle(self, horizon: int) -> bool:
        """Return whether doing nothing is the best that runs of a horizon can do.

        It is so where a few steps on small batches bring more noise than they bring on.
        """
        gain = self._gain(horizon)
        return math.isfinite(gain) and gain <= NOTHING * abs(self.initial(horizon))

    def _gain(self, horizon: int) -> float:
        return self.initial(horizon) - min(self.ends[horizon].values())

    def optimum(self) -> tuple[Fit, float] | None:
        """Return the fit for the horizon asked for, and the trend; None where all runs were lost.

        It is never at or above the `edge`, nor beyond the limits.
        """
        found = extrapolated(self.vertices, self.steps, self._trend)
        if found is None:
            return None
        edge = self.edge() or (math.inf, math.inf)
        fit, trend = found
        most, above = (10.0 ** min(place, self.limits[1]) for place in edge)
        best, high = min(fit.best, most), min(fit.high, above)
        return Fit(best=best, low=min(fit.low, best), high=max(high, best)), trend

    def edge(self) -> tuple[float, float] | None:
        """Return the highest log10 rate that runs survived and the lowest at which one was lost.

        What a longer run survived is not lost in a shorter one; nor is what only ended high in a
        run shorter than the longest. At the rates that are best for long runs, updates of a fixed
        size begin by throwing the loss up, and have no time to come down in a few steps. None
        where none was lost.
        """
        survived = {
            horizon: [place for place, end in ends.items() if math.isfinite(end)]
            for horizon, ends in self.ends.items()
        }
        longest = max((horizon for horizon, places in survived.items() if places), default=None)
        if longest is None:
            return None
        kept = max(survived[longest])
        lost = [
            place
            for horizon, ends in self.ends.items()
            for place, end in ends.items()
            if place > kept
            and not math.isfinite(end)
            and (horizon >= longest or not self._laboratory.may_recover(place, horizon))
        ]
        if not lost:
            return None
        below = [place for places in survived.values() for place in places if place < min(lost)]
        return max(below), min(lost)

    # ---- choosing --------------------------------------------------------------------------------

    def _chosen_horizons(self) -> tuple[int, ...]:
        price, every = self._laboratory.price, self._every
        fewest = min(_SHORTEST * every, self.steps)
        longest = self.steps
        while longest > fewest and _LAST_RUNS * price(longest) > _LAST_SHARE * self._budget:
            longest = max(int(longest * 0.93), fewest)
        first = min(max(_SHORTEST, min(_FIRST, self.steps // 24)) * every, longest)
        between = max(0, round(math.log(longest / first) / math.log(_GROWTH)) - 1)
        growth = (longest / first) ** (1.0 / (between + 1))
        chosen = [
            min(max(round(first * growth**i / every), 1) * every, longest)
            for i in range(between + 1)
        ]
        # All of the steps are the schedule itself, whether or not an update is left unfinished.
        longest = longest if longest == self.steps else max(longest // every, 1) * every
        return tuple(sorted({*chosen, longest}))

    def _expected(self, horizon: int) -> float:
        vertices = self.vertices
        if not vertices:
            return self._centre
        *earlier, newest = sorted(vertices)
        place = vertices[newest].place
        if len(earlier) > 0 and vertices[earlier[-1]].inside:
            distance = math.log10(newest / earlier[-1])
            trend = _BELIEVED * (place - vertices[earlier[-1]].place) / distance
            trend = min(max(trend, -_STEEPEST), _STEEPEST)
            if len(earlier) > 1:
                place += trend * math.log10(horizon / newest)
        return place

    def _try(self, horizon: int, place: float, most: float, replica: int = 0) -> bool:
        """Try a rate unless it has been; return whether there is an end for it."""
        low, high = self.limits
        inside = round(min(max(place, low), high), 4)
        ends = (self.ends, self.others)[replica].setdefault(horizon, {})
        if inside in ends:
            return low <= place <= high
        laboratory = self._laboratory
        if laboratory.spent + laboratory.price(horizon) > most:
            return False
        ends[inside] = laboratory.try_rate(inside, horizon, replica)
        return True

    def _walk(self, horizon: int, place: float, distance: float, most: float) -> None:
        """Try rates a distance apart until the best has a worse one on either side."""
        if not self._try(horizon, place, most):
            return
        self._try(horizon, place - distance, most)
        self._try(horizon, place + distance, most)
        for _ in range(_MOST_WALKED):
            ends = self.ends[horizon]
            places = sorted(ends)
            best = min(places, key=lambda each: ends[each])
            if not math.isfinite(ends[best]):
                wanted = places[0] - 2.0 * distance
            elif best == places[0]:
                if abs(self._gain(horizon)) <= NOTHING * abs(self.initial(horizon)):
                    return  # all lower rates are as good
                wanted = best - distance
            elif best == places[-1]:
                wanted = best + distance
            else:
                return
            if not self._try(horizon, wanted, most):
                return

    def _between(self, horizon: int, most: float, closest: float) -> None:
        """Try rates between the best and its neighbours, the wider gap first."""
        while (ends := self.ends.get(horizon)) and len(ends) < _MOST_AT_ONE:
            places = sorted(ends)
            best = min(range(len(places)), key=lambda i: ends[places[i]])
            gaps = [
                (places[i + 1] - places[i], (places[i + 1] + places[i]) / 2.0)
                for i in (best - 1, best)
                if 0 <= i < len(places) - 1
            ]
            if (
                not gaps
                or max(gaps)[0] < closest * 1.01
                or not self._try(horizon, max(gaps)[1], most)
            ):
                return

    def _bisect(self, horizon: int, most: float) -> None:
        """Halve the gap between the highest rate that was survived and the lowest that was not."""
        ends = self.ends.get(horizon, {})
        while lost := [place for place, end in ends.items() if not math.isfinite(end)]:
            kept = [place for place in ends if place < min(lost)]
            if not kept or min(lost) - max(kept) < _CLOSEST * 1.01:
                return
            if not self._try(horizon, (min(lost) + max(kept)) / 2.0, most):
                return

    def _again(self, horizon: int, most: float) -> None:
        """Try the best rate and its neighbours with other batches."""
        ends = self.ends.get(horizon, {})
        places = sorted(ends)
        if not places:
            return
        best = min(range(len(places)), key=lambda i: ends[places[i]])
        for i in (best, best - 1, best + 1):
            if 0 <= i < len(places):
                self._try(horizon, places[i], most, replica=1)

"""Which rates are tried at which horizons, on losses that are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrwidget.finding._survey import Survey


class Made:
    """A laboratory whose ends are a formula: a valley that moves with the horizon."""

    def __init__(
        self,
        *,
        best=-2.0,
        trend=0.0,
        steps=1000,
        wall=math.inf,
        ruin=-math.inf,
        noise=0.0,
        width=0.5,
    ):
        self.best, self.trend, self.steps, self.ruin = best, trend, steps, ruin
        self.wall, self.noise, self.width = wall, noise, width
        self.spent = 0.0
        self.tried = []

    def optimum(self, horizon):
        return self.best + self.trend * math.log10(horizon / self.steps)

    def try_rate(self, place, horizon, replica):
        self.spent += self.price(horizon)
        self.tried.append((place, horizon, replica))
        if place > self.wall:
            return math.inf
        away = place - self.optimum(horizon)
        rng = np.random.default_rng([replica, horizon, round((place + 20) * 1e4)])
        gain = (1 - math.exp(-horizon / 100)) * math.exp(-((away / self.width) ** 2) / 2)
        return 3.0 - 2.0 * gain + self.noise * rng.normal()

    def may_recover(self, place, horizon):
        return place <= self.ruin

    def price(self, horizon):
        return horizon + 8 / 3


def surveyed(made, *, budget=400.0, centre=-3.0, limits=(-12.0, 5.0), steps=1000, **more):
    survey = Survey(
        made, steps=steps, budget=budget, centre=centre, limits=limits, initial=3.0, **more
    )
    survey.run()
    return survey


BUDGETS = [100.0, 150.0, 400.0, 777.0, 3000.0]


class TestBudget:
    @pytest.mark.parametrize("budget", BUDGETS)
    @pytest.mark.parametrize("centre", [-8.0, -2.0, 1.0])
    @pytest.mark.parametrize("steps", [10, 300, 2000, 10**6])
    def test_it_is_kept_and_used(self, budget, centre, steps):
        made = Made(steps=steps, wall=0.0)
        survey = surveyed(made, budget=budget, centre=centre, steps=steps)
        assert made.spent <= budget
        assert max(survey.horizons) <= steps
        if steps >= budget:
            assert made.spent > 0.6 * budget

    def test_no_budget_is_no_run(self):
        made = Made()
        assert surveyed(made, budget=5.0).optimum() is None
        assert made.tried == []

    def test_nothing_is_tried_twice(self):
        made = Made(noise=0.02)
        surveyed(made, budget=3000.0)
        assert len(made.tried) == len(set(made.tried))

    def test_limits_are_kept(self):
        made = Made(best=3.0)
        surveyed(made, centre=-2.0, limits=(-4.0, 0.0))
        places = [place for place, _, _ in made.tried]
        assert -4.0 <= min(places) <= max(places) <= 0.0


class TestHorizons:
    @pytest.mark.parametrize("budget", BUDGETS)
    def test_they_rise_to_what_the_budget_bears(self, budget):
        survey = Survey(Made(), steps=1000, budget=budget, centre=-2.0, limits=(-9, 9), initial=3.0)
        assert list(survey.horizons) == sorted(set(survey.horizons))
        assert 3 * (max(survey.horizons) + 8 / 3) <= max(0.6 * budget, 3 * 8.7)

    def test_a_large_budget_reaches_all_of_the_steps(self):
        assert max(surveyed(Made(), budget=20000.0).horizons) == 1000

    def test_short_training_is_run_as_it_is(self):
        assert max(surveyed(Made(steps=40), steps=40).horizons) == 40

    @pytest.mark.parametrize("every", [2, 4, 7])
    def test_accumulation_ends_with_whole_updates(self, every):
        made = Made(steps=500)
        survey = surveyed(made, steps=500, every=every, budget=1500.0)
        assert all(horizon % every == 0 or horizon == 500 for horizon in survey.horizons)

    def test_longer_ones_are_tried_at_fewer_rates(self):
        made = Made()
        survey = surveyed(made)
        tried = [len(survey.ends[h]) for h in sorted(survey.ends)]
        assert tried[0] > tried[-1] >= 3

    def test_given_ones_are_taken(self):
        assert set(surveyed(Made(), horizons=(10, 60)).ends) == {10, 60}


class TestOptimum:
    @pytest.mark.parametrize("trend", [-0.5, -0.2, 0.0, 0.3])
    @pytest.mark.parametrize("best", [-4.3, -2.0, 0.4])
    def test_a_valley_that_moves_is_found(self, trend, best):
        found, _ = surveyed(Made(best=best, trend=trend), budget=3000.0).optimum()
        assert abs(math.log10(found.best) - best) < 0.2
        assert found.low <= 10.0**best <= found.high

    def test_the_trend_has_the_right_sign(self):
        _, down = surveyed(Made(trend=-0.5), budget=3000.0).optimum()
        _, up = surveyed(Made(trend=0.4), budget=3000.0).optimum()
        assert down < -0.15 < 0.15 < up

    @pytest.mark.parametrize("centre", [-9.0, -6.0, 3.0])
    def test_a_bad_place_to_begin_is_left(self, centre):
        # A rate far too low gains nothing by which to see the way, but a little slope.
        made = Made(width=2.5)
        found, _ = surveyed(made, centre=centre, budget=400.0).optimum()
        assert abs(math.log10(found.best) + 2.0) < 0.7

    def test_the_band_of_noisy_valleys_holds_the_best(self):
        rng = np.random.default_rng(3)
        held, wide = 0, []
        for _ in range(60):
            best, trend = rng.uniform(-4, 0), 0.2 * rng.normal()
            made = Made(best=best, trend=trend, noise=0.01)
            found, _ = surveyed(made, centre=best + rng.normal(), budget=400.0).optimum()
            held += found.low <= 10.0**best <= found.high
            wide.append(found.decades)
        assert held >= 52
        assert np.median(wide) < 1.5

    def test_other_batches_narrow_or_widen_the_band(self):
        survey = surveyed(Made(), budget=3000.0)
        assert survey.others
        for horizon, others in survey.others.items():
            assert set(others) <= set(survey.ends[horizon])


class TestEdge:
    def test_it_lies_between_what_was_survived_and_what_was_lost(self):
        survey = surveyed(Made(best=-1.0, wall=-0.8), centre=-2.0)
        kept, lost = survey.edge()
        assert kept <= -0.8 < lost

    def test_the_advice_is_never_beyond_it(self):
        survey = surveyed(Made(best=-1.0, trend=0.0, wall=-1.2), centre=-2.0, budget=3000.0)
        found, _ = survey.optimum()
        kept, lost = survey.edge()
        assert math.log10(found.best) <= kept + 1e-9
        assert math.log10(found.high) <= lost + 1e-9
        assert found.low <= found.best <= found.high

    @pytest.mark.parametrize(
        ("ends", "where_it_only_ended_high", "where_it_left_all_bounds"),
        [
            ({10: {-3.0: 2.0, -2.0: math.inf}, 100: {-2.5: 1.5}}, None, (-2.5, -2.0)),
            ({10: {-3.0: 2.0}, 100: {-2.5: 1.5, -2.0: math.inf}}, (-2.5, -2.0), (-2.5, -2.0)),
            ({10: {-3.0: 2.0}, 100: {-2.0: math.inf}}, (-3.0, -2.0), (-3.0, -2.0)),
            ({10: {-3.0: 2.0, -2.0: math.inf}, 100: {-2.0: 1.5}}, None, None),
        ],
    )
    def test_what_only_ended_high_in_a_short_run_is_none(
        self, ends, where_it_only_ended_high, where_it_left_all_bounds
    ):
        for ruin, edge in (
            (math.inf, where_it_only_ended_high),
            (-math.inf, where_it_left_all_bounds),
        ):
            survey = Survey(
                Made(ruin=ruin), steps=100, budget=0, centre=0, limits=(-9, 9), initial=3.0
            )
            survey.ends = ends
            assert survey.edge() == edge

    def test_there_is_none_where_nothing_was_lost(self):
        assert surveyed(Made()).edge() is None

    def test_all_lost(self):
        survey = surveyed(Made(wall=-30.0))
        assert survey.edge() is None
        assert survey.optimum() is None
        assert survey.vertices == {}

"""From the ends of short runs to the best rate: vertices, their line, and how sure it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrwidget.finding._fit import (
    _BENDING,
    Fit,
    Vertex,
    extrapolated,
    regrets,
    vertex,
)
from lrwidget.finding._trend import UNKNOWN, Trend

QUANTILE = 1.645


def parabola(places, best=-2.0, width=1.0, lowest=1.0):
    """Return ends whose regret, plus a grain of 0.01, is a parabola in the logarithms."""
    return {
        place: lowest + (math.exp(math.log(0.01) + width * (place - best) ** 2) - 0.01) * 10.0
        for place in places
    }


def simple(*pairs):
    return {h: Vertex(place=p, spread=s, inside=True) for h, p, s in pairs}


class TestVertex:
    @pytest.mark.parametrize("best", [-2.2, -2.0, -1.9, -1.8])
    def test_of_a_parabola_it_is_the_lowest_place(self, best):
        ends = parabola([-3.1, -2.0, -1.3], best=best, width=1.5)
        # The best run's gain, 10 with its own lack, is what regrets are a share of.
        initial = min(ends.values()) + 10.0
        found = vertex(ends, initial)
        assert found.inside
        # By hand: NumPy's parabola through the same three points.
        low = min(ends.values())
        height = [math.log((end - low) / 10.0 + 0.01) for end in ends.values()]
        a, b, _ = np.polyfit(list(ends), height, 2)
        assert found.place == pytest.approx(np.clip(-b / (2 * a), -2.55, -1.65))

    def test_an_exact_parabola_is_found_exactly(self):
        found = vertex(parabola([-3.0, -2.0, -1.0]), 11.0)
        assert found.place == pytest.approx(-2.0)

    def test_it_stays_halfway_to_its_neighbours(self):
        found = vertex({-3.0: 1.0 + 1e-9, -2.0: 1.0, -1.0: 100.0}, 2.0)
        assert -2.5 <= found.place <= -2.0

    def test_a_lost_run_is_a_wall(self):
        found = vertex({-3.0: 1.2, -2.0: 1.0, -1.0: math.inf}, 2.0)
        assert found.inside
        assert -2.5 <= found.place < -2.0  # the wall is worse than the other neighbour

    @pytest.mark.parametrize("ends", [{-1.0: 1.0, 0.0: 2.0}, {-1.0: 2.0, 0.0: 1.0}, {-1.0: 1.0}])
    def test_at_the_border_it_is_the_best_run_and_unsure(self, ends):
        found = vertex(ends, 3.0)
        assert not found.inside
        assert found.place == min(ends, key=ends.get)
        assert found.spread > vertex({-1.0: 2.0, 0.0: 1.0, 1.0: 2.0}, 3.0).spread

    def test_without_any_end_there_is_none(self):
        assert vertex({-1.0: math.inf, 0.0: math.inf}, 1.0) is None

    def test_points_farther_apart_and_flat_valleys_are_less_sure(self):
        near, far = (vertex(parabola([-2 - d, -2, -2 + d]), 11.0).spread for d in (0.3, 1.0))
        assert near < far
        places = np.linspace(-4, 0, 9)
        flat = {place: 1.0 if abs(place + 2) < 1.1 else 5.0 for place in places}
        assert vertex(flat, 11.0).spread > vertex(parabola(places), 11.0).spread

    @given(
        shift=st.floats(-1e3, 1e3),
        scale=st.floats(1e-6, 1e6),
        moved=st.floats(-6.0, 6.0),
    )
    def test_other_units_of_loss_and_rate_change_nothing(self, shift, scale, moved):
        ends = {-3.0: 4.0, -2.0: 1.5, -1.0: 2.0}
        other = {place + moved: shift + scale * end for place, end in ends.items()}
        one, two = vertex(ends, 5.0), vertex(other, shift + scale * 5.0)
        tolerance = 1e-6 + 1e-12 * abs(shift) / scale
        assert two.place - moved == pytest.approx(one.place, abs=max(tolerance, 1e-6) * 10)

    def test_the_mean_of_two_knows_how_far_they_are_apart(self):
        one, two = (Vertex(place=p, spread=0.1, inside=True) for p in (-2.0, -1.0))
        both = one.joined(two)
        assert both.place == -1.5
        assert both.spread == pytest.approx(math.hypot(math.hypot(0.1, 0.1) / 2, 0.5))
        assert one.joined(one).spread < one.spread


class TestRegrets:
    def test_they_are_shares_of_the_best_gain(self):
        found = regrets(np.array([1.0, 2.0, 5.0, 9.0, math.inf]), 5.0)
        np.testing.assert_allclose(found, [0.0, 0.25, 1.0, 1.0, 1.0])

    def test_other_batches_move_more_points_less(self):
        """Noise on the ends moves the place that five points tell less than that of three."""
        rng = np.random.default_rng(0)
        places = np.arange(-2.6, -1.3, 0.25)
        moved = {3: [], 5: []}
        for _ in range(200):
            clean = parabola(places, best=-2.03)
            noisy = {p: end + 0.02 * rng.normal() for p, end in clean.items()}
            middle = min(noisy, key=noisy.get)
            for count, found in moved.items():
                near = {p: e for p, e in noisy.items() if abs(p - middle) < 0.13 * count}
                found.append(vertex(near, 11.0).place + 2.03)
        assert np.std(moved[5]) < 0.85 * np.std(moved[3])

    def test_what_is_far_above_says_nothing(self):
        ends = parabola([-2.4, -2.2, -2.0, -1.8], best=-2.05)
        alone = vertex(ends, 11.0)
        assert vertex({**ends, -1.6: math.inf}, 11.0) == alone
        assert vertex({**ends, -1.6: 10.0}, 11.0) == alone

    def test_negative_losses_have_gains_too(self):
        np.testing.assert_allclose(regrets(np.array([-3.0, -2.0]), -1.0), [0.0, 0.5])

    def test_where_nothing_was_gained_all_others_are_worse(self):
        np.testing.assert_allclose(regrets(np.array([2.0, 3.0]), 1.0), [0.0, 1.0])


class TestExtrapolated:
    def test_it_is_the_weighted_ridge_line(self):
        vertices = simple((10, -1.0, 0.1), (50, -1.3, 0.2), (200, -1.4, 0.15))
        (fit, trend) = extrapolated(vertices, 1000, Trend(usual=-0.1, spread=0.3))
        # Independently: least squares with a row for the prior.
        x = np.log10(np.array([10, 50, 200]) / 1000)
        bending = _BENDING * (x.max() - x)
        weight = 1 / np.sqrt(np.array([0.1, 0.2, 0.15]) ** 2 + bending**2)
        design = np.vstack([np.stack([weight, weight * x], 1), [0, 1 / 0.3]])
        seen = np.append(weight * np.array([-1.0, -1.3, -1.4]), -0.1 / 0.3)
        (place, slope), *_ = np.linalg.lstsq(design, seen, rcond=None)
        spread = math.sqrt(np.linalg.inv(design.T @ design)[0, 0])
        assert trend == pytest.approx(slope)
        assert math.log10(fit.best) == pytest.approx(place)
        assert math.log10(fit.low) == pytest.approx(place - QUANTILE * spread)
        assert math.log10(fit.high) == pytest.approx(place + QUANTILE * spread)
        assert fit.decades == pytest.approx(2 * QUANTILE * spread)

    def test_at_the_horizon_itself_it_is_the_vertex(self):
        fit, trend = extrapolated(simple((1000, -2.0, 0.1)), 1000)
        assert fit.best == pytest.approx(1e-2)
        assert trend == pytest.approx(0.0)
        assert math.log10(fit.high) == pytest.approx(-2.0 + QUANTILE * 0.1)

    def test_one_horizon_follows_the_usual_trend(self):
        fit, trend = extrapolated(simple((100, -2.0, 0.1)), 1000, Trend(usual=-0.3))
        assert trend == pytest.approx(-0.3)
        assert math.log10(fit.best) == pytest.approx(-2.3)

    def test_farther_away_is_less_sure(self):
        vertices = simple((10, -1.0, 0.1), (50, -1.2, 0.1))
        widths = [extrapolated(vertices, steps)[0].decades for steps in (50, 200, 2000, 10**5)]
        assert widths == sorted(widths)

    def test_nothing_is_nothing(self):
        assert extrapolated({}, 100) is None

    def test_ninety_of_a_hundred_bands_hold_the_best(self):
        """Vertices as noisy, and trends as wide, as the model says."""
        rng = np.random.default_rng(0)
        held = 0
        for _ in range(600):
            truth, trend = rng.uniform(-4, 0), UNKNOWN.spread * rng.normal()
            horizons = np.array([8, 70, 400])
            away = np.log10(horizons / 1000)
            spreads = rng.uniform(0.1, 0.3, 3)
            noise = np.hypot(spreads, _BENDING * (away.max() - away)) * rng.normal(size=3)
            places = truth + trend * away + noise
            fit, _ = extrapolated(simple(*zip(horizons, places, spreads, strict=True)), 1000)
            held += fit.low <= 10.0**truth <= fit.high
        assert 0.87 <= held / 600 <= 0.93

    def test_a_fit_tells_its_width(self):
        assert Fit(best=1.0, low=0.1, high=10.0).decades == pytest.approx(2.0)

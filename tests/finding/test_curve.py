"""Smoothing, and the decision when a sweep has diverged."""

from __future__ import annotations

import numpy as np
import pytest

from lrwidget.finding._curve import GrowingCurve, response


def grow(losses, *, steps=100, smoothing=0.98, stop_factor=4.0):
    """Feed losses until the curve says stop; return curve and verdict."""
    curve = GrowingCurve(steps=steps, smoothing=smoothing, stop_factor=stop_factor)
    verdict = None
    for loss in losses:
        verdict = curve.append(float(loss))
        if verdict:
            break
    return curve, verdict


def test_smoothing_is_the_weighted_mean_of_all_losses():
    losses = np.random.default_rng(0).normal(2.0, 0.5, 60)
    curve, _ = grow(losses, smoothing=0.9)
    for n in (1, 2, 30, 60):
        weights = 0.9 ** np.arange(n)[::-1]
        expected = (weights * losses[:n]).sum() / weights.sum()
        assert curve.smoothed[n - 1] == pytest.approx(expected, rel=1e-12)


def test_without_smoothing_the_losses_are_as_they_are():
    losses = np.random.default_rng(1).normal(2.0, 0.1, 40)
    curve, _ = grow(losses, smoothing=0.0)
    np.testing.assert_array_equal(curve.smoothed, losses)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 3, 50])
def test_a_loss_that_is_not_finite_stops_at_once_and_is_not_kept(value, at):
    curve, verdict = grow([*np.full(at, 2.0), value, 2.0], stop_factor=None)
    assert verdict == "nan"
    assert len(curve) == len(curve.smoothed) == at


def test_positive_losses_stop_at_four_times_the_best_as_in_fastai():
    noise = np.random.default_rng(2).normal(0, 0.05, 100)
    losses = np.concatenate(
        [np.full(40, 2.3), np.linspace(2.3, 1.5, 30), 1.5 * 1.5 ** np.arange(30)]
    )
    curve, verdict = grow(losses + noise, smoothing=0.5)
    smoothed = curve.smoothed
    assert verdict == "diverged"
    assert smoothed[-1] > 4 * smoothed.min()
    assert (smoothed[:-1] <= 4 * np.minimum.accumulate(smoothed)[:-1]).all()


@pytest.mark.parametrize("level", [-800.0, -3.0, -0.01, 0.0, 1e-6])
def test_negative_and_tiny_losses_do_not_stop_on_their_noise(level):
    spread = 0.1 * max(abs(level), 1e-3)
    losses = level + spread * np.random.default_rng(3).standard_normal(100)
    _, verdict = grow(losses, smoothing=0.9)
    assert verdict is None


@pytest.mark.parametrize("level", [-800.0, -3.0, -0.01, 0.0, 1e-6])
def test_negative_and_tiny_losses_stop_when_they_blow_up(level):
    scale = max(abs(level), 1e-3)
    noise = 0.1 * scale * np.random.default_rng(4).standard_normal(100)
    falls = np.concatenate([np.zeros(40), np.linspace(0.0, -2.0, 40)]) * scale
    blows_up = scale * 2.0 ** np.arange(20)
    curve, verdict = grow(np.concatenate([level + falls, level + blows_up]) + noise, smoothing=0.9)
    assert verdict == "diverged"
    assert 80 < len(curve) < 95


def test_a_loss_through_zero_is_not_divergence():
    """Best just above zero: four times that is nothing, and the loss is far below its start."""
    noise = 0.02 * np.random.default_rng(5).standard_normal(100)
    losses = (
        np.concatenate([np.full(20, 2.0), np.linspace(2.0, -1.0, 60), np.full(20, 0.5)]) + noise
    )
    _, verdict = grow(losses, smoothing=0.0)
    assert verdict is None


def test_rounding_noise_of_a_constant_negative_loss_is_not_divergence():
    losses = np.float32(-5.0) * (1 + 1e-7 * np.random.default_rng(6).standard_normal(100))
    _, verdict = grow(losses)
    assert verdict is None


def test_no_factor_runs_through_any_blow_up():
    curve, verdict = grow(2.0 ** np.arange(100), stop_factor=None)
    assert verdict is None
    assert len(curve) == 100


def test_the_first_tenth_shows_the_noise_and_never_stops():
    curve, verdict = grow(2.0 ** np.arange(100), steps=100, smoothing=0.0)
    assert verdict == "diverged"
    assert len(curve) > 10


def ladder(fall, rise, *, n=100, noise=0.3, seed=0):
    """Losses that are level, fall to a lower level, and blow up."""
    x = np.linspace(0.0, 1.0, n)
    way = 2.0 - fall * np.clip((x - 0.4) / 0.4, 0, 1) + rise * np.clip((x - 0.85) / 0.15, 0, 1) ** 2
    return way + noise * np.random.default_rng(seed).normal(size=n)


class TestResponse:
    @pytest.mark.parametrize("n", [20, 100])
    def test_noise_is_no_response(self, n):
        told = [response(ladder(0.0, 0.0, n=n, seed=seed)) for seed in range(100)]
        assert sum(each == (False, False) for each in told) >= 90

    @pytest.mark.parametrize("level", [0.0, 3.0, -1e6])
    def test_nor_is_a_constant(self, level):
        losses = np.float32(level) + np.zeros(50, np.float32)
        assert response(losses.astype(np.float64)) == (False, False)

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize(
        ("fall", "noise", "rise"),
        [(0.8, 0.3, 0.0), (2.0, 0.3, 8.0), (1e-3, 0.0, 0.0), (0.0, 0.3, 8.0)],
    )
    def test_a_fall_and_a_rise_are_told_apart(self, fall, noise, rise, seed):
        falls, rises = response(ladder(fall, rise, noise=noise, seed=seed))
        assert falls == (fall > 0.0)
        assert rises == (rise > 0.0)

    @pytest.mark.parametrize("edge", [15, 30, 70])
    def test_whatever_comes_after_it(self, edge):
        """Also where the edge lies in the lower half of the ladder, and all behind it is wild."""
        rng = np.random.default_rng(0)
        wild = 1e5 * np.abs(rng.normal(size=100 - edge))
        falls = np.linspace(1.9, 0.4, edge) + 0.05 * rng.normal(size=edge)
        assert response(np.concatenate([falls, wild])) == (True, True)
        blown_up = np.concatenate([falls, np.geomspace(1.0, 1e30, 100 - edge)])
        assert response(blown_up) == (True, True)

    def test_of_too_few_points_nothing_is_said(self):
        assert response(np.full(9, 2.0)) == (True, True)

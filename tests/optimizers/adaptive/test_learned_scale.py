"""learned_scale: against least squares by NumPy and the search in plain Python."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.optimizers.adaptive import learned_scale
from tests.optimizers.adaptive.drive import Driver

ONE = {"w": jnp.array([1.0, -0.3], jnp.float32)}


def expected(values, window, up, down, refinement, tolerance, low, high):
    scale, baseline, trial, scales, losses = 1.0, 0.0, False, [], []
    for value in values:
        losses.append(value)
        if len(losses) == window:
            finite = np.isfinite(losses).all()
            velocity = -np.polyfit(np.arange(window), losses, 1)[0] if finite else -np.inf
            kept = velocity >= 0 and (not trial or velocity > (1 + tolerance) * baseline)
            if trial and not kept:
                scale, up = scale / up, 1 + (up - 1) * refinement
            if velocity < 0:
                scale *= down
            if kept:
                scale, baseline = scale * up, velocity
            trial, losses = kept, []
            scale = np.clip(scale, low, high)
        scales.append(scale)
    return scales


@pytest.mark.parametrize("tolerance", [0.0, 0.3])
@pytest.mark.parametrize("window", [3, 8])
def test_follows_the_rule(window, tolerance):
    rng = np.random.default_rng(2)
    steps = np.arange(40 * window)
    values = 20 + 3 * np.cos(steps / 25) + 0.05 * rng.normal(size=len(steps)) - steps**1.1 / 50
    values = values.astype(np.float32)
    values[5 * window + 1] = np.nan
    driver = Driver(
        learned_scale(
            window,
            raise_factor=3.0,
            refinement=0.8,
            tolerance=tolerance,
            min_scale=0.2,
            max_scale=30.0,
        ),
        ONE,
    )
    scales = []
    for value in values:
        updates = driver.step(ONE, value=value)
        scales.append(float(driver.state.scale))
        np.testing.assert_allclose(updates["w"], scales[-1] * ONE["w"], rtol=1e-6)
    wanted = expected(values, window, 3.0, 0.5, 0.8, tolerance, 0.2, 30.0)
    np.testing.assert_allclose(scales, wanted, rtol=1e-4)
    assert max(wanted) > 3
    assert min(wanted) < 1
    assert driver.traces == 1


def test_the_velocity_is_the_slope_of_a_line():
    driver = Driver(learned_scale(5), ONE)
    for i in range(5):
        driver.step(ONE, value=1000.0 - 0.25 * i)
    assert driver.state.velocity == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 2}, "window must be a whole number >= 3, got 2"),
        ({"raise_factor": 1.0}, "raise_factor must be a finite number > 1, got 1.0"),
        ({"lower_factor": 0.0}, "lower_factor must be a finite number > 0 and < 1, got 0.0"),
        ({"refinement": 1.5}, "refinement must be a finite number > 0 and <= 1, got 1.5"),
        ({"tolerance": float("nan")}, "tolerance must be a finite number >= 0, got nan"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        learned_scale(**arguments)

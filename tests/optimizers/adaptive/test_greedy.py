"""greedy: against the counting of its paper's scheduler, written in plain Python."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.optimizers.adaptive import greedy
from tests.optimizers.adaptive.drive import Driver

ONE = {"w": jnp.array([1.0, -0.3], jnp.float32)}


def expected(
    values, *, factor, patience, cooldown, warmup, low, high, smoothing, rtol=1e-4, reset=0
):
    scale, best, mean, good, bad, cool, warm, floor = 1.0, np.inf, np.nan, 0, 0, 0, 0, 0
    scales = []
    for value in values:
        if np.isnan(mean):
            mean = value
        elif np.isfinite(value):
            mean = smoothing * mean + (1 - smoothing) * value
        if cool or warm:
            cool, warm, good, bad = max(cool - 1, 0), max(warm - 1, 0), 0, 0
        else:
            if np.isfinite(value) and mean < (1 - rtol) * best:
                best, good, bad = mean, good + 1, 0
            else:
                good, bad = 0, bad + 1
            if good > patience:
                scale, warm, good, floor = min(scale / factor, high), warmup, 0, 0
            elif bad > patience:
                scale, cool, bad = max(scale * factor, low), cooldown, 0
                floor += scale <= low
                if reset and floor >= reset:
                    scale, best, mean, cool, floor = 1.0, np.inf, np.nan, 0, 0
        scales.append(scale)
    return scales


@pytest.mark.parametrize("smoothing", [0.0, 0.7])
@pytest.mark.parametrize(("cooldown", "warmup"), [(0, 0), (3, 2)])
@pytest.mark.parametrize("reset", [0, 3])
def test_follows_the_rule(smoothing, cooldown, warmup, reset):
    rng = np.random.default_rng(5)
    values = np.concatenate([np.linspace(3, 1, 40), 1 + 0.3 * rng.random(120)]).astype(np.float32)
    values[[30, 100]] = np.nan, np.inf
    driver = Driver(
        greedy(
            factor=0.5,
            patience=3,
            cooldown=cooldown,
            warmup=warmup,
            min_scale=0.1,
            max_scale=5.0,
            smoothing=smoothing,
            reset_after=reset,
        ),
        ONE,
    )
    scales = []
    for value in values:
        updates = driver.step(ONE, value=value)
        scales.append(float(driver.state.scale))
        np.testing.assert_allclose(updates["w"], scales[-1] * ONE["w"], rtol=1e-6)
    wanted = expected(
        values,
        factor=0.5,
        patience=3,
        cooldown=cooldown,
        warmup=warmup,
        low=0.1,
        high=5.0,
        smoothing=smoothing,
        reset=reset,
    )
    np.testing.assert_allclose(scales, wanted, rtol=1e-5)
    assert max(wanted) > 1 > min(wanted)
    assert driver.traces == 1


def test_a_validation_loss_is_judged_once():
    driver = Driver(greedy(0.5, 1, smoothing=0.0, monitor="valid"), ONE)
    scales = []
    for valid_value in (np.nan, 3.0, np.nan, np.nan, 2.0, np.nan):
        driver.step(ONE, valid_value=valid_value)
        scales.append(float(driver.state.scale))
    assert scales == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1.0}, "factor must be a finite number > 0 and < 1, got 1.0"),
        ({"patience": -1}, "patience must be a whole number >= 0, got -1"),
        ({"warmup": 1.5}, "warmup must be a whole number >= 0, got 1.5"),
        (
            {"min_scale": 2.0, "max_scale": 1.0},
            "min_scale must be <= max_scale, got min_scale=2.0 and max_scale=1.0",
        ),
        ({"reset_after": -1}, "reset_after must be a whole number >= 0, got -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        greedy(**arguments)

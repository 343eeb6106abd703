"""reduce_on_plateau: Optax's own rule, and what is added to it."""

from __future__ import annotations

import inspect

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrwidget.optimizers.adaptive import reduce_on_plateau
from tests.optimizers.adaptive.drive import Driver

ONE = {"w": jnp.array([1.0, -0.3], jnp.float32)}


def losses(seed, steps=200):
    rng = np.random.default_rng(seed)
    return (np.exp(-np.arange(steps) / 30) + 0.2 * rng.random(steps)).astype(np.float32)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"patience": 3, "factor": 0.3},
        {"patience": 2, "cooldown": 4, "factor": 0.7},
        {"patience": 2, "accumulation_size": 5, "rtol": 0.01, "min_scale": 0.2, "factor": 0.5},
        {"patience": 1, "atol": 0.05, "rtol": 0.0},
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_optax_bit_for_bit(arguments, seed):
    ours = Driver(reduce_on_plateau(**arguments), ONE)
    theirs = Driver(optax.contrib.reduce_on_plateau(**arguments), ONE)
    values = losses(seed)
    values[50] = np.nan
    for value in values:
        np.testing.assert_array_equal(
            ours.step(ONE, value=value)["w"], theirs.step(ONE, value=value)["w"]
        )
    assert ours.state.scale == theirs.state.scale
    assert ours.state.best_value == theirs.state.best_value
    if arguments:
        assert ours.state.scale < 1
    assert ours.traces == 1


def test_extends_the_signature_of_optax():
    theirs = inspect.signature(optax.contrib.reduce_on_plateau).parameters
    ours = inspect.signature(reduce_on_plateau).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert {n: p.default for n, p in theirs.items()} == {n: ours[n].default for n in theirs}


def test_smoothing_judges_the_running_mean():
    values, smoothing, patience = losses(3), 0.8, 4
    driver = Driver(reduce_on_plateau(0.5, patience, smoothing=smoothing), ONE)
    mean, best, waiting, scale = np.nan, np.inf, 0, 1.0
    for value in values:
        mean = value if np.isnan(mean) else smoothing * mean + (1 - smoothing) * value
        if mean < (1 - 1e-4) * best:
            best, waiting = mean, 0
        else:
            waiting += 1
        if waiting == patience:
            scale, waiting = scale * 0.5, 0
        np.testing.assert_allclose(driver.step(ONE, value=value)["w"], scale * ONE["w"], rtol=1e-6)
    assert scale < 1


def test_smoothing_forgets_what_is_not_finite():
    driver = Driver(reduce_on_plateau(smoothing=0.5), ONE)
    for value in (4.0, np.nan, np.inf, 2.0):
        driver.step(ONE, value=value)
    assert driver.state.smooth_value == 3.0
    assert driver.state.plateau_count == 0


def test_a_validation_loss_is_judged_once():
    driver = Driver(reduce_on_plateau(0.5, 2, monitor="valid"), ONE)
    scales = []
    for valid_value in (np.nan, 1.0, np.nan, np.nan, np.nan, 1.0, np.nan, 1.0, np.nan):
        driver.step(ONE, valid_value=valid_value)
        scales.append(float(driver.state.scale))
    assert scales == [1, 1, 1, 1, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1.2}, "factor must be a finite number > 0 and < 1, got 1.2"),
        ({"patience": 0}, "patience must be a whole number >= 1, got 0"),
        ({"rtol": -1.0}, "rtol must be a finite number >= 0 and <= 1, got -1.0"),
        ({"rtol": 0.0}, "rtol or atol must be > 0, got rtol=0.0 and atol=0.0"),
        ({"cooldown": -1}, "cooldown must be a whole number >= 0, got -1"),
        ({"accumulation_size": 0}, "accumulation_size must be a whole number >= 1, got 0"),
        ({"min_scale": -0.1}, "min_scale must be a finite number >= 0, got -0.1"),
        ({"smoothing": 1.0}, "smoothing must be a finite number >= 0 and < 1, got 1.0"),
        ({"monitor": "valdi"}, "monitor must be one of train, valid; got 'valdi'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        reduce_on_plateau(**arguments)

"""Anyone's schedule read back: Optax's own by their parameters, others by a fit."""

from __future__ import annotations

import warnings

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrwidget.schedules import ApproximationWarning, Schedule, Segment, preset, recognise

STEPS = 2000

OPTAX = {
    "constant": (optax.constant_schedule(3e-3), ["constant"]),
    "linear": (optax.linear_schedule(1e-3, 1e-5, 1500, 100), ["constant", "linear", "constant"]),
    "polynomial": (optax.polynomial_schedule(0.1, 0.01, 2, 2000), ["polynomial"]),
    "cosine": (optax.cosine_decay_schedule(0.1, 2000, alpha=0.1), ["cosine"]),
    "cosine, held": (optax.cosine_decay_schedule(0.1, 1500), ["cosine", "constant"]),
    "exponential": (optax.exponential_decay(0.1, 500, 0.5), ["exponential"]),
    "exponential, by a third": (optax.exponential_decay(0.1, 1000 / 3, 0.5), ["exponential"]),
    "staircase": (optax.exponential_decay(0.1, 500, 0.5, staircase=True), ["exponential"]),
    "floored": (optax.exponential_decay(0.1, 100, 0.5, end_value=0.01), ["exponential"]),
    "stairs": (
        optax.piecewise_constant_schedule(0.1, {600: 0.1, 1400: 0.5}),
        ["constant", "constant", "constant"],
    ),
    "warmup_cosine": (
        optax.warmup_cosine_decay_schedule(0.0, 3e-3, 100, 2000, 1e-5),
        ["linear", "cosine"],
    ),
    "one cycle": (optax.cosine_onecycle_schedule(2000, 0.1), ["cosine", "cosine"]),
    "linear one cycle": (optax.linear_onecycle_schedule(2000, 0.1), ["linear"] * 3),
    "sgdr": (
        optax.sgdr_schedule(
            [
                {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 50, "decay_steps": 500},
                {"init_value": 0.0, "peak_value": 0.05, "warmup_steps": 50, "decay_steps": 1500},
            ]
        ),
        ["linear", "cosine", "linear", "cosine"],
    ),
    "joined": (
        optax.join_schedules([optax.linear_schedule(0, 1, 10), optax.constant_schedule(1.0)], [10]),
        ["linear", "constant"],
    ),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.soak] * name.endswith("one cycle")) for name in OPTAX],
)
def test_a_function_of_optax_is_read_by_its_parameters(name):
    function, shapes = OPTAX[name]
    found = recognise(function, STEPS)
    assert found.how == "parameters"
    assert [segment.shape.name for segment in found.schedule.segments] == shapes
    assert found.schedule.steps == STEPS
    at = np.arange(STEPS)
    expected = np.array([float(function(s)) for s in at])
    measured = np.max(np.abs(found.schedule(at) - expected)) / expected.max()
    assert measured <= 2e-6
    assert found.error == pytest.approx(measured, rel=0.2, abs=2e-7)


@pytest.mark.parametrize("name", ["warmup_cosine", "one_cycle", "step", "linear", "constant"])
def test_what_is_exported_comes_back(name):
    schedule = preset(name, peak_value=3e-3, steps=STEPS)
    names: dict = {}
    exec(schedule.to_code(), names)
    back = Schedule.from_optax(names["learning_rate"], STEPS)
    at = np.arange(STEPS)
    np.testing.assert_allclose(back(at), schedule(at), atol=1e-6 * 3e-3)


FUNCTIONS = {
    "cosine": (lambda s: 0.1 * 0.5 * (1 + jnp.cos(jnp.pi * s / STEPS)), ["cosine"]),
    "warmup and linear": (
        lambda s: 0.1 * jnp.minimum(s / 200, (STEPS - s) / (STEPS - 200)),
        ["linear", "linear"],
    ),
    "stairs": (
        lambda s: jnp.where(s < 500, 0.1, jnp.where(s < 1500, 0.01, 0.001)),
        ["constant", "constant", "constant"],
    ),
    "warmup, stable, square root": (
        lambda s: (
            0.1 * jnp.minimum(s / 100, 1.0) * (1 - jnp.sqrt(jnp.clip((s - 1600) / 400, 0, 1)))
        ),
        ["linear", "constant", "one_minus_power"],
    ),
    "inverse square root": (lambda s: 0.1 / jnp.sqrt(1 + s / 100), ["inverse_power"]),
    "plain Python": (lambda s: 0.1 if s < 700 else 0.02, ["constant", "constant"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_shapes_are_found_in_functions_that_nobody_knows(name):
    function, shapes = FUNCTIONS[name]
    found = recognise(function, STEPS)
    assert found.how == "shapes"
    assert [segment.shape.name for segment in found.schedule.segments] == shapes
    assert found.error <= 2e-6


def test_what_no_shape_fits_is_followed_and_its_error_said():
    def wave(step):
        return 0.1 * (1.5 + jnp.sin(step / 90.0))

    with pytest.warns(ApproximationWarning, match=r"to \d.\de-04 of its peak \(worst at step \d+"):
        schedule = Schedule.from_optax(wave, STEPS)
    at = np.arange(STEPS)
    found = recognise(wave, STEPS)
    assert found.how == "lines"
    assert found.schedule == schedule
    apart = np.abs(schedule(at) - np.array(wave(at), np.float64))
    assert found.error == pytest.approx(apart.max() / 0.25, rel=1e-3)
    assert found.error <= 1.1e-3
    assert len(schedule.parts) < 200


def test_a_line_that_ends_between_two_steps_keeps_its_slope():
    found = recognise(optax.linear_schedule(0.1, 0.0, 50.5), 100)
    assert [part.steps for part in found.schedule.parts] == [50, 1, 49]
    assert found.error <= 2e-6


def test_a_schedule_of_ours_is_itself():
    schedule = preset("warmup_cosine", peak_value=1e-3, steps=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Schedule.from_optax(schedule, STEPS) == schedule


@pytest.mark.parametrize(
    ("function", "steps", "error", "says"),
    [
        (0.1, 100, TypeError, "function must take a step"),
        (lambda s: 0.1, 1, ValueError, "steps must be a whole number >= 2"),
        (lambda s: 0.1, 2.5, ValueError, "steps must be"),
        (lambda s: -0.1, 100, ValueError, r"finite numbers >= 0, got -0\.1 at step 0"),
        (lambda s: jnp.where(s > 40, jnp.nan, 1.0), 100, ValueError, "got nan at step 41"),
    ],
)
def test_what_is_no_schedule_is_refused(function, steps, error, says):
    with pytest.raises(error, match=says):
        Schedule.from_optax(function, steps)


def test_a_namesake_that_is_not_optax_s_is_fitted():
    def polynomial_schedule(init_value):
        def schedule(count):
            return init_value + 0.0 * count

        return schedule

    fake = polynomial_schedule(0.5)
    fake.__module__ = "optax.schedules._schedule"
    fake.__qualname__ = "polynomial_schedule.<locals>.schedule"
    found = recognise(fake, 100)
    assert found.schedule == Schedule(Segment("constant", 100, value=0.5))

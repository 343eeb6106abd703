"""stability_guard: its search and its tests in NumPy, and wrong rates that it puts right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrwidget.optimizers.adaptive import stability_guard
from lrwidget.optimizers.adaptive._search import critical_step
from tests.optimizers.adaptive.drive import trainer

MATRIX = np.diag([4.0, 1.0, 0.1])


def quadratic(params, batch):
    x = jnp.concatenate([params["a"], params["b"]])
    return 0.5 * (x - batch) @ jnp.asarray(MATRIX, x.dtype) @ (x - batch)


def start():
    return {"a": jnp.array([1.0]), "b": jnp.array([-2.0, 0.5])}


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.3, 2.0, 1e3])
def test_the_search_brackets_the_critical_step(rate):
    params = start()
    loss = jax.jit(lambda p: quadratic(p, 0.0))
    value, grad = jax.value_and_grad(loss)(params)
    updates = jax.tree.map(lambda g: -rate * g, grad)
    found = jax.jit(lambda: critical_step(loss, params, updates, value, 12))()
    x = np.array([1.0, -2.0, 0.5])
    g = MATRIX @ x
    exact = 2 * (g @ g) / (g @ MATRIX @ g) / rate
    assert 0.49 < found / exact < 2.01


def test_the_search_ends():
    flat = critical_step(lambda p: -p, jnp.float32(1), jnp.float32(1), jnp.float32(-1), 5)
    assert flat == 4.0**5
    cliff = critical_step(
        lambda p: jnp.where(p > 1, jnp.nan, p), jnp.float32(1), jnp.float32(1), jnp.float32(1), 5
    )
    assert cliff == 0.25**5


def test_follows_the_formula():
    fraction, first, fast, slow, settle, dense, every = 0.6, 0.05, 0.3, 0.1, 4.0, 6, 3
    rate = 0.02
    tx = optax.chain(
        optax.sgd(rate), stability_guard(fraction, first, fast, slow, settle, dense, every)
    )
    params = start()
    step, state, traces = trainer(tx, quadratic, params)
    rng = np.random.default_rng(0)
    x, taken, size = np.array([1.0, -2.0, 0.5]), np.zeros(3), None
    for t in range(30):
        batch = 0.1 * rng.normal(size=3)

        def loss(x, batch=batch):
            return 0.5 * (x - batch) @ MATRIX @ (x - batch)

        grad = MATRIX @ (x - batch)
        update = -rate * grad
        if t == 0:
            scale = 0.0
        elif t == 1:  # the second batch judges the first update
            lengths = 4.0 ** np.arange(13)
            longer = next(c for c in lengths if loss(x + c * taken) >= loss(x))
            scale = first * longer / 2
        elif t <= dense or t % every == 0:
            # Of a quadratic the fitted parabola is exact.
            curvature = taken @ MATRIX @ taken
            slope = -(MATRIX @ (x - taken - batch)) @ taken
            now = abs(2 * fraction * slope) + curvature
            size = now if size is None else 0.95 * size + 0.05 * min(now, 10 * size)
            kappa = slow + (fast - slow) * settle / (settle + t)
            if t > dense:
                kappa = min(kappa * every**0.5, fast)
            vote = np.clip((2 * fraction * slope - curvature) / size, -3, 1)
            scale *= np.exp(max(kappa * vote, np.log(0.5)))
        taken = scale * update if t else update
        x = x + (taken if t else 0)
        params, state, _ = step(params, state, jnp.asarray(batch, jnp.float32))
        np.testing.assert_allclose(optax.tree.get(state, "scale"), scale, rtol=2e-3)
        np.testing.assert_allclose(jnp.concatenate([params["a"], params["b"]]), x, atol=1e-3)
    assert len(traces) == 1


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("factor", [0.01, 1.0, 100.0])
def test_a_rate_a_hundred_times_wrong_trains(optimizer, factor):
    make = {
        "sgd": lambda: optax.sgd(0.1 * factor, momentum=0.9),
        "adamw": lambda: optax.adamw(0.05 * factor),
    }[optimizer]
    params = start()
    step, state, traces = trainer(optax.chain(make(), stability_guard()), quadratic, params)
    rng = np.random.default_rng(1)
    began = quadratic(params, 0.0)
    for _ in range(200):
        batch = jnp.asarray(0.1 * rng.normal(size=3), jnp.float32)
        params, state, _ = step(params, state, batch)
    assert quadratic(params, 0.0) < 0.02 * began
    assert len(traces) == 1


def test_a_cap_only_lowers():
    params = start()
    tx = optax.chain(optax.sgd(1e-5), stability_guard(max_scale=1.0, start=1.0))
    step, state, _ = trainer(tx, quadratic, params)
    for t in range(30):
        params, state, _ = step(params, state, jnp.zeros(3))
        assert optax.tree.get(state, "scale") == (1 if t else 0)


def test_a_loss_that_is_not_finite_lowers_the_rate():
    params = start()
    tx = optax.chain(optax.sgd(1e-2), stability_guard())
    step, state, _ = trainer(tx, quadratic, params)
    for _ in range(3):
        params, state, _ = step(params, state, jnp.zeros(3))
    scale = optax.tree.get(state, "scale")
    _, state, _ = step(params, state, jnp.full(3, jnp.nan))
    lowered = optax.tree.get(state, "scale")
    assert 0.5 * scale <= lowered < 0.7 * scale


def test_nothing_is_searched_along_an_update_that_is_zero_or_from_a_loss_that_is_nan():
    params = start()
    tx = optax.chain(optax.sgd(1e-2), stability_guard())
    step, state, _ = trainer(tx, lambda p, b: quadratic(p, 0.0) * b, params)
    for batch in (0.0, jnp.nan, 1.0, 1.0):
        assert not optax.tree.get(state, "searched")
        _, state, _ = step(params, state, jnp.float32(batch))
    assert optax.tree.get(state, "searched")


def test_the_first_update_is_withheld():
    params = start()
    tx = optax.chain(optax.sgd(1e4), stability_guard())
    step, state, _ = trainer(tx, quadratic, params)
    after, state, _ = step(params, state, jnp.zeros(3))
    assert optax.tree.get(state, "scale") == 0
    np.testing.assert_array_equal(after["b"], params["b"])
    after, state, _ = step(after, state, jnp.zeros(3))
    assert 0 < optax.tree.get(state, "scale") < 1e-4


def test_the_rate_found_does_not_depend_on_the_curves_warm_up():
    ends = []
    for warmup in (1, 20):
        curve = optax.linear_schedule(0.0, 0.1, warmup)
        tx = optax.chain(optax.sgd(curve), stability_guard(learning_rate=curve))
        params = start()
        step, state, _ = trainer(tx, quadratic, params)
        for _ in range(60):
            params, state, _ = step(params, state, jnp.zeros(3))
        ends.append(float(optax.tree.get(state, "own_scale")))
    assert 0.5 < ends[0] / ends[1] < 2


def test_a_decaying_curve_is_applied_on_top():
    curve = optax.piecewise_constant_schedule(0.1, {40: 0.01})
    tx = optax.chain(optax.sgd(curve), stability_guard(learning_rate=curve))
    params = start()
    step, state, _ = trainer(tx, quadratic, params)
    scales = []
    for _ in range(60):
        params, state, _ = step(params, state, jnp.zeros(3))
        scales.append(float(optax.tree.get(state, "scale")))
    # The guard measures as if its own rate had been taken: it does not make up for the decay.
    assert 0.3 < scales[59] / scales[39] < 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 1.5}, "fraction must be a finite number > 0 and <= 1, got 1.5"),
        ({"start": 0.0}, "start must be a finite number > 0 and <= 1, got 0.0"),
        ({"fast": -0.1}, "fast must be a finite number >= 0 and <= 1, got -0.1"),
        ({"settle": 0}, "settle must be a finite number > 0, got 0"),
        ({"dense": -1}, "dense must be a whole number >= 0, got -1"),
        ({"every": 0}, "every must be a whole number >= 1, got 0"),
        ({"search_steps": 0}, "search_steps must be a whole number >= 1, got 0"),
        ({"min_scale": -1.0}, "min_scale must be a finite number >= 0, got -1.0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        stability_guard(**arguments)

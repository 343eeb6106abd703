"""sharpness_aware_rate: against slope and curvature of a quadratic, which NumPy knows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrwidget.optimizers.adaptive import sharpness_aware_rate
from tests.optimizers.adaptive.drive import trainer

MATRIX = np.array([[3.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 0.1]])


def quadratic(params, batch):
    # Two leaves, so that sums over leaves are tested too.
    x = jnp.concatenate([params["a"], params["b"]])
    return 0.5 * x @ jnp.asarray(MATRIX, x.dtype) @ x * batch


def start():
    return {"a": jnp.array([1.0]), "b": jnp.array([-2.0, 0.5])}


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("sigma", [1.0, 1.8])
def test_follows_the_formula(sigma, every):
    decay, rate = 0.8, 1e-3
    tx = optax.chain(optax.sgd(rate), sharpness_aware_rate(sigma, decay, every))
    params = start()
    step, state, traces = trainer(tx, quadratic, params)
    x = np.array([1.0, -2.0, 0.5])
    slope = curvature = 0.0
    scale = 1.0
    for i in range(12):
        batch = 1 + 0.5 * (i % 3)
        grad = MATRIX @ x * batch
        update = -rate * grad
        if i % every == 0:
            slope = decay * slope + (1 - decay) * max(-grad @ update, 0)
            curvature = decay * curvature + (1 - decay) * abs(update @ MATRIX @ update * batch)
            scale = sigma * slope / curvature
        x = x + scale * update
        params, state, _ = step(params, state, jnp.float32(batch))
        np.testing.assert_allclose(optax.tree.get(state, "scale"), scale, rtol=1e-3)
        np.testing.assert_allclose(jnp.concatenate([params["a"], params["b"]]), x, rtol=1e-3)
    assert len(traces) == 1


def test_an_update_that_climbs_gets_the_lowest_rate():
    tx = sharpness_aware_rate(min_scale=0.25)
    params = start()
    uphill = jax.grad(quadratic)(params, 1.0)
    updates, _ = tx.update(
        uphill, tx.init(params), params, value_fn=lambda p: quadratic(p, jnp.float32(1))
    )
    np.testing.assert_allclose(updates["b"], 0.25 * uphill["b"], rtol=1e-6)


def test_a_measurement_that_is_not_finite_is_left_out():
    tx = optax.chain(optax.sgd(1e-2), sharpness_aware_rate())
    params = start()
    step, state, _ = trainer(tx, quadratic, params)
    params, state, _ = step(params, state, jnp.float32(1))
    scale = optax.tree.get(state, "scale")
    _, state, _ = step(params, state, jnp.float32(jnp.nan))
    assert optax.tree.get(state, "scale") == scale


def test_a_curve_decays_what_is_found_and_its_warm_up_does_not_matter():
    rates = jnp.array([0.0, 1e-3, 1e-2, 1e-2, 5e-3])

    def curve(count):
        return rates[count]

    tx = optax.chain(optax.sgd(curve), sharpness_aware_rate(1.0, 0.0, learning_rate=curve))
    params = start()
    step, state, _ = trainer(tx, quadratic, params)
    taken = []
    for _ in range(5):
        before = params
        params, state, _ = step(params, state, jnp.float32(1))
        grad = jax.grad(quadratic)(before, 1.0)
        x = np.concatenate([before["a"], before["b"]])
        g = np.concatenate([grad["a"], grad["b"]])
        moved = np.concatenate([params["a"], params["b"]]) - x
        exact = g @ g / (g @ MATRIX @ g)
        taken.append(np.linalg.norm(moved) / np.linalg.norm(g) / exact)
    np.testing.assert_allclose(taken, [0, 1, 1, 1, 0.5], atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": 0.0}, "sigma must be a finite number > 0, got 0.0"),
        ({"ema_decay": 1.0}, "ema_decay must be a finite number >= 0 and < 1, got 1.0"),
        ({"every": 0}, "every must be a whole number >= 1, got 0"),
        ({"eps": 0.0}, "eps must be a finite number > 0, got 0.0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        sharpness_aware_rate(**arguments)

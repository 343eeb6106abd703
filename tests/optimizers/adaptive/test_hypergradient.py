"""hypergradient: against the multiplicative rule in NumPy, for SGD and for Adam."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrwidget.optimizers.adaptive import hypergradient
from tests.optimizers.adaptive.drive import Driver, trainer

LIKE = {"a": jnp.zeros(3), "b": jnp.zeros((2, 2))}


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]).astype(np.float64)


def random_trees(count):
    keys = jax.random.split(jax.random.key(0), count)
    return [jax.tree.map(lambda x, k=k: jax.random.normal(k, x.shape), LIKE) for k in keys]


@pytest.mark.parametrize("with_grad", [True, False])
def test_follows_the_rule(with_grad):
    rate, low, high = 0.3, 0.5, 1.4
    driver = Driver(hypergradient(rate, low, high), LIKE)
    scale, previous = 1.0, None
    for updates, grad in zip(random_trees(40), random_trees(40)[::-1], strict=True):
        against = -flat(grad) if with_grad else flat(updates)
        if previous is not None:
            cosine = against @ previous / np.linalg.norm(against) / np.linalg.norm(previous)
            scale = np.clip(scale * (1 + rate * cosine), low, high)
        previous = flat(updates)
        out = driver.step(updates, **({"grad": grad} if with_grad else {}))
        np.testing.assert_allclose(flat(out), scale * flat(updates), rtol=1e-5)
        np.testing.assert_allclose(driver.state.scale, scale, rtol=1e-5)
    assert driver.traces == 1


def test_a_gradient_that_is_not_finite_changes_nothing():
    driver = Driver(hypergradient(), LIKE)
    first, second = random_trees(2)
    driver.step(first, grad=first)
    driver.step(second, grad=jax.tree.map(lambda x: x * jnp.nan, second))
    assert driver.state.scale == 1
    assert driver.state.alignment == 0


@pytest.mark.parametrize("optimizer", [optax.sgd(1e-3), optax.adam(1e-4), optax.sgd(1e-3, 0.9)])
def test_raises_a_low_rate(optimizer):
    tx = optax.chain(optimizer, hypergradient(hyper_rate=0.1))
    params = {"x": jnp.array([2.0, -1.0])}
    step, state, traces = trainer(tx, lambda p, _: jnp.sum(p["x"] ** 2), params)
    for _ in range(100):
        params, state, value = step(params, state, 0)
    assert optax.tree.get(state, "scale") > 5
    assert value < 0.1
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hyper_rate": 1.0}, "hyper_rate must be a finite number >= 0 and < 1, got 1.0"),
        ({"max_scale": 0.0}, "max_scale must be a finite number > 0, got 0.0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        hypergradient(**arguments)

"""What a run computes, against hand-written jitted loops of one step a call."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import lrwidget as lrw
from tests.training import models

STEPS = 60
SCHEDULE = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=STEPS)


def batches(steps, seed=0, data=None):
    """Yield the batches of a task, by the rule in its documentation."""
    x, y = models.data() if data is None else data
    size = models.BATCH
    per_epoch = len(x) // size
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        order = jax.random.permutation(jax.random.fold_in(jax.random.key(seed), epoch), len(x))
        index = np.asarray(order)[place * size : (place + 1) * size]
        yield x[index], y[index]


def step_keys(steps, seed=0):
    root = jax.random.fold_in(jax.random.key(seed), 2**32 - 1)
    return [jax.random.fold_in(root, step) for step in range(steps)]


def hand_written(optimizer, loss, params, state, rates, seed=0):
    """Train with a rate for each step; `loss(params, state, batch, key) -> (loss, state)`."""
    tx = optax.inject_hyperparams(optimizer, hyperparam_dtype=jnp.float32)(learning_rate=0.0)

    @jax.jit
    def step(params, state, opt_state, batch, key, rate):
        (value, state), grads = jax.value_and_grad(loss, has_aux=True)(params, state, batch, key)
        opt_state.hyperparams["learning_rate"] = rate
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), state, opt_state, value

    opt_state = tx.init(params)
    losses = []
    steps = len(rates)
    for batch, key, rate in zip(batches(steps, seed), step_keys(steps, seed), rates, strict=True):
        params, state, opt_state, value = step(params, state, opt_state, batch, key, rate)
        losses.append(value)
    return params, state, np.asarray(losses, np.float32)


def pytree_parts():
    def loss(params, state, batch, key):
        return models.noisy_pytree_loss(params, batch, key), state

    task = models.task(loss_fn=models.noisy_pytree_loss)
    return task, loss, models.pytree_params(), {}


def nnx_parts():
    graphdef, params, rest = nnx.split(models.Net(nnx.Rngs(0)), nnx.Param, ...)

    def loss(params, state, batch, key):
        model = nnx.merge(graphdef, params, state)
        value, _ = models.nnx_loss(model, batch)
        return value, nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.Param)))

    return models.task("nnx"), loss, nnx.to_pure_dict(params), nnx.to_pure_dict(rest)


def linen_parts():
    variables = models.linen_variables()

    def loss(params, state, batch, key):
        x, y = batch
        logits, state = models.LinenNet().apply(
            {"params": params, **state},
            x,
            train=True,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        return models.cross_entropy(logits, y), state

    params = variables["params"]
    return models.task("linen"), loss, params, {"batch_stats": variables["batch_stats"]}


PARTS = {"pytree": pytree_parts, "nnx": nnx_parts, "linen": linen_parts}


def plain_adam(learning_rate):
    """Adam whose constants are constants: only the rate can be injected."""
    return optax.adam(learning_rate)


@pytest.fixture(scope="module", params=PARTS)
def parts(request):
    return PARTS[request.param]()


@pytest.mark.parametrize(
    ("chain", "optimizer"),
    [
        (models.sgd(SCHEDULE), lambda learning_rate: optax.sgd(learning_rate)),
        (models.adam(SCHEDULE), plain_adam),
    ],
    ids=["sgd", "adam"],
)
def test_equals_a_hand_written_loop_bit_for_bit(parts, chain, optimizer):
    task, loss, params, state = parts
    rates = chain.rows(0, STEPS)[:, 0].astype(np.float32)
    params, state, losses = hand_written(optimizer, loss, params, state, rates)
    t = lrw.Trainer(task, chain, steps=STEPS, live=["learning_rate"])
    t.run_sync()
    np.testing.assert_array_equal(t.history.learning_rate, rates)
    np.testing.assert_array_equal(t.history.loss, losses)
    models.assert_equal(t.params, params)


def test_adam_with_everything_live_equals_a_hand_written_loop(parts):
    task, loss, params, state = parts
    chain = models.adam(lrw.schedules.preset("warmup_cosine", peak_value=1e-3, steps=20))
    rates = chain.rows(0, 20)[:, 0].astype(np.float32)
    params, state, _ = hand_written(plain_adam, loss, params, state, rates)
    t = lrw.Trainer(task, chain, steps=20)
    t.run_sync()
    assert len(t.runner.addresses) == 5
    assert models.distance(t.params, params) <= 1e-6

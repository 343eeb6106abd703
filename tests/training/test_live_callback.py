"""A transformation that calls the host, for loops that are never seen."""

from __future__ import annotations

import threading

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrwidget as lrw
from lrwidget.training import Pause, Stop
from tests.training import models
from tests.training.live_loops import batch
from tests.training.running import TIMEOUT, command_when

STEPS = 40
CURVE = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=STEPS)
CHAIN = lrw.Chain.of(
    lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.adamw(CURVE, weight_decay=0.01)
)


def unseen(tx, steps, *, tell=True, scan=False, losses=None):
    """Train as a library would: all that it takes is the transformation."""
    tx = optax.with_extra_args_support(tx)
    traces = 0

    def train_step(carry, batch):
        nonlocal traces
        traces += 1
        params, state = carry
        (loss, _), grads = jax.value_and_grad(models.pytree_loss, has_aux=True)(params, batch)
        extra = {"value": loss} if tell else {}
        updates, state = tx.update(grads, state, params, **extra)
        return (optax.apply_updates(params, updates), state), loss

    params = models.pytree_params()
    carry = params, tx.init(params)
    batches = [batch(step) for step in range(steps)]
    if scan:
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *batches)
        carry, losses = jax.jit(lambda c, b: jax.lax.scan(train_step, c, b))(carry, stacked)
    else:
        jitted, losses = jax.jit(train_step), []
        for data in batches:
            carry, loss = jitted(carry, data)
            losses.append(loss)
    jax.block_until_ready(carry)
    return carry[0], np.asarray(jax.device_get(losses)), traces


@pytest.mark.parametrize("scan", [False, True], ids=["steps", "scan"])
def test_it_reports_and_fetches_every_so_many_steps(scan):
    live = lrw.LiveControl(CHAIN)
    _, losses, traces = unseen(live.to_optax(callback_every=10), STEPS, scan=scan)
    assert traces == 1 or scan
    steps = np.arange(0, STEPS, 10)
    np.testing.assert_array_equal(live.history.step, steps)
    np.testing.assert_array_equal(live.history.learning_rate, np.float32(CURVE(steps)))
    np.testing.assert_array_equal(live.history.loss, losses[::10])
    assert live.position == 31


def test_every_step_gives_the_numbers_of_update():
    live = lrw.LiveControl(CHAIN)
    params, losses, _ = unseen(live.to_optax(callback_every=1), STEPS)
    without, same, _ = unseen(CHAIN.to_optax(), STEPS)
    assert models.distance(params, without) <= 1e-5
    np.testing.assert_allclose(losses, same, rtol=1e-5)


def test_a_loop_that_passes_no_value_has_rates_alone():
    live = lrw.LiveControl(CHAIN)
    unseen(live.to_optax(callback_every=4), STEPS, tell=False)
    assert len(live.history) == 10
    assert np.isnan(live.history.loss).all()
    assert live.error is None


def test_a_click_reaches_it():
    live = lrw.LiveControl(CHAIN, 10**6)
    training = threading.Thread(target=unseen, args=(live.to_optax(callback_every=2), 400))
    paused = command_when(live, lambda: live.position >= 3, Pause())
    training.start()
    at = paused()
    assert (live.state, live.position) == ("paused", at)
    live.set(learning_rate=0.5)
    live.resume()
    training.join(TIMEOUT)
    rates = live.history.learning_rate
    steps = live.history.step
    assert rates[steps < at][-1] == np.float32(CURVE(steps[steps < at][-1]))
    np.testing.assert_array_equal(rates[steps > at], np.float32(0.5))
    assert len(rates[steps > at])


def test_a_stop_is_an_error_in_the_step():
    live = lrw.LiveControl(CHAIN, 10**6)
    errors = []

    def train():
        try:
            unseen(live.to_optax(callback_every=2), 400)
        except jax.errors.JaxRuntimeError as error:
            errors.append(error)

    training = threading.Thread(target=train)
    command_when(live, lambda: live.position >= 3, Stop())
    training.start()
    training.join(TIMEOUT)
    assert live.state == "stopped"
    assert "the run was stopped" in str(errors[0])


def test_a_stop_ends_such_a_loop_on_a_thread_cleanly():
    live = lrw.LiveControl(CHAIN, 10**6)
    stopped = command_when(live, lambda: live.position >= 3, Stop())
    live.run(lambda: unseen(live.to_optax(callback_every=2), 400))
    stopped()
    live.wait(TIMEOUT)
    assert (live.state, live.error) == ("stopped", None)


def test_a_second_loop_is_a_new_run():
    live = lrw.LiveControl(CHAIN)
    tx = live.to_optax(callback_every=10)
    unseen(tx, 20)
    first = live.history
    unseen(tx, STEPS)
    assert live.history is not first
    np.testing.assert_array_equal(live.history.step, [0, 10, 20, 30])


def test_how_often_it_calls_is_a_whole_number():
    live = lrw.LiveControl(CHAIN)
    with pytest.raises(ValueError, match="callback_every must be a whole number >= 1, got 0"):
        live.to_optax(callback_every=0)

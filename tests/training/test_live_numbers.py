"""What a person's own loop computes under live control: the same numbers, and one trace."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import lrwidget as lrw
from lrwidget.optimizers import write_hyperparameters
from tests.training import models
from tests.training.live_loops import LOOPS, batch, plain

STEPS = 40
CURVE = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=STEPS)
CHAINS = {
    "sgd": lrw.Chain.of(lrw.optimizers.sgd(CURVE, momentum=0.9)),
    "clip adamw": lrw.Chain.of(
        lrw.optimizers.clip_by_global_norm(1.0),
        lrw.optimizers.adamw(CURVE, weight_decay=0.01),
    ),
}


def fed_by_hand(chain, injection):
    """An update for a loop that writes the chain's rows into the state, as anyone could."""
    rows = injection.columns(chain.rows(0, STEPS + 1))

    def update(holder, step, **_):
        row = [jnp.asarray(v) for v in rows[step + 1]]
        if isinstance(holder, nnx.Optimizer):
            for name, value in zip(injection.names, row, strict=True):
                holder.opt_state.hyperparams[name].set_value(value)
            return holder
        if hasattr(holder, "replace"):
            written = write_hyperparameters(holder.opt_state, injection.names, row)
            return holder.replace(opt_state=written)
        return write_hyperparameters(holder, injection.names, row)

    return update


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_without_edits_the_numbers_are_those_of_the_same_rows_by_hand(loop, chain):
    live = lrw.LiveControl(chain)
    done = loop(live.to_optax(), range(STEPS), live.update)
    same = loop(chain.live(), range(STEPS), fed_by_hand(chain, chain.injection()))
    models.assert_equal(done.params, same.params)
    np.testing.assert_array_equal(done.loss, same.loss)
    np.testing.assert_array_equal(live.history.loss, done.loss)
    assert done.traces == 1
    assert live.state == "finished"
    expected = np.float32(CURVE(np.arange(STEPS)))
    np.testing.assert_array_equal(live.history.learning_rate, expected)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_sgd_is_bit_equal_to_plain_optax_with_the_same_rates(loop):
    chain = lrw.Chain.of(lrw.optimizers.sgd(CURVE, momentum=0.9))
    # Optax evaluates a schedule in float32, which differs in the last bit: a table does not.
    table = jnp.asarray(CURVE(np.arange(STEPS)), jnp.float32)
    live = lrw.LiveControl(chain)
    done = loop(live.to_optax(), range(STEPS), live.update)
    without = loop(optax.sgd(lambda count: table[count], momentum=0.9), range(STEPS))
    models.assert_equal(done.params, without.params)
    np.testing.assert_array_equal(done.loss, without.loss)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_adam_equals_plain_optax(loop):
    chain = lrw.Chain.of(lrw.optimizers.adam(CURVE))
    live = lrw.LiveControl(chain)
    done = loop(live.to_optax(), range(20), live.update)
    without = loop(chain.to_optax(), range(20))
    assert models.distance(felt(done.params), felt(without.params)) <= 1e-6


def felt(params):
    """Drop the bias before BatchNorm: its gradient is a rounding error, which Adam makes a step."""
    return {k: v["kernel"] if k in ("inner", "Dense_0") else v for k, v in params.items()}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_edits_take_effect_at_the_next_step_with_one_trace(loop):
    live = lrw.LiveControl(CHAINS["clip adamw"])
    bent = lrw.schedules.preset("linear", peak_value=0.02, steps=STEPS)

    def update(holder, step, **measures):
        holder = live.update(holder, step, **measures)
        match step:
            case 4:
                live.set(learning_rate=1)  # an int, which would be another type
            case 9:
                live.scale(learning_rate=0.5)
            case 14:
                live.release()
                live.set(learning_rate=bent, weight_decay=0.5, b2=0.9)
        return holder

    done = loop(live.to_optax(), range(STEPS), update)
    assert done.traces == 1
    applied = CURVE(np.arange(STEPS))
    # From within the loop: the row of the next step is written, the one after it feels the edit.
    applied[6:] = 1.0
    applied[11:] = 0.5
    applied[16:] = bent(np.arange(16, STEPS))
    np.testing.assert_array_equal(live.history.learning_rate, np.float32(applied))
    np.testing.assert_array_equal(live.history.weight_decay[[15, 16]], np.float32([0.01, 0.5]))
    np.testing.assert_array_equal(
        live.effective_schedule()(np.arange(STEPS)).astype(np.float32),
        live.history.learning_rate,
    )
    assert [e.step for e in live.journal if e.command == "set"] == [6, 16, 16, 16]
    hyperparams = done.opt_state.hyperparams
    assert float(hyperparams["b2"]) == np.float32(0.9)
    assert float(hyperparams["one_minus_b2"]) == pytest.approx(0.1, rel=1e-6)


def test_an_edit_from_another_thread_is_in_the_very_next_step():
    live = lrw.LiveControl(CHAINS["sgd"])

    def update(holder, step, **measures):
        if step == 7:
            other = threading.Thread(target=lambda: live.set(learning_rate=0.25))
            other.start()
            while not live._loop._queue:
                other.join(0.001)
        holder = live.update(holder, step, **measures)
        if step == 7:
            other.join()
        return holder

    plain(live.to_optax(), range(STEPS), update)
    assert live.history.learning_rate[7] == np.float32(CURVE(7))
    np.testing.assert_array_equal(live.history.learning_rate[8:], np.float32(0.25))


WRAPPED = {
    "in a chain": lambda tx: optax.chain(optax.clip(1.0), tx),
    "within multi_steps": lambda tx: optax.MultiSteps(tx, 2).gradient_transformation(),
    "for some parameters": lambda tx: optax.partition(
        {"a": tx, "b": optax.set_to_zero()}, {"w1": "a", "b1": "b", "w2": "a"}
    ),
    "masked": lambda tx: optax.masked(tx, {"w1": True, "b1": False, "w2": True}),
    "in apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_the_state_is_found_within_other_transformations(wrap):
    # Of the same rate at each step: some of them count their updates otherwise.
    chain = CHAINS["clip adamw"].replace(learning_rate=0.01)
    live = lrw.LiveControl(chain, STEPS)
    done = plain(wrap(live.to_optax()), range(STEPS), live.update)
    same = plain(wrap(chain.to_optax()), range(STEPS))
    assert done.traces == 1
    assert models.distance(done.params, same.params) <= 2e-5
    assert live.state == "finished"


def holders():
    class Both(NamedTuple):
        params: Any
        opt_state: Any

    @dataclasses.dataclass(frozen=True)
    class Frozen:
        opt_state: Any

    return {
        "tuple": lambda s: ({"w": 1.0}, s),
        "list": lambda s: [s],
        "dict": lambda s: {"params": {"w": 1.0}, "opt_state": s},
        "named tuple": lambda s: Both(1.0, s),
        "dataclass": lambda s: Frozen(s),
    }


@pytest.mark.parametrize("hold", holders().values(), ids=holders())
def test_the_state_is_found_in_what_holds_it(hold):
    live = lrw.LiveControl(CHAINS["sgd"])
    holder = hold(live.to_optax().init(models.pytree_params()))
    new = live.update(holder, 0, loss=1.0)
    assert type(new) is type(holder)
    rates = [
        float(leaf)
        for path, leaf in jax.tree.leaves_with_path(getattr(new, "opt_state", new))
        if "learning_rate" in jax.tree_util.keystr(path)
    ]
    assert rates == [np.float32(CURVE(1))]


def test_a_split_nnx_optimizer_is_written_too():
    live = lrw.LiveControl(CHAINS["sgd"])
    model = models.Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, live.to_optax(), wrt=nnx.Param)
    graphdef, state = nnx.split((model, optimizer))
    traces = 0

    @jax.jit
    def train_step(state, batch):
        nonlocal traces
        traces += 1
        model, optimizer = nnx.merge(graphdef, state)
        (loss, _), grads = nnx.value_and_grad(models.nnx_loss, has_aux=True)(model, batch)
        optimizer.update(model, grads)
        return nnx.state((model, optimizer)), loss

    for step in range(STEPS):
        state, loss = train_step(state, batch(step))
        state = live.update(state, step, loss=loss)
    nnx.update((model, optimizer), state)
    assert traces == 1
    without = LOOPS["nnx"](optax.sgd(CURVE.to_optax(), momentum=0.9), range(STEPS))
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    assert models.distance(params, without.params) <= 1e-5


def test_bfloat16_parameters_keep_their_hyperparameters():
    live = lrw.LiveControl(CHAINS["clip adamw"])
    tx = live.to_optax()
    params = models.pytree_params(jnp.bfloat16)
    state, traces = tx.init(params), 0

    @jax.jit
    def train_step(params, state, batch):
        nonlocal traces
        traces += 1
        (loss, _), grads = jax.value_and_grad(models.pytree_loss, has_aux=True)(params, batch)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state, loss

    for step in range(5):
        params, state, loss = train_step(params, state, batch(step))
        state = live.update(state, step, loss=loss)
    assert traces == 1
    assert float(state.hyperparams["b2"]) == np.float32(0.999)
    assert np.isfinite(live.history.loss).all()


def test_only_a_rate_is_live_where_asked_for():
    live = lrw.LiveControl(CHAINS["clip adamw"], live=["learning_rate"])
    done = plain(live.to_optax(), range(STEPS), live.update)
    table = jnp.asarray(CURVE(np.arange(STEPS)), jnp.float32)
    tx = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(lambda count: table[count], weight_decay=0.01)
    )
    models.assert_equal(done.params, plain(tx, range(STEPS)).params)
    assert live.history.names == ("step", "loss", "accuracy", "learning_rate")


def test_a_number_below_zero_is_trained_with_and_stays():
    o = lrw.optimizers
    live = lrw.LiveControl(lrw.Chain.of(o.scale_by_adam(), o.scale(-1e-3)), STEPS)
    assert "scale.step_size" not in live.addresses
    done = plain(live.to_optax(), range(STEPS), live.update)
    tx = optax.chain(optax.scale_by_adam(), optax.scale(-1e-3))
    assert models.distance(plain(tx, range(STEPS)).params, done.params) < 1e-6
    other = lrw.Chain.of(o.scale_by_adam(), o.scale(-2e-3))
    with pytest.raises(ValueError, match="only live numbers and schedules can change"):
        live.prepare(other)


def test_the_state_goes_where_the_step_was_compiled_for():
    device = jax.devices()[0]
    live = lrw.LiveControl(CHAINS["sgd"])
    sharding = jax.sharding.SingleDeviceSharding(device)
    state = jax.device_put(live.to_optax().init(models.pytree_params()), sharding)
    new = live.update(state, 0, loss=1.0)
    assert new.hyperparams["learning_rate"].committed
    assert new.hyperparams["learning_rate"].sharding == sharding


def test_what_links_tell_and_the_rates_of_groups_are_recorded():
    chain = lrw.Chain.of(
        lrw.optimizers.sgd(0.05),
        lrw.optimizers.make("reduce_on_plateau", patience=2, factor=0.5),
        groups=[lrw.optimizers.Group("biases", kinds=["bias"], multiplier=0.1)],
    )
    live = lrw.LiveControl(chain, 10)
    tx = live.to_optax()
    params = models.pytree_params()
    state, traces = tx.init(params), 0

    def train_step(params, state):
        nonlocal traces
        traces += 1
        # A loss that never falls.
        updates, state = tx.update(params, state, params, value=jnp.float32(1.0))
        return optax.apply_updates(params, updates), state, jnp.float32(1.0)

    # What a link told is in the state, which the next step takes: it is kept apart before.
    jitted = jax.jit(train_step, donate_argnums=(0, 1))
    for step in live.range():
        params, state, loss = jitted(params, state)
        state = live.update(state, step, loss=loss)
        live.set({"biases/multiplier": 0.2}) if step == 4 else None
    assert traces == 1
    scale = live.history["reduce_on_plateau.scale"]
    assert scale[0] == 1.0
    assert scale[-1] < 1.0
    rate = live.history["effective_learning_rate"]
    np.testing.assert_allclose(rate, 0.05 * scale, rtol=1e-6)
    times = np.where(np.arange(10) < 6, 0.1, 0.2)
    np.testing.assert_allclose(
        live.history["biases/effective_learning_rate"], rate * times, rtol=1e-6
    )

"""What comes out of a run: weights, optimizer state, models, TrainStates."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

import lrwidget as lrw
from tests.training import models
from tests.training.running import endless, shared, wait_for_step


def params_of(model):
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))


def state_of(model):
    return nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.Param)))


def copy(tree):
    return jax.tree.map(jnp.copy, tree)


def test_the_nnx_object_holds_the_weights_at_every_pause_and_at_the_end():
    model = models.Net(nnx.Rngs(0))
    before = copy(params_of(model))
    task = models.task("nnx", model=model)
    t = lrw.Trainer(task, models.sgd(), steps=40)
    models.assert_equal(params_of(model), before)
    t.step(10)
    models.assert_equal(params_of(model), t.params)
    assert int(model.dropout.rngs.count[...]) == 10
    assert not np.array_equal(model.norm.mean[...], np.zeros(16))
    held = params_of(model), state_of(model)
    values = copy(held)
    t.resume()
    t.wait()
    # What the person took at the pause was theirs: no chunk has given it up.
    models.assert_equal(held, values)
    models.assert_equal(params_of(model), t.params)
    assert t.model is model
    assert model(models.data()[0][:4]).shape == (4, models.OUTPUTS)


def test_the_nnx_object_can_be_used_and_changed_at_a_pause():
    model = models.Net(nnx.Rngs(0))
    t = lrw.Trainer(models.task("nnx", model=model), models.sgd(), steps=20)
    t.step(5)
    expected = t.params
    model.eval()
    model.inner.kernel[...] = jnp.zeros_like(model.inner.kernel[...])
    models.assert_equal(t.params, expected)
    t.resume()
    t.wait()
    other = lrw.Trainer(models.task("nnx"), models.sgd(), steps=20)
    other.run_sync()
    models.assert_equal(t.params, other.params)


def test_the_nnx_object_holds_the_weights_after_a_stop_and_a_failure():
    def batches():
        x, y = models.data()
        for _ in range(12):
            yield x[:8], y[:8]
        raise OSError("gone")

    model = models.Net(nnx.Rngs(0))
    before = copy(params_of(model))
    t = lrw.Trainer(
        models.task("nnx", model=model, train=batches, batch_size=None), models.sgd(), steps=100
    )
    with pytest.raises(OSError, match="gone"):
        t.run_sync()
    assert models.distance(before, params_of(model)) > 0
    models.assert_equal(params_of(model), t.params)


def test_looking_at_an_idle_trainer_leaves_the_object_alone():
    model = models.Net(nnx.Rngs(0))
    task = models.task("nnx", model=model)
    lrw.Trainer(task, models.sgd(), steps=10).run_sync()
    trained = copy(params_of(model))
    idle = lrw.Trainer(task, models.sgd(), steps=10)
    assert idle.model is model
    models.assert_equal(params_of(model), trained)
    assert models.distance(trained, idle.params) > 0


@pytest.mark.parametrize("kind", models.KINDS)
def test_results_can_be_taken_while_it_runs(kind):
    with endless(shared(kind), chain=models.adam()) as t:
        params, opt_state = t.params, t.opt_state
        wait_for_step(t, t.position + 20)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
        assert float(opt_state.hyperparams["learning_rate"]) == np.float32(0.01)
        assert t.model is not None
        wait_for_step(t, t.position + 20)
        assert models.distance(params, t.params) > 0


def test_two_trainers_begin_at_the_same_weights():
    task = models.task("nnx")
    first, second = (lrw.Trainer(task, models.sgd(), steps=15) for _ in range(2))
    first.run_sync()
    second.run_sync()
    np.testing.assert_array_equal(first.history.loss, second.history.loss)
    models.assert_equal(first.params, second.params)
    assert first.runner is second.runner
    assert first.runner.traces == 1


def test_a_run_may_begin_where_another_is():
    task = models.task("nnx")
    first = lrw.Trainer(task, models.sgd(), steps=15)
    first.run_sync()
    after = copy(params_of(first.model))
    second = lrw.Trainer(task, models.sgd(), steps=15, start=first)
    models.assert_equal(second.params, after)
    lrw.Trainer(task, models.sgd(1.0), steps=5).run_sync()
    second.run_sync()
    assert second.history.loss[0] != first.history.loss[0]
    models.assert_equal(first.params, after)


def test_a_run_may_begin_at_what_the_object_holds():
    model = models.Net(nnx.Rngs(0))
    task = models.task("nnx", model=model)
    model.outer.kernel[...] = jnp.ones_like(model.outer.kernel[...])
    t = lrw.Trainer(task, models.sgd(), steps=15, start="current")
    np.testing.assert_array_equal(t.params["outer"]["kernel"], 1.0)
    t.step(2)
    assert not np.array_equal(t.params["outer"]["kernel"], np.ones((16, models.OUTPUTS)))
    plain = lrw.Trainer(task, models.sgd(), steps=15)
    assert not np.array_equal(plain.params["outer"]["kernel"], np.ones((16, models.OUTPUTS)))


def test_a_start_must_fit_the_model():
    first = lrw.Trainer(shared("pytree"), models.sgd(), steps=5)
    with pytest.raises(ValueError, match="start must have the structure, shapes and dtypes"):
        lrw.Trainer(shared("nnx"), models.sgd(), steps=5, start=first)


def test_a_linen_module_comes_back_bound():
    t = lrw.Trainer(shared("linen"), models.sgd(), steps=5)
    t.run_sync()
    logits = t.model(models.data()[0][:4], train=False)
    assert logits.shape == (4, models.OUTPUTS)
    models.assert_equal(t.model.variables["params"], t.params)


def test_a_linen_module_becomes_a_train_state():
    t = lrw.Trainer(shared("linen"), models.adam(0.02), steps=5)
    t.run_sync()
    state = t.train_state()
    assert isinstance(state, TrainState)
    assert state.step == 5
    assert set(state.batch_stats) == {"BatchNorm_0"}
    models.assert_equal(state.params, t.params)
    grads = jax.tree.map(jnp.ones_like, state.params)
    state = state.apply_gradients(grads=grads)
    assert state.step == 6


def test_a_train_state_comes_back_as_what_it_was():
    given = models.train_state().replace(step=100)
    t = lrw.Trainer(models.task("train_state", model=given), models.sgd(), steps=5)
    t.step(5)
    state = t.train_state()
    assert type(state) is models.NormedState
    assert state.step == 105
    models.assert_equal(state.params, t.params)
    assert models.distance(given.batch_stats, state.batch_stats) > 0
    assert state.apply_fn == given.apply_fn
    logits = t.model(models.data()[0][:4], train=False)
    assert logits.shape == (4, models.OUTPUTS)


@pytest.mark.parametrize("kind", ["nnx", "pytree"])
def test_other_models_have_no_train_state(kind):
    t = lrw.Trainer(shared(kind), models.sgd(), steps=5)
    with pytest.raises(TypeError, match="train_state is for Linen modules and TrainStates"):
        t.train_state()


def test_bfloat16_stays_bfloat16_in_one_trace():
    task = models.task(model=models.pytree_params(jnp.bfloat16))
    t = lrw.Trainer(task, lrw.optimizers.adamw(0.01, weight_decay=0.1), steps=40)
    before = jax.tree.map(lambda x: x.dtype, (t.params, t.opt_state))
    t.step(10)
    t.set(b2=0.99)
    t.resume()
    t.wait()
    assert jax.tree.map(lambda x: x.dtype, (t.params, t.opt_state)) == before
    assert {x.dtype for x in jax.tree.leaves(t.params)} == {jnp.dtype(jnp.bfloat16)}
    assert t.opt_state.hyperparams["b2"].dtype == jnp.float32
    assert t.history.b2[0] == np.float32(0.999)
    assert t.runner.traces == 1
    assert t.history.loss[-8:].mean() < t.history.loss[:8].mean()


def test_weak_types_cause_no_second_trace():
    params = {"w": jnp.asarray(0.5), "b": 0.25}
    assert params["w"].weak_type

    def loss_fn(params, batch):
        return jnp.mean((batch["x"] * params["w"] + params["b"] - 1.0) ** 2)

    x = np.linspace(0, 1, 32, dtype=np.float32)
    task = lrw.Task(params, loss_fn, train={"x": x}, batch_size=8)
    t = lrw.Trainer(task, models.adam(), steps=30)
    t.step(3)
    t.resume()
    t.wait()
    assert t.runner.traces == 1
    assert t.params["b"].dtype == jnp.float32


def test_the_persons_own_arrays_are_never_given_up():
    params = models.pytree_params()
    values = copy(params)
    x, y = map(jnp.asarray, models.data())
    task = lrw.Task(params, models.pytree_loss, train=(x, y), batch_size=8)
    lrw.Trainer(task, models.sgd(), steps=20).run_sync()
    models.assert_equal(params, values)
    np.testing.assert_array_equal(x, models.data()[0])


def test_data_changed_after_the_task_was_made_changes_nothing():
    x, y = (array.copy() for array in models.data())
    task = models.task(train=(x, y))
    x[:] = 0.0
    t = lrw.Trainer(task, models.sgd(), steps=20)
    t.run_sync()
    plain = lrw.Trainer(shared(), models.sgd(), steps=20)
    plain.run_sync()
    np.testing.assert_array_equal(t.history.loss, plain.history.loss)


def test_adam_with_every_field_live_stays_near_plain_adam():
    schedule = lrw.schedules.preset("cosine", peak_value=0.05, steps=20)
    everything = lrw.Trainer(shared(), models.adam(schedule), steps=20)
    rate_only = lrw.Trainer(shared(), models.adam(schedule), steps=20, live=["learning_rate"])
    everything.run_sync()
    rate_only.run_sync()
    assert models.distance(rate_only.params, everything.params) < 1e-6


def test_the_exported_chain_applies_the_same_rates():
    schedule = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=60)
    t = lrw.Trainer(shared(), models.sgd(schedule))
    t.run_sync()
    optax_schedule = schedule.to_optax()
    exported = np.asarray([optax_schedule(step) for step in range(60)])
    np.testing.assert_allclose(exported, t.history.learning_rate, atol=1e-6 * 0.05)
    assert isinstance(t.chain.to_optax(), optax.GradientTransformation)


def test_a_pytree_trains_without_flax():
    code = """
import sys, jax.numpy as jnp, numpy as np
import lrwidget as lrw
x = np.ones((16, 2), np.float32)
task = lrw.Task({"w": jnp.zeros(2)}, lambda p, b: ((b @ p["w"] - 1) ** 2).mean(), x, batch_size=4)
t = lrw.Trainer(task, lrw.Chain.of(lrw.optimizers.sgd(0.1)), steps=8)
t.run_sync()
assert t.history.loss[-1] < t.history.loss[0]
for name in ("flax", "matplotlib", "anywidget", "IPython", "pandas"):
    assert name not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

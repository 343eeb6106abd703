"""Groups in a real run: their rates, live edits of one of them, and the script that repeats it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group
from tests.training import models
from tests.training.test_script import execute, trained

STEPS = 24
CURVE = lrw.schedules.preset("cosine", peak_value=0.05, steps=STEPS)
FALL = lrw.schedules.linear(1.0, STEPS, end_value=0.2)
o = lrw.optimizers

HEAD = Group("head", multiplier=0.5, paths=["w2"])
BIASES = Group("biases", chain=o.sgd(0.2, momentum=0.5), kinds=["bias"])


def ran(chain, task=None, steps=STEPS, **more):
    t = lrw.Trainer(task or models.task(), chain, steps=steps, **more)
    t.run_sync()
    assert t.runner.traces == 1
    return t


def by_hand(*factors):
    return np.prod([np.asarray(f, np.float64) * np.ones(STEPS) for f in factors], axis=0)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-6)


class TestEffectiveRates:
    def test_are_the_product_of_rate_and_multiplier(self):
        history = ran(Chain.of(o.adamw(CURVE), groups=[HEAD, BIASES])).history
        at = CURVE(np.arange(STEPS))
        close(history["head/effective_learning_rate"], by_hand(at, 0.5))
        close(history["biases/effective_learning_rate"], by_hand(0.2))
        assert "effective_learning_rate" not in history.names

    def test_follow_a_multiplier_that_is_a_schedule(self):
        group = Group("head", multiplier=FALL, paths=["w2"])
        history = ran(Chain.of(o.sgd(CURVE), groups=[group])).history
        steps = np.arange(STEPS)
        close(history["head/multiplier"], FALL(steps))
        close(history["head/effective_learning_rate"], CURVE(steps) * FALL(steps))

    def test_hold_what_an_optimizer_finds_itself(self):
        history = ran(Chain.of(o.prodigy(), groups=[HEAD])).history
        found = history["prodigy.estim_lr"]
        assert found[-1] > found[0]
        close(history.effective_learning_rate, found)
        close(history["head/effective_learning_rate"], 0.5 * found)

    def test_hold_the_scale_of_a_wrapper_that_all_groups_share(self):
        history = ran(Chain.of(o.mechanize(s_init=1e-3), o.sgd(0.1), groups=[HEAD, BIASES])).history
        found = history["mechanize.s"]
        close(history.effective_learning_rate, 0.1 * found)
        close(history["head/effective_learning_rate"], 0.05 * found)
        close(history["biases/effective_learning_rate"], 0.2 * found)

    def test_of_layers_fall_from_the_last_to_the_first(self):
        layers = o.layerwise_decay(0.5, [["w1", "b1"], "w2"])
        history = ran(Chain.of(o.sgd(0.1), groups=layers)).history
        close(history["layer_0/effective_learning_rate"], by_hand(0.05))
        close(history["layer_1/effective_learning_rate"], by_hand(0.1))


class TestLiveEdits:
    def edited(self, chain, edit):
        t = lrw.Trainer(models.task(), chain, steps=STEPS)
        t.step(10)
        edit(t)
        t.resume()
        t.wait()
        assert t.runner.traces == 1
        return t.history

    def chain(self):
        other = Group("rest", multiplier=0.25, paths=["w1"])
        return Chain.of(o.adamw(CURVE), groups=[HEAD, BIASES, other])

    def rates(self, history):
        names = ["head", "biases", "rest"]
        return [history[f"{name}/effective_learning_rate"] for name in names]

    def test_of_one_multiplier_leave_the_others(self):
        history = self.edited(self.chain(), lambda t: t.set({"head/multiplier": 0.3}))
        head, biases, rest = self.rates(history)
        at = CURVE(np.arange(STEPS))
        close(head, np.where(np.arange(STEPS) < 10, 0.5, 0.3) * at)
        close(rest, 0.25 * at)
        close(biases, by_hand(0.2))
        close(history.learning_rate, at)

    def test_of_the_rate_keep_every_ratio_to_it(self):
        history = self.edited(self.chain(), lambda t: t.scale(learning_rate=0.5))
        head, biases, rest = self.rates(history)
        at = CURVE(np.arange(STEPS)) * np.where(np.arange(STEPS) < 10, 1.0, 0.5)
        close(history.learning_rate, at)
        close(head, 0.5 * at)
        close(rest, 0.25 * at)
        close(biases, by_hand(0.2))

    def test_of_a_group_with_its_own_chain_are_its_own(self):
        history = self.edited(self.chain(), lambda t: t.set({"biases/learning_rate": 0.05}))
        head, biases, _ = self.rates(history)
        close(biases, np.where(np.arange(STEPS) < 10, 0.2, 0.05))
        close(head, 0.5 * CURVE(np.arange(STEPS)))

    def test_take_effect_at_the_next_step(self):
        t = lrw.Trainer(models.task(), Chain.of(o.sgd(0.1), groups=[HEAD, BIASES]), steps=STEPS)
        t.step(5)
        before = t.params
        t.set({"head/multiplier": 0.0, "biases/learning_rate": 0.0})
        t.step(5)
        after = t.params
        np.testing.assert_array_equal(before["w2"], after["w2"])
        assert not np.array_equal(before["w1"], after["w1"])
        t.stop()


@pytest.mark.parametrize("form", ["nnx", "linen", "train_state"])
def test_groups_find_the_parameters_of_every_kind_of_model(form):
    paths = {"nnx": "outer", "linen": "Dense_1", "train_state": "Dense_1"}
    frozen = [
        Group("last", multiplier=0.0, paths=[paths[form]]),
        Group("norms", multiplier=0.0, kinds=["norm"]),
    ]
    t = lrw.Trainer(models.task(form), Chain.of(o.adam(0.05), groups=frozen), steps=5)
    before = t.params
    t.run_sync()
    for (path, old), new in zip(
        jax.tree.leaves_with_path(before), jax.tree.leaves(t.params), strict=True
    ):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        still = name.startswith(paths[form]) or "norm" in name.lower()
        assert np.array_equal(old, new) == still, name


@pytest.mark.parametrize(
    "around", [o.multi_steps(3), o.sam(), o.schedule_free(), o.apply_if_finite(3)], ids=repr
)
def test_the_script_reads_the_curve_where_the_run_did(around):
    # Within these, Optax counts the updates of what they wrap, or counts from 1.
    group = Group("head", multiplier=FALL, paths=["w2"])
    t = ran(Chain.of(around, o.sgd(CURVE), groups=[group]))
    params, losses = trained("pytree", execute(t.to_code()))
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-4, atol=1e-6)
    assert models.distance(t.params, params) < 1e-5


SCRIPTED = {
    "value": Chain.of(o.polyak_sgd(max_learning_rate=0.1), groups=[HEAD]),
    "value in a group": Chain.of(
        o.sgd(CURVE), groups=[Group("biases", chain=o.momo(0.1), kinds=["bias"])]
    ),
    "value, accumulated": Chain.of(o.clip(1.0), o.multi_steps(2), o.momo(CURVE)),
    "groups": Chain.of(o.clip_by_global_norm(1.0), o.sgd(CURVE), groups=[HEAD, BIASES]),
    "wrapped groups": Chain.of(o.multi_steps(2), o.sgd(CURVE, momentum=0.9), groups=[HEAD]),
    "sam": Chain.of(o.sam(), o.sgd(CURVE)),
    "a line search": Chain.of(o.sgd(0.1), o.scale_by_backtracking_linesearch(5)),
    "obj_fn": Chain.of(o.sophia(0.01, update_interval=2)),
}


@pytest.mark.parametrize("name", SCRIPTED)
def test_the_script_passes_what_update_needs(name):
    t = ran(SCRIPTED[name])
    params, losses = trained("pytree", execute(t.to_code()))
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-4, atol=1e-6)
    assert models.distance(t.params, params) < 1e-5


@pytest.mark.parametrize("kind", ["nnx", "linen"])
def test_the_script_of_a_model_passes_the_loss_function(kind):
    t = ran(Chain.of(o.sgd(0.1), o.scale_by_backtracking_linesearch(3)), models.task(kind))
    params, losses = trained(kind, execute(t.to_code()))
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-3, atol=1e-5)
    assert models.distance(t.params, params) < 1e-3


def test_the_script_of_an_edited_run_with_groups_repeats_it():
    chain = Chain.of(o.clip_by_global_norm(1.0), o.sgd(CURVE), groups=[HEAD, BIASES])
    t = lrw.Trainer(models.task(), chain, steps=STEPS)
    t.step(8)
    t.set({"head/multiplier": 0.1, "biases/learning_rate": 0.01})
    t.step(4)
    t.scale(learning_rate=0.5)
    t.resume()
    t.wait()
    code = t.to_code()
    params, losses = trained("pytree", execute(code))
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-4, atol=1e-6)
    assert models.distance(t.params, params) < 1e-6


def test_the_script_has_the_validation_losses_that_the_run_heard_of():
    chain = Chain.of(
        o.sgd(CURVE), o.reduce_on_plateau(monitor="valid", patience=1, factor=0.5, rtol=1.0)
    )
    t = ran(chain, models.task(valid=models.data(seed=1)), valid_every=4)
    assert min(t.history["reduce_on_plateau.scale"]) < 1.0
    code = t.to_code()
    assert "VALID_LOSSES.get(step, np.nan)" in code
    names: dict = {"__name__": "script"}
    exec(compile(code, "script", "exec"), names)
    params, losses = trained("pytree", names)
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-4, atol=1e-6)
    assert models.distance(t.params, params) < 1e-6


def test_a_group_without_parameters_is_named_with_the_paths_there_are():
    params = {"hidden": {"kernel": jnp.ones((2, 2))}, "out": {"bias": jnp.ones(2)}}

    def loss_fn(params, batch):
        return jnp.mean((batch @ params["hidden"]["kernel"] + params["out"]["bias"]) ** 2)

    task = lrw.Task(params, loss_fn, train=jnp.ones((8, 2)), batch_size=4)
    biases = lrw.optimizers.Group("biases", multiplier=0.1, kinds="bias")
    head = lrw.optimizers.Group("head", multiplier=0.1, paths=["Dense_1", "out/bias"])
    chain = lrw.Chain.of(lrw.optimizers.sgd(0.1), groups=[biases, head])
    assert chain.members(params) == {
        "biases": ("out/bias",),
        "head": (),
        "all": ("hidden/kernel",),
    }
    assert chain.warnings() == []
    with pytest.warns(UserWarning, match="no parameter belongs to the group head.*hidden/kernel"):
        lrw.Trainer(task, chain, steps=3)
    [warning] = lrw.LRWidget(task, chain)._design["chain_warnings"]
    assert "the group head" in warning["text"]
    lrw.Trainer(task, lrw.Chain.of(lrw.optimizers.sgd(0.1), groups=[biases]), steps=3)


def test_a_group_without_a_rate_of_its_own_has_a_column_all_the_same():
    chain = Chain.of(
        o.sgd(0.1), groups=[Group("still", chain=o.scale(-0.01), kinds=["bias"]), HEAD]
    )
    history = ran(chain).history
    assert np.isnan(history["still/effective_learning_rate"]).all()
    np.testing.assert_allclose(history["head/effective_learning_rate"], 0.05, rtol=1e-6)

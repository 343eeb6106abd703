"""The ways in which Optax goes wrong without a word, over the whole table where it can be."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrwidget as lrw
from lrwidget.optimizers import make, write_hyperparameters
from lrwidget.optimizers._declared import BUILT_IN
from tests.optimizers.programs import executed
from tests.optimizers.samples import sample
from tests.training import models

PARAMS = {"w": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "b": jnp.ones(3)}
GRADS = {"w": jnp.linspace(0.3, -0.7, 6).reshape(2, 3), "b": jnp.linspace(0.1, 0.2, 3)}
NAMES = [d.name for d in BUILT_IN]


def sum_of_squares(params):
    return sum(jnp.sum(p.astype(jnp.float32) ** 2) for p in jax.tree.leaves(params))


def update(chain, tx, state, params, grads):
    known = {
        "value": jnp.float32(1.0),
        "grad": grads,
        "value_fn": sum_of_squares,
        "obj_fn": sum_of_squares,
        "valid_value": jnp.float32(1.0),
    }
    return tx.update(grads, state, params, **{name: known[name] for name in chain.needs})


# ---- bfloat16 ------------------------------------------------------------------------------------


def types(tree):
    return [(x.dtype, x.shape) for x in jax.tree.leaves(tree)]


class TestBfloat16:
    PARAMS = jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS)
    GRADS = jax.tree.map(lambda p: p.astype(jnp.bfloat16), GRADS)

    @pytest.mark.parametrize("name", [n for n in NAMES if sample(n).addresses()])
    def test_numbers_are_float32_and_the_state_keeps_its_types(self, name):
        chain = sample(name, showing=True)
        injection = chain.injection()
        tx = chain.live()
        state = tx.init(self.PARAMS)
        [row] = injection.columns(chain.rows(0, 1))
        for key, value in zip(injection.names, row, strict=True):
            assert state.hyperparams[key].dtype == jnp.float32
            assert state.hyperparams[key] == value

        def step(params, state, grads):
            updates, state = update(chain, tx, state, params, grads)
            return optax.apply_updates(params, updates), state

        params, after = jax.eval_shape(step, self.PARAMS, state, self.GRADS)
        assert types(params) == types(self.PARAMS)
        assert types(after) == types(state)

    def test_b2_stays_what_it_is(self):
        # In bfloat16 0.999 is 1, and the mean of the squares would never move.
        tx = lrw.Chain.of(lrw.optimizers.adam(1e-2)).live()
        state = tx.init(self.PARAMS)
        assert state.hyperparams["b2"] == np.float32(0.999)
        plain = optax.inject_hyperparams(optax.adam)(1e-2).init(self.PARAMS)
        assert plain.hyperparams["b2"] == 1.0
        _, state = tx.update(self.GRADS, state, self.PARAMS)
        assert jnp.all(optax.tree.get(state, "nu")["b"] > 0)


# ---- masks ---------------------------------------------------------------------------------------


def kernels(params):
    return jax.tree.map(lambda p: p.ndim > 1, params)


MASKED = [(d, h) for d in BUILT_IN for h in d.hyperparameters if h.kind == "mask"]


def masked_chain(declared, h, mask):
    values = {each.name: each.default for each in declared.hyperparameters if each.required}
    for name in ("weight_decay", "weight_decay_rate"):
        if any(each.name == name for each in declared.hyperparameters):
            values[name] = 0.3
    link = make(declared.name, **{**values, h.name: mask})
    return lrw.Chain.of(link, *([] if link.declaration.rate else [make("scale", step_size=-0.1)]))


@pytest.mark.parametrize(("declared", "h"), MASKED, ids=lambda x: x.name)
def test_a_mask_function_is_the_mask_and_not_a_schedule(declared, h):
    tree, function, nothing = (
        masked_chain(declared, h, mask) for mask in ({"w": True, "b": False}, kernels, False)
    )
    forms = [tree.to_optax(), function.to_optax(), function.live(), nothing.to_optax()]
    forms.append(executed(function.to_code()))

    @jax.jit
    def updates(params, grads):
        return [update(tree, tx, tx.init(params), params, grads)[0] for tx in forms]

    by_tree, by_function, by_live, by_nothing, by_code = updates(PARAMS, GRADS)
    for each in (by_function, by_live, by_code):
        for key in PARAMS:
            np.testing.assert_allclose(each[key], by_tree[key], rtol=2e-6, atol=1e-7)
    assert not np.allclose(by_nothing["w"], by_tree["w"], rtol=1e-4, atol=0.0)


# ---- writes --------------------------------------------------------------------------------------

WRITES = [1, 0.5, True, np.float64(0.5), np.int32(1), jnp.asarray(0.5), jnp.asarray(1)]


def test_no_way_of_writing_a_number_traces_again():
    chain = lrw.Chain.of(
        make("clip_by_global_norm", max_norm=1.0), make("adamw", learning_rate=0.01, b1=0.8)
    )
    tx = chain.live()
    names = chain.injection().names

    @jax.jit
    def step(params, state):
        updates, state = tx.update(GRADS, state, params)
        return optax.apply_updates(params, updates), state

    params, state = step(PARAMS, tx.init(PARAMS))
    for value in WRITES:
        state = write_hyperparameters(state, names, [value] * len(names))
        params, state = step(params, state)
    assert step._cache_size() == 1


def test_no_way_of_setting_a_number_traces_again_in_a_run():
    t = lrw.Trainer(models.task(), models.adam(), steps=20)
    t.step(2)
    traces = t.runner.traces
    for value in (1, np.float32(0.5), np.int64(0)):
        t.set(learning_rate=value)
        t.step(2)
    assert t.runner.traces == traces
    t.stop()


# ---- what is not a number ------------------------------------------------------------------------


def broken_gradient(params, batch):
    """Return a finite loss whose gradient is NaN for a batch that says so."""
    x, broken = batch
    root = jnp.sqrt(jnp.mean(1.0 - broken) * jnp.sum(1.0 + params["w"] ** 2))
    return jnp.mean((x @ params["w"]) ** 2) + 0.0 * root


def run_with_broken_batches(count, limit):
    """Return a run of 20 steps, of which `count` have NaN gradients from the 5th on."""
    x = np.ones((4, 3), np.float32)
    batches = [(x, np.full(4, float(5 <= i < 5 + count), np.float32)) for i in range(20)]
    task = lrw.Task({"w": jnp.ones(3)}, broken_gradient, train=lambda: iter(batches))
    chain = lrw.Chain.of(
        make("apply_if_finite", max_consecutive_errors=limit), make("sgd", learning_rate=0.05)
    )
    t = lrw.Trainer(task, chain, steps=20)
    t.run_sync()
    return t


def test_up_to_its_limit_apply_if_finite_leaves_bad_steps_out():
    t = run_with_broken_batches(3, limit=3)
    assert t.state == "finished"
    assert np.all(np.isfinite(t.params["w"]))
    loss = t.history.loss
    assert loss[5] == loss[6] == loss[7] == loss[8] > loss[9]


@pytest.mark.filterwarnings("ignore:the run diverged:RuntimeWarning")
def test_past_its_limit_it_lets_them_through_and_the_trainer_stops():
    t = run_with_broken_batches(4, limit=3)
    assert t.state == "diverged"
    assert "step 9" in t.error


# ---- parameters to evaluate with -----------------------------------------------------------------

AVERAGING = {
    "schedule_free_sgd": (make("schedule_free_sgd", learning_rate=0.5),),
    "schedule_free_adamw": (make("schedule_free_adamw"),),
    "clip, schedule_free": (
        make("clip_by_global_norm", max_norm=1.0),
        make("schedule_free"),
        make("sgd", learning_rate=0.5),
    ),
    "lookahead": (make("lookahead"), make("adam", learning_rate=0.01)),
}


@pytest.mark.parametrize("links", AVERAGING.values(), ids=AVERAGING)
def test_validation_is_at_the_parameters_to_evaluate_with(links):
    chain = lrw.Chain.of(*links)
    valid = models.data(29, seed=1)
    t = lrw.Trainer(models.task(valid=valid), chain, steps=17)
    t.run_sync()
    trained, evaluated = t.params, chain.eval_params(t.opt_state, t.params)
    losses = [models.pytree_loss(params, valid)[0] for params in (trained, evaluated)]
    assert abs(losses[0] - losses[1]) > 1e-4
    np.testing.assert_allclose(t.history.valid.loss[-1], losses[1], rtol=1e-5)


def test_the_parameters_to_evaluate_schedule_free_with_are_those_of_optax():
    tx = optax.contrib.schedule_free_sgd(0.5)
    chain = lrw.Chain.of(make("schedule_free_sgd", learning_rate=0.5))
    ours, theirs = (PARAMS, chain.live().init(PARAMS)), (PARAMS, tx.init(PARAMS))
    for _ in range(5):
        updates, state = chain.live().update(GRADS, ours[1], ours[0])
        ours = optax.apply_updates(ours[0], updates), state
        updates, state = tx.update(GRADS, theirs[1], theirs[0])
        theirs = optax.apply_updates(theirs[0], updates), state
    expected = optax.contrib.schedule_free_eval_params(theirs[1], theirs[0])
    averaged = chain.eval_params(ours[1], ours[0])
    for key in PARAMS:
        np.testing.assert_allclose(averaged[key], expected[key], rtol=1e-6)


@pytest.mark.parametrize("first", ["schedule_free", "lookahead"])
def test_of_two_that_say_how_to_evaluate_the_outer_one_is_heard(first):
    wrappers = [make("schedule_free"), make("lookahead")]
    links = [*sorted(wrappers, key=lambda w: w.name != first), make("sgd", learning_rate=0.1)]
    chain, params = lrw.Chain.of(*links), PARAMS
    tx = chain.to_optax()
    state = tx.init(params)
    for _ in range(4):
        updates, state = tx.update(GRADS, state, params)
        params = optax.apply_updates(params, updates)
    outer = {"schedule_free": optax.contrib.schedule_free_eval_params}.get(
        first, lambda s, _: s.slow
    )
    expected, averaged = outer(state, params), chain.eval_params(state, params)
    for key in PARAMS:
        np.testing.assert_array_equal(averaged[key], expected[key])


@pytest.mark.parametrize("reset_state", [False, True])
def test_lookahead_is_that_of_optax_with_the_slow_weights_in_its_state(reset_state):
    arguments = {"sync_period": 3, "slow_step_size": 0.5, "reset_state": reset_state}
    theirs = optax.lookahead(optax.adam(0.1), **arguments)
    pair = optax.LookaheadParams.init_synced(PARAMS)
    their_state = theirs.init(pair)
    chain = lrw.Chain.of(make("lookahead", **arguments), make("adam", learning_rate=0.1))
    ours = chain.to_optax()
    params, our_state = PARAMS, ours.init(PARAMS)
    for _ in range(8):
        updates, their_state = theirs.update(GRADS, their_state, pair)
        pair = optax.apply_updates(pair, updates)
        updates, our_state = ours.update(GRADS, our_state, params)
        params = optax.apply_updates(params, updates)
        slow = chain.eval_params(our_state, params)
        for key in PARAMS:
            np.testing.assert_allclose(params[key], pair.fast[key], rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(slow[key], pair.slow[key], rtol=1e-6, atol=1e-7)


def test_what_keeps_the_first_parameters_can_be_trained_with_donated_buffers():
    # A state that holds the very arrays of the parameters would be donated twice.
    for name in ("prodigy", "dog", "cocob", "madgrad", "mechanize", "sam", "lookahead"):
        t = lrw.Trainer(models.task(), sample(name), steps=3)
        t.run_sync()
        assert t.state == "finished"

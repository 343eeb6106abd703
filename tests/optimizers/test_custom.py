"""`custom`: anyone's own factory of an Optax transformation as a link."""

from __future__ import annotations

import copy
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group, custom, write_hyperparameters
from tests.optimizers.custom_factories import pulled
from tests.optimizers.forms import executed
from tests.training import models

o = lrw.optimizers
CURVE = lrw.schedules.preset("cosine", peak_value=0.1, steps=10)
PARAMS = {"w": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "b": jnp.ones(3)}
CHAIN = Chain.of(o.clip_by_global_norm(1.0), custom(pulled, learning_rate=0.1, power=2))


def trained(tx, steps=6, before=None):
    @jax.jit
    def step(params, state):
        updates, state = tx.update(jax.tree.map(jnp.sin, params), state, params)
        return optax.apply_updates(params, updates), state

    params, state = PARAMS, tx.init(PARAMS)
    for i in range(steps):
        params, state = step(params, before(state, i) if before else state)
    assert step._cache_size() == 1
    return params


def same(a, b):
    return all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_floats_are_live_and_all_else_is_fixed():
    link = custom(pulled, learning_rate=0.1, power=2)
    assert link.live() == {"learning_rate": 0.1, "pull": 0.1}
    assert link.static() == {"power": 2, "signed": False}
    assert link.name == "pulled"
    assert link.declaration.help == "Return gradient descent that is pulled towards zero."
    assert CHAIN.addresses()[1:] == ("pulled.learning_rate", "pulled.pull")


def test_it_trains_as_the_factory_does():
    plain = optax.chain(optax.clip_by_global_norm(1.0), pulled(0.1, power=2))
    assert same(trained(CHAIN.to_optax()), trained(plain))


@pytest.mark.parametrize("value", [0.3, CURVE])
def test_a_live_number_counts_from_the_next_update_on(value):
    chain = CHAIN.replace(pull=value)
    injection, rows = chain.injection(), chain.injection().columns(chain.rows(0, 6))
    live = trained(
        chain.live(), before=lambda s, i: write_hyperparameters(s, injection.names, rows[i])
    )
    assert models.distance(trained(chain.to_optax()), live) < 1e-6
    assert not same(trained(CHAIN.to_optax()), live)


def test_code_imports_it():
    chain = CHAIN.replace(learning_rate=CURVE)
    code = chain.to_code(hold=True)
    assert "from tests.optimizers.custom_factories import pulled" in code
    assert "inner_factory=pulled," in code
    assert models.distance(trained(chain.to_optax()), trained(executed(code)["optimizer"])) < 1e-6
    live = executed(chain.to_code(live=True))
    assert {"learning_rate", "power"} - set(live["optimizer"].init(PARAMS).hyperparams) == {"power"}


@pytest.mark.parametrize(
    "factory",
    [
        lambda learning_rate: optax.sgd(learning_rate),
        functools.partial(optax.sgd, momentum=0.9),
    ],
)
def test_code_of_what_no_import_can_find_is_refused(factory):
    chain = Chain.of(custom(factory, learning_rate=0.1))
    with pytest.raises(ValueError, match=r"must be a function that code can import .* got"):
        chain.to_code()
    assert same(trained(chain.to_optax()), trained(factory(0.1)))


def test_copies_and_pickles_are_the_same_chain():
    for other in (copy.copy(CHAIN), copy.deepcopy(CHAIN), pickle.loads(pickle.dumps(CHAIN))):
        assert other == CHAIN
        assert hash(other) == hash(CHAIN)
        assert other.structure() == CHAIN.structure()
        assert same(trained(other.to_optax()), trained(CHAIN.to_optax()))


def test_json_does_not_hold_it():
    with pytest.raises(ValueError, match="pulled must be one of lrwidget's links"):
        CHAIN.to_json()


def test_two_factories_of_one_name_are_not_one_structure():
    def pulled(learning_rate):
        return optax.sgd(learning_rate)

    other = Chain.of(CHAIN.links[0], custom(pulled, learning_rate=0.1))
    assert other.structure() != CHAIN.structure()
    assert other != CHAIN


def test_it_may_be_the_chain_of_a_group():
    group = Group("head", chain=custom(pulled, learning_rate=0.1), paths=["w"])
    chain = Chain.of(o.sgd(0.1), groups=[group])
    after = trained(chain.to_optax())
    assert same(after["w"], trained(pulled(0.1))["w"])
    assert same(after["b"], trained(optax.sgd(0.1))["b"])
    assert "head/pulled.pull" in chain.addresses()


@pytest.mark.parametrize("kind", ["pytree", "nnx", "linen"])
def test_it_trains_every_kind_of_model_live(kind):
    t = lrw.Trainer(models.task(kind), Chain.of(custom(pulled, learning_rate=0.05)), steps=6)
    t.step(3)
    t.set(pull=0.0)
    t.resume()
    t.wait()
    assert t.runner.traces == 1
    np.testing.assert_allclose(t.history.pull, [0.1] * 3 + [0.0] * 3)


def test_it_works_in_a_foreign_loop():
    model = models.Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, CHAIN.to_optax(), wrt=nnx.Param)
    grads = nnx.grad(lambda m: jnp.mean(m(jnp.ones((4, 6))) ** 2))(model)
    before = model.outer.kernel[...]
    optimizer.update(model, grads)
    assert not np.array_equal(before, model.outer.kernel[...])


BAD = [
    (lambda: custom(3), "factory must be a function that returns an optimizer, got 3"),
    (lambda: custom(pulled), "pulled must be given what it takes: .*learning_rate"),
    (lambda: custom(pulled, learning_rate=0.1, pul=1), "pulled must be given what it takes: .*pul"),
    (lambda: custom(pulled, learning_rate=float("nan")), "learning_rate must be .* got nan"),
    (lambda: custom(pulled, learning_rate=0.1).replace(pull="x"), "pull must be .* got 'x'"),
    (lambda: custom(pulled, learning_rate=0.1).replace(power=0.5), "power must be .* got 0.5"),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=lambda c: c if isinstance(c, str) else "")
def test_bad_input_is_refused(bad, message):
    with pytest.raises((ValueError, TypeError), match=message):
        bad()

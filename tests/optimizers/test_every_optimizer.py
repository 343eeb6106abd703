"""Every link by name: it trains every kind of model, its code is itself, and its numbers are live.

Gradients are compiled once for each kind of model, and an optimizer's program once however often
it is asked for: what is asked for under another form or for another kind is the same program.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

from lrwidget.optimizers import write_hyperparameters
from lrwidget.optimizers._declared import BUILT_IN
from tests.optimizers.programs import QUICKLY, Program, executed, flat, strong
from tests.optimizers.samples import other, sample

STEPS = 20
KINDS = ("pytree", "nnx", "linen")
NAMES = [d.name for d in BUILT_IN]
# A line search carries numbers whose type the first step changes.
TRACED_TWICE = ("lbfgs", "scale_by_backtracking_linesearch", "scale_by_zoom_linesearch")
# Goes anywhere without its line search.
NOT_ALONE = ("scale_by_lbfgs",)
# These compile for seconds; as a part of lbfgs one of them trains every kind of model.
PYTREE_ALONE = ("scale_by_backtracking_linesearch", "scale_by_zoom_linesearch")
TRAINED = [
    (name, kind) for name in NAMES for kind in (KINDS if name not in PYTREE_ALONE else ("pytree",))
]


# ---- models: one small layer, with its parameters in the same order ------------------------------


class NNXNet(nnx.Module):
    def __init__(self, rngs):
        self.layer = nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x):
        return jnp.tanh(self.layer(x))


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x):
        return jnp.tanh(linen.Dense(2)(x))


class Layer(NamedTuple):
    bias: Any
    kernel: Any


class Model:
    """Parameters, and the loss on a batch with its gradient, compiled."""

    def __init__(self, params, apply):
        # Above zero, so that steps in proportion to a parameter move biases too, and none is cut.
        self.params = jax.tree.map(lambda p: jnp.abs(p) + 0.1, params)
        self.apply = apply
        self.value_and_grad = jax.jit(jax.value_and_grad(self.loss))

    def loss(self, params, batch):
        x, y = batch
        return jnp.mean((self.apply(params, x) - y) ** 2)


@functools.cache
def model(kind):
    x = DATA[0]
    if kind == "nnx":
        graph, params = nnx.split(NNXNet(nnx.Rngs(0)))
        return Model(
            nnx.to_pure_dict(params), lambda params, x: nnx.merge(graph, nnx.State(params))(x)
        )
    variables = LinenNet().init(jax.random.key(0), x)["params"]
    if kind == "linen":
        return Model(variables, lambda params, x: LinenNet().apply({"params": params}, x))
    layer = Layer(**variables["Dense_0"])
    return Model(layer, lambda params, x: jnp.tanh(x @ params.kernel + params.bias))


def examples(seed, sign):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(16, 3)).astype(np.float32)
    y = x @ np.array([[1.0, -2.0], [0.5, 1.0], [-1.0, 0.2]], np.float32) + 0.3
    return x, sign * np.tanh(y)


DATA = examples(0, 1.0)
# Turns the gradients around, for what looks at their sign alone.
OTHERS = examples(1, -1.0)


def needed(model, chain, params, batch, value, grads):
    """Return the keywords that the chain's update needs."""

    def loss(params):
        return model.loss(params, batch)

    known = {
        "value": value,
        "grad": grads,
        "value_fn": loss,
        "obj_fn": loss,
        "valid_value": value,
    }
    return {name: known[name] for name in chain.needs}


def stepper(model, chain, tx):
    """Return a function of state, parameters, their loss and gradient, and the batch."""

    def step(state, params, value, grads, batch):
        extra = needed(model, chain, params, batch, value, grads)
        updates, state = tx.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state

    return step


@functools.cache
def trained(name, kind, form):
    """Return the parameters after some steps with what `to_optax` gives, or what the code does."""
    m, chain = model(kind), sample(name)
    tx = chain.to_optax() if form == "to_optax" else executed(chain.to_code())
    params, state = m.params, strong(tx.init(m.params))
    value, grads = m.value_and_grad(params, DATA)
    step = Program(stepper(m, chain, tx), state, params, value, grads, DATA)
    for _ in range(STEPS):
        params, state = step(state, params, *m.value_and_grad(params, DATA), DATA)
    return params


# ---- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), TRAINED)
def test_it_trains_and_its_code_does_the_same_to_the_last_bit(name, kind):
    ours, theirs = trained(name, kind, "to_optax"), trained(name, kind, "to_code")
    np.testing.assert_array_equal(flat(ours), flat(theirs))
    m = model(kind)
    before, after = m.loss(m.params, DATA), m.loss(ours, DATA)
    if name == "freeze":
        assert after == before
    else:
        assert after < before or name in NOT_ALONE


@pytest.mark.parametrize("name", NAMES)
def test_every_live_number_counts_from_the_next_step_on_without_another_trace(name):
    m, chain = model("pytree"), sample(name, showing=True)
    injection = chain.injection()
    tx = chain.live()
    step = jax.jit(stepper(m, chain, tx), compiler_options=QUICKLY)

    def go(carry, row, batches):
        params, state = carry
        for batch in batches:
            state = write_hyperparameters(state, injection.names, row)
            params, state = step(state, params, *m.value_and_grad(params, batch), batch)
        return params, state

    [row] = injection.columns(chain.rows(0, 1))
    carry = go((m.params, tx.init(m.params)), row, [DATA] * 10)
    label, link = next((label, link) for label, link in chain.labelled() if link.name == name)
    adapts = link.declaration.category == "adaptive"
    # What adaptive links are told shows when they judge a loss, as better or as worse.
    futures = [[OTHERS] * 6 + [DATA] * 6, [DATA] * 12] if adapts else [[OTHERS]]
    unchanged = [outcome(go(carry, row, future)) for future in futures]
    for h in link.declaration.hyperparameters:
        if h.name not in link.live():
            continue
        address = f"{label}.{h.name}"
        value = other(link.declaration, h, chain.value(address))
        [changed] = injection.columns(chain.replace({address: value}).rows(10, 1))
        assert not all(
            np.array_equal(outcome(go(carry, changed, future)), before)
            for future, before in zip(futures, unchanged, strict=True)
        ), f"{address} = {value} changes nothing"
    assert step._cache_size() <= (2 if name in TRACED_TWICE else 1)


def outcome(carry):
    """Return all that steps have done, without the hyperparameters that were written for them."""
    params, state = carry
    return flat((params, [x for x in jax.tree.leaves(state._replace(hyperparams={})) if array(x)]))


def array(x):
    return not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)

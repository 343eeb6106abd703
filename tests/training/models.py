"""Small models of every kind, their data and loss functions."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx
from flax.training.train_state import TrainState

import lrwidget as lrw

EXAMPLES, INPUTS, OUTPUTS, BATCH = 70, 6, 3, 8
STEPS_PER_EPOCH = EXAMPLES // BATCH


@functools.cache
def data(examples: int = EXAMPLES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and labels that can be learnt."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(examples, INPUTS)).astype(np.float32)
    y = np.argmax(x @ np.random.default_rng(7).normal(size=(INPUTS, OUTPUTS)), axis=1)
    return x, y.astype(np.int32)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return (logits.argmax(-1) == labels).mean()


# ---- a pytree ----------------------------------------------------------------------------------


def pytree_params(dtype: Any = jnp.float32) -> dict[str, jax.Array]:
    first, second = jax.random.split(jax.random.key(3))
    return {
        "w1": (jax.random.normal(first, (INPUTS, 16)) * 0.4).astype(dtype),
        "b1": jnp.zeros(16, dtype),
        "w2": (jax.random.normal(second, (16, OUTPUTS)) * 0.3).astype(dtype),
    }


def pytree_loss(params: dict[str, jax.Array], batch: Any) -> Any:
    x, y = batch
    logits = jnp.tanh(x @ params["w1"] + params["b1"]) @ params["w2"]
    return cross_entropy(logits, y), {"accuracy": accuracy(logits, y)}


def noisy_pytree_loss(params: dict[str, jax.Array], batch: Any, key: jax.Array) -> jax.Array:
    x, y = batch
    keep = jax.random.bernoulli(key, 0.8, x.shape)
    return pytree_loss(params, (jnp.where(keep, x, 0.0), y))[0]


# ---- NNX ---------------------------------------------------------------------------------------


class Net(nnx.Module):
    """An MLP with BatchNorm and Dropout, whose random stream is its own."""

    def __init__(self, rngs: nnx.Rngs, dropout: float = 0.2):
        self.inner = nnx.Linear(INPUTS, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.outer = nnx.Linear(16, OUTPUTS, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.outer(self.dropout(nnx.relu(self.norm(self.inner(x)))))


def nnx_loss(model: Net, batch: Any) -> Any:
    x, y = batch
    logits = model(x)
    return cross_entropy(logits, y), {"accuracy": accuracy(logits, y)}


# ---- Linen -------------------------------------------------------------------------------------


class LinenNet(linen.Module):
    """The same in Linen."""

    @linen.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = linen.BatchNorm(use_running_average=not train)(linen.Dense(16)(x))
        x = linen.Dropout(0.2, deterministic=not train)(linen.relu(x))
        return linen.Dense(OUTPUTS)(x)


def linen_loss(model: Any, batch: Any, train: bool) -> Any:  # noqa: FBT001
    x, y = batch
    logits = model(x, train=train)
    return cross_entropy(logits, y), {"accuracy": accuracy(logits, y)}


class NormedState(TrainState):
    """A TrainState as Flax's examples extend it."""

    batch_stats: Any


def linen_variables() -> Any:
    return LinenNet().init(jax.random.key(0), data()[0][:BATCH], train=False)


def train_state() -> NormedState:
    variables = linen_variables()
    return NormedState.create(apply_fn=LinenNet().apply, tx=optax.sgd(1.0), **variables)


# ---- tasks -------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """A model and the loss function that goes with it."""

    model: Any
    loss_fn: Any


KINDS = {
    "pytree": lambda: Kind(pytree_params(), pytree_loss),
    "nnx": lambda: Kind(Net(nnx.Rngs(0)), nnx_loss),
    "linen": lambda: Kind(LinenNet(), linen_loss),
    "train_state": lambda: Kind(train_state(), linen_loss),
}


def task(kind: str = "pytree", **changes: Any) -> lrw.Task:
    model, loss_fn = KINDS[kind]()
    arguments = {"train": data(), "batch_size": BATCH, **changes}
    model, loss_fn = arguments.pop("model", model), arguments.pop("loss_fn", loss_fn)
    return lrw.Task(model, loss_fn, **arguments)


def sgd(rate: Any = 0.1, **more: Any) -> lrw.Chain:
    return lrw.Chain.of(lrw.optimizers.sgd(rate, **more))


def adam(rate: Any = 0.01, **more: Any) -> lrw.Chain:
    return lrw.Chain.of(lrw.optimizers.adam(rate, **more))


def distance(a: Any, b: Any) -> float:
    """Return the norm of the difference of two pytrees, relative to the first's."""
    flat = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(t)]) for t in (a, b)]
    return float(np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[0]))


def assert_equal(a: Any, b: Any) -> None:
    """Assert that two pytrees are equal bit for bit."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (path, x), y in zip(jax.tree.leaves_with_path(a), jax.tree.leaves(b), strict=True):
        name = jax.tree_util.keystr(path)
        assert x.dtype == y.dtype, name
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)  # noqa: PLW2901
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y), err_msg=name)

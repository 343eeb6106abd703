"""Small tasks of every kind, with dropout and BatchNorm where the kind has them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

import lrwidget as lrw

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 8)).astype(np.float32)
Y = RNG.integers(0, 3, 96).astype(np.int32)


def cross_entropy(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()


def pytree_loss(params, batch):
    x, y = batch
    return cross_entropy(jax.nn.relu(x @ params["w"]) @ params["v"], y)


def weights():
    first, second = jax.random.split(jax.random.key(1))
    return {"w": jax.random.normal(first, (8, 16)), "v": jax.random.normal(second, (16, 3))}


class NNXNet(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(8, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.second = nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, x):
        return self.second(self.dropout(jax.nn.relu(self.norm(self.first(x)))))


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x, *, train):
        x = linen.Dense(16)(x)
        x = linen.relu(linen.BatchNorm(use_running_average=not train)(x))
        x = linen.Dropout(0.5, deterministic=not train)(x)
        return linen.Dense(3)(x)


def nnx_task():
    return lrw.Task(
        NNXNet(nnx.Rngs(0)),
        lambda model, batch: cross_entropy(model(batch[0]), batch[1]),
        train=(X, Y),
        batch_size=16,
    )


def linen_task():
    return lrw.Task(
        LinenNet(),
        lambda model, batch, train: cross_entropy(model(batch[0], train=train), batch[1]),
        train=(X, Y),
        batch_size=16,
    )


def pytree_task(loss=pytree_loss):
    return lrw.Task(weights(), loss, train=(X, Y), batch_size=16)


def list_task():
    batches = [(X[i : i + 16], Y[i : i + 16]) for i in range(0, 96, 16)]
    return lrw.Task(weights(), pytree_loss, train=batches)


def callable_task():
    def passes():
        order = np.random.default_rng(7).permutation(96).reshape(-1, 16)
        return ((X[rows], Y[rows]) for rows in order)

    return lrw.Task(weights(), pytree_loss, train=passes)


class Telling:
    """A pass of six batches with the two methods that grain's iterators have."""

    def __init__(self):
        self._place = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self._place == 6:
            raise StopIteration
        self._place += 1
        rows = slice(16 * self._place - 16, 16 * self._place)
        return X[rows], Y[rows]

    def get_state(self):
        return {"place": self._place}

    def set_state(self, state):
        self._place = state["place"]


def telling_task():
    return lrw.Task(weights(), pytree_loss, train=Telling)


TASKS = {
    "nnx": nnx_task,
    "linen": linen_task,
    "pytree": pytree_task,
    "list": list_task,
    "callable": callable_task,
}

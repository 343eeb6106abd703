"""The small tasks of adaptive.py, and the ones on which the default of its links was chosen."""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import datasets


class Small(NamedTuple):
    """A task that trains in a second: its parameters, its loss on a batch and all of its data."""

    name: str
    init: Callable[[jax.Array], Any]
    loss: Callable[[Any, tuple[jax.Array, ...]], jax.Array]
    data: tuple[np.ndarray, np.ndarray]
    batch_size: int

    def batches(self, seed: int, steps: int) -> np.ndarray:
        """Return the indices of each step's batch, reshuffled each epoch: int32, (steps, size)."""
        count = len(self.data[0])
        if self.batch_size >= count:
            return np.tile(np.arange(count, dtype=np.int32), (steps, 1))
        rng, rows = np.random.default_rng(1000 + seed), []
        while len(rows) < steps:
            whole = count // self.batch_size * self.batch_size
            rows.extend(rng.permutation(count)[:whole].reshape(-1, self.batch_size))
        return np.array(rows[:steps], np.int32)


def tasks() -> list[Small]:
    """Return the tasks that are measured."""
    rng = np.random.default_rng(11)
    digits, digit = datasets.load_digits(return_X_y=True)
    digits = digits / 16 - 0.3
    return [
        classes("digits MLP", digits, digit, (64, 32, 10)),
        classes("digits softmax", digits, digit, (64, 10)),
        classes("blobs MLP", *blobs(rng), (2, 32, 6)),
        classes("cancer logistic", *datasets.load_breast_cancer(return_X_y=True), (30, 2)),
        classes("wine MLP", *datasets.load_wine(return_X_y=True), (13, 16, 3), size=16),
        values("diabetes MLP", *datasets.load_diabetes(return_X_y=True), (10, 16, 1)),
        characters("characters", help_text(), context=4, width=12, hidden=64),
        ill_conditioned("ill-conditioned", rng, 40, 2.0, 0.5),
        autoencoder("autoencoder", digits),
    ]


def development() -> list[Small]:
    """Return the tasks on which the default link and its numbers were chosen; not measured."""
    rng = np.random.default_rng(7)
    inputs = rng.normal(size=(1024, 10))
    teacher = np.tanh(inputs @ rng.normal(size=(10, 8)) / 3) @ rng.normal(size=(8, 1))
    centres, label = 0.7 * rng.normal(size=(5, 20)), rng.integers(0, 5, 2000)
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    zen = codecs.decode(this.s, "rot13")
    return [
        classes("spirals", *spirals(rng), (2, 32, 32, 2), size=50, act=jnp.tanh),
        values("teacher", inputs, teacher + 0.1 * rng.normal(size=(1024, 1)), (10, 20, 1)),
        classes("mixture", centres[label] + rng.normal(size=(2000, 20)), label, (20, 5)),
        ill_conditioned("ill-conditioned", rng, 50, 1.5, 0.3),
        classes("iris", *datasets.load_iris(return_X_y=True), (4, 16, 3), size=16),
        factorisation("factorisation", rng),
        characters("zen", zen, context=3, width=16, hidden=48),
        values("friedman", *datasets.make_friedman1(1000, random_state=0), (10, 32, 32, 32, 1)),
    ]


def layers(sizes: tuple[int, ...], act: Any = jax.nn.relu) -> tuple[Any, Any]:
    def init(key: jax.Array) -> Any:
        keys = jax.random.split(key, len(sizes))
        return [
            {"kernel": jax.random.normal(k, (a, b)) * a**-0.5, "bias": jnp.zeros(b)}
            for k, a, b in zip(keys, sizes, sizes[1:], strict=False)
        ]

    def apply(params: Any, x: jax.Array) -> jax.Array:
        for layer in params[:-1]:
            x = act(x @ layer["kernel"] + layer["bias"])
        return x @ params[-1]["kernel"] + params[-1]["bias"]

    return init, apply


def cross_entropy(apply: Any) -> Any:
    def loss(params: Any, batch: Any) -> jax.Array:
        logits = apply(params, batch[0])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    return loss


def squares(apply: Any) -> Any:
    def loss(params: Any, batch: Any) -> jax.Array:
        return 0.5 * jnp.mean(jnp.sum((apply(params, batch[0]) - batch[1]) ** 2, -1))

    return loss


def standard(x: np.ndarray) -> np.ndarray:
    return ((x - x.mean(0)) / np.maximum(x.std(0), 1e-6)).astype(np.float32)


def classes(
    name: str, x: Any, y: Any, sizes: tuple[int, ...], size: int = 32, act: Any = jax.nn.relu
) -> Small:
    init, apply = layers(sizes, act)
    return Small(name, init, cross_entropy(apply), (standard(x), y.astype(np.int32)), size)


def values(name: str, x: Any, y: Any, sizes: tuple[int, ...], size: int = 32) -> Small:
    init, apply = layers(sizes)
    return Small(name, init, squares(apply), (standard(x), standard(y.reshape(-1, 1))), size)


def blobs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    label = rng.integers(0, 6, 1200)
    return 2 * rng.normal(size=(6, 2))[label] + 0.8 * rng.normal(size=(1200, 2)), label


def spirals(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    angle, label = np.sqrt(rng.random(1000)) * 3 * np.pi, rng.integers(0, 2, 1000)
    turned = angle + np.pi * label
    x = np.stack([angle * np.cos(turned), angle * np.sin(turned)], 1)
    return x + 0.3 * rng.normal(size=(1000, 2)), label


def help_text() -> str:
    from pydoc_data import topics

    return "".join(topics.topics[name] for name in sorted(topics.topics))[:6000]


def characters(name: str, text: str, context: int, width: int, hidden: int) -> Small:
    letters = sorted(set(text))
    ids = np.array([letters.index(c) for c in text], np.int32)
    rows = np.stack([ids[i : len(ids) - context + i] for i in range(context)], 1)
    start, head = layers((context * width, hidden, len(letters)))

    def init(key: jax.Array) -> Any:
        first, second = jax.random.split(key)
        table = jax.random.normal(first, (len(letters), width))
        return {"embedding": table, "head": start(second)}

    def apply(params: Any, x: jax.Array) -> jax.Array:
        return head(params["head"], params["embedding"][x].reshape(x.shape[0], -1))

    return Small(name, init, cross_entropy(apply), (rows, ids[context:]), 64)


def ill_conditioned(
    name: str, rng: np.random.Generator, features: int, decades: float, noise: float
) -> Small:
    x = rng.normal(size=(800, features)) * np.logspace(0, -decades, features)
    y = x @ rng.normal(size=(features, 1))
    y = y / y.std() + noise * rng.normal(size=(800, 1))
    init, apply = layers((features, 1))
    return Small(name, init, squares(apply), (x.astype(np.float32), y.astype(np.float32)), 16)


def autoencoder(name: str, digits: np.ndarray) -> Small:
    init, apply = layers((64, 32, 8, 32, 64), jnp.tanh)
    x = digits.astype(np.float32)
    return Small(name, init, squares(apply), (x, x), 64)


def factorisation(name: str, rng: np.random.Generator) -> Small:
    whole = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 30)) + 0.1 * rng.normal(size=(30, 30))

    def init(key: jax.Array) -> Any:
        first, second = jax.random.split(key)
        return (
            0.3 * jax.random.normal(first, (30, 4)),
            0.3 * jax.random.normal(second, (4, 30)),
        )

    def loss(params: Any, batch: Any) -> jax.Array:
        return 0.5 * jnp.mean((params[0] @ params[1] - batch[0]) ** 2)

    matrix = whole.astype(np.float32)
    return Small(name, init, loss, (matrix, matrix), 30)

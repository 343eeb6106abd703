"""The kinds of tasks of advice.py: models, losses and data."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import _adaptive_tasks as small
import _models
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx
from sklearn import datasets

Arrays = tuple[np.ndarray, np.ndarray]

HELD_OUT = 5  # every fifth example is for validation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """A model, a loss and data.

    Attributes
    ----------
    model
        From a seed to a model, or to a Linen module, which a `Task` initialises from its seed.
    loss
        The loss function of a `Task`.
    data
        Returns inputs and targets.
    about
        What it is, for people.
    """

    model: Callable[[int], Any]
    loss: Callable[..., jax.Array]
    data: Callable[[], Arrays]
    batch_size: int
    about: str

    @functools.cached_property
    def split(self) -> tuple[Arrays, Arrays]:
        """Training and validation data."""
        arrays = self.data()
        order = np.random.default_rng(0).permutation(len(arrays[0]))
        kept = np.arange(len(order)) % HELD_OUT != 0
        train, valid = (tuple(x[order[part]] for x in arrays) for part in (kept, ~kept))
        return train, valid  # type: ignore[return-value]


def _plain(made: small.Small, about: str) -> Kind:
    # Jitted as a whole: drawn one by one, the weights of a deep model take half a second.
    init = jax.jit(made.init)
    return Kind(
        model=lambda seed: init(jax.random.key(seed)),
        loss=made.loss,
        data=lambda: made.data,
        batch_size=made.batch_size,
        about=about,
    )


# Without it small tabular sets are learnt by heart at any rate over decades.
FLIPPED = 0.15


def _digits(flipped: float = 0.0) -> Arrays:
    x, y = datasets.load_digits(return_X_y=True)
    return small.standard(x / 16), _mislabelled(y, flipped)


def _wine() -> Arrays:
    x, y = datasets.load_wine(return_X_y=True)
    return small.standard(x), _mislabelled(y, FLIPPED)


def _mislabelled(y: np.ndarray, share: float) -> np.ndarray:
    rng = np.random.default_rng(9)
    drawn = rng.integers(0, y.max() + 1, len(y))
    return np.where(rng.random(len(y)) < share, drawn, y).astype(np.int32)


def _stretched() -> small.Small:
    # Every feature tells as much of the target, on scales over one and a half decades.
    rng = np.random.default_rng(11)
    x = rng.normal(size=(1000, 30))
    y = x @ rng.normal(size=(30, 1)) / 30**0.5 + 0.2 * rng.normal(size=(1000, 1))
    init, apply = small.layers((30, 1))
    data = (x * np.logspace(0, -1.5, 30)).astype(np.float32), y.astype(np.float32)
    return small.Small("ill-conditioned", init, small.squares(apply), data, 32)


def _raw_cancer() -> small.Small:
    # The columns as they are, but for the widest (areas of hundreds), which are taken in hundreds.
    x, y = datasets.load_breast_cancer(return_X_y=True)
    x = np.where(x.std(0) > 10, x / 100, x).astype(np.float32)
    _, apply = small.layers((30, 2))

    def init(_: jax.Array) -> Any:
        return [{"kernel": jnp.zeros((30, 2)), "bias": jnp.zeros(2)}]

    return small.Small("raw cancer", init, small.cross_entropy(apply), (x, y.astype(np.int32)), 32)


def _entries() -> small.Small:
    # A matrix of rank 4 by its entries: (row, column) and value.
    rng = np.random.default_rng(3)
    whole = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 40)) / 2
    whole += 0.3 * rng.normal(size=(40, 40))
    places = np.stack(np.meshgrid(np.arange(40), np.arange(40), indexing="ij"), -1)

    def init(key: jax.Array) -> Any:
        first, second = jax.random.split(key)
        return {
            "rows": 0.3 * jax.random.normal(first, (40, 6)),
            "columns": 0.3 * jax.random.normal(second, (40, 6)),
        }

    def loss(params: Any, batch: Any) -> jax.Array:
        place, value = batch
        rows, columns = params["rows"][place[:, 0]], params["columns"][place[:, 1]]
        return 0.5 * jnp.mean((jnp.sum(rows * columns, -1) - value) ** 2)

    data = places.reshape(-1, 2).astype(np.int32), whole.reshape(-1).astype(np.float32)
    return small.Small("factorisation", init, loss, data, 64)


CHARACTERS = _models.CHARACTERS


def _pieces(length: int, count: int) -> Arrays:
    x, y = _models.text()
    return x[:count, :length].copy(), y[:count, :length].copy()


def _recurrent(name: str, *, gated: bool, width: int, length: int) -> small.Small:
    gates = 3 if gated else 1

    def init(key: jax.Array) -> Any:
        table, into, again, out = jax.random.split(key, 4)
        return {
            "embedding": jax.random.normal(table, (CHARACTERS, width)),
            "input": jax.random.normal(into, (width, gates * width)) * width**-0.5,
            "recurrent": jax.random.normal(again, (width, gates * width)) * width**-0.5,
            "bias": jnp.zeros(gates * width),
            "output": jax.random.normal(out, (width, CHARACTERS)) * width**-0.5,
            "output_bias": jnp.zeros(CHARACTERS),
        }

    def loss(params: Any, batch: Any) -> jax.Array:
        x, y = batch
        fed = params["embedding"][x] @ params["input"] + params["bias"]

        def step(state: jax.Array, into: jax.Array) -> tuple[jax.Array, jax.Array]:
            again = state @ params["recurrent"]
            if not gated:
                state = jnp.tanh(into + again)
                return state, state
            update = jax.nn.sigmoid(into[:, :width] + again[:, :width])
            reset = jax.nn.sigmoid(into[:, width : 2 * width] + again[:, width : 2 * width])
            candidate = jnp.tanh(into[:, 2 * width :] + reset * again[:, 2 * width :])
            state = (1 - update) * state + update * candidate
            return state, state

        first = jnp.zeros((x.shape[0], width))
        _, states = jax.lax.scan(step, first, jnp.swapaxes(fed, 0, 1))
        logits = jnp.swapaxes(states, 0, 1) @ params["output"] + params["output_bias"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    return small.Small(name, init, loss, _pieces(length, 1000), 16)


def _classified(model: Any, batch: Any) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(model(batch[0]), batch[1]).mean()


class Dropped(nnx.Module):
    """A perceptron with dropout, whose masks come from the step's randomness."""

    def __init__(self, *sizes: int, rate: float, seed: int) -> None:
        rngs = nnx.Rngs(seed)
        pairs = itertools.pairwise(sizes)
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in pairs])
        self.dropout = nnx.Dropout(rate)

    def __call__(self, x: jax.Array, rngs: nnx.Rngs) -> jax.Array:
        *hidden, last = self.layers
        for layer in hidden:
            x = self.dropout(nnx.relu(layer(x)), rngs=rngs)
        return last(x)


def _dropped(model: Any, batch: Any, rngs: Any) -> jax.Array:
    logits = model(batch[0], rngs)
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()


class Linen(linen.Module):
    """A perceptron with layer normalisation, in Linen."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = linen.gelu(linen.LayerNorm()(linen.Dense(32)(x)))
        x = linen.gelu(linen.LayerNorm()(linen.Dense(32)(x)))
        return linen.Dense(3)(x)


def _overlapping(seed: int, inputs: int, classes: int, spread: float, count: int) -> Arrays:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, count)
    x = 2 * rng.normal(size=(classes, inputs))[label] + spread * rng.normal(size=(count, inputs))
    return small.standard(x), label.astype(np.int32)


def _kinds() -> dict[str, Kind]:
    diabetes = datasets.load_diabetes(return_X_y=True)
    friedman = datasets.make_friedman1(1000, noise=1.0, random_state=0)
    digits, mislabelled = _digits(), _digits(FLIPPED)
    scaled = datasets.load_digits(return_X_y=True)[0] / 16 - 0.3
    blobs = _overlapping(5, 4, 6, 1.5, 1500)
    text = small.help_text()
    plain = {
        # develop
        "diabetes": (small.values("", *diabetes, (10, 16, 1)), "MLP 10-16-1, squares"),
        "digits MLP": (small.classes("", *mislabelled, (64, 32, 10)), "MLP 64-32-10, noisy labels"),
        "autoencoder": (small.autoencoder("", scaled), "64-32-8-32-64, tanh, digits"),
        "blobs": (small.classes("", *blobs, (4, 32, 6)), "MLP 4-32-6, overlapping"),
        "GRU": (
            _recurrent("", gated=True, width=24, length=12),
            "GRU of 24 over 12 characters",
        ),
        "raw cancer": (_raw_cancer(), "logistic, columns of scales from 0.003 to 6"),
        "factorisation": (_entries(), "rank 6 fitted to noisy rank 4, by entries of 40 x 40"),
        # report
        "friedman": (small.values("", *friedman, (10, 32, 32, 1)), "MLP 10-32-32-1"),
        "digits softmax": (
            small.classes("", *mislabelled, (64, 10)),
            "softmax regression, noisy labels",
        ),
        "wine": (small.classes("", *_wine(), (13, 8, 3), size=16), "MLP 13-8-3, noisy labels"),
        "ill-conditioned": (
            _stretched(),
            "linear regression, feature scales over 1.5 decades",
        ),
        "embedding": (
            small.characters("", text, context=4, width=12, hidden=48),
            "next character after four, embedding of 12, 48 hidden",
        ),
        "RNN": (
            _recurrent("", gated=False, width=24, length=12),
            "tanh RNN of 24 over 12 characters",
        ),
        "deep": (
            small.classes("", *digits, (64, 16, 16, 16, 16, 16, 16, 10), act=jnp.tanh),
            "six layers of 16, tanh, digits",
        ),
    }
    kinds = {name: _plain(*each) for name, each in plain.items()}
    kinds["BatchNorm"] = Kind(
        model=lambda seed: _models.MLP(64, 32, 32, 10, normalised=True, seed=seed),
        loss=_classified,
        data=lambda: _digits(FLIPPED),
        batch_size=32,
        about="NNX, MLP 64-32-32-10 with BatchNorm, noisy digits",
    )
    kinds["attention"] = Kind(
        model=lambda seed: _models.Transformer(CHARACTERS, 12, 16, blocks=1, seed=seed),
        loss=_classified,
        data=lambda: _pieces(12, 1000),
        batch_size=8,
        about="NNX, one block of width 16 over 12 characters",
    )
    kinds["dropout"] = Kind(
        model=lambda seed: Dropped(64, 64, 10, rate=0.2, seed=seed),
        loss=_dropped,
        data=_digits,
        batch_size=32,
        about="NNX, MLP 64-64-10 with dropout 0.2, digits",
    )
    kinds["Linen"] = Kind(
        model=lambda _: Linen(),
        loss=_classified,
        data=lambda: _overlapping(6, 10, 3, 3.0, 1200),
        batch_size=32,
        about="Linen, MLP 10-32-32-3 with LayerNorm, overlapping clusters",
    )
    return kinds


KINDS: dict[str, Kind] = _kinds()

"""The six models of `loop.py`, as people write them in Flax NNX, with their data and chain."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import lrwidget as lrw

if TYPE_CHECKING:
    from collections.abc import Callable

Data = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """A model and how much it is fed.

    Attributes
    ----------
    make
        Returns the module; every loop begins with the same weights.
    data
        Returns inputs and labels.
    epochs
        Of one timed run in the quick form: about half a second on two quiet cores.
    scan, nnx
        By how much fewer steps the runs of these loops have, which are slow on a CPU.
    """

    name: str
    make: Callable[[], nnx.Module]
    data: Callable[[], Data]
    batch_size: int
    epochs: int
    scan: int = 1
    nnx: int = 1

    @functools.cached_property
    def arrays(self) -> Data:
        """Inputs and labels."""
        return self.data()

    @property
    def steps_per_epoch(self) -> int:
        return len(self.arrays[0]) // self.batch_size

    def steps(self, length: int, fewer: int = 1) -> int:
        """Return the steps of a run `length` times as long as the quick form's, over `fewer`."""
        return length * self.epochs * self.steps_per_epoch // fewer

    def task(self) -> lrw.Task:
        """Return model and data as a Task."""
        return lrw.Task(self.make(), loss_fn, train=self.arrays, batch_size=self.batch_size)


def loss_fn(model: Any, batch: Any) -> jax.Array:
    """Return the mean cross-entropy of a batch ``(inputs, labels)``."""
    inputs, labels = batch
    logits = model(inputs)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


class MLP(nnx.Module):
    """Fully connected layers, normalised where that is asked for."""

    def __init__(self, *sizes: int, normalised: bool = False, seed: int = 0) -> None:
        rngs = nnx.Rngs(seed)
        pairs = list(itertools.pairwise(sizes))
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in pairs])
        norms = [nnx.BatchNorm(b, rngs=rngs) for _, b in pairs[:-1]] if normalised else []
        self.norms = nnx.List(norms)

    def __call__(self, x: jax.Array) -> jax.Array:
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.norms):
                x = self.norms[i](x)
            if i + 1 < len(self.layers):
                x = nnx.relu(x)
        return x


class CNN(nnx.Module):
    """Two convolutions and a linear layer, for pictures of 16 by 16."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.first = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.second = nnx.Conv(8, 16, (3, 3), rngs=rngs)
        self.out = nnx.Linear(4 * 4 * 16, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.first(x)), (2, 2), (2, 2))
        x = nnx.max_pool(nnx.relu(self.second(x)), (2, 2), (2, 2))
        return self.out(x.reshape(len(x), -1))


class Block(nnx.Module):
    """Attention and a layer of four times the width, each after a normalisation."""

    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.attention_norm = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(
            num_heads=4, in_features=width, decode=False, rngs=rngs
        )
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.wide = nnx.Linear(width, 4 * width, rngs=rngs)
        self.narrow = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        x = x + self.attention(self.attention_norm(x), mask=mask)
        return x + self.narrow(nnx.gelu(self.wide(self.norm(x))))


class Transformer(nnx.Module):
    """A language model of characters."""

    def __init__(
        self, characters: int, length: int, width: int, blocks: int = 2, seed: int = 0
    ) -> None:
        rngs = nnx.Rngs(seed)
        self.characters = nnx.Embed(characters, width, rngs=rngs)
        self.places = nnx.Embed(length, width, rngs=rngs)
        self.blocks = nnx.List([Block(width, rngs) for _ in range(blocks)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.out = nnx.Linear(width, characters, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        mask = nnx.make_causal_mask(x)
        x = self.characters(x) + self.places(jnp.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x, mask)
        return self.out(self.norm(x))


def clusters(examples: int, *shape: int) -> Data:
    """Return ten noisy clusters, so that there is something to learn."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, examples).astype(np.int32)
    centres = rng.normal(size=(10, *shape))
    inputs = centres[labels] + 2.0 * rng.normal(size=(examples, *shape))
    return inputs.astype(np.float32), labels


CHARACTERS, LENGTH = 96, 32


def text() -> Data:
    """Return pieces of Python's own help texts, and each one's next characters."""
    from pydoc_data.topics import topics

    whole = "\n".join(topics[name] for name in sorted(topics))[:80_000]
    codes = np.frombuffer(whole.encode("ascii", "replace"), np.uint8).astype(np.int32)
    codes = np.clip(codes - 31, 0, CHARACTERS - 1)  # what is below a space is 0
    pieces = codes[: len(codes) // (LENGTH + 1) * (LENGTH + 1)].reshape(-1, LENGTH + 1)
    return pieces[:, :-1].copy(), pieces[:, 1:].copy()


MODELS = (
    Model(
        name="MLP 64-64-10, batch 32",
        make=lambda: MLP(64, 64, 10),
        data=lambda: clusters(1797, 64),
        batch_size=32,
        epochs=300,
        nnx=20,
    ),
    Model(
        name="MLP 784-256-10, batch 128",
        make=lambda: MLP(784, 256, 10),
        data=lambda: clusters(12800, 784),
        batch_size=128,
        epochs=6,
        nnx=2,
    ),
    Model(
        name="MLP 784-512-512-10, batch 64",
        make=lambda: MLP(784, 512, 512, 10),
        data=lambda: clusters(3200, 784),
        batch_size=64,
        epochs=3,
    ),
    Model(
        name="BatchNorm 64-128-128-10, batch 64",
        make=lambda: MLP(64, 128, 128, 10, normalised=True),
        data=lambda: clusters(3200, 64),
        batch_size=64,
        epochs=50,
        nnx=10,
    ),
    Model(
        name="CNN 8-16 on 16x16, batch 32",
        make=CNN,
        data=lambda: clusters(1600, 16, 16, 1),
        batch_size=32,
        epochs=10,
        scan=10,
        nnx=2,
    ),
    Model(
        name="transformer 2 x 48, 32 characters, batch 8",
        make=lambda: Transformer(CHARACTERS, LENGTH, 48),
        data=text,
        batch_size=8,
        epochs=1,
        nnx=4,
    ),
)


def chain(steps: int) -> lrw.Chain:
    """Return Adam under a warm-up and a cosine, as half the world trains."""
    schedule = lrw.schedules.preset("warmup_cosine", peak_value=1e-3, steps=steps)
    return lrw.Chain.of(lrw.optimizers.adam(schedule))

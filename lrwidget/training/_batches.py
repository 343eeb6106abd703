"""What a batch is, and what the engine needs of training data."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree

# Steps of the longest chunk. A step of 12 µs, the fastest that a CPU takes, fills 50 ms with it.
MAX_CHUNK = 4096


class Chunk(NamedTuple):
    """The batches of the next `steps` steps."""

    feed: PyTree
    steps: int


class Stream(Protocol):
    """Batches in order, from step 0 on."""

    def take(self, steps: int, ahead: int = 0) -> Chunk:
        """Return the batches of the next `steps` steps, 1 to the source's `max_chunk`.

        `ahead` says how many steps will follow, so that the stream may prepare them meanwhile.
        """


class Source(Protocol):
    """Training data."""

    @property
    def spec(self) -> PyTree:
        """One batch as `jax.ShapeDtypeStruct`s."""

    @property
    def size(self) -> int:
        """Examples in a batch."""

    @property
    def max_chunk(self) -> int:
        """Steps of the longest chunk."""

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps in one pass over the data; None while that is not known."""

    def stream(self) -> Stream:
        """Return a fresh stream at step 0."""

    def pick(self, feed: PyTree, step: jax.Array, place: jax.Array) -> PyTree:
        """Return a step's batch inside the compiled function.

        `feed` is the chunk's, `step` counts in the run and `place` in the chunk.
        """

    def first(self) -> PyTree:
        """Return one batch, to initialise a model with."""


def as_array(name: str, leaf: Any) -> npt.NDArray[Any]:
    """Return a leaf as a NumPy array of the type that it has on the device, or raise."""
    if not hasattr(leaf, "__array__"):
        raise TypeError(f"{name} must be an array, got {short(leaf)}")
    # Checked before it is converted: a key array, say, has no NumPy form.
    array: Any = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
    if not (jnp.issubdtype(array.dtype, np.number) or jnp.issubdtype(array.dtype, np.bool_)):
        raise TypeError(f"{name} must be an array of numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{name} must have a leading axis of examples, got a scalar")
    return np.asarray(array, jax.dtypes.canonicalize_dtype(array.dtype))


def equal_axis(name: str, leaves: list[npt.NDArray[Any]]) -> int:
    """Return the length of the arrays' common leading axis, at least 1, or raise."""
    if not leaves:
        raise ValueError(f"{name} must hold at least one array, got none")
    lengths = [leaf.shape[0] for leaf in leaves]
    if len(set(lengths)) > 1:
        raise ValueError(f"the arrays of {name} must have equal leading axes, got {lengths}")
    if lengths[0] == 0:
        raise ValueError(f"{name} must hold at least one example, got none")
    return int(lengths[0])


def short(value: Any) -> str:
    """Return what a value looks like, not longer than a message can bear."""
    text = repr(value)
    return f"{text[:60]}…" if len(text) > 60 else text

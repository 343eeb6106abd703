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

CLOSED = "a stream that has been closed gives no more batches"


class Chunk(NamedTuple):
    """The batches of the next `steps` steps."""

    feed: PyTree
    steps: int


class Origin(NamedTuple):
    """Where a run began to use a batch size: that step was the first one of that epoch.

    Step ``s`` is in epoch ``origin.epoch + (s - origin.step) // steps_per_epoch``.
    """

    step: int = 0
    epoch: int = 0


START = Origin()


class Stream(Protocol):
    """Batches in order; may be used by one thread at a time, and closed by any."""

    def take(self, steps: int, ahead: int = 0) -> Chunk:
        """Return the batches of the next `steps` steps, 1 to the source's `max_chunk`.

        `ahead` says how many steps will follow, so that the stream may prepare them meanwhile.
        What the person's own code raises while it gives these batches is raised here; the stream
        is then where it was before.
        """

    def state(self) -> dict[str, Any] | None:
        """Return where the data stand at the next `take`, as JSON data; see `Source.stream`.

        None where the number of the step tells all of it.
        """

    def close(self) -> None:
        """End what the stream does on threads of its own; it gives no more batches."""


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

    def resized(self, batch_size: int) -> Source:
        """Return a source of the same data in other batches; ValueError if it cannot be."""

    def reseeded(self, seed: int) -> Source:
        """Return a source of the same data in the order of another seed.

        What its streams give goes through the step that was compiled for this one. Data that
        comes in an order of its own is returned as it is.
        """

    def stream(
        self,
        start: int = 0,
        origin: Origin = START,
        saved: dict[str, Any] | None = None,
    ) -> Stream:
        """Return the batches of a run from step `start` on.

        Parameters
        ----------
        start
            The first step, at or after that of `origin`.
        origin
            At which step and epoch this batch size began.
        saved
            What `Stream.state` said at `start`; without it the stream finds its way there.
        """

    def pick(self, feed: PyTree, step: jax.Array, place: jax.Array) -> PyTree:
        """Return a step's batch inside the compiled function.

        `feed` is the chunk's, `step` counts in the run and `place` in the chunk.
        """

    def first(self) -> PyTree:
        """Return one batch, to initialise a model with."""


def as_array(name: str, leaf: Any) -> npt.NDArray[Any]:
    """Return a leaf as a NumPy array of the type that it has on the device, or raise."""
    array = check_array(name, leaf)
    return np.asarray(array, jax.dtypes.canonicalize_dtype(array.dtype))


def check_array(name: str, leaf: Any) -> Any:
    """Return a leaf as the array that it is, in NumPy or JAX, or raise."""
    if not hasattr(leaf, "__array__"):
        raise TypeError(f"{name} must be an array, got {short(leaf)}")
    # Checked before it is converted: a key array, say, has no NumPy form.
    array: Any = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
    if not (jnp.issubdtype(array.dtype, np.number) or jnp.issubdtype(array.dtype, np.bool_)):
        raise TypeError(f"{name} must be an array of numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{name} must have a leading axis of examples, got a scalar")
    return array


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

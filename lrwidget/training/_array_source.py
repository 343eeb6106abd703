"""Arrays as training data: on the device once, reshuffled every epoch."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrwidget import _checks
from lrwidget.training._arrays import PyTree
from lrwidget.training._batches import MAX_CHUNK, Chunk, as_array, equal_axis

# The orders of the epochs that two chunks may reach lie on the device: about 4 MB of them.
_ORDER_ENTRIES = 2**19


class ArrayData:
    """Arrays with one leading axis, in their own order."""

    def __init__(self, arrays: PyTree, examples: int, size: int):
        self.arrays = arrays
        self.examples = examples
        self.size = min(size, examples)
        self.spec = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(  # type: ignore[no-untyped-call]
                (self.size, *x.shape[1:]), x.dtype
            ),
            arrays,
        )

    def batches(self) -> Iterator[tuple[PyTree, int]]:
        """Return one pass: every batch with its number of examples, the last what is left."""
        for start in range(0, self.examples, self.size):
            stop = min(start + self.size, self.examples)
            yield jax.tree.map(lambda x: x[start:stop], self.arrays), stop - start  # noqa: B023


class ArraySource(ArrayData):
    """Arrays with one leading axis, reshuffled every epoch.

    Epoch ``e`` takes the examples in the order
    ``jax.random.permutation(jax.random.fold_in(jax.random.key(seed), e), examples)``, in batches;
    the remainder is dropped. The arrays stay on the device, and a chunk carries only the order.
    """

    def __init__(self, arrays: PyTree, examples: int, batch_size: int, seed: int):
        super().__init__(arrays, examples, batch_size)
        self.seed = seed
        self.max_chunk = int(np.clip(_ORDER_ENTRIES // batch_size, 1, MAX_CHUNK))
        self.steps_per_epoch = examples // batch_size
        # Two chunks' worth of epochs, one that is begun, and one ahead.
        self.rows = -(-2 * self.max_chunk // self.steps_per_epoch) + 2
        # Shuffling 1797 digits takes a core 0.6 ms and training on them 1 ms. Computations that
        # one thread hands out run one after the other on a CPU; from a thread of its own the
        # shuffle of the epochs to come runs beside the training.
        self._shuffler = concurrent.futures.ThreadPoolExecutor(1, "lrwidget-shuffle")
        # Every stream begins with the first epoch, so it is shuffled once, and before it is needed.
        width = self.steps_per_epoch * self.size
        self.opening = self.fill(jnp.zeros((self.rows, width), jnp.int32), 0, 1)

    def stream(self) -> ArrayStream:
        """Return a fresh stream at step 0."""
        return ArrayStream(self)

    def first(self) -> PyTree:
        """Return the first batch, unshuffled."""
        return next(self.batches())[0]

    def pick(self, feed: PyTree, step: jax.Array, _: jax.Array) -> PyTree:
        """Return the batch of `step`, inside the compiled function."""
        arrays, order = feed
        epoch, place = step // self.steps_per_epoch, step % self.steps_per_epoch
        index = jax.lax.dynamic_slice(
            order, (epoch % order.shape[0], place * self.size), (1, self.size)
        )[0]
        # Every entry is a permutation's, so that nothing needs clamping.
        return jax.tree.map(lambda x: x.at[index].get(mode="promise_in_bounds"), arrays)

    def fill(
        self, order: jax.Array, first: int, count: int
    ) -> concurrent.futures.Future[jax.Array]:
        """Start to write the epochs from `first` on into a copy of `order`."""
        return self._shuffler.submit(
            _fill, order, np.int32(first), np.int32(count), np.uint32(self.seed), self.examples
        )


class ArrayStream:
    """The batches of an `ArraySource` in order.

    The order of epoch ``e`` lies in row ``e % rows`` of one int32 array on the device, which is
    extended, never built anew, as the run goes on.
    """

    def __init__(self, source: ArraySource):
        self._source = source
        self._order: jax.Array | None = None
        self._filling: concurrent.futures.Future[jax.Array] | None = source.opening
        self._filled = 1
        self._step = 0

    def take(self, steps: int, ahead: int = 0) -> Chunk:
        """Return the next `steps` batches, and start to shuffle for as many of the next `ahead`."""
        source = self._source
        steps = _checks.integer("steps", steps, low=1, high=source.max_chunk)
        first = self._step // source.steps_per_epoch
        self._step += steps
        self._extend((self._step - 1) // source.steps_per_epoch, first)
        order = self._settled()
        if ahead:
            # As far as the next chunk of this length, and an epoch more: one shuffle of a large
            # data set takes longer than a chunk.
            likely = (self._step + steps - 1) // source.steps_per_epoch + 1
            last = (self._step + ahead - 1) // source.steps_per_epoch
            keep = self._step // source.steps_per_epoch
            self._extend(min(likely, last, keep + source.rows - 1), keep)
        return Chunk((source.arrays, order), steps)

    def _extend(self, last: int, keep: int) -> None:
        missing = min(last, keep + self._source.rows - 1) + 1 - self._filled
        if missing > 0:
            self._filling = self._source.fill(self._settled(), self._filled, missing)
            self._filled += missing

    def _settled(self) -> jax.Array:
        if self._filling is not None:
            self._order, self._filling = self._filling.result(), None
        assert self._order is not None  # noqa: S101  (a stream begins with one being filled)
        return self._order


@functools.partial(jax.jit, static_argnames="examples")
def _fill(
    order: jax.Array, first: jax.Array, count: jax.Array, seed: jax.Array, examples: int
) -> jax.Array:
    rows, width = order.shape
    root = jax.random.key(seed)

    def write(i: jax.Array, order: jax.Array) -> jax.Array:
        epoch = first + i
        permutation = jax.random.permutation(jax.random.fold_in(root, epoch), examples)
        return order.at[epoch % rows].set(permutation[:width].astype(jnp.int32))

    filled: jax.Array = jax.lax.fori_loop(0, count, write, order)
    return filled


def as_arrays(name: str, data: Any) -> tuple[PyTree, int]:
    """Return a pytree of device arrays, and the length of their common leading axis."""
    paths, structure = jax.tree.flatten_with_path(data)
    leaves = [as_array(f"{name}{jax.tree_util.keystr(path)}", leaf) for path, leaf in paths]
    examples = equal_axis(name, leaves)
    # Copied: on a CPU a device array may share the memory of a NumPy array that changes later.
    return jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves]), examples

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
from lrwidget.training._batches import (
    CLOSED,
    MAX_CHUNK,
    START,
    Chunk,
    Origin,
    as_array,
    equal_axis,
)
from lrwidget.training._permutation import is_by_hand, permutations

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
                (self.size, *x.shape[1:]), jax.dtypes.canonicalize_dtype(x.dtype)
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

    Parameters
    ----------
    arrays, examples
        What `as_arrays` returns.
    batch_size, seed
        As a `Task` has them.
    opens
        Whether to shuffle the first epoch at once.
    """

    def __init__(
        self, arrays: PyTree, examples: int, batch_size: int, seed: int, *, opens: bool = True
    ):
        super().__init__(arrays, examples, batch_size)
        self.seed = seed
        self.max_chunk = int(np.clip(_ORDER_ENTRIES // batch_size, 1, MAX_CHUNK))
        self.steps_per_epoch = examples // batch_size
        # Two chunks' worth of epochs, one that is begun, and one ahead.
        self.rows = -(-2 * self.max_chunk // self.steps_per_epoch) + 2
        self._width = self.steps_per_epoch * self.size
        self.opening: concurrent.futures.Future[jax.Array] | None = None
        if opens:
            # Most streams begin so: it is shuffled once, and before it is needed.
            pool = _shuffler()
            self.opening = self.fill(pool, None, 0, 1)
            pool.shutdown(wait=False)

    def resized(self, batch_size: int) -> ArraySource:
        """Return a source of the same arrays in other batches; ValueError if it cannot be."""
        batch_size = batch_size_for("train", batch_size, self.examples)
        # It begins in the middle of a run, if at all: it costs nothing until then.
        return ArraySource(self.arrays, self.examples, batch_size, self.seed, opens=False)

    def reseeded(self, seed: int) -> ArraySource:
        """Return a source of the same arrays in the order of another seed."""
        return ArraySource(self.arrays, self.examples, self.size, seed, opens=False)

    def stream(
        self,
        start: int = 0,
        origin: Origin = START,
        saved: dict[str, Any] | None = None,
    ) -> ArrayStream:
        """Return the batches of a run from step `start` on; see `Source.stream`."""
        return ArrayStream(self, start, origin)

    def first(self) -> PyTree:
        """Return the first batch, unshuffled."""
        return next(self.batches())[0]

    def pick(self, feed: PyTree, step: jax.Array, _: jax.Array) -> PyTree:
        """Return the batch of `step`, inside the compiled function."""
        arrays, order, shift = feed
        step = step + shift
        # Nothing is negative, and these are faster than // and %, which ask whether it is.
        per_epoch = np.int32(self.steps_per_epoch)  # an int would be 64 bits wide with x64
        row = jax.lax.rem(jax.lax.div(step, per_epoch), np.int32(order.shape[0]))
        place = jax.lax.rem(step, per_epoch)
        index = jax.lax.dynamic_slice(order, (row, place * self.size), (1, self.size))[0]
        # Every entry is a permutation's, so that nothing needs clamping.
        return jax.tree.map(lambda x: x.at[index].get(mode="promise_in_bounds"), arrays)

    def fill(
        self,
        pool: concurrent.futures.Executor,
        order: jax.Array | None,
        first: int,
        count: int,
    ) -> concurrent.futures.Future[jax.Array]:
        """Start to write the epochs from `first` on into a copy of `order`, or into a new one."""
        fill = self._fill_by_hand if is_by_hand() else self._fill_compiled
        return pool.submit(fill, order, first, count)

    def _fill_by_hand(self, order: jax.Array | None, first: int, count: int) -> jax.Array:
        filled = np.zeros(self._shape, np.int32) if order is None else np.array(order)
        orders = permutations(self.seed, first, count, self.examples)
        filled[np.arange(first, first + count) % self.rows] = orders[:, : self._width]
        return jnp.asarray(filled)

    def _fill_compiled(self, order: jax.Array | None, first: int, count: int) -> jax.Array:
        if order is None:
            order = jnp.zeros(self._shape, jnp.int32)
        filled: jax.Array = _fill(
            order, np.int32(first), np.int32(count), np.uint32(self.seed), self.examples
        )
        return filled

    @property
    def _shape(self) -> tuple[int, int]:
        # Room for as many epochs as two chunks may reach.
        return self.rows, self._width


class ArrayStream:
    """The batches of an `ArraySource` in order.

    The order of epoch ``e`` lies in row ``e % rows`` of one int32 array on the device, which is
    extended, never built anew, as the run goes on.
    """

    def __init__(self, source: ArraySource, start: int, origin: Origin):
        self._source = source
        self._step: int = _checks.integer("start", start, low=origin.step)
        self._origin = origin
        # What brings a step of the run to its place in the rows. It is data and no constant of the
        # compiled step: another origin is not another trace.
        shift = origin.epoch % source.rows * source.steps_per_epoch - origin.step
        self._shift = jnp.asarray(np.int32(shift))
        self._order: jax.Array | None = None
        self._pool: concurrent.futures.Executor | None = None
        self._closed = False
        first = self._epoch(self._step)
        self._filling = source.opening if first == 0 else None
        if self._filling is None:
            self._filling = source.fill(self._threads(), None, first, 1)
        self._filled = first + 1

    def take(self, steps: int, ahead: int = 0) -> Chunk:
        """Return the next `steps` batches, and start to shuffle for as many of the next `ahead`."""
        if self._closed:
            raise ValueError(CLOSED)
        source = self._source
        steps = _checks.integer("steps", steps, low=1, high=source.max_chunk)
        first = self._epoch(self._step)
        self._step += steps
        self._extend(self._epoch(self._step - 1), first)
        order = self._settled()
        if ahead:
            # As far as the next chunk of this length, and an epoch more: one shuffle of a large
            # data set takes longer than a chunk.
            likely = self._epoch(self._step + steps - 1) + 1
            last = self._epoch(self._step + ahead - 1)
            keep = self._epoch(self._step)
            self._extend(min(likely, last), keep)
        return Chunk((source.arrays, order, self._shift), steps)

    def state(self) -> None:
        """Return None: the number of the step tells where the data stand."""

    def close(self) -> None:
        """End the thread that shuffles."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _epoch(self, step: int) -> int:
        origin = self._origin
        return origin.epoch + (step - origin.step) // self._source.steps_per_epoch

    def _extend(self, last: int, keep: int) -> None:
        missing = min(last, keep + self._source.rows - 1) + 1 - self._filled
        if missing > 0:
            order = self._settled()
            self._filling = self._source.fill(self._threads(), order, self._filled, missing)
            self._filled += missing

    def _settled(self) -> jax.Array:
        if self._filling is not None:
            self._order, self._filling = self._filling.result(), None
        assert self._order is not None  # noqa: S101  (a stream begins with one being filled)
        return self._order

    def _threads(self) -> concurrent.futures.Executor:
        # Its thread ends with the pool, at the latest when the stream is collected.
        if self._pool is None:
            self._pool = _shuffler()
        return self._pool


def _shuffler() -> concurrent.futures.ThreadPoolExecutor:
    # Shuffling 1797 digits takes a core 0.6 ms and training on them 1 ms. Computations that one
    # thread hands out run one after the other on a CPU; from a thread of its own the shuffle of
    # the epochs to come runs beside the training.
    return concurrent.futures.ThreadPoolExecutor(1, "lrwidget-shuffle")


def batch_size_for(name: str, batch_size: Any, examples: int) -> int:
    """Return the batch size for arrays of so many examples, or raise."""
    size = _checks.integer("batch_size", batch_size, low=1)
    if size > examples:
        raise ValueError(
            f"batch_size must be at most {examples}, the number of examples in {name}, got {size}"
        )
    return size


def order_of(root: jax.Array, epoch: jax.Array, examples: int) -> jax.Array:
    """Return the order in which an epoch takes the examples; to be traced."""
    return jax.random.permutation(jax.random.fold_in(root, epoch), examples).astype(jnp.int32)


@functools.partial(jax.jit, static_argnames="examples")
def _fill(
    order: jax.Array, first: jax.Array, count: jax.Array, seed: jax.Array, examples: int
) -> jax.Array:
    rows, width = order.shape
    root = jax.random.key(seed)

    def write(i: jax.Array, order: jax.Array) -> jax.Array:
        epoch = first + i
        return order.at[epoch % rows].set(order_of(root, epoch, examples)[:width])

    filled: jax.Array = jax.lax.fori_loop(0, count, write, order)
    return filled


def as_arrays(name: str, data: Any) -> tuple[PyTree, int]:
    """Return a pytree of device arrays, and the length of their common leading axis."""
    paths, structure = jax.tree.flatten_with_path(data)
    leaves = [as_array(f"{name}{jax.tree_util.keystr(path)}", leaf) for path, leaf in paths]
    examples = equal_axis(name, leaves)
    # Copied: on a CPU a device array may share the memory of a NumPy array that changes later.
    return jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves]), examples

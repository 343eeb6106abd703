"""Arrays that stay on the host: too large for the device, or mapped from a file."""

from __future__ import annotations

import concurrent.futures
import functools
import math
from collections.abc import Iterator
from typing import Any, Literal

import jax
import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.training._array_source import ArrayData, batch_size_for, order_of
from lrwidget.training._arrays import PyTree
from lrwidget.training._batches import START, Origin, check_array, equal_axis
from lrwidget.training._permutation import is_by_hand, permutations
from lrwidget.training._reading import StackStream
from lrwidget.training._stacks import Leaves, StackForm, pick_place

DeviceData = Literal["auto"] | bool

# Of a device's memory, what training data may take without being asked for.
_SHARE = 0.25


class HostSource(ArrayData):
    """Arrays with one leading axis that stay on the host, reshuffled every epoch.

    The order is that of an `ArraySource`, bit for bit. The batches are gathered on the thread
    that reads ahead.
    """

    def __init__(self, arrays: PyTree, examples: int, batch_size: int, seed: int):
        super().__init__(arrays, examples, batch_size)
        self.seed = seed
        self.steps_per_epoch = examples // batch_size
        self._form = StackForm(self.spec)
        self.max_chunk = self._form.max_chunk

    def resized(self, batch_size: int) -> HostSource:
        """Return a source of the same arrays in other batches; ValueError if it cannot be."""
        batch_size = batch_size_for("train", batch_size, self.examples)
        return HostSource(self.arrays, self.examples, batch_size, self.seed)

    def reseeded(self, seed: int) -> HostSource:
        """Return a source of the same arrays in the order of another seed."""
        return HostSource(self.arrays, self.examples, self.size, seed)

    def stream(
        self,
        start: int = 0,
        origin: Origin = START,
        saved: dict[str, Any] | None = None,
    ) -> StackStream:
        """Return the batches of a run from step `start` on; see `Source.stream`."""
        steps = _checks.integer("start", start, low=origin.step) - origin.step
        epochs, place = divmod(steps, self.steps_per_epoch)
        return StackStream(
            self._form, functools.partial(_Gathering, self, origin.epoch + epochs, place)
        )

    def first(self) -> PyTree:
        """Return the first batch, unshuffled."""
        return next(self.batches())[0]

    def pick(self, feed: PyTree, _: jax.Array, place: jax.Array) -> PyTree:
        """Return batch `place` of the chunk, inside the compiled function."""
        return pick_place(feed, place)

    def order(self, epoch: int) -> npt.NDArray[np.int32]:
        """Return the order of an epoch, of shape (steps_per_epoch, size)."""
        if is_by_hand():
            order = permutations(self.seed, epoch, 1, self.examples)[0]
        else:
            order = np.asarray(_order(np.uint32(self.seed), np.int32(epoch), self.examples))
        used: npt.NDArray[np.int32] = order[: self.steps_per_epoch * self.size]
        return used.reshape(-1, self.size)


class _Gathering:
    """Batches of a `HostSource` from a place of an epoch on."""

    def __init__(self, source: HostSource, epoch: int, place: int):
        self._leaves = jax.tree.leaves(source.arrays)
        self._batches = _orders(source, epoch, place)

    def read(self) -> Leaves:
        """Return the leaves of the next batch."""
        index = next(self._batches)
        return [np.take(leaf, index, axis=0) for leaf in self._leaves]

    def state(self) -> None:
        """Return None: the number of the step tells where the data stand."""


def _orders(source: HostSource, epoch: int, place: int) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the examples of each batch; shuffle the next epoch while the present one is read."""
    pool = concurrent.futures.ThreadPoolExecutor(1, "lrwidget-shuffle")
    following = pool.submit(source.order, epoch)
    try:
        while True:
            order, asked = following.result(), False
            for i in range(place, len(order)):
                # Not earlier than halfway, since a run may end in this epoch.
                if not asked and 2 * i >= len(order) - 1:
                    following, asked = pool.submit(source.order, epoch + 1), True
                yield order[i]
            epoch, place = epoch + 1, 0
    finally:
        pool.shutdown(cancel_futures=True)


@functools.partial(jax.jit, static_argnames="examples")
def _order(seed: jax.Array, epoch: jax.Array, examples: int) -> jax.Array:
    return order_of(jax.random.key(seed), epoch, examples)


def host_arrays(name: str, data: Any) -> tuple[PyTree, int]:
    """Return a pytree of NumPy arrays, none of them copied, and the length of their first axis."""
    paths, structure = jax.tree.flatten_with_path(data)
    leaves = [
        np.asarray(check_array(f"{name}{jax.tree_util.keystr(path)}", leaf)) for path, leaf in paths
    ]
    examples = equal_axis(name, leaves)
    return jax.tree.unflatten(structure, leaves), examples


def check_device_data(device_data: Any) -> DeviceData:
    """Return what a Task was told of where its data shall be, or raise a ValueError."""
    if isinstance(device_data, bool):
        return device_data
    if isinstance(device_data, str) and device_data == "auto":
        return "auto"
    raise ValueError(f"device_data must be True, False or 'auto', got {device_data!r}")


def stays_on_host(data: Any, device_data: DeviceData) -> bool:
    """Return whether arrays are gathered on the host."""
    if device_data != "auto":
        return not device_data
    leaves = jax.tree.leaves(data)
    if any(_is_mapped(leaf) for leaf in leaves):
        return True
    # A CPU does not tell, and has the arrays in its memory anyway.
    told = jax.local_devices()[0].memory_stats() or {}
    room = _SHARE * float(told.get("bytes_limit", math.inf))
    return float(sum(getattr(leaf, "nbytes", 0) for leaf in leaves)) > room


def _is_mapped(leaf: Any) -> bool:
    # A view that has become a plain array still lies in the file.
    while leaf is not None:
        if isinstance(leaf, np.memmap):
            return True
        leaf = leaf.base if isinstance(leaf, np.ndarray) else None
    return False

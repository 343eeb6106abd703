"""Batches of one form in one stack: how data that stay on the host reach the compiled step."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree
from lrwidget.training._batches import MAX_CHUNK

Leaves = list[npt.NDArray[Any]]

# A stack has this many bytes at most.
_STACK_BYTES = 8 * 2**20


class StackForm:
    """Batches of one form, stacked: each array of a batch with an axis of `max_chunk` in front.

    Parameters
    ----------
    spec
        One batch as `jax.ShapeDtypeStruct`s.

    Attributes
    ----------
    specs
        The leaves of `spec`.
    structure
        Its structure.
    max_chunk
        How many batches a stack holds.
    """

    def __init__(self, spec: PyTree):
        flat: tuple[list[Any], Any] = jax.tree.flatten(spec)
        self.specs, self.structure = flat
        weight = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in self.specs)
        self.max_chunk = int(np.clip(_STACK_BYTES // max(1, weight), 1, MAX_CHUNK))

    def empty(self) -> Leaves:
        """Return a stack without batches."""
        return [np.empty((self.max_chunk, *leaf.shape), leaf.dtype) for leaf in self.specs]

    def copied(self, stack: Leaves, start: int, stop: int) -> Leaves:
        """Return a stack that begins with the batches from `start` to `stop` of another one."""
        copy = self.empty()
        for new, old in zip(copy, stack, strict=True):
            new[: stop - start] = old[start:stop]
        return copy

    def on_device(self, stack: Leaves) -> PyTree:
        """Return the stack on the device.

        It must not change while this is used: on a CPU the device may read this very memory.
        """
        return jax.tree.unflatten(self.structure, [jax.device_put(leaf) for leaf in stack])


def put(stack: Leaves, place: int, batch: Leaves) -> None:
    """Write a batch into a stack; float64 and int64 become what the device has for them."""
    for into, leaf in zip(stack, batch, strict=True):
        into[place] = leaf


def pick_place(feed: PyTree, place: jax.Array) -> PyTree:
    """Return the batch at a place of a stack, inside the compiled function."""
    return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, place, keepdims=False), feed)

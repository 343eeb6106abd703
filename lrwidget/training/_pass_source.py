"""Iterables of batches as training data: an epoch is a pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.training._arrays import PyTree
from lrwidget.training._batches import MAX_CHUNK, Chunk, as_array, equal_axis, short

# A chunk of an iterable is copied to the device as one stack of this many bytes at most.
_STACK_BYTES = 8 * 2**20


class PassSource:
    """An iterable of batches, or a function that returns an iterator of them; an epoch is a pass.

    All batches must have the shapes and dtypes of the first one; a smaller one at the very end of
    a pass is dropped, as the remainder of arrays is.
    """

    def __init__(self, name: str, data: Any):
        self.name = name
        self._hint = " (a list is read as batches; give arrays as a tuple)" * isinstance(data, list)
        self._begin = _opener(name, data)
        leaves, self._structure = self._flat(next(self._batches()), 0)
        self._specs = [
            jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)  # type: ignore[no-untyped-call]
            for leaf in leaves
        ]
        self.spec = jax.tree.unflatten(self._structure, self._specs)
        self.size = leaves[0].shape[0]
        weight = max(1, sum(leaf.nbytes for leaf in leaves))
        self.max_chunk = int(np.clip(_STACK_BYTES // weight, 1, MAX_CHUNK))
        self._has_length = hasattr(data, "__len__")
        self._counted: int | None = None
        if isinstance(data, list):
            self._count()

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps in a pass; None where only a pass can tell, and none has been made."""
        if self._counted is None and self._has_length:
            # The length counts a smaller last batch, which is dropped: only a pass tells.
            self._count()
        return self._counted

    def _count(self) -> None:
        self._counted = sum(1 for _ in self._pass())

    def stream(self) -> PassStream:
        """Return a fresh stream, which begins a pass of its own."""
        return PassStream(self)

    def first(self) -> PyTree:
        """Return the first batch of a pass."""
        return next(self.batches())[0]

    def batches(self) -> Iterator[tuple[PyTree, int]]:
        """Return one pass for validation: every batch with its number of examples."""
        for i, batch in enumerate(self._batches()):
            leaves, structure = self._flat(batch, i)
            yield jax.tree.unflatten(structure, leaves), leaves[0].shape[0]

    def pick(self, feed: PyTree, _: jax.Array, place: jax.Array) -> PyTree:
        """Return batch `place` of the chunk, inside the compiled function."""
        return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, place, keepdims=False), feed)

    def endless(self) -> Iterator[list[npt.NDArray[Any]]]:
        """Return the leaves of every batch, pass after pass."""
        while True:
            count = 0
            for leaves in self._pass():
                yield leaves
                count += 1
            self._counted = count

    def stack(self, batches: list[list[npt.NDArray[Any]]]) -> PyTree:
        """Return the batches as one pytree with an axis of `max_chunk` in front."""
        stacks = []
        for i, spec in enumerate(self._specs):
            # A fresh array each time: the device may go on reading this very memory.
            stack = np.empty((self.max_chunk, *spec.shape), spec.dtype)
            for place, batch in enumerate(batches):
                stack[place] = batch[i]
            stacks.append(stack)
        return jax.tree.unflatten(self._structure, stacks)

    def _pass(self) -> Iterator[list[npt.NDArray[Any]]]:
        batches = enumerate(self._batches())
        for i, batch in batches:
            leaves, structure = self._flat(batch, i)
            if structure == self._structure and _specs_of(leaves) == _specs_of(self._specs):
                yield leaves
                continue
            smaller = structure == self._structure and all(
                leaf.dtype == spec.dtype and leaf.shape[1:] == spec.shape[1:]
                for leaf, spec in zip(leaves, self._specs, strict=True)
            )
            if smaller and leaves[0].shape[0] < self.size and next(batches, None) is None:
                return
            raise ValueError(
                f"every batch of {self.name} must have the shapes and dtypes of the first, "
                f"{_shown(self._structure, self._specs)}, got {_shown(structure, leaves)} in "
                f"batch {i}{self._hint}"
            )

    def _batches(self) -> Iterator[Any]:
        empty = True
        for batch in self._begin():
            empty = False
            yield batch
        if empty:
            raise ValueError(
                f"{self.name} must give at least one batch in every pass, got none: is it a "
                "generator that is used up, or a function that returns the same iterator again?"
            )

    def _flat(self, batch: Any, place: int) -> tuple[list[npt.NDArray[Any]], Any]:
        where = f"batch {place} of {self.name}"
        paths, structure = jax.tree.flatten_with_path(batch)
        leaves = [as_array(f"{where}{jax.tree_util.keystr(path)}", leaf) for path, leaf in paths]
        equal_axis(where, leaves)
        return leaves, structure


class PassStream:
    """The batches of a `PassSource`, pass after pass."""

    def __init__(self, source: PassSource):
        self._source = source
        self._batches = source.endless()

    def take(self, steps: int, ahead: int = 0) -> Chunk:
        """Return the next `steps` batches."""
        steps = _checks.integer("steps", steps, low=1, high=self._source.max_chunk)
        return Chunk(self._source.stack([next(self._batches) for _ in range(steps)]), steps)


def _opener(name: str, data: Any) -> Callable[[], Iterator[Any]]:
    cure = "give a list, an object that can be iterated again, or a function without arguments "
    cure += "that returns an iterator"
    if isinstance(data, Iterator):
        raise TypeError(f"{name} must be iterable more than once, got {short(data)}: {cure}")
    if hasattr(data, "__iter__") and not isinstance(data, str | bytes):
        return lambda: iter(data)
    if not callable(data):
        raise TypeError(
            f"{name} must be arrays (a tuple or a dict of them), an iterable of batches or a "
            f"function that returns an iterator, got {short(data)}"
        )
    try:
        inspect.signature(data).bind()
    except TypeError:
        raise TypeError(f"{name} must be a function without arguments, got {data!r}") from None
    except ValueError:
        pass  # builtins have no signature to look at

    def begin() -> Iterator[Any]:
        iterator = data()
        if not hasattr(iterator, "__iter__"):
            raise TypeError(f"{name} must return an iterator of batches, got {short(iterator)}")
        return iter(iterator)

    return begin


def _specs_of(leaves: list[Any]) -> list[tuple[Any, Any]]:
    return [(leaf.shape, leaf.dtype) for leaf in leaves]


def _shown(structure: Any, leaves: list[Any]) -> str:
    return str(jax.tree.unflatten(structure, [f"{x.dtype}{list(x.shape)}" for x in leaves]))

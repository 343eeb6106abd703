"""Iterables of batches as training data: an epoch is a pass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from lrwidget import _checks
from lrwidget.training._arrays import PyTree
from lrwidget.training._batches import START, Origin, as_array, equal_axis, short
from lrwidget.training._passes import Pass, Passes, checked_state
from lrwidget.training._reading import StackStream
from lrwidget.training._stacks import Leaves, StackForm, pick_place


class UsedUpError(ValueError):
    """Raised where a pass over the data gives no batch."""


class PassSource:
    """An iterable of batches, or a function that returns an iterator of them; an epoch is a pass.

    All batches must have the shapes and dtypes of the first one; a smaller one at the very end of
    a pass is dropped, as the remainder of arrays is. A function with a parameter called ``epoch``
    gets the number of the pass.
    """

    def __init__(self, name: str, data: Any):
        self.name = name
        self._hint = " (a list is read as batches; give arrays as a tuple)" * isinstance(data, list)
        self._open = _opener(name, data)
        self.takes_epoch = not hasattr(type(data), "__iter__") and _takes_epoch(name, data)
        first = next(self.begin(0), self)
        if first is self:
            raise self.empty()
        leaves, structure = self._flat(first, 0)
        specs = [
            jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)  # type: ignore[no-untyped-call]
            for leaf in leaves
        ]
        self.spec = jax.tree.unflatten(structure, specs)
        self.size = leaves[0].shape[0]
        self._form = StackForm(self.spec)
        self._dtypes = [_taken_as(spec.dtype) for spec in specs]
        self.max_chunk = self._form.max_chunk
        self.has_length = hasattr(data, "__len__")
        self._last_count: int | None = None
        self._lengths: dict[int, int] = {}
        self._longer_than = 0  # what the first pass is known to be, where nobody read it to its end
        if isinstance(data, list):
            self._count()

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps in a pass; None where only a pass can tell, and none has been made."""
        if self._last_count is None and self.has_length:
            # The length counts a smaller last batch, which is dropped: only a pass tells.
            self._count()
        return self._last_count

    def length(self, epoch: int) -> int | None:
        """Return the steps of a pass; None where it has not been made, and may be of any length."""
        return self.steps_per_epoch if self.has_length else self._lengths.get(epoch)

    def counted(self, epoch: int, steps: int) -> None:
        """Note how long a pass was."""
        self._last_count = self._lengths[epoch] = steps

    def first_length(self, most: int) -> int | None:
        """Return the steps of the first pass if it has at most so many, else None.

        It is read so far unless that is known; who asks for more and more reads it a few times.
        """
        if 0 not in self._lengths and self._longer_than < most:
            reading, bound = Pass(self, 0), max(most, 2 * self._longer_than)
            while reading.place <= bound and reading.read() is not None:
                pass
            if reading.place <= bound:
                self.counted(0, reading.place)
            else:
                self._longer_than = bound
        known = self._lengths.get(0)
        return known if known is not None and known <= most else None

    def _count(self) -> None:
        reading = Pass(self, 0)
        while reading.read() is not None:
            pass
        self.counted(0, reading.place)

    def resized(self, batch_size: int) -> PassSource:
        """Raise a ValueError: batches are as large as they come."""
        raise ValueError(
            f"batch_size cannot be {batch_size!r} where {self.name} is an iterable, which brings "
            f"its own batches, of {self.size}"
        )

    def reseeded(self, seed: int) -> PassSource:
        """Return itself: its passes come in an order of their own."""
        return self

    def stream(
        self, start: int = 0, origin: Origin = START, saved: dict[str, Any] | None = None
    ) -> StackStream:
        """Return the batches of a run from step `start` on; see `Source.stream`."""
        skip = _checks.integer("start", start, low=origin.step) - origin.step
        saved = checked_state(self.name, saved)
        begin = functools.partial(Passes, self, origin.epoch, skip, saved)
        return StackStream(self._form, begin, saved)

    def first(self) -> PyTree:
        """Return the first batch of a pass."""
        return next(self.batches())[0]

    def batches(self) -> Iterator[tuple[PyTree, int]]:
        """Return one pass for validation: every batch with its number of examples."""
        empty = True
        for i, batch in enumerate(self.begin(0)):
            leaves, structure = self._flat(batch, i)
            empty = False
            yield jax.tree.unflatten(structure, leaves), leaves[0].shape[0]
        if empty:
            raise self.empty()

    def pick(self, feed: PyTree, _: jax.Array, place: jax.Array) -> PyTree:
        """Return batch `place` of the chunk, inside the compiled function."""
        return pick_place(feed, place)

    def begin(self, epoch: int) -> Iterator[Any]:
        """Return an iterator over the batches of a pass, as the person gives them."""
        return self._open(epoch)

    def leaves(self, batch: Any, place: int) -> Leaves | None:
        """Return a batch's leaves, or None if it is like the others and only smaller, or raise."""
        flat: tuple[list[Any], Any] = jax.tree.flatten(batch)
        (leaves, structure), specs = flat, self._form.specs
        # A batch costs 1.5 µs here and 4 below, where short steps take no longer themselves.
        if structure == self._form.structure and all(
            type(leaf) is np.ndarray and leaf.shape == spec.shape and leaf.dtype in dtypes
            for leaf, spec, dtypes in zip(leaves, specs, self._dtypes, strict=True)
        ):
            return leaves
        leaves, structure = self._flat(batch, place)
        if structure == self._form.structure and _forms(leaves) == _forms(specs):
            return leaves
        smaller = structure == self._form.structure and all(
            leaf.dtype == spec.dtype and leaf.shape[1:] == spec.shape[1:]
            for leaf, spec in zip(leaves, specs, strict=True)
        )
        if smaller and leaves[0].shape[0] < self.size:
            return None
        raise self.ragged(batch, place)

    def ragged(self, batch: Any, place: int) -> ValueError:
        """Return what to raise where a batch has another form than the first one."""
        leaves, structure = self._flat(batch, place)
        first = _shown(self._form.structure, self._form.specs)
        return ValueError(
            f"every batch of {self.name} must have the shapes and dtypes of the first, {first}, "
            f"got {_shown(structure, leaves)} in batch {place}{self._hint}"
        )

    def empty(self) -> UsedUpError:
        """Return what to raise where a pass has no batch."""
        return UsedUpError(
            f"{self.name} must give at least one batch in every pass, got none: is it a "
            "generator that is used up, or a function that returns the same iterator again?"
        )

    def _flat(self, batch: Any, place: int) -> tuple[Leaves, Any]:
        where = f"batch {place} of {self.name}"
        paths, structure = jax.tree.flatten_with_path(batch)
        leaves = [as_array(f"{where}{jax.tree_util.keystr(path)}", leaf) for path, leaf in paths]
        equal_axis(where, leaves)
        return leaves, structure


def _opener(name: str, data: Any) -> Callable[[int], Iterator[Any]]:
    """Return a function that begins pass number `epoch` over the data."""
    cure = "give a list, an object that can be iterated again, or a function without arguments "
    cure += "that returns an iterator"
    if isinstance(data, Iterator):
        raise TypeError(f"{name} must be iterable more than once, got {short(data)}: {cure}")
    if hasattr(type(data), "__iter__") and not isinstance(data, str | bytes):
        return lambda _: iter(data)
    if not callable(data):
        raise TypeError(
            f"{name} must be arrays (a tuple or a dict of them), an iterable of batches or a "
            f"function that returns an iterator, got {short(data)}"
        )
    tells = _takes_epoch(name, data)

    def begin(epoch: int) -> Iterator[Any]:
        iterator = data(epoch=epoch) if tells else data()
        if not hasattr(iterator, "__iter__"):
            raise TypeError(f"{name} must return an iterator of batches, got {short(iterator)}")
        return iter(iterator)

    return begin


def _takes_epoch(name: str, data: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(data)
    except ValueError:
        return False  # builtins have no signature to look at
    parameter = signature.parameters.get("epoch")
    tells = parameter is not None and parameter.kind in (
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )
    try:
        signature.bind(**({"epoch": 0} if tells else {}))
    except TypeError:
        raise TypeError(
            f"{name} must be a function without arguments, or with one called epoch, got {data!r}"
        ) from None
    return tells


def _taken_as(dtype: np.dtype[Any]) -> set[np.dtype[Any]]:
    """Return the dtypes that become `dtype` on the device."""
    wide = (np.dtype(name) for name in ("float64", "int64", "uint64", "complex128"))
    return {dtype, *(other for other in wide if jax.dtypes.canonicalize_dtype(other) == dtype)}


def _forms(leaves: list[Any]) -> list[tuple[Any, Any]]:
    return [(leaf.shape, leaf.dtype) for leaf in leaves]


def _shown(structure: Any, leaves: list[Any]) -> str:
    return str(jax.tree.unflatten(structure, [f"{x.dtype}{list(x.shape)}" for x in leaves]))

"""Where batches come from: arrays that live on the device, or passes over an iterable.

A source gives streams of batches. A chunk of a stream is what the compiled step needs for the
next steps: `Chunk.feed` goes into the compiled function, and `pick` takes a step's batch out of
it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrwidget import _checks
from lrwidget.training._array_source import ArrayData, ArraySource, as_arrays
from lrwidget.training._pass_source import PassSource


def source(name: str, data: Any, *, batch_size: int | None, seed: int) -> ArraySource | PassSource:
    """Return the source for what the person calls `name`; ValueError or TypeError if it is none."""
    if is_arrays(data):
        arrays, examples = as_arrays(name, data)
        if batch_size is None:
            raise ValueError(
                f"batch_size must be a whole number >= 1 where {name} is arrays, got None"
            )
        batch_size = _checks.integer("batch_size", batch_size, low=1)
        if batch_size > examples:
            raise ValueError(
                f"batch_size must be at most {examples}, the number of examples in {name}, "
                f"got {batch_size}"
            )
        return ArraySource(arrays, examples, batch_size, seed)
    passes = PassSource(name, data)
    if batch_size is not None:
        hint = " (a list is read as batches; give arrays as a tuple)" * isinstance(data, list)
        raise ValueError(
            f"batch_size must be None where {name} is an iterable, which brings batches of its "
            f"own, got {batch_size!r}{hint}"
        )
    return passes


def validation_data(name: str, data: Any, batch_size: int) -> ArrayData | PassSource:
    """Return validation data, arrays in batches of `batch_size`; ValueError or TypeError if not."""
    if is_arrays(data):
        return ArrayData(*as_arrays(name, data), batch_size)
    return PassSource(name, data)


def is_arrays(data: Any) -> bool:
    return isinstance(data, tuple | Mapping) or (
        hasattr(data, "__array__") and hasattr(data, "shape")
    )

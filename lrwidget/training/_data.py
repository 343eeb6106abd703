"""Where batches come from: arrays on the device or on the host, or passes over an iterable.

A source gives streams of batches. A chunk of a stream is what the compiled step needs for the
next steps: `Chunk.feed` goes into the compiled function, and `pick` takes a step's batch out of
it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrwidget.training._array_source import ArrayData, ArraySource, as_arrays, batch_size_for
from lrwidget.training._host_source import DeviceData, HostSource, host_arrays, stays_on_host
from lrwidget.training._pass_source import PassSource


def source(
    name: str, data: Any, *, batch_size: int | None, seed: int, device_data: DeviceData = "auto"
) -> ArraySource | HostSource | PassSource:
    """Return the source for what the person calls `name`; ValueError or TypeError if it is none."""
    if is_arrays(data):
        on_host = stays_on_host(data, device_data)
        arrays, examples = host_arrays(name, data) if on_host else as_arrays(name, data)
        if batch_size is None:
            raise ValueError(
                f"batch_size must be a whole number >= 1 where {name} is arrays, got None"
            )
        batch_size = batch_size_for(name, batch_size, examples)
        kind = HostSource if on_host else ArraySource
        return kind(arrays, examples, batch_size, seed)
    passes = PassSource(name, data)
    if batch_size is not None:
        hint = " (a list is read as batches; give arrays as a tuple)" * isinstance(data, list)
        raise ValueError(
            f"batch_size must be None where {name} is an iterable, which brings batches of its "
            f"own, got {batch_size!r}{hint}"
        )
    if device_data is True:
        raise ValueError(
            f"device_data must be 'auto' or False where {name} is an iterable, whose batches come "
            "from the host, got True"
        )
    return passes


def validation_data(
    name: str, data: Any, batch_size: int, device_data: DeviceData = "auto"
) -> ArrayData | PassSource:
    """Return validation data, arrays in batches of `batch_size`; ValueError or TypeError if not."""
    if is_arrays(data):
        if not stays_on_host(data, device_data):
            return ArrayData(*as_arrays(name, data), batch_size)
        on_host = ArrayData(*host_arrays(name, data), batch_size)
        data = lambda: (batch for batch, _ in on_host.batches())  # noqa: E731
    return PassSource(name, data)


def is_arrays(data: Any) -> bool:
    return isinstance(data, tuple | Mapping) or (
        hasattr(data, "__array__") and hasattr(data, "shape")
    )

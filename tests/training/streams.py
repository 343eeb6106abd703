"""What tests of training data share: batches of a stream in chunks, and the threads behind them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

TIMEOUT = 120.0


def taken(
    source: Any, lengths: Sequence[int], ahead: int = 0, *, start: int = 0, **how: Any
) -> list[Any]:
    """Return the batches of a fresh stream that is taken in chunks of these lengths."""
    stream = source.stream(start, **how)
    batches = drawn(source, stream, lengths, ahead, start=start)
    stream.close()
    return batches


def drawn(
    source: Any, stream: Any, lengths: Sequence[int], ahead: int = 0, *, start: int = 0
) -> list[Any]:
    """Return the batches of a stream, which stands at step `start`, in chunks of these lengths."""
    pick, step, batches = jax.jit(source.pick), start, []
    for length in lengths:
        chunk = stream.take(length, ahead)
        assert chunk.steps == length
        for place in range(length):
            batches.append(pick(chunk.feed, np.int32(step), np.int32(place)))
            step += 1
    return batches


def data_threads() -> set[threading.Thread]:
    """Return the threads that read or shuffle."""
    names = ("lrwidget-data", "lrwidget-shuffle")
    return {thread for thread in threading.enumerate() if thread.name.startswith(names)}


def assert_ended(threads: set[threading.Thread]) -> None:
    """Assert that these threads end without anything being asked of them."""
    gc.collect()
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), thread.name


class Counted:
    """An object that can be iterated again and again, and counts what was read of it.

    Batch `i` of a pass is filled with `i`.
    """

    def __init__(self, batches: int, *, sized: bool = False):
        self.batches = batches
        self.read = 0
        self.passes = 0
        self.changed = threading.Condition()
        if sized:
            self.__class__ = _Sized

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        for i in range(self.batches):
            with self.changed:
                self.read += 1
                self.changed.notify_all()
            yield np.full(2, i)

    def wait_for(self, read: int) -> None:
        """Wait until so many batches have been read."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.read >= read, TIMEOUT)


class _Sized(Counted):
    def __len__(self) -> int:
        return self.batches

"""Reading ahead: a thread that stacks the batches of the next chunk while the device computes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from lrwidget import _checks
from lrwidget.training._arrays import PyTree
from lrwidget.training._batches import CLOSED, Chunk
from lrwidget.training._stacks import Leaves, StackForm, put

# What the person's own code is at when a stream is closed cannot be interrupted, and is not
# waited for any longer; the thread ends when it comes back.
_PATIENCE = 1.0


class Batches(Protocol):
    """Where a stream reads; used by one thread only, from its making to its end."""

    def read(self) -> Leaves:
        """Return the leaves of the next batch; they need not stay as they are."""

    def state(self) -> dict[str, Any] | None:
        """Return where it stands as JSON data; None if the number of the step tells that."""


class StackStream:
    """A stream that is read on a thread of its own, a chunk ahead.

    The thread begins with the first `take`, and ends with `close`, with an error of the data, or
    when the stream is collected. It reads what is asked for, and then as much again as was taken
    last, if the run goes on for so long.

    Parameters
    ----------
    form
        The form of the batches.
    begin
        Called on the thread; returns what is read. It must not refer to the stream.
    saved
        What `state` said where the stream begins.
    """

    def __init__(
        self, form: StackForm, begin: Callable[[], Batches], saved: dict[str, Any] | None = None
    ):
        self._reader = _Reader(form, begin, saved)
        self._thread: threading.Thread | None = None
        self._patience = _PATIENCE
        weakref.finalize(self, self._reader.end)

    def take(self, steps: int, ahead: int = 0) -> Chunk:
        """Return the next `steps` batches; see `Stream.take`."""
        reader = self._reader
        steps = _checks.integer("steps", steps, low=1, high=reader.form.max_chunk)
        if self._thread is None:
            # The thread knows the reader and not the stream, which can be collected meanwhile.
            self._thread = threading.Thread(target=reader.run, name="lrwidget-data", daemon=True)
            self._thread.start()
        return Chunk(reader.take(steps, ahead), steps)

    def state(self) -> dict[str, Any] | None:
        """Return where the data stand at the next `take`; see `Stream.state`."""
        return self._reader.state()

    def close(self) -> None:
        """End the thread; a `take` that waits for it on another one raises a ValueError."""
        self._reader.end()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self._patience)


class _Reader:
    """What a stream and its thread share.

    The stack in the making holds `filled` batches and is to hold `target`. Once it does, it is put
    on the device as well, so that this need not wait until it is taken.
    """

    def __init__(self, form: StackForm, begin: Callable[[], Batches], saved: dict[str, Any] | None):
        self.form = form
        self._begin = begin
        self._changed = threading.Condition()
        self._stack: Leaves | None = None
        self._on_device: PyTree | None = None
        self._filled = 0
        self._target = 0
        self._asked = 0  # batches that a `take` waits for
        # The next batch to be handed out is the one `_skip` batches after the place `_mark`. The
        # place is noted once a stack: to ask an iterator for it may cost more than a batch.
        self._mark = saved
        self._skip = 0 if saved is None else int(saved.get("skip", 0))
        self._end: dict[str, Any] | None = None  # the place after the last batch of the stack
        self._error: BaseException | None = None
        self._ended = False

    # ---- who takes -----------------------------------------------------------------------------

    def take(self, steps: int, ahead: int) -> PyTree:
        with self._changed:
            self._asked, self._target = steps, max(self._target, steps)
            self._changed.notify_all()
            while self._filled < steps and self._error is None and not self._ended:
                self._changed.wait()
            if self._ended:
                raise ValueError(CLOSED)
            if self._filled < steps:
                assert self._error is not None  # noqa: S101
                raise self._error
            return self._handed_out(steps, ahead)

    def state(self) -> dict[str, Any] | None:
        with self._changed:
            return None if self._mark is None else {**self._mark, "skip": self._skip}

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._stack = self._on_device = None
            self._changed.notify_all()

    def _handed_out(self, steps: int, ahead: int) -> PyTree:
        assert self._stack is not None  # noqa: S101  (it holds `steps` batches)
        feed = self._on_device
        if feed is None:
            feed = self.form.on_device(self._stack)
        rest = self._filled - steps
        self._stack = self.form.copied(self._stack, steps, self._filled) if rest else None
        self._on_device = None
        if rest == 0 and self._end is not None:
            self._mark, self._skip = self._end, 0
        else:
            self._skip += steps
        self._filled, self._target = rest, max(rest, min(steps, ahead))
        self._changed.notify_all()
        return feed

    # ---- the thread ----------------------------------------------------------------------------

    def run(self) -> None:
        """Read until the end; on the stream's thread."""
        try:
            batches = self._begin()
            while self._wanted():
                self._add(batches.read(), batches)
        except BaseException as error:  # noqa: BLE001  (raised again where the batch is asked for)
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _wanted(self) -> bool:
        with self._changed:
            while self._filled >= self._target and not self._ended:
                self._changed.wait()
            return not self._ended

    def _add(self, batch: Leaves, batches: Batches) -> None:
        with self._changed:
            if self._ended:
                return
            if self._stack is None:
                self._stack = self.form.empty()
            self._on_device = None  # more is wanted than was foreseen, and nobody has it yet
            put(self._stack, self._filled, batch)
            self._filled += 1
            self._end = None
            if self._filled >= self._target:
                self._end = batches.state()
                self._on_device = self.form.on_device(self._stack)
            if self._filled == self._asked:
                self._changed.notify_all()

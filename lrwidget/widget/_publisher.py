"""The one place from which a widget's running work reaches the browser, at most ten times a second.

Everything that goes on by itself (a run, a range test) has outlets here: a small status, a
snapshot, numbered deltas. The training loop only says that something may have changed; a thread of
the publisher's own looks what, sends one thing, and sleeps until the next may go. Replies to
commands do not pass here: they are never late.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

SPACING = 0.1
"""Seconds from one message to the next."""

_logger = logging.getLogger(__name__)


class Outlet(Protocol):
    """Something that sends one kind of message."""

    def due(self, now: float) -> float:
        """Return the time at which a message should go: in the past if at once, inf if never."""

    def send(self, now: float) -> None:
        """Send the message."""


class Publisher:
    """Sends what the outlets have, one message a turn.

    Parameters
    ----------
    outlets
        In the order of their importance: of several that are due, the first goes.
    spacing
        Seconds between messages.
    clock
        Monotonic seconds; tests pass their own, and call `tick` themselves.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet],
        *,
        spacing: float = SPACING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outlets = tuple(outlets)
        self._spacing = spacing
        self._clock = clock
        self._free_at = -math.inf
        self._awake = threading.Event()
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._said = ""

    def wake(self) -> None:
        """Say that something may have changed: from any thread, returns at once."""
        if self._thread is None and not self._closed.is_set():
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._loop, name="lrwidget-publisher", daemon=True
                    )
                    self._thread.start()
        self._awake.set()

    def tick(self) -> float | None:
        """Send at most one message; return the seconds until the next look, None for no need."""
        now = self._clock()
        if now < self._free_at:
            return self._free_at - now
        soonest = math.inf
        for outlet in self._outlets:
            due = outlet.due(now)
            if due <= now:
                outlet.send(now)
                self._free_at = now + self._spacing
                return self._spacing
            soonest = min(soonest, due)
        return None if soonest == math.inf else soonest - now

    def close(self) -> None:
        """Stop the thread; from any thread, its own included."""
        self._closed.set()
        self._awake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            # A message on its way may wait for a lock that the caller holds.
            thread.join(timeout=1.0)

    def _loop(self) -> None:
        delay: float | None = None
        while True:
            self._awake.wait(delay)
            self._awake.clear()
            # Until the next message may go, waking would only take time from the training.
            self._closed.wait(max(0.0, self._free_at - self._clock()))
            if self._closed.is_set():
                return
            try:
                delay = self.tick()
            except Exception as error:  # noqa: BLE001
                # One message that cannot be sent must end neither the others nor the run.
                delay = None
                self._free_at = self._clock() + self._spacing
                self._log_once(error)

    def _log_once(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._said:
            self._said = said
            _logger.error("lrwidget could not update the view of a run", exc_info=error)

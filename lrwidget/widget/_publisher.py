"""The one place from which a widget's changes reach the browser, at most ten messages a second.

Everything that goes on by itself (a run, a range test) has outlets here: a small status, a
snapshot, numbered deltas. The training loop only says that something may have changed; a thread of
the publisher's own looks what, sends one thing, and sleeps until the next may go. Edits of the
design have an outlet too, and go at once where the rhythm allows it. Replies to other commands do
not pass here: they are never late.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

SPACING = 0.11
"""Seconds from one message to the next: a tenth, and what a message may be late on its way."""

# How much longer edits wait: their messages come in pairs, and one may be ahead, so that at a tenth
# of a second each some seconds would see twelve of them.
_EDITS_WAIT = 1.3

_logger = logging.getLogger(__name__)


class Outlet(Protocol):
    """Something that sends one kind of message."""

    def due(self, now: float) -> float:
        """Return the time at which a message should go: in the past if at once, inf if never."""

    def send(self, now: float) -> int | None:
        """Send what is due; return how many messages that were, None for one."""


class Publisher:
    """Sends what the outlets have, one outlet a turn.

    Parameters
    ----------
    outlets
        Of several that are due, the one that has waited longest goes: on a machine so busy that
        each turn comes late, all of them are always due. The first goes first where they are even.
    edits
        The outlet that goes before all of these, but takes only every other turn while one of them
        waits: whoever bends a curve without a pause still sees the training go on.
    spacing
        Seconds from one message to the next; a turn of several messages pays for all of them.
    clock
        Monotonic seconds; tests pass their own, and call `tick` themselves.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet] = (),
        *,
        edits: Outlet | None = None,
        spacing: float = SPACING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outlets = tuple(outlets)
        self._spacing = spacing
        self._clock = clock
        self._free_at = -math.inf
        self._edits = edits
        self._turns: dict[int, int] = {}
        self._last: Outlet | None = None
        self._failed: set[int] = set()
        self._sending = threading.Lock()
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
        """Give one outlet its turn; return the seconds until the next look, None for no need."""
        with self._sending:
            now = self._clock()
            if now < self._free_at:
                return self._free_at - now
            outlet, soonest = self._next(now)
            if outlet is None:
                return None if soonest == math.inf else soonest - now
            try:
                self._send(outlet, now)
            except Exception as error:  # noqa: BLE001
                # One message that cannot be sent must end neither the others nor the run.
                self._fail(outlet, error)
                self._free_at = self._clock() + self._spacing
            return self._free_at - now

    def _next(self, now: float) -> tuple[Outlet | None, float]:
        """Return the outlet whose turn it is, or None, and when the first one is due.

        What has failed is asked again when something may have changed.
        """
        edits = self._edits
        ready: list[Outlet] = []
        soonest = math.inf
        for outlet in (*([] if edits is None else [edits]), *self._outlets):
            if id(outlet) in self._failed:
                continue
            try:
                due = outlet.due(now)
            except Exception as error:  # noqa: BLE001
                self._fail(outlet, error)
                continue
            soonest = min(soonest, due)
            if due <= now:
                ready.append(outlet)
        if edits in ready and (self._last is not edits or len(ready) == 1):
            return edits, soonest
        others = [outlet for outlet in ready if outlet is not edits]
        turn = min(others, key=lambda outlet: self._turns.get(id(outlet), 0), default=None)
        return turn, soonest

    def _fail(self, outlet: Outlet, error: Exception) -> None:
        self._failed.add(id(outlet))
        self._log_once(error)

    def send_edits(self, *, ahead: int = 0) -> None:
        """Send what there is of edits on the caller's thread if it may go now, else later.

        Parameters
        ----------
        ahead
            By how many messages it may be ahead of the rhythm; what follows then waits longer.
        """
        outlet = self._edits
        if outlet is None:
            return
        # Whoever sends just now may need a lock of the caller's: never wait for that here.
        if self._sending.acquire(blocking=False):
            try:
                now = self._clock()
                # What was sent at this very moment is not early by a rounding error.
                early = self._free_at - now > ahead * self._spacing * _EDITS_WAIT * (1 + 1e-6)
                if not early and not self._closed.is_set() and outlet.due(now) <= now:
                    self._send(outlet, now)
            finally:
                self._sending.release()
        if outlet.due(self._clock()) < math.inf:
            self.wake()

    def _send(self, outlet: Outlet, now: float) -> None:
        self._last = outlet
        self._turns[id(outlet)] = 1 + max(self._turns.values(), default=0)
        count = outlet.send(now)
        wait = self._spacing * (_EDITS_WAIT if outlet is self._edits else 1)
        # From when it was sent: on a busy machine that may be long after it was due.
        self._free_at = max(self._free_at, self._clock()) + (1 if count is None else count) * wait

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
            if self._awake.wait(delay):
                self._failed.clear()
            self._awake.clear()
            # Until the next message may go, waking would only take time from the training.
            self._closed.wait(max(0.0, self._free_at - self._clock()))
            if self._closed.is_set():
                return
            delay = self.tick()

    def _log_once(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._said:
            self._said = said
            _logger.error("lrwidget could not update the view of a run", exc_info=error)

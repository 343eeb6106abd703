"""What the publisher sends: of edits their traits and replies, of work status, snapshot, deltas."""

from __future__ import annotations

import collections
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

STATUS_SECONDS = 0.3
# What a person waits for goes at once, but not in every turn: the numbers have theirs.
URGENT_SECONDS = 0.15
SNAPSHOT_SECONDS = 2.0
WHOLE_SECONDS = 0.5


class Feed(Protocol):
    """A run or a range test as the outlets see it."""

    @property
    def key(self) -> object:
        """What tells this feed from the one before it."""

    @property
    def seq(self) -> int:
        """The number of the last delta."""

    @property
    def settled(self) -> bool:
        """Whether no more rows come for now."""

    def fresh(self) -> bool:
        """Return whether there are rows that no delta has carried."""

    def delta(self) -> tuple[dict[str, Any], list[bytes]]:
        """Take the new rows and return them as a message and its buffers."""

    def snapshot(self) -> dict[str, Any]:
        """Return everything that deltas have carried."""


class EditOutlet:
    """Sends the traits that edits have changed, in one message, and behind it a reply.

    A reply never goes before the state that it confirms, so that whoever waits for it before the
    next edit keeps the rhythm of the publisher.

    Parameters
    ----------
    write
        Sends some traits as they are now.
    """

    def __init__(self, write: Callable[[set[str]], None]) -> None:
        self._write = write
        self._guard = threading.Lock()
        self._changed: set[str] = set()
        self._waiting: collections.deque[tuple[Future[Any], Any]] = collections.deque()

    def mark(self, trait: str) -> None:
        """Take note that a trait has a new value; from any thread."""
        with self._guard:
            self._changed.add(trait)

    def confirm(self, value: Any) -> Future[Any]:
        """Return what gets `value` once the page has been told all that is marked now."""
        waiting: Future[Any] = Future()
        with self._guard:
            self._waiting.append((waiting, value))
        return waiting

    def due(self, now: float) -> float:
        """Return `now` if there is anything to send, else inf."""
        return now if self._changed or self._waiting else math.inf

    def send(self, now: float) -> int:
        """Send the traits and the reply that has waited longest."""
        with self._guard:
            changed, self._changed = self._changed, set()
            reply = self._waiting.popleft() if self._waiting else None
        try:
            if changed:
                self._write(changed)
        finally:
            if reply is not None:
                reply[0].set_result(reply[1])
        return bool(changed) + (reply is not None)


class StatusOutlet:
    """Writes a small dictionary when it has changed: within a sixth or a third of a second.

    Parameters
    ----------
    read
        Returns the dictionary as it should be.
    write
        Writes it for the browser.
    urgent
        The keys whose changes a person waits for.
    """

    def __init__(
        self,
        read: Callable[[], dict[str, Any]],
        write: Callable[[dict[str, Any]], None],
        urgent: Sequence[str],
    ) -> None:
        self._read = read
        self._write = write
        self._urgent = tuple(urgent)
        self._written = read()
        self._next = self._written
        self._at = -math.inf

    def due(self, now: float) -> float:
        """Return when the change that there is should go; inf without one."""
        self._next = self._read()
        if self._next == self._written:
            return math.inf
        if any(self._next[key] != self._written[key] for key in self._urgent):
            return max(now, self._at + URGENT_SECONDS)
        return self._at + STATUS_SECONDS

    def send(self, now: float) -> None:
        """Write what `due` has read."""
        self._written = self._next
        self._at = now
        self._write(self._written)


class WholeOutlet:
    """Writes something as a whole when it has changed, twice a second at most.

    Parameters
    ----------
    seq
        Returns the number of its present state.
    read
        Returns it, with that number under ``"seq"``.
    write
        Writes it for the browser.
    """

    def __init__(
        self,
        seq: Callable[[], int],
        read: Callable[[], dict[str, Any]],
        write: Callable[[dict[str, Any]], None],
    ) -> None:
        self._seq, self._read, self._write = seq, read, write
        self._written = seq()
        self._at = -math.inf

    def due(self, now: float) -> float:
        """Return when it should go; inf if the browser has it."""
        return math.inf if self._seq() == self._written else max(now, self._at + WHOLE_SECONDS)

    def send(self, now: float) -> None:
        """Write it."""
        whole = self._read()
        self._written, self._at = whole["seq"], now
        self._write(whole)


class SnapshotOutlet:
    """Writes the whole of a feed: when it is new, every two seconds, and when it comes to rest."""

    def __init__(
        self, feed: Callable[[], Feed | None], write: Callable[[dict[str, Any]], None]
    ) -> None:
        self._feed = feed
        self._write = write
        self._key: object = None
        self._seq = -1
        self._at = -math.inf
        self._asked = False

    @property
    def key(self) -> object:
        """The feed of which the browser has a snapshot."""
        return self._key

    def ask(self) -> None:
        """Have a snapshot go at the next turn, changed or not; from any thread."""
        self._asked = True

    def due(self, now: float) -> float:
        """Return when the feed's snapshot should go; inf if the browser has it."""
        feed = self._feed()
        if feed is None:
            return math.inf
        if self._asked or feed.key != self._key:
            return now
        if feed.seq == self._seq:
            return math.inf
        # At rest the last rows go first, as a delta, so that one snapshot holds them all.
        return now if feed.settled and not feed.fresh() else self._at + SNAPSHOT_SECONDS

    def send(self, now: float) -> None:
        """Write the snapshot."""
        feed = self._feed()
        if feed is None:
            return
        self._asked = False
        self._key, self._seq, self._at = feed.key, feed.seq, now
        self._write(feed.snapshot())


class DeltaOutlet:
    """Sends rows as they come, to views that have the feed's snapshot to put them on."""

    def __init__(
        self,
        feed: Callable[[], Feed | None],
        snapshots: SnapshotOutlet,
        send: Callable[[dict[str, Any], list[bytes]], None],
    ) -> None:
        self._feed = feed
        self._snapshots = snapshots
        self._send = send

    def due(self, now: float) -> float:
        """Return `now` if there are rows to send, else inf."""
        feed = self._feed()
        if feed is None or feed.key != self._snapshots.key or not feed.fresh():
            return math.inf
        return now

    def send(self, now: float) -> None:
        """Send the new rows."""
        feed = self._feed()
        if feed is not None and feed.key == self._snapshots.key:
            self._send(*feed.delta())

"""What the publisher sends of a piece of work: its status, its snapshot, its deltas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

STATUS_SECONDS = 0.3
SNAPSHOT_SECONDS = 2.0


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


class StatusOutlet:
    """Writes a small dictionary when it has changed: at once or within a third of a second.

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
            return now
        return self._at + STATUS_SECONDS

    def send(self, now: float) -> None:
        """Write what `due` has read."""
        self._written = self._next
        self._at = now
        self._write(self._written)


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

"""What is kept of a run while it goes on: snapshots in memory, and everything on disk."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lrwidget.training._arrays import copied
from lrwidget.training._runner import Carry
from lrwidget.training._snapshots import Keep, Rhythm, Snapshot, SnapshotInfo, Snapshots

if TYPE_CHECKING:
    from lrwidget.training._disk import RunDirectory, Saver
    from lrwidget.training._journal import JournalEntry
    from lrwidget.training._place import Place

_log = logging.getLogger("lrwidget")

# Without another wish, seconds between snapshots on disk.
_DISK_SECONDS = 10.0


class Keeper:
    """Takes snapshots when they are due, and hands to the disk what belongs there.

    Everything is called from the thread that owns the run's arrays, but for `infos`.

    Parameters
    ----------
    keep
        What to keep.
    steps_per_epoch
        Steps in an epoch at the start of the run; None where that is not known.
    place
        Where the run is on disk; None for nowhere.
    """

    def __init__(self, keep: Keep, steps_per_epoch: int | None, place: Place | None = None):
        self.snapshots = Snapshots(keep.memory)
        self.place = place
        every = steps_per_epoch if keep.every == "epoch" else keep.every
        self._reason = "epoch" if keep.every == "epoch" else "interval"
        disk_every = every if keep.disk_every is None else keep.disk_every
        self._rhythm = Rhythm(every)
        self._disk_rhythm = Rhythm(disk_every, _DISK_SECONDS)
        self._best_rhythm = Rhythm(None)
        self.best: tuple[int, float] | None = None

    @property
    def saver(self) -> Saver | None:
        """What writes to the disk; None where nothing does."""
        return None if self.place is None else self.place.saver

    @property
    def _directory(self) -> RunDirectory | None:
        return None if self.place is None else self.place.directory

    @property
    def is_new_on_disk(self) -> bool:
        """Whether there is a place on disk without a snapshot in it yet."""
        return self._directory is not None and not self._directory.snapshots()

    def limit(self, step: int) -> int | None:
        """Return how many steps may be taken until a snapshot is due; None where time decides."""
        limits = [self._rhythm.limit(step)]
        if self.saver is not None:
            limits.append(self._disk_rhythm.limit(step))
        return min((limit for limit in limits if limit is not None), default=None)

    def due(self, step: int) -> str | None:
        """Return the reason for a snapshot before `step`; None if none is due."""
        due = self._rhythm.due(step)
        return self._reason if due or self._disk_is_due(step) else None

    def _disk_is_due(self, step: int) -> bool:
        return self.saver is not None and self._disk_rhythm.due(step)

    def take(
        self, state: Snapshot, reason: str, *, disk: bool = False, mark: str | None = None
    ) -> None:
        """Take a snapshot now: in memory, and on disk if one is wanted or due there."""
        disk = disk or self._disk_is_due(state.step)
        own = own_copy(state, reason)
        nbytes = own.nbytes
        self.snapshots.add(own)
        self._rhythm.taken(own.step, nbytes)
        if disk and self.saver is not None:
            self.saver.snapshot(own.step, own.carry, meta_of(own), mark)
            self._disk_rhythm.taken(own.step, nbytes)

    def candidate(self, state: Snapshot) -> Snapshot | None:
        """Return a copy of a state that is being validated, unless one was made just before."""
        if not self._best_rhythm.due(state.step):
            return None
        own = own_copy(state, "best")
        self._best_rhythm.taken(own.step, own.nbytes)
        return own

    def judged(self, step: int, loss: float | None, candidate: Snapshot | None) -> None:
        """Note the validation loss at a step, and keep the candidate if it is the best so far."""
        if loss is None or not math.isfinite(loss):
            return
        if self.best is not None and loss >= self.best[1]:
            return
        self.best = (step, loss)
        if candidate is not None:
            kept = dataclasses.replace(candidate, value=loss)
            self.snapshots.add(kept)
            if self.saver is not None:
                self.saver.snapshot(step, kept.carry, meta_of(kept), "best")

    def went_back(self, step: int, best: tuple[int, float] | None) -> None:
        """Note that the run goes on from `step` as if nothing had come after it."""
        self.snapshots.cut(step)
        self.best = best
        for rhythm in (self._rhythm, self._disk_rhythm, self._best_rhythm):
            rhythm.taken(step, 0)

    def nearest(self, step: int, like: Callable[[], Carry]) -> Snapshot | None:
        """Return the last snapshot at or before a step, from memory or from disk."""
        kept = self.snapshots.nearest(step)
        if self._directory is None:
            return kept
        if self.saver is not None:
            self.saver.flush()
        there = [s.step for s in self._directory.snapshots() if s.step <= step]
        if there and (kept is None or max(there) > kept.step):
            found = read_snapshot(self._directory, max(there), like())
            if found is not None and (kept is None or found.step > kept.step):
                return found
        return kept

    def entry(self, entry: JournalEntry) -> None:
        """Write a journal entry to the disk before anything comes of it."""
        if self.saver is not None:
            # Entry and cut are one line on disk, so that no kill comes between them.
            cut = entry.after if entry.command in ("rewind", "roll_back", "take") else None
            self.saver.entry(entry.to_node(), cut=cut)

    def rows(self, table: Literal["train", "valid"], columns: dict[str, Any]) -> None:
        """Hand rows of the history to the disk."""
        if self.saver is not None:
            self.saver.rows(table, columns)

    def infos(self) -> list[SnapshotInfo]:
        """Return what there is to go back to, by step; from any thread."""
        found = {
            s.step: SnapshotInfo(
                step=s.step, reason=s.reason, nbytes=s.nbytes, where="memory", value=s.value
            )
            for s in self.snapshots
        }
        for file in [] if self._directory is None else self._directory.snapshots():
            if file.step not in found:
                found[file.step] = SnapshotInfo(
                    step=file.step,
                    reason=str(file.meta.get("reason", "interval")),
                    nbytes=file.nbytes,
                    where="disk",
                    value=file.meta.get("value"),
                )
        return [found[step] for step in sorted(found)]


def own_copy(state: Snapshot, reason: str) -> Snapshot:
    """Return a state with arrays of its own."""
    return dataclasses.replace(state, carry=copied(state.carry), reason=reason)


def meta_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a snapshot on disk holds besides its arrays, as JSON data."""
    valid = float(snapshot.valid_value)
    return {
        "reason": snapshot.reason,
        "stream": snapshot.stream,
        "validated": snapshot.validated,
        "valid_value": valid if math.isfinite(valid) else None,
        "value": snapshot.value,
    }


def read_snapshot(directory: RunDirectory, step: int, like: Carry) -> Snapshot | None:
    """Return the last snapshot on disk at or before a step that is whole; None without one."""
    from lrwidget.training._disk import Damaged

    if not directory.snapshots():
        return None
    try:
        found, carry, meta, damaged = directory.load_latest(like, step)
    except Damaged as error:
        _log.warning("no snapshot is left to go back to: %s", error)
        return None
    for text in damaged:
        _log.warning("a snapshot is left out: %s", text)
    valid = meta.get("valid_value")
    return Snapshot(
        step=found,
        carry=carry,
        reason=str(meta.get("reason", "interval")),
        stream=meta.get("stream"),
        valid_value=math.nan if valid is None else np.float32(valid),
        validated=int(meta.get("validated", 0)),
        value=meta.get("value"),
    )

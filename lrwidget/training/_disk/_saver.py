"""`Saver`: what a running loop tells its run directory, none of which makes it wait."""

from __future__ import annotations

import atexit
import json
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree
from lrwidget.training._disk._directory import RunDirectory, Table
from lrwidget.training._disk._jobs import Cut, Mark, NewRows, Snapshot
from lrwidget.training._disk._json import json_text
from lrwidget.training._disk._writing import Writing

_EXIT_SECONDS = 20.0


class Saver:
    """Write a run to its directory from a thread of its own.

    What is given is written in the order in which it was given, so that the rows before a
    snapshot are on the disk before it is; only journal entries are written at once. Errors of the
    disk never reach the caller. Rows wait for half a second, so that many chunks make one record.

    Snapshots that wait for a slow disk are dropped when a later one comes, but for those that
    have a mark or the reason "start", "best", "edit", "hand" or "end"; these are dropped, oldest
    first, only where more than `waiting_bytes` wait: never the last one, the last of a mark, or
    "end". A snapshot that a disk refuses is given up; entries and rows are tried again.

    Parameters
    ----------
    directory
        Opened to write; `close` closes it.
    budget_bytes
        What the snapshots on disk may take together; see `surplus` for which ones go. The first,
        the last and those with a mark stay in any case. None for no limit.
    on_error
        Called with a sentence when something cannot be written, once for each kind of trouble,
        from whichever thread meets it. A bound method does not keep its object alive.
    waiting_bytes
        What the snapshots that wait may take together, about.
    """

    def __init__(
        self,
        directory: RunDirectory,
        budget_bytes: int | None,
        on_error: Callable[[str], None],
        *,
        waiting_bytes: int = 2**30,
    ):
        budget = float("inf") if budget_bytes is None else budget_bytes
        self._writing = Writing(directory, budget, _weakly(on_error), waiting_bytes)
        # The thread knows `Writing` alone: it ends when nobody holds the saver any more.
        self._abandon = weakref.finalize(self, self._writing.end)
        self._abandon.atexit = False
        _open.add(self)

    @property
    def directory(self) -> RunDirectory:
        """Where the run is kept."""
        return self._writing.directory

    @property
    def trouble(self) -> str | None:
        """What could not be written when it was last tried; None if all is well."""
        return self._writing.trouble

    def entry(self, entry: Mapping[str, Any], *, cut: int | None = None) -> None:
        """Append to the journal, at once.

        Parameters
        ----------
        entry
            JSON data; TypeError if it is not.
        cut
            The entry takes the run back to this step; see `RunDirectory.append_entry`. Tables and
            snapshots are cut, too, so that `cut` need not be called.
        """
        self._writing.entry(entry, cut)
        if cut is not None:
            self.cut(cut)

    def rows(self, table: Table, columns: Mapping[str, npt.ArrayLike]) -> None:
        """Append copies of rows; see `RunDirectory.append_rows`."""
        copies = {name: np.array(column) for name, column in columns.items()}
        self._writing.put(NewRows(table, copies, self._writing.entries))

    def cut(self, step: int) -> None:
        """Forget rows from `step` on, and validation passes and snapshots after it."""
        self._writing.put(Cut(int(step), self._writing.entries))

    def snapshot(
        self,
        step: int,
        tree: PyTree,
        meta: Mapping[str, Any],
        mark: str | tuple[str, ...] | None = None,
    ) -> None:
        """Save a snapshot.

        Parameters
        ----------
        step
            The step border that it was taken at.
        tree
            Arrays that nobody will change or give up; fetched from the device by the saver.
        meta
            JSON data, of which ``reason`` tells how dear the snapshot is; TypeError if it is not.
        mark
            Names that stand for this snapshot from now on, such as ``"best"``.
        """
        # What is wrong with it should be seen here, and what changes in it later should not.
        own = json.loads(json_text(dict(meta)))
        marks = (mark,) if isinstance(mark, str) else tuple(mark or ())
        entries = self._writing.entries
        self._writing.put(Snapshot(int(step), tree, own, marks, entries))

    def mark(self, name: str, step: int) -> None:
        """Let `name` stand for a snapshot that was given before; if it is gone nothing happens."""
        self._writing.put(Mark(name, int(step), self._writing.entries))

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was given is on the disk; return whether it is."""
        return self._writing.flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Flush, end the thread and close the directory; again does nothing."""
        good = self._writing.flush(timeout)
        self._writing.end()
        return self._writing.join(timeout) and good


def _weakly(on_error: Callable[[str], None]) -> Callable[[], Callable[[str], None] | None]:
    if hasattr(on_error, "__self__") and hasattr(on_error, "__func__"):
        return weakref.WeakMethod(on_error)
    return lambda: on_error


_open: weakref.WeakSet[Saver] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    # The threads are daemons, and would be cut off in mid-write.
    for saver in list(_open):
        saver.close(_EXIT_SECONDS)

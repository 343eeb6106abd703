"""`RunDirectory`: all that is kept of a run, in a folder."""

from __future__ import annotations

import bisect
import itertools
import os
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy.typing as npt

from lrwidget import _checks
from lrwidget.training._arrays import PyTree
from lrwidget.training._disk._atomic import remove_temporary
from lrwidget.training._disk._lines import Lines, read_lines
from lrwidget.training._disk._lock import Lock
from lrwidget.training._disk._orbax import orbax
from lrwidget.training._disk._run_file import check_new, is_run, read_run, write_run
from lrwidget.training._disk._snapshot_files import (
    FORMATS,
    LoadedSnapshot,
    SnapshotFile,
    SnapshotFiles,
)
from lrwidget.training._disk._table import Rows, TableFile, read_table

_FORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TABLES = {"train": "history.bin", "valid": "valid.bin"}

Table = Literal["train", "valid"]


class RunDirectory:
    """A run on disk: open it with `create` or `open`.

    The folder holds ``run.json`` (the config), ``journal.jsonl``, ``history.bin`` and
    ``valid.bin`` (the rows), ``snapshots/``, ``marks.json`` (which of them are the best, …) and
    ``forks/``, each fork a run directory again. One process writes; any number read, also
    meanwhile, and need no lock for that. Methods may be called from any thread.

    A journal entry may bring a *cut*: what was kept of later steps belongs from then on to a line
    that the run has left. Entry and cut are one line of one file, so that no kill comes between
    them; rows and snapshots know how long the journal was when they were taken, and what a cut
    left is hidden from the moment in which its entry is written.

    Attributes
    ----------
    path
        The folder.
    writes
        Whether it was opened to write.
    """

    def __init__(self, path: Path, lock: Lock | None):
        self.path = path
        self.writes = lock is not None
        self._lock = lock
        self._guard = threading.Lock()
        self._snapshots = SnapshotFiles(path, self._current)
        self._config, self._format = read_run(path)
        self._files: dict[str, TableFile] = {}
        self._lines: Lines | None = None
        self._cuts: list[tuple[int, int]] = []
        if self.writes:
            self._open_files()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        config: Mapping[str, Any],
        *,
        snapshot_format: str = "npz",
    ) -> Self:
        """Make the folder of a new run and return it, opened to write.

        Parameters
        ----------
        path
            A folder that is empty or not there yet.
        config
            JSON data that describes the run.
        snapshot_format
            ``"npz"``, or ``"orbax"``, which needs the extra ``checkpoint``.

        Raises
        ------
        ValueError
            If the folder holds a run or other files, is being written by somebody else, or cannot
            be made.
        """
        form = _checks.choice("snapshot_format", snapshot_format, FORMATS)
        if form == "orbax":
            orbax()
        folder = Path(path).expanduser()
        check_new(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = Lock(folder / "lock")
            try:
                check_new(folder)  # once more: another process may have been faster
                remove_temporary(folder)
                # Last, for it makes the folder a run.
                write_run(folder, dict(config), form)
                return cls(folder, lock)
            except BaseException:
                lock.release()
                raise
        except OSError as error:
            raise ValueError(
                f"directory must be a folder that can be written, got {str(folder)!r}: {error}"
            ) from error

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, write: bool = False) -> Self:
        """Open the folder of a run.

        Parameters
        ----------
        path
            The folder.
        write
            Whether to write, too: what a killed writer left half written is cleared away.

        Raises
        ------
        Damaged
            If ``run.json``, or with `write` the journal or a table, is not as it was written.
        ValueError
            If the folder holds no run or that of a newer lrwidget, or if somebody else writes.
        """
        folder = Path(path).expanduser()
        read_run(folder)
        if not write:
            return cls(folder, None)
        try:
            lock = Lock(folder / "lock")
        except OSError as error:
            raise ValueError(
                f"directory must be a folder that can be written, got {str(folder)!r}: {error}"
            ) from error
        try:
            return cls(folder, lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Close the files and let others write; again does nothing."""
        for file in self._appended():
            file.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    # ---- the config -----------------------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """What `create` or `set_config` was given."""
        return dict(self._config)

    def set_config(self, config: Mapping[str, Any]) -> None:
        """Replace the config."""
        self._must_write()
        write_run(self.path, dict(config), self._format)
        self._config = dict(config)

    # ---- the journal ----------------------------------------------------------------------------

    @property
    def entry_count(self) -> int:
        """How many entries the journal has."""
        return len(self._read_journal()) if self._lines is None else self._lines.count

    def append_entry(self, entry: Mapping[str, Any], *, cut: int | None = None) -> None:
        """Append an entry to the journal; it survives this process from now on.

        Parameters
        ----------
        entry
            JSON data.
        cut
            The entry takes the run back to this step: rows of this and later steps, validation
            passes after it and snapshots after it belong to a line that the run has left.
        """
        lines = self._journal()
        line = {"entry": dict(entry)} if cut is None else {"entry": dict(entry), "cut": int(cut)}
        with self._guard:
            lines.append(line)
            if cut is not None:
                self._cuts.append((lines.count - 1, int(cut)))

    def entries(self) -> list[dict[str, Any]]:
        """Return the journal; `Damaged` if a line other than the last is not as it was written."""
        return [line["entry"] for line in self._read_journal()]

    # ---- rows -----------------------------------------------------------------------------------

    def append_rows(
        self, table: Table, columns: Mapping[str, npt.ArrayLike], *, entries: int | None = None
    ) -> None:
        """Append rows.

        Parameters
        ----------
        table
            ``"train"`` or ``"valid"``.
        columns
            One-dimensional arrays of equal length; one is ``step``.
        entries
            How many entries the journal had when they were measured; default: has now.
        """
        self._table(table).append(columns, self._stamp(entries))

    def cut(self, table: Table, step: int, *, entries: int | None = None) -> None:
        """Forget the rows of a table from `step` on."""
        self._table(table).cut(step, self._stamp(entries))

    def rows(self, table: Table) -> Rows:
        """Return the columns of the rows that count, and the lines that cuts took away."""
        path = self.path / _TABLES[_checks.choice("table", table, _TABLES)]
        # A validation pass at a step was made before that step was taken.
        late = 1 if table == "valid" else 0
        count, cuts = self._book()
        return read_table(path, [(entry, step + late) for entry, step in cuts], count)

    # ---- snapshots ------------------------------------------------------------------------------

    def save_snapshot(
        self, step: int, tree: PyTree, meta: Any, *, entries: int | None = None
    ) -> int:
        """Save a snapshot, in place of one of the same step, and return the bytes it takes."""
        self._must_write()
        return self._snapshots.save(step, tree, meta, self._stamp(entries), self._format)

    def snapshots(self) -> list[SnapshotFile]:
        """Return the snapshots by step, without reading arrays; damaged ones are left out."""
        return self._snapshots.all()

    def load_snapshot(self, step: int, like: PyTree) -> tuple[PyTree, Any]:
        """Return (tree, meta) of a snapshot.

        Raises
        ------
        Damaged
            If it is not as it was written.
        ValueError
            If there is none of that step, or it does not fit `like`; it names the leaf.
        """
        return self._snapshots.load(step, like)

    def load_latest(self, like: PyTree, at_most: int | None = None) -> LoadedSnapshot:
        """Return the last snapshot that is whole, of a step <= `at_most`.

        Raises
        ------
        Damaged
            If there is none.
        ValueError
            If it does not fit `like`; it names the leaf.
        """
        return self._snapshots.load_latest(like, at_most)

    def remove_snapshot(self, step: int) -> None:
        """Remove a snapshot and the marks on it; without one nothing happens."""
        self._must_write()
        with self._guard:
            self._snapshots.remove(step)

    def mark(self, name: str, step: int, *, entries: int | None = None) -> None:
        """Let `name`, such as ``"best"``, stand for the snapshot of `step`."""
        self._must_write()
        stamp = self._stamp(entries)
        with self._guard:
            self._snapshots.mark(name, step, stamp)

    def marks(self) -> dict[str, int]:
        """Return the step that each mark stands for."""
        return self._snapshots.marks()

    # ---- forks ----------------------------------------------------------------------------------

    def fork(self, fork: str, config: Mapping[str, Any]) -> RunDirectory:
        """Make the folder of a fork and return it, opened to write.

        Parameters
        ----------
        fork
            Its id: letters, digits, "_" and "-".
        config
            JSON data that describes it.
        """
        self._must_write()
        path = self._fork_path(fork)
        return RunDirectory.create(path, config, snapshot_format=self._format)

    def forks(self) -> tuple[str, ...]:
        """Return the ids of the forks, in order."""
        folder = self.path / "forks"
        names = sorted(folder.iterdir()) if folder.is_dir() else []
        return tuple(path.name for path in names if _FORK.fullmatch(path.name) and is_run(path))

    def open_fork(self, fork: str, *, write: bool = False) -> RunDirectory:
        """Open the folder of a fork; as `open`."""
        return RunDirectory.open(self._fork_path(fork), write=write)

    # ---- what is behind all this ----------------------------------------------------------------

    def sync(self) -> None:
        """Return when journal and rows are on the disk, safe from a power failure."""
        for file in self._appended():
            file.sync()

    def _open_files(self) -> None:
        remove_temporary(self.path)
        remove_temporary(self.path / "forks")
        try:
            self._lines = Lines(self.path / "journal.jsonl")
            self._cuts = _cuts(self._read_journal())
            for table, name in _TABLES.items():
                self._files[table] = TableFile(self.path / name, self._lines.count)
            self._snapshots.tidy()
        except BaseException:
            for file in self._appended():
                file.close()
            raise

    def _appended(self) -> list[Lines | TableFile]:
        return [*filter(None, [self._lines]), *self._files.values()]

    def _must_write(self) -> None:
        if not self.writes:
            raise ValueError(f"{self.path} is open to read: open it with write=True")

    def _journal(self) -> Lines:
        self._must_write()
        assert self._lines is not None  # noqa: S101  (for the type checker)
        return self._lines

    def _table(self, table: Table) -> TableFile:
        self._must_write()
        return self._files[_checks.choice("table", table, _TABLES)]

    def _stamp(self, entries: int | None) -> int:
        return self.entry_count if entries is None else entries

    def _read_journal(self) -> list[Any]:
        return read_lines(self.path / "journal.jsonl")

    def _book(self) -> tuple[int, list[tuple[int, int]]]:
        """Return how many entries the journal has, and the cuts among them."""
        if self._lines is None:
            lines = self._read_journal()
            return len(lines), _cuts(lines)
        with self._guard:
            return self._lines.count, list(self._cuts)

    def _current(self) -> Callable[[int, int], bool]:
        count, cuts = self._book()
        at = [entry for entry, _ in cuts]
        # The lowest step that the run has gone back to, from each cut on.
        lowest = list(itertools.accumulate((step for _, step in reversed(cuts)), min))[::-1]

        def is_current(step: int, entries: int) -> bool:
            # After a power failure what an entry led to may be there, and not the entry.
            if entries > count:
                return False
            later = bisect.bisect_left(at, entries)
            return later == len(cuts) or lowest[later] >= step

        return is_current

    def _fork_path(self, fork: str) -> Path:
        if not isinstance(fork, str) or not _FORK.fullmatch(fork):
            raise ValueError(f"fork must be 1 to 64 letters, digits, '_' and '-', got {fork!r}")
        return self.path / "forks" / fork


def _cuts(lines: list[Any]) -> list[tuple[int, int]]:
    return [(index, line["cut"]) for index, line in enumerate(lines) if "cut" in line]

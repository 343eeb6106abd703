"""The folder of a run's snapshots, and the marks on them."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from lrwidget import _checks
from lrwidget.training._arrays import PyTree
from lrwidget.training._disk import _orbax, _trees
from lrwidget.training._disk._atomic import delete, read_json, remove_temporary, write_json
from lrwidget.training._disk._damage import Damaged

FORMATS: dict[str, ModuleType] = {"npz": _trees, "orbax": _orbax}
_MODULES = {module.SUFFIX: module for module in FORMATS.values()}
_NAME = re.compile(r"step_([0-9]{9,18})(\.npz|\.orbax)")


class SnapshotFile(NamedTuple):
    """A snapshot on disk."""

    step: int
    meta: Any
    nbytes: int
    path: Path
    entries: int  # that the journal had when the snapshot was taken


class LoadedSnapshot(NamedTuple):
    """A snapshot that was read."""

    step: int
    tree: PyTree
    meta: Any
    damaged: tuple[str, ...]  # what is wrong with later ones, which were passed over


class SnapshotFiles:
    """The folder ``snapshots`` of a run, and ``marks.json`` beside it.

    Parameters
    ----------
    folder
        The run's own.
    current
        Gives a function of a step and a number of entries in the journal: whether what was kept
        of that step at that time belongs to the run as it is now, and not to a line that it has
        left.
    """

    def __init__(self, folder: Path, current: Callable[[], Callable[[int, int], bool]]):
        self._folder = folder / "snapshots"
        self._marks = folder / "marks.json"
        self._current = current
        # What was read of each file, and of which one: a run's snapshots are listed many times.
        self._known: dict[Path, tuple[tuple[int, ...], Any, int]] = {}

    def save(self, step: int, tree: PyTree, meta: Any, entries: int, form: str) -> int:
        """Save a snapshot, in place of one of the same step, and return the bytes it takes."""
        step = _checks.integer("step", step, low=0)
        self._folder.mkdir(exist_ok=True)
        module = FORMATS[form]
        path = self._folder / f"step_{step:09d}{module.SUFFIX}"
        self._known.pop(path, None)
        module.save_tree(path, tree, {"entries": entries, "meta": meta})
        return int(module.size(path))

    def all(self) -> list[SnapshotFile]:
        """Return the snapshots of the run as it is now, by step, without the damaged ones."""
        return [found for found in self._look() if isinstance(found, SnapshotFile)]

    def load(self, step: int, like: PyTree) -> tuple[PyTree, Any]:
        """Return the tree and the meta data of a snapshot; ValueError if there is none."""
        is_current = self._current()
        for other, path in self._paths():
            if other == step:
                tree, about = _module(path).load_tree(path, like)
                if is_current(step, about["entries"]):
                    return tree, about["meta"]
        there = ", ".join(str(snapshot.step) for snapshot in self.all()) or "there are none"
        raise ValueError(f"step must be that of a snapshot ({there}), got {step}")

    def load_latest(self, like: PyTree, at_most: int | None) -> LoadedSnapshot:
        """Return the last snapshot that is whole; `Damaged` if there is none."""
        damaged = []
        for found in reversed(list(self._look())):
            if at_most is not None and found.step > at_most:
                continue
            if isinstance(found, _Unreadable):
                damaged.append(found.why)
                continue
            try:
                tree, about = _module(found.path).load_tree(found.path, like)
            except (Damaged, FileNotFoundError) as error:
                damaged.append(str(error))
                continue
            return LoadedSnapshot(found.step, tree, about["meta"], tuple(damaged))
        raise Damaged(
            f"{self._folder} must hold a whole snapshot"
            + ("" if at_most is None else f" of step <= {at_most}")
            + f", got {'; '.join(damaged) or 'none'}"
        )

    def remove(self, step: int) -> None:
        """Remove a snapshot and the marks on it; without one nothing happens."""
        marks = self._read_marks()
        left = {name: mark for name, mark in marks.items() if mark[0] != step}
        if left != marks:
            write_json(self._marks, left)
        for other, path in self._paths():
            if other == step:
                self._known.pop(path, None)
                delete(path)

    def mark(self, name: str, step: int, entries: int) -> None:
        """Let `name` stand for the snapshot of `step`; ValueError if there is none."""
        if step not in (other for other, _ in self._paths()):
            raise ValueError(f"step must be that of a snapshot, got {step} for the mark {name!r}")
        marks = self._read_marks()
        if marks.get(name) != [step, entries]:
            write_json(self._marks, {**marks, name: [step, entries]})

    def marks(self) -> dict[str, int]:
        """Return the step that each mark stands for."""
        there = {step for step, _ in self._paths()}
        is_current = self._current()
        return {
            name: step
            for name, (step, entries) in self._read_marks().items()
            if step in there and is_current(step, entries)
        }

    def tidy(self) -> None:
        """Remove what killed writers left, and snapshots of lines that the run has left."""
        remove_temporary(self._folder)
        is_current = self._current()
        for step, path in list(self._paths()):
            try:
                entries = self._about(path)[0]["entries"]
            except (ValueError, FileNotFoundError):
                continue  # to be seen by whoever asks for it
            if not is_current(step, entries):
                self.remove(step)
        with contextlib.suppress(Damaged):  # to be seen by whoever asks for them
            marks = self._read_marks()
            left = {name: mark for name, mark in marks.items() if is_current(*mark)}
            if left != marks:
                write_json(self._marks, left)

    def _paths(self) -> Iterator[tuple[int, Path]]:
        names = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        for path in names:
            if match := _NAME.fullmatch(path.name):
                yield int(match[1]), path

    def _look(self) -> Iterator[SnapshotFile | _Unreadable]:
        is_current = self._current()
        for step, path in sorted(self._paths()):
            try:
                about, nbytes = self._about(path)
            except Damaged as error:
                yield _Unreadable(step, str(error))
                continue
            except FileNotFoundError:  # its writer, another process, gave it up at this moment
                continue
            if is_current(step, about["entries"]):
                yield SnapshotFile(step, about["meta"], nbytes, path, about["entries"])

    def _about(self, path: Path) -> tuple[Any, int]:
        """Return what was saved with a snapshot, and its bytes."""
        stat = path.stat()
        version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        known = self._known.get(path)
        if known is None or known[0] != version:
            known = (version, _module(path).read_meta(path), _module(path).size(path))
            self._known[path] = known
        return copy.deepcopy(known[1]), known[2]

    def _read_marks(self) -> dict[str, Any]:
        try:
            return dict(read_json(self._marks))
        except FileNotFoundError:
            return {}


class _Unreadable(NamedTuple):
    step: int
    why: str


def _module(path: Path) -> ModuleType:
    return _MODULES[path.suffix]

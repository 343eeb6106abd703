"""Where a run is on disk: its directory, and what writes there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from lrwidget.training._disk import RunDirectory, Saver


class Place:
    """The directory of a run, which is locked while the run goes on, and free when it has ended.

    Parameters
    ----------
    directory
        Opened to write.
    budget
        Bytes that its snapshots may take.
    on_error
        Called, once, with what is wrong with the disk.

    Attributes
    ----------
    directory
        To read it; while the run goes on also to write.
    saver
        What writes there; None once the run has ended.
    """

    def __init__(self, directory: RunDirectory, budget: int, on_error: Callable[[str], None]):
        self.directory = directory
        self._budget, self._on_error = budget, on_error
        self.saver: Saver | None = Saver(directory, budget, on_error)

    @classmethod
    def new(
        cls,
        path: str | os.PathLike[str],
        config: Mapping[str, Any],
        budget: int,
        on_error: Callable[[str], None],
    ) -> Self:
        """Make the directory of a new run; ValueError if that cannot be."""
        return cls(RunDirectory.create(path, config), budget, on_error)

    def fork(self, id: str, config: Mapping[str, Any]) -> Place:  # noqa: A002
        """Make the directory of a fork; ValueError if another process writes to this one."""
        with self._writable() as directory:
            return Place(directory.fork(id, config), self._budget, self._on_error)

    def ended(self, outcome: str, step: int) -> None:
        """Write how the run ended and all that is left to write, and let others write here."""
        if self.saver is not None:
            self.saver.flush()
            self.told(ended={"state": outcome, "step": step})
            self.close()

    def goes_on(self) -> None:
        """Write here again; ValueError if somebody else does."""
        if self.saver is None:
            self.directory = RunDirectory.open(self.directory.path, write=True)
            self.saver = Saver(self.directory, self._budget, self._on_error)
        self.told(ended=None)

    def told(self, **config: Any) -> None:
        """Change what the directory says of the run."""
        # A full disk, or another process that writes, must not change how a run goes on.
        with contextlib.suppress(OSError, ValueError), self._writable() as directory:
            directory.set_config({**directory.config, **config})

    def close(self) -> None:
        """Write what is left, and let others write here."""
        if self.saver is not None:
            self.saver.close()  # the directory with it
            self.saver = None
            # Somebody may have removed the folder: a run ends all the same.
            with contextlib.suppress(OSError, ValueError):
                self.directory = RunDirectory.open(self.directory.path)

    @contextlib.contextmanager
    def _writable(self) -> Iterator[RunDirectory]:
        if self.saver is not None:
            yield self.directory
            return
        with RunDirectory.open(self.directory.path, write=True) as directory:
            yield directory

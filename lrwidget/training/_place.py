"""Where a run is on disk: its directory, and what writes there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any, Self

from lrwidget.training._disk import RunDirectory, Saver


class Place:
    """The directory of a run that goes on.

    Parameters
    ----------
    directory
        Opened to write.
    budget
        Bytes that its snapshots may take.
    on_error
        Called, once, with what is wrong with the disk.
    """

    def __init__(self, directory: RunDirectory, budget: int, on_error: Callable[[str], None]):
        self.directory = directory
        self.saver = Saver(directory, budget, on_error)
        self._budget, self._on_error = budget, on_error

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
        """Make the directory of a fork."""
        return Place(self.directory.fork(id, config), self._budget, self._on_error)

    def ended(self, outcome: str, step: int) -> None:
        """Write how the run ended, and return when everything is on disk."""
        self.saver.flush()
        self._tell(ended={"state": outcome, "step": step})

    def goes_on(self) -> None:
        """Write that the run has not ended after all."""
        self._tell(ended=None)

    def told(self, **config: Any) -> None:
        """Change what the directory says of the run."""
        self._tell(**config)

    def close(self) -> None:
        """Write what is left, and let others write here."""
        self.saver.close()
        self.directory.close()

    def _tell(self, **config: Any) -> None:
        # A full disk must not change how a run ends.
        with contextlib.suppress(OSError, ValueError):
            self.directory.set_config({**self.directory.config, **config})

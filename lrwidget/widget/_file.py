"""A designed schedule on disk: written at every committed edit, read when the cell runs again."""

from __future__ import annotations

import contextlib
import os
import pathlib

from lrwidget.schedules import Schedule


class DesignFile:
    """The file given as ``path=``; it holds what `Schedule.to_json` gives.

    A file that cannot be read is never lost: it stays as it is, and the first edit moves it aside.

    Parameters
    ----------
    path
        Where the file is or will be; its folder must exist.

    Raises
    ------
    TypeError, ValueError
        If `path` is not a path, is a folder, or lies in a folder that does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise TypeError(f"path must be the path of a JSON file, got {path!r}")
        self.name = str(path)
        self.path = pathlib.Path(path).absolute()
        if self.path.is_dir():
            raise ValueError(f"path must be a file, got the folder {self.name!r}")
        if not self.path.parent.is_dir():
            raise ValueError(f"path must lie in a folder that exists, got {self.name!r}")
        self.warning: str | None = None
        self._broken = False

    def load(self) -> Schedule | None:
        """Return the schedule on disk; None, with a `warning`, where there is none to be read."""
        try:
            return Schedule.from_json(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._broken = True
            self.warning = (
                f"{self.name} could not be read, so this design does not come from it: {error}. "
                f"The file is left as it is; the first edit moves it to {self._aside().name}."
            )
            return None

    def save(self, schedule: Schedule) -> bool:
        """Write the schedule, whole or not at all; False, with a `warning`, if it cannot be."""
        try:
            moved = self._move_aside() if self._broken else None
            self._replace(schedule.to_json() + "\n")
        except OSError as error:
            self.warning = f"{self.name} could not be written: {error}. The edit is not on disk."
            return False
        if moved is not None:
            self.warning = f"What {self.name} held before could not be read; it is now {moved}."
        elif self.warning is not None and "not on disk" in self.warning:
            self.warning = None
        return True

    def _replace(self, text: str) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            if self.path.exists():
                temporary.chmod(self.path.stat().st_mode & 0o777)
            temporary.replace(self.path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _move_aside(self) -> str:
        aside = self._aside()
        self.path.rename(aside)
        self._broken = False
        return aside.name

    def _aside(self) -> pathlib.Path:
        aside = self.path.with_name(f"{self.path.name}.broken")
        count = 1
        while aside.exists():
            count += 1
            aside = self.path.with_name(f"{self.path.name}.broken-{count}")
        return aside

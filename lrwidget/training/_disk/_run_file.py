"""``run.json``, which makes a folder the folder of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lrwidget.training._disk._atomic import read_json, write_json
from lrwidget.training._disk._damage import Damaged

_NAME = "run.json"
_KIND = "lrwidget/run"
_VERSION = 1


def is_run(folder: Path) -> bool:
    """Return whether a run was begun in `folder`."""
    return (folder / _NAME).is_file()


def write_run(folder: Path, config: dict[str, Any], snapshot_format: str) -> None:
    """Make `folder` the folder of a run, or replace the config of one."""
    document = {"kind": _KIND, "version": _VERSION, "snapshots": snapshot_format, "config": config}
    write_json(folder / _NAME, document)


def read_run(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the config of a run and the format of its snapshots.

    Raises
    ------
    Damaged
        If the file is not as it was written.
    ValueError
        If there is none, or that of a newer lrwidget.
    """
    path = folder / _NAME
    try:
        document = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"path must be the folder of a run, got {str(folder)!r}, which has no {_NAME}"
        ) from None
    known = isinstance(document, dict) and document.get("kind") == _KIND
    if not known or not isinstance(document.get("version"), int):
        raise Damaged(f"{path} is damaged: it does not describe a run")
    if document["version"] > _VERSION:
        raise ValueError(
            f"{str(folder)!r} was written by a newer lrwidget, in format {document['version']}; "
            f"this one reads up to {_VERSION}: upgrade lrwidget"
        )
    return document["config"], document["snapshots"]


def check_new(folder: Path) -> None:
    """Raise a ValueError unless a run can begin in `folder`."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"directory must be a folder, got the file {str(folder)!r}")
    if is_run(folder):
        raise ValueError(
            f"{str(folder)!r} holds a run already: open it with lrw.open_run({str(folder)!r})"
        )
    # A lock alone is left by whoever was killed before there was a run; hidden files are the
    # desktop's and the notebook's.
    names = sorted(path.name for path in folder.iterdir())
    others = [name for name in names if name != "lock" and not name.startswith(".")]
    if others:
        raise ValueError(
            f"directory must be an empty or a new folder, got {str(folder)!r}, which holds "
            f"{others[0]}" + (f" and {len(others) - 1} more" if others[1:] else "")
        )

"""Files that are there whole or not at all, whenever the process is killed.

What is new is written under a temporary name in the same folder and renamed over the old file
when all of it is on the disk. A kill leaves the old file and a temporary one, which
`remove_temporary` clears away.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._json import json_text

# The file as a whole is JSON too.
_HEAD, _FOOT = b'{"crc32": "%08x", "content":\n', b"\n}\n"
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


def temporary(path: Path) -> Path:
    """Return a new name beside `path` that `remove_temporary` knows."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def remove_temporary(folder: Path) -> None:
    """Remove what killed writers left in `folder`; only its one writer may call this."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name):
            delete(path)


def delete(path: Path) -> None:
    """Remove a file or a folder with all that is in it; neither need exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_file(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Make `path` hold what `write` writes to the file that it is given.

    An exception, of `write` or of the disk, leaves `path` as it was.
    """
    new = temporary(path)
    try:
        with new.open("xb") as file:
            write(file)
            file.flush()
            # Else the rename may reach the disk before the content, and a power failure in
            # between would leave an empty file under the good name.
            os.fsync(file.fileno())
        os.replace(new, path)  # noqa: PTH105  (tests kill the writer at each call of `os`)
    except BaseException:
        with contextlib.suppress(OSError):
            delete(new)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Let the names in `folder` reach the disk, where the system can be asked for that."""
    # Windows opens no folders, and some network file systems sync none: then the names are as
    # safe as that system makes them.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, content: Any) -> None:
    """Make `path` hold `content`, JSON data, with a check sum."""
    text = json_text(content, indent=2).encode("ascii")
    whole = _HEAD % zlib.crc32(text) + text + _FOOT
    write_file(path, lambda file: _write_all(file, whole))


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote; `Damaged` if the file holds anything else."""
    whole = path.read_bytes()
    text = whole[len(_HEAD % 0) : -len(_FOOT)]
    if whole != _HEAD % zlib.crc32(text) + text + _FOOT:
        raise Damaged(f"{path} is damaged: its content and its check sum disagree")
    return json.loads(text)


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.write(data)

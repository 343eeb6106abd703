"""One writer at a time."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os
import socket
import weakref
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

# Windows locks bytes, and nobody else may read those: far behind the note.
_LOCKED_BYTE = 2**30
_NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}


class Lock:
    """The right to write a run, held until `release` or the end of the process, however it ends.

    The file holds a note of who has it. Where the file system knows no locks the note alone
    counts, as long as its process lives.

    Parameters
    ----------
    path
        The file; made if there is none, and left when the lock is released.

    Raises
    ------
    ValueError
        If somebody else holds the lock; it says who.
    """

    def __init__(self, path: Path):
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        file = os.open(path, flags, 0o666)
        try:
            if not _taken(file):
                raise ValueError(  # noqa: TRY301  (the file is closed on the way out)
                    f"directory must be a run that nobody else writes; {path.parent} is being "
                    f"written by {_holder(_note(file))}"
                )
            _write_note(
                file,
                {
                    "process": os.getpid(),
                    "host": socket.gethostname(),
                    "since": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                },
            )
        except BaseException:
            os.close(file)
            raise
        self._file = file
        self._free = weakref.finalize(self, _free, file)
        self._free.atexit = False  # the end of the process frees it anyway
        _held.add(self)

    def release(self) -> None:
        """Let others write; again does nothing."""
        self._free()

    def leave(self) -> None:
        """Close the file and change nothing: in a forked process, which must not hold the lock."""
        if self._free.detach() is not None:
            os.close(self._file)


def _taken(file: int) -> bool:
    """Lock the file; return whether nobody else holds it."""
    try:
        if fcntl is not None:
            # Not `lockf`, which would let this process take the lock twice.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _lock_byte(file, "LK_NBLCK")
    except (BlockingIOError, PermissionError):
        return False
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        return not _lives(_note(file))
    return True


def _free(file: int) -> None:
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
    # Closing alone would keep it while a forked process has the file too.
    with contextlib.suppress(OSError):
        _let_go(file)
    os.close(file)


def _let_go(file: int) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)
    else:
        with contextlib.suppress(ImportError):
            _lock_byte(file, "LK_UNLCK")


def _lock_byte(file: int, mode: str) -> None:
    import importlib

    msvcrt = importlib.import_module("msvcrt")
    os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
    msvcrt.locking(file, getattr(msvcrt, mode), 1)


def _write_note(file: int, note: dict[str, Any]) -> None:
    os.lseek(file, 0, os.SEEK_SET)
    os.ftruncate(file, 0)
    os.write(file, json.dumps(note).encode())


def _note(file: int) -> dict[str, Any]:
    os.lseek(file, 0, os.SEEK_SET)
    try:
        note = json.loads(os.read(file, 4096))
    except (ValueError, OSError):
        return {}
    return note if isinstance(note, dict) else {}


def _holder(note: dict[str, Any]) -> str:
    if "process" not in note:
        return "another process"
    if note["process"] == os.getpid() and note.get("host") == socket.gethostname():
        return f"another Trainer of this process, since {note.get('since')}"
    return f"process {note['process']} on {note.get('host')}, since {note.get('since')}"


def _lives(note: dict[str, Any]) -> bool:
    process = note.get("process")
    if not isinstance(process, int) or process <= 0:
        return False
    if note.get("host") != socket.gethostname() or os.name == "nt":
        return True  # nobody can tell from here, or not by a signal that does no harm
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _leave_all() -> None:
    for lock in list(_held):
        lock.leave()


if hasattr(os, "register_at_fork"):
    # A data loader's worker that outlives a killed run must not keep the run locked.
    os.register_at_fork(after_in_child=_leave_all)

"""A file that grows at its end by whole records."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class AppendFile:
    """A file that is appended to, from any thread, by one process.

    A record is one system call, so that a kill leaves the whole of it or a torn end; and what a
    full disk took only in part is cut off again before the next record. Records survive the
    process at once, and a power failure from the next `sync` on.

    Parameters
    ----------
    path
        The file; made if there is none.
    end
        Bytes to keep; what lies behind them, the torn end of a killed writer, is cut off.
    """

    def __init__(self, path: Path, end: int):
        self._lock = threading.Lock()
        self._file = os.open(path, _FLAGS, 0o666)
        self._closing = weakref.finalize(self, os.close, self._file)
        self._closing.atexit = False  # whoever writes to the last closes it himself
        self._end = end
        self._torn = True
        self._synced = True
        try:
            self._mend()
        except OSError:
            self.close()
            raise

    def append(self, record: bytes) -> None:
        """Append `record`; an OSError leaves the file as if this had not been called."""
        with self._lock:
            if not self._closing.alive:
                raise ValueError("a closed file takes no records")
            self._mend()
            self._torn, self._synced = True, False
            try:
                rest = memoryview(record)
                while rest:  # one call, but for records of more than 2 GB and disks that fill up
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                with contextlib.suppress(OSError):
                    self._mend()
                raise
            self._end += len(record)
            self._torn = False

    def sync(self) -> None:
        """Return when what was appended is on the disk."""
        # Not under the lock: a slow disk must not hold up whoever appends.
        if not self._synced and self._closing.alive:
            self._synced = True
            try:
                os.fsync(self._file)
            except OSError:
                self._synced = False
                raise

    def close(self) -> None:
        """Close the file; again does nothing."""
        with self._lock:
            self._closing()

    def _mend(self) -> None:
        if self._torn:
            if os.fstat(self._file).st_size != self._end:
                os.ftruncate(self._file, self._end)
            self._torn = False

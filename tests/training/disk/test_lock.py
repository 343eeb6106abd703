"""One writer at a time, until it lets go or dies."""

from __future__ import annotations

import errno
import gc
import os
import re
import subprocess
import sys

import pytest

from lrwidget.training._disk import _lock
from lrwidget.training._disk._lock import Lock

# The lock's module alone, which needs none of what its package imports.
HOLDER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("lock", sys.argv[1])
lock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lock)
import pathlib
held = lock.Lock(pathlib.Path(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def test_a_second_writer_of_this_process_is_refused_and_told_who_writes(path):
    lock = Lock(path)
    with pytest.raises(
        ValueError,
        match=rf"^directory must be a run that nobody else writes; {re.escape(str(path.parent))} "
        r"is being written by another Trainer of this process, since 20",
    ):
        Lock(path)
    lock.release()
    Lock(path).release()


def test_releasing_twice_releases_nobody_elses(path):
    first = Lock(path)
    first.release()
    second = Lock(path)
    first.release()
    with pytest.raises(ValueError, match="is being written by"):
        Lock(path)
    second.release()


def test_who_forgets_a_lock_loses_it(path):
    lock = Lock(path)
    del lock
    gc.collect()
    Lock(path).release()


def test_another_process_holds_it_until_it_is_killed(path):
    arguments = [sys.executable, "-c", HOLDER, _lock.__file__, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match=rf"written by process {process.pid} on .+, since 20"):
            Lock(path)
        process.kill()
        process.wait()
        Lock(path).release()


def test_a_forked_process_does_not_hold_it(path):
    lock = Lock(path)
    child = [lock]
    # What `fork` does in the child; a real one would copy this process with all its threads.
    copy = os.dup(lock._file)
    _lock._leave_all()
    assert child[0]._free.alive is False
    with pytest.raises(ValueError, match="is being written by"):
        Lock(path)  # the parent's copy counts
    os.close(copy)
    Lock(path).release()


def test_a_damaged_note_says_somebody(path):
    lock = Lock(path)
    path.write_bytes(b"\xff{")
    with pytest.raises(ValueError, match=r"is being written by another process$"):
        Lock(path)
    lock.release()


# ---- where the file system knows no locks ------------------------------------------------------


@pytest.fixture
def without_locks(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_lock.fcntl, "flock", refuse)


def test_without_locks_the_note_counts(path, without_locks):
    lock = Lock(path)
    with pytest.raises(ValueError, match="another Trainer of this process"):
        Lock(path)
    lock.release()
    Lock(path).release()


def test_without_locks_a_note_of_the_dead_does_not_count(path, without_locks):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    path.write_text(f'{{"process": {process.pid}, "host": "{_lock.socket.gethostname()}"}}')
    Lock(path).release()


def test_without_locks_a_note_from_elsewhere_counts(path, without_locks):
    path.write_text('{"process": 1, "host": "elsewhere", "since": "then"}')
    with pytest.raises(ValueError, match=r"written by process 1 on elsewhere, since then$"):
        Lock(path)


def test_other_errors_are_not_taken_for_a_lock(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(_lock.fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output"):
        Lock(path)

"""Kills: whenever a writer dies, what it said was kept is there, and the run can go on."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lrwidget.training._disk import RunDirectory, _directory
from tests.training.disk import writer

ROOT = pathlib.Path(writer.__file__).parents[3]
KILLS = 12


# ---- a real process, killed at random moments --------------------------------------------------


@pytest.fixture(scope="module")
def writers():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, writer.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        bufsize=1,
    ) as process:
        yield process
        process.stdin.close()


def one_life(writers, path, seed, seconds):
    """Let a writer live for so long, and return what it said it had done."""
    writers.stdin.write(f"go {path} {seed}\n")
    said = []
    process = None
    for line in writers.stdout:
        word, *numbers = line.split()
        if word == "writing":
            process = int(numbers[0])
            time.sleep(seconds)  # the moment is what is tested; there is nothing to wait for
            os.kill(process, signal.SIGKILL)
        elif word == "dead":
            return said
        else:
            said.append((word, *numbers))
    raise AssertionError("the process that starts the writers ended")


def test_a_run_survives_kills_at_random_moments(tmp_path, writers):
    choose = random.Random(6)
    path = tmp_path / "run"
    seen = {"entry": 0, "kept": 0, "opened": 0}
    entries, kept = 0, []
    for seed in range(KILLS):
        said = one_life(writers, path, seed, choose.uniform(0, 0.25))
        assert [words for words in said if words[0] == "error"] == []
        for word, *numbers in said:
            seen[word] += 1
            if word == "entry":
                entries = max(entries, int(numbers[0]))
            else:
                kept.append(tuple(map(int, numbers)))
        if not (path / "run.json").exists():
            assert entries == 0
            continue
        seen["opened"] += 1
        check(path, entries, kept)
    assert min(seen.values()) > 2, seen
    RunDirectory.open(path, write=True).close()
    check(path, entries, kept)


def test_a_script_that_ends_without_closing_loses_nothing(tmp_path, writers):
    writers.stdin.write(f"leave {tmp_path / 'run'} 0\n")
    said = [writers.stdout.readline().split()[0] for _ in range(2)]
    assert said == ["writing", "dead"]
    directory = RunDirectory.open(tmp_path / "run")
    assert directory.rows("train").columns["step"].tolist() == list(range(1001))
    assert directory.marks() == {"last": 1000}


def check(path, entries, kept):
    """Assert that the folder holds one consistent run, with all that was said to be kept."""
    directory = RunDirectory.open(path)
    journal = directory.entries()
    assert [entry["n"] for entry in journal] == list(range(len(journal)))
    assert len(journal) >= entries
    rewinds = [entry["to"] for entry in journal if "to" in entry]

    def current(step, line, late):
        return all(to >= step + late for to in rewinds[line:])

    columns = directory.rows("train").columns
    steps = columns.get("step", np.empty(0, int))
    assert steps.tolist() == list(range(len(steps)))
    if len(steps):
        lines = columns["line"]
        np.testing.assert_array_equal(columns["loss"], np.sin(steps) + lines)
        assert all(current(step, line, 1) for step, line in zip(steps, lines, strict=True))
    snapshots = directory.snapshots()
    for snapshot in snapshots:
        tree, meta = directory.load_snapshot(snapshot.step, writer.like())
        step, line = tree["where"].tolist()
        assert (step, line) == (snapshot.step, meta["line"])
        np.testing.assert_array_equal(tree["w"], writer.state(step, line)["w"])
        assert current(step, line, 0)
        assert len(steps) >= step, "rows before a snapshot are written before it"
    assert set(directory.marks().values()) <= {snapshot.step for snapshot in snapshots}
    for line, step in kept:
        if current(step, line, 0):
            assert len(steps) >= step


# ---- a story told again and again, ending at each call of the system in turn -------------------


class Killed(BaseException):
    """The process is no more."""


class Death:
    """Let the writer die at its n-th call of `os`: nothing it does afterwards reaches the disk."""

    CALLS = ("write", "fsync", "replace", "rename", "ftruncate", "unlink", "rmdir", "mkdir")

    def __init__(self, patch, moment):
        self.left = moment
        for name in self.CALLS:
            patch.setattr(os, name, self._dying(name, getattr(os, name)))

    def _dying(self, name, call):
        def dying(*arguments, **more):
            self.left -= 1
            if self.left == 0 and name == "write":
                call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            if self.left <= 0:
                raise Killed
            return call(*arguments, **more)

        return dying


class NoLock:
    """A lock whose holder's death frees it, as a real one's does."""

    def __init__(self, path):
        pass

    def release(self):
        pass


TREES = {step: {"w": np.full(3, step)} for step in (0, 4, 8)}


def story(path, happened):
    def rows(start, stop):
        return {"step": np.arange(start, stop), "loss": np.arange(start, stop) * 0.5}

    def does(name, call, *arguments, **more):
        happened.append(f"begun {name}")
        result = call(*arguments, **more)
        happened.append(name)
        return result

    run = does("create", RunDirectory.create, path, {"name": "old"})
    does("entry 0", run.append_entry, {"n": 0})
    does("rows", run.append_rows, "train", rows(0, 6))
    for step in (0, 4, 8):
        does(f"snapshot {step}", run.save_snapshot, step, TREES[step], {"step": step})
    does("mark", run.mark, "best", 8)
    does("more rows", run.append_rows, "train", rows(6, 9))
    does("rewind", run.append_entry, {"n": 1}, cut=4)
    does("cut", run.cut, "train", 4)
    does("clear", run.remove_snapshot, 8)
    does("new rows", run.append_rows, "train", rows(4, 7))
    does("remove", run.remove_snapshot, 0)
    fork = does("fork", run.fork, "a", {})
    does("fork rows", fork.append_rows, "train", rows(4, 5))
    does("rename", run.set_config, {"name": "new"})
    fork.close()
    run.close()


def check_story(path, happened, run):
    done = set(happened)

    def maybe(name):
        return f"begun {name}" in done and name not in done

    entries = [entry["n"] for entry in run.entries()]
    least = ("entry 0" in done) + ("rewind" in done)
    assert entries == list(range(len(entries)))
    assert least <= len(entries) <= least + maybe("entry 0") + maybe("rewind")
    rewound = len(entries) == 2
    steps = run.rows("train").columns.get("step", np.empty(0, int)).tolist()
    assert steps == list(range(len(steps)))
    allowed = {
        0: {0} if "rows" not in done else set(),
        6: {6} if "begun rows" in done and "more rows" not in done and not rewound else set(),
        9: {9} if "begun more rows" in done and not rewound else set(),
        4: {4} if rewound and "new rows" not in done else set(),
        7: {7} if "begun new rows" in done else set(),
    }
    assert len(steps) in set().union(*allowed.values())
    there = {snapshot.step for snapshot in run.snapshots()}
    for step in there:
        np.testing.assert_array_equal(run.load_snapshot(step, TREES[0])[0]["w"], TREES[step]["w"])
    for step in (0, 4, 8):
        gone = (step == 8 and rewound) or (step == 0 and "begun remove" in done)
        assert step in there or gone or f"snapshot {step}" not in done
        assert step not in there or f"begun snapshot {step}" in done
    assert not (rewound and 8 in there)
    assert run.marks() in ({}, {"best": 8})
    assert bool(run.marks()) == (8 in there and "mark" in done) or maybe("mark")
    name = run.config["name"]
    assert name == "new" if "rename" in done else name == "old" or maybe("rename")
    assert run.forks() == ("a",) if "fork" in done else True
    assert run.forks() == () if "begun fork" not in done else True
    for fork in run.forks():
        run.open_fork(fork).rows("train")


def test_a_death_at_any_call_of_the_system_leaves_a_run_that_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(_directory, "Lock", NoLock)
    for moment in range(1, 1000):
        path, happened = tmp_path / str(moment), []
        with monkeypatch.context() as patch:
            Death(patch, moment)
            try:
                story(path, happened)
                break
            except Killed:
                pass
        if not (path / "run.json").exists():
            assert "create" not in happened
            RunDirectory.create(path, {"name": "old"}).close()
            continue
        check_story(path, happened, RunDirectory.open(path))
        with RunDirectory.open(path, write=True) as run:
            check_story(path, happened, run)
            hidden = [file.name for file in path.rglob("*") if file.name.endswith(".tmp")]
            assert hidden == [] or "fork" not in happened
            run.append_entry({"n": run.entry_count})
            run.append_rows("train", {"step": [20], "loss": [1.0]})
        again = RunDirectory.open(path)
        assert [entry["n"] for entry in again.entries()] == list(range(again.entry_count))
        assert again.rows("train").columns["step"].tolist()[-1] == 20
    assert moment > 40

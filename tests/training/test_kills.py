"""A run that is killed, again and again, comes to the same numbers as one that is not."""

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

import lrwidget as lrw
from tests.training import lives, stories

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def mother():
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.training.lives"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        text=True,
        bufsize=1,
    ) as process:
        yield process
        process.stdin.close()


def one_life(mother, kind, folder, result, how="whole", count=0, seconds=None):
    """Let the run go on, for so many seconds or until it dies; return its exit code."""
    mother.stdin.write(f"{kind} {folder} {result} {how} {count}\n")
    process = 0
    for line in mother.stdout:
        word, *rest = line.split()
        if word == "living":
            process = int(rest[0])
        elif word == "training" and seconds is not None:
            time.sleep(seconds)  # the moment is what is tested; there is nothing to wait for
            os.kill(process, signal.SIGKILL)
        elif word == "dead":
            return int(rest[0])
    raise AssertionError("the process that starts the runs has ended")


def check_survives(mother, kind, deaths, folder):
    """Kill a run in all of these ways, let it end, and compare; return where it died."""
    run, result = folder / "run", folder / "result.npz"
    at = []
    for how, count, seconds in deaths:
        code = one_life(mother, kind, run, result, how, count, seconds)
        assert code in (-signal.SIGKILL, 0), code
        if (run / "run.json").exists():
            saved = lrw.open_run(run)
            at.append(saved.position)
            assert (saved.state == "finished") == (code == 0)
        if code == 0:
            break
    else:
        assert one_life(mother, kind, run, result) == 0
    whole = lives.begun(kind, None)
    whole.run_sync()
    with np.load(result) as found:
        assert stories.differing(stories.result(whole), found) == [], at
    saved = lrw.open_run(run)
    assert saved.state == "finished"
    for name in whole.history.names:
        np.testing.assert_array_equal(saved.history[name], whole.history[name])
    for name in whole.history.valid.names:
        np.testing.assert_array_equal(saved.history.valid[name], whole.history.valid[name])
    told, expected = (
        [
            (e.command, e.step, e.address)
            for e in t.journal
            if "scheduled" in e.arguments and not e.undone
        ]
        for t in (saved, whole)
    )
    assert told == expected
    return at


def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(mother, tmp_path):
    deaths = [("write", 17, None), ("slow", 0, 0.3), ("save", 9, None)]
    at = check_survives(mother, "pytree", deaths, tmp_path)
    assert len(at) == 3


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_runs_survive_twenty_kills(mother, tmp_path, capsys):
    choose = random.Random(6)
    kills = 0
    for place, kind in enumerate(("nnx", "pytree", "linen", "nnx")):
        folder = tmp_path / str(place)
        folder.mkdir()
        deaths = []
        for _ in range(6):
            how = choose.choice(["write", "save", "slow"])
            seconds = choose.uniform(0.0, 0.4) if how == "slow" else None
            deaths.append((how, choose.randrange(1, 25), seconds))
        kills += len(check_survives(mother, kind, deaths, folder))
    with capsys.disabled():
        print(f"\nsoak, kills: {kills} kills, every resume went on to bit-equal parameters")
    assert kills >= 20

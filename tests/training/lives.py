"""A run on disk that dies and goes on; `test_kills` starts this as a process.

It imports everything once and forks for each life. A line ``KIND FOLDER RESULT HOW COUNT`` begins
one: ``HOW`` is ``whole`` for one that ends by itself, or ``write`` or ``save``: then it kills
itself in the middle of the `COUNT`-th write of a file that is appended to, or just before the
`COUNT`-th file that was written whole takes its place; or ``slow`` for one that somebody else is to
kill long before its end. It says ``training`` when it begins to.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import signal
import sys

import numpy as np

import lrwidget as lrw
from lrwidget.training import (
    Command,
    Cooldown,
    Extend,
    Keep,
    Nudge,
    RestartWarmup,
    Scale,
    Set,
    SetBatchSize,
)
from tests.training import models, stories

STEPS, PACE, SLOW = 400, 400.0, 40.0
KEEP = Keep(every=13, disk=60_000)
SCRIPT: tuple[Command, ...] = (
    Scale(factors={"learning_rate": 2.0}, at=20),
    Set(values={"b1": 0.8}, at=55),
    SetBatchSize(batch_size=16, at=90),
    Nudge(amounts={"learning_rate": -0.001}, at=140),
    RestartWarmup(steps=15, at=200),
    Extend(steps=40, at=300),
    Cooldown(steps=60, end_value=1e-4, at=370),
)


def task(kind: str) -> lrw.Task:
    return models.task(kind, valid=models.data(29, seed=1))


def begun(kind: str, folder: pathlib.Path | None, pace: float | None = None) -> lrw.Trainer:
    """Return a new run at rest with everything that will happen to it."""
    rate = lrw.schedules.preset("cosine", peak_value=0.01, steps=STEPS)
    more = {"directory": folder, "snapshots": KEEP, "valid_every": 23, "pace": pace}
    t = lrw.Trainer(task(kind), models.adam(rate), steps=STEPS, **more)
    schedule(t)
    return t


def schedule(t: lrw.Trainer) -> None:
    known = sum(entry.command == "schedule" for entry in t.journal)
    for command in SCRIPT[known:]:
        t.submit(command).result()


def live(kind: str, folder: pathlib.Path, result: pathlib.Path, pace: float) -> None:
    if (folder / "run.json").exists():
        run = lrw.open_run(folder)
        t = run.resume(task(kind), pace=pace, snapshots=KEEP)
        schedule(t)
        t.resume()
    else:
        t = begun(kind, folder, pace)
        t.start()
    print("training", flush=True)
    t.wait()
    np.savez(result, **stories.result(t))


def dies_in(how: str, count: int) -> None:
    """Let this process kill itself in the middle of a write."""
    writes, numbers = {"write": "write", "save": "replace"}[how], itertools.count(1)
    real = getattr(os, writes)

    def last(*arguments: object) -> object:
        if next(numbers) == count:
            if how == "write":
                file, record = arguments
                real(file, record[: len(record) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(os, writes, last)


def main() -> None:
    for line in sys.stdin:
        kind, folder, result, how, count = line.split()
        process = os.fork()
        if process == 0:
            if how in ("write", "save"):
                dies_in(how, int(count))
            pace = SLOW if how == "slow" else PACE
            live(kind, pathlib.Path(folder), pathlib.Path(result), pace)
            sys.stdout.flush()
            os._exit(0)
        print("living", process, flush=True)
        _, status = os.waitpid(process, 0)
        print("dead", os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()

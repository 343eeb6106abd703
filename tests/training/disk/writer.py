"""A process that writes runs until it is killed; `test_kills` starts it.

It imports everything once and forks for each writer, so that a kill costs milliseconds. A line
``go FOLDER SEED`` begins a writer, and ``leave FOLDER 0`` one that ends by itself; what these have
done is told in lines on the standard output, each written only after the saver said so.
"""

from __future__ import annotations

import os
import random
import sys

import numpy as np

from lrwidget.training._disk import RunDirectory, Saver

SIZE = 50_000  # of an array in a snapshot


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def like() -> dict[str, np.ndarray]:
    return {"where": np.zeros(2, np.int64), "w": np.zeros(SIZE)}


def state(step: int, line: int) -> dict[str, np.ndarray]:
    return {"where": np.array([step, line]), "w": np.full(SIZE, step + line / 1000)}


def rows(start: int, stop: int, line: int) -> dict[str, np.ndarray]:
    steps = np.arange(start, stop)
    return {"step": steps, "line": np.full(len(steps), line), "loss": np.sin(steps) + line}


def write(path: str, seed: int) -> None:
    choose = random.Random(seed)
    if os.path.exists(os.path.join(path, "run.json")):  # noqa: PTH110, PTH118
        directory = RunDirectory.open(path, write=True)
    else:
        directory = RunDirectory.create(path, {"name": "run"})
    saver = Saver(directory, 20 * 8 * SIZE, lambda text: tell("error", text))
    entries = directory.entry_count
    line = sum("to" in entry for entry in directory.entries())
    there = [0, *(snapshot.step for snapshot in directory.snapshots())]
    step = there[-1]

    def rewind(to: int) -> int:
        nonlocal entries, line
        saver.entry({"n": entries, "to": to}, cut=to)
        entries, line = entries + 1, line + 1
        tell("entry", entries)
        return to

    step = rewind(step)
    while True:
        what = choose.random()
        if what < 0.7:
            count = choose.randint(1, 40)
            saver.rows("train", rows(step, step + count, line))
            step += count
        elif what < 0.85:
            saver.entry({"n": entries})
            entries += 1
            tell("entry", entries)
        elif what < 0.95:
            mark = choose.choice([None, "best"])
            saver.snapshot(step, state(step, line), {"line": line, "reason": "edit"}, mark=mark)
            there.append(step)
        elif what < 0.98:
            assert saver.flush()
            tell("kept", line, step)
        else:
            step = rewind(choose.choice(there))
            there = [one for one in there if one <= step]


def leave(path: str) -> None:
    """Write without end and leave without a word, as a script does that ends."""
    saver = Saver(RunDirectory.create(path, {}), None, lambda text: tell("error", text))
    saver.rows("train", rows(0, 1000, 0))
    saver.snapshot(1000, state(1000, 0), {"line": 0}, mark="last")
    saver.rows("train", rows(1000, 1001, 0))
    kept_until_the_end.append(saver)


kept_until_the_end: list[Saver] = []


def main() -> None:
    for order in sys.stdin:
        what, path, seed = order.split()
        process = os.fork()
        if process == 0 and what == "leave":
            leave(path)
            return
        if process == 0:
            try:
                write(path, int(seed))
            except BaseException as error:  # noqa: BLE001
                tell("error", repr(error))
            finally:
                os._exit(1)
        tell("writing", process)
        os.waitpid(process, 0)
        tell("dead", process)


if __name__ == "__main__":
    main()

"""How soon a run answers: milliseconds from a click to its effect, and what an edit costs.

Run it with ``python benchmarks/answer.py`` (``--quick``: fewer clicks, a minute). It prints two
tables and writes them to ``benchmarks/results/``.

The first: while models of `loop.py` are trained as fast as it goes, with a widget, snapshots, guard
and journal on disk, commands come at random moments, one after the other, as messages from a page.
From the moment at which the widget's handler receives one, the time is taken until

- *handed out*: the first step that felt it has been given to the device; for a pause or a stop, the
  run is at rest;
- *answered*: the reply that names this step has been sent;
- *computed*: that step's loss is in the history.

The second: how long the training thread is kept by an edit, from when it takes it from its queue
until it is confirmed, journal entry and the news to whoever watches included: alone, and with all
of the above. While it does this the device works on: up to two chunks are handed out already. What
is scheduled costs twice, when it is given and when it takes effect.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import _bench
import _models
import _page
import jax

import lrwidget as lrw
from lrwidget.optimizers import Group

if TYPE_CHECKING:
    from collections.abc import Iterator

AIM = (100.0, 200.0)  # milliseconds, for median and 95th percentile
STEPS = 50_000_000  # more than any run here gets to
PATIENCE = 60.0
SEED = 0

RATE = 1e-3


def chain() -> lrw.Chain:
    """Return Adam, and a group of the biases that can be frozen."""
    schedule = lrw.schedules.preset("warmup_cosine", peak_value=RATE, steps=STEPS)
    group = Group("biases", multiplier=1.0, kinds=["bias"])
    return lrw.Chain.of(lrw.optimizers.adam(schedule), groups=[group])


class Watched:
    """A run whose steps are noted as they are handed out.

    Parameters
    ----------
    model
        What is trained.
    folder
        Where the run is kept; with it come widget and guard, without it nothing does.
    """

    def __init__(self, model: _models.Model, folder: Path | None = None) -> None:
        task = model.task()
        options = {} if folder is None else {"directory": folder, "guard": "roll_back"}
        self.trainer = lrw.Trainer(task, chain(), steps=STEPS, **options)
        self.widget = None if folder is None else lrw.LRWidget(task, chain())
        if self.widget is not None:
            self.widget.trainer = self.trainer
        self.taken: list[tuple[str, float]] = []
        self._handed: collections.deque[tuple[int, int, float]] = collections.deque(maxlen=10_000)
        self._read: collections.deque[tuple[int, float]] = collections.deque(maxlen=10_000)
        self._note_steps()
        self._note_edits()
        self.trainer.subscribe(lambda t: self._read.append((t.position, time.perf_counter())))

    def _note_steps(self) -> None:
        runner, run = self.trainer.runner, self.trainer.runner.run

        def noted(carry: Any, start: int, rows: Any, *rest: Any) -> Any:
            done = run(carry, start, rows, *rest)
            self._handed.append((start, start + len(rows), time.perf_counter()))
            return done

        runner.run = noted

    def _note_edits(self) -> None:
        loop = self.trainer._loop  # noqa: SLF001  (nobody else can see how long its thread takes)
        take, fire = loop._take, loop.edits.fire  # noqa: SLF001

        def taken(request: Any, future: Any) -> None:
            began = time.perf_counter()
            take(request, future)
            name = getattr(request, "name", "snapshot")
            if getattr(request, "at", None) is not None:
                name = "scheduling one"
            self.taken.append((name, time.perf_counter() - began))

        def fired(step: int) -> list[str]:
            if loop.edits.next_due != step:
                return fire(step)
            began = time.perf_counter()
            texts = fire(step)
            self.taken.append(("one that was due", time.perf_counter() - began))
            return texts

        loop._take, loop.edits.fire = taken, fired  # noqa: SLF001

    def start(self) -> None:
        """Begin, and return when the first chunks are done and the speed is known."""
        self.trainer.start()
        until(lambda: self.trainer.position > 0)
        time.sleep(1.0)

    def end(self) -> None:
        """Stop the run and close its widget."""
        self.trainer.stop()
        if self.widget is not None:
            self.widget.close()

    def click(self, kind: str, **fields: Any) -> Answer:
        """Send a command, wait for all that comes of it, and return how long that took."""
        comm = self.widget.comm
        began = time.perf_counter()
        id = comm.command(kind, **fields)  # noqa: A001
        until(lambda: id in comm.replied)
        answered, reply = comm.replied.pop(id)
        if not reply.get("ok"):
            sys.exit(f"{kind} was refused: {reply['error']}")
        if kind == "train.pause":
            return Answer(kind, answered - began, answered - began, None)
        step = reply["value"]["step"]
        handed = until(lambda: next((t for a, b, t in self._handed if a <= step < b), None))
        computed = until(lambda: next((t for p, t in self._read if p > step), None))
        self._handed.clear()
        self._read.clear()
        return Answer(kind, handed - began, answered - began, computed - began)


class Answer(NamedTuple):
    """Seconds from a click; `computed` is None where no step follows."""

    kind: str
    handed: float
    answered: float
    computed: float | None


def until(happened: Any) -> Any:
    """Wait until `happened` returns something true, and return that."""
    end = time.perf_counter() + PATIENCE
    never = threading.Event()
    while not (value := happened()):
        if time.perf_counter() > end:
            sys.exit("the run has not done what was waited for")
        never.wait(0.0005)  # what is noted has its time already
    return value


def clicks(rng: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what a hand does, again and again, so that the rate stays where it is."""
    plan = lrw.schedules.preset("cosine", peak_value=RATE, steps=STEPS).to_node()
    while True:
        factor = rng.uniform(1.05, 1.4)
        yield "train.scale", {"factor": factor}
        yield "train.scale", {"factor": 1 / factor}
        yield "train.set", {"value": RATE * factor}
        yield "train.nudge", {"amount": RATE / 10}
        yield "train.release", {}
        yield "train.plan", {"schedule": plan}
        yield "train.undo", {}
        yield "train.freeze", {"group": "biases"}
        yield "train.thaw", {"group": "biases"}
        yield "train.pause", {}
        yield "train.resume", {}


def answers(model: _models.Model, count: int, folder: Path) -> list[Answer]:
    """Return the times of `count` clicks."""
    rng = random.Random(SEED)
    watched = Watched(model, folder)
    watched.start()
    found = []
    for kind, fields in itertools.islice(clicks(rng), count):
        time.sleep(rng.uniform(0.0, 0.12))
        found.append(watched.click(kind, **fields))
    watched.end()
    return found


def give(trainer: lrw.Trainer, rng: random.Random) -> None:
    """Give a run each edit once."""
    factor = rng.uniform(1.05, 1.4)
    plan = lrw.schedules.preset("cosine", peak_value=RATE * factor, steps=STEPS)
    trainer.scale(learning_rate=factor)
    trainer.scale(learning_rate=1 / factor)
    trainer.set(learning_rate=RATE * factor)
    trainer.nudge(learning_rate=RATE / 10)
    trainer.release()
    trainer.set(learning_rate=plan)
    trainer.undo()
    trainer.restart_warmup(100)
    trainer.undo()
    trainer.extend(10)
    trainer.freeze("biases")
    trainer.thaw("biases")
    trainer.snapshot()
    later = trainer.position + 10 * max(1000, math.ceil(trainer.steps_per_second or 0))
    trainer.scale(learning_rate=factor, at=later)
    trainer.cancel(trainer.scheduled[0][0])
    in_time(trainer, factor)
    until(lambda: not trainer.scheduled)


def in_time(trainer: lrw.Trainer, factor: float) -> None:
    """Schedule an edit for soon: further ahead where the run has been there before."""
    for seconds in (0.4, 1.6, 6.4):
        ahead = max(10, math.ceil(seconds * (trainer.steps_per_second or 0.0)))
        try:
            trainer.scale(learning_rate=factor, at=trainer.position + ahead)
        except ValueError:
            continue
        return
    sys.exit("the run was faster than what is scheduled in it")


EDITS = (
    *("scale", "set", "nudge", "release", "undo", "restart_warmup", "extend", "freeze", "thaw"),
    *("scheduling one", "one that was due", "cancel", "snapshot"),
)


def costs(model: _models.Model, times: int, folder: Path | None) -> dict[str, list[float]]:
    """Return the seconds that each edit keeps the training thread."""
    rng = random.Random(SEED)
    watched = Watched(model, folder)
    watched.start()
    for _ in range(times):
        give(watched.trainer, rng)
        time.sleep(0.02)
    watched.end()
    found: dict[str, list[float]] = {name: [] for name in EDITS}
    for name, seconds in watched.taken:
        if name in found:
            found[name].append(seconds)
    return found


def many(model: _models.Model, count: int, folder: Path | None) -> list[float]:
    """Return the seconds of each of many edits that follow one another."""
    watched = Watched(model, folder)
    watched.start()
    for i in range(count):
        watched.trainer.scale(learning_rate=(1.1, 1 / 1.1)[i % 2])
    watched.end()
    return [seconds for name, seconds in watched.taken if name == "scale"]


def percentiles(seconds: list[float], digits: str = ".1f") -> list[str]:
    """Return the median and the 95th percentile, in milliseconds."""
    at = statistics.quantiles(seconds, n=20, method="inclusive")
    return [f"{1e3 * statistics.median(seconds):{digits}}", f"{1e3 * at[-1]:{digits}}"]


def click_rows(found: dict[str, list[Answer]]) -> list[list[str]]:
    """Return the rows of the first table: the clicks on each model, and each kind of them."""
    everything = [answer for each in found.values() for answer in each]
    kinds = dict.fromkeys(answer.kind for answer in everything)
    groups = {
        **found,
        **{kind: [each for each in everything if each.kind == kind] for kind in kinds},
    }
    rows = []
    for name, some in groups.items():
        computed = [answer.computed for answer in some if answer.computed is not None]
        rows.append(
            [
                *(name, f"{len(some)}"),
                *percentiles([answer.handed for answer in some]),
                *percentiles([answer.answered for answer in some]),
                *(percentiles(computed) if computed else ["", ""]),
            ]
        )
    return rows


def verdict(model: str, found: list[Answer]) -> str:
    """Say how a model's clicks compare with the aim."""
    later = [1e3 * max(answer.handed, answer.answered) for answer in found]
    middle, high = statistics.median(later), statistics.quantiles(later, n=20)[-1]
    word = "met" if middle <= AIM[0] and high <= AIM[1] else "MISSED"
    return f"handed out and answered, {model}: {middle:.0f} / {high:.0f} ms, {word}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer clicks, and three models")
    options = parser.parse_args()
    models = [_models.MODELS[i] for i in (0, 1, 4)] if options.quick else _models.MODELS
    count, times, row_of = (44, 6, 200) if options.quick else (330, 60, 1000)
    _page.use()
    _bench.PARTIAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_bench.PARTIAL) as scratch:
        folders = (Path(scratch) / f"{number}" for number in itertools.count())
        found = {model.name: answers(model, count, next(folders)) for model in models}
        small = models[0]
        sides = [costs(small, times, None), costs(small, times, next(folders))]
        lined = [many(small, row_of, None), many(small, row_of, next(folders))]
    whats = ("handed out", "answered", "computed")
    columns = [f"{what} {which}" for what in whats for which in ("median", "p95")]
    tables = [_bench.table(("clicks on, or of", "clicks", *columns), click_rows(found)), ""]
    rows = [
        [name, f"{len(sides[0][name])}", *(t for s in sides for t in percentiles(s[name], ".3f"))]
        for name in EDITS
    ]
    tenth = row_of // 10
    for what, part in (("first", slice(tenth)), ("last", slice(-tenth, None))):
        name = f"scale, {what} {tenth} of {row_of}"
        rows.append([name, "", *(t for s in lined for t in percentiles(s[part], ".3f"))])
    columns = [f"{how} {which}" for how in ("alone", "all on") for which in ("median", "p95")]
    tables.append(_bench.table(("edit", "times", *columns), rows))
    _bench.publish(
        "answer",
        "From a click to its effect, and an edit on the training thread: milliseconds",
        "\n".join(tables),
        [
            _bench.machine(),
            f"{jax.devices()[0].device_kind}, {_bench.versions('lrwidget', 'jax', 'flax')}",
            f"load average at the end: {_bench.load():.2f}",
            f"edits on {small.name}",
            f"aim: {AIM[0]:.0f} ms in the median, {AIM[1]:.0f} ms at the 95th percentile",
            *(verdict(name, each) for name, each in found.items()),
        ],
        quick=options.quick,
    )


if __name__ == "__main__":
    main()

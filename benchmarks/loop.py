"""What live control costs: `Trainer` against hand-written training loops.

Run it with ``python benchmarks/loop.py`` (``--quick``: fewer and shorter runs, six minutes on two
cores; ``--models CNN`` takes only those whose names have the word). It prints two tables and writes
them to ``benchmarks/results/``. Interrupted, it goes on where it stopped.

Each way of training the same model on the same data is timed in turn, round after round, so that
whatever else the machine does meets all of them:

- *async jit*: one jitted step called from Python, nothing read until the end;
- *scan*: the whole run as one jitted `jax.lax.scan`;
- *NNX loop*: `nnx.jit` and `nnx.Optimizer`, as Flax's own guides have it;
- *Trainer*: `lrwidget.Trainer.run_sync()`, keeping no snapshots;
- *+ widget*: an `LRWidget` watches, its messages serialised and dropped;
- *+ snapshots*: as many as a Trainer keeps by default;
- *+ guard*: ``guard="roll_back"``;
- *+ journal*: ``directory=``, a new one for each run, on this disk;
- *all on*: the last four at once.

The first two have weights and state cross the border of `jax.jit` as plain dictionaries, the
fastest form there is. All have the data on the device, reshuffle it every epoch by a folded key,
gather each batch by index, run Adam under a warm-up and cosine schedule and return every step's
loss as NumPy. The baseline is the faster of the first two by its median; loops that are slow on
a CPU have fewer steps. Compilation happens before, and is shown apart; so is what a run costs
besides its steps: the time of a run of one step, which is mostly what the disk takes to begin and
end. The last column leaves that out, as in a run that goes on for long.

The second table: what the columns of ``measure=`` cost, against a `Trainer` without them.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _bench
import _loops
import _models
import _page
import jax
import numpy as np

import lrwidget as lrw
from lrwidget.training import Keep

if TYPE_CHECKING:
    from collections.abc import Callable

HAND_WRITTEN = ("async jit", "scan")
WAYS = (
    *(*HAND_WRITTEN, "NNX loop", "Trainer"),
    *("+ widget", "+ snapshots", "+ guard", "+ journal", "all on"),
)
COLUMNS = ("gradient_norm", "update_ratio", "guard")
MEASURED = 3  # so many models, the smaller ones, have their columns measured
LIMIT, GOAL = 1.05, 1.02

NO_SNAPSHOTS = Keep(every=2**31 - 1)


@dataclasses.dataclass(frozen=True)
class Way:
    """One way of training: how long its runs are, and what does one of so many steps."""

    steps: int
    run: Callable[[int], np.ndarray]


def hand_written(make: Any, model: _models.Model, steps: int) -> Way:
    """Return one of the loops of `_loops`."""
    run = make(model, steps)
    return Way(steps, lambda _: run())


def trained(
    task: lrw.Task,
    steps: int,
    *,
    widget: lrw.LRWidget | None = None,
    folder: Path | None = None,
    **options: Any,
) -> Way:
    """Return runs of `Trainer`, shown by a widget and kept in a folder where these are given."""
    chain = _models.chain(steps)
    numbers = itertools.count()
    usual = steps

    def run(steps: int) -> np.ndarray:
        directory = None if folder is None else folder / f"{next(numbers)}"
        made = lrw.Trainer(task, chain, steps=steps, directory=directory, **options)
        sent = 0 if widget is None else widget.comm.messages
        if widget is not None:
            widget.trainer = made
        made.run_sync()
        if widget is not None and steps == usual and widget.comm.messages == sent:
            sys.exit("the widget was told nothing of the run")
        if made.disk_error is not None:
            sys.exit(f"the run could not be kept: {made.disk_error}")
        return made.history.loss

    return Way(steps, run)


def ways(model: _models.Model, length: int, scratch: Path) -> dict[str, Way]:
    """Return everything that is compared on one model."""
    steps = model.steps(length)
    task = model.task()
    folders = (scratch / f"{number}" for number in itertools.count())
    off = {"snapshots": NO_SNAPSHOTS, "guard": None}
    widget = lrw.LRWidget(task, _models.chain(steps))
    journal = next(folders)
    everything = next(folders)
    made = {
        "async jit": hand_written(_loops.async_jit, model, steps),
        "scan": hand_written(_loops.one_scan, model, model.steps(length, model.scan)),
        "NNX loop": hand_written(_loops.nnx_loop, model, model.steps(length, model.nnx)),
        "Trainer": trained(task, steps, **off),
        "+ widget": trained(task, steps, widget=widget, **off),
        "+ snapshots": trained(task, steps, guard=None),
        "+ guard": trained(task, steps, **off | {"guard": "roll_back"}),
        "+ journal": trained(task, steps, folder=journal, **off),
        "all on": trained(task, steps, widget=widget, folder=everything, guard="roll_back"),
    }
    for folder in (journal, everything):
        folder.mkdir()
    if model in _models.MODELS[:MEASURED]:
        for column in COLUMNS:
            made[column] = trained(task, steps, measure=(column,), **off)
    return made


def timed(way: Way, steps: int | None = None) -> float:
    """Return the seconds of a run, all of whose losses must have come."""
    steps = way.steps if steps is None else steps
    gc.collect()
    began = time.perf_counter()
    losses = way.run(steps)
    seconds = time.perf_counter() - began
    if losses.shape != (steps,) or not np.isfinite(losses).all():
        sys.exit(f"a run gave losses of shape {losses.shape} in place of {(steps,)}")
    return seconds


def besides_steps(way: Way) -> float:
    """Return the median of what runs of one step take."""
    return statistics.median(timed(way, 1) for _ in range(5))


def one_round(made: dict[str, Way], number: int) -> dict[str, float]:
    """Return one run's seconds a step in each way; each round begins with another of them."""
    names = [*made]
    turn = number % len(names)
    order = names[turn:] + names[:turn]
    return {name: timed(made[name]) / made[name].steps for name in order} | {"load": _bench.load()}


@dataclasses.dataclass
class Compared:
    """What was measured on one model: seconds of each way."""

    model: str
    first: dict[str, float]
    besides: dict[str, float]
    steps: int
    rounds: list[dict[str, float]]

    @property
    def baseline(self) -> str:
        return min(HAND_WRITTEN, key=lambda way: statistics.median(self.of(way)))

    def of(self, way: str) -> list[float]:
        return [each[way] for each in self.rounds]

    def ratios(self, way: str, to: str) -> list[float]:
        return [each[way] / each[to] for each in self.rounds]

    def steady(self, way: str) -> float:
        """Return the median ratio to the baseline without what a run costs besides its steps."""
        per_step = self.besides[way] / self.steps
        return statistics.median(
            (a - per_step) / b for a, b in zip(self.of(way), self.of(self.baseline), strict=True)
        )

    def rows(self) -> list[list[str]]:
        """Return the rows of the first table."""
        return [
            [
                self.model,
                way + (" (baseline)" if way == self.baseline else ""),
                f"{self.first[way]:.2f} s",
                f"{1e3 * self.besides[way]:.0f} ms" if way in self.besides else "",
                _bench.spread((1e6 * s for s in self.of(way)), ".1f"),
                "1" if way == self.baseline else self._ratio(way, self.baseline),
                f"{self.steady(way):.3f}" if way in self.besides else "",
            ]
            for way in WAYS
        ]

    def column_rows(self) -> list[list[str]]:
        """Return the rows of the second table."""
        return [
            [self.model, column, self._more(column), self._ratio(column, "Trainer")]
            for column in COLUMNS
            if column in self.rounds[0]
        ]

    def verdict(self) -> str:
        """Say how all on compares with what it should."""
        ratio = statistics.median(self.ratios("all on", self.baseline))
        word = "goal met" if ratio <= GOAL else "met" if ratio <= LIMIT else "MISSED"
        return f"all on, {self.model}: {ratio:.3f} ({self.steady('all on'):.3f}), {word}"

    def _ratio(self, way: str, to: str) -> str:
        return _bench.spread(self.ratios(way, to), ".3f")

    def _more(self, way: str) -> str:
        return _bench.spread((1e6 * (each[way] - each["Trainer"]) for each in self.rounds), ".1f")


def compare(
    kept: _bench.Measurements, model: _models.Model, rounds: int, length: int, scratch: Path
) -> Compared:
    """Measure every way on one model."""
    print(f"{model.name} …", file=sys.stderr, flush=True)
    scratch.mkdir()
    made = ways(model, length, scratch)
    # What the ways after it have compiled already, a trainer finds: shown as it comes. Run even
    # where the rounds are known from before an interruption: the others must be compiled.
    first = {name: timed(way) for name, way in made.items()}
    besides = {
        name: kept.get((model.name, name, "besides"), besides_steps, way)
        for name, way in made.items()
        if name not in (*HAND_WRITTEN, "NNX loop")
    }
    measured = [kept.get((model.name, "round", i), one_round, made, i) for i in range(rounds)]
    for name, way in made.items():
        usual = way.steps * statistics.median(each[name] for each in measured)
        first[name] = max(0.0, first[name] - usual)
    return Compared(model.name, first, besides, model.steps(length), measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--models", default="", help="a word that the models' names must have")
    options = parser.parse_args()
    rounds, length = (5, 1) if options.quick else (21, 4)
    models = [model for model in _models.MODELS if options.models.lower() in model.name.lower()]
    if not models:
        sys.exit(f"--models must be in a name of {', '.join(m.name for m in _models.MODELS)}")
    packages = _bench.versions("lrwidget", "jax", "jaxlib", "optax", "flax")
    device = jax.devices()[0]
    settings = {
        "about": packages,
        "machine": _bench.machine(),
        "quick": options.quick,
        "device": device.device_kind,
        "ways": WAYS,
        "epochs": [model.epochs for model in _models.MODELS],
    }
    kept = _bench.Measurements("loop", settings)
    _page.use()
    with tempfile.TemporaryDirectory(dir=_bench.PARTIAL) as scratch:
        found = [
            compare(kept, model, rounds, length, Path(scratch) / f"{i}")
            for i, model in enumerate(models)
        ]
    loads = [each["load"] for one in found for each in one.rounds]
    lengths = ", ".join(str(model.steps(length)) for model in models)
    columns = (
        "model",
        "way",
        "compilation",
        "besides",
        "µs a step",
        "time / baseline's",
        "steps alone",
    )
    tables = [_bench.table(columns, [row for one in found for row in one.rows()])]
    if rows := [row for one in found for row in one.column_rows()]:
        columns = ("model", "column", "µs more a step", "time / without")
        tables += ["", _bench.table(columns, rows)]
    _bench.publish(
        "loop" if len(models) == len(_models.MODELS) else "loop-part",
        "Trainer against hand-written loops: microseconds a step",
        "\n".join(tables),
        [
            _bench.machine(),
            f"{device.device_kind} ({jax.default_backend()}), {packages}",
            f"load average while measuring: {_bench.spread(loads)}",
            f"median [quartiles] of {rounds} rounds, {lengths} steps a run",
            "ratios and differences: median [quartiles] of the rounds' own",
            "compilation: the first run's time less the median",
            "besides: the time of a run of one step; steps alone: the ratio's median without it",
            f"wanted: all on at most {LIMIT} of the baseline, {GOAL} if it can be (steps alone)",
            *(one.verdict() for one in found),
        ],
        quick=options.quick,
    )
    kept.finish()


if __name__ == "__main__":
    main()

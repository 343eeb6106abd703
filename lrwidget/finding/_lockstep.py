"""Training up the ladders: all seeds of a range test in step, so that one sees them grow together.

On a CPU the seeds are taken one after the other in each chunk, through the step that a `Trainer`
compiles: there is nothing more to compile, and nothing to gain. Measured on two cores with eight
seeds of 100 steps of Adam, first call and warm, in seconds; the plain step was compiled:

========================  ==============  ================
MLP, batch                in turn         one vmapped step
========================  ==============  ================
64-32-32-10, 32           0.11, 0.11      4.3, 0.18
64-128-128-10, 64         0.39, 0.30      7.1, 0.26
64-512-512-10, 128        3.8, 2.9        16.5, 3.2
========================  ==============  ================

On an accelerator, which a small model does not fill, one vmapped step takes them all; not where
the model convolves, since that would be a grouped convolution, nor where the validation loss is
asked for. That side of the rule is by reason, not by measurement.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from lrwidget.finding._keys import with_keys_of
from lrwidget.finding._price import FORWARD, price_of_steps

if TYPE_CHECKING:
    from lrwidget.finding._ladder import Climb
    from lrwidget.finding._replicas import FloatArray
    from lrwidget.finding._start import Start
    from lrwidget.training._batches import Chunk, Stream
    from lrwidget.training._runner import Carry, Out

# Chunks of the sweep, in steps, rungs and seconds: short enough that the curve is seen to grow and
# that Stop is felt at once, long enough that handing them out costs nothing.
_FIRST_STEPS = 5
_MOST_RUNGS = 25
_CHUNK_SECONDS = 0.1


class Watched(NamedTuple):
    """What is read at each rung: a measure of the training batches, or of the validation data."""

    metric: str
    in_validation: bool


class Landed(NamedTuple):
    """A chunk that is over."""

    losses: FloatArray  # (seeds, rungs); NaN where the loss was not finite
    gradient_steps: float  # handed out so far, by all seeds together


class _Flight(NamedTuple):
    """A chunk that has been handed to the device."""

    reports: list[_Report]  # of each seed
    first: int  # rung
    last: int  # the rung after it
    launched: float  # seconds of time.perf_counter
    compiled: bool  # then its time says nothing


class _Report(NamedTuple):
    """What one seed's steps report, perhaps before it has been computed."""

    outs: list[Out | npt.NDArray[np.float32]]
    passes: list[tuple[jax.Array, int]]  # over the validation data, one for each rung


def side_by_side(start: Start, seeds: int, watched: Watched) -> bool:
    """Return whether one vmapped step takes all seeds."""
    return (
        seeds > 1
        and jax.default_backend() != "cpu"
        and not start.task.convolves
        and not watched.in_validation
    )


def climbing(
    start: Start, climb: Climb, rows: FloatArray, *, seeds: int, watched: Watched
) -> Generator[Landed, None, None]:
    """Train up the ladders; yield what is read of each chunk.

    One chunk flies while the one before it is read and shown, so that the device never waits.

    Parameters
    ----------
    start
        Where every seed begins: the first with the run's own data and randomness.
    climb, rows
        The ladders, and what each step is taken with.
    seeds
        How many.
    watched
        What is read.
    """
    with contextlib.ExitStack() as opened:
        team = _Team(start, climb, rows, seeds, watched, opened)
        pace = _Pace(start, climb.hold * seeds)
        flying: _Flight | None = None
        rung = 0
        while flying is not None or rung < climb.rungs:
            landing, flying = flying, None
            if rung < climb.rungs:
                last = min(rung + pace.rungs, climb.rungs)
                flying = team.launch(rung, last)
                rung = last
            if landing is not None:
                losses = team.read(landing)
                pace.landed(landing)
                yield Landed(losses, team.spent)
                pace.looked = time.perf_counter()


class _Pace:
    """How many rungs the next chunk has."""

    def __init__(self, start: Start, steps_to_a_rung: int) -> None:
        self._runner = start.runner
        self._steps = steps_to_a_rung
        first = max(_FIRST_STEPS, self._runner.usual_chunk) // steps_to_a_rung
        self.rungs = int(np.clip(first, 1, _MOST_RUNGS))
        self.looked = 0.0

    def landed(self, flight: _Flight) -> None:
        # It could not begin before the one ahead of it was done; what the watcher did meanwhile
        # is not its time.
        seconds = time.perf_counter() - max(flight.launched, self.looked)
        if flight.compiled:
            return
        rungs = (flight.last - flight.first) * _CHUNK_SECONDS / max(seconds, 1e-6)
        self.rungs = int(np.clip(rungs, 1, _MOST_RUNGS))
        usual = min(self.rungs * self._steps, self._runner.max_chunk)
        self._runner.usual_chunk = max(self._runner.usual_chunk, usual)


class _Team:
    """The seeds, where each of them is, and what they have cost."""

    def __init__(
        self,
        start: Start,
        climb: Climb,
        rows: FloatArray,
        seeds: int,
        watched: Watched,
        opened: contextlib.ExitStack,
    ) -> None:
        self.spent: float = 0
        self._start, self._climb, self._rows, self._seeds = start, climb, rows, seeds
        self._watched, self._opened = watched, opened
        self._runner = start.runner
        # Of each seed that has begun.
        self._streams: list[Stream] = []
        self._carries: list[Carry] = []
        self._roots: list[jax.Array] = []
        self._together: Carry | None = None
        if side_by_side(start, seeds, watched):
            for _ in range(seeds):
                self._begin()
            self._together = jax.tree.map(lambda *each: jnp.stack(each), *self._carries)
            self._carries = []

    def _begin(self) -> None:
        """Make what the next seed begins with."""
        start, seed = self._start, len(self._streams)
        self._streams.append(start.stream(seed))
        self._opened.callback(self._streams[-1].close)
        carry = start.carry()
        self._carries.append(with_keys_of(carry, start.seed(seed)) if seed else carry)
        self._roots.append(start.root(seed))

    def launch(self, first: int, last: int) -> _Flight:
        """Hand out the rungs from `first` to before `last`."""
        launched, traces = time.perf_counter(), self._runner.traces
        if self._together is not None:
            reports, compiled = self._launch_together(first, last), first == 0
        else:
            reports = [self._launch(seed, first, last) for seed in range(self._seeds)]
            compiled = self._runner.traces != traces
        return _Flight(reports, first, last, launched, compiled)

    def read(self, flight: _Flight) -> FloatArray:
        """Wait for the chunk and return what it was watched for, shape (seeds, rungs)."""
        return np.stack([self._read(report, flight) for report in flight.reports])

    def _launch(self, seed: int, first: int, last: int) -> _Report:
        report = _Report([], [])
        if seed == len(self._carries):
            self._begin()  # while the device is busy with the seed before it
        carry = self._carries[seed]
        for step, count, at_rung in self._pieces(first, last):
            carry, out = self._runner.run(
                carry,
                self._start.step + step,
                self._rows[step : step + count],
                self._take(seed, step, count),
                root=self._roots[seed],
            )
            self.spent += self._price(step, count)
            report.outs.append(out)
            if at_rung and self._watched.in_validation:
                report.passes.append(self._validate(carry))
        self._carries[seed] = carry
        return report

    def _launch_together(self, first: int, last: int) -> list[_Report]:
        seeds = self._seeds
        reports = [_Report([], []) for _ in range(seeds)]
        for step, count, _ in self._pieces(first, last):
            rows = np.broadcast_to(self._rows[step : step + count], (seeds, count, *self._shape))
            chunks = [self._take(seed, step, count) for seed in range(seeds)]
            assert self._together is not None  # noqa: S101
            self._together, values = self._runner.run_side_by_side(
                self._together, self._start.step + step, rows, chunks, self._roots
            )
            self.spent += self._price(step, count) * seeds
            for report, own in zip(reports, values, strict=True):
                report.outs.append(own)
        return reports

    def _price(self, step: int, count: int) -> float:
        chain = self._start.chain
        return price_of_steps(chain, step + count) - price_of_steps(chain, step)

    @property
    def _shape(self) -> tuple[int, ...]:
        return self._rows.shape[1:]

    def _take(self, seed: int, step: int, count: int) -> Chunk:
        return self._streams[seed].take(count, self._climb.steps - step - count)

    def _pieces(self, first: int, last: int) -> Iterator[tuple[int, int, bool]]:
        """Yield first step, number of steps, and whether a rung ends there."""
        ends = [self._climb.first_step(rung + 1) for rung in range(first, last)]
        if not self._watched.in_validation:
            ends = ends[-1:]
        step = self._climb.first_step(first)
        for end in ends:
            while step < end:
                count = min(end - step, self._runner.max_chunk)
                yield step, count, step + count == end
                step += count

    def _validate(self, carry: Carry) -> tuple[jax.Array, int]:
        started = self._start.task.evaluator.start(self._runner.eval_params(carry), carry.state)
        self.spent += -(-started[1] // self._runner.source.size) * FORWARD
        return started

    def _read(self, report: _Report, flight: _Flight) -> FloatArray:
        values = np.concatenate(
            [out if isinstance(out, np.ndarray) else out.read() for out in report.outs]
        ).astype(np.float64)
        rungs = range(flight.first, flight.last)
        origin = self._climb.first_step(flight.first)
        begins = [self._climb.first_step(rung) - origin for rung in rungs]
        finite = np.logical_and.reduceat(np.isfinite(values[:, 0]), begins)
        if self._watched.in_validation:
            evaluator = self._start.task.evaluator
            read = np.array([evaluator.read(each)[self._watched.metric] for each in report.passes])
        else:
            column = values[:, self._runner.columns.index(self._watched.metric)]
            counts = np.diff([*begins, len(values)])
            read = np.add.reduceat(column, begins) / counts
        losses: FloatArray = np.where(finite, read, np.nan)
        return losses

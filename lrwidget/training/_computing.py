"""What a run computes: chunks are handed out, and what they report is read.

Two chunks are in flight at most. While the device computes one the next is already handed out,
and the reports of a chunk are read when the one after it has begun, so that the device never
waits for the host and a command never waits for more than two chunks.
"""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree
from lrwidget.training._batch_sizes import BatchSizes, BatchSpan
from lrwidget.training._batches import Chunk, Origin
from lrwidget.training._commands import Stop
from lrwidget.training._edits import Edits
from lrwidget.training._guard import Guard, Kind, Verdict, Watch
from lrwidget.training._handover import Beginning, Line
from lrwidget.training._history import History
from lrwidget.training._keeper import Keeper
from lrwidget.training._runner import Carry, Out
from lrwidget.training._snapshots import Snapshot
from lrwidget.training._steered import Steered
from lrwidget.training._tempo import Tempo

if TYPE_CHECKING:
    from lrwidget.training._early import EarlyStopping
    from lrwidget.training._runner import Runner
    from lrwidget.training._task import Task


class _Steps(NamedTuple):
    """A chunk in flight."""

    start: int
    out: Out
    rows: npt.NDArray[np.float64]
    began: float | None  # None if it compiled


class _Validation(NamedTuple):
    """A validation pass in flight."""

    position: int
    started: Any
    candidate: Snapshot | None


class Computing(Steered):
    """The part of a `Loop` that owns the arrays: hands out chunks and reads what they report.

    The arrays belong to the run's own thread, because they are given up with every chunk.

    Parameters
    ----------
    task
        What is trained.
    runner_of
        Returns the compiled step for a batch size.
    edits
        The plans, the length and the journal of the run.
    keeper
        What is kept of it.
    pace
        Most steps a second; None for no limit.
    valid_every
        Steps between validation passes; None for none.
    start
        Parameters and state to begin with; None for the task's.
    beginning
        Where it goes on from; None to begin at step 0.
    elsewhere
        Whether the run began with other weights than the task's, known or not.
    owner
        Whether the weights belong in the person's model object, and not in copies of a fork's.
    guard
        What it does when it diverges; None ends it where the loss is not finite.
    early_stopping
        What stops it early; None for nothing.
    signals
        Whether the history has columns of what the guard sees.
    on_rows
        Called with the new rows of ``"train"`` or ``"valid"``.
    on_change
        Called after every chunk, command and change of state, by whichever thread made it.

    Attributes
    ----------
    lines
        What rewinds have cut off, the newest last.
    runner
        The compiled step for the batch size of now.
    owner
        As given.
    activity
        What it does besides taking steps, such as ``"rewinding to 600"``; None for nothing.
    """

    def __init__(
        self,
        task: Task,
        runner_of: Callable[[int], Runner],
        edits: Edits,
        keeper: Keeper,
        *,
        pace: float | None,
        valid_every: int | None,
        start: tuple[PyTree, PyTree] | None,
        beginning: Beginning | None = None,
        elsewhere: bool = False,
        owner: bool = True,
        guard: Guard | None = None,
        early_stopping: EarlyStopping | None = None,
        signals: bool = False,
        on_rows: Callable[[str, dict[str, Any]], None],
        on_change: Callable[[], None],
    ):
        self._task = task
        self.runner_of = runner_of
        self.runner = runner_of(self._sizes_of(edits).at(0).size)
        tempo = Tempo(self.runner.usual_chunk, self.runner.max_chunk, pace)
        super().__init__(edits, tempo, on_change)
        valid = task.evaluator.names if task.validates else ()
        derived = self.runner.effective_rates.names
        self._signals = ("guard_level", "guard_limit") if signals else ()
        self.history = History(
            self.runner.columns, self.runner.addresses, valid, (*derived, *self._signals)
        )
        self.lines: tuple[Line, ...] = ()
        self.activity: str | None = None
        self.keeper = keeper
        self._valid_every = valid_every
        self._start, self._elsewhere = start, elsewhere
        self._carry: Carry | None = None
        self._flight: collections.deque[_Steps | _Validation] = collections.deque()
        self._span: BatchSpan | None = None  # that of the stream; None without one
        self._validated = 0  # steps at the last validation pass
        # Of the pass just before the next steps; on the device, where the chain may ask for it.
        self._valid_value: Any = math.nan
        self._written = -1  # the steps behind the weights that the model object holds
        self._taking = self._interrupted = False
        self._stranded: Exception | None = None  # what a rewind came to grief of
        self._verdict: Verdict | None = None
        self._guard = guard
        self._watch = Watch(guard or Guard())
        self._rolled_back: list[int] = []
        self._early = early_stopping
        self._patience = None if early_stopping is None else early_stopping.fresh()
        self._stopped_early = False
        self._on_rows = on_rows
        self._beginning = beginning
        self.owner = owner
        self.origin = 0
        self.shared = 0  # steps that a fork has in common with the run that it is from
        self._catching_up = False
        if beginning is not None:
            self._begin_at(beginning)

    def _begin_at(self, beginning: Beginning) -> None:
        self.origin = self.handed = self.position = beginning.step
        if beginning.rows:
            self.history.append(beginning.rows)
            self.history.valid.append(beginning.valid)
            self._recall()
        self.keeper.best = beginning.best
        self.shared = beginning.step

    def _sizes_of(self, edits: Edits) -> BatchSizes:
        assert edits.sizes is not None  # noqa: S101  (a task's run knows its batch sizes)
        return edits.sizes

    def _present(self) -> Carry:
        if self._carry is None:
            raise ValueError(f"the weights were lost when step {self.handed} failed")
        return self._carry

    # ---- handing out -----------------------------------------------------------------------------

    def _use_batches(self, saved: Any = None) -> None:
        span = self._sizes_of(self._edits).at(self.handed)
        if self._span == span:
            return
        self._close_stream()
        self.runner = self.runner_of(span.size)
        source = self.runner.source
        self._stream = source.stream(self.handed, Origin(span.step, span.epoch), saved)
        self._span = span

    def _close_stream(self) -> None:
        if self._span is not None:
            self._stream.close()
            self._span = None

    def _hand_out(self, steps: int) -> None:
        start = self.handed
        if (chunk := self._batches(steps)) is None:
            return
        steps = chunk.steps
        rows = self._edits.plans.rows(start, steps)
        began, traces = time.monotonic(), self.runner.traces
        carry, valid_value = self._present(), self._valid_value
        self._carry, out = self.runner.run(carry, start, rows, chunk, valid_value)
        self._valid_value = math.nan
        compiled = self.runner.traces != traces
        self._flight.append(_Steps(start, out, rows, None if compiled else began))
        self.handed += steps
        self.tempo.handed_out(began, steps)
        if self.state == "compiling" and not self._paused:
            self._set_state("running")
            self._on_change()

    def _batches(self, steps: int) -> Chunk | None:
        """Return the batches of the next steps, or of as many as there are before an error.

        None if the run was stopped while the data were waited for.
        """
        with self.changed:
            if any(isinstance(request, Stop) for request, _ in self._queue):
                return None
            self._taking = True
        try:
            while True:
                try:
                    return self._stream.take(steps, self._edits.steps - self.handed - steps)
                except Exception:
                    if self._interrupted:
                        self._close_stream()
                        return None
                    if steps == 1:
                        raise
                    # The good batches before the error can still be taken: the run then ends at
                    # the very step, however long its chunks are.
                    steps //= 2
        finally:
            self._taking = False

    def _length(self) -> int:
        """Return how many steps the next chunk may have."""
        start = self.handed
        limits = [self.tempo.limit, self.runner.max_chunk, self._edits.steps - start]
        borders = [self._until, self._edits.next_due, self._next_size()]
        limits += [border - start for border in borders if border is not None]
        if (due := self.keeper.limit(start)) is not None:
            limits.append(due)
        if self._valid_every is not None:
            limits.append(self._valid_every - start % self._valid_every)
        return max(1, min(limits))

    def _next_size(self) -> int | None:
        return self._sizes_of(self._edits).next_change(self.handed)

    def _validate(self, *, at_end: bool = False) -> None:
        if self._valid_every is None or self.handed == self._validated:
            return
        regular = self.handed % self._valid_every == 0
        if not (at_end or regular):
            return
        self._validated = self.handed
        heard = regular and "valid_value" in self.runner.needs
        steps = self.history.valid.step
        if not heard and len(steps) and steps[-1] >= self.handed:
            return  # a replay comes by here once more
        carry = self._present()
        evaluator = self._task.evaluator
        started = evaluator.start(self.runner.eval_params(carry), carry.state)
        if heard:
            self._valid_value = evaluator.loss(started)
        candidate = self.keeper.candidate(self._state())
        self._flight.append(_Validation(self.handed, started, candidate))

    def _state(self) -> Snapshot:
        """Return the state before the next step; its arrays are the run's own."""
        return Snapshot(
            step=self.handed,
            carry=self._present(),
            reason="interval",
            stream=None if self._span is None else self._stream.state(),
            valid_value=self._valid_value,
            validated=self._validated,
        )

    # ---- reading ---------------------------------------------------------------------------------

    def _drain(self) -> None:
        while self._flight:
            self._collect()

    def _keep_up(self) -> None:
        """Read reports until there is one chunk in flight at most."""
        while sum(isinstance(item, _Steps) for item in self._flight) > 1:
            self._collect()

    def _collect(self) -> None:
        item = self._flight.popleft()
        if isinstance(item, _Validation):
            self._collect_validation(item)
        else:
            self._collect_steps(item)
        self._on_change()

    def _collect_validation(self, item: _Validation) -> None:
        steps = self.history.valid.step
        if len(steps) and steps[-1] >= item.position:
            return
        measures = self._task.evaluator.read(item.started)
        row: dict[str, Any] = {"step": [item.position]}
        row |= {name: [value] for name, value in measures.items()}
        self.history.valid.append(row)
        self.keeper.rows("valid", row)
        self.keeper.judged(item.position, measures.get("loss"), item.candidate)
        self._on_rows("valid", row)
        self._hear_pass(item.position, measures)

    def _collect_steps(self, item: _Steps) -> None:
        values = item.out.read()
        known = min(max(len(self.history) - item.start, 0), len(values))
        start, values, rows = item.start + known, values[known:], item.rows[known:]
        if len(values):
            verdict = None
            if not self._catching_up:
                verdict = self._judge(start, values[:, 0])
            elif self._signals:
                self._watch.recall(start, values[:, 0])
            if verdict is not None and verdict.kind != "diverged" and not self._pauses:
                # What comes after a loss that is not finite says nothing.
                values, rows = values[: verdict.step + 1 - start], rows[: verdict.step + 1 - start]
                self._flight.clear()
            self._append(start, values, rows)
            if self._verdict is None:
                self._verdict = verdict
        self.tempo.read(item.began, len(item.rows), max(self.position, item.start))
        self.runner.usual_chunk = self.tempo.chunk

    def _judge(self, start: int, losses: npt.NDArray[np.float32]) -> Verdict | None:
        if self._guard is not None:
            return self._watch.look(start, losses)
        if self._signals:
            self._watch.recall(start, losses)
        bad = np.flatnonzero(~np.isfinite(losses))
        if not bad.size:
            return None
        step, loss = start + int(bad[0]), float(losses[bad[0]])
        kind: Kind = "nan" if math.isnan(loss) else "inf"
        return Verdict(step, kind, f"the loss was {loss} at step {step}", start)

    @property
    def _pauses(self) -> bool:
        return self._guard is not None and self._guard.action == "pause"

    def _append(
        self, start: int, values: npt.NDArray[np.float32], rows: npt.NDArray[np.float64]
    ) -> None:
        reports = dict(zip(self.runner.columns, values.T, strict=True))
        applied = dict(zip(self.runner.addresses, rows.T, strict=True))
        rates = self.runner.effective_rates.columns(rows, reports)
        steps = np.arange(start, start + len(values))
        new = {"step": steps, **reports, **applied, **rates}
        if self._signals:
            new |= self._watch.signals(start, len(values))
        self.history.append(new)
        self.position = start + len(values)
        self.keeper.rows("train", new)
        self._on_rows("train", new)
        if self._early is not None and not self._early.in_validation:
            self._hear_rows(start)

    # ---- early stopping --------------------------------------------------------------------------

    def _recall(self) -> None:
        """Have the early stopping hear what was before this run began."""
        if self._early is None:
            return
        self._catching_up = True
        if not self._early.in_validation:
            self._hear_rows(0)
        valid = self.history.valid.columns()
        for row, step in enumerate(valid["step"]):
            self._hear_pass(int(step), {n: float(c[row]) for n, c in valid.items()})
        self._catching_up = False

    def _hear_rows(self, start: int) -> None:
        assert self._early is not None and self._patience is not None  # noqa: PT018, S101
        column = self.history[self._early.column][start:]
        if self._patience.look_at_rows(start, column) is not None:
            self._stop_early()

    def _hear_pass(self, step: int, measures: Mapping[str, float]) -> None:
        if self._early is None or self._patience is None or not self._early.in_validation:
            return
        if self._patience.look(step, measures[self._early.column]):
            self._stop_early()

    def _stop_early(self) -> None:
        if not self._stopping and not self._catching_up:
            reason = str(self._patience)
            self._edits.note("early_stop", self.handed, source="guard", reason=reason)
            self._stopping = self._stopped_early = True

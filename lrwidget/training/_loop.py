"""The run itself: a thread that hands out chunks, reads what they report and takes commands.

Two chunks are in flight at most. While the device computes one the next is already handed out,
and the reports of a chunk are read when the one after it has begun, so that the device never
waits for the host and a command never waits for more than two chunks.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree
from lrwidget.training._batch_sizes import BatchSizes, BatchSpan
from lrwidget.training._batches import Chunk, Origin
from lrwidget.training._commands import Cancel, Command, Extend, Rewind, Scale, Stop
from lrwidget.training._edits import Edits
from lrwidget.training._guard import Guard, Kind, Verdict, Watch
from lrwidget.training._history import History
from lrwidget.training._keeper import Keeper, own_copy
from lrwidget.training._runner import Carry, Out
from lrwidget.training._snapshots import Snapshot
from lrwidget.training._steered import ENDED, Future, State, Steered
from lrwidget.training._tempo import Tempo

if TYPE_CHECKING:
    from lrwidget.training._early import EarlyStopping
    from lrwidget.training._runner import Runner
    from lrwidget.training._task import Task

Answer = TypeVar("Answer")
_log = logging.getLogger("lrwidget")

# An edit that makes a hyperparameter this many times larger has a snapshot taken before it.
_RISKY = 1.5


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


class _Question(NamedTuple):
    """What another thread wants to know of the run's arrays."""

    ask: Callable[[Carry], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where a run begins that goes on from another one, or from disk.

    Attributes
    ----------
    step
        Steps that have been done, as the plans and the history tell.
    snapshot
        The state from which the run finds its way there; None for the task's start.
    rows, valid
        Of the history, as far as it is known: at most up to `step`.
    best
        The step and the loss of the best validation.
    passes
        The steps of validation passes out of turn: where the run ended, before it was extended.
    """

    step: int
    snapshot: Snapshot | None
    rows: Mapping[str, npt.NDArray[Any]]
    valid: Mapping[str, npt.NDArray[Any]]
    best: tuple[int, float] | None = None
    passes: tuple[int, ...] = ()


class Surrendered(NamedTuple):
    """A run that another one takes over."""

    state: Snapshot
    edits: Edits
    rows: Mapping[str, npt.NDArray[Any]]
    valid: Mapping[str, npt.NDArray[Any]]


class Line(NamedTuple):
    """What a rewind has cut off: the rows from step `start` on, by column."""

    name: str
    start: int
    columns: Mapping[str, npt.NDArray[Any]]

    def __repr__(self) -> str:
        return f"Line({self.name!r}, {len(self.columns['step'])} steps from {self.start})"


class Loop(Steered):
    """One run of a task; `Trainer` is its public face.

    Everything public may be called and read from any thread. The arrays belong to the run's own
    thread, because they are given up with every chunk.

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

    _advice = (
        "rewind to before that and lower the rate, or start again with a longer warmup or clipped "
        "gradients"
    )
    _afterwards = "make a new Trainer (start=this one goes on from its weights), or rewind it"
    thread: threading.Thread

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
        self._start = start
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
        self._on_rows = on_rows
        self._beginning = beginning
        self.owner = owner
        self.origin = 0
        self.shared = 0  # steps that a fork has in common with the run that it is from
        self._catching_up = False
        if beginning is not None:
            self._begin_at(beginning)
        self.thread = self._new_thread()

    def _new_thread(self, before: threading.Thread | None = None) -> threading.Thread:
        return threading.Thread(
            target=self._main, args=(before,), name="lrwidget-trainer", daemon=True
        )

    def _begin_at(self, beginning: Beginning) -> None:
        self.origin = self.handed = self.position = beginning.step
        if beginning.rows:
            self.history.append(beginning.rows)
            self.history.valid.append(beginning.valid)
            self._recall()
        self.keeper.best = beginning.best
        self.shared = beginning.step

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

    def _sizes_of(self, edits: Edits) -> BatchSizes:
        assert edits.sizes is not None  # noqa: S101  (a task's run knows its batch sizes)
        return edits.sizes

    # ---- any thread -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the run's thread; ValueError if it has been started."""
        with self.changed:
            if self.state != "idle":
                raise ValueError(
                    f"a run starts once, and this one is {self.state}: make a new Trainer"
                )
            self._begin()
        self._on_change()

    def start_at_rest(self) -> None:
        """Start the run's thread, and pause before the first step."""
        self._paused = True
        self.start()

    def submit(self, command: Command) -> Future[int]:
        """Hand over a command; a rewind, and an extension of what is finished, reopen a run."""
        reopens = isinstance(command, Rewind) or (
            isinstance(command, Extend) and self.state == "finished"
        )
        with self.changed:
            if reopens and self.state in ENDED:
                try:
                    self._check_reopened(command)
                    self._reopen()
                except ValueError as error:
                    refused: Future[int] = Future()
                    refused.set_exception(error)
                    return refused
            future = super().submit(command)
        if isinstance(command, Stop):
            # It is in the queue now: whoever asks for batches after this sees it there.
            self._interrupt()
        return future

    def _interrupt(self) -> None:
        """End a wait for data that block: who stops a run does not wait for them."""
        with self.changed:
            taking = self._interrupted = self._taking
        if taking:
            self._stream.close()

    def ask(self, question: Callable[[Carry], Answer]) -> Answer:
        """Return ``question(carry)``, computed where no chunk can take the arrays away meanwhile.

        The question must copy what it keeps. ValueError if a failed step lost the arrays.
        """
        future: Future[Answer] = Future()
        request = _Question(question)
        with self.changed:
            if self._goes_on() and not self.on_own_thread:
                self._enqueue(request, future)
            else:
                self._reply(request, future)
        return future.result()

    def _begin(self) -> None:
        self._set_state("compiling")
        self._edits.start_clock()
        self.thread.start()

    def _check_reopened(self, command: Command) -> None:
        # What is refused leaves the run ended.
        if isinstance(command, Rewind):
            self._check_reached(command.step)
        else:
            self._edits.copy(apart=True).apply(command, self.handed)

    def _reopen(self) -> None:
        """Let an ended run take commands again, at rest; the condition is held."""
        if self.keeper.place is not None:
            self.keeper.place.goes_on()  # raises where another process writes
        self.ended = Future()
        self._stopping, self._paused, self._until = False, True, None
        self._interrupted = False
        self._verdict = self._stranded = None
        self.thread = self._new_thread(self.thread)
        self._set_state("paused")
        self.thread.start()

    def _take(self, request: Any, future: Future[Any]) -> None:
        if isinstance(request, _Question):
            self._reply(request, future)
        else:
            super()._take(request, future)

    def _reply(self, question: _Question, future: Future[Any]) -> None:
        try:
            if self.state == "idle":
                self._arrive()
            future.set_result(question.ask(self._present()))
        except Exception as error:  # noqa: BLE001  (the thread that asked gets it)
            future.set_exception(error)

    # ---- the run's thread -----------------------------------------------------------------------

    def _main(self, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            self._arrive()
            if self._valid_every is not None:
                self._task.evaluator.compile(self._present().params, self._present().state)
            outcome = self._train()
        except BaseException as error:  # noqa: BLE001  (a thread's error reaches nobody else)
            self._failed(error)
            outcome = "failed"
        self._close(outcome)

    def _failed(self, error: BaseException) -> None:
        error.add_note(f"This was on the trainer's thread, at step {self.handed}.")
        self.exception = error
        # JAX adds a paragraph about its own frames to what the person's code raised.
        text = str(error).partition("\n--------------------\n")[0]
        self.error = f"{type(error).__name__}: {text}"
        self.traceback = traceback.format_exc()
        # The steps that were handed out before it are in the weights: the history has them too.
        with contextlib.suppress(Exception):
            self._drain()
        if self._carry is not None and _lost(self._carry):
            # A step that failed took its arrays with it: the last good ones are a snapshot's.
            self._carry = None
            with contextlib.suppress(Exception):
                self._go_to(self.position)
        if self.handed < self.position:
            # It failed on the way back to where it had been.
            self._cut(self.handed)

    def _train(self) -> State:
        while True:
            self._serve()
            if self._stranded is not None:
                raise self._stranded
            self._pause_after_steps()
            outcome = None
            if self._verdict is not None:
                outcome = self._react(self._verdict)
            elif self._stopping or self._paused or self.handed >= self._edits.steps:
                outcome = self._arrived()
            elif (delay := self.tempo.delay) > 0:
                # The device is idle: what it has done is read at once.
                self._drain()
                self._wait(delay)
            else:
                self._prepare()
                self._hand_out(self._length())
                self._validate()
                while sum(isinstance(item, _Steps) for item in self._flight) > 1:
                    self._collect()
            if outcome is not None:
                return outcome

    def _arrived(self) -> State | None:
        """Rest or end where no further step is wanted now; return how the run ends, if it does."""
        if not self._stopping and not self._paused:
            self._validate(at_end=True)
        self._drain()
        if self._verdict is not None:
            return None
        if self._stopping:
            return "stopped"
        if self._paused:
            if self._abandoned:
                return "stopped"
            self._rest()
            return None
        return None if self._queue else "finished"

    def _prepare(self) -> None:
        """Do what belongs before the next step: edits that waited for it, another batch size."""
        due, plans = self._edits.next_due, self._edits.plans
        before = None if due is None or due > self.handed else plans.rows(self.handed, 1)
        self._fire()
        self._use_batches()
        reason = self.keeper.due(self.handed)
        if before is not None and self._is_risky(before):
            reason = "edit"
        if reason is not None:
            self.keeper.take(self._state(), reason)

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

    # ---- reading --------------------------------------------------------------------------------

    def _drain(self) -> None:
        while self._flight:
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
            verdict = None if self._catching_up else self._judge(start, values[:, 0])
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
            self._stopping = True

    # ---- going back -----------------------------------------------------------------------------

    def _arrive(self) -> None:
        """Get the arrays of where the run begins."""
        if self._carry is None:
            beginning = self._beginning
            snapshot = None if beginning is None else beginning.snapshot
            if snapshot is not None:
                self.keeper.snapshots.add(snapshot)
            with self._doing(f"catching up to step {self.origin}" if self.origin else None):
                self._go_to(self.origin)
            # A rewind, and what comes after it, knows nothing of the passes there were once.
            self._beginning = None
            if self.keeper.is_new_on_disk:
                self._use_batches()
                self.keeper.take(self._state(), "start", disk=True)

    def _go_to(self, step: int) -> None:
        """Make the state what it was on arriving at a step, by replay from before it."""
        self._catching_up = True
        # From no later than where the history ends, so that none of its rows is left out.
        self._restore(min(step, len(self.history)))
        passes = () if self._beginning is None else self._beginning.passes
        while self.handed < step:
            self._use_batches()
            limits = [self.tempo.chunk, self.runner.max_chunk, step - self.handed]
            if (border := self._next_size()) is not None:
                limits.append(border - self.handed)
            if self._valid_every is not None:
                limits.append(self._valid_every - self.handed % self._valid_every)
            limits += [at - self.handed for at in passes if at > self.handed]
            self._hand_out(max(1, min(limits)))
            self._validate(at_end=self.handed in passes)
            while len(self._flight) > 1:
                self._collect()
        self._drain()
        self._catching_up = False
        if self._watches:
            self._watch.recall(0, self.history.loss)

    @property
    def _watches(self) -> bool:
        return self._guard is not None or bool(self._signals)

    def _restore(self, step: int) -> None:
        """Make the state that of the last snapshot at or before a step."""
        snapshot = self.keeper.nearest(step, self._first)
        self._flight.clear()
        self._close_stream()
        if snapshot is None:
            self._carry, self.handed, self._validated = self._first(), 0, 0
            self._valid_value = math.nan
            return
        self._carry = own_copy(snapshot, snapshot.reason).carry
        self.handed, self._validated = snapshot.step, snapshot.validated
        self._valid_value = snapshot.valid_value
        self._use_batches(snapshot.stream)
        passes = self.history.valid.step
        if self._validated == self.handed and (not len(passes) or passes[-1] < self.handed):
            # A kill came between the snapshot and what the pass before it told.
            self._validated = -1
            self._validate()

    def _first(self) -> Carry:
        return self.runner.initial(self._start)

    @contextlib.contextmanager
    def _doing(self, what: str | None) -> Any:
        self.activity = what
        if what is not None:
            self._on_change()
        try:
            yield
        finally:
            self.activity = None

    def _check_reached(self, step: int) -> None:
        if step > self.position:
            raise ValueError(
                f"step must be one that the run has reached, 0 to {self.position}, got {step}"
            )

    def _rewind(self, command: Rewind) -> None:
        at = self.position
        self._go_back(command.step, lambda: self._edits.note_rewind(command, at))
        self._paused, self._until = True, None

    def _go_back(
        self, step: int, note: Callable[[], None], then: Callable[[], None] | None = None
    ) -> None:
        """Take everything back to how it was on arriving at a step, and give edits there."""
        note()
        self._edits.rewind(step)
        if then is not None:
            # At once: the way back may take long, and a kill on it must not part them.
            then()
        self._keep_line(step)
        with self._doing(f"rewinding to step {step}"):
            self._cut(step)
            self._go_to(step)
        self._verdict = self.error = self.traceback = self.exception = None
        self._written = -1

    def _cut(self, step: int) -> None:
        """Forget what came after arriving at a step."""
        self.history.cut(step)
        valid = self.history.valid
        valid.cut(int(np.searchsorted(valid.step, step, side="right")))
        self.position = step
        self.shared = min(self.shared, step)
        best = self.keeper.best
        if best is not None and best[0] > step:
            best = best_of(valid.columns())
        self.keeper.went_back(step, best)
        self._watch.rewound(step)
        if self._patience is not None:
            self._patience.rewound(step)
        self._rolled_back = [at for at in self._rolled_back if at <= step]

    def fork_point(self, step: int | None) -> tuple[Edits, Beginning]:
        """Return what a run needs that goes on from here, or from arriving at a step.

        For `ask`.
        """
        self._drain()
        if step is not None:
            self._check_reached(step)
        at = self.position if step is None else step
        edits = self._edits.copy(step)
        edits.settle(at)
        if at == self.handed:
            self._use_batches()
            snapshot: Snapshot | None = own_copy(self._state(), "start")
        else:
            snapshot = self.keeper.nearest(at, self._first)
        valid = self.history.valid.columns()
        known = int(np.searchsorted(valid["step"], at, side="right"))
        best = best_of({name: column[:known] for name, column in valid.items()})
        return edits, Beginning(
            step=at,
            snapshot=snapshot,
            rows={name: column[:at] for name, column in self._rows().items()},
            valid={name: column[:known] for name, column in valid.items()},
            best=best,
        )

    def _rows(self) -> dict[str, npt.NDArray[Any]]:
        """Return the history by full addresses, as `History.append` takes it."""
        return {key: self.history[key] for key in self.history.keys()}  # noqa: SIM118

    def surrender(self) -> Surrendered:
        """Return everything that another run needs to go on as this one; for `ask`."""
        self._drain()
        self._use_batches()
        state = own_copy(self._state(), "edit")
        rows, valid = self._rows(), self.history.valid.columns()
        return Surrendered(state=state, edits=self._edits.copy(), rows=rows, valid=valid)

    def adopt(self, other: Surrendered, name: str) -> None:
        """Go on as another run does, which was forked from this one; for `ask`."""
        self._drain()
        cut = self._common(other.rows)
        self._keep_line(cut)
        self._edits.adopt(other.edits, name, at=self.position, cut=cut)
        self._cut(cut)
        fresh = {key: column[cut:] for key, column in other.rows.items()}
        known = int(np.searchsorted(other.valid["step"], cut, side="right"))
        valid = {key: column[known:] for key, column in other.valid.items()}
        self.history.append(fresh)
        self.history.valid.append(valid)
        self.keeper.rows("train", fresh)
        self.keeper.rows("valid", valid)
        self.keeper.best = best_of(self.history.valid.columns())
        self.keeper.snapshots.add(other.state)
        self._carry = own_copy(other.state, "edit").carry
        self.handed = self.position = other.state.step
        self._validated, self._valid_value = other.state.validated, other.state.valid_value
        self._close_stream()
        self._use_batches(other.state.stream)
        if self._watches:
            self._watch.recall(0, self.history.loss)
        self._verdict = self.error = self.traceback = self.exception = None
        self._written, self._paused, self._until = -1, True, None

    def _common(self, rows: Mapping[str, npt.NDArray[Any]]) -> int:
        """Return up to which step another run's history is this one's."""
        count = min(self.position, len(rows["step"]))
        for key, column in self._rows().items():
            same = _equal(column[:count], rows[key][:count])
            count = count if same.all() else int(np.argmin(same))
        return count

    def look_ahead(self) -> Surrendered:
        """Return the run as it is now, whose state is kept for a rewind; for `ask`."""
        ahead = self.surrender()
        self.keeper.snapshots.add(ahead.state)
        return ahead

    def is_still(self, state: Snapshot, edits: Edits) -> bool:
        """Return whether the run is at rest where it was when it gave these by `look_ahead`."""
        return (
            self.state in ("idle", "paused")
            and self.position == state.step
            and self._edits.settings == edits.settings
        )

    def state_before(self, step: int) -> Snapshot:
        """Return the last state that is kept from before a step, with arrays of its own."""
        snapshot = self.keeper.nearest(step, self._first)
        if snapshot is not None:
            return own_copy(snapshot, snapshot.reason)
        return Snapshot(
            step=0,
            carry=self._first(),
            reason="start",
            stream=None,
            valid_value=math.nan,
            validated=0,
        )

    def keep_beginning(self) -> None:
        """Have the disk keep what a run has from the one that it is from."""
        for entry in self._edits.journal:
            self.keeper.entry(entry)
        if len(self.history):
            self.keeper.rows("train", self._rows())
            self.keeper.rows("valid", self.history.valid.columns())

    def abandon(self) -> None:
        """Note that nobody can steer the run any more: it goes on to its end, but rests nowhere."""
        with self.changed:
            self._abandoned = True
            self.changed.notify_all()

    def reopen(self) -> None:
        """Let an ended run take commands again, at rest."""
        with self.changed:
            if self.state in ENDED:
                self._reopen()

    def keep_now(self, reason: str) -> int:
        """Take a snapshot and return its step; for `ask`."""
        self._drain()
        self._use_batches()
        self.keeper.take(self._state(), reason, disk=True)
        return self.handed

    def _keep_line(self, step: int) -> None:
        rows = self.history.columns(step)
        if len(rows["step"]):
            name = f"until {self.position}"
            copies = {key: np.array(column) for key, column in rows.items()}
            self.lines = (*self.lines, Line(name, step, copies))[-_MOST_LINES:]

    def _react(self, verdict: Verdict) -> State | None:
        """Do what the guard is for; return how the run ends, if it does."""
        guard = self._guard
        said = self._divergence(verdict)
        if guard is not None and guard.action == "pause":
            self._drain()
            self._verdict = None
            self._watch.accepted(self.handed)
            self.error = said
            self._edits.note("pause", self.handed, source="guard", reason=verdict.reason)
            self._paused, self._until = True, None
            return None
        if (
            guard is None
            or guard.action != "roll_back"
            or len(self._rolled_back) >= guard.most
            or not self._roll_back(guard, verdict)
        ):
            self._drain()
            self.error = said
            if self.handed != self.position:
                # The weights are those after the last row, not after steps that nobody sees.
                self._go_to(self.position)
                self.keeper.snapshots.cut(self.position)
            return "diverged"
        return None

    def _roll_back(self, guard: Guard, verdict: Verdict) -> bool:
        try:
            rates = self._edits.plans.rates("a roll-back")
        except ValueError:
            return False
        before = self.position
        good = self.keeper.nearest(verdict.good_until, self._first)
        step = 0 if good is None else good.step
        # A roll-back takes back what the ones before it did after that step.
        earlier = [at for at in self._rolled_back if at >= step]
        factor = guard.factor ** (len(earlier) + 1)
        count = [*self._rolled_back, step]
        said = {"reason": verdict.reason, "at": verdict.step, "factor": factor}
        command = Rewind(step=step, source="guard")
        paused = self._paused

        def then() -> None:
            scale = Scale(factors=dict.fromkeys(rates, factor), source="guard")
            self._edits.apply(scale, step)
            for waiting in self._edits.scheduled:
                # Like edits by hand, those that took effect on the way there are not made again.
                if waiting.step <= verdict.step:
                    self._edits.apply(Cancel(number=waiting.number, source="guard"), step)

        self._go_back(step, lambda: self._edits.note_rewind(command, before, **said), then)
        self._rolled_back = count
        self._paused = paused
        self._on_change()
        return True

    def _obey(self, command: Command) -> bool:
        if isinstance(command, Rewind) and self.state not in ("idle", *ENDED):
            self._drain()
            self._check_reached(command.step)
            try:
                self._rewind(command)
            except Exception as error:
                # The run is at neither end of its way: it cannot go on as if nothing had been.
                self._stranded = error
                raise
            return False
        steers = self.state in ("running", "paused") and self._carry is not None
        before = self._edits.plans.rows(self.handed, 1) if steers else None
        confirmed = super()._obey(command)
        if before is not None and self._is_risky(before):
            # Edits do not touch the arrays: this is still the state before it.
            self.keeper.take(self._state(), "edit")
        return confirmed

    def _go_on(self) -> None:
        if self._paused:
            self.error = None  # what the guard paused for; an ended run does not come by here
        super()._go_on()

    def _is_risky(self, before: npt.NDArray[np.float64]) -> bool:
        after = self._edits.plans.rows(self.handed, 1)
        return bool(np.any(np.abs(after) > _RISKY * np.abs(before)))

    # ---- resting and ending ---------------------------------------------------------------------

    def _rest(self) -> None:
        if self.state != "paused" or self._confirm_at_rest or self._written != self.handed:
            if self._written != self.handed:
                self._write_back()
                if self.keeper.saver is not None:
                    self.keeper.take(self._state(), "last", disk=True, mark="last")
            self._set_state("paused")
            self._confirm()
            self._on_change()
        self._wait(None)

    def _close(self, outcome: State) -> None:
        if self._carry is not None and _lost(self._carry):
            self._carry = None  # a step that failed took its arrays with it
        if self._carry is not None:
            try:
                self._write_back()
            except Exception:  # noqa: BLE001
                _log.exception("the trained weights could not be put into the model")
            if outcome != "diverged" and self.keeper.saver is not None:
                with contextlib.suppress(Exception):
                    self.keeper.take(self._state(), "end", disk=True, mark="last")
        self._close_stream()
        self._flight.clear()
        if self.keeper.place is not None:
            self.keeper.place.ended(outcome, self.position)
        self._end(outcome)

    def _write_back(self) -> None:
        if self.owner:
            carry = self._present()
            self._task.adapter.write_back(carry.params, carry.state)
        self._written = self.handed

    def _present(self) -> Carry:
        if self._carry is None:
            raise ValueError(f"the weights were lost when step {self.handed} failed")
        return self._carry


# Abandoned lines that are kept for the plots.
_MOST_LINES = 12


def _equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (a == b) | ((a != a) & (b != b))  # noqa: PLR0124  (NaN)
    return same


def _lost(carry: Carry) -> bool:
    return any(leaf.is_deleted() for leaf in jax.tree.leaves(carry))


def best_of(valid: Mapping[str, npt.NDArray[Any]]) -> tuple[int, float] | None:
    """Return the step and the loss of the best of some validation passes; None without one."""
    losses = valid.get("loss")
    if losses is None or not np.isfinite(losses).any():
        return None
    row = int(np.nanargmin(np.where(np.isfinite(losses), losses, np.nan)))
    return int(valid["step"][row]), float(losses[row])

"""The run itself: a thread that hands out chunks, reads what they report and takes commands.

Two chunks are in flight at most. While the device computes one the next is already handed out,
and the reports of a chunk are read when the one after it has begun, so that the device never
waits for the host and a command never waits for more than two chunks.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree
from lrwidget.training._edits import Edits
from lrwidget.training._history import History
from lrwidget.training._runner import Carry, Out
from lrwidget.training._steered import Future, State, Steered
from lrwidget.training._tempo import Tempo

if TYPE_CHECKING:
    from lrwidget.training._runner import Runner
    from lrwidget.training._task import Task

Answer = TypeVar("Answer")
_log = logging.getLogger("lrwidget")


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


class _Question(NamedTuple):
    """What another thread wants to know of the run's arrays."""

    ask: Callable[[Carry], Any]


class Loop(Steered):
    """One run of a task; `Trainer` is its public face.

    Everything public may be called and read from any thread. The arrays belong to the run's own
    thread, because they are given up with every chunk.

    Parameters
    ----------
    task, runner
        What is trained, and its compiled step.
    edits
        The plans, the length and the journal of the run.
    pace
        Most steps a second; None for no limit.
    valid_every
        Steps between validation passes; None for none.
    start
        Parameters and state to begin with; None for the task's.
    on_change
        Called after every chunk, command and change of state, by whichever thread made it.
    """

    _afterwards = "make a new Trainer (start=this one goes on from its weights)"
    thread: threading.Thread

    def __init__(
        self,
        task: Task,
        runner: Runner,
        edits: Edits,
        *,
        pace: float | None,
        valid_every: int | None,
        start: tuple[PyTree, PyTree] | None,
        on_change: Callable[[], None],
    ):
        super().__init__(edits, Tempo(runner.usual_chunk, runner.max_chunk, pace), on_change)
        valid = task.evaluator.names if task.validates else ()
        rates = runner.effective_rates
        self.history = History(runner.columns, runner.addresses, valid, rates.names)
        self.thread = threading.Thread(target=self._main, name="lrwidget-trainer", daemon=True)
        self._task = task
        self._runner = runner
        self._valid_every = valid_every
        self._start = start
        self._carry: Carry | None = None
        self._flight: collections.deque[_Steps | _Validation] = collections.deque()
        self._validated = 0  # steps at the last validation pass
        # Of the pass just before the next steps; on the device, where the chain may ask for it.
        self._valid_value: Any = math.nan
        self._written = -1  # the steps behind the weights that the model object holds
        self._has_diverged = False

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

    def _take(self, request: Any, future: Future[Any]) -> None:
        if isinstance(request, _Question):
            self._reply(request, future)
        else:
            super()._take(request, future)

    def _reply(self, question: _Question, future: Future[Any]) -> None:
        try:
            carry = self._runner.initial(self._start) if self.state == "idle" else self._present()
            future.set_result(question.ask(carry))
        except Exception as error:  # noqa: BLE001  (the thread that asked gets it)
            future.set_exception(error)

    # ---- the run's thread -----------------------------------------------------------------------

    def _main(self) -> None:
        try:
            self._carry = self._runner.initial(self._start)
            if self._valid_every is not None:
                self._task.evaluator.compile(self._carry.params, self._carry.state)
            self._stream = self._task.stream()
            outcome = self._train()
        except BaseException as error:  # noqa: BLE001  (a thread's error reaches nobody else)
            error.add_note(f"This was on the trainer's thread, at step {self.handed}.")
            self.exception = error
            # JAX adds a paragraph about its own frames to what the person's code raised.
            text = str(error).partition("\n--------------------\n")[0]
            self.error = f"{type(error).__name__}: {text}"
            self.traceback = traceback.format_exc()
            outcome = "failed"
            # The steps that were handed out before it are in the weights: the history has them too.
            with contextlib.suppress(Exception):
                self._drain()
        self._close(outcome)

    def _train(self) -> State:
        while not self._has_diverged:
            self._serve()
            self._pause_after_steps()
            if self._stopping:
                self._drain()
                return "diverged" if self._has_diverged else "stopped"
            if self._paused:
                self._drain()
                self._rest()
            elif self.handed >= self._edits.steps:
                self._validate(at_end=True)
                self._drain()
                if not self._has_diverged and not self._queue:
                    return "finished"
            elif (delay := self.tempo.delay) > 0:
                # The device is idle: what it has done is read at once.
                self._drain()
                self._wait(delay)
            else:
                self._hand_out()
                self._validate()
                while sum(isinstance(item, _Steps) for item in self._flight) > 1:
                    self._collect()
        return "diverged"

    def _hand_out(self) -> None:
        steps, start = self._length(), self.handed
        chunk = self._stream.take(steps, self._edits.steps - start - steps)
        rows = self._edits.plans.rows(start, steps)
        began, traces = time.monotonic(), self._runner.traces
        carry, valid_value = self._present(), self._valid_value
        self._carry, out = self._runner.run(carry, start, rows, chunk, valid_value)
        self._valid_value = math.nan
        compiled = self._runner.traces != traces
        self._flight.append(_Steps(start, out, rows, None if compiled else began))
        self.handed += steps
        self.tempo.handed_out(began, steps)
        if self.state == "compiling":
            self._set_state("running")
            self._on_change()

    def _length(self) -> int:
        start = self.handed
        limits = [self.tempo.limit, self._edits.steps - start]
        if self._until is not None:
            limits.append(self._until - start)
        if self._valid_every is not None:
            limits.append(self._valid_every - start % self._valid_every)
        return min(limits)

    def _validate(self, *, at_end: bool = False) -> None:
        if self._valid_every is None or self.handed == self._validated:
            return
        if at_end or self.handed % self._valid_every == 0:
            carry = self._present()
            evaluator = self._task.evaluator
            started = evaluator.start(self._runner.eval_params(carry), carry.state)
            self._flight.append(_Validation(self.handed, started))
            self._valid_value = evaluator.loss(started)
            self._validated = self.handed

    def _drain(self) -> None:
        while self._flight:
            self._collect()

    def _collect(self) -> None:
        item = self._flight.popleft()
        if isinstance(item, _Validation):
            measures = self._task.evaluator.read(item.started)
            row = {name: [value] for name, value in measures.items()}
            self.history.valid.append({"step": [item.position], **row})
        else:
            self._collect_steps(item)
        self._on_change()

    def _collect_steps(self, item: _Steps) -> None:
        values = item.out.read()
        losses = values[:, 0]
        bad = np.flatnonzero(~np.isfinite(losses))
        count = int(bad[0]) + 1 if bad.size else len(values)
        rows = item.rows[:count]
        reports = dict(zip(self._runner.columns, values[:count].T, strict=True))
        applied = dict(zip(self._runner.addresses, rows.T, strict=True))
        rates = self._runner.effective_rates.columns(rows, reports)
        steps = np.arange(item.start, item.start + count)
        self.history.append({"step": steps, **reports, **applied, **rates})
        self.position = item.start + count
        if bad.size:
            self._flight.clear()
            self._has_diverged = True
            self.error = self._divergence(self.position - 1, float(losses[bad[0]]))
        else:
            self.tempo.read(item.began, count, self.position)
            self._runner.usual_chunk = self.tempo.chunk

    def _rest(self) -> None:
        if self._has_diverged:
            return
        if self.state != "paused" or self._confirm_at_rest:
            if self._written != self.handed:
                self._write_back()
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
        self._flight.clear()
        self._end(outcome)

    def _write_back(self) -> None:
        carry = self._present()
        self._task.adapter.write_back(carry.params, carry.state)
        self._written = self.handed

    def _present(self) -> Carry:
        if self._carry is None:
            raise ValueError(f"the weights were lost when step {self.handed} failed")
        return self._carry


def _lost(carry: Carry) -> bool:
    return any(leaf.is_deleted() for leaf in jax.tree.leaves(carry))

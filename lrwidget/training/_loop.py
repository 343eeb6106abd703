"""The run itself: a thread that takes steps and commands, and what becomes of both."""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.training._commands import Cancel, Command, Extend, Rewind, Scale, Stop
from lrwidget.training._guard import Guard, Verdict
from lrwidget.training._returning import Returning
from lrwidget.training._runner import Carry
from lrwidget.training._steered import ENDED, Future, State

Answer = TypeVar("Answer")
_log = logging.getLogger("lrwidget")

# An edit that makes a hyperparameter this many times larger has a snapshot taken before it.
_RISKY = 1.5


class _Question(NamedTuple):
    """What another thread wants to know of the run's arrays."""

    ask: Callable[[Carry], Any]


class Loop(Returning):
    """One run of a task; `Trainer` is its public face.

    Everything public may be called and read from any thread. See `Computing` for its parameters.
    """

    _advice = (
        "rewind to before that and lower the rate, or start again with a longer warmup or clipped "
        "gradients"
    )
    _afterwards = "make a new Trainer (start=this one goes on from its weights), or rewind it"
    thread: threading.Thread

    # ---- any thread ------------------------------------------------------------------------------

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

    def _begin(self) -> None:
        self._set_state("compiling")
        self._edits.start_clock()
        self.thread = self._new_thread()
        self.thread.start()

    def _new_thread(self, before: threading.Thread | None = None) -> threading.Thread:
        return threading.Thread(
            target=self._main, args=(before,), name="lrwidget-trainer", daemon=True
        )

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

    # ---- the run's thread ------------------------------------------------------------------------

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
                self._keep_up()
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

    # ---- commands and the guard ------------------------------------------------------------------

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

    def _react(self, verdict: Verdict) -> State | None:
        """Do what the guard is for; return how the run ends, if it does."""
        guard = self._guard
        said = self._divergence(verdict)
        if guard is not None and guard.action == "pause":
            self._drain()
            self._verdict = None
            self._watch.accepted(self.handed)
            self.error = said
            _log.warning("the run pauses at step %d: %s", self.handed, said)
            self._edits.note(
                "pause", self.handed, source="guard", reason=verdict.reason, at=verdict.step
            )
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
        good = self.keeper.nearest(verdict.good_until, self._like)
        if good is None and self._start is None and self._elsewhere:
            return False  # there is nothing to go back to
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
        _log.warning(
            "the run was rolled back from step %d to %d, learning rates times %g: %s",
            before,
            step,
            factor,
            verdict.reason,
        )
        self._rolled_back = count
        self._paused = paused
        self._on_change()
        return True

    # ---- resting and ending ----------------------------------------------------------------------

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


def _lost(carry: Carry) -> bool:
    """Return whether a step that failed took the arrays with it."""
    if any(leaf.is_deleted() for leaf in jax.tree.leaves(carry)):
        return True
    try:
        # One that fails while it is computed leaves arrays that raise whenever they are read.
        jax.block_until_ready(carry)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001  (it is the error of the step, which is known already)
        return True
    return False

"""A run that takes commands at its step borders: its states, the queue, pause, step and stop."""

from __future__ import annotations

import atexit
import collections
import concurrent.futures
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from lrwidget.training._commands import Command, Pause, Resume, Rewind, SetPace, Step, Stop
from lrwidget.training._edits import Edits
from lrwidget.training._guard import Verdict
from lrwidget.training._history import History
from lrwidget.training._tempo import Tempo

State = Literal[
    "idle", "compiling", "running", "paused", "finished", "stopped", "diverged", "failed"
]
ENDED: frozenset[State] = frozenset({"finished", "stopped", "diverged", "failed"})

Future = concurrent.futures.Future

_log = logging.getLogger("lrwidget")

# A thread cannot wait for centuries, which a tiny pace asks for; whoever waits asks again.
_LONGEST_WAIT = 3600.0
# How long the interpreter's exit waits for a run to stop.
_EXIT_SECONDS = 5.0


class Steered:
    """One run as commands see it; `Loop` and `LiveLoop` say what a step is.

    Everything public may be called and read from any thread. Whoever runs the steps calls `_serve`
    at each step border, sets `handed` and `position`, rests while `_paused`, and ends when
    `_stopping`.

    Parameters
    ----------
    edits
        The plans, the length and the journal of the run.
    tempo
        Its speed and pace.
    on_change
        Called after every command and change of state, by whichever thread made it.

    Attributes
    ----------
    position
        Steps whose reports are in the history.
    handed
        Steps whose hyperparameters are decided: the first step that feels a command.
    ended
        Resolves when the run has ended.
    changed
        Held while the state changes; notified of that and of every command.
    thread
        Where the steps are taken; None before that is known.
    """

    # What to do about a run that has diverged.
    _advice = "start again with a lower learning rate, a longer warmup or clipped gradients"
    # What to do in place of a command to a run that is over.
    _afterwards = "make a new one"

    history: History

    def __init__(self, edits: Edits, tempo: Tempo, on_change: Callable[[], None]):
        self.state: State = "idle"
        self.position = 0
        self.handed = 0
        self.tempo = tempo
        self.error: str | None = None
        self.traceback: str | None = None
        self.exception: BaseException | None = None
        self.ended: Future[None] = Future()
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self._edits = edits
        self._on_change = on_change
        self._queue: collections.deque[tuple[Any, Future[Any]]] = collections.deque()
        self._until: int | None = None  # where a Step command pauses
        self._paused = False
        self._stopping = False
        self._abandoned = False
        self._confirm_at_rest: list[Future[int]] = []

    # ---- any thread -----------------------------------------------------------------------------

    @property
    def edits(self) -> Edits:
        """The plans, the length and the journal."""
        return self._edits

    def submit(self, command: Command) -> Future[int]:
        """Hand over a command; see `Trainer.submit`."""
        if not isinstance(command, Command):
            raise TypeError(f"command must be one of lrwidget.training's, got {command!r}")
        future: Future[int] = Future()
        with self.changed:
            if self._goes_on():
                self._enqueue(command, future)
                return future
            self._answer(command, future)
        self._on_change()
        return future

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds or the run has ended; at once on the run's own thread."""
        if not self.on_own_thread:
            with self.changed:
                self.changed.wait_for(lambda: condition() or self.state in ENDED)

    @property
    def held_up(self) -> bool:
        """Whether the run waits because something is wrong with it."""
        return self.state == "paused" and self.error is not None

    @property
    def on_own_thread(self) -> bool:
        """Whether the caller's thread is the one that takes the steps."""
        return threading.current_thread() is self.thread

    def _goes_on(self) -> bool:
        return self.state != "idle" and self.state not in ENDED

    def _enqueue(self, request: Any, future: Future[Any]) -> None:
        self._queue.append((request, future))
        self.changed.notify_all()

    def _begin(self) -> None:
        """Leave ``idle``; the condition is held."""
        raise NotImplementedError

    def _set_state(self, state: State) -> None:
        with self.changed:
            self.state = state
            self.changed.notify_all()
        if self._goes_on():
            _going.add(self)
        else:
            _going.discard(self)

    # ---- commands -------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Take every command that waits."""
        while True:
            with self.changed:
                if not self._queue:
                    return
                request, future = self._queue.popleft()
            self._take(request, future)

    def _take(self, request: Any, future: Future[Any]) -> None:
        self._answer(request, future)
        self._on_change()

    def _answer(self, command: Command, future: Future[int]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            confirmed = self._obey(command)
        except Exception as error:  # noqa: BLE001  (a refused command must not end the run)
            future.set_exception(error)
            return
        if confirmed:
            future.set_result(self.handed)
        else:
            self._confirm_at_rest.append(future)

    def _obey(self, command: Command) -> bool:
        # Returns whether the command is confirmed now, or when the run is at rest.
        if self.state in ENDED:
            if isinstance(command, Stop):
                return True  # what was wanted; a run may end just before it is stopped
            raise ValueError(
                f"{command.name} needs a run that goes on, and this one is {self.state} at step "
                f"{self.position}: {self._afterwards}"
            )
        if self.state == "idle" and isinstance(command, Pause | Resume | Stop):
            raise ValueError(f"{command.name} needs a run that has started: call start() first")
        match command:
            case Pause():
                return self._pause(command)
            case Resume():
                self._resume(command)
            case Step():
                self._step(command)
            case Stop():
                return self._stop(command)
            case SetPace():
                pace = command.steps_per_second
                self._edits.note(command, self.handed, before=self.tempo.pace, after=pace)
                self.tempo.set_pace(pace)
            case Rewind():
                raise ValueError(
                    "rewind needs a Trainer whose run has begun: only that knows the states before"
                )
            case _:
                self._edits.apply(command, self.handed, idle=self.state == "idle")
        return True

    def _pause(self, command: Pause) -> bool:
        if not self._paused:
            self._edits.note(command, self.handed)
        self._paused, self._until = True, None
        return False

    def _resume(self, command: Resume) -> None:
        if self._paused or self._until is not None:
            self._edits.note(command, self.handed)
        self._until = None
        self._go_on()

    def _step(self, command: Step) -> None:
        self._edits.note(command, self.handed, after=command.steps)
        self._until = self.handed + command.steps
        if self.state == "idle":
            self._begin()
        else:
            self._go_on()

    def _stop(self, command: Stop) -> bool:
        self._edits.note(command, self.handed)
        self._stopping = True
        return False

    def _go_on(self) -> None:
        if self._paused:
            self._paused = False
            if not self._stopping:
                # A pause that was taken back before the run came to rest is answered all the same.
                waiting, self._confirm_at_rest = self._confirm_at_rest, []
                for future in waiting:
                    future.set_result(self.handed)
            self.tempo.rested()
            self._set_state("running")

    # ---- where the steps are taken --------------------------------------------------------------

    def _fire(self) -> bool:
        """Let the edits take effect that waited for this step; return whether there were any."""
        due = self._edits.next_due
        if due is None or due > self.handed:
            return False
        for text in self._edits.fire(self.handed):
            _log.warning("%s", text)
            self._edits.note("refused", self.handed, reason=text)
        return True

    def _pause_after_steps(self) -> None:
        """Pause where the last Step command said to."""
        if self._until is not None and self._until <= self.handed < self._edits.steps:
            self._paused, self._until = True, None

    @property
    def _given_up(self) -> bool:
        return self._abandoned and self._paused

    def _wait(self, seconds: float | None) -> None:
        """Wait for a command, so many seconds at most."""
        with self.changed:
            longest = None if seconds is None else min(seconds, _LONGEST_WAIT)
            self.changed.wait_for(lambda: self._queue or self._given_up, longest)

    def _end(self, outcome: State) -> None:
        """End the run, and answer everything that still waits."""
        with self.changed:
            self._set_state(outcome)
            ended = self.ended  # one that is reopened has another
            waiting = list(self._queue)
            self._queue.clear()
        for request, future in waiting:
            self._take(request, future)
        self._confirm()
        self._on_change()
        ended.set_result(None)

    def _confirm(self) -> None:
        waiting, self._confirm_at_rest = self._confirm_at_rest, []
        for future in waiting:
            future.set_result(self.position)

    def _divergence(self, verdict: Verdict) -> str:
        """Return what to say of a run that has diverged; the row of the step is in the history."""
        history, step = self.history, verdict.step
        row = min(int(np.searchsorted(history.step, step)), len(history) - 1)
        rates = [
            f"{address} was {float(history[address][row]):.3g}"
            for address in self._edits.plans.addresses
            if address.endswith(".learning_rate")
        ]
        where = f", where {' and '.join(rates)}" if rates else ""
        return f"{verdict.reason}{where}: {self._advice}"


_going: weakref.WeakSet[Steered] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    # JAX must not be taken down under a running thread.
    going = [run for run in list(_going) if run.thread not in (None, threading.main_thread())]
    for run in going:
        run.submit(Stop())
    for run in going:
        if run.thread is not None:
            run.thread.join(_EXIT_SECONDS)

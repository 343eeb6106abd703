"""A loop of a person's own, as far as it is seen: at its step borders."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lrwidget.optimizers import Chain, Injection
from lrwidget.training._commands import Command, Step, Stop
from lrwidget.training._edits import Edits
from lrwidget.training._guard import Verdict
from lrwidget.training._live_reports import Reports
from lrwidget.training._live_rows import Rows
from lrwidget.training._live_state import StateWriter
from lrwidget.training._steered import Future, State, Steered
from lrwidget.training._tempo import CHUNK_SECONDS, Tempo

# How far the loop may be ahead of the device: a pause waits for as long. Two steps at least, so
# that the device never waits for the host.
_AHEAD_SECONDS = 0.1
_AHEAD_STEPS = 2
_FIRST_AHEAD = 32  # while the speed is not known

# An event loop hears a click only where it waits for longer than nothing.
_BREATH = 0.001


class LoopStopped(BaseException):
    """What `LiveControl.update` raises in a loop that goes on after the run has ended.

    Not an `Exception`, so that a loop which survives errors of its own does not survive this.
    """


class LiveLoop(Steered):
    """One pass of a person's loop from its first step to its last.

    Parameters
    ----------
    chain
        How it trains.
    edits
        The plans, the length and the journal of the run.
    injection
        What is written into the optimizer's state.
    pace
        Most steps a second; None for no limit.
    launch
        Calls the person's loop on a thread; ValueError if it is not known.
    on_change
        Called after every command, change of state and reading of reports.

    Attributes
    ----------
    outcome
        How the run ends, as soon as that is decided; None before.
    result
        What the function of a threaded loop returned.
    threaded
        Whether the loop is called by us, on a thread.
    """

    _afterwards = "start it again, or make a new LiveControl"

    def __init__(
        self,
        chain: Chain,
        edits: Edits,
        injection: Injection,
        *,
        pace: float | None,
        launch: Callable[[LiveLoop], None],
        on_change: Callable[[], None],
    ):
        super().__init__(edits, Tempo(1, 1, pace), on_change)
        self._injection = injection
        self._reports = Reports(chain, injection.addresses)
        self.history = self._reports.history
        self.outcome: State | None = None
        self.result: Any = None
        self.threaded = False
        self.last: int | None = None  # the last step that was reported
        self._rows = Rows(edits.plans, injection)
        self._writer = StateWriter(injection.names)
        self._launch = launch
        self._read_at = -math.inf
        self._breath_at = -math.inf
        self._written = False  # whether the row of the step under way came from here
        self._first_steps: int | None = None  # of a Step command before the first step
        self._wake: Callable[[], object] | None = None

    # ---- any thread -----------------------------------------------------------------------------

    @property
    def measures(self) -> tuple[str, ...]:
        """``"loss"``, the metrics, which the first report tells, and what links tell."""
        return self._reports.measures

    def submit(self, command: Command) -> Future[int]:
        """Hand over a command; one from the loop's own thread is answered at once."""
        if not (self.on_own_thread and self._goes_on() and isinstance(command, Command)):
            return super().submit(command)
        future: Future[int] = Future()
        self._answer(command, future)
        self._on_change()
        self._rouse()
        return future

    def initial_row(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """Return what the state of a new optimizer has: for the first step, or within the run."""
        row = self._rows.row(0) if self.last is None else self._rows.last
        # The first step is decided: what is changed now, the second one feels.
        self.handed = max(self.handed, 1)
        self._rows.forget()
        return self._rows.columns(self._rows.row(0) if row is None else row)

    def _enqueue(self, request: Any, future: Future[Any]) -> None:
        super()._enqueue(request, future)
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None:
            self._wake()

    def _begin(self) -> None:
        self._launch(self)

    def _obey(self, command: Command) -> bool:
        confirmed = super()._obey(command)
        self._rows.forget()
        return confirmed

    def _step(self, command: Step) -> None:
        if self.state != "idle":
            super()._step(command)
            return
        self._edits.note(command, self.handed, after=command.steps)
        # Which step is the first, the loop says.
        self._first_steps = command.steps
        self._begin()

    def _stop(self, command: Stop) -> bool:
        super()._stop(command)
        if self.on_own_thread:
            self._decide("stopped")
        return self.state in ("stopped", "diverged")

    # ---- the loop's thread ----------------------------------------------------------------------

    def open(self, step: int, thread: threading.Thread | None) -> None:
        """Begin the run with a step."""
        self.last = step - 1
        self.handed = self.position = step
        self.thread = thread
        if self._first_steps is not None:
            self._until, self._first_steps = step + self._first_steps, None
        if self.state == "idle":
            self._edits.start_clock()
        self._set_state("running")
        self._on_change()

    def first(self, holder: Any, step: int) -> Any:
        """Return the person's state with the row of the first step in it."""
        self.handed = step
        self._fire()
        holder = self._writer.write(holder, self._rows.columns(self._rows.row(step)))
        self.handed = step + 1
        self._written = True
        return holder

    def report(self, holder: Any, step: int, measures: dict[str, Any]) -> None:
        """Take what a step has reported, without waiting for it."""
        row: Any = self._rows.last
        if not self._written:
            # Of the first step nobody but the state knows what it had.
            row = self._writer.read(holder, self._injection.keys)
        told = self._reports.told
        self._take_report(step, row, measures, self._writer.reports(holder, told) if told else ())

    def fetch(self, step: int, loss: float | None) -> npt.NDArray[np.float32]:
        """Serve a loop that is not seen: take its loss before a step, return what to write."""
        self.handed = step
        for seconds in self.border():
            self.wait(seconds)
        if self.outcome in ("stopped", "diverged"):
            raise LoopStopped(self.farewell())
        written = self._rows.whole(step)
        if self.outcome is None:
            unknown = [math.nan] * len(self._reports.told)
            self._take_report(step, self._rows.last, {"loss": loss}, unknown)
            self.drain()  # the host has it already
        return written

    def _take_report(self, step: int, row: Any, measures: dict[str, Any], told: Any) -> None:
        self._reports.take(step, row, measures, told)
        self.history = self._reports.history
        self.last = step
        self.handed = step + 1
        self.tempo.handed_out(time.monotonic(), 1)

    def write(self, holder: Any) -> Any:
        """Return the person's state with the row of the next step in it."""
        step = self.handed
        holder = self._writer.write(holder, self._rows.take(step))
        self.handed = step + 1
        self._written = True
        return holder

    def border(self) -> Iterator[float | None]:
        """Take commands, and yield how long to wait before the next step; None for a command."""
        self._read_now_and_then()
        while True:
            self._serve()
            self._pause_after_steps()
            if self.outcome is not None:
                return
            if self._reports.bad is not None:
                self._decide("diverged")
            elif self._stopping:
                self._decide("stopped")
            elif not self._paused and self.handed >= self._edits.steps:
                self._decide("finished")
            if self.outcome is not None:
                return
            if self._paused:
                self.drain()
                if self._reports.bad is None:
                    self._rest()
                    yield None
            elif (delay := self.tempo.delay) > 0:
                self.drain()
                yield delay
            else:
                self._fire()
                return

    def _fire(self) -> bool:
        fired = super()._fire()
        if fired:
            self._rows.forget()
            self._on_change()
        return fired

    def wait(self, seconds: float | None) -> None:
        """Wait for a command, so many seconds at most."""
        try:
            self._wait(seconds)
        except BaseException:
            self.give_up()
            raise

    async def wait_async(self, seconds: float | None) -> None:
        """Wait as `wait` does, and let others run."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        try:
            if not self._queue:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), seconds)
        except BaseException:
            self.give_up()
            raise
        finally:
            self._wake = None

    async def breathe(self) -> None:
        """Let clicks arrive, 20 times a second."""
        now = time.monotonic()
        if now - self._breath_at >= CHUNK_SECONDS:
            await asyncio.sleep(_BREATH)
            self._breath_at = time.monotonic()

    def give_up(self) -> None:
        """End a run whose loop was interrupted."""
        if not self.threaded and self._goes_on():
            self._decide("stopped")

    def _decide(self, outcome: State) -> None:
        # A loop of ours ends with its function, one of the person's here and now.
        self.outcome = outcome
        if not self.threaded:
            self.close(outcome)

    def farewell(self) -> str:
        """Return what to tell a loop that goes on after the end."""
        match self.outcome:
            case "diverged":
                return f"the run diverged: {self.error}"
            case "finished":
                return (
                    f"the run's {self._edits.steps} steps are over: end the loop there, loop over "
                    "live.range(), or give LiveControl more steps"
                )
            case outcome:
                return (
                    f"the run was {outcome} at step {self.handed}: a loop ends by itself where it "
                    "loops over live.range() or breaks when live.stopped is True"
                )

    def reopen(self) -> None:
        """Take back the end of a run that has been made longer since."""
        if self.outcome == "finished" and self.handed < self._edits.steps:
            self.outcome = None

    def close(self, outcome: State) -> None:
        """End the run."""
        self.drain()
        self._end("diverged" if self._reports.bad is not None else outcome)
        self.outcome = self.state

    def _rest(self) -> None:
        if self.state != "paused" or self._confirm_at_rest:
            self._set_state("paused")
            self._confirm()
            self._on_change()

    # ---- reading --------------------------------------------------------------------------------

    def drain(self) -> None:
        """Read every report, waiting for them."""
        self._collect(len(self._reports))

    def _read_now_and_then(self) -> None:
        now = time.monotonic()
        rate = self.tempo.steps_per_second
        ahead = _FIRST_AHEAD if rate is None else math.ceil(_AHEAD_SECONDS * rate)
        must = len(self._reports) - max(_AHEAD_STEPS, ahead)
        if must > 0 or now - self._read_at >= CHUNK_SECONDS:
            self._read_at = now
            # More than must be: what is there costs no waiting.
            self._collect(max(must, self._reports.ready()))

    def _collect(self, count: int) -> None:
        read = self._reports.read(count)
        if read == 0:
            return
        self.position = int(self.history.step[-1]) + 1
        if self._reports.bad is None:
            self.tempo.read(None, read, self.position)
        else:
            step, loss = self.position - 1, self._reports.bad
            said = f"the loss was {loss} at step {step}"
            self.error = self._divergence(Verdict(step, "nan", said, step))
        self._on_change()

    # ---- a loop that is called ------------------------------------------------------------------

    def launched(self) -> None:
        """Take note that the loop is about to be called."""
        self._edits.start_clock()
        self._set_state("compiling")

    def call(self, function: Callable[[], Any], predecessor: Steered | None) -> None:
        """Run the person's function to its end; on a thread of its own."""
        outcome: State = "finished"
        try:
            if predecessor is not None:
                predecessor.ended.result()
            self.result = function()
        except LoopStopped:
            outcome = "stopped"
        except BaseException as error:  # noqa: BLE001  (a thread's error reaches nobody else)
            outcome = self._failed(error)
        if outcome != "failed":
            outcome = self.outcome or ("stopped" if self._stopping else outcome)
        with contextlib.suppress(Exception):
            self.drain()
        self.close(outcome)

    def _failed(self, error: BaseException) -> State:
        if self.outcome is not None and LoopStopped.__name__ in str(error):
            return "stopped"  # by way of a callback, out of which JAX lets no other error
        self.exception = error
        # JAX adds a paragraph about its own frames to what the person's code raised.
        text = str(error).partition("\n--------------------\n")[0]
        self.error = f"{type(error).__name__}: {text}"
        self.traceback = traceback.format_exc()
        return "failed"

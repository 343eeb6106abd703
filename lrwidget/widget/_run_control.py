"""The commands of the Train panel: each becomes work for a trainer's queue, never a wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lrwidget.training import Pause, Resume, SetPace, Step, Stop
from lrwidget.widget._run_edits import RunEdits
from lrwidget.widget._run_feed import ENDED
from lrwidget.widget._run_moves import RunMoves
from lrwidget.widget._steering import SOURCE, Steering

if TYPE_CHECKING:
    from lrwidget.training import Command
    from lrwidget.widget._run_feed import Run, RunFeed

# A stopped run ends after the chunk in hand; compiling may take a minute.
_LONGEST_WAIT = 120.0


class RunControl:
    """Starts runs and passes commands to the one that is shown.

    Parameters
    ----------
    lock
        Held while it is decided that a run may begin.
    current
        Returns the trainer that is shown, or None.
    feed
        Returns how it is shown, or None.
    show
        Shows a trainer, before it is started.
    make
        Returns a new trainer for the schedule as designed now, given the pace.
    finding
        Returns whether a range test is running.
    pace
        The most steps a second of the next run, or None.
    """

    def __init__(
        self,
        *,
        lock: threading.Lock,
        current: Callable[[], Run | None],
        feed: Callable[[], RunFeed | None],
        show: Callable[[Any], None],
        make: Callable[[float | None], Run],
        finding: Callable[[], bool],
        pace: float | None,
    ) -> None:
        self.pace = pace
        # Runs of widgets that this one replaces: they end before one of its own begins.
        self.predecessors: list[Run] = []
        self._current = current
        self._show = show
        self._make = make
        self._finding = finding
        self._lock = lock
        self._beginning = False
        self._unwanted = False
        self._steering = Steering(current, feed)
        self._edits = RunEdits(self._steering)
        self._moves = RunMoves(self._steering, self._refuse_finding)

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""
        return {
            "train.start": self._on_start,
            "train.pause": lambda: self._steering.submit(Pause(source=SOURCE)),
            "train.resume": self._on_resume,
            "train.step": self._on_step,
            "train.stop": lambda: self._steering.submit(Stop(source=SOURCE)),
            "train.restart": self._on_restart,
            "train.pace": self._on_pace,
            **self._edits.handlers(),
            **self._moves.handlers(),
        }

    @property
    def active(self) -> bool:
        """Whether a run is about to begin, or takes steps."""
        trainer = self._current()
        return self._beginning or (
            trainer is not None and trainer.state in ("compiling", "running")
        )

    @property
    def beginning(self) -> bool:
        """Whether a run is about to begin."""
        return self._beginning

    def submit(self, command: Command) -> Future[dict[str, int]]:
        """Give the run that is shown a command, after all that a page has sent before."""
        return self._steering.submit(command)

    def stop(self) -> None:
        """Ask the run that is shown to end, if one goes on or is about to."""
        with self._lock:
            self._unwanted = self._beginning
        trainer = self._current()
        if trainer is not None and trainer.state not in ("idle", *ENDED):
            trainer.submit(Stop(source=SOURCE))

    # ---- beginning a run ----------------------------------------------------------------------

    def _on_start(self) -> Future[dict[str, int]]:
        self._refuse_begun()
        return self._begin(lambda: _started(self._fresh()))

    def _on_step(self, steps: int) -> Future[dict[str, int]]:
        self._refuse_finding()
        trainer = self._current()
        if trainer is not None and trainer.state != "idle":
            return self._steering.submit(Step(steps=steps, source=SOURCE))
        command = Step(steps=steps, source=SOURCE)
        return self._begin(lambda: self._fresh().submit(command).result())

    def _on_restart(self) -> Future[dict[str, int]]:
        return self._begin(self._restart)

    def _restart(self) -> int:
        old = self._current()
        if old is not None and old.state not in ("idle", *ENDED):
            old.submit(Stop(source=SOURCE))
            _await_end([old])
        trainer = self._make(self.pace)
        self._show(trainer)
        return _started(trainer)

    def _fresh(self) -> Run:
        """Return the trainer to start: one that was shown and never begun, else a new one."""
        trainer = self._current()
        if trainer is None or trainer.state != "idle":
            trainer = self._make(self.pace)
            self._show(trainer)
        return trainer

    def _begin(self, begin: Callable[[], int]) -> Future[dict[str, int]]:
        """Begin a run on a thread: preparing one copies weights and may wake up a device.

        `begin` returns the step from which the run goes.
        """
        with self._lock:
            self._refuse_finding()
            if self._beginning:
                raise ValueError("a run is being started already")
            self._beginning = True
        confirmed: Future[dict[str, int]] = Future()

        def work() -> None:
            try:
                try:
                    _await_end(self.predecessors)
                    self.predecessors = []
                    step = begin()
                finally:
                    with self._lock:
                        self._beginning, unwanted = False, self._unwanted
                        self._unwanted = False
                if unwanted:
                    self.stop()
                confirmed.set_result({"step": step})
            except Exception as error:  # noqa: BLE001  (what the person's code raises is the reply)
                confirmed.set_exception(error)

        threading.Thread(target=work, name="lrwidget-begin", daemon=True).start()
        return confirmed

    def _refuse_finding(self) -> None:
        if self._finding():
            raise ValueError("a range test is running: wait for its end, or stop it in Find")

    def _refuse_begun(self) -> None:
        trainer = self._current()
        if trainer is None or trainer.state == "idle":
            return
        if trainer.state in ENDED:
            raise ValueError(f"this run is {trainer.state}: Restart begins a new one")
        raise ValueError(f"the run has been started already and is {trainer.state}")

    # ---- commands to a run --------------------------------------------------------------------

    def _on_resume(self) -> Future[dict[str, int]]:
        self._refuse_finding()
        return self._steering.submit(Resume(source=SOURCE))

    def _on_pace(self, steps_per_second: float | None) -> Future[dict[str, int]] | None:
        # A pace is also wanted of the runs to come.
        self.pace = steps_per_second
        trainer = self._current()
        if trainer is None or trainer.state in ENDED:
            return None
        return self._steering.submit(SetPace(steps_per_second=steps_per_second, source=SOURCE))


def _started(run: Run) -> int:
    """Start a run, and return the step from which it goes."""
    step = run.position  # asked for before it goes: this thread may be late
    run.start()
    return step


def _await_end(trainers: Iterable[Run]) -> None:
    for trainer in trainers:
        if trainer.state not in ("idle", *ENDED):
            trainer.wait(timeout=_LONGEST_WAIT)

"""The run that a page steers: which it is, and how it is given commands in their order."""

from __future__ import annotations

import collections
import concurrent.futures
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from lrwidget.widget._run_status import of_task

if TYPE_CHECKING:
    from lrwidget.training import Command
    from lrwidget.widget._run_feed import Run, RunFeed

SOURCE = "widget"
"""What the journal says of where a command came from."""

Value = TypeVar("Value")

# A command is answered within two chunks; compiling may take a minute.
_LONGEST_WAIT = 120.0


class Steering:
    """The way of a page's commands to the run that is shown.

    A command that a run's queue takes is on its way at once. What has to wait for the run (a fork,
    a rewind with its replay) is done on a thread, and what comes after it waits behind it there,
    so that everything takes effect in the order in which it was sent.

    Parameters
    ----------
    current
        Returns the run that is shown, or None.
    feed
        Returns how it is shown, or None.
    """

    def __init__(
        self, current: Callable[[], Run | None], feed: Callable[[], RunFeed | None]
    ) -> None:
        self.current = current
        self._feed = feed
        self._guard = threading.Lock()
        self._waiting: collections.deque[Callable[[], None]] = collections.deque()
        self._working = False
        self._newest: Future[Any] | None = None

    # ---- the run ------------------------------------------------------------------------------

    def run(self) -> Run:
        """Return the run, or raise a ValueError."""
        run = self.current()
        if run is None:
            raise ValueError("there is no run yet: press Start")
        return run

    def task_run(self, what: str) -> Any:
        """Return the run if it is one of a task, or raise a ValueError that names `what`."""
        run = self.run()
        if not of_task(run):
            raise ValueError(
                f"{what} needs a Trainer's run: what a loop of one's own has been through is not "
                "kept"
            )
        return run

    def feed(self) -> RunFeed:
        """Return how the run is shown, or raise a ValueError."""
        feed = self._feed()
        if feed is None:
            raise ValueError("there is no run yet: press Start")
        return feed

    def address(self, address: str | None) -> str:
        """Return a full address: of what is meant, by default of what is watched."""
        run = self.run()
        if address is not None:
            return run.chain.resolve(address)
        found = self.feed().address
        if found is None:
            raise ValueError("this run has no learning rate that can change while it runs")
        return found

    # ---- commands -----------------------------------------------------------------------------

    def submit(self, command: Command) -> Future[dict[str, int]]:
        """Give the run a command; the reply names the first step that felt it."""
        run = self.run()
        return self.after_others(lambda: run.submit(command), stepped)

    def do(self, work: Callable[[], Any], reply: Callable[[Any], Any]) -> Future[Any]:
        """Do what may have to wait, on a thread, after everything that was sent before."""
        settled: Future[Any] = Future()

        def go() -> None:
            # What looks at the run must not overtake what its queue still holds.
            if self._newest is not None:
                concurrent.futures.wait([self._newest], _LONGEST_WAIT)
            _settle(settled, work, reply)

        self._enqueue(go)
        return settled

    def after_others(
        self, submit: Callable[[], Future[Value]], reply: Callable[[Value], Any]
    ) -> Future[Any]:
        """Submit a command: at once, or behind what is still being done."""
        settled: Future[Any] = Future()

        def go() -> None:
            try:
                given = submit()
            except Exception as error:  # noqa: BLE001  (the reply says it)
                settled.set_exception(error)
                return
            self._newest = given
            given.add_done_callback(lambda done: _pass_on(done, settled, reply))

        with self._guard:
            busy = self._working
            if busy:
                self._waiting.append(go)
        if not busy:
            go()
        return settled

    def _enqueue(self, work: Callable[[], None]) -> None:
        with self._guard:
            self._waiting.append(work)
            if self._working:
                return
            self._working = True
        threading.Thread(target=self._work, name="lrwidget-steering", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._working = False
                    return
                work = self._waiting.popleft()
            work()


def stepped(step: int) -> dict[str, int]:
    """Return the reply that names a step."""
    return {"step": step}


def apart(work: Callable[[], Any]) -> Future[Any]:
    """Do what others need not wait for, on a thread of its own."""
    settled: Future[Any] = Future()
    threading.Thread(
        target=lambda: _settle(settled, work, lambda value: value),
        name="lrwidget-steering",
        daemon=True,
    ).start()
    return settled


def _settle(settled: Future[Any], work: Callable[[], Any], reply: Callable[[Any], Any]) -> None:
    try:
        settled.set_result(reply(work()))
    except Exception as error:  # noqa: BLE001  (the reply says it)
        settled.set_exception(error)


def _pass_on(done: Future[Any], settled: Future[Any], reply: Callable[[Any], Any]) -> None:
    if done.cancelled():
        settled.cancel()
    elif (error := done.exception()) is not None:
        settled.set_exception(error)
    else:
        settled.set_result(reply(done.result()))

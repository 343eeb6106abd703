"""The commands of the Find panel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lrwidget.widget._search import IDLE, Search

if TYPE_CHECKING:
    from lrwidget.finding import LRSweep
    from lrwidget.optimizers import Chain
    from lrwidget.training import Task


class SearchControl:
    """Starts range tests, one at a time, and stops them.

    Parameters
    ----------
    task
        What is trained.
    lock
        Held while it is decided that a range test may begin.
    chain
        Returns the chain to test with.
    training
        Returns whether a run takes steps.
    changed
        Called whenever there is something to publish, on any thread.
    found
        Called with each finished sweep, on the range test's thread.
    """

    def __init__(
        self,
        task: Task,
        *,
        lock: threading.Lock,
        chain: Callable[[], Chain],
        training: Callable[[], bool],
        changed: Callable[[], None],
        found: Callable[[LRSweep], None],
    ) -> None:
        self.newest: Search | None = None
        self._task = task
        self._lock = lock
        self._chain = chain
        self._training = training
        self._changed = changed
        self._found = found

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""
        return {"find.start": self._on_start, "find.stop": self._on_stop}

    @property
    def running(self) -> bool:
        """Whether a range test is running."""
        return self.newest is not None and self.newest.running

    def status(self) -> dict[str, Any]:
        """Return the ``_find`` trait."""
        return IDLE if self.newest is None else self.newest.status()

    def cancel(self) -> None:
        """Ask the range test that runs, if one does, to end after its chunk."""
        if self.newest is not None:
            self.newest.cancel()

    def _on_start(self, low: float, high: float, steps: int) -> None:
        if not low < high:
            raise ValueError(f"high must be a finite number > {low:g}, got {high:g}")
        with self._lock:
            if self.running:
                raise ValueError("a range test is running already")
            if self._training():
                raise ValueError("the run is training: pause it or stop it before a range test")
            search = Search(
                self._task,
                self._chain(),
                {"low": low, "high": high, "steps": steps},
                first_seq=0 if self.newest is None else self.newest.seq,
                changed=self._changed,
                finished=self._found,
            )
            self.newest = search
        search.start()
        self._changed()

    def _on_stop(self) -> Future[dict[str, Any]]:
        search = self.newest
        if search is None or not search.running:
            raise ValueError("no range test is running")
        search.cancel()
        return search.done

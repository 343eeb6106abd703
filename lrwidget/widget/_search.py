"""A range test that runs on a thread of its own, as the publisher sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.widget._stream import Stream

if TYPE_CHECKING:
    from lrwidget.finding import LRSweep, Progress
    from lrwidget.optimizers import Chain
    from lrwidget.training import Task

_RATE = "learning_rate"
SETTINGS = {"low": 1e-7, "high": 10.0, "steps": 100}
"""What the panel offers before the first range test."""

IDLE: dict[str, Any] = {
    "state": "idle",
    "progress": 0.0,
    "settings": SETTINGS,
    "suggestions": {},
    "silent": {},
    "diverged_at": None,
    "stopped": None,
    "gradient_steps": 0,
    "error": None,
}
"""The status before the first range test."""


class Search:
    """One range test.

    Parameters
    ----------
    task, chain
        What is trained, and with what.
    settings
        ``low``, ``high`` and ``steps`` of `lrwidget.find_lr`.
    first_seq
        The number of the last delta of the search before: numbers go on across searches.
    changed
        Called after each chunk and at the end, on the search's thread.
    finished
        Called with the sweep when there is one, on the search's thread.
    """

    def __init__(
        self,
        task: Task,
        chain: Chain,
        settings: dict[str, Any],
        *,
        first_seq: int,
        changed: Callable[[], None],
        finished: Callable[[LRSweep], None],
    ) -> None:
        self.done: Future[dict[str, Any]] = Future()
        self.key: object = object()
        self._task, self._chain, self._settings = task, chain, settings
        self._changed, self._finished = changed, finished
        self._stream = Stream("find", x=_RATE, wide=frozenset({_RATE}))
        self._stream.seq = first_seq
        self._columns: dict[str, NDArray[Any]] = {}
        self._taken = 0
        self._cancel = threading.Event()
        self._end: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._run, name="lrwidget-find", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Ask for the end after the running chunk."""
        self._cancel.set()

    @property
    def running(self) -> bool:
        """Whether it has not come to its end."""
        return not self._end

    def status(self) -> dict[str, Any]:
        """Return the ``_find`` trait."""
        state = self._end or {"state": "running"}
        rows = len(self._columns.get(_RATE, ()))
        progress = 1.0 if self._end else rows / self._settings["steps"]
        return {**IDLE, "settings": self._settings, "progress": progress, **state}

    # ---- the feed -----------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """The number of the last delta."""
        return self._stream.seq

    @property
    def settled(self) -> bool:
        """Whether it has come to its end."""
        return not self.running

    def fresh(self) -> bool:
        """Return whether there are points that no delta has carried."""
        return len(self._columns.get(_RATE, ())) > self._taken

    def delta(self) -> tuple[dict[str, Any], list[bytes]]:
        """Take the new points and return them as a message and its buffers."""
        columns = self._columns
        new = {name: values[self._taken :] for name, values in columns.items()}
        self._taken = len(columns[_RATE])
        message, buffers = self._stream.delta(new, {})
        del message["valid"]
        return message, buffers

    def snapshot(self) -> dict[str, Any]:
        """Return the ``_sweep`` trait."""
        whole = self._stream.snapshot()
        return {"seq": whole["seq"], "columns": whole["columns"]}

    # ---- its thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        from lrwidget.finding import find_lr

        try:
            sweep = find_lr(
                self._task,
                self._chain,
                **self._settings,
                on_progress=self._progress,
                cancel=self._cancel,
            )
        except Exception as error:  # noqa: BLE001  (the person's own loss function may raise anything)
            self._end = {"state": "failed", "error": f"{type(error).__name__}: {error}"}
        else:
            self._end = {
                "state": "stopped" if sweep.stopped == "cancelled" else "done",
                "progress": len(sweep.losses) / sweep.steps,
                "suggestions": {name: float(rate) for name, rate in sweep.suggestions.items()},
                "silent": dict(sweep.silent),
                "diverged_at": sweep.diverged_at,
                "stopped": sweep.stopped,
                "gradient_steps": sweep.gradient_steps,
            }
            self._finished(sweep)
        self._changed()
        self.done.set_result({"state": self._end["state"]})

    def _progress(self, so_far: Progress) -> None:
        # One assignment: the publisher reads on another thread.
        self._columns = {
            _RATE: so_far.learning_rates,
            "loss": np.asarray(so_far.losses),
            "smoothed": np.asarray(so_far.smoothed),
        }
        self._changed()

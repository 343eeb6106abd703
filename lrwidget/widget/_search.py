"""A range test and the probes after it, on a thread of their own, as the publisher sees them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.widget._advice_search import AdviceSearch
from lrwidget.widget._find_state import IDLE
from lrwidget.widget._probes_view import NO_PROBES
from lrwidget.widget._rest import Place
from lrwidget.widget._steering import SOURCE
from lrwidget.widget._stream import Stream

if TYPE_CHECKING:
    from lrwidget.finding import LRSweep, Progress
    from lrwidget.optimizers import Chain
    from lrwidget.training import Task, Trainer

_RATE = "learning_rate"
# What of the settings is for the range test.
_SWEEP_SETTINGS = ("low", "high", "steps", "seeds", "ladder", "loss")
# What the second part spends, about, in gradient steps: for the bar only.
_COSTS = {"none": 0, "quick": 400, "thorough": 3000}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is searched for.

    Attributes
    ----------
    task, chain
        What is trained, and with what.
    settings
        The fields of ``find.start``.
    steps
        The length of the run that the rate is for; None where the chain knows it.
    trainer
        The run whose present state it begins from; None for the initial weights.
    """

    task: Task
    chain: Chain
    settings: dict[str, Any]
    steps: int | None
    trainer: Trainer | None = None


class Search:
    """One search: a range test, and after it, unless the budget is ``"none"``, an advice.

    Parameters
    ----------
    asked
        What is searched for.
    before
        The search before this one, or None: the numbers of what is sent go on.
    changed
        Called after each chunk and at the end, on the search's thread.
    found
        Called with what the widget's attributes ``sweep``, ``advice`` and ``probe`` are by now, on
        the search's thread.
    """

    def __init__(
        self,
        asked: Asked,
        before: Search | None,
        *,
        changed: Callable[[], None],
        found: Callable[[dict[str, Any]], None],
    ) -> None:
        self.done: Future[dict[str, Any]] = Future()
        self.key: object = object()
        self.place: Place | None = None
        self._asked = asked
        self._changed, self._found = changed, found
        self._columns: dict[str, NDArray[Any]] = {}
        seq = 0 if before is None else before.seq
        self._stream = Stream("find", x=_RATE, wide=frozenset({_RATE}), seq=seq)
        self._taken = 0
        self._first_probes = 1 if before is None else before.probes_seq + 1
        self._cancel = threading.Event()
        self._phase: str | None = "sweep"
        self._share = 0.0
        self._swept: dict[str, Any] = {}
        self._advice: AdviceSearch | None = None
        self._end: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._run, name="lrwidget-find", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Ask for the end after the chunk that runs or compiles; the page is told at once."""
        self._cancel.set()
        self._changed()

    @property
    def running(self) -> bool:
        """Whether it has not come to its end."""
        return not self._end

    def status(self) -> dict[str, Any]:
        """Return the ``_find`` trait."""
        end, advice = self._end, self._advice
        return {
            **IDLE,
            "state": "running",
            "phase": self._phase,
            "progress": self._done_share(),
            "stopping": self._cancel.is_set(),
            "settings": self._asked.settings,
            "validation": self._asked.task.validates,
            "objective": self._asked.settings["loss"],
            **self._swept,
            "advice": None if advice is None else advice.status(),
            "curvature": None if advice is None else advice.curvature(),
            **end,
        }

    def _done_share(self) -> float:
        settings, advice = self._asked.settings, self._advice
        sweep, probes = settings["steps"] * settings["seeds"], _COSTS[settings["budget"]]
        share = 0.0 if advice is None else advice.share
        return float((self._share * sweep + share * probes) / (sweep + probes))

    # ---- the feed: the points of the range test -----------------------------------------------

    @property
    def seq(self) -> int:
        """The number of the last delta."""
        return self._stream.seq

    @property
    def settled(self) -> bool:
        """Whether no more points come."""
        return self._phase != "sweep"

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

    # ---- the probes ---------------------------------------------------------------------------

    @property
    def probes_seq(self) -> int:
        """The number of the present state of the probes."""
        advice = self._advice
        return self._first_probes + (0 if advice is None else advice.changes)

    def probes(self) -> dict[str, Any]:
        """Return the ``_probes`` trait."""
        seq, advice = self.probes_seq, self._advice
        return {**NO_PROBES, "seq": seq} if advice is None else advice.probes(seq)

    # ---- its thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._at_rest():
                end = self._search()
        except Exception as error:  # noqa: BLE001  (the person's own loss function may raise anything)
            end = {"state": "failed", "error": f"{type(error).__name__}: {error}"}
        self._phase = None
        # A run that is over by then is not kept for what was found in it.
        self._asked = dataclasses.replace(self._asked, trainer=None)
        self._end = {"progress": 1.0, "phase": None, "stopping": False, **end}
        self._changed()
        self.done.set_result({"state": self._end["state"]})

    def _search(self) -> dict[str, Any]:
        asked, sweep = self._asked, self._sweep()
        # What was advised before belongs to another sweep.
        self._found({"advice": None, "probe": None, "sweep": sweep})
        self._note(sweep)
        if asked.settings["budget"] == "none":
            return {"state": "stopped" if sweep.stopped == "cancelled" else "done"}
        if self._cancel.is_set():
            return {"state": "stopped"}
        self._phase = "probes"
        search = self._advice = AdviceSearch(
            asked.steps, asked.settings, cancel=self._cancel, changed=self._changed
        )
        self._changed()
        if (advice := search.run(asked.task, asked.chain, asked.trainer)) is not None:
            self._found({"advice": advice, "probe": advice.evidence.probe})
        return {"state": "stopped" if search.state == "stopped" else "done"}

    def _sweep(self) -> LRSweep:
        from lrwidget.finding import find_lr

        settings = self._asked.settings
        return find_lr(
            self._asked.task,
            self._asked.chain,
            **{name: settings[name] for name in _SWEEP_SETTINGS},
            start=self._asked.trainer,
            on_progress=self._progress,
            cancel=self._cancel,
        )

    def _note(self, sweep: LRSweep) -> None:
        """Tell the page of a range test, once the widget has it."""
        self._share = 1.0
        self._swept = {
            "objective": sweep.objective,
            "suggestions": {name: float(rate) for name, rate in sweep.suggestions.items()},
            "spread": {name: list(ends) for name, ends in sweep.spread.items()},
            "silent": dict(sweep.silent),
            "left_out": list(sweep.left_out),
            "diverged_at": sweep.diverged_at,
            "stopped": sweep.stopped,
            "gradient_steps": sweep.gradient_steps,
        }

    @contextlib.contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Hold the run, where it begins from one, through both parts; then let it go on."""
        from lrwidget.finding._start import at_rest

        trainer = self._asked.trainer
        if trainer is None:
            yield
            return
        with at_rest(trainer, SOURCE):
            self.place = Place.of(trainer)
            yield

    def _progress(self, so_far: Progress) -> None:
        columns = {
            _RATE: so_far.learning_rates,
            "loss": np.asarray(so_far.losses),
            "smoothed": np.asarray(so_far.smoothed),
        }
        if so_far.band is not None:
            columns["band_low"], columns["band_high"] = so_far.band
        self._share = len(columns[_RATE]) / self._asked.settings["steps"]
        # One assignment: the publisher reads on another thread.
        self._columns = columns
        self._changed()

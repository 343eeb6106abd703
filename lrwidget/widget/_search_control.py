"""The commands of the Find panel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from lrwidget.optimizers import chain_of
from lrwidget.training import Scale
from lrwidget.widget._find_state import SETTINGS, first_state
from lrwidget.widget._probes_view import NO_PROBES
from lrwidget.widget._rate import rate_of
from lrwidget.widget._rest import Place, factor_for
from lrwidget.widget._run_feed import ENDED
from lrwidget.widget._search import Asked, Search
from lrwidget.widget._static import steps_text
from lrwidget.widget._steering import SOURCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lrwidget.optimizers import Chain
    from lrwidget.schedules import Schedule
    from lrwidget.training import Task, Trainer
    from lrwidget.widget._run_control import RunControl
    from lrwidget.widget._tracks import Design, Tracks

# At so many places two schedules are compared.
_SAMPLES = 257


class SearchControl:
    """Starts searches, one at a time, stops them, and gives what they find to a run.

    Parameters
    ----------
    task
        What is trained.
    lock
        Held while it is decided that a search may begin.
    design
        Returns the design to search with.
    current
        Returns the trainer that is shown, or None.
    runs
        What steers that trainer.
    changed
        Called whenever there is something to publish, on any thread.
    found
        Called with what a search has found, by attribute of the widget, on the search's thread.
    """

    def __init__(
        self,
        task: Task,
        *,
        lock: threading.Lock,
        design: Callable[[], Design],
        current: Callable[[], Trainer | None],
        runs: RunControl,
        changed: Callable[[], None],
        found: Callable[[dict[str, Any]], None],
    ) -> None:
        self.newest: Search | None = None
        self._searched: Design | None = None
        self._compared: tuple[Design | None, Design, str | None] | None = None
        self._idle: dict[str, Any] = first_state(task)["_find"]
        self._task = task
        self._lock = lock
        self._design = design
        self._current = current
        self._runs = runs
        self._changed = changed
        self._found = found

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""
        return {"find.start": self._on_start, "find.stop": self._on_stop}

    @property
    def running(self) -> bool:
        """Whether a search is running."""
        return self.newest is not None and self.newest.running

    def status(self) -> dict[str, Any]:
        """Return the ``_find`` trait."""
        if self.newest is None:
            return self._idle
        return {**self.newest.status(), "outdated": self._outdated()}

    def probes(self) -> dict[str, Any]:
        """Return the ``_probes`` trait."""
        return NO_PROBES if self.newest is None else self.newest.probes()

    def probes_seq(self) -> int:
        """Return the number of its present state."""
        return 0 if self.newest is None else self.newest.probes_seq

    def cancel(self) -> None:
        """Ask the search that runs, if one does, to end after its chunk."""
        if self.newest is not None:
            self.newest.cancel()

    def _on_start(self, **given: Any) -> None:
        from lrwidget.finding._arguments import check_valid_loss

        settings = {**SETTINGS, **given}
        low, high = settings["low"], settings["high"]
        if not low < high:
            raise ValueError(f"high must be a finite number > {low:g}, got {high:g}")
        if settings["loss"] == "valid" and not self._task.validates:
            raise ValueError(
                "loss must be 'train' here, got 'valid': this task has no validation data, which "
                "Task(…, valid=…) gives it"
            )
        if settings["loss"] == "valid":
            check_valid_loss(self._task)
        with self._lock:
            if self.running:
                raise ValueError("a range test is running already")
            # From the middle of a run it is about that run, whatever is designed meanwhile.
            design = None if settings["from"] == "here" else self._design()
            search = Search(
                self._asked(settings, design), self.newest, changed=self._changed, found=self._found
            )
            # In this order: the publisher reads on another thread, the search first.
            self._searched, self.newest = design, search
        search.start()
        self._changed()

    def _asked(self, settings: dict[str, Any], design: Design | None) -> Asked:
        if design is None:
            trainer = self._under_way()
            Place.of(trainer)  # raises where no rate could be changed
            return Asked(
                task=self._task,
                chain=trainer.chain,
                settings=settings,
                steps=None,  # what is left of it, when it has come to rest
                trainer=trainer,
            )
        if self._runs.active:
            raise ValueError(
                "the run is training: pause it or stop it before a range test, or check again from "
                "here"
            )
        from lrwidget.finding._arguments import FEWEST_STEPS

        return Asked(
            task=self._task,
            chain=chain_of(design.chain),
            settings=settings,
            steps=max(design.schedule.steps or 0, FEWEST_STEPS),
        )

    def _outdated(self) -> str | None:
        """Return what of the design has changed since the search began, in words."""
        before, now = self._searched, self._design()
        if before is None or before is now:
            return None
        known = self._compared
        # Designs never change, and this is read with every message.
        if known is None or known[0] is not before or known[1] is not now:
            known = self._compared = before, now, change_between(before, now)
        return known[2]

    def _under_way(self) -> Trainer:
        """Return the run from the middle of which it can be searched, or raise a ValueError."""
        trainer = self._current()
        if self._runs.beginning:
            raise ValueError("a run is being started: wait until it trains")
        if trainer is None or trainer.state == "idle":
            raise ValueError("there is no run yet: press Start, or find from the start")
        if trainer.state in ENDED or trainer.position >= trainer.steps:
            said = trainer.state if trainer.state in ENDED else "at its end"
            raise ValueError(
                f"this run is {said}, and nothing is left of it for which a rate could be found: "
                "find from the start"
            )
        return trainer

    def _on_stop(self) -> Future[dict[str, Any]]:
        search = self.newest
        if search is None or not search.running:
            raise ValueError("no range test is running")
        search.cancel()
        return search.done

    def use_here(self, learning_rate: float) -> Future[dict[str, int]]:
        """Scale what is left of the run so that a rate that was found is the highest of it.

        Where it was found in the middle of this run, that is for the curve from that point on.
        """
        now = Place.of(self._under_way())
        found = None if self.newest is None else self.newest.place
        factor = factor_for(now, learning_rate, found)
        return self._runs.submit(Scale(factors={now.address: factor}, source=SOURCE))


def change_between(before: Design, now: Design) -> str | None:
    """Return what makes a rate for one design none for another; None where its height alone did.

    Parameters
    ----------
    before
        The design that was searched.
    now
        What it has become.
    """
    if not _alike(_without_rate(before), _without_rate(now)):
        return "The optimizer chain has changed since: find again for this one."
    old, new = before.schedule, now.schedule
    if old.steps != new.steps:
        was, now_is = (steps_text(each.steps or 0) for each in (old, new))
        return f"The schedule's length has changed since, from {was} to {now_is}: find again."
    if not np.allclose(_form(old), _form(new), rtol=1e-3, atol=1e-3):
        return "The form of the schedule has changed since: find again for this one."
    return None


def _alike(before: object, now: object) -> bool:
    try:
        return before == now
    except ValueError:  # of arrays among the arguments
        return False


def _without_rate(design: Design) -> tuple[Chain | None, Tracks]:
    base = design.base
    return None if base is None else base.replace({rate_of(base): 1.0}), design.tracks


def _form(schedule: Schedule) -> NDArray[np.float64]:
    """Return the curve at some steps, as shares of its peak."""
    steps = np.linspace(0, schedule.steps or 1, _SAMPLES)
    return np.asarray(schedule(steps)) / (schedule.peak_value or 1.0)

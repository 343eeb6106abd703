"""What an `LRWidget` does with a `LiveControl` in the place of a task."""

from __future__ import annotations

import dataclasses
import os
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lrwidget.schedules import Schedule
from lrwidget.widget._file import DesignFile
from lrwidget.widget._opening import opened
from lrwidget.widget._rate import rate_of
from lrwidget.widget._run_control import RunControl
from lrwidget.widget._run_feed import Ghost, RunFeed, Watch
from lrwidget.widget._tracks import Design

if TYPE_CHECKING:
    from lrwidget.training import LiveControl
    from lrwidget.widget._search import Search


class LiveView:
    """The runs of a `LiveControl` on their way to the browser, and the design on its way to them.

    Parameters
    ----------
    live
        The control.
    design
        The first design.
    given
        Whether that is another than the control came with.
    """

    panels = ("design", "train")

    def __init__(self, live: LiveControl, design: Design, *, given: bool) -> None:
        self.live = live
        self._watch = Watch()
        self._idle = live.state == "idle"
        self._runs = 0 if self._idle else 1
        self.feed = RunFeed(self._runs, live.current, watch=self._watch)
        self._ghost: Ghost | None = None
        self._guard = threading.Lock()
        self._steps = live.chain.steps
        self._changed: Callable[[], None] = lambda: None
        self._unsubscribe = live.subscribe(lambda _: self._follow())
        self._control = RunControl(
            lock=threading.Lock(),
            current=lambda: self.live.current,
            feed=lambda: self.feed,
            show=lambda _: None,  # the control's newest run is what is shown
            make=self.live.restart,
            finding=lambda: False,
            pace=self.live.pace,
        )
        if given:
            self.follow(design)
        self._steps = design.schedule.steps

    def open(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever there is something to publish, on any thread."""
        self._changed = changed
        changed()

    def status(self) -> dict[str, Any]:
        """Return the ``_train`` trait."""
        return self.feed.status()

    def search(self) -> Search | None:
        """Return None: there are no range tests."""
        return None

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""
        return self._control.handlers()

    def runs(self) -> list[Any]:
        """Return the newest run."""
        return [self.live.current]

    def succeed(self, runs: Iterable[Any]) -> None:
        """Begin no run before these have ended."""
        self._control.predecessors = list(runs)

    def retire(self) -> None:
        """Stop the run: another widget takes over."""
        self._control.stop()

    def follow(self, design: Design) -> None:
        """Have the next run begin with a design: at once if none has begun."""
        steps = design.schedule.steps
        if design.chain is not None:
            # A run may be longer than its curve, as long as nobody stretches that.
            self.live.prepare(design.chain, None if steps == self._steps else steps)
        self._steps = steps

    def close(self) -> None:
        """Look no longer. The loop goes on: it is the person's."""
        self._unsubscribe()

    def _follow(self) -> None:
        with self._guard:
            before, run = self.feed, self.live.current
            idle = run.state == "idle"
            # As with a trainer, a run has a number from its beginning on.
            if run is not before.trainer or (self._idle and not idle):
                self._runs += not idle
                if run is not before.trainer and len(before.trainer.history):
                    self._ghost = before.ghost()
                self.feed = RunFeed(self._runs, run, self._ghost, watch=self._watch)
            self._idle = idle
        self._changed()


def opened_for(
    live: LiveControl, schedule: Schedule | None, path: str | os.PathLike[str] | None
) -> tuple[Design, DesignFile | None]:
    """Return the design with which a widget opens for a control, and the file where it is kept."""
    number = not isinstance(live.chain.value(rate_of(live.chain)), Schedule)
    steps = live.steps if schedule is None and number else None
    own, _ = opened(schedule, None, live.chain, steps=steps)
    design, file = opened(schedule, None, live.chain, steps=steps, path=path, needed=True)
    if file is not None and design.chain is not None:
        try:
            live.check(design.chain)
        except ValueError as error:
            # Kept with other links than those of which the loop's optimizer is made by now.
            design = own.replaced(design.schedule).joined(design.tracks)
            left_out = ["the chain", *design.left_out]
            file.mistrust(f"Of {file.name} this design leaves out {', '.join(left_out)}: {error}.")
            warnings.warn(str(file.warning), stacklevel=4)
            design = dataclasses.replace(design, left_out=())
    if design.schedule.steps is None:
        design = design.stretched(live.steps)
    return design, file


def view_of(live: LiveControl) -> Any:
    """Return the widget that a control displays as: one, however often it is displayed."""
    from lrwidget.widget._workbench import LRWidget

    if live.shown is None or live.shown.comm is None:
        live.shown = LRWidget(live)
    return live.shown

"""What an `LRWidget` does with a task: its runs and its searches, one at a time."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lrwidget.optimizers import chain_of
from lrwidget.training import Stop, Trainer
from lrwidget.training._guard import guard_of
from lrwidget.widget._branches import Branches
from lrwidget.widget._run_control import RunControl
from lrwidget.widget._run_feed import ENDED, RunFeed, Watch
from lrwidget.widget._run_status import idle_status
from lrwidget.widget._search_control import SearchControl

if TYPE_CHECKING:
    from lrwidget.training import Guard, Task
    from lrwidget.widget._search import Search
    from lrwidget.widget._tracks import Design


class TaskView:
    """The runs of a task on their way to the browser, and a page's commands on their way to them.

    Parameters
    ----------
    task
        What is trained.
    design
        Returns the design with which the next run begins.
    pace
        The most steps a second of the next run, or None.
    guard
        What the next run does if it diverges; None for what a `Trainer` does by itself.
    like
        A trainer of the person's own, whose options the next run has too; None for none.
    current
        Returns the trainer that is shown, or None.
    show
        Has a new trainer shown.
    found
        Called with what a search has found, by attribute of the widget.
    """

    panels = ("find", "design", "train")

    def __init__(
        self,
        task: Task,
        *,
        design: Callable[[], Design],
        pace: float | None,
        guard: str | Guard | None,
        like: Trainer | None,
        current: Callable[[], Trainer | None],
        show: Callable[[Trainer], None],
        found: Callable[[dict[str, Any]], None],
    ) -> None:
        self.feed: RunFeed | None = None
        self._task = task
        self._design = design
        self._changed: Callable[[], None] = lambda: None
        self._options: dict[str, Any] = {} if guard is None else {"guard": guard_of(guard)}
        if like is not None:
            options = like.options
            self._options = {
                "valid_every": options.valid_every,
                "snapshots": options.keep,
                "guard": options.guard,
                "measure": options.measure,
                "early_stopping": options.early_stopping,
                "callbacks": options.callbacks,
            }
        self._watch = Watch()
        self._branches = Branches(self._wake)
        self._own: weakref.WeakSet[Trainer] = weakref.WeakSet()
        self._unsubscribe: Callable[[], None] | None = None
        self._runs = 0
        # A run and a search exclude each other: both begin under this lock.
        lock = threading.Lock()
        self.control = RunControl(
            lock=lock,
            current=current,
            feed=lambda: self.feed,
            show=show,
            make=self._make,
            finding=lambda: self.searches.running,
            pace=pace,
        )
        self.searches = SearchControl(
            task,
            lock=lock,
            design=design,
            current=current,
            runs=self.control,
            changed=self._wake,
            found=found,
        )

    def open(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever there is something to publish, on any thread."""
        self._changed = changed

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""
        return {**self.control.handlers(), **self.searches.handlers()}

    def search(self) -> Search | None:
        """Return the newest search."""
        return self.searches.newest

    def status(self) -> dict[str, Any]:
        """Return the ``_train`` trait."""
        if self.feed is not None:
            status = self.feed.status()
        else:
            now = self._design()
            chain = chain_of(now.chain)
            status = idle_status(self._task, chain, now.schedule, self._runs, self.control.pace)
        return {**status, "state": "finding"} if self.searches.running else status

    def follow(self, design: Design) -> None:
        """Tell the page: a run that has begun keeps its chain, what was found is of another."""
        self._changed()

    def show(self, old: Trainer | None, new: Trainer | None) -> None:
        """Show another trainer."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        before = self.feed
        if old is not None and (old in self._own or old.state in ENDED):
            # Nothing on the page would stop it any more, nor its forks.
            stop(old)
        if new is None:
            self.feed = None
        else:
            ghost = None if before is None or not len(before.trainer.history) else before.ghost()
            self._runs += 1
            self.feed = RunFeed(self._runs, new, ghost, watch=self._watch, branches=self._branches)
            self._unsubscribe = new.subscribe(lambda _: self._wake())
        self._changed()

    def runs(self) -> list[Any]:
        """Return the trainer that is shown, as the run that another widget may have to wait for."""
        return [] if self.feed is None else [self.feed.trainer]

    def succeed(self, runs: Iterable[Any]) -> None:
        """Begin no run before these have ended."""
        self.control.predecessors = list(runs)

    def retire(self) -> None:
        """Stop what goes on: another widget takes over."""
        self.searches.cancel()
        self.control.stop()
        for run in self.runs():
            stop(run)

    def close(self) -> None:
        """End what this widget has begun."""
        self.searches.cancel()
        if self.feed is not None and self.feed.trainer in self._own:
            self.control.stop()  # one that is about to begin, too
        for trainer in list(self._own):
            stop(trainer)
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._branches.close()

    def _wake(self) -> None:
        # Not `_changed` itself: that is another one once the widget is open.
        self._changed()

    def _make(self, pace: float | None) -> Trainer:
        now = self._design()
        chain, steps = chain_of(now.chain), now.schedule.steps
        trainer = Trainer(self._task, chain, steps, pace=pace, **self._options)
        self._own.add(trainer)
        return trainer


def stop(trainer: Trainer) -> None:
    """Have a trainer's run end, its forks and its fan."""
    for fork in trainer.forks:
        stop(fork)
    if trainer.newest_fan is not None:
        trainer.newest_fan.stop()
    if trainer.state not in (*ENDED, "idle"):
        trainer.submit(Stop(source="widget"))

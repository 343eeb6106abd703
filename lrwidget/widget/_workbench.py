"""`LRWidget`: find a learning rate, design a schedule, train with it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import traitlets

from lrwidget import _checks, schedules
from lrwidget.optimizers import Chain, Link
from lrwidget.schedules import Schedule
from lrwidget.widget import _find_pictures, _pictures
from lrwidget.widget._branch_outlet import NO_BRANCHES, BranchOutlet
from lrwidget.widget._cell import current_cell
from lrwidget.widget._design import DesignWidget
from lrwidget.widget._find_state import first_state, rules_shown
from lrwidget.widget._given import Given, length, opened_with, same_model
from lrwidget.widget._journal_view import marks
from lrwidget.widget._opening import DEFAULT_STEPS
from lrwidget.widget._outlets import DeltaOutlet, SnapshotOutlet, StatusOutlet, WholeOutlet
from lrwidget.widget._publisher import Outlet, Publisher
from lrwidget.widget._static import Panel

if TYPE_CHECKING:
    from lrwidget.training import Guard, LiveControl, SavedRun, Task, Trainer
    from lrwidget.widget._run_feed import RunFeed
    from lrwidget.widget._run_view import RunView
    from lrwidget.widget._search import Search
    from lrwidget.widget._task_view import TaskView

_ARGUMENTS = ("task", "chain", "schedule", "steps", "epochs", "path", "pace", "guard")

# What a person waits for: these changes do not wait for the rhythm of the numbers.
_URGENT_TRAIN = (
    *("run", "state", "total", "pace", "error", "held", "plan_seq", "journal"),
    *("address", "undo", "scheduled", "batch_size"),
)
_URGENT_FIND = ("state", "phase", "stopping", "settings", "error")


class LRWidget(DesignWidget):
    """The workbench: Find, Design and Train on one task.

    Training runs on a thread; the cell returns at once, and every control works while it runs.
    A command of the browser is confirmed when the run has taken it.

    Parameters
    ----------
    task
        What is trained. Without one there is only the Design panel. In its place may be a
        `Trainer` of one's own, which is shown and steered as it is; a run on disk
        (``lrw.open_run(path)``), which is shown without its model, controls off; or a
        `LiveControl`, with the panels Design and Train: chain, length and pace are the control's,
        its next run begins with the design, and Start calls the loop that ``live.run`` was given.
    chain
        The optimizer chain or a single link; by default Adam. Its learning rate is what is
        designed: a schedule as it is, a number as a flat line. Other hyperparameters that it has
        as schedules are tracks beside it.
    schedule
        What to design from, in place of the chain's learning rate.
    steps, epochs
        The length of the schedule and so of a run, one or the other; a schedule of another length
        is stretched to it. By default the schedule's own length, 1000 for a plain number.
    path
        A JSON file in which every committed edit is kept. Where it exists, the design in it is
        brought back and goes before `schedule`, `steps` and `epochs`; before `chain` too, unless
        the code gives another one since.
    pace
        The most steps a second that a run takes; None for no limit.
    guard
        What a run does that diverges, as for `Trainer`: ``"stop"``, ``"pause"``, ``"roll_back"``
        or a `lrwidget.training.Guard`.

    Attributes
    ----------
    schedule, tracks, chain, peak_value, steps
        As in `ScheduleDesigner`. Edits do not touch a run that has begun: `trainer` does.
    trainer
        The `Trainer` of the newest run; None before the first. Setting it shows that trainer,
        whose run then has this widget's controls.
    sweep
        The `LRSweep` of the newest range test; None before the first.
    advice, probe
        The `Advice` that came after it, and the `Probe` behind that; None where there is none
        (yet). Read-only.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or unknown.
    FileNotFoundError
        If the front end has not been built.

    Notes
    -----
    When the cell that makes the widget runs again, the run and the range test of the widget before
    it are stopped; so are those of any other widget with the same task, NNX model or path.

    Examples
    --------
    >>> widget = LRWidget(task, adam(1e-3), epochs=10)  # doctest: +SKIP
    >>> widget.trainer.history.loss[-1]  # doctest: +SKIP
    0.041
    """

    trainer = traitlets.Any(None, allow_none=True, help="The Trainer of the newest run.")
    sweep = traitlets.Any(None, allow_none=True, help="The LRSweep of the newest range test.")
    advice = traitlets.Any(None, allow_none=True, read_only=True, help="The Advice after it.")
    probe = traitlets.Any(None, allow_none=True, read_only=True, help="The Probe behind that.")

    _find = traitlets.Dict().tag(sync=True)
    _sweep = traitlets.Dict().tag(sync=True)
    _probes = traitlets.Dict().tag(sync=True)
    _train = traitlets.Dict().tag(sync=True)
    _history = traitlets.Dict().tag(sync=True)
    _branches = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        task: Task | Trainer | LiveControl | SavedRun | None = None,
        chain: Chain | Link | None = None,
        *,
        schedule: Schedule | None = None,
        steps: int | None = None,
        epochs: float | None = None,
        path: str | os.PathLike[str] | None = None,
        pace: float | None = None,
        guard: str | Guard | None = None,
        **unknown: Any,
    ) -> None:
        _checks.known_keywords("LRWidget", unknown, _ARGUMENTS)
        given = Given(task, chain=chain, steps=steps, epochs=epochs, pace=pace, guard=guard)
        if pace is not None:
            pace = _checks.finite("pace", pace, low=0.0, low_open=True)
        steps = length(given.task, steps, epochs)
        design, file = opened_with(given, chain, schedule, steps, path)
        self.task = given.task
        self.live = given.live
        self._cell = current_cell()
        self._place = None if file is None else file.path
        self._numbered_plan: tuple[int, dict[str, Any]] = (0, {})
        self._now = design
        self._task_view: TaskView | None = None
        chosen = schedule is not None or path is not None
        self._runs = self._viewed(given, pace, guard, chosen=chosen)
        state: dict[str, Any] = {}
        if self._runs is not None:
            state = {
                "_train": self._numbered(self._runs.status()),
                "_history": _NO_HISTORY,
                "_branches": NO_BRANCHES,
            }
        if given.task is not None:
            state |= first_state(given.task)
        if given.trainer is not None:
            state["trainer"] = given.trainer
        super().__init__(
            design,
            steps_per_epoch=None if given.task is None else given.task.steps_per_epoch,
            file=file,
            panels=["design"] if self._runs is None else self._runs.panels,
            catalogue={**schedules.catalogue(), "rules": rules_shown(given.task)},
            **state,
        )
        if self._runs is not None:
            self._publish_runs()
        self._replace_predecessors()

    def _viewed(
        self, given: Given, pace: float | None, guard: str | Guard | None, *, chosen: bool
    ) -> RunView | None:
        """Return what shows the runs; `chosen` is whether the design is another than theirs."""
        # Each needs the training room, which the designer alone does not wait for.
        if given.live is not None:
            from lrwidget.widget._live_view import LiveView

            return LiveView(given.live, self._now, given=chosen)
        if given.saved is not None:
            from lrwidget.widget._saved_view import SavedView

            return SavedView(given.saved)
        if given.task is None:
            return None
        from lrwidget.widget._task_view import TaskView

        self._task_view = TaskView(
            given.task,
            design=lambda: self._now,
            pace=pace,
            guard=guard,
            like=given.trainer,
            current=lambda: self.trainer,
            show=lambda trainer: self.set_trait("trainer", trainer),
            found=self._take_found,
        )
        if given.trainer is not None:
            self._task_view.show(None, given.trainer)
        return self._task_view

    def _publish_runs(self) -> None:
        self._train_snapshots = SnapshotOutlet(self._shown_run, self._writer("_history"))
        self._find_snapshots = SnapshotOutlet(self._search, self._writer("_sweep"))
        self._publisher = Publisher(self._outlets(), edits=self._edits)
        self.observe(self._follow_trainer, "trainer")
        self.observe(lambda _: self._wake(), ["schedule", "tracks"])
        if (view := self._runs) is not None:
            self.observe(lambda _: view.follow(self._now), "chain")
            view.open(self._wake)

    def _parameters(self) -> Any:
        return None if self.task is None else self.task.initial[0]

    def _shown_run(self) -> RunFeed | None:
        return None if self._runs is None else self._runs.feed

    def _search(self) -> Search | None:
        return None if self._runs is None else self._runs.search()

    def _take_found(self, found: dict[str, Any]) -> None:
        for name, value in found.items():
            self.set_trait(name, value)

    # ---- one run at a time --------------------------------------------------------------------

    def _replace_predecessors(self) -> None:
        """Stop what the widget before this one, from the same cell, has left running."""
        before = [
            widget
            for widget in list(_opened)
            if (self._cell is not None and self._cell.again(widget._cell))  # noqa: SLF001
            or same_model(self.task, widget.task)
            or (self._place is not None and widget._place == self._place)  # noqa: SLF001
        ]
        views = [w._runs for w in before if w._runs is not None]  # noqa: SLF001
        # Two views of one run do not stop it.
        shown = [] if self._runs is None else self._runs.runs()
        views = [view for view in views if not any(run in shown for run in view.runs())]
        for view in views:
            view.retire()
        if self._runs is not None:
            self._runs.succeed(run for view in views for run in view.runs())
        _opened.add(self)

    def _fitted(self, schedule: Schedule) -> Schedule:
        if self._runs is None or schedule.steps is not None:
            return schedule
        # A run has an end: a curve without one takes the length of the one before.
        return schedule.stretched(self._now.schedule.steps or DEFAULT_STEPS)

    def _check_chain(self, chain: Chain | None) -> None:
        if chain is None:
            if self._runs is not None:
                raise ValueError("chain must be there, since this widget trains with it; got None")
        elif self.live is not None:
            self.live.check(chain)

    @traitlets.validate("trainer")
    def _check_trainer(self, proposal: Any) -> Trainer | None:
        trainer = proposal["value"]
        if trainer is None:
            return None
        if self.task is None:
            raise ValueError(f"trainer needs a widget with a task, got {trainer!r}")
        from lrwidget.training import Trainer

        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainer must be a Trainer or None, got {trainer!r}")
        if trainer.task is not self.task:
            raise ValueError("trainer must train the task of this widget, got one of another task")
        return trainer

    def _follow_trainer(self, change: Any) -> None:
        if self._task_view is not None:
            self._task_view.show(change["old"], change["new"])

    # ---- commands -----------------------------------------------------------------------------

    def _handlers(self) -> dict[str, Callable[..., Any]]:
        handlers = super()._handlers()
        if self._runs is not None:
            handlers |= {"resync": self._on_resync, **self._runs.handlers()}
        if self._task_view is not None:
            handlers["find.use"] = self._on_use
        return handlers

    def _on_ready(self) -> None:
        super()._on_ready()
        self._wake()

    def _on_resync(self, stream: str) -> None:
        feed, trait, snapshots = (
            (self._shown_run(), "_history", self._train_snapshots)
            if stream == "train"
            else (self._search(), "_sweep", self._find_snapshots)
        )
        if feed is None:
            with self._lock:
                self.send_state(trait)
        else:
            snapshots.ask()
            self._wake()

    def _on_use(self, learning_rate: float, **given: str) -> Future[dict[str, int]]:
        if self._task_view is not None and given.get("from") == "here":
            return self._task_view.searches.use_here(learning_rate)
        return self._edit(self._now.schedule.with_peak(learning_rate))

    # ---- what the browser sees ----------------------------------------------------------------

    def _outlets(self) -> list[Outlet]:
        """Return what is published, the most wanted first."""
        train = StatusOutlet(self._train_status, self._writer("_train"), _URGENT_TRAIN)
        rows = DeltaOutlet(self._shown_run, self._train_snapshots, self.send)
        branches = BranchOutlet(self._shown_run, self._writer("_branches"))
        if self._task_view is None:
            return [train, self._train_snapshots, branches, rows]
        searches = self._task_view.searches
        return [
            train,
            StatusOutlet(searches.status, self._writer("_find"), _URGENT_FIND),
            self._train_snapshots,
            self._find_snapshots,
            # Before the probes: their range test came first.
            DeltaOutlet(self._search, self._find_snapshots, self.send),
            WholeOutlet(searches.probes_seq, searches.probes, self._writer("_probes")),
            branches,
            rows,
        ]

    def _writer(self, trait: str) -> Callable[[dict[str, Any]], None]:
        def write(value: dict[str, Any]) -> None:
            with self._lock:
                if self._closed:
                    return
                if value == getattr(self, trait):
                    # Asked for: a page has lost what the trait has held all along.
                    self.send_state(trait)
                else:
                    self.set_trait(trait, value)

        return write

    def _wake(self) -> None:
        self._publisher.wake()

    def _train_status(self) -> dict[str, Any]:
        return self._numbered({} if self._runs is None else self._runs.status())

    def _numbered(self, status: dict[str, Any]) -> dict[str, Any]:
        """Return the status with the number of its plan, which grows with each change of it."""
        seq, plan = self._numbered_plan
        if status["plan"] != plan:
            seq += 1
            self._numbered_plan = (seq, status["plan"])
        return {**status, "plan_seq": seq}

    # ---- without a front end, and at the end --------------------------------------------------

    def _pictured(self) -> tuple[str, str, list[Panel]]:
        title, description, panels = super()._pictured()
        feed = self._shown_run()
        if feed is not None and len(feed.trainer.history):
            rows = feed.rows()
            state = feed.trainer.state
            title = f"Training · {state}"
            description = _pictures.describe_run(rows, state)
            panels = _pictures.run_panels(
                rows, feed.trainer.history.valid.columns(), marks(feed.trainer.journal)
            )
        found = _find_pictures.found_panels(self.sweep, self.advice)
        if found is not None:
            title = f"Learning-rate range test · {title[0].lower()}{title[1:]}"
            description, panels = f"{found[0]} {description}", [*found[1], *panels]
        return title, description, panels

    def close(self) -> None:
        """Take the widget off every page, and stop its threads and the run that it began."""
        if self._opened:
            self._publisher.close()
            if self._runs is not None:
                self._runs.close()
        super().close()


_opened: weakref.WeakSet[LRWidget] = weakref.WeakSet()

_NO_HISTORY: dict[str, Any] = {
    "run": 0,
    "address": None,
    "seq": 0,
    "columns": {},
    "valid": {},
    "ghost": None,
}

"""`LRWidget`: find a learning rate, design a schedule, train with it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import traitlets

from lrwidget import _checks, schedules
from lrwidget.optimizers import Chain, Link, chain_of, make
from lrwidget.schedules import Schedule
from lrwidget.widget import _pictures
from lrwidget.widget._cell import current_cell
from lrwidget.widget._design import DesignWidget
from lrwidget.widget._journal_view import marks
from lrwidget.widget._opening import DEFAULT_PEAK, DEFAULT_STEPS, first_schedule, opened
from lrwidget.widget._outlets import DeltaOutlet, SnapshotOutlet, StatusOutlet
from lrwidget.widget._publisher import Outlet, Publisher
from lrwidget.widget._run_feed import RunFeed, idle_status
from lrwidget.widget._search import IDLE
from lrwidget.widget._search_control import SearchControl
from lrwidget.widget._static import Panel

if TYPE_CHECKING:
    from lrwidget.finding import LRSweep
    from lrwidget.training import LiveControl, Task, Trainer
    from lrwidget.widget._live_view import LiveView
    from lrwidget.widget._run_control import RunControl
    from lrwidget.widget._search import Search

_ARGUMENTS = ("task", "chain", "schedule", "steps", "epochs", "path", "pace")

# What a person waits for: these changes do not wait for the rhythm of the numbers.
_URGENT_TRAIN = ("run", "state", "total", "pace", "error", "held", "plan_seq", "journal")
_URGENT_FIND = ("state", "settings", "error")


class LRWidget(DesignWidget):
    """The workbench: Find, Design and Train on one task.

    Training runs on a thread; the cell returns at once, and every control works while it runs.
    A command of the browser is confirmed when the run has taken it.

    Parameters
    ----------
    task
        What is trained. Without one there is only the Design panel. A `LiveControl` in its place
        has the panels Design and Train: chain, length and pace are the control's, its next run
        begins with the design, and Start calls the loop that ``live.run`` was given.
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

    Attributes
    ----------
    schedule, tracks, chain, peak_value, steps
        As in `ScheduleDesigner`. Edits do not touch a run that has begun: `trainer` does.
    trainer
        The `Trainer` of the newest run; None before the first. Setting it shows that trainer,
        whose run then has this widget's controls.
    sweep
        The `LRSweep` of the newest range test; None before the first.

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

    _find = traitlets.Dict().tag(sync=True)
    _sweep = traitlets.Dict().tag(sync=True)
    _train = traitlets.Dict().tag(sync=True)
    _history = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        task: Task | LiveControl | None = None,
        chain: Chain | Link | None = None,
        *,
        schedule: Schedule | None = None,
        steps: int | None = None,
        epochs: float | None = None,
        path: str | os.PathLike[str] | None = None,
        pace: float | None = None,
        **unknown: Any,
    ) -> None:
        _checks.known_keywords("LRWidget", unknown, _ARGUMENTS)
        control = _live_control(task, chain=chain, steps=steps, epochs=epochs, pace=pace)
        task = None if control is not None or task is None else _checked_task(task)
        if chain is not None:
            chain = chain_of(chain)
        if pace is not None:
            pace = _checks.finite("pace", pace, low=0.0, low_open=True)
        length = _length(task, steps, epochs)
        chosen = chain is not None
        if chain is None and task is not None:
            chain = chain_of(make("adam", learning_rate=DEFAULT_PEAK))
            schedule = first_schedule(length) if schedule is None else schedule
        if control is None:
            design, file = opened(
                schedule,
                None,
                chain,
                steps=length,
                path=path,
                chosen=chosen,
                needed=task is not None,
            )
        else:
            from lrwidget.widget._live_view import LiveView, opened_for

            design, file = opened_for(control, schedule, path)
            view = LiveView(control, design, given=schedule is not None or path is not None)
        if task is not None and design.schedule.steps is None:
            design = design.stretched(DEFAULT_STEPS)

        self.task = task
        self.live = control
        self._cell = current_cell()
        self._place = None if file is None else file.path
        self._feed: RunFeed | None = None
        self._own: weakref.WeakSet[Trainer] = weakref.WeakSet()
        self._unsubscribe: Callable[[], None] | None = None
        self._control: RunControl | None = None
        self._searches: SearchControl | None = None
        self._numbered_plan: tuple[int, dict[str, Any]] = (0, {})
        self._runs = 0
        self._live_view: LiveView | None = None
        panels, state = ["design"], {}
        if task is not None:
            self._control, self._searches = self._controls(task, pace)
            state = {
                "_find": IDLE,
                "_sweep": {"seq": 0, "columns": {}},
                "_train": self._numbered(idle_status(task, design.schedule, 0, pace)),
                "_history": _NO_HISTORY,
            }
            panels = ["find", "design", "train"]
        if control is not None:
            self._live_view, self._feed, self._control = view, view.feed, view.control()
            status = self._numbered(view.feed.status())
            state = {"_train": status, "_history": _NO_HISTORY}
            panels = ["design", "train"]
        super().__init__(
            design,
            steps_per_epoch=None if task is None else task.steps_per_epoch,
            file=file,
            panels=panels,
            catalogue={**schedules.catalogue(), "rules": [] if task is None else _rules()},
            **state,
        )
        if self._control is not None:
            self._publish_runs()
        self._replace_predecessors()

    def _publish_runs(self) -> None:
        self._train_snapshots = SnapshotOutlet(lambda: self._feed, self._writer("_history"))
        self._find_snapshots = SnapshotOutlet(self._search, self._writer("_sweep"))
        self._publisher = Publisher(self._outlets(), edits=self._edits)
        self.observe(self._follow_trainer, "trainer")
        self.observe(lambda _: self._wake(), "schedule")
        if (view := self._live_view) is not None:
            view.open(self._follow_live)
            self.observe(lambda _: view.follow(self._now), "chain")

    def _controls(self, task: Task, pace: float | None) -> tuple[RunControl, SearchControl]:
        from lrwidget.training import Trainer
        from lrwidget.widget._run_control import RunControl

        def make(pace: float | None) -> Trainer:
            now = self._now
            trainer = Trainer(task, chain_of(now.chain), steps=now.schedule.steps, pace=pace)
            self._own.add(trainer)
            return trainer

        def show(trainer: Trainer) -> None:
            self.trainer = trainer

        def found(sweep: LRSweep) -> None:
            self.sweep = sweep

        # A run and a range test exclude each other: both begin under this lock.
        lock = threading.Lock()
        runs = RunControl(
            lock=lock,
            current=lambda: self.trainer,
            show=show,
            make=make,
            finding=lambda: searches.running,
            pace=pace,
        )
        searches = SearchControl(
            task,
            lock=lock,
            chain=lambda: chain_of(self.chain),
            training=lambda: runs.active,
            changed=self._wake,
            found=found,
        )
        return runs, searches

    def _parameters(self) -> Any:
        return None if self.task is None else self.task.initial[0]

    def _search(self) -> Search | None:
        return None if self._searches is None else self._searches.newest

    # ---- one run at a time --------------------------------------------------------------------

    def _replace_predecessors(self) -> None:
        """Stop what the widget before this one, from the same cell, has left running."""
        before = [
            widget
            for widget in list(_opened)
            if (self._cell is not None and self._cell.again(widget._cell))  # noqa: SLF001
            or _same_model(self.task, widget.task)
            or (self._place is not None and widget._place == self._place)  # noqa: SLF001
        ]
        # Two views of one loop do not stop it.
        before = [w for w in before if self.live is None or w.live is not self.live]
        for widget in before:
            widget._retire()  # noqa: SLF001
        if self._control is not None:
            runs = [w.trainer if w.live is None else w.live.current for w in before]
            self._control.predecessors = [run for run in runs if run is not None]
        _opened.add(self)

    def _retire(self) -> None:
        if self._searches is not None:
            self._searches.cancel()
        if self._control is not None:
            self._control.stop()

    def _fitted(self, schedule: Schedule) -> Schedule:
        if (self.task is None and self.live is None) or schedule.steps is not None:
            return schedule
        # A run has an end: a curve without one takes the length of the one before.
        return schedule.stretched(self._now.schedule.steps or DEFAULT_STEPS)

    def _check_chain(self, chain: Chain | None) -> None:
        if chain is None:
            if self._control is not None:
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
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        trainer: Trainer | None = change["new"]
        before = self._feed
        if change["old"] in self._own:
            # Nothing on the page would stop it any more.
            _stop(change["old"])
        if trainer is None:
            self._feed = None
        else:
            ghost = None if before is None or not len(before.trainer.history) else before.ghost()
            self._runs += 1
            self._feed = RunFeed(self._runs, trainer, ghost)
            self._unsubscribe = trainer.subscribe(lambda _: self._wake())
        self._wake()

    def _follow_live(self) -> None:
        if self._live_view is not None:
            self._feed = self._live_view.feed
        self._wake()

    # ---- commands -----------------------------------------------------------------------------

    def _handlers(self) -> dict[str, Callable[..., Any]]:
        handlers = super()._handlers()
        if self._control is not None:
            handlers |= {"resync": self._on_resync, **self._control.handlers()}
        if self._searches is not None:
            handlers |= {"find.use": self._on_use, **self._searches.handlers()}
        return handlers

    def _on_ready(self) -> None:
        super()._on_ready()
        self._wake()

    def _on_resync(self, stream: str) -> None:
        feed, trait, snapshots = (
            (self._feed, "_history", self._train_snapshots)
            if stream == "train"
            else (self._search(), "_sweep", self._find_snapshots)
        )
        if feed is None:
            with self._lock:
                self.send_state(trait)
        else:
            snapshots.ask()
            self._wake()

    def _on_use(self, learning_rate: float) -> Future[dict[str, int]]:
        return self._edit(self._now.schedule.with_peak(learning_rate))

    # ---- what the browser sees ----------------------------------------------------------------

    def _outlets(self) -> list[Outlet]:
        """Return what is published, the most wanted first."""
        train = StatusOutlet(self._train_status, self._writer("_train"), _URGENT_TRAIN)
        rows = DeltaOutlet(lambda: self._feed, self._train_snapshots, self.send)
        if self._searches is None:
            return [train, self._train_snapshots, rows]
        return [
            train,
            StatusOutlet(self._searches.status, self._writer("_find"), _URGENT_FIND),
            self._train_snapshots,
            self._find_snapshots,
            rows,
            DeltaOutlet(self._search, self._find_snapshots, self.send),
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
        feed = self._feed
        if feed is not None or self.task is None:
            status = {} if feed is None else feed.status()
        else:
            pace = None if self._control is None else self._control.pace
            status = idle_status(self.task, self.schedule, self._runs, pace)
        if self._searches is not None and self._searches.running:
            status["state"] = "finding"
        return self._numbered(status)

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
        feed = self._feed
        if feed is not None and len(feed.trainer.history):
            rows = feed.rows()
            state = feed.trainer.state
            title = f"Training · {state}"
            description = _pictures.describe_run(rows, state)
            panels = _pictures.run_panels(
                rows, feed.trainer.history.valid.columns(), marks(feed.trainer.journal)
            )
        sweep: LRSweep | None = self.sweep
        if sweep is not None and len(sweep.losses):
            title = f"Learning-rate range test · {title[0].lower()}{title[1:]}"
            description = f"{_pictures.describe_sweep(sweep)} {description}"
            panels = [_pictures.sweep_panel(sweep), *panels]
        return title, description, panels

    def close(self) -> None:
        """Take the widget off every page, and stop its threads and the run that it began."""
        if self._opened:
            self._publisher.close()
            if self._searches is not None:
                self._searches.cancel()
            if self.trainer in self._own and self._control is not None:
                self._control.stop()
            for trainer in list(self._own):
                _stop(trainer)
            if self._unsubscribe is not None:
                self._unsubscribe()
            if self._live_view is not None:
                self._live_view.close()
        super().close()


_opened: weakref.WeakSet[LRWidget] = weakref.WeakSet()

_NO_HISTORY: dict[str, Any] = {"run": 0, "seq": 0, "columns": {}, "valid": {}, "ghost": None}


def _same_model(task: Task | None, other: Task | None) -> bool:
    if task is None or other is None:
        return False
    if task.kind == other.kind == "nnx":
        # Two runs may not write into one module.
        return task.adapter.current_model() is other.adapter.current_model()
    return task is other


def _stop(trainer: Trainer) -> None:
    from lrwidget.training import Stop
    from lrwidget.widget._run_feed import ENDED

    if trainer.state not in (*ENDED, "idle"):
        trainer.submit(Stop(source="widget"))


def _checked_task(task: Any) -> Task:
    from lrwidget.training import Task

    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, a LiveControl or None, got {task!r}")
    return task


def _live_control(task: Any, **others: Any) -> LiveControl | None:
    """Return what was given in the place of a task if it is a control, which has the `others`."""
    if task is None:
        return None
    from lrwidget.widget._live_view import live_control

    return live_control(task, **others)


def _length(task: Task | None, steps: int | None, epochs: float | None) -> int | None:
    """Return the length in steps that `steps` or `epochs` ask for."""
    if epochs is None:
        return steps
    if steps is not None:
        raise ValueError(f"give steps or epochs, not both, got {steps!r} and {epochs!r}")
    epochs = _checks.finite("epochs", epochs, low=0.0, low_open=True)
    if task is None:
        raise ValueError(f"epochs needs a task, got epochs={epochs:g} without one")
    if task.steps_per_epoch is None:
        raise ValueError(
            "epochs needs training data whose length is known, got an iterable that has not been "
            "gone through yet: give steps"
        )
    return max(1, round(epochs * task.steps_per_epoch))


def _rules() -> list[dict[str, str]]:
    from lrwidget.finding import rules

    return [{"name": name, "title": rule.title, "help": rule.help} for name, rule in rules.items()]

"""What an `LRWidget` does with a run that is on disk: it shows it, without its model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule
from lrwidget.widget._branches import Branches
from lrwidget.widget._opening import opened
from lrwidget.widget._protocol import COMMANDS
from lrwidget.widget._run_feed import RunFeed, Watch
from lrwidget.widget._run_moves import watch
from lrwidget.widget._run_status import finite, snapshots_shown
from lrwidget.widget._tracks import Design

if TYPE_CHECKING:
    from lrwidget.training import History, Journal, SavedRun
    from lrwidget.widget._file import DesignFile
    from lrwidget.widget._search import Search

OFF = (
    "this run is on disk, and its model is not here: LRWidget(lrw.open_run(path).resume(task)) "
    "goes on with it"
)
"""Why every control is off."""


class SavedAsRun:
    """A saved run with what else is asked of a run, none of which it has.

    Parameters
    ----------
    saved
        The run.
    """

    pace: float | None = None
    steps_per_second: float | None = None
    seconds_left: float | None = None
    error: str | None = None
    traceback: str | None = None
    undoable = None

    def __init__(self, saved: SavedRun) -> None:
        self.saved = saved
        self.chain: Chain = saved.chain
        self.addresses: tuple[str, ...] = saved.addresses
        self.measures: tuple[str, ...] = saved.measures
        self.steps_per_epoch = saved.steps_per_epoch
        self.state: str = saved.state
        self.position: int = saved.position
        self.steps: int = saved.steps
        self.history: History = saved.history
        self.journal: Journal = saved.journal
        self.lines = saved.lines
        self.forks = saved.forks

    def plan(self, address: str) -> Schedule:
        """Return the schedule that would be applied."""
        return self.saved.plan(address)

    def held(self, address: str) -> float | None:
        """Return the number that was held in the end, or None."""
        return self.saved.held(address)


class SavedView:
    """A run on disk on its way to the browser; every command is refused.

    Parameters
    ----------
    saved
        The run.
    """

    panels = ("design", "train")

    def __init__(self, saved: SavedRun) -> None:
        self._branches = Branches(lambda: None)
        self.feed = RunFeed(1, SavedAsRun(saved), watch=Watch(), branches=self._branches)
        self._saved = saved
        # What is on disk is read once: nothing here changes any more.
        self._kept = {
            "able": [],
            "off": OFF,
            "undo": None,
            "snapshots": snapshots_shown(saved),
            "best": None
            if saved.best is None
            else {"step": saved.best[0], "value": finite(saved.best[1])},
            "directory": str(saved.path),
        }

    def open(self, changed: Callable[[], None]) -> None:
        """Have the run published."""
        self._branches.changed = changed
        changed()

    def status(self) -> dict[str, Any]:
        """Return the ``_train`` trait."""
        return {**self.feed.status(), **self._kept}

    def search(self) -> Search | None:
        """Return None: there are no range tests."""
        return None

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command: one that says why it is refused."""

        def refuse(**_: Any) -> None:
            raise ValueError(OFF)

        refused = {kind: refuse for kind in COMMANDS if kind.startswith("train.")}
        return {**refused, "train.watch": lambda address: watch(self.feed, address)}

    def follow(self, design: Design) -> None:
        """Do nothing: what was, was."""

    def runs(self) -> list[Any]:
        """Return nothing to wait for."""
        return []

    def succeed(self, runs: Iterable[Any]) -> None:
        """Do nothing: no run begins here."""

    def retire(self) -> None:
        """Do nothing: nothing goes on."""

    def close(self) -> None:
        """Do nothing: the directory is only read."""


def opened_saved(
    saved: SavedRun, schedule: Schedule | None, path: str | os.PathLike[str] | None
) -> tuple[Design, DesignFile | None]:
    """Return the design with which a widget opens for a saved run: what was really applied."""
    design, file = opened(schedule, None, saved.effective_chain(), path=path, needed=True)
    if design.schedule.steps is None:
        design = design.stretched(saved.steps)
    return design, file

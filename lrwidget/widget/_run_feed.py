"""A trainer's run as the browser sees it: numbers, plan, edits, journal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

from lrwidget.optimizers import Chain
from lrwidget.optimizers._addresses import shortened
from lrwidget.schedules import Schedule
from lrwidget.widget import _columns
from lrwidget.widget._branches import Branches
from lrwidget.widget._journal_view import JournalView
from lrwidget.widget._run_status import last, of_task, run_status, snapshots_shown
from lrwidget.widget._stream import Cut, Stream

if TYPE_CHECKING:
    from lrwidget.training import History, LiveRun, Table, Trainer
    from lrwidget.widget._saved_view import SavedAsRun

    Run: TypeAlias = Trainer | LiveRun
    Shown: TypeAlias = Run | SavedAsRun

# What is watched travels under this name, whatever it is.
_RATE = "learning_rate"
_EFFECTIVE = "effective_learning_rate"
_GHOST_ROWS = 1000
_SNAPSHOTS_SECONDS = 1.0
_AT_WORK = ("compiling", "running")
ENDED = ("finished", "stopped", "diverged", "failed")
"""The states in which a trainer takes no more steps."""


class Watch:
    """Which hyperparameter the lower plot shows, as long as a run has it."""

    def __init__(self) -> None:
        self.chosen: str | None = None

    def of(self, chain: Chain, addresses: tuple[str, ...]) -> str | None:
        """Return what is shown: what was chosen, the chain's rate, the first rate, or None."""
        for address in (self.chosen, chain.rate):
            if address in addresses:
                return address
        return next((a for a in addresses if a.rpartition(".")[2] == _RATE), None)


class Ghost(NamedTuple):
    """The rows of the run before, and what was watched of it."""

    address: str | None
    rows: dict[str, NDArray[Any]]


class RunFeed:
    """One run.

    Parameters
    ----------
    number
        The run's number in its widget, from 1.
    trainer
        Whose run it is: a `Trainer`, a run of a `LiveControl`, or one that was saved.
    ghost
        What is left of the run before it, or None.
    watch
        Which hyperparameter is shown.
    branches
        The forks and other lines of it.
    """

    def __init__(
        self,
        number: int,
        trainer: Shown,
        ghost: Ghost | None = None,
        *,
        watch: Watch | None = None,
        branches: Branches | None = None,
    ) -> None:
        self.number = number
        self.trainer = trainer
        self.watch = watch or Watch()
        self.branches = branches or Branches(lambda: None)
        self._ghost = ghost
        self._journal = JournalView()
        self._snapshots: list[dict[str, Any]] = []
        self._snapshots_due = 0.0
        self._plan: Schedule | None = None
        self._plan_node: dict[str, Any] = {}
        self._begin(0)

    @property
    def address(self) -> str | None:
        """What is watched of this run; None where nothing of it can change."""
        return self.watch.of(self.trainer.chain, self.trainer.addresses)

    def choose(self, address: str) -> None:
        """Watch another hyperparameter, of the runs to come too."""
        self.watch.chosen = address
        self.branches.changed()

    @property
    def key(self) -> object:
        """What the snapshot must be of."""
        return self.number, self.address

    @property
    def seq(self) -> int:
        """The number of the last delta."""
        return self._stream.seq

    @property
    def settled(self) -> bool:
        """Whether no steps are being taken."""
        return self.trainer.state not in _AT_WORK

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns that are measured."""
        # A loop of the person's own tells them with its first step.
        return tuple(n for n in self.trainer.measures if n not in ("step", _RATE))

    @property
    def _effective(self) -> tuple[str, ...]:
        """The rates that adaptive links and groups make of the learning rate."""
        names = self.trainer.history.names
        return tuple(n for n in names if n.rpartition("/")[2] == _EFFECTIVE)

    # ---- rows ---------------------------------------------------------------------------------

    def fresh(self) -> bool:
        """Return whether there is anything that no delta has carried."""
        history = self.trainer.history
        return (
            len(history) != self._taken
            or len(history.valid) != self._valid_taken
            or _cuts(history) != self._seen
        )

    def delta(self) -> tuple[dict[str, Any], list[bytes]]:
        """Take what is new and return it as a message and its buffers."""
        history = self.trainer.history
        cut = self._cut(history)
        rows = self._shown(history.columns(self._taken), self._watched)
        valid = history.valid.columns(self._valid_taken)
        self._taken += _columns.length(rows)
        self._valid_taken += _columns.length(valid)
        message, buffers = self._stream.delta(rows, valid, cut)
        return {**message, "run": self.number, "address": self._watched}, buffers

    def snapshot(self) -> dict[str, Any]:
        """Return the ``_history`` trait."""
        if self.address != self._watched:
            self._begin(self._stream.seq + 1)
            # All that deltas have carried, and more, in the columns that are shown now.
            self._stream.take(*self._everything())
        return {
            "run": self.number,
            "address": self._watched,
            **self._stream.snapshot(),
            "ghost": self._ghost_shown(),
        }

    def rows(self) -> dict[str, NDArray[Any]]:
        """Return every row of the run, in the columns that are shown."""
        return self._shown(self.trainer.history.columns(), self.address)

    def ghost(self) -> Ghost:
        """Return the run's rows, thinned to what the next run shows of it."""
        return Ghost(self.address, _columns.thin(self.rows(), "step", _GHOST_ROWS))

    def _begin(self, seq: int) -> None:
        self._stream = Stream("train", x="step", seq=seq)
        self._watched = self.address
        self._taken = 0
        self._valid_taken = 0
        self._seen = _cuts(self.trainer.history)

    def _everything(self) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        history = self.trainer.history
        rows, valid = history.columns(), history.valid.columns()
        self._taken, self._valid_taken = _columns.length(rows), _columns.length(valid)
        return self._shown(rows, self._watched), valid

    def _cut(self, history: History) -> Cut | None:
        """Return from which steps on rows are gone since the last delta; forget them here too."""
        # A rewind may come between any two lines here: the next look sees it, and cuts again.
        cuts = _cuts(history)
        new = [now[len(seen) :] for now, seen in zip(cuts, self._seen, strict=True)]
        self._seen = cuts
        if not any(new):
            return None
        self._taken, step = _kept(history, self._taken, new[0])
        self._valid_taken, valid = _kept(history.valid, self._valid_taken, new[1])
        return Cut(step=step, valid=valid)

    def _shown(
        self, columns: Mapping[str, NDArray[Any]], address: str | None
    ) -> dict[str, NDArray[Any]]:
        """Return step, the measures and the rates; other hyperparameters have no plot."""
        shown = {name: columns[name] for name in ("step", *self.measures, *self._effective)}
        if address is not None:
            # The short name is another column's where the person's metrics have it.
            short = shortened(self.trainer.addresses)[address]
            shown[_RATE] = columns[address if address in columns else short]
        return shown

    def _ghost_shown(self) -> dict[str, Any] | None:
        if self._ghost is None:
            return None
        foreign = self._ghost.address != self._watched
        rows = {n: c for n, c in self._ghost.rows.items() if not (foreign and n == _RATE)}
        return _columns.encode(rows)

    # ---- status -------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return the ``_train`` trait."""
        trainer, address = self.trainer, self.address
        # Before all else: what is told with an end or a pause is then what the run came to there.
        state, journal = trainer.state, trainer.journal
        newest = {name: last(column) for name, column in self.rows().items()}
        return {
            **run_status(trainer, address, journal),
            "state": state,
            **self._journal(journal),
            **self.branches.shown(trainer),
            "snapshots": self._snapshots_shown() if of_task(trainer) else [],
            "run": self.number,
            "metrics": {name: newest[name] for name in self.measures if name in newest},
            "learning_rate": newest.get(_RATE),
            "plan": self._planned(address),
            "columns": list(self.measures),
            "valid_columns": [n for n in trainer.history.valid.names if n != "step"],
            "effective": list(self._effective),
        }

    def _snapshots_shown(self) -> list[dict[str, Any]]:
        now = time.monotonic()
        # Those on disk are a folder to list: while rows come, once a second is often enough.
        if self.settled or now >= self._snapshots_due:
            self._snapshots_due = now + _SNAPSHOTS_SECONDS
            self._snapshots = snapshots_shown(self.trainer)
        return self._snapshots

    def _planned(self, address: str | None) -> dict[str, Any]:
        plan = None if address is None else self.trainer.plan(address)
        if plan is not None and plan != self._plan:
            self._plan = plan
            self._plan_node = plan.to_node(samples=True)
        return self._plan_node


def _cuts(history: History) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the lengths that both tables have been cut back to, in order."""
    return history.cuts, history.valid.cuts


def _kept(table: Table, taken: int, lengths: tuple[int, ...]) -> tuple[int, int]:
    """Return how many of the rows that were taken are left, and the step after the last of them."""
    steps = table["step"]
    kept = min((taken, *lengths, len(steps)))
    return kept, int(steps[kept - 1]) + 1 if kept else 0

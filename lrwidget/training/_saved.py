"""Runs on disk: reading one without its model, and going on with it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.optimizers import Chain, Link, chain_of
from lrwidget.schedules import Schedule
from lrwidget.training._batch_sizes import BatchSizes, BatchSpan
from lrwidget.training._commands import LAST_STEP, Edit, Extend, Set
from lrwidget.training._disk import RunDirectory
from lrwidget.training._edits import Edits
from lrwidget.training._handover import Beginning, Line, best_of
from lrwidget.training._history import History, Table
from lrwidget.training._journal import Journal, JournalEntry, surviving
from lrwidget.training._keeper import read_snapshot
from lrwidget.training._plan import Plans
from lrwidget.training._preview import Preview
from lrwidget.training._record import Record
from lrwidget.training._replay import AS_IT_WAS
from lrwidget.training._snapshots import SnapshotInfo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lrwidget.training._task import Task
    from lrwidget.training._trainer import Trainer


_log = logging.getLogger("lrwidget")


def open_run(path: str | os.PathLike[str], chain: Chain | Link | None = None) -> SavedRun:
    """Read a run that is kept in a directory; it may still be going on, or have broken off.

    Parameters
    ----------
    path
        The folder.
    chain
        The chain that the run began with, where it holds a function or a mask, which no file
        can.

    Raises
    ------
    TypeError, ValueError
        If the folder holds no run, that of a newer lrwidget, or one that is damaged; or if the
        run's chain must be given.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be the folder of a run, got {path!r}")
    return SavedRun(RunDirectory.open(path), None if chain is None else chain_of(chain))


class _Shelf:
    """What `Record` reads a run from."""

    def __init__(self, history: History, edits: Edits, position: int):
        self.history, self.edits, self.position = history, edits, position


class SavedRun(Record):
    """A run on disk; see `open_run`. It shows what was, and `resume` goes on with it.

    Attributes
    ----------
    path
        Its folder.
    name
        What it is called.
    state
        How it ended: ``"finished"``, ``"stopped"``, ``"diverged"``, ``"failed"``; or ``"broken"``:
        its process ended in the middle, or it is still going on.
    chain
        The chain that it began with.
    lines
        What rewinds had cut off.
    forks
        Its forks, each a `SavedRun`.
    damaged_forks
        What is wrong with forks that cannot be read, by their id.
    header
        The run as it began.
    """

    def __init__(self, directory: RunDirectory, chain: Chain | None = None):
        self._directory = directory
        self.path: Path = directory.path
        config = directory.config
        self.header: Mapping[str, Any] = config["header"]
        self.name = str(config.get("name") or self.header["name"])
        self.id = str(config.get("id", "main"))
        self.addresses = tuple(self.header["live"])
        text = self.header.get("chain")
        if text is None and chain is None:
            raise ValueError(
                f"the chain of the run in {str(self.path)!r} holds a function or a mask, which no "
                "file can: open it with lrw.open_run(path, chain)"
            )
        self.chain = Chain.from_json(text) if chain is None else chain
        entries = [JournalEntry.from_node(node) for node in directory.entries()]
        train, valid = directory.rows("train"), directory.rows("valid")
        self._rows = whole(train.columns)
        given = [g.border for g in surviving(entries)]
        reached = len(self._rows.get("step", ()))
        ended = config.get("ended")
        self.state: str = ended["state"] if ended else "broken"
        # A command that was given after the last row that reached the disk tells how far it came.
        self._target = max([reached, *(int(np.ceil(border)) for border in given)])
        edits = Edits(Plans(self.chain, self.addresses), int(self.header["steps"]), self._sizes())
        edits.repeat(entries, self._target)
        history = self._history()
        history.append(fill(self._rows, history))
        history.valid.append(fill(_until(valid.columns, self._target), history.valid))
        self._shelf = _Shelf(history, edits, reached)
        self._loop = self._shelf  # type: ignore[assignment]
        self.lines = tuple(
            Line(f"until {line.start + len(line.columns['step'])}", line.start, line.columns)
            for line in train.lines
        )
        self.forks, self.damaged_forks = self._opened_forks()

    def __repr__(self) -> str:
        return f"SavedRun({str(self.path)!r}, {self.state}, step {self.position} of {self.steps})"

    def _opened_forks(self) -> tuple[tuple[SavedRun, ...], dict[str, str]]:
        opened, damaged = [], {}
        for name in self._directory.forks():
            # What is wrong with a fork must not take the run itself from anybody.
            try:
                fork = self._directory.open_fork(name)
                if not fork.config.get("dropped"):
                    opened.append(SavedRun(fork, self.chain))
            except (ValueError, TypeError, KeyError, OSError) as error:
                damaged[name] = str(error)
                _log.warning("the fork %s of a run cannot be read: %s", name, error)
        return tuple(opened), damaged

    def _history(self) -> History:
        header = self.header
        derived = list(header.get("derived", ()))
        if "guard" in header.get("measure", ()):
            derived += ["guard_level", "guard_limit"]
        return History(header["columns"], self.addresses, header["valid_columns"], derived)

    def _sizes(self) -> BatchSizes:
        size, length = int(self.header["batch_size"]), self.header.get("steps_per_epoch")

        def steps_per_epoch(other: int) -> int | None:
            # Without the data the number of examples is only known up to a batch.
            return None if length is None else max(1, length * size // other)

        return BatchSizes((BatchSpan(0, 0, size),), steps_per_epoch)

    # ---- how it stands --------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """Steps whose rows have reached the disk."""
        return self._shelf.position

    @property
    def steps(self) -> int:
        """Length of the run in steps, as things stood."""
        return self._shelf.edits.steps

    @property
    def fork_step(self) -> int:
        """Steps that a fork has in common with its run; 0 for what is no fork."""
        return int(self._directory.config.get("fork_step", 0))

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns of the history that are measured."""
        return tuple(self.header["columns"])

    @property
    def steps_per_epoch(self) -> int | None:
        """How many steps an epoch had at the start; None where that was not known."""
        return self.header.get("steps_per_epoch")

    @property
    def journal(self) -> Journal:
        """Every command that took effect, in order."""
        steps, every = self.history.valid.step, self.header.get("valid_every") or 1
        now = {"state": self.state, "passes": steps[steps % every != 0].tolist()}
        return Journal(
            list(self._shelf.edits.journal),
            header={**self.header, **now},
            position=self.position,
            chain=self.chain,
            forks=[fork.journal for fork in self.forks],
        )

    def journal_until(self, position: int) -> Journal:
        """Return the journal of a run that has come so far."""
        journal = self.journal
        return Journal(journal, header=self.header, position=position, chain=self.chain)

    @property
    def snapshots(self) -> tuple[SnapshotInfo, ...]:
        """The states that are kept, by step."""
        return tuple(
            SnapshotInfo(
                step=file.step,
                reason=str(file.meta.get("reason", "interval")),
                nbytes=file.nbytes,
                where="disk",
                value=file.meta.get("value"),
            )
            for file in self._directory.snapshots()
        )

    @property
    def best(self) -> tuple[int, float] | None:
        """The step and the loss of the best validation pass; None without one."""
        return best_of(self.history.valid.columns())

    def plot(self, axes: Any = None) -> tuple[Axes, Axes]:
        """Draw the run with matplotlib, loss above learning rate, and return the two axes."""
        from lrwidget.plotting import plot_run  # matplotlib is heavy

        return plot_run(self, axes)  # type: ignore[arg-type]

    # ---- going on -------------------------------------------------------------------------------

    def preview(
        self, *, learning_rate: float | Schedule | None = None, steps: int | None = None
    ) -> Preview:
        """Return the old and the new rest of the run, as `resume` with these would make it."""
        edits = self._shelf.edits
        before = edits.settings
        scratch = edits.copy()
        for command in self._wanted(learning_rate, steps):
            scratch.apply(command, self._target)
        return Preview.of(self._target, before, scratch.settings)

    def resume(
        self,
        task: Task,
        chain: Chain | Link | None = None,
        *,
        learning_rate: float | Schedule | None = None,
        steps: int | None = None,
        pace: float | None = None,
        guard: Any = AS_IT_WAS,
        snapshots: Any = AS_IT_WAS,
        early_stopping: Any = AS_IT_WAS,
        callbacks: Any = (),
    ) -> Trainer:
        """Return the run, paused where it had come, to go on in the same directory.

        From the last snapshot on disk it finds its way by replay: the weights are those that it
        would have without a break, bit for bit on the same platform. What is changed by the
        arguments is an edit like any other, and can be seen before with `preview`, and in the
        widget while the run is paused.

        Parameters
        ----------
        task
            The same model, loss function, data, batch size and seed.
        chain
            The chain that it began with; only needed where this one holds custom links.
        learning_rate
            A number to hold, or a schedule in absolute steps, from here on.
        steps
            The new length of the run, at least what it has done.
        guard, snapshots, early_stopping
            As for `Trainer`; default as the run had them.
        pace, callbacks
            As for `Trainer`.

        Raises
        ------
        TypeError, ValueError
            If the task does not fit, or another process writes to the directory.
        """
        from lrwidget.training._resume import resumed

        options = {
            "pace": pace,
            "guard": guard,
            "snapshots": snapshots,
            "early_stopping": early_stopping,
            "callbacks": callbacks,
        }
        chain = self.chain if chain is None else chain_of(chain)
        commands = self._wanted(learning_rate, steps)
        return resumed(self, task, chain, commands, options)

    def _wanted(self, learning_rate: Any, steps: int | None) -> list[Edit]:
        commands: list[Edit] = []
        if steps is not None:
            steps = _checks.integer("steps", steps, low=self.steps, high=LAST_STEP)
            if steps > self.steps:
                commands.append(Extend(steps=steps - self.steps))
        if learning_rate is not None:
            commands.append(Set(values={"learning_rate": learning_rate}))
        return commands

    def beginning(self, directory: RunDirectory, like: Any) -> Beginning:
        """Return where a trainer begins that goes on with the run."""
        history = self.history
        snapshot = read_snapshot(directory, self.position, like)
        return Beginning(
            step=self._target,
            snapshot=snapshot,
            rows={key: history[key] for key in history.keys()},  # noqa: SIM118
            valid=history.valid.columns(),
            best=self.best,
        )

    @classmethod
    def again(cls, run: Self) -> Self:
        """Return the run as it is on disk now."""
        return cls(RunDirectory.open(run.path), run.chain)


def whole(columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the rows up to the first that is missing."""
    steps = columns.get("step")
    if steps is None:
        return dict(columns)
    gaps = np.flatnonzero(steps != np.arange(len(steps)))
    count = int(gaps[0]) if gaps.size else len(steps)
    return {name: column[:count] for name, column in columns.items()}


def _until(columns: Mapping[str, npt.NDArray[Any]], step: int) -> dict[str, npt.NDArray[Any]]:
    """Return the validation passes up to a step: later ones lost the steps that they are of."""
    steps = columns.get("step", np.empty(0))
    return {name: column[steps <= step] for name, column in columns.items()}


def fill(columns: Mapping[str, npt.NDArray[Any]], table: Table) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of a table, NaN where the disk has none of them."""
    count = len(columns.get("step", ()))
    return {
        key: columns[key] if key in columns else np.full(count, np.nan)
        for key in table.keys()  # noqa: SIM118  (a table is no mapping)
    }

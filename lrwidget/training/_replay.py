"""Doing a run again from its journal: the same numbers, bit for bit, on the same platform."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lrwidget.optimizers import Chain, Link, chain_of
from lrwidget.training._early import EarlyStopping
from lrwidget.training._edits import Edits
from lrwidget.training._forks import fork_id
from lrwidget.training._guard import Guard, guard_of
from lrwidget.training._handover import Beginning
from lrwidget.training._journal import Journal
from lrwidget.training._options import (
    Options,
    early_stopping_of,
    first_sizes,
    keep_of,
    measures_of,
)
from lrwidget.training._plan import Plans, live_addresses
from lrwidget.training._snapshots import Keep
from lrwidget.training._task import Task
from lrwidget.training._trainer import Trainer

if TYPE_CHECKING:
    from lrwidget.training._arrays import PyTree


def replay(
    journal: Journal,
    task: Task,
    chain: Chain | Link | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    start: tuple[PyTree, PyTree] | None = None,
) -> Trainer:
    """Do again what a journal tells, forks included, and return the run where the journal ends.

    What rewinds had cut off is left out. The run is paused, with the same parameters, optimizer
    state and history, bit for bit on the same platform, and can go on from there.

    Parameters
    ----------
    journal
        Of a run; `Trainer.journal`, or ``Journal.from_json(text)``.
    task
        The same model, loss function, data, batch size and seed.
    chain
        The chain that the run began with, where it holds a function, which JSON cannot.
    directory
        Where to keep the new run, as for `Trainer`.
    start
        Parameters and model state, where the run began with others than the task's.

    Raises
    ------
    TypeError, ValueError
        If something is not as the journal tells.
    """
    if not isinstance(journal, Journal):
        raise TypeError(f"journal must be a Journal, got {journal!r}")
    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {task!r}")
    return _with_forks(journal, task, _chain(journal, chain), directory, start)


def _with_forks(
    journal: Journal,
    task: Task,
    chain: Chain,
    directory: Any,
    start: Any,
    parent: Trainer | None = None,
    id: str = "main",  # noqa: A002
) -> Trainer:
    trainer = _replayed(journal, task, chain, directory, start, parent, id)
    for place, each in enumerate(journal.forks):
        name = fork_id(trainer.id, place + 1)
        fork = _with_forks(each, task, chain, None, start, trainer, name)
        trainer._forks = (*trainer._forks, fork)  # noqa: SLF001
        trainer._fork_count = place + 1  # noqa: SLF001
    return trainer


def _replayed(
    journal: Journal,
    task: Task,
    chain: Chain,
    directory: Any,
    start: Any,
    parent: Trainer | None,
    id: str,  # noqa: A002
) -> Trainer:
    header = journal.header
    check_same(header, task, chain)
    if header.get("starts_elsewhere") and start is None:
        raise ValueError(
            "start must be given: the run began with weights that another one had trained"
        )
    options = options_of(header, chain, start=start)
    steps = int(header["steps"])
    edits = edits_of(journal, task, chain, options)
    trainer = object.__new__(Trainer)
    trainer._set_up(
        task,
        chain,
        steps,
        options,
        name=str(header.get("name", "run")),
        directory=directory,
        place=None if parent is None else parent._fork_place,  # noqa: SLF001
        edits=edits,
        beginning=Beginning(
            step=journal.position,
            snapshot=None,
            rows={},
            valid={},
            passes=tuple(header.get("passes", ())),
        ),
        parent=parent,
        id=id,
    )
    trainer._loop.shared = int(header.get("fork_step", 0))
    trainer._loop.keep_beginning()
    at_end = journal.position >= edits.steps and header.get("state", "finished") == "finished"
    trainer._loop.start_at_rest()
    trainer._loop.wait_until(lambda: trainer.state == "paused")
    trainer._raise_failure()
    if at_end and trainer.error is None:
        # The last validation pass is at the end of a run, and not where one rests.
        trainer.resume()
        trainer.wait()
    return trainer


def _chain(journal: Journal, chain: Chain | Link | None) -> Chain:
    if chain is not None:
        return chain_of(chain)
    if journal.chain is None:
        raise ValueError(
            "chain must be given: the run's own holds a function or a mask, which the journal "
            "cannot"
        )
    return journal.chain


def edits_of(journal: Journal, task: Task, chain: Chain, options: Options) -> Edits:
    """Return the plans, the length and the batch sizes that a journal leads to."""
    plans = Plans(chain, options.live)
    edits = Edits(plans, int(journal.header["steps"]), first_sizes(task))
    edits.repeat(journal, journal.position)
    if journal.position > edits.steps:
        raise ValueError(
            f"the journal is damaged: it tells of {journal.position} steps of a run of "
            f"{edits.steps}"
        )
    return edits


AS_IT_WAS: Any = "as it was"
"""In the place of an option of a resumed run: what it had before."""


def kept_options(header: Any, task: Task, wishes: Any) -> dict[str, Any]:
    """Return guard, snapshots and early stopping: as they are wished, or as the run had them."""
    known = {"guard": Guard, "snapshots": Keep, "early_stopping": EarlyStopping}
    had = {
        name: None if header.get(name) is None else kind(**header[name])
        for name, kind in known.items()
    }
    given = {name: had[name] if wishes[name] is AS_IT_WAS else wishes[name] for name in known}
    return {
        "guard": guard_of(given["guard"]),
        "keep": keep_of(given["snapshots"]),
        "early_stopping": early_stopping_of(given["early_stopping"], task),
    }


def options_of(header: Any, chain: Chain, **more: Any) -> Options:
    """Return the options that a run had, as far as its numbers depend on them."""
    return Options(
        live=live_addresses(chain, header["live"]),
        valid_every=header.get("valid_every"),
        measure=measures_of(header.get("measure", ())),
        **more,
    )


def check_same(header: Any, task: Task, chain: Chain) -> None:
    """Raise a ValueError unless a task and a chain are those of a run, as far as can be told."""
    runner = task.runner(chain, header["live"], measure=_measured(header))
    valid = list(task.evaluator.names) if task.validates else []
    told = {
        "seed": task.seed,
        "batch_size": task.batch_size,
        **task.identity,
        "columns": list(runner.columns),
        "valid_columns": valid,
    }
    for name, value in told.items():
        if header.get(name, value) != value:
            raise ValueError(
                f"task must be that of the run, whose {name} was {header[name]!r}, and this one "
                f"has {value!r}"
            )


def _measured(header: Any) -> tuple[str, ...]:
    return tuple(name for name in measures_of(header.get("measure", ())) if name != "guard")

"""Going on with a run that is on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lrwidget.optimizers import Chain
from lrwidget.training._callbacks import Callbacks
from lrwidget.training._commands import Edit, check_pace
from lrwidget.training._disk import RunDirectory
from lrwidget.training._place import Place
from lrwidget.training._replay import check_same, edits_of, kept_options, options_of
from lrwidget.training._task import Task
from lrwidget.training._trainer import Trainer, weakly

if TYPE_CHECKING:
    from lrwidget.training._handover import Beginning
    from lrwidget.training._saved import SavedRun


def resumed(
    run: SavedRun, task: Task, chain: Chain, commands: Sequence[Edit], wishes: Mapping[str, Any]
) -> Trainer:
    """Return a trainer that goes on with a run on disk; see `SavedRun.resume`."""
    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {task!r}")
    check_same(run.header, task, chain)
    options = options_of(
        run.header,
        chain,
        pace=check_pace("pace", wishes["pace"]),
        elsewhere=bool(run.header.get("starts_elsewhere")),
        **kept_options(run.header, task, wishes),
        callbacks=Callbacks(wishes["callbacks"]).callbacks,
    )
    directory = RunDirectory.open(run.path, write=True)
    try:
        # Read once more, now that nobody else can write.
        run = type(run).again(run)
        runner = task.runner(chain, options.live, measure=options.measured)
        beginning = run.beginning(directory, runner.initial())
        _check_beginning(run, beginning)
        edits = edits_of(run.journal_until(beginning.step), task, chain, options)
        for command in commands:
            # What is refused leaves the run as it was, and free for others.
            edits.copy(apart=True).apply(command, beginning.step)
        # Validation passes whose steps are lost come once more.
        directory.cut("valid", beginning.step + 1)
    except BaseException:
        directory.close()
        raise

    def place(trainer: Trainer) -> Place:
        placed = Place(directory, options.keep.disk, weakly(trainer._disk_failed))  # noqa: SLF001
        placed.goes_on()
        return placed

    trainer = object.__new__(Trainer)
    trainer._set_up(
        task,
        chain,
        int(run.header["steps"]),
        options,
        name=run.name,
        place=place,
        edits=edits,
        beginning=beginning,
        id=run.id,
    )
    trainer._fork_count = len(directory.forks())
    trainer.saved_forks = run.forks
    trainer._loop.start_at_rest()
    trainer._loop.wait_until(lambda: trainer.state == "paused")
    trainer._raise_failure()
    for command in commands:
        trainer.submit(command).result()
    return trainer


def _check_beginning(run: SavedRun, beginning: Beginning) -> None:
    if run.header.get("starts_elsewhere") and beginning.snapshot is None:
        raise ValueError(
            f"the run in {str(run.path)!r} began with weights of another one, and no snapshot "
            "of it is whole: it cannot go on"
        )

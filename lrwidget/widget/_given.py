"""What an `LRWidget` is given in the place of a task, and how long a run of it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lrwidget import _checks
from lrwidget.optimizers import Chain, Link, chain_of, make
from lrwidget.schedules import Schedule
from lrwidget.widget._opening import DEFAULT_PEAK, DEFAULT_STEPS, first_schedule, opened

if TYPE_CHECKING:
    from lrwidget.training import LiveControl, SavedRun, Task, Trainer
    from lrwidget.widget._file import DesignFile
    from lrwidget.widget._tracks import Design


class Given:
    """One of the things that a widget can show; the others are None.

    Parameters
    ----------
    given
        A `Task`, a `LiveControl`, a `Trainer`, a `SavedRun` or None.
    others
        Arguments that must be None unless a task is given: all the rest have these themselves.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or has one of the `others` beside it.
    """

    def __init__(self, given: Any, **others: Any) -> None:
        self.task: Task | None = None
        self.live: LiveControl | None = None
        self.trainer: Trainer | None = None
        self.saved: SavedRun | None = None
        if given is None:
            if others.get("guard") is not None:
                raise ValueError(f"guard needs a task, got guard={others['guard']!r} without one")
            return
        from lrwidget import training

        if isinstance(given, training.Task):
            self.task = given
            return
        if isinstance(given, training.LiveControl):
            self.live = given
        elif isinstance(given, training.Trainer):
            self.trainer, self.task = given, given.task
        elif isinstance(given, training.SavedRun):
            self.saved = given
        else:
            raise TypeError(
                f"task must be a Task, a Trainer, a LiveControl, a SavedRun or None, got {given!r}"
            )
        for name, value in others.items():
            if value is not None:
                kind = type(given).__name__
                raise ValueError(f"{name} must be None beside a {kind}, got {value!r}: it has one")


def opened_with(
    given: Given,
    chain: Chain | Link | None,
    schedule: Schedule | None,
    steps: int | None,
    path: str | os.PathLike[str] | None,
) -> tuple[Design, DesignFile | None]:
    """Return the design with which a widget opens, and the file where it is kept."""
    if given.live is not None:
        from lrwidget.widget._live_view import opened_for

        return opened_for(given.live, schedule, path)
    if given.saved is not None:
        from lrwidget.widget._saved_view import opened_saved

        return opened_saved(given.saved, schedule, path)
    if given.trainer is not None:
        chain, steps = given.trainer.effective_chain(), given.trainer.steps
    chosen = chain is not None
    if chain is None and given.task is not None:
        chain = make("adam", learning_rate=DEFAULT_PEAK)
        schedule = first_schedule(steps) if schedule is None else schedule
    design, file = opened(
        schedule,
        None,
        None if chain is None else chain_of(chain),
        steps=steps,
        path=path,
        chosen=chosen,
        needed=given.task is not None,
    )
    if given.task is not None and design.schedule.steps is None:
        design = design.stretched(DEFAULT_STEPS)
    return design, file


def length(task: Task | None, steps: int | None, epochs: float | None) -> int | None:
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


def same_model(task: Task | None, other: Task | None) -> bool:
    """Return whether two tasks train one and the same model."""
    if task is None or other is None:
        return False
    if task.kind == other.kind == "nnx":
        # Two runs may not write into one module.
        return task.adapter.current_model() is other.adapter.current_model()
    return task is other

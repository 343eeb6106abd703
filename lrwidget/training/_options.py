"""What a trainer is told besides task, chain and length; forks and resumed runs have the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lrwidget import _checks
from lrwidget.training._arrays import PyTree
from lrwidget.training._batch_sizes import BatchSizes, BatchSpan
from lrwidget.training._early import EarlyStopping
from lrwidget.training._early import early_stopping_of as rule_of
from lrwidget.training._guard import Guard
from lrwidget.training._runner import MEASURES
from lrwidget.training._snapshots import Keep

if TYPE_CHECKING:
    from lrwidget.training._task import Task

GUARD = "guard"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """See the parameters of `Trainer`; all of them have been checked."""

    live: tuple[str, ...]
    pace: float | None = None
    valid_every: int | None = None
    start: tuple[PyTree, PyTree] | None = None
    elsewhere: bool = False  # whether it began with weights that are not known any more
    keep: Keep = dataclasses.field(default_factory=Keep)
    guard: Guard | None = None
    measure: tuple[str, ...] = ()
    early_stopping: EarlyStopping | None = None
    callbacks: tuple[Any, ...] = ()

    @property
    def measured(self) -> tuple[str, ...]:
        """What each step measures."""
        return tuple(name for name in self.measure if name != GUARD)


def keep_of(value: Any) -> Keep:
    """Return what the argument `snapshots` means, or raise a TypeError."""
    if value is None:
        return Keep()
    if not isinstance(value, Keep):
        raise TypeError(f"snapshots must be a lrwidget.training.Keep or None, got {value!r}")
    return value


def measures_of(value: Any) -> tuple[str, ...]:
    """Return what the argument `measure` names, in order, or raise."""
    if not isinstance(value, str | Iterable):
        raise TypeError(f"measure must be a sequence of names, got {value!r}")
    names = (value,) if isinstance(value, str) else tuple(value)
    for name in names:
        _checks.choice("measure", name, (*MEASURES, GUARD))
    return tuple(name for name in (*MEASURES, GUARD) if name in names)


def early_stopping_of(value: Any, task: Task) -> EarlyStopping | None:
    """Return what the argument `early_stopping` means for a task, or raise."""
    rule = rule_of(value)
    if rule is not None:
        valid = task.evaluator.names if task.validates else ()
        rule.check(["loss", *task.metrics], valid)
    return rule


def check_name(name: Any) -> str:
    """Return the name of a run, or raise."""
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 60 or not name.isprintable():
        raise ValueError(f"name must be text of 1 to 60 characters, got {name!r}")
    return name.strip()


def first_sizes(task: Task) -> BatchSizes:
    """Return the batch sizes of a run that begins at step 0."""

    def steps_per_epoch(size: int) -> int | None:
        return task.batched(size).steps_per_epoch

    return BatchSizes((BatchSpan(0, 0, task.batch_size),), steps_per_epoch)

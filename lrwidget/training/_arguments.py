"""What a trainer or a live control makes of its arguments."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NoReturn

import jax

from lrwidget import _checks
from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule, ScheduleLengthWarning, disagreement
from lrwidget.training._commands import LAST_STEP
from lrwidget.training._task import Task

# Without a known epoch, validation comes this often in a run.
_VALIDATIONS = 20


def run_length(task: Task, chain: Chain, steps: int | None, epochs: int | None) -> int:
    """Return the length of a run in steps; ValueError or TypeError if it is not clear."""
    if steps is not None and epochs is not None:
        raise ValueError(f"steps or epochs must be given, not both; got {steps!r} and {epochs!r}")
    if epochs is not None:
        if task.steps_per_epoch is None:
            raise ValueError(
                "epochs needs training data whose steps per epoch are known, and this iterable "
                f"has no length: give steps; got epochs={epochs!r}"
            )
        steps = (
            _checks.integer("epochs", epochs, low=1, high=LAST_STEP // task.steps_per_epoch)
            * task.steps_per_epoch
        )
        _warn_of_another_length(chain, steps)
        return steps
    if steps is None:
        steps = chain.steps
    if steps is None:
        raise ValueError(
            "steps or epochs must be given where no schedule of the chain has an end, got neither"
        )
    return _checks.integer("steps", steps, low=1, high=LAST_STEP)


def _warn_of_another_length(chain: Chain, steps: int) -> None:
    """Warn of schedules that are made for another length than the data's."""
    for address in chain.addresses():
        value = chain.value(address)
        said = disagreement(value, steps) if isinstance(value, Schedule) else None
        if said is not None:
            # At the line that makes the trainer.
            warnings.warn(f"{chain.short(address)}: {said}", ScheduleLengthWarning, stacklevel=4)


def warn_of_empty_groups(task: Task, chain: Chain) -> None:
    """Warn of groups that none of the task's parameters belongs to."""
    if chain.groups:
        usual = chain.warnings()
        for each in chain.warnings(task.initial[0]):
            if each not in usual:
                warnings.warn(each.text, UserWarning, stacklevel=3)


def check_validation(task: Task, chain: Chain) -> None:
    """Raise a ValueError if the chain waits for validation losses that the task does not have."""
    if "valid_value" not in chain.needs or (task.validates and "loss" in task.evaluator.names):
        return
    names = [link.name for _, link in chain.labelled() if "valid_value" in link.needs]
    has = "an eval_fn that returns no 'loss'" if task.validates else "no validation data"
    raise ValueError(
        f"{' and '.join(names)} must judge a loss that there is, got monitor='valid' for a task "
        f"with {has}: give the task that, or take monitor='train'"
    )


def validation_interval(task: Task, steps: int, valid_every: int | None) -> int | None:
    """Return the steps between validation passes, None for none, or raise a ValueError."""
    if valid_every is not None:
        if not task.validates:
            raise ValueError(
                f"valid_every must be None for a task without validation data, got {valid_every!r}"
            )
        return _checks.integer("valid_every", valid_every, low=1)
    if not task.validates:
        return None
    return task.steps_per_epoch or max(1, steps // _VALIDATIONS)


def merged(name: str, mapping: Any, by_name: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by address and by name as one dictionary that is not empty."""
    if mapping is not None and not isinstance(mapping, Mapping):
        raise TypeError(f"{name} takes a mapping of addresses to values, got {mapping!r}")
    merged = {**(mapping or {}), **by_name}
    if not merged:
        raise ValueError(f"{name} must name at least one hyperparameter, got none")
    return merged


def live_length(chain: Chain, steps: int | None) -> int:
    """Return the length of a run without a task, or raise a ValueError."""
    steps = chain.steps if steps is None else steps
    if steps is None:
        raise ValueError("steps must be given where no schedule of the chain has an end, got None")
    return _checks.integer("steps", steps, low=1, high=LAST_STEP)


def step_number(step: Any) -> int:
    """Return the number of a step, or raise; one on the device is refused unread."""
    if isinstance(step, jax.Array):
        raise TypeError(
            "step must be a Python int, got a jax.Array: reading it would wait for the device at "
            "every step"
        )
    return _checks.integer("step", step, low=0, high=LAST_STEP)


def refuse_measure(name: str, value: Any) -> NoReturn:
    """Raise because a measure is no scalar array outside of jit."""
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"{name} must be an array, got a tracer: call live.update outside of jit")
    raise ValueError(f"{name} must be a scalar, got shape {value.shape}")

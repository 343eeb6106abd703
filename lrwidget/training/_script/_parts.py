"""What both forms of a training script have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrwidget.optimizers._layout import WIDTH, laid_out
from lrwidget.schedules._declaration import number

if TYPE_CHECKING:
    from lrwidget.training._trainer import Trainer

# What the step passes for each keyword that the chain's update needs.
_PASSED = {
    "value": "value",
    "grad": "grads",
    "value_fn": "value_fn",
    "obj_fn": "value_fn",
    "valid_value": "valid_value",
}

_VALUE_FN = """\

        def value_fn(params):
            return loss_of(params, carry[1], batch, key)[0]

"""


def update_code(needs: frozenset[str]) -> tuple[str, str]:
    """Return a function that a step has to define, and its call of the chain's update."""
    passed = [f"{name}={word}" for name, word in _PASSED.items() if name in needs]
    called = f"optimizer.update({', '.join(['grads', 'opt_state', 'params', *passed])})"
    update = laid_out(called, column=len("updates, opt_state = "), width=WIDTH - 8)
    value_fn = _VALUE_FN if needs & {"value_fn", "obj_fn"} else ""
    return value_fn, f"updates, opt_state = {update}".replace("\n", "\n        ")


def valid_losses(trainer: Trainer) -> str:
    """Return a table of the validation losses that the run's chain was told, by step."""
    every = trainer.options.valid_every
    valid = trainer.history.valid
    losses = [] if "loss" not in valid.names else zip(valid.step, valid.loss, strict=True)
    # One that was taken only because the run was to end there is not told to what comes later.
    told = {
        int(step): float(loss)
        for step, loss in losses
        if every is not None and step % every == 0 and step < trainer.position and np.isfinite(loss)
    }
    entries = ", ".join(f"{step}: {number(loss)}" for step, loss in told.items())
    table = laid_out(f"{{{entries}}}", column=len("VALID_LOSSES = "))
    return f"# Of the steps that came after a validation pass.\nVALID_LOSSES = {table}"


def blocks(*texts: str) -> str:
    """Return pieces of source one below the other, with as much room as a formatter leaves."""
    told = [text.strip("\n") for text in texts if text.strip()]
    joined = told[0]
    for text in told[1:]:
        defines = text.startswith(("def ", "class ", "@")) or joined[joined.rfind("\n") + 1] == " "
        joined += "\n" * (3 if defines else 2) + text
    return joined + "\n"


def signature(arguments: list[str]) -> str:
    """Return the arguments of a function, a line each, to stand between its brackets."""
    return "".join(f"\n    {argument}," for argument in arguments) + "\n"


def from_elsewhere(trainer: Trainer) -> str:
    """Return the end of a sentence about a run that began with trained weights."""
    return ", from weights that another run had trained" if trainer.starts_elsewhere else ""

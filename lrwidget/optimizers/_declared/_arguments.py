"""Arguments that many factories of Optax share, and short forms to declare a factory with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from lrwidget.optimizers._declaration import Declaration, Hyperparameter

# `like(B1, default=0.98)`: the argument, with what is different here.
like: Callable[..., Hyperparameter] = dataclasses.replace


def optax(name: str, help: str, *hyperparameters: Hyperparameter, **more: Any) -> Declaration:  # noqa: A002
    """Declare ``optax.<name>``."""
    return _declare("optax", name, help, hyperparameters, more)


def contrib(name: str, help: str, *hyperparameters: Hyperparameter, **more: Any) -> Declaration:  # noqa: A002
    """Declare ``optax.contrib.<name>``."""
    return _declare("optax.contrib", name, help, hyperparameters, more)


def _declare(
    module: str,
    name: str,
    help: str,  # noqa: A002
    hyperparameters: tuple[Hyperparameter, ...],
    more: dict[str, Any],
) -> Declaration:
    return Declaration(
        **{"name": name, "module": module, "function": name, **more},
        help=help,
        hyperparameters=hyperparameters,
    )


def number(name: str, default: Any, help: str, **more: Any) -> Hyperparameter:  # noqa: A002
    """Return a number from 0 on, unless `more` says otherwise."""
    return Hyperparameter(name=name, default=default, help=help, **more)


def mean(name: str, default: Any, help: str, **more: Any) -> Hyperparameter:  # noqa: A002
    """Return the decay rate of a mean, of which Optax also takes one minus it."""
    return number(name, default, help, **{"high": 1.0, "high_open": True, "decay": True, **more})


def fading(name: str, default: Any, help: str, **more: Any) -> Hyperparameter:  # noqa: A002
    """Return a decay rate of which Optax does not take one minus it."""
    return mean(name, default, help, decay=False, **more)


def integer(name: str, default: Any, help: str, **more: Any) -> Hyperparameter:  # noqa: A002
    """Return a whole number, fixed while training."""
    return Hyperparameter(name=name, default=default, kind="integer", help=help, **more)


def flag(name: str, default: bool, help: str) -> Hyperparameter:  # noqa: A002, FBT001
    """Return what is on or off."""
    return Hyperparameter(name=name, default=default, kind="flag", help=help)


def choice(name: str, default: str, choices: tuple[str, ...], help: str) -> Hyperparameter:  # noqa: A002
    """Return one of several words."""
    return Hyperparameter(name=name, default=default, kind="choice", choices=choices, help=help)


def function(name: str, help: str) -> Hyperparameter:  # noqa: A002
    """Return what JSON cannot hold; None stands for Optax's own."""
    return Hyperparameter(name=name, default=None, kind="function", help=help)


def dtype(name: str, default: str | None, help: str) -> Hyperparameter:  # noqa: A002
    """Return the type of something that is kept."""
    return Hyperparameter(name=name, default=default, kind="dtype", help=help)


def rate(default: float | None, **more: Any) -> Hyperparameter:
    """Return the learning rate that Optax requires, with a sensible start."""
    declared = {"name": "learning_rate", "required": True, "schedulable": True, **more}
    return Hyperparameter(**{"help": "size of a step", **declared}, default=default)


B1 = mean("b1", 0.9, "decay of the mean of the gradients")
B2 = mean("b2", 0.999, "decay of the mean of the squared gradients")
EPS = number("eps", 1e-8, "added to the root in the denominator")
EPS_ROOT = number("eps_root", 0.0, "added under the root in the denominator")
NESTEROV = flag("nesterov", default=False, help="look ahead along the momentum")
MU_DTYPE = dtype("mu_dtype", None, "type of the kept mean; that of the parameters where None")
ACCUMULATOR = dtype(
    "accumulator_dtype", None, "type of the kept gradients; that of the parameters where None"
)
MASK = Hyperparameter(
    name="mask", default=None, kind="mask", help="which parameters decay: all where None"
)

# Decoupled: added after the optimizer has scaled the gradients, and before the rate.
DECAY = number(
    "weight_decay", 1e-4, "share of each weight taken off at a step, times the learning rate"
)
# Where Optax takes a schedule for it as well.
DECAY_CURVE = like(DECAY, schedulable=True)
# The L2 penalty, which the optimizer then scales like any gradient.
PENALTY = number("weight_decay", 0.0, "share of each weight added to its gradient")

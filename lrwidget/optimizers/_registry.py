"""The links of lrwidget, one declaration each, and those of installed packages."""

from __future__ import annotations

import functools

from lrwidget import _checks, _plugins
from lrwidget.optimizers._declaration import Declaration, Hyperparameter

_LEARNING_RATE = Hyperparameter(
    name="learning_rate",
    default=1e-3,
    required=True,
    schedulable=True,
    help="size of a step",
)
_B1 = Hyperparameter(
    name="b1",
    decay=True,
    default=0.9,
    high=1.0,
    high_open=True,
    help="decay of the mean of the gradients",
)
_B2 = Hyperparameter(
    name="b2",
    decay=True,
    default=0.999,
    high=1.0,
    high_open=True,
    help="decay of the mean of the squared gradients",
)
_EPS = Hyperparameter(name="eps", default=1e-8, help="added to the root in the denominator")
_EPS_ROOT = Hyperparameter(
    name="eps_root", default=0.0, help="added under the root in the denominator"
)
_MASK = Hyperparameter(
    name="mask", default=None, kind="mask", help="which parameters decay: all where None"
)
_NESTEROV = Hyperparameter(
    name="nesterov", default=False, kind="flag", help="look ahead along the momentum"
)

BUILT_IN = (
    Declaration(
        name="sgd",
        module="optax",
        function="sgd",
        help="gradient descent, with momentum if it is given",
        hyperparameters=(
            _LEARNING_RATE,
            Hyperparameter(
                name="momentum",
                default=None,
                optional=True,
                high=1.0,
                high_open=True,
                help="decay of the sum of past gradients; none where None",
            ),
            _NESTEROV,
        ),
    ),
    Declaration(
        name="adam",
        module="optax",
        function="adam",
        help="steps of similar size for every parameter (Kingma and Ba 2015)",
        hyperparameters=(_LEARNING_RATE, _B1, _B2, _EPS, _EPS_ROOT, _NESTEROV),
    ),
    Declaration(
        name="adamw",
        module="optax",
        function="adamw",
        help="Adam with decoupled weight decay (Loshchilov and Hutter 2019)",
        hyperparameters=(
            _LEARNING_RATE,
            _B1,
            _B2,
            _EPS,
            _EPS_ROOT,
            Hyperparameter(
                name="weight_decay",
                default=1e-4,
                help="share of each weight taken off at a step, times the learning rate",
            ),
            _MASK,
            _NESTEROV,
        ),
    ),
    Declaration(
        name="clip_by_global_norm",
        module="optax",
        function="clip_by_global_norm",
        help="scale all gradients down together where their norm is larger",
        one_type=True,
        hyperparameters=(
            Hyperparameter(
                name="max_norm",
                default=1.0,
                required=True,
                low_open=True,
                help="largest norm of all gradients together",
            ),
        ),
    ),
    Declaration(
        name="add_decayed_weights",
        module="optax",
        function="add_decayed_weights",
        help="add a share of each weight to its gradient",
        hyperparameters=(
            Hyperparameter(
                name="weight_decay", default=0.0, help="share of each weight that is added"
            ),
            _MASK,
        ),
    ),
)


@functools.cache
def declarations() -> dict[str, Declaration]:
    """Return every kind of link by name: ours, then those of installed packages.

    Packages list theirs in the entry-point group ``lrwidget.optimizers``; each entry is a
    `Declaration` with a name of its own, or this raises a TypeError or a ValueError.
    """
    return _plugins.declared("lrwidget.optimizers", Declaration, BUILT_IN)


def declaration(name: str) -> Declaration:
    """Return the declaration called `name`, or raise a ValueError that lists the names."""
    return declarations()[_checks.choice("link", name, declarations())]

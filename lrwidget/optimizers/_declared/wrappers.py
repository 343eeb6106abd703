"""What goes around the rest of a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._declared._arguments import (
    contrib,
    dtype,
    flag,
    function,
    integer,
    number,
    optax,
)
from lrwidget.optimizers._declared.contrib import AVERAGE

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain


def _climb() -> Chain:
    # A chain is made of links, and a link of a declaration.
    from lrwidget.optimizers._chain import Chain
    from lrwidget.optimizers._link import Link

    return Chain(Link("normalize"), Link("sgd", learning_rate=0.05))


WRAPPERS = (
    optax(
        "multi_steps",
        "add up the gradients of several batches for one update",
        integer("every_k_schedule", 4, "batches to one update", required=True, low=1.0),
        flag("use_grad_mean", default=True, help="their mean, not their sum"),
        function("should_skip_update_fn", "which batches to leave out; none where None"),
        dtype("accumulator_dtype", "float32", "type of the sum"),
        function="MultiSteps",
        category="wrapper",
        wraps="opt",
        every="every_k_schedule",
        method="gradient_transformation",
        reports=("mini_step", "gradient_step"),
    ),
    optax(
        "apply_if_finite",
        "leave out updates from gradients that are not finite, up to so many in a row",
        integer("max_consecutive_errors", 5, "after so many in a row they pass", required=True),
        category="wrapper",
        wraps="inner",
        reports=("notfinite_count", "total_notfinite"),
    ),
    Declaration(
        name="lookahead",
        module="lrwidget.optimizers.transforms",
        function="lookahead",
        help="every few steps go back part of the way, to slow weights (Zhang et al. 2019, "
        "arXiv 1907.08610)",
        hyperparameters=(
            integer("sync_period", 5, "steps from one meeting to the next", low=1.0),
            number("slow_step_size", 0.5, "how far the slow weights follow", high=1.0),
            flag("reset_state", default=False, help="begin the optimizer anew at each meeting"),
        ),
        category="wrapper",
        wraps="fast_optimizer",
        evaluate="lookahead",
        extends="optax.lookahead",
    ),
    contrib(
        "schedule_free",
        "average the path instead of lowering the rate (Defazio et al. 2024, arXiv 2405.15682)",
        number(
            "learning_rate",
            None,
            "rate by which a step weighs; the chain's where None",
            follows=True,
            schedulable=True,
            first_count=1,
        ),
        *AVERAGE,
        category="wrapper",
        wraps="base_optimizer",
        evaluate="schedule_free",
        reports=("max_lr",),
    ),
    contrib(
        "sam",
        "gradients from a point uphill, for flat minima; two batches make one update (Foret et "
        "al. 2021, arXiv 2010.01412)",
        Hyperparameter(name="adv_optimizer", default=_climb, kind="chain", help="the step uphill"),
        integer("sync_period", 2, "batches to one update", low=1.0),
        flag("reset_state", default=True, help="begin the step uphill anew each time"),
        category="wrapper",
        wraps="optimizer",
        every="sync_period",
    ),
    contrib(
        "mechanize",
        "find the scale of the rate while training (Cutkosky et al. 2023, arXiv 2306.00144)",
        number("weight_decay", 0.01, "weight decay of the search for the scale"),
        number("eps", 1e-8, "added to denominators"),
        number("s_init", 1e-6, "scale at the start", live=False, low_open=True),
        integer("num_betas", 6, "how many memories the search has", low=1.0),
        category="wrapper",
        wraps="base_optimizer",
        one_type=True,
        reports=("s",),
        scale="s",
    ),
    optax(
        "flatten",
        "lay all parameters out as one vector, which is faster for many small ones",
        category="wrapper",
        wraps="inner",
    ),
)

"""What is done to the updates, after an optimizer or in place of one."""

from __future__ import annotations

from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._declared._arguments import (
    ACCUMULATOR,
    EPS,
    MASK,
    NESTEROV,
    choice,
    contrib,
    fading,
    flag,
    integer,
    like,
    mean,
    number,
    optax,
    rate,
)

UPDATE = {"category": "update"}
_SEARCH = {"needs": ("value", "grad", "value_fn"), "reports": ("learning_rate",), **UPDATE}
_SLOPE = number("slope_rtol", 1e-4, "share of the slope by which the loss must fall", live=False)

UPDATES = (
    optax(
        "add_decayed_weights",
        "add a share of each weight: an L2 penalty before an optimizer, decoupled before a rate",
        number("weight_decay", 0.0, "share of each weight that is added", schedulable=True),
        MASK,
        **UPDATE,
    ),
    optax(
        "scale",
        "multiply by a number",
        number("step_size", 1.0, "times the updates", required=True, low=None),
        **UPDATE,
    ),
    optax(
        "scale_by_learning_rate",
        "multiply by the learning rate, and turn downhill",
        # Optax does neither without one.
        rate(1e-3),
        flag("flip_sign", default=True, help="turn downhill"),
        rate="learning_rate",
        **UPDATE,
    ),
    optax(
        "trace",
        "sum past updates, each fading: classical momentum",
        fading("decay", 0.9, "decay of the sum", required=True),
        NESTEROV,
        ACCUMULATOR,
        **UPDATE,
    ),
    optax(
        "ema",
        "the mean of past updates, each fading",
        mean("decay", 0.9, "decay of the mean", required=True),
        flag("debias", default=True, help="correct the mean's start at zero"),
        ACCUMULATOR,
        **UPDATE,
    ),
    optax(
        "freeze",
        "put zero for parameters that must stay; last, where weight decay cannot move them either",
        Hyperparameter(
            name="mask",
            default=False,
            kind="mask",
            required=True,
            help="which parameters stay: all where True",
        ),
        **UPDATE,
    ),
    optax(
        "apply_every",
        "hold updates back and give their sum every k steps",
        integer("k", 1, "steps from one sum to the next", low=1.0),
        **UPDATE,
    ),
    optax(
        "keep_params_nonnegative",
        "cut updates so that no parameter falls below zero; last",
        **UPDATE,
    ),
    optax(
        "scale_by_trust_ratio",
        "make each layer's update as large as its weights (You et al. 2020, arXiv 1904.00962)",
        number("min_norm", 0.0, "smallest norm that weights and updates count as having"),
        number("trust_coefficient", 1.0, "times that size"),
        like(EPS, default=0.0, help="added to the norm of the update"),
        **UPDATE,
    ),
    optax(
        "scale_by_param_block_norm",
        "multiply each array by the norm of its weights",
        number("min_scale", 1e-3, "smallest factor"),
        **UPDATE,
    ),
    optax(
        "scale_by_param_block_rms",
        "multiply each array by the root mean square of its weights",
        number("min_scale", 1e-3, "smallest factor"),
        **UPDATE,
    ),
    optax(
        "normalize_by_update_norm",
        "make the norm of all updates together one",
        number("scale_factor", 1.0, "the norm instead of one", low_open=True),
        number("eps", 1e-6, "added to the norm"),
        **UPDATE,
    ),
    contrib("normalize", "make the norm of all updates together exactly one", **UPDATE),
    optax("scale_by_sign", "the sign of every entry", **UPDATE),
)

LINE_SEARCHES = (
    optax(
        "scale_by_backtracking_linesearch",
        "shrink the step until the loss falls enough; after an optimizer (Vaswani et al. 2019, "
        "arXiv 1905.09997)",
        integer("max_backtracking_steps", 15, "most steps that are tried", required=True, low=1.0),
        _SLOPE,
        number("decrease_factor", 0.8, "factor from one step to the next", high=1.0, live=False),
        number("increase_factor", 1.5, "factor from the last step to the first", live=False),
        number("max_learning_rate", 1.0, "largest step", live=False),
        number("atol", 0.0, "how far above that the loss may end", live=False),
        number("rtol", 0.0, "how far above that, as a share of the loss", live=False),
        flag("store_grad", default=False, help="keep the gradient where the search ends"),
        **_SEARCH,
    ),
    optax(
        "scale_by_zoom_linesearch",
        "the step where the loss falls and levels out; after an optimizer (Nocedal and Wright "
        "1999)",
        integer("max_linesearch_steps", 20, "most steps that are tried", required=True, low=1.0),
        number("max_learning_rate", None, "largest step", optional=True, live=False),
        number("tol", 0.0, "how far either rule may be missed", live=False),
        number("increase_factor", 2.0, "factor while the step grows", live=False),
        _SLOPE,
        number("curv_rtol", 0.9, "share of the slope that may be left", live=False),
        number(
            "approx_dec_rtol",
            1e-6,
            "how flat the loss must be for an approximate rule",
            optional=True,
            live=False,
        ),
        number("stepsize_precision", 1e-5, "smallest difference of steps", live=False),
        choice(
            "initial_guess_strategy", "keep", ("keep", "one"), "first step: the last one's, or one"
        ),
        **_SEARCH,
    ),
)

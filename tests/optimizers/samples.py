"""A small chain around every kind of link, and values at which each of its numbers shows."""

from __future__ import annotations

from typing import Any

from lrwidget.optimizers import Chain, make
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._registry import declaration

# Links that stand after an optimizer, and those that are one though they are called otherwise.
AFTER = ("scale", "freeze", "keep_params_nonnegative", "apply_every")
ALONE = ("scale_by_learning_rate", "scale_by_madgrad", "scale_by_cocob")

# Two that would do nothing at their defaults within a few steps, and one that would do nothing.
ALWAYS: dict[str, dict[str, Any]] = {
    "freeze": {"mask": True},
    "mechanize": {"s_init": 0.01},
    "scale_by_distance_over_gradients": {"reps_rel": 0.1},
}

# A curve far above the link's own rate, which therefore counts.
CEILING = {"curve": "ceiling", "learning_rate": 10.0}

# These need other values than their defaults for every number to matter.
SHOWING: dict[str, dict[str, Any]] = {
    "adafactor": {"learning_rate": 0.01, "momentum": 0.9, "weight_decay_rate": 0.01},
    "greedy": {"patience": 1, **CEILING},
    "hypergradient": {**CEILING},
    "lbfgs": {"learning_rate": 1.0},
    "learned_scale": {"window": 3, **CEILING},
    "lookahead": {"sync_period": 1},
    "muon": {"adam_learning_rate": 0.01, "consistent_rms": 0.2},
    "reduce_on_plateau": {"patience": 1, **CEILING, "smoothing": 0.1},
    "rmsprop": {"momentum": 0.9},
    "scale_by_lion": {"mode": "smooth"},
    "schedule_free": {"learning_rate": 0.05},
    "schedule_free_sgd": {"learning_rate": 0.1, "weight_decay": 0.01},
    "sgd": {"momentum": 0.9},
    "sharpness_aware_rate": {**CEILING},
    "stability_guard": {**CEILING},
}

# Where half of a number would change nothing, since it is a bound that nothing reaches.
REACHED = {
    ("clip", "max_delta"): 1e-3,
    ("clip_by_block_rms", "threshold"): 1e-3,
    ("clip_by_global_norm", "max_norm"): 1e-3,
    ("fromage", "min_norm"): 10.0,
    ("momo", "learning_rate"): 1e-4,
    ("momo_adam", "learning_rate"): 1e-4,
    ("polyak_sgd", "eps"): 1e4,
    ("polyak_sgd", "f_min"): 100.0,
    ("polyak_sgd", "max_learning_rate"): 1e-4,
    ("prodigy", "estim_lr_coef"): 1e4,
    ("radam", "threshold"): 1e6,
    ("rprop", "max_step_size"): 1e-5,
    ("rprop", "min_step_size"): 1.0,
    ("scale_by_param_block_norm", "min_scale"): 10.0,
    ("scale_by_param_block_rms", "min_scale"): 10.0,
    ("scale_by_polyak", "eps"): 1e4,
    ("scale_by_polyak", "f_min"): 100.0,
    ("scale_by_polyak", "max_learning_rate"): 1e-4,
    ("scale_by_radam", "threshold"): 1e6,
    ("scale_by_rprop", "max_step_size"): 1e-5,
    ("scale_by_rprop", "min_step_size"): 1.0,
    ("scale_by_trust_ratio", "min_norm"): 10.0,
    ("schedule_free", "learning_rate"): 5.0,
    ("sophia", "gamma"): 1e6,
}

# Bounds of what adaptive links learn, and how much better a loss must be for them.
BOUNDS = {"min_scale": 1e9, "max_scale": 1e-9, "atol": 100.0, "rtol": 0.9, "tolerance": 100.0}


def sample(name: str, *, showing: bool = False) -> Chain:
    """Return a chain that trains with the link `name` at its defaults, or where all shows."""
    declared = declaration(name)
    values = {h.name: h.default for h in declared.hyperparameters if h.required}
    values |= ALWAYS.get(name, {})
    if showing:
        values |= {
            h.name: 0.1
            for h in declared.hyperparameters
            if h.kind == "number" and h.live and h.default is None
        }
        values |= SHOWING.get(name, {})
    link = make(name, **values)
    if declared.category in ("optimizer", "free") or name in ALONE:
        return Chain.of(link)
    if declared.category == "adaptive" or name in AFTER or "linesearch" in name:
        return Chain.of(make("sgd", learning_rate=0.05, momentum=0.5), link)
    if declared.category == "update":
        return Chain.of(link, make("scale_by_learning_rate", learning_rate=0.01))
    return Chain.of(link, make("sgd", learning_rate=0.05))


def other(declared: Declaration, h: Hyperparameter, value: float) -> float:
    """Return a value of `h` that is far enough from `value` to show at the next step."""
    if (declared.name, h.name) in REACHED:
        return REACHED[declared.name, h.name]
    if declared.category == "adaptive" and h.name in BOUNDS:
        return BOUNDS[h.name]
    if h.high == 1.0 and h.high_open:
        return 0.3
    if "eps" in h.name or value == 0.0:
        return 0.3
    return 0.5 * value if h.low is None or 0.5 * value > h.low else 1.5 * value

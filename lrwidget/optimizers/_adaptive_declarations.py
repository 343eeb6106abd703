"""The adaptive transformations as links; imports neither JAX nor Optax."""

from __future__ import annotations

from typing import Any

from lrwidget.optimizers._declaration import Declaration, Hyperparameter


def _number(name: str, default: float, help: str, **more: Any) -> Hyperparameter:  # noqa: A002
    return Hyperparameter(name=name, default=default, help=help, **more)


def _share(name: str, default: float, help: str, **more: Any) -> Hyperparameter:  # noqa: A002
    return _number(name, default, help, low=0.0, high=1.0, low_open=True, **more)


def _factor(name: str, default: float, help: str) -> Hyperparameter:  # noqa: A002
    return _number(name, default, help, low=0.0, high=1.0, low_open=True, high_open=True)


def _decay(name: str, default: float, help: str) -> Hyperparameter:  # noqa: A002
    # Not `decay=True`: these are ours, and computed in float32 whatever the parameters are.
    return _number(name, default, help, low=0.0, high=1.0, high_open=True)


def _integer(name: str, default: int, help: str, low: int = 0) -> Hyperparameter:  # noqa: A002
    return Hyperparameter(name=name, default=default, kind="integer", low=low, help=help)


def _bounds(low: float, high: float) -> tuple[Hyperparameter, Hyperparameter]:
    return (
        _number("min_scale", low, "the least that the rate is multiplied by"),
        _number("max_scale", high, "the most that the rate is multiplied by", low_open=True),
    )


_MONITOR = Hyperparameter(
    name="monitor",
    default="train",
    kind="choice",
    choices=("train", "valid"),
    help="whose loss is judged: each batch's, or the newest of the validation data",
)


def _curve(*, always: bool = False) -> tuple[Hyperparameter, ...]:
    """Return the three arguments of the curve; `always`: it is read as a multiplier too."""
    return (
        Hyperparameter(
            name="curve",
            default="multiplier",
            kind="choice",
            choices=("multiplier", "ceiling"),
            help="whether the rate is the curve times what is learned, or at most the curve",
        ),
        Hyperparameter(
            name="learning_rate",
            default=None,
            optional=True,
            follows=True,
            only_if=() if always else ("curve", "ceiling"),
            help="the curve; None for the chain's learning rate",
        ),
        Hyperparameter(
            name="own_rate",
            default=None,
            optional=True,
            low=0.0,
            low_open=True,
            help="the rate where what is learned is 1; None for the curve itself",
        ),
    )


_JUDGED = (
    _number("rtol", 1e-4, "how much lower counts as better, relative to the best", high=1.0),
    _number("atol", 0.0, "how much lower counts as better, absolutely"),
)


def _declare(
    name: str,
    hyperparameters: tuple[Hyperparameter, ...],
    help: str,  # noqa: A002
    **more: Any,
) -> Declaration:
    return Declaration(
        name=name,
        module="lrwidget.optimizers.adaptive",
        function=name,
        hyperparameters=hyperparameters,
        help=help,
        category="adaptive",
        scale="scale",
        **more,
    )


ADAPTIVE = (
    _declare(
        "stability_guard",
        (
            _share("fraction", 0.7, "of the critical step: 0.5 is greedy, 1 is the edge"),
            _share("start", 0.01, "the fraction of the critical step taken first", live=False),
            _number("fast", 0.2, "how far a test moves the log of the rate at first", high=1.0),
            _number("slow", 0.02, "how far a test moves it in the long run", high=1.0),
            _number("settle", 30.0, "steps after which it is half as much", low_open=True),
            _integer("dense", 30, "the steps at first of which each is tested"),
            _integer("every", 16, "steps from one test to the next afterwards", low=1),
            _integer("search_steps", 12, "the most forward passes of the first search", low=1),
            *_bounds(1e-6, 1e6),
            *_curve(always=True),
        ),
        "keep the rate below that at which a step no longer lowers the loss (after Kalra et al. "
        "2026, arXiv 2601.16979)",
        needs=("value", "grad", "value_fn"),
        reports=("scale", "critical_scale"),
    ),
    _declare(
        "reduce_on_plateau",
        (
            _factor("factor", 0.1, "what the rate is multiplied by"),
            _integer("patience", 10, "values in a row no better than the best", low=1),
            *_JUDGED,
            _integer("cooldown", 0, "values after a reduction that do not count"),
            _integer("accumulation_size", 1, "values whose mean is judged as one", low=1),
            _number("min_scale", 0.0, "the least that the rate is multiplied by"),
            _decay("smoothing", 0.0, "decay rate of the running mean that is judged"),
            _MONITOR,
            *_curve(),
        ),
        "lower the rate when the loss has stopped falling",
        needs=("value", "valid_value"),
        reports=("scale", "best_value"),
        extends="optax.contrib.reduce_on_plateau",
    ),
    _declare(
        "greedy",
        (
            _factor("factor", 0.95, "what the rate is multiplied or divided by"),
            _integer("patience", 10, "more values of one kind in a row change the rate"),
            *_JUDGED,
            _integer("cooldown", 0, "values after a reduction that do not count"),
            _integer("warmup", 0, "values after an increase that do not count"),
            *_bounds(1e-3, 100.0),
            _decay("smoothing", 0.9, "decay rate of the running mean that is judged"),
            _integer("reset_after", 0, "reductions at the floor that start anew; 0 for never"),
            _MONITOR,
            *_curve(),
        ),
        "raise the rate while the loss falls, and lower it while it does not (GreedyLR, "
        "arXiv 2512.14527)",
        needs=("value", "valid_value"),
        reports=("scale", "best_value"),
    ),
    _declare(
        "hypergradient",
        (
            _number(
                "hyper_rate",
                0.02,
                "by how much a step may change the rate",
                high=1.0,
                high_open=True,
            ),
            *_bounds(1e-3, 1e3),
            *_curve(),
        ),
        "adapt the rate by whether the last step should have been longer (Baydin et al. 2018, "
        "arXiv 1703.04782)",
        needs=("grad",),
        reports=("scale", "alignment"),
    ),
    _declare(
        "sharpness_aware_rate",
        (
            _number(
                "sigma", 0.1, "1 goes to the minimum along the update, 2 to the edge", low_open=True
            ),
            _decay("ema_decay", 0.9, "decay rate of the means of slope and curvature"),
            _integer("every", 1, "steps from one measurement to the next", low=1),
            _number("eps", 1e-12, "added to the curvature", low_open=True),
            *_bounds(1e-6, 1e6),
            *_curve(always=True),
        ),
        "take the rate from slope and curvature along the update (Roulet et al. 2024, "
        "arXiv 2407.06183)",
        needs=("value_fn",),
        reports=("scale", "curvature"),
    ),
    _declare(
        "learned_scale",
        (
            _integer("window", 20, "losses to which a line is fitted", low=3),
            _number(
                "raise_factor",
                2.0,
                "by how much the first trial raises the rate",
                low=1.0,
                low_open=True,
                live=False,
            ),
            _factor("lower_factor", 0.5, "what a rise of the loss multiplies the rate by"),
            _share("refinement", 0.9, "what a failed trial multiplies the next rise by"),
            _number("tolerance", 0.0, "by how much faster the loss must fall, relatively"),
            *_bounds(1e-3, 1e3),
            *_curve(),
        ),
        "try higher rates, and keep those with which the loss falls faster (AdaLRS 2025, "
        "arXiv 2506.13274)",
        needs=("value",),
        reports=("scale", "velocity"),
    ),
)

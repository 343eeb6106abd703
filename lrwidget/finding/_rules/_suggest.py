"""Every rule by name, and what all of them say of a sweep."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from lrwidget._numbers import short_rate
from lrwidget.finding._rules._fastai import minimum, slide, steepest, valley
from lrwidget.finding._rules._others import gradient_by_index, ignite, steepest_linear
from lrwidget.finding._rules._rule import (
    HEAD_FRACTION,
    FloatArray,
    Rule,
    SilentRuleError,
    TooFewPointsError,
    Trim,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_RULES = (
    Rule(
        name="valley",
        title="Valley",
        help="Two thirds through the longest fall of the loss. Careful; often low.",
        function=valley,
    ),
    Rule(
        name="steepest",
        title="Steepest",
        help="Where the loss falls fastest per decade. Often high; noise decides.",
        function=steepest,
    ),
    Rule(
        name="minimum",
        title="Minimum / 10",
        help="A tenth of the rate with the lowest loss. The tenth is a convention.",
        function=minimum,
        rates_only=True,
    ),
    Rule(
        name="slide",
        title="Slide",
        help="Where, coming down from the blow-up, the slope settles. "
        "Depends on the scale of the loss.",
        function=slide,
        reads_the_rise=True,
    ),
    Rule(
        name="lightning",
        title="Lightning, old",
        help="Where the loss falls fastest per step of the ladder (Lightning before 2.5.3, MONAI). "
        "Noise decides.",
        function=gradient_by_index,
        trim=Trim(head=10, tail=1),
        shown=False,
    ),
    Rule(
        name="torch_lr_finder",
        title="torch-lr-finder",
        help="Where the loss falls fastest per step of the ladder, without its last five. "
        "Noise decides.",
        function=gradient_by_index,
        trim=Trim(head=10, tail=5),
        shown=False,
    ),
    Rule(
        name="ignite",
        title="ignite",
        help="Where the loss falls fastest per step before it is lowest. "
        "An early dip of the loss decides.",
        function=ignite,
        trim=Trim(),
        shown=False,
    ),
    Rule(
        name="steepest_linear",
        title="Lightning, new",
        help="Where the loss falls fastest per unit of the rate (Lightning since 2.5.3). "
        "On a geometric ladder far too low.",
        function=steepest_linear,
        trim=Trim(head=10, tail=1),
        shown=False,
    ),
)

# The first points are few to average, and the lowest loss may be there by chance.
_WITHOUT_NOISE = Trim(share=HEAD_FRACTION)

# A loss that is the same at every rate still differs in its last digits, once averaged.
_SAME = 1e-6

rules: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _RULES})
"""Every rule by name, in the order in which the panels list them."""


def suggest(
    learning_rates: FloatArray, losses: FloatArray, steps: int, *, of_rates: bool = True
) -> tuple[dict[str, float], dict[str, str]]:
    """Ask every rule about its part of the curve.

    The rules are exact, and some of them look behind the blow-up as well. A rate above the one
    with the lowest loss is nothing to suggest, so that such an answer is told as a silence.

    Parameters
    ----------
    learning_rates, losses
        The finite points of the sweep, shape (n,); smoothed losses.
    steps
        Steps that the whole ladder has.
    of_rates
        Whether learning rates climbed, and not another hyperparameter.

    Returns
    -------
    tuple of two dicts
        Rule name to learning rate, and rule name to the reason of its silence.
    """
    rates, values = _WITHOUT_NOISE(learning_rates, losses, steps)
    lowest = float(rates[np.argmin(values)]) if len(rates) else np.inf
    suggestions: dict[str, float] = {}
    silent: dict[str, str] = {}
    if len(losses) > 1 and np.ptp(losses) <= _SAME * np.abs(losses).max():
        return {}, dict.fromkeys(rules, "the loss is the same at every rate")
    for name, rule in rules.items():
        if rule.rates_only and not of_rates:
            silent[name] = "what it goes by is a convention for learning rates"
            continue
        try:
            said = rule(*rule.trim(learning_rates, losses, steps))
        except TooFewPointsError as reason:
            silent[name] = f"{reason} ({rule.trim})"
        except SilentRuleError as reason:
            silent[name] = str(reason)
        else:
            if said > lowest:
                silent[name] = (
                    f"it says {short_rate(said)}, above {short_rate(lowest)}, where the loss is "
                    "lowest"
                )
            else:
                suggestions[name] = said
    return suggestions, silent

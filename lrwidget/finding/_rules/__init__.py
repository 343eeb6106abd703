"""The well-known rules that read one learning rate off a range test.

Each gives its library's number wherever that number follows from the curve, so that results can
be compared across libraries. Where the library's code answers although the curve says nothing (a
loss that never falls, too few points, a rule that runs off the end), the rule here stays silent
and says why.

What the docstrings say of our calibration: three tabular data sets, SGD with momentum and Adam,
twelve sweeps each, against the best rate of a grid of short runs with linear decay.
"""

from __future__ import annotations

from lrwidget.finding._rules._rule import (
    HEAD_FRACTION,
    TAIL_POINTS,
    FloatArray,
    Rule,
    SilentRuleError,
    Trim,
)
from lrwidget.finding._rules._suggest import rules, suggest

__all__ = [
    "HEAD_FRACTION",
    "TAIL_POINTS",
    "FloatArray",
    "Rule",
    "SilentRuleError",
    "Trim",
    "rules",
    "suggest",
]

"""Find a learning rate by training a little: the range test and the rules that read it."""

from __future__ import annotations

from lrwidget.finding._find_lr import Progress, find_lr
from lrwidget.finding._rules import Rule, SilentRuleError, rules
from lrwidget.finding._sweep import LRSweep

__all__ = ["LRSweep", "Progress", "Rule", "SilentRuleError", "find_lr", "rules"]

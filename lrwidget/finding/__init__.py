"""Find a learning rate by training a little: range test, curvature, probes, advice, comparison.

Each name loads on first use (PEP 562): the panels ask for the rules' names before anything is
trained, and should not wait for JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrwidget.finding._advice import Advice, Evidence
    from lrwidget.finding._advise import AdviceProgress, advise
    from lrwidget.finding._cancel import CancelledError
    from lrwidget.finding._compare import ComparisonProgress, compare
    from lrwidget.finding._comparison import Comparison, Difference
    from lrwidget.finding._curvature import Curvature, curvature
    from lrwidget.finding._find_lr import Progress, find_lr
    from lrwidget.finding._first_look import NothingToMeasureError
    from lrwidget.finding._fit import Fit
    from lrwidget.finding._noise_scale import NoiseScale, noise_scale
    from lrwidget.finding._probe import probe
    from lrwidget.finding._probed import Probe
    from lrwidget.finding._prober import ProbeRun
    from lrwidget.finding._rules import Rule, SilentRuleError, rules
    from lrwidget.finding._sweep import LRSweep

_HOMES = {
    "Advice": "_advice",
    "AdviceProgress": "_advise",
    "CancelledError": "_cancel",
    "Comparison": "_comparison",
    "ComparisonProgress": "_compare",
    "Curvature": "_curvature",
    "Difference": "_comparison",
    "Evidence": "_advice",
    "Fit": "_fit",
    "LRSweep": "_sweep",
    "NoiseScale": "_noise_scale",
    "NothingToMeasureError": "_first_look",
    "Probe": "_probed",
    "ProbeRun": "_prober",
    "Progress": "_find_lr",
    "Rule": "_rules",
    "SilentRuleError": "_rules",
    "advise": "_advise",
    "compare": "_compare",
    "curvature": "_curvature",
    "find_lr": "_find_lr",
    "noise_scale": "_noise_scale",
    "probe": "_probe",
    "rules": "_rules",
}

__all__ = [
    "Advice",
    "AdviceProgress",
    "CancelledError",
    "Comparison",
    "ComparisonProgress",
    "Curvature",
    "Difference",
    "Evidence",
    "Fit",
    "LRSweep",
    "NoiseScale",
    "NothingToMeasureError",
    "Probe",
    "ProbeRun",
    "Progress",
    "Rule",
    "SilentRuleError",
    "advise",
    "compare",
    "curvature",
    "find_lr",
    "noise_scale",
    "probe",
    "rules",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

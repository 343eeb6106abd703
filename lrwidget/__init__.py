"""lrwidget: find, design, export and live-control learning rates in JAX.

Everything heavy loads on first use (PEP 562): ``import lrwidget`` imports neither JAX nor the
widget, so that opening a notebook does not wait for a backend.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrwidget import finding, optimizers, schedules, training
    from lrwidget.finding import Advice, Comparison, LRSweep, Probe, advise, compare, find_lr, probe
    from lrwidget.optimizers import Chain, Link
    from lrwidget.schedules import Duration, Lengths, Schedule, Segment
    from lrwidget.training import LiveControl, Task, Trainer, open_run, replay
    from lrwidget.widget import LRWidget, ScheduleDesigner

    __version__: str

_HOMES = {
    "Advice": "lrwidget.finding",
    "Comparison": "lrwidget.finding",
    "compare": "lrwidget.finding",
    "Probe": "lrwidget.finding",
    "advise": "lrwidget.finding",
    "probe": "lrwidget.finding",
    "Chain": "lrwidget.optimizers",
    "Duration": "lrwidget.schedules",
    "LRSweep": "lrwidget.finding",
    "LRWidget": "lrwidget.widget",
    "Lengths": "lrwidget.schedules",
    "Link": "lrwidget.optimizers",
    "LiveControl": "lrwidget.training",
    "Schedule": "lrwidget.schedules",
    "ScheduleDesigner": "lrwidget.widget",
    "Segment": "lrwidget.schedules",
    "Task": "lrwidget.training",
    "Trainer": "lrwidget.training",
    "find_lr": "lrwidget.finding",
    "open_run": "lrwidget.training",
    "replay": "lrwidget.training",
}
_ROOMS = ("finding", "optimizers", "schedules", "training")

__all__ = [
    "Advice",
    "Chain",
    "Comparison",
    "Duration",
    "LRSweep",
    "LRWidget",
    "Lengths",
    "Link",
    "LiveControl",
    "Probe",
    "Schedule",
    "ScheduleDesigner",
    "Segment",
    "Task",
    "Trainer",
    "advise",
    "compare",
    "find_lr",
    "finding",
    "open_run",
    "optimizers",
    "probe",
    "replay",
    "schedules",
    "training",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        if name == "LiveControl":
            # Its room knows no browser, and this one knows both.
            value.view = staticmethod(_view_of)
    elif name in _ROOMS:
        value = importlib.import_module(f"lrwidget.{name}")
    elif name == "__version__":
        # Reading the metadata takes longer than the rest of this module.
        value = importlib.import_module("importlib.metadata").version("lrwidget")
    else:
        raise AttributeError(f"module 'lrwidget' has no attribute {name!r}{_elsewhere(name)}")
    globals()[name] = value
    return value


def _elsewhere(name: str) -> str:
    """Say where a name of the finders is that are not at the top, such as `curvature`."""
    if name.startswith("_"):  # asked for by tools, of everything
        return ""
    finding = importlib.import_module("lrwidget.finding")  # without JAX
    return f": it is lrwidget.finding.{name}" if name in finding.__all__ else ""


def _view_of(live: LiveControl) -> Any:
    from lrwidget.widget._live_view import view_of

    return view_of(live)


def __dir__() -> list[str]:
    # What it takes to load them is nobody's business.
    special = {name for name in globals() if name.startswith("__")}
    return sorted({*special, "__version__", *__all__})

"""What the Find panel opens with: settings, the traits before the first search, the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrwidget.widget._probes_view import NO_PROBES

if TYPE_CHECKING:
    from lrwidget.training import Task

SETTINGS: dict[str, Any] = {
    "low": 1e-7,
    "high": 10.0,
    "steps": 100,
    "seeds": 3,
    "ladder": "exponential",
    "loss": "train",
    "budget": "quick",
    "from": "start",
}
"""What the panel offers before the first search."""

IDLE: dict[str, Any] = {
    "state": "idle",
    "phase": None,
    "progress": 0.0,
    "stopping": False,
    "settings": SETTINGS,
    "validation": False,
    "objective": SETTINGS["loss"],
    "suggestions": {},
    "spread": {},
    "silent": {},
    "left_out": [],
    "diverged_at": None,
    "stopped": None,
    "gradient_steps": 0,
    "error": None,
    "outdated": None,
    "advice": None,
    "curvature": None,
}
"""The status before the first search."""


def first_state(task: Task) -> dict[str, Any]:
    """Return the traits before the first search."""
    return {
        "_find": {**IDLE, "validation": task.validates},
        "_sweep": {"seq": 0, "columns": {}},
        "_probes": NO_PROBES,
    }


def rules_shown(task: Task | None) -> list[dict[str, Any]]:
    """Return the rules as the page's catalogue lists them: none without a task."""
    if task is None:
        return []
    from lrwidget.finding import rules

    names = ("name", "title", "help", "shown")
    return [{name: getattr(rule, name) for name in names} for rule in rules.values()]

"""The record of every command that took effect in a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lrwidget.schedules import Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """One command, or one hyperparameter of a command that names several.

    Everything in it is plain JSON data.

    Attributes
    ----------
    step
        The first step that felt it.
    seconds
        Since the start of the run; 0 before.
    command
        ``"set"``, ``"scale"``, ``"release"``, ``"pause"``, ``"resume"``, ``"step"``, ``"stop"``,
        ``"extend"``, ``"cooldown"`` or ``"set_pace"``.
    address
        The full address of the hyperparameter; None for commands about the run.
    before, after
        What was and is in force: a number; a schedule as its JSON node, read in absolute steps;
        None where the command has no such thing.
    source
        Who gave it: ``"code"``, ``"widget"``, …
    arguments
        What the command was given besides.
    """

    step: int
    seconds: float
    command: str
    address: str | None = None
    before: Any = None
    after: Any = None
    source: str = "code"
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def describe(value: float | Schedule | None) -> Any:
    """Return `value` as plain JSON data."""
    return value.to_node() if isinstance(value, Schedule) else value

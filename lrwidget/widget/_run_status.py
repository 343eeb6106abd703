"""What a page is told of a run besides its numbers: the ``_train`` trait."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.optimizers import Chain
from lrwidget.optimizers._addresses import MULTIPLIER, shortened
from lrwidget.schedules import Schedule
from lrwidget.widget._journal_view import notice
from lrwidget.widget._journal_words import of_command, sentence
from lrwidget.widget._rate import rate_of

if TYPE_CHECKING:
    from lrwidget.training import JournalEntry, Task
    from lrwidget.widget._run_feed import Shown

MOVES = (
    *("at", "batch", "cancel", "diagnose", "exact", "fan", "fork", "freeze", "nudge"),
    *("preview", "rewind", "snapshot", "undo", "warmup"),
)
"""What can be done with a run of a task, besides what could be done with every run ever."""

LIVE_MOVES = ("freeze", "nudge", "preview", "undo", "warmup")
"""What of it can be done with a run of a loop of one's own, of which no states are kept."""

_GUARDS = {"stop": "stops", "pause": "pauses", "roll_back": "rolls back"}
_OWN_BATCHES = "the data brings batches of its own"

EMPTY: Mapping[str, Any] = {
    "steps_per_second": None,
    "seconds_left": None,
    "error": None,
    "held": None,
    "valid_columns": [],
    "effective": [],
    "reports": [],
    "edits": [],
    "journal": [],
    "batch_size": None,
    "batch_next": None,
    "batch_fixed": None,
    "able": [],
    "off": None,
    "snapshots": [],
    "best": None,
    "forks": [],
    "fan": None,
    "guard": None,
    "notice": None,
    "traceback": None,
    "activity": None,
    "scheduled": [],
    "undo": None,
    "directory": None,
    "origin": None,
}
"""What there is to say before anything has happened."""


def run_status(run: Shown, address: str | None, journal: Sequence[JournalEntry]) -> dict[str, Any]:
    """Return how a run stands, as far as that has nothing to do with plots."""
    edits = run.undoable
    return {
        **EMPTY,
        "state": run.state,
        "step": run.position,
        "total": run.steps,
        "steps_per_second": finite(run.steps_per_second),
        "seconds_left": finite(run.seconds_left),
        "pace": run.pace,
        "error": run.error,
        "traceback": run.traceback,
        "held": None if address is None else run.held(address),
        "steps_per_epoch": run.steps_per_epoch,
        "reports": list(run.chain.reports()),
        "address": address,
        "addresses": addresses_shown(run.chain, run.addresses, run.held),
        "groups": groups_shown(run.chain, run.addresses, run.held),
        "notice": notice(journal),
        "able": list(LIVE_MOVES),
        "undo": None if edits is None else sentence(edits)[0],
        **(_of_task(run, journal) if of_task(run) else {}),
    }


def idle_status(
    task: Task, chain: Chain, schedule: Schedule, number: int, pace: float | None
) -> dict[str, Any]:
    """Return the ``_train`` trait without a run: what Start would do now."""
    return {
        **EMPTY,
        "run": number,
        "state": "idle",
        "step": 0,
        "total": schedule.steps or 0,
        "pace": pace,
        "metrics": {},
        "learning_rate": schedule(0),
        "plan": schedule.to_node(samples=True),
        "columns": ["loss", *task.metrics],
        "steps_per_epoch": task.steps_per_epoch,
        "address": rate_of(chain),
        "addresses": addresses_shown(chain, chain.live_addresses(None), lambda _: None),
        "groups": groups_shown(chain, (), lambda _: None),
        "able": list(MOVES),
        "batch_size": task.batch_size,
        "batch_fixed": batch_fixed(task),
    }


def of_task(run: Any) -> bool:
    """Return whether a run is one of a task, which can go back, fork and fan out."""
    return hasattr(run, "rewind")


def addresses_shown(chain: Chain, addresses: Any, held: Any) -> list[dict[str, Any]]:
    """Return what a person may watch and edit."""
    shown = []
    short = shortened(addresses)
    for address in addresses:
        declared = chain.hyperparameter(address)
        shown.append(
            {
                "address": address,
                "short": short[address],
                # A run's schedules do not go below 0.
                "low": max(0.0, finite(declared.low) or 0.0),
                "high": finite(declared.high),
                "held": held(address),
            }
        )
    return shown


def groups_shown(chain: Chain, addresses: Any, held: Any) -> list[dict[str, Any]]:
    """Return the groups, and whether each is frozen: all that moves it is held at 0."""
    shown = []
    for group in chain.groups:
        brakes = [
            f"{label}.{link.declaration.rate}"
            for label, link in chain.labelled_in(group.name)
            if link.declaration.rate in link.live()
        ]
        if not group.own:
            brakes = [f"{group.name}/{MULTIPLIER}"]
        frozen = all(brake in addresses and held(brake) == 0.0 for brake in brakes)
        shown.append({"name": group.name, "frozen": bool(brakes) and frozen})
    return shown


def _of_task(run: Any, journal: Sequence[JournalEntry]) -> dict[str, Any]:
    """Return what only the run of a task has."""
    guard = run.options.guard
    return {
        "able": list(MOVES),
        **_batches(run),
        "best": None if run.best is None else {"step": run.best[0], "value": finite(run.best[1])},
        "guard": None if guard is None else _GUARDS[guard.action],
        "activity": run.activity,
        "scheduled": [
            {"number": number, "step": step, "text": of_command(command)}
            for number, step, command in run.scheduled
        ],
        "directory": None if run.directory is None else str(run.directory),
        "origin": run.origin or None,
        "notice": notice(journal) or run.disk_error or run.callback_error,
    }


def snapshots_shown(run: Any) -> list[dict[str, Any]]:
    """Return the states of a run that can be gone back to."""
    kept = [{"step": each.step, "reason": each.reason} for each in run.snapshots]
    # Where it began needs no snapshot, and can always be gone back to.
    return kept if kept and kept[0]["step"] == 0 else [{"step": 0, "reason": "start"}, *kept]


def _batches(run: Any) -> dict[str, Any]:
    now = [size for size in run.batch_sizes if size[0] <= run.position]
    coming = [size for size in run.batch_sizes if size[0] > run.position]
    return {
        "batch_size": now[-1][2],
        "batch_next": {"step": coming[0][0], "size": coming[0][2]} if coming else None,
        "batch_fixed": batch_fixed(run.task),
    }


def batch_fixed(task: Task) -> str | None:
    """Return why the batch size cannot change, or None if it can."""
    from lrwidget.training._pass_source import PassSource

    return _OWN_BATCHES if isinstance(task.source, PassSource) else None


def last(column: NDArray[Any]) -> float | None:
    """Return the newest value of a column, None where that cannot be written as JSON."""
    return finite(float(column[-1])) if len(column) else None


def finite(value: float | None) -> float | None:
    """Return a number, or None for what JSON has no word for."""
    if value is None or not math.isfinite(value):
        return None
    return float(np.float64(value))

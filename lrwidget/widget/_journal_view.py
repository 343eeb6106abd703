"""A run's journal in people's words: flags for the plots, lines for the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lrwidget.widget._static import Mark, rate_text, steps_text

if TYPE_CHECKING:
    from lrwidget.training import JournalEntry

# Commands that change what is applied: they leave a flag on the plots.
_EDITS = frozenset({"set", "scale", "release", "extend", "cooldown"})
_ROWS = 500
_PLAIN = {"pause": "paused", "resume": "resumed", "stop": "stopped"}


def journal_view(journal: Sequence[JournalEntry]) -> dict[str, Any]:
    """Return ``edits`` and ``journal`` of the ``_train`` trait: the newest 500 entries."""
    journal = journal[-_ROWS:]
    return {
        "edits": [
            {"step": entry.step, "label": label(entry), "source": entry.source}
            for entry in journal
            if entry.command in _EDITS
        ],
        "journal": [
            {"step": entry.step, "seconds": round(entry.seconds, 3), "text": sentence(entry)}
            for entry in journal
        ],
    }


def marks(journal: Sequence[JournalEntry]) -> list[Mark]:
    """Return the flags of the static picture."""
    return [Mark(x=entry.step, label=label(entry)) for entry in journal if entry.command in _EDITS]


def label(entry: JournalEntry) -> str:
    """Return an entry in a word or two."""
    match entry.command:
        case "scale":
            return f"×{entry.arguments['factor']:g}"
        case "set":
            return "new curve" if isinstance(entry.after, Mapping) else rate_text(entry.after)
        case "extend":
            return f"+{steps_text(entry.arguments['steps'])}"
        case "cooldown":
            return "cool down"
        case "release":
            return "released"
        case other:
            return other


def sentence(entry: JournalEntry) -> str:
    """Return an entry in words: what, and from what to what."""
    said = _sentence(entry)
    return said if entry.source == "widget" else f"{said} (from {entry.source})"


def _sentence(entry: JournalEntry) -> str:
    name = "" if entry.address is None else entry.address.rpartition(".")[2].replace("_", " ")
    before, after, given = entry.before, entry.after, entry.arguments
    match entry.command:
        case "set":
            said = f"{name}: {_value(before)} → {_value(after)}"
        case "scale":
            said = f"{name} × {given['factor']:g}"
        case "release":
            said = f"{name}: {_value(before)} → back to the curve"
        case "extend":
            said = f"extended by {steps_text(given['steps'])} to {steps_text(after)} steps"
        case "cooldown":
            over = steps_text(given["steps"])
            said = f"{name}: cool down to {rate_text(given['end_value'])} over {over} steps"
        case "set_pace":
            said = f"pace: {_pace(before)} → {_pace(after)}"
        case "step":
            said = f"{steps_text(after)} step{'' if after == 1 else 's'} by hand"
        case other:
            said = _PLAIN.get(other, other)
    return said


def _value(value: Any) -> str:
    return "the curve" if isinstance(value, Mapping) else rate_text(value)


def _pace(value: float | None) -> str:
    return "no limit" if value is None else f"{value:g} steps a second"

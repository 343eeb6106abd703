"""A run's journal as its page has it: flags for the plots, lines for the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lrwidget.widget._journal_words import label, sentence
from lrwidget.widget._static import Mark, steps_text

if TYPE_CHECKING:
    from lrwidget.training import JournalEntry

# All of it travels with each change of the status: the rest is in `Trainer.journal`.
_ROWS = 200

# What leaves a flag on the plots, and how the flag looks.
_KINDS = {
    **dict.fromkeys(("set", "scale", "nudge", "release", "extend", "cooldown"), "edit"),
    **dict.fromkeys(("restart_warmup", "freeze", "thaw", "set_batch_size", "early_stop"), "edit"),
    "roll_back": "guard",
    "rewind": "rewind",
    "take": "rewind",
    "fork": "fork",
}
# These lead elsewhere in the run: that is where their flags are.
_ELSEWHERE = frozenset({"rewind", "roll_back", "take"})


class JournalView:
    """The newest 200 entries in words, each put into words once."""

    def __init__(self) -> None:
        # By the entry's id; the entry itself is kept beside, so that no other gets that id.
        self._known: dict[int, tuple[JournalEntry, dict[str, Any], dict[str, Any] | None]] = {}

    def __call__(self, journal: Sequence[JournalEntry]) -> dict[str, Any]:
        """Return ``edits`` and ``journal`` of the ``_train`` trait."""
        journal = journal[-_ROWS:]
        known, about = self._known, _About(journal)
        self._known = {id(e): known.get(id(e)) or (e, _line(e, about), _flag(e)) for e in journal}
        back = about.taken_back
        edits, lines = [], []
        for entry in journal:
            _, line, _ = self._known[id(entry)]
            lines.append({**line, "undone": True} if entry.call in back else line)
        for entry in _once(journal):
            _, _, flag = self._known[id(entry)]
            if flag is not None:
                edits.append({**flag, "undone": True} if entry.call in back else flag)
        return {"edits": edits, "journal": lines}


class _About:
    """What entries say of one another."""

    def __init__(self, journal: Sequence[JournalEntry]) -> None:
        self._calls = {entry.call: entry for entry in reversed(journal)}
        self._waiting = {
            entry.arguments.get("number"): entry for entry in journal if entry.command == "schedule"
        }
        self.taken_back = frozenset(
            entry.arguments.get("undoes")
            for entry in journal
            if entry.command == "undo" and not entry.undone
        )

    def said(self, entry: JournalEntry) -> tuple[str, str, str]:
        """Return an entry in words, and what it takes back, if it does that."""
        text, before, after = sentence(entry)
        if entry.command == "undo":
            meant = self._calls.get(entry.arguments.get("undoes", -1))
        elif entry.command == "cancel":
            meant = self._waiting.get(entry.before)
        else:
            return text, before, after
        return text if meant is None else f"{text}: {sentence(meant)[0]}", "", ""


def notice(journal: Sequence[JournalEntry]) -> str | None:
    """Return what the guard did, as long as nobody has changed anything since."""
    resumed = False
    for entry in reversed(journal):
        resumed |= entry.command == "resume"
        if entry.command == "pause" and entry.source == "guard" and "at" in entry.arguments:
            return None if resumed else f"diverged at {steps_text(entry.arguments['at'])}"
        if entry.command == "roll_back":
            at, to = entry.arguments.get("at", entry.before), entry.after
            return f"diverged at {steps_text(at)}, rolled back to {steps_text(to)}"
        if entry.command in _KINDS and entry.source != "guard":
            return None
    return None


def marks(journal: Sequence[JournalEntry]) -> list[Mark]:
    """Return the flags of the static picture."""
    back = _About(journal).taken_back
    return [
        Mark(x=_place(entry), label=label(entry))
        for entry in _once(journal)
        if _kind(entry) and not entry.undone and entry.call not in back
    ]


def _once(journal: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Leave out what only says of another hyperparameter what the entry before said of one."""
    kept: list[JournalEntry] = []
    for entry in journal:
        if not kept or (kept[-1].call, kept[-1].command) != (entry.call, entry.command):
            kept.append(entry)
    return kept


def _kind(entry: JournalEntry) -> str | None:
    if entry.source == "guard":
        return "guard"
    return _KINDS.get(entry.command)


def _flag(entry: JournalEntry) -> dict[str, Any] | None:
    kind = _kind(entry)
    if kind is None:
        return None
    return {
        "step": _place(entry),
        "label": label(entry),
        "source": entry.source,
        "kind": kind,
        "undone": entry.undone,
    }


def _place(entry: JournalEntry) -> int:
    return entry.after if entry.command in _ELSEWHERE and entry.after is not None else entry.step


def _line(entry: JournalEntry, about: _About) -> dict[str, Any]:
    text, before, after = about.said(entry)
    return {
        "step": entry.step,
        "seconds": round(entry.seconds, 3),
        "text": text,
        "from": before,
        "to": after,
        "source": entry.source,
        "undone": entry.undone,
    }

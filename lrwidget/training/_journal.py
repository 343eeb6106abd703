"""The record of every command that took effect in a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

from lrwidget import _checks
from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule
from lrwidget.training._commands import Command

_SCHEMA = "lrwidget/journal"
_VERSION = 1
# What a line of a journal may hold besides the fields of an entry: nothing.
_UNKNOWN = "a journal's entry must have just the fields of a JournalEntry"


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
        The command's name, such as ``"set"`` or ``"cooldown"``; see `lrwidget.training.Command`.
        Besides those: ``"schedule"`` (an edit was accepted for a later step), ``"refused"`` (it
        could not take effect there), ``"roll_back"`` (by the guard), ``"fork"``, ``"take"``,
        ``"early_stop"``.
    address
        The full address of the hyperparameter; None for commands about the run.
    before, after
        What was and is in force: a number; a schedule as its JSON node, read in absolute steps;
        None where the command has no such thing. Of a rewind: the steps done before and after.
    source
        Who gave it: ``"code"``, ``"widget"``, ``"guard"``, …
    arguments
        What the command was given besides.
    call
        Which command it was, counted from 0: the entries of one command have the same.
    given
        The command as `Command.to_node` writes it, in the first entry of one that changes what
        follows: enough to replay it. None elsewhere.
    idle
        Whether it was given before the first step that this trainer took.
    undone
        Whether a rewind has gone back behind it.
    """

    step: int
    seconds: float
    command: str
    address: str | None = None
    before: Any = None
    after: Any = None
    source: str = "code"
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    call: int = 0
    given: Mapping[str, Any] | None = None
    idle: bool = False
    undone: bool = False

    @property
    def border(self) -> float:
        """Where in the run it was given: what came before the first step counts as before it."""
        return self.step - 0.5 if self.idle else float(self.step)

    def to_node(self) -> dict[str, Any]:
        """Return the entry as plain JSON data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_node(cls, node: Any) -> JournalEntry:
        """Return the entry that `to_node` wrote; ValueError or TypeError if it is none."""
        if not isinstance(node, Mapping):
            raise TypeError(f"{_UNKNOWN}, got {node!r}")
        names = [field.name for field in dataclasses.fields(cls)]
        _checks.known_keywords("a journal's entry", node, names)
        step = _checks.integer("the step of a journal's entry", node.get("step"), low=0)
        seconds = _checks.finite("the seconds of a journal's entry", node.get("seconds"), low=0.0)
        call = _checks.integer("the call of a journal's entry", node.get("call", 0), low=0)
        for name, kind in (("command", str), ("source", str), ("idle", bool), ("undone", bool)):
            if name in node and not isinstance(node[name], kind):
                raise TypeError(f"{name} of a journal's entry must be {kind.__name__}")
        if "command" not in node:
            raise ValueError(f"{_UNKNOWN}, and this one has no command")
        return cls(**{**node, "step": step, "seconds": seconds, "call": call})


class Given(NamedTuple):
    """A command of the past: where in the run it was given, and which it was."""

    border: float
    command: Command
    call: int


class Journal(Sequence[JournalEntry]):
    """The entries of a run in order, with what a replay needs to know besides.

    Attributes
    ----------
    header
        The run as it began, JSON data: ``chain`` (its JSON; None if it holds a function),
        ``steps``, ``live``, ``seed``, ``batch_size``, ``valid_every``, ``measure``,
        ``starts_elsewhere``, ``name``, ``versions``. Besides, how it stands: ``state``,
        ``fork_step``, and ``passes``, the steps of validation passes out of turn.
    position
        How many steps the run has done.
    chain
        The chain that it began with; None where a text told only that it cannot be told.
    forks
        The journals of its forks, each from the run's very start.
    """

    def __init__(
        self,
        entries: Iterable[JournalEntry],
        *,
        header: Mapping[str, Any] | None = None,
        position: int = 0,
        chain: Chain | None = None,
        forks: Iterable[Journal] = (),
    ):
        self._entries = tuple(entries)
        self.header = dict(header or {})
        self.position = position
        self.chain = chain
        self.forks = tuple(forks)

    @overload
    def __getitem__(self, index: int) -> JournalEntry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[JournalEntry, ...]: ...
    def __getitem__(self, index: int | slice) -> JournalEntry | tuple[JournalEntry, ...]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[JournalEntry]:
        return iter(self._entries)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Journal):
            return self._entries == other._entries
        return isinstance(other, tuple) and self._entries == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Journal({len(self)} entries, {self.position} steps done)"

    def to_node(self) -> dict[str, Any]:
        """Return the journal as plain JSON data."""
        return {
            "schema": _SCHEMA,
            "version": _VERSION,
            "header": self.header,
            "position": self.position,
            "entries": [entry.to_node() for entry in self],
            "forks": [fork.to_node() for fork in self.forks],
        }

    def to_json(self) -> str:
        """Return the journal as JSON text."""
        return json.dumps(self.to_node(), allow_nan=False)

    @classmethod
    def from_node(cls, node: Any) -> Journal:
        """Return the journal that `to_node` wrote; ValueError or TypeError if it is none."""
        if not isinstance(node, Mapping) or node.get("schema") != _SCHEMA:
            raise ValueError(f"a journal must be a JSON object with the schema {_SCHEMA!r}")
        if node.get("version") != _VERSION:
            raise ValueError(
                f"a journal must have version {_VERSION}, got {node.get('version')!r}: was it "
                "written by a newer lrwidget?"
            )
        try:
            return cls._read(node)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the journal is damaged: {error!r}") from error

    @classmethod
    def _read(cls, node: Mapping[str, Any]) -> Journal:
        header = node.get("header")
        if not isinstance(header, Mapping):
            raise TypeError(f"the header of a journal must be a JSON object, got {header!r}")
        text = header.get("chain")
        return cls(
            [JournalEntry.from_node(entry) for entry in node.get("entries", ())],
            header=header,
            position=_checks.integer("the position of a journal", node.get("position"), low=0),
            chain=None if text is None else Chain.from_json(text),
            forks=[cls.from_node(fork) for fork in node.get("forks", ())],
        )

    @classmethod
    def from_json(cls, text: str) -> Journal:
        """Return the journal that `to_json` wrote; a ValueError says what is wrong with it."""
        try:
            node = json.loads(text)
        except ValueError as error:
            raise ValueError(f"a journal must be JSON text: {error}") from None
        return cls.from_node(node)


def surviving(entries: Iterable[JournalEntry]) -> list[Given]:
    """Return the commands that made the run what it is: those that no rewind has undone."""
    every: dict[int, Given] = {}
    script: list[Given] = []
    for entry in entries:
        if entry.given is None:
            continue
        if entry.command in ("rewind", "roll_back"):
            script = [given for given in script if given.border < entry.after]
        elif entry.command == "take":
            # Of a fork's commands the older ones may be undone in the run that takes it, and those
            # given at the step where it began count as before that.
            script = [
                every[call]._replace(border=border) for call, border in entry.arguments["calls"]
            ]
        else:
            given = Given(entry.border, Command.from_node(entry.given), entry.call)
            every[entry.call] = given
            # A fork's entries come undone, and count from where the run takes it.
            if not entry.undone:
                script.append(given)
    return script


def marked(entries: Sequence[JournalEntry], alive: Iterable[int]) -> list[JournalEntry]:
    """Return the entries, those of edits that are not among the calls `alive` marked as undone."""
    alive = frozenset(alive)
    edits = {entry.call for entry in entries if entry.given is not None or _fired(entry)}
    edits -= {e.call for e in entries if e.command in ("rewind", "roll_back", "take")}
    return [
        entry
        if entry.undone == (gone := entry.call in edits and entry.call not in alive)
        else dataclasses.replace(entry, undone=gone)
        for entry in entries
    ]


def _fired(entry: JournalEntry) -> bool:
    return "scheduled" in entry.arguments


def describe(value: float | Schedule | None) -> Any:
    """Return `value` as plain JSON data."""
    return value.to_node() if isinstance(value, Schedule) else value

"""What happened in a run, in people's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lrwidget.optimizers._addresses import MULTIPLIER, bare
from lrwidget.schedules import Schedule
from lrwidget.widget._static import rate_text, steps_text

if TYPE_CHECKING:
    from lrwidget.training import Command, JournalEntry

_PLAIN = {
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped",
    "undo": "undone",
    "finish": "finished",
    "early_stop": "stopped early",
    "cancel": "cancelled",
    "drop": "dropped",
}


def label(entry: JournalEntry) -> str:
    """Return an entry in a word or two."""
    write = _LABELS.get(entry.command)
    if write is None:
        return _PLAIN.get(entry.command, entry.command.replace("_", " "))
    return write(entry, entry.arguments)


def sentence(entry: JournalEntry) -> tuple[str, str, str]:
    """Return what an entry was about, from what and to what, where it has these."""
    write = _SENTENCES.get(entry.command)
    return (_plain(entry), "", "") if write is None else write(entry, entry.arguments)


def of_command(command: Command) -> str:
    """Return a command that waits for its step in words."""
    node = {name: getattr(command, name) for name in vars(command)}
    for key, write in _BY_ADDRESS.items():
        if isinstance(by_address := node.get(key), Mapping):
            return ", ".join(write(_name(a), value) for a, value in by_address.items())
    match command.name:
        case "release":
            names = ", ".join(_name(a) for a in node.get("addresses", ()))
            said = f"{names or 'everything'} released"
        case "extend":
            said = f"extended by {steps_text(node['steps'])}"
        case "cooldown":
            said = f"cool down over {steps_text(node['steps'])} steps"
        case "restart_warmup":
            said = f"warm up over {steps_text(node['steps'])} steps"
        case "freeze" | "thaw":
            said = f"{command.name} {', '.join(node.get('groups', ()))}"
        case "set_batch_size":
            said = f"batch size {node['batch_size']:g}"
        case other:
            said = other.replace("_", " ")
    return said


# The commands' fields that go by address, and how one of them is written.
_BY_ADDRESS: Mapping[str, Callable[[str, Any], str]] = {
    "values": lambda name, value: f"{name} {_new(value)}",
    "factors": lambda name, value: f"{name} × {value:g}",
    "amounts": lambda name, value: f"{name} {_signed(value)}",
}

_Given = Mapping[str, Any]

_LABELS: Mapping[str, Callable[[JournalEntry, _Given], str]] = {
    "scale": lambda _, given: f"×{given['factor']:g}",
    "nudge": lambda _, given: _signed(given["amount"]),
    "set": lambda entry, _: "new curve" if _is_curve(entry.after) else rate_text(entry.after),
    "extend": lambda _, given: f"+{steps_text(given['steps'])}",
    "cooldown": lambda *_: "cool down",
    "release": lambda *_: "released",
    "restart_warmup": lambda *_: "warm up",
    "freeze": lambda entry, _: f"froze {_group(entry)}",
    "thaw": lambda entry, _: f"thawed {_group(entry)}",
    "set_batch_size": lambda entry, _: f"batch {entry.after}",
    "rewind": lambda *_: "rewound",
    "roll_back": lambda *_: "rolled back",
    "fork": lambda _, given: str(given["name"]),
    "take": lambda _, given: str(given.get("name", "took a fork")),
}

_SENTENCES: Mapping[str, Callable[[JournalEntry, _Given], tuple[str, str, str]]] = {
    "set": lambda entry, _: (_name(entry.address), _was(entry.before), _new(entry.after)),
    "scale": lambda entry, given: (
        f"{_name(entry.address)} × {given['factor']:g}",
        *_at_its_step(entry),
    ),
    "nudge": lambda entry, given: (
        f"{_name(entry.address)} {_signed(given['amount'])}",
        *_at_its_step(entry),
    ),
    "release": lambda entry, _: (
        f"{_name(entry.address)} released",
        _was(entry.before),
        "the curve",
    ),
    "extend": lambda entry, given: (
        f"extended by {steps_text(given['steps'])}",
        *_steps(entry.before, entry.after),
    ),
    "cooldown": lambda entry, given: (
        f"{_name(entry.address)}: cool down over {steps_text(given['steps'])} steps",
        _was(entry.before),
        rate_text(given["end_value"]),
    ),
    "restart_warmup": lambda entry, given: (
        f"{_name(entry.address)}: warm up over {steps_text(given['steps'])} steps",
        rate_text(given["init_value"]),
        "the curve",
    ),
    "freeze": lambda entry, _: (f"froze {_group(entry)}", "", ""),
    "thaw": lambda entry, _: (f"thawed {_group(entry)}", "", ""),
    "set_batch_size": lambda entry, _: ("batch size", *_steps(entry.before, entry.after)),
    "set_pace": lambda entry, _: ("pace", _pace(entry.before), _pace(entry.after)),
    "step": lambda entry, _: (
        f"{steps_text(entry.after)} step{'' if entry.after == 1 else 's'} taken",
        "",
        "",
    ),
    "rewind": lambda entry, _: ("rewound", *_steps(entry.before, entry.after)),
    "roll_back": lambda entry, given: (_rolled_back(given), *_steps(entry.before, entry.after)),
    "fork": lambda _, given: (f"forked: {given['name']}", "", ""),
    "take": lambda entry, given: (
        f"went on as {given.get('name', 'a fork')}",
        *_steps(entry.before, entry.after),
    ),
    "schedule": lambda _, given: (_scheduled(given), "", ""),
}


def _plain(entry: JournalEntry) -> str:
    said = _PLAIN.get(entry.command, entry.command.replace("_", " "))
    reason = entry.arguments.get("reason")
    return said if reason is None else f"{said}: {reason}"


def _name(address: str | None) -> str:
    if address is None:
        return ""
    group, _, inside = address.rpartition("/")
    name = "multiplier" if group and inside == MULTIPLIER else bare(inside).replace("_", " ")
    return f"{group} {name}".strip()


def _group(entry: JournalEntry) -> str:
    # What is held at 0 is a hyperparameter of the group.
    return "" if entry.address is None else entry.address.rpartition("/")[0]


def _at_its_step(entry: JournalEntry) -> tuple[str, str]:
    """Return what was and is in force at an entry's own step."""
    return _at(entry.before, entry.step), _at(entry.after, entry.step)


def _at(value: Any, step: int) -> str:
    if isinstance(value, Mapping):
        value = Schedule.from_node(value)(step)
    return "" if value is None else rate_text(value)


def _was(value: Any) -> str:
    return "the curve" if _is_curve(value) else rate_text(value)


def _new(value: Any) -> str:
    return "a new curve" if _is_curve(value) else rate_text(value)


def _is_curve(value: Any) -> bool:
    return isinstance(value, Mapping | Schedule)


def _steps(before: Any, after: Any) -> tuple[str, str]:
    return ("" if before is None else steps_text(before)), steps_text(after)


def _signed(amount: float) -> str:
    return f"{'+' if amount >= 0 else '−'} {rate_text(abs(amount))}"


def _rolled_back(given: Mapping[str, Any]) -> str:
    reason, factor = given.get("reason"), given.get("factor")
    said = "rolled back" if not reason else f"rolled back: {reason}"
    return said if factor in (None, 1) else f"{said}; learning rate × {factor:g}"


def _scheduled(given: Mapping[str, Any]) -> str:
    from lrwidget.training import Command

    command = given.get("command")
    try:
        said = of_command(Command.from_node(command)) if isinstance(command, Mapping) else command
    except (ValueError, TypeError, AttributeError):
        said = None  # of a plug-in that is not here
    at = given.get("at")
    when = "later" if at is None else f"at {steps_text(at)}"
    return f"{when}: {said or 'a command'}"


def _pace(value: float | None) -> str:
    return "no limit" if value is None else f"{value:g} steps/s"

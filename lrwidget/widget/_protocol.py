"""The commands that a browser may send, and the one way in which each is answered.

A command is ``{"id", "kind", ...fields}``. Every field is checked against its declared range
before a handler sees it. The answer is one message, ``{"kind": "reply", "id", "ok": true,
"value"}`` or ``{"kind": "reply", "id", "error"}``; where the handler gives a `Future`, it goes out
when that resolves, on whatever thread does so. Commands may arrive on any thread.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from lrwidget import _checks
from lrwidget.schedules import Schedule
from lrwidget.widget._chain_field import chain_field
from lrwidget.widget._export import FORMATS
from lrwidget.widget._tracks import check_range

_logger = logging.getLogger(__name__)

# Python allows larger whole numbers than any run has steps; the compiled step counts in int32.
_LAST_STEP = 2**31 - 1
# The rates that float32 can hold; where the chain declares narrower bounds, those count.
_LOWEST_RATE = 1.2e-38
_HIGHEST_RATE = 3.4e38
_LONGEST_TEXT = 200
_LONGEST_ERROR = 600
# A file of step and value: 1 MB is some fifty thousand lines.
_LONGEST_FILE = 1_000_000
_MOST_TRACKS = 64
_VIEW_CHARACTERS = 20_000
_VIEW_DEPTH = 8


class MalformedMessageError(ValueError):
    """A message that is not a command; `id` is its id where it has a usable one."""

    def __init__(self, reason: str, id: str | int | None = None) -> None:  # noqa: A002
        super().__init__(reason)
        self.id = id


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a command: how it is read, and whether it may be left out."""

    read: Callable[[str, Any], Any]
    optional: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """A command whose fields have been checked."""

    id: str | int
    kind: str
    fields: Mapping[str, Any]


def _rate(name: str, value: Any) -> float:
    return _checks.finite(name, value, low=_LOWEST_RATE, high=_HIGHEST_RATE)


def _value(name: str, value: Any) -> float:
    return _checks.finite(name, value, low=-_HIGHEST_RATE, high=_HIGHEST_RATE)


def _factor(name: str, value: Any) -> float:
    return _checks.finite(name, value, low=1e-6, high=1e6)


def _pace(name: str, value: Any) -> float | None:
    return None if value is None else _checks.finite(name, value, low=1e-3, high=1e6)


def _steps(name: str, value: Any) -> int:
    return _checks.integer(name, value, low=1, high=_LAST_STEP)


def _rungs(name: str, value: Any) -> int:
    return _checks.integer(name, value, low=10, high=10_000)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError(f"{name} must be text of 1 to {_LONGEST_TEXT} characters, got {value!r}")
    return value


def _schedule(name: str, value: Any) -> Schedule:
    schedule = Schedule.from_node(value)
    if schedule.steps is not None and schedule.steps > _LAST_STEP:
        raise ValueError(f"{name} must have <= {_LAST_STEP} steps, got {schedule.steps}")
    _checks.finite(f"the peak of {name}", schedule.peak_value, high=_HIGHEST_RATE)
    return schedule


def _tracks(name: str, value: Any) -> dict[str, Schedule]:
    """Return schedules by name, each within what optimizers declare for a hyperparameter so called.

    Whether the chain, where there is one, has them all is for the design to say.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be a JSON object of name and schedule, got {value!r}")
    if len(value) > _MOST_TRACKS:
        raise ValueError(f"{name} must be at most {_MOST_TRACKS} schedules, got {len(value)}")
    tracks = {}
    for track, node in value.items():
        _text("the name of a track", track)
        try:
            tracks[track] = _schedule("schedule", node)
            check_range(track, tracks[track])
        except (ValueError, TypeError) as error:
            raise ValueError(f"the track {track!r}: {error}") from error
    return tracks


def _file(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_FILE:
        size = f"{len(value)} characters" if isinstance(value, str) else repr(value)
        raise ValueError(f"{name} must be text of 1 to {_LONGEST_FILE} characters, got {size}")
    return value


def _format(name: str, value: Any) -> str:
    return _checks.choice(name, value, FORMATS)


def _stream(name: str, value: Any) -> str:
    return _checks.choice(name, value, ("train", "find"))


def _view(name: str, value: Any) -> dict[str, Any]:
    """Return what a page remembers of itself: small plain data, whose meaning is the page's own."""
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be a JSON object, got {value!r}")
    left = _VIEW_CHARACTERS
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        left -= len(item) + 2 if isinstance(item, str) else 8
        if left < 0 or depth > _VIEW_DEPTH:
            raise ValueError(
                f"{name} must be at most {_VIEW_CHARACTERS} characters and {_VIEW_DEPTH} levels, "
                "got more"
            )
        if isinstance(item, dict):
            waiting += [(part, depth + 1) for entry in item.items() for part in entry]
        elif isinstance(item, list):
            waiting += [(part, depth + 1) for part in item]
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{name} must hold finite numbers, got {item!r}")
        elif not isinstance(item, str | int | float | None):
            raise TypeError(f"{name} must be plain JSON data, got {item!r}")
    return value


_OPTIONAL_ADDRESS = Field(_text, optional=True)
_OPTIONAL_TRACK = Field(_text, optional=True)

COMMANDS: Mapping[str, Mapping[str, Field]] = {
    "ready": {},
    "view": {"state": Field(_view)},
    "resync": {"stream": Field(_stream)},
    "design.set": {
        "schedule": Field(_schedule, optional=True),
        "tracks": Field(_tracks, optional=True),
        "chain": Field(chain_field, optional=True),
    },
    "schedule.set": {"schedule": Field(_schedule)},
    "schedule.preset": {
        "name": Field(_text),
        "peak_value": Field(_rate, optional=True),
        "steps": Field(_steps, optional=True),
        "track": _OPTIONAL_TRACK,
    },
    "schedule.import": {"text": Field(_file), "track": _OPTIONAL_TRACK},
    "export.text": {"format": Field(_format), "track": _OPTIONAL_TRACK},
    "find.start": {"low": Field(_rate), "high": Field(_rate), "steps": Field(_rungs)},
    "find.stop": {},
    "find.use": {"learning_rate": Field(_rate)},
    "train.start": {},
    "train.pause": {},
    "train.resume": {},
    "train.step": {"steps": Field(_steps)},
    "train.stop": {},
    "train.restart": {},
    "train.pace": {"steps_per_second": Field(_pace)},
    "train.set": {"value": Field(_value), "address": _OPTIONAL_ADDRESS},
    "train.release": {"address": _OPTIONAL_ADDRESS},
    "train.scale": {"factor": Field(_factor), "address": _OPTIONAL_ADDRESS},
    "train.plan": {"schedule": Field(_schedule)},
    "train.extend": {"steps": Field(_steps)},
    "train.cooldown": {"steps": Field(_steps)},
    "train.script": {},
}
"""Every command and its fields."""


def parse(content: Any) -> Command:
    """Return the command that a message holds.

    Raises
    ------
    MalformedMessageError
        If it is not an object with an id, a known kind and just that kind's fields, each in range.
    """
    if not isinstance(content, dict):
        raise MalformedMessageError(f"a message must be a JSON object, got {content!r}")
    id = content.get("id")  # noqa: A001
    if isinstance(id, bool) or not isinstance(id, str | int) or len(str(id)) > _LONGEST_TEXT:
        raise MalformedMessageError(f"id must be text or a whole number, got {id!r}")
    try:
        kind = _checks.choice("kind", content.get("kind"), COMMANDS)
        declared = COMMANDS[kind]
        given = {name: value for name, value in content.items() if name not in ("id", "kind")}
        _checks.known_keywords(kind, map(str, given), declared)
        missing = [n for n, field in declared.items() if n not in given and not field.optional]
        if missing:
            raise ValueError(f"{kind} must have the field {missing[0]!r}, got none")  # noqa: TRY301
        fields = {name: declared[name].read(name, value) for name, value in given.items()}
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MalformedMessageError(str(error), id) from error
    return Command(id=id, kind=kind, fields=fields)


class Router:
    """Hands each command to its handler and answers it, once.

    Parameters
    ----------
    send
        Sends one reply; called from any thread, and allowed to fail when nobody listens any more.
    handlers
        Kind -> a function of the command's fields as keywords. What it returns is the reply's
        value, or a `Future` of it; what it raises is the reply's error.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], None],
        handlers: Mapping[str, Callable[..., Any]],
    ) -> None:
        self._send = send
        self._handlers = handlers

    def receive(self, content: Any) -> None:
        """Take one message from the browser; never raises."""
        try:
            command = parse(content)
        except MalformedMessageError as error:
            self._refuse(error.id, error)
            return
        except Exception as error:  # noqa: BLE001  (whatever the browser sends, it gets an answer)
            self._refuse(None, error)
            return
        handler = self._handlers.get(command.kind)
        if handler is None:
            self._refuse(command.id, ValueError(f"{command.kind} needs a widget with a task"))
            return
        try:
            value = handler(**command.fields)
        except Exception as error:  # noqa: BLE001  (an error reply is how the person learns of it)
            self._refuse(command.id, error)
            return
        if isinstance(value, Future):
            value.add_done_callback(lambda future: self._settle(command.id, future))
        else:
            self._accept(command.id, value)

    def _settle(self, id: str | int, future: Future[Any]) -> None:  # noqa: A002
        if future.cancelled():
            self._refuse(id, ValueError("the run ended before it took the command"))
        elif (error := future.exception()) is not None:
            self._refuse(id, error)
        else:
            self._accept(id, future.result())

    def _accept(self, id: str | int, value: Any) -> None:  # noqa: A002
        self._reply({"kind": "reply", "id": id, "ok": True, "value": value})

    def _refuse(self, id: str | int | None, error: BaseException) -> None:  # noqa: A002
        text = str(error)
        if not isinstance(error, ValueError | TypeError) or not text:
            text = f"{type(error).__name__}: {text}"
            _logger.debug("a command failed", exc_info=error)
        if len(text) > _LONGEST_ERROR:
            text = f"{text[:_LONGEST_ERROR]} …"
        self._reply({"kind": "reply", "id": id, "error": text})

    def _reply(self, message: dict[str, Any]) -> None:
        try:
            self._send(message)
        except Exception:
            # The page or the kernel's connection is gone; the command itself was carried out.
            _logger.debug("a reply could not be sent", exc_info=True)

"""The commands that a browser may send, and the one way in which each is answered.

A command is ``{"id", "kind", ...fields}``. Every field is checked against its declared range
before a handler sees it. The answer is one message, ``{"kind": "reply", "id", "ok": true,
"value"}`` or ``{"kind": "reply", "id", "error"}``; where the handler gives a `Future`, it goes out
when that resolves, on whatever thread does so. Commands may arrive on any thread.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from lrwidget import _checks
from lrwidget.widget import _fields
from lrwidget.widget._chain_field import chain_field

_logger = logging.getLogger(__name__)

_LONGEST_ERROR = 900


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


_ADDRESS = Field(_fields.text, optional=True)
_TRACK = Field(_fields.text, optional=True)
_STEPS = Field(_fields.steps)
_SCHEDULE = Field(_fields.schedule)
# The step to come from which an edit counts; now, where it is left out.
_AT = Field(_fields.whole, optional=True)
# The initial weights, where it is left out, or the place where the run is.
_FROM = Field(_fields.one_of("start", "here"), optional=True)

COMMANDS: Mapping[str, Mapping[str, Field]] = {
    "ready": {},
    "view": {"state": Field(_fields.view)},
    "resync": {"stream": Field(_fields.stream)},
    "design.set": {
        "schedule": Field(_fields.schedule, optional=True),
        "tracks": Field(_fields.tracks, optional=True),
        "chain": Field(chain_field, optional=True),
    },
    "schedule.set": {"schedule": _SCHEDULE},
    "schedule.preset": {
        "name": Field(_fields.text),
        "peak_value": Field(_fields.rate, optional=True),
        "steps": Field(_fields.steps, optional=True),
        "track": _TRACK,
    },
    "schedule.import": {"text": Field(_fields.file), "track": _TRACK},
    "export.text": {"format": Field(_fields.format_name), "track": _TRACK},
    "find.start": {
        "low": Field(_fields.rate),
        "high": Field(_fields.rate),
        "steps": Field(_fields.rungs),
        "seeds": Field(_fields.seeds, optional=True),
        "ladder": Field(_fields.one_of("exponential", "linear"), optional=True),
        "loss": Field(_fields.one_of("train", "valid"), optional=True),
        "budget": Field(_fields.one_of("quick", "thorough", "none"), optional=True),
        "from": _FROM,
    },
    "find.stop": {},
    "find.use": {"learning_rate": Field(_fields.rate), "from": _FROM},
    # The run itself.
    "train.start": {},
    "train.pause": {},
    "train.resume": {},
    "train.step": {"steps": _STEPS},
    "train.stop": {},
    "train.restart": {},
    "train.pace": {"steps_per_second": Field(_fields.pace)},
    # Edits of what is left of it.
    "train.set": {"value": Field(_fields.value), "address": _ADDRESS, "at": _AT},
    "train.release": {"address": _ADDRESS, "at": _AT},
    "train.scale": {"factor": Field(_fields.factor), "address": _ADDRESS, "at": _AT},
    "train.nudge": {"amount": Field(_fields.value), "address": _ADDRESS, "at": _AT},
    "train.plan": {"schedule": _SCHEDULE, "address": _ADDRESS, "at": _AT},
    "train.extend": {"steps": _STEPS, "at": _AT},
    "train.cooldown": {"steps": _STEPS, "at": _AT},
    "train.warmup": {"steps": _STEPS, "at": _AT},
    "train.freeze": {"group": Field(_fields.text), "at": _AT},
    "train.thaw": {"group": Field(_fields.text), "at": _AT},
    "train.batch": {"size": _STEPS, "at": _AT},
    "train.undo": {},
    "train.cancel": {"number": Field(_fields.whole)},
    # Going back, and trying several ways on.
    "train.snapshot": {},
    "train.rewind": {"step": Field(_fields.whole)},
    "train.fork": {
        "step": Field(_fields.whole, optional=True),
        "name": Field(_fields.text, optional=True),
    },
    "train.take": {"fork": Field(_fields.text)},
    "train.drop": {"fork": Field(_fields.text)},
    "train.name": {"fork": Field(_fields.text), "name": Field(_fields.text)},
    "train.fan": {
        "factors": Field(_fields.factors, optional=True),
        "rates": Field(_fields.rates, optional=True),
        "steps": Field(_fields.ahead),
        "address": _ADDRESS,
    },
    "train.fan_take": {"index": Field(_fields.index, optional=True)},
    "train.fan_drop": {},
    # Looking.
    "train.watch": {"address": Field(_fields.text)},
    "train.preview": {},
    "train.script": {"exact": Field(_fields.flag, optional=True)},
    "train.diagnose": {},
}
"""Every command and its fields; those of a preview are those of what it previews."""

PREVIEWED = frozenset(
    {
        *("scale", "set", "nudge", "cooldown", "extend", "warmup", "undo"),
        *("release", "freeze", "thaw"),
    }
)
"""What a preview may be of, in its field ``command``: ``"scale"`` for ``train.scale``."""


def _declared(kind: str, content: Mapping[str, Any]) -> Mapping[str, Field]:
    if kind != "train.preview":
        return COMMANDS[kind]
    command = _checks.choice("command", content.get("command"), PREVIEWED)
    return {"command": Field(lambda _, value: value), **COMMANDS[f"train.{command}"]}


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
    if isinstance(id, bool) or not isinstance(id, str | int) or len(str(id)) > _fields.LONGEST_TEXT:
        raise MalformedMessageError(f"id must be text or a whole number, got {id!r}")
    try:
        kind = _checks.choice("kind", content.get("kind"), COMMANDS)
        declared = _declared(kind, content)
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
        """Take one message from the browser; raises only what interrupts the kernel."""
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
        except BaseException as error:
            # The kernel is interrupted in somebody's observer: the page must not wait for ever.
            self._refuse(command.id, error)
            raise
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
            text = ": ".join(filter(None, [type(error).__name__, text]))
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

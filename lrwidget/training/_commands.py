"""The commands that a running trainer takes, as immutable data: what `Trainer.submit` is given.

Each carries `source`, which the journal keeps: ``"code"`` for calls from Python, ``"widget"`` for
clicks, ``"guard"``, or any short word of the caller's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from lrwidget import _checks
from lrwidget.schedules import Schedule

_LONGEST_SOURCE = 60

# The furthest step that a run can reach: the compiled step counts in int32.
LAST_STEP = 2**31 - 1

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """What every command has."""

    source: str = "code"

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not 0 < len(self.source) <= _LONGEST_SOURCE:
            raise TypeError(
                f"source must be text of 1 to {_LONGEST_SOURCE} characters, got {self.source!r:.80}"
            )

    @property
    def name(self) -> str:
        """The command as the journal writes it, such as ``"set_pace"``."""
        return _NAMES[type(self)]

    def to_node(self) -> dict[str, Any]:
        """Return the command as plain JSON data; see `from_node`."""
        fields = dataclasses.fields(self)
        return {"command": self.name, **{f.name: _plain(getattr(self, f.name)) for f in fields}}

    @staticmethod
    def from_node(node: Any) -> Command:
        """Return the command that `to_node` wrote; ValueError or TypeError if it is none."""
        if not isinstance(node, Mapping):
            raise TypeError(f"a command must be a JSON object, got {node!r}")
        name = _checks.choice("command", node.get("command"), _BY_NAME)
        kind = _BY_NAME[name]
        given = {key: _from_plain(value) for key, value in node.items() if key != "command"}
        _checks.known_keywords(name, given, [field.name for field in dataclasses.fields(kind)])
        command: Command = kind(**given)
        return command


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit(Command):
    """What every command has that changes the rest of a run.

    Attributes
    ----------
    at
        The future step that is to be the first to feel it; None for the next one.
    """

    at: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at is not None:
            _coerce(self, "at", _checks.integer("at", self.at, low=0, high=LAST_STEP))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pause(Command):
    """Stop issuing steps; confirmed when the weights are at rest."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resume(Command):
    """Go on after a pause."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step(Command):
    """Take `steps` steps, at least 1, and pause; from idle it starts the run."""

    steps: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "steps", _checks.integer("steps", self.steps, low=1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stop(Command):
    """End the run where it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Set(Edit):
    """Give hyperparameters new values.

    Attributes
    ----------
    values
        Address -> a number, which holds until it is released, or a `Schedule`, which is the new
        plan and releases a number that was held.
    from_now
        Whether schedules count their steps from now on instead of from the start of the run.
    """

    values: Mapping[str, float | Schedule]
    from_now: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "values", _by_address("values", self.values))
        if not isinstance(self.from_now, bool):
            raise TypeError(f"from_now must be True or False, got {self.from_now!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale(Edit):
    """Multiply what is left of plans, and held numbers: `factors` is address -> number > 0."""

    factors: Mapping[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        factors = _by_address("factors", self.factors)
        for address, factor in factors.items():
            _checks.finite(f"the factor of {address}", factor, low=0.0, low_open=True)
        _coerce(self, "factors", factors)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release(Edit):
    """Let held numbers go, back to the plan; without `addresses`, all of them."""

    addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.addresses
        if not isinstance(given, tuple | list) or not all(isinstance(a, str) for a in given):
            raise TypeError(f"addresses must be a tuple of text, got {given!r}")
        _coerce(self, "addresses", tuple(self.addresses))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extend(Edit):
    """Make the run `steps` steps longer, at least 1; plans hold their last value."""

    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "steps", _checks.integer("steps", self.steps, low=1, high=LAST_STEP))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cooldown(Edit):
    """Ramp every learning rate straight to `end_value` over `steps` steps, and end there."""

    steps: int
    end_value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "steps", _checks.integer("steps", self.steps, low=1, high=LAST_STEP))
        _coerce(self, "end_value", _checks.finite("end_value", self.end_value, low=0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nudge(Edit):
    """Change values in force by an amount, and what is left of plans by the same factor.

    `amounts` is address -> number, of either sign. A held number becomes that much more or less.
    """

    amounts: Mapping[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        amounts = _by_address("amounts", self.amounts)
        for address, amount in amounts.items():
            _checks.finite(f"the amount for {address}", amount)
        _coerce(self, "amounts", amounts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestartWarmup(Edit):
    """Let every learning rate begin at `init_value` and reach its plan after `steps` steps."""

    steps: int
    init_value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "steps", _checks.integer("steps", self.steps, low=1, high=LAST_STEP))
        _coerce(self, "init_value", _checks.finite("init_value", self.init_value, low=0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Freeze(Edit):
    """Leave the parameters of groups as they are: what multiplies their updates is held at 0."""

    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "groups", _names("groups", self.groups))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thaw(Edit):
    """Train frozen groups again."""

    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "groups", _names("groups", self.groups))


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetBatchSize(Edit):
    """Train with batches of `batch_size` examples from the next epoch on."""

    batch_size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "batch_size", _checks.integer("batch_size", self.batch_size, low=1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Undo(Edit):
    """Take the newest edit back, from now on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at is not None:
            # Which edit will be the newest then, nobody can tell.
            raise ValueError(f"at must be None for undo, got {self.at}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cancel(Command):
    """Take back an edit that waits for its step, by the number that `Trainer.scheduled` gives."""

    number: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "number", _checks.integer("number", self.number, low=0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rewind(Command):
    """Go back to how everything was on arriving at `step`, and pause there."""

    step: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "step", _checks.integer("step", self.step, low=0, high=LAST_STEP))


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetPace(Command):
    """Limit the run to `steps_per_second`, a number > 0; None lifts the limit."""

    steps_per_second: float | None

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "steps_per_second", check_pace("steps_per_second", self.steps_per_second))


_NAMES: dict[type[Command], str] = {
    Pause: "pause",
    Resume: "resume",
    Step: "step",
    Stop: "stop",
    Set: "set",
    Scale: "scale",
    Release: "release",
    Extend: "extend",
    Cooldown: "cooldown",
    SetPace: "set_pace",
    Nudge: "nudge",
    RestartWarmup: "restart_warmup",
    Freeze: "freeze",
    Thaw: "thaw",
    SetBatchSize: "set_batch_size",
    Undo: "undo",
    Cancel: "cancel",
    Rewind: "rewind",
}
_BY_NAME: dict[str, Any] = {name: kind for kind, name in _NAMES.items()}


def check_pace(name: str, steps_per_second: float | None) -> float | None:
    """Return a pace as a float or None, or raise."""
    if steps_per_second is None:
        return None
    return _checks.finite(name, steps_per_second, low=0.0, low_open=True)


def _coerce(command: Command, field: str, value: object) -> None:
    object.__setattr__(command, field, value)


def _by_address(name: str, given: Mapping[str, Value]) -> Mapping[str, Value]:
    if not isinstance(given, Mapping) or not all(isinstance(a, str) for a in given):
        raise TypeError(f"{name} must map addresses to values, got {given!r}")
    if not given:
        raise ValueError(f"{name} must name at least one hyperparameter, got none")
    return MappingProxyType(dict(given))


def _names(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, tuple | list) or not all(isinstance(each, str) for each in given):
        raise TypeError(f"{name} must be a tuple of text, got {given!r}")
    if not given:
        raise ValueError(f"{name} must name at least one, got none")
    return tuple(given)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {address: _plain(each) for address, each in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, np.generic):
        return value.item()
    return value.to_node() if isinstance(value, Schedule) else value


def _from_plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, Mapping):
        # Of an address's values, only schedules are objects.
        return {
            address: Schedule.from_node(each) if isinstance(each, Mapping) else each
            for address, each in value.items()
        }
    return value

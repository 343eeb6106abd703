"""The commands that a running trainer takes, as immutable data: what `Trainer.submit` is given.

Each carries `source`, which the journal keeps: ``"code"`` for calls from Python, ``"widget"`` for
clicks, or any short word of the caller's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from lrwidget import _checks
from lrwidget.schedules import Schedule

# The furthest step that a run can reach: the compiled step counts in int32.
LAST_STEP = 2**31 - 1

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """What every command has."""

    source: str = "code"

    def __post_init__(self) -> None:
        if not isinstance(self.source, str):
            raise TypeError(f"source must be text, got {self.source!r}")

    @property
    def name(self) -> str:
        """The command as the journal writes it, such as ``"set_pace"``."""
        return _NAMES[type(self)]


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
class Set(Command):
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
class Scale(Command):
    """Multiply what is left of plans, and held numbers: `factors` is address -> number > 0."""

    factors: Mapping[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        factors = _by_address("factors", self.factors)
        for address, factor in factors.items():
            _checks.finite(f"the factor of {address}", factor, low=0.0, low_open=True)
        _coerce(self, "factors", factors)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release(Command):
    """Let held numbers go, back to the plan; without `addresses`, all of them."""

    addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.addresses, str) or not all(isinstance(a, str) for a in self.addresses):
            raise TypeError(f"addresses must be a tuple of text, got {self.addresses!r}")
        _coerce(self, "addresses", tuple(self.addresses))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extend(Command):
    """Make the run `steps` steps longer, at least 1; plans hold their last value."""

    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "steps", _checks.integer("steps", self.steps, low=1, high=LAST_STEP))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cooldown(Command):
    """Ramp every learning rate straight to `end_value` over `steps` steps, and end there."""

    steps: int
    end_value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _coerce(self, "steps", _checks.integer("steps", self.steps, low=1, high=LAST_STEP))
        _coerce(self, "end_value", _checks.finite("end_value", self.end_value, low=0.0))


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
}


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

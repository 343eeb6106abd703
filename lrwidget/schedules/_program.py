"""What to write in Optax for a schedule, as data: one plan that is both built and printed."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import TYPE_CHECKING

from lrwidget.schedules._declaration import Call
from lrwidget.schedules._parts import Part, Segment, Slice

if TYPE_CHECKING:
    from lrwidget.schedules._schedule import Schedule

# Two ends meet if they are this close relative to the peak: closer than float32 can tell.
_MEET = 1e-9


@dataclasses.dataclass(frozen=True)
class Formula:
    """A segment that Optax has no function for: its formula in ``jax.numpy``."""

    segment: Segment


@dataclasses.dataclass(frozen=True)
class Cut:
    """A program read from step `start` on, for `steps` steps, holding after."""

    program: Call | Formula
    start: int
    steps: int


@dataclasses.dataclass(frozen=True)
class Knots:
    """Straight lines through points: ``jnp.interp``, which holds at both ends."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Join:
    """Programs one after the other: ``optax.join_schedules``."""

    programs: tuple[Call | Formula | Cut, ...]
    boundaries: tuple[int, ...]


Program = Call | Formula | Cut | Knots | Join


def program(schedule: Schedule) -> Program:
    """Return what an Optax user would write for `schedule`."""
    parts, borders = schedule.parts, schedule.borders
    if len(parts) == 1:
        return _part(parts[0])
    near = _MEET * schedule.peak_value
    return (
        _steps(parts, borders)
        or _warmup(parts, near)
        or _one_cycle(parts, near)
        or _knots(parts, borders, near)
        or Join(tuple(map(_part, parts)), borders)
    )


def _part(part: Part) -> Call | Formula | Cut:
    if isinstance(part, Slice):
        inner = _part(part.segment)
        assert not isinstance(inner, Cut)  # noqa: S101  (a slice holds a segment)
        assert part.steps is not None  # noqa: S101
        return Cut(inner, part.start, part.steps)
    return part.shape.optax(part.steps, **part.parameters) or Formula(part)


def _names(parts: tuple[Part, ...]) -> tuple[str, ...]:
    return tuple(p.shape.name if isinstance(p, Segment) else "" for p in parts)


def _meet(left: Part, right: Part, near: float) -> bool:
    return abs(left.end_value - right.start_value) <= near


def _steps(parts: tuple[Part, ...], borders: tuple[int, ...]) -> Program | None:
    if set(_names(parts)) != {"constant"}:
        return None
    values = [part.start_value for part in parts]
    # Optax multiplies from one level to the next, so nothing can follow a level of zero.
    if 0.0 in values[:-1]:
        return None
    scales = {b: new / old for b, (old, new) in zip(borders, pairwise(values), strict=True)}
    return Call(
        function="piecewise_constant_schedule",
        arguments={"init_value": values[0], "boundaries_and_scales": scales},
    )


def _warmup(  # noqa: PLR0911  (one return for each function of Optax)
    parts: tuple[Part, ...], near: float
) -> Program | None:
    names = _names(parts)
    if len(parts) != 2 or names[0] != "linear" or not _meet(parts[0], parts[1], near):
        return None
    warmup, rest = parts
    if warmup.steps is None or warmup.end_value <= near:
        return None
    common = {
        "init_value": warmup.start_value,
        "peak_value": warmup.end_value,
        "warmup_steps": warmup.steps,
    }
    if names[1] == "constant":
        return Call(function="warmup_constant_schedule", arguments=common)
    if rest.steps is None or not isinstance(rest, Segment):
        return None
    if names[1] == "cosine" and rest.start_value >= rest.end_value:
        decay = {**common, "decay_steps": warmup.steps + rest.steps, "end_value": rest.end_value}
        if rest.parameters["exponent"] != 1.0:
            decay["exponent"] = rest.parameters["exponent"]
        return Call(function="warmup_cosine_decay_schedule", arguments=decay)
    if names[1] == "exponential":
        decay = {
            **common,
            "transition_steps": rest.steps,
            "decay_rate": rest.end_value / rest.start_value,
        }
        return Call(
            function="warmup_exponential_decay_schedule",
            arguments=decay,
            hold={"end_value": rest.end_value},
        )
    return None


def _one_cycle(parts: tuple[Part, ...], near: float) -> Program | None:
    if _names(parts) != ("cosine", "cosine") or not _meet(parts[0], parts[1], near):
        return None
    rise, fall = parts
    if not (isinstance(rise, Segment) and isinstance(fall, Segment)):
        return None
    if not rise.parameters["exponent"] == fall.parameters["exponent"] == 1.0:
        return None
    first, peak, last = rise.start_value, rise.end_value, fall.end_value
    if rise.steps is None or fall.steps is None or not 0.0 < last < first < peak:
        return None
    total = rise.steps + fall.steps
    fraction = rise.steps / total
    # Optax finds the border as int(pct_start * transition_steps), which may round it down.
    if int(float(f"{fraction:.9g}") * total) != rise.steps:
        return None
    return Call(
        function="cosine_onecycle_schedule",
        arguments={
            "transition_steps": total,
            "peak_value": peak,
            "pct_start": fraction,
            "div_factor": peak / first,
            "final_div_factor": first / last,
        },
    )


def _knots(parts: tuple[Part, ...], borders: tuple[int, ...], near: float) -> Program | None:
    lines = len(parts) >= 3 and set(_names(parts)) <= {"linear", "constant"}
    if not lines or not all(_meet(a, b, near) for a, b in pairwise(parts)):
        return None
    steps = (0, *borders)
    values = tuple(part.start_value for part in parts)
    last = parts[-1]
    if last.steps is not None:
        steps, values = (*steps, steps[-1] + last.steps), (*values, last.end_value)
    return Knots(steps, values)

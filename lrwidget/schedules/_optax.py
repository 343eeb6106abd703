"""A program as a live Optax schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from lrwidget.schedules._declaration import Call
from lrwidget.schedules._program import Cut, Formula, Join, Knots, Program


def build(program: Program) -> Callable[[Any], Any]:
    """Return the schedule that `program` describes, holding its last value past the end."""
    match program:
        case Call():
            if program.hold is None:
                raise TypeError(
                    f"optax.{program.function} must be given arguments to hold its "
                    "last value, got hold=None; give None as the Optax form instead"
                )
            schedule: Callable[[Any], Any] = getattr(optax, program.function)(
                **program.arguments, **program.hold
            )
            return schedule
        case Formula(segment):
            return lambda step: segment.values(jnp, step)
        case Cut(inner, start, steps):
            return _cut(build(inner), start, steps)
        case Knots(steps, values):
            return _through(jnp.asarray(steps, jnp.float32), jnp.asarray(values, jnp.float32))
        case Join(programs, boundaries):
            joined: Callable[[Any], Any] = optax.join_schedules(
                [build(p) for p in programs], list(boundaries)
            )
            return joined


def _cut(whole: Callable[[Any], Any], start: int, steps: int) -> Callable[[Any], Any]:
    return lambda step: whole(jnp.clip(step, 0, steps) + start)


def _through(steps: jax.Array, values: jax.Array) -> Callable[[Any], Any]:
    return lambda step: jnp.interp(jnp.asarray(step, jnp.float32), steps, values)

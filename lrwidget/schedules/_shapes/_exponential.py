"""Shapes made of exponentials, logarithms and power laws of the time."""

from __future__ import annotations

import math
from typing import Any

from lrwidget.schedules._declaration import Array, Call, Parameter, Place, Shape
from lrwidget.schedules._shapes._ends import (
    END,
    POSITIVE_END,
    POSITIVE_START,
    START,
    Number,
    blend,
    blend_source,
    meeting,
    no_call,
)


def _exponential(xp: Any, at: Place, *, init_value: float, end_value: float) -> Array:
    """``init (end / init)**p``.

    ``optax.exponential_decay``, Keras' ExponentialDecay, torch's ExponentialLR; Paddle's
    NaturalExpDecay is the same curve with the factor written as ``exp(-gamma)``.
    """
    # From the higher end: an error of the exponent is then small where the value is large.
    growth = math.log(end_value) - math.log(init_value)
    falling = growth <= 0.0
    value = init_value * xp.exp(growth * at.p) if falling else end_value * xp.exp(-growth * at.q)
    return meeting(xp, at, value, init_value, end_value)


def _exponential_call(steps: int, *, init_value: float, end_value: float) -> Call | None:
    # Optax counts from the start, where a curve that rises by decades is lowest: float32 then
    # loses its last digits at the peak.
    if end_value > 1e3 * init_value:
        return None
    return Call(
        function="exponential_decay",
        arguments={
            "init_value": init_value,
            "transition_steps": steps,
            "decay_rate": end_value / init_value,
        },
        hold={"end_value": end_value},
    )


def _exponential_source(
    number: Number, steps: int | None, *, init_value: float, end_value: float
) -> str:
    if end_value > init_value:
        return f"{number(end_value)} * {number(init_value / end_value)} ** q"
    return f"{number(init_value)} * {number(end_value / init_value)} ** p"


EXPONENTIAL = Shape(
    name="exponential",
    help="the same factor at every step, from the start value to the end value",
    parameters=(POSITIVE_START, POSITIVE_END),
    formula=_exponential,
    optax=_exponential_call,
    source=_exponential_source,
    self_similar=True,
    monotone=True,
    twin=True,
)


def _shifted_exponential(
    xp: Any, at: Place, *, init_value: float, end_value: float, decay_rate: float
) -> Array:
    """``end + (init - end) (r**p - r) / (1 - r)`` with the decay rate r.

    With r = 1/2 this is ``2 * 0.5**p - 1``, the exponential cooldown of Megatron-LM's WSD.
    """
    rate = -math.log(decay_rate)
    if end_value > init_value:
        # What has risen, which near the start is not what is left of 1.
        risen = xp.minimum(xp.expm1(-rate * at.p) / math.expm1(-rate), 1.0)
        value = blend(risen, end_value, init_value)
        return meeting(xp, at, value, init_value, end_value)
    if decay_rate <= 0.5:
        # A rounding error near the end must not carry it below 0.
        fall = xp.maximum((decay_rate**at.p - decay_rate) / (1.0 - decay_rate), 0.0)
    else:
        # The same, without the difference of two numbers near 1.
        fall = xp.minimum(xp.expm1(rate * at.q) / math.expm1(rate), 1.0)
    value = blend(fall, init_value, end_value)
    return meeting(xp, at, value, init_value, end_value)


def _shifted_exponential_source(
    number: Number,
    steps: int | None,
    *,
    init_value: float,
    end_value: float,
    decay_rate: float,
) -> str:
    growth = math.log(decay_rate)
    if end_value > init_value:
        risen = f"jnp.expm1({number(growth)} * p) / {number(math.expm1(growth))}"
        return blend_source(number, end_value, init_value, risen)
    if decay_rate <= 0.5:
        rate, span = number(decay_rate), number(1.0 - decay_rate)
        fall = f"({rate} ** p - {rate}) / {span}"
    else:
        fall = f"jnp.expm1({number(-growth)} * q) / {number(math.expm1(-growth))}"
    return blend_source(number, init_value, end_value, fall)


SHIFTED_EXPONENTIAL = Shape(
    name="shifted_exponential",
    help="an exponential moved down so that it can end at zero",
    parameters=(
        START,
        END,
        Parameter(
            name="decay_rate",
            role="free",
            default=0.5,
            low=1e-6,
            high=1.0,
            high_open=True,
            help="factor over the whole length before the shift; near 1 is a straight line",
        ),
    ),
    formula=_shifted_exponential,
    optax=no_call,
    source=_shifted_exponential_source,
    monotone=True,
    twin=True,
)


def _inverse_power(
    xp: Any, at: Place, *, init_value: float, end_value: float, power: float
) -> Array:
    """``init (1 + ((init / end)**(1 / power) - 1) p)**(-power)``.

    Power 1 is Keras' InverseTimeDecay; power 1/2 is the inverse square root of transformers,
    big_vision and Megatron-LM, and the tail of Noam's (Vaswani and others 2017, arXiv 1706.03762);
    other powers are NeMo's NoamHoldAnnealing and Levanter's power law.
    """
    high, low, away = _from_the_higher(init_value, end_value, at.p, at.q)
    growth = (math.log(high) - math.log(low)) / power
    if growth > _STEEP:
        value = xp.minimum(low * xp.maximum(away, 1e-30) ** -power, high)
    else:
        value = high * xp.exp(-power * xp.log1p(math.expm1(growth) * away))
    return meeting(xp, at, value, init_value, end_value)


# Beyond this the factor of p has no room in float32, and 1 no weight beside it after one step.
_STEEP = 60.0


def _from_the_higher(
    init_value: float, end_value: float, p: Any, q: Any
) -> tuple[float, float, Any]:
    """Return the higher end, the lower one, and the progress from the one to the other."""
    return (init_value, end_value, p) if init_value >= end_value else (end_value, init_value, q)


def _inverse_power_source(
    number: Number, steps: int | None, *, init_value: float, end_value: float, power: float
) -> str:
    high, low, away = _from_the_higher(init_value, end_value, "p", "q")
    growth = (math.log(high) - math.log(low)) / power
    if growth > _STEEP:
        fallen = f"{number(low)} * jnp.maximum({away}, 1e-30) ** {number(-power)}"
        return f"jnp.where({away} > 0.0, {fallen}, {number(high)})"
    factor = number(math.expm1(growth))
    if power == 0.5:
        return f"{number(high)} / jnp.sqrt(1.0 + {factor} * {away})"
    if power == 1.0:
        return f"{number(high)} / (1.0 + {factor} * {away})"
    return f"{number(high)} * (1.0 + {factor} * {away}) ** {number(-power)}"


INVERSE_POWER = Shape(
    name="inverse_power",
    help="a power law of the time: 1 is inverse time, 0.5 the inverse square root",
    parameters=(
        POSITIVE_START,
        POSITIVE_END,
        Parameter(
            name="power",
            role="free",
            default=0.5,
            low=0.1,
            high=4.0,
            help="power of the time by which the value falls",
        ),
    ),
    formula=_inverse_power,
    optax=no_call,
    source=_inverse_power_source,
    self_similar=True,
    monotone=True,
    twin=True,
)


def _logarithmic(xp: Any, at: Place, *, init_value: float, end_value: float) -> Array:
    """``init + (end - init) ln(1 + t) / ln(1 + n)`` over n steps.

    DeepSpeed's WarmupLR with ``warmup_type="log"``, whose n is ``warmup_num_steps - 1``.
    """
    n = at.n
    assert n is not None  # noqa: S101  (the shape is not endless)
    value = blend(xp.minimum(xp.log1p(at.t) / math.log1p(n), 1.0), end_value, init_value)
    return meeting(xp, at, value, init_value, end_value)


def _logarithmic_source(
    number: Number, steps: int | None, *, init_value: float, end_value: float
) -> str:
    assert steps is not None  # noqa: S101  (the shape is not endless)
    risen = f"jnp.log1p(t) / {number(math.log1p(steps))}"
    return blend_source(number, end_value, init_value, risen)


LOGARITHMIC = Shape(
    name="logarithmic",
    help="the logarithm of the step: most of the way at once, the rest ever slower",
    parameters=(START, END),
    formula=_logarithmic,
    optax=no_call,
    source=_logarithmic_source,
    monotone=True,
    twin=True,
)


def _tanh(
    xp: Any,
    at: Place,
    *,
    init_value: float,
    end_value: float,
    lower_bound: float,
    upper_bound: float,
) -> Array:
    """``end + (init - end) (tanh ub - tanh x) / (tanh ub - tanh lb)``, ``x = lb (1 - p) + ub p``.

    Hsueh and others 2019 (arXiv 1806.01593), in timm as TanhLRScheduler, both of which write
    ``½ (1 - tanh x)`` and so stop short of either end by up to half a per cent.
    """
    # tanh a - tanh b = tanh(a - b) (1 - tanh a tanh b), which is exactly 0 at the end.
    x = lower_bound * at.q + upper_bound * at.p
    scale, product = _tanh_scale(lower_bound, upper_bound)
    fall = xp.tanh((upper_bound - lower_bound) * at.q) * (1.0 - product * xp.tanh(x)) / scale
    value = blend(xp.minimum(fall, 1.0), init_value, end_value)
    return meeting(xp, at, value, init_value, end_value)


def _tanh_scale(lower_bound: float, upper_bound: float) -> tuple[float, float]:
    last = math.tanh(upper_bound)
    return math.tanh(upper_bound - lower_bound) * (1.0 - last * math.tanh(lower_bound)), last


def _tanh_source(
    number: Number,
    steps: int | None,
    *,
    init_value: float,
    end_value: float,
    lower_bound: float,
    upper_bound: float,
) -> str:
    scale, last = _tanh_scale(lower_bound, upper_bound)
    x = f"{number(upper_bound)} * p - {number(-lower_bound)} * q"
    rest = f"jnp.tanh({number(upper_bound - lower_bound)} * q)"
    return "\n".join(
        [
            f"fall = {rest} * (1.0 - {number(last)} * jnp.tanh({x}))",
            blend_source(number, init_value, end_value, f"fall / {number(scale)}"),
        ]
    )


# Between smaller ones tanh is a straight line, and in the end nothing that float32 can divide by.
_LEAST_BOUND = 1e-3

TANH = Shape(
    name="tanh",
    help="a stretch of the hyperbolic tangent: level, a fall in the middle, level again",
    parameters=(
        START,
        END,
        Parameter(
            name="lower_bound",
            role="free",
            default=-7.0,
            low=-10.0,
            high=-_LEAST_BOUND,
            help="argument of tanh at the start",
        ),
        Parameter(
            name="upper_bound",
            role="free",
            default=3.0,
            low=_LEAST_BOUND,
            high=10.0,
            help="argument of tanh at the end",
        ),
    ),
    formula=_tanh,
    optax=no_call,
    source=_tanh_source,
    monotone=True,
    twin=True,
)

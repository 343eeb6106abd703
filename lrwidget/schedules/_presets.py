"""The presets: named factories that return a `Schedule`.

Parameters carry Optax's names. Each preset also works from its highest value and its length alone,
through `preset`.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lrwidget import _checks
from lrwidget.schedules._parts import Segment
from lrwidget.schedules._schedule import Schedule
from lrwidget.schedules._shapes import shapes


def constant(peak_value: float, steps: int | None = None) -> Schedule:
    """Return the same value at every step: ``peak_value``.

    Parameters
    ----------
    peak_value
        The value, >= 0.
    steps
        The length in steps; None means without end.

    References
    ----------
    Optax: ``constant_schedule``.
    """
    return Schedule(Segment("constant", steps, value=_value("peak_value", peak_value)))


def linear(peak_value: float, transition_steps: int, end_value: float = 0.0) -> Schedule:
    """Return a straight line: ``peak_value + (end_value - peak_value) t / transition_steps``.

    Parameters
    ----------
    peak_value
        The value at step 0, >= 0.
    transition_steps
        The length in steps, >= 1.
    end_value
        The value that is reached and held, >= 0.

    References
    ----------
    Optax: ``linear_schedule``. Decay to zero: Bergsma et al. 2025, arXiv 2502.15938.
    """
    return Schedule(
        Segment(
            "linear",
            transition_steps,
            init_value=_value("peak_value", peak_value),
            end_value=end_value,
        )
    )


def cosine(
    peak_value: float, decay_steps: int, end_value: float = 0.0, exponent: float = 1.0
) -> Schedule:
    """Return ``end + (peak - end) (½ (1 + cos(π t / decay_steps)))^exponent``.

    Parameters
    ----------
    peak_value
        The value at step 0, > 0.
    decay_steps
        The length in steps, >= 1.
    end_value
        The value that is reached and held, >= 0. Optax writes it as ``alpha = end / peak``.
    exponent
        The power of the cosine, 0.05 to 10; above 1 falls sooner.

    References
    ----------
    Optax: ``cosine_decay_schedule``. Loshchilov and Hutter 2017, arXiv 1608.03983.
    """
    return Schedule(
        Segment(
            "cosine",
            decay_steps,
            init_value=_peak(peak_value),
            end_value=end_value,
            exponent=exponent,
        )
    )


def warmup_cosine(
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    init_value: float = 0.0,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    """Return a linear warmup followed by a cosine decay.

    Parameters
    ----------
    peak_value
        The value at the end of the warmup, > 0.
    warmup_steps
        The length of the warmup in steps, >= 1.
    decay_steps
        The length of the whole schedule in steps, warmup included (as in Optax), > `warmup_steps`.
    init_value
        The value at step 0, >= 0.
    end_value
        The value that is reached and held, >= 0.
    exponent
        The power of the cosine, 0.05 to 10.

    References
    ----------
    Optax: ``warmup_cosine_decay_schedule``.
    """
    warmup_steps = _checks.integer("warmup_steps", warmup_steps, low=1)
    decay_steps = _longer("decay_steps", decay_steps, "warmup_steps", warmup_steps)
    peak_value = _peak(peak_value)
    return Schedule(
        Segment("linear", warmup_steps, init_value=init_value, end_value=peak_value),
        Segment(
            "cosine",
            decay_steps - warmup_steps,
            init_value=peak_value,
            end_value=end_value,
            exponent=exponent,
        ),
    )


def one_cycle(
    peak_value: float,
    transition_steps: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Return a cosine rise to the peak and a longer cosine fall to almost nothing.

    Parameters
    ----------
    peak_value
        The highest value, > 0.
    transition_steps
        The length in steps, >= 2.
    pct_start
        The share of the length that rises, in (0, 1).
    div_factor
        The first value is ``peak_value / div_factor``; >= 1.
    final_div_factor
        The last value is ``peak_value / (div_factor * final_div_factor)``; >= 1.

    References
    ----------
    Optax: ``cosine_onecycle_schedule``. Smith and Topin 2018, arXiv 1708.07120.
    """
    peak_value = _peak(peak_value)
    transition_steps = _checks.integer("transition_steps", transition_steps, low=2)
    pct_start = _checks.finite(
        "pct_start", pct_start, low=0.0, high=1.0, low_open=True, high_open=True
    )
    init_value = peak_value / _checks.finite("div_factor", div_factor, low=1.0)
    end_value = init_value / _checks.finite("final_div_factor", final_div_factor, low=1.0)
    rise = min(max(1, int(pct_start * transition_steps)), transition_steps - 1)
    return Schedule(
        Segment("cosine", rise, init_value=init_value, end_value=peak_value),
        Segment("cosine", transition_steps - rise, init_value=peak_value, end_value=end_value),
    )


def step(
    peak_value: float, transition_steps: int, decay_rate: float = 0.1, drops: int = 2
) -> Schedule:
    """Return equal stairs: ``peak_value * decay_rate^i`` on the i-th.

    Parameters
    ----------
    peak_value
        The value of the first stair, > 0.
    transition_steps
        The length of the whole schedule in steps, at least one for each stair.
    decay_rate
        The factor from one stair to the next, in (0, 1].
    drops
        The number of times the value falls, >= 1; there is one stair more.

    References
    ----------
    Optax: ``piecewise_constant_schedule``.
    """
    peak_value = _peak(peak_value)
    decay_rate = _checks.finite("decay_rate", decay_rate, low=0.0, high=1.0, low_open=True)
    stairs = _checks.integer("drops", drops, low=1) + 1
    total = _checks.integer("transition_steps", transition_steps, low=stairs)
    borders = [round(i * total / stairs) for i in range(stairs + 1)]
    return Schedule(
        *(
            Segment("constant", borders[i + 1] - borders[i], value=peak_value * decay_rate**i)
            for i in range(stairs)
        )
    )


def knots(steps: Sequence[int], values: Sequence[float]) -> Schedule:
    """Return straight lines through points: value ``values[i]`` at step ``steps[i]``.

    Parameters
    ----------
    steps
        Two or more steps, rising, the first 0.
    values
        As many values, each >= 0.

    References
    ----------
    JAX: ``jnp.interp``. Optax: ``piecewise_interpolate_schedule("linear", …)``.
    """
    for name, points in {"steps": steps, "values": values}.items():
        if not isinstance(points, Sequence | np.ndarray) or isinstance(points, str):
            raise TypeError(f"{name} must be a list of numbers, got {points!r}")
    at = [_checks.integer(f"steps[{i}]", s, low=0) for i, s in enumerate(steps)]
    heights = [_value(f"values[{i}]", v) for i, v in enumerate(values)]
    if len(at) != len(heights) or len(at) < 2:
        raise ValueError(
            f"steps and values must have the same length >= 2, got {len(at)} and {len(heights)}"
        )
    if at[0] != 0 or any(a >= b for a, b in itertools.pairwise(at)):
        raise ValueError(f"steps must rise from 0, got {at!r}")
    return Schedule(
        *(
            Segment("linear", at[i + 1] - at[i], init_value=heights[i], end_value=heights[i + 1])
            for i in range(len(at) - 1)
        )
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Preset:
    factory: Callable[..., Schedule]
    title: str
    # The factory's arguments for a highest value and a length, and nothing else known.
    arguments: Callable[[float, int], dict[str, Any]]


def _four_knots(peak_value: float, steps: int) -> dict[str, Any]:
    at = [0, round(0.1 * steps), round(0.5 * steps), steps]
    return {"steps": at, "values": [0.1 * peak_value, peak_value, 0.5 * peak_value, 0.0]}


_PRESETS = {
    "constant": _Preset(
        factory=constant,
        title="Constant",
        arguments=lambda peak_value, steps: {"peak_value": peak_value, "steps": steps},
    ),
    "linear": _Preset(
        factory=linear,
        title="Linear decay",
        arguments=lambda peak_value, steps: {"peak_value": peak_value, "transition_steps": steps},
    ),
    "cosine": _Preset(
        factory=cosine,
        title="Cosine",
        arguments=lambda peak_value, steps: {"peak_value": peak_value, "decay_steps": steps},
    ),
    "warmup_cosine": _Preset(
        factory=warmup_cosine,
        title="Warmup + cosine",
        arguments=lambda peak_value, steps: {
            "peak_value": peak_value,
            "warmup_steps": max(1, round(0.05 * steps)),
            "decay_steps": steps,
        },
    ),
    "one_cycle": _Preset(
        factory=one_cycle,
        title="One-cycle",
        arguments=lambda peak_value, steps: {"peak_value": peak_value, "transition_steps": steps},
    ),
    "step": _Preset(
        factory=step,
        title="Step decay",
        arguments=lambda peak_value, steps: {"peak_value": peak_value, "transition_steps": steps},
    ),
    "knots": _Preset(factory=knots, title="Free knots", arguments=_four_knots),
}


def names() -> list[str]:
    """Return the name of every preset."""
    return list(_PRESETS)


def preset(name: str, *, peak_value: float, steps: int, **more: Any) -> Schedule:
    """Return a preset by name, from its highest value and its length.

    Parameters
    ----------
    name
        One of `names`.
    peak_value
        The highest value, > 0.
    steps
        The length in steps, >= 10, so that every preset has room for its parts.
    **more
        Further arguments of the preset, which replace those derived from the two.

    Examples
    --------
    >>> preset("warmup_cosine", peak_value=3e-3, steps=2000).borders
    (100,)
    """
    chosen = _PRESETS[_checks.choice("preset", name, _PRESETS)]
    peak_value = _peak(peak_value)
    arguments = chosen.arguments(peak_value, _checks.integer("steps", steps, low=10))
    _checks.known_keywords(
        f"the preset {name!r}", more, inspect.signature(chosen.factory).parameters
    )
    return chosen.factory(**{**arguments, **more})


def catalogue() -> dict[str, Any]:
    """Return every shape and preset as plain JSON data, for palettes and tables."""
    return {
        "shapes": [shape.declaration() for shape in shapes().values()],
        "presets": [
            {
                "name": name,
                "title": preset.title,
                "help": (preset.factory.__doc__ or "").partition("\n")[0],
            }
            for name, preset in _PRESETS.items()
        ],
    }


def _peak(value: Any) -> float:
    return _checks.finite("peak_value", value, low=0.0, low_open=True)


def _value(name: str, value: Any) -> float:
    return _checks.finite(name, value, low=0.0)


def _longer(name: str, value: Any, other_name: str, other: int) -> int:
    whole = _checks.integer(name, value, low=1)
    if whole <= other:
        raise ValueError(f"{name} must be > {other_name} ({other}), got {whole}")
    return whole

"""What a shape is: its name, parameters, formula, and how Optax writes it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from lrwidget import _checks

Role = Literal["level", "start", "end", "free"]

# An array of NumPy or JAX, or a number: a formula is written once for all of them.
Array = Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a shape.

    Attributes
    ----------
    name
        The field's word for it, as Optax spells it where Optax has it.
    role
        ``start`` and ``end`` are the values at the first and the last step, ``level`` is both;
        these three scale with the schedule. ``free`` is dimensionless and does not.
    default
        The value that a new segment gets.
    low, high, low_open, high_open
        The allowed range; an open bound is itself excluded.
    help
        One sentence for the inspector and the docs.
    """

    name: str
    role: Role
    default: float
    low: float | None = 0.0
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    help: str = ""

    def check(self, value: Any) -> float:
        """Return `value` as a float within the range, or raise naming this parameter."""
        return _checks.finite(
            self.name,
            value,
            low=self.low,
            high=self.high,
            low_open=self.low_open,
            high_open=self.high_open,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """A call of an Optax function as data, so that it can be both made and printed.

    Attributes
    ----------
    function
        The name in ``optax``.
    arguments
        Keyword arguments: numbers, or a mapping of steps to numbers.
    hold
        Further arguments with which the result keeps its end value past the last step: none are
        needed by most; None where no argument does it.
    """

    function: str
    arguments: Mapping[str, float | int | Mapping[int, float]]
    hold: Mapping[str, float | int] | None = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape of a curve over a number of steps: the whole of what lrwidget knows about it.

    A package adds its own by listing a `Shape` in the entry-point group ``lrwidget.shapes``.

    Attributes
    ----------
    name
        The word in JSON and in ``Segment``, such as ``"cosine"``.
    help
        One sentence for the palette and the docs.
    parameters
        The shape's parameters, in the order in which they are shown.
    formula
        ``formula(xp, p, q, **parameters)``: the value at progress `p` in [0, 1], where `q` is what
        remains, ``1 - p`` without its rounding error, and `xp` either ``numpy`` or ``jax.numpy``.
        At ``p = 0`` it gives the start value, at ``q = 0`` the end value.
    optax
        ``optax(steps, **parameters)``: the Optax call that is the same curve, or None where Optax
        has none for these values.
    source
        ``source(number, **parameters)``: the formula as a ``jax.numpy`` expression in the names
        ``p`` and ``q``, where ``number(x)`` writes a number. Used where `optax` gives None.
    endless
        Whether the shape makes sense without end (``steps=None``).
    self_similar
        Whether any stretch of the shape is the same shape between its own start and end values.
    monotone
        Whether the highest value is always the start or the end value.
    twin
        Whether the front end has the same formula in JavaScript; shapes of other packages do not,
        and are drawn from samples.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...]
    formula: Callable[..., Array]
    optax: Callable[..., Call | None]
    source: Callable[..., str]
    endless: bool = False
    self_similar: bool = False
    monotone: bool = False
    twin: bool = False

    def check(self, parameters: Mapping[str, Any]) -> dict[str, float]:
        """Return every parameter as a float, defaults filled in, or raise."""
        _checks.known_keywords(
            f"the shape {self.name!r}", parameters, [p.name for p in self.parameters]
        )
        return {p.name: p.check(parameters.get(p.name, p.default)) for p in self.parameters}

    def scaled(self, parameters: Mapping[str, float], factor: float) -> dict[str, float]:
        """Return the parameters of the same curve times `factor`."""
        free = {p.name for p in self.parameters if p.role == "free"}
        return {
            name: value if name in free else value * factor for name, value in parameters.items()
        }

    def declaration(self) -> dict[str, Any]:
        """Return what the front end needs to draw and edit the shape, as plain JSON data."""
        return {
            "name": self.name,
            "title": self.name.replace("_", " "),
            "help": self.help,
            "endless": self.endless,
            "twin": self.twin,
            "parameters": [dataclasses.asdict(p) for p in self.parameters],
        }


def number(value: float, digits: int = 9) -> str:
    """Write a number as Python source: at most `digits` significant digits, as a person would.

    >>> number(0.003), number(2000), number(1 / 3), number(3e-07)
    ('0.003', '2000', '0.333333333', '3e-07')
    """
    if isinstance(value, int):
        return str(value)
    if math.isinf(value) or math.isnan(value):
        raise ValueError(f"a number in source text must be finite, got {value!r}")
    text = f"{value:.{digits}g}"
    if "e" not in text and "." not in text:
        text += ".0"
    return text

"""Argument checks shared by every room: each failure names the argument, the rule and the value."""

from __future__ import annotations

import difflib
import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any

_MOST_NAMES = 80


def bounds(low: float | None, high: float | None, *, low_open: bool, high_open: bool) -> str:
    """Return a range in words, such as ``> 0`` or ``>= 0 and < 1``; empty without bounds."""
    parts = []
    if low is not None:
        parts.append(f"{'>' if low_open else '>='} {_written(low)}")
    if high is not None:
        parts.append(f"{'<' if high_open else '<='} {_written(high)}")
    return " and ".join(parts)


def finite(
    name: str,
    value: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
    high_open: bool = False,
) -> float:
    """Return `value` as a float, or raise.

    Parameters
    ----------
    name
        The argument's name, as the person wrote it.
    value
        A real number; NumPy and JAX scalars are taken, ``bool`` and text are not.
    low, high
        Bounds, inclusive unless `low_open` or `high_open`; None means no bound.
    low_open, high_open
        Whether the bound itself is excluded.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError
        If it is not finite or lies outside the bounds.
    """
    rule = " ".join(
        filter(
            None,
            ["a finite number", bounds(low, high, low_open=low_open, high_open=high_open)],
        )
    )
    if isinstance(value, bool) or not _is_scalar(value):
        raise TypeError(f"{name} must be {rule}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        number = math.inf
    below = low is not None and (number <= low if low_open else number < low)
    above = high is not None and (number >= high if high_open else number > high)
    if not math.isfinite(number) or below or above:
        raise ValueError(f"{name} must be {rule}, got {value!r}")
    return number


def integer(name: str, value: Any, *, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as an int, or raise as `finite` does; ``2e3`` is whole enough."""
    rule = " ".join(
        filter(None, ["a whole number", bounds(low, high, low_open=False, high_open=False)])
    )
    if isinstance(value, bool) or not _is_scalar(value):
        raise TypeError(f"{name} must be {rule}, got {value!r}")
    try:
        whole = operator.index(value)
    except TypeError:
        number = float(value)
        if not number.is_integer():
            raise ValueError(f"{name} must be {rule}, got {value!r}") from None
        whole = int(number)
    if (low is not None and whole < low) or (high is not None and whole > high):
        raise ValueError(f"{name} must be {rule}, got {value!r}")
    return whole


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`, or raise a ValueError with the nearest name."""
    names = sorted(allowed)
    if isinstance(value, str) and value in names:
        return value
    # A list longer than a few lines hides what is said after it.
    known = ", ".join(names) if len(names) <= _MOST_NAMES else f"{len(names)} known names"
    raise ValueError(f"{name} must be one of {known}; got {value!r}{did_you_mean(value, names)}")


def known_keywords(where: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise a TypeError that names the first keyword in `given` that `where` does not take."""
    names = sorted(allowed)
    for keyword in given:
        if keyword not in names:
            raise TypeError(
                f"{where} takes {', '.join(names) or 'no keywords'}; "
                f"got {keyword!r}{did_you_mean(keyword, names)}"
            )


def _written(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def did_you_mean(value: Any, names: list[str]) -> str:
    """Return the nearest of some names as the end of a message; empty where none is near."""
    if not isinstance(value, str):
        return ""
    # Many know hyperparameters by their initials: lr, wd. By letters alone adam.lr would be nearer
    # to adam.b1.
    close = [name for name in names if _by_initials(value, name)]
    close = close or difflib.get_close_matches(value, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _by_initials(value: str, name: str) -> bool:
    """Return whether a value has the initials of a name, behind the same qualifier or none."""
    said, short = _split(value)
    where, full = _split(name)
    initials = "".join(part[:1] for part in full.split("_"))
    return len(short) > 1 and short.lower() == initials and said in ("", where)


def _split(name: str) -> tuple[str, str]:
    """Return a qualified name up to its last "/" or ".", that included, and what follows."""
    place = max(name.rfind("/"), name.rfind(".")) + 1
    return name[:place], name[place:]


def _is_scalar(value: Any) -> bool:
    if isinstance(value, numbers.Real):
        return True
    # NumPy and JAX arrays without axes are numbers to everyone who writes them.
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return kind in ("f", "i", "u", "V") and getattr(value, "shape", None) == ()

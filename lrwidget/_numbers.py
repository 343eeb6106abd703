"""How learning rates and losses are written for people: the same everywhere."""

from __future__ import annotations

import math


def rate(value: float) -> str:
    """Write a learning rate: ``0.05``, ``3.2e-3``, ``0``."""
    if value == 0.0 or not math.isfinite(value) or 1e-2 <= abs(value) < 1e4:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def short_rate(value: float, digits: int = 2) -> str:
    """Write a learning rate in two digits, or in so many."""
    return rate(float(f"{value:.{digits}g}"))


def number(value: float, digits: int = 3) -> str:
    """Write a loss or another measured number in so many digits, as rates are: ``5.3e-3``."""
    return short_rate(value, digits)

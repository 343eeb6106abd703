"""How learning rates are written for people: the same everywhere."""

from __future__ import annotations


def rate(value: float) -> str:
    """Write a learning rate: ``0.05``, ``3.2e-3``, ``0``."""
    if value == 0.0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def short_rate(value: float, digits: int = 2) -> str:
    """Write a learning rate in two digits, or in so many."""
    return rate(float(f"{value:.{digits}g}"))

"""Quantiles of Student's t, which tell how far a mean of a few numbers may be off."""

from __future__ import annotations

import math
from statistics import NormalDist


def t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t distribution.

    Parameters
    ----------
    probability
        In (0.5, 1).
    freedom
        Degrees of freedom, at least 1. For 1 and 2 by their closed forms, from there on by the
        expansion around the normal quantile, whose error is below one percent.

    References
    ----------
    Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5.
    """
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        x = 2.0 * probability - 1.0
        return x * math.sqrt(2.0 / (1.0 - x * x))
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4.0,
        (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0,
        (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0,
        (79.0 * z**9 + 776.0 * z**7 + 1482.0 * z**5 - 1920.0 * z**3 - 945.0 * z) / 92160.0,
    )
    return math.fsum(term / float(freedom) ** power for power, term in enumerate(terms))

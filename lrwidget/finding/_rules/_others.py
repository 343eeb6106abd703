"""The rules of Lightning, torch-lr-finder, MONAI and ignite: where the loss falls fastest.

They differ in what "fast" is measured by, the step of the ladder or the learning rate itself, and
in what they leave out.

Source: Lightning ``tuner/lr_finder.py`` (``_LRFinder.suggestion``, before and since 2.5.3),
torch-lr-finder ``LRFinder.plot``, MONAI ``LearningRateFinder.get_steepest_gradient``, ignite
``FastaiLRFinder.lr_suggestion``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lrwidget.finding._rules._rule import FloatArray, SilentRuleError, checked

# ignite refuses curves that have fewer points up to their lowest.
_IGNITE_POINTS = 3


def steepest_linear(learning_rates: ArrayLike, losses: ArrayLike) -> float:
    """Return the rate where the loss falls fastest per unit of the rate: Lightning since 2.5.3.

    The slope at each point is ``torch.gradient(losses, spacing=[learning_rates])``, second-order
    differences on the uneven grid in float32, and the rate of the most negative one is returned.

    Parameters
    ----------
    learning_rates
        Learning rates, shape (n,), rising.
    losses
        Losses at these rates, shape (n,); Lightning gives the smoothed ones.

    Returns
    -------
    float
        A learning rate of the ladder.

    Raises
    ------
    SilentRuleError
        If the loss never falls, where Lightning answers with the place where it rises least.

    Notes
    -----
    Known defect: on a geometric ladder the steps at the low end are up to 1e8 times shorter than
    at the high end, so that the noise there is divided by a tiny number and decides, and be it the
    rounding of float32. The suggestion lies near the low end of the ladder, decades too low,
    whatever the curve (Lightning's issue 21141). On a linear ladder it is sound.
    """
    rates, values = checked(learning_rates, losses, at_least=2)
    # Where two rates are one float32, torch divides by zero; here the slope is that of neither.
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.gradient(values.astype(np.float32), rates.astype(np.float32))
    return _at_the_steepest(rates, np.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0))


def gradient_by_index(learning_rates: ArrayLike, losses: ArrayLike) -> float:
    """Return the rate where the loss falls fastest per step: older Lightning, davidtvs, MONAI.

    The slope at each point is ``numpy.gradient(losses)``: central differences per step of the
    ladder, one-sided ones at its ends. The rate of the most negative one is returned.

    Parameters
    ----------
    learning_rates
        Learning rates, shape (n,), rising.
    losses
        Losses at these rates, shape (n,); the libraries give the smoothed ones.

    Returns
    -------
    float
        A learning rate of the ladder.

    Raises
    ------
    SilentRuleError
        If the loss never falls, where the libraries answer with the place where it rises least.

    Notes
    -----
    Known defects: a step of the ladder is no unit of the rate, so that the same loss curve on
    another ladder, linear instead of geometric or cut into pieces of other lengths, gives another
    answer. Nothing keeps it from a fall behind the blow-up. Lightning drops losses that are not
    finite before it looks and does not add their number to the index, and so reads the rate that
    many steps too low; here a sweep has none. ktrain looks at ``losses[32:]`` and reads the rate
    at the place in that, 32 steps too low.
    """
    rates, values = checked(learning_rates, losses, at_least=2)
    return _at_the_steepest(rates, np.gradient(values))


def ignite(learning_rates: ArrayLike, losses: ArrayLike) -> float:
    """Return the rate where the loss falls fastest per step, before it is lowest: ignite's.

    What follows the lowest loss is cut off. Of the inner points that are left, the one with the
    most negative ``(loss[i+1] - loss[i-1]) / 2`` gives its rate.

    Parameters
    ----------
    learning_rates
        Learning rates, shape (n,), rising.
    losses
        Losses at these rates, shape (n,); ignite gives the smoothed ones and trims nothing.

    Returns
    -------
    float
        A learning rate of the ladder.

    Raises
    ------
    SilentRuleError
        If fewer than three points lead to the lowest loss, where ignite raises a RuntimeError; if
        the loss falls nowhere on the way to it.

    Notes
    -----
    Known defects: the noise of the first batches is not left out, so that an early dip, often the
    very first points, decides; one low outlier cuts off all that follows it; and, as with
    `gradient_by_index`, the slope is per step and not per decade.
    """
    rates, values = checked(learning_rates, losses, at_least=_IGNITE_POINTS)
    values = values[: int(np.argmin(values)) + 1]
    if len(values) < _IGNITE_POINTS:
        raise SilentRuleError("the loss is lowest at the low end")
    slopes = 0.5 * (values[2:] - values[:-2])
    return _at_the_steepest(rates[1:], slopes)


def _at_the_steepest(rates: FloatArray, slopes: FloatArray) -> float:
    index = int(np.argmin(slopes))
    if slopes[index] >= 0:
        raise SilentRuleError("the loss never falls")
    return float(rates[index])

"""fastai's four rules.

Source: fastai 2, ``fastai/callback/schedule.py`` (``valley``, ``slide``, ``minimum``, ``steep``,
``Learner.lr_find``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lrwidget.finding._rules._rule import SilentRuleError, checked

SLIDE_DISTANCE = 15
SLIDE_THRESHOLD = 0.005


def valley(learning_rates: ArrayLike, losses: ArrayLike) -> float:
    """Return the rate two thirds through the longest valley: fastai's default.

    The longest strictly decreasing subsequence of the losses has L points and ends at index e.
    Of the window of L steps that ends there, ``[e - L, e]``, the middle of the second third is
    taken: index ``e - L + int(L / 3) + int(L / 6)``.

    Parameters
    ----------
    learning_rates
        Learning rates, shape (n,), rising.
    losses
        Losses at these rates, shape (n,); fastai gives the smoothed ones.

    Returns
    -------
    float
        A learning rate of the ladder.

    Raises
    ------
    SilentRuleError
        If the loss never falls, where fastai answers with the lowest rate.

    Notes
    -----
    Source: fastai's ``valley``, after an algorithm by ESRI. Known weakness: the points of the
    subsequence need not be neighbours, yet the window is laid as if they were, so noise shifts
    it. In our calibration it lay one to one and a half decades below the best rate.
    """
    rates, values = checked(learning_rates, losses, at_least=2)
    lengths = np.ones(len(values), dtype=np.int64)
    for i in range(1, len(values)):
        above = values[:i] > values[i]
        if above.any():
            lengths[i] = 1 + lengths[:i][above].max()
    end = int(np.argmax(lengths))
    length = int(lengths[end])
    if length == 1:
        raise SilentRuleError("the loss never falls")
    # The window starts one step before the first point: clamped where fastai's index turns -1.
    index = max(0, end - length + int(length / 3) + int(length / 6))
    return float(rates[index])


def steepest(learning_rates: ArrayLike, losses: ArrayLike) -> float:
    """Return the rate where the loss falls fastest per decade: fastai's ``steep``.

    The forward differences ``(loss[i+1] - loss[i]) / (ln lr[i+1] - ln lr[i])`` are taken in the
    logarithm of the rate, and the rate at the left of the most negative one is returned.

    Parameters
    ----------
    learning_rates
        Learning rates, shape (n,), rising.
    losses
        Losses at these rates, shape (n,); fastai gives the smoothed ones.

    Returns
    -------
    float
        A learning rate of the ladder.

    Raises
    ------
    SilentRuleError
        If the loss never falls, where fastai answers with the place where it rises least.

    Notes
    -----
    Source: fastai's ``steep``. Known weaknesses: one noisy pair of points decides, smoothing moves
    the steepest place to the right, and a fall behind the blow-up counts as any other. In our
    calibration it met the best rate where the loss fell clearly, and missed it by decades where
    batches were noisy.
    """
    rates, values = checked(learning_rates, losses, at_least=2, positive=True)
    slopes = np.diff(values) / np.diff(np.log(rates))
    index = int(np.argmin(slopes))
    if slopes[index] >= 0:
        raise SilentRuleError("the loss never falls")
    return float(rates[index])


def minimum(learning_rates: ArrayLike, losses: ArrayLike) -> float:
    """Return a tenth of the rate at which the loss is lowest: fastai's ``minimum``.

    Parameters
    ----------
    learning_rates
        Learning rates, shape (n,), rising.
    losses
        Losses at these rates, shape (n,); fastai gives the smoothed ones.

    Returns
    -------
    float
        A tenth of a learning rate of the ladder.

    Raises
    ------
    SilentRuleError
        If the loss is lowest at the first point, where fastai answers a tenth of the lowest rate.

    Notes
    -----
    Source: fastai's ``minimum``. Known weakness: the tenth is a convention; where the lowest
    point lies depends on the smoothing and on how many steps the sweep spends per decade. If the
    loss still falls at the last point, the answer is too low. In our calibration it was the
    nearest to the best rate, between the same and a decade below.
    """
    rates, values = checked(learning_rates, losses, at_least=2)
    index = int(np.argmin(values))
    if index == 0:
        raise SilentRuleError("the loss is lowest at the low end")
    return float(rates[index]) / 10.0


def slide(learning_rates: ArrayLike, losses: ArrayLike) -> float:
    """Return the rate where, sliding down from the right, the slope stops changing.

    With ``g = numpy.gradient(losses)`` (per step of the ladder), two marks 15 steps apart slide
    from the right end to the left while their slopes differ by more than 0.005; the left mark of
    the last such pair is returned.

    Parameters
    ----------
    learning_rates
        Learning rates, shape (n,), rising; n at least 16.
    losses
        Losses at these rates, shape (n,); fastai gives the smoothed ones.

    Returns
    -------
    float
        A learning rate of the ladder.

    Raises
    ------
    SilentRuleError
        With fewer than 16 points; if the slopes at the right end agree already (fastai answers
        the 16th rate from the end, whatever the curve); if they differ all the way to the left
        end (fastai answers the lowest rate).

    Notes
    -----
    Source: fastai's ``slide``, an algorithm by Andrew Chang (Novetta), with ``lr_diff=15``,
    ``thresh=0.005`` and ``adjust_value=1``. Known weakness: the threshold is in units of the
    loss, so scaling the loss by a constant moves or silences the suggestion. In our calibration
    it lay half a decade to a decade below the best rate, now and then three.
    """
    rates, values = checked(learning_rates, losses, at_least=SLIDE_DISTANCE + 1)
    slopes = np.gradient(values)
    left = len(values) - 1 - SLIDE_DISTANCE
    differs = np.abs(slopes[SLIDE_DISTANCE:] - slopes[: left + 1]) > SLIDE_THRESHOLD
    if not differs[left]:
        raise SilentRuleError("the loss does not bend at the high end")
    settled = np.flatnonzero(~differs)
    if settled.size == 0:
        raise SilentRuleError(
            f"the slope of the loss changes everywhere by more than {SLIDE_THRESHOLD} a step, "
            "so the rule's fixed threshold is never met"
        )
    return float(rates[settled[-1] + 1])

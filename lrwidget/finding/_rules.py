"""The well-known rules that read one learning rate off a range test.

Each gives fastai's number wherever that number follows from the curve, so that results can be
compared across libraries. Where fastai's code answers although the curve says nothing (a loss
that never falls, too few points, a rule that runs off the end), the rule here stays silent and
says why. `trim` and the smoothed loss are what fastai hands to its rules.

Source: fastai 2, ``fastai/callback/schedule.py`` (``valley``, ``slide``, ``minimum``, ``steep``,
``Learner.lr_find``).

What the docstrings say of our calibration: three tabular data sets, SGD with momentum and Adam,
twelve sweeps each, against the best rate of a grid of short runs with linear decay.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FloatArray: TypeAlias = NDArray[np.float64]

# fastai's trims: the first tenth of the ladder is batch noise, the last five points the blow-up.
HEAD_FRACTION = 10
TAIL_POINTS = 5

SLIDE_DISTANCE = 15
SLIDE_THRESHOLD = 0.005


class SilentRuleError(ValueError):
    """A rule cannot say a learning rate from this curve; the message is the reason."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A named way to read a learning rate off a range test; call it with the curve.

    Attributes
    ----------
    name
        The key in `rules` and in `LRSweep.suggestions`.
    title
        The name as people see it.
    help
        One sentence: what the rule looks at, and where it misleads.
    function
        ``(learning_rates, losses) -> float``.
    """

    name: str
    title: str
    help: str
    function: Callable[[ArrayLike, ArrayLike], float]

    def __call__(self, learning_rates: ArrayLike, losses: ArrayLike) -> float:
        """Return the learning rate that the rule reads off the curve; see `function`."""
        return self.function(learning_rates, losses)


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
    rates, values = _curve(learning_rates, losses, at_least=2)
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
    Source: fastai's ``steep``. Known weakness: one noisy pair of points decides, and smoothing
    moves the steepest place to the right. In our calibration it met the best rate where the loss
    fell clearly, and missed it by decades where batches were noisy. (Lightning since 2.5.3
    differentiates by the rate itself instead of its logarithm, which magnifies noise at the low
    end: its issue 21141.)
    """
    rates, values = _curve(learning_rates, losses, at_least=2)
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
    rates, values = _curve(learning_rates, losses, at_least=2)
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
    rates, values = _curve(learning_rates, losses, at_least=SLIDE_DISTANCE + 1)
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


rules: Mapping[str, Rule] = MappingProxyType(
    {
        "valley": Rule(
            name="valley",
            title="Valley",
            help="Two thirds through the longest fall of the loss. Careful; often low.",
            function=valley,
        ),
        "steepest": Rule(
            name="steepest",
            title="Steepest",
            help="Where the loss falls fastest per decade. Often high; noise decides.",
            function=steepest,
        ),
        "minimum": Rule(
            name="minimum",
            title="Minimum / 10",
            help="A tenth of the rate with the lowest loss. The tenth is a convention.",
            function=minimum,
        ),
        "slide": Rule(
            name="slide",
            title="Slide",
            help="Where, coming down from the blow-up, the slope settles. "
            "Depends on the scale of the loss.",
            function=slide,
        ),
    }
)
"""Every rule by name, in the order in which the panels list them."""


def trim(
    learning_rates: FloatArray, losses: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray]:
    """Return the part of a sweep that the rules read: fastai's trims.

    Parameters
    ----------
    learning_rates, losses
        The finite points of the sweep, shape (n,).
    steps
        Steps that the whole ladder has; a tenth of it is dropped at the low end, also when the
        sweep stopped early.

    Returns
    -------
    tuple of two arrays
        ``learning_rates[steps // 10 : -5]`` and the losses there.
    """
    inner = slice(steps // HEAD_FRACTION, -TAIL_POINTS)
    return learning_rates[inner], losses[inner]


def suggest(
    learning_rates: FloatArray, losses: FloatArray, steps: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Ask every rule about the trimmed curve.

    Parameters
    ----------
    learning_rates, losses
        The finite points of the sweep, shape (n,); smoothed losses.
    steps
        Steps that the whole ladder has.

    Returns
    -------
    tuple of two dicts
        Rule name to learning rate, and rule name to the reason of its silence.
    """
    rates, values = trim(learning_rates, losses, steps)
    suggestions: dict[str, float] = {}
    silent: dict[str, str] = {}
    for name, rule in rules.items():
        try:
            suggestions[name] = rule(rates, values)
        except SilentRuleError as reason:
            silent[name] = str(reason)
    return suggestions, silent


def _curve(
    learning_rates: ArrayLike, losses: ArrayLike, *, at_least: int
) -> tuple[FloatArray, FloatArray]:
    rates = np.asarray(learning_rates, dtype=np.float64)
    values = np.asarray(losses, dtype=np.float64)
    if rates.ndim != 1:
        raise ValueError(f"learning_rates must have one axis, got shape {rates.shape}")
    if values.shape != rates.shape:
        raise ValueError(
            f"losses must have the shape of learning_rates {rates.shape}, got {values.shape}"
        )
    if not (np.isfinite(rates).all() and (rates > 0).all() and (np.diff(rates) > 0).all()):
        raise ValueError("learning_rates must be finite, > 0 and rising")
    if not np.isfinite(values).all():
        raise ValueError("losses must be finite; cut the curve at its first NaN or infinity")
    if len(rates) < at_least:
        raise SilentRuleError(
            f"the rule needs {at_least} points and has {len(rates)} "
            f"(the first tenth of the ladder and the last {TAIL_POINTS} points are left out)"
        )
    return rates, values

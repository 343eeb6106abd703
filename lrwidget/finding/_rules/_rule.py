"""What a rule is: a name, a function of the curve, and the part of the sweep that it reads."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

FloatArray: TypeAlias = NDArray[np.float64]

# fastai's trims: the first tenth of the ladder is batch noise, the last five points the blow-up.
HEAD_FRACTION = 10
TAIL_POINTS = 5


class SilentRuleError(ValueError):
    """A rule cannot say a learning rate from this curve; the message is the reason."""


class TooFewPointsError(SilentRuleError):
    """What a rule is given has too few points."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trim:
    """What a library leaves out of a sweep before its rule looks at it.

    Attributes
    ----------
    head
        Points at the low end.
    share
        Instead of that: one in so many of the whole ladder's steps, also where the sweep stopped
        early; 0 for none.
    tail
        Points at the high end.
    """

    head: int = 0
    share: int = 0
    tail: int = 0

    def __call__(
        self, learning_rates: FloatArray, losses: FloatArray, steps: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return the part of a sweep that is read.

        Parameters
        ----------
        learning_rates, losses
            The finite points of the sweep, shape (n,).
        steps
            Steps that the whole ladder has.
        """
        first = steps // self.share if self.share else self.head
        last = max(len(losses) - self.tail, 0)
        return learning_rates[first:last], losses[first:last]

    def __str__(self) -> str:
        head = f"one step in {self.share}" if self.share else f"{self.head} points"
        return f"{head} at the low end and {self.tail} at the high end are left out"


FASTAI = Trim(share=HEAD_FRACTION, tail=TAIL_POINTS)


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
        One sentence or two: what the rule looks at, and where it misleads.
    function
        ``(learning_rates, losses) -> float``.
    trim
        What its library leaves out of the sweep before; `function` does not.
    shown
        Whether panels and pictures show it unless asked otherwise.
    rates_only
        Whether it makes sense for learning rates alone, and not for a momentum, say.
    reads_the_rise
        Whether it comes down from the blow-up, so that the loss need not fall anywhere.
    """

    name: str
    title: str
    help: str
    function: Callable[[ArrayLike, ArrayLike], float]
    trim: Trim = FASTAI
    shown: bool = True
    rates_only: bool = False
    reads_the_rise: bool = False

    def __call__(self, learning_rates: ArrayLike, losses: ArrayLike) -> float:
        """Return the learning rate that the rule reads off the curve; see `function`."""
        return self.function(learning_rates, losses)


def checked(
    learning_rates: ArrayLike, losses: ArrayLike, *, at_least: int, positive: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Return the curve as arrays, or raise.

    Parameters
    ----------
    learning_rates, losses
        As a rule gets them.
    at_least
        Points that the rule needs.
    positive
        Whether it takes the logarithm of the rates.

    Raises
    ------
    ValueError
        If it is no curve: other shapes, rates that do not rise, a loss that is not finite.
    SilentRuleError
        If it has too few points, or begins at 0 where the logarithm is taken.
    """
    rates = np.asarray(learning_rates, dtype=np.float64)
    values = np.asarray(losses, dtype=np.float64)
    if rates.ndim != 1:
        raise ValueError(f"learning_rates must have one axis, got shape {rates.shape}")
    if values.shape != rates.shape:
        raise ValueError(
            f"losses must have the shape of learning_rates {rates.shape}, got {values.shape}"
        )
    if not (np.isfinite(rates).all() and (rates >= 0).all() and (np.diff(rates) > 0).all()):
        raise ValueError("learning_rates must be finite, >= 0 and rising")
    if not np.isfinite(values).all():
        raise ValueError("losses must be finite; cut the curve at its first NaN or infinity")
    if len(rates) < at_least:
        raise TooFewPointsError(f"the rule needs {at_least} points and has {len(rates)}")
    if positive and rates[0] == 0.0:
        raise SilentRuleError("it takes the logarithm of the rate, and the ladder begins at 0")
    return rates, values

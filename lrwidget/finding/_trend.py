"""How the best rate moves with the length of training, before anything is known of a task."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrwidget.optimizers import Chain

# Optimizers whose updates have a length that no gradient changes. The way that they can go is the
# rate times the number of steps, so that a longer run needs a lower rate: with a rate in proportion
# to one over the square root of the steps the trend is -0.5; noise and edges bring it nearer to 0.
_FIXED_LENGTH = frozenset(
    {
        "lion", "sign_sgd", "signum", "muon", "scale_by_lion", "scale_by_sign", "normalize",
        "normalize_by_update_norm", "fromage",
    }
)  # fmt: skip
_FIXED_LENGTH_TREND = -0.3

# A rate that stays up to the end leaves the loss at a level that grows with the rate, and the
# longer a run, the more of its loss is this level. On our development tasks the trend from a tenth
# of the steps was -0.3 at a constant rate, with a spread of 0.2, and -0.05 under a cosine, with a
# spread of 0.3; surveys, which see part of it for themselves, did best with half of the former.
_HELD_TREND = -0.15
_HELD_SPREAD, _ANNEALED_SPREAD = 0.25, 0.35


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trend:
    """The trend to expect: a normal prior, in decades of the rate a decade of steps.

    Attributes
    ----------
    usual
        Its mean.
    spread
        One standard deviation.
    """

    usual: float = 0.0
    spread: float = _ANNEALED_SPREAD


UNKNOWN = Trend()
"""Of a hyperparameter of which nothing is known."""


def usual_trend(chain: Chain, held: float) -> Trend:
    """Return the trend to expect of a chain's learning rate.

    Parameters
    ----------
    chain
        The optimizer.
    held
        How much of its peak the schedule still has in its last tenth: 1 for a constant rate, about
        0 for a cosine.
    """
    fixed = any(link.name in _FIXED_LENGTH for _, link in chain.labelled())
    usual = _HELD_TREND * held
    return Trend(
        usual=min(usual, _FIXED_LENGTH_TREND) if fixed else usual,
        spread=_ANNEALED_SPREAD + held * (_HELD_SPREAD - _ANNEALED_SPREAD),
    )

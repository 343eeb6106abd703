"""When there is nothing honest to say: what stands in the way before any run, and what would help.

Each rule is here or in `_verdict`, which looks at the runs; every finder asks these.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget.optimizers._first_rate import how_to_begin, must_begin_above_zero
from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lrwidget.finding._first_look import FirstLook
    from lrwidget.finding._start import Start
    from lrwidget.optimizers import Chain

FloatArray = npt.NDArray[np.float64]

# One batch of few examples can only be learnt by heart. Many examples in one batch are gradient
# descent on the whole data, which somebody meant.
_FEW_EXAMPLES = 256

# A few runs on either side of the best, and the state before any.
_FEWEST_JUDGED = 8

# Links that need no gradient to move the parameters, and links that bear one that is not finite.
_MOVING = frozenset({"add_noise", "noisy_sgd"})
_MENDING = frozenset({"zero_nans", "apply_if_finite"})

_NOT_FINITE = "look for a logarithm or a division of zero, and for NaN in the data"


class Refusal(NamedTuple):
    """Why there is no advice."""

    reason: str
    remedy: str


class RefusedError(Exception):
    """Ends the search for advice."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


USED_UP = Refusal(
    "the training data is used up: a pass gave no batch, so that runs cannot begin with the same",
    "give a list, an object that can be iterated again, or a function that returns a new iterator "
    "each time",
)
"""What to say of data that does not begin anew with each run."""


def check_data(start: Start) -> None:
    """Raise a `RefusedError` where the data cannot tell how training goes on."""
    source = start.runner.source
    examples = source.size
    # Of more examples than one batch has, every epoch shuffles others into it.
    alone = getattr(source, "examples", examples) == examples
    if source.steps_per_epoch == 1 and alone and examples <= _FEW_EXAMPLES:
        raise RefusedError(
            Refusal(
                f"the training data is one batch of {examples} examples: every step sees the same "
                "few, and how fast they are learnt by heart says nothing about other data",
                "give more data, or a smaller batch_size",
            )
        )


def trouble_at_start(losses: Sequence[float], gradient_norms: Sequence[float]) -> Refusal | None:
    """Return what stands in the way of any training from a state; None for nothing.

    Parameters
    ----------
    losses, gradient_norms
        Of some batches.
    """
    bad = next((loss for loss in losses if not math.isfinite(loss)), None)
    if bad is not None:
        return Refusal(f"the loss is {bad} before the first step", _NOT_FINITE)
    if not all(map(math.isfinite, gradient_norms)):
        return Refusal(
            "the gradient is not finite before the first step",
            "look for a square root or a norm at zero in the loss function",
        )
    if not any(gradient_norms):
        return Refusal(
            "the gradient is exactly zero: no small change of the parameters changes the loss",
            "look whether the model is frozen, the loss function stops its gradients, or the start "
            "is a saddle, such as factors that are all zero",
        )
    return None


def check_first_look(look: FirstLook, chains: Iterable[Chain]) -> None:
    """Raise a `RefusedError` where none of the chains can train anything from here."""
    if look.trouble is None:
        return
    names = {link.name for chain in chains for _, link in chain.labelled()}
    if all(map(math.isfinite, look.losses)):
        finite = all(map(math.isfinite, look.gradient_norms))
        if names & (_MOVING if finite else _MENDING):
            return
    raise RefusedError(look.trouble)


def check_updates(every: int, steps: int) -> None:
    """Raise a `RefusedError` where no update is made in all of the steps."""
    if every <= steps:
        return
    raise RefusedError(
        Refusal(
            f"no update is made: the chain applies one in {every} steps, and training has {steps}",
            "train for longer, or accumulate fewer gradients",
        )
    )


def check_first_rate(start: Start, chain: Chain, column: int) -> None:
    """Raise a `RefusedError` where an optimizer divides by the first rate, and that is 0.

    Short runs have the rates of the middle of each stretch, and would not show it.

    Parameters
    ----------
    start
        Where runs begin.
    chain
        What is trained with.
    column
        Which column of the rows gets other values: of a number, nothing is left in them.
    """
    if start.goes_on and start.step:  # its sums have begun
        return
    for address, link, step in must_begin_above_zero(chain):
        if address not in start.addresses:
            continue
        place = start.addresses.index(address)
        if place == column and not isinstance(chain.value(address), Schedule):
            continue
        # As the compiled step gets it.
        if np.float32(start.rows(step, 1)[0, place]) == 0.0:
            raise RefusedError(
                Refusal(
                    f"the first rate is 0, and {link.name} divides by a sum that begins with it: "
                    "training would be NaN within two updates, whatever the rest of the schedule",
                    how_to_begin(link),
                )
            )


def check_price(of_judging: float, left: float) -> None:
    """Raise a `RefusedError` where judging a few runs alone would take most of the budget."""
    if _FEWEST_JUDGED * of_judging <= left:
        return
    raise RefusedError(
        Refusal(
            f"a pass over the validation data costs {of_judging:.0f} gradient steps, and each of "
            f"{_FEWEST_JUDGED} runs or more needs one: {left:.0f} are left of the budget",
            "ask for a larger budget, or give less validation data",
        )
    )


def check_start(initial: FloatArray) -> None:
    """Raise a `RefusedError` where the objective is not finite before the first step."""
    wrong = ~np.isfinite(initial)
    if not wrong.any():
        return
    value, count = initial[wrong][0], int(wrong.sum())
    if count == len(initial):
        raise RefusedError(Refusal(f"the loss is {value} before the first step", _NOT_FINITE))
    raise RefusedError(
        Refusal(
            f"the loss is {value} before the first step, on {count} of {len(initial)} batches",
            "look for NaN in the data, and for a logarithm or a division of zero",
        )
    )

"""What is left of a run, and what a learning rate that was found for it means there."""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING

import numpy as np

from lrwidget.schedules import Schedule
from lrwidget.widget._rate import rate_of

if TYPE_CHECKING:
    from lrwidget.training import Trainer

_SAMPLES = 4000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """A point of a run, and what was to be applied from there on.

    Attributes
    ----------
    run
        The run's trainer, which this does not keep alive.
    step
        Steps done.
    steps
        The run's length.
    address
        The learning rate that is looked for.
    applied
        Its plan, or the number that was held.
    """

    run: weakref.ref[Trainer]
    step: int
    steps: int
    address: str
    applied: Schedule | float

    @classmethod
    def of(cls, trainer: Trainer) -> Place:
        """Return where a run is, or raise a ValueError where no learning rate could be changed."""
        address = rate_of(trainer.chain)
        if address not in trainer.addresses:
            raise ValueError(f"{address} cannot change in this run: no rate can be looked for")
        held = trainer.held(address)
        return cls(
            run=weakref.ref(trainer),
            step=trainer.position,
            steps=trainer.steps,
            address=address,
            applied=trainer.plan(address) if held is None else held,
        )

    @property
    def left(self) -> int:
        """Steps that are left."""
        return self.steps - self.step

    def highest(self, step: int | None = None) -> float:
        """Return the highest rate from here to the end, or from a later step on."""
        first = self.step if step is None else step
        if not isinstance(self.applied, Schedule):
            return float(self.applied)
        last = max(first, self.steps - 1)
        marks = [mark for mark in self.applied.marks if first <= mark <= last]
        steps = np.unique(np.linspace(first, last, _SAMPLES).round())
        return float(np.max(self.applied(np.union1d(steps, marks))))


def factor_for(now: Place, learning_rate: float, found: Place | None) -> float:
    """Return by what the rest of a run's curve is multiplied so that a rate that was found holds.

    A rate is found for the highest value that the curve has from there on. If the run has gone on
    since, down its curve, the highest value by now is to be lower in the same measure.

    Parameters
    ----------
    now
        Where the run is.
    learning_rate
        What was found, > 0.
    found
        Where in the same run; None where that was not in it: then it is for what is left now.
    """
    wanted = learning_rate
    if found is not None and found.run == now.run and found.step <= now.step:
        peak = found.highest()
        wanted = learning_rate * (found.highest(now.step) / peak) if peak > 0 else 0.0
    highest = now.highest()
    if not (highest > 0 and wanted > 0):
        raise ValueError(
            f"the rest of this run has a learning rate of {min(highest, wanted):g} throughout, "
            "which no factor raises: give it a number or a curve in Train"
        )
    return wanted / highest

"""What is left of a run, beside what was tried for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from lrwidget.finding._start import Start
    from lrwidget.training import Trainer

FloatArray = npt.NDArray[np.float64]

# Steps of the rest that are looked at, beside those where a plan turns.
_SAMPLES = 4000

_TINY = float(np.finfo(np.float64).tiny)

# Two plans are the same if they differ by no more than this share of their highest values.
_SAME = 1e-6


def highest_left(trainer: Trainer, begin: Start, column: int, steps: int) -> float | None:
    """Return the highest rate of the next steps of a run, as it will apply them.

    Parameters
    ----------
    trainer
        The run, at rest.
    begin
        Where it is, with the chain that was tried from there.
    column
        Which of the addresses of `begin` is the rate.
    steps
        The steps that were tried.

    Returns
    -------
    float or None
        None where no factor of the run's rate would give what was tried: where the chain is not
        built like the run's, where it differs in more than the height of the rate, or where the
        rate is 0 to the end.
    """
    address = begin.addresses[column]
    own, chain = trainer.chain, begin.chain
    if not begin.goes_on or address not in trainer.addresses:
        return None
    places = _places(trainer, address, begin.step, steps)
    # Where nothing of the chain is another number, what was tried are the run's plans themselves.
    if any(chain.value(each) != own.value(each) for each in chain.addresses()):
        for each in chain.addresses():
            tried = _values(chain.value(each), places)
            applied = _applied(trainer, each, places)
            if each == address:
                tried, applied = (values / max(values.max(), _TINY) for values in (tried, applied))
            if not np.allclose(tried, applied, rtol=_SAME, atol=_SAME * np.abs(applied).max()):
                return None
    highest = float(_applied(trainer, address, places).max())
    return highest if highest > 0.0 else None


def _places(trainer: Trainer, address: str, first: int, steps: int) -> FloatArray:
    """Return the steps that are looked at: those where the plan turns among them."""
    last = first + steps - 1
    marks = [mark for mark in trainer.plan(address).marks if first <= mark <= last]
    spread = np.linspace(first, last, min(steps, _SAMPLES)).round()
    return np.union1d(spread, np.asarray(marks, dtype=np.float64))


def _applied(trainer: Trainer, address: str, places: FloatArray) -> FloatArray:
    if address not in trainer.addresses:  # compiled in
        return _values(trainer.chain.value(address), places)
    held = trainer.held(address)
    return _values(trainer.plan(address) if held is None else held, places)


def _values(value: float | Schedule, places: FloatArray) -> FloatArray:
    if isinstance(value, Schedule):
        return np.asarray(value(places), dtype=np.float64)
    return np.full(len(places), float(value))

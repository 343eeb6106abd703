"""Two schedules side by side: what changes when a run goes on with another one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from lrwidget import _checks
from lrwidget.schedules._schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 4096


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The old and the new curve from a step on; printed, it says what changes.

    Attributes
    ----------
    old, new
        The two schedules, read in the same steps of the run.
    step
        The step from which the new one counts.
    before
        The old curve's value at `step`: what the run would have gone on with.
    after
        The new curve's value at `step`.
    largest
        The largest difference from `step` on.
    largest_at
        The step of the largest difference.
    """

    old: Schedule
    new: Schedule
    step: int
    before: float
    after: float
    largest: float
    largest_at: int

    @property
    def jump(self) -> float:
        """``after / before``: 1 where the curve goes on without a jump; infinite from zero."""
        if self.before == self.after:
            return 1.0
        return self.after / self.before if self.before else float("inf")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both curves with matplotlib, and return the axes."""
        from lrwidget.plotting import plot_comparison

        return plot_comparison(self.old, self.new, self.step, ax)

    def __str__(self) -> str:
        def length(schedule: Schedule) -> str:
            return "without end" if schedule.steps is None else f"until step {schedule.steps}"

        def end(schedule: Schedule) -> str:
            return f"{schedule.end_value:.3g}, {length(schedule)}"

        jump = "no jump" if self.jump == 1.0 else f"times {self.jump:.3g}"
        return (
            f"at step {self.step}: {self.before:.3g} → {self.after:.3g} ({jump})\n"
            f"old: ends at {end(self.old)}\n"
            f"new: ends at {end(self.new)}\n"
            f"largest difference: {self.largest:.3g} at step {self.largest_at}"
        )


def compare(old: Schedule, new: Schedule, step: int = 0) -> Comparison:
    """Return how `new` differs from `old` from `step` on; both count the run's own steps."""
    for name, schedule in {"old": old, "new": new}.items():
        if not isinstance(schedule, Schedule):
            raise TypeError(f"{name} must be a Schedule, got {schedule!r}")
    step = _checks.integer("step", step, low=0)
    borders = [b for s in (old, new) for b in (*s.borders, s.steps or 0)]
    last = max(step + 1, *borders) if borders else step + 1
    even = np.linspace(step, last, min(last - step + 1, _POINTS)).round()
    at = np.unique(np.r_[even, [b for b in borders if b >= step]].astype(np.int64))
    apart = np.abs(new(at) - old(at))
    worst = int(np.argmax(apart))
    return Comparison(
        old=old,
        new=new,
        step=step,
        before=float(old(step)),
        after=float(new(step)),
        largest=float(apart[worst]),
        largest_at=int(at[worst]),
    )

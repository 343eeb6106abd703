"""The result of `probe`: how short runs ended, and where the best peak lies."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

from lrwidget._numbers import short_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from lrwidget.finding._fit import Fit
    from lrwidget.finding._prober import ProbeRun
    from lrwidget.finding._refusals import Refusal
    from lrwidget.finding._replicas import Objective


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Probe:
    """Short runs of the designed schedule at several peaks, and where the best peak lies.

    Attributes
    ----------
    runs
        Every run, in the order in which they were made.
    initial
        The objective before the first step; NaN where it was cancelled before that.
    fits
        Horizon to where the best rate lies there; empty where `refused`.
    optimum
        Where it lies at the horizon asked for, by the trend of `fits`; None where `refused`, or
        cancelled before there was any.
    trend
        By how many decades the best rate moves when the horizon grows tenfold.
    edge
        The highest rate below the lowest at which a run was lost, and that one, over all horizons;
        a rate that a longer run survived does not count as lost, nor does one at which a run
        shorter than the longest only ended high. None where there is no such rate, or no run came
        to its end.
    steps
        The horizon asked for.
    loss
        The objective: ``"train"`` or ``"valid"``.
    gradient_steps
        What it cost; a forward pass counts as a third. See `Advice.gradient_steps`.
    cancelled
        Whether it was cancelled.
    refused
        Why the runs do not tell which rate is best, as in `Advice.refused`; None where they do.
    remedy
        What would help; None where nothing has to.
    """

    runs: tuple[ProbeRun, ...]
    initial: float
    fits: Mapping[int, Fit]
    optimum: Fit | None
    trend: float
    edge: tuple[float, float] | None
    steps: int
    loss: Objective
    gradient_steps: float
    cancelled: bool = False
    refused: str | None = None
    remedy: str | None = None

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons of the runs, rising."""
        return tuple(sorted({run.horizon for run in self.runs}))

    @property
    def best(self) -> ProbeRun | None:
        """The run that ended lowest at the longest horizon; None where all were lost."""
        for horizon in reversed(self.horizons):
            there = [run for run in self.runs if run.horizon == horizon and not run.diverged]
            if there:
                return min(there, key=lambda run: run.final)
        return None

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the ends of the runs over their rates, a line for each horizon.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; by default those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from lrwidget.plotting import plot_probe  # matplotlib, only when drawn

        return plot_probe(self, ax)

    def __repr__(self) -> str:
        """Return a small table: a line for each horizon."""
        words = f"{_runs(len(self.runs))}, {self.gradient_steps:.0f} gradient steps"
        lines = [f"Probe for {self.steps} steps: {words}{', cancelled' * self.cancelled}"]
        for horizon in self.horizons:
            runs = [run for run in self.runs if run.horizon == horizon]
            lost = sum(run.diverged for run in runs)
            line = f"  {horizon:>6} steps  {_runs(len(runs))}"
            if horizon in self.fits:
                fit = self.fits[horizon]
                line += f", best near {_with_band(fit)}"
            lines.append(line + (f", {lost} lost" if lost else ""))
        if self.refused is not None:
            lines += [f"  no rate can be called the best: {self.refused}", f"  {self.remedy}"]
        if self.optimum is not None:
            lines.append(f"  {self.steps:>6} steps  best by the trend {_with_band(self.optimum)}")
        return "\n".join(lines)


def unanswered(probe: Probe, refusal: Refusal) -> Probe:
    """Return the same runs, of which none tells which rate is best."""
    return dataclasses.replace(
        probe,
        fits=MappingProxyType({}),
        optimum=None,
        trend=0.0,
        refused=refusal.reason,
        remedy=refusal.remedy,
    )


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"


def _with_band(fit: Fit) -> str:
    return f"{short_rate(fit.best, 3)} ({short_rate(fit.low)} to {short_rate(fit.high)})"

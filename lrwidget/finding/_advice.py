"""The result of `advise`: a learning rate with its band and its reasons, or a refusal."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from lrwidget._numbers import short_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lrwidget.finding._curvature import Curvature
    from lrwidget.finding._probed import Probe
    from lrwidget.finding._replicas import Objective

Sure = Literal["very sure", "fairly sure", "a first guess"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """What an advice rests on.

    Attributes
    ----------
    probe
        The short runs, as `lrwidget.probe` gives them: `Probe.runs` has each with its rate, its
        steps, its losses and how it ended, `Probe.fits` where the best rate lies at each length,
        `Probe.edge` from where on runs were lost. None where it was refused before any.
    curvature
        Sharpness and critical rate at the start, as `lrwidget.finding.curvature` gives them; None
        where they were not measured.
    """

    probe: Probe | None
    curvature: Curvature | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Advice:
    """A suggested learning rate: the peak of the schedule that was asked about.

    Attributes
    ----------
    learning_rate
        The rate; None where advice is refused.
    low, high
        The best rate lies between them with a probability of about 0.9. They are no range of safe
        rates: near `high` runs may be lost.
    sure
        How sure it is: ``"very sure"`` (the band is at most half a decade wide), ``"fairly
        sure"`` (at most one), or ``"a first guess"``, which it also is where the best of the
        longest runs had the lowest or the highest rate of them; None where advice is refused.
    reasons
        Two to four sentences.
    refused
        Why there is no advice; None where there is.
    remedy
        What would help; None where there is advice.
    gradient_steps
        What it cost: a gradient 1, a Hessian-vector product 2, a forward pass 1/3. What an
        optimizer computes for itself counts where its numbers tell how often (``sophia``,
        ``sharpness_aware_rate``); of a line search that is the first step that it tries.
    budget
        What it might have cost.
    steps
        The horizon that was asked about.
    loss
        What was to be low at the end: the ``"train"`` loss or the ``"valid"`` loss.
    evidence
        What it rests on: ``evidence.probe`` has every short run, and ``evidence.curvature`` what
        was measured at the start; see `Evidence`.
    address
        Which hyperparameter it is of: ``"learning_rate"`` where the chain has no other rate, else
        its full address, such as ``"gen/adam.learning_rate"``.
    """

    learning_rate: float | None
    low: float | None
    high: float | None
    sure: Sure | None
    reasons: tuple[str, ...]
    refused: str | None
    remedy: str | None
    gradient_steps: float
    budget: float
    steps: int
    loss: Objective
    evidence: Evidence
    address: str = "learning_rate"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the ends of the runs over their rates, the advised rate and its band.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; by default those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from lrwidget.plotting import plot_advice  # matplotlib, only when drawn

        return plot_advice(self, ax)

    def __repr__(self) -> str:
        """Return the advice, its reasons and its cost, a line each."""
        cost = f"{self.gradient_steps:.0f} of {self.budget:.0f} gradient steps"
        for_what = f"for {self.steps} steps, by the {_OBJECTIVES[self.loss]}"
        head = "Advice" if self.address == "learning_rate" else f"Advice on {self.address}"
        if self.learning_rate is None or self.low is None or self.high is None:
            lines = [f"{head} refused {for_what} ({cost})", f"  {self.refused}", f"  {self.remedy}"]
        else:
            # The bounds of what may be best, which must not read as those of what is safe.
            band = f"the best lies between {short_rate(self.low)} and {short_rate(self.high)}"
            lines = [
                f"{head}: use {short_rate(self.learning_rate, 3)}; {band} ({self.sure})",
                f"  {for_what} ({cost})",
            ]
        return "\n".join(lines + [f"  {reason}" for reason in self.reasons])


_OBJECTIVES = {"train": "final training loss", "valid": "final validation loss"}

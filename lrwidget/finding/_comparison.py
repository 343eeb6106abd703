"""The result of a comparison: runs of several chains, and which differences are clear."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.finding._student import t_quantile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_CONFIDENCE = 0.95


class Difference(NamedTuple):
    """How much higher one chain's final loss is than another's, over the seeds."""

    mean: float  # inf where one diverged at every seed and the other at none, NaN for no telling
    low: float  # 95 % interval; NaN with fewer than two seeds
    high: float

    @property
    def clear(self) -> bool:
        """Whether it is larger than what the seeds alone would make of it."""
        return self.low > 0.0 or self.high < 0.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison:
    """Chains that were trained side by side.

    Attributes
    ----------
    names
        The chains, in the order in which they were given.
    steps
        Steps of each run.
    seeds
        Runs of each chain.
    loss
        What `final` is of: ``"train"`` or ``"valid"``.
    losses
        Name to the loss of each step's batch before its update, float64, shape (seeds, steps);
        NaN after a run has become infinite or NaN, and where it was not made.
    final
        Name to the loss after the last step, shape (seeds,): of batches of the training data that
        are the same for every run, in training form; or of the validation data. Infinite where the
        run became infinite or NaN, NaN where it was not made.
    valid
        Name to the validation loss after the last step, shape (seeds,); None for a task without.
    diverged
        Name to which runs were lost, shape (seeds,): those that became infinite or NaN, and those
        that ended above the first loss by more than ten times its size.
    best
        The chain with the lowest mean final loss among those that diverged least often. Whether it
        is better beyond the spread of the seeds, `difference` tells.
    gradient_steps
        What it cost, passes for the final losses included.
    cancelled
        Whether it was cancelled before the end.
    """

    names: tuple[str, ...]
    steps: int
    seeds: int
    loss: Literal["train", "valid"]
    losses: Mapping[str, FloatArray]
    final: Mapping[str, FloatArray]
    valid: Mapping[str, FloatArray | None]
    diverged: Mapping[str, BoolArray]
    best: str
    gradient_steps: float
    cancelled: bool = False

    def difference(self, name: str, other: str) -> Difference:
        """Return how much higher the final loss of `name` is than that of `other`.

        Seed by seed, since both had the same batches; with the 95 % interval of Student's t for
        the mean of these differences. With two seeds it is wide, with one it is unknown. Where
        one chain diverged at every seed and the other at none, that is clear without any interval;
        where one diverged now and then, no number says how much worse that is.

        Raises
        ------
        ValueError
            If there is no chain of that name.
        """
        name, other = (_checks.choice("name", each, self.names) for each in (name, other))
        lost, other_lost = self.diverged[name], self.diverged[other]
        if lost.all() and not other_lost.any():
            return Difference(math.inf, math.inf, math.inf)
        if other_lost.all() and not lost.any():
            return Difference(-math.inf, -math.inf, -math.inf)
        if lost.any() or other_lost.any():
            return Difference(math.nan, math.nan, math.nan)
        differences = self.final[name] - self.final[other]
        differences = differences[~np.isnan(differences)]
        count = len(differences)
        mean = float(differences.mean()) if count else math.nan
        if count < 2:
            return Difference(mean, math.nan, math.nan)
        t = t_quantile(0.5 + 0.5 * _CONFIDENCE, count - 1)
        half = t * float(differences.std(ddof=1)) / math.sqrt(count)
        return Difference(mean, mean - half, mean + half)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the median loss of each chain over the steps, with the band of its seeds.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; by default those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from lrwidget.plotting import plot_several  # matplotlib, only when drawn

        return plot_several(self, ax)

    def __repr__(self) -> str:
        """Return a table, the lowest final loss first, with what is clear of the differences."""
        what = {"train": "training", "valid": "validation"}[self.loss]
        seeds = f"{self.seeds} seed{'s' * (self.seeds > 1)}"
        head = f"Comparison of {len(self.names)}: {self.steps} steps, {seeds}"
        head += f", {self.gradient_steps:.6g} gradient steps{', cancelled' * self.cancelled}"
        table = [("", f"final {what} loss", "over the seeds", f"against {self.best}")]
        table += [self._row(name) for name in sorted(self.names, key=self._rank)]
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n  ".join([head, *lines])

    def _row(self, name: str) -> tuple[str, str, str, str]:
        final, lost = self.final[name], self.diverged[name]
        kept = final[~lost & np.isfinite(final)]
        mean, spread = "", ""
        if kept.size:
            mean = f"{kept.mean():.4g}"
            spread = f"{kept.min():.4g} to {kept.max():.4g}" if kept.size > 1 else ""
        against = "best" if name == self.best else self._against(name)
        if lost.any():
            often = f"diverged at {int(lost.sum())} of {lost.size}"
            mean, against = (mean, often) if kept.size else ("diverged", often)
        return name, mean, spread, against

    def _against(self, name: str) -> str:
        difference = self.difference(name, self.best)
        if math.isnan(difference.mean):
            return "unknown"
        if math.isnan(difference.low):
            return f"{difference.mean:+.2g}, one seed"
        interval = f"{difference.mean:+.2g} ({difference.low:+.2g} to {difference.high:+.2g})"
        return f"worse by {interval}" if difference.clear else f"no clear difference, {interval}"

    def _rank(self, name: str) -> tuple[float, float]:
        return rank(self.final[name], self.diverged[name])


def rank(final: FloatArray, diverged: BoolArray) -> tuple[float, float]:
    """Return what a chain is sorted by: how often it diverged, then its mean final loss."""
    kept = final[~diverged & np.isfinite(final)]
    # One whose runs were not made comes last.
    often = float(diverged.mean()) if np.isfinite(final).any() or diverged.any() else math.inf
    return often, float(kept.mean()) if kept.size else math.inf

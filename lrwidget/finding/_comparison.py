"""The result of a comparison: runs of several chains, and which differences are clear."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget._numbers import number
from lrwidget.finding._student import t_quantile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_CONFIDENCE = 0.95


# A run that ends as far above the first losses as this many times their size has not come back.
_LOST = 10.0

# From this factor on a ratio is told in times, below in percent.
_TIMES = 2.0


class Difference(NamedTuple):
    """How much higher one chain's final loss is than another's, over the seeds."""

    mean: float  # NaN where there is no telling
    low: float  # 95 % interval; NaN with fewer than two seeds
    high: float
    is_ratio: bool  # whether it is how many times as high, and not by how much higher

    @property
    def clear(self) -> bool:
        """Whether it is larger than what the seeds alone would make of it."""
        none = 1.0 if self.is_ratio else 0.0
        return self.low > none or self.high < none

    def __str__(self) -> str:
        """Return it in words, such as ``+12 % (+8 % to +16 %)``."""
        if self.is_ratio and 1.0 / _TIMES < self.mean < _TIMES:
            mean, low, high = (f"{_two_digits(100.0 * (x - 1.0), '+')} %" for x in self[:3])
        elif self.is_ratio:
            mean, low, high = map(_two_digits, self[:3])
            mean += " times"
        else:
            mean, low, high = (_two_digits(each, "+") for each in self[:3])
        return mean if math.isnan(self.low) else f"{mean} ({low} to {high})"


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
        that ended above the first losses by more than ten times their size: their level, what
        they differ by or what the best run gained, whatever is largest.
    best
        The chain with the lowest mean final loss among those that diverged least often, by the
        geometric mean where all are positive. Whether it is better beyond the spread of the seeds,
        `difference` tells. None where no run came to its end.
    gradient_steps
        What it cost, passes for the final losses included.
    cancelled
        Whether it was cancelled before the end.
    start_step
        The step of the run in the middle of which it began; None where it began anew.
    refused
        Why nothing was compared, as in `Advice.refused`; None where it was.
    remedy
        What would help; None where nothing has to.
    """

    names: tuple[str, ...]
    steps: int
    seeds: int
    loss: Literal["train", "valid"]
    losses: Mapping[str, FloatArray]
    final: Mapping[str, FloatArray]
    valid: Mapping[str, FloatArray | None]
    diverged: Mapping[str, BoolArray]
    best: str | None
    gradient_steps: float
    cancelled: bool = False
    start_step: int | None = None
    refused: str | None = None
    remedy: str | None = None

    def difference(self, name: str, other: str) -> Difference:
        """Return how many times as high the final loss of `name` is as that of `other`.

        Where some final loss is zero or negative, by how much it is higher instead.

        Raises
        ------
        ValueError
            If there is no chain of that name.

        Notes
        -----
        Both chains had the same batches at each seed, so that they are compared seed by seed
        (common random numbers; Law, "Simulation Modeling and Analysis", section 10.2): a seed that
        is harder for both does not count. The interval is that of Student's t for the mean of the
        differences, at 95 %. Where all losses of the comparison are positive, they are differences
        of logarithms, and the mean and the interval are taken back to ratios (Bland and Altman
        1996, BMJ 312:1153): the seeds of losses that fall by orders of magnitude differ by
        factors, and on the plain scale the one that ended highest would drown all others. Losses
        that may be negative, such as that of a density, have no such scale and are subtracted as
        they are.

        With two seeds the interval is wide, with one it is unknown. Where one chain diverged at
        every seed and the other at none, that is clear without any interval; where one diverged
        now and then, no number says how much worse that is. Of twenty pairs of chains that are
        alike one seems to differ clearly, so that many chains need more seeds.
        """
        name, other = (_checks.choice("name", each, self.names) for each in (name, other))
        lost, other_lost = self.diverged[name], self.diverged[other]
        ratio = in_ratios(self.final, self.diverged)
        if lost.all() and not other_lost.any():
            return Difference(math.inf, math.inf, math.inf, ratio)
        if other_lost.all() and not lost.any():
            none = 0.0 if ratio else -math.inf
            return Difference(none, none, none, ratio)
        if lost.any() or other_lost.any():
            return Difference(math.nan, math.nan, math.nan, ratio)
        made = np.isfinite(self.final[name]) & np.isfinite(self.final[other])
        ends = np.stack([self.final[name][made], self.final[other][made]])
        differences = np.subtract(*np.log(ends)) if ratio else np.subtract(*ends)
        count = len(differences)
        mean, half = float(differences.mean()) if count else math.nan, math.nan
        if count > 1:
            t = t_quantile(0.5 + 0.5 * _CONFIDENCE, count - 1)
            half = t * float(differences.std(ddof=1)) / math.sqrt(count)
        told = np.array([mean, mean - half, mean + half])
        if ratio:
            with np.errstate(over="ignore"):
                told = np.exp(told)
        mean, low, high = told.tolist()
        return Difference(mean, low, high, ratio)

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
        head += "" if self.start_step is None else f", from step {self.start_step} of a run"
        head += f", {self.gradient_steps:.0f} gradient steps{', cancelled' * self.cancelled}"
        if self.refused is not None:
            return f"{head}\n  refused: {self.refused}\n  {self.remedy}"
        table = [
            (
                "",
                f"final {what} loss",
                "over the seeds",
                "" if self.best is None else f"against {self.best}",
            )
        ]
        table += [self._row(name) for name in sorted(self.names, key=self._rank)]
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n  ".join([head, *lines])

    def _row(self, name: str) -> tuple[str, str, str, str]:
        final, lost = self.final[name], self.diverged[name]
        kept = _kept(final, lost)
        mean, spread = "", ""
        if kept.size:
            mean = number(mean_of(kept, in_ratio=in_ratios(self.final, self.diverged)), 4)
            lowest, highest = (number(float(end), 4) for end in (kept.min(), kept.max()))
            spread = f"{lowest} to {highest}" if kept.size > 1 else ""
        against = "best" if name == self.best else self._against(name)
        if lost.any():
            often = f"diverged at {int(lost.sum())} of {lost.size}"
            mean, against = (mean, often) if kept.size else ("diverged", often)
        return name, mean, spread, against

    def _against(self, name: str) -> str:
        if self.best is None:
            return ""
        difference = self.difference(name, self.best)
        if math.isnan(difference.mean):
            return "unknown"
        if math.isnan(difference.low):
            return f"{difference}, one seed"
        return f"worse: {difference}" if difference.clear else f"no clear difference: {difference}"

    def _rank(self, name: str) -> tuple[float, float]:
        ratio = in_ratios(self.final, self.diverged)
        return rank(self.final[name], self.diverged[name], in_ratio=ratio)


def _two_digits(value: float, sign: str = "") -> str:
    return f"{float(f'{value:.2g}'):{sign}g}"  # 290 rather than 2.9e+02


def lost_runs(
    losses: Mapping[str, FloatArray], final: Mapping[str, FloatArray]
) -> dict[str, BoolArray]:
    """Return which runs were lost, by name; see `Comparison`, also for the arguments."""
    # Before the first update all runs are alike but for their batches.
    first = np.concatenate([each[:, 0] for each in losses.values()])
    first = first[np.isfinite(first)]
    if not first.size:
        return {name: np.isinf(ends) for name, ends in final.items()}
    began, ends = float(first.mean()), np.concatenate([*final.values()])
    # A level near zero, that of a density, say, is no size of its own.
    gained = began - float(np.min(ends[np.isfinite(ends)], initial=began))
    size = max(abs(began), float(np.ptp(first)), gained)
    with np.errstate(invalid="ignore"):  # NaN where a run was not made
        return {
            name: np.isinf(each) | (each - began > _LOST * size) for name, each in final.items()
        }


def in_ratios(final: Mapping[str, FloatArray], diverged: Mapping[str, BoolArray]) -> bool:
    """Return whether the final losses are compared by their ratios: where all are positive."""
    kept = [_kept(final[name], diverged[name]) for name in final]
    return all((each > 0.0).all() for each in kept)


def mean_of(losses: FloatArray, *, in_ratio: bool) -> float:
    """Return the mean of some losses, the geometric one where they are compared by ratios."""
    return float(np.exp(np.log(losses).mean()) if in_ratio else losses.mean())


def rank(final: FloatArray, diverged: BoolArray, *, in_ratio: bool) -> tuple[float, float]:
    """Return what a chain is sorted by: how often it diverged, then its mean final loss."""
    kept = _kept(final, diverged)
    # One whose runs were not made comes last.
    often = float(diverged.mean()) if np.isfinite(final).any() or diverged.any() else math.inf
    return often, mean_of(kept, in_ratio=in_ratio) if kept.size else math.inf


def _kept(final: FloatArray, diverged: BoolArray) -> FloatArray:
    return final[~diverged & np.isfinite(final)]

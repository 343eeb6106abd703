"""The result of a range test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from lrwidget._numbers import rate, short_rate
from lrwidget.finding._rules import FloatArray, rules

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lrwidget.finding._ladder import LadderKind

Stopped: TypeAlias = Literal["end", "diverged", "nan", "cancelled"]

_ENDINGS: dict[Stopped, str] = {
    "end": "ran to the end",
    "diverged": "diverged at {}",
    "nan": "NaN or infinite loss at {}",
    "cancelled": "cancelled",
}


def _nothing() -> Any:
    return dataclasses.field(default_factory=lambda: MappingProxyType({}))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LRSweep:
    """A range test: the loss while the learning rate rose, and what the rules read off it.

    Where another hyperparameter climbed, `learning_rates`, `low`, `high` and the suggestions are
    its values; where several did, those of the first.

    Attributes
    ----------
    learning_rates
        The learning rate of each rung, float64, shape (n,); each was applied as float32.
    losses
        The loss of each rung, float64, shape (n,), the mean over the seeds: of the rung's batch
        before its update, of its batches where gradients are accumulated; with ``loss="valid"``
        of the validation data after the update. Only finite losses are kept, so n is less than
        `steps` when the sweep stopped early.
    smoothed
        Bias-corrected exponential average of `losses`, float64, shape (n,).
    by_seed
        The losses of each seed, float64, shape (seeds, n). The first has the task's own order of
        the data and randomness.
    band
        The lowest and the highest of the seeds' smoothed losses, float64, shape (2, n); None for
        one seed.
    suggestions
        Rule name to learning rate, off the mean curve. A rule that cannot say is absent, and so is
        one that says what was not swept; ``lrwidget.finding.rules[name]`` is the rule by itself.
    silent
        Name of each rule that is absent from `suggestions`, with the reason.
    suggestions_by_seed
        Rule name to what it says of each seed's own curve, float64, shape (seeds,); NaN where it
        cannot say. A mean curve is no curve of any seed: what a rule says of it may lie outside
        of what it says of them; see `spread`.
    suggestions_by_ladder
        What climbed to what the rules say of it: the same rules at the same place of the curve.
    stopped
        Why the sweep ended: "end" of the ladder, "diverged" (the mean), "nan" (a NaN or infinite
        loss, of any seed) or "cancelled".
    diverged_at
        The learning rate at which divergence, NaN or infinity showed; None if it did not.
    lost_seed
        The seed whose loss was NaN or infinite, 0 to seeds - 1; None if none was.
    gradient_steps
        Training steps spent, by all seeds together; a forward pass over a batch, as validation
        takes them, counts as a third, and what the optimizer computes for itself as in
        `Advice.gradient_steps`. Where the sweep stopped early, up to two chunks of 25 rungs
        more than what is kept: a chunk is looked at when it is over, and the next one is on its
        way by then.
    low, high
        First and last learning rate of the ladder.
    steps
        Rungs of the whole ladder.
    ladder
        ``"exponential"`` or ``"linear"``.
    ladders
        Everything that climbed, by its short address or its group's name, float64, shape (n,).
    objective
        ``"train"`` or ``"valid"``: what `losses` are of.
    metric
        ``"loss"``, or the metric that was watched instead.
    start_step
        The step of the run in the middle of which it began; None where it began anew.
    left_out
        Labels of the chain's links without which it trained, since they choose the size of the
        steps themselves.
    """

    learning_rates: FloatArray
    losses: FloatArray
    smoothed: FloatArray
    by_seed: FloatArray
    band: FloatArray | None = None
    suggestions: Mapping[str, float]
    silent: Mapping[str, str]
    suggestions_by_seed: Mapping[str, FloatArray] = _nothing()
    suggestions_by_ladder: Mapping[str, Mapping[str, float]] = _nothing()
    stopped: Stopped
    diverged_at: float | None
    lost_seed: int | None = None
    gradient_steps: float
    low: float
    high: float
    steps: int
    ladder: LadderKind = "exponential"
    ladders: Mapping[str, FloatArray] = _nothing()
    objective: Literal["train", "valid"] = "train"
    metric: str = "loss"
    start_step: int | None = None
    left_out: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What climbed, and what the suggestions are of: the first of `ladders`."""
        return next(iter(self.ladders), "learning_rate")

    @property
    def spread(self) -> Mapping[str, tuple[float, float]]:
        """Rule name to the lowest and the highest that it says of any seed's curve or of the mean.

        Of the rules in `suggestions`, where it was said of more than one curve.
        """
        found = {}
        for name, of_mean in self.suggestions.items():
            said = self.suggestions_by_seed.get(name, np.empty(0))
            known = np.append(said[np.isfinite(said)], of_mean)
            if len(said) > 1 and len(known) > 1:
                found[name] = (float(known.min()), float(known.max()))
        return MappingProxyType(found)

    @property
    def seeds(self) -> int:
        """How many seeds it was run with."""
        return len(self.by_seed)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw loss over learning rate with the rules' suggestions.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; by default those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from lrwidget.plotting import plot_sweep  # matplotlib, only when drawn

        return plot_sweep(self, ax)

    def __repr__(self) -> str:
        """Return a small table: how the sweep went, then one line for each rule that is shown."""
        lines = [f"LRSweep: {', '.join(self._facts())}"]
        shown = [rule.name for rule in rules.values() if rule.shown]
        width = max(map(len, shown))
        for name in shown:
            if name in self.suggestions:
                said = f"{short_rate(self.suggestions[name], 3)}{self._spread(name)}"
            else:
                said = f"cannot say: {self.silent.get(name, 'it was not asked')}"
            lines.append(f"  {name:<{width}}  {said}")
        return "\n".join(lines)

    def _facts(self) -> list[str]:
        names = [self.address, *(name for name in self.ladders if name != self.address)]
        climbed = "" if names == ["learning_rate"] else f" of {' and '.join(names)}"
        straight = ", linear" if self.ladder == "linear" else ""
        span = f"from {rate(self.low)} to {rate(self.high)}{climbed}{straight}"
        facts = [
            f"{len(self.losses)} of {self.steps} steps {span}",
            _ENDINGS[self.stopped].format(short_rate(self.diverged_at or 0.0)),
        ]
        if self.seeds > 1:
            lost = "" if self.lost_seed is None else f", of which number {self.lost_seed} was lost"
            facts.append(f"{self.seeds} seeds{lost}")
        if self.objective == "valid" or self.metric != "loss":
            where = "validation " if self.objective == "valid" else ""
            facts.append(f"{where}{self.metric}")
        if self.start_step is not None:
            facts.append(f"from step {self.start_step} of a run")
        if self.left_out:
            facts.append(f"without {' and '.join(self.left_out)}")
        return facts

    def _spread(self, name: str) -> str:
        if name not in self.spread:
            return ""
        silent = int(np.isnan(self.suggestions_by_seed[name]).sum())
        without = f", {silent} cannot say" if silent else ""
        lowest, highest = (short_rate(end, 3) for end in self.spread[name])
        return f"  ({lowest} to {highest} over the seeds{without})"

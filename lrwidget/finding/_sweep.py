"""The result of a range test."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypeAlias

from lrwidget.finding._rules import FloatArray, rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

Stopped: TypeAlias = Literal["end", "diverged", "nan", "cancelled"]

_ENDINGS: dict[Stopped, str] = {
    "end": "ran to the end",
    "diverged": "diverged at {:.2g}",
    "nan": "NaN or infinite loss at {:.2g}",
    "cancelled": "cancelled",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LRSweep:
    """A range test: the loss while the learning rate rose, and what the rules read off it.

    Attributes
    ----------
    learning_rates
        The learning rate of each step, float64, shape (n,); each was applied as float32.
    losses
        The loss of each step's batch before its update, float64, shape (n,). Only finite losses
        are kept, so n is less than `steps` when the sweep stopped early.
    smoothed
        Bias-corrected exponential average of `losses`, float64, shape (n,).
    suggestions
        Rule name to learning rate. A rule that cannot say is absent.
    silent
        Name of each rule that is absent from `suggestions`, with the reason.
    stopped
        Why the sweep ended: "end" of the ladder, "diverged", "nan" (a NaN or infinite loss) or
        "cancelled".
    diverged_at
        The learning rate at which divergence, NaN or infinity showed; None if it did not.
    gradient_steps
        Training steps spent. Where the sweep stopped early, up to two chunks of 25 more than n:
        a chunk is looked at when it is over, and the next one is on its way by then.
    low, high
        First and last learning rate of the ladder.
    steps
        Steps of the whole ladder.
    left_out
        Labels of the chain's links without which it trained, since they choose the size of the
        steps themselves.
    """

    learning_rates: FloatArray
    losses: FloatArray
    smoothed: FloatArray
    suggestions: Mapping[str, float]
    silent: Mapping[str, str]
    stopped: Stopped
    diverged_at: float | None
    gradient_steps: int
    low: float
    high: float
    steps: int
    left_out: tuple[str, ...] = ()

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
        """Return a small table: how the sweep went, then one line a rule."""
        ending = _ENDINGS[self.stopped].format(self.diverged_at)
        ladder = f"from {self.low:g} to {self.high:g}"
        without = f", without {' and '.join(self.left_out)}" if self.left_out else ""
        lines = [f"LRSweep: {len(self.losses)} of {self.steps} steps {ladder}, {ending}{without}"]
        width = max(map(len, rules))
        for name in rules:
            if name in self.suggestions:
                lines.append(f"  {name:<{width}}  {self.suggestions[name]:.2e}")
            else:
                lines.append(f"  {name:<{width}}  cannot say: {self.silent[name]}")
        return "\n".join(lines)

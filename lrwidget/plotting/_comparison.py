"""The old and the new rest of a curve, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrwidget.plotting._schedule import sampled_steps
from lrwidget.plotting._style import BLUE, GREY, VERMILION, dress, own_axes, rate_axis, step_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lrwidget.schedules import Schedule

# A curve without end is drawn for so much longer than the step at which it begins.
_BEYOND = 0.5
_LEAST = 100


def plot_comparison(old: Schedule, new: Schedule, step: int, ax: Axes | None = None) -> Axes:
    """Draw what was planned and what is planned now from a step on.

    Parameters
    ----------
    old, new
        The two curves, read in the same steps.
    step
        Where the new one begins; what was before it is drawn once.
    ax
        Matplotlib axes to draw into; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Value over step: the past grey, the old rest dashed, the new rest as a line, with a legend.
    """
    ax = own_axes(ax)
    ends = [s.steps or max((*s.marks, step)) for s in (old, new)]
    endless = old.steps is None or new.steps is None
    last = max(*ends, step + 1)
    if endless:
        last += max(_LEAST, round(_BEYOND * last))
    steps = sampled_steps(last, tuple(sorted({*old.marks, *new.marks, step})))
    past, rest = steps[steps <= step], steps[steps >= step]
    if step:
        ax.plot(past, old(past), color=GREY, linewidth=2.0)
    ax.plot(rest, old(rest), color=VERMILION, linewidth=1.5, linestyle=(0, (4, 2)), label="old")
    ax.plot(rest, new(rest), color=BLUE, linewidth=2.0, label="new", clip_on=False)
    ax.axvline(step, color=GREY, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
    values = np.concatenate([old(steps), new(rest)])
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    ax.set_ylim(low, high + 0.12 * ((high - low) or 1.0))
    ax.set_xlim(0, last)
    dress(ax, x="Step", y="Value")
    step_axis(ax)
    rate_axis(ax)
    ax.legend(frameon=False, labelcolor="linecolor", handlelength=1.8)
    return ax

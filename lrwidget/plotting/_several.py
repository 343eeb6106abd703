"""Several chains side by side: the median loss of each, and the band of its seeds."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.patheffects import withStroke

from lrwidget.plotting._style import GREY, SERIES, dress, log_axis, own_axes, step_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from lrwidget.finding import Comparison

# Told apart by their dashes as well as by their colours.
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), (0, (8, 3)), (0, (3, 1, 1, 1)))

# From dark and cold to bright and hot; its yellow end would not show on white.
_SCALE, _HOTTEST = "plasma", 0.8
# So many numbers for names are a scale.
_FEWEST = 3

# Length of the running mean, as a share of the run.
_WINDOW = 0.05
# Losses that span more than this many times are shown on a log axis.
_LOG_RATIO = 10.0
# Least distance of two labels, and of one from the border, as a share of the height.
_LINE, _BORDER = 0.065, 0.03
# What ends so much above where the others began, as a share of the height, is out of sight.
_ABOVE = 0.25
_CHARACTERS = 62


def plot_several(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw a comparison.

    Parameters
    ----------
    comparison
        What `compare` found.
    ax
        Matplotlib axes to draw into; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Training loss over step (of the run, in the middle of one), as a running mean: of each chain
        the median over its seeds as a line, which has its name at its end, and a band from the
        lowest to the highest. A log axis where positive losses span more than a decade. Where all
        names are numbers, as rates are, the colours follow their order.
    """
    ax = own_axes(ax)
    dress(ax, x="Step", y="Training loss")
    step_axis(ax)
    begin = comparison.start_step or 0
    ax.set_xlim(begin, begin + max(comparison.steps - 1, 1))
    lines = []
    colours = _colours(comparison.names)
    for place, name in enumerate(comparison.names):
        curves = np.stack([_running_mean(losses) for losses in comparison.losses[name]])
        # A median over the seeds that are left would jump where one of them is lost.
        whole = np.isfinite(curves).all(axis=0)
        if not whole.any():
            # None began well together: what there is of each, thin.
            whole = np.isfinite(curves).any(axis=0)
        if not whole.any():
            continue
        steps = begin + np.flatnonzero(whole)
        kept = curves[:, whole]
        colour = colours[place]
        # Where the colours begin again, the dashes are others.
        dash = _DASHES[(place + place // len(SERIES)) % len(_DASHES)]
        median = np.nanmedian(kept, axis=0)
        ax.plot(steps, median, color=colour, linestyle=dash, linewidth=2.0, zorder=3)
        if comparison.seeds > 1:
            low, high = np.nanmin(kept, axis=0), np.nanmax(kept, axis=0)
            ax.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        lost = int(comparison.diverged[name].sum())
        words = name if not lost else f"{name}, diverged at {lost} of {comparison.seeds}"
        lines.append((float(median[0]), float(median.min()), float(median[-1]), words, colour))
    if not lines:
        ax.set_yticks([])
        said = textwrap.fill(comparison.refused or "no finite loss", _CHARACTERS)
        ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", color=GREY)
        return ax
    _show(ax, *zip(*[line[:3] for line in lines], strict=True))
    _label(ax, [line[2:] for line in lines])
    return ax


def _running_mean(losses: NDArray[np.floating]) -> NDArray[np.floating]:
    finite = np.flatnonzero(np.isfinite(losses))
    smooth = np.full(len(losses), np.nan)
    if not finite.size:
        return smooth
    end = int(finite[-1]) + 1
    window = max(round(_WINDOW * len(losses)), 1)
    sums = np.concatenate([[0.0], np.cumsum(losses[:end])])
    last = np.arange(1, end + 1)
    first = np.maximum(last - window, 0)
    smooth[:end] = (sums[last] - sums[first]) / (last - first)
    return smooth


def _colours(names: Sequence[str]) -> list[str]:
    """Return a colour for each name: along a scale if all of them are numbers."""
    try:
        values = [float(name) for name in names]
    except ValueError:
        values = []
    if len(values) < _FEWEST:
        return [SERIES[place % len(SERIES)] for place in range(len(names))]
    shades = colormaps[_SCALE](np.linspace(0.0, _HOTTEST, len(names)))
    return [to_hex(shades[rank]) for rank in np.argsort(np.argsort(values))]


def _show(ax: Axes, begins: Sequence[float], lows: Sequence[float], ends: Sequence[float]) -> None:
    # A chain that blows up must not flatten the others.
    ceiling, floor = max(begins), min(lows)
    seen = ceiling + _ABOVE * (ceiling - floor)
    ceiling = max([ceiling, *(end for end in ends if end <= seen)])
    if floor > 0.0 and ceiling / floor > _LOG_RATIO:
        log_axis(ax)
        ax.set_ylim(floor / (ceiling / floor) ** 0.05, ceiling * (ceiling / floor) ** 0.1)
    else:
        height = (ceiling - floor) or abs(floor) or 1.0
        ax.set_ylim(floor - 0.05 * height, ceiling + 0.1 * height)


def _label(ax: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write each name at the right, at the height of its line's end, none on another."""
    to_share = ax.transAxes.inverted().transform
    places = [
        float(np.clip(to_share(ax.transData.transform((0.0, end)))[1], _BORDER, 1.0 - _BORDER))
        for end, _, _ in ends
    ]
    rising = np.argsort(places, kind="stable")
    # From the top down none is above its place, then from the bottom up none below the axis.
    limit = 1.0 - _BORDER
    for index in reversed(rising):
        places[index] = min(places[index], limit)
        limit = places[index] - _LINE
    limit = _BORDER
    for index in rising:
        places[index] = max(places[index], limit)
        limit = places[index] + _LINE
        _, words, colour = ends[index]
        ax.annotate(
            words,
            (1.0, places[index]),
            xycoords="axes fraction",
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
        )

"""A range test: loss over learning rate, with what the rules say."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lrwidget.plotting._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    dress,
    log_axis,
    log_rate_axis,
    own_axes,
    short_rate,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from lrwidget.finding import LRSweep

    FloatArray: TypeAlias = NDArray[np.float64]

_RULE_COLOURS = {"valley": VERMILION, "steepest": GREEN, "minimum": PURPLE, "slide": ORANGE}

# How far the picture reaches above and below the falling part, in heights of that part: the
# blow-up is often a thousand times higher and would flatten everything of interest.
_HEADROOM = 0.6
_FOOTROOM = 0.08

# Losses that span more than this many times are shown on a log axis.
_LOG_RATIO = 100.0


def plot_sweep(sweep: LRSweep, ax: Axes | None = None) -> Axes:
    """Draw a range test.

    Parameters
    ----------
    sweep
        The result of `find_lr`.
    ax
        Matplotlib axes to draw into; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Loss over learning rate (a log axis, unless the ladder is linear): raw losses as points,
        smoothed as a line, the seeds' smoothed losses as a band around it, each suggestion of a
        rule that is shown by default as a labelled mark, with a bar from the lowest to the highest
        of the seeds; the place of divergence as a dashed line. The loss axis shows the part before
        the blow-up. Where several things climbed the first is drawn, and the others are named.
    """
    ax = own_axes(ax)
    rates, losses, smoothed = sweep.learning_rates, sweep.losses, sweep.smoothed
    if sweep.ladder != "linear":
        log_rate_axis(ax)
    ax.set_xlim(sweep.low, sweep.high)
    dress(ax, x=_across(sweep), y=_measure(sweep))
    if len(rates) == 0:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no finite loss", transform=ax.transAxes, ha="center", color=GREY)
        return ax

    ax.plot(rates, losses, ".", color=GREY, markersize=3, alpha=0.6)
    if sweep.band is not None:
        ax.fill_between(rates, *sweep.band, color=BLUE, alpha=0.2, linewidth=0)
    ax.plot(rates, smoothed, color=BLUE, linewidth=2.0)
    _show(ax, *_view(losses, smoothed))
    if sweep.diverged_at is not None:
        ax.axvline(sweep.diverged_at, color=GREY, linewidth=1.0, linestyle="--")
        ax.annotate(
            f"{'NaN' if sweep.stopped == 'nan' else 'diverged'} {short_rate(sweep.diverged_at)}",
            (sweep.diverged_at, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 0),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="bottom",
            color=GREY,
        )
    _mark_suggestions(ax, sweep)
    return ax


def _across(sweep: LRSweep) -> str:
    address = sweep.address
    title = "Learning rate" if address == "learning_rate" else address.replace("_", " ")
    others = [
        f"{name.replace('_', ' ')} {short_rate(rates[0])} … {short_rate(rates[-1])}"
        for name, rates in sweep.ladders.items()
        if name != address and len(rates)
    ]
    return f"{title} ({', '.join(others)})" if others else title


def _measure(sweep: LRSweep) -> str:
    words = sweep.metric.replace("_", " ")
    return f"Validation {words}" if sweep.objective == "valid" else words[:1].upper() + words[1:]


def _view(losses: FloatArray, smoothed: FloatArray) -> tuple[float, float]:
    """Return the range of losses to show: up to and a little above the highest before the rise."""
    lowest = int(np.argmin(smoothed))
    before = losses[: max(lowest, len(losses) // 10) + 1]
    return float(before.min()), float(before.max())


def _show(ax: Axes, floor: float, ceiling: float) -> None:
    if floor > 0.0 and ceiling / floor > _LOG_RATIO:
        log_axis(ax)
        ratio = ceiling / floor
        ax.set_ylim(floor / ratio**_FOOTROOM, ceiling * ratio**_HEADROOM)
    else:
        height = (ceiling - floor) or abs(floor) or 1.0
        ax.set_ylim(floor - _FOOTROOM * height, ceiling + _HEADROOM * height)


def _mark_suggestions(ax: Axes, sweep: LRSweep) -> None:
    shown = {name: rate for name, rate in sweep.suggestions.items() if name in _RULE_COLOURS}
    # Labels stand left of their lines, the rightmost highest, so that none lies across a line.
    for row, (name, rate) in enumerate(sorted(shown.items(), key=lambda item: -item[1])):
        colour = _RULE_COLOURS[name]
        loss = _loss_at(sweep, rate)
        ax.plot([rate], [loss], "o", color=colour, markersize=6, zorder=3)
        if name in sweep.spread:
            ends = sweep.spread[name]
            ax.plot(ends, [loss, loss], color=colour, linewidth=1.5, alpha=0.6, zorder=2)
        ax.annotate(
            f"{name} {short_rate(rate)} ",
            (rate, loss),
            xytext=(rate, 0.93 - 0.08 * row),
            textcoords=("data", "axes fraction"),
            ha="right",
            va="bottom",
            color=colour,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "relpos": (1.0, 0.0),
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


def _loss_at(sweep: LRSweep, rate: float) -> float:
    rates = sweep.learning_rates
    if sweep.ladder == "linear":
        return float(np.interp(rate, rates, sweep.smoothed))
    return float(np.interp(np.log(rate), np.log(rates), sweep.smoothed))

"""Probes and advice: how short runs ended, over their rates."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from lrwidget.plotting._style import (
    BLUE,
    GREY,
    SERIES,
    VERMILION,
    dress,
    log_axis,
    log_rate_axis,
    own_axes,
    short_rate,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from lrwidget.finding import Advice, Probe, ProbeRun

_MARKERS = ("o", "s", "^", "D", "v", "P")

# Beside the rates that were tried, as a factor.
_ROOM = 1.6

# Ends that span more than this many times are shown on a log axis.
_LOG_RATIO = 30.0

_LINE = 62


def plot_probe(probe: Probe, ax: Axes | None = None) -> Axes:
    """Draw how the runs ended.

    Parameters
    ----------
    probe
        The result of `probe`.
    ax
        Matplotlib axes to draw into; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The objective after the last step over the rate (log axis): a line with its own marker for
        each horizon, the longest one thick; lost runs as crosses at the upper border; the best
        rate at the horizon asked for as a line in a shaded band, or why there is none.
    """
    ax = own_axes(ax)
    log_rate_axis(ax)
    dress(ax, x="Learning rate (peak)", y=_OBJECTIVES[probe.loss])
    if not probe.runs:
        _say(ax, probe.refused or "no run was made")
        return ax
    rates = [run.learning_rate for run in probe.runs]
    ax.set_xlim(min(rates) / _ROOM, max(rates) * _ROOM)
    finals = [run.final for run in probe.runs if not run.diverged]
    if finals and min(finals) > 0.0 and max(finals) / min(finals) > _LOG_RATIO:
        log_axis(ax)
    ax.axhline(probe.initial, color=GREY, linewidth=0.8, linestyle=":")
    ax.annotate(
        "before training",
        (0.0, probe.initial),
        xycoords=("axes fraction", "data"),
        xytext=(3, 2),
        textcoords="offset points",
        ha="left",
        color=GREY,
        fontsize="small",
    )
    horizons = probe.horizons
    for number, horizon in enumerate(horizons):
        runs = sorted(
            (run for run in probe.runs if run.horizon == horizon), key=lambda r: r.learning_rate
        )
        _draw_horizon(ax, runs, number, longest=horizon == horizons[-1])
    if probe.optimum is not None:
        best = probe.optimum
        ax.axvspan(best.low, best.high, color=VERMILION, alpha=0.12, linewidth=0, zorder=0)
        ax.axvline(best.best, color=VERMILION, linewidth=1.5, linestyle="--")
        ax.annotate(
            f" {short_rate(best.best)}",
            (best.best, 0.97),
            xycoords=("data", "axes fraction"),
            va="top",
            color=VERMILION,
        )
    ax.legend(title="steps", frameon=False, loc="best")
    if probe.refused is not None:
        _say(ax, f"No best rate: {probe.refused}")
    return ax


def plot_advice(advice: Advice, ax: Axes | None = None) -> Axes:
    """Draw what an advice rests on; see `plot_probe`.

    Parameters
    ----------
    advice
        The result of `advise`. Where it was refused the reason is written on the picture.
    ax
        Matplotlib axes to draw into; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = own_axes(ax)
    probe = advice.evidence.probe
    if probe is not None:
        plot_probe(dataclasses.replace(probe, refused=None), ax)  # the advice says it
    else:
        ax.set_axis_off()
    if advice.refused is not None:
        _say(ax, f"No advice: {advice.refused}")
    else:
        assert advice.learning_rate is not None  # noqa: S101
        ax.set_title(
            f"Use {short_rate(advice.learning_rate)}: {advice.sure}", loc="left", fontsize="medium"
        )
    return ax


_OBJECTIVES: dict[Any, str] = {
    "train": "Training loss at the end",
    "valid": "Validation loss at the end",
}


def _draw_horizon(ax: Axes, runs: Sequence[ProbeRun], number: int, *, longest: bool) -> None:
    colour = BLUE if longest else SERIES[1 + number % (len(SERIES) - 1)]
    first = [run for run in runs if run.seed == runs[0].seed and not run.diverged]
    ax.plot(
        [run.learning_rate for run in first],
        [run.final for run in first],
        marker=_MARKERS[number % len(_MARKERS)],
        color=colour,
        alpha=1.0 if longest else 0.75,
        linewidth=2.0 if longest else 1.0,
        markersize=5,
        label=f"{runs[0].horizon}",
    )
    others = [run for run in runs if run.seed != runs[0].seed and not run.diverged]
    ax.plot(
        [run.learning_rate for run in others],
        [run.final for run in others],
        linestyle="none",
        marker=_MARKERS[number % len(_MARKERS)],
        markerfacecolor="none",
        color=colour,
        markersize=5,
    )
    lost = np.array([run.learning_rate for run in runs if run.diverged])
    ax.plot(
        lost,
        np.full(len(lost), 0.98 - 0.04 * number),
        linestyle="none",
        marker="x",
        color=colour,
        transform=ax.get_xaxis_transform(),
    )


def _say(ax: Axes, text: str) -> None:
    ax.text(
        0.5,
        0.5,
        textwrap.fill(text, _LINE),
        transform=ax.transAxes,
        ha="center",
        va="center",
        bbox={"facecolor": "white", "edgecolor": GREY, "boxstyle": "round,pad=0.6"},
    )

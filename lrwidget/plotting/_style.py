"""What all pictures share: colours, axes, number formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

from lrwidget._numbers import rate as rate  # noqa: PLC0414  (the pictures' one place for it)
from lrwidget._numbers import short_rate as short_rate  # noqa: PLC0414

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, told apart by colour-blind eyes too; yellow is left out, since it does
# not show on white.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREY = "0.45"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)


def dress(ax: Axes, *, x: str, y: str) -> None:
    """Give axes their titles, a light grid and no box."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(visible=True, which="major", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def step_axis(ax: Axes) -> None:
    """Count steps as 500, 2k, 1.5M."""
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))


def rate_axis(ax: Axes) -> None:
    """Write learning rates as people do: 3e-3, not 0.003 × 10⁻³ somewhere in a corner."""
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))


def log_rate_axis(ax: Axes) -> None:
    """Put the horizontal axis on a log scale of learning rates: 1e-3, 0.01, 0.1."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def log_axis(ax: Axes) -> None:
    """Put the vertical axis on a log scale that is labelled 1, 2, 5, 10."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def own_axes(ax: Axes | None) -> Axes:
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    _, made = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    return made

"""The rates that the curvature allows, as marks on an axis of learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lrwidget.plotting._style import BLUE, GREY, VERMILION, dress, own_axes, rate, short_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lrwidget.finding import Curvature

# Around the marks of a picture of their own, as a factor.
_ROOM = 10.0


def plot_curvature(curvature: Curvature, ax: Axes | None = None) -> Axes:
    """Mark the rates that the curvature allows.

    Parameters
    ----------
    curvature
        What `curvature` found.
    ax
        Matplotlib axes over learning rates; their limits stay, and a mark outside is left out.
        By default those of a new figure, on which nothing else is.

    Returns
    -------
    matplotlib.axes.Axes
        "safe up to" as a solid line with the safe side shaded, "critical" as a dashed one.
    """
    alone = ax is None
    marks = [
        (value, name, colour, dash)
        for value, name, colour, dash in (
            (curvature.safe_up_to, "safe up to", BLUE, "-"),
            (curvature.critical_rate, "critical", VERMILION, (0, (4, 2))),
        )
        if value is not None
    ]
    ax = own_axes(ax)
    if alone:
        _empty(ax, [value for value, *_ in marks])
    low, high = ax.get_xlim()
    for row, (value, name, colour, dash) in enumerate(marks):
        if not low <= value <= high:
            continue
        ax.axvline(value, color=colour, linewidth=1.5, linestyle=dash, zorder=2)
        if name == "safe up to":
            ax.axvspan(low, value, color=colour, alpha=0.06, linewidth=0, zorder=0)
        ax.annotate(
            f"{name} {short_rate(value)}",
            (value, 0.04 + 0.09 * row),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=colour,
        )
    ax.set_xlim(low, high)
    return ax


def _empty(ax: Axes, values: list[float]) -> None:
    ax.set_xscale("log")
    dress(ax, x="Learning rate", y="")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(LogLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if not values:
        ax.set_xlim(1e-7, 10.0)
        ax.text(0.5, 0.5, "no rate known", transform=ax.transAxes, ha="center", color=GREY)
        return
    ax.set_xlim(min(values) / _ROOM**2, max(values) * _ROOM)

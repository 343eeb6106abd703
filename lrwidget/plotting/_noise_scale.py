"""What a step achieves over the batch size, as the gradient noise scale has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from lrwidget.plotting._style import BLUE, GREY, VERMILION, dress, own_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lrwidget.finding import NoiseScale

_ROOM = 30.0


def plot_noise_scale(noise: NoiseScale, ax: Axes | None = None) -> Axes:
    """Draw how much a step achieves over the batch size.

    Parameters
    ----------
    noise
        What `noise_scale` found.
    ax
        Matplotlib axes to draw into; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The share of a noiseless step's progress over the batch size (log axis) with the band of
        the interval; the noise scale, where it is one half, and the present batch size are marked.
    """
    ax = own_axes(ax)
    dress(ax, x="Batch size", y="Progress of a step")
    known = [v for v in (noise.noise_scale, noise.low, noise.high) if 0.0 < v < np.inf]
    sizes = np.geomspace(
        max(min([noise.batch_size, *known]) / _ROOM, 1.0),
        max([noise.batch_size, *known]) * _ROOM,
        200,
    )
    ax.set_xscale("log")
    ax.set_xlim(sizes[0], sizes[-1])
    ax.set_ylim(0.0, 1.0)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    low, high = (1.0 / (1.0 + scale / sizes) for scale in (noise.high, noise.low))
    ax.fill_between(sizes, low, high, color=BLUE, alpha=0.15, linewidth=0)
    ax.plot(sizes, noise.progress(sizes), color=BLUE, linewidth=2.0)
    if np.isfinite(noise.noise_scale):
        ax.plot([noise.noise_scale], [0.5], "o", color=BLUE, markersize=6)
        ax.annotate(
            f"noise scale {noise.noise_scale:.2g}",
            (noise.noise_scale, 0.5),
            xytext=(8, -4),
            textcoords="offset points",
            va="top",
            color=BLUE,
        )
    ax.axvline(noise.batch_size, color=VERMILION, linewidth=1.5, linestyle=(0, (4, 2)))
    ax.annotate(
        f"now {noise.batch_size}",
        (noise.batch_size, 0.96),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="top",
        color=VERMILION,
    )
    if not np.isfinite(noise.high):
        ax.text(0.98, 0.04, "no upper bound", transform=ax.transAxes, ha="right", color=GREY)
    return ax

"""A run: losses above, learning rate below."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from lrwidget.plotting._schedule import sampled_steps
from lrwidget.plotting._style import (
    BLUE,
    GREY,
    SERIES,
    SKY,
    VERMILION,
    dress,
    log_axis,
    rate_axis,
    step_axis,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from lrwidget.training import History
    from lrwidget.training._controls import Controls

Array: TypeAlias = NDArray[np.floating]

# Losses of more steps than this are thinned for drawing.
_POINTS = 4000

# Length of the running mean, as a share of the run.
_WINDOW = 0.05

# Losses that span more than this many times are shown on a log axis.
_LOG_RATIO = 10.0

_RATE = "learning_rate"


def plot_run(
    trainer_or_history: Controls | History, axes: Sequence[Axes] | None = None
) -> tuple[Axes, Axes]:
    """Draw a run: the loss above, the learning rate below.

    Parameters
    ----------
    trainer_or_history
        A `Trainer` or `LiveControl`, at any moment of its run, or a `History`. The first two also
        show the learning rate that is still to come, dashed, the steps at which commands
        changed the run, and what rewinds have cut off, thin.
    axes
        Two matplotlib axes to draw into; by default those of a new figure, one above the other.

    Returns
    -------
    tuple of two matplotlib.axes.Axes
        Loss over step: each step's as points, their running mean as a line, the validation loss as
        a marked line; a log axis where positive losses span more than a decade. Learning rate
        over step, one line for each learning rate that the chain has.

    Raises
    ------
    ValueError
        If `axes` are not two.
    """
    from lrwidget.training import History  # JAX, which the other pictures do without

    loss_axes, rate_axes = _two_axes(axes)
    dress(loss_axes, x="", y="Loss")
    dress(rate_axes, x="Step", y="Learning rate")
    step_axis(loss_axes)
    step_axis(rate_axes)
    rate_axis(rate_axes)
    if isinstance(trainer_or_history, History):
        history, last = trainer_or_history, len(trainer_or_history) - 1
    else:
        history, last = trainer_or_history.history, trainer_or_history.steps
        _draw_edits((loss_axes, rate_axes), trainer_or_history)
        _draw_future(rate_axes, trainer_or_history)
        _draw_lines((loss_axes, rate_axes), trainer_or_history)
    _draw_losses(loss_axes, history)
    _draw_rates(rate_axes, history)
    for ax in (loss_axes, rate_axes):
        ax.set_xlim(0, max(last, 1))
    rate_axes.set_ylim(bottom=0.0)
    return loss_axes, rate_axes


def _two_axes(axes: Sequence[Axes] | None) -> tuple[Axes, Axes]:
    if axes is None:
        _, axes = plt.subplots(
            2, sharex=True, figsize=(6.4, 4.8), height_ratios=(3, 2), layout="constrained"
        )
    if len(axes) != 2:
        raise ValueError(f"axes must be two matplotlib axes, got {len(axes)}")
    return axes[0], axes[1]


def _draw_losses(ax: Axes, history: History) -> None:
    finite = np.isfinite(history.loss)
    steps, losses = history.step[finite], history.loss[finite]
    if len(losses) == 0:
        return
    stride = -(-len(losses) // _POINTS)
    ax.plot(steps[::stride], losses[::stride], ".", color=GREY, markersize=2.5, alpha=0.5)
    smooth = _running_mean(losses)
    ax.plot(steps[::stride], smooth[::stride], color=BLUE, linewidth=2.0)
    low, high = float(losses.min()), float(losses.max())

    valid = history.valid
    if "loss" in valid.names and len(valid) > 0:
        values = valid.loss
        ax.plot(valid.step, values, "o-", color=VERMILION, markersize=4)
        above = bool(values[-1] >= smooth[-1])
        _label_end(ax, valid.step[-1], values[-1], "validation", VERMILION, above=above)
        _label_end(ax, steps[-1], smooth[-1], "training", BLUE, above=not above)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low > 0.0 and high / low > _LOG_RATIO:
        log_axis(ax)


def _running_mean(values: Array) -> Array:
    """Return the mean about each value, neighbours weighted by a bell, ends repeated outwards."""
    half = round(_WINDOW * len(values) / 2)
    bell = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values.astype(np.float64), half, mode="edge")
    return np.convolve(padded, bell / bell.sum(), mode="valid")


def _label_end(ax: Axes, step: float, loss: float, text: str, colour: str, *, above: bool) -> None:
    ax.annotate(
        text,
        (step, loss),
        xytext=(-2, 12 if above else -12),
        textcoords="offset points",
        ha="right",
        va="bottom" if above else "top",
        color=colour,
        # The label may lie on points.
        path_effects=[withStroke(linewidth=3.0, foreground=ax.get_facecolor())],
    )


def _draw_rates(ax: Axes, history: History) -> None:
    columns = _rate_columns(history)
    for colour, column in columns.items():
        label = column if len(columns) > 1 else None
        ax.plot(history.step, history[column], color=colour, linewidth=2.0, label=label)
    if len(columns) > 1:
        ax.legend(frameon=False, labelcolor="linecolor", handlelength=1.2)


def _draw_future(ax: Axes, trainer: Controls) -> None:
    if trainer.position >= trainer.steps:
        return
    for colour, column in _rate_columns(trainer.history).items():
        plan, held = trainer.plan(column), trainer.held(column)
        steps = sampled_steps(trainer.steps, plan.marks)
        ahead = steps[(steps >= trainer.position) & (steps <= trainer.steps)]
        values = plan(ahead) if held is None else np.full_like(ahead, held)
        ax.plot(ahead, values, color=colour, linewidth=1.5, linestyle=(0, (4, 2)))


def _draw_lines(axes: tuple[Axes, Axes], trainer: Controls) -> None:
    """Draw what rewinds have cut off: thin, behind the rest."""
    for line in getattr(trainer, "lines", ()):
        finite = np.isfinite(line.columns["loss"])
        if not finite.any():
            continue
        steps, losses = line.columns["step"][finite], line.columns["loss"][finite]
        stride = -(-len(losses) // _POINTS)
        smooth = _running_mean(losses)[::stride]
        axes[0].plot(steps[::stride], smooth, color=SKY, linewidth=1.0, zorder=1.5)
        rates = next((c for n, c in line.columns.items() if n.rpartition(".")[2] == _RATE), None)
        if rates is not None:
            axes[1].plot(line.columns["step"], rates, color=SKY, linewidth=1.0, zorder=1.5)


def _rate_columns(history: History) -> dict[str, str]:
    """Return colour -> column of each live learning rate."""
    columns = [name for name in history.names if name.rpartition(".")[2] == _RATE]
    return dict(zip(SERIES, columns, strict=False))


def _draw_edits(axes: Sequence[Axes], trainer: Controls) -> None:
    done = [e for e in trainer.journal if e.address is not None and not e.undone]
    steps = {entry.step for entry in done}
    for ax in axes:
        for step in steps:
            ax.axvline(step, color=GREY, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)

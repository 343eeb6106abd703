"""Matplotlib pictures of schedules, sweeps and runs; loaded when `.plot()` is first called."""

from __future__ import annotations

from lrwidget.plotting._comparison import plot_comparison
from lrwidget.plotting._curvature import plot_curvature
from lrwidget.plotting._noise_scale import plot_noise_scale
from lrwidget.plotting._probe import plot_advice, plot_probe
from lrwidget.plotting._run import plot_run
from lrwidget.plotting._schedule import plot_schedule
from lrwidget.plotting._several import plot_several
from lrwidget.plotting._sweep import plot_sweep

__all__ = [
    "plot_advice",
    "plot_comparison",
    "plot_curvature",
    "plot_noise_scale",
    "plot_probe",
    "plot_run",
    "plot_schedule",
    "plot_several",
    "plot_sweep",
]

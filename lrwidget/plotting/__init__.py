"""Matplotlib pictures of schedules, sweeps and runs; loaded when `.plot()` is first called."""

from __future__ import annotations

from lrwidget.plotting._comparison import plot_comparison
from lrwidget.plotting._run import plot_run
from lrwidget.plotting._schedule import plot_schedule
from lrwidget.plotting._sweep import plot_sweep

__all__ = ["plot_comparison", "plot_run", "plot_schedule", "plot_sweep"]

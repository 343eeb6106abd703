"""The panels in the notebook: `LRWidget` with all of them, `ScheduleDesigner` alone."""

from __future__ import annotations

from lrwidget.widget._designer import ScheduleDesigner
from lrwidget.widget._workbench import LRWidget

__all__ = ["LRWidget", "ScheduleDesigner"]

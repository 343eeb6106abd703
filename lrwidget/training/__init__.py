"""Training: `Task`, the compiled step, and `Trainer`, which runs it and takes commands."""

from __future__ import annotations

from lrwidget.training._commands import (
    Command,
    Cooldown,
    Extend,
    Pause,
    Release,
    Resume,
    Scale,
    Set,
    SetPace,
    Step,
    Stop,
)
from lrwidget.training._history import History, Table
from lrwidget.training._journal import JournalEntry
from lrwidget.training._live import LiveControl
from lrwidget.training._live_loop import LoopStopped
from lrwidget.training._live_run import LiveRun
from lrwidget.training._runner import Runner
from lrwidget.training._task import Task
from lrwidget.training._trainer import Trainer

__all__ = [
    "Command",
    "Cooldown",
    "Extend",
    "History",
    "JournalEntry",
    "LiveControl",
    "LiveRun",
    "LoopStopped",
    "Pause",
    "Release",
    "Resume",
    "Runner",
    "Scale",
    "Set",
    "SetPace",
    "Step",
    "Stop",
    "Table",
    "Task",
    "Trainer",
]

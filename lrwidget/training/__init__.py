"""Training: `Task`, the compiled step, and `Trainer`, which runs it and takes commands."""

from __future__ import annotations

from lrwidget.training._commands import (
    Cancel,
    Command,
    Cooldown,
    Edit,
    Extend,
    Freeze,
    Nudge,
    Pause,
    Release,
    RestartWarmup,
    Resume,
    Rewind,
    Scale,
    Set,
    SetBatchSize,
    SetPace,
    Step,
    Stop,
    Thaw,
    Undo,
)
from lrwidget.training._early import EarlyStopping
from lrwidget.training._fan import Fan
from lrwidget.training._guard import Guard
from lrwidget.training._history import History, Table
from lrwidget.training._journal import Journal, JournalEntry
from lrwidget.training._live import LiveControl
from lrwidget.training._live_loop import LoopStopped
from lrwidget.training._live_run import LiveRun
from lrwidget.training._preview import Preview
from lrwidget.training._replay import replay
from lrwidget.training._runner import Runner
from lrwidget.training._saved import SavedRun, open_run
from lrwidget.training._snapshots import Keep, SnapshotInfo
from lrwidget.training._task import Task
from lrwidget.training._trainer import Trainer

__all__ = [
    "Cancel",
    "Command",
    "Cooldown",
    "EarlyStopping",
    "Edit",
    "Extend",
    "Fan",
    "Freeze",
    "Guard",
    "History",
    "Journal",
    "JournalEntry",
    "Keep",
    "LiveControl",
    "LiveRun",
    "LoopStopped",
    "Nudge",
    "Pause",
    "Preview",
    "Release",
    "RestartWarmup",
    "Resume",
    "Rewind",
    "Runner",
    "SavedRun",
    "Scale",
    "Set",
    "SetBatchSize",
    "SetPace",
    "SnapshotInfo",
    "Step",
    "Stop",
    "Table",
    "Task",
    "Thaw",
    "Trainer",
    "Undo",
    "open_run",
    "replay",
]

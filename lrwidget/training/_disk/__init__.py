"""Runs on disk: the folder of a run, and the thread that writes it.

Nothing that is read here is executed or unpickled, every file is checked as it is read, and a
process that is killed at any moment leaves a run that can be opened.
"""

from __future__ import annotations

from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._directory import RunDirectory
from lrwidget.training._disk._saver import Saver
from lrwidget.training._disk._snapshot_files import LoadedSnapshot, SnapshotFile
from lrwidget.training._disk._table import Line, Rows
from lrwidget.training._disk._thinning import surplus

__all__ = [
    "Damaged",
    "Line",
    "LoadedSnapshot",
    "Rows",
    "RunDirectory",
    "Saver",
    "SnapshotFile",
    "surplus",
]

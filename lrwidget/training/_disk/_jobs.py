"""What waits to be written."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Sequence
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree
from lrwidget.training._disk._directory import Table

DEAR = frozenset({"start", "best", "edit", "hand", "end"})


@dataclasses.dataclass(frozen=True, eq=False)
class NewRows:
    """Rows, measured when the journal had so many entries."""

    table: Table
    columns: dict[str, npt.NDArray[Any]]
    entries: int


@dataclasses.dataclass(frozen=True, eq=False)
class Cut:
    """The run went back to a step."""

    step: int
    entries: int


@dataclasses.dataclass(frozen=True, eq=False)
class Mark:
    """A name for a snapshot."""

    name: str
    step: int
    entries: int


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """A whole state."""

    step: int
    tree: PyTree
    meta: dict[str, Any]
    marks: tuple[str, ...]
    entries: int

    @property
    def reason(self) -> Any:
        """Why it was taken."""
        return self.meta.get("reason")

    @property
    def dear(self) -> bool:
        """Whether it is not dropped for a later one's sake alone."""
        return bool(self.marks) or self.reason in DEAR

    @functools.cached_property
    def nbytes(self) -> int:
        """What its arrays take."""
        return sum(int(getattr(leaf, "nbytes", 0)) for leaf in jax.tree.leaves(self.tree))


Job = NewRows | Cut | Mark | Snapshot


def merged(rows: Sequence[NewRows]) -> list[NewRows]:
    """Join the rows of each table that were measured between the same entries.

    Validation comes first: a kill in between leaves a pass whose steps are not there, which the
    reader drops, and never the steps without the pass.
    """
    groups: dict[tuple[Any, ...], list[NewRows]] = {}
    for job in rows:
        types = tuple((name, column.dtype) for name, column in job.columns.items())
        groups.setdefault((job.table, job.entries, types), []).append(job)
    ordered = sorted(groups.values(), key=lambda group: group[0].table != "valid")
    return [group[0] if len(group) == 1 else _joined(group) for group in ordered]


def _joined(group: Sequence[NewRows]) -> NewRows:
    first = group[0]
    columns = {name: np.concatenate([job.columns[name] for job in group]) for name in first.columns}
    return NewRows(first.table, columns, first.entries)


def superseded(waiting: Sequence[Snapshot], most_bytes: int) -> Collection[Snapshot]:
    """Return the snapshots to drop, given all that wait, the latest last."""
    if not waiting:
        return ()
    dropped = [job for job in waiting[:-1] if not job.dear]
    left = [job for job in waiting if job not in dropped]
    latest = {mark: job for job in left for mark in job.marks}
    total = sum(job.nbytes for job in left)
    for job in left[:-1]:
        if total <= most_bytes:
            break
        if job.reason != "end" and job not in latest.values():
            dropped.append(job)
            total -= job.nbytes
    return dropped

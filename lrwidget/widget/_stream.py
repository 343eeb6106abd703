"""One numbered stream of rows to the browser: deltas as they come, a snapshot of everything."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrwidget.widget import _columns
from lrwidget.widget._columns import Columns

DELTA_ROWS = 500
SNAPSHOT_ROWS = 4000
# Rows kept for the next snapshot: well above its size, so that thinning twice does not show.
KEPT_ROWS = 4 * SNAPSHOT_ROWS


class Cut(NamedTuple):
    """From which steps on rows are gone: a run was rewound."""

    step: int
    valid: int


class Table:
    """Columns that grow at the end and are thinned as they grow, so that memory stays bounded."""

    def __init__(self, x: str) -> None:
        self.x = x
        self._blocks: list[dict[str, NDArray[Any]]] = []
        self._rows = 0

    def append(self, block: Columns) -> None:
        """Add rows; the names are those of the first block."""
        rows = _columns.length(block)
        if rows == 0:
            return
        # Copies: the caller's arrays may be views into a buffer that grows.
        self._blocks.append(
            {name: np.array(values, dtype=np.float64) for name, values in block.items()}
        )
        self._rows += rows
        if self._rows > KEPT_ROWS:
            self._blocks = [_columns.thin(self._joined(), self.x, SNAPSHOT_ROWS)]
            self._rows = _columns.length(self._blocks[0])

    def cut(self, start: float) -> None:
        """Forget the rows at `start` and after it."""
        kept = []
        for block in self._blocks:
            rows = int(np.searchsorted(block[self.x], start))
            if rows:
                kept.append({name: values[:rows] for name, values in block.items()})
        self._blocks = kept
        self._rows = sum(map(_columns.length, kept))

    def rows(self, limit: int = SNAPSHOT_ROWS) -> dict[str, NDArray[Any]]:
        """Return every row, thinned to `limit`; no columns at all before the first row."""
        if not self._blocks:
            return {}
        self._blocks = [self._joined()]
        return _columns.thin(self._blocks[0], self.x, limit)

    def _joined(self) -> dict[str, NDArray[Any]]:
        names = self._blocks[0]
        return {name: np.concatenate([block[name] for block in self._blocks]) for name in names}


class Stream:
    """A table of rows and, where there is one, a second table of rarer rows (validation).

    Every row goes out in exactly one delta. Deltas are numbered from 1; the snapshot names the
    last delta that it holds, so that a view puts the two together without gap or repeat.

    Parameters
    ----------
    name
        The stream's name in the messages: ``"train"`` or ``"find"``.
    x
        The column along which both tables rise.
    wide
        The columns that travel as float64.
    seq
        The number of the last delta that went before.
    """

    def __init__(
        self, name: str, *, x: str, wide: frozenset[str] = _columns.WIDE, seq: int = 0
    ) -> None:
        self.name = name
        self.wide = wide
        self.seq = seq
        self.table = Table(x)
        self.valid = Table(x)

    def take(self, rows: Columns, valid: Columns) -> None:
        """Take in rows that no delta carries: the next snapshot does."""
        self.table.append(rows)
        self.valid.append(valid)

    def delta(
        self, rows: Columns, valid: Columns, cut: Cut | None = None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Take in new rows and return the message that carries them, thinned, and its buffers.

        With a `cut`, rows from its steps on are forgotten before, here and by whoever reads it.
        """
        self.seq += 1
        if cut is not None:
            self.table.cut(cut.step)
            self.valid.cut(cut.valid)
        self.take(rows, valid)
        rows = _columns.thin(rows, self.table.x, DELTA_ROWS)
        valid = _columns.thin(valid, self.valid.x, DELTA_ROWS)
        message = {
            "kind": "delta",
            "stream": self.name,
            "seq": self.seq,
            "columns": _columns.describe(rows, self.wide),
            "valid": _columns.describe(valid, self.wide),
            **({} if cut is None else {"cut": cut.step, "valid_cut": cut.valid}),
        }
        return message, [*_columns.buffers(rows, self.wide), *_columns.buffers(valid, self.wide)]

    def snapshot(self) -> dict[str, Any]:
        """Return all rows that deltas have carried, at most 4000 of each table."""
        return {
            "seq": self.seq,
            "columns": _columns.encode(self.table.rows(), self.wide),
            "valid": _columns.encode(self.valid.rows(), self.wide),
        }

"""Columns of numbers in a file that is appended to in chunks.

The file is a row of records, each with a head of 40 bytes: kind, length and check sums. A record
names the columns and their types, or holds rows of the columns named last, or says that all rows
from a step on are forgotten. Nothing is ever changed in place: what was forgotten can still be
read, as the lines that a run has left.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget.training._disk._append import AppendFile
from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._json import json_text

_MAGIC = b"LRWT"
# Magic, kind, stamp, number (of rows, or the step of a cut), bytes that follow the head, their
# check sum; then the check sum of these. The first "x" keeps a head 40 bytes long.
_HEAD = struct.Struct("<4sB3xQqQI")
_SUM = struct.Struct("<I")
_SIZE = _HEAD.size + _SUM.size
_COLUMNS, _ROWS, _CUT = 1, 2, 3
_NUMBERS = "biuf"

Columns = dict[str, npt.NDArray[Any]]


class Line(NamedTuple):
    """Rows that a cut took away."""

    start: int  # the first step that was cut
    columns: Columns


class Rows(NamedTuple):
    """What a table holds."""

    columns: Columns
    lines: tuple[Line, ...]  # in the order in which they were cut


class TableFile:
    """A table, opened to append; a torn end is cut off.

    Parameters
    ----------
    path
        The file; made if there is none.
    most
        Records of a higher stamp are cut off, too: what stood in the other book when they were
        written has not reached the disk.

    Raises
    ------
    Damaged
        If a record other than the last ones is not as it was written.
    """

    def __init__(self, path: Path, most: int | None = None):
        records, end = _scan(path, most)
        named = [record.content for record in records if record.kind == _COLUMNS]
        self._named = bytes(named[-1]) if named else b""
        self._file = AppendFile(path, end)

    def append(self, columns: Mapping[str, npt.ArrayLike], stamp: int = 0) -> None:
        """Append rows.

        Parameters
        ----------
        columns
            One-dimensional arrays of equal length: numbers, or truth values. ``step`` is one of
            them, whole numbers that do not fall. Other calls may bring other columns.
        stamp
            How many cuts of another book, such as the journal's, came before; see `read_table`.
        """
        arrays = {name: _storable(name, column) for name, column in columns.items()}
        steps = arrays.get("step")
        if steps is None or steps.dtype.kind != "i" or np.any(steps[1:] < steps[:-1]):
            raise ValueError("columns must hold step: whole numbers that do not fall")
        if any(array.shape != steps.shape for array in arrays.values()):
            shapes = {name: array.shape for name, array in arrays.items()}
            raise ValueError(f"columns must be of equal length, got {shapes}")
        if not len(steps):
            return
        types = [[name, array.dtype.str] for name, array in arrays.items()]
        named = json_text(types).encode("ascii")
        rows = np.empty(len(steps), _row_type(types))
        for field, array in zip(rows.dtype.names or (), arrays.values(), strict=True):
            rows[field] = array
        record = _record(_ROWS, stamp, len(rows), rows.tobytes())
        if named != self._named:
            record = _record(_COLUMNS, stamp, 0, named) + record
        self._file.append(record)
        self._named = named

    def cut(self, step: int, stamp: int = 0) -> None:
        """Forget the rows of `step` and of later steps."""
        self._file.append(_record(_CUT, stamp, step, b""))

    def sync(self) -> None:
        """Return when the rows are on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_table(path: Path, cuts: Iterable[tuple[int, int]] = (), most: int | None = None) -> Rows:
    """Return the rows in a table, without a torn end; none where there is no file.

    Rows at a step that is there already take the place of those from it on. A column that some
    rows lack is NaN there.

    Parameters
    ----------
    path
        The file.
    cuts
        Cuts that stand in another book, as (stamp, step) in order: one applies to all rows whose
        own stamp is not above its. So a cut that was written there holds even if the writer was
        killed before it could write it here.
    most
        Records of a higher stamp are not read; None for no limit.

    Raises
    ------
    Damaged
        If a record other than the last ones is not as it was written.
    """
    records, _ = _scan(path, most)
    merged = _merged(records)
    history = _History(merged.get("step", np.empty(0, np.int64)))
    pending = list(cuts)[::-1]
    for record in records:
        while pending and pending[-1][0] < record.stamp:
            history.cut(pending.pop()[1])
        if record.kind == _CUT:
            history.cut(record.number)
        elif record.kind == _ROWS:
            history.add(record.number)
    while pending:
        history.cut(pending.pop()[1])
    lines = tuple(Line(start, _taken(merged, spans)) for start, spans in history.lines)
    return Rows(_taken(merged, history.alive), lines)


# ---- which rows count --------------------------------------------------------------------------


class _History:
    """Which rows of all that were ever written count, as spans [from, to)."""

    def __init__(self, steps: npt.NDArray[Any]):
        self._steps = steps
        self._read = 0
        self.alive: list[tuple[int, int]] = []
        self.lines: list[tuple[int, list[tuple[int, int]]]] = []

    def add(self, count: int) -> None:
        start, end = self._read, self._read + count
        self._read = end
        if self.alive and self._steps[self.alive[-1][1] - 1] >= self._steps[start]:
            self.cut(int(self._steps[start]))
        if self.alive and self.alive[-1][1] == start:
            start = self.alive.pop()[0]
        self.alive.append((start, end))

    def cut(self, step: int) -> None:
        gone = []
        while self.alive:
            start, end = self.alive[-1]
            first = start + int(np.searchsorted(self._steps[start:end], step))
            if first < end:
                gone.append((first, end))
                self.alive.pop()
            if first > start:
                if first < end:
                    self.alive.append((start, first))
                break
        if gone:
            self.lines.append((step, gone[::-1]))


def _taken(columns: Columns, spans: Sequence[tuple[int, int]]) -> Columns:
    if len(spans) == 1:
        (start, end) = spans[0]
        return {name: column[start:end] for name, column in columns.items()}
    return {
        name: np.concatenate([column[:0], *(column[start:end] for start, end in spans)])
        for name, column in columns.items()
    }


# ---- records -----------------------------------------------------------------------------------


class _Record(NamedTuple):
    kind: int
    stamp: int
    number: int
    content: memoryview


def _record(kind: int, stamp: int, number: int, content: bytes) -> bytes:
    head = _HEAD.pack(_MAGIC, kind, stamp, number, len(content), zlib.crc32(content))
    return head + _SUM.pack(zlib.crc32(head)) + content


def _scan(path: Path, most: int | None) -> tuple[list[_Record], int]:
    """Return the records of a file, to a stamp of `most`, and where the last whole one ends."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    view = memoryview(data)
    records: list[_Record] = []
    end = 0
    while (record := _read(view, end)) is not None:
        if most is not None and record.stamp > most:
            return records, end
        records.append(record)
        end += _SIZE + len(record.content)
    place = end
    while (place := data.find(_MAGIC, place + 1)) >= 0:
        if _read(view, place) is not None:
            raise Damaged(
                f"record {len(records) + 1} of {path}, at byte {end}, is damaged, and good ones "
                "follow it"
            )
    return records, end


def _read(view: memoryview, start: int) -> _Record | None:
    """Return the record that begins at `start`; None if there is no whole one."""
    if start + _SIZE > len(view):
        return None
    magic, kind, stamp, number, length, check = _HEAD.unpack_from(view, start)
    (head_check,) = _SUM.unpack_from(view, start + _HEAD.size)
    if magic != _MAGIC or head_check != zlib.crc32(view[start : start + _HEAD.size]):
        return None
    content = view[start + _SIZE : start + _SIZE + length]
    if len(content) != length or zlib.crc32(content) != check:
        return None
    return _Record(kind, stamp, number, content)


def _merged(records: Iterable[_Record]) -> Columns:
    """Return every row that was ever written, as columns."""
    parts = [
        dict(zip(names, (rows[field] for field in rows.dtype.names or ()), strict=True))
        for names, rows in _stretches(records)
    ]
    names = dict.fromkeys(name for part in parts for name in part)
    if len(parts) == 1:
        return {name: np.ascontiguousarray(parts[0][name]) for name in names}
    lengths = [len(part["step"]) for part in parts]
    return {
        name: np.concatenate(
            [
                part.get(name, np.full(length, np.nan, np.float32))
                for part, length in zip(parts, lengths, strict=True)
            ]
        )
        for name in names
    }


def _stretches(records: Iterable[_Record]) -> Iterator[tuple[list[str], npt.NDArray[Any]]]:
    """Yield (names, rows) of each stretch with the same columns."""
    types: list[list[str]] = []
    contents: list[memoryview] = []

    def rows() -> tuple[list[str], npt.NDArray[Any]]:
        return [name for name, _ in types], np.frombuffer(b"".join(contents), _row_type(types))

    for record in records:
        if record.kind == _COLUMNS:
            if contents:
                yield rows()
            types, contents = _checked(json.loads(bytes(record.content))), []
        elif record.kind == _ROWS:
            contents.append(record.content)
    if contents:
        yield rows()


def _checked(types: list[list[str]]) -> list[list[str]]:
    # A type that NumPy knows may still be no number, and this file may come from anybody.
    for name, kind in types:
        if np.dtype(kind).kind not in _NUMBERS:
            raise Damaged(f"columns must hold numbers, got {kind!r} for {name!r}")
    return types


def _row_type(types: Sequence[Sequence[str]]) -> np.dtype[Any]:
    # Fields by their place: any text may name a column, and not any text a field.
    return np.dtype([(f"f{place}", kind) for place, (_, kind) in enumerate(types)])


def _storable(name: str, column: npt.ArrayLike) -> npt.NDArray[Any]:
    array = np.asarray(column)
    if array.dtype.kind == "V" and array.dtype.isbuiltin == 2:
        array = array.astype(np.float32)  # bfloat16 and its like, which NumPy alone cannot read
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif name == "step" and array.dtype.kind in "iu":
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in _NUMBERS:
        raise ValueError(
            f"columns must be one-dimensional arrays of numbers, got {array.dtype} of shape "
            f"{array.shape} for {name}"
        )
    return array.astype(array.dtype.newbyteorder("<"), copy=False)

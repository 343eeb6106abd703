"""Numbers on their way to the browser: columns of equal length, thinned out and as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Columns: TypeAlias = Mapping[str, NDArray[Any]]

# Steps and rates are counted and typed by people: float32 would lose steps above 16.7 million.
WIDE = frozenset({"step"})


def dtype_of(name: str, wide: frozenset[str] = WIDE) -> str:
    """Return the type in which a column travels: ``"float64"`` or ``"float32"``."""
    return "float64" if name in wide else "float32"


def length(columns: Columns) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values()))) if columns else 0


def to_bytes(values: NDArray[Any], dtype: str) -> bytes:
    """Return the values as little-endian bytes, the order of every typed array in a browser."""
    order = {"float64": "<f8", "float32": "<f4"}[dtype]
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=order).tobytes()


def encode(columns: Columns, wide: frozenset[str] = WIDE) -> dict[str, dict[str, Any]]:
    """Return the columns as a trait carries them: ``{name: {"dtype", "data"}}``."""
    return {
        name: {"dtype": dtype_of(name, wide), "data": to_bytes(values, dtype_of(name, wide))}
        for name, values in columns.items()
    }


def describe(columns: Columns, wide: frozenset[str] = WIDE) -> list[dict[str, Any]]:
    """Return the columns as a message announces its buffers: name, type and length of each."""
    return [
        {"name": name, "dtype": dtype_of(name, wide), "length": len(values)}
        for name, values in columns.items()
    ]


def buffers(columns: Columns, wide: frozenset[str] = WIDE) -> list[bytes]:
    """Return the columns' bytes in order."""
    return [to_bytes(values, dtype_of(name, wide)) for name, values in columns.items()]


def thin(columns: Columns, x: str, limit: int) -> dict[str, NDArray[Any]]:
    """Return at most `limit` rows that draw the same picture.

    The range of `x` is cut into equal buckets, and of each the rows with the lowest and the
    highest finite value of every other column stay. The first and the last row always stay, so
    that a curve keeps its ends and the newest number is the true one.

    Parameters
    ----------
    columns
        One-dimensional arrays of equal length; ``columns[x]`` rises.
    x
        The column along which the buckets are laid.
    limit
        The highest number of rows, at least 2.

    Returns
    -------
    dict
        The same columns, each with the rows that stay.
    """
    rows = length(columns)
    if rows <= limit:
        return dict(columns)
    others = [values for name, values in columns.items() if name != x]
    position = np.asarray(columns[x], dtype=np.float64)
    if 2 + 2 * len(others) > limit or not position[0] < position[-1]:
        # No room for the extremes of each column: every n-th row is an honest picture too.
        kept = np.unique(np.linspace(0, rows - 1, limit).astype(np.int64))
        return {name: values[kept] for name, values in columns.items()}
    buckets = (limit - 2) // (2 * max(1, len(others)))
    width = (position[-1] - position[0]) / buckets
    bucket = np.minimum(((position - position[0]) / width).astype(np.int64), buckets - 1)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    keep = np.zeros(rows, dtype=bool)
    keep[[0, -1]] = True
    for values in others:
        known = np.asarray(values, dtype=np.float64)
        known = np.where(np.isfinite(known), known, np.nan)
        for fill, extreme in ((np.inf, np.minimum), (-np.inf, np.maximum)):
            filled = np.where(np.isnan(known), fill, known)
            best = extreme.reduceat(filled, starts)
            hits = np.flatnonzero(filled == np.repeat(best, np.diff([*starts, rows])))
            # A flat stretch hits everywhere: its first row stands for it.
            keep[hits[np.unique(bucket[hits], return_index=True)[1]]] = True
    return {name: values[keep] for name, values in columns.items()}

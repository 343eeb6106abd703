"""JSON text of what runs keep."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return `value` as ASCII JSON text, NumPy's numbers as plain ones.

    What is not finite is written as ``NaN`` and ``Infinity``, which Python reads again: a record
    of a divergence must not fail over the very number that it is about.

    Raises
    ------
    TypeError
        If `value` is not JSON data.
    """
    separators = None if indent else (",", ":")
    try:
        return json.dumps(value, indent=indent, separators=separators, default=_plain)
    except (ValueError, RecursionError) as error:  # a list that holds itself
        raise TypeError(f"what a run keeps must be JSON data: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic) and isinstance(value.item(), bool | int | float | str):
        return value.item()
    raise TypeError(f"what a run keeps must be JSON data, got {type(value).__name__}: {value!r}")

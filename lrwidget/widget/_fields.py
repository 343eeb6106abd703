"""How the fields of a command are read: each into what Python means, or an error that says why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lrwidget import _checks
from lrwidget.schedules import Schedule
from lrwidget.widget._export import FORMATS
from lrwidget.widget._tracks import check_range

# Python allows larger whole numbers than any run has steps; the compiled step counts in int32.
_LAST_STEP = 2**31 - 1
# The rates that float32 can hold; where the chain declares narrower bounds, those count.
_LOWEST_RATE = 1.2e-38
_HIGHEST_RATE = 3.4e38
LONGEST_TEXT = 200
# A file of step and value: 1 MB is some fifty thousand lines.
_LONGEST_FILE = 1_000_000
_MOST_TRACKS = 64
_MOST_CANDIDATES = 12
_FURTHEST = 100_000
_MOST_SEEDS = 16
_VIEW_CHARACTERS = 20_000
_VIEW_DEPTH = 8


def rate(name: str, value: Any) -> float:
    """Return a learning rate above 0 that float32 can hold."""
    return _checks.finite(name, value, low=_LOWEST_RATE, high=_HIGHEST_RATE)


def value(name: str, value: Any) -> float:
    """Return a number that float32 can hold."""
    return _checks.finite(name, value, low=-_HIGHEST_RATE, high=_HIGHEST_RATE)


def factor(name: str, value: Any) -> float:
    """Return what a curve is multiplied by."""
    return _checks.finite(name, value, low=1e-6, high=1e6)


def pace(name: str, value: Any) -> float | None:
    """Return steps a second, or None for no limit."""
    return None if value is None else _checks.finite(name, value, low=1e-3, high=1e6)


def steps(name: str, value: Any) -> int:
    """Return a number of steps, at least 1."""
    return _checks.integer(name, value, low=1, high=_LAST_STEP)


def rungs(name: str, value: Any) -> int:
    """Return the number of rates of a range test."""
    return _checks.integer(name, value, low=10, high=10_000)


def seeds(name: str, value: Any) -> int:
    """Return how often a range test is repeated."""
    return _checks.integer(name, value, low=1, high=_MOST_SEEDS)


def one_of(*words: str) -> Callable[[str, Any], str]:
    """Return what reads a field that is one of some words."""
    return lambda name, value: _checks.choice(name, value, words)


def ahead(name: str, value: Any) -> int:
    """Return how many steps a fan looks ahead: it keeps the losses of all of them."""
    return _checks.integer(name, value, low=1, high=_FURTHEST)


def whole(name: str, value: Any) -> int:
    """Return a step of a run, or what Python has counted, from 0."""
    return _checks.integer(name, value, low=0, high=_LAST_STEP)


def index(name: str, value: Any) -> int:
    """Return the number of a candidate, from 0."""
    return _checks.integer(name, value, low=0, high=_MOST_CANDIDATES - 1)


def flag(name: str, value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false, got {value!r}")
    return value


def factors(name: str, value: Any) -> list[float]:
    """Return what the candidates of a fan multiply the curve by."""
    return [factor(f"{name}[{i}]", each) for i, each in enumerate(_few(name, value))]


def rates(name: str, value: Any) -> list[float]:
    """Return the numbers that the candidates of a fan hold."""
    return [
        _checks.finite(f"{name}[{i}]", each, low=0.0, high=_HIGHEST_RATE)
        for i, each in enumerate(_few(name, value))
    ]


def _few(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not 2 <= len(value) <= _MOST_CANDIDATES:
        got = f"{len(value)}" if isinstance(value, list) else repr(value)
        raise ValueError(f"{name} must be a list of 2 to {_MOST_CANDIDATES} numbers, got {got}")
    return value


def text(name: str, value: Any) -> str:
    """Return a short text that is not empty."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        raise ValueError(f"{name} must be text of 1 to {LONGEST_TEXT} characters, got {value!r}")
    return value


def schedule(name: str, value: Any) -> Schedule:
    """Return the schedule that a node holds."""
    schedule = Schedule.from_node(value)
    if schedule.steps is not None and schedule.steps > _LAST_STEP:
        raise ValueError(f"{name} must have <= {_LAST_STEP} steps, got {schedule.steps}")
    _checks.finite(f"the peak of {name}", schedule.peak_value, high=_HIGHEST_RATE)
    return schedule


def tracks(name: str, value: Any) -> dict[str, Schedule]:
    """Return schedules by name, each within what optimizers declare for a hyperparameter so called.

    Whether the chain, where there is one, has them all is for the design to say.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be a JSON object of name and schedule, got {value!r}")
    if len(value) > _MOST_TRACKS:
        raise ValueError(f"{name} must be at most {_MOST_TRACKS} schedules, got {len(value)}")
    tracks = {}
    for track, node in value.items():
        text("the name of a track", track)
        try:
            tracks[track] = schedule("schedule", node)
            check_range(track, tracks[track])
        except (ValueError, TypeError) as error:
            raise ValueError(f"the track {track!r}: {error}") from error
    return tracks


def file(name: str, value: Any) -> str:
    """Return the text of a file."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_FILE:
        size = f"{len(value)} characters" if isinstance(value, str) else repr(value)
        raise ValueError(f"{name} must be text of 1 to {_LONGEST_FILE} characters, got {size}")
    return value


def format_name(name: str, value: Any) -> str:
    """Return the name of an export format."""
    return _checks.choice(name, value, FORMATS)


def stream(name: str, value: Any) -> str:
    """Return the name of a stream."""
    return _checks.choice(name, value, ("train", "find"))


def view(name: str, value: Any) -> dict[str, Any]:
    """Return what a page remembers of itself: small plain data, whose meaning is the page's own."""
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be a JSON object, got {value!r}")
    left = _VIEW_CHARACTERS
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        left -= len(item) + 2 if isinstance(item, str) else 8
        if left < 0 or depth > _VIEW_DEPTH:
            raise ValueError(
                f"{name} must be at most {_VIEW_CHARACTERS} characters and {_VIEW_DEPTH} levels, "
                "got more"
            )
        if isinstance(item, dict):
            waiting += [(part, depth + 1) for entry in item.items() for part in entry]
        elif isinstance(item, list):
            waiting += [(part, depth + 1) for part in item]
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{name} must hold finite numbers, got {item!r}")
        elif not isinstance(item, str | int | float | None):
            raise TypeError(f"{name} must be plain JSON data, got {item!r}")
    return value

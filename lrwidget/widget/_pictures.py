"""What the static pictures show of a schedule and of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.schedules import Schedule
from lrwidget.widget._static import Ink, Line, Mark, Panel, picture, rate_text, steps_text
from lrwidget.widget._words import in_full

_SAMPLES = 600
_ENDLESS_STEPS = 1000
_MOST_MARKS = 12
_EFFECTIVE = "effective_learning_rate"
_EFFECTIVE_INKS: tuple[Ink, ...] = ("s2", "s4", "s1")
# Of more groups than these the lines could not be told apart.
_MOST_EFFECTIVE = 4
# Of a track's name, what fits beside the picture.
_LABEL_CHARACTERS = 15
_TRACK_INKS: tuple[Ink, ...] = ("s2", "s3", "s4")
_TRACK_DASHES = ("", "6 3", "2 3", "8 3 2 3")


def schedule_panel(
    schedule: Schedule,
    tracks: Mapping[str, Schedule] | None = None,
    *,
    name: str = "learning rate",
) -> Panel:
    """Return the curve over its steps, and thin beside it each track on a scale of its own."""
    tracks = tracks or {}
    last = max(map(_drawn_steps, [schedule, *tracks.values()]))
    x = _sampled(schedule, last)
    lines = [Line(x=x, y=schedule(x))]
    height = float(np.max(lines[0].y)) or 1.0
    for i, (label, track) in enumerate(tracks.items()):
        at = _sampled(track, last)
        values = track(at)
        lines.append(
            Line(
                x=at,
                y=values * (height / (float(np.max(values)) or 1.0)),
                label=_shortened(label),
                ink=_TRACK_INKS[i % len(_TRACK_INKS)],
                dash=_TRACK_DASHES[i % len(_TRACK_DASHES)],
                thin=True,
            )
        )
    return Panel(x_title="step", y_title=name, lines=lines, from_zero=True)


def schedule_title(schedule: Schedule) -> str:
    """Return a heading: what it is, how high, how long."""
    length = "" if schedule.steps is None else f" · {steps_text(schedule.steps)} steps"
    return f"Learning-rate schedule · peak {rate_text(schedule.peak_value)}{length}"


def describe_schedule(schedule: Schedule, tracks: Mapping[str, Schedule] | None = None) -> str:
    """Return the schedule and its tracks in words: their parts, peaks and lengths."""
    return " ".join(
        f"{name} with a peak of {rate_text(curve.peak_value)}: {in_full(curve)}."
        for name, curve in {"Learning rate": schedule, **(tracks or {})}.items()
    )


def run_panels(
    columns: Mapping[str, NDArray[Any]],
    valid: Mapping[str, NDArray[Any]],
    edits: Sequence[Mark],
) -> list[Panel]:
    """Return the run's loss and its learning rate, one above the other on one x axis."""
    losses = [
        Line(x=columns["step"], y=columns["loss"], faint=True),
        Line(x=columns["step"], y=_smooth(columns["loss"]), label="train"),
    ]
    if len(valid.get("step", ())) and "loss" in valid:
        losses.append(
            Line(x=valid["step"], y=valid["loss"], label="validation", ink="s2", dash="5 3")
        )
    panels = [Panel(x_title="step", y_title="loss", lines=losses)]
    if "learning_rate" in columns:
        rate = columns["learning_rate"]
        effective = [name for name in columns if name.rpartition("/")[2] == _EFFECTIVE]
        panels.append(
            Panel(
                x_title="step",
                y_title="learning rate",
                lines=[
                    Line(x=columns["step"], y=rate, label=rate_text(float(rate[-1])), ink="s3"),
                    *(
                        _effective_line(columns["step"], columns[name], name, i)
                        for i, name in enumerate(effective[:_MOST_EFFECTIVE])
                    ),
                ],
                # Where every step was edited, words would cover the curve.
                marks=edits if len(edits) <= _MOST_MARKS else (),
                from_zero=True,
            )
        )
    return panels


def _effective_line(steps: NDArray[Any], values: NDArray[Any], name: str, place: int) -> Line:
    """Return what an adaptive link or a group makes of the learning rate, dashed beside it."""
    group = name.rpartition("/")[0] or "effective"
    return Line(
        x=steps,
        y=values,
        label=_shortened(f"{group} {rate_text(float(values[-1]))}"),
        ink=_EFFECTIVE_INKS[place % len(_EFFECTIVE_INKS)],
        dash=_TRACK_DASHES[1 + place % (len(_TRACK_DASHES) - 1)],
        thin=True,
    )


def describe_run(columns: Mapping[str, NDArray[Any]], state: str) -> str:
    """Return the run in words."""
    loss = columns["loss"]
    return (
        f"Training, {state}, {steps_text(float(columns['step'][-1]) + 1)} steps: the loss went "
        f"from {float(loss[0]):.3g} to {float(loss[-1]):.3g}."
    )


def schedule_svg(
    schedule: Schedule, tracks: Mapping[str, Schedule] | None = None, *, adaptive: bool = True
) -> str:
    """Return a schedule and its tracks as an SVG document."""
    return picture(
        [schedule_panel(schedule, tracks)],
        title=schedule_title(schedule),
        description=describe_schedule(schedule, tracks),
        adaptive=adaptive,
    )


def _smooth(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return a moving mean over a fiftieth of the run, over the steps with a finite value."""
    half = len(values) // 100
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0), dtype=np.float64)])
    counts = np.concatenate([[0], np.cumsum(known)])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: NDArray[np.float64] = (sums[high] - sums[low]) / (counts[high] - counts[low])
    return mean


def _shortened(label: str) -> str:
    return label if len(label) <= _LABEL_CHARACTERS else f"{label[: _LABEL_CHARACTERS - 1]}…"


def _drawn_steps(schedule: Schedule) -> int:
    return schedule.steps or max(2 * max(schedule.marks, default=0), _ENDLESS_STEPS)


def _sampled(schedule: Schedule, last: int) -> NDArray[np.float64]:
    marks = np.asarray(schedule.marks, dtype=np.float64)
    # Just before a border the curve has not jumped yet.
    return np.unique(
        np.concatenate([np.linspace(0, last, _SAMPLES), marks, np.nextafter(marks, 0)])
    )

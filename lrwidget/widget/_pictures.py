"""What the static pictures show: a schedule, a range test, a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.schedules import Schedule
from lrwidget.widget._static import Line, Mark, Panel, picture, rate_text, steps_text

_SAMPLES = 600
_ENDLESS_STEPS = 1000
_MOST_MARKS = 12


def schedule_panel(schedule: Schedule, steps: int | None = None) -> Panel:
    """Return the curve over its steps; one without end over `steps`."""
    x = _sampled(schedule, steps)
    return Panel(
        x_title="step",
        y_title="learning rate",
        lines=[Line(x=x, y=schedule(x))],
        from_zero=True,
    )


def schedule_title(schedule: Schedule) -> str:
    """Return a heading: what it is, how high, how long."""
    length = "" if schedule.steps is None else f" · {steps_text(schedule.steps)} steps"
    return f"Learning-rate schedule · peak {rate_text(schedule.peak_value)}{length}"


def describe_schedule(schedule: Schedule) -> str:
    """Return the schedule in words: its parts, its peak, its length."""
    parts = ", then ".join(
        f"{part.shape.name}"
        + ("" if part.steps is None else f" over {steps_text(part.steps)} steps")
        for part in schedule.segments[:8]
    )
    more = len(schedule.segments) - 8
    rest = f", and {more} more parts" if more > 0 else ""
    return f"Learning rate with a peak of {rate_text(schedule.peak_value)}: {parts}{rest}."


def sweep_panel(sweep: Any) -> Panel:
    """Return an `LRSweep`'s losses over the learning rate, with what the rules suggest."""
    marks = [
        Mark(x=rate, label=f"{rule} {rate_text(rate)}", ink="s3")
        for rule, rate in sweep.suggestions.items()
    ]
    if sweep.diverged_at is not None:
        marks.append(Mark(x=sweep.diverged_at, label="diverged", ink="s2"))
    return Panel(
        x_title="learning rate (log)",
        y_title="loss",
        lines=[
            Line(x=sweep.learning_rates, y=sweep.losses, faint=True, dots=True),
            Line(x=sweep.learning_rates, y=sweep.smoothed, label="smoothed"),
        ],
        marks=marks,
        x_log=True,
        y_most=_sweep_ceiling(sweep.smoothed),
    )


def describe_sweep(sweep: Any) -> str:
    """Return the range test in words."""
    said = ", ".join(f"{rule} {rate_text(rate)}" for rule, rate in sweep.suggestions.items())
    return (
        f"Range test over {len(sweep.losses)} steps from {rate_text(sweep.low)} to "
        f"{rate_text(sweep.high)}; suggestions: {said or 'none'}."
    )


def _sweep_ceiling(smoothed: NDArray[Any]) -> float:
    """Return a height above which only the blow-up lies: it would flatten all that matters."""
    lowest, start = float(np.min(smoothed)), float(smoothed[0])
    fall = start - lowest
    return start + fall if fall > 0.01 * abs(start) else math.inf


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
        panels.append(
            Panel(
                x_title="step",
                y_title="learning rate",
                lines=[Line(x=columns["step"], y=rate, label=rate_text(float(rate[-1])), ink="s3")],
                # Where every step was edited, words would cover the curve.
                marks=edits if len(edits) <= _MOST_MARKS else (),
                from_zero=True,
            )
        )
    return panels


def describe_run(columns: Mapping[str, NDArray[Any]], state: str) -> str:
    """Return the run in words."""
    loss = columns["loss"]
    return (
        f"Training, {state}, {steps_text(float(columns['step'][-1]) + 1)} steps: the loss went "
        f"from {float(loss[0]):.3g} to {float(loss[-1]):.3g}."
    )


def schedule_svg(schedule: Schedule) -> str:
    """Return a schedule alone as an SVG document."""
    return picture(
        [schedule_panel(schedule)],
        title=schedule_title(schedule),
        description=describe_schedule(schedule),
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


def _sampled(schedule: Schedule, steps: int | None) -> NDArray[np.float64]:
    last = schedule.steps or steps or max(2 * max(schedule.borders, default=0), _ENDLESS_STEPS)
    borders = np.asarray(schedule.borders, dtype=np.float64)
    # Just before a border the curve has not jumped yet.
    return np.unique(
        np.concatenate([np.linspace(0, last, _SAMPLES), borders, np.nextafter(borders, 0)])
    )

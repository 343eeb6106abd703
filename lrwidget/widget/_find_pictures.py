"""What the static picture shows of a search: the range test, the advice, the probes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.widget._probes_view import best_run, thinned
from lrwidget.widget._static import Area, Band, Line, Mark, Panel, rate_text, steps_text

_MOST_PROBES = 40


def found_panels(sweep: Any, advice: Any) -> tuple[str, list[Panel]] | None:
    """Return in words and in pictures what a search has found; None where there is nothing.

    Parameters
    ----------
    sweep
        The `LRSweep`, or None.
    advice
        The `Advice` that came after it, or None.
    """
    if sweep is None or not (len(sweep.losses) or advice is not None):
        return None
    said, panels = describe_sweep(sweep), [sweep_panel(sweep, advice)]
    if advice is not None:
        said = f"{said} {describe_advice(advice)}"
        probe = advice.evidence.probe
        if probe is not None and probe.runs:
            panels.append(probe_panel(probe))
    return said, panels


def sweep_panel(sweep: Any, advice: Any = None) -> Panel:
    """Return an `LRSweep`'s losses over the learning rate, with what is suggested.

    Parameters
    ----------
    sweep
        The range test: its mean, and where it was repeated the band over its seeds.
    advice
        The `Advice` that came after it: a band and a line where there is one, the reason where it
        was refused.
    """
    marks = [
        Mark(x=rate, label=f"{rule} {rate_text(rate)}", ink="s4")
        for rule, rate in _shown(sweep.suggestions).items()
    ]
    if sweep.diverged_at is not None:
        marks.append(Mark(x=sweep.diverged_at, label="diverged", ink="s2"))
    bands: list[Band] = []
    if advice is not None and advice.learning_rate is not None:
        marks.append(
            Mark(
                x=advice.learning_rate,
                label=f"advice {rate_text(advice.learning_rate)}",
                ink="s3",
                solid=True,
            )
        )
        bands.append(Band(low=advice.low, high=advice.high))
    band, rates = sweep.band, sweep.learning_rates
    lines = [
        Line(x=rates, y=sweep.losses, faint=True, dots=True),
        Line(x=rates, y=sweep.smoothed, label="smoothed"),
    ]
    return Panel(
        x_title="learning rate (log)",
        y_title="loss",
        # A loss that was never finite has no curve; what is said of it stands alone.
        lines=lines if len(rates) else [],
        marks=marks,
        areas=() if band is None else [Area(x=rates, low=band[0], high=band[1])],
        bands=bands,
        notes=() if advice is None else [describe_advice(advice), *map(_sentence, advice.reasons)],
        x_log=True,
        y_most=_sweep_ceiling(sweep.smoothed) if len(rates) else math.inf,
    )


def describe_sweep(sweep: Any) -> str:
    """Return the range test in words."""
    suggestions = _shown(sweep.suggestions)
    said = ", ".join(f"{rule} {rate_text(rate)}" for rule, rate in suggestions.items())
    return (
        f"Range test over {len(sweep.losses)} steps from {rate_text(sweep.low)} to "
        f"{rate_text(sweep.high)}; suggestions: {said or 'none'}."
    )


def describe_advice(advice: Any) -> str:
    """Return an `Advice` in words, without its reasons."""
    cost = f"{steps_text(advice.gradient_steps)} gradient steps"
    if advice.learning_rate is None:
        remedy = "" if not advice.remedy else f" {_sentence(advice.remedy)}"
        return f"No advice: {_sentence(advice.refused, capital=False)}{remedy} It cost {cost}."
    return (
        f"Use {rate_text(advice.learning_rate)}; the best lies between {rate_text(advice.low)} and "
        f"{rate_text(advice.high)} ({advice.sure}). It cost {cost}."
    )


def probe_panel(probe: Any) -> Panel:
    """Return the short runs behind an advice, the best of them in front with its rate."""
    runs = list(probe.runs)
    best = best_run(runs)
    order = [i for i in range(len(runs)) if i != best] + ([] if best is None else [best])
    lines = []
    for i in order[-_MOST_PROBES:]:
        curve = thinned(runs[i].losses)
        label = rate_text(runs[i].learning_rate) if i == best else ""
        first = i == best
        lines.append(
            Line(
                x=curve["step"],
                y=curve["loss"],
                label=label,
                ink="s3" if first else "muted",
                thin=not first,
                faint=not first,
            )
        )
    starts = [float(line.y[0]) for line in lines if len(line.y)]
    # A run that blows up would flatten all others.
    highest = max(starts, default=math.inf)
    return Panel(x_title="step", y_title="loss of the probes", lines=lines, y_most=highest)


def _shown(suggestions: Mapping[str, float]) -> dict[str, float]:
    """Return what the rules say that are shown where nobody has chosen."""
    from lrwidget.finding import rules

    return {
        name: rate for name, rate in suggestions.items() if name not in rules or rules[name].shown
    }


def _sentence(text: str, *, capital: bool = True) -> str:
    said = text.strip().rstrip(".")
    return f"{said[:1].upper() if capital else said[:1]}{said[1:]}."


def _sweep_ceiling(smoothed: NDArray[Any]) -> float:
    """Return a height above which only the blow-up lies: it would flatten all that matters."""
    lowest, start = float(np.min(smoothed)), float(smoothed[0])
    fall = start - lowest
    return start + fall if fall > 0.01 * abs(start) else math.inf

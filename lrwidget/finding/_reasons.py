"""Why an advice says what it says, in plain words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrwidget._numbers import short_rate

if TYPE_CHECKING:
    from lrwidget.finding._curvature import Curvature
    from lrwidget.finding._fit import Fit
    from lrwidget.finding._probe import Probe
    from lrwidget.finding._prober import ProbeRun

# Runs at rates this far above the advised one, in decades, tell how safe it is; what other batches
# do to one of them is worth a sentence where it costs this share of what training gains.
_ABOVE = 0.3
_COSTLY = 0.3

# A correction by less is not worth a sentence.
_SMALL = 1.1

_FEWEST, _MOST = 2, 4


def reasons_for(
    probe: Probe,
    fit: Fit,
    curvature: Curvature | None,
    designed: int | None = None,
    *,
    what: str = "rate",
    left: float | None = None,
) -> tuple[str, ...]:
    """Return two to four sentences, the weightiest first.

    `designed` is how long the schedule is; None where it has no length. `what` is what a value of
    the hyperparameter is called. `left` is its highest value in what is left of a run; None where
    the advice is for a whole one.
    """
    reasons = [
        _runs(probe),
        _left(fit, left, what),
        _at_the_end(probe, what),
        _unlucky(probe, fit),
        _length(probe, designed),
        _trend(probe, fit, what),
        _edge(probe),
        _curvature(probe, curvature, fit),
    ]
    said = [reason for reason in reasons if reason][:_MOST]
    if len(said) < _FEWEST:
        said.append("No run was lost at any rate that was tried.")
    return tuple(said)


def _runs(probe: Probe) -> str:
    horizon = max(probe.fits)
    runs, best = _longest(probe)
    short = "over all of its" if horizon == probe.steps else "compressed to"
    what = "training loss" if probe.loss == "train" else "validation loss"
    return (
        f"Of {len(runs)} real runs of the schedule {short} {_steps(horizon)}, the one at "
        f"{short_rate(best.learning_rate)} ended lowest: {what} {best.final:.3g}, "
        f"from {best.initial if math.isfinite(best.initial) else probe.initial:.3g}."
    )


def _longest(probe: Probe) -> tuple[list[ProbeRun], ProbeRun]:
    """Return the longest runs with the first batches, by their rates, and the best of them."""
    horizon, usual = max(probe.fits), min(run.seed for run in probe.runs)
    runs = [run for run in probe.runs if run.horizon == horizon and run.seed == usual]
    runs.sort(key=lambda run: run.learning_rate)
    return runs, min(runs, key=lambda run: run.final)


def _left(fit: Fit, left: float | None, what: str) -> str:
    if left is None or left <= 0.0:
        return ""
    return (
        f"The highest {what} in what is left of the run is {short_rate(left)}; scaled by "
        f"{fit.best / left:.2g}, the rest has the advice."
    )


def _at_the_end(probe: Probe, what: str) -> str:
    """Say where the lowest is at the end of what was tried: its other side nobody has seen."""
    runs, best = _longest(probe)
    if len(runs) == 1 or best not in (runs[0], runs[-1]):
        return ""
    side = "lowest" if best is runs[0] else "highest"
    return (
        f"That is the {side} {what} that was run for so long, so that the advice is less sure; a "
        "larger budget looks beyond it."
    )


def _unlucky(probe: Probe, fit: Fit) -> str:
    """Say where other batches ruined a run at the advised rate or not far above it."""
    runs, best = _longest(probe)
    own = {run.learning_rate: run for run in runs if not run.diverged}
    if not own:
        return ""
    initial = best.initial if math.isfinite(best.initial) else probe.initial
    bearable = _COSTLY * (initial - best.final)
    others = [run for run in probe.runs if run.horizon == best.horizon and run.seed != best.seed]
    again = [run for run in others if run.learning_rate in own]
    well = ""
    for run in sorted(again, key=lambda run: run.learning_rate):
        rate, with_these = run.learning_rate, own[run.learning_rate].final
        if rate > fit.best * 10.0**_ABOVE:
            break
        if run.final - with_these <= bearable:
            well = f"; at {short_rate(rate)} it went well with both"
            continue
        end = "was lost" if run.diverged else f"ended at {run.final:.3g}"
        return (
            f"An unlucky order of the data can ruin training here: at {short_rate(rate)} a run "
            f"ended at {with_these:.3g} with the first batches and {end} with others{well}."
        )
    return ""


def _length(probe: Probe, designed: int | None) -> str:
    if designed is None or designed == probe.steps:
        return ""
    what = "its first part alone" if probe.steps < designed else "its last value held after that"
    return (
        f"The schedule has {_steps(designed)} and was run for {_steps(probe.steps)}: {what}; "
        "stretch it first if that is not meant."
    )


def _trend(probe: Probe, fit: Fit, what: str) -> str:
    horizons = sorted(probe.fits)
    longest = horizons[-1]
    if len(horizons) == 1:
        return ""
    first, last = probe.fits[horizons[0]].best, probe.fits[longest].best
    moved = (
        f"From {_steps(horizons[0])} to {_steps(longest)} the best {what} went "
        f"from {short_rate(first)} to {short_rate(last)}"
    )
    factor = fit.best / last
    if longest == probe.steps or 1.0 / _SMALL < factor < _SMALL:
        return f"{moved}."
    if probe.edge is not None and fit.best >= probe.edge[0] / _SMALL:
        return f"{moved}; above that runs were lost, so that the trend is not followed further."
    if (factor > 1.0) != (last > first):
        return f"{moved}; all of them together put it at {short_rate(fit.best)}."
    way = "up" if factor > 1.0 else "down"
    return (
        f"{moved}; for {_steps(probe.steps)} that trend brings it {way} to {short_rate(fit.best)}."
    )


def _edge(probe: Probe) -> str:
    if probe.edge is None:
        return ""
    kept, lost = (short_rate(rate) for rate in probe.edge)
    if kept == lost:
        return f"Just above {kept} runs were lost."
    return f"At {lost} and above runs were lost; {kept} still came to its end."


def _curvature(probe: Probe, curvature: Curvature | None, fit: Fit) -> str:
    if curvature is None or curvature.safe_up_to is None:
        return ""
    safe = curvature.safe_up_to
    # Runs know better, where they were lost below it.
    if not math.isfinite(safe) or (probe.edge is not None and probe.edge[1] <= safe):
        return ""
    beside = (
        "the advice lies below it"
        if fit.best <= safe
        else "the advice lies above it, and the runs show that training bears that"
    )
    return f"Curvature alone would allow rates up to {short_rate(safe)} at the start; {beside}."


def _steps(count: int) -> str:
    return f"{count:,} steps".replace(",", " ")

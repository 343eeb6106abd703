"""Why an advice says what it says, in plain words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrwidget._numbers import number, short_rate

if TYPE_CHECKING:
    from lrwidget.finding._curvature import Curvature
    from lrwidget.finding._fit import Fit
    from lrwidget.finding._probed import Probe
    from lrwidget.finding._prober import ProbeRun

# Runs at rates this far above the advised one, in decades, tell how safe it is; what other batches
# do to one of them is worth a sentence where it costs this share of what training gains.
_ABOVE = 0.3
_COSTLY = 0.3

# From runs shorter than this share of the steps asked for, little is known of what those bear.
_MUCH_SHORTER = 0.25

# Rates no farther apart than this are neighbours: half a decade, and what rounding makes of it.
_BESIDE = 3.2

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
    the hyperparameter is called. `left` is its highest value in the next steps of a run that has
    the very chain that was tried, but for that height; None where there is no such run.
    """
    reasons = [
        _runs(probe),
        _left(probe, fit, left, what),
        _at_the_end(probe, what),
        _unlucky(probe, fit),
        _length(probe, designed),
        _trend(probe, fit, what),
        _edge(probe, what),
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
    alike = ", all with the same batches" if len(runs) > 1 else ""
    what = "training loss" if probe.loss == "train" else "validation loss"
    return (
        f"Of {len(runs)} real run{'s' * (len(runs) > 1)} of the schedule {short} {_steps(horizon)}"
        f"{alike}, the one at {short_rate(best.learning_rate)} ended lowest: {what} "
        f"{number(best.final)}, from "
        f"{number(best.initial if math.isfinite(best.initial) else probe.initial)}."
    )


def _longest(probe: Probe) -> tuple[list[ProbeRun], ProbeRun]:
    """Return the longest runs with the first batches, by their rates, and the best of them."""
    horizon, usual = max(probe.fits), min(run.seed for run in probe.runs)
    runs = [run for run in probe.runs if run.horizon == horizon and run.seed == usual]
    runs.sort(key=lambda run: run.learning_rate)
    return runs, min(runs, key=lambda run: run.final)


def unseen_side(probe: Probe) -> str | None:
    """Return on which side of the best of the longest runs nobody has looked, if there is one.

    "lowest" or "highest" is what its rate then is among theirs, and "only" where it has no other.
    Where a shorter run was lost not far above, what lies above is known.
    """
    runs, best = _longest(probe)
    if len(runs) == 1:
        return "only"
    if best is runs[0]:
        return "lowest"
    lost = math.inf if probe.edge is None else probe.edge[1]
    return "highest" if best is runs[-1] and lost > best.learning_rate * _BESIDE else None


def _left(probe: Probe, fit: Fit, left: float | None, what: str) -> str:
    if left is None or left <= 0.0:
        return ""
    return (
        f"In the next {_steps(probe.steps)} the run's highest {what} is {short_rate(left)}; scaled "
        f"by {number(fit.best / left, 2)}, it is the advised one."
    )


def _at_the_end(probe: Probe, what: str) -> str:
    """Say where the lowest is at the end of what was tried: its other side nobody has seen."""
    side = unseen_side(probe)
    if side is None:
        return ""
    return (
        f"That is the {side} {what} that was run for so long, so that the advice is less sure; a "
        "larger budget looks beyond it."
    )


def _unlucky(probe: Probe, fit: Fit) -> str:
    """Say where a second order of the data ruined a run at the advised rate or not far above."""
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
        end = "was lost" if run.diverged else f"ended at {number(run.final)}"
        return (
            f"The order of the data can ruin training here: at {short_rate(rate)} a run ended at "
            f"{number(with_these)} with one order and {end} with the other that was tried{well}."
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


def _edge(probe: Probe, what: str) -> str:
    """Say what runs bore, and of how many steps: a longer one may bear less."""
    if probe.edge is None:
        return ""
    kept, lost = probe.edge
    kept_steps = _longest_at(probe, kept, lost=False)
    lost_steps = _longest_at(probe, lost, lost=True)
    digits = 2 if short_rate(kept) != short_rate(lost) else 3
    said = [short_rate(rate, digits) for rate in probe.edge]
    if kept_steps is None or lost_steps is None:
        return f"At a {what} of {said[1]} runs were lost; {said[0]} still came to its end."
    told = (
        f"A run of {_steps(lost_steps)} at {said[1]} was lost; one of {_steps(kept_steps)} at "
        f"{said[0]} came to its end"
    )
    survived = max(run.horizon for run in probe.runs if not run.diverged)
    if survived < _MUCH_SHORTER * probe.steps:
        told += f". A run of all {_steps(probe.steps)} may bear less"
    return f"{told}."


def _longest_at(probe: Probe, rate: float, *, lost: bool) -> int | None:
    """Return the steps of the longest run at a rate that ended so; None where there is none."""
    return max(
        (
            run.horizon
            for run in probe.runs
            if run.diverged is lost and math.isclose(run.learning_rate, rate, rel_tol=1e-6)
        ),
        default=None,
    )


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

"""Whether the runs tell which rate is best; if not, what stands in the way."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lrwidget._numbers import number, short_rate
from lrwidget.finding._refusals import Refusal, RefusedError
from lrwidget.finding._survey import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lrwidget.finding._probed import Probe
    from lrwidget.finding._prober import Prober, ProbeRun
    from lrwidget.finding._survey import Survey

FloatArray = npt.NDArray[np.float64]

# Ends that differ by no more than this share of the loss are the same but for rounding.
_ROUNDING = 1e-6

# A gain must be so many standard errors of the common batches; the best of some tries is larger
# than a single one by chance.
_STANDARD_ERRORS = 3.0

# With other batches a run at the best rate may lack at most this share of the gain, at the longest
# horizon at which that was tried.
_LACKING = 0.6

# A schedule that ends before this share of the steps, with no rate left, explains a refusal.
_SHORT = 0.5

# Of what training gains, a share by which values of other hyperparameters do not differ.
_SAME = 1e-3

# So many rates must have been tried to say that it is the same with all of them, and to say which
# is the best.
FEWEST_RATES = 3


def check_response(
    prober: Prober, survey: Survey, found: Probe, initial: FloatArray, *, given: bool = False
) -> None:
    """Raise a `RefusedError` where the runs do not tell which rate is best.

    Parameters
    ----------
    prober
        Which made the runs.
    survey
        Which chose them.
    found
        What they say.
    initial
        The objective on each common batch before the first step.
    given
        Whether the person chose the rates: then the best may be the lowest or the highest of them.
    """
    if not given:  # rates that are all far too high lose their runs at one step as well
        _check_steps(prober.runs)
    if all(run.diverged for run in prober.runs) and prober.runs:
        _check_count(survey, found)
        lower = "give lower rates, " if given else ""
        raise RefusedError(
            Refusal(
                "no run came to its end: the loss left all bounds at every rate that was tried, "
                f"from {_span(found)}",
                f"{lower}clip the gradients or scale the data, and look whether the loss function "
                "bears other weights than those it begins with",
            )
        )
    with _explained(prober):
        _check_effect(prober, initial)
    _check_count(survey, found)
    best = found.best
    if best is None or best.horizon < max(found.horizons):
        raise RefusedError(
            Refusal(
                f"no run over {max(found.horizons)} steps came to its end, though shorter ones did",
                "clip the gradients, or ask for a larger budget",
            )
        )
    after = prober.judged[next(i for i, run in enumerate(prober.runs) if run is best)]
    with _explained(prober):
        late = prober.replicas.start.step > 0
        _check_gain(initial[: len(after)] - after, initial, found, survey, late=late)
        _check_seeds(survey)
        if not given:
            if not prober.is_rate:
                _check_choice(survey, found)
            _check_inside(survey)


@contextlib.contextmanager
def _explained(prober: Prober) -> Iterator[None]:
    """Say of a refusal, where it is so, that the schedule ended long before the runs did."""
    try:
        yield
    except RefusedError as error:
        ended = prober.ends_after
        if ended is None or ended > _SHORT * prober.steps:
            raise
        has = f"{ended} step{'s' * (ended > 1)}"
        raise RefusedError(
            Refusal(
                f"{error.refusal.reason}. The likely reason: the schedule has only {has} of the "
                f"{prober.steps} asked for, and next to no rate after them",
                "stretch the schedule to all of the steps, or ask for as many as it has",
            )
        ) from None


def _span(found: Probe) -> str:
    rates = [run.learning_rate for run in found.runs]
    return f"{short_rate(min(rates))} to {short_rate(max(rates))}"


def _check_steps(runs: Sequence[ProbeRun]) -> None:
    """Look for a step at which the loss is not finite whatever the rate."""
    for seed in sorted({run.seed for run in runs}):
        first = {id(run): _first_wrong(run) for run in runs if run.seed == seed}
        step = min(first.values())
        reached = [run for run in runs if run.seed == seed and run.horizon > step]
        rates = {run.learning_rate for run in reached}
        if step < math.inf and len(rates) >= FEWEST_RATES:
            if any(first[id(run)] != step for run in reached):
                continue
            value = reached[0].losses[int(step)]
            raise RefusedError(
                Refusal(
                    f"the loss of step {int(step) + 1} is {value} at every rate that was tried, "
                    f"from {short_rate(min(rates))} to {short_rate(max(rates))}",
                    "look for NaN in the data, and for a logarithm or a division of zero",
                )
            )


def _first_wrong(run: ProbeRun) -> float:
    wrong = np.flatnonzero(~np.isfinite(run.losses))
    return float(wrong[0]) if len(wrong) else math.inf


def _check_effect(prober: Prober, initial: FloatArray) -> None:
    """Look whether runs that differ in the rate alone ended otherwise."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place, run in enumerate(prober.runs):
        groups.setdefault((run.horizon, run.seed), []).append(place)
    moved, told = False, 0
    for places in groups.values():
        ends = np.array([prober.runs[place].final for place in places])
        if np.isinf(ends).all():
            continue  # a rate without effect may as well have lost all of them
        if np.isinf(ends).any():
            return
        level = float(initial[: len(prober.judged[places[0]])].mean())
        near = _ROUNDING * max(abs(level), float(np.abs(ends).max()), 1e-30)
        # A rate so low that rounding swallows the update leaves all as it was.
        there = ends[np.abs(ends - level) > near]
        if len(there) and float(np.ptp(there)) > near:
            return
        moved = moved or len(there) > 0
        told = max(told, len(there), len(ends) if not len(there) else 0)
    if told < 2:  # there is nothing to compare
        return
    if not moved:
        reason = "the loss is the same before and after training, whatever the rate"
        remedy = (
            "look whether the model or a group of it is frozen, whether something in the chain "
            "takes its updates away, and whether the loss depends on what the model says"
        )
    else:
        reason = "the rate has no effect: runs at rates decades apart end with the same loss"
        remedy = (
            "train as it is: the chain chooses the size of its steps itself, or something after "
            "the optimizer undoes the rate; look which of its links"
        )
    raise RefusedError(Refusal(reason, remedy))


def _check_count(survey: Survey, found: Probe) -> None:
    """Look whether the budget paid for enough rates at any one horizon."""
    most = max((len(ends) for ends in survey.ends.values()), default=0)
    if most >= FEWEST_RATES:
        return
    raise RefusedError(
        Refusal(
            f"the budget paid for runs at {most or 'no'} rate{'s' * (most > 1)}, and "
            f"{FEWEST_RATES} are needed to compare",
            "ask for a larger budget" + " or give less validation data" * (found.loss == "valid"),
        )
    )


def _apart(survey: Survey) -> float:
    """Return by how much ends differ that other batches gave, at the longest horizon with some."""
    for horizon in sorted(survey.others, reverse=True):
        ends, others = survey.ends[horizon], survey.others[horizon]
        shared = [place for place in others if math.isfinite(ends[place] + others[place])]
        if shared:
            # Beside the best lie rates at which other batches lose the run, which is no measure.
            best = min(shared, key=lambda place: ends[place])
            return abs(ends[best] - others[best])
    return 0.0


def _idle(survey: Survey, level: float) -> bool:
    """Return whether, at some horizon, rates too low to change anything were the best."""
    for ends in survey.ends.values():
        places = sorted(ends)
        lowest = [ends[place] for place in places[:2]]
        flat = len(lowest) > 1 and abs(lowest[0] - lowest[1]) <= NOTHING * abs(level)
        if flat and min(lowest) <= min(ends.values()):
            return True
    return False


def _check_gain(
    gain: FloatArray, initial: FloatArray, found: Probe, survey: Survey, *, late: bool
) -> None:
    level, mean = float(initial[: len(gain)].mean()), float(gain.mean())
    # Validation is one number: what other batches make of it has to tell how sure it is.
    error = float(gain.std(ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else _apart(survey)
    rounding = _ROUNDING * abs(level)
    if mean > _STANDARD_ERRORS * error and mean > rounding:
        return
    size = f"{number(abs(mean), 2)} ± {number(error, 1)}" if error else number(abs(mean), 2)
    if abs(mean) <= NOTHING * abs(level) or _idle(survey, level):
        lost = min((run.learning_rate for run in found.runs if run.diverged), default=math.inf)
        reason = (
            f"no rate helps: the loss stays at {number(level)} where the rate is too low to change "
            "anything, and ends higher "
            + (
                f"or is lost, from {short_rate(lost)} on, where it is not"
                if lost < math.inf
                else "above"
            )
        )
        remedy = (
            "look at the sign of the loss and of the updates, whether the loss function bears "
            "other weights than those it begins with, and whether these are trained already"
        )
    elif mean < -_STANDARD_ERRORS * error and mean < -rounding:
        reason = (
            f"training raises the loss at every rate that was tried, by {size} from "
            f"{number(level)} at the best one"
        )
        remedy = (
            "look at the sign of the loss and of the updates, and whether something after the "
            "optimizer changes them; ask for a larger budget"
        )
    else:
        moved = f"{'fell' if mean >= 0.0 else 'rose'} by {size} from {number(level)}"
        reason = (
            f"the loss is too noisy to tell: at the best rate it {moved}"
            if mean > error
            else f"the loss does not respond to the rate: at the best one it {moved}, which chance "
            "explains"
        )
        remedy = (
            "ask for a larger budget or larger batches; look whether there is anything to learn "
            "in the data, and whether the weights that could learn it are trained"
        )
    if late:  # the run has shown that it can learn
        remedy = (
            "ask for a larger budget; what is left of the run may have too little to gain for a "
            "few short runs to tell"
        )
    raise RefusedError(Refusal(reason, remedy))


def _check_seeds(survey: Survey) -> None:
    """Compare what the best rate gains with its own batches and with others.

    What they differ by is measured by the largest gain at any horizon: after a few steps of a
    run that has hardly begun, batches differ more than what was gained by then. The best rate of
    a few steps may lie at the very edge, where other batches lose the run: the rate below it may
    answer for it. What a rate reaches that was tried with its own batches alone, later on, is no
    disagreement.
    """
    shared = [h for h, others in survey.others.items() if others]
    if not shared:
        return
    horizon = max(shared)
    ends, others = survey.ends[horizon], survey.others[horizon]
    best = min(others, key=lambda each: ends[each])
    below = [each for each in others if each < best]
    place = min([best, *below], key=lambda each: others[each])
    lowest = min(*ends.values(), *others.values())
    level = survey.initial(horizon)
    gains = [survey.initial(h) - min(each.values()) for h, each in survey.ends.items() if each]
    gain = max(level - lowest, *gains, 1e-30)
    if math.isinf(ends[best]) or (others[place] - ends[best]) / gain <= _LACKING:
        return
    told = number(others[place]) if math.isfinite(others[place]) else "was lost"
    raise RefusedError(
        Refusal(
            f"seeds disagree: over {horizon} steps the rate {short_rate(10.0**place)} ended at "
            f"{number(ends[place])} with some batches and {told} with others, from {number(level)}",
            "use larger batches or clip the gradients, or ask for a larger budget",
        )
    )


def _check_inside(survey: Survey) -> None:
    """Look whether there are worse rates on either side of the best one.

    Any horizon may tell: what a short run does not survive, a long one does not.
    """
    vertices = survey.vertices
    if not vertices or any(vertex.inside for vertex in vertices.values()):
        return
    best = vertices[max(vertices)].place
    worse = [
        place
        for ends in survey.ends.values()
        for place in ends
        if ends[place] > min(ends.values()) or math.isinf(ends[place])
    ]
    # Rates are rounded where they are tried.
    # There is nothing beyond the bound of the hyperparameter itself.
    low, high = survey.limits
    lower = best <= low + 1e-3 or any(place < best - 1e-3 for place in worse)
    higher = best >= survey.bound - 1e-3 or any(place > best + 1e-3 for place in worse)
    if lower and higher:
        return
    rate = short_rate(10.0**best)
    if not higher:
        reason = f"the loss still falls faster at the highest rate that was tried, {rate}"
        more = "" if best >= high - 1e-3 else "ask for a larger budget; "
        remedy = f"{more}a loss that has no lower bound has no best rate"
    else:
        reason = f"the lowest rate that was tried, {rate}, was the best"
        remedy = "ask for a larger budget; training may be at its end already"
    raise RefusedError(Refusal(reason, remedy))


def _check_choice(survey: Survey, found: Probe) -> None:
    """Look whether it matters which value another hyperparameter than a rate has.

    Where all values down to the lowest end alike, as of a weight decay that the training loss
    would rather do without, the lowest of these ends is chance.
    """
    horizon = max((h for h, ends in survey.ends.items() if len(ends) >= FEWEST_RATES), default=None)
    if horizon is None:
        return
    ends = survey.ends[horizon]
    lowest = min(ends.values())
    near = _SAME * (survey.initial(horizon) - lowest)
    alike: list[float] = []
    for place in sorted(ends):
        if ends[place] - lowest > near:
            break
        alike.append(place)
    if len(alike) < 2 or min(ends[place] for place in alike) > lowest:
        return
    kind = "training" if found.loss == "train" else "validation"
    ask = (
        'ask with loss="valid" whether more of it helps on other data, or '
        if found.loss == "train"
        else ""
    )
    raise RefusedError(
        Refusal(
            f"which value is best cannot be told: from {short_rate(10.0 ** alike[0])} to "
            f"{short_rate(10.0 ** alike[-1])} the {kind} loss ends alike, and no lower elsewhere",
            f"{ask}leave it as it is",
        )
    )

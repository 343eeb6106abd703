"""When there is no honest advice: what stands in the way, and what would help."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget._numbers import short_rate
from lrwidget.finding._survey import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrwidget.finding._first_look import FirstLook
    from lrwidget.finding._probe import Probe
    from lrwidget.finding._prober import Prober, ProbeRun
    from lrwidget.finding._start import Start
    from lrwidget.finding._survey import Survey

FloatArray = npt.NDArray[np.float64]

# One batch of few examples can only be learnt by heart. Many examples in one batch are gradient
# descent on the whole data, which somebody meant.
_FEW_EXAMPLES = 256

# Ends that differ by no more than this share of the loss are the same but for rounding.
_ROUNDING = 1e-6

# A gain must be so many standard errors of the common batches; the best of some tries is larger
# than a single one by chance.
_STANDARD_ERRORS = 3.0

# With other batches a run at the best rate may lack at most this share of the gain, at the longest
# horizon at which that was tried.
_LACKING = 0.6

# So many rates must have been tried to say that it is the same with all of them, and to say which
# is the best.
_FEWEST_RATES = 3

# A few runs on either side of the best, and the state before any.
_FEWEST_JUDGED = 8

_NOT_FINITE = "look for a logarithm or a division of zero, and for NaN in the data"


class Refusal(NamedTuple):
    """Why there is no advice."""

    reason: str
    remedy: str


class RefusedError(Exception):
    """Ends the search for advice."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


USED_UP = Refusal(
    "the training data is used up: a pass gave no batch, so that runs cannot begin with the same",
    "give a list, an object that can be iterated again, or a function that returns a new iterator "
    "each time",
)
"""What to say of data that does not begin anew with each run."""


# ---- before any run -----------------------------------------------------------------------------


def check_data(start: Start) -> None:
    """Raise a `RefusedError` where the data cannot tell how training goes on."""
    source = start.runner.source
    examples = source.size
    # Of more examples than one batch has, every epoch shuffles others into it.
    alone = getattr(source, "examples", examples) == examples
    if source.steps_per_epoch == 1 and alone and examples <= _FEW_EXAMPLES:
        raise RefusedError(
            Refusal(
                f"the training data is one batch of {examples} examples: every step sees the same "
                "few, and how fast they are learnt by heart says nothing about other data",
                "give more data, or a smaller batch_size",
            )
        )


def check_first_look(look: FirstLook) -> None:
    """Raise a `RefusedError` where nothing can be trained from here."""
    if look.trouble is None:
        return
    if not all(map(math.isfinite, look.losses)):
        remedy = _NOT_FINITE
    elif not all(map(math.isfinite, look.gradient_norms)):
        remedy = "look for a square root or a norm at zero in the loss function"
    else:
        remedy = "look whether the model is frozen, or the loss function stops its gradients"
    raise RefusedError(Refusal(look.trouble, remedy))


def check_updates(every: int, steps: int) -> None:
    """Raise a `RefusedError` where no update is made in all of the steps."""
    if every <= steps:
        return
    raise RefusedError(
        Refusal(
            f"no update is made: the chain applies one in {every} steps, and training has {steps}",
            "train for longer, or accumulate fewer gradients",
        )
    )


def check_price(of_judging: float, left: float) -> None:
    """Raise a `RefusedError` where judging a few runs alone would take most of the budget."""
    if _FEWEST_JUDGED * of_judging <= left:
        return
    raise RefusedError(
        Refusal(
            f"a pass over the validation data costs {of_judging:.0f} gradient steps, and each of "
            f"{_FEWEST_JUDGED} runs or more needs one: {left:.0f} are left of the budget",
            "ask for a larger budget, or give less validation data",
        )
    )


def check_start(initial: FloatArray) -> None:
    """Raise a `RefusedError` where the objective is not finite before the first step."""
    wrong = ~np.isfinite(initial)
    if not wrong.any():
        return
    value, count = initial[wrong][0], int(wrong.sum())
    if count == len(initial):
        raise RefusedError(Refusal(f"the loss is {value} before the first step", _NOT_FINITE))
    raise RefusedError(
        Refusal(
            f"the loss is {value} before the first step, on {count} of {len(initial)} batches",
            "look for NaN in the data, and for a logarithm or a division of zero",
        )
    )


# ---- after the runs -----------------------------------------------------------------------------


def check_response(prober: Prober, survey: Survey, found: Probe, initial: FloatArray) -> None:
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
    """
    _check_steps(prober.runs)
    if all(run.diverged for run in prober.runs) and prober.runs:
        _check_count(survey, found)
        raise RefusedError(
            Refusal(
                "no run came to its end: the loss left all bounds at every rate that was tried, "
                f"from {_span(found)}",
                "clip the gradients or scale the data, and look whether the loss function bears "
                "other weights than those it begins with",
            )
        )
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
    _check_gain(initial[: len(after)] - after, initial, found, survey)
    _check_seeds(survey)
    _check_inside(survey)


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
        if step < math.inf and len(rates) >= _FEWEST_RATES:
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
    for number, run in enumerate(prober.runs):
        groups.setdefault((run.horizon, run.seed), []).append(number)
    moved, told = False, 0
    for numbers in groups.values():
        ends = np.array([prober.runs[number].final for number in numbers])
        if np.isinf(ends).all():
            continue  # a rate without effect may as well have lost all of them
        if np.isinf(ends).any():
            return
        level = float(initial[: len(prober.judged[numbers[0]])].mean())
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
    if most >= _FEWEST_RATES:
        return
    raise RefusedError(
        Refusal(
            f"the budget paid for runs at {most or 'no'} rate{'s' * (most > 1)}, and "
            f"{_FEWEST_RATES} are needed to compare",
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


def _check_gain(gain: FloatArray, initial: FloatArray, found: Probe, survey: Survey) -> None:
    level, mean = float(initial[: len(gain)].mean()), float(gain.mean())
    # Validation is one number: what other batches make of it has to tell how sure it is.
    error = float(gain.std(ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else _apart(survey)
    rounding = _ROUNDING * abs(level)
    if mean > _STANDARD_ERRORS * error and mean > rounding:
        return
    size = f"{abs(mean):.2g} ± {error:.1g}" if error else f"{abs(mean):.2g}"
    if abs(mean) <= NOTHING * abs(level) or _idle(survey, level):
        lost = min((run.learning_rate for run in found.runs if run.diverged), default=math.inf)
        reason = (
            f"no rate helps: the loss stays at {level:.3g} where the rate is too low to change "
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
            f"training raises the loss at every rate that was tried, by {size} from {level:.3g} "
            "at the best one"
        )
        remedy = (
            "look at the sign of the loss and of the updates, and whether something after the "
            "optimizer changes them; ask for a larger budget"
        )
    else:
        moved = f"{'fell' if mean >= 0.0 else 'rose'} by {size} from {level:.3g}"
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
    told = f"{others[place]:.3g}" if math.isfinite(others[place]) else "was lost"
    raise RefusedError(
        Refusal(
            f"seeds disagree: over {horizon} steps the rate {short_rate(10.0**place)} ended at "
            f"{ends[place]:.3g} with some batches and {told} with others, from {level:.3g}",
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
    # There is nothing beyond the bounds of the hyperparameter itself.
    low, high = survey.limits
    lower = best <= low + 1e-3 or any(place < best - 1e-3 for place in worse)
    higher = best >= high - 1e-3 or any(place > best + 1e-3 for place in worse)
    if lower and higher:
        return
    rate = short_rate(10.0**best)
    if not higher:
        reason = f"the loss still falls faster at the highest rate that was tried, {rate}"
        remedy = "ask for a larger budget; a loss that has no lower bound has no best rate"
    else:
        reason = f"the lowest rate that was tried, {rate}, was the best"
        remedy = "ask for a larger budget; training may be at its end already"
    raise RefusedError(Refusal(reason, remedy))

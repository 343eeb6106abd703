"""The range test: train briefly while the learning rate rises."""

from __future__ import annotations

import contextlib
import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lrwidget import _checks
from lrwidget._numbers import short_rate
from lrwidget.finding._arguments import (
    check_calls,
    check_objective,
    check_task,
    check_valid_loss,
)
from lrwidget.finding._curve import GrowingCurve, response
from lrwidget.finding._ladder import Climb, Ladder, LadderKind, climb
from lrwidget.finding._measured import measured
from lrwidget.finding._rules import FloatArray, rules, suggest
from lrwidget.finding._sweep import LRSweep, Stopped
from lrwidget.optimizers import Chain, Link, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lrwidget.finding._cancel import CancelFlag
    from lrwidget.finding._lockstep import Watched
    from lrwidget.finding._start import Start
    from lrwidget.training import Task, Trainer

_MOST_SEEDS = 64


class Progress(NamedTuple):
    """The sweep so far, as `on_progress` gets it; every array is the receiver's to keep."""

    learning_rates: FloatArray  # shape (n,)
    losses: FloatArray  # shape (n,), the mean over the seeds
    smoothed: FloatArray  # shape (n,)
    by_seed: FloatArray  # shape (seeds, n)
    band: FloatArray | None  # shape (2, n), lowest and highest smoothed loss; None for one seed


def find_lr(
    task: Task,
    chain: Chain | Link,
    *,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    ladder: LadderKind = "exponential",
    seeds: int = 1,
    smoothing: float = 0.98,
    stop_factor: float | None = 4.0,
    address: str | tuple[str, ...] | None = None,
    ladders: Mapping[str, tuple[float, float]] | None = None,
    loss: Literal["train", "valid"] = "train",
    metric: str = "loss",
    start: Literal["current"] | Trainer | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    cancel: CancelFlag | None = None,
) -> LRSweep:
    """Run the learning-rate range test.

    Trains a copy of the task's initial state while the learning rate climbs from exactly `low` to
    exactly `high`, by equal factors or equal steps; every other hyperparameter is what the chain
    says. Model, optimizer state, randomness and data are thrown away after, so that training is,
    bit for bit, what it would have been without. (An iterable of batches is asked for passes of its
    own: one that shuffles from a generator of its own moves that generator, as it does for every
    pass. Data that ends is begun again.)

    Parameters
    ----------
    task
        What is trained.
    chain
        The optimizer chain, or its one link; it needs a live learning rate. Links that choose the
        size of the steps themselves are left out; see Notes.
    low, high
        First and last learning rate, ``0 < low < high``; a linear ladder may begin at 0.
    steps
        Rungs of the ladder, 10 to a million. A rung is one update: where ``multi_steps``
        accumulates the gradients of k batches, it is held for k steps, and its loss is the mean
        over them.
    ladder
        ``"exponential"``: rung i is ``low * (high / low) ** (i / (steps - 1))``. ``"linear"``: it
        is ``low + (high - low) * i / (steps - 1)``.
    seeds
        How many times to do it at once, 1 to 64: with the data in other orders and other
        randomness in the steps, from the same weights. The first has the task's own. What is
        smoothed, judged and read is the mean: a rule that noise misleads is misled by each seed's
        own curve. `LRSweep.spread` has what it says of these, and of the mean. (Data that comes in
        an order of its own is taken from other places of it.)
    smoothing
        Weight of the past in the bias-corrected exponential average of the loss, in [0, 1).
        The default is fastai's and Lightning's. The rules are made for it: in our calibration
        less smoothing made "minimum" and "slide" worse and more scattered.
    stop_factor
        The sweep stops when the smoothed loss exceeds `stop_factor` times the best one, and the
        level at which it began by more than its noise; > 1. None runs to the end of the ladder.
        A NaN or infinite loss of any seed stops the sweep at once, always.
    address
        Which hyperparameter climbs, or several, which climb the same ladder; default the chain's
        learning rate. Groups with a multiplier keep their ratio to it; those with a chain of
        their own keep their rates.
    ladders
        Instead of `low`, `high` and `address`: everything that climbs, each from its own low to
        its own high, as ``{group or address: (low, high)}``. For a group with a multiplier that is
        the group's rate, and its multiplier becomes that over the rate of all. What is not named
        stays at what the chain says. The rules read the first of them.
    loss
        ``"train"``: the loss of each rung's batches before its update. ``"valid"``: that of the
        validation data after it, which costs a pass over them for each rung.
    metric
        Which of the loss function's metrics is looked at instead of its loss; with
        ``loss="valid"`` one that validation measures. It is read as something that should fall:
        of an accuracy, return the share of errors. A loss that is not finite stops the sweep all
        the same.
    start
        None for the task's initial weights; ``"current"`` for those that the model object has
        now; or a `Trainer`: from where its run is, with a copy of its weights, optimizer state
        and place in the data, and, where `chain` is the run's, what else its plan applies there;
        the schedules of another chain count the steps of the run. A run that is going on is
        paused meanwhile and goes on after, also after an error, bit for bit as if nothing had
        been.
    on_progress
        Called with a `Progress` after each chunk of at most 25 rungs, on the calling thread.
    cancel
        A `threading.Event` or the like; when set, the sweep ends after the chunk that runs.

    Returns
    -------
    LRSweep

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the chain has no live learning rate.

    Notes
    -----
    Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3; the
    geometric ladder, the smoothing and the stop rule are fastai's ``lr_find``. The compiled step
    is that of `Trainer`: whichever comes second starts without a compile.

    Adaptive links (``stability_guard``, ``reduce_on_plateau``, …), ``mechanize`` and line searches
    scale the steps by what they learn on the way, so that the loss would tell of another rate than
    the ladder's; ``apply_if_finite`` would hide where training diverges. The test trains without
    them, `LRSweep.left_out` names them, and the step is compiled for it alone; in the middle of a
    run the optimizer then begins anew. Optimizers that find the size of the steps themselves, such
    as ``prodigy``, are tested as they are: what is found is a factor of theirs, and 1 is their
    authors' choice.

    Where the loss neither falls nor rises by more than its noise, there is nothing to suggest: all
    rules are then in `LRSweep.silent`, which says so. With a `start`, where it only rises, so are
    all but "slide", which reads the rise: the others would read the noise before it.

    Two optimizers, such as those of a generator and a discriminator, are two groups with chains of
    their own: ``address="generator/learning_rate", metric="generator_loss"`` lets one climb while
    the other runs at its rate.

    Examples
    --------
    >>> sweep = find_lr(task, chain, seeds=4)  # doctest: +SKIP
    >>> sweep.suggestions["valley"]  # doctest: +SKIP
    0.0019
    """
    check_task(task)
    seeds = _checks.integer("seeds", seeds, low=1, high=_MOST_SEEDS)
    smoothing = _checks.finite("smoothing", smoothing, low=0.0, high=1.0, high_open=True)
    if stop_factor is not None:
        stop_factor = _checks.finite("stop_factor", stop_factor, low=1.0, low_open=True)
    check_calls(on_progress, cancel)
    watched = _watched(task, loss, metric)
    kept, left_out = measured(chain_of(chain))
    way = climb(
        kept, kind=ladder, low=low, high=high, steps=steps, address=address, ladders=ladders
    )
    curve = GrowingCurve(steps=way.rungs, smoothing=smoothing, stop_factor=stop_factor, seeds=seeds)

    from lrwidget.finding._start import started  # JAX, which a finished sweep does without

    with started(task, kept, start) as begin:
        if begin.goes_on:
            way = dataclasses.replace(way, skip=begin.step % way.hold)
        stopped, spent = _follow(begin, way, curve, watched, on_progress, cancel)
        step = begin.step if begin.left is not None else None
    return _result(
        way,
        curve,
        stopped=stopped,
        trained=start == "current" or (step or 0) > 0,
        gradient_steps=spent,
        ladder=ladder,
        objective=loss,
        metric=metric,
        start_step=step,
        left_out=left_out,
    )


def _watched(task: Task, loss: Any, metric: Any) -> Watched:
    from lrwidget.finding._lockstep import Watched

    check_objective(task, loss)
    if loss == "valid" and metric == "loss":
        check_valid_loss(task)
    names = task.evaluator.names if loss == "valid" else ("loss", *task.metrics)
    _checks.choice("metric", metric, names)
    return Watched(metric, in_validation=loss == "valid")


def _follow(
    begin: Start,
    way: Climb,
    curve: GrowingCurve,
    watched: Watched,
    on_progress: Callable[[Progress], object] | None,
    cancel: CancelFlag | None,
) -> tuple[Stopped, float]:
    """Climb as far as the curve and the person let; return why it ended, and what it cost."""
    from lrwidget.finding._lockstep import climbing

    rates = way.ladders[0].values
    rows = way.rows(begin.addresses, begin.rows)
    spent = 0.0
    landings = climbing(begin, way, rows, seeds=curve.seeds, watched=watched)
    with contextlib.closing(landings):  # its streams have threads of their own
        for losses, spent in landings:
            verdict = next((stop for loss in losses.T if (stop := curve.append(loss))), None)
            if on_progress is not None:
                on_progress(
                    Progress(
                        rates[: len(curve)].copy(),
                        curve.losses,
                        curve.smoothed,
                        curve.by_seed,
                        curve.band,
                    )
                )
            if verdict is not None:
                return verdict, spent
            if cancel is not None and cancel.is_set() and len(curve) < way.rungs:
                return "cancelled", spent
    return "end", spent


def _result(
    way: Climb, curve: GrowingCurve, *, stopped: Stopped, trained: bool, **told: Any
) -> LRSweep:
    count, steps = len(curve), way.rungs
    first = way.ladders[0]
    rates = first.values[:count]
    # A NaN is not kept, so the rung at which it came is the next one.
    last = {"nan": count, "diverged": count - 1}.get(stopped)
    suggestions, silent = _asked(first, curve.smoothed, steps)
    # A rule reads any curve; of some it would read the noise.
    noise = _noise(curve, stopped, told["metric"], trained=trained)
    for name, why in noise.items():
        suggestions.pop(name, None)
        silent[name] = why
    by_ladder = {first.name: MappingProxyType(suggestions)}
    for other in way.ladders[1:]:
        said, _ = _asked(other, curve.smoothed, steps)
        by_ladder[other.name] = MappingProxyType({n: said[n] for n in suggestions if n in said})
    return LRSweep(
        learning_rates=_read_only(rates.copy()),
        losses=_read_only(curve.losses),
        smoothed=_read_only(curve.smoothed),
        by_seed=_read_only(curve.by_seed),
        band=None if curve.band is None else _read_only(curve.band),
        suggestions=by_ladder[first.name],
        silent=MappingProxyType(silent),
        suggestions_by_seed=_by_seed(way, curve, suggestions, noise),
        suggestions_by_ladder=MappingProxyType(by_ladder),
        stopped=stopped,
        diverged_at=None if last is None else float(first.values[last]),
        lost_seed=curve.culprit,
        low=float(first.values[0]),
        high=float(first.values[-1]),
        steps=steps,
        ladders=MappingProxyType(
            {each.name: _read_only(each.values[:count].copy()) for each in way.ladders}
        ),
        **told,
    )


def _asked(
    ladder: Ladder, smoothed: FloatArray, steps: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Return what the rules say of what was swept, and why the others are silent.

    A tenth of a rate may lie below the ladder: nobody has seen what the loss does there.
    """
    said, silent = suggest(ladder.values[: len(smoothed)], smoothed, steps, of_rates=ladder.is_rate)
    first = float(ladder.values[0])
    for name in [name for name, value in said.items() if value < first]:
        told = short_rate(said.pop(name))
        silent[name] = f"it says {told}, below {short_rate(first)}, where the sweep began"
    return said, silent


def _noise(
    curve: GrowingCurve, stopped: Stopped, metric: str, *, trained: bool
) -> Mapping[str, str]:
    """Return the rules that would read nothing but noise, with the reason.

    From weights that know something already the loss seldom falls any more in so few steps: it is
    level up to where it blows up, which is all that there is to read. On our benchmark's tasks in
    the middle of a run the rules' answers were up to five decades apart there. A new model's loss
    falls, and where its batches are so few and noisy that this is not clear, the rules were mostly
    right all the same.
    """
    if not len(curve):
        why = f"the {metric} is not finite at the very first step"
        return dict.fromkeys(rules, why) if stopped == "nan" else {}
    falls, rises = response(curve.losses)
    if stopped == "cancelled":  # then it has not been seen whole
        why = f"the sweep was stopped before the {metric} fell by more than its noise"
        return {} if falls else dict.fromkeys(rules, why)
    if not falls and not rises:
        why = f"the {metric} does not respond: it is the same everywhere, but for its noise"
        return dict.fromkeys(rules, why)
    if falls or not trained:
        return {}
    why = f"the {metric} falls nowhere by more than its noise; more seeds may tell"
    return {name: why for name, rule in rules.items() if not rule.reads_the_rise}


def _by_seed(
    way: Climb, curve: GrowingCurve, of_mean: Mapping[str, float], noise: Mapping[str, str]
) -> Mapping[str, FloatArray]:
    first = way.ladders[0]
    said = [of_mean] * curve.seeds  # which is the one seed's own; of nothing, all say nothing
    if curve.seeds > 1 and of_mean:
        said = [_asked(first, smoothed, way.rungs)[0] for smoothed in curve.smoothed_by_seed]
    return MappingProxyType(
        {
            name: _read_only(
                np.array([np.nan if name in noise else each.get(name, np.nan) for each in said])
            )
            for name in rules
        }
    )


def _read_only(array: FloatArray) -> FloatArray:
    array.flags.writeable = False
    return array

"""Several chains trained side by side, from the same weights and on the same batches."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lrwidget import _checks
from lrwidget.finding._arguments import checked
from lrwidget.finding._cancel import CancelFlag, CancelledError, check_cancelled
from lrwidget.finding._comparison import Comparison, FloatArray, in_ratios, lost_runs, rank
from lrwidget.finding._price import MOST_STEPS
from lrwidget.finding._refusals import USED_UP, RefusedError, check_first_look
from lrwidget.optimizers import Chain, Link, chain_of

if TYPE_CHECKING:
    from lrwidget.finding._start import Start
    from lrwidget.training import Task, Trainer


class ComparisonProgress(NamedTuple):
    """The comparison so far, as `on_progress` gets it."""

    name: str  # of the chain that is being trained
    seed: int  # 0, 1, …
    losses: FloatArray  # of this run so far
    share: float  # of all steps, 0 to 1


def compare(
    task: Task,
    chains: Mapping[str, Chain | Link],
    *,
    steps: int | None = None,
    seeds: int = 3,
    loss: Literal["train", "valid"] = "train",
    start: Literal["current"] | Trainer | None = None,
    on_progress: Callable[[ComparisonProgress], object] | None = None,
    cancel: CancelFlag | None = None,
) -> Comparison:
    """Train several chains side by side, several times each.

    Every run begins with the same weights. A seed is an order of the data and a randomness of the
    steps, and every chain gets the same of it: what differs at one seed is due to the chains.

    Parameters
    ----------
    task
        What is trained. Model, data iterators and a Trainer's run are left as they are.
    chains
        Name to optimizer chain, or its one link; at least one.
    steps
        Steps of each run, at most ten million; default what is left of the run, or else the longest
        schedule's.
    seeds
        Runs of each chain, at least 1. With two or more the result tells which differences are
        larger than those between the seeds; three are few for that, five are better.
    loss
        What to judge by: the final training loss or the final validation loss; lower is better.
        There is no judging by another measure: one that should rise, such as an accuracy, would
        have to be the loss with its sign changed.
    start
        None for the task's initial weights; ``"current"`` for those that the model object has
        now; a `Trainer` for where its run is; see Notes.
    on_progress
        Called with a `ComparisonProgress` after each chunk of steps, on the calling thread.
    cancel
        A `threading.Event` or the like; when set, the comparison ends after the chunk that runs,
        with the runs that are complete.

    Returns
    -------
    Comparison
        With `Comparison.refused` and no runs where nothing can be trained from here: see Notes.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or no schedule ends and no `steps` are given; if in the
        middle of a run a chain's rate has come to its end at 0.

    Notes
    -----
    **In the middle of a run** the question is what to do with what is left of it. The run's own
    chain goes on as the run itself would: with its plans as they are by now, every edit included.
    The schedules of any other chain count the steps of the run, as in `Trainer.set` and `advise`:
    one that was designed for the whole of it is taken up where the run is, and nothing is
    compressed. A schedule that shall begin here is ``schedule.shifted(trainer.position)``. The
    optimizer of a chain that is built like the run's goes on with the run's state, and that of
    another begins anew, which at first is a handicap of its own.

    **Where nothing can be trained** nothing is compared: the loss or its gradient is not finite
    before the first step, or the loss does not depend on the parameters. Four gradients at the
    start tell; `Comparison.refused` says it in the words of `advise`. Chains are run all the same
    where one of them has a link for that (``zero_nans``, ``apply_if_finite``, ``add_noise``,
    ``noisy_sgd``).

    Runs that diverge are kept as such. Data that comes in an order of its own (an iterable) is
    read further on for the second seed, and so on. No validation loss is taken during a run: links
    that wait for one do nothing.

    Examples
    --------
    >>> optimizers = lrw.optimizers  # doctest: +SKIP
    >>> compare(
    ...     task, {"adam": optimizers.adam(3e-3), "sgd": optimizers.sgd(0.1)}, steps=300
    ... )  # doctest: +SKIP
    Comparison of 2: 300 steps, 3 seeds, 1820 gradient steps
            final training loss  over the seeds    against adam
      adam  0.0412               0.0396 to 0.0431  best
      sgd   0.1733               0.1699 to 0.1759  worse: 4.2 times (4 to 4.4)
    """
    # JAX, which a finished comparison does without
    from lrwidget.finding._first_look import first_look
    from lrwidget.finding._start import started
    from lrwidget.training._pass_source import UsedUpError

    named = _named(chains)
    checked(task, next(iter(named.values())), loss, on_progress, cancel)
    seeds = _checks.integer("seeds", seeds, low=1)
    if steps is not None:
        steps = _checks.integer("steps", steps, low=1, high=MOST_STEPS)
    with contextlib.ExitStack() as stack:
        # A Trainer is paused by the first of these and goes on after the last.
        starts = {
            name: stack.enter_context(started(task, chain, start)) for name, chain in named.items()
        }
        length = _length(steps, named, next(iter(starts.values())))
        _check_rates(starts, length)
        runs = {name: _Runs(begin, seeds, length, loss, cancel) for name, begin in starts.items()}
        cancelled, done, refusal, looked = False, 0, None, 0.0
        try:
            check_cancelled(cancel)
            look = first_look(next(iter(starts.values())))
            looked = look.gradient_steps
            check_first_look(look, named.values())
            for seed in range(seeds):
                for name, those in runs.items():
                    told = functools.partial(_tell, on_progress, name, seed, done, runs)
                    those.run(seed, told)
                    done += 1
        except CancelledError:
            cancelled = True
        except RefusedError as error:
            refusal = error.refusal
        except UsedUpError:
            refusal = USED_UP
    final = {name: those.final for name, those in runs.items()}
    diverged = lost_runs({name: those.losses for name, those in runs.items()}, final)
    ratio = in_ratios(final, diverged)
    ranks = {name: rank(final[name], diverged[name], in_ratio=ratio) for name in named}
    best = min(named, key=lambda name: ranks[name])
    begin = next(iter(starts.values()))
    return Comparison(
        names=tuple(named),
        steps=length,
        seeds=seeds,
        loss=loss,
        losses=_frozen({name: those.losses for name, those in runs.items()}),
        final=_frozen(final),
        valid=_frozen({name: those.valid for name, those in runs.items()}),
        diverged=_frozen(diverged),
        best=best if math.isfinite(ranks[best][1]) else None,
        gradient_steps=looked + sum(those.spent for those in runs.values()),
        cancelled=cancelled,
        refused=None if refusal is None else refusal.reason,
        remedy=None if refusal is None else refusal.remedy,
        start_step=None if begin.left is None else begin.step,
    )


class _Runs:
    """The runs of one chain."""

    def __init__(
        self,
        start: Start,
        seeds: int,
        steps: int,
        loss: Literal["train", "valid"],
        cancel: CancelFlag | None,
    ) -> None:
        from lrwidget.finding._replicas import Replicas

        self.losses: FloatArray = np.full((seeds, steps), math.nan)
        self.final: FloatArray = np.full(seeds, math.nan)
        self.valid: FloatArray | None = None
        self._replicas = Replicas(start, objective=loss, cancel=cancel)
        self._validation: Replicas | None = None
        if start.task.validates and "loss" in start.task.evaluator.names:
            self.valid = self.final if loss == "valid" else self.final.copy()
            if loss != "valid":
                self._validation = Replicas(start, objective="valid", cancel=cancel)
        # What is left of the run's plans where the chain is the run's, and else the chain's own.
        self._rows = functools.partial(start.rows, 0, steps)

    @property
    def spent(self) -> float:
        """Gradient steps so far."""
        return self._replicas.spent + (self._validation.spent if self._validation else 0.0)

    def run(self, seed: int, tell: Callable[[FloatArray], object]) -> None:
        """Make the run of a seed; what it gives is only kept when it is complete."""
        apart = self._validation is not None
        made = self._replicas.run(self._rows(), replica=seed, keep=apart, on_chunk=tell)
        valid = math.inf
        if self._validation is not None and made.carry is not None:
            valid = float(self._validation.judged(made.carry, 1)[0])
        # What comes after the first NaN or infinity is no loss of this run.
        good = int(np.append(np.flatnonzero(~np.isfinite(made.losses)), len(made.losses))[0])
        self.losses[seed, :good] = made.losses[:good]
        self.final[seed] = made.end
        if self.valid is not None and self._validation is not None:
            self.valid[seed] = valid if math.isfinite(valid) else math.inf


def _named(chains: Any) -> dict[str, Chain]:
    if not isinstance(chains, Mapping):
        raise TypeError(
            f"chains must map names to chains, such as {{'adam': lrwidget.optimizers.adam(1e-3)}}, "
            f"got {type(chains).__name__}"
        )
    if not chains:
        raise ValueError("chains must hold at least one chain, got none")
    for name in chains:
        if not isinstance(name, str) or not name:
            raise TypeError(f"the names of chains must be text, got {name!r}")
    return {name: chain_of(chain, f"chains[{name!r}]") for name, chain in chains.items()}


def _length(steps: int | None, chains: Mapping[str, Chain], begin: Start) -> int:
    if steps is not None:
        return steps
    if begin.left == 0:
        raise ValueError(
            "steps must be given where nothing is left of the run, got None: it is at its end, "
            f"step {begin.step}"
        )
    length = begin.left or max((chain.steps or 0 for chain in chains.values()), default=0)
    if length == 0:
        raise ValueError("steps must be given where no chain has a schedule that ends, got None")
    if length > MOST_STEPS:
        raise ValueError(
            f"steps must be given, at most {MOST_STEPS}, where more are left, got None: {length} "
            "are left"
        )
    return length


def _check_rates(starts: Mapping[str, Start], steps: int) -> None:
    """Refuse a chain whose schedule is over where it would begin: it would train nothing."""
    for name, start in starts.items():
        rate = start.chain.rate
        if not start.step or rate is None or rate not in start.addresses:
            continue
        if not start.rows(0, steps)[:, start.addresses.index(rate)].any():
            raise ValueError(
                f"chains[{name!r}] must have a rate above 0 at some step from here, got 0 at all "
                f"of them: its schedule counts the steps of the run, which is at {start.step}; "
                f"schedule.shifted({start.step}) begins it here"
            )


def _tell(
    on_progress: Callable[[ComparisonProgress], object] | None,
    name: str,
    seed: int,
    done: int,
    runs: Mapping[str, _Runs],
    losses: FloatArray,
) -> None:
    if on_progress is not None:
        seeds, steps = runs[name].losses.shape
        share = (done + len(losses) / steps) / (len(runs) * seeds)
        on_progress(ComparisonProgress(name, seed, losses, share))


def _frozen(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    for array in arrays.values():
        if array is not None:
            array.flags.writeable = False
    return MappingProxyType(dict(arrays))

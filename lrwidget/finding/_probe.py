"""Probes: the designed schedule, run for real at several peaks and short horizons."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from lrwidget import _checks
from lrwidget.finding._arguments import checked, chosen_steps, is_main_rate, rate_column
from lrwidget.finding._cancel import CancelFlag, CancelledError
from lrwidget.finding._fit import QUANTILE, Fit, Vertex
from lrwidget.finding._price import MOST_STEPS
from lrwidget.finding._probed import Probe, unanswered
from lrwidget.finding._prober import Prober, ProbeRun
from lrwidget.finding._refusals import (
    USED_UP,
    RefusedError,
    check_first_look,
    check_first_rate,
    check_price,
    check_start,
    check_updates,
)
from lrwidget.finding._replicas import Objective, Replicas
from lrwidget.finding._start import REPLICAS
from lrwidget.finding._survey import Survey
from lrwidget.finding._trend import UNKNOWN, usual_trend
from lrwidget.finding._verdict import FEWEST_RATES, check_response
from lrwidget.optimizers._accumulation import accumulated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lrwidget.optimizers import Chain, Link
    from lrwidget.training import Task, Trainer

# How far from where it begins a survey may go, in decades.
_REACH = 8.0

# How near it may come to a bound that its hyperparameter must stay below, in decades.
_BESIDE = 1e-3


def probe(
    task: Task,
    chain: Chain | Link,
    *,
    steps: int | None = None,
    rates: Sequence[float] | None = None,
    horizons: Sequence[int] | None = None,
    seeds: int = 1,
    budget: float = 400,
    loss: Objective = "train",
    address: str | None = None,
    seed: int = 0,
    start: Literal["current"] | Trainer | None = None,
    on_progress: Callable[[tuple[ProbeRun, ...]], object] | None = None,
    cancel: CancelFlag | None = None,
) -> Probe:
    """Run the designed schedule, compressed to short horizons, at several peaks.

    All runs begin with the same weights and see the same batches with the same randomness, so that
    what differs between them is the rate. At the shortest horizon rates are walked until the best
    has a worse one on either side; the few around it are tried again at longer and longer horizons
    (successive halving). At each horizon a parabola in the logarithms of rate and regret gives the
    best rate, and a line through these over the logarithm of the horizon the one at `steps`.

    Where the runs do not tell which rate is best, or nothing can be trained from here, the result
    says so instead (`Probe.refused`), by the same rules as `advise`. It does not ask whether the
    data is enough to learn from: that is left to `advise`.

    Parameters
    ----------
    task
        What is trained.
    chain
        The optimizer chain with the schedule, or its one link. All of its hyperparameters are
        compressed with the rate.
    steps
        The horizon that is asked about, at least 10; default the chain's length, what is left of
        the run, or 1000 where there is neither. It must be given where a run is at its end.
    rates, horizons
        Peaks and steps of a full grid of runs; by default they are chosen within `budget`. If one
        is given, so must be the other. The best may then lie at an end of the grid.
    seeds
        Orders of the data for each point of such a grid, at least 1.
    budget
        Most gradient steps, at least 50, where they are chosen.
    loss
        What makes a run good: the ``"train"`` loss at its end, in training form, on batches that
        are the same for all; or the ``"valid"`` loss.
    address
        Which hyperparameter differs; default the chain's learning rate.
    seed
        Another one gives other batches and other randomness; 0 those that the run itself has.
    start
        None for the task's initial weights; ``"current"`` for those that the model object has
        now; a `Trainer` for the whole state of its run, which is paused meanwhile. Its edits hold
        where `chain` is that of the run; the schedules of another one count the run's steps.
    on_progress
        Called after each run with all of them, on the calling thread.
    cancel
        A `threading.Event` or the like; when set, the result is what there is by then.

    Returns
    -------
    Probe

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> found = probe(task, chain, steps=2000)  # doctest: +SKIP
    >>> found.optimum.best  # doctest: +SKIP
    0.0021
    """
    from lrwidget.finding._start import started

    chain = checked(task, chain, loss, on_progress, cancel)
    seeds = _checks.integer("seeds", seeds, low=1, high=REPLICAS)
    seed = _checks.integer("seed", seed, low=0, high=2**20)
    budget = _checks.finite("budget", budget, low=50)
    if rates is None and seeds != 1:
        raise ValueError(f"seeds must be 1 unless rates and horizons are given, got {seeds}")
    if (rates is None) != (horizons is None):
        raise ValueError("rates and horizons must be given together, or neither")
    with started(task, chain, start) as begin:
        column = rate_column(chain, begin.addresses, address)
        length = chosen_steps(steps, chain, begin)
        points = []
        if rates is not None and horizons is not None:
            points, budget = _grid(rates, horizons, seeds, length), math.inf
            climbing = chain.hyperparameter(begin.addresses[column])
            for rate, *_ in points:
                climbing.check("rates", rate)
        replicas = Replicas(begin, objective=loss, cancel=cancel)
        probing = _Probing(replicas, chain, length, column, seed=seed * REPLICAS)
        return probing.run(points, budget, on_progress)


class _Probing:
    """One call of `probe`."""

    def __init__(
        self, replicas: Replicas, chain: Chain, steps: int, column: int, *, seed: int
    ) -> None:
        self._replicas, self._chain, self._steps = replicas, chain, steps
        self._column, self._seed = column, seed
        self._found: Callable[[], Probe] = self._nothing

    def run(
        self,
        points: Sequence[tuple[float, int, int]],
        budget: float,
        on_progress: Callable[[tuple[ProbeRun, ...]], object] | None,
    ) -> Probe:
        """Make the runs at some points, or as the budget allows where there are none."""
        from lrwidget.training._pass_source import UsedUpError

        try:
            self._look(points, budget, on_progress)
        except CancelledError:
            return dataclasses.replace(self._found(), cancelled=True)
        except RefusedError as error:
            return unanswered(self._found(), error.refusal)
        except UsedUpError:
            return unanswered(self._found(), USED_UP)
        return self._found()

    def _look(
        self,
        points: Sequence[tuple[float, int, int]],
        budget: float,
        on_progress: Callable[[tuple[ProbeRun, ...]], object] | None,
    ) -> None:
        from lrwidget.finding._first_look import first_look

        replicas, start = self._replicas, self._replicas.start
        check_updates(accumulated(self._chain, start.addresses[self._column]), self._steps)
        check_first_rate(start, self._chain, self._column)
        if replicas.objective == "valid":
            check_price(replicas.judging_price(self._steps), budget)
        initial = replicas.judged(start.carry(), replicas.judging(self._steps))
        prober = Prober(
            replicas, steps=self._steps, column=self._column, initial=initial, seed=self._seed
        )
        if on_progress is not None:
            prober.on_run = lambda: on_progress(tuple(prober.runs))
        survey = surveying(prober, self._chain, budget, prober.initial)

        def found() -> Probe:
            if points:
                _fill(survey, prober.runs)
            return result_of(prober, survey, float(initial.mean()), replicas.objective)

        self._found = found
        check_start(initial)
        replicas.check_cancelled()
        look = first_look(start, replica=self._seed)
        replicas.spent += look.gradient_steps
        check_first_look(look, [self._chain])
        if points:
            for point in points:
                prober.probe(*point)
        else:
            survey.run()
        check_response(prober, survey, found(), initial, given=bool(points))

    def _nothing(self) -> Probe:
        """Return what there is before anything has been looked at."""
        return Probe(
            runs=(),
            initial=math.nan,
            fits=MappingProxyType({}),
            optimum=None,
            trend=0.0,
            edge=None,
            steps=self._steps,
            loss=self._replicas.objective,
            gradient_steps=self._replicas.spent,
        )


def surveying(
    prober: Prober,
    chain: Chain,
    budget: float,
    initial: float | Callable[[int], float],
    centre: float | None = None,
) -> Survey:
    """Return the survey of a prober, from a rate on or from what the optimizer usually has."""
    address = prober.replicas.start.addresses[prober.column]
    hyperparameter = chain.hyperparameter(address)
    main = is_main_rate(chain, address)
    if not main and prober.peak > 0.0:
        centre = prober.peak
    if centre is None:
        default = hyperparameter.default
        centre = default if isinstance(default, int | float) and default > 0 else prober.peak
    middle = math.log10(centre) if centre > 0.0 else -2.0
    highest = math.log10(hyperparameter.high) if hyperparameter.high else math.inf
    if hyperparameter.high_open:
        highest -= _BESIDE
    return Survey(
        prober,
        steps=prober.steps,
        budget=budget,
        centre=middle,
        limits=(min(middle, highest) - _REACH, min(middle + _REACH, highest)),
        bound=highest,
        initial=initial,
        trend=usual_trend(chain, prober.held) if main else UNKNOWN,
        every=accumulated(chain, address),
        noisy=prober.replicas.objective == "valid",
    )


def result_of(prober: Prober, survey: Survey, initial: float, loss: Objective) -> Probe:
    """Return what the runs of a prober say."""
    highest = survey.limits[1]
    fits = {horizon: _fit(vertex, highest) for horizon, vertex in survey.vertices.items()}
    found = survey.optimum()
    edge = survey.edge()
    return Probe(
        runs=tuple(prober.runs),
        initial=initial,
        fits=MappingProxyType(fits),
        optimum=None if found is None else found[0],
        trend=0.0 if found is None else found[1],
        edge=None if edge is None else (10.0 ** edge[0], 10.0 ** edge[1]),
        steps=prober.steps,
        loss=loss,
        gradient_steps=prober.spent,
    )


def _fit(vertex: Vertex, highest: float) -> Fit:
    spread = QUANTILE * vertex.spread
    places = (vertex.place, vertex.place - spread, vertex.place + spread)
    best, low, high = (10.0 ** min(place, highest) for place in places)
    return Fit(best=best, low=low, high=high)


def _grid(
    rates: Sequence[float], horizons: Sequence[int], seeds: int, steps: int
) -> list[tuple[float, int, int]]:
    for name, several in (("rates", rates), ("horizons", horizons)):
        if not isinstance(several, Iterable) or isinstance(several, str):
            raise TypeError(f"{name} must be several numbers, got {several!r}")
    rates, horizons = list(rates), list(horizons)
    peaks = sorted({_checks.finite("rates", rate, low=0.0, low_open=True) for rate in rates})
    most = min(steps, MOST_STEPS)
    lengths = sorted({_checks.integer("horizons", h, low=1, high=most) for h in horizons})
    if len(peaks) < FEWEST_RATES or not lengths:
        raise ValueError(
            "rates must hold at least three different rates and horizons one number of steps, "
            f"got {rates!r} and {horizons!r}"
        )
    return [(r, h, s) for h in lengths for s in range(seeds) for r in peaks]


def _fill(survey: Survey, runs: Sequence[ProbeRun]) -> None:
    """Give a survey a grid's runs: the means over seeds."""
    by_point: dict[tuple[int, float], list[float]] = {}
    for run in runs:
        by_point.setdefault((run.horizon, math.log10(run.learning_rate)), []).append(run.final)
    for (horizon, place), finals in by_point.items():
        survey.ends.setdefault(horizon, {})[place] = sum(finals) / len(finals)

"""Probes: the designed schedule, run for real at several peaks and short horizons."""

from __future__ import annotations

import dataclasses
import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lrwidget import _checks
from lrwidget._numbers import short_rate
from lrwidget.finding._accumulation import accumulated
from lrwidget.finding._fit import QUANTILE, Fit, Vertex
from lrwidget.finding._price import MOST_STEPS
from lrwidget.finding._prober import Prober, ProbeRun
from lrwidget.finding._replicas import CancelFlag, CancelledError, Objective, Replicas
from lrwidget.finding._start import REPLICAS
from lrwidget.finding._survey import Survey
from lrwidget.finding._trend import UNKNOWN, usual_trend
from lrwidget.optimizers import Chain, Link, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes

    from lrwidget.finding._start import Start
    from lrwidget.training import Task, Trainer

USUAL_STEPS = 1000
"""The horizon of a chain that has no length."""

FEWEST_STEPS = 10
FEWEST_RATES = 3  # a parabola has three points

# How far from where it begins a survey may go, in decades.
_REACH = 8.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Probe:
    """Short runs of the designed schedule at several peaks, and where the best peak lies.

    Attributes
    ----------
    runs
        Every run, in the order in which they were made.
    initial
        The objective before the first step; NaN where it was cancelled before that.
    fits
        Horizon to where the best rate lies there.
    optimum
        Where it lies at the horizon asked for, by the trend of `fits`; None where no run came to
        its end.
    trend
        By how many decades the best rate moves when the horizon grows tenfold.
    edge
        The highest rate at which runs came to their end and the lowest at which one was lost, at
        the longest horizon that has both; None where none was lost.
    steps
        The horizon asked for.
    loss
        The objective: ``"train"`` or ``"valid"``.
    gradient_steps
        What it cost; a forward pass counts as a third. See `Advice.gradient_steps`.
    cancelled
        Whether it was cancelled.
    """

    runs: tuple[ProbeRun, ...]
    initial: float
    fits: Mapping[int, Fit]
    optimum: Fit | None
    trend: float
    edge: tuple[float, float] | None
    steps: int
    loss: Objective
    gradient_steps: float
    cancelled: bool = False

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons of the runs, rising."""
        return tuple(sorted({run.horizon for run in self.runs}))

    @property
    def best(self) -> ProbeRun | None:
        """The run that ended lowest at the longest horizon; None where all were lost."""
        for horizon in reversed(self.horizons):
            there = [run for run in self.runs if run.horizon == horizon and not run.diverged]
            if there:
                return min(there, key=lambda run: run.final)
        return None

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the ends of the runs over their rates, a line for each horizon.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; by default those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from lrwidget.plotting import plot_probe  # matplotlib, only when drawn

        return plot_probe(self, ax)

    def __repr__(self) -> str:
        """Return a small table: a line for each horizon."""
        words = f"{len(self.runs)} runs, {self.gradient_steps:.0f} gradient steps"
        lines = [f"Probe for {self.steps} steps: {words}{', cancelled' * self.cancelled}"]
        for horizon in self.horizons:
            runs = [run for run in self.runs if run.horizon == horizon]
            lost = sum(run.diverged for run in runs)
            line = f"  {horizon:>6} steps  {len(runs)} runs"
            if horizon in self.fits:
                fit = self.fits[horizon]
                line += f", best near {_with_band(fit)}"
            lines.append(line + (f", {lost} lost" if lost else ""))
        if self.optimum is not None:
            lines.append(f"  {self.steps:>6} steps  best by the trend {_with_band(self.optimum)}")
        return "\n".join(lines)


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
    start: str | Trainer | None = None,
    on_progress: Callable[[tuple[ProbeRun, ...]], object] | None = None,
    cancel: CancelFlag | None = None,
) -> Probe:
    """Run the designed schedule, compressed to short horizons, at several peaks.

    All runs begin with the same weights and see the same batches with the same randomness, so that
    what differs between them is the rate. At the shortest horizon rates are walked until the best
    has a worse one on either side; the few around it are tried again at longer and longer horizons
    (successive halving). At each horizon a parabola in the logarithms of rate and regret gives the
    best rate, and a line through these over the logarithm of the horizon the one at `steps`.

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
        is given, so must be the other.
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
        replicas = Replicas(begin, objective=loss, cancel=cancel)
        try:
            initial = replicas.judged(begin.carry(), replicas.judging(length))
        except CancelledError:
            return _nothing_found(length, loss, replicas.spent)
        prober = Prober(
            replicas, steps=length, column=column, initial=initial, seed=seed * REPLICAS
        )
        if on_progress is not None:
            prober.on_run = lambda: on_progress(tuple(prober.runs))
        if rates is None or horizons is None:
            survey = surveying(prober, chain, budget, prober.initial)
        else:
            survey = surveying(prober, chain, math.inf, prober.initial)
        cancelled = False
        try:
            if rates is None or horizons is None:
                survey.run()
            else:
                for point in _grid(rates, horizons, seeds, length):
                    prober.probe(*point)
        except CancelledError:
            cancelled = True
        if rates is not None:
            _fill(survey, prober.runs)
        return result_of(prober, survey, float(initial.mean()), loss, cancelled=cancelled)


def checked(task: Any, chain: Any, loss: Any, on_progress: Any, cancel: Any) -> Chain:
    """Return the chain, after a look at what every finder is given."""
    from lrwidget.training import Task

    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {type(task).__name__}")
    known = chain_of(chain)
    if _checks.choice("loss", loss, ("train", "valid")) == "valid" and not task.validates:
        raise ValueError('loss must be "train" for a Task without validation data, got "valid"')
    if loss == "valid":
        check_valid_loss(task)
    if on_progress is not None and not callable(on_progress):
        raise TypeError(f"on_progress must be a function or None, got {on_progress!r}")
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise TypeError(
            f"cancel must have is_set(), as threading.Event, or be None, got {cancel!r}"
        )
    return known


def check_valid_loss(task: Task) -> None:
    """Raise a ValueError where validation measures no loss."""
    names = task.evaluator.names
    if "loss" not in names:
        raise ValueError(
            f'loss="valid" needs a validation measure called "loss", got {", ".join(names)}: '
            'return one from eval_fn, or take loss="train"'
        )


def chosen_steps(steps: int | None, chain: Chain, start: Start) -> int:
    """Return the horizon that is asked about."""
    from lrwidget.training._commands import LAST_STEP

    if steps is None:
        if start.left == 0:
            raise ValueError(
                "steps must be given where nothing is left of the run, got None: it is at its "
                f"end, step {start.step}"
            )
        steps = start.left or chain.steps or USUAL_STEPS
        return max(steps, FEWEST_STEPS)
    return _checks.integer("steps", steps, low=FEWEST_STEPS, high=LAST_STEP)


def rate_column(chain: Chain, addresses: tuple[str, ...], address: str | None) -> int:
    """Return which column of the rows holds the rate, or raise a ValueError."""
    wanted = address or chain.rate or "learning_rate"
    try:
        return addresses.index(chain.resolve(wanted))
    except ValueError as error:
        raise ValueError(
            f"chain must have a live {wanted} to look for, "
            f"got {', '.join(addresses) or 'no live hyperparameter'}: {error}"
        ) from error


def is_main_rate(chain: Chain, address: str) -> bool:
    """Return whether an address is the learning rate of the whole chain."""
    return chain.rate is not None and chain.resolve(chain.rate) == address


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
    return Survey(
        prober,
        steps=prober.steps,
        budget=budget,
        centre=middle,
        limits=(min(middle, highest) - _REACH, min(middle + _REACH, highest)),
        initial=initial,
        trend=usual_trend(chain, prober.held) if main else UNKNOWN,
        every=accumulated(chain, address),
        noisy=prober.replicas.objective == "valid",
    )


def result_of(
    prober: Prober,
    survey: Survey,
    initial: float,
    loss: Objective,
    *,
    cancelled: bool = False,
) -> Probe:
    """Return what the runs of a prober say."""
    vertices = survey.vertices
    found = survey.optimum()
    edge = survey.edge()
    return Probe(
        runs=tuple(prober.runs),
        initial=initial,
        fits=MappingProxyType({h: _fit(vertex) for h, vertex in vertices.items()}),
        optimum=None if found is None else found[0],
        trend=0.0 if found is None else found[1],
        edge=None if edge is None else (10.0 ** edge[0], 10.0 ** edge[1]),
        steps=prober.steps,
        loss=loss,
        gradient_steps=prober.spent,
        cancelled=cancelled,
    )


def _nothing_found(steps: int, loss: Objective, spent: float) -> Probe:
    """Return what there is before anything has been looked at."""
    return Probe(
        runs=(),
        initial=math.nan,
        fits=MappingProxyType({}),
        optimum=None,
        trend=0.0,
        edge=None,
        steps=steps,
        loss=loss,
        gradient_steps=spent,
        cancelled=True,
    )


def _with_band(fit: Fit) -> str:
    return f"{short_rate(fit.best, 3)} ({short_rate(fit.low)} to {short_rate(fit.high)})"


def _fit(vertex: Vertex) -> Fit:
    place, spread = vertex.place, QUANTILE * vertex.spread
    return Fit(best=10.0**place, low=10.0 ** (place - spread), high=10.0 ** (place + spread))


def _grid(
    rates: Sequence[float], horizons: Sequence[int], seeds: int, steps: int
) -> list[tuple[float, int, int]]:
    peaks = sorted({_checks.finite("rates", rate, low=0.0, low_open=True) for rate in rates})
    most = min(steps, MOST_STEPS)
    lengths = sorted({_checks.integer("horizons", h, low=1, high=most) for h in horizons})
    if len(peaks) < FEWEST_RATES or not lengths:
        raise ValueError(
            "rates must hold at least three different rates and horizons one number of steps, "
            f"got {list(rates)!r} and {list(horizons)!r}"
        )
    return [(r, h, s) for h in lengths for s in range(seeds) for r in peaks]


def _fill(survey: Survey, runs: Sequence[ProbeRun]) -> None:
    """Give a survey a grid's runs: the means over seeds."""
    by_point: dict[tuple[int, float], list[float]] = {}
    for run in runs:
        by_point.setdefault((run.horizon, math.log10(run.learning_rate)), []).append(run.final)
    for (horizon, place), finals in by_point.items():
        survey.ends.setdefault(horizon, {})[place] = sum(finals) / len(finals)

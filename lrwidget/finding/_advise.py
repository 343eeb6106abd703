"""Advice on a learning rate: curvature says where to begin, and short real runs which is best."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Literal

from lrwidget import _checks
from lrwidget.finding._advice import Advice, Evidence, Sure
from lrwidget.finding._arguments import checked, chosen_steps, is_main_rate, is_rate, rate_column
from lrwidget.finding._cancel import CancelFlag, CancelledError
from lrwidget.finding._fit import Fit
from lrwidget.finding._measured import measured
from lrwidget.finding._probe import result_of, surveying
from lrwidget.finding._probed import unanswered
from lrwidget.finding._prober import Prober
from lrwidget.finding._reasons import reasons_for, unseen_side
from lrwidget.finding._refusals import (
    USED_UP,
    Refusal,
    RefusedError,
    check_data,
    check_first_look,
    check_first_rate,
    check_price,
    check_start,
    check_updates,
)
from lrwidget.finding._replicas import Objective, Replicas
from lrwidget.finding._rest import highest_left
from lrwidget.finding._start import REPLICAS
from lrwidget.finding._verdict import check_response
from lrwidget.optimizers._accumulation import accumulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrwidget.finding._curvature import Curvature
    from lrwidget.finding._probed import Probe
    from lrwidget.finding._prober import ProbeRun
    from lrwidget.finding._start import Start
    from lrwidget.finding._survey import Survey
    from lrwidget.optimizers import Chain, Link
    from lrwidget.training import Task, Trainer

BUDGETS = {"quick": 400, "thorough": 3000}
"""Gradient steps, by name."""

SMALLEST_BUDGET = 100

# Hessian-vector products; five find the sharpness within a tenth.
_PRODUCTS = 5

# The band's width in decades, at most.
_VERY_SURE, _FAIRLY_SURE = 0.5, 1.0

# No single run takes more than this part of the budget, but for one that is as long as training.
_LONGEST_SHARE = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdviceProgress:
    """The search so far, as `on_progress` gets it.

    Attributes
    ----------
    stage
        What is being done, in words.
    share
        How much of the budget has been spent, 0 to 1.
    runs
        Every short run so far.
    curvature
        The curvature, once it has been measured.
    gradient_steps
        What it has cost so far.
    """

    stage: str
    share: float
    runs: tuple[ProbeRun, ...]
    curvature: Curvature | None
    gradient_steps: float


def advise(
    task: Task,
    chain: Chain | Link,
    *,
    steps: int | None = None,
    budget: Literal["quick", "thorough"] | float = "quick",
    loss: Objective = "train",
    address: str | None = None,
    seed: int = 0,
    start: Literal["current"] | Trainer | None = None,
    on_progress: Callable[[AdviceProgress], object] | None = None,
    cancel: CancelFlag | None = None,
) -> Advice:
    """Advise on the learning rate of a designed schedule, or say why there is no advice.

    The curvature at the start says about where to look. From there the schedule itself is run for
    real, compressed to short horizons, at several peaks, all with the same batches (see `probe`);
    the few best go on to longer horizons, as long as the budget allows. The trend of the best rate
    over the horizons gives the one at `steps`. Nothing is touched: training afterwards is, bit for
    bit, what it would have been without.

    Parameters
    ----------
    task
        What is trained.
    chain
        The optimizer chain with the schedule that will be used, or its one link.
    steps
        How long training will be, at least 10; default the chain's length, what is left of the
        run, or 1000 where there is neither.
    budget
        Most gradient steps: ``"quick"`` (400), ``"thorough"`` (3000), or a number >= 100.
    loss
        What shall be low at the end: the ``"train"`` loss or the ``"valid"`` loss.
    address
        Which hyperparameter is advised on; default the chain's learning rate. Groups with chains
        of their own have theirs, such as ``"generator/learning_rate"``.
    seed
        Another one gives other batches and other randomness, integer >= 0; the same one gives the
        same advice. 0: those that the run itself will have.
    start
        None for the task's initial weights; ``"current"`` for those that the model object has
        now; a `Trainer` for the whole state of its run, which is paused meanwhile. The advice is
        then the highest rate of what is left of the chain's schedule; where the run has that very
        chain, but for how high its rate is, the reasons say by what to scale the rest of it.
    on_progress
        Called with an `AdviceProgress` after each run, on the calling thread. Without it nothing is
        told before the end.
    cancel
        A `threading.Event` or the like; when set, the advice is refused for that reason.

    Returns
    -------
    Advice
        With `Advice.refused` instead of a rate where the loss does not respond to the rate, where
        seeds disagree, where the data is too short, or where the loss is not finite at the start.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    The first call for a task compiles: its steps, and the products of the curvature. For a small
    network that is most of the time, ten to thirty seconds of it; later ones for the same task and
    chain, also with another schedule, take a fraction of that.

    What is looked for is the lowest final loss. Where two networks play against each other, as in
    a GAN, the sum of their losses is no such target: `find_lr` with ``metric=`` looks at one of
    them.

    Examples
    --------
    >>> advice = advise(task, chain, steps=2000)  # doctest: +SKIP
    >>> chain.replace(learning_rate=schedule.with_peak(advice.learning_rate))  # doctest: +SKIP
    """
    from lrwidget.finding._start import started

    chain = checked(task, chain, loss, on_progress, cancel)
    most = budget_of(budget)
    seed = _checks.integer("seed", seed, low=0, high=2**20)
    with started(task, chain, start) as begin:
        length = chosen_steps(steps, chain, begin)
        search = _Search(begin, chain, length, most, loss, seed, on_progress, cancel)
        search.column = rate_column(chain, begin.addresses, address)
        if start is not None and not isinstance(start, str):
            search.left = functools.partial(highest_left, start, begin, search.column, length)
        return search.run()


def budget_of(budget: str | float) -> float:
    """Return a budget in gradient steps, or raise a ValueError."""
    if isinstance(budget, str):
        if budget not in BUDGETS:
            raise ValueError(
                f"budget must be {' or '.join(map(repr, BUDGETS))}, or a number of gradient steps "
                f">= {SMALLEST_BUDGET}, got {budget!r}"
            )
        return float(BUDGETS[budget])
    return _checks.finite("budget", budget, low=SMALLEST_BUDGET)


class _Search:
    """One search for advice."""

    def __init__(
        self,
        start: Start,
        chain: Chain,
        steps: int,
        budget: float,
        loss: Objective,
        seed: int,
        on_progress: Callable[[AdviceProgress], object] | None,
        cancel: CancelFlag | None,
    ) -> None:
        self.column = 0
        self.left: Callable[[], float | None] = lambda: None
        self._start, self._chain, self._steps = start, chain, steps
        self._budget, self._loss, self._seed = budget, loss, seed
        self._on_progress = on_progress
        self._replicas = Replicas(start, objective=loss, cancel=cancel)
        self._curvature: Curvature | None = None
        self._prober: Prober | None = None
        self._found: Probe | None = None

    def run(self) -> Advice:
        """Look, and return what was found."""
        from lrwidget.training._pass_source import UsedUpError

        try:
            check_data(self._start)
            address = self._start.addresses[self.column]
            check_updates(accumulated(self._chain, address), self._steps)
            check_first_rate(self._start, self._chain, self.column)
            self._tell("looking at the curvature")
            self._measure_curvature()
            survey = self._probe()
        except CancelledError:
            if self._found is not None:
                self._found = dataclasses.replace(self._found, cancelled=True)
            return self._refused(Refusal("the search was stopped", "let it come to its end"))
        except RefusedError as error:
            return self._without_an_answer(error.refusal)
        except UsedUpError:
            return self._without_an_answer(USED_UP)
        optimum = survey.optimum()
        assert optimum is not None and self._found is not None  # noqa: S101, PT018
        self._tell("done")
        return self._advised(optimum[0])

    def _measure_curvature(self) -> None:
        from lrwidget.finding._curvature import curvature_at
        from lrwidget.finding._first_look import first_look

        start, replicas = self._start, self._replicas
        look = first_look(start, replica=REPLICAS * self._seed)
        replicas.spent += look.gradient_steps
        # What follows compiles for seconds.
        replicas.check_cancelled()
        check_first_look(look, [self._chain])
        chain, left_out = measured(self._chain)
        # Without some links the rate would not be that of the chain; where an update computes
        # gradients of its own, dozens of them would cost more than they tell; and it says nothing
        # of another hyperparameter. Of complex parameters it knows nothing.
        dear = {"value_fn", "obj_fn"} & start.runner.needs
        main = is_main_rate(self._chain, start.addresses[self.column])
        if look.trouble is not None or left_out or dear or look.complex or not main:
            return
        self._curvature = curvature_at(
            dataclasses.replace(start, chain=chain),
            seed=REPLICAS * self._seed,
            iterations=_PRODUCTS,
            look=look,
            check=replicas.check_cancelled,
        )
        replicas.spent += self._curvature.gradient_steps

    def _probe(self) -> Survey:
        replicas, start = self._replicas, self._start
        if self._loss == "valid":
            check_price(replicas.judging_price(self._steps), self._budget - replicas.spent)
        # As many batches as judge the longest run that the budget can pay for several times.
        longest = min(self._steps, int(self._budget / _LONGEST_SHARE))
        initial = replicas.judged(start.carry(), replicas.judging(longest))
        check_start(initial)
        prober = Prober(
            replicas,
            steps=self._steps,
            column=self.column,
            initial=initial,
            seed=REPLICAS * self._seed,
            on_run=lambda: self._tell("running probes"),
        )
        self._prober = prober
        level = float(initial.mean())
        survey = surveying(prober, self._chain, self._budget, prober.initial, self._centre())
        try:
            survey.run()
        finally:
            # What was learnt is worth showing also where it ends early.
            if prober.runs:
                self._found = result_of(prober, survey, level, self._loss)
        if self._found is None:
            self._found = result_of(prober, survey, level, self._loss)
        check_response(prober, survey, self._found, initial)
        return survey

    def _designed(self) -> int | None:
        # What is left of a run is as long as it is.
        return None if self._start.left is not None else self._chain.steps

    def _what(self) -> str:
        return "rate" if is_rate(self._chain, self._start.addresses[self.column]) else "value"

    def _address(self) -> str:
        chain, address = self._chain, self._start.addresses[self.column]
        rates = {f"{label}.{link.declaration.rate}" for label, link in chain.labelled()}
        alone = len(rates.intersection(chain.addresses())) == 1 and is_main_rate(chain, address)
        return "learning_rate" if alone else address

    def _centre(self) -> float | None:
        """Return the rate to begin at; None where the optimizer's usual one is as good."""
        curvature = self._curvature
        if curvature is None or any(link.declaration.expects_one for link in self._chain.links):
            return None
        return curvature.critical_rate

    def _tell(self, stage: str) -> None:
        if self._on_progress is None:
            return
        spent = self._replicas.spent
        self._on_progress(
            AdviceProgress(
                stage=stage,
                share=min(spent / self._budget, 1.0) if stage != "done" else 1.0,
                runs=() if self._prober is None else tuple(self._prober.runs),
                curvature=self._curvature,
                gradient_steps=spent,
            )
        )

    def _advised(self, fit: Fit) -> Advice:
        assert self._found is not None  # noqa: S101
        sure: Sure = "a first guess"
        if fit.decades <= _FAIRLY_SURE:
            sure = "very sure" if fit.decades <= _VERY_SURE else "fairly sure"
        if unseen_side(self._found) is not None:
            sure = "a first guess"
        return Advice(
            learning_rate=fit.best,
            low=fit.low,
            high=fit.high,
            sure=sure,
            reasons=reasons_for(
                self._found,
                fit,
                self._curvature,
                self._designed(),
                what=self._what(),
                left=self.left(),
            ),
            refused=None,
            remedy=None,
            **self._account(),
        )

    def _without_an_answer(self, refusal: Refusal) -> Advice:
        if self._found is not None:
            self._found = unanswered(self._found, refusal)
        return self._refused(refusal)

    def _refused(self, refusal: Refusal) -> Advice:
        return Advice(
            learning_rate=None,
            low=None,
            high=None,
            sure=None,
            reasons=(),
            refused=refusal.reason,
            remedy=refusal.remedy,
            **self._account(),
        )

    def _account(self) -> dict[str, Any]:
        probe = self._found
        return {
            "gradient_steps": self._replicas.spent,
            "budget": self._budget,
            "steps": self._steps,
            "loss": self._loss,
            "evidence": Evidence(probe=probe, curvature=self._curvature),
            "address": self._address(),
        }

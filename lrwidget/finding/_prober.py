"""The designed schedule, compressed to a short horizon and run at another peak."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lrwidget.finding._arguments import is_rate
from lrwidget.finding._replicas import Replica, Replicas
from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from lrwidget.finding._start import Start

FloatArray = npt.NDArray[np.float64]

# A run that ends so many times higher than it began is lost. On the way it may climb higher: the
# best rates often throw the loss up at first (a catapult) and come down again. Only what has left
# all bounds need not be paid to its end.
_LOST = 4.0
_OUT_OF_BOUNDS = 1e4

# Of a schedule that has ended, a rate by at most this share of its peak trains no more.
_NOTHING_LEFT = 0.01

# Rows of a schedule that are kept. Of a longer one only so many are looked at: runs for which there
# is a budget have fewer steps than that, and see nothing of what is shorter than such a piece.
_MOST_ROWS = 2**20
_ROWS_OF_LONGER = 2**13


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ProbeRun:
    """One short run.

    Attributes
    ----------
    learning_rate
        The peak of the learning rate's schedule.
    horizon
        Its steps.
    seed
        Which order of the data and which randomness; 0 for what the run itself would have.
    losses
        The loss of each step's batch before its update, float64, shape (n,); n is less than
        `horizon` where the run was lost on the way.
    final
        The objective after the last step; infinite where the run was lost.
    gradient_steps
        What it cost.
    initial
        The objective before the first step, on the batches that `final` is of.
    end
        The objective after the last step, also where it is so high that the run is lost; infinite
        where it left all bounds.
    """

    learning_rate: float
    horizon: int
    seed: int
    losses: FloatArray
    final: float
    gradient_steps: float
    initial: float = math.nan
    end: float = math.inf

    @property
    def diverged(self) -> bool:
        """Whether the run was lost."""
        return not math.isfinite(self.final)


class Prober:
    """Runs a schedule at other peaks and horizons; a `Laboratory` of a `Survey`.

    Parameters
    ----------
    replicas
        Where the runs are made, and what they cost.
    steps
        The length of the schedule that is compressed.
    column
        Which column of the rows is the learning rate.
    initial
        The objective before the first step; see `Replicas.judged`.
    seed
        Number of the first replica.
    on_run
        Called after each run.

    Attributes
    ----------
    runs
        All of them, in order.
    judged
        The objective on each common batch, of each run.
    """

    def __init__(
        self,
        replicas: Replicas,
        *,
        steps: int,
        column: int,
        initial: FloatArray,
        seed: int = 0,
        on_run: Callable[[], object] | None = None,
    ) -> None:
        self.replicas = replicas
        self.steps = steps
        self.runs: list[ProbeRun] = []
        self.judged: list[FloatArray] = []
        self.column = column
        self._places, self._rows = _looked_at(replicas.start, steps)
        self._seed = seed
        self.on_run = on_run
        self._initial = initial
        # A loss near zero has no level of its own to be measured by.
        self._size = abs(float(initial.mean()))
        if len(initial) > 1:
            self._size = max(self._size, float(np.ptp(initial)))

    @property
    def peak(self) -> float:
        """The highest rate of the schedule as it was designed."""
        return float(self._rows[:, self.column].max())

    @property
    def held(self) -> float:
        """How much of its peak the schedule has in its last tenth, 0 to 1."""
        last = self._rows[self._places >= int(0.9 * self.steps), self.column]
        return float(last.mean()) / self.peak if self.peak else 1.0

    @property
    def ends_after(self) -> int | None:
        """After how many of the steps the rate's schedule has ended, and left next to nothing.

        None where it goes on, or holds a rate to the end.
        """
        start = self.replicas.start
        rate = start.chain.value(start.addresses[self.column])
        if not isinstance(rate, Schedule) or rate.steps is None:
            return None
        left = rate.steps - start.step
        after = self._rows[self._places >= left, self.column]
        ended = left > 0 and len(after) > 0 and float(after.max()) <= _NOTHING_LEFT * self.peak
        return left if ended else None

    @property
    def is_rate(self) -> bool:
        """Whether what differs is a learning rate, of the chain or of a group."""
        start = self.replicas.start
        return is_rate(start.chain, start.addresses[self.column])

    @property
    def spent(self) -> float:
        """Gradient steps so far."""
        return self.replicas.spent

    def price(self, horizon: int) -> float:
        """Return what a run costs at most, in gradient steps."""
        return self.replicas.price(horizon)

    def initial(self, horizon: int) -> float:
        """Return the objective before the first step, on what judges runs of so many steps."""
        return float(self._initial[: self.replicas.judging(horizon)].mean())

    def _above(self, sizes: float) -> float:
        size = self._size if self._size > 0.0 else math.inf
        return float(self._initial.mean()) + sizes * size

    def try_rate(self, place: float, horizon: int, replica: int) -> float:
        """Run at the peak ``10**place`` and return the objective at the end."""
        return self.probe(10.0**place, horizon, replica).final

    def may_recover(self, place: float, horizon: int) -> bool:
        """Return whether what was lost at the peak ``10**place`` only ended high."""
        rate = 10.0**place
        return any(
            run.diverged and math.isfinite(run.end)
            for run in self.runs
            if run.horizon == horizon and run.learning_rate == rate and run.seed == self._seed
        )

    def probe(self, rate: float, horizon: int, replica: int = 0) -> ProbeRun:
        """Run at a peak; see `compressed`."""
        number = self._seed + replica
        rows = self.compressed(rate, horizon)
        run: Replica = self.replicas.run(rows, replica=number, limit=self._above(_OUT_OF_BOUNDS))
        final = run.end if run.end <= self._above(_LOST - 1.0) else math.inf
        if math.isfinite(final):
            # What can be gained tells the size of the loss as well as its level does.
            self._size = max(self._size, self.initial(horizon) - final)
        self.judged.append(run.judged)
        self.runs.append(
            ProbeRun(
                learning_rate=rate,
                horizon=horizon,
                seed=number,
                losses=run.losses,
                final=final,
                gradient_steps=run.gradient_steps,
                initial=self.initial(horizon),
                end=run.end,
            )
        )
        if self.on_run is not None:
            self.on_run()
        return self.runs[-1]

    def compressed(self, rate: float, horizon: int) -> FloatArray:
        """Return the rows of a shorter horizon, shape (horizon, addresses).

        Each of the new steps has the values of the middle of the stretch that it stands for; over
        all of the steps they are those of the schedule itself.
        """
        middle = (np.arange(horizon) + 0.5) * (self.steps / horizon) - 0.5
        columns = [np.interp(middle, self._places, column) for column in self._rows.T]
        rows = np.stack(columns, axis=1)
        peak = self.peak
        # A rate that is 0 throughout has no shape of its own.
        shape = rows[:, self.column] / peak if peak > 0.0 else np.ones(horizon)
        rows[:, self.column] = rate * shape
        return rows


def _looked_at(start: Start, steps: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the steps at which the schedule is looked at, and the rows there."""
    if steps <= _MOST_ROWS:
        return np.arange(steps), start.rows(0, steps)
    # More of them near the beginning, where a warm-up is.
    even = np.linspace(0.0, steps - 1.0, _ROWS_OF_LONGER)
    early = np.geomspace(1.0, steps - 1.0, _ROWS_OF_LONGER // 8)
    places = np.unique(np.round(np.concatenate([even, early])).astype(np.int64))
    return places, np.concatenate([start.rows(int(place), 1) for place in places])

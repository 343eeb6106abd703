"""Where a finder begins: the task's initial weights, the present ones, or the middle of a run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lrwidget.finding._measured import measured

if TYPE_CHECKING:
    import jax

    from lrwidget.optimizers import Chain
    from lrwidget.training import Runner, Task, Trainer
    from lrwidget.training._batches import Origin, Stream
    from lrwidget.training._plan import Plans
    from lrwidget.training._runner import Carry

# What lies between the seeds of two replicas: people number their own tasks 0, 1, 2.
_STRIDE = 104_729
_SEEDS = 2**32
_FEW = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """A state that any number of short runs can begin from; none of them changes it.

    Attributes
    ----------
    task
        What is trained.
    runner
        The compiled step.
    chain
        The chain that it trains with.
    step
        Steps that have been done; 0 unless it is in the middle of a run.
    left
        Steps that the run has left; None where there is no run.
    goes_on
        Whether the optimizer's state is that of the run, and not a new one.
    """

    task: Task
    runner: Runner
    chain: Chain
    step: int
    left: int | None
    goes_on: bool
    _carry: Carry
    _origin: Origin
    _saved: Any
    _rows: Callable[[int, int], npt.NDArray[np.float64]]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The live hyperparameters: the columns of `rows`."""
        return self.runner.addresses

    def carry(self) -> Carry:
        """Return what a run begins with, in arrays of its own."""
        from lrwidget.training._arrays import copied

        carry: Carry = copied(self._carry)
        return carry

    def rows(self, first: int, count: int) -> npt.NDArray[np.float64]:
        """Return what the plan has for `count` steps, the first of them `first` steps from here.

        Shape (count, addresses), float64.
        """
        return self._rows(self.step + first, count)

    def seed(self, replica: int) -> int:
        """Return the seed of a replica: the task's own for 0."""
        return (self.task.seed + _STRIDE * replica) % _SEEDS

    def root(self, replica: int) -> jax.Array:
        """Return the key of a replica's randomness: that of the task's steps for 0."""
        from lrwidget.training._randomness import step_root

        return step_root(self.seed(replica))

    def stream(self, replica: int = 0, *, elsewhere: int = 0) -> Stream:
        """Return a replica's batches, to be closed by whoever asked.

        Replica 0 gets the batches that the run itself gets next. Others get the data in the order
        of another seed; data that has an order of its own is taken from so many times `elsewhere`
        steps further on.
        """
        source = self.runner.source
        if replica == 0:
            return source.stream(self.step, self._origin, self._saved)
        other = source.reseeded(self.seed(replica))
        if other is not source:
            return other.stream(self.step, self._origin)
        saved = self._saved if not elsewhere else None
        away = replica % _FEW * elsewhere  # what is skipped must be read
        return source.stream(self.step + away, self._origin, saved)


@contextlib.contextmanager
def started(task: Task, chain: Chain, start: Any = None) -> Iterator[Start]:
    """Give the state to begin from; a Trainer that runs is paused meanwhile, and goes on after.

    Parameters
    ----------
    task
        What is trained.
    chain
        What it is trained with.
    start
        None for the task's initial weights; ``"current"`` for those that the model object has
        now; a `Trainer` for the whole state of its run: weights, optimizer, data and randomness.
        Where `chain` is not built like the run's, the optimizer begins anew.

    Raises
    ------
    TypeError, ValueError
        If `start` is none of these, or the run is of another task.
    """
    from lrwidget.training import Trainer
    from lrwidget.training._batches import START

    if isinstance(start, Trainer):
        with _at_rest(start):
            yield _in_run(task, chain, start)
        return
    if start is None:
        begin = None
    elif isinstance(start, str) and start == "current":
        begin = task.current()
    else:
        raise ValueError(f'start must be None, a Trainer or "current", got {start!r}')
    runner = task.runner(chain)
    yield Start(
        task=task,
        runner=runner,
        chain=chain,
        step=0,
        left=None,
        goes_on=False,
        _carry=runner.initial(begin),
        _origin=START,
        _saved=None,
        _rows=_rows_of(chain, runner.addresses),
    )


@contextlib.contextmanager
def _at_rest(trainer: Trainer) -> Iterator[None]:
    going = trainer.state in ("running", "compiling")
    if going:
        trainer.pause()
    try:
        yield
    finally:
        # Somebody may have stopped it meanwhile, or let it go on by hand.
        if going and trainer.state == "paused":
            trainer.resume()


def _in_run(task: Task, chain: Chain, trainer: Trainer) -> Start:
    from lrwidget.training._batches import Origin

    if trainer.task is not task:
        raise ValueError("start must be a Trainer of the same task, got one of another task")
    loop = trainer._loop  # noqa: SLF001  (the run's whole state is nobody else's business)
    state, edits, _, _ = loop.ask(lambda _: loop.surrender())
    assert edits.sizes is not None  # noqa: S101  (a task's run knows its batch sizes)
    span = edits.sizes.at(state.step)
    runner, carry = loop.runner_of(span.size), state.carry
    rows: Callable[[int, int], npt.NDArray[np.float64]] = edits.plans.rows
    goes_on = chain.structure() == trainer.chain.structure()
    if not goes_on:
        runner = task.runner(chain, batch_size=span.size)
        # Where only the links are missing that a range test leaves out, the plan goes on as well.
        alike = measured(trainer.chain)[0].structure() == chain.structure()
        rows = _rows_of(chain, runner.addresses, edits.plans if alike else None)
        carry = runner.initial((carry.params, carry.state))
    return Start(
        task=task,
        runner=runner,
        chain=chain,
        step=state.step,
        left=max(trainer.steps - state.step, 0),
        goes_on=goes_on,
        _carry=carry,
        _origin=Origin(span.step, span.epoch),
        _saved=state.stream,
        _rows=rows,
    )


def _rows_of(
    chain: Chain, addresses: tuple[str, ...], plans: Plans | None = None
) -> Callable[[int, int], npt.NDArray[np.float64]]:
    """Return what gives the rows of some addresses: of the plans' as planned, else the chain's."""
    known = chain.addresses()
    columns = [known.index(address) for address in addresses]
    planned = () if plans is None else plans.addresses
    shared = [(place, planned.index(a)) for place, a in enumerate(addresses) if a in planned]

    def rows(first: int, count: int) -> npt.NDArray[np.float64]:
        made = chain.rows(first, count)[:, columns]
        if plans is not None:
            there = plans.rows(first, count)
            for place, column in shared:
                made[:, place] = there[:, column]
        return made

    return rows

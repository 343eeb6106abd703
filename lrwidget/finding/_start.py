"""Where a finder begins: the task's initial weights, the present ones, or the middle of a run."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from lrwidget.finding._measured import measured

if TYPE_CHECKING:
    import jax

    from lrwidget.optimizers import Chain
    from lrwidget.training import Runner, Task, Trainer
    from lrwidget.training._batches import Origin, Stream
    from lrwidget.training._pass_source import PassSource
    from lrwidget.training._plan import Plans
    from lrwidget.training._runner import Carry

# What lies between the seeds of two replicas: people number their own tasks 0, 1, 2.
_STRIDE = 104_729
REPLICAS = 64
"""How many replicas each seed has; those of the next one are numbered on from there."""

_SEEDS = 2**32

# Data that comes in an order of its own is read from another place for each replica. What lies
# before that place must be read, so that it is never farther on than so many batches.
_FARTHEST = 512
_GOLDEN = 0.6180339887498949
# Where nobody knows how long a pass is: by how many batches two replicas are apart.
_APART = 11
_PLACES = 63


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
    _begun: Callable[[], Carry]
    _origin: Origin
    _saved: Any
    _rows: Callable[[int, int], npt.NDArray[np.float64]]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The live hyperparameters: the columns of `rows`."""
        return self.runner.addresses

    def carry(self) -> Carry:
        """Return what a run begins with, in arrays of its own."""
        return self._begun()

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

    def stream(self, replica: int = 0) -> Stream:
        """Return a replica's batches, to be closed by whoever asked.

        Replica 0 gets the batches that the run itself gets next. Others get the data in the order
        of another seed; data that has an order of its own is read from another place of a pass.
        """
        source = self.runner.source
        if replica == 0:
            return source.stream(self.step, self._origin, self._saved)
        other = source.reseeded(self.seed(replica))
        if other is not source:
            return other.stream(self.step, self._origin)
        # Only an iterable has an order of its own.
        away, saved = _away(replica, cast("PassSource", source)), self._saved
        if saved is not None:
            saved = {**saved, "skip": saved["skip"] + away}
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

    Raises
    ------
    TypeError, ValueError
        If `start` is none of these, or the run is of another task.

    Notes
    -----
    In the middle of a run `chain` is what is trained with from there. Where it is the run's own,
    or that without what a range test leaves out, its numbers are those that the run's plans have
    by now, with every edit. Where any number or schedule of it is another, all of them are its
    own, and its schedules count the steps of the run, as in `Trainer.set`. The optimizer's state
    is the run's where the chain is built like the run's; else it begins anew.

    On the thread that takes the run's steps, in a subscriber, nothing is paused: the run waits
    for it anyway. A `Trainer.step` that is not done yet is taken to its end afterwards.
    """
    from lrwidget.training import Trainer
    from lrwidget.training._batches import START

    if isinstance(start, Trainer):
        with at_rest(start):
            yield _in_run(task, chain, start)
        return
    if start is None:
        begin = None
    elif isinstance(start, str) and start == "current":
        begin = task.current()
    elif isinstance(start, str):
        raise ValueError(f'start must be None, a Trainer or "current", got {start!r}')
    else:
        raise TypeError(f'start must be None, a Trainer or "current", got {type(start).__name__}')
    runner = task.runner(chain)
    yield Start(
        task=task,
        runner=runner,
        chain=chain,
        step=0,
        left=None,
        goes_on=False,
        _begun=functools.partial(runner.initial, begin),
        _origin=START,
        _saved=None,
        _rows=_rows_of(chain, runner.addresses),
    )


@contextlib.contextmanager
def at_rest(trainer: Trainer, source: str = "code") -> Iterator[None]:
    """Hold a run at rest; afterwards it goes on as it would have.

    Parameters
    ----------
    trainer
        The run; one that does not go on is left as it is.
    source
        Who is to be in its journal as having paused it.
    """
    from lrwidget.training import Pause, Resume, Step

    loop = trainer._loop  # noqa: SLF001  (what a Step has left to do is nobody else's business)
    if loop.on_own_thread or trainer.state not in ("running", "compiling"):
        yield
        return
    # Asked on the run's thread, behind every command that was given before.
    until, going = loop.ask(lambda _: (loop._until, not loop._paused))  # noqa: SLF001
    with contextlib.suppress(ValueError):  # it has ended since
        trainer.submit(Pause(source=source)).result()
    place = trainer.position
    going = going and _paused(trainer) and not loop.held_up
    try:
        yield
    finally:
        # Somebody may have stopped it meanwhile, or let it go on by hand.
        if going and _paused(trainer) and trainer.position == place:
            with contextlib.suppress(ValueError):
                if until is None:
                    trainer.submit(Resume(source=source)).result()
                elif until > place:
                    trainer.submit(Step(steps=until - place, source=source)).result()


def _paused(trainer: Trainer) -> bool:
    return trainer.state == "paused"


def _in_run(task: Task, chain: Chain, trainer: Trainer) -> Start:
    from lrwidget.schedules import Schedule
    from lrwidget.training._arrays import copied
    from lrwidget.training._batches import Origin

    if trainer.task is not task:
        raise ValueError("start must be a Trainer of the same task, got one of another task")
    loop = trainer._loop  # noqa: SLF001  (the run's whole state is nobody else's business)
    state, edits, _, _ = loop.ask(lambda _: loop.surrender())
    assert edits.sizes is not None  # noqa: S101  (a task's run knows its batch sizes)
    span = edits.sizes.at(state.step)
    runner, carry = loop.runner_of(span.size), state.carry
    own = trainer.chain
    compiled_in = set(chain.addresses()) - set(runner.addresses)
    goes_on = chain.structure() == own.structure() and not any(
        # The optimizer's state has no room for what was compiled in and now has a schedule.
        isinstance(chain.value(address), Schedule)
        for address in compiled_in
    )
    if not goes_on:
        runner = task.runner(chain, batch_size=span.size)
        carry = runner.initial((carry.params, carry.state))
        # Where only the links are missing that a range test leaves out, the plan goes on as well.
        own = measured(own)[0]
    elif not _same_values(chain, own, compiled_in):
        runner = task.runner(chain, runner.addresses, batch_size=span.size)
    alike = chain.structure() == own.structure() and _same_values(chain, own, chain.addresses())
    rows = _rows_of(chain, runner.addresses, edits.plans if alike else None)
    return Start(
        task=task,
        runner=runner,
        chain=chain,
        step=state.step,
        left=max(trainer.steps - state.step, 0),
        goes_on=goes_on,
        _begun=functools.partial(copied, carry),
        _origin=Origin(span.step, span.epoch),
        _saved=state.stream,
        _rows=rows,
    )


def _same_values(one: Chain, other: Chain, addresses: Iterable[str]) -> bool:
    return all(one.value(address) == other.value(address) for address in addresses)


def _away(replica: int, source: PassSource) -> int:
    """Return by how many batches a replica's place in the data is farther on, at least 1.

    It is no multiple of a pass's length, at which the batches would be those of replica 0, and
    depends on nothing but that length: the same replica is to get the same batches before and
    after a pass has told how long it is.
    """
    if source.has_length and source.steps_per_epoch is not None:
        # Multiples of the golden ratio are spread evenly, however many of them there are.
        reach = min(source.steps_per_epoch, _FARTHEST)
        return 1 + int(replica * _GOLDEN % 1.0 * max(reach - 1, 0))
    number = (replica - 1 + 12 * (replica // REPLICAS)) % _PLACES
    away = _APART * (1 + number)
    length = source.first_length(away)
    if length is None:
        return away
    # It would be in a later pass. Every place of a pass is taken once before one is taken again.
    places = dict.fromkeys(_APART * k % length for k in range(1, length))
    others = [place for place in places | dict.fromkeys(range(1, length)) if place]
    return others[number % len(others)] if others else away


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

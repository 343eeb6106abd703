"""`Trainer`: a run of a task on a thread of its own, with controls."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

from lrwidget.optimizers import Chain, chain_of
from lrwidget.training._arguments import (
    check_validation,
    run_length,
    validation_interval,
    warn_of_empty_groups,
)
from lrwidget.training._arrays import PyTree, copied
from lrwidget.training._commands import Stop, check_pace
from lrwidget.training._controls import Controls
from lrwidget.training._edits import Edits
from lrwidget.training._kernel import warn_if_deaf
from lrwidget.training._loop import Loop
from lrwidget.training._plan import Plans
from lrwidget.training._results import Results
from lrwidget.training._steered import ENDED
from lrwidget.training._task import Task


class Trainer(Controls, Results):
    """Train a task under a chain on a thread of its own, taking commands while it runs.

    Every command takes effect at a step border, is confirmed, and is written to the journal with
    its step; a command that is refused raises and changes nothing. None of them compiles anything
    anew, and neither pausing nor pacing changes a number.

    An `nnx.Module` that the task was made of holds the trained weights, as copies, at every pause
    and at the end.

    Parameters
    ----------
    task
        What is trained.
    chain
        How: a `Chain`, or a single link.
    steps
        Length of the run; default the longest schedule of the chain.
    epochs
        Length in passes over the training data, instead of `steps`.
    pace
        Most steps a second, > 0; None for no limit.
    live
        Addresses of the hyperparameters that can change; default all but numbers below zero, such
        as that of ``scale(-1e-3)``, since no schedule goes below. Those left out are compiled
        in as the numbers that they are: with ``live=["learning_rate"]`` Adam is bit-equal to
        ``optax.adam``, while with all of its constants injected the last bits may differ.
    valid_every
        Steps between validation passes, at least 1; default an epoch, or a twentieth of the run
        where the length of an epoch is not known. Needs validation data in the task. The last
        pass is at the end of the run.
    start
        Weights and model state to begin with: None for the task's initial ones, another `Trainer`
        for where that one is, ``"current"`` for what the model object holds now. The optimizer's
        state, the order of the data and the randomness always begin afresh.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Attributes
    ----------
    live_trainers
        The trainers whose runs have begun and not ended.

    Examples
    --------
    >>> t = Trainer(task, chain, steps=2000)  # doctest: +SKIP
    >>> t.start()  # doctest: +SKIP
    >>> t.set(learning_rate=1e-3)  # doctest: +SKIP
    >>> t.wait()  # doctest: +SKIP
    """

    live_trainers: ClassVar[weakref.WeakSet[Trainer]] = weakref.WeakSet()

    def __init__(
        self,
        task: Task,
        chain: Chain,
        steps: int | None = None,
        epochs: int | None = None,
        pace: float | None = None,
        live: Iterable[str] | None = None,
        valid_every: int | None = None,
        start: Trainer | Literal["current"] | None = None,
    ):
        if not isinstance(task, Task):
            raise TypeError(f"task must be a Task, got {task!r}")
        self.task = task
        self.chain = chain_of(chain)
        check_validation(task, self.chain)
        warn_of_empty_groups(task, self.chain)
        steps = run_length(task, self.chain, steps, epochs)
        pace = check_pace("pace", pace)
        valid_every = validation_interval(task, steps, valid_every)
        runner = task.runner(self.chain, live)
        self.runner = runner
        self.addresses = runner.addresses
        self.starts_elsewhere = start is not None
        self._subscriptions: list[tuple[object, Callable[[Trainer], object]]] = []
        self._loop = Loop(
            task,
            runner,
            Edits(Plans(self.chain, runner.addresses), steps),
            pace=pace,
            valid_every=valid_every,
            start=_starting_point(task, start),
            on_change=self._announce,
        )

    def __repr__(self) -> str:
        return f"Trainer({self.state}, step {self.position} of {self.steps}, {self.task!r})"

    # ---- running --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the run and return at once; ValueError if it has been started."""
        self._loop.start()

    def run_sync(self) -> None:
        """Run from start to end, as in a script; see `wait` for interrupts and errors.

        In a notebook the controls are dead meanwhile: use `start`, or ``await t.run()``.
        """
        self.start()
        self.wait()

    async def run(self) -> None:
        """Run to the end in a cell that waits while its controls stay alive.

        Starts the run if need be, and waits for its end; cancelling (Kernel → Interrupt) stops
        it. Raises as `wait` does. The controls need ipykernel 7.4 or newer; an older kernel gets a
        warning.
        """
        if self.state in ENDED:
            raise ValueError(f"this run is {self.state}: make a new Trainer")
        warn_if_deaf()
        if self.state == "idle":
            self.start()
        try:
            await self._ended()
        except asyncio.CancelledError:
            self.submit(Stop())
            await self._ended()
            raise
        self._raise_failure()
        self._warn_of_divergence()

    def to_code(self) -> str:
        """Return a script that repeats the run, as far as it went, without lrwidget.

        It needs Optax, JAX, NumPy, and Flax if the model does; model, loss function and data are
        its user's. Its ``train`` does the same shuffling and draws the same randomness.
        """
        from lrwidget.training._script import write_script

        return write_script(self)

    def _announce(self) -> None:
        if self.state in ENDED:
            Trainer.live_trainers.discard(self)
        elif self.state != "idle":
            Trainer.live_trainers.add(self)
        super()._announce()

    def _ended(self) -> asyncio.Future[None]:
        # Shielded: a cancelled cell must not cancel what other threads wait for.
        return asyncio.shield(asyncio.wrap_future(self._loop.ended))


def _starting_point(task: Task, start: Any) -> tuple[PyTree, PyTree] | None:
    if start is None:
        return None
    if isinstance(start, Trainer):
        carry = start._loop.ask(copied)  # noqa: SLF001  (the same class)
        task.check_start(carry.params, carry.state)
        return carry.params, carry.state
    if isinstance(start, str) and start == "current":
        return task.current()
    raise ValueError(f'start must be None, a Trainer or "current", got {start!r}')

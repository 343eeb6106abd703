"""`Trainer`: a run of a task on a thread of its own, with controls."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import logging
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lrwidget import _checks
from lrwidget.optimizers import Chain, chain_of
from lrwidget.schedules import Schedule
from lrwidget.training._arguments import merged, run_length, validation_interval
from lrwidget.training._arrays import PyTree, copied
from lrwidget.training._commands import (
    Command,
    Cooldown,
    Extend,
    Pause,
    Release,
    Resume,
    Scale,
    Set,
    SetPace,
    Step,
    Stop,
    check_pace,
)
from lrwidget.training._edits import Edits
from lrwidget.training._kernel import warn_if_deaf
from lrwidget.training._loop import ENDED, Loop, State
from lrwidget.training._plan import Plans
from lrwidget.training._results import Results
from lrwidget.training._task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_log = logging.getLogger("lrwidget")

# How long the interpreter's exit waits for a run to stop.
_EXIT_SECONDS = 5.0


class Trainer(Results):
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
        Addresses of the hyperparameters that can change; default all. Those left out are compiled
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
        steps = run_length(task, self.chain, steps, epochs)
        pace = check_pace("pace", pace)
        valid_every = validation_interval(task, steps, valid_every)
        runner = task.runner(self.chain, live)
        self.runner = runner
        self.starts_elsewhere = start is not None
        self._edits = Edits(Plans(self.chain, runner.addresses), steps)
        self._subscriptions: list[tuple[object, Callable[[Trainer], object]]] = []
        self._loop = Loop(
            task,
            runner,
            self._edits,
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

    def pause(self) -> None:
        """Pause, and return when the run is at rest and the model holds its weights."""
        self._do(Pause())
        self._raise_failure()

    def resume(self) -> None:
        """Go on after a pause."""
        self._do(Resume())

    def step(self, n: int = 1) -> None:
        """Take `n` steps, at least 1, and pause; starts a run that has not been started."""
        self._do(Step(steps=_checks.integer("n", n, low=1)))
        self._loop.wait_until(lambda: self.state == "paused")
        self._raise_failure()

    def stop(self) -> None:
        """End the run where it is, and return when it has ended."""
        self._do(Stop())
        self._wait_for_end(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the run.

        An interrupt (Ctrl-C, Kernel → Interrupt) stops the run and is raised again.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None for no limit.

        Returns
        -------
        bool
            Whether the run has ended.

        Raises
        ------
        Exception
            What the loss function or the data raised, if the run failed of it.
        ValueError
            If the run has not been started.

        Warns
        -----
        RuntimeWarning
            If the run diverged; `error` says where, and what to do.
        """
        if timeout is not None:
            timeout = _checks.finite("timeout", timeout, low=0.0)
        if self.state == "idle":
            raise ValueError("wait needs a run that has started: call start() first")
        self._refuse_own_thread("wait")
        try:
            ended = self._wait_for_end(timeout)
        except KeyboardInterrupt:
            self.submit(Stop())
            self._wait_for_end(None)
            raise
        if ended:
            self._raise_failure()
            self._warn_of_divergence()
        return ended

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

    def submit(self, command: Command) -> concurrent.futures.Future[int]:
        """Hand over a command and return at once.

        Parameters
        ----------
        command
            One of ``lrwidget.training``'s commands.

        Returns
        -------
        concurrent.futures.Future
            Resolves with the first step that felt the command: for a pause or a stop, when the
            run is at rest. Fails with a ValueError or TypeError if it is refused. Before the
            start commands take effect at once; after the end all but a stop are refused.
        """
        return self._loop.submit(command)

    # ---- changing it ----------------------------------------------------------------------------

    def set(
        self,
        mapping: Mapping[str, float | Schedule] | None = None,
        *,
        from_now: bool = False,
        source: str = "code",
        **by_name: float | Schedule,
    ) -> None:
        """Change hyperparameters from the next step on.

        Parameters
        ----------
        mapping
            Address -> value, for names that are ambiguous: ``{"adamw.weight_decay": 0.0}``.
        from_now
            Whether schedules count their steps from now instead of from the start of the run.
        source
            Who asks; for the journal.
        **by_name
            Name -> value. A number holds until it is released; a schedule is the new plan.

        Raises
        ------
        ValueError, TypeError
            If an address is unknown, ambiguous or not live, or a value not allowed.
        """
        values = merged("set", mapping, by_name)
        self._do(Set(values=values, from_now=from_now, source=source))

    def scale(
        self,
        mapping: Mapping[str, float] | None = None,
        *,
        source: str = "code",
        **by_name: float,
    ) -> None:
        """Multiply what is left of plans, and held numbers, by factors > 0; as `set` otherwise."""
        self._do(Scale(factors=merged("scale", mapping, by_name), source=source))

    def release(self, *addresses: str, source: str = "code") -> None:
        """Let held numbers go, back to the plan; without addresses, all of them."""
        self._do(Release(addresses=addresses, source=source))

    def extend(self, steps: int, *, source: str = "code") -> None:
        """Make the run `steps` steps longer, at least 1; plans hold their last value."""
        self._do(Extend(steps=steps, source=source))

    def cooldown(self, steps: int, end_value: float = 0.0, *, source: str = "code") -> None:
        """Ramp every learning rate straight to `end_value` over `steps` steps, and end there."""
        self._do(Cooldown(steps=steps, end_value=end_value, source=source))

    def set_pace(self, steps_per_second: float | None, *, source: str = "code") -> None:
        """Limit the run to so many steps a second, > 0; None lifts the limit."""
        self._do(SetPace(steps_per_second=steps_per_second, source=source))

    # ---- how it stands --------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """``idle``, ``compiling``, ``running``, ``paused``, or how it ended.

        That is ``finished``, ``stopped``, ``diverged`` (the loss was not finite) or ``failed`` (the
        person's code raised).
        """
        return self._loop.state

    @property
    def steps(self) -> int:
        """Length of the run in steps, as things stand."""
        return self._edits.steps

    @property
    def position(self) -> int:
        """Steps done."""
        return self._loop.position

    @property
    def pace(self) -> float | None:
        """Most steps a second; None for no limit."""
        return self._loop.tempo.pace

    @property
    def steps_per_second(self) -> float | None:
        """How fast it runs, over the last two seconds; None before that is known."""
        return self._loop.tempo.steps_per_second

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at this speed; 0 at the end, None before that is known."""
        if self.state in ENDED:
            return 0.0
        rate = self.steps_per_second
        return None if not rate else (self.steps - self.position) / rate

    @property
    def error(self) -> str | None:
        """Why the run diverged or failed, and what to do; else None."""
        return self._loop.error

    @property
    def traceback(self) -> str | None:
        """The traceback of the error that a run failed of; else None."""
        return self._loop.traceback

    def subscribe(self, fn: Callable[[Trainer], object]) -> Callable[[], None]:
        """Have ``fn(trainer)`` called after every chunk, command and change of state.

        It runs on the run's own thread (before the start, on the caller's), so that it must be
        quick; from there commands do not wait for their confirmation. What it raises is logged.

        Returns
        -------
        callable
            Ends the subscription.
        """
        if not callable(fn):
            raise TypeError(f"fn must be a function of the trainer, got {fn!r}")
        # A pair of its own, so that one function may be subscribed twice.
        subscription = (object(), fn)
        self._subscriptions = [*self._subscriptions, subscription]

        def unsubscribe() -> None:
            self._subscriptions = [s for s in self._subscriptions if s is not subscription]

        return unsubscribe

    # ---- showing it ----------------------------------------------------------------------------

    def plot(self, axes: Sequence[Axes] | None = None) -> tuple[Axes, Axes]:
        """Draw the run with matplotlib, loss above learning rate, and return the two axes.

        Parameters
        ----------
        axes
            Two axes to draw on; default those of a new figure.
        """
        from lrwidget.plotting import plot_run  # matplotlib is heavy

        return plot_run(self, axes)

    def to_code(self) -> str:
        """Return a script that repeats the run, as far as it went, without lrwidget.

        It needs Optax, JAX, NumPy, and Flax if the model does; model, loss function and data are
        its user's. Its ``train`` does the same shuffling and draws the same randomness.
        """
        from lrwidget.training._script import write_script

        return write_script(self)

    # ---- inside ---------------------------------------------------------------------------------

    def _do(self, command: Command) -> None:
        future = self.submit(command)
        if future.done() or threading.current_thread() is not self._loop.thread:
            future.result()

    def _announce(self) -> None:
        if self.state in ENDED:
            Trainer.live_trainers.discard(self)
        elif self.state != "idle":
            Trainer.live_trainers.add(self)
        for _, fn in self._subscriptions:
            try:
                fn(self)
            except Exception:  # noqa: BLE001
                _log.exception("a subscriber of %r raised", self)

    def _wait_for_end(self, timeout: float | None) -> bool:
        if threading.current_thread() is self._loop.thread:
            return False
        try:
            self._loop.ended.result(timeout)
        except concurrent.futures.TimeoutError:
            return False
        return True

    def _ended(self) -> asyncio.Future[None]:
        # Shielded: a cancelled cell must not cancel what other threads wait for.
        return asyncio.shield(asyncio.wrap_future(self._loop.ended))

    def _raise_failure(self) -> None:
        if self._loop.exception is not None:
            raise self._loop.exception

    def _warn_of_divergence(self) -> None:
        if self.state == "diverged":
            warnings.warn(f"the run diverged: {self.error}", RuntimeWarning, stacklevel=3)

    def _refuse_own_thread(self, name: str) -> None:
        if threading.current_thread() is self._loop.thread:
            raise ValueError(
                f"{name} cannot be called by a subscriber: the run would wait for itself"
            )


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


@atexit.register
def _stop_all() -> None:
    # JAX must not be taken down under a running thread.
    for trainer in list(Trainer.live_trainers):
        trainer.submit(Stop())
    for trainer in list(Trainer.live_trainers):
        trainer._loop.thread.join(_EXIT_SECONDS)  # noqa: SLF001  (the same module)

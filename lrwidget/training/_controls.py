"""The commands to a run, and how it stands: what `Trainer` and `LiveControl` have in common."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from lrwidget import _checks
from lrwidget.schedules import Schedule
from lrwidget.training._arguments import merged
from lrwidget.training._commands import (
    Cancel,
    Command,
    Cooldown,
    Edit,
    Extend,
    Freeze,
    Nudge,
    Pause,
    Release,
    RestartWarmup,
    Resume,
    Scale,
    Set,
    SetPace,
    Step,
    Stop,
    Thaw,
    Undo,
)
from lrwidget.training._journal import JournalEntry
from lrwidget.training._preview import Preview
from lrwidget.training._record import Record
from lrwidget.training._steered import ENDED, State

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_log = logging.getLogger("lrwidget")


class Controls(Record):
    """The part of a `Trainer` or a `LiveControl` that steers a run, from any thread."""

    _subscriptions: list[tuple[object, Callable[[Any], object]]]

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
            Whether the run has ended. It has not if the guard paused it, for which one would
            wait for ever: `error` says why.

        Raises
        ------
        Exception
            What the loss function or the data raised, if the run failed of it.
        ValueError
            If the run has not been started.

        Warns
        -----
        RuntimeWarning
            If the run diverged, or the guard paused it; `error` says where, and what to do.
        """
        if timeout is not None:
            timeout = min(_checks.finite("timeout", timeout, low=0.0), threading.TIMEOUT_MAX)
        if self.state == "idle":
            raise ValueError("wait needs a run that has started: call start() first")
        self._refuse_own_thread("wait")
        try:
            ended = self._wait_for_end(timeout)
        except KeyboardInterrupt:
            self.submit(Stop()).result()
            self._wait_for_end(None)
            raise
        if ended:
            self._raise_failure()
            self._warn_of_divergence()
        elif self._loop.held_up:
            warnings.warn(f"the guard paused the run: {self.error}", RuntimeWarning, stacklevel=2)
        return ended

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
        at: int | None = None,
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
        at
            The future step that is to be the first to feel it; default the next one. Every method
            below that changes the rest of a run takes this too.
        **by_name
            Name -> value. A number holds until it is released; a schedule is the new plan.

        Raises
        ------
        ValueError, TypeError
            If an address is unknown, ambiguous or not live, or a value not allowed.
        """
        values = merged("set", mapping, by_name)
        self._do(Set(values=values, from_now=from_now, source=source, at=at))

    def scale(
        self,
        mapping: Mapping[str, float] | None = None,
        *,
        source: str = "code",
        at: int | None = None,
        **by_name: float,
    ) -> None:
        """Multiply what is left of plans, and held numbers, by factors > 0; as `set` otherwise."""
        self._do(Scale(factors=merged("scale", mapping, by_name), source=source, at=at))

    def nudge(
        self,
        mapping: Mapping[str, float] | None = None,
        *,
        source: str = "code",
        at: int | None = None,
        **by_name: float,
    ) -> None:
        """Change values in force by amounts, what is left of plans by the same factor; as `set`.

        A number that is held becomes that much more or less.
        """
        self._do(Nudge(amounts=merged("nudge", mapping, by_name), source=source, at=at))

    def release(self, *addresses: str, source: str = "code", at: int | None = None) -> None:
        """Let held numbers go, back to the plan; without addresses, all of them."""
        self._do(Release(addresses=addresses, source=source, at=at))

    def extend(self, steps: int, *, source: str = "code", at: int | None = None) -> None:
        """Make the run `steps` steps longer, at least 1; plans hold their last value.

        A `Trainer` that has finished is then paused at its old end.
        """
        self._do(Extend(steps=steps, source=source, at=at))

    def cooldown(
        self, steps: int, end_value: float = 0.0, *, source: str = "code", at: int | None = None
    ) -> None:
        """Ramp every learning rate straight to `end_value` over `steps` steps, and end there."""
        self._do(Cooldown(steps=steps, end_value=end_value, source=source, at=at))

    def restart_warmup(
        self, steps: int, init_value: float = 0.0, *, source: str = "code", at: int | None = None
    ) -> None:
        """Let every learning rate begin at `init_value` and reach its plan after `steps` steps."""
        self._do(RestartWarmup(steps=steps, init_value=init_value, source=source, at=at))

    def freeze(self, *groups: str, source: str = "code", at: int | None = None) -> None:
        """Leave the parameters of groups of the chain as they are, until `thaw`.

        A group's multiplier, or each learning rate of a group with a chain of its own, is held
        at 0. The optimizer's averages go on.
        """
        self._do(Freeze(groups=groups, source=source, at=at))

    def thaw(self, *groups: str, source: str = "code", at: int | None = None) -> None:
        """Train frozen groups again."""
        self._do(Thaw(groups=groups, source=source, at=at))

    def undo(self, *, source: str = "code") -> None:
        """Take the newest edit that has not been taken back back, from now on.

        What it changed is again as it was before. To undo what it did to the weights, `rewind`.
        """
        self._do(Undo(source=source))

    def set_pace(self, steps_per_second: float | None, *, source: str = "code") -> None:
        """Limit the run to so many steps a second, > 0; None lifts the limit."""
        self._do(SetPace(steps_per_second=steps_per_second, source=source))

    @property
    def scheduled(self) -> tuple[tuple[int, int, Edit], ...]:
        """The edits that wait for their step: number, step and command, by step."""
        waiting = self._loop.edits.scheduled
        return tuple((each.number, each.step, each.command) for each in waiting)

    @property
    def undoable(self) -> JournalEntry | None:
        """The edit that `undo` would take back, as the journal has it; None for none."""
        return self._loop.edits.undoable

    def cancel(self, number: int, *, source: str = "code") -> None:
        """Take back an edit that waits, by its number in `scheduled`."""
        self._do(Cancel(number=number, source=source))

    def preview(self, command: Edit) -> Preview:
        """Return what an edit would change if it were given now, and change nothing.

        Raises
        ------
        ValueError, TypeError
            Whatever the edit itself would raise.
        """
        if not isinstance(command, Edit):
            raise TypeError(f"command must be an edit, such as Scale or Cooldown, got {command!r}")
        loop = self._loop
        if self.state in ENDED and not (isinstance(command, Extend) and self.state == "finished"):
            raise ValueError(f"preview needs a run that goes on, and this one is {self.state}")
        step = loop.handed if command.at is None else command.at
        # What an edit for later must be is checked where it is given.
        loop.edits.copy(apart=True).apply(command, loop.handed)
        before, after = loop.edits.preview(command, step)
        return Preview.of(step, before, after)

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
        return self._loop.edits.steps

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

    def subscribe(self, fn: Callable[[Self], object]) -> Callable[[], None]:
        """Have ``fn(self)`` called after every chunk, command and change of state.

        It runs on the run's own thread (before the start, on the caller's), so that it must be
        quick; from there commands do not wait for their confirmation. What it raises is logged.

        Returns
        -------
        callable
            Ends the subscription.
        """
        if not callable(fn):
            raise TypeError(f"fn must be a function of the run, got {fn!r}")
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

    # ---- inside ---------------------------------------------------------------------------------

    def _do(self, command: Command) -> None:
        future = self.submit(command)
        if future.done() or not self._loop.on_own_thread:
            future.result()

    def _announce(self) -> None:
        for _, fn in self._subscriptions:
            try:
                fn(self)
            except Exception:  # noqa: BLE001
                _log.exception("a subscriber of %r raised", self)

    def _wait_for_end(self, timeout: float | None) -> bool:
        loop = self._loop
        if loop.on_own_thread:
            return False
        with loop.changed:
            loop.changed.wait_for(lambda: loop.state in ENDED or loop.held_up, timeout)
            ended = loop.ended if loop.state in ENDED else None
        if ended is not None:
            ended.result()
        return ended is not None

    def _raise_failure(self) -> None:
        if self._loop.exception is not None:
            raise self._loop.exception

    def _warn_of_divergence(self) -> None:
        if self.state == "diverged":
            warnings.warn(f"the run diverged: {self.error}", RuntimeWarning, stacklevel=3)

    def _refuse_own_thread(self, name: str) -> None:
        if self._loop.on_own_thread:
            raise ValueError(
                f"{name} cannot be called by a subscriber: the run would wait for itself"
            )

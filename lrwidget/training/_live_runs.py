"""The runs of a person's own loop: which is the newest, how it is called, what comes next."""

from __future__ import annotations

import contextvars
import inspect
import threading
from collections.abc import Callable, Iterable
from typing import Any

from lrwidget.optimizers import Chain, Link, chain_of
from lrwidget.training._arguments import live_length
from lrwidget.training._commands import Stop, check_pace
from lrwidget.training._edits import Edits
from lrwidget.training._live_loop import LiveLoop
from lrwidget.training._live_run import LiveRecord, LiveRun
from lrwidget.training._plan import Plans, live_addresses
from lrwidget.training._steered import ENDED


class LiveRuns(LiveRecord):
    """The part of a `LiveControl` that goes from one run to the next.

    Parameters
    ----------
    chain, steps, live, pace
        As for `LiveControl`.
    """

    def __init__(
        self,
        chain: Chain | Link,
        steps: int | None = None,
        *,
        live: Iterable[str] | None = None,
        pace: float | None = None,
    ):
        self._next = (chain_of(chain), live_length(chain_of(chain), steps))
        self.chain = self._next[0]
        self.addresses = live_addresses(self.chain, live)
        self._injection = self.chain.injection(self.addresses)
        self._all_live = live is None
        self._subscriptions = []
        self._pace = check_pace("pace", pace)
        self._function: Callable[[], Any] | None = None
        self._built = False
        self._renewing = threading.RLock()
        self.shown: Any = None  # the view's own
        self._predecessor: LiveLoop | None = None  # it ends before the newest begins
        self._own = threading.local()  # .loop: what the thread of a loop of `run` runs
        self._renew()

    # ---- a loop on a thread ---------------------------------------------------------------------

    def run(self, train_fn: Callable[[], Any], *, start: bool = True) -> None:
        """Call ``train_fn()``, which has the loop in it, on a thread, and return at once.

        Clicks arrive there on every kernel. A loop of this control that still goes on is stopped
        first; Start and Restart in the widget call the function again. What it returns is `result`;
        what it raises is kept, shown, and raised by `wait`.

        Parameters
        ----------
        train_fn
            A function without arguments.
        start
            Whether to begin now, or only where Start is pressed or `start` called.
        """
        if not callable(train_fn) or inspect.iscoroutinefunction(train_fn):
            raise TypeError(
                f"train_fn must be a plain function without arguments, got {train_fn!r}"
            )
        self._function = train_fn
        # With the context of the cell: what the loop prints appears there.
        self._context = contextvars.copy_context()
        if start:
            self.start()

    def start(self) -> None:
        """Call the loop that `run` was given, anew where it has been called before."""
        with self._renewing:
            before = self._loop
            loop = before if before.state == "idle" else self._renew()
            self._launch(loop, None if loop is before else before)

    @property
    def result(self) -> Any:
        """What the function given to `run` has returned; None before."""
        return self._loop.result

    def restart(self, pace: float | None) -> LiveRun:
        """Return the next run, not yet begun, with another pace.

        Raises
        ------
        ValueError
            If no loop is known that could be called.
        """
        self._known_function()
        with self._renewing:
            self._pace = pace
            before = self._loop
            if before.state != "idle":
                self._renew()
                self._predecessor = before
        return self.current

    def _launch(self, loop: LiveLoop, before: LiveLoop | None = None) -> None:
        function = self._known_function()
        before, self._predecessor = before or self._predecessor, None
        if before is not None and before.state not in ENDED:
            if before.threaded:
                before.submit(Stop())
            else:
                before.give_up()
        loop.threaded = True
        context = self._context.copy()

        def work() -> None:
            self._own.loop = loop
            context.run(loop.call, function, before)

        loop.thread = threading.Thread(target=work, name="lrwidget-live", daemon=True)
        loop.launched()
        loop.thread.start()
        self._announce()

    def _known_function(self) -> Callable[[], Any]:
        if self._function is None:
            raise ValueError(
                "no loop is known that could be called: give it to live.run(train_fn), or run the "
                "cell with your loop"
            )
        return self._function

    # ---- what the next run begins with ----------------------------------------------------------

    @property
    def current(self) -> LiveRun:
        """The newest run."""
        return self._current

    def prepare(self, chain: Chain, steps: int | None = None) -> None:
        """Give what the next run begins with: at once if none has begun.

        Parameters
        ----------
        chain
            Once `to_optax` has been called, a chain of the same structure: only live numbers and
            schedules may differ.
        steps
            Length of the run; default as it is.

        Raises
        ------
        ValueError
            If the structure differs.
        """
        self.check(chain)
        self._next = (chain, self._next[1] if steps is None else live_length(chain, steps))
        rebuilt = not self._keeps(chain)
        if rebuilt:
            self.addresses = live_addresses(chain, None)
            self._injection = chain.injection(self.addresses)
        if rebuilt or (self.state == "idle" and not self.journal):
            self._renew()

    def check(self, chain: Chain) -> None:
        """Raise a ValueError if a chain cannot take the place of this one's."""
        if not self._keeps(chain) and (self._built or not self._all_live):
            raise ValueError(
                "chain must keep its links and their fixed settings, with which the loop's "
                "optimizer was made; only live numbers and schedules can change. For other links "
                "make a new LiveControl"
            )

    def _keeps(self, chain: Chain) -> bool:
        # What is not live is compiled in, numbers and schedules too.
        if chain.structure() != self.chain.structure():
            return False
        fixed = [a for a in self.chain.addresses() if a not in self.addresses]
        return all(chain.value(a) == self.chain.value(a) for a in fixed) and (
            set(self.addresses) <= set(live_addresses(chain, None))
        )

    def _announce(self) -> None:
        super()._announce()
        self._current._announce()  # noqa: SLF001  (its other half)

    def _fresh(self) -> LiveLoop:
        """Return a loop that has not taken a step yet."""
        with self._renewing:
            loop = self._here
            self._refuse_foreign(loop)
            if loop.last is not None:
                if loop.threaded and loop.state not in ENDED:
                    raise ValueError("a new run cannot begin within the loop of live.run")
                loop.give_up()
                loop = self._renew()
            return loop

    def _refuse_foreign(self, loop: LiveLoop) -> None:
        going = loop.threaded and loop.state not in ENDED
        if going and not loop.on_own_thread:
            raise ValueError("a loop of live.run is under way: stop it before another one reports")

    def _renew(self) -> LiveLoop:
        """Put a new run in the place of the newest."""
        with self._renewing:
            self._predecessor = None
            self.chain, steps = self._next
            loop = self._loop_of(self.chain, steps)
            self._loop, self._current = loop, LiveRun(self, self.chain, loop)
        self._announce()
        return loop

    def _loop_of(self, chain: Chain, steps: int) -> LiveLoop:
        return LiveLoop(
            chain,
            Edits(Plans(chain, self.addresses), steps),
            self._injection,
            pace=self._pace,
            launch=self._launch,
            on_change=self._announce,
        )

    @property
    def _here(self) -> LiveLoop:
        # A loop that is being replaced still runs on its thread for a step.
        loop: LiveLoop = getattr(self._own, "loop", self._loop)
        return loop

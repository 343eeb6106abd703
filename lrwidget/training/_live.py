"""`LiveControl`: live control for a training loop of the person's own."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import jax

from lrwidget import _checks
from lrwidget.training._arguments import refuse_measure, step_number
from lrwidget.training._kernel import warn_if_deaf
from lrwidget.training._live_loop import LiveLoop, LoopStopped
from lrwidget.training._live_runs import LiveRuns
from lrwidget.training._steered import ENDED

if TYPE_CHECKING:
    import optax

Holder = TypeVar("Holder")


class LiveControl(LiveRuns):
    """Live control for a training loop of one's own: three lines to add.

    ::

        live = lrw.LiveControl(chain, steps=2000)                  # 1
        optimizer = nnx.Optimizer(model, live.to_optax(), wrt=nnx.Param)  # 2
        for step in range(2000):
            loss = train_step(model, optimizer, batch)
            live.update(optimizer, step, loss=loss)                # 3

    The hyperparameters of the chain are scalars in the optimizer's state, and `update` writes those
    of the next step there: whatever is edited, the step is traced once. Losses are read when they
    have been computed; nothing is waited for unless the loop is more than 0.1 s ahead of the
    device. Without edits the parameters are bit-equal to those of the same transformation fed with
    the same numbers by hand (and to plain Optax for SGD; for Adam to 1e-6).

    A click reaches a loop that runs on a thread, ``live.run(train)``, or one that awaits
    `update_async`. No kernel delivers one to a plain loop in a cell before the cell ends
    (JupyterLab with ipykernel 7.0 to 7.3 excepted).

    The run ends after `steps` steps, where it is stopped, or where a loss is not finite. From then
    on `stopped` is True, and an `update` after that raises `LoopStopped`, which ends a loop of
    `run` cleanly. A loop over ``live.range()`` in place of ``range(2000)`` ends by itself, and
    follows when the run is made longer or shorter.

    What the chain needs beside the gradients (`Chain.needs`) the loop passes to Optax:
    ``tx.update(grads, opt_state, params, value=loss)``, ``optimizer.update(model, grads,
    value=loss)``.

    A loop that begins anew, at a step that has been before, is a new run: with a history and a
    journal of its own, without the edits of the one before it.

    Parameters
    ----------
    chain
        How it trains: a `Chain`, or a single link.
    steps
        Length of the run; default the longest schedule of the chain.
    live
        Addresses of the hyperparameters that can change; default all but numbers below zero, such
        as that of ``scale(-1e-3)``, since no schedule goes below. Those left out are compiled
        in as the numbers that they are.
    pace
        Most steps a second, > 0; None for no limit.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> live = LiveControl(chain, steps=2000)  # doctest: +SKIP
    >>> live.run(train)  # train() is the loop above  # doctest: +SKIP
    >>> live.set(learning_rate=1e-3)  # doctest: +SKIP
    >>> live.wait()  # doctest: +SKIP
    """

    # Makes a view of a control. The package's top sets it: this room knows no browser.
    view: ClassVar[Callable[[LiveControl], Any] | None] = None

    def __repr__(self) -> str:
        return f"LiveControl({self.state}, step {self.position} of {self.steps}, {self.chain!r})"

    # ---- in a loop ------------------------------------------------------------------------------

    def to_optax(self, callback_every: int | None = None) -> optax.GradientTransformationExtraArgs:
        """Return the chain as the transformation to train with.

        Its state begins with the hyperparameters of the first step as things stand.

        Parameters
        ----------
        callback_every
            For a loop that `update` cannot be put into: the transformation itself calls the host
            before every so many updates, reports, and fetches the hyperparameters, which hold until
            the next call. It works under jit; it counts updates from 0; ``value=loss``, if the loop
            passes that, is reported as the loss. A stop, or a loss that is not finite, is an error
            in the jitted step. As long as the run is paused, a call does not return. On a CPU it
            costs 0.1 to 0.5 ms, and a jitted step with a callback in it 0.2 ms more at each
            dispatch, whether it calls or not, because JAX's fast path does not take it; steps in a
            `jax.lax.scan` do not pay that. Not for several devices or `jax.vmap`.

        Returns
        -------
        optax.GradientTransformationExtraArgs

        Raises
        ------
        ValueError, TypeError
            If `callback_every` is not a whole number >= 1.
        """
        from lrwidget.training import _live_optax

        self._built = True
        if callback_every is None:
            return _live_optax.plain(self.chain, self._injection, self._initial_row)
        every = _checks.integer("callback_every", callback_every, low=1)
        return _live_optax.calling(
            self.chain, self._injection, self._initial_row, every, self._fetch
        )

    def update(self, opt_state: Holder, step: int, *, loss: Any = None, **metrics: Any) -> Holder:
        """Report a step, take commands, and write the hyperparameters of the next step.

        While the run is paused, it does not return.

        Parameters
        ----------
        opt_state
            The state of `to_optax` after the step, or what holds it: an `nnx.Optimizer`, a Flax
            `TrainState`, a dataclass, tuple or dictionary, with other transformations around it or
            without.
        step
            The number of the step, counted over the whole run: a Python int, since one on the
            device would have to be waited for.
        loss, **metrics
            Scalars of the step, best left on the device. The metrics of the first update are those
            of all.

        Returns
        -------
        The same with the hyperparameters of the next step; an `nnx.Optimizer` is changed in place.

        Raises
        ------
        LoopStopped
            If the run has ended: `stopped` is True since the last update.
        TypeError, ValueError
            If an argument is not as described.
        """
        loop = self._reported(opt_state, step, loss, metrics)
        for seconds in loop.border():
            loop.wait(seconds)
        return self._continued(loop, opt_state)

    async def update_async(
        self, opt_state: Holder, step: int, *, loss: Any = None, **metrics: Any
    ) -> Holder:
        """Do what `update` does, in a cell or function that awaits: clicks arrive meanwhile.

        It lets others run for a millisecond 20 times a second. Needs ipykernel 7.4 or newer in a
        notebook; an older kernel gets a warning.
        """
        warn_if_deaf()
        loop = self._reported(opt_state, step, loss, metrics)
        await loop.breathe()
        for seconds in loop.border():
            await loop.wait_async(seconds)
        return self._continued(loop, opt_state)

    def begin(self, opt_state: Holder, step: int = 0) -> Holder:
        """Begin a run before its first step, and return the state with that step's hyperparameters.

        Only needed where a loop goes on with the state of one before it, or from a checkpoint: a
        new state has them already.

        Parameters
        ----------
        opt_state, step
            As for `update`; the step that comes next.
        """
        step = step_number(step)
        loop = self._fresh()
        opt_state = loop.first(opt_state, step)
        loop.open(step, threading.current_thread())
        return opt_state

    def range(self, start: int = 0) -> Iterator[int]:
        """Yield the run's steps from `start` on, for as long as it goes on.

        Where the run is stopped, extended or cooled down, the loop follows.
        """
        step = step_number(start)
        loop = self._here
        if loop.on_own_thread and loop.threaded and loop.outcome is not None:
            return  # an outer loop has not noticed yet
        if loop.last != step - 1:
            loop = self._fresh()
        while step < loop.edits.steps and loop.outcome is None:
            yield step
            step += 1

    @property
    def stopped(self) -> bool:
        """Whether the run has ended, so that the loop should."""
        return self._here.outcome is not None

    # ---- reports --------------------------------------------------------------------------------

    def _reported(self, holder: Any, step: Any, loss: Any, metrics: dict[str, Any]) -> LiveLoop:
        if type(step) is not int:
            step = step_number(step)
        loop = self._here
        if loop.last is None or step <= loop.last or loop.thread is not threading.current_thread():
            loop = self._entered(step)
        measures = {"loss": loss, **metrics}
        for name, value in measures.items():
            if getattr(value, "shape", ()) != () or isinstance(value, jax.core.Tracer):
                refuse_measure(name, value)
        if loop.outcome is not None:
            loop.reopen()
        if loop.outcome != "diverged":
            loop.report(holder, step, measures)
        if loop.outcome is not None:
            if loop.state in ENDED:
                loop.drain()
            raise LoopStopped(loop.farewell())
        return loop

    def _entered(self, step: int) -> LiveLoop:
        """Return the loop to which a report belongs that is not simply the next one."""
        thread, loop = threading.current_thread(), self._here
        self._refuse_foreign(loop)
        if loop.threaded and loop.state not in ENDED:
            if loop.last is not None and step <= loop.last:
                raise ValueError(
                    f"step must count over the whole run and grow, got {step} after {loop.last}: "
                    "in epochs it is epoch * steps_per_epoch + i"
                )
        elif loop.last is not None and step <= loop.last:
            if loop.state not in ENDED:
                warnings.warn(
                    f"step went from {loop.last} back to {step}, which begins a new run; in epochs "
                    "a step counts over the whole run: epoch * steps_per_epoch + i",
                    RuntimeWarning,
                    stacklevel=4,
                )
            loop = self._fresh()
        if loop.last is None:
            loop.open(step, thread)
        loop.thread = thread
        return loop

    def _continued(self, loop: LiveLoop, holder: Holder) -> Holder:
        # Also at the end: a loop that does not look takes another step before it is told.
        written: Holder = holder if loop.outcome == "diverged" else loop.write(holder)
        return written

    def _initial_row(self) -> dict[str, Any]:
        loop = self._loop
        if loop.last is not None and not (loop.threaded and loop.state not in ENDED):
            # Who makes an optimizer after a run, or after an interrupt, means the next one.
            chain, steps = self._next
            loop = self._loop_of(chain, steps)
        return dict(loop.initial_row())

    def _fetch(self, step: int, loss: float | None) -> Any:
        """Serve the transformation that calls the host."""
        loop = self._loop
        if loop.last is not None and step <= loop.last and not loop.threaded:
            loop = self._fresh()
        if loop.last is None:
            loop.open(step, loop.thread)
        return loop.fetch(step, loss)

    # ---- in a notebook --------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if LiveControl.view is None:
            return {"text/plain": repr(self)}
        return LiveControl.view(self)._repr_mimebundle_(**kwargs)

    def _refuse_own_thread(self, name: str) -> None:
        if self._loop.on_own_thread:
            raise ValueError(
                f"{name} cannot be called on the loop's own thread, which would wait for itself: "
                "it is for loops of live.run"
            )

"""`Trainer`: a run of a task on a thread of its own, with controls."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lrwidget.optimizers import Chain, Link, chain_of
from lrwidget.training._arguments import (
    check_validation,
    run_length,
    validation_interval,
    warn_of_empty_groups,
)
from lrwidget.training._arrays import PyTree, copied
from lrwidget.training._callbacks import Callbacks
from lrwidget.training._commands import Stop, check_pace
from lrwidget.training._edits import Edits
from lrwidget.training._forks import Forks
from lrwidget.training._guard import Guard, guard_of
from lrwidget.training._handover import Beginning
from lrwidget.training._keeper import Keeper
from lrwidget.training._kernel import warn_if_deaf
from lrwidget.training._loop import Loop
from lrwidget.training._options import (
    GUARD,
    Options,
    check_name,
    early_stopping_of,
    first_sizes,
    keep_of,
    measures_of,
)
from lrwidget.training._plan import Plans, live_addresses
from lrwidget.training._progress import progress_of
from lrwidget.training._snapshots import Keep
from lrwidget.training._steered import ENDED
from lrwidget.training._task import Task

if TYPE_CHECKING:
    from lrwidget.training._early import EarlyStopping
    from lrwidget.training._place import Place
    from lrwidget.training._runner import Runner

_log = logging.getLogger("lrwidget")

# How long `wait` waits for callbacks after a run has ended.
_CALLBACK_SECONDS = 60.0


class Trainer(Forks):
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
    directory
        A folder that does not exist or is empty: the run is kept there, so that nothing but a disk
        can lose it; `lrwidget.open_run` reads it and goes on. None keeps it in memory.
    snapshots
        Which states are kept to go back to; see `Keep`.
    guard
        What the run does when it diverges: ``"stop"``, ``"pause"``, ``"roll_back"``, or a `Guard`.
        None ends it where the loss is NaN or infinite, and never otherwise.
    measure
        Columns of the history that cost something: ``"gradient_norm"``, ``"update_ratio"`` (norm
        of the update over norm of the parameters), ``"guard"`` (``guard_level`` and
        ``guard_limit``).
    early_stopping
        Validation passes without a better loss after which the run stops, or an `EarlyStopping`.
    callbacks
        Objects with a method ``on_chunk(trainer, rows)``, called on a thread of their own with
        the new rows of the history, column by column.
    progress
        Whether to tell how far the run is: as a bar at a terminal where tqdm is installed, else as
        plain lines. ``"auto"``: at a terminal only.
    name
        What the run is called in plots.

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
        chain: Chain | Link,
        steps: int | None = None,
        epochs: int | None = None,
        pace: float | None = None,
        live: Iterable[str] | None = None,
        valid_every: int | None = None,
        start: Trainer | Literal["current"] | None = None,
        *,
        directory: str | os.PathLike[str] | None = None,
        snapshots: Keep | None = None,
        guard: str | Guard | None = None,
        measure: Iterable[str] = (),
        early_stopping: int | EarlyStopping | None = None,
        callbacks: Iterable[Any] = (),
        progress: Literal["auto"] | bool = "auto",
        name: str = "run",
    ):
        if not isinstance(task, Task):
            raise TypeError(f"task must be a Task, got {task!r}")
        chain = chain_of(chain)
        check_validation(task, chain)
        warn_of_empty_groups(task, chain)
        steps = run_length(task, chain, steps, epochs)
        shown = [] if (bar := progress_of(progress)) is None else [bar]
        options = Options(
            live=live_addresses(chain, live),
            pace=check_pace("pace", pace),
            valid_every=validation_interval(task, steps, valid_every),
            start=_starting_point(task, start),
            keep=keep_of(snapshots),
            guard=guard_of(guard),
            measure=measures_of(measure),
            early_stopping=early_stopping_of(early_stopping, task),
            callbacks=(*Callbacks(callbacks).callbacks, *shown),
        )
        self._set_up(task, chain, steps, options, name=check_name(name), directory=directory)

    def _set_up(
        self,
        task: Task,
        chain: Chain,
        steps: int,
        options: Options,
        *,
        name: str,
        directory: str | os.PathLike[str] | None = None,
        place: Callable[[Trainer], Place | None] | None = None,
        edits: Edits | None = None,
        beginning: Beginning | None = None,
        parent: Trainer | None = None,
        id: str = "main",  # noqa: A002
    ) -> None:
        self.task, self.chain, self.name, self.id = task, chain, name, id
        # A run knows its forks; were they to know it as well, only the collector could end it.
        self._parent = (lambda: None) if parent is None else weakref.ref(parent)
        self.options, self.first_steps = options, steps
        self.addresses = options.live
        self.starts_elsewhere = options.start is not None or options.elsewhere
        self.disk_error: str | None = None
        self._subscriptions: list[tuple[object, Callable[[Trainer], object]]] = []
        self._forks: tuple[Trainer, ...] = ()
        self._fork_count = 0
        if edits is None:
            edits = Edits(Plans(chain, options.live), steps, first_sizes(task))
        if place is None:
            self._place = self._placed(directory)
        else:
            self._place = place(self)
        keeper = Keeper(options.keep, task.steps_per_epoch, self._place)
        edits.sink = keeper.entry
        self._callbacks = Callbacks(options.callbacks, weakly(self._callback_failed))
        self.callback_error: str | None = None
        self._loop = Loop(
            task,
            lambda size: task.runner(
                chain, options.live, batch_size=size, measure=options.measured
            ),
            edits,
            keeper,
            pace=options.pace,
            valid_every=options.valid_every,
            start=options.start,
            elsewhere=options.elsewhere,
            beginning=beginning,
            owner=parent is None,
            guard=options.guard,
            early_stopping=options.early_stopping,
            signals=GUARD in options.measure,
            # The run's thread must not keep alive what nobody else wants any more.
            on_rows=weakly(self._tell_rows),
            on_change=weakly(self._announce),
        )
        weakref.finalize(self, self._loop.abandon).atexit = False

    def again(
        self,
        chain: Chain | Link | None = None,
        steps: int | None = None,
        *,
        pace: float | None = None,
    ) -> Trainer:
        """Return a new run of the same task with the same options, from the start; not started.

        It is kept in no directory, since this one has its own.

        Parameters
        ----------
        chain
            Another chain; default the one that this run began with.
        steps
            Its length; default the length that this run began with.
        pace
            Most steps a second; None for no limit.
        """
        chain = self.chain if chain is None else chain_of(chain)
        same = chain.structure() == self.chain.structure()
        options = dataclasses.replace(
            self.options,
            live=self.options.live if same else live_addresses(chain, None),
            pace=check_pace("pace", pace),
        )
        steps = run_length(self.task, chain, self.first_steps if steps is None else steps, None)
        new = object.__new__(Trainer)
        new._set_up(self.task, chain, steps, options, name=self.name)
        return new

    @property
    def runner(self) -> Runner:
        """The compiled step, as the run uses it now."""
        return self._loop.runner

    def _placed(self, directory: str | os.PathLike[str] | None) -> Place | None:
        if directory is None:
            return None
        from lrwidget.training._place import Place

        config = {"header": self.header, "id": self.id, "parent": None}
        return Place.new(directory, config, self.options.keep.disk, weakly(self._disk_failed))

    def _disk_failed(self, text: str) -> None:
        self.disk_error = text
        _log.warning("a run is no longer kept on disk: %s", text)
        self._announce()

    def _callback_failed(self, text: str) -> None:
        self.callback_error = text
        self._announce()

    def _tell_rows(self, table: str, rows: dict[str, Any]) -> None:
        if not self._callbacks.callbacks:
            return
        if table == "valid":
            self._callbacks.valid(self, {name: column[0] for name, column in rows.items()})
            return
        names = zip(self.history.keys(), self.history.names, strict=True)
        self._callbacks.chunk(self, {name: rows[key] for key, name in names})

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

    def to_code(self, *, exact: bool = False) -> str:
        """Return a script that repeats the run, as far as it went, without lrwidget.

        It needs Optax, JAX, NumPy, and Flax if the model does; model, loss function and data are
        its user's. Its ``train`` does the same shuffling and draws the same randomness.

        Parameters
        ----------
        exact
            Whether it must give the run's numbers to the last bit, on the same platform and with
            the same libraries. It then has what was applied as stored rows. Otherwise it has the
            schedules as code, to be read and changed: each value differs from what was applied by
            1e-6 of the highest at most.

        Raises
        ------
        ValueError
            If no step has been taken yet, or for complex parameters: none is written for them.
        """
        from lrwidget.training._script import write_script

        return write_script(self, exact=exact)

    def _announce(self) -> None:
        if self.state in ENDED:
            Trainer.live_trainers.discard(self)
            self._callbacks.end(self)
        elif self.state != "idle":
            Trainer.live_trainers.add(self)
            self._callbacks.start(self)
        super()._announce()

    def _wait_for_end(self, timeout: float | None) -> bool:
        ended = super()._wait_for_end(timeout)
        if ended:
            # A script must not go on, or end, before its writers have written.
            self._callbacks.join(_CALLBACK_SECONDS)
        return ended

    def _ended(self) -> asyncio.Future[None]:
        # Shielded: a cancelled cell must not cancel what other threads wait for.
        return asyncio.shield(asyncio.wrap_future(self._loop.ended))


def weakly(method: Callable[..., Any]) -> Callable[..., None]:
    """Return a function that calls a bound method as long as its object is alive."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        bound = reference()
        if bound is not None:
            bound(*arguments)

    return call


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

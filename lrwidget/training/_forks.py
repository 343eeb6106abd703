"""Going back, and going on in more than one way: snapshots, rewinds, forks and fans of a run."""

from __future__ import annotations

import dataclasses
import functools
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.schedules import Schedule
from lrwidget.training._commands import Pause, Rewind, Set, SetBatchSize
from lrwidget.training._controls import Controls
from lrwidget.training._handover import Line, Surrendered
from lrwidget.training._journal import Journal
from lrwidget.training._loop import Loop
from lrwidget.training._options import Options, check_name
from lrwidget.training._results import Results
from lrwidget.training._snapshots import SnapshotInfo
from lrwidget.training._steered import ENDED

if TYPE_CHECKING:
    from lrwidget.training._diagnose import Diagnosis
    from lrwidget.training._fan import Fan
    from lrwidget.training._place import Place
    from lrwidget.training._runner import Runner
    from lrwidget.training._saved import SavedRun

# Held while the forks of any run change: several threads may fork, take and drop.
_family = threading.Lock()


class Forks(Controls, Results):
    """The part of a `Trainer` that goes back and branches, from any thread.

    Attributes
    ----------
    id
        Of this run among its forks: ``"main"``, ``"fork-1"``, …
    name
        What people call it.
    options
        What it was told besides task, chain and length.
    newest_fan
        What `fan` returned last; None before.
    saved_forks
        Of a run that was resumed from disk: the forks that it had, to look at, and to resume.
    """

    id: str
    name: str
    _parent: Callable[[], Any]
    options: Options
    first_steps: int
    _loop: Loop
    _forks: tuple[Self, ...]
    _fork_count: int
    _place: Place | None
    newest_fan: Fan | None = None
    saved_forks: tuple[SavedRun, ...] = ()

    @property
    def parent(self) -> Any:
        """The run that it was forked from; None for none, or if nobody wants that any more."""
        return self._parent()

    @property
    def directory(self) -> Path | None:
        """The folder that the run is kept in; None for none."""
        return None if self._place is None else self._place.directory.path

    @property
    def origin(self) -> int:
        """The step at which the run went on, of a fork or one from disk; 0 for others."""
        return self._loop.origin

    # ---- going back -----------------------------------------------------------------------------

    @property
    def snapshots(self) -> tuple[SnapshotInfo, ...]:
        """The states that are kept, by step. A rewind reaches any step, from the one before it."""
        return tuple(self._loop.keeper.infos())

    def snapshot(self) -> int:
        """Keep the state of now, and return its step."""
        return self._loop.ask(lambda _: self._loop.keep_now("hand"))

    def rewind(self, step: int, *, source: str = "code") -> None:
        """Go back to how everything was on arriving at `step`, and pause there.

        From the last snapshot before it the run finds its way by replay, so that any step can be
        reached, bit for bit. Edits that were given at that step or later are undone; what came
        after it stays visible in `lines`. A run that has ended is opened again by this.

        Raises
        ------
        ValueError
            If the run has not been there.
        """
        self._do(Rewind(step=step, source=source))

    @property
    def lines(self) -> tuple[Line, ...]:
        """What rewinds have cut off, the newest last: name, first step, columns."""
        return self._loop.lines

    @property
    def best(self) -> tuple[int, float] | None:
        """The step and the loss of the best validation pass; None without one."""
        return self._loop.keeper.best

    @property
    def activity(self) -> str | None:
        """What the run does besides taking steps, such as ``"rewinding to step 600"``."""
        return self._loop.activity

    def set_batch_size(
        self, batch_size: int, *, source: str = "code", at: int | None = None
    ) -> None:
        """Train with batches of another size from the next epoch on; that compiles once more.

        Raises
        ------
        ValueError
            If the data brings batches of its own, has fewer examples, or has epochs of unknown
            length.
        """
        self._do(SetBatchSize(batch_size=batch_size, source=source, at=at))

    @property
    def batch_sizes(self) -> tuple[tuple[int, int, int], ...]:
        """The batch sizes so far and to come: first step, the epoch that begins there, size."""
        sizes = self._loop.edits.sizes
        return () if sizes is None else tuple((s.step, s.epoch, s.size) for s in sizes.spans)

    def applied_rows(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float64]:
        """Return what was applied at steps ``start`` to ``stop - 1``, shape (steps, addresses).

        The history has the same numbers in float32; `stop` is by default where the run is.
        """
        start = _checks.integer("start", start, low=0)
        stop = self.position if stop is None else _checks.integer("stop", stop, low=0)
        return self._loop.edits.plans.rows(start, max(0, stop - start))

    # ---- the journal ----------------------------------------------------------------------------

    @property
    def header(self) -> dict[str, Any]:
        """What a replay of the journal needs to know besides, as JSON data."""
        steps_per_epoch = self.task.steps_per_epoch  # an iterable may have told since
        return {**self._told, "name": self.name, "steps_per_epoch": steps_per_epoch}

    @functools.cached_property
    def _told(self) -> dict[str, Any]:
        try:
            chain: str | None = self.chain.to_json()
        except ValueError:
            chain = None  # it holds a function
        return {
            "chain": chain,
            "steps": self.first_steps,
            "live": list(self.addresses),
            "seed": self.task.seed,
            **self.task.identity,
            "guard": _plain(self.options.guard),
            "early_stopping": _plain(self.options.early_stopping),
            "snapshots": _plain(self.options.keep),
            "batch_size": self.task.batch_size,
            "valid_every": self.options.valid_every,
            "measure": list(self.options.measure),
            "starts_elsewhere": self.starts_elsewhere,
            "columns": list(self._first_runner.columns),
            "derived": list(self._first_runner.effective_rates.names),
            "valid_columns": list(self.task.evaluator.names) if self.task.validates else [],
            "versions": _versions(),
        }

    @property
    def _first_runner(self) -> Runner:
        options = self.options
        return self.task.runner(self.chain, options.live, measure=options.measured)

    @property
    def journal(self) -> Journal:
        """Every command that took effect, in order, with what a replay needs besides."""
        steps, every = self.history.valid.step, self.options.valid_every or 1
        now = {
            "state": self.state,
            "fork_step": self.fork_step,
            "passes": steps[steps % every != 0].tolist(),
        }
        family: tuple[Any, ...] = (*self.saved_forks, *self._forks)
        return Journal(
            list(self._loop.edits.journal),
            header={**self.header, **now},
            position=self.position,
            chain=self.chain,
            forks=[fork.journal for fork in family],
        )

    # ---- forks ----------------------------------------------------------------------------------

    @property
    def forks(self) -> tuple[Self, ...]:
        """The runs that were forked from this one and neither taken nor dropped."""
        return self._forks

    @property
    def fork_step(self) -> int:
        """Steps that this run has in common with the one that it was forked from."""
        return self._loop.shared

    def fork(
        self,
        step: int | None = None,
        name: str | None = None,
        *,
        source: str = "code",
        **changes: float | Schedule,
    ) -> Self:
        """Return a second run that goes on from here, or from how everything was at `step`.

        It is not started yet. It has its own weights, plans, journal and history, of which what
        came before it is this run's; the person's `nnx.Module` keeps the weights of this run.

        Parameters
        ----------
        step
            Where it begins, 0 to the steps done, on arriving there; default now, with the present
            plans.
        name
            What it is called; default ``"fork 1"``, ``"fork 2"``, …
        source
            Who asks; for the journal.
        **changes
            What is different in it, as for `set`.
        """
        if step is not None:
            step = _checks.integer("step", step, low=0)
        name = None if name is None else check_name(name)

        def gather(_: Any) -> Any:
            edits, beginning = self._loop.fork_point(step)
            if changes:
                # What is refused must leave nothing behind.
                edits.apply(Set(values=changes, source=source), beginning.step, idle=True)
            # On the run's thread, so that two forks at once have two numbers.
            self._fork_count += 1
            told = name or f"fork {self._fork_count}"
            self._loop.edits.note("fork", beginning.step, source=source, name=told)
            return edits, beginning, self._fork_count, told

        edits, beginning, number, name = self._loop.ask(gather)
        fork = object.__new__(type(self))
        fork._set_up(  # type: ignore[attr-defined]
            self.task,
            self.chain,
            self.first_steps,
            dataclasses.replace(self.options, callbacks=(), pace=self._loop.tempo.pace),
            name=name,
            place=self._fork_place,
            edits=edits,
            beginning=beginning,
            parent=self,
            id=fork_id(self.id, number),
        )
        fork._loop.keep_beginning()
        if fork._place is not None:
            fork._place.told(fork_step=fork.fork_step)
        self._change_forks(lambda forks: (*forks, fork))
        self._announce()
        return fork

    def _change_forks(self, change: Callable[[tuple[Self, ...]], tuple[Self, ...]]) -> None:
        with _family:
            self._forks = change(self._forks)

    def _fork_place(self, fork: Self) -> Place | None:
        if self._place is None:
            return None
        config = {"header": fork.header, "id": fork.id, "parent": self.id}
        return self._place.fork(fork.id, config)

    def rename(self, name: str) -> None:
        """Call the run something else."""
        self.name = check_name(name)
        if self._place is not None:
            self._place.told(name=self.name)
        self._announce()

    def take(self, fork: Self, *, source: str = "code") -> None:
        """Go on as a fork of this run; it ends, and this run is paused where it was.

        What this run did since stays visible in `lines`; forks of the fork are this run's then.
        """
        self._check_fork(fork)
        other = fork._loop.ask(lambda _: fork._loop.surrender())
        self._go_on_as(other, fork.name, source)
        # What was forked from the fork is this run's now.
        for each in fork.forks:
            each._parent = weakref.ref(self)  # noqa: SLF001  (of the same class)
        self._change_forks(lambda forks: (*forks, *fork.forks))
        fork._change_forks(lambda _: ())
        self.drop(fork)

    def _go_on_as(self, other: Surrendered, name: str, source: str) -> None:
        if self.state == "idle":
            self._loop.start_at_rest()
        self._loop.reopen()
        self._loop.ask(lambda _: self._loop.adopt(other, name, source))
        self._do(Pause())  # confirmed when the model object has the weights

    def drop(self, fork: Self) -> None:
        """End a fork of this run, and its forks, and forget it; on disk it stays."""
        self._check_fork(fork)
        for each in fork.forks:
            fork.drop(each)
        self._change_forks(lambda forks: tuple(each for each in forks if each is not fork))
        if fork.state not in ("idle", *ENDED):
            fork.stop()
        if fork._place is not None:
            fork._place.told(dropped=True)
            fork._place.close()
        self._announce()

    def _check_fork(self, fork: Any) -> None:
        if not any(each is fork for each in self._forks):
            raise ValueError(f"fork must be one of this run's forks, got {fork!r}")

    # ---- looking ahead --------------------------------------------------------------------------

    def fan(
        self,
        candidates: Sequence[float | Schedule | Mapping[str, float]],
        steps: int,
        *,
        address: str | None = None,
        together: bool | None = None,
    ) -> Fan:
        """Try several ways to go on from here, each for a number of steps, and return at once.

        The run is paused meanwhile, and keeps nothing of it until one is taken.

        Parameters
        ----------
        candidates
            At least two: numbers to hold, schedules in absolute steps, or ``{"scale": factor}``.
        steps
            How many steps each takes, at least 1.
        address
            The hyperparameter; default the learning rate.
        together
            Whether they run side by side in one computation; default where that pays, which is
            on accelerators.
        """
        from lrwidget.training._fan import Fan

        fan = Fan.of(self, candidates, steps, address=address, together=together)  # type: ignore[arg-type]
        self.newest_fan = fan
        return fan

    def diagnose(self) -> Diagnosis:
        """Say which operation of which step first gave NaN or an infinite number.

        The steps from the last good snapshot on are taken again, one by one; the run itself stays
        as it is.

        Raises
        ------
        ValueError
            If no loss of the run is NaN or infinite.
        """
        from lrwidget.training._diagnosing import diagnose_run

        return diagnose_run(self)


def fork_id(parent: str, number: int) -> str:
    """Return the id of a run's fork; a grandchild is told apart by the whole of its descent."""
    return f"fork-{number}" if parent == "main" else f"{parent}-{number}"


def _plain(option: Any) -> dict[str, Any] | None:
    return None if option is None else dataclasses.asdict(option)


@functools.cache  # read from disk
def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("lrwidget", "jax", "flax", "optax")} | {
        "backend": jax.default_backend()
    }

"""A fan: several ways to go on, each tried for some steps, of which one may be taken."""

from __future__ import annotations

import dataclasses
import logging
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.schedules import Schedule
from lrwidget.training._ahead import ahead
from lrwidget.training._batches import Origin
from lrwidget.training._commands import LAST_STEP, Edit, Scale, Set
from lrwidget.training._edits import Edits
from lrwidget.training._handover import Surrendered

if TYPE_CHECKING:
    from lrwidget.training._trainer import Trainer

Candidate = float | Schedule | Mapping[str, float]
FanState = Literal["running", "done", "stopped", "failed"]

_MOST = 64
_LONGEST = 100_000
# A candidate is judged by the mean of its last losses: this share of them.
_JUDGED = 0.2

_log = logging.getLogger("lrwidget")


class Fan:
    """Several ways to go on from one state, tried on copies; see `Trainer.fan`.

    Attributes
    ----------
    step
        Where they begin.
    steps
        How many steps each takes.
    address
        The hyperparameter that differs.
    labels
        What each is, in a word.
    losses
        Shape (candidates, steps), float32: NaN where no step has been taken.
    error
        What went wrong, if anything did.
    """

    def __init__(
        self,
        trainer: Trainer,
        commands: Sequence[Edit],
        labels: Sequence[str],
        address: str,
        steps: int,
        *,
        together: bool,
    ):
        # The run knows its newest fan: one that knew the run as well would keep it alive.
        self._trainer = weakref.ref(trainer)
        self._runner = trainer._loop.runner_of  # noqa: SLF001
        self._commands = tuple(commands)
        self.labels = tuple(labels)
        self.address = address
        self.steps = steps
        self.losses = np.full((len(commands), steps), np.nan, np.float32)
        self.error: str | None = None
        self._together = together
        self._stopped = threading.Event()
        self._finished = threading.Event()
        self._done = 0
        self._state, self._edits, self._rows, self._valid = trainer._loop.ask(  # noqa: SLF001
            lambda _: trainer._loop.look_ahead()  # noqa: SLF001
        )
        self.step: int = self._state.step
        self._bad: npt.NDArray[np.bool_] = np.full(len(commands), False)
        self._thread = threading.Thread(target=self._work, name="lrwidget-fan", daemon=True)

    @classmethod
    def of(
        cls,
        trainer: Trainer,
        candidates: Sequence[Candidate],
        steps: int,
        *,
        address: str | None,
        together: bool | None,
    ) -> Fan:
        """Return the fan of a trainer, begun; see `Trainer.fan`."""
        steps = _checks.integer("steps", steps, low=1, high=_LONGEST)
        listed = isinstance(candidates, Sequence | np.ndarray) and not isinstance(candidates, str)
        if not listed or not 2 <= len(candidates) <= _MOST:
            raise ValueError(
                f"candidates must be a list of 2 to {_MOST} numbers, schedules or "
                f"{{'scale': factor}}, got {candidates!r}"
            )
        if trainer.position >= trainer.steps:
            raise ValueError(
                f"a fan needs steps that are left, and the run has done its {trainer.steps}: "
                "extend it first"
            )
        plans = trainer._loop.edits.plans  # noqa: SLF001
        found = plans.rates("a fan")[0] if address is None else plans.resolve(address)
        if address is None and trainer.chain.rate in trainer.addresses:
            found = trainer.chain.rate
        commands = [_command(found, candidate) for candidate in candidates]
        for command in commands:
            trainer.preview(command)  # raises where one is not allowed
        if together is None:
            together = jax.default_backend() != "cpu"
        if trainer.state in ("running", "compiling"):
            trainer.pause()
        labels = [_label(candidate) for candidate in candidates]
        fan = cls(trainer, commands, labels, found, steps, together=together)
        fan._thread.start()
        return fan

    def __repr__(self) -> str:
        return f"Fan({self.state}, {len(self.labels)} x {self.steps} steps from step {self.step})"

    @property
    def state(self) -> FanState:
        """``"running"``, ``"done"``, ``"stopped"`` or ``"failed"``."""
        if not self._finished.is_set():
            return "running"
        if self.error is not None:
            return "failed"
        return "stopped" if self._stopped.is_set() else "done"

    @property
    def done(self) -> float:
        """The share of the steps that have been taken, 0 to 1."""
        return self._done / (len(self.labels) * self.steps)

    @property
    def ends(self) -> npt.NDArray[np.float64]:
        """Each candidate's mean loss over the last fifth of its steps; NaN if it has not come.

        Infinite where it diverged.
        """
        last = max(1, round(_JUDGED * self.steps))
        ends = np.array(self.losses[:, -last:], np.float64).mean(axis=1)
        return np.where(self._bad, np.inf, ends)

    @property
    def diverged(self) -> tuple[bool, ...]:
        """Which candidates came to a loss that is not finite."""
        return tuple(bool(each) for each in self._bad)

    @property
    def best(self) -> int | None:
        """The place of the candidate that ended lowest; None before one has ended."""
        ends = self.ends
        if not np.isfinite(ends).any():
            return None
        return int(np.nanargmin(np.where(np.isfinite(ends), ends, np.nan)))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, so many seconds at most, and return whether it has come."""
        if timeout is not None:
            timeout = min(_checks.finite("timeout", timeout, low=0.0), threading.TIMEOUT_MAX)
        return self._finished.wait(timeout)

    def stop(self) -> None:
        """End it; what has been tried stays."""
        self._stopped.set()

    def take(self, index: int | None = None, *, source: str = "code") -> None:
        """Let the run go on as a candidate did, by default the best: paused at the fan's step.

        Only what is applied is taken. The weights are computed by the run itself, so that they
        are those that it would have had without a fan.

        Raises
        ------
        ValueError
            If there is no such candidate, or none to choose.
        """
        chosen = self.best if index is None else index
        if chosen is None:
            raise ValueError(
                "no candidate has come to its end yet: wait() for it, or give the index of one"
            )
        chosen = _checks.integer("index", chosen, low=0, high=len(self._commands) - 1)
        self.stop()
        trainer = self._trainer()
        if trainer is None:
            raise ValueError("the run of this fan is gone: nothing is left that could go on")
        command = dataclasses.replace(self._commands[chosen], source=source)
        if trainer._loop.is_still(self._state, self._edits):  # noqa: SLF001
            trainer.submit(command).result()
            return
        # The run has gone on since, or other edits were given: it goes on from there once more.
        edits = self._edits.copy()
        edits.apply(command, self.step)
        other = Surrendered(self._state, edits, self._rows, self._valid)
        trainer._go_on_as(other, f"fan {self.labels[chosen]}", source)  # noqa: SLF001

    # ---- the fan's thread -----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            if not (self._together and self._side_by_side()):
                for index, edits in enumerate(self._variants()):
                    self._one(index, edits)
        except Exception as error:  # noqa: BLE001  (a thread's error reaches nobody else)
            _log.debug("a fan failed", exc_info=error)
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self._finished.set()
            self._tell()

    def _variants(self) -> list[Edits]:
        variants = []
        for command in self._commands:
            edits = self._edits.copy(apart=True)
            edits.apply(command, self.step)
            # What waits for a step on the way; the plans tell of each step what is applied there.
            edits.fire_before(self.step + self.steps)
            variants.append(edits)
        return variants

    def _one(self, index: int, edits: Edits) -> None:
        place = 0
        for values in ahead(self._runner, edits, self._state, self.steps, self._stopped):
            losses = values[:, 0]
            self.losses[index, place : place + len(losses)] = losses
            place += len(losses)
            self._done += len(losses)
            self._tell()
            if not np.isfinite(losses).all():
                self._bad[index] = True
                self._done += self.steps - place
                return

    def _side_by_side(self) -> bool:
        """Run all candidates in one computation; return False where that is not possible."""
        variants = self._variants()
        sizes = variants[0].sizes
        if sizes is None or (sizes.next_change(self.step) or LAST_STEP) < self.step + self.steps:
            return False
        span = sizes.at(self.step)
        runner = self._runner(span.size)
        count = len(self.labels)
        carry = jax.tree.map(lambda x: jnp.stack([x] * count), self._state.carry)
        origin = Origin(span.step, span.epoch)
        stream = runner.source.stream(self.step, origin, self._state.stream)
        try:
            place = 0
            while place < self.steps and not self._stopped.is_set():
                chunk = stream.take(min(self.steps - place, runner.max_chunk))
                at = self.step + place
                rows = np.stack([edits.plans.rows(at, chunk.steps) for edits in variants])
                carry, values = runner.run_side_by_side(carry, at, rows, chunk)
                self.losses[:, place : place + chunk.steps] = values[:, :, 0]
                place += chunk.steps
                self._done = place * count
                self._tell()
        finally:
            stream.close()
        self._bad |= ~np.isfinite(self.losses[:, :place]).all(axis=1)
        return True

    def _tell(self) -> None:
        trainer = self._trainer()
        if trainer is not None:
            trainer._announce()  # noqa: SLF001


def _command(address: str, candidate: Candidate) -> Edit:
    if isinstance(candidate, Mapping):
        if set(candidate) != {"scale"}:
            raise ValueError(f"a candidate must be {{'scale': factor}}, got {candidate!r}")
        return Scale(factors={address: candidate["scale"]})
    if not isinstance(candidate, Schedule):
        candidate = _checks.finite("a candidate", candidate, low=0.0)
    return Set(values={address: candidate})


def _label(candidate: Candidate) -> str:
    if isinstance(candidate, Mapping):
        return f"×{candidate['scale']:g}"
    if isinstance(candidate, Schedule):
        return f"curve to {candidate.end_value:.3g}"
    return f"{candidate:.3g}"

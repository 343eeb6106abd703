"""What each command does to a run: to its plans, its length and its batch sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lrwidget.schedules import Schedule
from lrwidget.training._batch_sizes import BatchSizes
from lrwidget.training._commands import (
    LAST_STEP,
    Cancel,
    Command,
    Cooldown,
    Edit,
    Extend,
    Freeze,
    Nudge,
    Release,
    RestartWarmup,
    Scale,
    Set,
    SetBatchSize,
    Thaw,
)
from lrwidget.training._journal import JournalEntry, describe
from lrwidget.training._plan import Change, Plans, Track


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """An edit that waits for its step."""

    number: int
    step: int
    command: Edit


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that edits change, at one moment."""

    tracks: Mapping[str, Track]
    steps: int
    sizes: BatchSizes | None
    scheduled: tuple[Scheduled, ...]


class Effects:
    """The plans, the length and the batch sizes of a run, and how each command changes them.

    An effect changes things from a step on, or raises, perhaps in the middle; it returns what the
    journal is to tell of it. See `Edits` for the parameters.
    """

    def __init__(self, plans: Plans, steps: int, sizes: BatchSizes | None):
        self.plans = plans
        self.steps = steps
        self.sizes = sizes
        self.scheduled: tuple[Scheduled, ...] = ()

    @property
    def settings(self) -> Settings:
        """Everything that edits change, as it is now."""
        return Settings(self.plans.tracks, self.steps, self.sizes, self.scheduled)

    def _restore(self, settings: Settings) -> None:
        self.plans.restore(settings.tracks)
        self.steps, self.sizes = settings.steps, settings.sizes
        self.scheduled = settings.scheduled

    def _effect(self, command: Command) -> Callable[[Any, int], list[JournalEntry]]:
        effects: dict[type[Command], Callable[[Any, int], list[JournalEntry]]] = {
            Set: self._set,
            Scale: self._scale,
            Nudge: self._nudge,
            Release: self._release,
            Extend: self._extend,
            Cooldown: self._cooldown,
            RestartWarmup: self._restart_warmup,
            Freeze: lambda command, step: self._hold(command, step, frozen=True),
            Thaw: lambda command, step: self._hold(command, step, frozen=False),
            SetBatchSize: self._set_batch_size,
            Cancel: self._cancel,
        }
        if type(command) not in effects:
            raise TypeError(f"command must be one of lrwidget.training's, got {command!r}")
        return effects[type(command)]

    def _set(self, command: Set, step: int) -> list[JournalEntry]:
        changes = self.plans.set(step, command.values, from_now=command.from_now)
        return self._entries(command, step, changes)

    def _scale(self, command: Scale, step: int) -> list[JournalEntry]:
        changes = self.plans.scale(step, command.factors)
        factors = {self.plans.resolve(k): float(v) for k, v in command.factors.items()}
        return [
            self._entry(command, step, change, factor=factors[change.address]) for change in changes
        ]

    def _nudge(self, command: Nudge, step: int) -> list[JournalEntry]:
        changes = self.plans.nudge(step, command.amounts)
        amounts = {self.plans.resolve(k): float(v) for k, v in command.amounts.items()}
        return [
            self._entry(command, step, change, amount=amounts[change.address]) for change in changes
        ]

    def _release(self, command: Release, step: int) -> list[JournalEntry]:
        return self._entries(command, step, self.plans.release(step, command.addresses))

    def _extend(self, command: Extend, step: int) -> list[JournalEntry]:
        before, self.steps = self.steps, _within(self.steps + command.steps)
        return [self._about(command, step, before, self.steps, steps=command.steps)]

    def _cooldown(self, command: Cooldown, step: int) -> list[JournalEntry]:
        length = _within(step + command.steps)
        changes = self.plans.cool_down(step, command.steps, command.end_value)
        self.steps = length
        given = {"steps": command.steps, "end_value": command.end_value, "run_steps": length}
        return self._entries(command, step, changes, **given)

    def _restart_warmup(self, command: RestartWarmup, step: int) -> list[JournalEntry]:
        changes = self.plans.restart_warmup(step, command.steps, command.init_value)
        given = {"steps": command.steps, "init_value": command.init_value}
        return self._entries(command, step, changes, **given)

    def _hold(self, command: Freeze | Thaw, step: int, *, frozen: bool) -> list[JournalEntry]:
        return [
            self._entry(command, step, change, group=group)
            for group in command.groups
            for change in self.plans.hold_group(step, group, frozen=frozen)
        ]

    def _set_batch_size(self, command: SetBatchSize, step: int) -> list[JournalEntry]:
        if self.sizes is None:
            raise ValueError("set_batch_size needs a Trainer: here the loop's own data says it")
        before, self.sizes = self.sizes, self.sizes.changed(step, command.batch_size)
        sizes = (before.at(step).size, command.batch_size)
        return [self._about(command, step, *sizes, begins=self.sizes.spans[-1].step)]

    def _cancel(self, command: Cancel, step: int) -> list[JournalEntry]:
        left = tuple(s for s in self.scheduled if s.number != command.number)
        if len(left) == len(self.scheduled):
            waiting = ", ".join(str(s.number) for s in self.scheduled) or "none"
            raise ValueError(
                f"number must be that of an edit that waits ({waiting}), got {command.number}"
            )
        self.scheduled = left
        return [self._about(command, step, command.number, None)]

    # ---- entries ---------------------------------------------------------------------------------

    def _entries(
        self, command: Command, step: int, changes: list[Change], **arguments: Any
    ) -> list[JournalEntry]:
        return [self._entry(command, step, change, **arguments) for change in changes]

    def _entry(self, command: Command, step: int, change: Change, **arguments: Any) -> JournalEntry:
        about = self._about(command, step, change.before, change.after, **arguments)
        return dataclasses.replace(about, address=change.address)

    def _about(
        self,
        command: Command,
        step: int,
        before: float | Schedule | None,
        after: float | Schedule | None,
        /,  # of the arguments, one is called command
        **arguments: Any,
    ) -> JournalEntry:
        return JournalEntry(
            step=step,
            seconds=0.0,
            command=command.name,
            before=describe(before),
            after=describe(after),
            source=command.source,
            arguments=arguments,
        )


def _within(steps: int) -> int:
    if steps > LAST_STEP:
        raise ValueError(f"steps must keep the run within {LAST_STEP} steps, got {steps}")
    return steps

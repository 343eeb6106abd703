"""Commands that change what a run applies, and the journal of all commands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lrwidget.schedules import Schedule
from lrwidget.training._commands import (
    LAST_STEP,
    Command,
    Cooldown,
    Extend,
    Release,
    Scale,
    Set,
)
from lrwidget.training._journal import JournalEntry, describe
from lrwidget.training._plan import Change, Plans


class Edits:
    """The plans and the length of a run, as commands change them, and the record of it.

    Parameters
    ----------
    plans
        Of the live hyperparameters.
    steps
        Length of the run.

    Attributes
    ----------
    steps
        Length of the run as things stand.
    journal
        Every command that took effect, in order.
    """

    def __init__(self, plans: Plans, steps: int):
        self.plans = plans
        self.steps = steps
        self.journal: list[JournalEntry] = []
        self._began: float | None = None

    def start_clock(self) -> None:
        """Let the journal's seconds begin."""
        self._began = time.monotonic()

    def apply(self, command: Command, step: int) -> None:
        """Let a command take effect from `step` on, or raise and change nothing."""
        match command:
            case Set():
                changes = self.plans.set(step, command.values, from_now=command.from_now)
                self._note_all(command, step, changes)
            case Scale():
                changes = self.plans.scale(step, command.factors)
                arguments = {self.plans.resolve(k): v for k, v in command.factors.items()}
                for change in changes:
                    self._note_all(
                        command, step, [change], {"factor": float(arguments[change.address])}
                    )
            case Release():
                self._note_all(command, step, self.plans.release(step, command.addresses))
            case Extend():
                steps = self._length(self.steps + command.steps)
                self.note(command, step, before=self.steps, after=steps, steps=command.steps)
                self.steps = steps
            case Cooldown():
                steps = self._length(step + command.steps)
                changes = self.plans.cool_down(step, command.steps, command.end_value)
                arguments = {
                    "steps": command.steps,
                    "end_value": command.end_value,
                    "run_steps": steps,
                }
                self._note_all(command, step, changes, arguments)
                self.steps = steps
            case _:
                raise TypeError(f"command must be one of lrwidget.training's, got {command!r}")

    def note(
        self,
        command: Command,
        step: int,
        *,
        address: str | None = None,
        before: float | Schedule | None = None,
        after: float | Schedule | None = None,
        **arguments: Any,
    ) -> None:
        """Write a journal entry."""
        seconds = 0.0 if self._began is None else time.monotonic() - self._began
        self.journal.append(
            JournalEntry(
                step=step,
                seconds=seconds,
                command=command.name,
                address=address,
                before=describe(before),
                after=describe(after),
                source=command.source,
                arguments=arguments,
            )
        )

    def _note_all(
        self,
        command: Command,
        step: int,
        changes: list[Change],
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        for change in changes:
            self.note(
                command,
                step,
                address=change.address,
                before=change.before,
                after=change.after,
                **(arguments or {}),
            )

    def _length(self, steps: int) -> int:
        if steps > LAST_STEP:
            raise ValueError(f"steps must keep the run within {LAST_STEP} steps, got {steps}")
        return steps

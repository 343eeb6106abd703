"""Commands that change what a run applies, how they are taken back, and the journal of them all."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lrwidget.training._batch_sizes import BatchSizes
from lrwidget.training._commands import Command, Edit, Rewind, Undo
from lrwidget.training._effects import Effects, Scheduled, Settings
from lrwidget.training._journal import JournalEntry, marked, surviving
from lrwidget.training._plan import Plans


@dataclasses.dataclass(frozen=True)
class _Past:
    """An edit that took effect: where, and how everything was before and after."""

    border: float
    call: int
    before: Settings
    after: Settings
    undoes: int | None = None  # the call that it takes back


# What is undone by that which itself cannot be.
_NOTHING = -1


class _Counter:
    """Numbers that no two edits of a run and its forks have in common."""

    def __init__(self, first: int = 0) -> None:
        self._next = first
        self._lock = threading.Lock()

    def copy(self) -> _Counter:
        """Return one that goes on from here by itself."""
        return _Counter(self._next)

    def take(self, wanted: int | None = None) -> int:
        """Return `wanted` or the next number."""
        with self._lock:
            number = self._next if wanted is None else wanted
            self._next = max(self._next, number + 1)
            return number


class Edits(Effects):
    """The plans and the length of a run, as commands change them, and the record of it.

    Parameters
    ----------
    plans
        Of the live hyperparameters.
    steps
        Length of the run.
    sizes
        Its batch sizes; None where they are not the run's to change.

    Attributes
    ----------
    steps
        Length of the run as things stand.
    sizes
        As given, and as changed since.
    scheduled
        The edits that wait for their step, by step.
    journal
        Every command that took effect, in order.
    sink
        Called with each journal entry, before anything comes of it.
    """

    def __init__(self, plans: Plans, steps: int, sizes: BatchSizes | None = None):
        super().__init__(plans, steps, sizes)
        self.journal: list[JournalEntry] = []
        self.sink: Callable[[JournalEntry], None] | None = None
        self._past: list[_Past] = []
        self._counter = _Counter()
        self._began: float | None = None

    def start_clock(self) -> None:
        """Let the journal's seconds begin, or go on where it ended."""
        before = self.journal[-1].seconds if self.journal else 0.0
        self._began = time.monotonic() - before

    # ---- edits -----------------------------------------------------------------------------------

    def apply(
        self, command: Command, step: int, *, idle: bool = False, call: int | None = None
    ) -> None:
        """Let a command take effect from `step` on, or raise and change nothing.

        Parameters
        ----------
        command
            An edit. One for a later step is kept for it.
        step
            The first step that will feel it.
        idle
            Whether the run has not gone on from `step` yet.
        call
            Its number in the journal; default the next.
        """
        call = self._counter.take(call)
        if isinstance(command, Edit) and command.at is not None and command.at > step:

            def wait(command: Edit, step: int) -> list[JournalEntry]:
                return self._schedule(command, step, call)

            self._take(command, step, call, wait, idle=idle)
        elif isinstance(command, Edit) and command.at is not None and command.at < step:
            raise ValueError(
                f"at must be a step that is still to come, >= {step}, got {command.at}"
            )
        else:
            self._take(command, step, call, self._effect(command), idle=idle)

    def fire(self, step: int, calls: Mapping[int, int] | None = None) -> list[str]:
        """Let the edits take effect that waited for `step`; return what was wrong with any.

        `calls` has the number in the journal for that of the edit, where it is known.
        """
        wrong = []
        while self.scheduled and self.scheduled[0].step <= step:
            # A rewind to before this step lets it wait again.
            before = self.settings
            due, self.scheduled = self.scheduled[0], self.scheduled[1:]
            command = dataclasses.replace(due.command, at=None)
            call = self._counter.take((calls or {}).get(due.number))
            effect = self._effect(command)
            try:
                self._take(command, step, call, effect, before=before, waited=due.number)
            except ValueError as error:
                wrong.append(f"the {command.name} for step {due.step} was refused: {error}")
                self._past.append(_Past(step, call, before, self.settings, _NOTHING))
        return wrong

    def fire_before(self, step: int, fired: Mapping[int, int] | None = None) -> None:
        """Let the edits take effect that wait for steps before `step`; `fired` as for `fire`."""
        while (due := self.next_due) is not None and due < step:
            self.fire(due, fired)

    @property
    def next_due(self) -> int | None:
        """The step of the first edit that waits; None if none does."""
        return self.scheduled[0].step if self.scheduled else None

    def preview(self, command: Command, step: int) -> tuple[Settings, Settings]:
        """Return how everything will be at a step, and how after a command there; see `apply`."""
        scratch = self.copy(apart=True)
        if isinstance(command, Edit) and command.at is not None:
            # What waits for an earlier step comes before it.
            command = dataclasses.replace(command, at=None)
            scratch.fire_before(step)
        before = scratch.settings
        scratch.apply(command, step)
        return before, scratch.settings

    def _take(
        self,
        command: Command,
        step: int,
        call: int,
        effect: Callable[[Any, int], list[JournalEntry]],
        *,
        idle: bool = False,
        before: Settings | None = None,
        waited: int | None = None,
    ) -> None:
        # Which edit is the newest, is another matter once this has taken effect.
        now, undoes = self.settings, self._undoes(command)
        try:
            entries = effect(command, step)
        except BaseException:
            self._restore(now)
            raise
        if waited is not None:
            # What fires again in a replay by itself is not given a second time.
            arguments = {"scheduled": waited}
            entries = [
                dataclasses.replace(e, arguments={**e.arguments, **arguments}) for e in entries
            ]
        given = command.to_node() if waited is None else None
        for place, entry in enumerate(entries):
            first = given if place == 0 else None
            self._write(dataclasses.replace(entry, given=first, idle=idle, call=call))
        if entries:
            border = step - 0.5 if idle else float(step)
            self._past.append(_Past(border, call, before or now, self.settings, undoes))

    def _schedule(self, command: Edit, step: int, number: int) -> list[JournalEntry]:
        assert command.at is not None  # noqa: S101  (that is why it is scheduled)
        if command.at >= self.steps:
            raise ValueError(f"at must be within the run's {self.steps} steps, got {command.at}")
        # What is wrong with it shows now, as far as it can.
        self.preview(command, command.at)
        waiting = Scheduled(number, command.at, command)
        self.scheduled = tuple(sorted([*self.scheduled, waiting], key=lambda s: (s.step, s.number)))
        arguments = {"number": waiting.number, "at": command.at, "command": command.to_node()}
        entry = self._about(command, step, None, None)
        return [dataclasses.replace(entry, command="schedule", arguments=arguments)]

    def _effect(self, command: Command) -> Callable[[Any, int], list[JournalEntry]]:
        return self._undo if isinstance(command, Undo) else super()._effect(command)

    # ---- taking back -----------------------------------------------------------------------------

    @property
    def undoable(self) -> JournalEntry | None:
        """The first entry of the edit that `Undo` would take back; None if there is none."""
        past = self._newest()
        if past is None:
            return None
        return next(entry for entry in self.journal if entry.call == past.call)

    def _undo(self, command: Undo, step: int) -> list[JournalEntry]:
        past = self._newest()
        if past is None:
            raise ValueError("undo needs an edit that can be taken back, and there is none")
        before, after = past.before, past.after
        changes = []
        for address, track in before.tracks.items():
            if track is not after.tracks[address]:
                changes.append(self.plans.put(step, address, track.plan, track.held))
        if before.steps != after.steps:
            if before.steps < max(step, 1):
                raise ValueError(
                    f"the edit to be undone made the run longer than {before.steps} steps, and "
                    f"it is at step {step} already: stop it, or rewind"
                )
            self.steps = before.steps
        if before.sizes is not after.sizes and before.sizes and self.sizes:
            self.sizes = self.sizes.changed(step, before.sizes.spans[-1].size)
        came = {s.number for s in after.scheduled} - {s.number for s in before.scheduled}
        left = [s for s in self.scheduled if s.number not in came]
        # What was cancelled waits again, if its step is still to come.
        there = {s.number for s in (*after.scheduled, *left)}
        left += [s for s in before.scheduled if s.number not in there and s.step > step]
        self.scheduled = tuple(sorted(left, key=lambda s: (s.step, s.number)))
        said = {"undoes": past.call}
        if changes:
            return self._entries(command, step, changes, **said)
        return [self._about(command, step, None, None, **said)]

    def _undoes(self, command: Command) -> int | None:
        past = self._newest() if isinstance(command, Undo) else None
        return None if past is None else past.call

    def _newest(self) -> _Past | None:
        taken = {past.undoes for past in self._past}
        return next(
            (
                p
                for p in reversed(self._past)
                if p.undoes is None and p.call not in taken and not self._is_over(p)
            ),
            None,
        )

    def _is_over(self, past: _Past) -> bool:
        """Return whether an edit only made others wait, none of which waits any more."""
        before, after = past.before, past.after
        new = _numbers(after.scheduled) - _numbers(before.scheduled)
        same = before.tracks == after.tracks and before.steps == after.steps
        return bool(new) and same and not new & _numbers(self.scheduled)

    def rewind(self, to: int) -> None:
        """Make everything as it was on arriving at step `to`; the journal keeps what was after."""
        gone = [past for past in self._past if past.border >= to]
        if gone:
            self._restore(gone[0].before)
            self._past = [past for past in self._past if past.border < to]
            self.journal = marked(self.journal, self._alive)

    @property
    def _alive(self) -> list[int]:
        return [past.call for past in self._past]

    # ---- forks and replays -----------------------------------------------------------------------

    def copy(self, arriving_at: int | None = None, *, apart: bool = False) -> Edits:
        """Return edits of their own, as they are or as they were on arriving at a step.

        Their journal has what is in force in them. Those that are not `apart` share the numbers of
        their calls with these, so that one can be taken for the other.
        """
        copied = Edits(self.plans.copy(), self.steps, self.sizes)
        copied.scheduled = self.scheduled
        copied.journal, copied._past = list(self.journal), list(self._past)
        copied._counter = self._counter.copy() if apart else self._counter
        if arriving_at is not None:
            copied.rewind(arriving_at)
        alive = set(copied._alive)
        copied.journal = [entry for entry in copied.journal if entry.call in alive]
        return copied

    def settle(self, step: int) -> None:
        """Count what was given at `step` as given before it: there a fork begins with it."""
        settled = {past.call for past in self._past if past.border == step}
        self._past = [
            dataclasses.replace(past, border=step - 0.5) if past.call in settled else past
            for past in self._past
        ]
        self.journal = [
            dataclasses.replace(entry, idle=True) if entry.call in settled else entry
            for entry in self.journal
        ]

    def adopt(self, other: Edits, name: str, *, at: int, cut: int, source: str) -> None:
        """Go on as `other`, the edits of a fork of this run, do.

        Parameters
        ----------
        other
            The fork's; its entries are taken over where they are not known here.
        name
            The fork's.
        at
            How many steps this run had done.
        cut
            How many of them it has in common with the fork.
        source
            Who asks.
        """
        known = {entry.call for entry in self.journal}
        for entry in other.journal:
            if entry.call not in known and not entry.undone:
                # Not in force before the run is taken over, in the next entry but these.
                self._keep(dataclasses.replace(entry, undone=True))
        self._restore(other.settings)
        self._past = list(other._past)
        calls = [[given.call, given.border] for given in surviving(other.journal)]
        self.note("take", at, before=at, after=cut, source=source, given={}, name=name, calls=calls)
        self.journal = marked(self.journal, self._alive)

    def repeat(self, journal: Iterable[JournalEntry], until: int) -> None:
        """Do again what the journal of a run of `until` steps tells, and keep that journal."""
        journal = list(journal)
        fired = {e.arguments["scheduled"]: e.call for e in journal if "scheduled" in e.arguments}
        for border, command, call in surviving(journal):
            step = math.ceil(border)
            self.fire_before(step, fired)
            self.apply(command, step, idle=border < step, call=call)
        self.fire_before(until, fired)
        for entry in journal:
            self._counter.take(entry.call)
        self.journal = marked(journal, self._alive)

    # ---- the journal -----------------------------------------------------------------------------

    def note(
        self,
        command: Command | str,
        step: int,
        *,
        before: Any = None,
        after: Any = None,
        source: str = "code",
        given: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        """Write a journal entry about the run; `given` if a replay must know of it."""
        if isinstance(command, Command):
            source, command = command.source, command.name
        entry = JournalEntry(
            step=step,
            seconds=0.0,
            command=command,
            before=before,
            after=after,
            source=source,
            arguments=arguments,
            given=given,
            call=self._counter.take(),
        )
        self._write(entry)

    def note_rewind(self, command: Rewind, at: int, /, **arguments: Any) -> None:
        """Write that the run goes back to a step, by hand or by the guard."""
        name = "roll_back" if arguments else command.name
        self.note(
            name,
            at,
            before=at,
            after=command.step,
            source=command.source,
            given=command.to_node(),
            **arguments,
        )

    def _write(self, entry: JournalEntry) -> None:
        seconds = 0.0 if self._began is None else time.monotonic() - self._began
        self._keep(dataclasses.replace(entry, seconds=seconds))

    def _keep(self, entry: JournalEntry) -> None:
        self.journal.append(entry)
        if self.sink is not None:
            self.sink(entry)


def _numbers(waiting: Iterable[Scheduled]) -> set[int]:
    return {each.number for each in waiting}

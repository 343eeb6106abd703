"""What is applied to each live hyperparameter, now and later, and what was applied so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule, Segment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """What a command did to one hyperparameter."""

    address: str
    before: float | Schedule
    after: float | Schedule


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class _InForce:
    """What came into force at a step, and after what: every edit keeps what was before it."""

    step: int
    applied: float | Schedule
    before: _InForce | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Track:
    """One hyperparameter: its plan in absolute run steps, and a number that overrides it.

    Attributes
    ----------
    plan
        What is and will be applied, unless a number is held.
    held
        The number that holds until it is released; None for none.
    newest
        What came into force last, and before that: the past of the track.
    """

    plan: Schedule
    held: float | None = None
    newest: _InForce

    @property
    def applied(self) -> float | Schedule:
        """What is in force."""
        return self.plan if self.held is None else self.held

    def changed(self, step: int, *, plan: Schedule | None = None, held: float | None) -> Track:
        """Return the track with another plan and held number from `step` on."""
        plan = self.plan if plan is None else plan
        before: _InForce | None = self.newest
        while before is not None and before.step >= step:
            before = before.before
        now = _InForce(step, plan if held is None else held, before)
        return Track(plan=plan, held=held, newest=now)

    @property
    def changes(self) -> list[tuple[int, float | Schedule]]:
        """What came into force at which step, ascending and without repeats."""
        changes = []
        each: _InForce | None = self.newest
        while each is not None:
            changes.append((each.step, each.applied))
            each = each.before
        return changes[::-1]

    def values(self, start: int, count: int) -> npt.NDArray[np.float64]:
        """Return what was and will be applied at steps ``start .. start+count-1``."""
        steps, values = np.arange(start, start + count), np.empty(count)
        each: _InForce | None = self.newest
        end = count
        while each is not None and end > 0:
            begin = max(each.step - start, 0)
            if begin < end:
                values[begin:end] = _values(each.applied, steps[begin:end])
                end = begin
            each = each.before
        return values

    def effective(self) -> Schedule:
        """Return the schedule that was really applied, and goes on as things stand."""
        (_, first), *later = self.changes
        effective = as_schedule(first)
        for step, applied in later:
            effective = effective.replaced_from(step, as_schedule(applied))
        return effective


def _values(applied: float | Schedule, steps: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return applied(steps) if isinstance(applied, Schedule) else np.full(len(steps), applied)


class Plans:
    """The plans of a run, one for each live hyperparameter.

    A plan is a schedule in absolute steps of the run. Its past does not matter to the run, so an
    edit may replace the whole of it; what was really applied is kept apart, in changes. A number
    set by hand holds over the plan until it is released.

    Every edit is checked as a whole before any of it takes effect.

    Parameters
    ----------
    chain
        Where plans begin, and what knows addresses and ranges.
    addresses
        The live hyperparameters of the run, full addresses in the order of the rows.
    """

    def __init__(self, chain: Chain, addresses: Sequence[str]):
        self.addresses = tuple(addresses)
        self._chain = chain
        self._first: dict[str, Schedule] = {}
        self._tracks: dict[str, Track] = {}
        for address in addresses:
            value = as_schedule(chain.value(address))
            self._first[address] = value
            self._tracks[address] = Track(plan=value, newest=_InForce(0, value))

    def copy(self) -> Plans:
        """Return plans of their own."""
        copied = Plans(self._chain, self.addresses)
        copied.restore(self._tracks)
        return copied

    @property
    def tracks(self) -> dict[str, Track]:
        """What there is of each hyperparameter; may be given back to `restore`."""
        return dict(self._tracks)

    def restore(self, tracks: Mapping[str, Track]) -> None:
        """Make everything as it was when these were `tracks`."""
        self._tracks = dict(tracks)

    def put(self, step: int, address: str, plan: Schedule, held: float | None) -> Change:
        """Let a plan and a held number be in force from `step` on."""
        track = self._tracks[address]
        self._tracks[address] = track.changed(step, plan=plan, held=held)
        return Change(address=address, before=track.applied, after=self._tracks[address].applied)

    def rows(self, start: int, count: int) -> npt.NDArray[np.float64]:
        """Return what is applied at steps ``start .. start+count-1``, shape (count, addresses).

        Of steps that have been taken it is what was applied then.
        """
        rows = np.empty((count, len(self._tracks)))
        for column, track in enumerate(self._tracks.values()):
            rows[:, column] = track.values(start, count)
        return rows

    def plan(self, address: str) -> Schedule:
        """Return the plan at a full address."""
        return self._tracks[address].plan

    def held(self, address: str) -> float | None:
        """Return the number that holds over the plan at a full address, or None."""
        return self._tracks[address].held

    def effective(self, address: str) -> Schedule:
        """Return the schedule that was really applied, and goes on as things stand."""
        return self._tracks[address].effective()

    def changed(self, address: str) -> bool:
        """Return whether anything but the chain's own value was ever applied at a full address."""
        return [applied for _, applied in self._tracks[address].changes] != [self._first[address]]

    def resolve(self, text: str) -> str:
        """Return the full address of a live hyperparameter, or raise a ValueError."""
        if not isinstance(text, str):
            raise TypeError(f"an address must be text, got {text!r}")
        address = self._chain.resolve(text)
        if address not in self._tracks:
            raise ValueError(
                f"{text} is not live in this run, so that it cannot change; live are "
                f"{', '.join(self.addresses)}"
            )
        return address

    def set(
        self, step: int, values: Mapping[str, float | Schedule], *, from_now: bool = False
    ) -> list[Change]:
        """Give hyperparameters numbers, which hold, or schedules, which become the plan."""
        wanted: dict[str, float | Schedule] = {}
        for text, value in values.items():
            address = self._once(text, wanted)
            if isinstance(value, Schedule):
                self._chain.replace(**{address: value})
                wanted[address] = value.shifted(step) if from_now else value
            else:
                number: float = self._chain.hyperparameter(address).check(text, value)
                if _is_below_zero(number):
                    raise ValueError(
                        f"{text} must be >= 0 in a run, whose schedules do not go below, got "
                        f"{number}"
                    )
                wanted[address] = number
        return [self._apply(step, address, value) for address, value in wanted.items()]

    def scale(self, step: int, factors: Mapping[str, float]) -> list[Change]:
        """Multiply plans, and the numbers held over them."""
        wanted: dict[str, tuple[Schedule, float | None]] = {}
        for text, factor in factors.items():
            address = self._once(text, wanted)
            track = self._tracks[address]
            plan = track.plan.scaled(factor)
            held = None if track.held is None else track.held * float(factor)
            # Of a plan, only what is still to come must stay in range.
            self._chain.replace(**{address: plan.sliced(step)})
            if held is not None:
                held = self._chain.hyperparameter(address).check(text, held)
            wanted[address] = (plan, held)
        return [self.put(step, address, *both) for address, both in wanted.items()]

    def nudge(self, step: int, amounts: Mapping[str, float]) -> list[Change]:
        """Change the values in force by amounts, and what is left of plans by the same factor."""
        wanted: dict[str, tuple[Schedule, float | None]] = {}
        for text, amount in amounts.items():
            address = self._once(text, wanted)
            track = self._tracks[address]
            now = float(track.values(step, 1)[0])
            new = self._chain.hyperparameter(address).check(text, now + float(amount))
            if _is_below_zero(new):
                raise ValueError(f"{text} must stay >= 0, and {now:g} {amount:+g} is {new:g}")
            if track.held is not None:
                wanted[address] = (track.plan, new)
                continue
            if not now or not new:
                raise ValueError(
                    f"{text} must be > 0 before and after a nudge, so that the rest of its curve "
                    f"can follow by a factor; it is {now:g} and would be {new:g}: set it instead"
                )
            plan = track.plan.scaled(new / now)
            self._chain.replace(**{address: plan.sliced(step)})
            wanted[address] = (plan, None)
        return [self.put(step, address, *both) for address, both in wanted.items()]

    def release(self, step: int, addresses: Iterable[str] = ()) -> list[Change]:
        """Let held numbers go; all of them where none is named."""
        names = [self.resolve(text) for text in addresses] or self.addresses
        tracks = {address: self._tracks[address] for address in names}
        return [
            self.put(step, address, track.plan, None)
            for address, track in tracks.items()
            if track.held is not None
        ]

    def cool_down(self, step: int, steps: int, end_value: float) -> list[Change]:
        """Ramp every learning rate from where it is straight to `end_value` over `steps` steps."""
        changes = []
        for address in self.rates("cooldown"):
            applied = as_schedule(self._tracks[address].applied)
            ramp = applied.cooldown_from(step, steps, end_value)
            changes.append(self.put(step, address, ramp, None))
        return changes

    def restart_warmup(self, step: int, steps: int, init_value: float) -> list[Change]:
        """Ramp every learning rate from `init_value` to its plan over `steps` steps."""
        changes = []
        for address in self.rates("restart_warmup"):
            plan = as_schedule(self._tracks[address].applied)
            ramp = Segment(
                "linear", steps, init_value=init_value, end_value=float(plan(step + steps))
            )
            parts = [plan.sliced(0, step)] if step else []
            warmed = Schedule(*parts, ramp, plan.sliced(step + steps))
            changes.append(self.put(step, address, warmed, None))
        return changes

    def hold_group(self, step: int, group: str, *, frozen: bool) -> list[Change]:
        """Hold at 0 what multiplies every update of a group, or release it."""
        changes = []
        for address in self.brakes(group):
            track = self._tracks[address]
            if frozen != (track.held == 0.0):
                changes.append(self.put(step, address, track.plan, 0.0 if frozen else None))
        return changes

    def brakes(self, group: str) -> tuple[str, ...]:
        """Return the live addresses that stop a group where they are 0; ValueError if none do."""
        chosen = self._chain.group(group)
        if not chosen.own:
            found: tuple[str, ...] = (self._chain.resolve(f"{group}/multiplier"),)
        else:
            found = tuple(
                f"{label}.{link.declaration.rate}"
                for label, link in self._chain.labelled_in(group)
                if link.declaration.rate in link.live()
            )
        if not found or any(address not in self._tracks for address in found):
            raise ValueError(
                f"the group {group} must have a live multiplier or learning rate to be frozen by, "
                "and this one has none"
            )
        return found

    def rates(self, what: str) -> list[str]:
        """Return the live learning rates; ValueError naming `what` needs one if there is none."""
        called = {f"{label}.{link.declaration.rate}" for label, link in self._chain.labelled()}
        rates = [a for a in self.addresses if a in called or a.endswith("learning_rate")]
        if not rates:
            raise ValueError(f"{what} needs a live learning_rate, and this run has none")
        return rates

    def _once(self, text: str, seen: Mapping[str, object]) -> str:
        address = self.resolve(text)
        if address in seen:
            raise ValueError(f"{address} must be named once, got it a second time as {text!r}")
        return address

    def _apply(self, step: int, address: str, value: float | Schedule) -> Change:
        if isinstance(value, Schedule):
            return self.put(step, address, value, None)
        return self.put(step, address, self._tracks[address].plan, value)


def live_addresses(chain: Chain, live: Iterable[str] | None) -> tuple[str, ...]:
    """Return the full addresses of what can change in a run, in the chain's order.

    Parameters
    ----------
    chain
        How the run trains.
    live
        Addresses; None for all but numbers below zero, such as that of ``scale(-1e-3)``, since no
        schedule goes below.

    Raises
    ------
    TypeError, ValueError
        If an address is unknown or a number below zero, or a schedule is left out.
    """
    if isinstance(live, str):
        raise TypeError(f"live must be a sequence of addresses, got the text {live!r}")
    chosen = chain.live_addresses(live)
    below = [a for a in chosen if _is_below_zero(chain.value(a))]
    if live is not None and below:
        raise ValueError(
            f"live must leave out numbers below zero, since no schedule goes below, and "
            f"{below[0]} is {chain.value(below[0])}"
        )
    for address in chain.addresses():
        if address not in chosen and isinstance(chain.value(address), Schedule):
            raise ValueError(
                f"live must name every scheduled hyperparameter, and {address} is scheduled; got "
                f"{', '.join(chosen) or 'none'}"
            )
    return tuple(address for address in chosen if address not in below)


def _is_below_zero(value: float | Schedule) -> bool:
    return not isinstance(value, Schedule) and value < 0.0


def as_schedule(value: float | Schedule) -> Schedule:
    """Return `value`, or the constant schedule without end of a number."""
    return value if isinstance(value, Schedule) else Schedule(Segment("constant", value=value))

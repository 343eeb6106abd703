"""What is applied to each live hyperparameter, now and later, and what was applied so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

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


@dataclasses.dataclass(kw_only=True)
class _Track:
    """One hyperparameter: its plan in absolute run steps, and a number that overrides it."""

    chain_value: Schedule
    plan: Schedule
    held: float | None = None
    # What came into force at which step, ascending and without repeats: the past of this track.
    changes: list[tuple[int, float | Schedule]]

    @property
    def applied(self) -> float | Schedule:
        return self.plan if self.held is None else self.held

    def record(self, step: int) -> None:
        # A new list, not a changed one: another thread may be reading.
        kept = [change for change in self.changes if change[0] < step]
        self.changes = [*kept, (step, self.applied)]

    def effective(self) -> Schedule:
        (_, first), *later = self.changes
        effective = as_schedule(first)
        for step, applied in later:
            effective = effective.replaced_from(step, as_schedule(applied))
        return effective


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
        self._tracks: dict[str, _Track] = {}
        for address in addresses:
            value = as_schedule(chain.value(address))
            self._tracks[address] = _Track(chain_value=value, plan=value, changes=[(0, value)])

    def rows(self, start: int, count: int) -> npt.NDArray[np.float64]:
        """Return what is applied at steps ``start .. start+count-1``, shape (count, addresses)."""
        rows = np.empty((count, len(self._tracks)))
        steps = np.arange(start, start + count)
        for column, track in enumerate(self._tracks.values()):
            rows[:, column] = track.plan(steps) if track.held is None else track.held
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
        track = self._tracks[address]
        return [applied for _, applied in track.changes] != [track.chain_value]

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
        changes = []
        for address, (plan, held) in wanted.items():
            before = self._tracks[address].applied
            self._tracks[address].plan, self._tracks[address].held = plan, held
            changes.append(self._record(step, address, before))
        return changes

    def release(self, step: int, addresses: Iterable[str] = ()) -> list[Change]:
        """Let held numbers go; all of them where none is named."""
        names = [self.resolve(text) for text in addresses] or self.addresses
        changes = []
        for address in names:
            track = self._tracks[address]
            if track.held is not None:
                before, track.held = track.applied, None
                changes.append(self._record(step, address, before))
        return changes

    def cool_down(self, step: int, steps: int, end_value: float) -> list[Change]:
        """Ramp every learning rate from where it is straight to `end_value` over `steps` steps."""
        called = {f"{label}.{link.declaration.rate}" for label, link in self._chain.labelled()}
        rates = [a for a in self.addresses if a in called or a.endswith("learning_rate")]
        if not rates:
            raise ValueError("cooldown needs a live learning_rate, and this run has none")
        changes = []
        for address in rates:
            applied = as_schedule(self._tracks[address].applied)
            ramp = applied.cooldown_from(step, steps, end_value)
            changes.append(self._apply(step, address, ramp))
        return changes

    def _once(self, text: str, seen: Mapping[str, object]) -> str:
        address = self.resolve(text)
        if address in seen:
            raise ValueError(f"{address} must be named once, got it a second time as {text!r}")
        return address

    def _apply(self, step: int, address: str, value: float | Schedule) -> Change:
        track = self._tracks[address]
        before = track.applied
        if isinstance(value, Schedule):
            track.plan, track.held = value, None
        else:
            track.held = value
        return self._record(step, address, before)

    def _record(self, step: int, address: str, before: float | Schedule) -> Change:
        track = self._tracks[address]
        track.record(step)
        return Change(address=address, before=before, after=track.applied)


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

"""What climbs in a range test, from where to where, and what each step is taken with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from lrwidget import _checks
from lrwidget._numbers import rate
from lrwidget.finding._arguments import is_rate
from lrwidget.finding._rules import FloatArray
from lrwidget.optimizers._accumulation import accumulated

if TYPE_CHECKING:
    from lrwidget.optimizers import Chain

LadderKind: TypeAlias = Literal["exponential", "linear"]
KINDS: tuple[LadderKind, ...] = ("exponential", "linear")

FEWEST_STEPS = 10
MOST_STEPS = 1_000_000

# Rates reach the compiled step as float32; below its smallest normal number they would be zero.
_LOWEST_RATE = float(np.finfo(np.float32).tiny)
_HIGHEST_RATE = float(np.finfo(np.float32).max)

_ALL = "all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ladder:
    """What one hyperparameter climbs.

    Attributes
    ----------
    name
        The hyperparameter's short address, or that of a group whose rate this is.
    address
        The full address of what is written: of a group with a multiplier, that.
    over
        The full address of the rate by which the rungs are divided before; None for none.
    is_rate
        Whether a learning rate climbs.
    values
        The rungs, float64, shape (steps,), rising from exactly `low` to exactly `high`.
    """

    name: str
    address: str
    over: str | None
    is_rate: bool
    values: FloatArray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Climb:
    """The ladders of a range test, the first of which is the one that is read.

    Attributes
    ----------
    ladders
        At least one.
    hold
        Steps that each rung is held for: batches that are accumulated for one update.
    skip
        Steps of the first rung's that have been done before: an accumulation that is under way.
    """

    ladders: tuple[Ladder, ...]
    hold: int
    skip: int = 0

    @property
    def rungs(self) -> int:
        """Rungs of the ladders."""
        return len(self.ladders[0].values)

    @property
    def steps(self) -> int:
        """Training steps of the whole climb."""
        return self.rungs * self.hold - self.skip

    def first_step(self, rung: int) -> int:
        """Return the number of the first step of a rung; that of the one past the end as well."""
        return max(rung * self.hold - self.skip, 0)

    def rows(
        self, addresses: tuple[str, ...], plan: Callable[[int, int], FloatArray]
    ) -> FloatArray:
        """Return what each step is taken with, shape (steps, addresses), float64.

        Parameters
        ----------
        addresses
            What is live, in the order of the columns.
        plan
            ``(first, count)`` to what all else is at these steps.

        Raises
        ------
        ValueError
            If something that climbs is not live, or a group's multiplier cannot make its rate.
        """
        rows = plan(0, self.steps)
        rung = (np.arange(self.steps) + self.skip) // self.hold
        # Rates first: the multiplier that makes a group's rate depends on that of all parameters.
        for ladder in sorted(self.ladders, key=lambda ladder: ladder.over is not None):
            values = ladder.values[rung]
            if ladder.over is not None:
                values = _multipliers(ladder, values, rows[:, _column(addresses, ladder.over)])
            rows[:, _column(addresses, ladder.address)] = values
        return rows


def climb(
    chain: Chain,
    *,
    kind: LadderKind,
    low: Any,
    high: Any,
    steps: Any,
    address: str | tuple[str, ...] | None,
    ladders: Mapping[str, tuple[float, float]] | None,
) -> Climb:
    """Return what climbs in a range test; see `find_lr` for the arguments.

    Parameters
    ----------
    chain
        The chain that is trained with.
    kind, low, high, steps, address, ladders
        As given.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the chain has nothing live of that name.
    """
    _checks.choice("ladder", kind, KINDS)
    rungs = _checks.integer("steps", steps, low=FEWEST_STEPS, high=MOST_STEPS)
    if ladders is None:
        ends = dict.fromkeys(_addresses(chain, address), (low, high))
        named = ("low", "high")
    elif address is not None:
        raise ValueError(
            f"address must be None where ladders says what climbs, got {address!r} beside it"
        )
    else:
        ends, named = _given(ladders), None
    made = []
    for said, (bottom, top) in ends.items():
        names = named or (f"the low end of ladders[{said!r}]", f"the high end of ladders[{said!r}]")
        made.append(_ladder(chain, said, (bottom, top), names, kind=kind, rungs=rungs))
        if any(made[-1].address == other.address for other in made[:-1]):
            raise ValueError(f"each hyperparameter must climb once, got {said!r} a second time")
    hold = max(accumulated(chain, ladder.address) for ladder in made)
    return Climb(ladders=tuple(made), hold=hold)


def _ladder(
    chain: Chain,
    said: str,
    ends: tuple[Any, Any],
    names: tuple[str, str],
    *,
    kind: LadderKind,
    rungs: int,
) -> Ladder:
    exponential = kind == "exponential"
    low = _checks.finite(names[0], ends[0], low=_LOWEST_RATE if exponential else 0.0)
    high = _checks.finite(names[1], ends[1], low=low, low_open=True, high=_HIGHEST_RATE)
    full, over = _found(chain, said)
    climbing = chain.hyperparameter(full)
    for name, end in zip(names, (low, high), strict=True):
        climbing.check(name, end)
    return Ladder(
        name=said if over is not None else chain.short(full),
        address=full,
        over=over,
        is_rate=over is not None or is_rate(chain, full),
        values=(np.geomspace if exponential else np.linspace)(low, high, rungs),
    )


def _addresses(chain: Chain, address: Any) -> tuple[str, ...]:
    if address is None:
        return (chain.rate or "learning_rate",)
    if isinstance(address, str):
        return (address,)
    if not isinstance(address, tuple | list) or not address:
        raise TypeError(
            f"address must be an address such as 'learning_rate', or several, got {address!r}"
        )
    return tuple(address)


def _given(ladders: Any) -> dict[str, tuple[Any, Any]]:
    if not isinstance(ladders, Mapping) or not ladders:
        raise TypeError(
            f"ladders must be a mapping of groups or addresses to (low, high), got {ladders!r}"
        )
    for said, ends in ladders.items():
        if not isinstance(ends, tuple | list) or len(ends) != 2:
            raise TypeError(f"ladders[{said!r}] must be a pair (low, high), got {ends!r}")
    return {said: (ends[0], ends[1]) for said, ends in ladders.items()}


def _found(chain: Chain, said: Any) -> tuple[str, str | None]:
    """Return the full address that a ladder is written to, and that of the rate it divides by."""
    group = said if isinstance(said, str) else None
    if group == _ALL or any(each.name == group for each in chain.groups):
        assert group is not None  # noqa: S101
        if group == _ALL or chain.group(group).own:
            said = chain.rate_in(group) or f"{group}/learning_rate"
        elif chain.rate is not None:
            return chain.resolve(f"{group}/multiplier"), chain.rate
        else:
            raise ValueError(
                f"chain must have one live learning_rate where the rate of the group {group} "
                f"climbs, got {', '.join(chain.addresses()) or 'no live hyperparameter'}"
            )
    addresses = chain.addresses()
    try:
        return chain.resolve(said), None
    except ValueError as error:
        raise ValueError(
            f"chain must have a live {said} for the range test to raise, "
            f"got {', '.join(addresses) or 'no live hyperparameter'}: {error}"
        ) from error


def _column(addresses: tuple[str, ...], address: str) -> int:
    if address not in addresses:
        raise ValueError(
            f"{address} must be live in the run for the range test to raise it, live are "
            f"{', '.join(addresses) or 'none'}"
        )
    return addresses.index(address)


def _multipliers(ladder: Ladder, values: FloatArray, rates: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        multipliers: FloatArray = values / rates
    if not (multipliers <= _HIGHEST_RATE).all():
        raise ValueError(
            f"the group {ladder.name} has its rate by a multiplier of {ladder.over}, which must "
            f"then be > 0 at every step, got {rate(float(rates.min()))}"
        )
    return multipliers

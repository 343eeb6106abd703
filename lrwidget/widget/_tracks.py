"""What is designed: the learning rate, the tracks beside it, and the chain that holds them all."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from lrwidget.optimizers import Chain
from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._registry import declarations
from lrwidget.schedules import Schedule
from lrwidget.schedules._export._code import check_identifier
from lrwidget.widget._rate import rate_of

ADDRESS = "learning_rate"
"""What the curve is called without a chain, and by the page; all others are tracks."""

# What is offered where no chain says what there is, with the values that most people begin with.
_USUAL = {"momentum": 0.9, "b1": 0.9, "b2": 0.999, "weight_decay": 0.01}


class Tracks(Mapping[str, Schedule]):
    """The schedules beside the learning rate, by name; read-only, since it is set as a whole.

    With a chain a name is an address such as ``"adamw.weight_decay"``; the bare name finds it too
    where it is unambiguous. ``tracks | {name: schedule}`` is a dictionary with one more.
    """

    def __init__(self, curves: Mapping[str, Schedule] | None = None) -> None:
        self._curves = dict(curves or {})

    def __getitem__(self, name: str) -> Schedule:
        return self._curves[self._known(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._curves, **{self._known(name): curve for name, curve in other.items()}}

    def __setitem__(self, name: str, schedule: Any) -> NoReturn:
        raise TypeError(
            f"tracks are set as a whole: widget.tracks = widget.tracks | {{{name!r}: schedule}}"
        )

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError(f"tracks are set as a whole: give widget.tracks a dict without {name!r}")

    def __repr__(self) -> str:
        return f"Tracks({self._curves!r})"

    def _known(self, name: Any) -> Any:
        if name in self._curves:
            return name
        found = [known for known in self._curves if bare(known) == name]
        return found[0] if len(found) == 1 else name


@dataclasses.dataclass(frozen=True)
class Design:
    """A learning rate, tracks, and a chain; consistent by construction, and never changed.

    Made by `of` and by the methods, which refuse what is not allowed with an error that names it.

    Attributes
    ----------
    schedule
        The learning rate.
    tracks
        The schedules of other hyperparameters.
    base
        The chain with a plain number where a curve is: the one that comes back when a track goes.
    left_out
        What the change that led here could not take over, in sentences.
    """

    schedule: Schedule
    tracks: Tracks
    base: Chain | None
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        schedule: Schedule,
        tracks: Mapping[str, Any] | None = None,
        chain: Chain | None = None,
    ) -> Design:
        """Return a design whose tracks are `tracks` and the chain's own scheduled numbers."""
        if chain is None:
            return cls(schedule, Tracks(), None).replaced(tracks=tracks)
        base, brought = _apart(chain, None)
        return cls(schedule, brought, base).replaced(
            tracks=None if tracks is None else brought | mapping(tracks)
        )

    @functools.cached_property
    def chain(self) -> Chain | None:
        """The chain with the learning rate and the tracks in it."""
        if self.base is None:
            return None
        return self.base.replace({rate_of(self.base): self.schedule, **self.tracks})

    def replaced(
        self, schedule: Schedule | None = None, tracks: Mapping[str, Any] | None = None
    ) -> Design:
        """Return the design with another learning rate, with other tracks, or both."""
        design = Design(
            self.schedule if schedule is None else schedule,
            self.tracks if tracks is None else self._checked(tracks),
            self.base,
        )
        # The chain checks each curve against the range of its hyperparameter.
        _ = design.chain
        return design

    def stretched(self, steps: int) -> Design:
        """Return the design over `steps` steps: tracks as long as the schedule stay so."""
        return self.replaced(
            self.schedule.stretched(steps),
            {
                name: track.stretched(steps) if self._alike(track) else track
                for name, track in self.tracks.items()
            },
        )

    @property
    def least_steps(self) -> int:
        """The fewest steps to which the design can be shrunk."""
        curves = [self.schedule, *(t for t in self.tracks.values() if self._alike(t))]
        return max(len(curve.parts) for curve in curves)

    def with_chain(self, chain: Chain | None) -> Design:
        """Return the design with another chain, whose scheduled hyperparameters are its tracks.

        The learning rate is the chain's where that is a schedule; a plain number is what the chain
        came with, and the designed curve takes its place. Where there was no chain, the tracks stay
        as far as the chain has them.
        """
        if chain is None:
            return self._without_chain()
        rate = chain.value(rate_of(chain))
        base, tracks = _apart(chain, self)
        design = Design(rate if isinstance(rate, Schedule) else self.schedule, tracks, base)
        design = design.replaced()
        return design if self.base is not None else design.joined(self.tracks)

    def edited(
        self,
        schedule: Schedule | None,
        tracks: Mapping[str, Any] | None,
        chain: Chain | None,
    ) -> Design:
        """Return the design with another chain of plain numbers, and with these curves.

        Tracks that are not given stay, as those of a design without a chain do, as far as the new
        chain has them.
        """
        schedule = self.schedule if schedule is None else schedule
        if chain is None:
            return self._without_chain().replaced(schedule, tracks)
        rate_of(chain)
        design = Design(schedule, Tracks(), chain).replaced()
        if tracks is None or self.base is None:
            return design.joined(self.tracks if tracks is None else mapping(tracks))
        return design.replaced(tracks=tracks)

    def joined(self, tracks: Mapping[str, Any]) -> Design:
        """Return the design with more tracks, as far as it takes them."""
        design, left_out = self, []
        for name, track in tracks.items():
            reason = ""
            # They may be named as another chain has them, or none.
            short = name if "/" in name else bare(name)
            for said in dict.fromkeys([name, short]):
                try:
                    design = design.replaced(tracks=design.tracks | {said: track})
                    break
                except ValueError as error:
                    reason = reason or _why_not(error)
            else:
                left_out.append(f"the track {name} ({reason})")
        return dataclasses.replace(design, left_out=tuple(left_out))

    def _without_chain(self) -> Design:
        main = [bare(name) for name in self.tracks if "/" not in name]
        renamed = {}
        for name, track in self.tracks.items():
            short = bare(name)
            if "/" in name:
                short = code_name(self.label(name))
            elif main.count(short) > 1 or short == ADDRESS:
                short = code_name(name)
            renamed[short] = track
        return Design(self.schedule, Tracks(renamed), None)

    def find(self, name: str) -> str:
        """Return the name of a track there is, for that name or a shorter one; or raise."""
        known = [t for t in self.tracks if name in (t, self.label(t))]
        if len(known) != 1:
            there = ", ".join([ADDRESS, *self.tracks])
            raise ValueError(f"track must be one of {there}; got {name!r}")
        return known[0]

    # ---- what is said of it -------------------------------------------------------------------

    def label(self, name: str) -> str:
        """Return the field's own word for a track: its bare name where that is unambiguous."""
        return name if self.base is None else self.base.short(name)

    @property
    def rate(self) -> str:
        """The address of the learning rate."""
        return ADDRESS if self.base is None else rate_of(self.base)

    def labelled(self) -> dict[str, Schedule]:
        """Return the tracks by their labels."""
        return {self.label(name): track for name, track in self.tracks.items()}

    def curves(self) -> dict[str, Schedule]:
        """Return every curve by its name in source code, the learning rate first."""
        by_name = {self.rate: self.schedule, **self.tracks}
        if self.base is None:
            return by_name
        injection = self.base.injection(by_name)
        keys = dict(zip(injection.addresses, injection.keys, strict=True))
        return {keys[name]: curve for name, curve in by_name.items()}

    def shown(self) -> list[dict[str, Any]]:
        """Return the tracks as the browser gets them."""
        return [
            {
                "name": name,
                "label": self.label(name),
                "schedule": track.to_node(samples=True),
                **self._range(name),
            }
            for name, track in self.tracks.items()
        ]

    def candidates(self) -> list[dict[str, Any]]:
        """Return the hyperparameters that could become tracks, with their numbers."""
        if self.base is None:
            free = {name: value for name, value in _USUAL.items() if name not in self.tracks}
        else:
            others = [a for a in self.base.addresses() if a != self.rate]
            free = {a: self.base.value(a) for a in others if a not in self.tracks}
        return [
            {"name": name, "label": self.label(name), "value": value, **self._range(name)}
            for name, value in free.items()
        ]

    # ---- inside -------------------------------------------------------------------------------

    def _alike(self, track: Schedule) -> bool:
        return track.steps == self.schedule.steps

    def _range(self, name: str) -> dict[str, Any]:
        declared = hyperparameter(name) if self.base is None else self.base.hyperparameter(name)
        bounds = ("low", "high", "low_open", "high_open")
        if declared is None:
            return dict(zip(bounds, (None, None, False, False), strict=True))
        return {bound: getattr(declared, bound) for bound in bounds}

    def _checked(self, tracks: Mapping[str, Any]) -> Tracks:
        curves: dict[str, Schedule] = {}
        given: dict[str, str] = {}
        for said, curve in mapping(tracks).items():
            name = self._name(said)
            if name in curves:
                raise ValueError(f"tracks must hold {name} once, got {given[name]!r} and {said!r}")
            if not isinstance(curve, Schedule):
                raise TypeError(
                    f"the track {said} must be a Schedule, such as lrw.schedules.constant(0.9), "
                    f"got {curve!r}"
                )
            if self.base is None and (declared := hyperparameter(name)) is not None:
                _check(name, declared, curve)
            curves[name], given[name] = curve, said
        return Tracks(curves)

    def _name(self, said: Any) -> str:
        if self.base is not None:
            name = self.base.resolve(said)
        else:
            try:
                name = check_identifier(said)
            except ValueError as error:
                raise ValueError(f"a track's {error}") from None
        if name == self.rate:
            raise ValueError(f"tracks must not hold the learning rate, which is schedule: {said!r}")
        return name


def bare(name: str) -> str:
    """Return the hyperparameter's own name in an address."""
    return name.rpartition(".")[2]


def code_name(label: str) -> str:
    """Return a label as a name in source code."""
    return label.replace(".", "_").replace("/", "_")


def hyperparameter(name: str) -> Hyperparameter | None:
    """Return the declaration of the number that optimizers call `name`; None if none does."""
    return next(iter(_called(name)), None)


def check_range(name: str, schedule: Schedule) -> None:
    """Raise where a curve leaves every range that links declare for a number of this name.

    Of an address, the link in it says what is allowed.
    """
    link, _, own = name.rpartition("/")[2].rpartition(".")
    found = _called(own, re.sub(r"_\d+$", "", link) if link else "")
    raised = None
    for declared in found:
        try:
            return _check(name, declared, schedule)
        except ValueError as error:
            raised = raised or error
    if raised is not None:
        raise raised
    return None


def _check(name: str, declared: Hyperparameter, schedule: Schedule) -> None:
    for part in schedule.parts:
        for value in (part.start_value, part.end_value, part.peak_value):
            declared.check(name, value)


@functools.cache
def _called(name: str, link: str = "") -> list[Hyperparameter]:
    """Return the declarations of the numbers of this name, of one link or of all."""
    return [
        declared
        for declaration in declarations().values()
        if not link or declaration.name == link
        for declared in declaration.hyperparameters
        if declared.name == name and declared.kind == "number"
    ]


def mapping(tracks: Any) -> Mapping[str, Any]:
    """Return `tracks` if it is a mapping, or raise a TypeError that names it."""
    if not isinstance(tracks, Mapping):
        raise TypeError(f"tracks must be a dict of name -> Schedule, got {tracks!r}")
    return tracks


def _why_not(error: ValueError) -> str:
    """Return why a track is not taken, without the addresses of all that would be."""
    unknown = str(error).startswith("an address must be one of")
    return "the chain has no number of that name" if unknown else str(error)


def _apart(chain: Chain, before: Design | None) -> tuple[Chain, Tracks]:
    """Return the chain with plain numbers, and the schedules that it came with beside its rate.

    The number of a curve that stays is the one that it has replaced; that of a new one is its
    first value, and of the rate its highest.
    """
    rate = rate_of(chain)
    base = None if before is None else before.base
    tracks: dict[str, Schedule] = {}
    numbers: dict[str, float] = {}
    for address in chain.addresses():
        value = chain.value(address)
        if not isinstance(value, Schedule):
            continue
        numbers[address] = value.peak_value if address == rate else value(0)
        if address != rate:
            tracks[address] = value
        if before is not None and base is not None and address in base.addresses():
            earlier = before.schedule if address == before.rate else before.tracks.get(address)
            if earlier == value:
                numbers[address] = base.value(address)
    return chain.replace(numbers), Tracks(tracks)

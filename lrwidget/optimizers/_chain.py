"""`Chain`: an optimizer chain as immutable data, and the addresses of its hyperparameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.optimizers._addresses import MULTIPLIER, bare, named, shortened
from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._groups import ALL, MULTIPLIED, Group
from lrwidget.optimizers._injection import Injection, keys_of
from lrwidget.optimizers._link import Link
from lrwidget.optimizers._order import check_order
from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from lrwidget.optimizers._warnings import ChainWarning


_NO_LINK_BUT_GROUPS = (
    " beside the groups {names}: groups are exceptions, so make one optimizer the link that trains "
    "all other parameters, as in Chain.of(adam(1e-3), groups=[...])"
)


@dataclasses.dataclass(frozen=True, init=False)
class Chain:
    """An optimizer chain: links in the order in which the gradients pass them, and groups.

    A wrapper such as ``multi_steps`` goes around all links after it.

    Every hyperparameter has an address, ``"adamw.learning_rate"``; where a chain holds two links of
    one kind, the second is ``"clip_by_global_norm_2"``. That of a group begins with its name:
    ``"head/adamw.learning_rate"``, ``"head/multiplier"``. Wherever an address is asked for, the
    bare name does if it is unambiguous; the links of all parameters (``"all/adamw.b1"``) go before
    those of groups.

    Parameters
    ----------
    *links
        One or more links; see `lrwidget.optimizers`.
    groups
        Of parameters that are trained in another way; see `Group`.

    Raises
    ------
    TypeError
        If a link or a group is something else.
    ValueError
        If there is no link, a wrapper is the last link, two groups have one name, or links stand
        together that cannot: groups with chains of their own and what needs all parameters at
        once, ``flatten`` and what tells parameters apart, ``sam`` and what needs the loss.

    Examples
    --------
    >>> import lrwidget as lrw
    >>> chain = Chain.of(lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.adamw(1e-3))
    >>> chain.resolve("weight_decay")
    'adamw.weight_decay'
    """

    links: tuple[Link, ...]
    groups: tuple[Group, ...] = ()

    def __init__(self, *links: Link, groups: Iterable[Group] = ()):
        for link in links:
            if not isinstance(link, Link):
                raise TypeError(
                    f"a chain must be made of links such as lrwidget.optimizers.adamw(1e-3), "
                    f"got {link!r}"
                )
        groups = _groups(groups)
        if not links:
            raise ValueError(
                "a chain must have at least one link, got none"
                + _NO_LINK_BUT_GROUPS.format(names=", ".join(g.name for g in groups)) * bool(groups)
            )
        object.__setattr__(self, "links", links)
        object.__setattr__(self, "groups", groups)
        check_order(self.links, self.groups)

    @classmethod
    def of(cls, *links: Link, groups: Iterable[Group] = ()) -> Self:
        """Return the chain of `links`."""
        return cls(*links, groups=groups)

    def __repr__(self) -> str:
        groups = f", groups={list(self.groups)!r}" if self.groups else ""
        return f"Chain({', '.join(map(repr, self.links))}{groups})"

    # ---- hyperparameters by address -----------------------------------------------------------

    def labelled(self) -> Iterator[tuple[str, Link]]:
        """Yield each link with its label, those of groups after those of all parameters.

        The label is the link's name, numbered from the second of a kind on, behind its group's.
        """
        for group in (ALL, *(group.name for group in self.groups)):
            yield from self.labelled_in(group)

    def labelled_in(self, group: str) -> Iterator[tuple[str, Link]]:
        """Yield the links of one group, or of ``"all"``, with their labels."""
        return zip(self._labels(group), self._links(group), strict=True)

    def _labels(self, group: str) -> Iterator[str]:
        seen: dict[str, int] = {}
        prefix = "" if group == ALL else f"{group}/"
        for link in self._links(group):
            number = seen[link.name] = seen.get(link.name, 0) + 1
            yield f"{prefix}{link.name}" if number == 1 else f"{prefix}{link.name}_{number}"

    def _links(self, group: str) -> tuple[Link, ...]:
        return self.links if group == ALL else self.group(group).links

    def group(self, name: str) -> Group:
        """Return the group called `name`; ValueError if there is none."""
        for group in self.groups:
            if group.name == name:
                return group
        there = ", ".join([ALL, *(group.name for group in self.groups)])
        raise ValueError(f"the group of an address must be one of {there}; got {name!r}")

    def addresses(self) -> tuple[str, ...]:
        """Return the address of every live hyperparameter, in order."""
        return tuple(f"{label}.{name}" for label, link in self.labelled() for name in link.live())

    def resolve(self, address: str, *, static: bool = False) -> str:
        """Return the full address for a full, grouped or bare one.

        Parameters
        ----------
        address
            ``"adamw.learning_rate"``, ``"all/adamw.learning_rate"``, ``"learning_rate"``,
            ``"head/learning_rate"`` or ``"head/multiplier"``.
        static
            Whether hyperparameters that cannot change while training are found as well.

        Raises
        ------
        TypeError
            If it is not text.
        ValueError
            If nothing has that address, or more than one hyperparameter has that bare name.
        """
        if not isinstance(address, str):
            raise TypeError(f"an address must be a str such as 'learning_rate', got {address!r}")
        known = self.addresses()
        found = self._find(address, known)
        if static and not found:
            known = self._all()
            found = self._find(address, known)
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"{address!r} is ambiguous: it may be {' or '.join(found)}")
        near = _checks.did_you_mean(address, [*shortened(known).values(), *known])
        raise ValueError(
            f"an address must be one of {', '.join(known) or 'none (nothing is live)'}; "
            f"got {address!r}{near}"
        )

    def _find(self, address: str, known: tuple[str, ...]) -> list[str]:
        said, slash, name = address.rpartition("/")
        if slash and said != ALL:
            group = self.group(said)
            if name == "multiplier" and not group.own:
                name = MULTIPLIER
            return named(known, name, said)
        found = named(known, name, ALL)
        return found or ([] if slash else [a for a in known if bare(a) == name])

    def short(self, address: str) -> str:
        """Return the shortest form of a live hyperparameter's address that means it and no other.

        These are the columns of a history: ``"learning_rate"``, ``"head/multiplier"``.
        """
        return shortened(self.addresses())[self.resolve(address)]

    def value(self, address: str) -> Any:
        """Return the number or `Schedule` at an address."""
        label, _, name = self.resolve(address, static=True).rpartition(".")
        return dict(self.labelled())[label][name]

    def hyperparameter(self, address: str) -> Hyperparameter:
        """Return the declaration of the hyperparameter at an address."""
        label, _, name = self.resolve(address, static=True).rpartition(".")
        group = label.rpartition("/")[0]
        if group and not self.group(group).own:
            return MULTIPLIED
        return dict(self.labelled())[label].declaration.hyperparameter(name)

    @property
    def rate(self) -> str | None:
        """The address of the learning rate of all parameters; None if there is not just one."""
        return self.rate_in(ALL)

    def rate_in(self, group: str) -> str | None:
        """Return the address of the learning rate in one group; None if there is not just one."""
        rates = [
            f"{label}.{link.declaration.rate}"
            for label, link in self.labelled_in(group)
            if link.declaration.rate in link.live()
        ]
        return rates[0] if len(rates) == 1 else None

    @property
    def learning_rate(self) -> float | Schedule:
        """The learning rate of all parameters; ValueError if the chain has none, or several."""
        rate: float | Schedule = self.value(self.rate or "learning_rate")
        return rate

    def replace(self, mapping: Mapping[str, Any] | None = None, /, **by_name: Any) -> Self:
        """Return the chain with some hyperparameters changed.

        Parameters
        ----------
        mapping
            New values by address.
        **by_name
            New values by bare name, such as ``learning_rate=1e-4``.

        Raises
        ------
        ValueError, TypeError
            If an address is unknown or ambiguous, or a value is not allowed there.
        """
        changes: dict[str, dict[str, Any]] = {}
        for address, value in {**(mapping or {}), **by_name}.items():
            label, _, name = self.resolve(address, static=True).rpartition(".")
            changes.setdefault(label, {})[name] = value
        return self._mapped(
            lambda label, link: link.replace(**changes[label]) if label in changes else link
        )

    def _mapped(self, change: Callable[[str, Link], Link]) -> Self:
        links = [change(label, link) for label, link in self.labelled_in(ALL)]
        groups = [
            group.with_links([change(label, link) for label, link in self.labelled_in(group.name)])
            for group in self.groups
        ]
        return type(self)(*links, groups=groups)

    def _all(self) -> tuple[str, ...]:
        return tuple(
            f"{label}.{name}" for label, link in self.labelled() for name in link.hyperparameters
        )

    # ---- over steps ---------------------------------------------------------------------------

    @property
    def steps(self) -> int | None:
        """The length of its longest schedule in steps; None without a schedule that ends."""
        lengths = [
            value.steps
            for address in self.addresses()
            if isinstance(value := self.value(address), Schedule) and value.steps is not None
        ]
        return max(lengths, default=None)

    def rows(self, start: int, n: int) -> npt.NDArray[np.float64]:
        """Return the value of each live hyperparameter at each of `n` steps from `start`.

        Parameters
        ----------
        start, n
            The first step, and how many.

        Returns
        -------
        numpy.ndarray
            float64 of shape ``(n, len(addresses()))``; `Injection.columns` rounds it.
        """
        addresses = self.addresses()
        rows = np.empty((n, len(addresses)))
        steps = np.arange(start, start + n, dtype=np.float64)
        for column, address in enumerate(addresses):
            value = self.value(address)
            rows[:, column] = value(steps) if isinstance(value, Schedule) else value
        return rows

    # ---- in and out ---------------------------------------------------------------------------

    def structure(self) -> tuple[Any, ...]:
        """Return what a compiled step depends on: the links and all that is static in them.

        Two chains that differ only in live numbers and schedules have the same structure.
        """
        links = tuple(
            (label, _kind(link), tuple(link.live()), _statics(link))
            for label, link in self.labelled()
        )
        groups = tuple((g.name, g.own, g.paths, g.kinds, _key(g.mask)) for g in self.groups)
        return (links, groups)

    @property
    def needs(self) -> frozenset[str]:
        """The keywords that ``update`` needs beside the parameters, such as ``value``."""
        return frozenset(need for _, link in self.labelled() for need in link.needs)

    def reports(self) -> tuple[str, ...]:
        """Return what the links' states tell at each step, as addresses ``"prodigy.estim_lr"``."""
        return tuple(
            f"{label}.{name}"
            for label, link in self.labelled()
            for name in link.declaration.reports
        )

    def warnings(self, params: Any = None) -> list[ChainWarning]:
        """Return what is known to be wrong with this combination of links, with the reasons.

        Parameters
        ----------
        params
            With the parameters that are trained, groups that none of them belongs to are named too.
        """
        from lrwidget.optimizers._warnings import warnings_of

        return warnings_of(self, {} if params is None else self.members(params))

    def members(self, params: Any) -> dict[str, tuple[str, ...]]:
        """Return the paths of each group's parameters, those of the rest under ``"all"``.

        Parameters
        ----------
        params
            The parameters: a pytree of arrays, or the state of an `nnx.Module`.
        """
        from lrwidget.optimizers._labels import members

        return members(self.groups, params)

    def eval_params(self, opt_state: Any, params: Any) -> Any:
        """Return the parameters to evaluate with; mostly those that are trained.

        Parameters
        ----------
        opt_state
            The state of ``to_optax()`` or ``live()``.
        params
            The parameters that are trained. ``schedule_free`` evaluates at an average of them,
            ``lookahead`` at its slow weights.
        """
        from lrwidget.optimizers._optax import evaluated

        return evaluated(self, opt_state, params)

    def to_optax(self) -> Any:
        """Return the chain as a plain ``optax.GradientTransformation``, schedules inside."""
        from lrwidget.optimizers._optax import build

        return build(self)

    def live(self, addresses: Iterable[str] | None = None) -> Any:
        """Return the chain with hyperparameters that can be written into its state.

        The whole chain becomes one ``optax.inject_hyperparams`` factory. Its state has a dictionary
        ``hyperparams`` with a float32 scalar for each live hyperparameter, under its bare name
        where that is unambiguous; what is written there counts from the next update on, without a
        new trace. `injection` gives the keys, and the rows to write.

        Parameters
        ----------
        addresses
            Which hyperparameters are live; default all. The others keep their numbers or schedules.
        """
        from lrwidget.optimizers._optax import build_live

        return build_live(self, self.injection(addresses))

    def live_addresses(self, addresses: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return full addresses in the chain's order; all live ones for None."""
        if addresses is None:
            return self.addresses()
        if isinstance(addresses, str):
            raise TypeError(
                f"addresses must be a list of addresses such as ['learning_rate'], "
                f"got {addresses!r}"
            )
        chosen = {self.resolve(address) for address in addresses}
        return tuple(address for address in self.addresses() if address in chosen)

    def injection(self, addresses: Iterable[str] | None = None) -> Injection:
        """Return what to write into the state of ``live(addresses)`` at each step."""
        chosen = self.live_addresses(addresses)
        keys = keys_of([self.short(address) for address in chosen])
        decays = tuple(i for i, a in enumerate(chosen) if self.hyperparameter(a).decay)
        return Injection(chosen, keys, decays)

    def to_code(self, name: str = "optimizer", *, hold: bool = False, live: bool = False) -> str:
        """Return the chain and its schedules as Python source that needs Optax and JAX alone.

        Parameters
        ----------
        name
            The name that the source gives to the optimizer: a Python identifier.
        hold
            Whether schedules must hold their last value past their end; see `Schedule.to_code`.
        live
            Whether the numbers that are written out are injected with
            ``optax.inject_hyperparams``, so that they can change while training. Schedules are
            then for the loop to read: ``hyperparameters(step)`` gives what to write.

        Raises
        ------
        ValueError
            If the chain holds an object that is not a function which an import can find.
        """
        from lrwidget.optimizers._code import write_chain, write_live

        return write_live(self, name, hold=hold) if live else write_chain(self, name, hold=hold)

    def to_json(self) -> str:
        """Return the chain as JSON text with its schema and version.

        Raises
        ------
        ValueError
            If the chain holds a function, a mask or a custom link, which JSON cannot.
        """
        from lrwidget.optimizers._json import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the chain that `to_json` wrote; a ValueError says where it cannot be read."""
        from lrwidget.optimizers._json import from_json

        links, groups = from_json(text)
        return cls(*links, groups=groups)


def chain_of(value: Any, name: str = "chain") -> Chain:
    """Return a chain for a chain or a single link, or raise a TypeError that names the argument."""
    if isinstance(value, Link):
        return Chain(value)
    if not isinstance(value, Chain):
        raise TypeError(
            f"{name} must be a Chain or a Link, such as lrwidget.optimizers.adam(1e-3), "
            f"got {type(value).__name__}"
        )
    return value


def _groups(groups: Iterable[Group]) -> tuple[Group, ...]:
    if not isinstance(groups, Iterable):
        raise TypeError(
            f"groups must be a list of lrwidget.optimizers.Group objects, got {groups!r}"
        )
    groups = tuple(groups)
    for group in groups:
        if not isinstance(group, Group):
            raise TypeError(f"groups must be lrwidget.optimizers.Group objects, got {group!r}")
    names = [group.name for group in groups]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"groups must have names of their own, got {name!r} twice")
    return groups


def _kind(link: Link) -> Any:
    return link.name if link.declaration.registered else _key(link.declaration.factory)


def _statics(link: Link) -> tuple[Any, ...]:
    return tuple((name, _key(value)) for name, value in link.static().items())


def _key(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        # A pytree mask: the compiled step keeps the chain alive, and with it this identity.
        return ("object", id(value))
    # True == 1 and both hash alike, but they are not the same optimizer.
    return (type(value).__name__, value)

"""`Chain`: an optimizer chain as immutable data, and the addresses of its hyperparameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule

# The group of all parameters: the one that a chain has today.
ALL = "all"


@dataclasses.dataclass(frozen=True)
class Injection:
    """What to write into the state of a live chain, and how.

    Attributes
    ----------
    addresses
        The live hyperparameters: one for each column of a row.
    keys
        Their keys in the state's ``hyperparams``.
    decays
        The columns that are decay rates. Of these the state also holds one minus the value, which
        float32 cannot subtract without an error that Adam shows.
    """

    addresses: tuple[str, ...]
    keys: tuple[str, ...]
    decays: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every key that is written: `keys`, then the complements."""
        return (*self.keys, *map(self.complement, self.decays))

    def complement(self, column: int) -> str:
        """Return the key that holds one minus the decay rate of a column."""
        return f"one_minus_{self.keys[column]}"

    def columns(self, rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return rows of shape ``(n, len(addresses))`` as those to write, ``(n, len(names))``."""
        rows = np.asarray(rows, np.float64)
        return np.hstack([rows, 1.0 - rows[:, list(self.decays)]]).astype(np.float32)


@dataclasses.dataclass(frozen=True, init=False)
class Chain:
    """An optimizer chain: links in the order in which the gradients pass them.

    Every hyperparameter has an address, ``"adamw.learning_rate"``; where a chain holds two links of
    one kind, the second is ``"clip_by_global_norm_2"``. Wherever an address is asked for, the bare
    name does if it is unambiguous, and a group may stand before it: ``"all/adamw.weight_decay"``.

    Parameters
    ----------
    *links
        One or more links; see `lrwidget.optimizers`.

    Raises
    ------
    TypeError
        If a link is something else.
    ValueError
        If there are none.

    Examples
    --------
    >>> import lrwidget as lrw
    >>> chain = Chain.of(lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.adamw(1e-3))
    >>> chain.resolve("weight_decay")
    'adamw.weight_decay'
    """

    links: tuple[Link, ...]

    def __init__(self, *links: Link):
        for link in links:
            if not isinstance(link, Link):
                raise TypeError(
                    f"a chain must be made of links such as lrwidget.optimizers.adamw(1e-3), "
                    f"got {link!r}"
                )
        if not links:
            raise ValueError("a chain must have at least one link, got none")
        object.__setattr__(self, "links", links)

    @classmethod
    def of(cls, *links: Link) -> Self:
        """Return the chain of `links`."""
        return cls(*links)

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.links))})"

    # ---- hyperparameters by address -----------------------------------------------------------

    @property
    def labels(self) -> tuple[str, ...]:
        """The links' names, numbered from the second of a kind on."""
        seen: dict[str, int] = {}
        labels = []
        for link in self.links:
            seen[link.name] = seen.get(link.name, 0) + 1
            labels.append(link.name if seen[link.name] == 1 else f"{link.name}_{seen[link.name]}")
        return tuple(labels)

    def labelled(self) -> Iterator[tuple[str, Link]]:
        """Yield each link with its label."""
        return zip(self.labels, self.links, strict=True)

    def addresses(self) -> tuple[str, ...]:
        """Return the address of every live hyperparameter, in order."""
        return tuple(f"{label}.{name}" for label, link in self.labelled() for name in link.live())

    def resolve(self, address: str, *, static: bool = False) -> str:
        """Return the full address for a full, grouped or bare one.

        Parameters
        ----------
        address
            ``"adamw.learning_rate"``, ``"all/adamw.learning_rate"`` or ``"learning_rate"``.
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
        group, slash, name = address.rpartition("/")
        if slash and group != ALL:
            raise ValueError(f"the group of an address must be {ALL!r}, got {group!r}")
        known = self._all() if static else self.addresses()
        if name in known:
            return name
        found = [a for a in known if a.rpartition(".")[2] == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"{address!r} is ambiguous: it may be {' or '.join(found)}")
        raise ValueError(
            f"an address must be one of {', '.join(known) or 'none (nothing is live)'}; "
            f"got {address!r}"
        )

    def short(self, address: str) -> str:
        """Return the bare name of a live hyperparameter where it is unambiguous, else its address.

        These are the columns of a history.
        """
        address = self.resolve(address)
        name = address.rpartition(".")[2]
        bare = [a.rpartition(".")[2] for a in self.addresses()]
        return name if bare.count(name) == 1 else address

    def value(self, address: str) -> Any:
        """Return the number or `Schedule` at an address."""
        label, _, name = self.resolve(address, static=True).rpartition(".")
        return dict(self.labelled())[label][name]

    def hyperparameter(self, address: str) -> Hyperparameter:
        """Return the declaration of the hyperparameter at an address."""
        label, _, name = self.resolve(address, static=True).rpartition(".")
        return dict(self.labelled())[label].declaration.hyperparameter(name)

    @property
    def learning_rate(self) -> float | Schedule:
        """The chain's one learning rate."""
        rate: float | Schedule = self.value("learning_rate")
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
        return type(self)(
            *(link.replace(**changes.get(label, {})) for label, link in self.labelled())
        )

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
        return tuple(
            (link.name, tuple(link.live()), tuple((k, _key(v)) for k, v in link.static().items()))
            for link in self.links
        )

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
        keys = tuple(self.short(address).replace(".", "_") for address in chosen)
        decays = tuple(i for i, a in enumerate(chosen) if self.hyperparameter(a).decay)
        return Injection(chosen, keys, decays)

    def to_code(self, name: str = "optimizer", *, hold: bool = False) -> str:
        """Return the chain and its schedules as Python source that needs Optax and JAX alone.

        Parameters
        ----------
        name
            The name that the source gives to the optimizer: a Python identifier.
        hold
            Whether schedules must hold their last value past their end; see `Schedule.to_code`.

        Raises
        ------
        ValueError
            If the chain holds a mask that is not a function which an import can find.
        """
        from lrwidget.optimizers._code import write_chain

        return write_chain(self, name, hold=hold)

    def to_json(self) -> str:
        """Return the chain as JSON text with its schema and version.

        Raises
        ------
        ValueError
            If the chain holds a mask, which JSON cannot.
        """
        from lrwidget.optimizers._json import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the chain that `to_json` wrote; a ValueError says where it cannot be read."""
        from lrwidget.optimizers._json import from_json

        return cls(*from_json(text))

    def to_parts(self) -> list[dict[str, Any]]:
        """Return the chain as plain JSON data for a front end that shows it."""
        return [
            {
                "link": link.name,
                "label": label,
                "hyperparameters": [
                    _shown(f"{label}.{h.name}", h, link[h.name])
                    for h in link.declaration.hyperparameters
                ],
            }
            for label, link in self.labelled()
        ]


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


def _shown(address: str, hyperparameter: Hyperparameter, value: Any) -> dict[str, Any]:
    live = hyperparameter.kind == "number" and value is not None
    scheduled = isinstance(value, Schedule)
    if scheduled:
        shown = None
    elif hyperparameter.kind == "mask" and value is not None:
        shown = "set"
    else:
        shown = value
    declared = {
        k: getattr(hyperparameter, k) for k in ("low", "high", "low_open", "high_open", "help")
    }
    return {
        "address": address,
        "name": hyperparameter.name,
        "value": shown,
        "default": not (scheduled or hyperparameter.required) and value == hyperparameter.default,
        "scheduled": scheduled,
        "live": live,
        **declared,
    }


def _key(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        # A pytree mask: the compiled step keeps the chain alive, and with it this identity.
        return ("object", id(value))
    # True == 1 and both hash alike, but they are not the same optimizer.
    return (type(value).__name__, value)

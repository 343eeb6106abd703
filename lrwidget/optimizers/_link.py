"""`Link`: one gradient transformation of a chain, as immutable data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from lrwidget import _checks
from lrwidget.optimizers._declaration import Declaration, Need
from lrwidget.optimizers._registry import declaration as find_declaration
from lrwidget.schedules import Schedule

# What is not read by a link with a `monitor`. A line search would refuse to be given it.
_NOT_JUDGED = {"train": "valid_value", "valid": "value"}


@dataclasses.dataclass(frozen=True, init=False)
class Link:
    """One gradient transformation of a chain.

    Parameters
    ----------
    name
        The name of a declaration: ``"adamw"``, ``"clip_by_global_norm"``, …; see `names`.
    **hyperparameters
        Its arguments in Optax: numbers, `Schedule`s where a number may change while training, or
        static values; those left out take Optax's defaults.

    Raises
    ------
    ValueError, TypeError
        If the name or a hyperparameter is not allowed.

    Examples
    --------
    >>> Link("adamw", learning_rate=1e-3)["weight_decay"]
    0.0001
    """

    declaration: Declaration
    hyperparameters: Mapping[str, Any] = dataclasses.field(hash=False)

    def __init__(self, name: str | Declaration, /, **hyperparameters: Any):
        declared = name if isinstance(name, Declaration) else find_declaration(name)
        takes = [h.name for h in declared.hyperparameters]
        _checks.known_keywords(f"the link {declared.name!r}", hyperparameters, takes)
        required = [h.name for h in declared.hyperparameters if h.required]
        if missing := [name for name in required if name not in hyperparameters]:
            raise TypeError(f"the link {declared.name!r} must be given {', '.join(missing)}")
        values: dict[str, Any] = {}
        for hyperparameter in declared.hyperparameters:
            value = hyperparameters.get(hyperparameter.name, hyperparameter.default)
            if isinstance(value, Schedule) and hyperparameter.can_change(value):
                _check_schedule(hyperparameter.name, value, hyperparameter.check)
            else:
                value = hyperparameter.check(hyperparameter.name, value)
            values[hyperparameter.name] = value
        object.__setattr__(self, "declaration", declared)
        object.__setattr__(self, "hyperparameters", MappingProxyType(values))

    @property
    def name(self) -> str:
        """The name of the declaration."""
        return self.declaration.name

    def __getitem__(self, hyperparameter: str) -> Any:
        return self.hyperparameters[hyperparameter]

    @property
    def needs(self) -> frozenset[Need]:
        """The keywords that its ``update`` needs: of two losses only the one that it judges."""
        not_judged = _NOT_JUDGED.get(str(self.hyperparameters.get("monitor")))
        return frozenset(need for need in self.declaration.needs if need != not_judged)

    def live(self) -> dict[str, float | Schedule]:
        """Return the hyperparameters that may change while training: numbers and schedules."""
        return {
            h.name: self[h.name]
            for h in self.declaration.hyperparameters
            if h.can_change(self[h.name])
        }

    def static(self) -> dict[str, Any]:
        """Return the other hyperparameters: all that is fixed once the optimizer is built."""
        live = self.live()
        return {name: value for name, value in self.hyperparameters.items() if name not in live}

    def injected(self) -> list[str]:
        """Return the hyperparameters that hold a schedule where Optax itself takes none."""
        return [
            h.name
            for h in self.declaration.hyperparameters
            if isinstance(self[h.name], Schedule) and not h.schedulable
        ]

    def following(self) -> list[str]:
        """Return the hyperparameters in whose place the chain's learning rate is passed."""
        return [
            h.name
            for h in self.declaration.hyperparameters
            if h.follows
            and self[h.name] is None
            and (not h.only_if or self[h.only_if[0]] == h.only_if[1])
        ]

    def replace(self, **hyperparameters: Any) -> Link:
        """Return the link with these hyperparameters changed."""
        return Link(self.declaration, **{**self.hyperparameters, **hyperparameters})

    def to_optax(self) -> Any:
        """Return the link alone as a plain ``optax.GradientTransformation``, schedules inside."""
        from lrwidget.optimizers._chain import Chain  # which is made of links

        return Chain(self).to_optax()

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping can be neither copied nor pickled; a declaration of the registry is
        # found by its name.
        declared = self.name if self.declaration.registered else self.declaration
        return _link, (declared, dict(self.hyperparameters))

    def __repr__(self) -> str:
        changed = [
            f"{h.name}={self[h.name]!r}"
            for h in self.declaration.hyperparameters
            if h.required or self[h.name] != h.default
        ]
        return f"{self.name}({', '.join(changed)})"


def _link(name: str | Declaration, hyperparameters: dict[str, Any]) -> Link:
    return Link(name, **hyperparameters)


# So many points of a schedule are looked at for its lowest and highest value.
_POINTS = 257


def _check_schedule(name: str, schedule: Schedule, check: Any) -> None:
    for part in schedule.parts:
        for value in (part.start_value, part.end_value, part.peak_value):
            check(name, value)
    # What parts contain may dip between their ends.
    last = float(schedule.steps or 4096)
    values = schedule(np.linspace(0.0, last, _POINTS))
    check(name, values.min())
    check(name, values.max())

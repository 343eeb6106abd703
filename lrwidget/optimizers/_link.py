"""`Link`: one gradient transformation of a chain, as immutable data; and the factories."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lrwidget import _checks
from lrwidget.optimizers._declaration import Declaration
from lrwidget.optimizers._registry import declaration as find_declaration
from lrwidget.optimizers._registry import declarations
from lrwidget.schedules import Schedule


@dataclasses.dataclass(frozen=True, init=False)
class Link:
    """One gradient transformation of a chain.

    Parameters
    ----------
    name
        The name of a declaration: ``"adamw"``, ``"clip_by_global_norm"``, …; see `names`.
    **hyperparameters
        Its arguments in Optax: numbers, `Schedule`s, or static values; those left out take Optax's
        defaults.

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
            if isinstance(value, Schedule) and hyperparameter.kind == "number":
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

    def live(self) -> dict[str, float | Schedule]:
        """Return the hyperparameters that may change while training: numbers and schedules."""
        return {
            h.name: self[h.name]
            for h in self.declaration.hyperparameters
            if h.kind == "number" and self[h.name] is not None
        }

    def static(self) -> dict[str, Any]:
        """Return the other hyperparameters: flags, masks, and numbers that are None."""
        live = self.live()
        return {name: value for name, value in self.hyperparameters.items() if name not in live}

    def injected(self) -> list[str]:
        """Return the hyperparameters that hold a schedule where Optax itself takes none."""
        return [
            h.name
            for h in self.declaration.hyperparameters
            if isinstance(self[h.name], Schedule) and not h.schedulable
        ]

    def replace(self, **hyperparameters: Any) -> Link:
        """Return the link with these hyperparameters changed."""
        return Link(self.declaration, **{**self.hyperparameters, **hyperparameters})

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping can be neither copied nor pickled; a declaration is found by its name.
        return _link, (self.name, dict(self.hyperparameters))

    def __repr__(self) -> str:
        changed = [
            f"{h.name}={self[h.name]!r}"
            for h in self.declaration.hyperparameters
            if h.required or self[h.name] != h.default
        ]
        return f"{self.name}({', '.join(changed)})"


def _link(name: str, hyperparameters: dict[str, Any]) -> Link:
    return Link(name, **hyperparameters)


def _check_schedule(name: str, schedule: Schedule, check: Any) -> None:
    # A schedule may leave the range only at its ends and its peak.
    for part in schedule.parts:
        for value in (part.start_value, part.end_value, part.peak_value):
            check(name, value)


def names() -> list[str]:
    """Return the name of every kind of link, those of installed packages included."""
    return list(declarations())


def make(name: str, **hyperparameters: Any) -> Link:
    """Return a link by name: ``make("adamw", learning_rate=1e-3)``; see `Link`."""
    return Link(name, **hyperparameters)


def sgd(
    learning_rate: float | Schedule,
    momentum: float | Schedule | None = None,
    nesterov: bool = False,  # noqa: FBT001, FBT002  (Optax's own signature)
) -> Link:
    """Return gradient descent: ``optax.sgd``.

    Parameters
    ----------
    learning_rate
        A number >= 0 or a schedule.
    momentum
        A number in [0, 1), a schedule, or None for none; only a number can change while training.
    nesterov
        Whether to look ahead along the momentum.

    References
    ----------
    Optax: ``sgd``. Sutskever et al. 2013, "On the importance of initialization and momentum".
    """
    return Link("sgd", learning_rate=learning_rate, momentum=momentum, nesterov=nesterov)


def adam(
    learning_rate: float | Schedule,
    b1: float | Schedule = 0.9,
    b2: float | Schedule = 0.999,
    eps: float | Schedule = 1e-8,
    eps_root: float | Schedule = 0.0,
    *,
    nesterov: bool = False,
) -> Link:
    """Return Adam: ``optax.adam``.

    Parameters
    ----------
    learning_rate
        A number >= 0 or a schedule.
    b1, b2
        Decay of the means of the gradients and of their squares, in [0, 1).
    eps, eps_root
        Added to the root in the denominator, and under it; >= 0.
    nesterov
        Whether to look ahead along the momentum.

    References
    ----------
    Optax: ``adam``. Kingma and Ba 2015, arXiv 1412.6980.
    """
    return Link(
        "adam",
        learning_rate=learning_rate,
        b1=b1,
        b2=b2,
        eps=eps,
        eps_root=eps_root,
        nesterov=nesterov,
    )


def adamw(
    learning_rate: float | Schedule,
    b1: float | Schedule = 0.9,
    b2: float | Schedule = 0.999,
    eps: float | Schedule = 1e-8,
    eps_root: float | Schedule = 0.0,
    weight_decay: float | Schedule = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> Link:
    """Return Adam with decoupled weight decay: ``optax.adamw``.

    Parameters
    ----------
    learning_rate
        A number >= 0 or a schedule.
    b1, b2
        Decay of the means of the gradients and of their squares, in [0, 1).
    eps, eps_root
        Added to the root in the denominator, and under it; >= 0.
    weight_decay
        Share of each weight taken off at a step, times the learning rate; >= 0.
    mask
        Which parameters decay: None for all, a pytree of bools, or a function of the parameters
        that returns one.
    nesterov
        Whether to look ahead along the momentum.

    References
    ----------
    Optax: ``adamw``. Loshchilov and Hutter 2019, arXiv 1711.05101.
    """
    return Link(
        "adamw",
        learning_rate=learning_rate,
        b1=b1,
        b2=b2,
        eps=eps,
        eps_root=eps_root,
        weight_decay=weight_decay,
        mask=mask,
        nesterov=nesterov,
    )


def clip_by_global_norm(max_norm: float | Schedule) -> Link:
    """Return clipping of all gradients together: ``optax.clip_by_global_norm``.

    Parameters
    ----------
    max_norm
        The largest Euclidean norm of all gradients together, > 0.

    References
    ----------
    Optax: ``clip_by_global_norm``. Pascanu et al. 2013, arXiv 1211.5063.
    """
    return Link("clip_by_global_norm", max_norm=max_norm)


def add_decayed_weights(weight_decay: float | Schedule = 0.0, mask: Any = None) -> Link:
    """Return weight decay as a link: ``optax.add_decayed_weights``.

    Before a link with momentum it acts as an L2 penalty; between that and the learning rate it is
    decoupled.

    Parameters
    ----------
    weight_decay
        Share of each weight that is added to its gradient, >= 0.
    mask
        Which parameters decay: None for all, a pytree of bools, or a function of the parameters
        that returns one.

    References
    ----------
    Optax: ``add_decayed_weights``.
    """
    return Link("add_decayed_weights", weight_decay=weight_decay, mask=mask)

"""What a link of an optimizer chain is: its name, its hyperparameters, and where Optax has it."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any, Literal

from lrwidget import _checks

Kind = Literal["number", "flag", "mask"]

_FLOAT32_MAX = 3.4028234e38


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """One argument of an Optax factory.

    Attributes
    ----------
    name
        The argument's name in Optax.
    default
        Its default in Optax; for an argument that Optax requires, a sensible start.
    required
        Whether Optax requires it.
    kind
        ``number`` (live: may change while training, and may be a `Schedule`), ``flag`` (a bool) or
        ``mask`` (None, a pytree of bools, or a function of the parameters that returns one). Flags
        and masks are static: a change of one is another optimizer.
    optional
        Whether None is allowed, with which the number is not part of the optimizer at all.
    schedulable
        Whether Optax itself takes a schedule here.
    decay
        Whether it is the decay rate of a mean, of which the optimizer also takes one minus it.
    low, high, low_open, high_open
        The allowed range of a number; an open bound is itself excluded.
    help
        One sentence for the inspector and the docs.
    """

    name: str
    default: Any
    required: bool = False
    kind: Kind = "number"
    optional: bool = False
    schedulable: bool = False
    decay: bool = False
    low: float | None = 0.0
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    help: str = ""

    def check(self, name: str, value: Any) -> Any:
        """Return `value` as this hyperparameter takes it, or raise naming `name`, value and rule.

        Numbers become floats; schedules are the caller's to check.
        """
        if value is None and (self.optional or self.kind == "mask"):
            return None
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, got {value!r}")
            return value
        if self.kind == "mask":
            if isinstance(value, int | float | str):
                raise TypeError(
                    f"{name} must be None, a pytree of bools or a function of the parameters that "
                    f"returns one, got {value!r}"
                )
            return value
        if callable(value):
            raise TypeError(f"{name} must be a number or an lrwidget Schedule, got {value!r}")
        number = _checks.finite(
            name,
            value,
            low=self.low,
            high=self.high,
            low_open=self.low_open,
            high_open=self.high_open,
        )
        if number > _FLOAT32_MAX:
            raise ValueError(f"{name} must be a number that float32 can hold, got {value!r}")
        return number


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declaration:
    """One kind of link: the whole of what lrwidget knows about it.

    A package adds its own by listing a `Declaration` in the entry-point group
    ``lrwidget.optimizers``.

    Attributes
    ----------
    name
        The word in JSON and in ``make``, such as ``"adamw"``.
    module, function
        Where the factory is, as exported code imports it: ``module="optax"``, ``function="adamw"``.
        Called with the hyperparameters as keywords it returns a gradient transformation.
    hyperparameters
        Its arguments, in the factory's order.
    help
        One sentence for the palette and the docs.
    one_type
        Whether the factory's update fails where a live hyperparameter, always float32, meets
        gradients of another type. Such a link works on the gradients in float32 and gives them
        back in their own type.
    """

    name: str
    module: str
    function: str
    hyperparameters: tuple[Hyperparameter, ...]
    help: str
    one_type: bool = False

    @property
    def factory(self) -> Callable[..., Any]:
        """The function itself; imports its module on first use."""
        factory: Callable[..., Any] = getattr(importlib.import_module(self.module), self.function)
        return factory

    def hyperparameter(self, name: str) -> Hyperparameter:
        """Return the hyperparameter called `name`."""
        return next(h for h in self.hyperparameters if h.name == name)

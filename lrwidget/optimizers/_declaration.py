"""What a link of an optimizer chain is: its name, its hyperparameters, and where Optax has it."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterable
from typing import Any, Literal

from lrwidget import _checks

Kind = Literal[
    "number", "integer", "flag", "choice", "numbers", "dtype", "mask", "function", "chain"
]
Category = Literal["optimizer", "free", "gradient", "update", "wrapper", "adaptive"]
Need = Literal["value", "grad", "value_fn", "obj_fn", "valid_value"]

_FLOAT32_MAX = 3.4028234e38
_DTYPES = ("bfloat16", "float16", "float32", "float64")


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
        What it holds:

        - ``number``: a float; may be a `Schedule` and change while training where it is `live`;
        - ``integer``, ``flag`` (a bool), ``choice`` (one of `choices`), ``numbers`` (a tuple of as
          many floats as the default has), ``dtype`` (None or the name of one);
        - ``mask``: None, a bool, a pytree of bools, or a function of the parameters that returns
          one;
        - ``function``: any object that JSON cannot hold; None for Optax's own;
        - ``chain``: None, a link or a chain, built once.

        All but numbers are static: a change of one is another optimizer.
    optional
        Whether None is allowed: the number is then not part of the optimizer at all.
    live
        Whether a number may change while training. Some are read only when the optimizer is
        built, or Python branches on them.
    schedulable
        Whether Optax itself takes a schedule here.
    first_count
        What Optax calls that schedule with at the first update.
    decay
        Whether it is the decay rate of a mean, of which the optimizer also takes one minus it.
    low, high, low_open, high_open
        The allowed range of a number; an open bound is itself excluded.
    choices
        The words of a ``choice``.
    follows
        Whether None stands for the chain's learning rate.
    only_if
        Another hyperparameter and the value of it with which this one `follows`; empty for always.
    help
        One sentence for the inspector and the docs.
    """

    name: str
    default: Any
    required: bool = False
    kind: Kind = "number"
    optional: bool = False
    live: bool = True
    schedulable: bool = False
    first_count: int = 0
    decay: bool = False
    low: float | None = 0.0
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()
    follows: bool = False
    only_if: tuple[str, ...] = ()
    help: str = ""

    def can_change(self, value: Any) -> bool:
        """Return whether this value may change while training, or be a schedule."""
        return self.kind == "number" and self.live and value is not None

    def check(self, name: str, value: Any) -> Any:
        """Return `value` as this hyperparameter takes it, or raise naming `name`, value and rule.

        Numbers become floats; schedules are the caller's to check.
        """
        if value is None and (self.optional or self.follows or self.default is None):
            return None
        return _CHECKS[self.kind](self, name, value)


def _number(declared: Hyperparameter, name: str, value: Any) -> float:
    if callable(value):
        raise TypeError(f"{name} must be a number or an lrwidget Schedule, got {value!r}")
    number = _checks.finite(
        name,
        value,
        low=declared.low,
        high=declared.high,
        low_open=declared.low_open,
        high_open=declared.high_open,
    )
    if number > _FLOAT32_MAX:
        raise ValueError(f"{name} must be a number that float32 can hold, got {value!r}")
    return number


def _integer(declared: Hyperparameter, name: str, value: Any) -> int:
    low, high = (None if bound is None else int(bound) for bound in (declared.low, declared.high))
    return _checks.integer(name, value, low=low, high=high)


def _flag(_: Hyperparameter, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def _choice(declared: Hyperparameter, name: str, value: Any) -> str:
    return _checks.choice(name, value, declared.choices)


def _numbers(declared: Hyperparameter, name: str, value: Any) -> tuple[float, ...]:
    count = len(declared.default)
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise TypeError(f"{name} must be a tuple of {count} numbers, got {value!r}")
    numbers = tuple(_number(declared, f"{name}[{i}]", each) for i, each in enumerate(value))
    if len(numbers) != count:
        raise ValueError(f"{name} must be {count} numbers, got {value!r}")
    return numbers


def _dtype(_: Hyperparameter, name: str, value: Any) -> str:
    return _checks.choice(name, getattr(value, "__name__", value), _DTYPES)


def _mask(declared: Hyperparameter, name: str, value: Any) -> Any:
    # None is dealt with where it is allowed.
    if value is None or (isinstance(value, int | float | str) and not isinstance(value, bool)):
        allowed = "None, " if declared.default is None else ""
        raise TypeError(
            f"{name} must be {allowed}a bool, a pytree of bools or a function of the parameters "
            f"that returns one, got {value!r}"
        )
    return value


def _function(_: Hyperparameter, name: str, value: Any) -> Any:
    del name
    return value


def _chain(_: Hyperparameter, name: str, value: Any) -> Any:
    from lrwidget.optimizers._chain import chain_of  # a chain is made of declarations

    # A default is a function, since no chain can be made before its declarations are.
    return chain_of(value() if callable(value) else value, name)


_CHECKS: dict[Kind, Callable[[Hyperparameter, str, Any], Any]] = {
    "number": _number,
    "integer": _integer,
    "flag": _flag,
    "choice": _choice,
    "numbers": _numbers,
    "dtype": _dtype,
    "mask": _mask,
    "function": _function,
    "chain": _chain,
}


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
    category
        ``optimizer``, ``free`` (learning-rate-free), ``gradient`` (works on the gradients before an
        optimizer), ``update`` (works on the updates, or is a building block), ``wrapper``, or
        ``adaptive`` (scales the updates by what it learns while training).
    one_type
        Whether the factory's update fails where a live hyperparameter, always float32, meets
        gradients of another type. Such a link works on the gradients in float32 and gives them
        back in their own type.
    wraps
        The argument that takes the transformation around which this one goes: of a chain, all
        links after it.
    every
        The hyperparameter that says how many updates of a wrapper make one of what it wraps.
    method
        What must be called on the factory's result to get the transformation.
    needs
        The keywords that ``update`` needs besides the parameters: ``value`` (the loss), ``grad``,
        ``value_fn`` and ``obj_fn`` (functions of the parameters that return the loss), or
        ``valid_value`` (the newest validation loss, NaN before the first).
    evaluate
        Which function turns the state and the parameters into those to evaluate with:
        ``"schedule_free"``, or empty for none.
    reports
        Names in the link's state, found with ``optax.tree.get``, that are recorded at each step.
    scale
        The report by which the link multiplies the rate; empty for none.
    rate
        The hyperparameter that is its learning rate; empty for none.
    expects_one
        Whether the rate is a multiplier of one that the optimizer finds itself, and 1 is right.
    extends
        The factory of Optax, as a dotted name, of which ours takes all arguments and more.
    """

    name: str
    module: str
    function: str
    hyperparameters: tuple[Hyperparameter, ...]
    help: str
    category: Category = "optimizer"
    one_type: bool = False
    wraps: str = ""
    every: str = ""
    method: str = ""
    needs: tuple[Need, ...] = ()
    evaluate: str = ""
    reports: tuple[str, ...] = ()
    scale: str = ""
    rate: str = ""
    expects_one: bool = False
    extends: str = ""

    def __post_init__(self) -> None:
        names = [h.name for h in self.hyperparameters]
        if not self.rate and "learning_rate" in names and self.category in ("optimizer", "free"):
            object.__setattr__(self, "rate", "learning_rate")
        for field in ("every", "rate"):
            value = getattr(self, field)
            if value and value not in names:
                raise ValueError(
                    f"{field} of {self.name} must be one of {', '.join(names)}; got {value!r}"
                )

    @property
    def registered(self) -> bool:
        """Whether the registry finds it by its name."""
        return True

    @property
    def factory(self) -> Callable[..., Any]:
        """The function itself; imports its module on first use."""
        module = importlib.import_module(self.module)
        if not hasattr(module, self.function):
            raise ImportError(
                f"the link {self.name!r} needs {self.module}.{self.function}, which the installed "
                f"{self.module.partition('.')[0]} does not have: install a newer one"
            )
        factory: Callable[..., Any] = getattr(module, self.function)
        return factory

    def hyperparameter(self, name: str) -> Hyperparameter:
        """Return the hyperparameter called `name`."""
        return next(h for h in self.hyperparameters if h.name == name)

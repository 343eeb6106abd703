"""Links by name: one factory for each declaration, and one for anyone's own Optax factory."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from lrwidget import _checks
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._link import Link
from lrwidget.optimizers._registry import declaration, declarations
from lrwidget.schedules import Schedule

_KINDS = {
    "number": "float or Schedule",
    "integer": "int",
    "flag": "bool",
    "choice": "str",
    "numbers": "tuple of float",
    "dtype": "str or None",
    "mask": "None, bool, pytree of bool, or function of the parameters",
    "function": "object or None",
    "chain": "Link, Chain or None",
}


def names() -> list[str]:
    """Return the name of every kind of link, those of installed packages included."""
    return list(declarations())


def make(name: str, **hyperparameters: Any) -> Link:
    """Return a link by name: ``make("adamw", learning_rate=1e-3)``; see `Link`."""
    return Link(name, **hyperparameters)


def custom(factory: Callable[..., Any], **hyperparameters: Any) -> Link:
    """Return a link for anyone's own factory of an Optax transformation.

    What can change while training is taken from the values: floats and schedules can, all else is
    fixed. ``custom(my_optimizer, learning_rate=1e-3, depth=2)`` has a live ``learning_rate``.

    Parameters
    ----------
    factory
        Called with keywords it returns a gradient transformation.
    **hyperparameters
        Its arguments. Those left out take the factory's defaults; of these, floats are live too.

    Raises
    ------
    TypeError
        If `factory` is not a function, or does not take these arguments.

    Notes
    -----
    JSON does not hold such a link, since nothing from a file is ever run: a package registers a
    `Declaration` for that. Exported code imports the factory from the module that defines it.
    """
    if not callable(factory):
        raise TypeError(f"factory must be a function that returns an optimizer, got {factory!r}")
    taken = inspect.signature(factory).parameters
    try:
        inspect.signature(factory).bind(**hyperparameters)
    except TypeError as error:
        name = getattr(factory, "__name__", repr(factory))
        raise TypeError(f"{name} must be given what it takes: {error}") from None
    given = {
        name: hyperparameters.get(name, parameter.default)
        for name, parameter in taken.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    given |= hyperparameters
    declared = CustomDeclaration(
        name=getattr(factory, "__name__", type(factory).__name__),
        module=factory.__module__,
        function=getattr(factory, "__qualname__", ""),
        hyperparameters=tuple(_taken(name, v, taken.get(name)) for name, v in given.items()),
        help=(inspect.getdoc(factory) or "").partition("\n")[0],
        made_by=factory,
    )
    return Link(declared, **hyperparameters)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CustomDeclaration(Declaration):
    """What is known of a factory that nobody has declared.

    Attributes
    ----------
    made_by
        The factory itself.
    """

    made_by: Callable[..., Any]

    @property
    def registered(self) -> bool:
        """Whether the registry finds it by its name."""
        return False

    @property
    def factory(self) -> Callable[..., Any]:
        """The function itself."""
        return self.made_by


def _taken(name: str, value: Any, parameter: inspect.Parameter | None) -> Hyperparameter:
    """Return what is known of an argument from its value, and from its default if it has one."""
    start = value(0) if isinstance(value, Schedule) else value
    required = parameter is None or parameter.default is parameter.empty
    declared = Hyperparameter(
        name=name,
        default=start if parameter is None or required else parameter.default,
        required=required,
        low=None,
    )
    if isinstance(value, bool):
        return dataclasses.replace(declared, kind="flag")
    if isinstance(value, int):
        return dataclasses.replace(declared, kind="integer")
    if isinstance(value, float | Schedule):
        return declared
    return dataclasses.replace(declared, kind="mask" if name == "mask" else "function")


# ---- one function for each declaration ---------------------------------------------------------


@functools.cache
def factory_of(name: str) -> Callable[..., Link]:
    """Return the function that makes links of the kind `name`; AttributeError if there is none."""
    if name not in declarations():
        raise AttributeError(f"module 'lrwidget.optimizers' has no attribute {name!r}")
    declared = declaration(name)
    signature = inspect.Signature([_parameter(h) for h in _in_order(declared)])

    def make_link(*args: Any, **kwargs: Any) -> Link:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            takes = [h.name for h in declared.hyperparameters]
            _checks.known_keywords(f"the link {name!r}", kwargs, takes)
            raise TypeError(f"the link {name!r}: {error}") from None
        return Link(declared, **bound.arguments)

    make_link.__name__ = make_link.__qualname__ = name
    make_link.__module__ = "lrwidget.optimizers"
    make_link.__doc__ = _documentation(declared)
    make_link.__signature__ = signature  # type: ignore[attr-defined]
    return make_link


def _in_order(declared: Declaration) -> list[Hyperparameter]:
    return sorted(declared.hyperparameters, key=lambda h: not h.required)


def _parameter(hyperparameter: Hyperparameter) -> inspect.Parameter:
    return inspect.Parameter(
        hyperparameter.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=inspect.Parameter.empty if hyperparameter.required else hyperparameter.default,
    )


def _documentation(declared: Declaration) -> str:
    lines = [f"Return a link: {declared.help}.", "", "Parameters", "----------"]
    for h in _in_order(declared):
        lines.append(f"{h.name} : {_KINDS[h.kind]}")
        lines += textwrap.wrap(
            f"{_sentence(h)}", 96, initial_indent="    ", subsequent_indent="    "
        )
    where = declared.extends or f"{declared.module}.{declared.function}"
    return "\n".join([*lines, "", "References", "----------", f"Optax's or ours: ``{where}``."])


def _sentence(h: Hyperparameter) -> str:
    rule = _checks.bounds(h.low, h.high, low_open=h.low_open, high_open=h.high_open)
    said = [h.help or "see its source"]
    if h.kind in ("number", "integer", "numbers") and rule:
        said.append(rule)
    if h.choices:
        said.append(f"one of {', '.join(h.choices)}")
    if h.optional:
        said.append("or None")
    if h.kind == "number" and not h.live:
        said.append("fixed while training")
    if not h.required:
        said.append(f"default {h.default!r}")
    return f"{'; '.join(said)}."

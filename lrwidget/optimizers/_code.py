"""The code writer: a chain as Python source that needs Optax and JAX alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lrwidget.optimizers._addresses import group_of
from lrwidget.optimizers._assembly import Around, Nest, Split, Step, assembly
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._group_code import add_groups
from lrwidget.optimizers._layout import WIDTH, head, laid_out
from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule
from lrwidget.schedules._declaration import number
from lrwidget.schedules._export._code import Source, check_identifier

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain


def write_chain(chain: Chain, name: str, *, hold: bool = False) -> str:
    """Return source text that defines `name` as the chain; see `Chain.to_code`."""
    source = Source()
    add_chain(source, chain, name, hold=hold)
    return source.text()


def write_live(chain: Chain, name: str, *, hold: bool = False) -> str:
    """Return source text that defines `name` as the chain with injected numbers."""
    source = Source()
    injected = _injected(chain)
    if not injected:
        raise ValueError(f"a live chain must have numbers that can change, got {chain!r}")
    keys = chain.injection(injected).keys
    _check_name(name, keys)
    values = dict(zip(keys, map(chain.value, injected), strict=True))
    for key, value in values.items():
        if isinstance(value, Schedule):
            source.schedule(value, key, hold=hold)
    words = dict(zip(injected, keys, strict=True))
    writer = _Writer(source, chain, words, live=True, hold=hold)
    expression = writer.sequence(assembly(chain))
    source.imports |= {"import functools", "import optax", "import jax.numpy as jnp"}
    factory = f"make_{name}"
    scheduled = [key for key, value in values.items() if isinstance(value, Schedule)]
    source.function(
        head(factory, keys),
        *_returned(expression),
        decorator="@functools.partial(optax.inject_hyperparams, hyperparam_dtype=jnp.float32)",
    )
    first = {
        key: number(float(value(0) if isinstance(value, Schedule) else value))
        for key, value in values.items()
    }
    _assign(source, name, _call(factory, first), comment=_use(chain, name))
    if scheduled:
        entries = ", ".join(f'"{key}": {key}(step)' for key in scheduled)
        source.function(
            "hyperparameters(step)",
            '"""Return what the loop writes into ``opt_state.hyperparams`` before a step."""',
            *_returned(f"{{{entries}}}"),
        )
    return source.text()


def add_chain(source: Source, chain: Chain, name: str, *, hold: bool = False) -> None:
    """Add the definitions of the chain's schedules, and of `name` as the chain, to `source`."""
    scheduled = [a for a in chain.addresses() if isinstance(chain.value(a), Schedule)]
    words = dict(zip(scheduled, chain.injection(scheduled).keys, strict=True))
    _check_name(name, words.values())
    for address, word in words.items():
        source.schedule(chain.value(address), word, hold=hold)
    writer = _Writer(source, chain, words, live=False, hold=hold)
    _assign(source, name, writer.sequence(assembly(chain)), comment=_use(chain, name))


def add_live(source: Source, chain: Chain, name: str, addresses: Iterable[str]) -> None:
    """Add `name` as what ``chain.live(addresses)`` is, every number of them injected.

    The text calls a class ``Decay(value, complement)``, which it does not define.
    """
    injection = chain.injection(addresses)
    _check_name(name, injection.names)
    words = dict(zip(injection.addresses, injection.keys, strict=True))
    writer = _Writer(source, chain, words, live=True, hold=False)
    expression = writer.sequence(assembly(chain))
    source.imports |= {"import functools", "import optax", "import jax.numpy as jnp"}
    decays = [
        f"{key} = Decay({key}, {injection.complement(column)})"
        for column, key in enumerate(injection.keys)
        if column in injection.decays
    ]
    factory = f"make_{name}"
    source.function(
        head(factory, injection.names),
        *decays,
        *_returned(expression),
        decorator="@functools.partial(optax.inject_hyperparams, hyperparam_dtype=jnp.float32)",
    )
    chosen = [chain.addresses().index(address) for address in injection.addresses]
    [row] = injection.columns(chain.rows(0, 1)[:, chosen])
    first = dict(zip(injection.names, map(rounded, row), strict=True))
    _assign(source, name, _call(factory, first), comment=_use(chain, name))


def rounded(value: np.float32) -> str:
    """Write a float32 number as Python source: with as few digits as tell it from every other."""
    return str(value).replace("e+", "e")


def _check_name(name: str, words: Iterable[str]) -> None:
    """Refuse a name that something else in the same text has."""
    check_identifier(name)
    if name in {*words, "groups", "multiplied_groups", "kind_of", "hyperparameters"}:
        raise ValueError(
            f"name must not be that of a schedule or a function in the same text, got {name!r}"
        )


def _assign(source: Source, name: str, expression: str, *, comment: str) -> None:
    source.assign(name, laid_out(expression, column=len(name) + 3), comment=comment)


def _returned(expression: str) -> list[str]:
    """Return the lines of a function that returns an expression."""
    column = len("return ")
    return f"return {laid_out(expression, column=column, width=WIDTH - 4)}".split("\n")


def _call(function: str, arguments: Mapping[str, str]) -> str:
    return f"{function}({', '.join(f'{name}={value}' for name, value in arguments.items())})"


# What a loop passes for each keyword that `update` may need.
_PASSED = {
    "value": "loss",
    "grad": "grads",
    "value_fn": "loss_of_params",
    "obj_fn": "loss_of_params",
    "valid_value": "newest_validation_loss_or_nan",
}


def _use(chain: Chain, name: str) -> str:
    """Return a comment on how the optimizer is called, where that is not as usual."""
    passed = [f"{need}={word}" for need, word in _PASSED.items() if need in chain.needs]
    if not passed:
        return ""
    return f"# {name}.update(grads, opt_state, params, {', '.join(passed)})"


def _injected(chain: Chain) -> list[str]:
    """Return the addresses that are written out: what is required, scheduled or was changed."""
    return [
        f"{label}.{h.name}"
        for label, link in chain.labelled()
        for h in link.declaration.hyperparameters
        if h.name in link.live() and _shown(h, link[h.name])
    ]


def _shown(h: Hyperparameter, value: Any) -> bool:
    if h.required or isinstance(value, Schedule):
        return True
    return value is not h.default and not (type(value) is type(h.default) and value == h.default)


class _Writer:
    """Writes expressions.

    `words` are the names, by address, of what is not a plain number: of schedules, or where the
    text is `live` of the arguments that are injected. `hold` is for schedules of chains that are
    arguments themselves.
    """

    def __init__(
        self, source: Source, chain: Chain, words: Mapping[str, str], *, live: bool, hold: bool
    ):
        self._source = source
        self._chain = chain
        self._words = words
        self._live = live
        self._hold = hold
        self._groups: dict[tuple[str, ...], str] = {}

    def sequence(self, nest: Nest) -> str:
        """Return links one after the other as an expression."""
        written = [self._item(item) for item in nest]
        self._source.imports.add("import optax")
        if not written:
            return "optax.identity()"
        return written[0] if len(written) == 1 else f"optax.chain({', '.join(written)})"

    def _item(self, item: Step | Around | Split) -> str:
        match item:
            case Step(label, link, every):
                return self._link(label, link, every, {})
            case Around(label, link, every, inner):
                around = {link.declaration.wraps: self.sequence(inner)}
                return self._link(label, link, every, around)
            case Split(ways):
                return self._split(ways)

    def _split(self, ways: Mapping[str, Nest]) -> str:
        key = tuple(ways)
        if key not in self._groups:
            name = first = "groups" if not self._groups else "multiplied_groups"
            number = 1
            while self._source.has(name):  # of a chain that is an argument, or around one
                number += 1
                name = f"{first}_{number}"
            self._groups[key] = add_groups(self._source, self._chain.groups, ways, name)
        written = ", ".join(f'"{name}": {self.sequence(way)}' for name, way in ways.items())
        return f"optax.partition({{{written}}}, {self._groups[key]})"

    def _link(self, label: str, link: Link, every: int, around: Mapping[str, str]) -> str:
        declared = link.declaration
        arguments = dict(around)
        following = link.following()
        for h in declared.hyperparameters:
            address, value = f"{label}.{h.name}", link[h.name]
            if h.name in following:
                rate = self._chain.rate_in(group_of(label))
                if rate is not None:
                    arguments[h.name] = self._number(rate, self._chain.value(rate), every, h)
            elif address in self._words:
                arguments[h.name] = self._number(address, value, every, h)
            elif _shown(h, value):
                arguments[h.name] = self._value(address, h, value)
        factory = self._factory(declared)
        by_injection = [] if self._live else link.injected()
        if by_injection:
            self._source.imports |= {"import optax", "import jax.numpy as jnp"}
            names = [*around, *(h.name for h in declared.hyperparameters)]
            static = [f'"{name}"' for name in names if name not in by_injection]
            wrapping = {
                "inner_factory": factory,
                "static_args": f"[{', '.join(static)}]",
                "hyperparam_dtype": "jnp.float32",
            }
            factory = _call("optax.inject_hyperparams", wrapping)
        written = _call(factory, arguments)
        if declared.method:
            written = f"{written}.{declared.method}()"
            if self._chain.needs:
                # Alone, the method's result hands nothing on.
                written = f"optax.GradientTransformationExtraArgs(*{written})"
        return written

    def _number(self, address: str, value: Any, every: int, h: Hyperparameter) -> str:
        if address not in self._words:
            return number(float(value))
        word = self._words[address]
        if self._live or (every == 1 and h.first_count == 0):
            return word
        # The link counts its own updates, each the last of so many steps.
        last = every - 1 - every * h.first_count
        times = "" if every == 1 else f"{every} * "
        return f"lambda count: {word}({times}count {'+' if last >= 0 else '-'} {abs(last)})"

    def _factory(self, declared: Declaration) -> str:
        if not declared.registered:
            return importable(self._source, declared.name, declared.factory)
        package, _, module = declared.module.rpartition(".")
        if not package or package == "optax":
            self._source.imports.add(f"import {package or module}")
            return f"{declared.module}.{declared.function}"
        self._source.imports.add(f"from {package} import {module}")
        return f"{module}.{declared.function}"

    def _value(self, where: str, h: Hyperparameter, value: Any) -> str:
        match h.kind:
            case "number" | "integer":
                return repr(value) if isinstance(value, int) or value is None else number(value)
            case "numbers":
                return f"({', '.join(map(number, value))})"
            case "chain" if value is not None:
                return self._inner(where, value)
            case _ if value is None or isinstance(value, bool):
                return repr(value)
            case _ if isinstance(value, str):
                return f'"{value}"'
            case _:
                return importable(self._source, where, value)

    def _inner(self, where: str, chain: Chain) -> str:
        """Return a chain that is an argument: nothing in it is live, its schedules are its own."""
        before = where.replace("/", "_").replace(".", "_")
        scheduled = [a for a in chain.addresses() if isinstance(chain.value(a), Schedule)]
        keys = chain.injection(scheduled).keys
        words = {a: f"{before}_{key}" for a, key in zip(scheduled, keys, strict=True)}
        for address, word in words.items():
            self._source.schedule(chain.value(address), word, hold=self._hold)
        writer = _Writer(self._source, chain, words, live=False, hold=self._hold)
        return writer.sequence(assembly(chain))


def importable(source: Source, where: str, value: Any) -> str:
    """Return the name of a function and add its import, or raise a ValueError."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    found = getattr(sys.modules.get(module or ""), name, None)
    if found is not value or module == "__main__":
        raise ValueError(
            f"{where} must be a function that code can import to be written as source, "
            f"got {value!r}; move it into a module of its own"
        )
    source.imports.add(f"from {module} import {name}")
    return str(name)

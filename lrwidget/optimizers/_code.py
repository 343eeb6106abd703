"""The code writer: a chain as Python source that needs Optax and JAX alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lrwidget.optimizers._assembly import Around, Nest, Split, Step, assembly
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._group_code import add_groups
from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule
from lrwidget.schedules._declaration import number
from lrwidget.schedules._export._code import Source, bracketed, call, check_identifier, listed

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
    check_identifier(name)
    injected = _injected(chain)
    if not injected:
        raise ValueError(f"a live chain must have numbers that can change, got {chain!r}")
    keys = chain.injection(injected).keys
    values = dict(zip(keys, map(chain.value, injected), strict=True))
    for key, value in values.items():
        if isinstance(value, Schedule):
            source.schedule(value, key, hold=hold)
    writer = _Writer(source, chain, dict(zip(injected, keys, strict=True)), live=True)
    expression = writer.sequence(assembly(chain))
    source.imports |= {"import functools", "import optax", "import jax.numpy as jnp"}
    factory = f"make_{name}"
    scheduled = [key for key, value in values.items() if isinstance(value, Schedule)]
    parameters = ", ".join(keys)
    source.function(
        f"{factory}({parameters})",
        *f"return {expression}".split("\n"),
        decorator="@functools.partial(optax.inject_hyperparams, hyperparam_dtype=jnp.float32)",
    )
    first = {
        key: number(float(value(0) if isinstance(value, Schedule) else value))
        for key, value in values.items()
    }
    source.assign(name, call(factory, first, column=len(name) + 3), comment=_use(chain, name))
    if scheduled:
        entries = bracketed("{", [f'"{key}": {key}(step)' for key in scheduled], "}", 11)
        source.function(
            "hyperparameters(step)",
            '"""Return what the loop writes into ``opt_state.hyperparams`` before a step."""',
            *f"return {entries}".split("\n"),
        )
    return source.text()


def add_chain(source: Source, chain: Chain, name: str, *, hold: bool = False) -> None:
    """Add the definitions of the chain's schedules, and of `name` as the chain, to `source`."""
    check_identifier(name)
    words = {}
    for address in chain.addresses():
        value = chain.value(address)
        if isinstance(value, Schedule):
            [words[address]] = chain.injection([address]).keys
            source.schedule(value, words[address], hold=hold)
    writer = _Writer(source, chain, words, live=False)
    source.assign(name, writer.sequence(assembly(chain)), comment=_use(chain, name))


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
    text is `live` of the arguments that are injected.
    """

    def __init__(self, source: Source, chain: Chain, words: Mapping[str, str], *, live: bool):
        self._source = source
        self._chain = chain
        self._words = words
        self._live = live
        self._groups: dict[tuple[str, ...], str] = {}

    def sequence(self, nest: Nest) -> str:
        """Return links one after the other as an expression."""
        written = [self._item(item) for item in nest]
        self._source.imports.add("import optax")
        if not written:
            return "optax.identity()"
        return written[0] if len(written) == 1 else f"optax.chain({listed(written)[1:-1]})"

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
        groups = [group for group in self._chain.groups if group.name in ways]
        key = tuple(ways)
        if key not in self._groups:
            name = "groups" if not self._groups else "multiplied_groups"
            self._groups[key] = add_groups(self._source, groups, name)
        written = [f'"{name}": {self.sequence(way)}' for name, way in ways.items()]
        arguments = [bracketed("{", written, "}", 84), self._groups[key]]
        return bracketed("optax.partition(", arguments, ")", 84)

    def _link(self, label: str, link: Link, every: int, around: Mapping[str, str]) -> str:
        declared = link.declaration
        arguments = dict(around)
        following = link.following()
        for h in declared.hyperparameters:
            address, value = f"{label}.{h.name}", link[h.name]
            if h.name in following:
                if self._chain.rate is not None:
                    rate = self._chain.value(self._chain.rate)
                    arguments[h.name] = self._number(self._chain.rate, rate, every)
            elif address in self._words:
                arguments[h.name] = self._number(address, value, every)
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
            factory = call("optax.inject_hyperparams", wrapping, column=60)
        written = call(factory, arguments, column=12)
        return f"{written}.{declared.method}()" if declared.method else written

    def _number(self, address: str, value: Any, every: int) -> str:
        if address not in self._words:
            return number(float(value))
        word = self._words[address]
        if every == 1 or self._live:
            return word
        # The link counts its own updates, each the last of so many steps.
        return f"lambda count: {word}({every} * count + {every - 1})"

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
                # Its numbers are fixed: none of them is a word.
                inner = _Writer(self._source, value, {}, live=True)
                return inner.sequence(assembly(value))
            case _ if value is None or isinstance(value, bool):
                return repr(value)
            case _ if isinstance(value, str):
                return f'"{value}"'
            case _:
                return importable(self._source, where, value)


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

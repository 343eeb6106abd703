"""The code writer: a program as Python source that needs Optax and JAX alone.

The text is laid out as ``ruff format`` lays it out.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lrwidget.schedules._declaration import Call, number
from lrwidget.schedules._export._layout import written
from lrwidget.schedules._export._patterns import Hermite, Knots
from lrwidget.schedules._export._program import (
    Again,
    Backwards,
    Between,
    Cut,
    Formula,
    Join,
    Program,
    Stairs,
    Times,
    children,
    program,
)
from lrwidget.schedules._parts import Segment

if TYPE_CHECKING:
    from lrwidget.schedules._schedule import Schedule

_WIDTH = 88
# A function within functions within functions is called by a number, not by the way to it.
_NAME_LENGTH = 36


def write_schedule(schedule: Schedule, name: str, *, hold: bool = False) -> str:
    """Return source text that defines `name` as the schedule; see `Schedule.to_code`."""
    source = Source()
    source.schedule(schedule, name, hold=hold)
    return source.text()


class Source:
    """Source text in the making: the imports that it needs, and its definitions in order."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        # Names that others bear in the same text, and no function of ours may.
        self._taken = set(reserved)
        self.imports: set[str] = set()
        self._blocks: list[tuple[str, bool]] = []
        self._name = ""
        self._numbered = 0

    def text(self) -> str:
        """Return the whole text, imports first."""
        first_is_function = bool(self._blocks) and self._blocks[0][1]
        return f"{arranged(self.imports)}\n" + "\n" * (2 if first_is_function else 1) + self.body()

    def body(self) -> str:
        """Return the text without the imports."""
        text = ""
        previous_is_function = False
        for block, is_function in self._blocks:
            if text:
                text += "\n" * (2 if is_function or previous_is_function else 1)
            text += block + "\n"
            previous_is_function = is_function
        return text

    def assign(self, name: str, expression: str, *, comment: str = "") -> None:
        """Add ``name = expression``, behind a line of comment if there is one."""
        lines = [*filter(None, [comment]), f"{name} = {expression}"]
        self._blocks.append(("\n".join(lines), False))

    def function(self, head: str, *lines: str, decorator: str = "") -> None:
        """Add a function with its body's lines."""
        body = [f"    {line}" if line else "" for line in lines]
        text = "\n".join([*filter(None, [decorator]), f"def {head}:", *body])
        self._blocks.append((text, True))

    def has(self, function: str) -> bool:
        """Return whether a function of this name has been added."""
        return any(block.startswith(f"def {function}(") for block, _ in self._blocks)

    def schedule(self, schedule: Schedule, name: str, *, hold: bool = False) -> None:
        """Add the definition of `name` as the schedule."""
        self._name = check_identifier(name)
        self._define(program(schedule), name, hold=hold)

    def _define(self, planned: Program, name: str, *, hold: bool) -> None:
        match planned:
            case Call():
                self.assign(name, self._call(planned, hold=hold, column=len(name) + 3))
            case Join(programs, boundaries):
                parts = [
                    self._expression(
                        inner,
                        self._inner(name, f"part_{i}"),
                        hold=hold and i == len(programs),
                    )
                    for i, inner in enumerate(programs, start=1)
                ]
                self.imports.add("import optax")
                borders = bracketed("[", list(map(str, boundaries)), "]", len("    boundaries="))
                arguments = {"schedules": listed(parts), "boundaries": borders}
                self.assign(name, call("optax.join_schedules", arguments))
            case _:
                inner = {}
                held = held_within(planned, hold=hold)
                for word, child in children(planned).items():
                    inner[word] = self._inner(name, word)
                    self._define(child, inner[word], hold=held[word])
                lines = _short(_body(planned, list(inner.values()), hold=hold))
                if any("jnp." in line for line in lines):
                    self.imports.add("import jax.numpy as jnp")
                self.function(f"{name}(step)", *lines)

    def _inner(self, name: str, word: str) -> str:
        found = f"{name}_{word}"
        while (len(found) > _NAME_LENGTH and name != self._name) or found in self._taken:
            self._numbered += 1
            found = f"{self._name}_{word}_{self._numbered}"
            name = self._name
        return found

    def _expression(self, planned: Program, name: str, *, hold: bool) -> str:
        """Return an expression for the program; one that needs statements is defined first."""
        if isinstance(planned, Call):
            return self._call(planned, hold=hold, column=8)
        self._define(planned, name, hold=hold)
        return name

    def _call(self, planned: Call, *, hold: bool, column: int) -> str:
        self.imports.add("import optax")
        arguments = {**planned.arguments, **((planned.hold or {}) if hold else {})}
        # Where the call is broken over lines, an argument begins behind its name.
        lines = {k: _argument(v, column=len(k) + 5 + column % 8) for k, v in arguments.items()}
        return call(f"optax.{planned.function}", lines, column=column)


def arranged(imports: Iterable[str]) -> str:
    """Return import statements in the order in which a formatter leaves them."""
    plain = [line for line in imports if line.startswith("import ")]
    named: dict[str, list[str]] = {}
    for line in imports:
        if line not in plain:
            module, _, name = line.removeprefix("from ").partition(" import ")
            named.setdefault(module, []).append(name)
    lines = sorted(plain) + [_from(module, named[module]) for module in sorted(named)]
    sections = [[line for line in lines if _is_standard(line) == standard] for standard in (1, 0)]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _from(module: str, names: list[str]) -> str:
    # Constants come first, then classes, then the rest.
    ordered = sorted(set(names), key=lambda n: (not n.isupper(), not n[:1].isupper(), n))
    flat = f"from {module} import {', '.join(ordered)}"
    return flat if len(flat) <= _WIDTH else bracketed(f"from {module} import (", ordered, ")")


def _is_standard(line: str) -> bool:
    return line.split()[1].partition(".")[0] in sys.stdlib_module_names


def held_within(planned: Program, *, hold: bool) -> dict[str, bool]:
    """Return whether each program within `planned` must hold, if `planned` itself must `hold`."""
    held = dict.fromkeys(children(planned), hold)
    match planned:
        case Cut(beyond=True) | Backwards():
            # What is read backwards is read at its very end first.
            held = dict.fromkeys(held, True)
        case Again(times=times):
            # Only past the last time is one read past its end.
            held["cycle"] = hold and times is not None
        case Times(steps=steps, lengths=lengths):
            for word, length in zip(held, lengths, strict=True):
                held[word] = hold or (length is not None and (steps is None or length < steps))
    return held


def _body(  # noqa: C901, PLR0911  (one case a kind of program)
    planned: Program, inner: list[str], *, hold: bool
) -> list[str]:
    """Return the lines of a function of ``step``; `inner` are the functions that it may call."""
    match planned:
        case Formula(segment):
            return body(segment, "step")
        case Cut(_, start, steps):
            local = "step"
            if hold:
                local = "jnp.maximum(step, 0)" if steps is None else f"jnp.clip(step, 0, {steps})"
            return [f"return {inner[0]}({local}{f' + {start}' if start else ''})"]
        case Times(steps=steps, lengths=lengths):
            beyond = steps is not None and any(n is None or n > steps for n in lengths)
            held = [f"step = jnp.minimum(step, {steps})"] if hold and beyond else []
            return [*held, f"return {inner[0]}(step) * {inner[1]}(step)"]
        case Again():
            return _again(planned, inner[0], hold=hold)
        case Backwards(_, steps):
            local = f"jnp.minimum(step, {steps})" if hold else "step"
            return [f"return {inner[0]}({steps} - {local})"]
        case Between(_, low, None):
            return [f"return jnp.maximum({inner[0]}(step), {number(low or 0.0)})"]
        case Between(_, None, high):
            return [f"return jnp.minimum({inner[0]}(step), {number(high or 0.0)})"]
        case Between(_, low, high):
            bounds = f"{number(low or 0.0)}, {number(high or 0.0)}"
            return [f"return jnp.clip({inner[0]}(step), {bounds})"]
        case Stairs(_, every, steps):
            beyond = steps is not None and steps % every != 0
            held = [f"step = jnp.minimum(step, {steps})"] if hold and beyond else []
            return [*held, f"return {inner[0]}(step - step % {every})"]
        case Knots(steps, values):
            table = {"steps": list(map(str, steps)), "values": list(map(number, values))}
            return [*_table(table), "return jnp.interp(step, steps, values)"]
        case Hermite():
            return _smooth(planned)
    raise TypeError(f"a program must be one of those in _program, got {planned!r}")


def _again(planned: Again, cycle: str, *, hold: bool) -> list[str]:
    period, times = planned.period, planned.times
    turn, local = f"step // {period}", f"step % {period}"
    if hold and times is not None:
        turn = f"jnp.minimum(step // {period}, {times - 1})"
        local = f"step - turn * {period}"
    lines = [f"turn = {turn}"] if "turn" in local or planned.decay_rate != 1.0 else []
    if planned.decay_rate == 1.0:
        return [*lines, f"return {cycle}({local})"]
    rate = planned.decay_rate
    # Close to 1 a rate loses most of its distance from it in float32.
    fade = f"{number(rate)}**turn" if rate <= 0.9 else f"jnp.exp({number(math.log(rate))} * turn)"
    if planned.floor == 0.0:
        return [*lines, f"return {cycle}({local}) * {fade}"]
    floor = number(planned.floor)
    return [*lines, f"above = {cycle}({local}) - {floor}", f"return {floor} + above * {fade}"]


def _smooth(planned: Hermite) -> list[str]:
    table = {
        "steps": list(map(str, planned.steps)),
        "values": list(map(number, planned.values)),
        "slopes": list(map(number, planned.slopes)),
    }
    last = len(planned.steps) - 2
    return [
        *_table(table),
        f'i = jnp.clip(jnp.searchsorted(steps, step, side="right") - 1, 0, {last})',
        "width = steps[i + 1] - steps[i]",
        "p = jnp.clip((step - steps[i]) / width, 0.0, 1.0)",
        "q = 1.0 - p",
        "early = 3.0 * values[i] + slopes[i] * width",
        "late = 3.0 * values[i + 1] - slopes[i + 1] * width",
        "inner = early * q**2 * p + late * q * p**2",
        "return values[i] * q**3 + inner + values[i + 1] * p**3",
    ]


def body(segment: Segment, step: str) -> list[str]:
    """Return the lines of a function's body that give the segment's value at the name `step`."""
    n = segment.steps
    source = segment.shape.source(number, n, **segment.parameters)
    *lines, value = source.splitlines()
    places = {"t": f"jnp.maximum({step}, 0)"}
    if n is not None:
        places = {
            "t": f"jnp.clip({step}, 0, {n})",
            "p": f"jnp.clip({step} / {n}, 0.0, 1.0)",
            "q": f"jnp.clip(({n} - {step}) / {n}, 0.0, 1.0)",
        }
    used = [f"{x} = {place}" for x, place in places.items() if re.search(rf"\b{x}\b", source)]
    return _laid_out([*used, *lines, f"return {value}"])


def _short(lines: list[str]) -> list[str]:
    """Return the lines of a function's body, those broken that long names make too long."""
    return lines if max(map(len, lines)) + 4 <= _WIDTH else _laid_out(lines)


def _laid_out(lines: list[str]) -> list[str]:
    statements = ast.parse("\n".join(lines)).body
    return [line.removeprefix("    ") for line in written(statements, indent=4)]


def call(function: str, arguments: Mapping[str, str], *, column: int = 0) -> str:
    """Return a call with keyword arguments, on one line if it fits behind `column` characters."""
    inner = [f"{name}={value}" for name, value in arguments.items()]
    return bracketed(f"{function}(", inner, ")", column)


def listed(items: list[str]) -> str:
    """Return a list, an item a line."""
    return bracketed("[", items, "]", _WIDTH)


def bracketed(head: str, items: list[str], tail: str, column: int = 0) -> str:
    """Return items in brackets, on one line if that fits behind `column` characters."""
    flat = head + ", ".join(items) + tail
    # One character more than the width allows for the comma that may follow.
    if column + len(flat) < _WIDTH and "\n" not in flat:
        return flat
    return head + "\n" + "".join(f"    {_indented(item)},\n" for item in items) + tail


def check_identifier(name: Any) -> str:
    """Return `name` if it can be a name in source text, or raise a ValueError."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"name must be a Python identifier, got {name!r}")
    if name in {"optax", "jnp", "jax"}:
        raise ValueError(f"name must not be that of a module that the code imports, got {name!r}")
    return name


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _argument(value: Any, *, column: int) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        items = []
        for key, item in value.items():
            head = f'"{key}": ' if isinstance(key, str) else f"{key}: "
            items.append(head + _argument(item, column=column + 4 + len(head)))
        return bracketed("{", items, "}", column)
    if isinstance(value, Sequence):
        return listed([_argument(item, column=column + 4) for item in value])
    return number(value)


def _table(columns: Mapping[str, list[str]]) -> list[str]:
    lines = [f"{name} = jnp.array([{', '.join(items)}])" for name, items in columns.items()]
    if all(len(line) <= _WIDTH - 4 for line in lines):
        return lines
    # A formatter would give each number a line of its own.
    lines = ["# fmt: off"]
    for name, items in columns.items():
        lines.append(f"{name} = jnp.array([")
        line = "   "
        for item in items:
            if len(line) + len(item) > _WIDTH - 6:
                lines.append(line)
                line = "   "
            line += f" {item},"
        lines += [line, "])"]
    return [*lines, "# fmt: on"]

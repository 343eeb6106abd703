"""One line of source, laid out over as many as ``ruff format`` gives it in 88 columns."""

from __future__ import annotations

import ast
from collections.abc import Iterable

WIDTH = 88

# These are read from top to bottom, and so have a line for each of what they hold.
_ALWAYS_BROKEN = ("optax.chain", "optax.partition")


def laid_out(expression: str, *, column: int = 0, width: int = WIDTH) -> str:
    """Return an expression over several lines where one line is too short for it.

    Parameters
    ----------
    expression
        Calls, displays, attributes and names, on one line.
    column
        How many characters stand before it.
    width
        How long a line may be.
    """
    return _Layout(expression, width).show(ast.parse(expression, mode="eval").body, 0, column, 0)


def head(name: str, parameters: Iterable[str]) -> str:
    """Return the head of a function, without ``def`` and the colon."""
    parameters = list(parameters)
    flat = f"{name}({', '.join(parameters)})"
    if len(f"def {flat}:") <= WIDTH:
        return flat
    return "\n".join([f"{name}(", *(f"    {parameter}," for parameter in parameters), ")"])


class _Layout:
    def __init__(self, expression: str, width: int):
        self._text = expression
        self._width = width

    def show(  # noqa: C901, PLR0911  (a kind each)
        self, node: ast.expr, indent: int, column: int, after: int
    ) -> str:
        """Return a node that begins in `column`, with `after` characters behind it."""
        flat = self._flat(node)
        if column + len(flat) + after <= self._width and not self._broken(node):
            return flat
        match node:
            case ast.Call(func=function, args=arguments, keywords=keywords):
                called = self.show(function, indent, column, 1)
                items = [("", each) for each in arguments]
                items += [(f"{each.arg}=", each.value) for each in keywords]
                if not items:
                    return f"{called}()"
                *_, last = f"{' ' * column}{called}".split("\n")
                inside = ", ".join(before + self._flat(each) for before, each in items)
                fits = len(f"{last}({inside})") + after <= self._width
                if fits and not any(self._broken(each) for _, each in items):
                    return f"{called}({inside})"
                return f"{called}({self._lines(items, indent)})"
            case ast.Dict(keys=keys, values=values):
                named = [f"{self._flat(key)}: " for key in keys if key is not None]
                return f"{{{self._lines(list(zip(named, values, strict=True)), indent)}}}"
            case ast.List(elts=elements):
                return f"[{self._lines([('', each) for each in elements], indent)}]"
            case ast.Tuple(elts=elements):
                return f"({self._lines([('', each) for each in elements], indent)})"
            case ast.Lambda(body=body):
                return self._lambda(flat, self._flat(body), indent, column)
            case ast.Starred(value=value):
                return f"*{self.show(value, indent, column + 1, after)}"
            case ast.Attribute(value=value, attr=name):
                return f"{self.show(value, indent, column, after + len(name) + 1)}.{name}"
        return flat

    def _lambda(self, flat: str, body: str, indent: int, column: int) -> str:
        """Return a function whose body is a call, broken within the call if that can begin here."""
        margin, before = " " * indent, flat.removesuffix(body)
        called, _, arguments = body.removesuffix(")").partition("(")
        if column + len(f"{before}{called}(") <= self._width:
            return f"{before}{called}(\n{margin}    {arguments}\n{margin})"
        return f"{before}(\n{margin}    {body}\n{margin})"

    def _lines(self, items: list[tuple[str, ast.expr]], indent: int) -> str:
        margin, inner = " " * indent, indent + 4
        shown = [
            f"{margin}    {before}{self.show(each, inner, inner + len(before), 1)},\n"
            for before, each in items
        ]
        return "\n" + "".join(shown) + margin

    def _flat(self, node: ast.expr) -> str:
        return ast.get_source_segment(self._text, node) or ""

    def _broken(self, node: ast.expr) -> bool:
        return any(
            isinstance(each, ast.Call) and self._flat(each.func) in _ALWAYS_BROKEN
            for each in ast.walk(node)
        )

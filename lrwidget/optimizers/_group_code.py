"""The groups of a chain as source: a function from parameters to the names of their groups."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

from lrwidget.optimizers._groups import ALL, Group
from lrwidget.optimizers._kinds import kind_of
from lrwidget.schedules._export._code import Source, bracketed


def add_groups(source: Source, groups: Sequence[Group], name: str) -> str:
    """Add a function `name` that labels each parameter with its group, and return `name`."""
    source.imports.add("import jax")
    by_path = [group for group in groups if group.mask is None]
    if any(group.kinds for group in by_path) and not source.has("kind_of"):
        head, *lines = _kind_source()
        source.function(head, *lines)
    lines = ['"""Return the group of each parameter, told from its path."""', ""]
    if len(by_path) == len(groups):
        lines += [*_by_path(source, by_path), ""]
        lines.append("return jax.tree_util.tree_map_with_path(group, params)")
    else:
        lines += _one_by_one(source, groups)
    source.function(f"{name}(params)", *lines)
    return name


def _by_path(source: Source, groups: Sequence[Group]) -> list[str]:
    uses_shape = any(group.kinds for group in groups)
    lines = [f"def group(path, {'parameter' if uses_shape else '_'}):", *_path()]
    for group in groups:
        lines += [f"    if {_condition(source, group)}:", f'        return "{group.name}"']
    return [*lines, f'    return "{ALL}"']


def _path() -> list[str]:
    return [
        '    path = jax.tree_util.keystr(path, simple=True, separator="/")',
        '    path = path.removesuffix("/value")  # where NNX keeps the array',
    ]


def _one_by_one(source: Source, groups: Sequence[Group]) -> list[str]:
    """Return lines that put each group over those after it, so that the first one counts."""
    from lrwidget.optimizers._code import importable  # which writes groups

    lines = [f'labels = jax.tree.map(lambda _: "{ALL}", params)']
    for group in reversed(groups):
        if group.mask is not None:
            mask = importable(source, f"the mask of {group.name}", group.mask)
            lines.append(f"inside = {mask}(params)")
        else:
            word = "parameter" if group.kinds else "_"
            lines += ["", f"def in_{group.name}(path, {word}):", *_path()]
            lines += [f"    return {_condition(source, group)}", ""]
            lines.append(f"inside = jax.tree_util.tree_map_with_path(in_{group.name}, params)")
        lines.append(
            f'labels = jax.tree.map(lambda i, x: "{group.name}" if i else x, inside, labels)'
        )
    return [*lines, "return labels"]


def _condition(source: Source, group: Group) -> str:
    if group.kinds:
        words = [f'"{kind}"' for kind in group.kinds]
        if len(words) == 1:
            return f"kind_of(path, parameter.shape) == {words[0]}"
        return f"kind_of(path, parameter.shape) in {bracketed('(', words, ')')}"
    source.imports.add("from fnmatch import fnmatchcase")
    forms = [f for p in group.paths for f in ((p,) if p.endswith("*") else (p, f"{p}/*"))]
    tests = [f"fnmatchcase(path, {_text(form)})" for form in forms]
    if len(tests) <= 1:
        return tests[0]
    listed = bracketed("(", [_text(form) for form in forms], ")", 8)
    return f"any(fnmatchcase(path, form) for form in {listed})"


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _kind_source() -> list[str]:
    """Return the head and the lines of our own function, without the comments for linters."""
    head, *lines = inspect.getsource(kind_of).rstrip().split("\n")
    head = re.sub(r"\s*#.*", "", head).removeprefix("def ").removesuffix(":")
    return [head, *(line.removeprefix("    ") for line in lines)]

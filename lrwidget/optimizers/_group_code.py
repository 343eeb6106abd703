"""The groups of a chain as source: a function from parameters to the names of their groups."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Collection, Sequence

from lrwidget.optimizers._groups import ALL, Group
from lrwidget.optimizers._kinds import kind_of
from lrwidget.optimizers._layout import WIDTH, laid_out
from lrwidget.schedules._export._code import Source


def add_groups(source: Source, groups: Sequence[Group], ways: Collection[str], name: str) -> str:
    """Add a function `name` that labels each parameter with its group, and return `name`.

    Parameters whose group is none of `ways` get the label of the rest.
    """
    last = max(i for i, group in enumerate(groups) if group.name in ways)
    groups = groups[: last + 1]
    source.imports.add("import jax")
    by_path = [group for group in groups if group.mask is None]
    if any(group.kinds for group in by_path) and not source.has("kind_of"):
        head, *lines = _kind_source()
        source.function(head, *lines)
    lines = ['"""Return the group of each parameter, told from its path."""', ""]
    if len(by_path) == len(groups):
        lines += [*_by_path(source, by_path, ways), ""]
        lines.append("return jax.tree_util.tree_map_with_path(group, params)")
    else:
        lines += _one_by_one(source, groups, ways)
    source.function(f"{name}(params)", *lines)
    return name


def _by_path(source: Source, groups: Sequence[Group], ways: Collection[str]) -> list[str]:
    uses_shape = any(group.kinds for group in groups)
    lines = [f"def group(path, {'parameter' if uses_shape else '_'}):", *_path()]
    for group in groups:
        *before, condition = _condition(source, group)
        lines += [f"    {line}" for line in [*before, f"if {condition}:"]]
        lines.append(f'        return "{_label(group, ways)}"')
    return [*lines, f'    return "{ALL}"']


def _label(group: Group, ways: Collection[str]) -> str:
    return group.name if group.name in ways else ALL


def _path() -> list[str]:
    return [
        '    path = jax.tree_util.keystr(path, simple=True, separator="/")',
        '    path = path.removesuffix("/value")  # where NNX keeps the array',
    ]


def _one_by_one(source: Source, groups: Sequence[Group], ways: Collection[str]) -> list[str]:
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
            *before, condition = _condition(source, group)
            lines += [*(f"    {line}" for line in [*before, f"return {condition}"]), ""]
            lines.append(f"inside = jax.tree_util.tree_map_with_path(in_{group.name}, params)")
        label = f'jax.tree.map(lambda i, x: "{_label(group, ways)}" if i else x, inside, labels)'
        lines += _assigned("labels", label, indent=4)
    return [*lines, "return labels"]


def _condition(source: Source, group: Group) -> list[str]:
    """Return the lines before a condition, and the condition."""
    if group.kinds:
        words = ", ".join(f'"{kind}"' for kind in group.kinds)
        if len(group.kinds) == 1:
            return [f"kind_of(path, parameter.shape) == {words}"]
        return [f"kind_of(path, parameter.shape) in ({words})"]
    source.imports.add("from fnmatch import fnmatchcase")
    forms = [f for p in group.paths for f in ((p,) if p.endswith("*") else (p, f"{p}/*"))]
    if len(forms) == 1:
        [form] = forms
        return [f"fnmatchcase(path, {_text(form)})"]
    listed = f"({', '.join(map(_text, forms))})"
    condition = f"any(fnmatchcase(path, form) for form in {listed})"
    if len(f"        return {condition}:") <= WIDTH:
        return [condition]
    lines = _assigned("forms", listed, indent=8)
    return [*lines, "any(fnmatchcase(path, form) for form in forms)"]


def _assigned(name: str, expression: str, *, indent: int) -> list[str]:
    """Return the lines of an assignment that stands behind `indent` spaces."""
    laid = laid_out(expression, column=len(name) + 3, width=WIDTH - indent)
    return f"{name} = {laid}".split("\n")


def _text(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    if '"' in text and "'" not in text:
        # As a formatter leaves it.
        return "'" + written.replace('\\"', '"') + "'"
    return f'"{written}"'


def _kind_source() -> list[str]:
    """Return the head and the lines of our own function, without the comments for linters."""
    head, *lines = inspect.getsource(kind_of).rstrip().split("\n")
    head = re.sub(r"\s*#.*", "", head).removeprefix("def ").removesuffix(":")
    return [head, *(line.removeprefix("    ") for line in lines)]

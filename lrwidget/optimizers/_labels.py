"""The group of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax

from lrwidget.optimizers._groups import ALL, Group, matches
from lrwidget.optimizers._kinds import kind_of

PyTree = Any


def labeller(groups: Sequence[Group], ways: Collection[str]) -> Callable[[PyTree], PyTree]:
    """Return a function from parameters to the names of their groups, of which the first counts.

    Of parameters whose group is none of `ways` it says ``"all"``.
    """

    def labels(params: PyTree) -> PyTree:
        named = jax.tree.map(lambda _: ALL, params)
        for group in reversed(groups):
            inside = _inside(group, params)
            name = group.name if group.name in ways else ALL
            named = jax.tree.map(lambda i, n, g=name: g if i else n, inside, named)
        return named

    return labels


def members(groups: Sequence[Group], params: PyTree) -> dict[str, tuple[str, ...]]:
    """Return the paths of each group's parameters, those of the rest under ``"all"``."""
    labels = labeller(groups, [group.name for group in groups])(params)
    found: dict[str, list[str]] = {name: [] for name in (*(g.name for g in groups), ALL)}
    for keys, name in jax.tree.leaves_with_path(labels):
        found[name].append(path_of(keys))
    return {name: tuple(paths) for name, paths in found.items()}


def path_of(keys: Any) -> str:
    """Return a parameter's path, ``"layers/0/kernel"``."""
    # NNX keeps the array of a Variable one level further down.
    return jax.tree_util.keystr(keys, simple=True, separator="/").removesuffix("/value")


def _inside(group: Group, params: PyTree) -> PyTree:
    if group.mask is not None:
        mask = group.mask(params) if callable(group.mask) else group.mask
        # A prefix of the tree does too, as for Optax.
        return jax.tree.map(lambda m, sub: jax.tree.map(lambda _: bool(m), sub), mask, params)

    def inside(keys: Any, parameter: Any) -> bool:
        path = path_of(keys)
        if group.paths:
            return matches(path, group.paths)
        kind: str = kind_of(path, parameter.shape)  # type: ignore[no-untyped-call]
        return kind in group.kinds

    return jax.tree_util.tree_map_with_path(inside, params)

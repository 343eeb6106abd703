"""What tells one model or data set from another: a short text, for those who meet it again."""

from __future__ import annotations

import zlib
from typing import Any

import jax
import numpy as np

from lrwidget.training._arrays import PyTree
from lrwidget.training._batches import Source

# Of large data only so many examples at either end are looked at.
_LOOKED_AT = 16


def outline(tree: PyTree) -> str:
    """Return how many arrays and numbers a pytree has, and a sum over names, shapes and dtypes."""
    leaves = jax.tree.leaves_with_path(tree)
    names = [f"{jax.tree_util.keystr(p)} {x.shape} {x.dtype}" for p, x in leaves]
    numbers = sum(x.size for _, x in leaves)
    return f"{len(leaves)} arrays of {numbers} numbers, {zlib.crc32(repr(names).encode()):08x}"


def told(source: Source) -> str:
    """Return the form of training data, and a sum over the first and last examples of arrays."""
    form = ", ".join(f"{x.dtype}{list(x.shape)}" for x in jax.tree.leaves(source.spec))
    arrays: Any = getattr(source, "arrays", None)
    examples = getattr(source, "examples", None)
    if arrays is None or examples is None:
        return f"batches of {form}"
    total = 0
    for leaf in jax.tree.leaves(arrays):
        for part in (leaf[:_LOOKED_AT], leaf[-_LOOKED_AT:]):
            total = zlib.crc32(np.ascontiguousarray(part).tobytes(), total)
    return f"{examples} examples in batches of {form}, {total:08x}"

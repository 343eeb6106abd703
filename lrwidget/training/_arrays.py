"""Copies of pytrees of arrays, and arrays of settled type."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def strong(array: jax.Array, dtype: Any = None) -> jax.Array:
    """Return `array` with a dtype of its own choosing, or with `dtype`.

    What a loop carries must be so: a weakly typed array would be strong after one step, and the
    next chunk a new trace.
    """
    dtype = array.dtype if dtype is None else dtype
    if array.dtype == dtype and not array.weak_type:
        return array
    return jax.lax.convert_element_type(array, dtype)


@jax.jit
def _copy(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda x: strong(jnp.copy(x)), tree)


def copied(tree: PyTree) -> PyTree:
    """Return arrays of their own that are equal to those of `tree`."""
    return _copy(jax.tree.map(jnp.asarray, tree))

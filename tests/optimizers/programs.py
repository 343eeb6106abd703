"""Compiled functions, each text once: what two optimizers do alike is compiled for both."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# What runs a few times need not be fast.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

_COMPILED: dict[str, Any] = {}


class Program:
    """A function of flat lists of arrays, compiled unless another's text is the same.

    Parameters
    ----------
    function
        Takes pytrees of arrays and returns one.
    *arguments
        Examples of what it takes.
    """

    def __init__(self, function, *arguments):
        leaves, inside = jax.tree.flatten(arguments)
        outside = []

        def flat(leaves):
            result, tree = jax.tree.flatten(function(*jax.tree.unflatten(inside, leaves)))
            outside.append(tree)
            return result

        lowered = jax.jit(flat).lower(leaves)
        # Without the names that its results have.
        text = re.sub(r"jax\.result_info = \"[^\"]*\"", "", lowered.as_text())
        if text not in _COMPILED:
            _COMPILED[text] = lowered.compile(QUICKLY)
        self._compiled = _COMPILED[text]
        self._outside = outside[0]

    def __call__(self, *arguments):
        return jax.tree.unflatten(self._outside, self._compiled(jax.tree.leaves(arguments)))


def strong(tree):
    """Return a pytree whose scalars have no weak type, with which a program fits its own result."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, jnp.asarray(x).dtype), tree)


def executed(code):
    """Return the optimizer that exported code defines."""
    names: dict = {}
    exec(compile(code, "exported", "exec"), names)
    return names["optimizer"]


def flat(tree):
    """Return all numbers of a pytree in one array."""
    return np.concatenate([np.ravel(np.asarray(x, np.float64)) for x in jax.tree.leaves(tree)])

"""The random streams of a task: each a function of its seed and a number, never of the past.

So another length of chunks, a pause or a rewind cannot change what a step draws.

==================  ===========================================================
epoch ``e``         ``fold_in(key(seed), e)``: the order of the examples
step ``s``          ``fold_in(fold_in(key(seed), 2**32 - 1), s)``: dropout
validation          ``fold_in(key(seed), 2**32 - 2)``: the same at every pass
a Linen module      ``key(seed)``: its initial parameters
==================  ===========================================================
"""

from __future__ import annotations

import jax

# Epochs count from 0 and never come so far.
STEPS = 2**32 - 1
VALIDATION = 2**32 - 2


def step_root(seed: int) -> jax.Array:
    """Return the key from which each step's key is folded."""
    return jax.random.fold_in(jax.random.key(seed), STEPS)


def validation_key(seed: int) -> jax.Array:
    """Return the key of every validation pass."""
    return jax.random.fold_in(jax.random.key(seed), VALIDATION)

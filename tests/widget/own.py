"""What a person has in a module of their own: a mask, and an optimizer that lrwidget has not."""

from __future__ import annotations

import jax
import optax


def a_mask(params):
    """Return the mask of all matrices."""
    return jax.tree.map(lambda p: p.ndim > 1, params)


def own_optimizer(learning_rate, strength=0.5):
    """Return an optimizer with two numbers."""
    return optax.chain(optax.scale(strength), optax.sgd(learning_rate))


def without_default(learning_rate):
    """Return an optimizer that must be told its rate."""
    return optax.sgd(learning_rate)

"""Factories of somebody else's package, which exported code imports."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class PulledState(NamedTuple):
    steps: jax.Array  # int32, shape ()


def pulled(learning_rate, pull: float = 0.1, power: int = 1, signed: bool = False):  # noqa: FBT001, FBT002
    """Return gradient descent that is pulled towards zero."""
    rate = learning_rate if callable(learning_rate) else lambda _: learning_rate

    def init(params):
        del params
        return PulledState(jnp.zeros([], jnp.int32))

    def update(updates, state, params=None):
        now = rate(state.steps)
        updates = jax.tree.map(
            lambda g, p: -now * ((jnp.sign(g) if signed else g) + pull * p**power), updates, params
        )
        return updates, PulledState(state.steps + 1)

    return optax.GradientTransformation(init, update)


def loss_scaled(learning_rate):
    """Return gradient descent that needs the loss."""

    def update(updates, state, params=None, *, value, **extra):
        del params, extra
        return jax.tree.map(lambda g: -learning_rate * value * g, updates), state

    return optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update)

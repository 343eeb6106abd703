"""The critical step along an update, by forward passes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lrwidget.optimizers.adaptive import _arguments, _trees


def critical_step(
    value_fn: Any, params: Any, updates: Any, value: jax.Array, search_steps: Any
) -> jax.Array:
    """Return about the shortest multiple of the updates that leaves the loss no lower.

    Lengths 1, 4, 16, … are tried if the updates themselves lower the loss, and 1/4, 1/16, …
    otherwise, until the answer changes; the result is the geometric middle of the last two. What is
    not finite does not lower the loss.

    Parameters
    ----------
    value_fn
        The loss as a function of the parameters.
    params, updates
        Where to start and in which direction to go.
    value
        The loss at `params`.
    search_steps
        The most forward passes after the first.

    Returns
    -------
    jax.Array
        float32, shape (). Without a change within `search_steps`, the last length tried.
    """

    def raises(length: jax.Array) -> jax.Array:
        reached = _arguments.loss(value_fn(_trees.moved(params, length, updates)))
        return jnp.logical_not(reached < value)

    one = jnp.ones([], jnp.float32)
    too_long = raises(one)
    factor = jnp.where(too_long, 0.25, 4.0).astype(jnp.float32)

    def going_on(carry: Any) -> jax.Array:
        _, same, tried = carry
        return jnp.logical_and(same, tried < search_steps)

    def go_on(carry: Any) -> Any:
        length, _, tried = carry
        length = length * factor
        return length, raises(length) == too_long, tried + 1

    length, same, _ = jax.lax.while_loop(going_on, go_on, (one, jnp.array(True), jnp.int32(0)))
    return jnp.where(same, length, length * jnp.where(too_long, 2.0, 0.5))

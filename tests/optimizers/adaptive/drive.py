"""How these tests drive a transformation: always through one jitted update, traces counted."""

from __future__ import annotations

import jax
import jax.numpy as jnp


class Driver:
    """A transformation and its state; `step` returns the updates as NumPy-like leaves."""

    def __init__(self, tx, params):
        self.params, self.state, self.traces = params, tx.init(params), 0

        def update(updates, state, params, extra):
            self.traces += 1
            return tx.update(updates, state, params, **extra)

        self._update = jax.jit(update)

    def step(self, updates, **extra):
        extra = {k: jnp.asarray(v, jnp.float32) if k != "grad" else v for k, v in extra.items()}
        updates, self.state = self._update(updates, self.state, self.params, extra)
        return updates


def trainer(tx, loss, params):
    """Return a jitted step of a loop that gives every keyword, its first state and its traces."""
    traces = []

    @jax.jit
    def step(params, state, batch):
        traces.append(1)

        def value_fn(p):
            return loss(p, batch)

        value, grad = jax.value_and_grad(value_fn)(params)
        updates, state = tx.update(
            grad, state, params, value=value, grad=grad, value_fn=value_fn, valid_value=value
        )
        params = jax.tree.map(lambda p, u: (p + u).astype(p.dtype), params, updates)
        return params, state, value

    return step, tx.init(params), traces

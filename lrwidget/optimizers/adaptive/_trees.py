"""What the adaptive transformations compute on trees of parameters, in float32."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def times(scale: jax.Array, updates: Any) -> Any:
    """Return the updates times a float32 scalar, each leaf in its own type."""
    return jax.tree.map(lambda u: (scale * u).astype(u.dtype), updates)


def dot(a: Any, b: Any) -> jax.Array:
    """Return the inner product of two trees of the same shapes: float32, shape ().

    Of complex leaves it is that of their real parts plus that of their imaginary ones, so that a
    gradient must be the direction in which the loss rises, not its conjugate as of `jax.grad`.
    """
    parts = jax.tree.map(_dot, a, b)
    return jax.tree.reduce(jnp.add, parts, jnp.zeros([], jnp.float32))


def _dot(x: Any, y: Any) -> jax.Array:
    if jnp.iscomplexobj(x) or jnp.iscomplexobj(y):
        return jnp.vdot(x, y).real.astype(jnp.float32)
    return jnp.vdot(x.astype(jnp.float32), y.astype(jnp.float32))


def moved(params: Any, length: Any, direction: Any) -> Any:
    """Return the parameters moved by ``length * direction``, each leaf in its own type."""
    return jax.tree.map(lambda p, d: (p + length * d).astype(p.dtype), params, direction)


def like(new: Any, old: Any) -> Any:
    """Return the leaves of `new` in the types of `old`'s, so that a state keeps its types."""
    return jax.tree.map(lambda n, o: n.astype(o.dtype), new, old)


def written(tree: Any) -> Any:
    """Return the same tree, written to memory once, and not computed anew wherever it is used."""
    return jax.lax.optimization_barrier(tree)  # type: ignore[no-untyped-call]

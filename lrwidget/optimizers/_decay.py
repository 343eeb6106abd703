"""A decay rate that knows one minus itself to the last bit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


@jax.tree_util.register_pytree_node_class
class Decay:
    """A decay rate such as Adam's ``b2``, as a float32 scalar that may change at run time.

    Optax multiplies by ``1 - b2``. For a constant, Python does that subtraction in float64, and
    0.001 comes out; in float32 at run time ``1 - 0.999`` is 5e-5 too large, and Adam with live
    hyperparameters strays from plain Adam. Here the difference is taken on the host, and Optax
    finds it where it subtracts.

    Parameters
    ----------
    value
        The decay rate, a float32 scalar.
    complement
        One minus the decay rate, subtracted in float64 and rounded to float32.
    """

    def __init__(self, value: Any, complement: Any):
        self._value = value
        self._complement = complement

    @classmethod
    def of(cls, value: jax.Array, complement: jax.Array) -> Decay:
        """Return the pair; a complement that does not belong to the value is not used.

        Someone who writes only the decay rate into the state by hand gets the plain difference.
        """
        plain = 1.0 - value
        return cls(value, jnp.where(jnp.abs(plain - complement) < 1e-6, complement, plain))

    def __rsub__(self, one: Any) -> Any:
        return self._complement if isinstance(one, int | float) and one == 1 else one - self._value

    def __mul__(self, other: Any) -> Any:
        return self._value * other

    __rmul__ = __mul__

    def __pow__(self, count: Any) -> Any:
        return self._value**count

    def __jax_array__(self) -> Any:
        return jnp.asarray(self._value)

    def tree_flatten(self) -> tuple[tuple[Any, Any], None]:
        """Return the two scalars, so that a decay rate passes through inner jits."""
        return (self._value, self._complement), None

    @classmethod
    def tree_unflatten(cls, auxiliary: None, children: tuple[Any, Any]) -> Decay:
        """Return the decay rate of two scalars."""
        del auxiliary
        return cls(*children)

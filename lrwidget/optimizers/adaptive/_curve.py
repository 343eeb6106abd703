"""The learning-rate curve above an adaptive transformation: its multiplier or its ceiling."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from lrwidget import _checks
from lrwidget.optimizers.adaptive import _arguments

CURVES = ("multiplier", "ceiling")


@dataclasses.dataclass(frozen=True)
class Curve:
    r"""How the curve and what a transformation learns make the rate that is applied.

    With the curve :math:`c_t` and what is learned :math:`s_t`, the rate is :math:`c_t s_t` where
    the curve is a multiplier, and :math:`\min(c_t, r s_t)` where it is a ceiling over a rate of its
    own :math:`r`. Without `own_rate` that is the curve itself: :math:`c_t \min(1, s_t)`.

    Attributes
    ----------
    kind
        ``"multiplier"`` or ``"ceiling"``.
    learning_rate
        The curve: None, a number, a scalar array or a function of the step.
    own_rate
        None or :math:`r`.
    """

    kind: str
    learning_rate: Any
    own_rate: Any

    @classmethod
    def of(cls, kind: str, learning_rate: Any, own_rate: Any) -> Curve:
        """Check the three arguments that every adaptive transformation takes."""
        _checks.choice("curve", kind, CURVES)
        if own_rate is not None:
            _arguments.number("own_rate", own_rate, low=0, low_open=True)
        if learning_rate is not None and not callable(learning_rate):
            _arguments.number("learning_rate", learning_rate, low=0)
        if kind == "ceiling" and own_rate is not None and learning_rate is None:
            raise ValueError(
                "learning_rate must be the curve where curve='ceiling' and own_rate is given, "
                "got None"
            )
        return cls(kind, learning_rate, own_rate)

    def at(self, count: jax.Array) -> jax.Array:
        """Return the curve at a step: float32, shape (); 1 where it is not known."""
        rate = self.learning_rate
        if rate is None:
            return jnp.ones([], jnp.float32)
        return jnp.asarray(rate(count) if callable(rate) else rate, jnp.float32)

    def scale(self, own_scale: jax.Array, count: jax.Array) -> jax.Array:
        """Return by what the updates are multiplied: the rate over the curve."""
        if self.kind == "multiplier":
            return own_scale
        if self.own_rate is None:
            return jnp.minimum(1.0, own_scale)
        rate = self.at(count)
        # Where the curve is zero, so are the updates, whatever they are multiplied by.
        safe = jnp.where(rate > 0, rate, 1.0)
        return jnp.where(rate > 0, jnp.minimum(1.0, self.own_rate * own_scale / safe), 1.0)

    def reference(self, largest: jax.Array, count: jax.Array) -> jax.Array:
        """Return the rate at which `own_scale` 1 stands, for what finds its rate by itself.

        It is the rate of its own, or else the largest value of the curve so far: a warm-up below
        that is the transformation's own business, a decay from there on is the curve's.
        """
        if self.own_rate is not None and self.learning_rate is not None:
            return jnp.asarray(self.own_rate, jnp.float32)
        return jnp.maximum(largest, self.at(count))

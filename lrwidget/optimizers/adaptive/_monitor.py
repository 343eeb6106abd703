"""The value by which a transformation judges the training: which one, and smoothed how."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lrwidget.optimizers.adaptive import _arguments

MONITORS = ("train", "valid")


def read(link: str, monitor: str, value: Any, valid_value: Any) -> tuple[jax.Array, jax.Array]:
    """Return the value of the update at hand (float32, shape ()) and whether it is a new one."""
    if monitor == "train":
        _arguments.given(link, value=value)
        return _arguments.loss(value), jnp.array(True)
    _arguments.given(link, valid_value=valid_value)
    newest = _arguments.loss(valid_value)
    return newest, ~jnp.isnan(newest)


def smoothed(mean: jax.Array, value: jax.Array, smoothing: Any, *, first: jax.Array) -> jax.Array:
    """Return the running mean with one more value; one that is not finite leaves no trace in it."""
    new = jnp.where(first, value, smoothing * mean + (1 - smoothing) * value)
    return jnp.where(jnp.isfinite(value) | first, new, mean)

"""Checks of what the adaptive transformations are built with, and of what their updates are given.

A number may be a Python or NumPy number or an array, which is checked when the transformation is
built, or traced (`optax.inject_hyperparams`), which is taken as it is.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lrwidget import _checks

_HOW = {
    "value": "the loss of the batch",
    "valid_value": "the newest validation loss, NaN where there is no new one",
    "value_fn": "a function of the parameters that returns the loss of the batch",
    "grad": "the gradients of the batch",
    "params": "the parameters",
}


def number(name: str, value: Any, **bounds: Any) -> Any:
    """Return `value` if it is traced or a number within `bounds`, or raise as `finite` does."""
    if not isinstance(value, jax.core.Tracer):
        _checks.finite(name, value, **bounds)
    return value


def integer(name: str, value: Any, *, low: int) -> Any:
    """Return `value` if it is traced or a whole number from `low` on, or raise."""
    if not isinstance(value, jax.core.Tracer):
        _checks.integer(name, value, low=low)
    return value


def scales(min_scale: Any, max_scale: Any) -> None:
    """Raise unless both are numbers >= 0 and the first is not above the second."""
    number("min_scale", min_scale, low=0)
    number("max_scale", max_scale, low=0, low_open=True)
    traced = isinstance(min_scale, jax.core.Tracer) or isinstance(max_scale, jax.core.Tracer)
    if not traced and min_scale > max_scale:
        raise ValueError(
            f"min_scale must be <= max_scale, got min_scale={min_scale!r} and "
            f"max_scale={max_scale!r}"
        )


def given(link: str, **extra: Any) -> None:
    """Raise a TypeError that says what to pass if one of the keywords of ``update`` is None."""
    for name, value in extra.items():
        if value is None:
            call = "params" if name == "params" else f"params, {name}=..."
            raise TypeError(
                f"the update of {link} must be given {name}, {_HOW[name]}: "
                f"tx.update(grads, state, {call})"
            )


def loss(value: Any) -> jax.Array:
    """Return a loss as a float32 scalar."""
    return jnp.asarray(value, jnp.float32)

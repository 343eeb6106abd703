"""What a traced function contains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def has_convolution(jaxpr: Any) -> bool:
    """Return whether a jaxpr, or one inside it, convolves.

    On a CPU XLA runs convolutions inside any of its loops 15 to 30 times slower than outside
    (jax-ml/jax#12868), so that such steps must be handed out one by one.
    """
    return any(
        equation.primitive.name == "conv_general_dilated"
        or any(map(has_convolution, _inner(equation.params.values())))
        for equation in jaxpr.eqns
    )


def _inner(values: Any) -> Iterator[Any]:
    for value in values:
        if hasattr(value, "eqns"):
            yield value
        elif hasattr(value, "jaxpr"):
            yield value.jaxpr
        elif isinstance(value, list | tuple):
            yield from _inner(value)

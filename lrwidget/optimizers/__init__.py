"""Optimizer chains as immutable data: links, their registry, the Optax bridge, the code writer."""

from __future__ import annotations

from typing import Any

from lrwidget.optimizers._chain import Chain, Injection, chain_of
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._link import (
    Link,
    adam,
    adamw,
    add_decayed_weights,
    clip_by_global_norm,
    make,
    names,
    sgd,
)

__all__ = [
    "Chain",
    "Declaration",
    "Hyperparameter",
    "Injection",
    "Link",
    "adam",
    "adamw",
    "add_decayed_weights",
    "chain_of",
    "clip_by_global_norm",
    "make",
    "names",
    "sgd",
    "write_hyperparameters",
]


def __getattr__(name: str) -> Any:
    # Loads Optax, which a designer that only draws does without.
    if name == "write_hyperparameters":
        from lrwidget.optimizers._optax import write_hyperparameters

        return write_hyperparameters
    raise AttributeError(f"module 'lrwidget.optimizers' has no attribute {name!r}")

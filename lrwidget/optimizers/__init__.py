"""Optimizer chains as immutable data: links, their registry, the Optax bridge, the code writer.

Every kind of link has a function of its name here, such as `adamw` or `clip_by_global_norm`, which
is made from its declaration; `names` lists them.
"""

from __future__ import annotations

from typing import Any

from lrwidget.optimizers._chain import Chain, chain_of
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._factories import custom, factory_of, make, names
from lrwidget.optimizers._groups import ALL, Group, layerwise_decay
from lrwidget.optimizers._injection import Injection
from lrwidget.optimizers._link import Link

__all__ = [
    "ALL",
    "Chain",
    "Declaration",
    "Group",
    "Hyperparameter",
    "Injection",
    "Link",
    "chain_of",
    "custom",
    "layerwise_decay",
    "make",
    "names",
    "reports",
    "write_hyperparameters",
]


def __getattr__(name: str) -> Any:
    # These load Optax, which a designer that only draws does without.
    if name == "write_hyperparameters":
        from lrwidget.optimizers._optax import write_hyperparameters

        return write_hyperparameters
    if name == "reports":
        from lrwidget.optimizers._reports import reports

        return reports
    if name.startswith("_"):
        raise AttributeError(f"module 'lrwidget.optimizers' has no attribute {name!r}")
    return factory_of(name)


def __dir__() -> list[str]:
    return sorted({*__all__, *names()})

"""The person's own functions, `loss_fn` and `eval_fn`: how they are called and what they return."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

_RNGS = ("rngs", "rng", "key")

# Columns of a history that are not metrics.
_TAKEN = ("step", "loss", "learning_rate")


# What a model may ask for that tells training from prediction, missing in a call of it.
_MODE = re.compile(r"missing .*argument.*'(train|training|is_training|deterministic)'")


class UserFunction:
    """A function of ``(model, batch[, rngs][, train])``, called with what it declares.

    It takes randomness if it has a parameter called ``rngs``, ``rng`` or ``key``, or a third one
    without a default; and ``train`` if it has one of that name.

    Parameters
    ----------
    name
        What the person calls it: ``"loss_fn"`` or ``"eval_fn"``.
    function
        The function.

    Raises
    ------
    TypeError
        If it cannot be called so.
    """

    def __init__(self, name: str, function: Callable[..., Any]):
        if not callable(function):
            raise TypeError(
                f"{name} must be a function of (model, batch[, rngs][, train]), got {function!r}"
            )
        self.name = name
        self.function = function
        self.rngs_keyword: str | None = None
        self.takes_rngs = False
        self.takes_train = False
        self._inspect()

    def __call__(self, model: Any, batch: Any, rngs: Any, *, train: bool) -> Any:
        """Call the function with as much of this as it declares."""
        positional = [model, batch]
        keywords: dict[str, Any] = {}
        if self.rngs_keyword is not None:
            keywords[self.rngs_keyword] = rngs
        elif self.takes_rngs:
            positional.append(rngs)
        if self.takes_train:
            keywords["train"] = train
        try:
            return self.function(*positional, **keywords)
        except TypeError as error:
            if (mode := _MODE.search(str(error))) is None:
                raise
            given = "not train" if mode[1] == "deterministic" else "train"
            raise TypeError(
                f"{self.name} must give the model what it asks for, {mode[1]}={given}: as "
                f"{self.name}(model, batch, train) it gets train, which is True in steps and "
                f"False in validation; got {error}"
            ) from error

    def loss_of(self, returned: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Return loss and metrics of what a loss function returned, checked."""
        metrics: Any = {}
        loss = returned
        if isinstance(returned, tuple):
            if len(returned) != 2:
                raise ValueError(
                    f"{self.name} must return a loss or (loss, {{name: scalar}}), got a tuple of "
                    f"{len(returned)}"
                )
            loss, metrics = returned
        if not isinstance(loss, jax.Array | float):
            raise TypeError(f"{self.name} must return a scalar loss, got {_kind(loss)}")
        loss = jnp.asarray(loss)
        if loss.shape != ():
            raise ValueError(
                f"{self.name} must return a scalar loss, got shape {loss.shape}: take its mean"
            )
        if not jnp.issubdtype(loss.dtype, jnp.floating):
            raise ValueError(f"{self.name} must return a floating loss, got dtype {loss.dtype}")
        return loss, self.metrics_of(metrics, taken=_TAKEN)

    def metrics_of(self, metrics: Any, taken: tuple[str, ...] = ("step",)) -> dict[str, jax.Array]:
        """Return metrics as a dictionary of scalars, checked."""
        if not isinstance(metrics, Mapping):
            raise TypeError(
                f"the metrics of {self.name} must be a dictionary {{name: scalar}}, "
                f"got {_kind(metrics)}"
            )
        checked = {}
        for name, value in metrics.items():
            if not isinstance(name, str) or name in taken or "." in name:
                raise ValueError(
                    f"a metric of {self.name} must have a text without dots as its name, other "
                    f"than {', '.join(taken)}; got {name!r}"
                )
            try:
                scalar = jnp.asarray(value)
            except TypeError:
                raise TypeError(
                    f"the metric {name!r} of {self.name} must be a scalar, got {_kind(value)}"
                ) from None
            if scalar.shape != () or jnp.iscomplexobj(scalar):
                raise ValueError(
                    f"the metric {name!r} of {self.name} must be a real scalar, got shape "
                    f"{scalar.shape} and dtype {scalar.dtype}"
                )
            checked[name] = scalar
        return checked

    def _inspect(self) -> None:
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
        except ValueError:  # builtins have no signature to look at
            return
        self.takes_train = any(p.name == "train" for p in parameters)
        named = [
            p
            for p in parameters[2:]
            if p.name in _RNGS and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        places = [
            p
            for p in parameters
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "train"
        ]
        third = len(places) > 2 and places[2].default is inspect.Parameter.empty
        if named:
            self.rngs_keyword = named[0].name
        self.takes_rngs = bool(named) or third
        keywords = dict.fromkeys(
            ([self.rngs_keyword] if self.rngs_keyword else []) + ["train"] * self.takes_train
        )
        try:
            inspect.signature(self.function).bind(*[None] * (2 + (third and not named)), **keywords)
        except TypeError as error:
            given = ", ".join(str(p) for p in parameters)
            raise TypeError(
                f"{self.name} must be a function of (model, batch[, rngs][, train]), got one of "
                f"({given}): {error}"
            ) from None


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"

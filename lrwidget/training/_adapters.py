"""What the engine needs of a model, whatever library it comes from.

The engine sees two pytrees of plain arrays: `params`, which gradients are taken for, and `state`,
everything else that a step changes (BatchNorm statistics, an NNX model's own random streams).
NNX and Linen objects exist only while the loss function runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from lrwidget.training._arrays import PyTree


class Bound(NamedTuple):
    """A model with arrays in it, as the loss function gets it."""

    model: Any
    rngs: Any
    # The state after the loss function has run, with the structure that it had before.
    state: Callable[[], PyTree]


class FirstRun(NamedTuple):
    """What it takes to run the loss function once, before there are parameters."""

    call: Callable[[Any, PyTree, Any], Any]  # of (model, batch, rngs), in training form
    batch: Callable[[], PyTree]
    key: jax.Array


class Adapter(Protocol):
    """A kind of model."""

    kind: str  # "nnx", "linen", "train_state" or "pytree"

    def current(self) -> tuple[PyTree, PyTree]:
        """Return (params, state) as the person's model holds them now; not copies."""

    def bind(self, params: PyTree, state: PyTree, key: jax.Array, *, train: bool) -> Bound:
        """Return the model for one call of the loss function, in training or evaluation form."""

    def write_back(self, params: PyTree, state: PyTree) -> None:
        """Put copies of arrays into the person's model object, where it can hold any."""

    def model(self, params: PyTree, state: PyTree) -> Any:
        """Return a model with these arrays to the person; NNX: their own object."""

    def current_model(self) -> Any:
        """Return the person's model as it is."""

    def train_state(
        self, params: PyTree, state: PyTree, opt_state: PyTree, tx: Any, step: int
    ) -> Any:
        """Return a `flax.training.train_state.TrainState`; TypeError where there is none."""


def adapter(model: Any, variables: Any, first_run: FirstRun) -> Adapter:
    """Return the adapter of `model`.

    Parameters
    ----------
    model
        An `nnx.Module`, a Linen module, a `TrainState` or a pytree of arrays.
    variables
        A Linen module's variables, or None.
    first_run
        How a Linen module without `variables` is initialised: through the loss function.

    Raises
    ------
    TypeError, ValueError
        If the model is none of these.
    """
    # An instance cannot exist unless its library is imported, so nothing is imported to find out.
    nnx, linen, train_state = (
        sys.modules.get(name) for name in ("flax.nnx", "flax.linen", "flax.training.train_state")
    )
    if linen is not None and isinstance(model, linen.Module):
        from lrwidget.training._adapter_linen import linen_adapter

        return linen_adapter(model, variables, first_run)
    if variables is not None:
        raise TypeError(
            "variables must be None unless model is a Linen module, got variables for "
            f"{_kind(model)}"
        )
    if nnx is not None and isinstance(model, nnx.Module):
        from lrwidget.training._adapter_nnx import NNXAdapter

        return NNXAdapter(model)
    if train_state is not None and isinstance(model, train_state.TrainState):
        from lrwidget.training._adapter_linen import train_state_adapter

        return train_state_adapter(model)
    return PytreeAdapter(model)


class PytreeAdapter:
    """A pytree of parameters, which the loss function gets as it is, with a PRNG key."""

    kind = "pytree"

    def __init__(self, params: PyTree):
        check_params(params)
        self._params = params

    def current(self) -> tuple[PyTree, PyTree]:
        """Return the pytree, and no state."""
        return self._params, {}

    def bind(self, params: PyTree, state: PyTree, key: jax.Array, *, train: bool) -> Bound:
        """Return the pytree and the key."""
        return Bound(params, key, lambda: state)

    def write_back(self, params: PyTree, state: PyTree) -> None:
        """Do nothing: arrays are immutable, and the pytree is the person's own."""

    def model(self, params: PyTree, state: PyTree) -> Any:
        """Return the parameters."""
        return params

    def current_model(self) -> PyTree:
        """Return the person's pytree."""
        return self._params

    def train_state(
        self, params: PyTree, state: PyTree, opt_state: PyTree, tx: Any, step: int
    ) -> Any:
        """Refuse."""
        raise TypeError(
            "train_state is for Linen modules and TrainStates; this task's model is a pytree: "
            "take params and opt_state"
        )


def check_params(params: PyTree) -> None:
    """Raise unless `params` is a pytree of at least one floating array."""
    leaves = jax.tree.leaves_with_path(params)
    if not leaves:
        raise ValueError("model must hold at least one parameter array, got none")
    for path, leaf in leaves:
        name = f"model{jax.tree_util.keystr(path)}"
        if isinstance(leaf, bool) or not isinstance(
            leaf, jax.Array | np.ndarray | np.generic | float
        ):
            raise TypeError(
                "model must be an nnx.Module, a Linen module, a TrainState or a pytree of arrays, "
                f"and {name} is {_kind(leaf)}"
            )
        dtype = jnp.asarray(leaf).dtype
        if not jnp.issubdtype(dtype, jnp.inexact):
            raise TypeError(f"{name} must be a floating array, since it is trained, got {dtype}")


def keep_structure(old: PyTree, new: PyTree) -> PyTree:
    """Return `new` without the entries of its dictionaries that `old` does not have.

    A model that sows intermediates comes out of the loss function with more than went in, and
    what a compiled loop carries must keep its structure.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping) and all(key in new for key in old):
        entries = {key: keep_structure(old[key], new[key]) for key in old}
        return entries if isinstance(old, dict) else type(old)(entries)  # type: ignore[call-arg]
    return new


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}, not an instance of it"
    return f"a {type(value).__name__}"

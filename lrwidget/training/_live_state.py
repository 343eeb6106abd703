"""Where the hyperparameters are in whatever a person's own loop keeps its optimizer's state."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from lrwidget import optimizers

Values = Mapping[str, npt.NDArray[np.float32]]


class _Attribute(NamedTuple):
    """A step of a path that is an attribute, where others are keys and indices."""

    name: str


_Path = tuple[Any, ...]


class StateWriter:
    """Writes hyperparameters into the state of a live chain, wherever that is.

    It may be the state itself or be wrapped: in a Flax `TrainState`, an `nnx.Optimizer`, a
    dataclass, named tuple or dictionary with such a state in it, or in the state of other Optax
    transformations around the chain. The place is looked for once.

    Parameters
    ----------
    names
        The keys of ``hyperparams`` by which the state is known: those of `Injection.names`.
    """

    def __init__(self, names: tuple[str, ...]):
        self._names = frozenset(names)
        self._kind: type | None = None
        self._found: list[_Path] = []

    def read(self, holder: Any, keys: tuple[str, ...]) -> list[Any]:
        """Return the arrays under `keys`, without waiting for them."""
        self._look(holder)
        hyperparams = _hyperparams(_at(holder, self._found[0]))
        return [_known(_raw(hyperparams[key])) for key in keys]

    def reports(self, holder: Any, addresses: tuple[str, ...]) -> jax.Array:
        """Return what the links tell, in an array of its own: the next step may take the state's.

        Parameters
        ----------
        holder
            What the state is in.
        addresses
            The order of the values.
        """
        if type(holder) is not self._kind:
            self._look(holder)
        state = jax.tree.map(_raw, _at(holder, self._found[0]), is_leaf=_is_variable)
        found = optimizers.reports(state)
        together: jax.Array = _together([found[address] for address in addresses])
        return together

    def write(self, holder: Any, values: Values) -> Any:
        """Return `holder` with new values; NNX variables are written in place.

        Raises
        ------
        ValueError
            If there is no state of the live chain in it.
        TypeError
            If it is being traced.
        """
        if type(holder) is self._kind:
            try:
                return self._written(holder, values)
            except (AttributeError, KeyError, IndexError, TypeError):
                pass  # of another shape than the last one: looked at anew below
        self._look(holder)
        return self._written(holder, values)

    def _written(self, holder: Any, values: Values) -> Any:
        for path in self._found:
            holder = _replaced(holder, path, values)
        return holder

    def _look(self, holder: Any) -> None:
        self._kind, self._found = type(holder), list(self._search(holder))
        if not self._found:
            raise ValueError(
                "opt_state must be, or hold, the state of live.to_optax(), got "
                f"{type(holder).__name__} without it: make the optimizer with that transformation"
            )

    def _is_ours(self, node: Any) -> bool:
        hyperparams = _hyperparams(node)
        return isinstance(hyperparams, Mapping) and self._names <= hyperparams.keys()

    def _search(self, node: Any, path: _Path = ()) -> Iterator[_Path]:
        if self._is_ours(node):
            yield path
        elif isinstance(node, Mapping):
            for key, child in node.items():
                yield from self._search(child, (*path, key))
        elif isinstance(node, tuple | list):
            for index, child in enumerate(node):
                yield from self._search(child, (*path, index))
        elif hasattr(node, "opt_state"):
            yield from self._search(node.opt_state, (*path, _Attribute("opt_state")))


def _hyperparams(node: Any) -> Any:
    # A split NNX optimizer has its state as mappings all the way down.
    if not hasattr(node, "_fields") and isinstance(node, Mapping):
        return node.get("hyperparams")
    return getattr(node, "hyperparams", None)


def _at(node: Any, path: _Path) -> Any:
    for step in path:
        node = getattr(node, step.name) if isinstance(step, _Attribute) else node[step]
    return node


def _replaced(node: Any, path: _Path, values: Values) -> Any:
    if not path:
        return _written(node, values)
    step, *rest = path
    child = _at(node, (step,))
    new = _replaced(child, tuple(rest), values)
    if new is child:
        return node
    if isinstance(step, _Attribute):
        replace = getattr(node, "replace", None)  # flax.struct's, which subclasses may extend
        changes = {step.name: new}
        return dataclasses.replace(node, **changes) if replace is None else replace(**changes)
    if isinstance(node, Mapping):
        return type(node)({**node, step: new})  # type: ignore[call-arg]
    items = [*node[:step], new, *node[step + 1 :]]
    return type(node)(*items) if hasattr(node, "_fields") else type(node)(items)


def _written(node: Any, values: Values) -> Any:
    hyperparams = _hyperparams(node)
    new = {}
    for name, value in values.items():
        old = hyperparams[name]
        if hasattr(old, "set_value"):
            old.set_value(_placed(value, _raw(old)))
        else:
            new[name] = _placed(value, old)
    if not new:
        return node
    if hasattr(node, "_replace"):
        return node._replace(hyperparams={**hyperparams, **new})
    return type(node)({**node, "hyperparams": {**hyperparams, **new}})


def _placed(value: npt.NDArray[np.float32], old: Any) -> Any:
    """Return `value` as a jitted step takes it without a new trace: type and place as before."""
    old = _known(old)
    if value.dtype != old.dtype:
        value = value.astype(old.dtype)
    # A NumPy scalar costs a jitted step 5 µs, an array made here for it 20 µs more. What lives on
    # chosen devices goes there, since the step is compiled for these.
    if isinstance(old, jax.Array) and old.committed:
        return jax.device_put(value, old.sharding)
    return value


def _known(value: Any) -> Any:
    if isinstance(value, jax.core.Tracer):
        raise TypeError("live.update must be called outside of jit, got a state that is traced")
    return value


@jax.jit
def _together(values: list[jax.Array]) -> jax.Array:
    return jnp.stack(values)


def _is_variable(value: Any) -> bool:
    return hasattr(value, "get_value")


def _raw(value: Any) -> Any:
    return value.get_value() if hasattr(value, "get_value") else value

"""What a file says of a pytree's leaves, and how they are stored as plain NumPy arrays."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree

# Each is JSON data: the leaf's path, its kind ("array", "key" or "number") and what goes with it.
Description = Mapping[str, Any]


class Leaf(NamedTuple):
    """A leaf to be saved."""

    description: Description
    array: Any  # None for Python numbers, whose value is in the description

    def stored(self) -> npt.NDArray[Any] | None:
        """Return the leaf as a NumPy array that any reader understands; waits for the device."""
        if self.array is None:
            return None
        if self.description["kind"] == "key":
            return np.asarray(jax.random.key_data(self.array))
        array = np.asarray(self.array, order="C")
        if self.description["raw"]:
            # bfloat16 and the like are no types of NumPy's own: it would store them nameless.
            return array.reshape(-1).view(np.uint8)
        return array.astype(array.dtype.newbyteorder("="), copy=False)


def described(tree: PyTree) -> list[Leaf]:
    """Return the leaves of `tree` with their descriptions.

    Raises
    ------
    TypeError
        If a leaf is no array of numbers, PRNG key or Python number; it names the leaf.
    """
    return [
        Leaf(_describe(name, leaf), None if _is_number(leaf) else leaf)
        for name, leaf in _named(tree)
    ]


def matched(descriptions: Sequence[Description], like: PyTree, path: Path) -> list[tuple[int, Any]]:
    """Return for each leaf of `like` the place of its description, and the leaf.

    Raises
    ------
    ValueError
        If the leaves differ in name, kind, shape or dtype; it names the first that does.
    """
    places = {description["path"]: place for place, description in enumerate(descriptions)}
    wanted = _named(like)
    for name, _ in wanted:
        if name not in places:
            raise ValueError(f"{path} has no leaf {_shown(name)}, which this state has")
    extra = places.keys() - {name for name, _ in wanted}
    for name in places:
        if name in extra:
            raise ValueError(f"{path} has a leaf {_shown(name)}, which this state has not")
    pairs = []
    for name, leaf in wanted:
        there, here = _outline(descriptions[places[name]]), _outline(_describe(name, leaf))
        if there != here:
            raise ValueError(f"the leaf {_shown(name)} must be {here}, and is {there} in {path}")
        pairs.append((places[name], leaf))
    return pairs


def stored_form(description: Description) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Return shape and dtype of what `Leaf.stored` gave; None for Python numbers."""
    if description["kind"] == "number":
        return None
    shape, dtype = description["stored"]
    return tuple(shape), np.dtype(dtype)


def restored(description: Description, stored: npt.NDArray[Any] | None, like: Any) -> Any:
    """Return the leaf that was saved, of the same kind as `like`."""
    if stored is None:
        return description["value"]
    if description["kind"] == "key":
        data = jnp.array(stored)
        return _placed(jax.random.wrap_key_data(data, impl=description["implementation"]), like)
    if description["raw"]:
        stored = stored.view(np.dtype(like.dtype)).reshape(description["shape"])
    if isinstance(like, np.generic):
        return stored[()]
    return stored if isinstance(like, np.ndarray) else _placed(jnp.array(stored), like)


def _named(tree: PyTree) -> list[tuple[str, Any]]:
    seen: collections.Counter[str] = collections.Counter()
    named = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path)
        seen[name] += 1
        # Two keys of a container of somebody's own may read alike.
        named.append((name if seen[name] == 1 else f"{name}#{seen[name]}", leaf))
    return named


def _placed(array: jax.Array, like: Any) -> jax.Array:
    # Only where the caller's array is pinned to a device: pinning others would compile anew.
    pinned = isinstance(like, jax.Array) and getattr(like, "committed", False)
    return jax.device_put(array, like.sharding) if pinned else array


def _describe(name: str, leaf: Any) -> dict[str, Any]:
    if _is_number(leaf):
        return {"path": name, "kind": "number", "type": type(leaf).__name__, "value": leaf}
    dtype, shape = getattr(leaf, "dtype", None), getattr(leaf, "shape", None)
    if dtype is None or shape is None:
        raise TypeError(
            f"the leaf {_shown(name)} of a state must be an array, a PRNG key or a number, got "
            f"{type(leaf).__name__}"
        )
    common = {"path": name, "shape": list(shape), "dtype": str(dtype)}
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        data = jax.eval_shape(jax.random.key_data, leaf)
        return {
            **common,
            "kind": "key",
            "implementation": str(jax.random.key_impl(leaf)) if isinstance(leaf, jax.Array) else "",
            "stored": [list(data.shape), data.dtype.str],
        }
    dtype = np.dtype(dtype)
    raw = dtype.isbuiltin == 2  # registered by another library, which is ml_dtypes
    if not raw and dtype.kind not in "biufc":
        raise TypeError(f"the leaf {_shown(name)} of a state must hold numbers, got {dtype}")
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    native = dtype.newbyteorder("=")
    return {
        **common,
        "dtype": native.name,
        "kind": "array",
        "raw": raw,
        "stored": [[size], "|u1"] if raw else [list(shape), native.str],
    }


def _outline(description: Description) -> str:
    if description["kind"] == "number":
        return f"a Python {description['type']}"
    return f"{description['dtype']}{description['shape']}"


def _shown(name: str) -> str:
    return name or "(the state itself)"


def _is_number(leaf: Any) -> bool:
    # NumPy's float64 is a Python float too, and has a dtype to keep.
    return isinstance(leaf, bool | int | float) and not isinstance(leaf, np.generic)

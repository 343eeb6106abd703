"""What a run begins with, made without a compile where it is nothing but copies and constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.extend.core import Literal

from lrwidget.training._arrays import PyTree

Make = Callable[[list[jax.Array]], npt.NDArray[Any]]


class Beginning:
    """A function of arrays that mostly copies some of them and fills others.

    Most optimizers begin with zeros. A compile of what fills them takes a CPU as long as thousands
    of steps of a small model.

    Parameters
    ----------
    function
        To be traced; it returns a pytree of arrays.
    like
        Arguments of the shapes that it will be called with.
    """

    def __init__(self, function: Callable[..., PyTree], *like: PyTree):
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*like)
        self._compiled = jax.jit(function)
        self._structure = jax.tree.structure(shapes)
        self._forms = [(aval.shape, aval.dtype) for aval in closed.in_avals]
        self._makes = _makes(closed)

    def __call__(self, *given: PyTree) -> PyTree:
        """Return what the function does, in arrays of its own."""
        leaves: list[Any] = jax.tree.leaves(given)
        if self._makes is None or not _are_here(leaves) or self._forms != _forms(leaves):
            return self._compiled(*given)
        made = jax.device_put([make(leaves) for make in self._makes])
        return jax.tree.unflatten(self._structure, made)


def _makes(closed: Any) -> list[Make] | None:
    """Return how each output is made; None if one of them has to be computed."""
    known: dict[Any, Make] = {
        variable: _copy_of(place) for place, variable in enumerate(closed.jaxpr.invars)
    }
    for equation in closed.jaxpr.eqns:
        name = equation.primitive.name
        (first, *others), (made, *_) = equation.invars or [None], equation.outvars or [None]
        if name == "copy" and first in known:
            known[made] = known[first]
        elif name == "broadcast_in_dim" and isinstance(first, Literal) and not others:
            known[made] = _full(made.aval, first.val)
    makes = [
        _full(out.aval, out.val) if isinstance(out, Literal) else known.get(out)
        for out in closed.jaxpr.outvars
    ]
    return [make for make in makes if make] if all(makes) else None


def _copy_of(place: int) -> Make:
    return lambda leaves: np.array(leaves[place])


def _full(aval: Any, value: Any) -> Make:
    return lambda _: np.full(aval.shape, value, aval.dtype)


def _are_here(leaves: list[Any]) -> bool:
    """Return whether the host reaches all of these as cheaply as the device, which is the CPU."""
    return jax.default_backend() == "cpu" and all(
        isinstance(leaf, jax.Array)
        # What somebody has put in a certain place stays there.
        and not leaf.committed
        and (jnp.issubdtype(leaf.dtype, np.number) or leaf.dtype == bool)
        for leaf in leaves
    )


def _forms(leaves: list[Any]) -> list[tuple[Any, Any]]:
    return [(leaf.shape, leaf.dtype) for leaf in leaves]

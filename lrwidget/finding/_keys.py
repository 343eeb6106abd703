"""The random streams that a model carries in its state, made those of another replica."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from lrwidget.training._runner import Carry


def with_keys_of(carry: Carry, seed: int) -> Carry:
    """Return a state whose random streams are those of `seed`.

    An NNX model draws its dropout from keys of its own, which a seed of the steps does not reach:
    each of them is folded with the seed. All else stays.
    """

    def fold(leaf: Any) -> Any:
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        folded = jax.vmap(jax.random.fold_in, (0, None))(leaf.reshape(-1), seed)
        return folded.reshape(leaf.shape)

    other: Carry = jax.tree.map(fold, carry)
    return other

"""States of every kind that a run can have."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
from flax import nnx

from tests.training import models


def nnx_state() -> Any:
    """Return the state of a model with BatchNorm and Dropout, and of Adam in bfloat16."""
    _, params, rest = nnx.split(models.Net(nnx.Rngs(0)), nnx.Param, ...)
    params, rest = nnx.to_pure_dict(params), nnx.to_pure_dict(rest)
    return params, rest, optax.adamw(1e-3, mu_dtype=jnp.bfloat16).init(params)


def linen_state() -> Any:
    """Return a Linen model's variables with the state of a chain that has hyperparameters in it."""
    variables = models.linen_variables()
    tx = optax.inject_hyperparams(optax.sgd, hyperparam_dtype=jnp.float32)(0.1, momentum=0.9)
    return dict(variables), tx.init(variables["params"])


def odd_state() -> Any:
    """Return leaves of every sort."""
    names = ["bfloat16", "float16", "int8", "uint32", "bool", "complex64", "float8_e4m3fn", "int4"]
    arrays = {name: jnp.arange(6).reshape(2, 3).astype(name) for name in names}
    return {
        **arrays,
        "numpy": {
            "float64": np.linspace(0, 1, 5),
            "bfloat16": np.arange(3).astype(ml_dtypes.bfloat16),
            "big": np.arange(3, dtype=">f4"),
            "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            "strided": np.arange(10)[::3],
            "scalar": np.float32(0.1),
            "nothing": np.zeros((0, 4)),
        },
        "key": jax.random.key(3),
        "keys": jax.random.split(jax.random.key(4, impl="rbg"), 3),
        "raw key": jax.random.PRNGKey(1),
        "numbers": [3, -(2**70), 0.1, float("inf"), True],
        "scalar": jnp.float32(2.5),
        "odd [name].npy/../\0": jnp.zeros(()),
        "empty": jnp.zeros((3, 0), jnp.bfloat16),
        "none": None,
        "tuple": ((), (jnp.int32(1),)),
    }


STATES = {"nnx": nnx_state, "linen": linen_state, "odd": odd_state, "leaf": lambda: jnp.arange(3)}


@functools.cache
def state(kind: str) -> Any:
    return STATES[kind]()


def assert_same(a: Any, b: Any) -> None:
    """Assert that two trees are equal bit for bit, and of the same kinds of leaves."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (path, x), y in zip(jax.tree.leaves_with_path(a), jax.tree.leaves(b), strict=True):
        name = jax.tree_util.keystr(path)
        assert isinstance(y, jax.Array) == isinstance(x, jax.Array), name
        if isinstance(x, int | float) and not isinstance(x, np.generic):
            assert (type(x), x) == (type(y), y), name
            continue
        assert x.shape == y.shape, name
        if isinstance(x, jax.Array):
            assert x.dtype == y.dtype, name
            assert not getattr(y, "weak_type", False), name
            if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
                x, y = jax.random.key_data(x), jax.random.key_data(y)  # noqa: PLW2901
        native = np.asarray(x).astype(np.asarray(x).dtype.newbyteorder("="))
        assert native.dtype == np.asarray(y).dtype, name
        assert native.tobytes() == np.asarray(y).tobytes(), name

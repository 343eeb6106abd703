"""What a run begins with is the same, whether it is compiled or written down."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training._beginning import Beginning
from tests.training import models

PARAMS = {"w": jnp.arange(6.0).reshape(2, 3), "b": jnp.ones(3, jnp.bfloat16), "n": jnp.int32(4)}


def assert_alike(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert (a.dtype, a.weak_type, a.committed) == (b.dtype, b.weak_type, b.committed)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "written"), [("adam", True), ("sgd", True), ("prodigy", False)])
def test_of_an_optimizer(name, written):
    task = models.task()
    runner = task.runner(lrw.Chain.of(getattr(lrw.optimizers, name)(1e-3)))
    assert (runner._beginning._makes is not None) == written
    carry = runner.initial()
    assert_alike(carry, runner._beginning._compiled(*task.initial))
    jax.tree.map(lambda leaf: leaf.delete(), carry)  # they are arrays of its own
    assert_alike(runner.initial(), runner._beginning._compiled(*task.initial))


def test_copies_constants_and_zeros_are_written():
    def function(params):
        return jax.tree.map(jnp.copy, params), jnp.zeros((2, 2)), jnp.float32(0.25)

    beginning = Beginning(function, PARAMS)
    made = beginning(PARAMS)
    assert beginning._compiled._cache_size() == 0
    assert_alike(made, jax.jit(function)(PARAMS))


@pytest.mark.parametrize("why", ["computed", "placed", "shape"])
def test_all_else_is_compiled(why):
    def function(params):
        return params["w"] * 2 if why == "computed" else jnp.copy(params["w"])

    beginning, given = Beginning(function, PARAMS), PARAMS
    if why == "placed":
        given = jax.device_put(PARAMS, jax.devices()[0])
    if why == "shape":
        given = {**PARAMS, "w": jnp.ones(4)}
    made = beginning(given)
    assert beginning._compiled._cache_size() == 1
    assert_alike(made, jax.jit(function)(given))

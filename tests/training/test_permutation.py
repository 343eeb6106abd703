"""The orders of epochs in NumPy are those of JAX, number for number."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from lrwidget.training import _array_source
from lrwidget.training._array_source import ArraySource, as_arrays, order_of
from lrwidget.training._permutation import is_by_hand, permutations


# Of 1626 examples and more, JAX sorts twice.
@pytest.mark.parametrize("examples", [1, 2, 3, 96, 1625, 1626, 20_000])
@pytest.mark.parametrize(("seed", "first"), [(0, 0), (7, 3), (2**32 - 1, 2**31 - 8)])
def test_they_are_those_of_jax(examples, seed, first):
    # More than are shuffled together.
    count = 7 if examples > 96 else 200
    orders = permutations(seed, first, count, examples)
    assert orders.dtype == np.int32
    epochs = np.arange(first, first + count).astype(np.uint32)
    root = jax.random.key(np.uint32(seed))
    wanted = jax.vmap(order_of, (None, 0, None))(root, epochs, examples)
    np.testing.assert_array_equal(orders, wanted)


def orders_of(source, lengths):
    stream = source.stream()
    orders = [np.asarray(stream.take(length, 40).feed[1]) for length in lengths]
    stream.close()
    return orders


def test_what_is_compiled_writes_the_same(monkeypatch):
    def made():
        return ArraySource(*as_arrays("train", np.arange(5)), 2, 3)

    by_hand = orders_of(made(), [1, 7, 40])
    assert is_by_hand()
    monkeypatch.setattr(_array_source, "is_by_hand", lambda: False)
    np.testing.assert_array_equal(orders_of(made(), [1, 7, 40]), by_hand)


@pytest.mark.parametrize("setting", ["generator", "counters", "offset", "backend"])
def test_where_jax_has_other_numbers_it_is_asked(setting, monkeypatch):
    if setting == "backend":
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
        assert not is_by_hand()
    elif setting == "counters":
        with jax.threefry_partitionable(False):
            assert not is_by_hand()
    elif setting == "offset":
        with jax._src.config.random_seed_offset(5):
            assert not is_by_hand()
    else:
        with jax.default_prng_impl("rbg"):
            assert not is_by_hand()
    monkeypatch.undo()
    assert is_by_hand()

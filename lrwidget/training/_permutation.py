"""The orders of epochs in NumPy: number for number what JAX gives, without a compile.

XLA compiles a shuffle for a quarter of a second and more on a CPU, and runs it two to three times
as long as this (680 against 250 µs for 1797 examples, 6.3 against 2.0 ms for 12 800). It is
Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
1, 2, 3", 2011) of the counters that JAX gives it by default, and a stable sort by random keys, as
often as `jax.random.permutation` sorts.
"""

from __future__ import annotations

import math

import jax
import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

# Epochs are shuffled together, since many small arrays cost more than a large one; so many entries
# of them, which a core's cache holds.
_TOGETHER = 2**14

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
# Two keys of a sort may be equal: so often sorted, they hardly ever leave a trace in the order.
_EXPONENT = 3


def is_by_hand() -> bool:
    """Return whether `permutations` says what JAX would as it is set, and at no greater cost."""
    return (
        jax.default_backend() == "cpu"
        and getattr(jax.config, "jax_default_prng_impl", "threefry2x32") == "threefry2x32"
        and getattr(jax.config, "jax_threefry_partitionable", True)
        and not getattr(jax.config, "jax_random_seed_offset", 0)
    )


def permutations(seed: int, first: int, count: int, examples: int) -> npt.NDArray[np.int32]:
    """Return what `order_of` says of `count` epochs from `first` on, shape (count, examples).

    Parameters
    ----------
    seed
        The task's, 0 to 2**32 - 1.
    first, count
        Numbers of the epochs, below 2**32.
    examples
        How many there are.
    """
    together = max(1, _TOGETHER // examples)
    orders = np.empty((count, examples), np.int32)
    for start in range(0, count, together):
        stop = min(start + together, count)
        orders[start:stop] = _shuffled(seed, np.arange(first + start, first + stop), examples)
    return orders


def _shuffled(seed: int, epochs: npt.NDArray[np.int64], examples: int) -> npt.NDArray[np.int32]:
    numbers = epochs.astype(np.uint32)[:, None]
    keys = _mixed(_words([0]), _words([seed]), np.zeros_like(numbers), numbers)
    places = np.arange(examples, dtype=np.uint32)
    orders = np.broadcast_to(np.arange(examples, dtype=np.int32), (len(epochs), examples))
    sorts = math.ceil(_EXPONENT * math.log(examples) / math.log(2**32 - 1))
    for _ in range(sorts):
        # One key for what follows, and one for this sort.
        high, low = _mixed(*keys, _words([0, 0]), _words([0, 1]))
        keys = high[:, :1], low[:, :1]
        one, other = _mixed(high[:, 1:], low[:, 1:], np.zeros_like(places), places)
        one ^= other
        orders = np.take_along_axis(orders, np.argsort(one, axis=1, kind="stable"), axis=1)
    return orders


def _words(values: list[int]) -> Words:
    return np.array([values], np.uint32)


def _mixed(key: Words, key_too: Words, high: Words, low: Words) -> tuple[Words, Words]:
    """Return Threefry's two words of each counter under each key."""
    keys = (key, key_too, key ^ key_too ^ _PARITY)
    one, other = high + key, low + key_too
    moved = np.empty_like(other)
    for group in range(5):
        for bits in _ROTATIONS[group % 2]:
            one += other
            np.right_shift(other, np.uint32(32 - bits), out=moved)
            np.left_shift(other, np.uint32(bits), out=other)
            other |= moved
            other ^= one
        one += keys[(group + 1) % 3]
        other += keys[(group + 2) % 3]
        other += np.uint32(group + 1)
    return one, other

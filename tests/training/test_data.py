"""Where batches come from, and in which order."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training._array_source import ArraySource, as_arrays
from lrwidget.training._batches import MAX_CHUNK
from lrwidget.training._pass_source import PassSource
from tests.training import models
from tests.training.running import shared


def taken(source, lengths, ahead=0):
    """Return the batches of a stream that is taken in chunks of these lengths."""
    stream, step, batches = source.stream(), 0, []
    pick = jax.jit(source.pick)
    for length in lengths:
        chunk = stream.take(length, ahead)
        assert chunk.steps == length
        for place in range(length):
            batches.append(pick(chunk.feed, np.int32(step), np.int32(place)))
            step += 1
    return batches


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
@pytest.mark.parametrize("lengths", [[1] * 12, [12], [3, 1, 7, 1]])
def test_arrays_are_reshuffled_every_epoch(lengths, seed):
    arrays, examples = as_arrays("train", {"i": np.arange(11), "x": np.arange(22.0).reshape(11, 2)})
    source = ArraySource(arrays, examples, 4, seed)
    assert source.steps_per_epoch == 2
    batches = taken(source, lengths, ahead=20)
    for epoch in range(6):
        key = jax.random.fold_in(jax.random.key(seed), epoch)
        order = np.asarray(jax.random.permutation(key, 11))[:8].reshape(2, 4)
        for place in range(2):
            batch = batches[2 * epoch + place]
            np.testing.assert_array_equal(batch["i"], order[place])
            np.testing.assert_array_equal(batch["x"][:, 0], 2 * order[place])


def test_the_order_of_long_runs_is_extended_and_not_repeated():
    source = ArraySource(*as_arrays("train", np.arange(3)), 1, 0)
    stream = source.stream()
    assert source.rows * source.steps_per_epoch >= 2 * MAX_CHUNK
    pick = jax.jit(source.pick)
    for start in range(0, 5 * MAX_CHUNK, MAX_CHUNK):
        feed = stream.take(MAX_CHUNK, 10**6).feed
        for step in (start, start + MAX_CHUNK - 1):
            epoch, place = divmod(step, 3)
            key = jax.random.fold_in(jax.random.key(0), epoch)
            assert pick(feed, np.int32(step), 0) == jax.random.permutation(key, 3)[place]


def test_the_order_of_a_full_batch_stays_small():
    source = ArraySource(*as_arrays("train", np.zeros(20_000)), 20_000, 0)
    assert source.opening.result().nbytes <= 5e6


def test_a_stream_may_begin_a_second_time():
    task = shared()
    first, second = (taken(task.source, [9, 4]) for _ in range(2))
    models.assert_equal(first, second)


def test_types_are_those_of_jax():
    arrays, _ = as_arrays("train", (np.arange(4.0), np.arange(4), jnp.ones(4, jnp.bfloat16)))
    assert [a.dtype for a in arrays] == [jnp.float32, jnp.int32, jnp.bfloat16]


def batches(sizes):
    return [np.arange(size) + 100 * i for i, size in enumerate(sizes)]


def test_an_iterable_is_passed_over_again_and_again():
    source = PassSource("train", batches([3, 3, 3]))
    assert source.steps_per_epoch == 3
    seen = taken(source, [2, 5])
    for step, batch in enumerate(seen):
        np.testing.assert_array_equal(batch, np.arange(3) + 100 * (step % 3))


def test_a_smaller_last_batch_is_dropped():
    source = PassSource("train", batches([3, 3, 2]))
    assert source.steps_per_epoch == 2
    assert [int(batch[0]) for batch in taken(source, [5])] == [0, 100, 0, 100, 0]


@pytest.mark.parametrize(
    "data",
    [
        lambda: iter(batches([3, 3, 2])),
        lambda: batches([3, 3, 2]),
        tuple,  # replaced below: a re-iterable object without a length
    ],
)
def test_a_function_or_an_object_begins_a_pass(data):
    class Loader:
        def __iter__(self):
            return iter(batches([3, 3, 2]))

    source = PassSource("train", Loader() if data is tuple else data)
    assert source.steps_per_epoch is None
    assert [int(batch[0]) for batch in taken(source, [5])] == [0, 100, 0, 100, 0]
    assert source.steps_per_epoch == 2


def test_a_length_is_not_believed_but_counted():
    class Loader:
        def __len__(self):
            return 3

        def __iter__(self):
            return iter(batches([3, 3, 2]))

    assert PassSource("train", Loader()).steps_per_epoch == 2


def test_chunks_of_large_batches_are_short():
    source = PassSource("train", [np.zeros((64, 32 * 1024), np.float32)])
    assert source.max_chunk == 1
    source = PassSource("train", [np.zeros((8, 6), np.float32)])
    assert source.max_chunk == MAX_CHUNK


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (np.zeros((4, 2)), r"float32\[4, 2\]"),
        (np.zeros((3, 5)), r"float32\[3, 5\]"),
        (np.zeros((3, 2), np.int32), r"int32\[3, 2\]"),
        ((np.zeros((3, 2)),), r"\('float32\[3, 2\]',\)"),
    ],
)
def test_ragged_batches_are_an_error(second, found):
    data = [np.zeros((3, 2)), second, np.zeros((3, 2))]
    with pytest.raises(ValueError, match=rf"the first, float32\[3, 2\], got {found} in batch 1"):
        PassSource("train", data)
    source = PassSource("train", lambda: iter(data))
    with pytest.raises(ValueError, match="every batch of train must have the shapes"):
        taken(source, [3])


def test_a_used_up_iterator_is_an_error_in_its_second_pass():
    iterator = iter(batches([3, 3]))
    with pytest.raises(ValueError, match="train must give at least one batch in every pass"):
        taken(PassSource("train", lambda: iterator), [3])


def test_arrays_and_batches_of_them_train_alike():
    source = shared().source
    fixed = [jax.tree.map(np.asarray, batch) for batch in taken(source, [8])]
    task = models.task(train=fixed, batch_size=None)
    assert task.steps_per_epoch == 8
    assert task.batch_size == models.BATCH
    a = lrw.Trainer(task, models.sgd(), epochs=1)
    b = lrw.Trainer(shared(), models.sgd(), epochs=1)
    a.run_sync()
    b.run_sync()
    np.testing.assert_array_equal(a.history.loss, b.history.loss)
    models.assert_equal(a.params, b.params)

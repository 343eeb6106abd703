"""Arrays that stay on the host, and where arrays belong."""

from __future__ import annotations

import types

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import _host_source
from lrwidget.training._array_source import ArraySource
from lrwidget.training._batches import MAX_CHUNK, Origin
from lrwidget.training._data import source as source_of
from lrwidget.training._host_source import HostSource, stays_on_host
from tests.training import models
from tests.training.streams import assert_ended, data_threads, taken


def sources(data, batch_size=4, seed=0):
    """Return the sources of the same arrays on the device and on the host."""
    return [
        source_of("train", data, batch_size=batch_size, seed=seed, device_data=where)
        for where in (True, False)
    ]


DATA = {
    "x": np.arange(66.0).reshape(11, 2, 3) / 7,  # float64, which the device has not
    "i": np.arange(11),
    "b": np.arange(11) % 3 == 0,
    "h": jnp.arange(11, dtype=jnp.bfloat16),
}


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
@pytest.mark.parametrize("lengths", [[1] * 7, [7], [3, 1, 3]])
@pytest.mark.parametrize(("start", "origin"), [(0, (0, 0)), (5, (0, 0)), (9, (6, 3))])
def test_the_batches_are_those_of_the_device(seed, lengths, start, origin):
    kinds = sources(DATA, seed=seed)
    assert [type(source) for source in kinds] == [ArraySource, HostSource]
    assert kinds[0].spec == kinds[1].spec
    assert kinds[0].steps_per_epoch == kinds[1].steps_per_epoch == 2
    on_device, on_host = (
        taken(source, lengths, 9, start=start, origin=Origin(*origin)) for source in kinds
    )
    models.assert_equal(on_device, on_host)


def test_so_they_are_in_other_batches():
    on_device, on_host = (taken(s.resized(3), [5], origin=Origin(0, 4)) for s in sources(DATA))
    models.assert_equal(on_device, on_host)


def test_the_first_batch_is_not_shuffled():
    first = sources(DATA)[1].first()
    np.testing.assert_array_equal(first["i"], [0, 1, 2, 3])


def test_chunks_of_large_batches_are_short():
    assert sources(np.zeros((6, 2**18), np.float32))[1].max_chunk == 2
    assert sources(np.zeros((6, 2), np.float32))[1].max_chunk == MAX_CHUNK


def test_a_batch_size_must_suit_them():
    with pytest.raises(ValueError, match="batch_size must be at most 11, the number of examples"):
        sources(DATA)[1].resized(12)


def test_threads_end_with_their_streams():
    before = data_threads()
    source = sources(DATA)[1]
    closed, forgotten = source.stream(), source.stream()
    for stream in (closed, forgotten):
        stream.take(2, 100)
    threads = data_threads() - before
    assert {thread.name for thread in threads} >= {"lrwidget-data"}
    closed.close()
    del stream, forgotten
    assert_ended(threads)


# ---- where they belong -------------------------------------------------------------------------


@pytest.fixture
def mapped(tmp_path):
    """Return arrays in files."""
    for name, array in zip("xy", models.data(), strict=True):
        np.save(tmp_path / name, array)
    return tuple(np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy")


def in_file(array):
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def test_what_is_mapped_from_a_file_stays_there(mapped):
    task = models.task(train=mapped)
    assert isinstance(task.source, HostSource)
    assert all(in_file(array) for array in task.source.arrays)
    assert isinstance(models.task(train=mapped, device_data=True).source, ArraySource)


@pytest.mark.parametrize("view", [lambda x: x[2:], np.asarray, lambda x: np.asarray(x[::2])])
def test_a_view_of_a_file_is_in_the_file(mapped, view):
    assert stays_on_host((view(mapped[0]), np.zeros(3)), "auto")
    assert not stays_on_host((np.array(mapped[0]), np.zeros(3)), "auto")


@pytest.mark.parametrize(("memory", "on_host"), [(4000, False), (3999, True), (None, False)])
def test_large_arrays_stay_where_there_is_room(monkeypatch, memory, on_host):
    told = None if memory is None else {"bytes_limit": memory}
    device = types.SimpleNamespace(memory_stats=lambda: told)
    monkeypatch.setattr(_host_source.jax, "local_devices", lambda: [device])
    assert stays_on_host((np.zeros(100, np.float32), np.zeros(600, np.int8)), "auto") is on_host


@pytest.mark.parametrize("wrong", ["host", None, 1, np.ones(2)])
def test_where_they_belong_is_one_of_three(wrong):
    with pytest.raises(ValueError, match="device_data must be True, False or 'auto', got"):
        models.task(device_data=wrong)


def test_an_iterable_is_never_on_the_device():
    batch = tuple(array[: models.BATCH] for array in models.data())
    assert models.task(train=[batch], batch_size=None, device_data=False).batch_size == models.BATCH
    with pytest.raises(ValueError, match="device_data must be 'auto' or False where train is an"):
        models.task(train=[batch], batch_size=None, device_data=True)


# ---- a run -------------------------------------------------------------------------------------


def test_a_run_is_the_same_from_a_file(mapped):
    runs = []
    for data in (models.data(), mapped):
        task = models.task(train=data, valid=data)
        runs.append(lrw.Trainer(task, models.sgd(), steps=30, valid_every=7))
        runs[-1].run_sync()
    on_device, in_files = runs
    np.testing.assert_array_equal(on_device.history.loss, in_files.history.loss)
    models.assert_equal(on_device.params, in_files.params)
    # Validation adds the batches up one by one here.
    losses = (t.history.valid["loss"] for t in runs)
    np.testing.assert_allclose(*losses, rtol=1e-5)

"""Runs and their data: rewinding, other batch sizes, and what a run leaves behind."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import Keep
from tests.training import models
from tests.training.streams import assert_ended, data_threads

X, Y = models.data()


class Told:
    """A pass of seven batches with the two methods that grain's iterators have."""

    read = itertools.count()

    def __init__(self):
        self._place = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self._place == 7:
            raise StopIteration
        next(self.read)
        self._place += 1
        rows = slice(8 * self._place - 8, 8 * self._place)
        return X[rows], Y[rows]

    def get_state(self):
        return {"place": self._place}

    def set_state(self, state):
        self._place = state["place"]


def by_epoch(epoch):
    """Return another pass each time, of another length."""
    return [(X[i : i + 8] * (epoch + 1), Y[i : i + 8]) for i in range(0, 64, 8)][epoch % 3 :]


KINDS = {
    "iterators that tell": {"train": Told, "batch_size": None},
    "a function of the epoch": {"train": by_epoch, "batch_size": None},
    "arrays on the host": {"device_data": False},
    "arrays": {},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_rewound_gets_the_same_data(kind):
    before = data_threads()
    task = models.task(**KINDS[kind])
    plain, rewound = (
        lrw.Trainer(task, models.sgd(), steps=40, snapshots=Keep(every=10)) for _ in range(2)
    )
    plain.run_sync()
    rewound.run_sync()
    for step in (30, 17):
        rewound.rewind(step)
    rewound.resume()
    rewound.wait()
    np.testing.assert_array_equal(plain.history.loss, rewound.history.loss)
    models.assert_equal(plain.params, rewound.params)
    assert_ended(data_threads() - before)


def test_an_iterator_that_tells_is_not_read_again_to_get_back():
    task = models.task(**KINDS["iterators that tell"])
    t = lrw.Trainer(task, models.sgd(), steps=60, snapshots=Keep(every=10))
    t.run_sync()
    before = next(Told.read)
    t.rewind(50)
    t.resume()
    t.wait()
    # Ten steps, and at most a snapshot's way between two chunks.
    assert next(Told.read) - before - 1 <= 20


def mean_of_batch(params, batch):
    return jnp.mean(batch) + 0.0 * params["w"].sum()


@pytest.mark.parametrize("device_data", [True, False])
def test_another_batch_size_goes_on_with_the_next_epoch(device_data):
    data = np.arange(70, dtype=np.float32)
    task = lrw.Task(
        {"w": jnp.zeros(2)}, mean_of_batch, data, batch_size=8, seed=5, device_data=device_data
    )
    t = lrw.Trainer(task, models.sgd(), steps=40)
    t.set_batch_size(20)  # from the first epoch on
    t.step(5)
    t.set_batch_size(8)  # epochs have 3 steps: after step 6
    t.resume()
    t.wait()
    expected = []
    for epoch, (size, steps) in enumerate([(20, 3), (20, 3), *[(8, 8)] * 5]):
        key = jax.random.fold_in(jax.random.key(5), epoch)
        order = np.asarray(jax.random.permutation(key, 70))
        expected += [data[order[i * size : (i + 1) * size]].mean() for i in range(steps)]
    np.testing.assert_allclose(t.history.loss, expected[:40], rtol=1e-6)

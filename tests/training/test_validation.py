"""Validation passes: when they come, in which form of the model, and what they average."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lrwidget as lrw
from lrwidget.training._task import Task
from tests.training import models

VALID = models.data(29, seed=1)


@functools.cache
def shared(kind):
    return models.task(kind, valid=VALID)


def run(kind="pytree", steps=20, valid_every=None, **more):
    task = models.task(kind, **{"valid": VALID, **more}) if more else shared(kind)
    t = lrw.Trainer(task, models.sgd(), steps, valid_every=valid_every)
    t.run_sync()
    return t


def by_hand(kind, t):
    """Return the loss and accuracy of the whole validation set at once."""
    x, y = VALID
    if kind == "nnx":
        model = nnx.view(t.model, deterministic=True, use_running_average=True)
        logits = model(x)
    elif kind == "pytree":
        logits = jnp.tanh(x @ t.params["w1"] + t.params["b1"]) @ t.params["w2"]
    else:
        logits = t.model(x, train=False)
    return models.cross_entropy(logits, y), models.accuracy(logits, y)


@pytest.mark.parametrize("kind", models.KINDS)
def test_it_is_the_mean_over_all_examples_in_evaluation_form(kind):
    t = run(kind)
    assert list(t.history.valid.step) == [8, 16, 20]
    assert t.history.valid.names == ("step", "loss", "accuracy")
    loss, accuracy = by_hand(kind, t)
    np.testing.assert_allclose(t.history.valid.loss[-1], loss, rtol=1e-5)
    np.testing.assert_allclose(t.history.valid.accuracy[-1], accuracy, rtol=1e-5)
    carry = t._loop.ask(lambda carry: jax.tree.map(jnp.copy, carry))
    assert t.task.evaluate(carry)["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_it_changes_nothing():
    with_valid, without = run("nnx"), run("nnx", valid=None)
    np.testing.assert_array_equal(with_valid.history.loss, without.history.loss)
    models.assert_equal(with_valid.params, without.params)
    assert len(without.history.valid) == 0
    assert without.history.valid.names == ("step",)
    with pytest.raises(ValueError, match="valid must be given to the Task for validation"):
        without.task.evaluate(None)


def test_it_comes_as_often_as_asked_and_at_the_end():
    assert list(run(valid_every=7).history.valid.step) == [7, 14, 20]
    assert list(run(valid_every=10).history.valid.step) == [10, 20]
    assert list(run(valid_every=100).history.valid.step) == [20]


def test_without_a_known_epoch_it_comes_twenty_times():
    batches = [jax.tree.map(lambda a: a[:8], models.data())] * 3
    t = run(train=lambda: iter(batches), batch_size=None, steps=60)
    assert list(t.history.valid.step) == list(range(3, 61, 3))


@pytest.mark.parametrize("form", ["list", "callable"])
def test_iterables_are_weighted_by_their_batches(form):
    batches = [jax.tree.map(lambda a, i=i: a[i : i + 8], VALID) for i in range(0, 29, 8)]
    t = run(valid=batches if form == "list" else lambda: iter(batches), valid_every=20)
    loss, accuracy = by_hand("pytree", t)
    np.testing.assert_allclose(t.history.valid.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(t.history.valid.accuracy, accuracy, rtol=1e-5)


def test_fewer_examples_than_a_batch_will_do():
    few = jax.tree.map(lambda a: a[:3], VALID)
    assert np.isfinite(run(valid=few).history.valid.loss).all()


def test_eval_fn_has_measures_of_its_own():
    def eval_fn(model, batch):
        x, y = batch
        return {"error": 1.0 - models.accuracy(model(x), y), "ones": 1}

    t = run("nnx", eval_fn=eval_fn)
    assert t.history.valid.names == ("step", "error", "ones")
    _, accuracy = by_hand("nnx", t)
    np.testing.assert_allclose(t.history.valid.error[-1], 1 - accuracy, atol=1e-6)
    np.testing.assert_array_equal(t.history.valid.ones, 1.0)


def test_train_is_false_in_it():
    def loss_fn(params, batch, train):
        return models.pytree_loss(params, batch)[0], {"train": jnp.float32(train)}

    t = run(loss_fn=loss_fn)
    assert (t.history.train == 1).all()
    assert (t.history.valid.train == 0).all()


def test_a_linen_loss_that_does_not_ask_for_train_is_told():
    def loss_fn(model, batch):
        return models.cross_entropy(model(batch[0], train=True), batch[1])

    with pytest.raises(Exception, match="batch_stats") as caught:
        models.task("linen", loss_fn=loss_fn, valid=VALID)
    assert "declares train: bool gets False here" in caught.value.__notes__[0]


def test_a_pause_may_come_between():
    t = lrw.Trainer(shared("pytree"), models.sgd(), steps=20)
    t.step(8)
    assert list(t.history.valid.step) == [8]
    t.resume()
    t.wait()
    assert list(t.history.valid.step) == [8, 16, 20]
    np.testing.assert_array_equal(t.history.valid.loss, run().history.valid.loss)


def test_its_randomness_is_the_same_every_time():
    def loss_fn(params, batch, key):
        return models.pytree_loss(params, batch)[0] * 0 + jax.random.normal(key)

    t = run(loss_fn=loss_fn)
    assert len(set(t.history.valid.loss.tolist())) == 1
    assert len(set(t.history.loss.tolist())) == 20
    assert isinstance(t.task, Task)

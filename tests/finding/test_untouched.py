"""After a range test everything is, bit for bit, what it would have been without it."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx

import lrwidget as lrw
from lrwidget.finding import find_lr
from tests.finding.tasks import (
    TASKS,
    NNXNet,
    X,
    Y,
    cross_entropy,
    pytree_loss,
    pytree_task,
    telling_task,
    weights,
)


def trained(task, *, find_first):
    chain = lrw.Chain.of(lrw.optimizers.adam(3e-3))
    if find_first:
        find_lr(task, chain, steps=30)
        loss = "valid" if task.validates else "train"
        find_lr(task, chain, steps=10, loss=loss)
        find_lr(task, chain.replace(learning_rate=0.5), low=1e-3, high=1e3, steps=30, seeds=3)
    trainer = lrw.Trainer(task, chain, steps=40)
    trainer.run_sync()
    assert len(trainer.history) == 40
    return trainer


def validated_task():
    return lrw.Task(weights(), pytree_loss, train=(X, Y), valid=(X, Y), batch_size=16)


KINDS = {**TASKS, "validated": validated_task, "iterators that tell": telling_task}


class TestNothingElseIsTouched:
    @pytest.mark.parametrize("kind", KINDS)
    def test_training_is_bit_for_bit_what_it_would_have_been(self, kind):
        task = KINDS[kind]()
        without = trained(task, find_first=False)
        # One kind has a task of its own for each; that is a compile more.
        after = trained(KINDS[kind]() if kind == "pytree" else task, find_first=True)
        np.testing.assert_array_equal(after.history.loss, without.history.loss)
        for a, b in zip(
            jax.tree.leaves(after.params), jax.tree.leaves(without.params), strict=True
        ):
            np.testing.assert_array_equal(a, b)

    def test_the_person_s_model_is_as_it_was(self):
        model = NNXNet(nnx.Rngs(0))
        before = jax.tree.map(np.array, nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.RngState))))
        keys = jax.tree.map(
            lambda key: np.array(jax.random.key_data(key)),
            nnx.to_pure_dict(nnx.state(model, nnx.RngKey)),
        )
        task = lrw.Task(
            model,
            lambda model, batch: cross_entropy(model(batch[0]), batch[1]),
            train=(X, Y),
            batch_size=16,
        )
        find_lr(task, lrw.optimizers.adam(1e-3), steps=30)
        after = nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.RngState)))
        jax.tree.map(np.testing.assert_array_equal, after, before)
        jax.tree.map(
            lambda key, old: np.testing.assert_array_equal(jax.random.key_data(key), old),
            nnx.to_pure_dict(nnx.state(model, nnx.RngKey)),
            keys,
        )

    def test_a_paused_trainer_goes_on_as_if_nothing_had_been(self):
        task = pytree_task()
        chain = lrw.Chain.of(lrw.optimizers.adam(3e-3))
        trainer = lrw.Trainer(task, chain, steps=40)
        trainer.step(20)
        trainer_params = jax.tree.map(np.array, trainer.params)
        find_lr(task, chain, steps=30)
        jax.tree.map(np.testing.assert_array_equal, trainer.params, trainer_params)
        trainer.resume()
        trainer.wait()
        alone = trained(pytree_task(), find_first=False)
        np.testing.assert_array_equal(trainer.history.loss, alone.history.loss)

    def test_a_list_of_batches_is_left_alone(self):
        batches = [(X[i : i + 16].copy(), Y[i : i + 16]) for i in range(0, 96, 16)]
        task = lrw.Task(weights(), pytree_loss, train=batches)
        find_lr(task, lrw.optimizers.sgd(1e-3), steps=30)
        np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X)

    def test_a_sweep_after_training_is_the_one_before_it(self):
        """fastai's gives junk where the model has been trained (its 3658, Lightning's 4846)."""
        model = NNXNet(nnx.Rngs(0))
        task = lrw.Task(
            model, lambda m, b: cross_entropy(m(b[0]), b[1]), train=(X, Y), batch_size=16
        )
        chain = lrw.Chain.of(lrw.optimizers.adam(1e-2))
        before = find_lr(task, chain, steps=30)
        lrw.Trainer(task, chain, steps=40).run_sync()  # the model object holds other weights now
        after = find_lr(task, chain, steps=30)
        np.testing.assert_array_equal(after.losses, before.losses)
        assert after.suggestions == before.suggestions


class TestShortData:
    """Steps need not be fewer than batches (Lightning's 5044, doctr's 1896)."""

    def test_it_is_begun_again(self):
        batches = [(X[:16], Y[:16]), (X[16:32], Y[16:32])]
        task = lrw.Task(weights(), pytree_loss, train=batches)
        sweep = find_lr(task, lrw.optimizers.sgd(1e-12), steps=40, low=1e-12, high=1e-11)
        np.testing.assert_allclose(sweep.losses, np.tile(sweep.losses[:2], 20), rtol=1e-6)

    def test_one_batch_is_enough(self):
        task = lrw.Task(weights(), pytree_loss, train=(X, Y), batch_size=96)
        assert len(find_lr(task, lrw.optimizers.sgd(1e-3), high=1e-2).losses) == 100

    def test_a_generator_that_is_made_anew_for_each_pass(self):
        passes = []

        def two():
            passes.append(None)
            yield X[:16], Y[:16]
            yield X[16:32], Y[16:32]

        task = lrw.Task(weights(), pytree_loss, train=two)
        passes.clear()
        assert len(find_lr(task, lrw.optimizers.sgd(1e-3), steps=20, high=1e-2).losses) == 20
        assert len(passes) >= 10

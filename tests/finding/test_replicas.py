"""Short real runs: that they are the run's own steps, what they cost and how they end."""

from __future__ import annotations

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.finding._cancel import CancelledError
from lrwidget.finding._replicas import Replicas
from lrwidget.finding._start import started
from tests.finding.tasks import RNG, X, Y, callable_task, nnx_task, pytree_loss, weights
from tests.training.models import assert_equal

STEPS = 30


def chain(rate=3e-3):
    return lrw.Chain.of(lrw.optimizers.adam(rate))


@pytest.fixture(scope="module")
def task():
    """A task with validation data whose loss becomes NaN where the weights grow too large."""
    return lrw.Task(weights(), pytree_loss, train=(X, Y), valid=(X[:40], Y[:40]), batch_size=16)


def bench(task, chain_=None, **more):
    with started(task, chain_ or chain()) as start:
        return Replicas(start, **more)


class TestARunOfAReplica:
    @pytest.mark.parametrize(
        "make",
        [None, *(pytest.param(make, marks=pytest.mark.soak) for make in (nnx_task, callable_task))],
    )
    def test_the_first_is_bit_for_bit_what_a_trainer_does(self, task, make):
        task = task if make is None else make()
        trainer = lrw.Trainer(task, chain(), steps=STEPS)
        trainer.run_sync()
        replicas = bench(task)
        run = replicas.run(replicas.start.rows(0, STEPS), keep=True)
        np.testing.assert_array_equal(run.losses.astype(np.float32), trainer.history.loss)
        assert_equal(run.carry.params, trainer.params)
        assert not run.diverged
        assert task.runner(chain()).traces == 1

    def test_it_is_the_same_again_and_others_are_not(self, task):
        replicas = bench(task)
        rows = replicas.start.rows(0, STEPS)
        one, again, other = (replicas.run(rows, replica=number) for number in (3, 3, 4))
        np.testing.assert_array_equal(one.losses, again.losses)
        assert one.end == again.end
        assert (one.losses != other.losses).any()

    def test_dropout_of_an_nnx_model_is_a_replicas_own(self):
        replicas = bench(nnx_task())
        rows, x = replicas.start.rows(0, 1), replicas.start.carry()
        first, other = (replicas.run(rows, replica=number, keep=True) for number in (0, 1))
        keys = [
            [
                np.asarray(jax.random.key_data(leaf))
                for leaf in jax.tree.leaves(carry.state)
                if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            ]
            for carry in (x, first.carry, other.carry)
        ]
        np.testing.assert_array_equal(keys[0], keys[1])
        assert not np.array_equal(keys[0], keys[2])

    def test_chunks_are_told(self, task):
        replicas, told = bench(task), []
        replicas.run(
            replicas.start.rows(0, STEPS), on_chunk=lambda losses: told.append(len(losses))
        )
        assert told == sorted(set(told))
        assert len(told) > 1
        assert told[-1] == STEPS


class TestLostRuns:
    def test_it_ends_at_the_limit(self, task):
        replicas = bench(task, chain(1e3))
        run = replicas.run(replicas.start.rows(0, STEPS), limit=50.0)
        assert run.diverged
        assert len(run.losses) < STEPS
        assert run.gradient_steps == replicas.spent == len(run.losses)
        assert run.carry is None

    def test_it_ends_at_a_nan(self):
        def loss(params, batch):
            return jnp.log(jnp.mean(batch[0] @ params["w"]))

        task = lrw.Task({"w": jnp.ones((2, 1))}, loss, train=(jnp.ones((64, 2)),), batch_size=8)
        replicas = bench(task, lrw.Chain.of(lrw.optimizers.sgd(1e3)))
        run = replicas.run(replicas.start.rows(0, STEPS))
        assert run.diverged
        assert run.end == np.inf
        assert len(run.losses) == 8

    def test_cancelling_raises_at_the_next_chunk(self, task):
        cancel = threading.Event()
        replicas = bench(task, cancel=cancel)
        rows = replicas.start.rows(0, STEPS)
        with pytest.raises(CancelledError):
            replicas.run(rows, on_chunk=lambda _: cancel.set())
        assert 0 < replicas.spent < STEPS
        with pytest.raises(CancelledError):
            replicas.judged(replicas.start.carry(), 2)


class TestTheCost:
    def test_what_the_optimizer_computes_for_itself_is_paid_for(self, task):
        replicas = bench(task, lrw.Chain.of(lrw.optimizers.sophia(1e-3, update_interval=7)))
        run = replicas.run(replicas.start.rows(0, STEPS))
        judging = replicas.judging(STEPS) / 3
        # Five estimates of the curvature, a Hessian-vector product each.
        assert run.gradient_steps == pytest.approx(STEPS + 5 * 2 + judging)
        assert replicas.price(STEPS) == pytest.approx(run.gradient_steps)


class TestTheEnd:
    def test_it_is_the_mean_loss_of_common_batches(self, task):
        replicas = bench(task)
        run = replicas.run(replicas.start.rows(0, STEPS), keep=True)
        assert len(run.judged) == replicas.judging(STEPS)
        assert run.end == run.judged.mean()
        np.testing.assert_array_equal(
            run.judged, replicas.judged(run.carry, replicas.judging(STEPS))
        )
        # Of six batches an epoch has each once: their mean is that of all examples.
        epoch = replicas.judged(run.carry, 6).mean()
        assert epoch == pytest.approx(float(pytree_loss(run.carry.params, (X, Y))), rel=1e-5)

    def test_judging_changes_nothing(self, task):
        replicas = bench(task)
        carry = replicas.start.carry()
        replicas.judged(carry, 4)
        assert_equal(carry, replicas.start.carry())

    def test_or_the_validation_loss(self, task):
        replicas = bench(task, objective="valid")
        run = replicas.run(replicas.start.rows(0, STEPS), keep=True)
        assert run.end == pytest.approx(task.evaluate(run.carry)["loss"])
        # 40 examples are three batches of 16, a forward pass each.
        assert run.gradient_steps == pytest.approx(STEPS + 1.0)


class TestCost:
    @pytest.mark.parametrize("steps", [1, 8, 63, 64, 100, 500])
    def test_it_is_known_before(self, task, steps):
        replicas = bench(task)
        price = replicas.price(steps)
        run = replicas.run(replicas.start.rows(0, steps))
        assert run.gradient_steps == pytest.approx(price)
        assert replicas.spent == pytest.approx(price)
        assert price == pytest.approx(steps + replicas.judging(steps) / 3)

    def test_judging_a_long_run_is_a_small_share_of_it(self, task):
        replicas = bench(task)
        assert replicas.judging(5) >= 8
        assert replicas.judging(10**6) <= 32


class TestConvolutions:
    def test_they_stay_out_of_loops_on_a_cpu(self):
        def loss(params, batch):
            made = jax.lax.conv(batch[0], params["k"], (1, 1), "SAME")
            return jnp.mean(jnp.square(made.mean((1, 2, 3)) - batch[1]))

        images = RNG.normal(size=(16, 1, 6, 6)).astype(np.float32)
        targets = images.mean((1, 2, 3))
        task = lrw.Task({"k": jnp.zeros((1, 1, 3, 3))}, loss, train=(images, targets), batch_size=4)
        replicas = bench(task, lrw.Chain.of(lrw.optimizers.sgd(1.0)))
        assert task.convolves
        run = replicas.run(replicas.start.rows(0, 12), keep=True)
        assert replicas.start.runner.dispatch == "step"
        assert replicas._programs["all"]._cache_size() == 0
        assert replicas._programs["one"]._cache_size() == 1
        # No loop of XLA's was compiled for the steps either.
        assert replicas.start.runner._loop._cache_size() == 0
        looped = [
            float(x)
            for x in replicas._programs["all"](
                run.carry.params,
                run.carry.state,
                replicas._common_batches().feed,
                np.int32(0),
                replicas.start.root(1_000_003),
                np.int32(4),
            )[:4]
        ]
        np.testing.assert_allclose(replicas.judged(run.carry, 4), looped, rtol=1e-5)

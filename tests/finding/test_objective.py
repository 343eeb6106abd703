"""What a range test looks at: the loss, a metric, the validation data, one of two players."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import Chain, optimizers
from lrwidget.finding import find_lr
from lrwidget.optimizers import Group
from tests.finding.tasks import X, Y, pytree_loss, weights


def measured_loss(params, batch):
    loss = pytree_loss(params, batch)
    return loss, {"norm": jnp.sqrt(jnp.sum(params["w"] ** 2)), "doubled": 2.0 * loss}


@pytest.fixture(scope="module")
def validated():
    """Thirty examples to validate with, which is not a multiple of the batch."""
    return lrw.Task(
        weights(), measured_loss, train=(X, Y), valid=(X[:30] + 0.1, Y[:30]), batch_size=16
    )


# What climbs has no effect, so that the sweep is the beginning of a run.
STILL = {"address": "weight_decay", "low": 1e-30, "high": 1e-29, "steps": 12}


class TestValidation:
    @pytest.mark.parametrize(
        "chain",
        [
            Chain.of(optimizers.adamw(1e-2, weight_decay=0.0)),
            # It is evaluated at the average of its path.
            Chain.of(optimizers.schedule_free(), optimizers.adamw(1e-2, b1=0.0, weight_decay=0.0)),
        ],
        ids=["adamw", "schedule_free"],
    )
    def test_it_is_the_validation_loss_after_each_step(self, validated, chain):
        run = lrw.Trainer(validated, chain, steps=12, valid_every=1)
        run.run_sync()
        sweep = find_lr(validated, chain, loss="valid", **STILL)
        np.testing.assert_array_equal(sweep.losses, run.history.valid["loss"])
        assert (sweep.objective, sweep.metric) == ("valid", "loss")
        assert "validation loss" in repr(sweep)

    def test_a_metric_of_it(self, validated):
        sweep = find_lr(validated, optimizers.sgd(1e-3), loss="valid", metric="doubled", steps=10)
        plain = find_lr(validated, optimizers.sgd(1e-3), loss="valid", steps=10)
        np.testing.assert_allclose(sweep.losses, 2.0 * plain.losses, rtol=1e-6)
        assert "validation doubled" in repr(sweep)

    def test_a_pass_costs_a_third_of_its_batches(self, validated):
        sweep = find_lr(validated, optimizers.sgd(1e-3), loss="valid", steps=12, seeds=2, high=1e-5)
        assert sweep.gradient_steps == pytest.approx(2 * 12 * (1 + 2 / 3))

    def test_under_accumulation_once_for_each_update(self, validated):
        chain = Chain.of(optimizers.multi_steps(3), optimizers.sgd(1e-3))
        sweep = find_lr(validated, chain, loss="valid", steps=12, high=1e-5)
        assert len(sweep.losses) == 12
        assert sweep.gradient_steps == pytest.approx(12 * (3 + 2 / 3))

    def test_it_diverges_like_any_loss(self, validated):
        sweep = find_lr(
            validated, optimizers.sgd(1e-3), loss="valid", high=1e4, steps=80, smoothing=0.5
        )
        assert sweep.stopped in ("diverged", "nan")

    def test_without_validation_data(self, task, chain):
        with pytest.raises(ValueError, match='loss must be "train" for a Task without validation'):
            find_lr(task, chain, loss="valid")


class TestMetric:
    def test_it_is_what_the_loss_function_reports(self, validated):
        chain = optimizers.sgd(1e-3)
        plain = find_lr(validated, chain, steps=20)
        doubled = find_lr(validated, chain, steps=20, metric="doubled")
        np.testing.assert_allclose(doubled.losses, 2.0 * plain.losses, rtol=1e-6)
        assert doubled.metric == "doubled"
        assert ", doubled" in repr(doubled)

    def test_a_loss_that_is_not_finite_ends_it_all_the_same(self):
        def loss(params, batch):
            lost = jnp.where(params["a"] < 0.5, jnp.nan, params["a"] + batch.mean())
            return lost, {"steady": jnp.float32(1.0)}

        task = lrw.Task({"a": jnp.float32(1.0)}, loss, train=np.ones((4, 1), "f4"), batch_size=4)
        sweep = find_lr(task, optimizers.sgd(1.0), low=1e-2, high=1.0, steps=50, metric="steady")
        assert sweep.stopped == "nan"
        assert set(sweep.losses) == {1.0}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"metric": "norms"}, "metric must be one of .*norm; got 'norms' .did you mean 'norm'"),
            ({"metric": 3}, "metric must be one of"),
            ({"loss": "test"}, "loss must be one of train, valid; got 'test'"),
        ],
    )
    def test_an_unknown_one_is_refused(self, validated, arguments, message):
        with pytest.raises(ValueError, match=message):
            find_lr(validated, optimizers.sgd(1e-3), **arguments)

    def test_of_an_eval_fn_only_what_it_measures(self):
        task = lrw.Task(
            weights(),
            pytree_loss,
            train=(X, Y),
            valid=(X, Y),
            batch_size=32,
            eval_fn=lambda params, batch: {"error": pytree_loss(params, batch) ** 2},
        )
        with pytest.raises(
            ValueError, match='loss="valid" needs a validation measure called "loss", got error'
        ):
            find_lr(task, optimizers.sgd(1e-3), loss="valid")
        assert len(find_lr(task, optimizers.sgd(1e-3), loss="valid", metric="error").losses)


REAL = np.random.default_rng(5).normal(3.0, 0.5, size=(128, 1)).astype(np.float32)


def adversarial_loss(params, batch, key):
    """A generator that shifts noise and a logistic discriminator: each has its own loss."""

    def score(player, x):
        return x[:, 0] * player["scale"] + player["bias"]

    noise = jax.random.normal(key, batch.shape)
    generator, discriminator = params["generator"], params["discriminator"]
    fake = noise * generator["scale"] + generator["shift"]
    fixed = jax.lax.stop_gradient
    judged = score(discriminator, fixed(fake))
    discriminator_loss = jnp.mean(jax.nn.softplus(-score(discriminator, batch))) + jnp.mean(
        jax.nn.softplus(judged)
    )
    generator_loss = jnp.mean(jax.nn.softplus(-score(fixed(discriminator), fake)))
    losses = {"generator_loss": generator_loss, "discriminator_loss": discriminator_loss}
    return generator_loss + discriminator_loss, losses


@pytest.fixture(scope="module")
def players():
    params = {
        "generator": {"scale": jnp.float32(0.5), "shift": jnp.float32(0.0)},
        "discriminator": {"scale": jnp.float32(0.1), "bias": jnp.float32(0.0)},
    }
    task = lrw.Task(params, adversarial_loss, train=REAL, batch_size=16)
    chain = Chain.of(
        optimizers.sgd(1.0),
        groups=[
            Group("generator", chain=optimizers.adam(1e-2), paths=["generator"]),
            Group("discriminator", chain=optimizers.sgd(0.05), paths=["discriminator"]),
        ],
    )
    return task, chain


class TestTwoOptimizers:
    @pytest.mark.parametrize("swept", ["generator", "discriminator"])
    def test_one_climbs_while_the_other_runs_at_its_rate(self, players, swept):
        task, chain = players
        settings = {"steps": 60, "low": 1e-5, "high": 10.0, "stop_factor": None}
        sweep = find_lr(
            task, chain, address=f"{swept}/learning_rate", metric=f"{swept}_loss", **settings
        )
        assert sweep.address == f"{swept}/learning_rate"
        assert sweep.metric == f"{swept}_loss"
        other = {"generator": "discriminator", "discriminator": "generator"}[swept]
        # The same by hand: a run whose one rate is the ladder, and the other as it is.
        ladder = lrw.schedules.Schedule(
            lrw.Segment("exponential", 59, init_value=1e-5, end_value=10.0)
        )
        by_hand = chain.replace({f"{swept}/learning_rate": ladder})
        run = lrw.Trainer(task, by_hand, steps=60)
        run.run_sync()
        np.testing.assert_allclose(sweep.losses, run.history[f"{swept}_loss"], rtol=1e-4, atol=1e-5)
        kept = np.float32(chain.value(f"{other}/learning_rate"))
        assert set(run.history[f"{other}/learning_rate"]) == {kept}

    def test_both_climb_on_ladders_of_their_own(self, players):
        task, chain = players
        ladders = {"generator": (1e-5, 1.0), "discriminator": (1e-3, 10.0)}
        sweep = find_lr(task, chain, ladders=ladders, metric="generator_loss", steps=30)
        assert list(sweep.ladders) == ["generator/learning_rate", "discriminator/learning_rate"]


def test_a_task_that_reports_nothing_has_its_loss_alone(task):
    with pytest.raises(ValueError, match="metric must be one of loss; got 'norm'"):
        find_lr(task, optimizers.sgd(1e-3), metric="norm")

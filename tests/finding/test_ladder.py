"""Ladders: their ends, their rungs, what they are written to, and what a run is given of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrwidget as lrw
from lrwidget import Chain, optimizers
from lrwidget.finding import find_lr
from lrwidget.finding._ladder import climb
from lrwidget.optimizers import Group
from tests.finding.tasks import pytree_task

SGD = Chain.of(optimizers.sgd(0.1))
GROUPED = Chain.of(
    optimizers.sgd(0.1, momentum=0.5),
    groups=[
        Group("head", multiplier=0.25, paths=["v"]),
        Group("own", chain=optimizers.adam(1e-3), paths=["u"]),
    ],
)


def way(chain=SGD, *, kind="exponential", low=1e-4, high=1.0, steps=20, address=None, ladders=None):
    return climb(
        chain, kind=kind, low=low, high=high, steps=steps, address=address, ladders=ladders
    )


def rows(chain, made, first=0):
    """Return the rows of a whole climb, by short address."""
    table = made.rows(chain.addresses(), lambda start, n: chain.rows(first + start, n))
    return {chain.short(a): table[:, i] for i, a in enumerate(chain.addresses())}


class TestEnds:
    """The first rung is `low` and the last is `high`, to the last bit (Lightning's 21931)."""

    @given(
        low=st.floats(1e-20, 1.0),
        factor=st.floats(1.001, 1e10),
        steps=st.integers(10, 400),
        kind=st.sampled_from(["exponential", "linear"]),
    )
    def test_both_are_exact_whatever_they_are(self, low, factor, steps, kind):
        high = low * factor
        (ladder,) = way(kind=kind, low=low, high=high, steps=steps).ladders
        assert (ladder.values[0], ladder.values[-1], len(ladder.values)) == (low, high, steps)
        assert (np.diff(ladder.values) > 0).all()

    def test_every_step_is_the_same_factor_or_the_same_difference(self):
        """Lightning's first factor is the square of the others."""
        (ladder,) = way(low=1e-7, high=10.0, steps=100).ladders
        np.testing.assert_allclose(ladder.values[1:] / ladder.values[:-1], 1e8 ** (1 / 99))
        (ladder,) = way(kind="linear", low=0.0, high=0.95, steps=20).ladders
        np.testing.assert_allclose(np.diff(ladder.values), 0.05)


class TestWhatClimbs:
    def test_the_rate_by_default_and_all_else_stays(self):
        columns = rows(GROUPED, way(GROUPED))
        assert columns["learning_rate"][0] == 1e-4
        assert columns["learning_rate"][-1] == 1.0
        assert set(columns["momentum"]) == {0.5}
        assert set(columns["own/learning_rate"]) == {1e-3}

    def test_groups_keep_their_ratio(self):
        """Lightning sets one rate for all groups and loses what tells them apart."""
        assert set(rows(GROUPED, way(GROUPED))["head/multiplier"]) == {0.25}

    def test_a_momentum_on_a_linear_ladder(self):
        made = way(GROUPED, kind="linear", low=0.0, high=0.95, address="momentum")
        columns = rows(GROUPED, made)
        np.testing.assert_allclose(columns["momentum"], np.linspace(0.0, 0.95, 20))
        assert set(columns["learning_rate"]) == {0.1}
        assert not made.ladders[0].is_rate

    def test_several_on_one_ladder(self):
        columns = rows(GROUPED, way(GROUPED, address=("learning_rate", "own/learning_rate")))
        np.testing.assert_array_equal(columns["learning_rate"], columns["own/learning_rate"])

    def test_each_group_on_a_ladder_of_its_own(self):
        made = way(GROUPED, ladders={"all": (1e-4, 1.0), "head": (1e-6, 0.1), "own": (1e-5, 1e-2)})
        columns = rows(GROUPED, made)
        np.testing.assert_allclose(columns["learning_rate"], np.geomspace(1e-4, 1.0, 20))
        np.testing.assert_allclose(columns["own/learning_rate"], np.geomspace(1e-5, 1e-2, 20))
        # What the head is trained with is its multiplier times the rate of all.
        rate = columns["head/multiplier"] * columns["learning_rate"]
        np.testing.assert_allclose(rate, np.geomspace(1e-6, 0.1, 20))
        assert [ladder.name for ladder in made.ladders] == [
            "learning_rate",
            "head",
            "own/learning_rate",
        ]
        assert all(ladder.is_rate for ladder in made.ladders)

    def test_a_group_alone_climbs_while_all_others_keep_their_rate(self):
        columns = rows(GROUPED, way(GROUPED, ladders={"head": (1e-3, 10.0)}))
        assert set(columns["learning_rate"]) == {0.1}
        np.testing.assert_allclose(0.1 * columns["head/multiplier"], np.geomspace(1e-3, 10.0, 20))

    def test_a_group_follows_its_ladder_over_a_rate_that_is_scheduled(self):
        schedule = lrw.schedules.preset("cosine", peak_value=0.1, steps=100)
        chain = GROUPED.replace(learning_rate=schedule)
        columns = rows(chain, way(chain, ladders={"head": (1e-3, 10.0)}), first=30)
        rate = columns["head/multiplier"] * columns["learning_rate"]
        np.testing.assert_allclose(rate, np.geomspace(1e-3, 10.0, 20))
        np.testing.assert_allclose(columns["learning_rate"], schedule(np.arange(30, 50)))


class TestAccumulation:
    CHAIN = Chain.of(optimizers.multi_steps(3), optimizers.sgd(0.1))

    def test_a_rung_is_held_for_one_update(self):
        made = way(self.CHAIN)
        assert (made.hold, made.rungs, made.steps) == (3, 20, 60)
        rates = rows(self.CHAIN, made)["learning_rate"]
        np.testing.assert_array_equal(rates, np.repeat(np.geomspace(1e-4, 1.0, 20), 3))

    def test_in_a_group_only_where_that_climbs(self):
        own = Chain.of(optimizers.multi_steps(5), optimizers.sgd(0.1))
        chain = Chain.of(optimizers.sgd(0.1), groups=[Group("g", chain=own, paths=["v"])])
        assert way(chain).hold == 1
        assert way(chain, address="g/learning_rate").hold == 5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "log"}, ValueError, "ladder must be one of exponential, linear; got 'log'"),
        ({"low": 0.0}, ValueError, r"low must be a finite number >= 1\.17549e-38"),
        ({"kind": "linear", "low": -0.1}, ValueError, "low must be a finite number >= 0"),
        ({"kind": "linear", "low": 0.0, "high": 0.0}, ValueError, "high must be .* > 0 .*got 0.0"),
        ({"kind": "linear", "address": "momentum"}, ValueError, "high must be .* < 1, got 1"),
        ({"address": ()}, TypeError, r"address must be an address .* or several, got \(\)"),
        ({"address": ("learning_rate", "sgd.learning_rate")}, ValueError, "must climb once"),
        ({"address": "nothing/learning_rate"}, ValueError, "the group of an address must be one"),
        ({"ladders": {}}, TypeError, r"ladders must be a mapping .*, got \{\}"),
        ({"ladders": (1e-3, 1.0)}, TypeError, "ladders must be a mapping"),
        ({"ladders": {"head": 1.0}}, TypeError, r"ladders\['head'\] must be a pair .*, got 1\.0"),
        ({"ladders": {"head": (1.0, 0.1)}}, ValueError, r"the high end of ladders\['head'\] must"),
        ({"ladders": {"tail": (0.1, 1.0)}}, ValueError, "chain must have a live tail"),
        (
            {"ladders": {"all": (0.1, 1.0), "learning_rate": (0.1, 1.0)}},
            ValueError,
            "each hyperparameter must climb once, got 'learning_rate' a second time",
        ),
        (
            {"ladders": {"all": (0.1, 1.0)}, "address": "learning_rate"},
            ValueError,
            "address must be None where ladders says what climbs, got 'learning_rate' beside it",
        ),
    ],
)
def test_bad_ladders_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        way(GROUPED, **arguments)


def test_a_group_cannot_climb_over_a_rate_of_zero():
    schedule = lrw.schedules.preset("warmup_cosine", peak_value=0.1, steps=100)
    chain = GROUPED.replace(learning_rate=schedule)
    made = way(chain, ladders={"head": (1e-3, 10.0)})
    with pytest.raises(ValueError, match=r"the group head has its rate by a multiplier .*, got 0"):
        rows(chain, made)


class TestInTraining:
    def test_each_group_is_trained_with_its_own_ladder(self):
        """With plain SGD on a linear loss, the weights say which rates were applied."""

        def loss(params, batch):
            return params["a"] * batch.mean() + params["b"] * batch.mean()

        task = lrw.Task(
            {"a": jnp.float32(0.0), "b": jnp.float32(0.0)},
            lambda params, batch: (loss(params, batch), {"a": params["a"], "b": params["b"]}),
            train=np.ones((4, 1), "f4"),
            batch_size=4,
        )
        chain = Chain.of(optimizers.sgd(1.0), groups=[Group("slow", multiplier=0.5, paths=["b"])])
        ladders = {"all": (1e-2, 1.0), "slow": (1e-4, 1e-1)}
        taken = {"steps": 30, "stop_factor": None, "ladders": ladders}
        for metric, name in (("a", "learning_rate"), ("b", "slow")):
            sweep = find_lr(task, chain, metric=metric, **taken)
            applied = np.concatenate([[0.0], np.cumsum(sweep.ladders[name])[:-1]])
            np.testing.assert_allclose(sweep.losses, -applied, rtol=1e-5, atol=1e-7)
        assert sweep.address == "learning_rate"
        assert (sweep.low, sweep.high) == (1e-2, 1.0)
        assert "of learning_rate and slow" in repr(sweep)

    def test_suggestions_are_told_for_every_ladder(self):
        chain = Chain.of(optimizers.adam(1e-3), groups=[Group("head", multiplier=1.0, paths=["v"])])
        sweep = find_lr(pytree_task(), chain, ladders={"all": (1e-6, 10.0), "head": (1e-7, 1.0)})
        said = sweep.suggestions_by_ladder
        assert said["learning_rate"] == sweep.suggestions
        assert sweep.suggestions
        for name, rate in said["head"].items():
            assert rate == pytest.approx(sweep.suggestions[name] / 10.0)

    def test_a_weight_decay_climbs_alone(self):
        task = pytree_task()
        chain = Chain.of(optimizers.adamw(1e-2, weight_decay=0.1))
        sweep = find_lr(task, chain, address="weight_decay", low=1e-3, high=1e2, steps=40)
        assert sweep.address == "weight_decay"
        assert "of weight_decay" in repr(sweep)
        assert sweep.losses[-1] == pytest.approx(np.log(3), abs=0.1)  # that of zero weights
        assert "learning rates" in sweep.silent["minimum"]

    def test_only_what_is_live_in_the_step_can_climb(self):
        task = pytree_task()
        chain = Chain.of(optimizers.sgd(0.1, momentum=0.5))
        trainer = lrw.Trainer(task, chain, steps=10, live=["momentum"])
        with pytest.raises(ValueError, match="learning_rate must be live in the run"):
            find_lr(task, chain, start=trainer)


class TestAccumulatedLoss:
    def test_a_rung_s_loss_is_the_mean_of_its_batches_before_its_update(self):
        """Batches of 1, 2, 3 and 4 in their own order; SGD on the mean of two gradients."""
        task = lrw.Task(
            {"a": jnp.float32(1.0)},
            lambda params, batch: params["a"] * batch.mean(),
            train=[np.full((2,), value, "f4") for value in (1.0, 2.0, 3.0, 4.0)],
        )
        chain = Chain.of(optimizers.multi_steps(2), optimizers.sgd(1.0))
        sweep = find_lr(
            task, chain, low=0.01, high=0.1, steps=12, ladder="linear", stop_factor=None
        )
        means = np.array([1.5, 3.5] * 6)
        before = 1.0 - np.concatenate([[0.0], np.cumsum(means * sweep.learning_rates)[:-1]])
        np.testing.assert_allclose(sweep.losses, before * means, rtol=1e-5)
        assert sweep.gradient_steps == 24

    def test_chunks_shorter_than_a_rung(self, monkeypatch):
        """A rung that does not fit into the longest chunk is taken in pieces."""
        task = pytree_task()
        chain = Chain.of(optimizers.multi_steps(5), optimizers.sgd(1.0))
        whole = find_lr(task, chain, low=1e-3, high=1.0, steps=12, stop_factor=None)
        runner = task.runner(chain)
        longest = runner.max_chunk
        # What the sweep is told; the buffers stay as long as they were.
        monkeypatch.setattr(runner, "run", _padded(runner, longest))
        monkeypatch.setattr(runner, "max_chunk", 3)
        pieces = find_lr(task, chain, low=1e-3, high=1.0, steps=12, stop_factor=None)
        np.testing.assert_array_equal(pieces.losses, whole.losses)


def _padded(runner, longest):
    run = runner.run

    def padded(*arguments, **named):
        short, runner.max_chunk = runner.max_chunk, longest
        try:
            assert arguments[3].steps <= short
            return run(*arguments, **named)
        finally:
            runner.max_chunk = short

    return padded


def test_the_keys_of_a_model_are_those_of_the_replica():
    from lrwidget.finding._keys import with_keys_of

    state = {"key": jax.random.split(jax.random.key(0), 3), "count": jnp.arange(3)}
    one, other, same = (with_keys_of(state, seed) for seed in (1, 2, 1))
    np.testing.assert_array_equal(one["count"], state["count"])
    bits = [jax.random.key_data(each["key"]) for each in (state, one, other, same)]
    assert not (bits[0] == bits[1]).any(axis=1).all()
    assert not (bits[1] == bits[2]).any(axis=1).all()
    np.testing.assert_array_equal(bits[1], bits[3])

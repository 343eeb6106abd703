"""Where a finder begins, and that it leaves everything there as it was."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.finding._arguments import chosen_steps
from lrwidget.finding._first_look import first_look
from lrwidget.finding._replicas import _JUDGE
from lrwidget.finding._start import _away, started
from lrwidget.optimizers._accumulation import accumulated
from lrwidget.training import Step
from tests.finding.tasks import (
    X,
    Y,
    callable_task,
    list_task,
    pytree_loss,
    pytree_task,
    telling_task,
    weights,
)
from tests.training.models import assert_equal
from tests.training.running import endless, wait_for
from tests.training.streams import drawn

SGD = lrw.Chain.of(lrw.optimizers.sgd(0.1))


@pytest.fixture(scope="module")
def chain():
    cosine = lrw.schedules.preset("warmup_cosine", peak_value=3e-3, steps=60)
    return lrw.Chain.of(lrw.optimizers.adam(cosine))


@pytest.fixture(scope="module")
def trainer(task, chain):
    made = lrw.Trainer(task, chain, steps=60)
    made.step(20)
    return made


def batches(start, count, replica=0, **more):
    stream = start.stream(replica, **more)
    taken = drawn(start.runner.source, stream, [count], start=start.step)
    stream.close()
    return taken


class TestTheBeginning:
    def test_it_is_that_of_a_run(self, task, chain):
        with started(task, chain) as start:
            assert (start.step, start.left, start.goes_on) == (0, None, False)
            assert_equal(start.carry(), task.runner(chain).initial())
            np.testing.assert_array_equal(start.rows(5, 7), chain.rows(5, 7))
            assert start.runner is task.runner(chain)

    def test_each_carry_is_its_own(self, task, chain):
        with started(task, chain) as start:
            first = start.carry()
            jax.tree.map(lambda leaf: leaf.delete(), first)
            assert_equal(start.carry(), task.runner(chain).initial())

    def test_current_weights(self, task, chain):
        with started(task, chain, "current") as start:
            assert_equal(start.carry().params, task.current()[0])

    @pytest.mark.parametrize("wrong", ["here", 3, True])
    def test_anything_else_is_refused(self, task, chain, wrong):
        with (
            pytest.raises(
                (TypeError, ValueError), match='start must be None, a Trainer or "current", got'
            ),
            started(task, chain, wrong),
        ):
            pass

    def test_so_is_a_run_of_another_task(self, chain, trainer):
        with (
            pytest.raises(ValueError, match="start must be a Trainer of the same task"),
            started(pytree_task(), chain, trainer),
        ):
            pass


class TestReplicas:
    def test_the_first_has_the_runs_own_seed(self, task, chain):
        with started(task, chain) as start:
            assert start.seed(0) == task.seed
            assert len({start.seed(replica) for replica in range(200)}) == 200
            assert start.root(0) == task.runner(chain)._root

    def test_others_see_other_batches(self, task, chain):
        with started(task, chain) as start:
            one, again, other = (batches(start, 6, replica) for replica in (1, 1, 2))
            assert_equal(one, again)
            assert not np.array_equal(one[0][0], other[0][0])
            # An epoch has all examples, in whatever order.
            rows = [np.sort(np.concatenate([x for x, _ in each]), axis=0) for each in (one, other)]
            np.testing.assert_array_equal(*rows)

    @pytest.mark.parametrize(("make", "away"), [(list_task, 4), (callable_task, 11)])
    def test_data_with_an_order_of_its_own_is_taken_from_farther_on(self, make, away):
        with started(make(), SGD) as start:
            own, other = batches(start, away + 2), batches(start, 2, 1)
            assert_equal(other, own[away:])

    @pytest.mark.parametrize("length", [10, 20, 50])
    @pytest.mark.parametrize("listed", [True, False])
    def test_it_is_another_place_of_a_pass_for_each(self, length, listed):
        """Whatever the length of a pass: those of a range test, of other seeds, of judging."""
        data = [(X[:16], np.full(16, i % 3, np.int32) + 10 * i) for i in range(length)]
        given = data if listed else lambda: iter(data)
        task = lrw.Task(weights(), lambda p, b: p["w"].sum() + b[0].sum(), train=given)
        with started(task, SGD) as start:
            before = [int(batches(start, 1, r)[0][1][0]) for r in (0, 1, 2, 64, 128)]
            batches(start, length + 1)  # now a pass has told how long it is
            after = [int(batches(start, 1, r)[0][1][0]) for r in (0, 1, 2, 64, 128)]
            judge = int(batches(start, 1, _JUDGE)[0][1][0])
        assert before == after
        assert len(set(before)) == 5
        assert judge != before[0]

    @pytest.mark.parametrize("length", [2, 3, 11, 12, 22, 31])
    @pytest.mark.parametrize("listed", [True, False])
    @pytest.mark.parametrize("step", [0, 5])
    def test_none_begins_where_the_first_does(self, length, listed, step):
        """Passes of a length that divides some replica's distance from it included."""
        data = [(X[:16], np.full(16, i, np.int32)) for i in range(length)]
        given = data if listed else lambda: iter(data)
        task = lrw.Task(weights(), lambda p, b: p["w"].sum() + b[0].sum(), train=given)
        trainer = lrw.Trainer(task, SGD, steps=60)
        trainer.step(step) if step else None
        with started(task, SGD, trainer if step else None) as start:
            away = [_away(replica, start.runner.source) for replica in (*range(1, 140), _JUDGE)]
            assert all(each % length for each in away)
            own, *others = (int(batches(start, 1, r)[0][1][0]) for r in (0, 1, 2, 3))
        assert own == step % length
        assert own not in others
        if not listed:
            places = {each % length for each in away[:63]}
            assert len(places) == min(length - 1, 63)

    def test_a_pass_is_read_only_as_far_as_tells_enough(self):
        read = []

        def passes():
            for i in itertools.count():
                read.append(i)
                yield X[:16], Y[:16]

        task = lrw.Task(weights(), pytree_loss, train=passes)
        source = task.runner(SGD).source
        read.clear()
        assert [_away(replica, source) for replica in (1, 2, 1)] == [11, 22, 11]
        assert len(read) == 12 + 23
        assert source.steps_per_epoch is None

    def test_iterators_that_tell_are_read_on_from_where_the_run_is(self):
        task = telling_task()
        trainer = lrw.Trainer(task, SGD, steps=60)
        trainer.step(8)
        with started(task, SGD, trainer) as start:
            assert start._saved is not None
            own, other = batches(start, 13), batches(start, 2, 1)
            assert_equal(other, own[11:])


class TestInTheMiddleOfARun:
    def test_it_is_the_whole_state(self, task, chain, trainer):
        with started(task, chain, trainer) as start:
            assert (start.step, start.left, start.goes_on) == (20, 40, True)
            assert_equal(start.carry().params, trainer.params)
            np.testing.assert_array_equal(start.rows(0, 40), chain.rows(20, 40))

    def test_the_batches_are_those_that_come_next(self, task, chain, trainer):
        with started(task, chain) as fresh, started(task, chain, trainer) as start:
            assert_equal(batches(start, 3), batches(fresh, 23)[20:])

    def test_another_chain_begins_with_its_weights(self, task, trainer):
        other = lrw.Chain.of(lrw.optimizers.sgd(0.1))
        with started(task, other, trainer) as start:
            assert not start.goes_on
            assert_equal(start.carry().params, trainer.params)
            np.testing.assert_array_equal(start.rows(0, 4), other.rows(20, 4))

    def test_its_own_chain_with_another_schedule_keeps_the_optimizer(self, task, chain, trainer):
        linear = lrw.schedules.preset("linear", peak_value=0.1, steps=60)
        other = chain.replace(learning_rate=linear)
        with started(task, other, trainer) as start, started(task, chain, trainer) as own:
            assert start.goes_on
            assert_equal(start.carry(), own.carry())
            # The schedule counts the steps of the run.
            np.testing.assert_array_equal(start.rows(0, 40), other.rows(20, 40))

    def test_a_number_that_the_run_has_compiled_in_may_be_another(self):
        made, chain = pytree_task(), lrw.Chain.of(lrw.optimizers.adam(1e-3))
        trainer = lrw.Trainer(made, chain, steps=60, live=("learning_rate",))
        trainer.step(4)
        with started(made, chain, trainer) as start:
            assert start.addresses == ("adam.learning_rate",)
        other = chain.replace(b1=0.5)
        with started(made, other, trainer) as start:
            assert start.goes_on
            assert start.runner is made.runner(other, ("learning_rate",))
            stream = start.stream()
            start.runner.run(start.carry(), start.step, start.rows(0, 2), stream.take(2))
            stream.close()
        other = chain.replace(b1=lrw.schedules.preset("linear", peak_value=0.5, steps=60))
        with started(made, other, trainer) as start:
            assert not start.goes_on
            assert "adam.b1" in start.addresses

    def test_a_run_at_its_end_leaves_no_steps_to_ask_about(self, task, chain):
        trainer = lrw.Trainer(task, chain, steps=10)
        trainer.run_sync()
        with started(task, chain, trainer) as start:
            assert start.left == 0
            with pytest.raises(ValueError, match="steps must be given where nothing is left"):
                chosen_steps(None, chain, start)
            assert chosen_steps(30, chain, start) == 30

    def test_edits_of_the_run_are_in_the_rows(self, task, chain):
        trainer = lrw.Trainer(task, chain, steps=60)
        trainer.step(10)
        trainer.set(learning_rate=0.5)
        with started(task, chain, trainer) as start:
            column = start.addresses.index("adam.learning_rate")
            np.testing.assert_array_equal(start.rows(0, 5)[:, column], 0.5)


class TestARunThatGoesOn:
    def test_it_pauses_and_goes_on(self):
        with endless() as trainer:
            with started(trainer.task, trainer.chain, trainer) as start:
                assert trainer.state == "paused"
                assert start.step == trainer.position
            assert trainer.state == "running"

    def test_after_an_exception_too(self):
        with endless() as trainer:
            with pytest.raises(ZeroDivisionError), started(trainer.task, trainer.chain, trainer):
                1 / 0  # noqa: B018
            assert trainer.state == "running"

    def test_a_subscriber_may_ask_too(self, task, chain):
        """On the run's own thread there is nothing to pause: it would never go on."""
        trainer, seen = lrw.Trainer(task, chain, steps=60), []

        def look(_):
            if trainer.position >= 5 and not seen:
                seen.append(None)  # it is told of what it reads itself
                with started(task, chain, trainer) as start:
                    seen.append((start.step, trainer.position))

        trainer.subscribe(look)
        trainer.run_sync()
        assert trainer.state == "finished"
        assert seen[1][0] == seen[1][1]
        assert "pause" not in [each.command for each in trainer.journal]
        alone = lrw.Trainer(task, chain, steps=60)
        alone.run_sync()
        np.testing.assert_array_equal(trainer.history.loss, alone.history.loss)

    def test_steps_that_are_not_done_yet_are_done_after(self, task, chain):
        # So slow that they are not done before.
        trainer = lrw.Trainer(task, chain, steps=60, pace=1e-3)
        trainer.submit(Step(steps=40)).result()
        with started(task, chain, trainer) as start:
            assert start.step < 40
        trainer.set_pace(None)
        wait_for(trainer, lambda: trainer.state == "paused")
        assert trainer.position == 40
        trainer.stop()

    def test_what_was_moved_by_hand_meanwhile_rests(self):
        with endless() as trainer:
            with started(trainer.task, trainer.chain, trainer):
                trainer.step(3)
            assert trainer.state == "paused"

    def test_what_was_paused_stays_paused(self, task, chain, trainer):
        with started(task, chain, trainer):
            pass
        assert trainer.state == "paused"

    def test_what_was_stopped_meanwhile_stays_so(self):
        with endless() as trainer:
            with started(trainer.task, trainer.chain, trainer):
                trainer.stop()
            assert trainer.state == "stopped"


@pytest.mark.parametrize("size", [1e-24, 1.0, 1e20])
def test_a_first_look_is_not_deceived_by_the_size_of_the_loss(size):
    """In float32 the squares of what is far from 1 are zero or infinite."""
    task = lrw.Task(
        {"w": np.ones(4, np.float32), "v": np.zeros(2, np.float32)},
        lambda params, batch: size * (params["w"] * batch).sum(),
        train=np.arange(32, dtype=np.float32).reshape(8, 4) + 1,
        batch_size=2,
    )
    with started(task, SGD) as start:
        look = first_look(start)
    assert look.trouble is None
    grads = np.asarray(look.sample.grads["w"], np.float64)
    np.testing.assert_allclose(look.gradient_norms, np.linalg.norm(grads, axis=1), rtol=1e-5)
    mean = np.sqrt((grads**2).mean(0))
    np.testing.assert_allclose(look.sample.size["w"], mean, rtol=1e-5)
    np.testing.assert_array_equal(look.sample.size["v"], 0.0)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda params, batch: batch.mean() + 0.0 * params["w"], "exactly zero"),
        (lambda params, batch: batch.mean() + jnp.sqrt(params["w"]), "not finite"),
    ],
)
def test_a_first_look_still_sees_no_gradient_and_a_bad_one(loss, said):
    task = lrw.Task({"w": np.float32(0.0)}, loss, train=X[:, :1], batch_size=16)
    with started(task, SGD) as start:
        assert said in first_look(start).trouble.reason


def test_a_group_that_accumulates_by_itself_does_not_make_all_do_so():
    every = lrw.Chain.of(lrw.optimizers.multi_steps(4), lrw.optimizers.sgd(0.1))
    own = lrw.optimizers.Group("head", paths="v", chain=every)
    chain = lrw.Chain.of(lrw.optimizers.sgd(0.1), groups=[own])
    assert accumulated(chain) == 1
    assert accumulated(every) == 4


@pytest.mark.parametrize("ask", [lrw.probe, lrw.advise, lrw.find_lr, lrw.compare])
def test_a_validation_loss_is_needed_where_it_is_asked_for(ask):
    def accuracy(params, batch):
        return {"accuracy": params["w"].sum() + 0.0 * batch[0].sum()}

    task = lrw.Task(
        weights(), pytree_loss, train=(X, Y), valid=(X, Y), batch_size=16, eval_fn=accuracy
    )
    given = {"a": SGD} if ask is lrw.compare else SGD
    said = 'loss="valid" needs a validation measure called "loss", got accuracy'
    with pytest.raises(ValueError, match=said):
        ask(task, given, steps=20, loss="valid")
    if ask is lrw.compare:
        assert ask(task, given, steps=2, seeds=1).valid == {"a": None}

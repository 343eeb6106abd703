"""A range test from where a run is: what it begins with, and that the run does not notice."""

from __future__ import annotations

import re
import threading

import jax
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import Chain, optimizers
from lrwidget.finding import find_lr
from lrwidget.finding._start import started
from lrwidget.widget._rest import Place, factor_for
from tests.finding.tasks import (
    TASKS,
    NNXNet,
    X,
    Y,
    nnx_task,
    pytree_loss,
    pytree_task,
    telling_task,
    weights,
)
from tests.training.running import TIMEOUT, creeping

SCHEDULE = lrw.schedules.preset("warmup_cosine", peak_value=1e-2, steps=60)
CHAIN = Chain.of(optimizers.adamw(SCHEDULE, weight_decay=0.0))

# What climbs has no effect, so that the sweep must see the very losses that the run will.
STILL = {
    "address": "weight_decay",
    "low": 1e-30,
    "high": 1e-29,
    "steps": 15,
    "stop_factor": None,
}


KINDS = {
    **{kind: TASKS[kind] for kind in ("nnx", "linen", "pytree", "callable")},
    "iterators that tell": telling_task,
    "arrays on the host": lambda: lrw.Task(
        weights(), pytree_loss, train=(X, Y), batch_size=16, device_data=False
    ),
}


def edited(trainer):
    """Do to a run what is not in its chain: hold one hyperparameter, scale another."""
    trainer.step(10)
    trainer.set(b1=0.5)
    trainer.scale(learning_rate=2.0)
    trainer.step(13)
    return trainer


def finished(trainer):
    if trainer.state == "paused":
        trainer.resume()
    trainer.wait()
    return trainer


def data_threads():
    names = ("lrwidget-data", "lrwidget-shuffle")
    return {thread for thread in threading.enumerate() if thread.name.startswith(names)}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.soak) if kind in ("linen", "callable") else kind
        for kind in KINDS
    ],
)
class TestEveryKindOfTask:
    def test_it_sees_what_the_run_will_see_and_the_run_does_not_notice(self, kind):
        task = KINDS[kind]()
        trainer = edited(lrw.Trainer(task, CHAIN, steps=60))
        sweep = find_lr(task, CHAIN, start=trainer, **STILL)
        assert (trainer.state, trainer.position) == ("paused", 23)
        climbing = find_lr(task, CHAIN, start=trainer, seeds=2, steps=20)
        assert climbing.gradient_steps > 0
        finished(trainer)
        alone = finished(edited(lrw.Trainer(task, CHAIN, steps=60)))
        np.testing.assert_array_equal(trainer.history.loss, alone.history.loss)
        for a, b in zip(
            jax.tree.leaves(trainer.params), jax.tree.leaves(alone.params), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(sweep.losses, trainer.history.loss[23:38])
        assert sweep.start_step == 23
        assert "from step 23 of a run" in repr(sweep)


@pytest.fixture(scope="module")
def net():
    return pytree_task()


@pytest.fixture(scope="module")
def alone(net):
    trainer = lrw.Trainer(net, CHAIN, steps=3000)
    trainer.run_sync()
    return trainer.history.loss


class TestARunThatGoesOn:
    def running(self, task):
        return creeping(lrw.Trainer(task, CHAIN, steps=3000), 5)

    def went_on(self, trainer, alone):
        assert trainer.state == "running"
        trainer.set_pace(None)
        trainer.wait()
        np.testing.assert_array_equal(trainer.history.loss, alone)

    def test_it_is_paused_meanwhile_and_goes_on_after(self, net, alone):
        trainer = self.running(net)
        seen = set()
        sweep = find_lr(
            net, CHAIN, start=trainer, seeds=2, on_progress=lambda _: seen.add(trainer.state)
        )
        assert seen == {"paused"}
        assert sweep.start_step >= 5
        self.went_on(trainer, alone)

    def test_after_an_error_too(self, net, alone):
        trainer = self.running(net)

        def fail(_):
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            find_lr(net, CHAIN, start=trainer, on_progress=fail)
        self.went_on(trainer, alone)

    def test_after_a_cancel_too(self, net, alone):
        trainer, cancel = self.running(net), threading.Event()
        sweep = find_lr(
            net, CHAIN, start=trainer, cancel=cancel, on_progress=lambda _: cancel.set()
        )
        assert sweep.stopped == "cancelled"
        self.went_on(trainer, alone)

    def test_bad_arguments_do_not_even_pause_it(self, net, alone):
        trainer = self.running(net)
        states = []
        for arguments in ({"low": -1.0}, {"address": "nothing"}, {"metric": "none"}):
            with pytest.raises(ValueError, match="must"):
                find_lr(net, CHAIN, start=trainer, **arguments)
            states.append(trainer.state)
        assert states == ["running"] * 3
        assert "pause" not in [each.command for each in trainer.journal]
        self.went_on(trainer, alone)


class TestWhereItBegins:
    @pytest.mark.soak
    def test_in_the_weights_that_the_model_has_now(self):
        task = nnx_task()
        model = task.adapter.current_model()
        assert isinstance(model, NNXNet)
        lrw.Trainer(task, CHAIN, steps=60).run_sync()
        begun = lrw.Trainer(task, CHAIN, steps=60, start="current")
        begun.step(15)
        loss = begun.history.loss
        # The run has written its weights back into the model: the others are put there again.
        begun.stop()
        task_again = nnx_task()
        lrw.Trainer(task_again, CHAIN, steps=60).run_sync()
        sweep = find_lr(task_again, CHAIN, start="current", **STILL)
        np.testing.assert_array_equal(sweep.losses, loss)
        fresh = find_lr(task_again, CHAIN, **STILL)
        assert fresh.losses[0] != sweep.losses[0]
        assert sweep.start_step is None

    def test_before_a_run_has_begun(self):
        task = pytree_task()
        sweep = find_lr(task, CHAIN, start=lrw.Trainer(task, CHAIN, steps=60), **STILL)
        np.testing.assert_array_equal(sweep.losses, find_lr(task, CHAIN, **STILL).losses)

    def test_after_a_run_has_ended(self):
        task = pytree_task()
        trainer = lrw.Trainer(task, CHAIN, steps=30)
        trainer.run_sync()
        sweep = find_lr(task, CHAIN, start=trainer, **STILL)
        assert sweep.start_step == 30
        trainer.extend(30)
        trainer.resume()
        trainer.wait()
        np.testing.assert_array_equal(sweep.losses[:1], trainer.history.loss[30:31])

    def test_in_the_middle_of_an_accumulation(self):
        task = pytree_task()
        chain = Chain.of(optimizers.multi_steps(4), optimizers.sgd(1e-2))
        trainer = lrw.Trainer(task, chain, steps=60)
        trainer.step(7)
        sweep = find_lr(task, chain, start=trainer, steps=10, high=1e-5)
        assert sweep.gradient_steps == 4 * 10 - 3
        trainer.step(1)
        assert sweep.losses[0] == trainer.history.loss[7]
        trainer.stop()

    @pytest.mark.soak
    def test_without_what_is_left_out_the_plan_still_holds(self):
        """The guard is left out; a momentum that was held by hand is not forgotten."""
        task = pytree_task()
        chain = Chain.of(optimizers.adamw(1e-2), optimizers.stability_guard())
        trainer = lrw.Trainer(task, chain, steps=60)
        trainer.step(10)
        trainer.set(b1=0.3)
        sweep = find_lr(task, chain, start=trainer, steps=10, high=1e-5)
        assert sweep.left_out == ("stability_guard",)
        with started(task, Chain.of(optimizers.adamw(1e-2)), trainer) as start:
            assert not start.goes_on
            rows = dict(zip(start.addresses, start.rows(0, 5).T, strict=True))
        assert set(rows["adamw.b1"]) == {0.3}
        assert set(rows["adamw.b2"]) == {0.999}
        trainer.stop()

    @pytest.mark.parametrize(
        ("wrong", "error", "told"),
        [("now", ValueError, "'now'"), (3, TypeError, "int"), ({"w": 1}, TypeError, "dict")],
    )
    def test_nowhere_else(self, wrong, error, told):
        message = f'start must be None, a Trainer or "current", got {told}$'
        with pytest.raises(error, match=message):
            find_lr(pytree_task(), CHAIN, start=wrong)

    def test_not_in_a_run_of_another_task(self):
        trainer = lrw.Trainer(pytree_task(), CHAIN, steps=60)
        with pytest.raises(ValueError, match="start must be a Trainer of the same task"):
            find_lr(pytree_task(), CHAIN, start=trainer)


class TestAdviceForTheRest:
    """The factor is that of the run's own curve, whatever height the chain asked about has."""

    COSINE = lrw.schedules.preset("warmup_cosine", peak_value=0.3, steps=60)

    @pytest.fixture(scope="class")
    @classmethod
    def trainer(cls):
        trainer = lrw.Trainer(pytree_task(), optimizers.sgd(cls.COSINE, momentum=0.9), steps=60)
        trainer.step(20)
        trainer.scale(learning_rate=0.5)
        yield trainer
        trainer.stop()

    def advised(self, trainer, chain, **given):
        found = lrw.advise(trainer.task, chain, start=trainer, budget=200, **given)
        factors = re.findall(r"the run's highest rate is (\S+); scaled by (\S+),", repr(found))
        return found.learning_rate, [tuple(map(float, each)) for each in factors]

    @pytest.mark.parametrize("peak", [0.3, 3e-4])
    def test_it_is_that_by_which_the_widget_scales(self, trainer, peak):
        chain = optimizers.sgd(self.COSINE.with_peak(peak), momentum=0.9)
        rate, [(highest, factor)] = self.advised(trainer, chain)
        assert highest == pytest.approx(0.5 * self.COSINE(20), rel=0.05)
        assert factor == pytest.approx(factor_for(Place.of(trainer), rate, None), rel=0.05)
        assert factor == pytest.approx(rate / (0.5 * self.COSINE(20)), rel=0.05)

    @pytest.mark.parametrize(
        "chain",
        [
            pytest.param(optimizers.adam(COSINE), marks=pytest.mark.soak, id="another optimizer"),
            pytest.param(optimizers.sgd(COSINE, momentum=0.5), id="another momentum"),
            pytest.param(optimizers.sgd(0.1, momentum=0.9), id="another form"),
        ],
    )
    def test_of_another_chain_no_factor_is_named(self, trainer, chain):
        rate, factors = self.advised(trainer, chain)
        assert rate > 0
        assert not factors

    def test_what_was_set_by_hand_is_part_of_the_run(self, trainer):
        own = trainer.chain
        trainer.set(momentum=0.5)
        try:
            assert self.advised(trainer, own)[1]
            assert not self.advised(trainer, own.replace(learning_rate=self.COSINE.with_peak(1)))[1]
            again = own.replace({"learning_rate": self.COSINE.with_peak(1), "momentum": 0.5})
            assert self.advised(trainer, again)[1]
        finally:
            trainer.release("momentum")


@pytest.mark.parametrize(
    "kind",
    [
        "callable",
        *(pytest.param(k, marks=pytest.mark.soak) for k in ("pytree", "iterators that tell")),
    ],
)
def test_every_stream_is_closed(kind):
    """Also where the sweep is broken off: the threads that read ahead end."""
    task, before = KINDS[kind](), data_threads()

    def fail(_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        find_lr(task, CHAIN, seeds=3, on_progress=fail)
    find_lr(task, CHAIN, seeds=3, steps=10)
    for thread in data_threads() - before:
        thread.join(TIMEOUT)
    assert not data_threads() - before

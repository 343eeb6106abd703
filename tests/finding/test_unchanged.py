"""After probes and advice training is, bit for bit, what it would have been without."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.finding import advise, probe
from tests.finding.tasks import TASKS, X, Y, nnx_task, pytree_loss, pytree_task, weights
from tests.training.models import assert_equal
from tests.training.running import TIMEOUT, creeping

STEPS = 40
CHAIN = lrw.Chain.of(lrw.optimizers.adam(3e-3))


class Restorable:
    """An iterator over batches with a state, as grain's have."""

    def __init__(self, epoch):
        self._order = np.random.default_rng(epoch).permutation(96).reshape(-1, 16)
        self._place = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self._place == len(self._order):
            raise StopIteration
        rows = self._order[self._place]
        self._place += 1
        return X[rows], Y[rows]

    def get_state(self):
        return {"place": self._place}

    def set_state(self, state):
        self._place = state["place"]


def stateful_task():
    return lrw.Task(weights(), pytree_loss, train=lambda epoch: Restorable(epoch))


def valid_task():
    return lrw.Task(weights(), pytree_loss, train=(X, Y), valid=(X, Y), batch_size=16)


KINDS = {
    "nnx": nnx_task,
    "linen": TASKS["linen"],
    "pytree": pytree_task,
    "callable": TASKS["callable"],
    "stateful": stateful_task,
}


def trained(task, before=lambda task: None):
    before(task)
    trainer = lrw.Trainer(task, CHAIN, steps=STEPS)
    trainer.run_sync()
    return trainer


def assert_same(one, other):
    np.testing.assert_array_equal(one.history.loss, other.history.loss)
    assert_equal(one.params, other.params)
    assert len(one.history) == STEPS


class TestBeforeARun:
    @pytest.mark.parametrize(
        "kind",
        [
            kind if kind in ("nnx", "stateful") else pytest.param(kind, marks=pytest.mark.soak)
            for kind in KINDS
        ],
    )
    def test_training_is_what_it_would_have_been(self, kind):
        def look(task):
            probe(task, CHAIN, steps=STEPS, budget=60)
            advise(task, CHAIN, steps=STEPS, budget=100)
            assert task.runner(CHAIN).traces == 1

        task = KINDS[kind]()
        assert_same(trained(task, look), trained(KINDS[kind]()))
        # The step that the finder ran is the one that the trainer runs.
        assert task.runner(CHAIN).traces == 1

    @pytest.mark.soak
    def test_validation_too(self):
        def look(task):
            advise(task, CHAIN, steps=STEPS, budget=100, loss="valid")

        one, other = trained(valid_task(), look), trained(valid_task())
        assert_same(one, other)
        np.testing.assert_array_equal(one.history.valid.loss, other.history.valid.loss)

    def test_a_search_that_fails_changes_nothing(self):
        task = pytree_task()

        def fail(_):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            advise(task, CHAIN, steps=STEPS, budget=100, on_progress=fail)
        assert_same(trained(task), trained(pytree_task()))


@pytest.fixture(scope="module")
def alone():
    return trained(pytree_task())


class TestInTheMiddle:
    @pytest.mark.parametrize(
        "kind", ["nnx", *(pytest.param(k, marks=pytest.mark.soak) for k in ("pytree", "stateful"))]
    )
    def test_a_paused_run_goes_on(self, kind):
        task = KINDS[kind]()
        trainer = lrw.Trainer(task, CHAIN, steps=STEPS)
        trainer.step(15)
        journal, lines = list(trainer.journal), len(trainer.history)
        found = advise(task, CHAIN, start=trainer, budget=100)
        probe(task, CHAIN, start=trainer, budget=60)
        assert found.steps == STEPS - 15
        assert trainer.state == "paused"
        assert list(trainer.journal) == journal
        assert (len(trainer.history), trainer.position) == (lines, 15)
        trainer.resume()
        trainer.wait(TIMEOUT)
        assert_same(trainer, trained(KINDS[kind]()))

    def running(self, task):
        """Return a run that goes on in a thread of its own, slowly enough to be met."""
        return creeping(lrw.Trainer(task, CHAIN, steps=STEPS), 2)

    def finish(self, trainer, alone):
        trainer.set_pace(None)
        trainer.wait(TIMEOUT)
        assert trainer.state == "finished"
        assert_same(trainer, alone)

    def test_a_running_one_is_paused_and_goes_on(self, alone):
        task = pytree_task()
        trainer = self.running(task)
        states = []
        found = advise(
            task,
            CHAIN,
            start=trainer,
            budget=100,
            on_progress=lambda _: states.append(trainer.state),
        )
        assert found.gradient_steps > 0
        assert set(states) == {"paused"}
        assert trainer.state == "running"
        self.finish(trainer, alone)
        # The journal tells of what changes numbers: neither a pause nor the finder does.
        assert "advise" not in str(list(trainer.journal))
        assert not {entry.command for entry in trainer.journal} - {
            "start", "pause", "resume", "set_pace", "step",
        }  # fmt: skip

    @pytest.mark.soak
    def test_after_cancelling(self, alone):
        task, cancel = pytree_task(), threading.Event()
        trainer = self.running(task)
        cancel.set()
        found = advise(task, CHAIN, start=trainer, budget=100, cancel=cancel)
        assert found.refused == "the search was stopped"
        self.finish(trainer, alone)

    def test_after_an_error(self, alone):
        task = pytree_task()
        trainer = self.running(task)

        def fail(_):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            probe(task, CHAIN, start=trainer, budget=60, on_progress=fail)
        assert trainer.state == "running"
        self.finish(trainer, alone)

    @pytest.mark.soak
    def test_from_another_thread(self, alone):
        task, found = pytree_task(), []
        trainer = self.running(task)
        thread = threading.Thread(
            target=lambda: found.append(advise(task, CHAIN, start=trainer, budget=100))
        )
        thread.start()
        thread.join(TIMEOUT)
        assert len(found) == 1
        self.finish(trainer, alone)

"""Going back: to any step, from any end, and what is as it was there."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.optimizers import Chain
from lrwidget.training import Extend, Keep, Rewind
from lrwidget.training._arrays import copied
from lrwidget.training._snapshots import Rhythm
from tests.training import models
from tests.training.running import TIMEOUT, endless, shared, wait_for, wait_for_step

STEPS, EVERY = 60, 7
COSINE = lrw.schedules.preset("cosine", peak_value=0.05, steps=STEPS)
CHAIN = models.sgd(COSINE, momentum=0.9)
AT = (0, 1, 15, 16, 17, 35, 59, 60)
VALID = models.data(29, seed=1)
HUGE = 3e38  # a rate that no model survives


@functools.cache
def validated(kind="pytree"):
    return models.task(kind, valid=VALID)


def trainer(kind="pytree", **more):
    task = more.pop("task", None) or validated(kind)
    chain = more.pop("chain", CHAIN)
    more = {"steps": STEPS, "valid_every": EVERY if task.validates else None, **more}
    return lrw.Trainer(task, chain, **more)


def carry(t):
    return t._loop.ask(copied)


def history(t):
    tables = (t.history, t.history.valid)
    return [{name: table[name].copy() for name in table.names} for table in tables]


def assert_histories(a, b):
    for one, other in zip(a, b, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def assert_same(a, b):
    models.assert_equal(carry(a), carry(b))
    assert_histories(history(a), history(b))


def go_on(t):
    t.resume()
    assert t.wait(TIMEOUT)
    return t


@functools.cache
def plain(kind="pytree"):
    """The state on arriving at each step, and the history, of a run that never went back."""
    t = trainer(kind)
    t._loop.start_at_rest()
    states = {0: carry(t)}
    for step in AT[1:]:
        t.step(step - t.position)
        states[step] = carry(t)
    return states, history(t)


def cut(tables, step):
    """Return the rows of steps before `step`, and the validation passes up to it."""
    train, valid = tables
    rows, passes = train["step"] < step, valid["step"] <= step
    return [
        {name: column[rows] for name, column in train.items()},
        {name: column[passes] for name, column in valid.items()},
    ]


# ---- to any step ---------------------------------------------------------------------------------

KEPT = {
    "none but the start": Keep(every=10**6),
    "every 16": Keep(every=16),
    "hardly any memory": Keep(every=4, memory=5000),
    "as time allows": Keep(),
}


@pytest.mark.parametrize("kind", ["pytree", "nnx", "linen"])
@pytest.mark.parametrize("keep", KEPT)
def test_a_rewind_is_exact_at_any_step(kind, keep):
    states, tables = plain(kind)
    t = trainer(kind, snapshots=KEPT[keep])
    t.run_sync()
    for step in reversed(AT):
        t.rewind(step)
        assert (t.state, t.position) == ("paused", step)
        models.assert_equal(carry(t), states[step])
        assert_histories(history(t), cut(tables, step))
        assert t.runner.traces == 1
    go_on(t)
    models.assert_equal(carry(t), states[STEPS])
    assert_histories(history(t), tables)


def test_snapshots_thin_out_under_their_budget():
    t = trainer(snapshots=Keep(every=2, memory=6000))
    t.run_sync()
    kept = [s for s in t.snapshots if s.reason != "best"]
    assert sum(s.nbytes for s in kept) <= 6000
    steps = [s.step for s in kept]
    assert 3 <= len(steps) < 25
    assert steps[-1] >= STEPS - 2
    gaps = np.diff(steps)
    assert gaps[0] > gaps[-1]


def test_the_model_object_has_the_weights_of_where_the_run_is():
    task = models.task("nnx")
    t = trainer(task=task)
    t.step(20)
    there = jax.tree.map(np.asarray, t.params)
    t.step(20)
    t.rewind(20)
    models.assert_equal(jax.tree.map(np.asarray, task.adapter.current()[0]), there)
    assert t.model is task.adapter.current_model()


def test_a_snapshot_by_hand_is_kept():
    t = trainer(snapshots=Keep(every=10**6))
    t.step(23)
    assert t.snapshot() == 23
    t.step(10)
    assert (23, "hand", "memory") in [(s.step, s.reason, s.where) for s in t.snapshots]
    t.rewind(22)
    assert 23 not in [s.step for s in t.snapshots]


def test_a_risky_edit_has_a_snapshot_before_it():
    t = trainer(snapshots=Keep(every=10**6))
    t.step(23)
    t.scale(learning_rate=0.5)
    t.step(2)
    t.scale(learning_rate=10.0)
    assert [s.step for s in t.snapshots if s.reason == "edit"] == [25]


# ---- from any end --------------------------------------------------------------------------------


def test_after_it_finished_and_was_extended():
    states, tables = plain()
    t = trainer()
    t.run_sync()
    assert t.submit(Extend(steps=9)).result() == STEPS
    assert t.state == "paused"
    go_on(t)
    assert t.position == 69
    assert list(t.history.valid.step[-3:]) == [60, 63, 69]
    t.rewind(60)
    assert t.steps == STEPS
    models.assert_equal(carry(t), states[60])
    go_on(t)
    assert_histories(history(t), tables)


def test_an_extension_that_is_refused_leaves_it_finished():
    t = trainer(steps=5)
    t.run_sync()
    with pytest.raises(ValueError, match="within"):
        t.extend(2**31 - 1)
    with pytest.raises(ValueError, match="reached, 0 to 5, got 6"):
        t.rewind(6)
    assert t.state == "finished"
    assert len(t.journal) == 0


def test_after_it_was_stopped():
    _, tables = plain()
    t = trainer()
    t.step(40)
    t.stop()
    t.rewind(17)
    assert_histories(history(go_on(t)), tables)


@pytest.mark.parametrize("guard", [None, "stop"])
@pytest.mark.parametrize("keep", [Keep(every=10**6), Keep(every=4)])
def test_after_it_diverged(guard, keep):
    states, tables = plain()
    t = trainer(guard=guard, snapshots=keep)
    t.set(learning_rate=HUGE, at=36)
    t.start()
    with pytest.warns(RuntimeWarning, match="diverged"):
        t.wait()
    assert t.state == "diverged"
    bad = int(t.history.step[~np.isfinite(t.history.loss)][0])
    assert t.position == bad + 1
    assert all(s.step <= t.position for s in t.snapshots)
    t.rewind(35)
    assert (t.error, t.traceback) == (None, None)
    models.assert_equal(carry(t), states[35])
    [(number, _, _)] = t.scheduled
    t.cancel(number)
    go_on(t)
    assert_histories(history(t), tables)
    assert [line.start for line in t.lines] == [35]
    assert t.lines[0].columns["step"][-1] == bad


class Flaky:
    """Batches, of which one cannot be had the first time."""

    def __init__(self, bad, error=OSError):
        x, y = models.data()
        self.batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 64, 8)]
        self.bad, self.error, self.raised = bad, error, False

    def __call__(self, epoch):
        for place, batch in enumerate(self.batches):
            if epoch * len(self.batches) + place == self.bad and not self.raised:
                self.raised = True
                raise self.error("the disk is gone")
            yield jax.tree.map(lambda x: x[:: 1 if epoch % 2 else -1].copy(), batch)


def test_after_the_data_failed():
    data = Flaky(bad=43)
    task = models.task(train=data, batch_size=None)
    t = trainer(task=task)
    t.start()
    with pytest.raises(OSError, match="the disk is gone"):
        t.wait()
    assert (t.state, t.position, len(t.history)) == ("failed", 43, 43)
    there = carry(t)
    t.rewind(43)
    assert (t.state, t.error) == ("paused", None)
    models.assert_equal(carry(t), there)
    t.rewind(20)
    go_on(t)
    again = trainer(task=models.task(train=data, batch_size=None))
    again.run_sync()
    assert_same(t, again)


def test_after_a_step_failed_and_took_its_arrays_along():
    class Fault:
        at = -1
        seen = 0

        def __call__(self, x):
            Fault.seen += 1
            if Fault.seen == Fault.at:
                raise ValueError("a fault in the middle of a step")
            return x

    def loss_fn(params, batch):
        loss, metrics = models.pytree_loss(params, batch)
        same = jax.pure_callback(
            Fault(), jax.ShapeDtypeStruct((), jnp.float32), metrics["accuracy"]
        )
        return loss, {"accuracy": same}

    t = trainer(task=models.task(loss_fn=loss_fn))
    t.step(20)
    Fault.seen, Fault.at = 0, 5
    t.resume()
    with pytest.raises(Exception, match="a fault in the middle"):
        t.wait()
    assert t.state == "failed"
    assert 20 <= t.position == len(t.history) < 25  # the last good chunk
    other = trainer(task=t.task)
    other.step(t.position)
    models.assert_equal(carry(t), carry(other))
    t.rewind(10)
    go_on(t)
    np.testing.assert_array_equal(t.history.loss, plain()[1][0]["loss"])


def test_a_rewind_that_fails_ends_the_run_where_it_can_be_gone_on_from():
    data = Flaky(bad=10**6)
    t = trainer(task=models.task(train=data, batch_size=None), snapshots=Keep(every=10**6))
    t.step(30)
    data.bad = 12
    with pytest.raises(OSError, match="the disk is gone"):
        t.rewind(20)
    t._loop.ended.result(TIMEOUT)
    assert t.state == "failed"
    assert t.position == len(t.history) <= 20
    t.rewind(5)
    go_on(t)
    again = trainer(task=models.task(train=data, batch_size=None))
    again.run_sync()
    assert_same(t, again)


# ---- edits ---------------------------------------------------------------------------------------


def test_edits_given_there_or_later_are_undone():
    t = trainer()
    t.set(momentum=0.8)
    t.step(20)
    t.scale(learning_rate=0.5)
    t.step(10)
    t.extend(15)
    t.set_batch_size(16)
    t.step(10)
    t.rewind(21)
    assert (t.steps, t.batch_sizes) == (STEPS, ((0, 0, 8),))
    assert t.plan()(30) == COSINE(30) / 2
    t.rewind(20)
    assert t.plan()(30) == COSINE(30)
    t.rewind(0)
    assert t.held("momentum") == 0.8  # given before the first step
    flags = {e.command: e.undone for e in t.journal}
    assert flags["set"] is False
    assert flags["scale"] is flags["extend"] is flags["set_batch_size"] is True
    assert flags["step"] is flags["rewind"] is False
    assert [(e.before, e.after) for e in t.journal if e.command == "rewind"] == [
        (40, 21),
        (21, 20),
        (20, 0),
    ]
    assert [line.start for line in t.lines] == [21, 20, 0]


def test_an_edit_that_waited_waits_again():
    t = trainer()
    t.step(5)
    t.set(learning_rate=0.2, at=30)
    t.step(35)
    after = history(t)
    t.rewind(20)
    [(number, step, command)] = t.scheduled
    assert (step, command.values["learning_rate"]) == (30, 0.2)
    assert t.held() is None
    t.step(20)
    assert_histories(history(t), after)
    fired = [e for e in t.journal if e.arguments.get("scheduled") == number]
    assert [e.undone for e in fired] == [True, False]
    t.rewind(30)  # on arriving there it has not been taken yet
    assert len(t.scheduled) == 1
    t.rewind(5)
    assert t.scheduled == ()


def test_a_run_that_was_bent_comes_back_the_same():
    t = trainer(snapshots=Keep(every=9))
    t.step(10)
    t.set(learning_rate=0.02)
    t.scale(momentum=0.5, at=25)
    t.step(10)
    t.set_batch_size(16)
    t.step(15)
    t.cooldown(20)
    go_on(t)
    before = history(t), carry(t)
    t.rewind(36)
    go_on(t)
    assert_histories(history(t), before[0])
    models.assert_equal(carry(t), before[1])


# ---- validation ----------------------------------------------------------------------------------


def test_a_chain_that_hears_validation_comes_back_the_same():
    o = lrw.optimizers
    chain = Chain.of(
        o.sgd(0.05), o.reduce_on_plateau(factor=0.5, patience=1, rtol=1.0, monitor="valid")
    )
    t = trainer(chain=chain, snapshots=Keep(every=5), steps=80)
    t.run_sync()
    before = history(t), carry(t)
    scales = t.history["reduce_on_plateau.scale"]
    assert len(set(scales)) > 2
    for step in (63, 50, 49, 48, 7, 0):
        t.rewind(step)
        go_on(t)
        assert_histories(history(t), before[0])
        models.assert_equal(carry(t), before[1])


def test_a_rewind_to_the_best_pass_hears_it_too():
    o = lrw.optimizers
    chain = Chain.of(
        o.sgd(0.05), o.reduce_on_plateau(factor=0.5, patience=1, rtol=1.0, monitor="valid")
    )
    t = trainer(chain=chain, snapshots=Keep(every=10**6))
    t._loop.keeper._best_rhythm = Rhythm(1)  # else twice a second
    t.run_sync()
    before = history(t), carry(t)
    [best] = [s for s in t.snapshots if s.reason == "best"]
    losses = t.history.valid.loss
    assert best.value == pytest.approx(losses[t.history.valid.step == best.step][0])
    t.rewind(best.step)
    go_on(t)
    assert_histories(history(t), before[0])
    models.assert_equal(carry(t), before[1])


def test_the_best_is_that_of_the_run_as_it_is():
    t = trainer()
    t.run_sync()
    step, loss = t.best
    losses = t.history.valid.loss
    assert loss == losses.min() == losses[list(t.history.valid.step).index(step)]
    t.rewind(20)
    assert t.best == (14, t.history.valid.loss.min())
    t.rewind(3)
    assert t.best is None


# ---- iterables -----------------------------------------------------------------------------------


class Reading:
    """Batches with an iterator that tells its state, as grain's does."""

    def __init__(self, batches):
        self.batches, self.reads = batches, 0

    def __iter__(self):
        return _Place(self)


class _Place:
    def __init__(self, data):
        self.data, self.place = data, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.place == len(self.data.batches):
            raise StopIteration
        self.data.reads += 1
        self.place += 1
        return self.data.batches[self.place - 1]

    def get_state(self):
        return {"place": self.place}

    def set_state(self, state):
        self.place = state["place"]


@pytest.mark.parametrize("form", ["list", "function", "state"])
def test_iterables_come_back_the_same(form):
    data = Flaky(bad=10**6)
    train = {
        "list": data.batches,
        "function": data,
        "state": Reading(data.batches),
    }[form]
    t = trainer(task=models.task(train=train, batch_size=None), snapshots=Keep(every=10))
    t.run_sync()
    before = history(t), carry(t)
    for step in (53, 30, 9):
        t.rewind(step)
        go_on(t)
        assert_histories(history(t), before[0])
        models.assert_equal(carry(t), before[1])


def test_an_iterator_that_tells_its_state_is_not_read_again():
    data = Reading(Flaky(bad=10**6).batches * 100)
    t = trainer(task=models.task(train=data, batch_size=None), snapshots=Keep(every=50), steps=500)
    t.run_sync()
    data.reads = 0
    t.rewind(420)
    assert data.reads < 200


# ---- while it runs -------------------------------------------------------------------------------


def test_a_running_run_goes_back_and_rests_there():
    with endless() as t:
        wait_for_step(t, 50)
        t.rewind(20)
        assert (t.state, t.position, len(t.history)) == ("paused", 20, 20)
        [line] = t.lines
        assert (line.start, line.columns["step"][0]) == (20, 20)
        assert line.name == f"until {line.columns['step'][-1] + 1}"
        t.resume()
        wait_for_step(t, 60)
        np.testing.assert_array_equal(t.history.loss[20:50], line.columns["loss"][:30])


def test_a_rewind_before_the_start_is_refused():
    t = trainer()
    with pytest.raises(ValueError, match="whose run has begun"):
        t.rewind(0)


def test_a_subscriber_may_take_it_back():
    t = trainer()
    gone = []

    def back(t):
        if t.position >= 30 and not gone:
            gone.append(t.submit(Rewind(step=10)))

    t.subscribe(back)
    t.start()
    wait_for(t, lambda: gone)
    assert gone[0].result(TIMEOUT) == 10
    assert (t.state, t.position) == ("paused", 10)
    assert_histories(history(go_on(t)), plain()[1])


def test_only_so_many_lines_are_kept():
    t = lrw.Trainer(shared(), CHAIN, steps=STEPS)
    t.step(3)
    for _ in range(15):
        t.rewind(2)
        t.step(1)
    assert len(t.lines) == 12

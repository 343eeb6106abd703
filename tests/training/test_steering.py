"""Every command that bends a run: what is applied at each step, when, and how it is taken back."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group
from lrwidget.training import (
    Cooldown,
    Extend,
    Freeze,
    Nudge,
    Release,
    RestartWarmup,
    Scale,
    Set,
    SetBatchSize,
    Thaw,
    Undo,
)
from tests.training import models
from tests.training.running import endless, wait_for_step

STEPS = 60
COSINE = lrw.schedules.preset("cosine", peak_value=0.05, steps=STEPS)
LINEAR = lrw.schedules.linear(0.04, 30, end_value=0.01)
ALL = np.arange(STEPS)
CHAIN = models.sgd(COSINE, momentum=0.9)


@functools.cache
def own():
    """A task that no other file's tests trace anything for."""
    return models.task()


def trainer(chain=CHAIN, steps=STEPS, task=None, **more):
    return lrw.Trainer(task or own(), chain, steps=steps, **more)


def ended(t):
    """Take the rest of the steps, and check what holds of every run."""
    if t.state == "idle":
        t.start()
    else:
        t.resume()
    t.wait()
    assert t.state == "finished"
    assert t.runner.traces == 1
    np.testing.assert_array_equal(
        t.applied_rows().astype(np.float32),
        np.stack([t.history[address] for address in t.addresses], axis=1),
    )
    return t


def assert_rates(t, expected, rtol=2e-7):
    np.testing.assert_allclose(t.history.learning_rate, expected, rtol=rtol)


def felt(t, address="learning_rate"):
    """Check that the weights felt the rates of the history: a run planned so is the same one."""
    plain = trainer(t.chain.replace({address: t.effective_schedule(address)}), t.steps)
    plain.run_sync()
    np.testing.assert_array_equal(plain.history.loss, t.history.loss)
    models.assert_equal(plain.params, t.params)


# ---- each command --------------------------------------------------------------------------------

# Command, given before step 20: the rates from there on, by hand.
REST = ALL[20:]
BENT = {
    "set": (Set(values={"learning_rate": 0.03}), np.full(40, 0.03)),
    "set a curve": (Set(values={"learning_rate": LINEAR}), LINEAR(REST)),
    "set a curve from now": (
        Set(values={"learning_rate": LINEAR}, from_now=True),
        np.maximum(0.04 - 0.001 * (REST - 20), 0.01),
    ),
    "scale": (Scale(factors={"learning_rate": 0.25}), 0.25 * COSINE(REST)),
    "nudge": (
        Nudge(amounts={"learning_rate": 0.01}),
        COSINE(REST) * (COSINE(20) + 0.01) / COSINE(20),
    ),
    "cooldown": (
        Cooldown(steps=10, end_value=0.001),
        COSINE(20) + (0.001 - COSINE(20)) * np.arange(10) / 10,
    ),
    "restart_warmup": (
        RestartWarmup(steps=8, init_value=0.002),
        np.where(REST < 28, 0.002 + (COSINE(28) - 0.002) * (REST - 20) / 8, COSINE(REST)),
    ),
    "extend": (Extend(steps=7), np.append(COSINE(REST), [COSINE(STEPS)] * 7)),
}


@pytest.mark.parametrize("name", BENT)
def test_a_command_is_felt_from_its_step_on(name):
    command, rest = BENT[name]
    t = trainer()
    t.step(20)
    assert t.submit(command).result() == 20
    ended(t)
    assert_rates(t, [*COSINE(ALL[:20]), *rest])
    entry = t.journal[1]
    assert (entry.step, entry.command) == (20, command.name)


@pytest.mark.parametrize("name", ["nudge", "restart_warmup"])
def test_the_weights_feel_it(name):
    t = trainer()
    t.step(20)
    t.submit(BENT[name][0]).result()
    felt(ended(t))


@pytest.mark.parametrize("name", BENT)
def test_a_command_given_ahead_takes_effect_there(name):
    command, rest = BENT[name]
    t = trainer()
    t.submit(type(command)(**{**vars(command), "at": 20})).result()
    [(number, step, waiting)] = t.scheduled
    assert (step, waiting.name) == (20, command.name)
    ended(t)
    assert t.scheduled == ()
    assert_rates(t, [*COSINE(ALL[:20]), *rest])
    accepted, fired = [e for e in t.journal if e.command in ("schedule", command.name)]
    assert (accepted.step, accepted.arguments["at"], accepted.call) == (0, 20, number)
    assert (fired.step, fired.arguments["scheduled"]) == (20, number)


@pytest.mark.parametrize("at", [None, 35])
@pytest.mark.parametrize("name", BENT)
def test_a_preview_is_what_then_happens(name, at):
    command, _ = BENT[name]
    command = type(command)(**{**vars(command), "at": at})
    t = trainer()
    t.step(20)
    t.scale(learning_rate=3.0, at=30)
    before = (t.journal, t.scheduled, t.steps, t.plan())
    seen = t.preview(command)
    assert (t.journal, t.scheduled, t.steps, t.plan()) == before
    t.submit(command).result()
    ended(t)
    assert (seen.step, seen.steps_before, seen.steps_after) == (at or 20, STEPS, t.steps)
    if name == "extend":
        assert not seen.changes
        return
    [(address, (_, new))] = seen.changes.items()
    assert address == "sgd.learning_rate"
    until = t.steps if at else 30  # where the scaling that waits comes in
    steps = np.arange(seen.step, until)
    np.testing.assert_allclose(t.history.learning_rate[steps], new(steps), rtol=2e-7)


def test_a_preview_says_what_changes():
    t = trainer()
    seen = t.preview(Cooldown(steps=10))
    assert "the run has 10 steps instead of 60" in str(seen)
    old, new = seen.changes["sgd.learning_rate"]
    assert (old(5), new(5)) == (COSINE(5), pytest.approx(COSINE(0) / 2))
    assert "nothing changes" in str(t.preview(Release()))
    with pytest.raises(ValueError, match="one that changes"):
        seen.plot("sgd.momentum")
    with pytest.raises(TypeError, match="command must be an edit"):
        t.preview(lrw.training.Pause())


def test_a_held_number_is_nudged_by_itself():
    t = trainer()
    t.set(learning_rate=0.02)
    t.nudge(learning_rate=-0.005, at=10)
    t.release(at=20)
    ended(t)
    assert_rates(t, [*[0.02] * 10, *[0.015] * 10, *COSINE(REST)])


def test_a_warmup_releases_what_was_held():
    t = trainer()
    t.set(learning_rate=0.02)
    t.restart_warmup(4, at=10)
    ended(t)
    assert_rates(t, [*[0.02] * 10, *(0.02 * np.arange(4) / 4), *[0.02] * 46])
    assert t.held() is None


def test_commands_at_one_step_come_in_the_order_in_which_they_were_given():
    t = trainer()
    t.set(learning_rate=0.02, at=10)
    t.scale(learning_rate=0.5, at=10)
    t.step(10)
    t.set(learning_rate=0.08)  # before those that waited for this step
    t.step(5)
    assert t.history.learning_rate[10] == np.float32(0.01)
    assert [e.command for e in t.journal][-4:] == ["set", "step", "set", "scale"]


# ---- taking back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in BENT if name != "extend"])
def test_undo_brings_back_the_rest_of_the_curve(name):
    t = trainer()
    t.step(20)
    t.submit(BENT[name][0]).result()
    assert t.undoable.command == BENT[name][0].name
    t.step(5)
    t.undo()
    assert t.undoable is None
    ended(t)
    assert_rates(t, [*COSINE(ALL[:20]), *BENT[name][1][:5], *COSINE(ALL[25:])])
    assert t.steps == STEPS


def test_undo_goes_back_edit_by_edit():
    t = trainer()
    t.set(learning_rate=0.01, momentum=0.5)
    t.scale(learning_rate=2.0)
    t.extend(40)
    for steps, held in ((60, 0.02), (60, 0.01), (60, None)):
        t.undo()
        assert (t.steps, t.held()) == (steps, held)
    assert t.held("momentum") is None
    with pytest.raises(ValueError, match="undo needs an edit"):
        t.undo()
    t.set(learning_rate=0.04)
    assert t.preview(Undo()).changes["sgd.learning_rate"][1] == COSINE
    t.undo()
    assert t.held() is None


def test_undo_takes_back_what_waits_and_what_was_cancelled():
    t = trainer()
    t.set(learning_rate=0.01, at=30)
    t.undo()
    assert t.scheduled == ()
    t.set(learning_rate=0.02, at=40)
    [(number, _, _)] = t.scheduled
    t.cancel(number)
    assert t.scheduled == ()
    t.undo()
    assert t.scheduled[0][0] == number
    ended(t)
    assert_rates(t, [*COSINE(ALL[:40]), *[0.02] * 20])


def test_undo_of_an_extension_the_run_has_come_into_is_refused():
    t = trainer()
    t.extend(20)
    t.step(70)
    with pytest.raises(ValueError, match="at step 70 already: stop it, or rewind"):
        t.undo()
    assert t.steps == 80


# ---- batch sizes ---------------------------------------------------------------------------------


def order(epoch, seed=0):
    import jax

    key = jax.random.fold_in(jax.random.key(seed), epoch)
    return np.asarray(jax.random.permutation(key, models.EXAMPLES))


@pytest.fixture(scope="module")
def resized():
    """Epochs of 8 steps of 8 examples, from step 16 on of 4 of 16, from step 24 on of 7 of 10."""

    def spy(params, batch):
        x, _ = batch
        return models.pytree_loss(params, batch)[0], {"first": x[0, 0], "sum": x.sum()}

    task = models.task(loss_fn=spy)
    t = lrw.Trainer(task, models.sgd(0.01), steps=40)
    t.step(11)
    t.set_batch_size(16)
    assert t.batch_sizes == ((0, 0, 8), (16, 2, 16))
    t.set_batch_size(10, at=21)
    t.resume()
    t.wait()
    return t


def test_a_batch_size_begins_with_the_next_epoch(resized):
    x, _ = models.data()
    firsts, sums = [], []
    for begins, until, epoch, size in ((0, 16, 0, 8), (16, 24, 2, 16), (24, 40, 4, 10)):
        length = models.EXAMPLES // size
        for step in range(begins, until):
            e, place = divmod(step - begins, length)
            batch = x[order(epoch + e)[place * size : (place + 1) * size]]
            firsts.append(batch[0, 0])
            sums.append(batch.sum())
    np.testing.assert_array_equal(resized.history["first"], np.array(firsts, np.float32))
    np.testing.assert_allclose(resized.history["sum"], sums, rtol=1e-4, atol=1e-4)
    assert resized.batch_sizes == ((0, 0, 8), (16, 2, 16), (24, 4, 10))
    [entry] = [e for e in resized.journal if e.command == "set_batch_size" and e.step == 11]
    assert (entry.before, entry.after, entry.arguments) == (8, 16, {"begins": 16})


def test_a_rewind_comes_through_batch_sizes(resized):
    before = resized.history.columns()
    resized.rewind(18)
    assert resized.batch_sizes == ((0, 0, 8), (16, 2, 16))
    resized.resume()
    resized.wait()
    for name, column in before.items():
        np.testing.assert_array_equal(resized.history[name], column)
    resized.rewind(9)
    assert resized.batch_sizes == ((0, 0, 8),)


def test_a_batch_size_that_is_taken_back_in_time_never_comes():
    t = trainer()
    t.step(3)
    t.set_batch_size(16)
    t.set_batch_size(32)
    assert t.batch_sizes == ((0, 0, 8), (8, 1, 32))
    t.undo()
    assert t.batch_sizes[-1][2] == 16
    t.undo()
    assert t.batch_sizes == ((0, 0, 8),)


def test_a_batch_size_at_the_border_itself_begins_there():
    t = trainer()
    t.step(8)
    t.snapshot()
    t.set_batch_size(16)
    assert t.batch_sizes == ((0, 0, 8), (8, 1, 16))
    t.snapshot()
    t.set_batch_size(8)
    assert t.batch_sizes == ((0, 0, 8),)
    plain = trainer()
    plain.step(12)
    t.step(4)
    np.testing.assert_array_equal(t.history.loss, plain.history.loss)


def test_batch_sizes_that_cannot_be_are_refused():
    t = trainer()
    with pytest.raises(ValueError, match="batch_size must be at most 70"):
        t.set_batch_size(71)
    with pytest.raises(ValueError, match="batch_size must be a whole number >= 1"):
        t.set_batch_size(0)
    x, y = models.data()
    batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 64, 8)]
    t = trainer(task=models.task(train=batches, batch_size=None))
    with pytest.raises(ValueError, match="brings its own batches, of 8"):
        t.set_batch_size(4)
    assert t.batch_sizes == ((0, 0, 8),)
    assert len(t.journal) == 0


# ---- groups --------------------------------------------------------------------------------------

HEAD = Group("head", multiplier=0.5, paths=["w2"])
BIASES = Group("biases", chain=lrw.optimizers.sgd(0.2, momentum=0.5), kinds=["bias"])
GROUPED = Chain.of(lrw.optimizers.sgd(0.05), groups=[HEAD, BIASES])


def test_frozen_groups_stay_as_they_are_until_they_are_thawed():
    t = trainer(GROUPED)
    t.step(10)
    before = t.params
    t.freeze("head", "biases")
    t.step(10)
    frozen = t.params
    np.testing.assert_array_equal(frozen["w2"], before["w2"])
    np.testing.assert_array_equal(frozen["b1"], before["b1"])
    assert (frozen["w1"] != before["w1"]).all()
    assert t.held("head/multiplier") == t.held("biases/sgd.learning_rate") == 0.0
    t.thaw("head")
    t.step(10)
    assert (t.params["w2"] != before["w2"]).all()
    np.testing.assert_array_equal(t.params["b1"], before["b1"])
    t.undo()
    t.undo()
    ended(t)
    assert (t.params["b1"] != before["b1"]).all()
    np.testing.assert_array_equal(
        t.history["head/multiplier"], np.repeat([0.5, 0.0, 0.5], [10, 10, 40])
    )
    np.testing.assert_array_equal(
        t.history["biases/sgd.learning_rate"], np.repeat(np.float32([0.2, 0, 0.2]), [10, 20, 30])
    )
    freezing = [e for e in t.journal if e.command == "freeze"]
    assert [e.address for e in freezing] == ["head/scale.step_size", "biases/sgd.learning_rate"]
    assert freezing[0].call == freezing[1].call


def test_freezing_twice_or_thawing_what_is_not_frozen_does_nothing():
    t = trainer(GROUPED)
    t.thaw("head")
    t.freeze("head")
    t.freeze("head")
    assert [e.command for e in t.journal] == ["freeze"]
    with pytest.raises(ValueError, match="nobody"):
        t.freeze("nobody")


def test_a_group_without_anything_to_be_frozen_by_is_told():
    t = trainer(GROUPED, live=["learning_rate"])
    with pytest.raises(ValueError, match="head must have a live multiplier"):
        t.freeze("head")


# ---- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "no such hyperparameter": lambda t: t.nudge(nothing=0.1),
    "an amount that is none": lambda t: t.nudge(learning_rate=float("nan")),
    "below zero": lambda t: t.nudge(learning_rate=-1.0),
    "out of range": lambda t: t.nudge(momentum=0.5),
    "half of it out of range": lambda t: t.set(learning_rate=0.3, momentum=1.0),
    "to zero by a factor": lambda t: t.nudge(learning_rate=-float(COSINE(20))),
    "a warmup of no steps": lambda t: t.restart_warmup(0),
    "a warmup from below": lambda t: t.restart_warmup(3, -0.1),
    "in the past": lambda t: t.set(learning_rate=0.1, at=19),
    "after the end": lambda t: t.set(learning_rate=0.1, at=STEPS),
    "a step that is none": lambda t: t.set(learning_rate=0.1, at=2.5),
    "ahead, and wrong": lambda t: t.set(momentum=1.0, at=30),
    "ahead, which undo is not": lambda t: t.submit(Undo(at=30)).result(),
    "nothing to undo": lambda t: t.undo(),
    "nothing that waits": lambda t: t.cancel(0),
    "too long": lambda t: t.extend(2**31 - 1),
    "before it was": lambda t: t.rewind(21),
    "a fork from what is to come": lambda t: t.fork(21),
    "somebody else's fork": lambda t: t.take(t),
    "one candidate": lambda t: t.fan([0.1], 5),
    "a candidate that is none": lambda t: t.fan([0.1, -0.1], 5),
    "a candidate in two ways": lambda t: t.fan([{"scale": 2.0, "set": 1.0}, 0.1], 5),
    "no group": lambda t: t.freeze(),
    "no name": lambda t: t.rename(" "),
}


@pytest.fixture(scope="module")
def resting():
    t = trainer()
    t.step(20)
    return t


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_changes_nothing(resting, what):
    t = resting
    before = (t.journal, t.scheduled, t.steps, t.batch_sizes, t.effective_chain(), t.state, t.forks)
    with pytest.raises((ValueError, TypeError)):
        REFUSED[what](t)
    after = (t.journal, t.scheduled, t.steps, t.batch_sizes, t.effective_chain(), t.state, t.forks)
    assert before == after
    assert (t.position, len(t.history), t.name) == (20, 20, "run")


def test_what_is_refused_only_at_its_step_is_said_there(caplog):
    t = trainer()
    t.scale(momentum=1.05, at=20)
    t.set(momentum=0.99)
    ended(t)
    assert "the scale for step 20 was refused" in caplog.text
    [entry] = [e for e in t.journal if e.command == "refused"]
    assert entry.step == 20
    assert (t.history.momentum == np.float32(0.99)).all()
    t.rewind(10)
    assert len(t.scheduled) == 1


def test_a_number_is_cancelled_once():
    t = trainer()
    t.set(learning_rate=0.01, at=30)
    [(number, _, _)] = t.scheduled
    t.cancel(number)
    with pytest.raises(ValueError, match=rf"number must be .* waits \(none\), got {number}"):
        t.cancel(number)


def test_commands_from_a_running_run_are_felt_at_the_step_that_is_told():
    with endless(chain=GROUPED) as t:
        for command in (
            Nudge(amounts={"all/sgd.learning_rate": 0.01}),
            Freeze(groups=("head",)),
            Thaw(groups=("head",)),
            SetBatchSize(batch_size=16),
            Set(values={"all/sgd.learning_rate": 0.001}, at=None),
        ):
            step = t.submit(command).result()
            wait_for_step(t, step + 20)
        t.pause()
        assert t.history.learning_rate[step] == np.float32(0.001)
        assert t.history.learning_rate[step - 1] == np.float32(0.06)

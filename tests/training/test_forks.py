"""Going on in more than one way: forks and fans, and what is left of the run that they are from."""

from __future__ import annotations

import functools
import json
import threading

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import Journal, Keep, Set
from lrwidget.training._arrays import copied
from tests.training import models
from tests.training.running import TIMEOUT, endless, shared, wait_for_step

STEPS = 60
COSINE = lrw.schedules.preset("cosine", peak_value=0.05, steps=STEPS)
CHAIN = models.sgd(COSINE, momentum=0.9)
HUGE = 3e38


def trainer(task=None, **more):
    return lrw.Trainer(task or shared(), CHAIN, **{"steps": STEPS, **more})


def carry(t):
    return t._loop.ask(copied)


def columns(t):
    return {name: t.history[name].copy() for name in t.history.names}


def assert_columns(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def assert_same(a, b):
    models.assert_equal(carry(a), carry(b))
    assert_columns(columns(a), columns(b))


def finish(t):
    if t.state == "idle":
        t.start()
    else:
        t.resume()
    assert t.wait(TIMEOUT)
    return t


def bent(at, rate=0.02, **more):
    """Return a run, ended, that was given another rate before a step."""
    t = trainer(**more)
    if at:
        t.step(at)
    t.set(learning_rate=rate)
    return finish(t)


@functools.cache
def plain():
    return finish(trainer())


# ---- forks ---------------------------------------------------------------------------------------


def test_a_fork_goes_on_by_itself():
    t = trainer()
    t.step(20)
    at_rest, so_far = carry(t), columns(t)
    fork = t.fork(name="hot", learning_rate=0.02)
    assert (fork.state, fork.position, fork.origin, fork.fork_step) == ("idle", 20, 20, 20)
    assert (fork.name, fork.id, fork.parent, t.forks) == ("hot", "fork-1", t, (fork,))
    assert_columns(columns(fork), so_far)
    models.assert_equal(carry(fork), at_rest)
    assert_same(finish(fork), bent(20))
    # The run that it is from knows nothing of it.
    models.assert_equal(carry(t), at_rest)
    assert_columns(columns(t), so_far)
    assert_same(finish(t), plain())
    assert [e.command for e in t.journal] == ["step", "fork", "resume"]
    assert t.journal[1].arguments == {"name": "hot"}
    assert [e.command for e in fork.journal] == ["set"]


def test_a_fork_from_an_earlier_step_has_the_plans_of_then():
    t = trainer()
    t.step(10)
    t.scale(learning_rate=0.5)
    t.step(20)
    t.scale(learning_rate=3.0)
    t.set(learning_rate=0.1, at=50)
    fork = t.fork(15)
    assert fork.scheduled == ()
    assert fork.plan()(40) == COSINE(40) / 2
    other = trainer()
    other.step(10)
    other.scale(learning_rate=0.5)
    assert_same(finish(fork), finish(other))
    before = t.fork(10)  # on arriving there, nothing had been changed
    assert_same(finish(before), plain())


def test_a_fork_of_now_keeps_what_was_given_at_this_step():
    t = trainer()
    t.step(20)
    t.set(learning_rate=0.02)
    fork = t.fork()
    fork.step(5)
    fork.scale(learning_rate=2.0)
    fork.rewind(20)
    assert fork.held() == 0.02
    assert_same(finish(fork), bent(20))
    t.rewind(20)
    assert t.held() is None


def test_a_run_is_forked_while_it_runs():
    with endless() as t:
        wait_for_step(t, 100)
        now, then = t.fork(), t.fork(50)
        at = now.position
        wait_for_step(t, at + 100)
        then.step(at - 50)
        models.assert_equal(carry(now), carry(then))
        now.step(50)
        t.pause()
        np.testing.assert_array_equal(now.history.loss, t.history.loss[: at + 50])
        assert [f.name for f in t.forks] == ["fork 1", "fork 2"]


def test_a_diverged_run_is_saved_by_a_fork():
    t = trainer(snapshots=Keep(every=8))
    t.set(learning_rate=HUGE, at=30)
    t.start()
    with pytest.warns(RuntimeWarning, match="diverged"):
        t.wait()
    lost = columns(t)
    fork = t.fork(29)
    fork.cancel(fork.scheduled[0][0])
    assert_same(finish(fork), plain())
    assert t.state == "diverged"
    assert_columns(columns(t), lost)
    end = t.fork()
    assert end.position == t.position
    models.assert_equal(carry(end), carry(t))


def test_forks_of_forks():
    t = trainer()
    t.step(20)
    child = t.fork()
    child.step(10)
    child.set(learning_rate=0.02)
    grandchild = child.fork(learning_rate=0.04)
    other = child.fork(25)
    assert (grandchild.id, other.id) == ("fork-1-1", "fork-1-2")
    expected = trainer()
    expected.step(30)
    expected.set(learning_rate=0.04)
    assert_same(finish(grandchild), finish(expected))
    assert_same(finish(other), plain())
    assert_same(finish(child), bent(30))
    assert [len(f.forks) for f in (t, child, other)] == [1, 2, 0]
    tree = json.loads(t.journal.to_json())
    assert [f["header"]["name"] for f in tree["forks"][0]["forks"]] == ["fork 1", "fork 2"]


def test_the_run_goes_on_as_the_fork_that_it_takes():
    t = trainer()
    t.step(20)
    fork = t.fork(name="hot", learning_rate=0.02)
    t.scale(learning_rate=0.1)
    t.step(15)
    left = columns(t)
    fork.step(10)
    there = carry(fork)
    t.take(fork)
    assert (t.state, t.position, t.forks, fork.state) == ("paused", 30, (), "stopped")
    models.assert_equal(carry(t), there)
    [line] = t.lines
    assert line.start == 20
    np.testing.assert_array_equal(line.columns["loss"], left["loss"][20:])
    assert_same(finish(t), bent(20))
    assert {e.command: e.undone for e in t.journal}["scale"] is True
    [entry] = [e for e in t.journal if e.command == "take"]
    assert (entry.before, entry.after, entry.arguments["name"]) == (35, 20, "hot")
    t.rewind(25)
    assert t.held() == 0.02
    t.rewind(20)
    assert t.held() == 0.02  # the fork began with it
    t.rewind(19)
    assert t.held() is None
    assert_same(finish(t), plain())


def test_a_fork_is_taken_that_began_on_a_line_the_run_has_left():
    t = trainer()
    t.step(20)
    t.set(learning_rate=0.02)
    t.step(20)
    fork = t.fork()
    fork.step(5)
    t.rewind(10)
    t.set(learning_rate=0.001)
    t.step(40)
    t.take(fork)
    assert t.lines[-1].start == 10
    assert_same(finish(t), bent(20))
    t.rewind(15)
    assert_same(finish(t), plain())


@pytest.mark.parametrize("state", ["idle", "paused", "finished", "stopped", "diverged"])
def test_a_fork_is_taken_in_any_state_of_the_run(state):
    t = trainer()
    if state == "idle":
        fork = t.fork()
    else:
        t.step(20)
        fork = t.fork(0)
    fork.set(learning_rate=0.02)
    fork.step(30)
    if state == "stopped":
        t.stop()
    elif state == "finished":
        finish(t)
    elif state == "diverged":
        t.set(learning_rate=HUGE)
        t.resume()
        with pytest.warns(RuntimeWarning, match="diverged"):
            t.wait()
    assert t.state == state
    t.take(fork)
    assert (t.state, t.position, t.error) == ("paused", 30, None)
    assert_same(finish(t), bent(0))


@pytest.mark.parametrize("end", ["idle", "running", "finished", "diverged"])
def test_a_fork_is_taken_in_any_state_of_its_own(end):
    t = trainer()
    t.step(20)
    fork = t.fork()
    if end == "running":
        fork.extend(2**20)
        fork.start()
        wait_for_step(fork, 40)
    elif end == "finished":
        finish(fork)
    elif end == "diverged":
        fork.set(learning_rate=HUGE)
        fork.start()
        with pytest.warns(RuntimeWarning, match="diverged"):
            fork.wait()
    t.take(fork)
    assert t.state == "paused"
    assert t.position == len(t.history) >= 20
    t.rewind(19)
    t.step(11)
    np.testing.assert_array_equal(t.history.loss, plain().history.loss[:30])


def test_a_fork_that_is_dropped_ends():
    with endless() as t:
        fork = t.fork()
        fork.start()
        wait_for_step(fork, fork.origin + 10)
        t.drop(fork)
        assert fork.state == "stopped"
        assert t.forks == ()
        with pytest.raises(ValueError, match="one of this run's forks"):
            t.drop(fork)
        assert t.fork().name == "fork 2"


def test_names():
    t = trainer(name="digits")
    fork = t.fork(name=" lower ")
    seen = []
    fork.subscribe(lambda f: seen.append(f.name))
    assert (t.name, fork.name) == ("digits", "lower")
    fork.rename("higher")
    assert seen == ["higher"]
    for name in ("", "  ", "x" * 61, "two\nlines", 3):
        with pytest.raises(ValueError, match="name must be text of 1 to 60 characters"):
            fork.rename(name)


def test_the_module_keeps_the_weights_of_the_run_itself():
    task = models.task("nnx")
    t = trainer(task)
    t.step(20)
    mine = copied(task.adapter.current())
    fork = t.fork(learning_rate=0.02)
    finish(fork)
    models.assert_equal(copied(task.adapter.current()), mine)
    assert fork.model is not t.model
    x, _ = models.data()
    assert (np.asarray(fork.model.inner(x)) != np.asarray(t.model.inner(x))).any()
    t.take(fork)
    models.assert_equal(task.adapter.current()[0], t.params)


def test_a_run_that_starts_elsewhere_is_forked_from_its_start():
    first = trainer()
    first.step(10)
    t = trainer(start=first)
    t.step(20)
    assert_same(finish(t.fork(5)), finish(trainer(start=first)))


def test_a_fork_is_replayed_with_its_run():
    t = trainer()
    t.step(20)
    fork = t.fork(name="hot", learning_rate=0.02)
    fork.step(5)
    grandchild = fork.fork(22, learning_rate=0.01)
    grandchild.step(6)
    journal = Journal.from_json(t.journal.to_json())
    again = lrw.replay(journal, shared())
    assert_same(again, t)
    [other] = again.forks
    assert_same(other, fork)
    assert_same(other.forks[0], grandchild)
    assert (other.name, other.fork_step, other.forks[0].id) == ("hot", 20, "fork-1-1")
    assert again.fork().id == "fork-2"


# ---- fans ----------------------------------------------------------------------------------------

CANDIDATES = [0.001, 0.02, {"scale": 4.0}, lrw.schedules.linear(0.04, 30, end_value=0.01)]


def at_twenty(**more):
    t = trainer(**more)
    t.step(20)
    return t


def alone(candidate, steps=20):
    t = at_twenty()
    if isinstance(candidate, dict):
        t.scale(learning_rate=candidate["scale"])
    else:
        t.set(learning_rate=candidate)
    t.step(steps)
    return t


@pytest.fixture(scope="module")
def ways():
    return [alone(candidate) for candidate in CANDIDATES]


@pytest.fixture(scope="module", params=[False, True], ids=["in turn", "together"])
def fan(request):
    t = at_twenty()

    def found():
        return t.state, t.position, carry(t), columns(t), t.journal

    before = found()
    fan = t.fan(CANDIDATES, 20, together=request.param)
    assert fan.wait(TIMEOUT)
    # Both as they are now: what is taken below changes them.
    told = (fan.state, fan.done, fan.step, fan.steps, fan.error)
    return t, fan, told, (before, found()), request.param


def test_a_fan_tells_what_each_way_comes_to(fan, ways):
    _, fan, told, _, together = fan
    assert told == ("done", 1.0, 20, 20, None)
    assert (fan.address, fan.diverged) == ("sgd.learning_rate", (False,) * 4)
    assert fan.labels == ("0.001", "0.02", "×4", "curve to 0.01")
    expected = np.stack([way.history.loss[20:] for way in ways])
    if together:  # a batched computation may round otherwise
        np.testing.assert_allclose(fan.losses, expected, rtol=1e-4)
    else:
        np.testing.assert_array_equal(fan.losses, expected)
    np.testing.assert_allclose(fan.ends, fan.losses[:, -4:].mean(axis=1), rtol=1e-6)
    assert fan.best == int(np.argmin(expected[:, -4:].mean(axis=1)))


def test_a_fan_leaves_the_run_as_it_is(fan):
    t, fan, _, (before, after), _ = fan
    assert after[:2] == before[:2] == ("paused", 20)
    models.assert_equal(after[2], before[2])
    assert_columns(after[3], before[3])
    assert after[4] == before[4]
    assert t.newest_fan is fan


def test_what_is_taken_is_the_edit_without_a_fan(fan, ways):
    t, fan, *_ = fan
    for index in (2, 1, None):  # another one may be taken, also after some steps
        fan.take(index)
        assert (t.state, t.position) == ("paused", 20)
        t.step(20)
        assert_same(t, ways[fan.best if index is None else index])
    t.rewind(20)
    fan.take(3)
    t.step(20)
    assert_same(t, ways[3])


def test_a_fan_of_a_line_that_was_left_is_taken():
    t = at_twenty()
    t.set(momentum=0.5)
    fan = t.fan([0.001, 0.02], 5)
    fan.wait(TIMEOUT)
    t.rewind(10)
    t.set(momentum=0.1)
    t.step(3)
    fan.take(1)
    assert t.position == 20
    t.step(20)
    expected = at_twenty()
    expected.set(momentum=0.5)
    expected.set(learning_rate=0.02)
    expected.step(20)
    assert_same(t, expected)
    replayed = lrw.replay(Journal.from_json(t.journal.to_json()), shared())
    assert_same(replayed, t)


def test_a_running_run_is_paused_for_a_fan():
    with endless() as t:
        fan = t.fan([0.001, 0.02], 30, address="learning_rate")
        assert t.state == "paused"
        assert fan.wait(TIMEOUT)
        at = t.position
        fan.take(0)
        t.step(30)
        np.testing.assert_array_equal(t.history.loss[at:], fan.losses[0])


@pytest.mark.parametrize("together", [False, True])
def test_candidates_that_diverge_are_never_the_best(together):
    t = at_twenty()
    fan = t.fan([HUGE, 0.02], 20, together=together)
    assert fan.wait(TIMEOUT)
    assert fan.diverged == (True, False)
    assert (fan.ends[0], fan.best, fan.done) == (np.inf, 1, 1.0)
    both = t.fan([HUGE, HUGE / 2], 20, together=together)
    assert both.wait(TIMEOUT)
    assert both.best is None
    with pytest.raises(ValueError, match="give the index of one"):
        both.take()


def test_a_fan_is_stopped():
    t = at_twenty(steps=10**6)
    begun, go_on = threading.Event(), threading.Event()

    def hold(_):
        if threading.current_thread().name == "lrwidget-fan":
            begun.set()
            assert go_on.wait(TIMEOUT)

    t.subscribe(hold)
    fan = t.fan([0.001, 0.02], 10**5)
    assert begun.wait(TIMEOUT)
    fan.stop()
    go_on.set()
    assert fan.wait(TIMEOUT)
    assert (fan.state, fan.best) == ("stopped", None)
    assert 0 < fan.done < 1
    fan.take(1)
    assert t.held() == 0.02


def test_a_fan_says_what_went_wrong():
    def broken(epoch):
        for batch in range(8):
            if epoch * 8 + batch > 25:
                raise OSError("no more")
            yield tuple(x[batch : batch + 8] for x in models.data())

    t = trainer(models.task(train=broken, batch_size=None))
    t.step(20)
    fan = t.fan([0.001, 0.02], 20)
    assert fan.wait(TIMEOUT)
    assert (fan.state, fan.error, fan.best) == ("failed", "OSError: no more", None)
    assert t.state == "paused"


def test_a_fan_over_another_batch_size_and_what_waits():
    t = at_twenty()
    t.set_batch_size(16)
    t.set(momentum=0.5, at=30)
    fan = t.fan([0.001, 0.02], 20, together=True)
    assert fan.wait(TIMEOUT)
    fan.take(1)
    t.step(20)
    np.testing.assert_allclose(fan.losses[1], t.history.loss[20:], rtol=1e-5)


@pytest.mark.parametrize(
    ("candidates", "steps", "more", "match"),
    [
        ([0.1], 5, {}, "a list of 2 to 64"),
        ([0.1] * 65, 5, {}, "a list of 2 to 64"),
        ("0.1, 0.2", 5, {}, "a list of 2 to 64"),
        ([0.1, float("nan")], 5, {}, "a candidate must be a finite number"),
        ([0.1, {"set": 2.0}], 5, {}, "'scale': factor"),
        ([0.1, {"scale": 0.0}], 5, {}, "factor of sgd.learning_rate must be"),
        ([0.1, 0.2], 0, {}, "steps must be a whole number >= 1"),
        ([0.1, 0.2], 5, {"address": "nothing"}, "nothing"),
        ([0.1, 2.0], 5, {"address": "momentum"}, "momentum must be"),
    ],
)
def test_fans_that_cannot_be_are_refused(candidates, steps, more, match):
    t = trainer()
    with pytest.raises(ValueError, match=match):
        t.fan(candidates, steps, **more)
    assert t.newest_fan is None


def test_a_fan_of_an_idle_run():
    t = trainer()
    fan = t.fan([0.001, 0.02], 10)
    assert fan.wait(TIMEOUT)
    fan.take(1)
    assert t.state == "idle"
    assert t.submit(Set(values={"momentum": 0.9})).result() == 0
    finish(t)
    assert_same(t, bent(0))

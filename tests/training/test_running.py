"""Starting, pausing, stepping, stopping: what a run does when it is told to."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
import types

import jax
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import Extend, Pause, Resume, Set, SetPace, Stop
from lrwidget.training._kernel import warn_if_deaf
from tests.training import models
from tests.training.running import TIMEOUT, endless, shared, wait_for, wait_for_step

SCHEDULE = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=60)


def trainer(**more):
    return lrw.Trainer(shared(), models.sgd(SCHEDULE, momentum=0.9), **more)


@pytest.fixture(scope="module")
def plain():
    """An uninterrupted run."""
    t = trainer()
    t.run_sync()
    return t


def assert_same_run(a, b):
    np.testing.assert_array_equal(a.history.loss, b.history.loss)
    models.assert_equal(a.params, b.params)
    models.assert_equal(a.opt_state, b.opt_state)


def test_a_run_goes_through_its_states():
    t = trainer()
    states = [t.state]
    t.subscribe(lambda t: states.append(t.state))
    with t._loop.changed:  # the next state comes when this one has been told
        t.start()
    assert t.wait(TIMEOUT)
    assert list(dict.fromkeys(states)) == ["idle", "compiling", "running", "finished"]
    assert t.position == t.steps == len(t.history) == 60
    assert t.seconds_left == 0.0
    assert t.error is None


def test_a_pause_changes_no_number(plain):
    t = trainer()
    t.step(13)
    assert (t.state, t.position) == ("paused", 13)
    t.step()
    assert t.position == 14
    t.resume()
    assert t.wait(TIMEOUT)
    assert_same_run(t, plain)


@pytest.mark.parametrize("length", [1, 7, 60])
def test_the_length_of_chunks_changes_no_number(plain, length, monkeypatch):
    monkeypatch.setattr(shared().runner(plain.chain), "usual_chunk", length)
    monkeypatch.setattr("lrwidget.training._tempo.Tempo.limit", length)
    t = trainer()
    t.run_sync()
    assert_same_run(t, plain)


def test_steps_by_hand_change_no_number(plain):
    task = models.task()
    t = lrw.Trainer(task, plain.chain)
    runner = task.runner(plain.chain, dispatch="step")
    t._loop.runner_of = lambda _: runner
    t.run_sync()
    assert runner.dispatch == "step"
    assert runner.traces == 1
    np.testing.assert_array_equal(t.history.loss, plain.history.loss)
    models.assert_equal(t.params, plain.params)


def test_pace_limits_the_steps_and_changes_no_number(plain):
    t = trainer(pace=400)
    began = time.monotonic()
    t.run_sync()
    # A chunk of 0.05 s goes at once.
    assert time.monotonic() - began >= (60 - 20) / 400
    assert_same_run(t, plain)
    assert t.pace == 400


def test_a_pause_comes_within_two_chunks(monkeypatch):
    monkeypatch.setattr("lrwidget.training._tempo.Tempo.limit", 100)
    with endless() as t:
        for _ in range(10):
            asked = []

            def ask(t, asked=asked, goal=t.position + 1000):
                if t.position >= goal and not asked:
                    asked.append(t.position)
                    t.submit(Pause())

            unsubscribe = t.subscribe(ask)
            wait_for(t, lambda: t.state == "paused")
            unsubscribe()
            # Two chunks may be in flight that are not read, and one may be handed out meanwhile.
            assert t.position <= asked[0] + 400
            assert t.position == len(t.history)
            t.resume()


def test_a_slow_pace_hears_commands_at_once():
    with endless(pace=0.001) as t:
        assert t.position == 1
        t.set(learning_rate=0.5)
        t.pause()
        assert t.position == 1
        t.resume()
        wait_for_step(t, 2)
        t.set_pace(None)
        wait_for_step(t, 200)
        assert t.pace is None


def test_the_last_step_ends_the_run():
    t = trainer()
    t.step(60)
    assert t.state == "finished"
    assert [e.command for e in t.journal] == ["step"]


def test_a_paused_run_can_be_extended_at_its_end():
    t = trainer()
    t.step(59)
    t.extend(5)
    assert t.steps == 65
    t.resume()
    t.wait()
    assert len(t.history) == 65
    np.testing.assert_array_equal(t.history.learning_rate[60:], np.float32(SCHEDULE(60)))


def test_stop_ends_the_run_where_it_is():
    with endless() as t:
        t.stop()
        assert t.state == "stopped"
        assert t.position == len(t.history) == t.journal[-1].step
        assert t.journal[-1].command == "stop"
        t.stop()
        assert t.wait()
        with pytest.raises(ValueError, match=r"pause needs a run that goes on, .* is stopped"):
            t.pause()


def test_wait_gives_up_after_its_timeout():
    with endless() as t:
        assert t.wait(0.01) is False
        assert t.state == "running"


def test_a_run_starts_once():
    t = trainer()
    with pytest.raises(ValueError, match="wait needs a run that has started"):
        t.wait()
    t.run_sync()
    with pytest.raises(ValueError, match="a run starts once, and this one is finished"):
        t.start()


def test_commands_need_a_run_that_goes_on():
    t = trainer()
    for name in ("pause", "resume", "stop"):
        with pytest.raises(ValueError, match=f"{name} needs a run that has started"):
            getattr(t, name)()
    assert t.state == "idle"


def test_submit_never_waits_and_tells_the_step():
    with endless() as t:
        value = t.submit(Set(values={"learning_rate": 0.25}, source="widget"))
        step = value.result(TIMEOUT)
        wait_for_step(t, step + 1)
        rates = t.history.learning_rate
        assert rates[step] == np.float32(0.25)
        assert rates[step - 1] == np.float32(0.01)
        paused = t.submit(Pause()).result(TIMEOUT)
        assert t.state == "paused"
        assert paused == t.position
        assert t.submit(Pause()).result(TIMEOUT) == paused
        assert t.submit(Resume()).result(TIMEOUT) == paused
        assert t.submit(Stop()).result(TIMEOUT) == t.position
        with pytest.raises(ValueError, match="extend needs a run that goes on"):
            t.submit(Extend(steps=3)).result(TIMEOUT)
        with pytest.raises(TypeError, match="command must be one of"):
            t.submit("pause")


def test_a_refused_command_leaves_the_run_alive():
    with endless() as t:
        before = t.journal
        for refused in (
            lambda: t.set(learning_rate=-1.0),
            lambda: t.set(learning_rate=float("nan")),
            lambda: t.set(nothing=1.0),
            lambda: t.scale(learning_rate=0.0),
        ):
            with pytest.raises(ValueError, match=r"must be|one of"):
                refused()
        wait_for_step(t, t.position + 1)
        assert t.state == "running"
        assert t.journal == before


def test_subscribers_cannot_harm_the_run(caplog):
    t = trainer()
    seen = []

    def harmful(_):
        raise RuntimeError("a subscriber's own fault")

    def busy(t):
        if t.state == "running" and not seen:
            seen.append(threading.current_thread().name)
            t.set(learning_rate=0.5)
            t.pause()
            with pytest.raises(ValueError, match="cannot be called by a subscriber"):
                t.wait()
            jax.block_until_ready(t.params)

    t.subscribe(harmful)
    unsubscribe = t.subscribe(busy)
    with t._loop.changed:  # of its beginning this thread tells, of the rest the run's own
        t.start()
    wait_for(t, lambda: t.state == "paused")
    unsubscribe()
    unsubscribe()
    t.resume()
    t.wait(TIMEOUT)
    assert t.state == "finished"
    assert seen == ["lrwidget-trainer"]
    assert "a subscriber's own fault" in caplog.text


def test_live_trainers_are_those_that_run():
    t = trainer()
    assert t not in lrw.Trainer.live_trainers
    t.step(3)
    assert t in lrw.Trainer.live_trainers
    t.stop()
    assert t not in lrw.Trainer.live_trainers


def test_speed_and_time_left_become_known():
    with endless() as t:
        wait_for(t, lambda: t.steps_per_second)
        t.pause()  # what is known changes with each chunk
        assert t.seconds_left == pytest.approx((t.steps - t.position) / t.steps_per_second)


# ---- when things go wrong ------------------------------------------------------------------------


def failing_batches(count):
    x, y = models.data()

    def batches():
        for _ in range(count):
            yield x[:8], y[:8]
        raise OSError("the disk is gone")

    return batches


def test_an_error_of_the_data_ends_the_run_and_reaches_who_waits():
    task = models.task(train=failing_batches(20), batch_size=None)
    t = lrw.Trainer(task, models.sgd(), steps=100)
    with pytest.raises(OSError, match="the disk is gone") as caught:
        t.run_sync()
    assert t.state == "failed"
    assert len(t.history) == t.position > 0
    assert t.error == "OSError: the disk is gone"
    assert "in batches" in t.traceback
    assert "on the trainer's thread, at step" in caught.value.__notes__[0]
    assert np.isfinite(t.params["w1"]).all()
    with pytest.raises(ValueError, match="set needs a run that goes on, and this one is failed"):
        t.set(learning_rate=1.0)


def test_a_loss_that_is_not_finite_ends_the_run():
    t = lrw.Trainer(shared(), models.sgd(3e38), steps=500)
    with pytest.warns(RuntimeWarning, match="the run diverged: the loss was .* at step"):
        t.run_sync()
    assert t.state == "diverged"
    bad = t.position - 1
    assert len(t.history) == t.position
    assert np.isfinite(t.history.loss[:bad]).all()
    assert not np.isfinite(t.history.loss[bad])
    assert f"at step {bad}, where sgd.learning_rate was 3e+38: rewind to before that" in t.error
    t = lrw.Trainer(shared(), models.sgd(3e38), steps=500)
    t.step(500)
    assert t.state == "diverged"


@pytest.fixture
def interruptible():
    """Python's own answer to an interrupt: where tests run in the background, the shell bars it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_stops_the_run_and_goes_on(monkeypatch):
    t = lrw.Trainer(shared(), models.sgd(), steps=2**30)
    main = threading.main_thread()
    waiting, once, wait_for = threading.Event(), iter([True]), t._loop.changed.wait_for

    def waits(*arguments):
        if threading.current_thread() is main:
            waiting.set()
        return wait_for(*arguments)

    def interrupt(t):
        if waiting.is_set() and t.position > 10 and next(once, False):
            signal.pthread_kill(main.ident, signal.SIGINT)

    monkeypatch.setattr(t._loop.changed, "wait_for", waits)
    t.subscribe(interrupt)
    with pytest.raises(KeyboardInterrupt):
        t.run_sync()
    assert t.state == "stopped"
    assert np.isfinite(t.params["w1"]).all()


# ---- in a cell that awaits -----------------------------------------------------------------------


def test_awaiting_a_run_leaves_the_event_loop_free(plain):
    t = trainer(pace=5)
    ticks = []

    async def tick():
        while t.state not in ("finished", "failed"):
            ticks.append(t.position)
            if len(set(ticks)) == 3:
                t.submit(SetPace(steps_per_second=None))  # the rest need not be watched
            await asyncio.sleep(0.005)

    async def cell():
        await asyncio.gather(t.run(), tick())

    asyncio.run(cell())
    assert len(set(ticks)) > 2
    assert_same_run(t, plain)


def test_cancelling_an_awaited_run_stops_it():
    t = lrw.Trainer(shared(), models.sgd(), steps=2**30)

    async def cell():
        running = asyncio.create_task(t.run())
        await asyncio.to_thread(wait_for_step, t, 5)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cell())
    assert t.state == "stopped"
    with pytest.raises(ValueError, match="this run is stopped: make a new Trainer"):
        asyncio.run(t.run())


def test_awaiting_raises_what_the_run_failed_of():
    task = models.task(train=failing_batches(5), batch_size=None)
    with pytest.raises(OSError, match="the disk is gone"):
        asyncio.run(lrw.Trainer(task, models.sgd(), steps=100).run())


@pytest.mark.parametrize(("version", "warns"), [((6, 31), True), ((7, 3), True), ((7, 4), False)])
def test_an_old_kernel_gets_a_warning(version, warns, monkeypatch, recwarn):
    text = ".".join(map(str, version))
    kernel = types.SimpleNamespace(version_info=(*version, 0), __version__=f"{text}.0")
    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "ipykernel", kernel)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    warn_if_deaf.cache_clear()
    if warns:
        with pytest.warns(RuntimeWarning, match=f"ipykernel {text}.0 may deliver no clicks"):
            asyncio.run(trainer().run())
    asyncio.run(trainer().run())
    assert not recwarn.list
    warn_if_deaf.cache_clear()

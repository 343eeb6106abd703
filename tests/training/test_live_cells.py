"""A person's own loop in a cell: in the person's own thread, or awaiting; and its losses."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training import LoopStopped, Pause, Resume, Set, Step, Stop
from tests.training.live_controls import CURVE, STEPS, control, state_of
from tests.training.running import TIMEOUT

# ---- in the person's own thread ----------------------------------------------------------------


def test_a_loop_of_its_own_ends_where_it_looks():
    live = control()
    state = state_of(live)
    for step in range(STEPS):
        state = live.update(state, step, loss=1.0)
        if step == 30:
            live.stop()
        if live.stopped:
            break
    assert step == 30
    assert (live.state, live.position) == ("stopped", 31)
    assert live.journal[-1].command == "stop"


def test_a_loop_that_goes_on_after_a_stop_is_told():
    live = control()
    state = state_of(live)

    def train():
        nonlocal state
        for step in range(STEPS):
            state = live.update(state, step, loss=1.0)
            if step == 30:
                live.submit(Stop())

    with pytest.raises(LoopStopped, match=r"stopped .* live.range\(\) or breaks when live.stopped"):
        train()
    # The step that was taken nevertheless is in the weights, and so in the history.
    assert live.position == len(live.history) == 32
    assert not issubclass(LoopStopped, Exception)


def test_a_loop_longer_than_the_run_is_told():
    live = control()
    state = state_of(live)
    for step in range(STEPS):
        state = live.update(state, step, loss=1.0)
    assert live.state == "finished"
    assert live.stopped
    with pytest.raises(LoopStopped, match=r"60 steps are over: .* give LiveControl more steps"):
        live.update(state, STEPS, loss=1.0)


def test_another_thread_pauses_a_plain_loop():
    live = control()
    rested = threading.Event()
    live.subscribe(lambda live: rested.set() if live.state == "paused" else None)

    def click():
        live.submit(Pause()).result(TIMEOUT)
        live.submit(Set(values={"learning_rate": 0.5})).result(TIMEOUT)
        live.submit(Step(steps=2)).result(TIMEOUT)
        live._loop.wait_until(lambda: live.state == "paused" and live.position > 2)
        live.submit(Resume()).result(TIMEOUT)

    clicking = threading.Thread(target=click)
    state = state_of(live)
    for step in range(STEPS):
        if step == 1:
            clicking.start()
            while not live._loop._queue:
                clicking.join(0.001)
        state = live.update(state, step, loss=1.0)
    clicking.join(TIMEOUT)
    assert rested.is_set()
    assert live.state == "finished"
    assert {e.command for e in live.journal} <= {"pause", "set", "step", "resume"}


def test_an_interrupt_at_a_pause_stops_the_run(monkeypatch):
    live = control()
    state = live.update(state_of(live), 0, loss=1.0)

    def interrupted(*_):
        raise KeyboardInterrupt

    live.submit(Pause())
    monkeypatch.setattr(live._loop.changed, "wait_for", interrupted)
    with pytest.raises(KeyboardInterrupt):
        live.update(state, 1, loss=1.0)
    assert live.state == "stopped"


def test_the_cell_that_runs_again_begins_a_new_run():
    live = control()

    def cell(stop_at):
        state = state_of(live)
        rate = float(state.hyperparams["learning_rate"])
        for step in range(STEPS):
            state = live.update(state, step, loss=float(step))
            if step == stop_at:
                return rate
        return rate

    assert cell(None) == CURVE(0)
    assert live.state == "finished"
    live_history = live.history
    assert cell(20) == CURVE(0)  # the first row of the run that comes, not the last of the one past
    assert live.history is not live_history
    assert len(live.history) == 21
    with pytest.warns(RuntimeWarning, match=r"step went from 20 back to 0.* epoch \* steps_per_ep"):
        assert cell(None) == CURVE(0)
    np.testing.assert_array_equal(live.history.learning_rate, np.float32(CURVE(np.arange(STEPS))))


def test_a_loop_may_begin_at_a_later_step():
    live = control()
    state = state_of(live)
    state = live.begin(state, 40)
    assert float(state.hyperparams["learning_rate"]) == np.float32(CURVE(40))
    for step in live.range(40):
        state = live.update(state, step, loss=1.0)
    np.testing.assert_array_equal(live.history.step, np.arange(40, STEPS))
    np.testing.assert_array_equal(
        live.history.learning_rate, np.float32(CURVE(np.arange(40, STEPS)))
    )
    assert live.state == "finished"


def test_a_state_that_was_left_over_is_recorded_as_it_was():
    live = control()
    state = state_of(live)
    for step in range(30):
        state = live.update(state, step, loss=1.0)
    live.stop()
    for step in range(5):
        state = live.update(state, step, loss=1.0)
    expected = np.float32(CURVE(np.arange(5)))
    expected[0] = np.float32(CURVE(30))
    np.testing.assert_array_equal(live.history.learning_rate, expected)
    # With `begin` the first step has its own rate.
    live.stop()
    state = live.begin(state)
    for step in range(5):
        state = live.update(state, step, loss=1.0)
    np.testing.assert_array_equal(live.history.learning_rate, np.float32(CURVE(np.arange(5))))


def test_an_edit_before_the_first_step_counts_from_the_step_that_feels_it():
    live = control()
    live.set(learning_rate=0.5)
    state = state_of(live)
    live.set(learning_rate=0.25)
    for step in range(3):
        state = live.update(state, step, loss=1.0)
    np.testing.assert_array_equal(live.history.learning_rate, np.float32([0.5, 0.25, 0.25]))
    assert [e.step for e in live.journal] == [0, 1]
    effective = live.effective_schedule()
    np.testing.assert_array_equal(effective(np.arange(3)), [0.5, 0.25, 0.25])


# ---- losses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threaded", [False, True])
def test_a_loss_that_is_not_finite_marks_the_run_at_its_step(threaded):
    live = control()
    state, last = state_of(live), []

    def train():
        nonlocal state
        for step in range(STEPS):
            last.append(step)
            state = live.update(state, step, loss=jnp.float32(np.nan if step == 17 else 1.0))

    if threaded:
        live.run(train)
        with pytest.warns(RuntimeWarning, match="the run diverged: the loss was nan at step 17"):
            live.wait(TIMEOUT)
    else:
        # It is read late: at the end of so short a run, if not before.
        with contextlib.suppress(LoopStopped):
            train()
        with pytest.raises(LoopStopped, match="the run diverged: the loss was nan at step 17"):
            live.update(state, STEPS, loss=1.0)
    assert live.state == "diverged"
    assert live.position == len(live.history) == 18
    assert live.error.startswith("the loss was nan at step 17, where sgd.learning_rate was 0.0")
    assert live.stopped


def test_losses_are_read_late_and_all_of_them():
    live = control(1000)
    state = state_of(live)
    for step in range(1000):
        state = live.update(state, step, loss=jnp.float32(step))
        assert len(live._loop._reports) <= max(34, 0.2 * (live.steps_per_second or 0))
    np.testing.assert_array_equal(live.history.loss, np.arange(1000))
    assert live.history.step.dtype == np.int64


def test_a_history_is_complete_on_the_loops_own_thread():
    live = control()
    state = state_of(live)
    for step in range(7):
        state = live.update(state, step, loss=jnp.float32(step), accuracy=0.5)
        assert len(live.history) == step + 1
    np.testing.assert_array_equal(live.history.accuracy, np.full(7, np.float32(0.5)))


def test_a_loop_without_losses_has_a_history_of_rates():
    live = control()
    state = state_of(live)
    for step in live.range():
        state = live.update(state, step)
    assert np.isnan(live.history.loss).all()
    assert live.state == "finished"


# ---- in an async cell --------------------------------------------------------------------------


def test_an_awaiting_loop_is_steered_from_its_own_thread():
    live = control()

    async def clicks():
        # Like a kernel's: on the loop's thread, while the loop awaits.
        begun = asyncio.Event()
        live.subscribe(lambda live: begun.set() if live.position >= 3 else None)
        await begun.wait()
        at = await asyncio.wrap_future(live.submit(Pause(source="widget")))
        await asyncio.sleep(0.01)
        assert (live.state, live.position) == ("paused", at)
        live.submit(Set(values={"learning_rate": 0.5}))
        live.submit(Resume())
        return at

    async def cell():
        clicking = asyncio.create_task(clicks())
        state = state_of(live)
        for step in live.range():
            state = await live.update_async(state, step, loss=jnp.float32(1.0))
            await asyncio.sleep(0.001)
        return await clicking

    at = asyncio.run(cell())
    assert live.state == "finished"
    assert live.history.learning_rate[at - 1] == np.float32(CURVE(at - 1))
    np.testing.assert_array_equal(live.history.learning_rate[at:], np.float32(0.5))


def test_a_cancelled_cell_stops_the_run():
    live = control()

    async def cell():
        state = state_of(live)
        for step in live.range():
            if step == 5:
                live.submit(Pause())
            state = await live.update_async(state, step, loss=1.0)

    async def main():
        task = asyncio.create_task(cell())
        paused = asyncio.Event()
        live.subscribe(lambda live: paused.set() if live.state == "paused" else None)
        await paused.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert live.state == "stopped"

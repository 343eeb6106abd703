"""A person's own loop on a thread: paused, stopped, extended and begun anew."""

from __future__ import annotations

import time

import numpy as np
import pytest

import lrwidget as lrw
from tests.training import models
from tests.training.live_controls import CURVE, ENDLESS, STEPS, control, quick, state_of
from tests.training.live_loops import plain
from tests.training.running import TIMEOUT, wait_for, wait_for_step


@pytest.fixture
def running():
    """A loop on a thread that goes on until it is stopped."""
    live = control(ENDLESS)
    live.run(quick(live, range(ENDLESS)))
    wait_for_step(live, 3)
    yield live
    if live.state not in ("stopped", "finished", "failed", "diverged"):
        live.stop()


# ---- on a thread -------------------------------------------------------------------------------


def test_a_loop_on_a_thread_goes_through_its_states():
    live = control()
    states = [live.state]
    live.subscribe(lambda live: states.append(live.state))
    done = []
    with live._loop.changed:  # the next state comes when this one has been told
        live.run(lambda: done.append(plain(live.to_optax(), live.range(), live.update)) or "result")
    assert live.wait(TIMEOUT)
    assert list(dict.fromkeys(states)) == ["idle", "compiling", "running", "finished"]
    assert live.result == "result"
    assert live.position == live.steps == len(live.history) == STEPS
    assert live.history.names[:3] == ("step", "loss", "accuracy")
    assert live.seconds_left == 0.0
    same = plain(live.chain.to_optax(), range(STEPS))
    np.testing.assert_allclose(live.history.loss, same.loss, rtol=1e-5)


def test_pause_resume_and_steps_by_hand(running):
    running.pause()
    assert running.state == "paused"
    at = running.position
    assert at == len(running.history)
    running.step(5)
    assert (running.state, running.position) == ("paused", at + 5)
    running.set(learning_rate=0.125)
    running.resume()
    wait_for_step(running, at + 10)
    running.pause()
    rates = running.history.learning_rate
    assert rates[at + 4] == np.float32(CURVE(at + 4))
    np.testing.assert_array_equal(rates[at + 5 :], np.float32(0.125))
    assert [e.command for e in running.journal] == ["pause", "step", "set", "resume", "pause"]
    assert running.journal[2].step == at + 5


def test_a_pause_changes_no_number():
    live = control()
    done = []
    live.run(lambda: done.append(plain(live.to_optax(), range(STEPS), live.update)), start=False)
    live.step(13)
    assert (live.state, live.position) == ("paused", 13)
    live.resume()
    live.wait(TIMEOUT)
    other = control()
    without = plain(other.to_optax(), range(STEPS), other.update)
    models.assert_equal(done[0].params, without.params)
    np.testing.assert_array_equal(live.history.loss, other.history.loss)


def test_stop_ends_a_loop_on_a_thread_cleanly(running):
    running.stop()
    assert running.state == "stopped"
    assert running.stopped
    assert running.error is None
    assert running.wait() is True
    assert running.position == len(running.history)
    assert running.journal[-1].command == "stop"
    with pytest.raises(ValueError, match=r"pause needs a run that goes on, .* is stopped"):
        running.pause()


def test_a_loop_that_looks_may_end_by_itself():
    live = control(ENDLESS)

    def train():
        state = state_of(live)
        for step in live.range():
            state = live.update(state, step, loss=1.0)
        return step + 1

    live.run(train)
    wait_for_step(live, 3)
    live.stop()
    assert live.result == live.position == len(live.history)


def test_what_a_loop_raises_is_kept_and_raised():
    live = control()

    def train():
        quick(live, range(7))()
        raise OSError("no more data")

    live.run(train)
    with pytest.raises(OSError, match="no more data"):
        live.wait(TIMEOUT)
    assert live.state == "failed"
    assert live.error == "OSError: no more data"
    assert "in train" in live.traceback
    assert live.position == 7


def test_a_loop_that_ends_early_is_finished():
    live = control()
    live.run(quick(live, range(7)))
    live.wait(TIMEOUT)
    assert (live.state, live.position, live.steps) == ("finished", 7, STEPS)


def test_a_second_loop_stops_the_first_and_begins_a_new_run(running):
    first = running.current
    first.set(learning_rate=0.5)
    running.run(quick(running, range(20)))
    running.wait(TIMEOUT)
    assert first.state == "stopped"
    assert first.journal[-1].command == "stop"
    assert running.state == "finished"
    assert running.journal == ()
    np.testing.assert_array_equal(running.history.step, np.arange(20))
    np.testing.assert_array_equal(running.history.learning_rate, np.float32(CURVE(np.arange(20))))


def test_start_calls_the_loop_again():
    live = control()
    with pytest.raises(ValueError, match=r"no loop is known .* live.run\(train_fn\)"):
        live.start()
    live.run(quick(live, range(9)), start=False)
    assert live.state == "idle"
    live.set(learning_rate=0.25)
    for count in (1, 2):
        live.start()
        live.wait(TIMEOUT)
        assert live.position == 9
        # What was set before the first run is not the second one's.
        assert live.history.learning_rate[5] == np.float32(0.25 if count == 1 else CURVE(5))


def test_no_other_loop_reports_meanwhile(running):
    with pytest.raises(ValueError, match=r"a loop of live\.run is under way"):
        running.update(state_of(running), 0, loss=1.0)


def test_steps_that_begin_again_with_each_epoch_are_refused():
    live = control()

    def train():
        state = state_of(live)
        for _ in range(2):
            for step in range(10):
                state = live.update(state, step, loss=1.0)

    live.run(train)
    with pytest.raises(ValueError, match=r"got 0 after 9: in epochs it is epoch \* steps_per_ep"):
        live.wait(TIMEOUT)


def test_pace_limits_the_steps():
    live = control(pace=400)
    began = time.monotonic()
    live.run(quick(live, range(STEPS)))
    live.wait(TIMEOUT)
    assert time.monotonic() - began >= (STEPS - 2) / 400
    assert live.pace == 400


def test_a_slow_pace_hears_commands_at_once():
    live = control(ENDLESS, pace=0.001)
    live.run(quick(live, range(ENDLESS)))
    wait_for_step(live, 1)
    live.set(learning_rate=0.5)
    live.pause()
    assert live.position == 1
    live.resume()
    wait_for_step(live, 2)
    live.set_pace(None)
    wait_for_step(live, 50)
    live.stop()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_commanded_the_history_is_what_was_applied(seed):
    rng = np.random.default_rng(seed)
    live = control(ENDLESS, pace=2000)
    live.run(quick(live, range(ENDLESS)))
    wait_for_step(live, 2)
    commands = [
        lambda: live.set(learning_rate=float(rng.uniform(0.001, 1))),
        lambda: live.set(learning_rate=CURVE, from_now=bool(rng.integers(2))),
        lambda: live.set({"sgd.momentum": float(rng.uniform(0, 0.9))}),
        lambda: live.scale(learning_rate=float(rng.uniform(0.5, 2))),
        lambda: live.release(),
        lambda: live.pause(),
        lambda: live.resume(),
        lambda: live.step(int(rng.integers(1, 5))),
        lambda: live.extend(int(rng.integers(1, 50))),
        lambda: live.set_pace(float(rng.integers(500, 5000))),
    ]
    for _ in range(60):
        commands[rng.integers(len(commands))]()
    live.pause()  # else it may be at its end before it is told to go on
    live.cooldown(20)
    live.resume()
    live.wait(TIMEOUT)
    assert live.state == "finished"
    steps = np.arange(live.position)
    np.testing.assert_array_equal(live.history.step, steps)
    for address in live.addresses:
        effective = np.float32(live.effective_schedule(address)(steps))
        np.testing.assert_array_equal(live.history[address], effective)


def test_extending_and_cooling_down_move_the_end_of_a_range():
    live = control()

    def train():
        state = state_of(live)
        for step in live.range():
            state = live.update(state, step, loss=1.0)

    live.run(train, start=False)
    live.step(50)
    live.extend(20)
    assert live.steps == STEPS + 20
    live.resume()
    live.wait(TIMEOUT)
    assert live.position == STEPS + 20
    live.run(train, start=False)
    live.run(train)
    live.wait(TIMEOUT)
    assert live.position == STEPS
    live.prepare(live.chain, ENDLESS)
    live.start()
    wait_for_step(live, 10)
    live.pause()
    at = live.position
    live.set(learning_rate=0.5)
    live.cooldown(10)
    live.resume()
    live.wait(TIMEOUT)
    assert live.position == live.steps == at + 10
    ramp = np.float32(np.linspace(0.5, 0.0, 10, endpoint=False))
    np.testing.assert_allclose(live.history.learning_rate[at:], ramp, rtol=1e-6)


# ---- what it shows -----------------------------------------------------------------------------


def test_commands_before_the_first_step_say_what_is_missing():
    live = control()
    for name in ("pause", "resume", "stop"):
        with pytest.raises(ValueError, match=f"{name} needs a run that has started"):
            getattr(live, name)()
    with pytest.raises(ValueError, match="wait needs a run that has started"):
        live.wait()


def test_wait_is_not_for_the_loops_own_thread():
    live = control()
    live.update(state_of(live), 0, loss=1.0)
    with pytest.raises(ValueError, match="wait cannot be called on the loop's own thread"):
        live.wait()


def test_the_code_is_the_optimizer_as_it_was_applied():
    live = control()
    state = state_of(live)
    for step in live.range():
        if step == 30:
            live.set(learning_rate=0.5)
        state = live.update(state, step, loss=1.0)
    code = live.to_code()
    assert "lrwidget" not in code
    namespace = {}
    exec(code, namespace)
    assert "optimizer" in namespace
    assert repr(live).startswith("LiveControl(finished, step 60 of 60, Chain(sgd(")


def test_what_comes_next_keeps_the_structure():
    live = control()
    live.to_optax()
    other = lrw.schedules.preset("linear", peak_value=0.1, steps=STEPS)
    live.prepare(live.chain.replace(learning_rate=other))
    assert live.plan() == other
    with pytest.raises(ValueError, match="chain must keep its links and their fixed settings"):
        live.prepare(lrw.Chain.of(lrw.optimizers.adam(1e-3)))
    state = state_of(live)
    state = live.update(state, 0, loss=1.0)
    live.prepare(live.chain.replace(learning_rate=CURVE), 200)
    assert live.plan() == other
    assert live.steps == STEPS
    live.stop()
    live.update(live.begin(state), 0, loss=1.0)
    assert live.plan() == CURVE
    assert live.steps == 200


def test_before_the_optimizer_is_made_the_chain_may_be_another():
    live = control()
    adamw = lrw.Chain.of(lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.adamw(CURVE))
    live.prepare(adamw)
    assert live.chain == adamw
    state = live.update(state_of(live), 0, loss=1.0)
    assert "weight_decay" in live.history.names
    assert float(state.hyperparams["learning_rate"]) == np.float32(CURVE(1))
    only = control(live=["learning_rate"])
    for other in (adamw, only.chain.replace(momentum=0.5)):
        with pytest.raises(ValueError, match="chain must keep its links"):
            only.prepare(other)


def test_an_outer_loop_that_does_not_look_gets_no_more_steps():
    live = control(ENDLESS)

    def train():
        state = state_of(live)
        for _ in range(3):
            for step in live.range():
                state = live.update(state, step, loss=1.0)
        return step + 1

    live.run(train)
    wait_for_step(live, 3)
    live.stop()
    assert (live.state, live.error, live.result) == ("stopped", None, live.position)


def test_it_displays_as_text_without_a_view(monkeypatch):
    monkeypatch.setattr(lrw.LiveControl, "view", None)
    live = control()
    assert live._repr_mimebundle_() == {"text/plain": repr(live)}


def test_models_of_a_run_that_waits_are_those_of_the_last_step(running):
    assert wait_for(running, lambda: running.steps_per_second) is None
    assert running.steps_per_second > 0
    assert running.seconds_left > 0

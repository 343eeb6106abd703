"""Edits that a person's own loop gets at a step that was told ahead, and what it cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import Rewind, Scale, SetBatchSize
from tests.training.live_controls import CURVE, STEPS, control, quick, state_of
from tests.training.running import TIMEOUT

ALL = np.arange(STEPS)


def ran(live, start=0):
    """Run a loop that only reports, from `start` on."""
    state = state_of(live)
    for step in range(start, STEPS):
        state = live.update(state, step, loss=1.0)
    return state


def assert_rates(live, expected):
    np.testing.assert_allclose(live.history.learning_rate, expected, rtol=2e-7)


def test_an_edit_takes_effect_at_its_step():
    live = control()
    live.scale(learning_rate=0.5, at=20)
    live.set(momentum=0.5, at=40)
    [first, _] = live.scheduled
    assert first[1] == 20
    ran(live)
    assert live.scheduled == ()
    assert_rates(live, CURVE(ALL) * np.where(ALL < 20, 1.0, 0.5))
    np.testing.assert_array_equal(live.history.momentum, np.where(ALL < 40, 0.9, 0.5).astype("f"))
    told = [(e.command, e.step) for e in live.journal]
    assert told == [("schedule", 0), ("schedule", 0), ("scale", 20), ("set", 40)]


def test_an_edit_is_told_ahead_within_the_loop():
    live = control()
    state = state_of(live)
    for step in range(STEPS):
        state = live.update(state, step, loss=1.0)
        if step == 10:
            live.cooldown(10, at=30)
            live.set(learning_rate=0.01, at=15)
            live.cancel(live.scheduled[0][0])
        if live.stopped:
            break
    assert live.steps == 40
    fall = CURVE(30) * (1 - np.arange(10) / 10)
    assert_rates(live, [*CURVE(ALL[:30]), *fall])


def test_a_loop_that_begins_later_gets_what_waited_for_its_first_step():
    live = control()
    live.set(learning_rate=0.03, at=25)
    state = live.begin(state_of(live), 25)
    for step in range(25, STEPS):
        state = live.update(state, step, loss=1.0)
    np.testing.assert_array_equal(live.history.learning_rate, np.float32(0.03))
    assert live.journal[-1].step == 25


def test_a_loop_on_a_thread_fires_between_pauses():
    live = control()
    live.run(quick(live, range(STEPS)), start=False)
    live.step(15)
    live.nudge(learning_rate=0.01, at=20)
    seen = live.preview(Scale(factors={"learning_rate": 2.0}, at=30))
    live.resume()
    live.wait(TIMEOUT)
    factor = (CURVE(20) + 0.01) / CURVE(20)
    assert_rates(live, CURVE(ALL) * np.where(ALL < 20, 1.0, factor))
    _, new = seen.changes["sgd.learning_rate"]
    assert new(40) == pytest.approx(2 * factor * CURVE(40))


def test_what_is_refused_at_its_step_is_logged(caplog):
    live = control()
    live.scale(momentum=1.05, at=20)
    live.set(momentum=0.99)
    ran(live)
    assert "the scale for step 20 was refused" in caplog.text
    assert [e.command for e in live.journal][-1] == "refused"


def test_undo_and_warmup_work_as_in_a_trainer():
    live = control()
    live.scale(learning_rate=0.5)
    live.restart_warmup(5, at=30)
    live.undo()
    assert live.scheduled == ()
    live.undo()
    live.restart_warmup(5, at=30)
    ran(live)
    ramp = CURVE(35) * np.arange(5) / 5
    assert_rates(live, [*CURVE(ALL[:30]), *ramp, *CURVE(ALL[35:])])


@pytest.mark.parametrize(
    ("command", "match"),
    [
        (Rewind(step=0), "rewind needs a Trainer"),
        (SetBatchSize(batch_size=4), "set_batch_size needs a Trainer"),
        (SetBatchSize(batch_size=4, at=30), "set_batch_size needs a Trainer"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_what_only_a_trainer_can_do_is_refused(command, match, begun):
    live = control()
    if begun:
        live.update(state_of(live), 0, loss=1.0)
    with pytest.raises(ValueError, match=match):
        live.submit(command).result()
    assert len(live.journal) == 0
    assert isinstance(live, lrw.LiveControl)

"""What a run does when it goes wrong: stops, pauses or goes back, and what it says of that."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import Guard, Journal, Keep
from lrwidget.training._arrays import copied
from tests.training import models
from tests.training.running import TIMEOUT, wait_for

STEPS, BENT = 300, 150
CHAIN = models.sgd(0.1)
# A rate for each kind of trouble: weights leave at once, or by a twentieth each step.
TROUBLE = {"nan": 1e6, "inf": 1e6, "diverged": 1.025}
KINDS = tuple(TROUBLE)
GUARDS = ("stop", "pause", "roll_back")


def far_away(kind):
    """Return a loss that is `kind` where the weight is far away."""
    bad = jnp.inf if kind == "inf" else jnp.nan

    def loss_fn(params, batch):
        w = params["w"]
        return jnp.where(jnp.abs(w) > 1e4, bad, jnp.mean((w - batch) ** 2))

    return loss_fn


@functools.cache
def task(kind):
    x = np.random.default_rng(0).normal(size=64).astype(np.float32)
    return lrw.Task({"w": jnp.float32(5.0)}, far_away(kind), train=x, batch_size=8)


def trainer(kind, guard, **more):
    more = {"steps": STEPS, "snapshots": Keep(every=10), **more}
    return lrw.Trainer(task(kind), CHAIN, guard=guard, **more)


@functools.cache
def plain(kind):
    t = trainer(kind, None)
    t.run_sync()
    return t


def troubled(kind, guard, **more):
    t = trainer(kind, guard, **more)
    t.set(learning_rate=TROUBLE[kind], at=BENT)
    t.start()
    return t


def assert_same(a, b):
    models.assert_equal(a._loop.ask(copied), b._loop.ask(copied))
    for name in a.history.names:
        np.testing.assert_array_equal(a.history[name], b.history[name], err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_is_stopped(kind):
    t = troubled(kind, "stop")
    with pytest.warns(RuntimeWarning, match="the run diverged: the loss"):
        t.wait()
    assert t.state == "diverged"
    assert BENT < t.position == len(t.history) < STEPS
    assert np.isfinite(t.history.loss[:-1]).all()
    assert np.isfinite(t.history.loss[-1]) == (kind == "diverged")
    told = "stood near" if kind == "diverged" else f"was {kind}"
    assert told in t.error
    assert f"learning_rate was {TROUBLE[kind]:.3g}" in t.error
    assert "lower the rate" in t.error
    t.rewind(BENT - 1)
    assert t.error is None
    t.cancel(t.scheduled[0][0])
    t.resume()
    t.wait()
    assert_same(t, plain(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_is_paused(kind):
    t = troubled(kind, "pause")
    wait_for(t, lambda: t.state == "paused")
    assert "learning_rate was" in t.error
    [entry] = [e for e in t.journal if e.command == "pause"]
    assert entry.source == "guard"
    assert entry.arguments["reason"] in t.error
    assert t.position == len(t.history)
    t.rewind(BENT - 1)
    t.cancel(t.scheduled[0][0])
    t.resume()
    t.wait()
    assert_same(t, plain(kind))


def test_a_pause_by_the_guard_is_not_the_end():
    t = troubled("diverged", "pause")
    wait_for(t, lambda: t.state == "paused")
    t.set(learning_rate=0.1)
    t.resume()
    assert t.wait(TIMEOUT)
    assert (t.state, t.error) == ("finished", None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_goes_back_and_on_with_a_lower_rate(kind):
    t = troubled(kind, Guard("roll_back", factor=0.25))
    assert t.wait(TIMEOUT)
    assert (t.state, t.error) == ("finished", None)
    back, scale = [e for e in t.journal if e.source == "guard" and e.command != "cancel"]
    assert (back.command, scale.command, scale.step) == ("roll_back", "scale", back.after)
    assert back.after <= BENT + 8  # the last good snapshot
    assert back.after % 10 == 0
    assert back.arguments["factor"] == 0.25
    assert BENT <= back.arguments["at"] < back.before
    assert (
        f"the loss {'stood' if kind == 'diverged' else 'was ' + kind}" in back.arguments["reason"]
    )
    # What made the trouble is not made again.
    assert t.scheduled == ()
    rates = np.full(STEPS, 0.1)
    rates[back.after :] = 0.025
    np.testing.assert_allclose(t.history.learning_rate, rates, rtol=1e-6)
    assert np.isfinite(t.history.loss).all()
    [line] = t.lines
    assert line.start == back.after
    assert line.columns["step"][-1] == back.before - 1
    again = lrw.replay(Journal.from_json(t.journal.to_json()), task(kind))
    assert_same(again, t)
    assert again.state == "finished"


# ---- again and again -----------------------------------------------------------------------------


def spoilt():
    """Return a task whose data are bad from step 130 on."""

    def train(epoch):
        noise = np.random.default_rng(epoch).normal(size=(8, 8)).astype(np.float32)
        for place, batch in enumerate(noise):
            yield np.full_like(batch, np.nan) if epoch * 8 + place >= 130 else batch

    return lrw.Task({"w": jnp.float32(5.0)}, far_away("nan"), train=train)


def test_a_run_is_rolled_back_so_many_times_and_no_more():
    t = lrw.Trainer(
        spoilt(), CHAIN, steps=160, guard=Guard("roll_back", most=3), snapshots=Keep(every=7)
    )
    t.start()
    with pytest.warns(RuntimeWarning, match="the loss was nan at step 130"):
        t.wait()
    assert t.state == "diverged"
    back = [e for e in t.journal if e.command == "roll_back"]
    assert [(e.before, e.after) for e in back] == [(131, 126)] * 3
    assert [e.arguments["factor"] for e in back] == [0.5, 0.25, 0.125]
    scales = [e for e in t.journal if e.command == "scale"]
    assert [e.undone for e in scales] == [True, True, False]
    assert t.history.learning_rate[-1] == np.float32(0.0125)
    assert len(t.lines) == 3
    # A person may take it back and let it be rolled back afresh.
    t.rewind(100)
    assert t.plan()(140) == 0.1
    t.resume()
    with pytest.warns(RuntimeWarning, match="the loss was nan at step 130"):
        t.wait()
    assert len([e for e in t.journal if e.command == "roll_back"]) == 6


def test_without_a_rate_there_is_nothing_to_go_back_for():
    t = lrw.Trainer(
        spoilt(),
        models.sgd(0.1, momentum=0.5),
        steps=160,
        live=["momentum"],
        guard="roll_back",
    )
    t.start()
    with pytest.warns(RuntimeWarning, match="nan at step 130"):
        t.wait()
    assert (t.state, t.journal[-1:]) == ("diverged", ())


def test_a_run_without_a_snapshot_goes_back_to_its_start():
    t = lrw.Trainer(
        spoilt(), CHAIN, steps=160, guard=Guard("roll_back", most=1), snapshots=Keep(every=10**6)
    )
    t.start()
    with pytest.warns(RuntimeWarning, match="nan at step 130"):
        t.wait()
    [back] = [e for e in t.journal if e.command == "roll_back"]
    assert back.after == 0
    np.testing.assert_array_equal(t.history.learning_rate, np.float32(0.05))


def test_steps_by_hand_end_where_they_were_to():
    t = trainer("nan", "roll_back")
    t.set(learning_rate=1e6, at=BENT)
    t.step(100)
    t.step(80)
    assert (t.state, t.position) == ("paused", 180)
    assert [e.command for e in t.journal][-3:] == ["roll_back", "scale", "cancel"]


def test_without_a_guard_only_what_is_not_finite_ends_a_run():
    t = troubled("diverged", None, steps=220)
    t.wait()
    assert t.state == "finished"
    t = troubled("inf", None)
    with pytest.warns(RuntimeWarning, match="the loss was inf"):
        t.wait()
    assert t.state == "diverged"


def test_the_signals_are_columns_that_a_rewind_does_not_change():
    t = trainer("nan", "stop", measure=("guard",))
    t.run_sync()
    before = {name: t.history[name].copy() for name in ("guard_level", "guard_limit", "loss")}
    late = slice(100, None)
    assert (before["guard_limit"][late] > before["guard_level"][late]).all()
    t.rewind(130)
    t.resume()
    t.wait()
    for name, column in before.items():
        np.testing.assert_array_equal(t.history[name], column, err_msg=name)


def test_a_guard_never_changes_a_good_run():
    t = trainer("nan", "roll_back")
    t.run_sync()
    assert_same(t, plain("nan"))
    assert len(t.journal) == 0

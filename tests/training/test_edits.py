"""What commands change, what the journal says of it, and what was really applied."""

from __future__ import annotations

import itertools
import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training._commands import Cooldown, Extend, Release, Scale, Set
from lrwidget.training._edits import Edits
from lrwidget.training._plan import Plans
from tests.training import models
from tests.training.running import endless, shared, wait_for_step

COSINE = lrw.schedules.preset("cosine", peak_value=0.1, steps=100)
LINEAR = lrw.schedules.preset("linear", peak_value=0.4, steps=50)


def chain():
    return lrw.Chain.of(
        lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.sgd(COSINE, momentum=0.9)
    )


def edits(steps=100):
    return Edits(Plans(chain(), chain().addresses()), steps)


def rate(e, start, count=1):
    column = e.plans.addresses.index("sgd.learning_rate")
    return e.plans.rows(start, count)[:, column]


# ---- one command ---------------------------------------------------------------------------------


def test_a_number_holds_until_it_is_released():
    e = edits()
    e.apply(Set(values={"learning_rate": 0.03}), 10)
    np.testing.assert_array_equal(rate(e, 10, 50), 0.03)
    assert e.plans.held("sgd.learning_rate") == 0.03
    assert e.plans.plan("sgd.learning_rate") == COSINE
    e.apply(Release(), 60)
    np.testing.assert_array_equal(rate(e, 60, 30), COSINE(np.arange(60, 90)))
    assert e.plans.held("sgd.learning_rate") is None
    e.apply(Release(addresses=("learning_rate",)), 61)
    assert [(j.command, j.step) for j in e.journal] == [("set", 10), ("release", 60)]


def test_a_number_below_zero_is_trained_with_and_stays():
    o = lrw.optimizers
    t = lrw.Trainer(models.task(), lrw.Chain.of(o.scale_by_rms(), o.scale(-0.01)), steps=20)
    with pytest.raises(ValueError, match=r"step_size is not live in this run"):
        t.set(step_size=-0.02)
    t.run_sync()
    plain = lrw.Trainer(models.task(), lrw.Chain.of(o.rmsprop(0.01)), steps=20)
    plain.run_sync()
    np.testing.assert_allclose(t.history.loss, plain.history.loss, rtol=1e-4)
    above = lrw.Chain.of(o.sgd(0.1), o.scale(1.0))
    with pytest.raises(ValueError, match=r"step_size must be >= 0 in a run, .* got -1.0"):
        Plans(above, above.addresses()).set(3, {"step_size": -1.0})


def test_a_second_rate_of_one_optimizer_cools_down_too():
    muon = lrw.Chain.of(lrw.optimizers.muon(0.02, adam_learning_rate=0.01))
    e = Edits(Plans(muon, muon.addresses()), 100)
    e.apply(Cooldown(steps=10, end_value=0.0), 50)
    ends = dict(zip(e.plans.addresses, e.plans.rows(60, 1)[0], strict=True))
    assert ends["muon.learning_rate"] == ends["muon.adam_learning_rate"] == 0.0


def test_a_schedule_is_read_in_steps_of_the_run_or_from_now():
    e = edits()
    e.apply(Set(values={"learning_rate": LINEAR}), 20)
    np.testing.assert_array_equal(rate(e, 20, 60), LINEAR(np.arange(20, 80)))
    e.apply(Set(values={"learning_rate": LINEAR}, from_now=True), 30)
    np.testing.assert_array_equal(rate(e, 30, 60), LINEAR(np.arange(60)))


def test_a_schedule_releases_a_held_number():
    e = edits()
    e.apply(Set(values={"learning_rate": 0.03}), 10)
    e.apply(Set(values={"learning_rate": LINEAR}), 20)
    assert e.plans.held("sgd.learning_rate") is None
    assert rate(e, 20) == LINEAR(20)


def test_scaling_multiplies_the_plan_and_a_held_number():
    e = edits()
    e.apply(Scale(factors={"learning_rate": 0.5}), 10)
    np.testing.assert_allclose(rate(e, 10, 80), 0.5 * COSINE(np.arange(10, 90)), rtol=1e-15)
    e.apply(Set(values={"learning_rate": 0.03}), 20)
    e.apply(Scale(factors={"sgd.learning_rate": 2.0}), 30)
    assert rate(e, 30) == 0.06
    e.apply(Release(), 40)
    np.testing.assert_allclose(rate(e, 40), COSINE(40), rtol=1e-15)
    assert e.journal[-2].arguments == {"factor": 2.0}


def test_extending_holds_the_last_value():
    e = edits()
    e.apply(Extend(steps=40), 10)
    assert e.steps == 140
    np.testing.assert_array_equal(rate(e, 100, 40), COSINE(100))
    assert (e.journal[-1].before, e.journal[-1].after) == (100, 140)


@pytest.mark.parametrize("held", [None, 0.07])
def test_cooling_down_ramps_from_what_is_applied_and_ends_the_run(held):
    e = edits()
    if held:
        e.apply(Set(values={"learning_rate": held}), 5)
    before = held or COSINE(30)
    e.apply(Cooldown(steps=20, end_value=0.001), 30)
    assert e.steps == 50
    expected = before + (0.001 - before) * np.arange(21) / 20
    np.testing.assert_allclose(rate(e, 30, 21), expected, rtol=1e-12)
    assert e.plans.held("sgd.learning_rate") is None
    assert e.journal[-1].arguments == {"steps": 20, "end_value": 0.001, "run_steps": 50}


def test_one_command_may_change_several_hyperparameters_or_none():
    e = edits()
    e.apply(Set(values={"learning_rate": 0.2, "all/sgd.momentum": 0.5}, source="widget"), 7)
    assert [(j.address, j.after, j.source) for j in e.journal] == [
        ("sgd.learning_rate", 0.2, "widget"),
        ("sgd.momentum", 0.5, "widget"),
    ]
    for refused in (
        Set(values={"learning_rate": 0.3, "momentum": 1.0}),
        Set(values={"learning_rate": 0.3, "sgd.learning_rate": 0.4}),
        Scale(factors={"learning_rate": 2.0, "momentum": 3.0}),
    ):
        with pytest.raises(ValueError, match="must be"):
            e.apply(refused, 8)
    assert len(e.journal) == 2
    assert rate(e, 8) == 0.2


def test_a_later_change_at_one_step_takes_the_place_of_an_earlier_one():
    e = edits()
    for value in (0.1, 0.2, 0.3):
        e.apply(Set(values={"learning_rate": value}), 10)
    assert e.plans.effective("sgd.learning_rate")(10) == 0.3
    assert len(e.plans.effective("sgd.learning_rate").parts) == 2
    assert len(e.journal) == 3


def test_what_was_never_changed_is_the_chains_own():
    e = edits()
    assert not e.plans.changed("sgd.learning_rate")
    assert e.plans.effective("sgd.learning_rate") == COSINE
    e.apply(Set(values={"learning_rate": 0.3}), 0)
    assert e.plans.changed("sgd.learning_rate")
    assert e.plans.effective("sgd.learning_rate")(50) == 0.3


# ---- any commands --------------------------------------------------------------------------------

values = st.floats(1e-4, 0.9)
addresses = st.sampled_from(["learning_rate", "momentum", "max_norm"])
schedules = st.sampled_from([COSINE, LINEAR, LINEAR.shifted(30)])
commands = st.one_of(
    st.builds(lambda a, v: Set(values={a: v}), addresses, values),
    st.builds(
        lambda s, now: Set(values={"learning_rate": s}, from_now=now), schedules, st.booleans()
    ),
    st.builds(lambda v: Scale(factors={"learning_rate": v}), st.floats(0.2, 3.0)),
    st.builds(lambda n: Cooldown(steps=n), st.integers(1, 60)),
    st.builds(lambda n: Extend(steps=n), st.integers(1, 60)),
    st.builds(Release),
)


@hypothesis.given(st.lists(st.tuples(st.integers(0, 30), commands), max_size=12))
def test_the_effective_schedule_is_what_was_applied(script):
    e = edits()
    applied = []
    for gap, command in script:
        applied.append(e.plans.rows(len_of(applied), gap))
        e.apply(command, len_of(applied))
    applied.append(e.plans.rows(len_of(applied), 40))
    rows = np.concatenate(applied)
    steps = np.arange(len(rows))
    for column, address in enumerate(e.plans.addresses):
        effective = e.plans.effective(address)(steps)
        np.testing.assert_array_equal(np.float32(effective), np.float32(rows[:, column]))


def len_of(applied):
    return sum(map(len, applied))


@hypothesis.given(st.lists(st.tuples(st.integers(0, 30), commands), max_size=12))
def test_the_journal_is_plain_data_and_a_chain(script):
    e = edits()
    step = 0
    for gap, command in script:
        step += gap
        e.apply(command, step)
    steps = [entry.step for entry in e.journal]
    assert steps == sorted(steps)
    for entry in e.journal:
        assert json.loads(json.dumps(entry.after)) == entry.after
        assert json.loads(json.dumps(dict(entry.arguments))) == dict(entry.arguments)
    for address in e.plans.addresses:
        own = [entry for entry in e.journal if entry.address == address]
        for earlier, later in itertools.pairwise(own):
            assert later.before == earlier.after


# ---- in a run ------------------------------------------------------------------------------------


def test_a_run_of_many_edits_is_one_trace_and_known_to_the_last_step(monkeypatch):
    monkeypatch.setattr("lrwidget.training._tempo.CHUNK_SECONDS", 0.005)
    task = models.task()
    t = lrw.Trainer(task, models.adam(COSINE), steps=2**30)
    t.start()
    rng = np.random.default_rng(0)
    for i in range(50):
        wait_for_step(t, t.position + 1)
        match i % 5:
            case 0:
                t.set(learning_rate=float(rng.uniform(1e-3, 0.1)), b1=0.8)
            case 1:
                t.release()
                t.pause()
                t.set_pace(None)
                t.resume()
            case 2:
                t.scale(learning_rate=float(rng.uniform(0.5, 1.5)))
            case 3:
                t.set(learning_rate=COSINE, from_now=True)
            case 4:
                t.set({"adam.eps": 1e-7})
                t._loop.tempo.chunk = int(rng.integers(1, 300))
    t.cooldown(100)
    assert t.wait(60)
    assert t.state == "finished"
    assert t.runner.traces == 1
    for name in ("learning_rate", "b1", "eps"):
        applied = t.effective_schedule(name)(np.arange(t.steps))
        np.testing.assert_array_equal(np.float32(applied), t.history[name])
    assert {e.command for e in t.journal} >= {"set", "release", "pause", "resume", "scale"}
    steps = [e.step for e in t.journal]
    assert steps == sorted(steps)


def test_commands_before_the_start_count_from_step_0():
    t = lrw.Trainer(shared(), models.sgd(COSINE), steps=30)
    t.set(learning_rate=0.2)
    t.scale(learning_rate=0.5)
    t.extend(5)
    t.set_pace(10_000)
    assert (t.held(), t.steps, t.pace) == (0.1, 35, 10_000)
    assert t.plan() == COSINE.scaled(0.5)
    assert [(e.step, e.seconds) for e in t.journal] == [(0, 0.0)] * 4
    t.run_sync()
    np.testing.assert_array_equal(t.history.learning_rate, np.float32(0.1))
    assert t.effective_chain().learning_rate(3) == 0.1


def test_a_run_can_leave_hyperparameters_out():
    chain = lrw.Chain.of(lrw.optimizers.adam(COSINE, b1=0.8))
    t = lrw.Trainer(shared(), chain, steps=10, live=["learning_rate"])
    assert t.history.names == ("step", "loss", "accuracy", "learning_rate")
    with pytest.raises(ValueError, match=r"b1 is not live in this run, .* live are adam.learning_"):
        t.set(b1=0.5)
    assert t.effective_schedule("b1")(7) == 0.8


def test_two_links_of_one_kind_have_addresses_of_their_own():
    chain = lrw.Chain.of(
        lrw.optimizers.clip_by_global_norm(1.0),
        lrw.optimizers.clip_by_global_norm(2.0),
        lrw.optimizers.sgd(0.1),
    )
    t = lrw.Trainer(shared(), chain, steps=10)
    with pytest.raises(ValueError, match=r"ambiguous.*clip_by_global_norm_2.max_norm"):
        t.set(max_norm=0.5)
    t.set({"clip_by_global_norm_2.max_norm": 0.5})
    t.run_sync()
    assert t.history["clip_by_global_norm_2.max_norm"][3] == 0.5
    assert t.history["clip_by_global_norm.max_norm"][3] == 1.0
    assert t.history.learning_rate[3] == np.float32(0.1)


def test_held_and_plan_are_told_while_it_runs():
    with endless(chain=models.sgd(COSINE)) as t:
        t.set(learning_rate=0.2, source="test")
        assert t.held() == 0.2
        assert t.plan("sgd.learning_rate") == COSINE
        t.release("learning_rate", source="test")
        assert t.held() is None
        assert [e.source for e in t.journal] == ["test", "test"]

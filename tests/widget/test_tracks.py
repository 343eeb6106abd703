"""Tracks: schedules beside the learning rate, with a chain and without."""

from __future__ import annotations

import numpy as np
import pytest

from lrwidget import Chain, Schedule, optimizers, schedules
from lrwidget.schedules import Segment
from lrwidget.widget import ScheduleDesigner
from lrwidget.widget._tracks import Design, Tracks
from tests.widget.page import Page

COSINE = schedules.preset("cosine", peak_value=3e-3, steps=500)
STEP = schedules.preset("step", peak_value=0.1, steps=900)
DECAY = schedules.preset("linear", peak_value=0.05, steps=500)
B1 = Schedule(
    Segment("linear", 200, init_value=0.95, end_value=0.85),
    Segment("linear", 300, init_value=0.85, end_value=0.95),
)
ADAMW = Chain.of(optimizers.clip_by_global_norm(1.0), optimizers.adamw(1e-3, weight_decay=0.02))
TWICE = Chain.of(optimizers.add_decayed_weights(1e-4), optimizers.adamw(COSINE))


def watched(widget, *names):
    seen = []
    for name in names:
        widget.observe(lambda change: seen.append((change["name"], change["new"])), name)
    return seen


# ---- without a chain ---------------------------------------------------------------------------


def test_tracks_are_given_seen_and_set():
    page = Page(ScheduleDesigner(COSINE, tracks={"weight_decay": DECAY})).unpaced()
    designer = page.widget
    assert designer.tracks == {"weight_decay": DECAY}
    seen = watched(designer, "schedule", "tracks", "chain", "peak_value", "steps")
    designer.tracks = designer.tracks | {"b1": B1}
    assert seen == [("tracks", {"weight_decay": DECAY, "b1": B1})]
    assert designer.tracks["b1"] == B1
    shown = page.updates("_design")[-1]
    assert [(t["name"], t["label"], t["low"], t["high"]) for t in shown["tracks"]] == [
        ("weight_decay", "weight_decay", 0.0, None),
        ("b1", "b1", 0.0, 1.0),
    ]
    assert shown["tracks"][1]["schedule"] == B1.to_node()
    assert shown["seq"] == 1
    designer.tracks = {}
    assert page.updates("_design")[-1]["tracks"] == []


def test_what_may_become_a_track_is_offered():
    page = Page(ScheduleDesigner(COSINE, tracks={"b1": B1}))
    offered = page.comm.opened["state"]["_design"]["candidates"]
    assert [(c["name"], c["value"]) for c in offered] == [
        ("momentum", 0.9),
        ("b2", 0.999),
        ("weight_decay", 0.01),
    ]
    assert offered[0] == {
        "name": "momentum",
        "label": "momentum",
        "value": 0.9,
        "low": 0.0,
        "high": 1.0,
        "low_open": False,
        "high_open": True,
    }


@pytest.mark.parametrize(
    ("tracks", "error", "said"),
    [
        ({"b1": 0.9}, TypeError, "the track b1 must be a Schedule, such as .*, got 0.9"),
        ([B1], TypeError, "tracks must be a dict of name -> Schedule, got "),
        ({"learning_rate": COSINE}, ValueError, "must not hold the learning rate"),
        ({"1st": B1}, ValueError, "a track's name must be a Python identifier, got '1st'"),
        ({"lambda": B1}, ValueError, "a track's name must be a Python identifier"),
        ({"adamw.b1": B1}, ValueError, "a track's name must be a Python identifier"),
        ({"jnp": B1}, ValueError, "a track's name must not be that of a module"),
        ({3: B1}, ValueError, "a track's name must be a Python identifier, got 3"),
        ({"b1": STEP.with_peak(1.0)}, ValueError, "b1 must be a finite number >= 0 and < 1"),
        ({"own": B1, "b2": STEP.with_peak(2.0)}, ValueError, "b2 must be"),
    ],
)
def test_bad_tracks_are_refused_at_once(tracks, error, said):
    with pytest.raises(error, match=said):
        ScheduleDesigner(COSINE, tracks=tracks)
    designer = ScheduleDesigner(COSINE, tracks={"own": B1})
    seen = watched(designer, "schedule", "tracks")
    with pytest.raises(error, match=said):
        designer.tracks = tracks
    assert designer.tracks == {"own": B1}
    assert seen == []


def test_tracks_are_set_as_a_whole():
    tracks = ScheduleDesigner(tracks={"b1": B1}).tracks
    with pytest.raises(TypeError, match=r"widget.tracks = widget.tracks \| {'b2': schedule}"):
        tracks["b2"] = B1
    with pytest.raises(TypeError, match="a dict without 'b1'"):
        del tracks["b1"]
    assert dict(tracks) == {"b1": B1}
    assert repr(tracks).startswith("Tracks({'b1': Schedule(")


def test_a_bare_name_finds_an_address_where_it_is_one_of_a_kind():
    tracks = Tracks({"a.b1": B1, "a.eps": COSINE, "b.eps": STEP})
    assert tracks["b1"] == B1
    assert "eps" not in tracks
    assert tracks | {"b1": STEP} == {"a.b1": STEP, "a.eps": COSINE, "b.eps": STEP}
    assert set(tracks | {"b2": B1}) == {"a.b1", "a.eps", "b.eps", "b2"}


def test_stretching_keeps_tracks_of_the_same_length_together():
    designer = ScheduleDesigner(COSINE, tracks={"b1": B1, "weight_decay": STEP})
    seen = watched(designer, "schedule", "tracks")
    designer.steps = 1000
    assert designer.schedule == COSINE.stretched(1000)
    assert designer.tracks == {"b1": B1.stretched(1000), "weight_decay": STEP}
    assert [name for name, _ in seen] == ["tracks", "schedule"]


def test_the_peak_is_that_of_the_learning_rate_alone():
    designer = ScheduleDesigner(COSINE, tracks={"b1": B1})
    designer.peak_value = 0.5
    assert designer.tracks == {"b1": B1}


# ---- with a chain ------------------------------------------------------------------------------


def test_a_chain_brings_its_scheduled_hyperparameters():
    chain = ADAMW.replace(learning_rate=COSINE, weight_decay=DECAY)
    page = Page(ScheduleDesigner(chain=chain))
    assert page.widget.tracks == {"adamw.weight_decay": DECAY}
    assert page.widget.tracks["weight_decay"] == DECAY
    assert page.widget.chain == chain
    design = page.comm.opened["state"]["_design"]
    assert [(t["name"], t["label"]) for t in design["tracks"]] == [
        ("adamw.weight_decay", "weight_decay")
    ]
    assert [(c["name"], c["value"]) for c in design["candidates"]] == [
        ("clip_by_global_norm.max_norm", 1.0),
        ("adamw.b1", 0.9),
        ("adamw.b2", 0.999),
        ("adamw.eps", 1e-8),
        ("adamw.eps_root", 0.0),
    ]


def test_the_chain_follows_the_tracks_and_back_to_the_number_it_had():
    designer = ScheduleDesigner(COSINE, chain=ADAMW)
    seen = watched(designer, "schedule", "tracks", "chain")
    designer.tracks = {"weight_decay": DECAY}
    assert designer.tracks == {"adamw.weight_decay": DECAY}
    with_track = ADAMW.replace(learning_rate=COSINE, weight_decay=DECAY)
    assert seen == [("chain", with_track), ("tracks", {"adamw.weight_decay": DECAY})]
    designer.tracks = {}
    assert designer.chain == ADAMW.replace(learning_rate=COSINE)
    assert designer.chain.value("weight_decay") == 0.02


def test_a_track_that_came_as_one_leaves_its_first_value():
    designer = ScheduleDesigner(chain=ADAMW.replace(b1=B1))
    designer.tracks = {}
    assert designer.chain.value("b1") == B1(0) == 0.95


def test_a_number_is_remembered_through_other_changes_of_the_chain():
    designer = ScheduleDesigner(COSINE, chain=ADAMW, tracks={"weight_decay": DECAY})
    designer.chain = designer.chain.replace(max_norm=5.0)
    designer.tracks = {}
    assert designer.chain == ADAMW.replace(learning_rate=COSINE, max_norm=5.0)


def test_replacing_the_chain_replaces_the_tracks():
    designer = ScheduleDesigner(COSINE, chain=ADAMW, tracks={"weight_decay": DECAY})
    seen = watched(designer, "schedule", "tracks", "chain")
    designer.chain = optimizers.adam(0.1, b2=B1)
    assert designer.tracks == {"adam.b2": B1}
    assert designer.chain == Chain.of(optimizers.adam(COSINE, b2=B1))
    assert [name for name, _ in seen] == ["chain", "tracks"]
    designer.chain = designer.chain.replace(b2=0.99)
    assert designer.tracks == {}


def test_tracks_outlive_the_chain():
    designer = ScheduleDesigner(chain=TWICE.replace({"adamw.weight_decay": DECAY, "adamw.b1": B1}))
    designer.chain = None
    assert designer.tracks == {"weight_decay": DECAY, "b1": B1}
    with pytest.warns(UserWarning, match="leaves out the track weight_decay .*is ambiguous"):
        designer.chain = TWICE
    assert designer.tracks == {"adamw.b1": B1}


def test_what_is_ambiguous_has_its_address_for_a_label():
    chain = TWICE.replace({"adamw.weight_decay": DECAY, "add_decayed_weights.weight_decay": DECAY})
    designer = ScheduleDesigner(chain=chain)
    labels = [t["label"] for t in designer._design["tracks"]]
    assert labels == ["add_decayed_weights.weight_decay", "adamw.weight_decay"]
    assert "adamw_weight_decay = optax" in designer._code["text"]
    designer.chain = None
    assert list(designer.tracks) == ["add_decayed_weights_weight_decay", "adamw_weight_decay"]


@pytest.mark.parametrize(
    ("tracks", "said"),
    [
        ({"momentum": B1}, "an address must be one of"),
        ({"nesterov": B1}, "an address must be one of"),
        ({"learning_rate": COSINE}, "must not hold the learning rate"),
        ({"adamw.learning_rate": COSINE}, "must not hold the learning rate"),
        ({"b1": B1, "adamw.b1": B1}, "tracks must hold adamw.b1 once, got 'b1' and 'adamw.b1'"),
        ({"b1": STEP.with_peak(1.0)}, "b1 must be a finite number >= 0 and < 1, got 1.0"),
        ({"max_norm": COSINE}, "max_norm must be a finite number > 0, got 0.0"),
    ],
)
def test_what_the_chain_does_not_take_is_refused(tracks, said):
    with pytest.raises(ValueError, match=said):
        ScheduleDesigner(chain=ADAMW, tracks=tracks)
    designer = ScheduleDesigner(COSINE, chain=ADAMW)
    before = designer.get_state()
    with pytest.raises(ValueError, match=said):
        designer.tracks = tracks
    assert designer.get_state() == before
    assert designer.chain == ADAMW.replace(learning_rate=COSINE)


def test_a_schedule_that_the_chain_does_not_take_is_refused_whole():
    designer = ScheduleDesigner(COSINE, chain=ADAMW)
    with pytest.raises(ValueError, match="learning_rate must be a number that float32 can hold"):
        designer.schedule = STEP.with_peak(1e39)
    assert designer.schedule == COSINE
    assert designer.peak_value == 3e-3


# ---- commands ----------------------------------------------------------------------------------


@pytest.fixture
def page():
    return Page(ScheduleDesigner(COSINE, tracks={"b1": B1})).unpaced()


def test_schedule_and_tracks_are_set_together(page):
    seen = watched(page.widget, "schedule", "tracks", "chain")
    together = []
    page.widget.observe(
        lambda _: together.append((page.widget.schedule, dict(page.widget.tracks))),
        ["schedule", "tracks", "peak_value"],
    )
    nodes = {"weight_decay": DECAY.to_node()}
    assert page.ask("design.set", schedule=STEP.to_node(), tracks=nodes) == {"seq": 1}
    assert seen == [("tracks", {"weight_decay": DECAY}), ("schedule", STEP)]
    assert together == [(STEP, {"weight_decay": DECAY})] * 3


def test_all_or_nothing(page):
    seen = watched(page.widget, "schedule", "tracks", "chain")
    nodes = {"weight_decay": DECAY.to_node(), "2nd": B1.to_node()}
    said = page.refused("design.set", schedule=STEP.to_node(), tracks=nodes)
    assert "a track's name must be a Python identifier, got '2nd'" in said
    assert seen == []
    assert page.updates("_design") == []


def test_a_preset_for_a_track_keeps_its_peak_and_length(page):
    page.ask("schedule.preset", name="linear", track="b1")
    expected = schedules.preset("linear", peak_value=0.95, steps=500)
    assert page.widget.tracks == {"b1": expected}
    assert page.widget.schedule == COSINE
    page.ask("schedule.preset", name="linear", track="b1", peak_value=0.5, steps=70)
    assert page.widget.tracks["b1"] == schedules.preset("linear", peak_value=0.5, steps=70)
    assert "< 1, got 1.5" in page.refused(
        "schedule.preset", name="linear", track="b1", peak_value=1.5
    )
    page.ask("schedule.preset", name="step", track="learning_rate")
    assert page.widget.schedule == schedules.preset("step", peak_value=3e-3, steps=500)


def test_a_curve_is_imported(page):
    page.ask("schedule.import", text="step,value\n0,0.5\n100,0.1\n")
    np.testing.assert_allclose(page.widget.schedule([0, 50, 100]), [0.5, 0.3, 0.1])
    page.ask("schedule.import", text="0,0.5\n100,0.25\n", track="b1")
    assert page.widget.tracks["b1"](100) == 0.25
    assert page.refused("schedule.import", text="0,0.5\n100,1.25\n", track="b1").startswith(
        "b1 must be a finite number >= 0 and < 1"
    )


# ---- code and its proof ------------------------------------------------------------------------


def test_one_text_defines_every_track(page):
    text = page.widget._code["text"]
    module = {}
    exec(text, module)
    steps = [0, 199, 200, 499]
    for name, curve in {"learning_rate": COSINE, "b1": B1}.items():
        values = [float(module[name](step)) for step in steps]
        np.testing.assert_allclose(values, curve(steps), atol=1e-6 * curve.peak_value)
    assert text.count("import optax") == 1


@pytest.mark.parametrize("chain", [None, ADAMW])
def test_all_of_them_are_proved(chain):
    page = Page(ScheduleDesigner(COSINE, tracks={"b1": B1, "weight_decay": DECAY}, chain=chain))
    page.ask("ready")
    verdict = page.wait_for("_code", "state", "equal", "differs", "failed")
    assert verdict["state"] == "equal", verdict
    assert verdict["message"].startswith("all 3 curves equal their code")


def test_tracks_have_a_text_where_the_chain_has_none():
    chain = Chain.of(optimizers.adamw(COSINE, b1=B1, mask=lambda params: params))
    designer = ScheduleDesigner(chain=chain)
    assert "only the schedules: adamw.mask" in designer._code["message"]
    assert "b1 = optax" in designer._code["text"]
    assert "learning_rate = optax" in designer._code["text"]


# ---- in words ----------------------------------------------------------------------------------


def test_tracks_are_named_in_the_text_form():
    designer = ScheduleDesigner(COSINE, chain=ADAMW, tracks={"b1": B1})
    assert repr(designer) == (
        "ScheduleDesigner(cosine 500, peak 3e-3; b1: linear 200 → linear 300, peak 0.95)"
    )


def test_a_design_is_made_of_what_is_given_and_what_the_chain_brings():
    design = Design.of(STEP, {"b2": B1}, ADAMW.replace(learning_rate=COSINE, weight_decay=DECAY))
    assert design.schedule == STEP
    assert design.tracks == {"adamw.weight_decay": DECAY, "adamw.b2": B1}
    again = Design.of(STEP, {"weight_decay": B1}, ADAMW.replace(weight_decay=DECAY))
    assert again.tracks == {"adamw.weight_decay": B1}

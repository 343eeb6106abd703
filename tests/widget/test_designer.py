"""`ScheduleDesigner`: one curve, moved from Python, from the browser and from linked widgets."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import ipywidgets
import pytest
import traitlets

from lrwidget import Chain, Schedule, optimizers, schedules
from lrwidget.schedules import Segment
from lrwidget.widget import LRWidget, ScheduleDesigner, _bundle, _proof
from lrwidget.widget._design import DesignWidget
from tests.widget.page import PATIENCE, Page

COSINE = schedules.preset("cosine", peak_value=3e-3, steps=500)
STEP = schedules.preset("step", peak_value=0.1, steps=900)
CHAIN = Chain.of(optimizers.clip_by_global_norm(1.0), optimizers.adamw(learning_rate=1e-3))

# The traits that a page of ours may write; everything else has Python as its only writer.
TWO_WAY = {"peak_value", "steps"}


@pytest.fixture
def page():
    return Page(ScheduleDesigner(COSINE))


def watched(widget, name):
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), name)
    return seen


# ---- how it opens ------------------------------------------------------------------------------


def test_it_opens_on_a_warmup_and_a_cosine():
    designer = ScheduleDesigner()
    assert designer.schedule == schedules.preset("warmup_cosine", peak_value=1e-3, steps=1000)
    assert (designer.peak_value, designer.steps, designer.chain) == (1e-3, 1000, None)


def test_all_that_a_page_needs_is_in_the_first_message(page):
    state = page.comm.opened["state"]
    assert state["_panels"] == ["design"]
    assert state["_design"] == {
        "seq": 0,
        "schedule": COSINE.to_node(),
        "tracks": [],
        "candidates": state["_design"]["candidates"],
        "steps_per_epoch": None,
        "chain": [],
        "groups": [],
        "chain_node": None,
        "chain_warnings": [],
        "saved": None,
        "warning": None,
    }
    assert state["_code"]["text"] == COSINE.to_code()
    assert state["_code"]["state"] == "checking"
    assert {p["name"] for p in state["_catalogue"]["presets"]} == set(schedules.names())
    assert (state["peak_value"], state["steps"]) == (3e-3, 500)


def test_a_chain_is_shown_and_its_rate_is_what_is_designed():
    chain = CHAIN.replace(learning_rate=STEP)
    designer = ScheduleDesigner(chain=chain)
    assert designer.schedule == STEP
    assert designer.chain == chain
    assert [part["label"] for part in designer._design["chain"]] == ["clip_by_global_norm", "adamw"]
    assert designer._code["text"] == chain.to_code()


def test_a_rate_that_is_a_number_is_a_flat_line():
    designer = ScheduleDesigner(chain=optimizers.sgd(0.1))
    assert designer.schedule == schedules.constant(0.1, 1000)
    assert designer.chain.learning_rate == designer.schedule


def test_a_schedule_given_goes_before_the_chains_rate():
    designer = ScheduleDesigner(COSINE, chain=CHAIN)
    assert designer.chain == CHAIN.replace(learning_rate=COSINE)


def test_steps_per_epoch_reach_the_page():
    assert ScheduleDesigner(steps_per_epoch=57)._design["steps_per_epoch"] == 57


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"schedule": 1e-3}, TypeError, "schedule must be a Schedule or None, got 0.001"),
        ({"chain": "adam"}, TypeError, "chain must be a Chain or a Link"),
        ({"chain": Chain.of(optimizers.clip_by_global_norm(1.0))}, ValueError, "learning_rate"),
        (
            {"chain": Chain.of(optimizers.sgd(1), optimizers.adam(1))},
            ValueError,
            "one learning rate, which is the curve; got sgd.learning_rate and adam.learning_rate",
        ),
        ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch must be a whole number >= 1, got 0"),
        ({"steps_per_epoch": 1.5}, ValueError, "steps_per_epoch must be a whole number"),
        ({"shedule": COSINE}, TypeError, "got 'shedule' .did you mean 'schedule'"),
        ({"peak_value": 0.1}, TypeError, "ScheduleDesigner takes .*got 'peak_value'"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, error, said):
    with pytest.raises(error, match=said):
        ScheduleDesigner(**arguments)


# ---- edits -------------------------------------------------------------------------------------


def test_an_edit_of_the_browser_moves_everything_in_python(page):
    seen = watched(page.widget, "schedule")
    assert page.ask("schedule.set", schedule=STEP.to_node()) == {"seq": 1}
    assert page.widget.schedule == STEP
    assert seen == [STEP]
    assert (page.widget.peak_value, page.widget.steps) == (0.1, 900)
    assert page.updates("_design")[-1]["schedule"] == STEP.to_node()
    assert page.updates("_code")[-1] == {
        "seq": 1,
        "text": STEP.to_code(),
        "state": "checking",
        "error": None,
        "message": "",
    }


def test_the_same_schedule_again_is_no_edit(page):
    assert page.ask("schedule.set", schedule=COSINE.to_node()) == {"seq": 0}
    assert page.updates("_design") == []


def test_a_preset_keeps_peak_and_length_unless_told(page):
    page.ask("schedule.preset", name="one_cycle")
    assert page.widget.schedule == schedules.preset("one_cycle", peak_value=3e-3, steps=500)
    page.ask("schedule.preset", name="linear", peak_value=0.2, steps=70)
    assert page.widget.schedule == schedules.preset("linear", peak_value=0.2, steps=70)


def test_a_preset_over_nothing_but_zero_gets_a_peak(page):
    page.widget.schedule = schedules.constant(0.0)
    page.ask("schedule.preset", name="cosine")
    assert page.widget.schedule == schedules.preset("cosine", peak_value=1e-3, steps=1000)


def test_a_schedule_set_in_python_moves_the_picture(page):
    page.widget.schedule = STEP
    assert page.updates("_design")[-1]["schedule"] == STEP.to_node()
    assert page.updates("peak_value")[-1] == 0.1
    assert page.updates("steps")[-1] == 900


def test_setting_the_peak_rescales(page):
    seen = watched(page.widget, "schedule")
    page.widget.peak_value = 0.02
    assert seen == [COSINE.with_peak(0.02)]
    assert page.widget.peak_value == 0.02
    assert page.updates("_design")[-1]["seq"] == 1


def test_setting_the_steps_stretches(page):
    page.widget.steps = 2000
    assert page.widget.schedule == COSINE.stretched(2000)


def test_setting_the_steps_gives_an_end_to_a_curve_without_one(page):
    page.widget.schedule = schedules.constant(0.1)
    assert page.widget.steps is None
    page.widget.steps = 300
    assert page.widget.schedule == schedules.constant(0.1, 300)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("peak_value", -0.1, "peak_value must be a finite number > 0, got -0.1"),
        ("peak_value", float("nan"), "peak_value must be a finite number > 0"),
        ("steps", 0, "steps must be a whole number >= 1, got 0"),
        ("steps", None, "steps must be a whole number >= 1, got None"),
        ("tracks", None, "tracks must be a dict of name -> Schedule, got None"),
        ("tracks", {"b1": 0.9}, "the track b1 must be a Schedule"),
        ("schedule", None, "expected a Schedule"),
        ("schedule", 0.1, "expected a Schedule"),
        ("chain", 0.1, "Chain"),
        ("chain", Chain.of(optimizers.clip_by_global_norm(1.0)), "learning_rate"),
    ],
)
def test_bad_values_are_refused_and_change_nothing(page, name, value, said):
    before = getattr(page.widget, name)
    with pytest.raises((ValueError, TypeError, traitlets.TraitError), match=said):
        setattr(page.widget, name, value)
    assert getattr(page.widget, name) == before
    assert page.widget.schedule == COSINE
    assert page.updates("_design") == []


def test_a_curve_of_zeros_cannot_be_rescaled(page):
    page.widget.schedule = schedules.constant(0.0)
    with pytest.raises(ValueError, match="zero everywhere"):
        page.widget.peak_value = 0.1
    assert page.widget.peak_value == 0.0


def test_the_chain_follows_the_curve_and_the_curve_the_chain():
    page = Page(ScheduleDesigner(COSINE, chain=CHAIN))
    seen = watched(page.widget, "chain")
    page.ask("schedule.set", schedule=STEP.to_node())
    assert seen == [CHAIN.replace(learning_rate=STEP)]
    page.widget.chain = Chain.of(optimizers.sgd(COSINE, momentum=0.9))
    assert page.widget.schedule == COSINE
    page.wait(lambda: page.updates("_design")[-1]["chain"][0]["link"] == "sgd")
    assert "optax.sgd" in page.updates("_code")[-1]["text"]


def test_a_chain_with_a_number_takes_the_designed_curve():
    designer = ScheduleDesigner(COSINE, chain=CHAIN)
    designer.chain = Chain.of(optimizers.sgd(0.5))
    assert designer.schedule == COSINE
    assert designer.chain == Chain.of(optimizers.sgd(COSINE))


def test_an_observer_that_raises_is_said_to_the_page_and_the_edit_holds(page):
    def broken(_):
        raise ZeroDivisionError("in an observer")

    page.widget.observe(broken, "schedule")
    assert "in an observer" in page.refused("schedule.set", schedule=STEP.to_node())
    assert page.widget.schedule == STEP
    assert page.updates("_design")[-1]["schedule"] == STEP.to_node()


def test_a_mask_that_cannot_be_written_leaves_the_schedules_code():
    chain = Chain.of(optimizers.adamw(learning_rate=COSINE, mask=lambda params: params))
    designer = ScheduleDesigner(chain=chain)
    assert designer._code["text"] == COSINE.to_code()
    assert "only the schedule: adamw.mask" in designer._code["message"]


# ---- linked widgets, and who writes what -------------------------------------------------------


def test_a_page_may_write_the_two_scalars(page):
    page.write(peak_value=0.05)
    assert page.widget.schedule == COSINE.with_peak(0.05)
    page.write(steps=50)
    assert page.widget.steps == 50
    # Not sent back: a slider that is being dragged would jump.
    assert page.updates("peak_value") == []


def test_a_page_may_write_both_at_once(page):
    page.write(peak_value=0.05, steps=50)
    assert page.widget.schedule == COSINE.with_peak(0.05).stretched(50)
    page.write(peak_value=0.1, steps=0)
    assert page.widget.schedule == COSINE.with_peak(0.1).stretched(50)


def test_several_parts_may_be_set_under_one_hold(page):
    rate = schedules.constant(0.9)
    with page.widget.hold_trait_notifications():
        page.widget.schedule = STEP
        page.widget.tracks = {"b1": rate}
    assert (page.widget.schedule, page.widget.tracks) == (STEP, {"b1": rate})
    assert (page.widget.peak_value, page.widget.steps) == (0.1, 900)


def test_edits_from_many_threads_leave_one_whole_design():
    page = Page(ScheduleDesigner(COSINE, chain=CHAIN)).unpaced()
    curves = [schedules.preset("linear", peak_value=0.1 + i / 100, steps=100 + i) for i in range(8)]
    gate = threading.Barrier(len(curves))

    def work(curve):
        gate.wait(PATIENCE)
        for _ in range(20):
            page.command("design.set", schedule=curve.to_node(), tracks={"b1": curve.to_node()})
            page.widget.schedule = curve
            page.widget.tracks = {}

    threads = [threading.Thread(target=work, args=(curve,)) for curve in curves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    widget = page.widget
    page.wait(lambda: len(page.replies()) == 160)
    assert all(reply.get("ok") for reply in page.replies())
    assert widget.chain == CHAIN.replace({"learning_rate": widget.schedule, **widget.tracks})
    assert (widget.steps, widget.peak_value) == (widget.schedule.steps, widget.schedule.peak_value)
    page.wait(lambda: page.updates("_design")[-1] == widget._design)


@pytest.mark.parametrize(
    "state",
    [
        {"peak_value": -1},
        {"peak_value": "high"},
        {"steps": 0},
        {"steps": 2.5},
        {"steps": None},
        {"_design": {}},
        {"_code": {"text": "import os"}},
        {"_esm": "alert(1)"},
        {"_view": {"tab": "find"}},
        {"_model_module": "other"},
    ],
    ids=lambda state: next(iter(state)) + repr(next(iter(state.values())))[:10],
)
def test_what_else_a_page_writes_is_taken_back(page, state):
    before = page.widget.get_state()
    page.write(**state)
    assert page.widget.get_state() == before
    [name] = state
    assert page.updates(name) == [before[name]]


def test_linked_widgets_stay_together():
    first, second = ScheduleDesigner(COSINE), ScheduleDesigner(STEP)
    traitlets.link((first, "peak_value"), (second, "peak_value"))
    assert second.schedule == STEP.with_peak(3e-3)
    second.peak_value = 0.5
    assert first.schedule == COSINE.with_peak(0.5)
    slider = ipywidgets.FloatSlider(0.25)
    traitlets.link((slider, "value"), (first, "peak_value"))
    assert second.peak_value == 0.25


@pytest.mark.parametrize("order", [("schedule", "peak_value", "steps"), ("steps", "schedule")])
def test_all_of_two_designers_may_be_linked(order):
    first, second = ScheduleDesigner(COSINE), ScheduleDesigner(STEP)
    for name in (*order, "tracks"):
        traitlets.link((first, name), (second, name))
    seen = [watched(second, name) for name in (*order, "tracks")]
    first.schedule = STEP
    assert (second.schedule, second.peak_value, second.steps) == (STEP, 0.1, 900)
    second.peak_value = 0.5
    assert first.schedule == STEP.with_peak(0.5)
    first.steps = 90
    assert second.schedule == first.schedule
    assert second.steps == 90
    second.tracks = {"b1": schedules.constant(0.9)}
    assert first.tracks == second.tracks
    # Each edit was told once; the first two moved the schedule alone.
    assert [len(told) for told in seen[: len(order)]] == [
        {"schedule": 3, "peak_value": 2, "steps": 2}[name] for name in order
    ]


def test_designers_linked_by_their_chains_stay_together():
    first, second = (ScheduleDesigner(COSINE, chain=CHAIN) for _ in range(2))
    for name in ("schedule", "chain", "tracks", "peak_value"):
        traitlets.link((first, name), (second, name))
    first.tracks = {"b1": schedules.constant(0.5)}
    first.schedule = STEP
    assert (
        second.chain == first.chain == CHAIN.replace(learning_rate=STEP, b1=schedules.constant(0.5))
    )


def test_no_trait_has_two_writers():
    """In marimo a trait that a page writes runs cells again: commands are messages."""
    for widget in (ScheduleDesigner(), LRWidget()):
        page = Page(widget)
        for name in set(widget.keys) - TWO_WAY - {"layout", "tabbable", "tooltip", "_dom_classes"}:
            if name == "_view_count":
                continue
            page.comm.messages.clear()
            before = widget.get_state(name)
            page.write(**{name: "written by a page"})
            assert widget.get_state(name) == before, name


def test_no_page_of_ours_writes_a_trait():
    sources = list((Path(__file__).parents[2] / "js").rglob("*.js"))
    assert sources
    for source in sources:
        text = source.read_text(encoding="utf-8")
        assert not re.search(r"save_changes|model\.set\(", text), source.name


def test_the_view_is_kept_for_the_next_page(page):
    page.ask("view", state={"tab": "design", "yScale": "log"})
    assert page.widget._view == {"tab": "design", "yScale": "log"}
    assert page.updates("_view") == [{"tab": "design", "yScale": "log"}]


# ---- the proof ---------------------------------------------------------------------------------


def test_code_is_proved_from_the_first_look_on(page):
    assert page.widget._code["state"] == "checking"
    page.ask("ready")
    verdict = page.wait_for("_code", "state", "equal", "differs", "failed")
    assert verdict["state"] == "equal", verdict
    assert verdict["error"] <= 1e-6
    assert verdict["text"] == COSINE.to_code()
    page.ask("schedule.set", schedule=STEP.to_node())
    page.wait(lambda: page.widget._code["state"] == "equal" and page.widget._code["seq"] == 1)


def test_the_code_of_a_whole_chain_is_proved():
    page = Page(ScheduleDesigner(COSINE, chain=CHAIN))
    page.ask("ready")
    verdict = page.wait_for("_code", "state", "equal", "differs", "failed")
    assert verdict["state"] == "equal", verdict
    assert "optax.chain" in verdict["text"]


def test_a_verdict_on_an_older_text_is_dropped(page, monkeypatch):
    claims = []

    class Worker:
        def submit(self, key, claim, answer):
            claims.append(answer)

        def forget(self, key):
            pass

    monkeypatch.setattr("lrwidget.widget._design.shared_worker", Worker)
    page.unpaced()
    page.ask("ready")
    page.ask("ready")
    page.ask("schedule.set", schedule=STEP.to_node())
    old, new = claims
    verdict = _proof.Verdict(state="equal", error=0.0, message="equals the curve exactly")
    old(verdict)
    assert page.widget._code["state"] == "checking"
    new(verdict)
    assert page.widget._code["state"] == "equal"
    page.widget.close()
    new(_proof.Verdict(state="failed", error=None, message="late"))
    assert page.widget._code["state"] == "equal"


# ---- without a page, and at the end ------------------------------------------------------------


def test_the_mime_bundle_has_the_widget_the_picture_and_words(page):
    data, _ = page.widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == page.comm.comm_id
    assert data["image/svg+xml"].startswith("<svg ")
    assert data["text/plain"] == "ScheduleDesigner(cosine 500, peak 3e-3)"
    page.widget.schedule = STEP
    assert "peak 0.1" in page.widget._repr_mimebundle_()[0]["image/svg+xml"]


def test_showing_it_sends_nothing(page):
    page.widget._repr_mimebundle_()
    assert page.comm.messages == []


def test_a_curve_of_many_parts_has_a_short_name():
    many = Schedule(*(Segment("linear", 10) for _ in range(50)))
    assert repr(ScheduleDesigner(many)).count("linear") == 6


def test_close_takes_it_off_the_page(page):
    page.widget.close()
    assert page.comm.closed
    page.post({"id": 1, "kind": "ready"})
    assert page.replies() == []


def test_a_designer_never_imports_jax(tmp_path):
    for name in ("widget.js", "widget.css"):
        (tmp_path / name).write_text("", encoding="utf-8")
    script = textwrap.dedent(
        f"""
        import pathlib, sys
        import lrwidget as lrw
        from lrwidget.widget import _bundle
        _bundle.STATIC = pathlib.Path({str(tmp_path)!r})
        designer = lrw.ScheduleDesigner(path={str(tmp_path / "lr.json")!r})
        designer._repr_mimebundle_()
        designer.schedule = lrw.schedules.preset("one_cycle", peak_value=1e-2, steps=300)
        chained = lrw.ScheduleDesigner(chain=lrw.optimizers.adamw(learning_rate=1e-3))
        chained._router.receive({{"id": 1, "kind": "schedule.preset", "name": "cosine"}})
        lrw.LRWidget()
        heavy = {{"jax", "jaxlib", "flax", "optax", "matplotlib"}} & set(sys.modules)
        assert not heavy, heavy
        """
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE)


def test_a_front_end_that_was_not_built_is_an_error_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(_bundle, "STATIC", tmp_path / "static")
    with pytest.raises(FileNotFoundError, match="npm ci && npm run build"):
        ScheduleDesigner()


def test_the_built_front_end_is_what_opens(real_bundle):
    state = Page(ScheduleDesigner()).comm.opened["state"]
    assert "export" in state["_esm"]
    assert len(state["_esm"].encode()) <= 203_000
    assert ".lrw-root" in state["_css"]


def test_the_base_is_not_public():
    assert issubclass(ScheduleDesigner, DesignWidget)
    assert issubclass(LRWidget, DesignWidget)

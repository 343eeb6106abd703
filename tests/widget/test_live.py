"""`LRWidget` with a `LiveControl`: a page steers a loop of the person's own."""

from __future__ import annotations

import threading

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import Chain, optimizers, schedules
from lrwidget.training import LiveControl
from lrwidget.widget import LRWidget, _workbench
from lrwidget.widget._cell import Cell
from tests.widget.page import PATIENCE, Page, decoded

STEPS = 100_000
COSINE = schedules.preset("cosine", peak_value=0.05, steps=STEPS)
LINEAR = schedules.preset("linear", peak_value=0.02, steps=STEPS)


def looping(live, steps=None, **metrics):
    """Return a loop that does nothing but report."""

    def train():
        state = live.to_optax().init({"w": jnp.zeros(2)})
        for step in live.range() if steps is None else range(steps):
            state = live.update(state, step, loss=jnp.float32(1.0), **metrics)

    return train


@pytest.fixture
def live():
    made = lrw.LiveControl(optimizers.sgd(COSINE, momentum=0.9), pace=400)
    yield made
    if made.state in ("compiling", "running", "paused"):
        made.stop()


@pytest.fixture
def page(live):
    live.run(looping(live, mae=0.5), start=False)
    made = Page(LRWidget(live))
    yield made
    made.widget.close()


def started(page):
    page.ask("train.start")
    page.wait_for("_train", "state", "running")
    page.wait(lambda: len(page.widget.live.history))
    return page.widget.live


# ---- how it opens ------------------------------------------------------------------------------


def test_it_opens_with_design_and_train(page, live):
    state = page.comm.opened["state"]
    assert state["_panels"] == ["design", "train"]
    assert state["_train"]["state"] == "idle"
    assert state["_train"]["total"] == STEPS
    assert state["_train"]["run"] == 0
    assert state["_train"]["pace"] == 400
    assert state["_train"]["plan"] == COSINE.to_node(samples=True)
    assert page.widget.schedule == COSINE
    assert page.widget.live is live
    assert page.widget.task is None
    assert "find.start" in page.refused("find.start", low=1e-5, high=1.0, steps=100)


def test_it_opens_on_a_loop_that_runs(live):
    live.run(looping(live, mae=0.5))
    page = Page(LRWidget(live))
    status = page.wait_for("_train", "state", "running")
    assert status["run"] == 1
    page.wait(lambda: page.deltas())
    assert page.wait_for("_train", "columns", ["loss", "mae"])
    page.widget.close()
    assert live.state == "running"


def test_a_number_is_a_flat_line_of_the_runs_length():
    live = lrw.LiveControl(optimizers.adam(1e-3), 300)
    widget = LRWidget(live)
    assert widget.steps == 300
    assert widget.schedule(299) == 1e-3
    assert live.plan()(299) == 1e-3
    assert live.steps == 300


@pytest.mark.parametrize(
    "arguments",
    [{"chain": optimizers.sgd(0.1)}, {"steps": 10}, {"epochs": 2}, {"pace": 5.0}],
    ids=str,
)
def test_what_the_control_has_is_refused(live, arguments):
    [name] = arguments
    with pytest.raises(ValueError, match=f"{name} must be None beside a LiveControl, got"):
        LRWidget(live, **arguments)


# ---- a run -------------------------------------------------------------------------------------


def test_a_page_starts_pauses_and_stops(page, live):
    started_at = page.ask("train.start")["step"]
    page.wait_for("_train", "state", "running")
    paused_at = page.ask("train.pause")["step"]
    # The loop may be a step on when the reply is written.
    assert 0 <= started_at <= paused_at
    assert (live.state, live.position) == ("paused", paused_at)
    page.wait_for("_train", "state", "paused")
    assert page.ask("train.step", steps=3) == {"step": paused_at}
    page.wait(lambda: live.position == paused_at + 3)
    # At rest: a loop without a pace may be at its end before the next command arrives.
    assert page.ask("train.pace", steps_per_second=None) is not None
    page.ask("train.pace", steps_per_second=400)
    page.ask("train.resume")
    set_at = page.ask("train.set", value=0.001)["step"]
    scaled_at = page.ask("train.scale", factor=0.5)["step"]
    bent_at = page.ask("train.plan", schedule=LINEAR.to_node())["step"]
    page.ask("train.extend", steps=10)
    page.ask("train.pace", steps_per_second=500)
    stopped_at = page.ask("train.stop")["step"]
    assert live.state == "stopped"
    steps = np.arange(stopped_at)
    expected = COSINE(steps)
    expected[set_at:] = 0.001
    expected[scaled_at:] = 0.0005
    expected[bent_at:] = LINEAR(steps[bent_at:])
    np.testing.assert_array_equal(live.history.learning_rate, np.float32(expected))
    at_rest, later = ["step", "set_pace", "set_pace"], ["set", "scale", "set", "extend", "set_pace"]
    commands = ["pause", *at_rest, "resume", *later, "stop"]
    assert [e.command for e in live.journal] == commands
    assert {e.source for e in live.journal} == {"widget"}
    status = page.wait_for("_train", "state", "stopped")
    assert status["step"] == stopped_at
    assert len(status["journal"]) == len(commands)
    assert status["metrics"] == {"loss": 1.0, "mae": 0.5}


def test_the_rest_of_a_loop_is_nudged_frozen_and_undone(live):
    head = optimizers.Group("head", multiplier=1.0, paths=["w"])
    own = lrw.LiveControl(Chain.of(optimizers.sgd(COSINE), groups=[head]), pace=400)
    own.run(looping(own), start=False)
    page = Page(LRWidget(own))
    started(page)
    step = page.ask("train.pause")["step"]
    seen = page.ask("train.preview", command="nudge", amount=0.01)
    page.ask("train.nudge", amount=0.01)
    assert own.plan().to_node(samples=True) == seen["plan"]
    page.ask("train.freeze", group="head")
    assert page.wait_for("_train", "groups", [{"name": "head", "frozen": True}])["able"] == [
        "freeze",
        "nudge",
        "preview",
        "undo",
        "warmup",
    ]
    page.ask("train.thaw", group="head")
    page.ask("train.warmup", steps=30)
    assert own.plan()(step) == 0.0
    for _ in range(4):
        page.ask("train.undo")
    assert own.plan() == COSINE
    page.widget.close()
    own.stop()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("train.rewind", {"step": 0}),
        ("train.snapshot", {}),
        ("train.fork", {}),
        ("train.take", {"fork": "1"}),
        ("train.drop", {"fork": "1"}),
        ("train.name", {"fork": "1", "name": "a"}),
        ("train.fan", {"factors": [0.5, 2], "steps": 5}),
        ("train.fan_take", {}),
        ("train.fan_drop", {}),
        ("train.batch", {"size": 3}),
        ("train.cancel", {"number": 0}),
        ("train.scale", {"factor": 0.5, "at": 50_000}),
        ("train.diagnose", {}),
        ("train.script", {"exact": True}),
    ],
)
def test_what_needs_kept_states_is_refused_and_the_loop_goes_on(page, live, kind, fields):
    started(page)
    assert "needs a Trainer's run" in page.refused(kind, **fields)
    assert live.state == "running"
    assert live.journal == ()


def test_rows_come_as_deltas_and_snapshots(page, live):
    started(page)
    page.wait(lambda: len(page.deltas()) >= 3)
    page.ask("train.pause")

    def whole():
        for value in reversed(page.updates("_history")):
            columns = {name: decoded(column) for name, column in value["columns"].items()}
            if len(columns.get("step", ())) == live.position:
                return columns
        return None

    columns = page.wait(whole)
    assert list(columns) == ["step", "loss", "mae", "learning_rate"]
    np.testing.assert_array_equal(columns["step"], np.arange(live.position))
    np.testing.assert_array_equal(columns["learning_rate"], live.history.learning_rate)


def test_restart_calls_the_loop_again(page, live):
    started(page)
    page.ask("train.set", value=0.5)
    page.wait(lambda: live.history.learning_rate[-1] == 0.5)
    first = live.current
    page.ask("train.restart")
    status = page.wait(
        lambda: next((s for s in reversed(page.updates("_train")) if s["run"] == 2), None)
    )
    assert status["journal"] == []
    page.wait(lambda: len(live.history))
    assert first.state == "stopped"
    assert live.current is not first
    assert live.history.learning_rate[0] == np.float32(COSINE(0))
    page.wait_for("_history", "run", 2)
    assert page.updates("_history")[-1]["ghost"] is not None


def test_start_without_a_loop_says_what_to_do():
    page = Page(LRWidget(lrw.LiveControl(optimizers.sgd(COSINE))))
    said = page.refused("train.start")
    assert "no loop is known" in said
    assert "live.run(train_fn)" in said
    assert "no loop is known" in page.refused("train.step", steps=1)


def test_a_loop_in_another_thread_shows_too(live):
    page = Page(LRWidget(live))
    training = threading.Thread(target=looping(live))
    training.start()
    page.wait_for("_train", "state", "running")
    page.ask("train.pause")
    page.wait_for("_train", "state", "paused")
    page.ask("train.stop")
    training.join(PATIENCE)
    page.wait_for("_train", "state", "stopped")


def test_what_the_loop_raises_is_shown(live):
    def train():
        looping(live, 5)()
        raise OSError("no more data")

    page = Page(LRWidget(live))
    live.run(train)
    page.wait_for("_train", "error", "OSError: no more data")
    assert page.wait_for("_train", "state", "failed")["step"] == 5


def test_a_script_is_the_optimizer_that_was_applied(page):
    started(page)
    page.ask("train.pause")
    code = page.ask("train.script")
    assert "optax" in code
    assert "lrwidget" not in code


# ---- the design --------------------------------------------------------------------------------


def test_a_design_is_what_a_loop_begins_with(page, live):
    page.ask("schedule.set", schedule=LINEAR.to_node())
    assert live.plan() == LINEAR
    page.wait_for("_train", "plan", LINEAR.to_node(samples=True))
    started(page)
    assert live.history.learning_rate[0] == np.float32(LINEAR(0))
    page.ask("schedule.set", schedule=COSINE.to_node())
    assert live.plan() == LINEAR
    page.ask("train.restart")
    page.wait(lambda: len(live.history) and live.plan() == COSINE)


def test_a_stretched_design_makes_the_next_run_as_long():
    live = lrw.LiveControl(optimizers.sgd(COSINE), 2 * STEPS)
    page = Page(LRWidget(live))
    assert live.steps == 2 * STEPS
    page.ask("schedule.set", schedule=LINEAR.to_node())
    assert live.steps == 2 * STEPS
    page.ask("schedule.preset", name="linear", peak_value=0.1, steps=500)
    assert live.steps == 500


def test_tracks_reach_the_loop(page, live):
    momentum = schedules.preset("linear", peak_value=0.95, steps=STEPS)
    page.widget.tracks = {"momentum": momentum}
    assert live.plan("momentum") == momentum


def test_another_structure_is_refused(page, live):
    live.to_optax()
    with pytest.raises(ValueError, match="chain must keep its links and their fixed settings"):
        page.widget.chain = optimizers.adam(COSINE)
    assert page.widget.chain == live.chain


def test_a_design_on_disk_is_what_the_loop_begins_with(tmp_path, live):
    path = tmp_path / "lr.json"
    first = LRWidget(live, path=path)
    first.schedule = LINEAR
    again = lrw.LiveControl(optimizers.sgd(COSINE, momentum=0.9))
    LRWidget(again, path=path)
    assert again.plan() == LINEAR


def test_links_on_disk_come_back_while_the_optimizer_is_not_made(tmp_path):
    path = tmp_path / "lr.json"
    given = optimizers.sgd(COSINE, momentum=0.9)
    clipped = lrw.Chain.of(optimizers.clip_by_global_norm(1.0), given)
    LRWidget(lrw.LiveControl(given), path=path).chain = clipped
    again = lrw.LiveControl(given)
    LRWidget(again, path=path)
    assert again.chain == clipped
    made = lrw.LiveControl(given)
    made.to_optax()
    with pytest.warns(UserWarning, match="leaves out the chain: chain must keep its links"):
        widget = LRWidget(made, path=path)
    assert widget.chain == made.chain == lrw.Chain.of(given)


# ---- views -------------------------------------------------------------------------------------


def test_a_control_displays_as_one_widget(live):
    data, _ = live._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"].startswith("LRWidget(")
    shown = live.shown
    live._repr_mimebundle_()
    assert live.shown is shown
    shown.close()
    live._repr_mimebundle_()
    assert live.shown is not shown
    assert LiveControl is lrw.LiveControl


def test_the_cell_that_runs_again_stops_the_loop_of_the_one_before(monkeypatch, live):
    runs = iter(["first", "second", "third"])
    monkeypatch.setattr(_workbench, "current_cell", lambda: Cell("cell", next(runs)))
    LRWidget(live)
    live.run(looping(live))
    # Another view of the same control leaves its loop alone.
    LRWidget(live)
    assert live.state in ("compiling", "running")
    other = lrw.LiveControl(optimizers.sgd(COSINE))
    LRWidget(other)
    assert live.wait(PATIENCE)
    assert live.state == "stopped"


def test_a_picture_shows_the_run(page, live):
    started(page)
    page.ask("train.stop")
    data, _ = page.widget._repr_mimebundle_()
    assert "Training · stopped" in data["image/svg+xml"]

"""`LRWidget`: commands of a page reach runs and range tests, and these reach the page."""

from __future__ import annotations

import gc
import itertools
import threading
import time
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lrwidget as lrw
from lrwidget import Chain, optimizers, schedules
from lrwidget.finding import rules
from lrwidget.widget import LRWidget, _workbench
from lrwidget.widget._cell import Cell
from tests.widget.malformed import MALFORMED
from tests.widget.page import PATIENCE, Page, decoded, decoded_delta

COSINE = schedules.preset("cosine", peak_value=0.05, steps=100_000)
X = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32)


def loss_fn(params, batch):
    x, y = batch
    error = x @ params["w"] - y
    return jnp.mean(error**2), {"mae": jnp.mean(jnp.abs(error))}


@pytest.fixture(scope="module")
def task():
    return lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), valid=(X, Y), batch_size=32)


@pytest.fixture
def page(task):
    """A widget whose run is slow and long, so that there is time for everything."""
    made = Page(LRWidget(task, optimizers.sgd(COSINE), pace=400))
    yield made
    made.widget.close()


def started(page):
    page.ask("train.start")
    page.wait_for("_train", "state", "running")
    return page.widget.trainer


def snapshot_of(page, trainer):
    """Wait until a snapshot holds every row of a run at rest; return its columns."""

    def newest():
        for value in reversed(page.updates("_history")):
            columns = {name: decoded(column) for name, column in value["columns"].items()}
            if len(columns.get("step", ())) == trainer.position:
                return value, columns
        return None

    return page.wait(newest)


def ended(trainer):
    assert trainer.wait(timeout=PATIENCE)


def run_threads():
    own = ("lrwidget-publisher", "lrwidget-find", "lrwidget-begin", "lrwidget-steering")
    return {t for t in threading.enumerate() if t.name in own}


# ---- how it opens ------------------------------------------------------------------------------


def test_it_opens_with_three_panels_and_nothing_running(page):
    state = page.comm.opened["state"]
    assert state["_panels"] == ["find", "design", "train"]
    assert [r["name"] for r in state["_catalogue"]["rules"]] == list(rules)
    assert state["_find"]["state"] == "idle"
    assert state["_train"]["state"] == "idle"
    assert state["_train"]["total"] == 100_000
    assert state["_train"]["plan"] == COSINE.to_node()
    assert state["_train"]["columns"] == ["loss", "mae"]
    assert state["_history"]["run"] == 0
    assert state["_history"]["columns"] == state["_history"]["valid"] == {}
    assert state["_branches"]["lines"] == []
    assert page.widget.trainer is None


def test_without_a_task_there_is_only_the_design():
    page = Page(LRWidget(schedule=COSINE))
    assert page.comm.opened["state"]["_panels"] == ["design"]
    assert "needs a widget with a task" in page.refused("train.start")
    page.ask("schedule.preset", name="linear")


def test_adam_is_the_chain_that_nobody_named(task):
    widget = LRWidget(task)
    assert widget.chain == Chain.of(optimizers.adam(widget.schedule))


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        ({"steps": 640}, 640),
        ({"epochs": 10}, 80),
        ({"epochs": 1.5}, 12),
        ({"schedule": COSINE, "epochs": 2}, 16),
        ({"chain": optimizers.adam(1e-3), "steps": 70}, 70),
        ({"chain": optimizers.adam(1e-3)}, 1000),
    ],
)
def test_steps_and_epochs_are_the_length_of_the_schedule(task, arguments, steps):
    widget = LRWidget(task, **arguments)
    assert widget.steps == steps
    assert Page(widget).comm.opened["state"]["_train"]["total"] == steps


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"task": "digits"}, TypeError, "task must be a Task, a Trainer, a LiveControl, a Sav"),
        ({"steps": 100, "epochs": 2}, ValueError, "give steps or epochs, not both"),
        ({"task": None, "epochs": 2}, ValueError, "epochs needs a task"),
        ({"epochs": 0}, ValueError, "epochs must be a finite number > 0, got 0"),
        ({"steps": 0}, ValueError, "steps must be a whole number >= 1, got 0"),
        ({"pace": -5}, ValueError, "pace must be a finite number > 0, got -5"),
        ({"schedule": 0.1}, TypeError, "schedule must be a Schedule or None, got 0.1"),
        ({"chain": 0.1}, TypeError, "chain must be a Chain or a Link"),
        ({"batch_size": 3}, TypeError, "LRWidget takes .*got 'batch_size'"),
        ({"epoch": 3}, TypeError, "did you mean 'epochs'"),
        ({"guard": "role_back"}, ValueError, "guard must be one of .*did you mean 'roll_back'"),
        ({"task": None, "guard": "stop"}, ValueError, "guard needs a task, got guard='stop'"),
    ],
)
def test_bad_arguments_are_refused_at_once(task, arguments, error, said):
    with pytest.raises(error, match=said):
        LRWidget(**{"task": task, **arguments})


# ---- a run -------------------------------------------------------------------------------------


def test_a_whole_run_from_start_to_finish(task):
    page = Page(LRWidget(task, optimizers.sgd(0.1), steps=300))
    page.ask("ready")
    assert page.ask("train.start") == {"step": 0}
    done = page.wait_for("_train", "state", "finished")
    assert (done["step"], done["total"], done["run"], done["error"]) == (300, 300, 1, None)
    assert done["metrics"]["loss"] < 0.1
    assert done["learning_rate"] == pytest.approx(0.1)
    assert done["valid_columns"] == ["loss", "mae"]
    history = page.widget.trainer.history
    snapshot, columns = snapshot_of(page, page.widget.trainer)
    for name in ("step", "loss", "mae", "learning_rate"):
        np.testing.assert_array_equal(columns[name], history[name])
    np.testing.assert_array_equal(decoded(snapshot["valid"]["loss"]), history.valid.loss)
    assert snapshot["ghost"] is None


def test_snapshots_and_deltas_together_are_the_history(page):
    # So slow that no delta has to be thinned, late as it may be.
    page.ask("train.pace", steps_per_second=50)
    trainer = started(page)
    page.wait(lambda: len(page.deltas()) >= 4)
    page.ask("train.stop")
    page.wait_for("_train", "state", "stopped")
    snapshot_of(page, trainer)
    deltas = [(m, decoded_delta(m, b)) for m, b in page.deltas()]
    assert [m["seq"] for m, _ in deltas] == list(range(1, len(deltas) + 1))
    assert {m["run"] for m, _ in deltas} == {1}
    for name in ("step", "loss", "mae", "learning_rate"):
        joined = np.concatenate([columns[name] for _, columns in deltas if columns])
        np.testing.assert_array_equal(joined, trainer.history[name])
    for snapshot in page.updates("_history"):
        rest = [c["loss"] for m, c in deltas if m["seq"] > snapshot["seq"] and c]
        held = [decoded(snapshot["columns"]["loss"])] if snapshot["columns"] else []
        np.testing.assert_array_equal(np.concatenate([*held, *rest]), trainer.history.loss)


def test_pause_set_and_resume(page):
    trainer = started(page)
    assert page.widget.trainer is trainer
    step = page.ask("train.pause")["step"]
    assert trainer.state == "paused"
    assert trainer.position == step
    page.wait_for("_train", "state", "paused")
    page.ask("train.set", value=0.001)
    held = page.wait(
        lambda: next((s for s in page.updates("_train") if s["held"] == 0.001 and s["edits"]), None)
    )
    assert held["edits"] == [
        {"step": step, "label": "1e-3", "source": "widget", "kind": "edit", "undone": False}
    ]
    page.ask("train.resume")
    page.wait(lambda: trainer.position > step)
    page.ask("train.release")
    page.ask("train.stop")
    rates = trainer.history.learning_rate
    assert rates[step] == np.float32(0.001)
    np.testing.assert_allclose(rates[:step], COSINE(np.arange(step)), atol=1e-7)
    journal = page.wait_for("_train", "state", "stopped")["journal"]
    assert [(line["text"], line["from"], line["to"]) for line in journal] == [
        ("paused", "", ""),
        ("learning rate", "the curve", "1e-3"),
        ("resumed", "", ""),
        ("learning rate released", "1e-3", "the curve"),
        ("stopped", "", ""),
    ]


def test_the_future_is_bent_while_it_runs(page):
    trainer = started(page)
    bent = schedules.preset("linear", peak_value=0.02, steps=100_000)
    step = page.ask("train.plan", schedule=bent.to_node())["step"]
    plan = page.wait(
        lambda: next((t for t in page.updates("_train") if t["plan"] == bent.to_node()), None)
    )
    assert plan["plan_seq"] > page.comm.opened["state"]["_train"]["plan_seq"]
    page.wait(lambda: trainer.position > step)
    page.ask("train.stop")
    assert trainer.history.learning_rate[step] == np.float32(bent(step))
    assert page.widget.schedule == COSINE


def test_quick_moves(page):
    trainer = started(page)
    page.ask("train.pause")
    before = trainer.plan()(trainer.position)
    page.ask("train.scale", factor=0.5)
    assert trainer.plan()(trainer.position) == pytest.approx(before / 2)
    page.ask("train.extend", steps=500)
    assert trainer.steps == 100_500
    page.ask("train.cooldown", steps=20)
    assert trainer.steps == trainer.position + 20
    page.ask("train.step", steps=7)
    page.ask("train.pace", steps_per_second=None)
    assert trainer.pace is None
    page.ask("train.resume")
    ended(trainer)
    assert trainer.state == "finished"


def test_a_run_can_begin_with_a_few_steps(page):
    page.ask("train.step", steps=3)
    paused = page.wait_for("_train", "state", "paused")
    assert paused["step"] == 3


def test_edits_of_the_design_do_not_touch_a_run(page):
    trainer = started(page)
    page.ask("schedule.preset", name="linear", steps=50)
    assert trainer.steps == 100_000
    assert trainer.plan() == COSINE


def test_start_takes_the_design_of_that_moment(page):
    page.ask("schedule.preset", name="linear", peak_value=0.01, steps=40)
    idle = page.wait_for("_train", "total", 40)
    assert idle["state"] == "idle"
    page.ask("train.start")
    ended(page.widget.trainer)
    expected = schedules.preset("linear", peak_value=0.01, steps=40)(np.arange(40))
    np.testing.assert_array_equal(
        page.widget.trainer.history.learning_rate, expected.astype(np.float32)
    )


def test_a_track_set_in_the_design_reaches_the_run(task):
    """The weights, too, are those of plain Optax with that decay."""
    page = Page(LRWidget(task, optimizers.adamw(0.05, weight_decay=0.3), steps=60))
    assert page.widget.tracks == {}
    decay = schedules.preset("linear", peak_value=2.0, steps=60)
    rate = schedules.preset("cosine", peak_value=0.02, steps=60)
    page.ask(
        "design.set",
        schedule=rate.to_node(),
        tracks={"adamw.weight_decay": decay.to_node()},
    )
    page.ask("train.start")
    trainer = page.widget.trainer
    ended(trainer)
    assert trainer.chain == Chain.of(optimizers.adamw(rate, weight_decay=decay))
    steps = np.arange(60)
    for name, curve in {"weight_decay": decay, "learning_rate": rate}.items():
        np.testing.assert_array_equal(trainer.history[name], curve(steps).astype(np.float32))
    alone = lrw.Trainer(task, Chain.of(optimizers.adamw(rate, weight_decay=decay)))
    alone.run_sync()
    np.testing.assert_array_equal(trainer.params["w"], alone.params["w"])
    plain = lrw.Trainer(task, Chain.of(optimizers.adamw(rate, weight_decay=0.3)))
    plain.run_sync()
    assert not np.allclose(trainer.params["w"], plain.params["w"])
    # Taken away, the next run has the number again.
    page.ask("design.set", schedule=rate.to_node(), tracks={})
    page.ask("train.restart")
    ended(page.widget.trainer)
    np.testing.assert_array_equal(page.widget.trainer.history.weight_decay, np.float32(0.3))


def test_tracks_are_the_chains_and_stretched_with_the_run(task):
    b1 = schedules.preset("linear", peak_value=0.9, steps=100_000)
    widget = LRWidget(task, optimizers.adam(COSINE, b1=b1, b2=schedules.constant(0.9)), steps=500)
    assert widget.tracks == {
        "adam.b1": b1.stretched(500),
        "adam.b2": schedules.constant(0.9),
    }
    assert widget.chain.steps == 500
    widget.close()


def test_edits_and_a_run_share_ten_messages_a_second(page):
    """Neither waits for the other for long: each gets its turn."""
    trainer = started(page)
    before = len(page.deltas())
    for peak in (0.01, 0.02, 0.03):
        page.ask("schedule.preset", name="linear", peak_value=peak)
    page.wait(lambda: len(page.deltas()) > before + 2)
    assert page.updates("_design")[-1]["schedule"] == page.widget.schedule.to_node()
    assert trainer.state == "running"


def test_restart_begins_anew_and_keeps_the_old_run_as_a_ghost(page):
    # So slow that the ghost need not be thinned.
    page.ask("train.pace", steps_per_second=50)
    first = started(page)
    page.wait(lambda: first.position >= 30)
    page.ask("schedule.preset", name="linear", peak_value=0.01, steps=20)
    assert page.ask("train.restart") == {"step": 0}
    second = page.widget.trainer
    assert second is not first
    assert first.state == "stopped"
    ended(second)
    snapshot = page.wait_for("_history", "run", 2)
    np.testing.assert_array_equal(decoded(snapshot["ghost"]["step"]), first.history.step)
    np.testing.assert_array_equal(decoded(snapshot["ghost"]["loss"]), first.history.loss)
    assert second.history.loss[0] == first.history.loss[0]
    last = page.wait_for("_train", "state", "finished")
    assert last["run"] == 2


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("train.pause", {}, "there is no run yet"),
        ("train.resume", {}, "there is no run yet"),
        ("train.stop", {}, "there is no run yet"),
        ("train.set", {"value": 0.1}, "there is no run yet"),
        ("train.plan", {"schedule": COSINE.to_node()}, "there is no run yet"),
        ("train.script", {}, "there is no run yet"),
        ("find.stop", {}, "no range test is running"),
        ("find.start", {"low": 1.0, "high": 0.1, "steps": 50}, "high must be a finite number > 1"),
    ],
)
def test_what_needs_a_run_says_so(page, kind, fields, said):
    assert said in page.refused(kind, **fields)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("train.start", {}, "the run has been started already"),
        ("train.set", {"value": -1.0}, "must be a finite number >= 0, got -1.0"),
        ("train.set", {"value": 0.1, "address": "momentum"}, "an address must be one of"),
        ("train.set", {"value": 0.1, "address": "body/sgd.learning_rate"}, "got 'body"),
        ("train.extend", {"steps": 2**31 - 1}, "steps must keep the run within"),
    ],
)
def test_what_a_run_refuses_changes_nothing(page, kind, fields, said):
    trainer = started(page)
    journal = trainer.journal
    assert said in page.refused(kind, **fields)
    assert trainer.journal == journal
    assert trainer.state == "running"


def test_a_run_lives_on_after_every_malformed_message(page):
    trainer = started(page)
    for message, _ in MALFORMED.values():
        count = len(page.replies())
        page.post(message)
        replies = page.replies()[count:]
        assert [set(r) for r in replies] == [{"kind", "id", "error"}]
    step = trainer.position
    page.wait(lambda: trainer.position > step)
    assert trainer.journal == ()
    assert trainer.plan() == COSINE
    assert page.ask("train.pause")["step"] == trainer.position


def test_after_the_end_a_run_takes_no_commands_but_its_script_is_there(task):
    page = Page(LRWidget(task, optimizers.sgd(0.1), steps=20))
    page.ask("train.start")
    ended(page.widget.trainer)
    assert "this run is finished: Restart begins a new one" in page.refused("train.start")
    assert "finished" in page.refused("train.set", value=0.1)
    page.ask("train.pace", steps_per_second=50)
    assert "import optax" in page.ask("train.script")


def test_the_pace_asked_for_holds_for_the_next_run(page):
    page.ask("train.pace", steps_per_second=77)
    started(page)
    assert page.widget.trainer.pace == 77


# ---- errors of the person's own code -----------------------------------------------------------


def test_a_loss_that_raises_is_shown_and_the_widget_lives_on(page):
    def batches():
        for i in range(100):
            if i == 20:
                raise OSError("the disk is gone")
            yield X[:32], Y[:32]

    task = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=batches)
    page = Page(LRWidget(task, optimizers.sgd(0.1), steps=90))
    page.ask("train.start")
    failed = page.wait_for("_train", "state", "failed")
    assert "the disk is gone" in failed["error"]
    page.ask("schedule.preset", name="cosine")
    page.ask("find.start", low=1e-5, high=0.1, steps=50, seeds=1, budget="none")
    assert "the disk is gone" in page.wait_for("_find", "state", "failed")["error"]


def test_a_divergence_is_said_and_travels_as_json(task):
    page = Page(LRWidget(task, optimizers.sgd(1e4), steps=500))
    page.ask("train.start")
    diverged = page.wait_for("_train", "state", "diverged")
    assert "the loss was" in diverged["error"]
    assert diverged["metrics"]["loss"] is None
    ET.fromstring(page.widget._repr_mimebundle_()[0]["image/svg+xml"])


# ---- reload, a second view ---------------------------------------------------------------------


def test_a_page_that_lost_a_delta_gets_everything_again(page):
    trainer = started(page)
    page.wait(lambda: page.deltas())
    page.ask("train.pause")
    snapshot_of(page, trainer)
    for stream, trait in (("train", "_history"), ("find", "_sweep")):
        count = len(page.updates(trait))
        page.ask("resync", stream=stream)
        page.wait(lambda trait=trait, count=count: len(page.updates(trait)) > count)


def test_state_for_a_new_page_holds_the_run(page):
    trainer = started(page)
    page.ask("train.pause")
    page.wait_for("_train", "state", "paused")
    snapshot_of(page, trainer)
    state = page.widget.get_state()
    assert state["_train"]["state"] == "paused"
    shown = decoded(state["_history"]["columns"]["loss"])
    np.testing.assert_array_equal(shown, trainer.history.loss)


def test_at_rest_nothing_is_sent(page):
    trainer = started(page)
    page.ask("train.pause")
    page.wait_for("_train", "state", "paused")
    snapshot_of(page, trainer)
    publisher = page.widget._publisher
    publisher.close()
    # Each look is a long time after the one before, so that whatever is to go goes at once.
    publisher._clock = itertools.count(time.monotonic() + 1000, 1000).__next__
    assert any(publisher.tick() is None for _ in range(10))
    count = len(page.comm.messages)
    assert publisher.tick() is None
    assert len(page.comm.messages) == count


# ---- trainers from Python ----------------------------------------------------------------------


def test_a_trainer_made_in_python_gets_the_controls(page, task):
    trainer = lrw.Trainer(task, Chain.of(optimizers.sgd(COSINE)), pace=300)
    page.widget.trainer = trainer
    assert page.wait_for("_train", "run", 1)["state"] == "idle"
    page.ask("train.start")
    page.wait_for("_train", "state", "running")
    trainer.set(learning_rate=0.02)
    seen = page.wait(
        lambda: next((s for s in page.updates("_train") if s["held"] == 0.02 and s["edits"]), None)
    )
    assert seen["edits"][0]["source"] == "code"
    assert seen["journal"][0]["source"] == "code"
    page.ask("train.stop")
    assert trainer.state == "stopped"


@pytest.mark.parametrize(("value", "said"), [(3, "trainer must be a Trainer or None, got 3")])
def test_what_is_no_trainer_is_refused(page, value, said):
    with pytest.raises(TypeError, match=said):
        page.widget.trainer = value


def test_a_trainer_of_another_task_is_refused(page):
    other = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), batch_size=64)
    with pytest.raises(ValueError, match="must train the task of this widget"):
        page.widget.trainer = lrw.Trainer(other, Chain.of(optimizers.sgd(COSINE)))


def test_a_user_who_blocks_in_an_observer_blocks_nothing_else(page):
    """Replies go out on the run's thread: it must not need what an observer's thread holds."""
    trainer = started(page)
    waits = []

    def blocking(_):
        trainer.pause()
        waits.append(trainer.state)
        trainer.resume()

    page.widget.observe(blocking, "schedule")
    page.write(peak_value=0.01)
    page.ask("schedule.preset", name="linear")
    assert waits == ["paused", "paused"]


# ---- the cell runs again, and the end ----------------------------------------------------------


def test_the_cell_that_runs_again_stops_the_run_before(task):
    first = Page(LRWidget(task, optimizers.sgd(COSINE), pace=300))
    old = started(first)
    second = Page(LRWidget(task, optimizers.sgd(COSINE), pace=300))
    new = started(second)
    assert old.state == "stopped"
    assert new.state == "running"
    second.widget.close()


def test_a_new_task_in_the_same_cell_stops_the_run_before(monkeypatch):
    def widget(run, cell="a"):
        monkeypatch.setattr(_workbench, "current_cell", lambda: Cell(cell, run))
        task = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), batch_size=32)
        return Page(LRWidget(task, optimizers.sgd(COSINE), pace=300))

    old = started(widget("1"))
    beside, elsewhere = widget("1"), widget("2", cell="b")
    assert old.state == "running"
    page = widget("2")
    ended(old)
    assert old.state == "stopped"
    for each in (beside, elsewhere, page):
        each.widget.close()


def test_a_module_is_trained_by_one_widget_at_a_time():
    module = nnx.Linear(4, 1, rngs=nnx.Rngs(0))

    def widget():
        task = lrw.Task(module, lambda m, b: jnp.mean(m(b[0]) ** 2), train=(X, Y), batch_size=32)
        return Page(LRWidget(task, optimizers.sgd(COSINE), pace=300))

    old = started(widget())
    page = widget()
    ended(old)
    assert old.state == "stopped"
    page.widget.close()


def test_a_trainer_that_is_replaced_is_stopped(task, page):
    old = started(page)
    page.widget.trainer = lrw.Trainer(task, optimizers.sgd(0.1), steps=10)
    ended(old)
    assert old.state == "stopped"


def test_a_curve_without_end_takes_a_length(task):
    widget = LRWidget(task, optimizers.sgd(schedules.constant(0.1)))
    assert widget.steps == widget.schedule.steps == 1000
    widget.schedule = schedules.preset("cosine", peak_value=0.1, steps=50)
    widget.schedule = schedules.constant(0.2)
    assert widget.steps == widget.chain.steps == 50
    widget.close()


def test_attributes_take_what_the_constructor_takes(task):
    widget = LRWidget(task, optimizers.sgd(COSINE))
    widget.chain = optimizers.adam(COSINE)
    assert widget.chain == Chain.of(optimizers.adam(COSINE))
    widget.peak_value = np.float32(0.5)
    assert widget.schedule.peak_value == 0.5
    widget.close()


def test_the_same_path_is_the_same_cell_too(tmp_path):
    def widget():
        task = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), batch_size=32)
        return LRWidget(task, optimizers.sgd(COSINE), path=tmp_path / "lr.json", pace=300)

    old = started(Page(widget()))
    page = Page(widget())
    ended(old)
    assert old.state == "stopped"
    page.widget.close()


@pytest.mark.usefixtures("_endless_range_tests")
def test_a_range_test_of_the_widget_before_is_stopped(task):
    first = Page(LRWidget(task, optimizers.sgd(COSINE)))
    first.ask("find.start", low=1e-6, high=1e-3, steps=10_000, budget="none")
    first.wait_for("_find", "state", "running")
    LRWidget(task, optimizers.sgd(COSINE))
    assert first.widget._search().done.result(timeout=PATIENCE) == {"state": "stopped"}


def test_close_ends_every_thread_of_the_widget(task):
    before = run_threads()
    page = Page(LRWidget(task, optimizers.sgd(COSINE), pace=300))
    trainer = started(page)
    threads = run_threads() - before
    assert page.widget._publisher._thread in threads
    page.widget.close()
    ended(trainer)
    for thread in (run_threads() | threads) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive(), thread.name


def test_close_leaves_a_trainer_that_python_made(task):
    page = Page(LRWidget(task, optimizers.sgd(COSINE)))
    trainer = lrw.Trainer(task, Chain.of(optimizers.sgd(COSINE)), pace=300)
    page.widget.trainer = trainer
    page.ask("train.start")
    page.widget.close()
    trainer.pause()
    assert trainer.state == "paused"
    trainer.stop()


def test_a_widget_that_was_refused_leaves_nothing_behind(task):
    with pytest.raises(TypeError):
        LRWidget(task, colour="red")
    gc.collect()


# ---- pictures ----------------------------------------------------------------------------------


def test_shown_again_after_a_run_it_shows_the_run(task):
    page = Page(LRWidget(task, optimizers.sgd(0.05), steps=120))
    data, _ = page.widget._repr_mimebundle_()
    assert "Learning-rate schedule" in data["image/svg+xml"]
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1, budget="none")
    page.widget._search().done.result(timeout=PATIENCE)
    assert "range test" in page.widget._repr_mimebundle_()[0]["image/svg+xml"]
    page.ask("train.start")
    ended(page.widget.trainer)
    svg = page.widget._repr_mimebundle_()[0]["image/svg+xml"]
    root = ET.fromstring(svg)
    words = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert "Learning-rate range test · training · finished" in words
    assert {"train", "validation", "smoothed"} <= words

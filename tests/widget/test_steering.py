"""The Train tab's commands on a real run: edits and their previews, rewinds, forks, fans."""

from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import Chain, optimizers, schedules
from lrwidget.optimizers import Group
from lrwidget.widget import LRWidget
from lrwidget.widget._run_status import MOVES
from tests.widget.page import PATIENCE, Page, decoded, decoded_delta

STEPS = 100_000
COSINE = schedules.preset("cosine", peak_value=0.02, steps=STEPS)
X = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32) + 0.5
RATE, MOMENTUM, HEAD = "sgd.learning_rate", "sgd.momentum", "head/scale.step_size"


def loss_fn(params, batch):
    x, y = batch
    error = x @ params["w"] + params["b"] - y
    return jnp.mean(error**2), {"mae": jnp.mean(jnp.abs(error))}


@pytest.fixture(scope="module")
def task():
    params = {"w": jnp.zeros(4), "b": jnp.zeros(())}
    return lrw.Task(params, loss_fn, train=(X, Y), valid=(X, Y), batch_size=32)


def chain_of(rate=COSINE):
    head = Group("head", multiplier=1.0, paths=["b"])
    return Chain.of(optimizers.sgd(rate, momentum=0.5), groups=[head])


@pytest.fixture
def page(task):
    """A widget whose run is slow and long, so that there is time for everything."""
    made = Page(LRWidget(task, chain_of(), pace=400))
    yield made
    made.widget.close()


@pytest.fixture
def rested(page):
    """The page of a run that is paused after a hundred steps."""
    page.ask("train.step", steps=100)
    page.wait(lambda: page.widget.trainer.state == "paused")
    return page


def status(page, key, *values):
    return page.wait_for("_train", key, *values)


def settled(page, accept=lambda status: True):
    """Wait until the page has been told how the run stands now, and return that."""
    trainer = page.widget.trainer

    def told():
        newest = page.widget._train
        return newest if newest["step"] == trainer.position and accept(newest) else None

    return page.wait(told)


class Plots:
    """What a page's plots hold: the newest snapshot, and the deltas after it, as in data.js."""

    def __init__(self, page):
        self.run = self.address = None
        self.seq = 0
        self.table, self.valid = {}, {}
        for message, buffers in list(page.comm.messages):
            if message["method"] == "update" and "_history" in message["state"]:
                self.snapshot(message["state"]["_history"])
            elif message.get("content", {}).get("stream") == "train":
                self.delta(message["content"], buffers)

    def snapshot(self, new):
        if (new["run"], new["address"]) != (self.run, self.address):
            self.run, self.address, self.seq = new["run"], new["address"], new["seq"]
            self.table = {name: decoded(column) for name, column in new["columns"].items()}
            self.valid = {name: decoded(column) for name, column in new["valid"].items()}

    def delta(self, message, buffers):
        if message["run"] != self.run or message["address"] != self.address:
            return
        if message["seq"] <= self.seq:
            return
        assert message["seq"] == self.seq + 1
        self.seq = message["seq"]
        if "cut" in message:
            self.table = cut(self.table, message["cut"])
            self.valid = cut(self.valid, message["valid_cut"])
        self.table = joined(self.table, decoded_delta(message, buffers))
        self.valid = joined(self.valid, decoded_delta(message, buffers, "valid"))


def cut(table, step):
    return {name: column[table["step"] < step] for name, column in table.items()}


def joined(table, more):
    if not len(more.get("step", ())):
        return table
    if not table:
        return dict(more)
    return {name: np.concatenate([table[name], more[name]]) for name in table}


def same_as_history(page, rate="learning_rate"):
    """Whether the plots have every row of the run, and no other."""
    history, plots = page.widget.trainer.history, Plots(page)
    pairs = [(plots.table.get("step"), history.step), (plots.valid.get("step"), history.valid.step)]
    if any(a is None or not np.array_equal(a, b) for a, b in pairs):
        return False
    np.testing.assert_array_equal(plots.table["loss"], history.loss)
    np.testing.assert_array_equal(plots.table["learning_rate"], history[rate])
    np.testing.assert_array_equal(plots.valid["mae"], history.valid.mae)
    return True


# ---- what is told ------------------------------------------------------------------------------


def test_what_can_be_done_is_told_before_and_while_it_runs(page):
    idle = page.comm.opened["state"]["_train"]
    assert idle["address"] == RATE
    assert [each["short"] for each in idle["addresses"]] == [
        "learning_rate",
        "momentum",
        "head/multiplier",
    ]
    assert idle["groups"] == [{"name": "head", "frozen": False}]
    assert (idle["batch_size"], idle["batch_fixed"]) == (32, None)
    assert idle["able"] == list(MOVES)
    page.ask("train.step", steps=3)
    now = status(page, "state", "paused")
    assert now.keys() == idle.keys()
    for key in ("address", "addresses", "groups", "batch_size", "able", "off"):
        assert now[key] == idle[key]
    assert now["snapshots"][0] == {"step": 0, "reason": "start"}
    json.dumps(now, allow_nan=False)


def test_data_that_brings_its_own_batches_says_so(page):
    def batches():
        while True:
            yield X[:32], Y[:32]

    task = lrw.Task({"w": jnp.zeros(4), "b": jnp.zeros(())}, loss_fn, train=batches)
    own = Page(LRWidget(task, chain_of(), pace=400))
    said = "the data brings batches of its own"
    assert own.comm.opened["state"]["_train"]["batch_fixed"] == said
    own.ask("train.step", steps=2)
    assert status(own, "state", "paused")["batch_fixed"] == said
    assert "batch" in own.refused("train.batch", size=16)
    own.widget.close()


# ---- edits -------------------------------------------------------------------------------------


def test_every_edit_reaches_the_run_and_the_journal(rested):
    page, trainer = rested, rested.widget.trainer
    rate = trainer.plan()(100)
    assert page.ask("train.nudge", amount=0.01) == {"step": 100}
    assert trainer.plan()(100) == pytest.approx(rate + 0.01)
    page.ask("train.scale", factor=0.5, address="momentum")
    assert trainer.plan("momentum")(100) == pytest.approx(0.25)
    page.ask("train.warmup", steps=50)
    assert trainer.plan()(100) == 0.0
    curve = schedules.preset("linear", peak_value=0.5, steps=STEPS)
    page.ask("train.plan", schedule=curve.to_node(), address="momentum")
    assert trainer.plan("momentum") == curve
    page.ask("train.freeze", group="head")
    assert trainer.held(HEAD) == 0.0
    shown = settled(page, lambda s: s["groups"] == [{"name": "head", "frozen": True}])
    assert shown["addresses"][2]["held"] == 0.0
    page.ask("train.thaw", group="head")
    assert page.ask("train.batch", size=64)["step"] == 100
    shown = settled(page, lambda s: s["batch_next"] and len(s["journal"]) == 8)
    assert (shown["batch_size"], shown["batch_next"]) == (32, {"step": 104, "size": 64})
    assert [line["text"] for line in shown["journal"]] == [
        "100 steps taken",
        "learning rate + 0.01",
        "momentum × 0.5",
        "learning rate: warm up over 50 steps",
        "momentum",
        "froze head",
        "thawed head",
        "batch size",
    ]
    page.ask("train.step", steps=20)
    shown = settled(page, lambda s: s["step"] == 120)
    assert (shown["batch_size"], shown["batch_next"]) == (64, None)


def test_an_edit_waits_for_its_step_or_is_cancelled(rested):
    page, trainer = rested, rested.widget.trainer
    assert page.ask("train.scale", factor=0.5, at=110) == {"step": 100}
    page.ask("train.set", value=0.9, address="momentum", at=120)
    shown = settled(page, lambda s: len(s["scheduled"]) == 2)
    assert [(s["step"], s["text"]) for s in shown["scheduled"]] == [
        (110, "learning rate × 0.5"),
        (120, "momentum 0.9"),
    ]
    assert page.ask("train.cancel", number=shown["scheduled"][1]["number"]) is None
    assert "number must be" in page.refused("train.cancel", number=77)
    page.ask("train.step", steps=40)
    page.wait(lambda: trainer.position == 140)
    rates = trainer.history.learning_rate
    np.testing.assert_allclose(rates[109:111] / COSINE(np.array([109, 110])), [1, 0.5], rtol=1e-6)
    assert set(trainer.history.momentum) == {np.float32(0.5)}
    assert settled(page)["scheduled"] == []
    assert "still to come" in page.refused("train.scale", factor=0.5, at=20)


def test_undo_says_what_it_would_take_back_and_does(rested):
    page, trainer = rested, rested.widget.trainer
    assert page.widget._train["undo"] is None
    assert "undo needs an edit" in page.refused("train.undo")
    page.ask("train.scale", factor=0.5)
    page.ask("train.extend", steps=10)
    assert settled(page, lambda s: s["undo"])["undo"] == "extended by 10"
    page.ask("train.undo")
    assert trainer.steps == STEPS
    settled(
        page,
        lambda s: (
            s["undo"] == "learning rate × 0.5"
            and [flag["undone"] for flag in s["edits"]] == [False, True]
        ),
    )
    page.ask("train.undo")
    assert trainer.plan()(100) == COSINE(100)
    said = "undone: learning rate × 0.5"
    settled(page, lambda s: s["undo"] is None and s["journal"][-1]["text"] == said)


# ---- previews ----------------------------------------------------------------------------------

PREVIEWS = {
    "scale": {"factor": 0.5},
    "set": {"value": 0.3},
    "nudge": {"amount": 0.01},
    "cooldown": {"steps": 200},
    "warmup": {"steps": 60},
    "release": {},
    "undo": {},
}


@pytest.mark.parametrize("kind", PREVIEWS)
def test_a_preview_is_what_then_happens_and_changes_nothing(rested, kind):
    page, trainer = rested, rested.widget.trainer
    if kind in ("release", "undo"):
        page.ask("train.set", value=0.7)
    before, journal = trainer.plan(), trainer.journal
    seen = page.ask("train.preview", command=kind, **PREVIEWS[kind])
    assert (seen["address"], seen["step"]) == (RATE, 100)
    assert (trainer.plan(), trainer.journal) == (before, journal)
    page.ask(f"train.{kind}", **PREVIEWS[kind])
    held = trainer.held()
    now = trainer.plan() if held is None else schedules.constant(held)
    steps = np.arange(100, 500)
    previewed = schedules.Schedule.from_node(seen["plan"])
    np.testing.assert_array_equal(previewed(steps), now(steps))
    assert seen["total"] == trainer.steps


def test_a_preview_of_what_is_not_watched_has_no_plan(rested):
    page = rested
    assert page.ask("train.preview", command="extend", steps=9) == {
        "plan": None,
        "total": STEPS + 9,
    }
    assert page.ask("train.preview", command="freeze", group="head")["plan"] is None
    assert page.ask("train.preview", command="thaw", group="head")["plan"] is None
    other = page.ask("train.preview", command="scale", factor=1.5, address="momentum")
    assert other["address"] == MOMENTUM
    page.ask("train.watch", address="head/multiplier")
    assert page.ask("train.preview", command="freeze", group="head")["address"] == HEAD
    assert page.ask("train.preview", command="scale", factor=0.5, at=300)["step"] == 300
    for fields in ({"command": "freeze", "group": "tail"}, {"command": "nudge", "amount": -9.0}):
        assert page.refused("train.preview", **fields)


# ---- watching another --------------------------------------------------------------------------


def test_what_is_watched_is_in_the_lower_plot(page):
    # So slow that no delta has to be thinned, late as it may be.
    page.ask("train.pace", steps_per_second=50)
    page.ask("train.start")
    trainer = page.wait(lambda: page.widget.trainer)
    page.wait(lambda: page.deltas() and len(trainer.history.valid))
    page.ask("train.watch", address="momentum")
    shown = status(page, "address", MOMENTUM)
    assert shown["plan"] == trainer.plan("momentum").to_node(samples=True)
    page.ask("train.scale", factor=0.5)
    page.wait(lambda: Plots(page).address == MOMENTUM)
    page.ask("train.pause")
    page.wait(lambda: same_as_history(page, "momentum"))
    page.ask("train.watch", address=RATE)
    page.wait(lambda: Plots(page).address == RATE and same_as_history(page))
    assert "an address must be" in page.refused("train.watch", address="beta")
    assert "no run yet" in Page(LRWidget(trainer.task)).refused("train.watch", address=RATE)


def test_the_choice_outlives_the_run(rested):
    page = rested
    page.ask("train.watch", address="momentum")
    page.ask("train.restart")
    again = page.wait(lambda: next((s for s in page.updates("_history") if s["run"] == 2), None))
    assert again["address"] == MOMENTUM
    assert "learning_rate" in again["ghost"]


# ---- going back --------------------------------------------------------------------------------


def test_a_rewind_cuts_the_plots_and_leaves_a_line(rested):
    page, trainer = rested, rested.widget.trainer
    page.wait(lambda: same_as_history(page))
    old = np.array(trainer.history.loss)
    page.ask("train.scale", factor=3)
    assert page.ask("train.rewind", step=60) == {"step": 60}
    assert (trainer.state, trainer.position) == ("paused", 60)
    page.wait(lambda: same_as_history(page))
    shown = settled(page, lambda s: any(f["kind"] == "rewind" for f in s["edits"]))
    assert [(f["kind"], f["undone"]) for f in shown["edits"]] == [("edit", True), ("rewind", False)]
    assert shown["edits"][1]["step"] == 60
    assert (shown["journal"][-1]["from"], shown["journal"][-1]["to"]) == ("100", "60")
    [line] = page.wait(lambda: (page.updates("_branches") or [{}])[-1].get("lines"))
    assert (line["kind"], line["step"], line["name"]) == ("abandoned", 60, "until 100")
    np.testing.assert_array_equal(decoded(line["columns"]["step"]), np.arange(60, 100))
    np.testing.assert_array_equal(decoded(line["columns"]["loss"]), old[60:])
    page.ask("train.scale", factor=0.5)
    page.ask("train.step", steps=70)
    page.wait(lambda: trainer.position == 130 and same_as_history(page))
    assert "step must be one that the run has reached" in page.refused("train.rewind", step=9999)


def test_rewinds_of_a_run_at_full_speed_leave_no_row_behind(task):
    page = Page(LRWidget(task, chain_of(COSINE.stretched(100 * STEPS))))
    page.ask("train.start")
    trainer = page.wait(lambda: page.widget.trainer)
    for step in (500, 900, 100):
        page.wait(lambda step=step: trainer.position > step + 300)
        assert page.ask("train.rewind", step=step) == {"step": step}
        page.ask("train.resume")
    page.wait(lambda: trainer.position > 2000)
    page.ask("train.pause")

    def ends_alike():
        plots = Plots(page)
        steps, passes = plots.table.get("step", ()), plots.valid.get("step", ())
        return (
            len(steps)
            and steps[-1] == trainer.position - 1
            and len(passes)
            and passes[-1] == trainer.history.valid.step[-1]
            and plots
        )

    plots, history = page.wait(ends_alike), trainer.history
    # So many rows in one message are thinned: those that are there must be rows of the run.
    for shown, table in ((plots.table, history), (plots.valid, history.valid)):
        assert np.all(np.diff(shown["step"]) > 0)
        rows = np.searchsorted(table.step, shown["step"])
        np.testing.assert_array_equal(shown["step"], table.step[rows])
        np.testing.assert_array_equal(shown["loss"], table.loss[rows])
    page.widget.close()


def test_a_finished_run_goes_back_and_on(task):
    page = Page(LRWidget(task, chain_of(0.02), steps=80))
    page.ask("train.start")
    trainer = page.widget.trainer
    assert trainer.wait(timeout=PATIENCE)
    whole = np.array(trainer.history.loss)
    assert page.ask("train.rewind", step=33) == {"step": 33}
    assert settled(page, lambda s: s["state"] == "paused")["step"] == 33
    page.ask("train.resume")
    assert trainer.wait(timeout=PATIENCE)
    np.testing.assert_array_equal(trainer.history.loss, whole)
    page.widget.close()


def test_what_follows_a_rewind_waits_for_it(rested):
    """Everything takes effect in the order in which it was sent."""
    page, trainer = rested, rested.widget.trainer
    ids = [
        page.command("train.scale", factor=0.5),
        page.command("train.rewind", step=40),
        page.command("train.scale", factor=4.0),
        page.command("train.rewind", step=20),
        page.command("train.scale", factor=2.0),
    ]
    steps = [page.reply(id)["value"]["step"] for id in ids]  # noqa: A001
    assert steps == [100, 40, 40, 20, 20]
    assert trainer.plan()(20) == pytest.approx(2 * COSINE(20))
    replied = [reply["id"] for reply in page.replies() if reply["id"] in ids]
    assert replied == ids


def test_a_snapshot_by_hand_is_shown(rested):
    page = rested
    assert page.ask("train.snapshot") == {"step": 100}
    shown = settled(page, lambda s: {"step": 100, "reason": "hand"} in s["snapshots"])
    steps = [each["step"] for each in shown["snapshots"]]
    assert steps == sorted(set(steps))


# ---- forks -------------------------------------------------------------------------------------


def test_a_fork_runs_beside_and_is_named_dropped_or_taken(rested):
    page, trainer = rested, rested.widget.trainer
    # So slow that what is taken need not be thinned.
    page.ask("train.pace", steps_per_second=50)
    first = page.ask("train.fork", step=50, name="slower")
    second = page.ask("train.fork")
    assert (first["step"], second["step"]) == (50, 100)
    shown = settled(page, lambda s: len(s["forks"]) == 2 == len(s["edits"]))
    assert [(f["id"], f["name"], f["step"]) for f in shown["forks"]] == [
        (first["id"], "slower", 50),
        (second["id"], "fork 2", 100),
    ]
    assert [f["kind"] for f in shown["edits"]] == ["fork", "fork"]
    lines = page.wait(
        lambda: next(
            (
                b["lines"]
                for b in reversed(page.updates("_branches"))
                if len(b["lines"]) == 2 and all("loss" in line["columns"] for line in b["lines"])
            ),
            None,
        )
    )
    assert {line["id"] for line in lines} == {first["id"], second["id"]}
    page.ask("train.name", fork=second["id"], name="again")
    settled(page, lambda s: [f["name"] for f in s["forks"]] == ["slower", "again"])
    page.ask("train.drop", fork=second["id"])
    settled(page, lambda s: len(s["forks"]) == 1)
    [fork] = trainer.forks
    page.wait(lambda: fork.position > 120)
    step = page.ask("train.take", fork=first["id"])["step"]
    assert step > 120
    assert (trainer.state, trainer.position, trainer.forks) == ("paused", step, ())
    page.wait(lambda: same_as_history(page))
    for kind in ("train.take", "train.drop"):
        assert "the id of a fork" in page.refused(kind, fork=first["id"])


def test_a_fork_from_here_does_not_have_what_comes_after_it(rested):
    page, trainer = rested, rested.widget.trainer
    forked = page.command("train.fork")
    page.ask("train.scale", factor=0.5)
    page.reply(forked)
    [fork] = trainer.forks
    assert fork.plan()(100) == COSINE(100)
    assert trainer.plan()(100) == pytest.approx(COSINE(100) / 2)


def test_a_fork_of_a_fork_is_taken_or_dropped(rested):
    page, trainer = rested, rested.widget.trainer
    outer = page.ask("train.fork")["id"]
    [fork] = trainer.forks
    page.wait(lambda: fork.position > 110)
    inner = [fork.fork(name="inner"), fork.fork(name="other")]
    shown = settled(page, lambda s: len(s["forks"]) == 3)
    assert [f["parent"] for f in shown["forks"]] == [None, outer, outer]
    page.ask("train.drop", fork=shown["forks"][2]["id"])
    assert fork.forks == (inner[0],)
    inner[0].step(3)
    step = page.ask("train.take", fork=shown["forks"][1]["id"])["step"]
    assert step == inner[0].position
    assert (trainer.position, trainer.forks) == (step, ())


# ---- a fan -------------------------------------------------------------------------------------


def test_a_fan_is_tried_and_its_best_is_taken(rested):
    page, trainer = rested, rested.widget.trainer
    assert page.ask("train.fan", factors=[0.01, 1.0, 1e6], steps=40) == {"step": 100}
    fan = page.wait(
        lambda: next(
            (s["fan"] for s in page.updates("_train") if (s["fan"] or {}).get("state") == "done"),
            None,
        )
    )
    assert [c["label"] for c in fan["candidates"]] == ["×0.01", "×1", "×1e+06"]
    assert [c["diverged"] for c in fan["candidates"]] == [False, False, True]
    assert (fan["best"], fan["done"]) == (1, 1.0)
    lines = page.wait(
        lambda: next((b["lines"] for b in page.updates("_branches") if len(b["lines"]) == 3), None)
    )
    assert [line["id"] for line in lines] == ["c0", "c1", "c2"]
    assert trainer.position == 100
    assert page.ask("train.fan_take", index=0) == {"step": 100}
    assert trainer.plan()(100) == pytest.approx(COSINE(100) / 100)
    settled(page, lambda s: s["fan"] is None)
    assert "there is no fan" in page.refused("train.fan_take")


def test_a_fan_of_typed_rates_of_another_hyperparameter_is_dropped(rested):
    page, trainer = rested, rested.widget.trainer
    page.ask("train.fan", rates=[0.1, 0.9], steps=20, address="momentum")
    settled(page, lambda s: s["fan"])
    assert page.ask("train.fan_drop") is None
    settled(page, lambda s: s["fan"] is None)
    assert trainer.held("momentum") is None
    assert "one of them" in page.refused("train.fan", steps=5)
    assert "one of them" in page.refused("train.fan", steps=5, rates=[1, 2], factors=[1, 2])
    assert page.refused("train.fan", rates=[0.1, 7], steps=20, address=HEAD + "x")


# ---- words for the rest ------------------------------------------------------------------------


def test_scripts_are_readable_or_exact(rested):
    assert "import optax" in rested.ask("train.script")
    assert "import optax" in rested.ask("train.script", exact=False)
    assert rested.ask("train.script", exact=True) != rested.ask("train.script")


def test_a_roll_back_is_said_in_the_status_and_on_the_plots(task):
    # So long that it goes on whenever the edit comes.
    page = Page(LRWidget(task, chain_of(0.02), steps=10 * STEPS, guard="roll_back", pace=2000))
    page.ask("train.start")
    trainer = page.widget.trainer
    status(page, "guard", "rolls back")
    page.wait(lambda: trainer.position > 600)
    page.ask("train.scale", factor=1e4)
    shown = page.wait(
        lambda: next((s for s in page.updates("_train") if s["notice"] is not None), None)
    )
    assert shown["notice"].startswith("diverged at ")
    flags = [flag for flag in shown["edits"] if flag["kind"] == "guard"]
    assert flags[0]["label"] == "rolled back"
    page.ask("train.stop")
    assert trainer.state == "stopped"
    page.widget.close()


def test_why_a_run_failed_is_shown_with_its_traceback():
    def batches():
        for i in range(100):
            if i == 20:
                raise OSError("the disk is gone")
            yield X[:32], Y[:32]

    task = lrw.Task({"w": jnp.zeros(4), "b": jnp.zeros(())}, loss_fn, train=batches)
    page = Page(LRWidget(task, chain_of(0.02), steps=90))
    page.ask("train.start")
    failed = status(page, "state", "failed")
    assert 'raise OSError("the disk is gone")' in failed["traceback"]
    assert failed["snapshots"]
    page.widget.close()


def test_a_diverged_run_is_diagnosed_and_rewound(task):
    page = Page(LRWidget(task, chain_of(1e4), steps=500))
    page.ask("train.start")
    diverged = status(page, "state", "diverged")
    found = page.ask("train.diagnose")
    assert 0 < found["step"] <= diverged["step"]
    assert found["message"]
    page.ask("train.rewind", step=3)
    settled(page, lambda s: s["state"] == "paused" and s["error"] is None)
    page.ask("train.set", value=0.01)
    page.ask("train.resume")
    assert page.widget.trainer.wait(timeout=PATIENCE)
    assert page.widget.trainer.state == "finished"
    page.widget.close()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("train.rewind", {"step": 0}),
        ("train.fork", {}),
        ("train.take", {"fork": "1"}),
        ("train.fan", {"factors": [0.5, 2], "steps": 5}),
        ("train.fan_take", {}),
        ("train.undo", {}),
        ("train.cancel", {"number": 0}),
        ("train.snapshot", {}),
        ("train.batch", {"size": 3}),
        ("train.preview", {"command": "undo"}),
        ("train.diagnose", {}),
    ],
)
def test_without_a_run_each_says_so(page, kind, fields):
    assert "there is no run yet" in page.refused(kind, **fields)

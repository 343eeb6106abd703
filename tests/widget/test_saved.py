"""`LRWidget` with a run that is on disk, or with a trainer of one's own."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import Chain, optimizers, schedules
from lrwidget.widget import LRWidget
from tests.widget.page import PATIENCE, Page, decoded

COSINE = schedules.preset("cosine", peak_value=0.02, steps=120)
X = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32)
MOMENTUM = "sgd.momentum"


def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] - y) ** 2)


@pytest.fixture(scope="module")
def task():
    return lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), valid=(X, Y), batch_size=32)


@pytest.fixture(scope="module")
def folder(task, tmp_path_factory):
    """A run that was halved at step 50, rewound, forked, and finished."""
    path = tmp_path_factory.mktemp("runs") / "blobs"
    trainer = lrw.Trainer(task, optimizers.sgd(COSINE, momentum=0.5), directory=path)
    trainer.step(80)
    trainer.rewind(50)
    trainer.scale(learning_rate=0.5)
    fork = trainer.fork(name="slow")
    fork.step(20)
    fork.stop()
    trainer.resume()
    assert trainer.wait(timeout=PATIENCE)
    return path


@pytest.fixture
def page(folder):
    made = Page(LRWidget(lrw.open_run(folder)))
    yield made
    made.widget.close()


def test_it_shows_the_run_with_every_control_off(page, folder):
    state = page.comm.opened["state"]
    assert state["_panels"] == ["design", "train"]
    shown = state["_train"]
    assert (shown["state"], shown["step"], shown["total"]) == ("finished", 120, 120)
    assert "on disk" in shown["off"]
    assert shown["able"] == []
    assert shown["directory"] == str(folder)
    assert shown["best"]["step"] == 120
    assert [line["text"] for line in shown["journal"]][-1] in (
        "resumed",
        "finished",
        "forked: slow",
    )
    assert shown["snapshots"]
    json.dumps(shown, allow_nan=False)
    assert page.widget.trainer is None
    for kind, fields in {
        "train.start": {},
        "train.scale": {"factor": 0.5},
        "train.rewind": {"step": 3},
        "train.restart": {},
    }.items():
        assert "on disk" in page.refused(kind, **fields)


def test_its_history_and_its_other_lines_are_in_the_plots(page, folder):
    page.ask("ready")
    run = lrw.open_run(folder)
    history = page.wait(lambda: next(iter(page.updates("_history")), None))
    # What there is goes as a delta first, and then whole.
    whole = page.wait(
        lambda: next((h for h in page.updates("_history") if len(h["columns"])), None)
    )
    assert history["run"] == 1
    np.testing.assert_array_equal(decoded(whole["columns"]["loss"]), run.history.loss)
    np.testing.assert_array_equal(decoded(whole["valid"]["loss"]), run.history.valid.loss)
    lines = page.wait(lambda: next((b["lines"] for b in page.updates("_branches")), None))
    assert {line["kind"] for line in lines} == {"fork", "abandoned"}
    [fork] = [line for line in lines if line["kind"] == "fork"]
    np.testing.assert_array_equal(decoded(fork["columns"]["step"]), np.arange(50, 70))


def test_the_curve_that_was_applied_can_be_read_and_designed_on(page, folder):
    run = lrw.open_run(folder)
    applied = page.widget.schedule
    steps = np.arange(120)
    np.testing.assert_allclose(applied(steps), run.effective_schedule()(steps), atol=1e-12)
    assert applied(100) == pytest.approx(COSINE(100) / 2)
    page.ask("schedule.preset", name="linear", peak_value=0.5)
    assert page.widget.chain.learning_rate == page.widget.schedule


def test_another_hyperparameter_can_be_watched(page):
    page.ask("train.watch", address="momentum")
    shown = page.wait(
        lambda: next((h for h in page.updates("_history") if h["address"] == MOMENTUM), None)
    )
    assert set(decoded(shown["columns"]["learning_rate"])) == {np.float32(0.5)}


def test_its_picture_is_that_of_the_run(page):
    svg = page.widget._repr_mimebundle_()[0]["image/svg+xml"]
    assert "Training · finished" in {e.text for e in ET.fromstring(svg).iter() if e.text}


def test_resumed_it_has_its_controls_again(folder, task, tmp_path):
    # The first trainer may still be rewound: nobody else writes to its folder.
    shutil.copytree(folder, tmp_path / "copy")
    trainer = lrw.open_run(tmp_path / "copy").resume(task, steps=150)
    page = Page(LRWidget(trainer))
    shown = page.comm.opened["state"]["_train"]
    assert (shown["state"], shown["step"], shown["total"]) == ("paused", 120, 150)
    assert shown["off"] is None
    assert shown["origin"] == 120
    page.ask("train.resume")
    assert trainer.wait(timeout=PATIENCE)
    assert trainer.position == 150
    page.widget.close()


# ---- a trainer of one's own --------------------------------------------------------------------


def test_a_trainer_in_the_place_of_a_task_is_shown(task):
    # So slow that it goes on whenever somebody looks.
    trainer = lrw.Trainer(task, optimizers.sgd(COSINE), pace=1e-3)
    page = Page(LRWidget(trainer))
    state = page.comm.opened["state"]
    assert state["_panels"] == ["find", "design", "train"]
    assert state["_train"]["run"] == 1
    assert page.widget.trainer is trainer
    assert page.widget.schedule == COSINE
    page.ask("train.start")
    page.wait(lambda: page.deltas())
    # A second view of the same run does not stop it, nor does closing one.
    other = Page(LRWidget(trainer))
    assert trainer.state == "running"
    page.widget.close()
    assert trainer.state == "running"
    other.ask("train.stop")
    other.widget.close()
    assert trainer.state == "stopped"


def test_the_next_run_has_the_options_of_the_one_that_was_given(task):
    first = lrw.Trainer(
        task, optimizers.sgd(COSINE), guard="roll_back", valid_every=7, measure=["gradient_norm"]
    )
    page = Page(LRWidget(first))
    page.ask("train.restart")
    second = page.widget.trainer
    assert second is not first
    assert second.wait(timeout=PATIENCE)
    assert second.options.guard == first.options.guard
    assert second.measures == first.measures
    np.testing.assert_array_equal(second.history.valid.step[:3], [7, 14, 21])
    page.widget.close()


@pytest.mark.parametrize("given", [{"steps": 5}, {"chain": optimizers.sgd(0.1)}, {"pace": 5}])
def test_what_a_run_has_itself_is_not_given_beside_it(task, folder, given):
    trainer = lrw.Trainer(task, Chain.of(optimizers.sgd(COSINE)))
    for run, kind in ((trainer, "Trainer"), (lrw.open_run(folder), "SavedRun")):
        with pytest.raises(ValueError, match=f"{next(iter(given))} must be None beside a {kind}"):
            LRWidget(run, **given)

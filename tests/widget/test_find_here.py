"""The Find panel and a run: from where it is, and what was found given to it."""

from __future__ import annotations

import gc
import weakref

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import finding, optimizers
from lrwidget.training import Step
from lrwidget.widget import LRWidget
from lrwidget.widget._rest import Place, factor_for
from tests.widget.page import PATIENCE, Page
from tests.widget.probing import COSINE, PLAIN, WARMUP, X, Y, creeping, found, loss_fn, started

# ---- from where a run is -----------------------------------------------------------------------


def test_from_here_the_run_waits_and_goes_on_as_if_nothing_had_been(task, probing):
    page = Page(LRWidget(task, optimizers.sgd(WARMUP, momentum=0.9)))
    trainer = creeping(page, 20)
    page.ask("find.start", **{**PLAIN, "budget": "quick", "from": "here"})
    page.wait_for("_find", "phase", "probes")
    assert trainer.state == "paused"
    place = page.widget._search().place
    assert place.step == trainer.position
    [given] = probing.given
    assert given["start"] is trainer
    assert given["chain"] is trainer.chain
    assert given["steps"] is None  # what is left of the run
    assert page.wait_for("_train", "state", "finding")["run"] == 1
    probing.gate.set()
    assert found(page)["settings"]["from"] == "here"
    assert page.widget.sweep.start_step == place.step
    assert trainer.state == "running"
    page.ask("train.pace", steps_per_second=None)
    assert trainer.wait(timeout=PATIENCE)
    alone = lrw.Trainer(task, optimizers.sgd(WARMUP, momentum=0.9))
    alone.run_sync()
    for name in alone.history.names:
        np.testing.assert_array_equal(trainer.history[name], alone.history[name], err_msg=name)
    np.testing.assert_array_equal(trainer.params["w"], alone.params["w"])


def test_from_here_a_run_that_was_paused_stays_so(page):
    trainer = started(page)
    page.ask("train.pause")
    page.ask("find.start", **{**PLAIN, "from": "here"})
    found(page)
    assert trainer.state == "paused"


def test_steps_that_were_asked_for_are_done_after(task):
    page = Page(LRWidget(task, optimizers.sgd(COSINE), pace=400))
    trainer = started(page)
    page.ask("train.pause")
    end = trainer.position + 100
    # So slow that they are not done before.
    trainer.set_pace(1e-3)
    trainer.submit(Step(steps=100)).result()
    page.ask("find.start", **{**PLAIN, "from": "here"})
    found(page)
    assert page.widget._search().place.step < end
    trainer.set_pace(None)
    page.wait(lambda: trainer.state == "paused")
    assert trainer.position == end
    page.widget.close()


def test_a_validation_loss_is_needed_where_it_is_asked_for():
    valid = lrw.Task(
        {"w": jnp.zeros(4)},
        loss_fn,
        train=(X, Y),
        valid=(X, Y),
        batch_size=32,
        eval_fn=lambda params, batch: {"error": loss_fn(params, batch)},
    )
    page = Page(LRWidget(valid, optimizers.sgd(COSINE)))
    said = page.refused("find.start", **{**PLAIN, "loss": "valid"})
    assert 'loss="valid" needs a validation measure called "loss", got error' in said
    assert page.widget._search() is None
    page.widget.close()


@pytest.mark.parametrize("failing", ["sweep", "advice"])
def test_a_run_goes_on_although_the_search_from_it_failed(page, probing, monkeypatch, failing):
    trainer = started(page)
    if failing == "sweep":

        def find_lr(*_, **__):
            raise OSError("the disk is gone")

        monkeypatch.setattr(finding, "find_lr", find_lr)
    probing.outcome = OSError("the disk is gone")
    probing.gate.set()
    page.ask("find.start", **{**PLAIN, "budget": "quick", "from": "here"})
    assert found(page)["state"] == ("failed" if failing == "sweep" else "done")
    step = trainer.position
    page.wait(lambda: trainer.position > step)


def test_a_run_that_is_stopped_meanwhile_stays_so(page, probing):
    trainer = started(page)
    page.ask("find.start", **{**PLAIN, "budget": "quick", "from": "here"})
    page.wait_for("_find", "phase", "probes")
    page.ask("train.stop")
    probing.gate.set()
    assert found(page)["state"] == "done"
    assert trainer.state == "stopped"
    said = page.refused("find.start", **{**PLAIN, "from": "here"})
    assert "this run is stopped, and nothing is left of it" in said


def test_a_run_that_is_over_is_not_kept_for_what_was_found_in_it(task):
    page = Page(LRWidget(task, optimizers.sgd(0.05), steps=2000))
    old = creeping(page, 20)
    page.ask("find.start", **{**PLAIN, "high": 10.0, "budget": "quick", "from": "here"})
    assert found(page)["advice"]["learning_rate"] is not None
    page.ask("train.restart")
    assert page.widget.trainer is not old
    old.wait(PATIENCE)
    old = weakref.ref(old)

    def gone():
        gc.collect()
        return old() is None

    page.wait(gone)
    page.widget.close()


def test_the_real_advice_is_that_of_the_function(task):
    page = Page(LRWidget(task, optimizers.sgd(WARMUP)))
    page.ask("find.start", low=1e-5, high=10.0, steps=40)
    done = found(page)
    alone = lrw.advise(task, optimizers.sgd(WARMUP), steps=400)
    told = done["advice"]
    assert told["state"] == "advised"
    assert told["learning_rate"] == alone.learning_rate
    assert (told["low"], told["high"]) == (alone.low, alone.high)
    assert told["reasons"] == list(alone.reasons)
    assert told["gradient_steps"] == alone.gradient_steps
    assert done["curvature"]["critical_rate"] == alone.evidence.curvature.critical_rate
    shown = page.wait(lambda: next((p for p in page.updates("_probes") if p["optimum"]), None))
    assert len(shown["runs"]) == len(page.widget.probe.runs)
    assert shown["optimum"]["rate"] == alone.learning_rate

    trainer = creeping(page, 20)
    page.ask("find.start", **{**PLAIN, "high": 10.0, "budget": "quick", "from": "here"})
    page.widget._search().done.result(timeout=PATIENCE)
    told = page.wait(
        lambda: next(
            (
                f["advice"]
                for f in page.updates("_find")
                if f["settings"]["from"] == "here" and f["state"] == "done"
            ),
            None,
        )
    )
    step = page.widget._search().place.step
    assert told["steps"] == 400 - step
    page.ask("train.pause")
    before = trainer.plan()
    page.ask("find.use", **{"learning_rate": told["learning_rate"], "from": "here"})
    factor = told["learning_rate"] / float(np.max(before(np.arange(step, 400))))
    np.testing.assert_allclose(trainer.plan()(300), before(300) * factor, rtol=1e-6)
    page.widget.close()


# ---- a rate that was found, taken --------------------------------------------------------------


def test_a_rate_from_here_scales_the_rest_of_the_run(page):
    trainer = started(page)
    page.ask("train.pause")
    before, step = trainer.plan(), trainer.position
    design = page.widget.schedule
    reply = page.ask("find.use", **{"learning_rate": 0.02, "from": "here"})
    assert reply == {"step": step}
    assert trainer.plan()(step) == pytest.approx(0.02)
    assert trainer.plan()(90_000) / before(90_000) == pytest.approx(0.02 / before(step))
    edit = trainer.journal[-1]
    assert (edit.command, edit.source) == ("scale", "widget")
    assert page.widget.schedule == design
    page.ask("train.undo")
    assert trainer.plan() == before


def test_without_a_run_a_rate_from_here_is_refused(page):
    said = page.refused("find.use", **{"learning_rate": 0.02, "from": "here"})
    assert "there is no run yet" in said


class Run:
    """Something that can be told from another."""


ONE, ANOTHER = Run(), Run()


def place(step, applied=WARMUP, *, run=ONE, steps=400):
    return Place(
        run=weakref.ref(run), step=step, steps=steps, address="sgd.learning_rate", applied=applied
    )


@pytest.mark.parametrize(
    ("now", "since", "factor"),
    [
        # In the warmup it is the peak to come that becomes the rate that was found.
        (place(5), None, 0.02 / 0.05),
        (place(5), place(5), 0.02 / 0.05),
        # The run has gone on down its curve: the same factor, for all that is left.
        (place(300), place(5), 0.02 / 0.05),
        (place(300), place(100), 0.02 / WARMUP(100)),
        # Edited since: what holds is the curve that was advised, not twice of it.
        (place(300, WARMUP.scaled(2.0)), place(100), 0.01 / WARMUP(100)),
        # Found in another run: it is for what is left of this one.
        (place(300), place(100, run=ANOTHER), 0.02 / WARMUP(300)),
        # Rewound to before: likewise.
        (place(100), place(300), 0.02 / WARMUP(100)),
        # A number that is held.
        (place(300, 0.1), None, 0.2),
    ],
)
def test_by_what_the_rest_of_a_run_is_scaled(now, since, factor):
    assert factor_for(now, 0.02, since) == pytest.approx(factor, rel=1e-6)


def test_what_is_zero_to_the_end_cannot_be_scaled():
    with pytest.raises(ValueError, match="which no factor raises: give it a number or a curve"):
        factor_for(place(300, 0.0), 0.02, None)

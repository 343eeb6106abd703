"""The Find panel's commands: a range test, and the advice after it."""

from __future__ import annotations

import itertools
import threading

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrwidget as lrw
from lrwidget import finding, optimizers
from lrwidget.finding import _curvature, _first_look, rules
from lrwidget.widget import LRWidget
from tests.widget.page import PATIENCE, Page, decoded, decoded_delta
from tests.widget.probing import (
    COSINE,
    PLAIN,
    PROBE,
    REFUSAL,
    WARMUP,
    X,
    Y,
    found,
    loss_fn,
    newest,
    started,
)

# ---- the range test ----------------------------------------------------------------------------


def test_a_range_test_grows_ends_and_its_rate_is_used(page):
    page.ask("find.start", low=1e-5, high=10.0, steps=60, seeds=1, budget="none")
    done = found(page)
    assert done["state"] == "done"
    assert done["settings"] == {
        "low": 1e-5,
        "high": 10.0,
        "steps": 60,
        "seeds": 1,
        "ladder": "exponential",
        "loss": "train",
        "budget": "none",
        "from": "start",
    }
    sweep = page.widget.sweep
    assert done["suggestions"] == pytest.approx(dict(sweep.suggestions))
    assert (done["stopped"], done["progress"]) == (sweep.stopped, 1.0)
    assert (done["objective"], done["left_out"], done["advice"]) == ("train", [], None)
    assert page.comm.opened["state"]["_find"]["validation"] is done["validation"] is False
    columns = page.wait(
        lambda: next(
            (
                value["columns"]
                for value in page.updates("_sweep")
                if value["columns"]
                and len(decoded(value["columns"]["learning_rate"])) == len(sweep.learning_rates)
                and value["seq"] == len(page.deltas("find"))
            ),
            None,
        )
    )
    assert set(columns) == {"learning_rate", "loss", "smoothed"}
    np.testing.assert_array_equal(decoded(columns["learning_rate"]), sweep.learning_rates)
    np.testing.assert_array_equal(decoded(columns["loss"]), sweep.losses.astype(np.float32))
    grown = np.concatenate([decoded_delta(m, b)["loss"] for m, b in page.deltas("find")])
    np.testing.assert_array_equal(grown, sweep.losses.astype(np.float32))
    page.ask("find.use", learning_rate=0.02)
    assert page.widget.schedule == COSINE.with_peak(0.02)


def test_seeds_give_a_band_and_a_spread(page):
    page.ask("find.start", **{**PLAIN, "high": 10.0, "seeds": 3})
    done = found(page)
    sweep = page.widget.sweep
    assert sweep.seeds == done["settings"]["seeds"] == 3
    assert done["spread"]
    for name, (low, high) in done["spread"].items():
        assert (low, high) == sweep.spread[name]
    whole = page.wait(
        lambda: next(
            (
                {name: decoded(column) for name, column in value["columns"].items()}
                for value in page.updates("_sweep")
                if value["columns"] and len(decoded(value["columns"]["loss"])) == len(sweep.losses)
            ),
            None,
        )
    )
    np.testing.assert_array_equal(whole["loss"], sweep.losses.astype(np.float32))
    np.testing.assert_array_equal(whole["band_low"], sweep.band[0].astype(np.float32))
    np.testing.assert_array_equal(whole["band_high"], sweep.band[1].astype(np.float32))


def test_a_second_range_test_goes_on_counting(page):
    for _ in range(2):
        page.ask("find.start", **PLAIN)
        page.widget._search().done.result(timeout=PATIENCE)
        page.wait(lambda: not page.widget._search().fresh() and page.updates("_sweep"))
    seqs = [m["seq"] for m, _ in page.deltas("find")]
    assert seqs == list(range(1, len(seqs) + 1))
    seqs = [value["seq"] for value in page.updates("_probes")]
    assert seqs == sorted(set(seqs))


def batches_of(gate):
    """Yield batches; from the tenth on only when the gate is open."""
    for number in itertools.count():
        if number >= 10:
            gate.wait(PATIENCE)
        yield X[:32], Y[:32]


def test_stop_is_answered_when_the_range_test_has_ended(probing):
    gate = threading.Event()
    own = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=lambda: batches_of(gate))
    page = Page(LRWidget(own, optimizers.sgd(0.1), steps=1000))
    page.ask("find.start", low=1e-6, high=1e-3, steps=1000, seeds=1)
    running = page.wait_for("_find", "state", "running")
    assert running["phase"] == "sweep"
    assert running["stopping"] is False
    # Behind the first points it waits for the gate; before them it would end at once.
    page.wait(lambda: page.deltas("find"))
    stop = page.command("find.stop")
    # That it was heard is told long before it has come to its end.
    assert page.wait_for("_find", "stopping", True)["state"] == "running"
    assert not [reply for reply in page.replies() if reply["id"] == stop]
    gate.set()
    assert page.reply(stop)["value"] == {"state": "stopped"}
    stopped = page.wait_for("_find", "state", "stopped")
    assert (stopped["stopped"], stopped["advice"], stopped["phase"]) == ("cancelled", None, None)
    assert stopped["stopping"] is False
    assert probing.given == []
    page.ask("find.start", **PLAIN)


@pytest.mark.usefixtures("_endless_range_tests")
def test_finding_and_training_exclude_each_other(page):
    started(page)
    said = page.refused("find.start", low=1e-5, high=1.0, steps=50)
    assert "the run is training: pause it or stop it" in said
    page.ask("train.pause")
    page.ask("find.start", low=1e-6, high=1e-3, steps=10_000, budget="none")
    for kind in ("train.resume", "train.restart"):
        assert "a range test is running" in page.refused(kind)
    assert "a range test is running" in page.refused("train.step", steps=1)
    assert "already" in page.refused("find.start", low=1e-5, high=1.0, steps=50)
    assert page.wait_for("_train", "state", "finding")["run"] == 1
    page.ask("find.stop")
    page.wait(lambda: newest(page, "_train").get("state") == "paused")
    page.ask("train.resume")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"low": 1.0, "high": 0.1}, "high must be a finite number > 1"),
        ({"loss": "valid"}, "loss must be 'train' here, got 'valid': this task has no validation"),
        ({"from": "here"}, "there is no run yet"),
        ({"seeds": 17}, "seeds must be a whole number >= 1 and <= 16"),
        ({"budget": "endless"}, "budget must be one of none, quick, thorough"),
    ],
)
def test_what_cannot_be_searched_is_said_and_nothing_begins(page, fields, said):
    assert said in page.refused("find.start", **{**PLAIN, **fields})
    assert page.widget._search() is None


def test_the_page_knows_which_rules_to_show(page):
    listed = page.comm.opened["state"]["_catalogue"]["rules"]
    assert [rule["name"] for rule in listed] == list(rules)
    assert [rule["shown"] for rule in listed] == [rule.shown for rule in rules.values()]
    assert {True, False} == {rule["shown"] for rule in listed}
    assert len(listed) <= 8  # so many styles has js/find/marks.js


def test_the_validation_loss_is_swept_where_there_is_validation_data(probing):
    task = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), valid=(X, Y), batch_size=32)
    page = Page(LRWidget(task, optimizers.sgd(COSINE)))
    assert page.comm.opened["state"]["_find"]["validation"] is True
    probing.gate.set()
    page.ask("find.start", low=1e-5, high=1.0, steps=20, seeds=1, loss="valid", ladder="linear")
    done = found(page)
    assert done["objective"] == done["advice"]["loss"] == "valid"
    assert done["validation"] is True
    assert (page.widget.sweep.objective, page.widget.sweep.ladder) == ("valid", "linear")
    assert probing.given[0]["loss"] == "valid"


# ---- the advice after it -----------------------------------------------------------------------


def test_an_advice_comes_after_the_range_test_and_is_told_as_it_grows(page, probing):
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1)
    growing = page.wait_for("_find", "phase", "probes")
    growing = page.wait(
        lambda: next((f for f in page.updates("_find") if (f["advice"] or {}).get("share")), None)
    )
    assert growing["state"] == "running"
    # What the range test has found can be used while the probes go on.
    assert growing["suggestions"] == dict(page.widget.sweep.suggestions)
    assert growing["advice"] == {
        "state": "running",
        "stage": "probes of 50 steps",
        "share": 0.25,
        "learning_rate": None,
        "low": None,
        "high": None,
        "sure": None,
        "reasons": [],
        "refused": None,
        "remedy": None,
        "gradient_steps": 60.0,
        "budget": "quick",
        "steps": 100_000,
        "loss": "train",
        "error": None,
    }
    assert growing["curvature"] == {
        "safe_up_to": 8e-3,
        "critical_rate": 0.016,
        "sharpness": 125.0,
        "meaning": "curvature allows up to 8e-3 at the start",
        "preconditioned": False,
    }
    assert 0 < growing["progress"] < 1
    shown = page.wait(lambda: next((p for p in page.updates("_probes") if p["runs"]), None))
    assert [r["rate"] for r in shown["runs"]] == [1e-3, 1e-2]
    assert page.widget.advice is page.widget.probe is None
    assert page.refused("train.start") == (
        "a range test is running: wait for its end, or stop it in Find"
    )

    probing.gate.set()
    done = found(page)
    assert (done["state"], done["phase"], done["progress"]) == ("done", None, 1.0)
    assert done["advice"] | {"stage": ""} == {
        **growing["advice"],
        "state": "advised",
        "stage": "",
        "share": 1.0,
        "learning_rate": 2.4e-3,
        "low": 1.3e-3,
        "high": 4.1e-3,
        "sure": "fairly sure",
        "reasons": list(probing.outcome.reasons),
        "gradient_steps": 412.3,
        "steps": 400,
    }
    assert page.widget.advice is probing.outcome
    assert page.widget.probe is PROBE
    last = page.wait(lambda: next((p for p in page.updates("_probes") if p["fits"]), None))
    assert last["fits"] == [{"horizon": 50, "rate": 9e-3, "low": 5e-3, "high": 2e-2}]
    assert last["optimum"] == {"rate": 8e-3, "low": 4e-3, "high": None}
    assert [r["best"] for r in last["runs"]] == [False, True, False]
    [given] = probing.given
    assert (given["budget"], given["loss"], given["start"]) == ("quick", "train", None)
    assert (given["steps"], given["chain"]) == (100_000, page.widget.chain)
    with pytest.raises(Exception, match="read-only"):
        page.widget.advice = None


def test_a_refusal_is_told_with_what_would_help(page, probing):
    probing.outcome = REFUSAL
    probing.gate.set()
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1, budget="thorough")
    done = found(page)
    assert done["state"] == "done"
    told = done["advice"]
    assert (told["state"], told["budget"]) == ("refused", "thorough")
    assert (told["learning_rate"], told["low"], told["high"]) == (None, None, None)
    assert (told["refused"], told["remedy"]) == (REFUSAL.refused, REFUSAL.remedy)
    assert page.widget.advice is REFUSAL


def test_an_advice_that_fails_leaves_the_range_test(page, probing):
    probing.outcome = OSError("the disk is gone")
    probing.gate.set()
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1)
    done = found(page)
    assert (done["state"], done["error"]) == ("done", None)
    assert done["advice"]["state"] == "failed"
    assert done["advice"]["error"] == "OSError: the disk is gone"
    assert done["suggestions"] == dict(page.widget.sweep.suggestions)
    assert page.widget.advice is None


def test_stop_ends_the_probes_and_keeps_what_there_is(page, probing):
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1)
    page.wait_for("_find", "phase", "probes")
    assert page.ask("find.stop") == {"state": "stopped"}
    stopped = page.wait_for("_find", "state", "stopped")
    assert stopped["advice"]["state"] == "stopped"
    assert stopped["advice"]["refused"] is None
    assert stopped["suggestions"] == dict(page.widget.sweep.suggestions)
    assert page.widget.advice is None
    page.wait(lambda: newest(page, "_sweep").get("columns"))


def test_a_stop_while_the_first_program_compiles_leaves_the_next_out(page, monkeypatch):
    real = _first_look.first_look

    def first_look(*args, **given):
        look = real(*args, **given)
        page.widget._search().cancel()
        return look

    def curvature_at(*args, **given):
        raise AssertionError("it went on")

    monkeypatch.setattr(_first_look, "first_look", first_look)
    monkeypatch.setattr(_curvature, "curvature_at", curvature_at)
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1)
    told = found(page)["advice"]
    assert (told["state"], told["error"]) == ("stopped", None)
    assert told["gradient_steps"] > 0


def test_a_stop_with_the_last_chunk_of_the_range_test_leaves_the_probes_out(
    page, probing, monkeypatch
):
    real = finding.find_lr

    def find_lr(*args, cancel, **given):
        sweep = real(*args, **given)
        cancel.set()
        return sweep

    monkeypatch.setattr(finding, "find_lr", find_lr)
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1)
    stopped = found(page)
    assert (stopped["state"], stopped["stopped"], stopped["advice"]) == ("stopped", "end", None)
    assert len(page.widget.sweep.losses) == 40
    assert probing.given == []


def test_a_later_range_test_leaves_no_advice_of_another(page, probing):
    probing.gate.set()
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1)
    found(page)
    page.wait(lambda: newest(page, "_probes").get("runs"))
    page.ask("find.start", **PLAIN)
    page.widget._search().done.result(timeout=PATIENCE)
    page.wait(lambda: newest(page, "_probes").get("runs") == [])
    page.wait(lambda: newest(page, "_find").get("advice", 1) is None)
    assert page.widget.advice is page.widget.probe is None


def _with_array(learning_rate, array):
    return optax.sgd(learning_rate * array.size)


def test_what_is_designed_meanwhile_makes_a_rate_that_was_found_one_for_another_design(
    page, probing
):
    widget, steps = page.widget, page.widget.steps
    page.ask("find.start", **PLAIN)
    assert found(page)["outdated"] is None

    # A rate that is taken makes no other design, nor does a curve of another height.
    page.ask("find.use", learning_rate=0.02)
    widget.peak_value = 0.3
    widget.chain = optimizers.sgd(0.1)
    assert newest(page, "_find")["outdated"] is None

    for change, back, said in [
        ({"chain": optimizers.adam(0.1)}, {"chain": optimizers.sgd(0.1)}, "chain has changed"),
        ({"steps": 50_000}, {"steps": steps}, "length has changed since, from 100"),
        ({"schedule": WARMUP.stretched(steps)}, {"schedule": COSINE}, "form of the schedule"),
    ]:
        for name, value in change.items():
            setattr(widget, name, value)
        told = page.wait(lambda s=said: s in (newest(page, "_find")["outdated"] or ""))
        assert told
        for name, value in back.items():
            setattr(widget, name, value)
        page.wait(lambda: newest(page, "_find")["outdated"] is None)

    # Arrays cannot be compared as numbers are.
    for made in (np.arange(3.0), np.arange(4.0)):
        widget.chain = optimizers.custom(_with_array, learning_rate=0.1, array=made)
        page.wait(lambda: "chain has" in (newest(page, "_find")["outdated"] or ""))
        page.ask("find.start", **PLAIN)
        found(page)
        page.wait(lambda: newest(page, "_find")["outdated"] is None)

    # The next search is for what is there by then.
    widget.chain = optimizers.adam(0.1)
    page.wait(lambda: newest(page, "_find")["outdated"] is not None)
    page.ask("find.start", **PLAIN)
    found(page)
    page.wait(lambda: newest(page, "_find")["outdated"] is None)


def test_a_new_page_is_told_all_of_it(page, probing):
    probing.gate.set()
    page.ask("find.start", low=1e-5, high=1.0, steps=40, seeds=1)
    found(page)
    page.wait(lambda: newest(page, "_probes").get("fits"))
    losses = page.widget.sweep.losses.astype(np.float32)

    def whole():
        columns = newest(page, "_sweep").get("columns")
        return columns and len(decoded(columns["loss"])) == len(losses)

    page.wait(whole)
    state = page.widget.get_state()
    assert state["_find"]["advice"]["learning_rate"] == 2.4e-3
    assert len(state["_probes"]["runs"]) == 3
    loss = decoded(state["_sweep"]["columns"]["loss"])
    np.testing.assert_array_equal(loss, losses)

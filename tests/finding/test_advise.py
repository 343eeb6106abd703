"""`advise`: what it costs, what it says, and that it is the same for a seed."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget._numbers import short_rate
from lrwidget.finding import Advice, AdviceProgress, _advise, _hessian, advise
from lrwidget.finding._fit import Fit
from lrwidget.finding._reasons import reasons_for
from lrwidget.finding._response import Responses
from lrwidget.training import Runner
from tests.finding.tasks import X, Y, pytree_loss, weights
from tests.plotting.test_probe import made_advice, made_probe

CHAIN = lrw.Chain.of(lrw.optimizers.sgd(1e-2))
STEPS = 500


@pytest.fixture(scope="module")
def task():
    return lrw.Task(weights(), pytree_loss, train=(X, Y), valid=(X[:40], Y[:40]), batch_size=16)


@pytest.fixture(scope="module")
def quick(task):
    return advise(task, CHAIN, steps=STEPS)


@pytest.fixture
def steps_taken(monkeypatch):
    """Count the steps that any runner takes, by another way than the finder's own account."""
    counted = [0]
    run = Runner.run

    def counting(self, carry, start, rows, *more, **by_name):
        counted[0] += len(rows)
        return run(self, carry, start, rows, *more, **by_name)

    monkeypatch.setattr(Runner, "run", counting)
    return counted


class TestBudget:
    @pytest.mark.parametrize(
        ("budget", "most"), [("quick", 400), (100, 100), (150, 150), (777, 777)]
    )
    @pytest.mark.parametrize("loss", ["train", "valid"])
    def test_it_is_kept(self, task, steps_taken, budget, most, loss):
        found = advise(task, CHAIN, steps=STEPS, budget=budget, loss=loss)
        assert found.budget == most
        assert steps_taken[0] < found.gradient_steps <= most
        runs = found.evidence.probe.runs
        assert sum(len(run.losses) for run in runs) == steps_taken[0]
        # The rest is the curvature, the look at the start, and a third of a step for each batch
        # that judges an end.
        rest = found.evidence.curvature.gradient_steps + 4 + 12
        assert found.gradient_steps <= steps_taken[0] + rest + len(runs) * 32 / 3
        assert (found.loss, found.evidence.probe.loss) == (loss, loss)

    def test_thorough_costs_more_and_is_surer(self, task, steps_taken, quick):
        found = advise(task, CHAIN, steps=STEPS, budget="thorough")
        assert 1200 < steps_taken[0] < found.gradient_steps <= 3000
        assert max(found.evidence.probe.horizons) > max(quick.evidence.probe.horizons)

    @pytest.mark.parametrize(
        ("budget", "error", "message"),
        [
            (99, ValueError, "budget must be a finite number >= 100, got 99"),
            (math.inf, ValueError, "budget must be a finite number >= 100, got inf"),
            (
                "cheap",
                ValueError,
                "budget must be 'quick' or 'thorough', or a number .* >= 100, got 'cheap'",
            ),
            (None, TypeError, "budget must be a finite number >= 100, got None"),
        ],
    )
    def test_other_budgets_are_refused(self, task, budget, error, message):
        with pytest.raises(error, match=message):
            advise(task, CHAIN, budget=budget)


class TestAdvice:
    def test_it_lies_in_its_band(self, quick):
        assert isinstance(quick, Advice)
        assert quick.refused is quick.remedy is None
        assert quick.low < quick.learning_rate < quick.high
        assert 2 <= len(quick.reasons) <= 4
        assert quick.sure in ("very sure", "fairly sure", "a first guess")
        assert quick.learning_rate == quick.evidence.probe.optimum.best

    @pytest.mark.filterwarnings("ignore:the run diverged")
    def test_it_is_about_the_best_of_a_grid(self, task, quick):
        ends = {}
        for rate in np.geomspace(quick.learning_rate / 300, quick.learning_rate * 300, 11):
            trainer = lrw.Trainer(task, CHAIN.replace(learning_rate=float(rate)), steps=STEPS)
            trainer.run_sync()
            over = trainer.state == "finished"
            ends[rate] = trainer.history.loss[-30:].mean() if over else math.inf
        best = min(ends, key=ends.get)
        assert abs(math.log10(quick.learning_rate / best)) < 0.8

    def test_a_seed_is_the_same_again(self, task, quick):
        again = advise(task, CHAIN, steps=STEPS)
        assert (again.learning_rate, again.low, again.high, again.reasons) == (
            quick.learning_rate, quick.low, quick.high, quick.reasons,
        )  # fmt: skip
        for one, other in zip(again.evidence.probe.runs, quick.evidence.probe.runs, strict=True):
            np.testing.assert_array_equal(one.losses, other.losses)
            assert one.final == other.final

    def test_another_seed_sees_other_batches(self, task, quick):
        other = advise(task, CHAIN, steps=STEPS, seed=1)
        assert other.learning_rate != quick.learning_rate
        assert {run.seed for run in other.evidence.probe.runs}.isdisjoint(
            run.seed for run in quick.evidence.probe.runs
        )
        assert abs(math.log10(other.learning_rate / quick.learning_rate)) < 1.0

    def test_the_rate_of_the_chain_hardly_matters(self, task, quick):
        other = advise(task, CHAIN.replace(learning_rate=1e-6), steps=STEPS)
        assert abs(math.log10(other.learning_rate / quick.learning_rate)) < 0.5

    def test_it_prints_itself(self, quick):
        text = repr(quick)
        assert text.startswith(f"Advice: use {short_rate(quick.learning_rate, 3)}; the best lies ")
        assert "for 500 steps, by the final training loss" in text
        assert all(reason in text for reason in quick.reasons)
        refused = repr(made_advice(learning_rate=None, refused="so", remedy="do this"))
        assert "Advice refused" in refused
        assert "so" in refused
        assert "do this" in refused

    @pytest.mark.parametrize(
        ("decades", "sure"), [(0.4, "very sure"), (0.9, "fairly sure"), (1.2, "a first guess")]
    )
    def test_how_sure_it_is_is_how_wide_the_band_is(self, task, monkeypatch, decades, sure):
        from lrwidget.finding import _survey

        fit = Fit(best=0.1, low=0.1 * 10 ** (-decades / 2), high=0.1 * 10 ** (decades / 2))
        monkeypatch.setattr(_survey.Survey, "optimum", lambda _: (fit, 0.0))
        monkeypatch.setattr(_advise, "unseen_side", lambda _: None)
        assert advise(task, CHAIN, steps=STEPS).sure == sure

    def test_where_nobody_has_seen_its_other_side_it_is_a_first_guess(self, task, monkeypatch):
        said = {}
        for side in (None, "lowest"):
            monkeypatch.setattr(_advise, "unseen_side", lambda _, side=side: side)
            said[side] = advise(task, CHAIN, steps=STEPS)
        assert said["lowest"].sure == "a first guess" != said[None].sure
        assert said["lowest"].learning_rate == said[None].learning_rate


class TestSeveralRates:
    """Two optimizers, as of a GAN: what is printed says which of their rates it is of."""

    SGD = lrw.optimizers.sgd(1e-2)
    TWO = lrw.Chain.of(SGD, groups=[lrw.optimizers.Group("first", paths="first", chain=SGD)])

    @pytest.mark.parametrize(
        ("chain", "address", "named"),
        [
            (TWO, "first/learning_rate", "first/sgd.learning_rate"),
            (TWO, None, "sgd.learning_rate"),
            (lrw.Chain.of(lrw.optimizers.sgd(1e-2, momentum=0.9)), "momentum", "sgd.momentum"),
        ],
    )
    def test_it_says_of_which_it_is(self, chain, address, named):
        task = lrw.Task(weights(), pytree_loss, train=(X, Y), batch_size=16)
        cancel = threading.Event()
        cancel.set()
        found = advise(task, chain, steps=STEPS, address=address, cancel=cancel)
        assert found.address == named
        assert repr(found).startswith(f"Advice on {named} refused for 500 steps")
        found = made_advice(address=named)
        assert repr(found).startswith(f"Advice on {named}: use 8e-3; the best lies between")

    def test_the_only_one_needs_no_name(self, quick):
        assert quick.address == "learning_rate"


class TestSteps:
    def test_the_chain_says_how_long_it_is(self, task):
        cosine = lrw.schedules.preset("warmup_cosine", peak_value=0.1, steps=320)
        assert advise(task, lrw.optimizers.sgd(cosine), budget=100).steps == 320

    def test_without_a_length_it_is_a_thousand(self, task):
        assert advise(task, CHAIN, budget=100).steps == 1000

    def test_few_are_run_as_they_are(self, task):
        found = advise(task, CHAIN, steps=20)
        assert max(found.evidence.probe.horizons) == 20

    @pytest.mark.parametrize("steps", [9, 0, 20.5, "20"])
    def test_fewer_than_ten_are_refused(self, task, steps):
        with pytest.raises((ValueError, TypeError), match="steps must be a whole number >= 10"):
            advise(task, CHAIN, steps=steps)


class TestProgress:
    def test_shares_rise_to_the_end(self, task):
        told = []
        found = advise(task, CHAIN, steps=STEPS, budget=150, on_progress=told.append)
        assert all(isinstance(each, AdviceProgress) for each in told)
        shares = [each.share for each in told]
        assert shares == sorted(shares)
        assert shares[0] == 0.0
        assert shares[-1] == 1.0
        assert told[-1].stage == "done"
        assert told[-1].gradient_steps == found.gradient_steps
        counts = [len(each.runs) for each in told]
        assert counts == sorted(counts)
        assert counts[-1] == len(found.evidence.probe.runs)
        assert told[0].curvature is None
        assert told[-1].curvature is found.evidence.curvature

    @pytest.mark.parametrize("after", [0, 1, 3])
    def test_it_can_be_stopped_at_every_stage(self, task, steps_taken, after):
        cancel, told = threading.Event(), []

        def progress(each):
            told.append(each)
            if len(told) > after:
                cancel.set()

        found = advise(task, CHAIN, steps=STEPS, on_progress=progress, cancel=cancel)
        assert found.refused == "the search was stopped"
        assert found.learning_rate is None
        assert steps_taken[0] < 100
        assert len(told) == after + 1

    @pytest.mark.parametrize(
        ("owner", "name"),
        [
            (Responses, "reading"),
            (_hessian, "largest_eigenvalue"),
            (Responses, "typical"),
            (_hessian.Along, "__call__"),
        ],
        ids=lambda each: each if isinstance(each, str) else "",
    )
    def test_a_stop_is_felt_inside_the_curvature(self, task, monkeypatch, owner, name):
        cancel, went_on, real = threading.Event(), [], getattr(owner, name)

        def stopping(*args, **given):
            cancel.set()
            went_on.append(real(*args, **given))
            return went_on[-1]

        monkeypatch.setattr(owner, name, stopping)
        found = advise(task, CHAIN, steps=STEPS, cancel=cancel)
        assert found.refused == "the search was stopped"
        assert not went_on


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"loss": "test"}, ValueError, "loss must be one of train, valid; got 'test'"),
            ({"seed": -1}, ValueError, "seed must be a whole number >= 0"),
            ({"seed": 1.5}, ValueError, "seed must be a whole number >= 0"),
            ({"start": "here"}, ValueError, 'start must be None, a Trainer or "current"'),
            ({"on_progress": 3}, TypeError, "on_progress must be a function or None, got 3"),
            ({"cancel": True}, TypeError, r"cancel must have is_set\(\).*got True"),
            ({"address": "momentum"}, ValueError, "chain must have a live momentum"),
        ],
    )
    def test_arguments(self, task, arguments, error, message):
        with pytest.raises(error, match=message):
            advise(task, CHAIN, **arguments)

    def test_validation_loss_without_validation_data(self):
        bare = lrw.Task(weights(), pytree_loss, train=(X, Y), batch_size=16)
        with pytest.raises(ValueError, match='without validation data, got "valid"'):
            advise(bare, CHAIN, loss="valid")

    def test_task_and_chain(self, task):
        with pytest.raises(TypeError, match="task must be a Task, got dict"):
            advise({}, CHAIN)
        with pytest.raises(TypeError, match="chain must be a Chain or a Link"):
            advise(task, "adam")


class TestReasons:
    def test_the_runs_come_first_and_name_the_best(self):
        first, *rest = reasons_for(made_probe(), Fit(best=8e-3, low=3e-3, high=2e-2), None)
        assert "0.9" in first
        assert "from 2" in first
        assert "training loss" in first
        assert 1 <= len(rest) <= 3

    def test_what_was_lost_is_said(self):
        words = " ".join(reasons_for(made_probe(), Fit(best=8e-3, low=3e-3, high=2e-2), None))
        assert "lost" in words
        assert "lost" not in " ".join(
            reasons_for(made_probe(edge=None), Fit(best=8e-3, low=3e-3, high=2e-2), None)
        )

    def test_validation_loss_is_called_so(self):
        first = reasons_for(made_probe(loss="valid"), Fit(best=8e-3, low=3e-3, high=2e-2), None)[0]
        assert "validation loss" in first

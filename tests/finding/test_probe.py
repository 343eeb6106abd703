"""`probe`: the schedule at several peaks, chosen or given."""

from __future__ import annotations

import itertools
import math
import threading
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

import lrwidget as lrw
from lrwidget.finding import Probe, probe
from lrwidget.optimizers._accumulation import accumulated
from tests.finding.tasks import X, Y, pytree_loss, weights

STEPS = 200
COSINE = lrw.schedules.preset("warmup_cosine", peak_value=0.1, steps=STEPS)
CHAIN = lrw.Chain.of(lrw.optimizers.sgd(COSINE))
RATES = (0.01, 0.1, 1.0)


@pytest.fixture(scope="module")
def task():
    return lrw.Task(weights(), pytree_loss, train=(X, Y), valid=(X[:40], Y[:40]), batch_size=16)


@pytest.fixture(scope="module")
def chosen(task):
    return probe(task, CHAIN)


@pytest.fixture(scope="module")
def grid(task):
    return probe(task, CHAIN, rates=(1.0, 0.01, 0.1), horizons=(40, 10), seeds=2)


class TestSteps:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"steps": 2**31},
                "steps must be a whole number >= 10 and <= 2147483647, got 2147483648",
            ),
            (
                {"steps": 10**9, "rates": RATES, "horizons": (10**9,)},
                "horizons must be a whole number >= 1 and <= 10000000, got 1000000000",
            ),
        ],
        ids=["of a schedule", "of a run"],
    )
    def test_more_than_there_can_be_are_refused(self, task, arguments, message):
        with pytest.raises(ValueError, match=message):
            probe(task, CHAIN, **arguments)

    def test_a_horizon_is_a_whole_number_of_updates_of_sam(self):
        sam = lrw.Chain.of(lrw.optimizers.sam(sync_period=3), lrw.optimizers.sgd(0.1))
        assert accumulated(sam) == 3
        assert accumulated(CHAIN) == 1

    def test_a_groups_horizons_are_whole_numbers_of_its_own_updates(self, task):
        own = lrw.Chain.of(lrw.optimizers.multi_steps(7), lrw.optimizers.sgd(0.1))
        head = lrw.optimizers.Group("head", chain=own, paths=["v"])
        chain = lrw.Chain.of(lrw.optimizers.sgd(0.1), groups=[head])
        assert accumulated(chain, "sgd.learning_rate") == 1
        assert accumulated(chain, "head/sgd.learning_rate") == 7
        found = probe(task, chain, address="head/learning_rate", steps=140, budget=200)
        assert found.runs
        assert all(horizon % 7 == 0 for horizon in found.horizons)


class TestChosen:
    def test_it_keeps_the_budget(self, chosen):
        assert isinstance(chosen, Probe)
        assert sum(len(run.losses) for run in chosen.runs) < chosen.gradient_steps <= 400
        assert chosen.steps == STEPS
        assert not chosen.cancelled

    def test_all_begin_alike(self, chosen):
        own = [run for run in chosen.runs if run.seed == 0]
        # The first loss is before any update: the same weights and the same batch.
        assert len({run.losses[0] for run in own}) == 1

    def test_the_fits_are_those_of_its_horizons(self, chosen):
        assert set(chosen.fits) <= set(chosen.horizons)
        assert all(fit.low < fit.best < fit.high for fit in chosen.fits.values())
        assert chosen.optimum.low < chosen.optimum.best < chosen.optimum.high

    def test_best_is_the_lowest_of_the_longest(self, chosen):
        longest = [run for run in chosen.runs if run.horizon == chosen.horizons[-1]]
        assert chosen.best.final == min(run.final for run in longest)

    def test_fits_cannot_be_changed(self, chosen):
        with pytest.raises(TypeError):
            chosen.fits[10] = None

    def test_it_is_the_same_again_and_not_with_another_seed(self, task, chosen):
        again, other = probe(task, CHAIN), probe(task, CHAIN, seed=3)
        assert [run.final for run in again.runs] == [run.final for run in chosen.runs]
        assert other.runs[0].losses[0] != chosen.runs[0].losses[0]

    def test_it_prints_a_table(self, chosen):
        text = repr(chosen)
        assert text.startswith(f"Probe for {STEPS} steps: {len(chosen.runs)} runs")
        assert len(text.split("\n")) == 2 + len(chosen.horizons)


class TestGrid:
    def test_every_point_is_run(self, grid):
        points = [(run.horizon, run.seed, run.learning_rate) for run in grid.runs]
        assert points == [(h, s, r) for h in (10, 40) for s in (0, 1) for r in RATES]
        assert all(len(run.losses) == run.horizon for run in grid.runs if not run.diverged)

    def test_over_all_of_the_steps_a_run_is_a_trainers(self, task):
        found = probe(task, CHAIN, rates=RATES, horizons=(STEPS,))
        run = next(run for run in found.runs if run.learning_rate == 0.1)
        trainer = lrw.Trainer(task, CHAIN, steps=STEPS)
        trainer.run_sync()
        np.testing.assert_array_equal(run.losses.astype(np.float32), trainer.history.loss)

    def test_fits_are_of_the_means_over_seeds(self, grid):
        ends = {
            rate: np.mean(
                [r.final for r in grid.runs if (r.horizon, r.learning_rate) == (40, rate)]
            )
            for rate in RATES
        }
        best = min(ends, key=ends.get)
        assert grid.fits[40].low < best < grid.fits[40].high

    def test_arrays_and_what_is_read_once_will_do(self, task, grid):
        given = {"horizons": np.array([10, 40]), "seeds": 2}
        for rates in (np.array(RATES), (rate for rate in RATES)):
            found = probe(task, CHAIN, rates=rates, **given)
            assert [run.final for run in found.runs] == [run.final for run in grid.runs]

    @pytest.mark.parametrize("changes", [{"rates": 0.1}, {"rates": "abc"}, {"horizons": 10}])
    def test_one_number_is_not_several(self, task, changes):
        with pytest.raises(TypeError, match=f"{next(iter(changes))} must be several numbers, got"):
            probe(task, CHAIN, **{"rates": RATES, "horizons": (10,), **changes})

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"rates": RATES}, "rates and horizons must be given together"),
            ({"horizons": (10,)}, "rates and horizons must be given together"),
            ({"rates": (0.1, 0.1, 0.2), "horizons": (10,)}, "at least three different rates"),
            ({"rates": RATES, "horizons": ()}, "one number of steps"),
            ({"rates": (0.0, 0.1, 1.0), "horizons": (10,)}, "rates must be a finite number > 0"),
            ({"rates": RATES, "horizons": (201,)}, "horizons must be a whole number .*<= 200"),
            ({"seeds": 0}, "seeds must be a whole number >= 1"),
            ({"budget": 49}, "budget must be a finite number >= 50, got 49"),
            ({"steps": 5}, "steps must be a whole number >= 10 .*, got 5"),
        ],
    )
    def test_bad_input(self, task, arguments, message):
        with pytest.raises(ValueError, match=message):
            probe(task, CHAIN, **arguments)


SGD = lrw.Chain.of(lrw.optimizers.sgd(0.1))


def constant(params, batch):
    return batch[0].mean() + 0.0 * params["w"].sum()


class TestNoAnswer:
    @pytest.mark.parametrize("grid", [{}, {"rates": RATES, "horizons": (10,)}], ids=["", "grid"])
    @pytest.mark.parametrize(
        ("loss", "why", "remedy"),
        [
            (constant, "the gradient is exactly zero", "the model is frozen"),
            (lambda *given: constant(*given) * math.nan, "the loss is nan before the", "NaN in"),
        ],
        ids=["constant", "nan"],
    )
    def test_where_nothing_can_be_trained_it_is_said_at_once(self, loss, why, remedy, grid):
        task = lrw.Task(weights(), loss, train=(X, Y), batch_size=16)
        found = probe(task, SGD, steps=100, **grid)
        assert why in found.refused
        assert remedy in found.remedy
        assert (found.runs, found.optimum, found.fits, found.edge) == ((), None, {}, None)
        assert found.gradient_steps <= 10
        assert repr(found).splitlines()[1:] == [
            f"  no rate can be called the best: {found.refused}",
            f"  {found.remedy}",
        ]
        axes = found.plot()
        assert found.refused in axes.texts[0].get_text().replace("\n", " ")
        plt.close(axes.figure)
        advice = lrw.advise(task, SGD, steps=100)
        assert (advice.refused, advice.remedy) == (found.refused, found.remedy)

    def test_runs_that_do_not_tell_stay(self, task):
        group = lrw.optimizers.Group("rest", multiplier=0.0, paths=["*"])
        chain = lrw.Chain.of(lrw.optimizers.sgd(0.1), groups=[group])
        found = probe(task, chain, steps=100, budget=100)
        assert "the same before and after training" in found.refused
        assert found.runs
        assert (found.optimum, found.fits, found.trend) == (None, {}, 0.0)
        assert "best near" not in repr(found)
        axes = found.plot()
        said = axes.texts[-1].get_text().replace("\n", " ")
        assert said == f"No best rate: {found.refused}"
        plt.close(axes.figure)

    def test_no_update_in_all_of_the_steps(self, task):
        chain = lrw.Chain.of(lrw.optimizers.multi_steps(50), lrw.optimizers.sgd(0.1))
        found = probe(task, chain, steps=20)
        assert "no update is made" in found.refused
        assert found.gradient_steps == 0

    def test_data_that_is_used_up(self):
        batches = iter([(X[i : i + 16], Y[i : i + 16]) for i in range(0, 96, 16)])
        task = lrw.Task(weights(), pytree_loss, train=lambda: batches)
        assert "used up" in probe(task, SGD, steps=100).refused

    def test_the_best_of_given_rates_may_be_the_highest(self, task):
        found = probe(task, CHAIN, rates=(1e-3, 1e-2, 1e-1), horizons=(40,))
        assert found.best.learning_rate == 0.1
        assert found.refused is None
        assert found.optimum is not None

    def test_what_an_advice_rests_on_says_it_too(self):
        task = lrw.Task(
            {"w": np.zeros(3, np.float32)},
            lambda params, batch: params["w"].sum() + batch[0].mean(),
            train=(X, Y),
            batch_size=16,
        )
        found = lrw.advise(task, SGD, steps=100, budget=120)
        assert "still falls faster" in found.refused
        assert found.evidence.probe.refused == found.refused
        assert found.evidence.probe.optimum is None
        assert found.evidence.probe.runs


class TestOtherQuestions:
    def test_the_validation_loss(self, task):
        found = probe(task, CHAIN, rates=RATES, horizons=(10,), loss="valid")
        assert found.loss == "valid"
        assert found.initial == pytest.approx(
            task.evaluate(task.runner(CHAIN).initial())["loss"], rel=1e-6
        )

    def test_the_rate_of_a_group(self, task):
        head = lrw.optimizers.Group("head", chain=lrw.optimizers.sgd(0.1), paths=["v"])
        chain = lrw.Chain.of(lrw.optimizers.sgd(1e-30), groups=[head])
        found = probe(
            task, chain, address="head/sgd.learning_rate", rates=RATES, horizons=(20,), steps=100
        )
        ends = [run.final for run in found.runs]
        assert len(set(ends)) == 3
        frozen = probe(
            task, chain, address="all/sgd.learning_rate", rates=(1e-30, 1e-29, 1e-28),
            horizons=(20,), steps=100,
        )  # fmt: skip
        assert len({run.final for run in frozen.runs}) == 1

    def test_a_value_stays_below_a_bound_that_is_not_its_own(self, task):
        """More momentum is better here, and 1 is no momentum that there could be."""
        link = lrw.optimizers.sgd(1e-3, momentum=0.9)
        found = probe(task, link, address="momentum", steps=60, budget=120)
        assert max(run.learning_rate for run in found.runs) < 1.0
        for fit in (found.optimum, *found.fits.values()):
            assert fit.low <= fit.best <= fit.high < 1.0
            link.replace(momentum=fit.high)
        with pytest.raises(ValueError, match=r"rates must be a finite number .* < 1, got 1\.5"):
            probe(task, link, address="momentum", rates=(0.5, 0.9, 1.5), horizons=(10,))

    def test_validation_that_would_take_all_of_the_budget(self):
        task = lrw.Task(weights(), pytree_loss, train=(X, Y), valid=(X[:90], Y[:90]), batch_size=1)
        found = probe(task, CHAIN, loss="valid", budget=60)
        assert "a pass over the validation data costs 30 gradient steps" in found.refused
        assert (found.gradient_steps, found.runs) == (0.0, ())

    def test_progress_and_cancel(self, task):
        cancel, counts = threading.Event(), []

        def progress(runs):
            counts.append(len(runs))
            if len(runs) == 3:
                cancel.set()

        found = probe(task, CHAIN, on_progress=progress, cancel=cancel)
        assert counts == [1, 2, 3]
        assert found.cancelled
        assert len(found.runs) == 3
        assert "cancelled" in repr(found)

    def test_one_that_is_cancelled_at_once_has_no_runs(self, task):
        cancel = threading.Event()
        cancel.set()
        found = probe(task, CHAIN, cancel=cancel)
        assert found.cancelled
        assert (found.runs, found.gradient_steps, found.steps) == ((), 0.0, STEPS)
        assert found.optimum is found.best is found.edge is None
        assert repr(found) == f"Probe for {STEPS} steps: 0 runs, 0 gradient steps, cancelled"
        axes = found.plot()
        assert "no run was made" in [text.get_text() for text in axes.texts]
        plt.close(axes.figure)

    def test_one_that_is_cancelled_before_its_first_run_knows_how_it_began(self, task):
        asked = itertools.count()
        found = probe(task, CHAIN, cancel=SimpleNamespace(is_set=lambda: next(asked) > 0))
        assert found.cancelled
        assert found.runs == ()
        assert math.isfinite(found.initial)
        assert found.optimum is None

    def test_all_runs_lost(self, task):
        found = probe(task, CHAIN, rates=(1e20, 1e21, 1e22), horizons=(10,))
        assert found.optimum is None
        assert found.best is None
        assert found.fits == {}
        assert all(run.final == math.inf for run in found.runs)
        assert "no run came to its end" in found.refused
        assert "give lower rates" in found.remedy

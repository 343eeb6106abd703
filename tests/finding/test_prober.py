"""The designed schedule at another peak and a shorter horizon."""

from __future__ import annotations

import math

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.finding._prober import Prober
from lrwidget.finding._replicas import Replica

STEPS = 300


def schedule():
    return lrw.schedules.preset("warmup_cosine", peak_value=3e-3, steps=STEPS)


def chain():
    decay = lrw.schedules.Schedule(lrw.Segment("linear", STEPS, init_value=0.2, end_value=0.1))
    return lrw.Chain.of(lrw.optimizers.adamw(schedule(), weight_decay=decay))


class Bench:
    """What a prober asks of `Replicas`: it writes down the rows, and ends as it is told."""

    def __init__(self, chain, end=1.0, losses=(1.0,)):
        self.start = self
        self.addresses = chain.addresses()
        self._chain, self._end, self._losses = chain, end, losses
        self.asked = []
        self.spent = 0.0

    def rows(self, first, count):
        return self._chain.rows(first, count)

    def price(self, horizon):
        return horizon + 3.0

    def judging(self, horizon):
        return 8

    def run(self, rows, *, replica, limit):
        self.asked.append((rows, replica, limit))
        self.spent += len(rows)
        return Replica(
            losses=np.array(self._losses),
            end=self._end,
            judged=np.array([self._end]),
            carry=None,
            gradient_steps=float(len(rows)),
        )


def prober(chain=None, initial=(1.0, 1.2), end=1.0, **more):
    chain = chain or globals()["chain"]()
    bench = Bench(chain, end)
    column = bench.addresses.index(chain.resolve("learning_rate"))
    return Prober(bench, steps=STEPS, column=column, initial=np.array(initial), **more)


class TestLongSchedules:
    def test_one_of_a_billion_steps_takes_no_more_room_than_its_runs(self):
        steps = 10**9
        warm = lrw.schedules.preset("warmup_cosine", peak_value=3e-3, steps=steps)
        bench = Bench(lrw.Chain.of(lrw.optimizers.adamw(warm)))
        most = []
        rows = bench.rows
        bench.rows = lambda first, count: most.append(count) or rows(first, count)
        column = bench.addresses.index("adamw.learning_rate")
        made = Prober(bench, steps=steps, column=column, initial=np.ones(2))
        assert made.peak == pytest.approx(3e-3, rel=1e-5)
        shape = made.compressed(0.5, 40)[:, column] / 0.5
        middle = (np.arange(40) + 0.5) * (steps / 40) - 0.5
        np.testing.assert_allclose(shape, warm(middle) / 3e-3, atol=1e-4)
        assert sum(most) < 20_000


class TestCompression:
    def test_over_all_of_the_steps_it_is_the_schedule_itself(self):
        made = prober()
        np.testing.assert_array_equal(made.compressed(made.peak, STEPS), chain().rows(0, STEPS))

    def test_the_peak_is_the_rate_that_was_asked_for(self):
        made = prober()
        assert made.peak == chain().rows(0, STEPS)[:, made.column].max()
        full = made.compressed(0.7, STEPS)[:, made.column]
        assert full.max() == pytest.approx(0.7)
        np.testing.assert_allclose(full / 0.7, schedule()(np.arange(STEPS)) / made.peak)

    @pytest.mark.parametrize("horizon", [1, 6, 30, 100, 299])
    def test_each_step_has_the_middle_of_its_stretch(self, horizon):
        made = prober()
        rows = made.compressed(1e-2, horizon)
        assert rows.shape == (horizon, len(chain().addresses()))
        middle = (np.arange(horizon) + 0.5) * STEPS / horizon - 0.5
        # The schedule is a function of real steps: between two whole ones it is all but straight.
        expected = schedule()(middle) / made.peak * 1e-2
        np.testing.assert_allclose(rows[:, made.column], expected, atol=3e-5)

    def test_every_hyperparameter_is_compressed(self):
        made = prober()
        decay = chain().addresses().index("adamw.weight_decay")
        rows = made.compressed(1e-2, 30)
        np.testing.assert_allclose(rows[:, decay], np.linspace(0.2, 0.1, 61)[1::2], atol=1e-3)
        others = [i for i in range(rows.shape[1]) if i not in (decay, made.column)]
        np.testing.assert_array_equal(rows[:, others], chain().rows(0, 30)[:, others])

    def test_warm_up_and_decay_keep_their_shares(self):
        made = prober()
        long, short = (made.compressed(1.0, h)[:, made.column] for h in (STEPS, 60))
        assert abs(np.argmax(long) / STEPS - np.argmax(short) / 60) < 0.02
        assert short[-1] < 0.01
        assert short.mean() == pytest.approx(long.mean(), abs=0.01)

    @pytest.mark.parametrize("rate", [0.0, 1e-3])
    def test_a_flat_rate_stays_flat(self, rate):
        made = prober(lrw.Chain.of(lrw.optimizers.sgd(rate)))
        np.testing.assert_allclose(made.compressed(0.5, 20)[:, made.column], 0.5)


class TestRuns:
    def test_the_replicas_number_is_counted_from_the_seed(self):
        made = prober(seed=128)
        made.probe(0.1, 10)
        made.probe(0.1, 10, replica=1)
        assert [replica for _, replica, _ in made.replicas.asked] == [128, 129]
        assert [run.seed for run in made.runs] == [128, 129]
        assert made.spent == 20

    def test_each_run_is_kept_and_told(self):
        told = []
        made = prober(on_run=lambda: told.append(len(made.runs)))
        end = made.try_rate(-2.0, 10, 0)
        run = made.runs[0]
        assert (end, run.final, run.horizon, run.diverged) == (1.0, 1.0, 10, False)
        assert run.learning_rate == pytest.approx(1e-2)
        assert told == [1]
        assert len(made.judged) == 1

    @pytest.mark.parametrize(
        ("initial", "end", "lost"),
        [
            ((1.0, 1.2), 4.0, False),
            ((1.0, 1.2), 4.5, True),
            ((-100.0, -102.0), 150.0, False),  # three times what it was, above where it was
            ((-100.0, -102.0), 250.0, True),
            ((-0.1, 0.1), 0.5, False),  # near zero it is measured by how far batches differ
            ((-0.1, 0.1), 0.7, True),
            ((1.0, 1.2), math.inf, True),
            ((1.0, 1.2), math.nan, True),
        ],
    )
    def test_a_run_that_ends_far_above_its_start_is_lost(self, initial, end, lost):
        run = prober(initial=initial, end=end).probe(0.1, 10)
        assert run.diverged is lost
        assert run.final == (math.inf if lost else end)

    @pytest.mark.parametrize(
        ("end", "may"), [(1.0, False), (50.0, True), (math.inf, False), (math.nan, False)]
    )
    def test_what_only_ended_high_may_recover_in_a_longer_run(self, end, may):
        made = prober(initial=(1.0, 1.2), end=end)
        made.try_rate(-1.0, 10, 1)
        assert not made.may_recover(-1.0, 10)  # other batches
        made.try_rate(-1.0, 10, 0)
        assert made.may_recover(-1.0, 10) is may
        assert not made.may_recover(-1.0, 20)
        assert not made.may_recover(-2.0, 10)

    def test_on_the_way_it_may_climb_far_higher(self):
        made = prober()
        made.probe(0.1, 10)
        assert made.replicas.asked[0][2] > 1e3


class TestWhatItRuns:
    def made(self, rate, step=0, steps=STEPS, address="learning_rate"):
        chain = lrw.Chain.of(lrw.optimizers.sgd(rate, momentum=0.9))
        bench = Bench(chain)
        bench.chain, bench.step = chain, step
        bench.rows = lambda first, count: chain.rows(step + first, count)
        column = bench.addresses.index(chain.resolve(address))
        return Prober(bench, steps=steps, column=column, initial=np.ones(2))

    def test_after_how_many_steps_a_schedule_has_ended(self):
        assert self.made(schedule()).ends_after is None
        assert self.made(schedule(), steps=2000).ends_after == STEPS
        assert self.made(schedule(), steps=2000, step=100).ends_after == STEPS - 100
        assert self.made(schedule(), steps=2000, step=STEPS).ends_after is None
        assert self.made(0.1, steps=2000).ends_after is None

    def test_not_where_it_holds_a_rate(self):
        held = lrw.schedules.warmup_cosine(1.0, 30, STEPS, end_value=0.1)
        assert self.made(held, steps=2000).ends_after is None

    def test_whether_it_is_a_rate(self):
        assert self.made(0.1).is_rate
        assert not self.made(0.1, address="momentum").is_rate


class TestHeld:
    """How much of its peak a schedule still has in its last tenth."""

    def test_of_a_cosine_next_to_nothing(self):
        tail = schedule()(np.arange(STEPS))[-STEPS // 10 :] / 3e-3
        assert prober().held == pytest.approx(tail.mean(), rel=1e-3)
        assert prober().held < 0.02

    @pytest.mark.parametrize("rate", [0.3, 0.0])
    def test_of_a_constant_rate_all(self, rate):
        assert prober(lrw.Chain.of(lrw.optimizers.sgd(rate))).held == pytest.approx(1.0)

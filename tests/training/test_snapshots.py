"""Which snapshots stay in memory, and the past of a plan that was edited very often."""

from __future__ import annotations

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training._plan import Plans
from lrwidget.training._runner import Carry
from lrwidget.training._snapshots import Snapshot, Snapshots


def snapshot(step, size=1, reason="interval"):
    carry = Carry(np.zeros(size, np.uint8), (), ())
    return Snapshot(step, carry, reason, None, np.nan, 0)


def steps_of(kept):
    return [each.step for each in kept]


class TestSnapshots:
    def test_of_a_small_model_no_more_are_kept_than_can_be_looked_through(self):
        kept = Snapshots(2**30)
        for step in range(0, 4000, 10):
            kept.add(snapshot(step))
        steps = steps_of(kept)
        assert len(steps) == 256
        assert steps[-1] == 3990
        # The younger they are, the closer they lie.
        gaps = np.diff(steps)
        assert gaps[:50].mean() > 2 * gaps[-50:].mean()

    def test_stay_within_their_bytes_and_keep_the_best(self):
        kept = Snapshots(1000)
        kept.add(snapshot(5, 100, "best"))
        for step in range(10, 500, 10):
            kept.add(snapshot(step, 100))
        assert sum(each.nbytes for each in kept) <= 1000
        assert steps_of(kept)[0] == 5
        assert steps_of(kept)[-1] == 490


class TestThePastOfAPlan:
    @pytest.fixture
    def plans(self):
        curve = lrw.schedules.preset("cosine", peak_value=1.0, steps=1000)
        return Plans(lrw.Chain.of(lrw.optimizers.sgd(curve)), ("sgd.learning_rate",))

    def test_is_what_was_applied_however_often_it_changed(self, plans):
        rng = np.random.default_rng(0)
        expected = plans.rows(0, 1000)[:, 0]
        for step in np.sort(rng.integers(0, 1000, 300)):
            value = float(rng.uniform(0.1, 1.0))
            plans.set(int(step), {"learning_rate": value})
            expected[step:] = value
        np.testing.assert_array_equal(plans.rows(0, 1000)[:, 0], expected)
        for start, count in ((0, 1), (3, 500), (999, 1), (700, 300)):
            rows = plans.rows(start, count)[:, 0]
            np.testing.assert_array_equal(rows, expected[start : start + count])

    def test_is_given_back_as_it_was(self, plans):
        plans.set(10, {"learning_rate": 0.5})
        before, rows = plans.tracks, plans.rows(0, 50)
        plans.set(20, {"learning_rate": 0.7})
        # Once more at an earlier step: what came into force after it counts no longer.
        plans.set(15, {"learning_rate": 0.6})
        assert plans.rows(0, 50)[:, 0].tolist()[14:16] == [0.5, 0.6]
        assert [step for step, _ in plans.tracks["sgd.learning_rate"].changes] == [0, 10, 15]
        plans.restore(before)
        np.testing.assert_array_equal(plans.rows(0, 50), rows)

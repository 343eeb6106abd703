"""The probes on their way to the page: at most 80, the best among them, 60 points each."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from lrwidget.widget._probes_view import MOST_RUNS, POINTS, best_run, probes_shown, thinned
from tests.widget.page import decoded


def run(rate, final, *, horizon=100, diverged=False):
    losses = np.linspace(3.0, final if math.isfinite(final) else 9.0, horizon)
    return SimpleNamespace(
        learning_rate=rate, horizon=horizon, seed=0, losses=losses, final=final, diverged=diverged
    )


def test_the_best_is_the_lowest_of_the_longest():
    runs = [run(1e-3, 1.0), run(1e-2, 0.1, horizon=50), run(0.1, 0.5), run(1.0, 0.9)]
    assert best_run(runs) == 2
    assert best_run([*runs, run(10.0, math.inf, horizon=200, diverged=True)]) == 2
    assert best_run([*runs, run(2.0, 0.7, horizon=200)]) == 4
    assert best_run([run(1.0, math.nan), run(2.0, 0.0, diverged=True)]) is None


def test_of_many_the_newest_are_shown_and_the_best():
    runs = [run(float(i + 1), 0.1 if i == 7 else 1.0, horizon=10) for i in range(3 * MOST_RUNS)]
    shown = probes_shown(5, 400, runs, None)["runs"]
    rates = [each["rate"] for each in shown]
    assert rates == [8.0, *range(2 * MOST_RUNS + 2, 3 * MOST_RUNS + 1)]
    assert [each["rate"] for each in shown if each["best"]] == [8.0]


@pytest.mark.parametrize("length", [1, 59, 60, 61, 100, 1000, 1999])
def test_a_curve_is_thinned_to_means_that_lose_nothing(length):
    losses = np.random.default_rng(0).normal(size=length)
    curve = thinned(losses)
    assert len(curve["step"]) == min(length, POINTS)
    if length <= POINTS:
        np.testing.assert_array_equal(curve["loss"], losses)
    # The mean of a straight line's stretch lies in the middle of it.
    line = thinned(np.arange(length, dtype=float))
    assert (np.diff(line["step"]) > 0).all()
    np.testing.assert_allclose(line["loss"], line["step"])


def test_a_curve_ends_before_its_first_loss_that_is_not_finite():
    assert thinned(np.array([3.0, 2.0, np.nan, 1.0]))["loss"].tolist() == [3.0, 2.0]
    assert len(thinned(np.array([np.inf]))["loss"]) == 0


def test_everything_but_the_columns_is_plain_json():
    runs = [
        run(1e-3, 1.0),
        run(1.0, math.inf, diverged=True),
        run(np.float32(0.1), np.float64(0.5)),
    ]
    probe = SimpleNamespace(
        fits={
            200: SimpleNamespace(best=2e-3, low=1e-3, high=math.inf),
            np.int64(100): SimpleNamespace(best=3e-3, low=1e-3, high=np.float32(4e-3)),
        },
        optimum=None,
    )
    shown = probes_shown(3, 400, runs, probe)
    columns = [each.pop("columns") for each in shown["runs"]]
    told = json.loads(json.dumps(shown, allow_nan=False))
    assert told["runs"][1]["final"] is None
    assert [fit["horizon"] for fit in told["fits"]] == [100, 200]
    assert told["fits"][1]["high"] is None
    assert {column["step"]["dtype"] for column in columns} == {"float64"}
    losses = decoded(columns[0]["loss"])
    np.testing.assert_allclose(losses, thinned(runs[0].losses)["loss"], rtol=1e-6)

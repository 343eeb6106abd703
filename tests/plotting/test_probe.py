"""Pictures of probes and advice: that they draw what the results say."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

from lrwidget.finding import Advice, Evidence, Fit, Probe, ProbeRun
from lrwidget.plotting import plot_advice, plot_probe


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def run(rate, horizon, final, seed=0):
    return ProbeRun(
        learning_rate=rate,
        horizon=horizon,
        seed=seed,
        losses=np.full(3, 2.0),
        final=final,
        gradient_steps=float(horizon),
    )


SHORT = [run(1e-3, 10, 1.9), run(1e-1, 10, 1.8), run(1e-2, 10, 1.4), run(1.0, 10, math.inf)]
LONG = [run(1e-3, 80, 1.2), run(1e-2, 80, 0.9), run(3e-2, 80, 1.0), run(1e-1, 80, math.inf)]
AGAIN = [run(1e-2, 80, 0.95, seed=1)]


def made_probe(**changes):
    fields = {
        "runs": (*SHORT, *LONG, *AGAIN),
        "initial": 2.0,
        "fits": {
            10: Fit(best=2e-2, low=1e-2, high=4e-2),
            80: Fit(best=1e-2, low=5e-3, high=2e-2),
        },
        "optimum": Fit(best=8e-3, low=3e-3, high=2e-2),
        "trend": -0.33,
        "edge": (3e-2, 1e-1),
        "steps": 1000,
        "loss": "train",
        "gradient_steps": 400.0,
    }
    return Probe(**(fields | changes))


def made_advice(**changes):
    fields = {
        "learning_rate": 8e-3,
        "low": 3e-3,
        "high": 2e-2,
        "sure": "fairly sure",
        "reasons": ("One.", "Two."),
        "refused": None,
        "remedy": None,
        "gradient_steps": 400.0,
        "budget": 400.0,
        "steps": 1000,
        "loss": "train",
        "evidence": Evidence(probe=made_probe(), curvature=None),
    }
    return Advice(**(fields | changes))


def texts(ax):
    return [text.get_text().strip() for text in ax.texts]


def lines(ax, label):
    return [line for line in ax.lines if line.get_label() == label]


class TestProbe:
    def test_each_horizon_is_a_line_of_its_runs(self):
        ax = plot_probe(made_probe())
        for horizon, runs in ((10, SHORT), (80, LONG)):
            (line,) = lines(ax, str(horizon))
            kept = sorted((r.learning_rate, r.final) for r in runs if not r.diverged)
            np.testing.assert_array_equal(np.transpose(line.get_data()), kept)

    def test_horizons_differ_in_marker_and_the_longest_is_thick(self):
        ax = plot_probe(made_probe())
        (short,), (long,) = lines(ax, "10"), lines(ax, "80")
        assert short.get_marker() != long.get_marker()
        assert short.get_color() != long.get_color()
        assert long.get_linewidth() > short.get_linewidth()
        entries = [text.get_text() for text in ax.get_legend().get_texts()]
        assert entries == ["10", "80"]
        assert ax.get_legend().get_title().get_text() == "steps"

    def test_lost_runs_are_crosses_at_the_upper_border(self):
        ax = plot_probe(made_probe())
        crosses = [line for line in ax.lines if line.get_marker() == "x"]
        assert [list(line.get_xdata()) for line in crosses] == [[1.0], [1e-1]]
        assert all(0.8 < line.get_ydata()[0] < 1.0 for line in crosses)
        heights = {line.get_ydata()[0] for line in crosses}
        assert len(heights) == 2

    def test_other_batches_are_open_marks(self):
        ax = plot_probe(made_probe())
        (other,) = (
            line
            for line in ax.lines
            if line.get_markerfacecolor() == "none" and len(line.get_xdata())
        )
        assert other.get_data()[0] == [1e-2]
        assert other.get_data()[1] == [0.95]
        assert other.get_linestyle() == "None"

    def test_the_best_rate_is_a_line_in_its_band(self):
        ax = plot_probe(made_probe())
        (best,) = (line for line in ax.lines if list(line.get_xdata()) == [8e-3, 8e-3])
        assert best.get_linestyle() == "--"
        (band,) = ax.patches
        edges = band.get_extents().transformed(ax.transData.inverted()).get_points()[:, 0]
        np.testing.assert_allclose(edges, [3e-3, 2e-2])
        assert "8e-3" in texts(ax)

    def test_the_loss_before_training_is_marked(self):
        ax = plot_probe(made_probe())
        assert any(list(line.get_ydata()) == [2.0, 2.0] for line in ax.lines)
        assert "before training" in texts(ax)

    @pytest.mark.parametrize(
        ("loss", "label"),
        [("train", "Training loss at the end"), ("valid", "Validation loss at the end")],
    )
    def test_axes_say_what_they_are(self, loss, label):
        ax = plot_probe(made_probe(loss=loss))
        assert ax.get_ylabel() == label
        assert ax.get_xlabel() == "Learning rate (peak)"
        assert ax.get_xscale() == "log"
        low, high = ax.get_xlim()
        assert low < 1e-3
        assert high > 1.0

    def test_a_wide_span_is_logarithmic_and_a_negative_one_is_not(self):
        wide = (run(1e-3, 10, 1e-4), run(1e-2, 10, 1.0))
        assert plot_probe(made_probe(runs=wide)).get_yscale() == "log"
        negative = (run(1e-3, 10, -5.0), run(1e-2, 10, 1.0))
        assert plot_probe(made_probe(runs=negative, initial=-1.0)).get_yscale() == "linear"

    def test_without_an_optimum_there_is_no_band(self):
        ax = plot_probe(made_probe(optimum=None))
        assert len(ax.patches) == 0

    def test_all_runs_lost(self):
        ax = plot_probe(made_probe(runs=(run(1.0, 10, math.inf),), optimum=None, fits={}))
        crosses = [line for line in ax.lines if line.get_marker() == "x"]
        assert [list(line.get_xdata()) for line in crosses] == [[1.0]]

    def test_no_run_is_said(self):
        ax = plot_probe(made_probe(runs=(), fits={}, optimum=None))
        assert texts(ax) == ["no run was made"]

    def test_it_draws_where_it_is_told(self):
        _, ax = plt.subplots()
        assert made_probe().plot(ax) is ax
        assert made_probe().plot() is not ax


class TestAdvice:
    def test_the_title_says_the_rate_and_how_sure_it_is(self):
        ax = plot_advice(made_advice())
        assert ax.get_title(loc="left") == "Use 8e-3: fairly sure"
        assert len(ax.patches) == 1

    def test_a_refusal_is_written_on_the_runs(self):
        refused = made_advice(
            learning_rate=None,
            low=None,
            high=None,
            reasons=(),
            refused="seeds disagree: so",
            remedy="x",
        )
        ax = refused.plot()
        assert "No advice: seeds disagree: so" in texts(ax)
        assert not ax.get_title(loc="left")
        assert lines(ax, "80")

    def test_a_refusal_before_any_run_needs_no_axes(self):
        refused = made_advice(
            learning_rate=None,
            low=None,
            high=None,
            reasons=(),
            refused="the loss is nan before the first step",
            remedy="x",
            evidence=Evidence(probe=None, curvature=None),
        )
        ax = refused.plot()
        assert texts(ax) == ["No advice: the loss is nan before the first step"]
        assert not ax.axison

    def test_a_long_reason_is_wrapped(self):
        refused = made_advice(
            learning_rate=None, low=None, high=None, refused="word " * 40, remedy="x"
        )
        (text,) = (t for t in texts(refused.plot()) if t.startswith("No advice"))
        assert max(map(len, text.split("\n"))) <= 62

    def test_both_can_be_written_to_a_file(self, tmp_path):
        for number, ax in enumerate((made_probe().plot(), made_advice().plot())):
            ax.figure.savefig(tmp_path / f"{number}.png")
            assert (tmp_path / f"{number}.png").stat().st_size > 5000

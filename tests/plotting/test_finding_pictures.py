"""Pictures of curvature, noise scale and comparison: what is drawn where."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb

from lrwidget.finding import Comparison, Curvature
from lrwidget.finding._noise_scale import estimated


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def made_curvature(**changes):
    fields = {
        "sharpness": 4.0,
        "preconditioned": False,
        "edge": 2.0,
        "safe_up_to": 0.5,
        "critical_rate": 1.234,
        "meaning": "",
        "loss": 1.0,
        "gradient_norm": 1.0,
        "gradient_steps": 25.0,
    }
    return Curvature(**{**fields, **changes})


class TestCurvature:
    def test_alone(self):
        ax = made_curvature().plot()
        assert texts(ax) == ["safe up to 0.5", "critical 1.2"]
        assert [line.get_xdata()[0] for line in ax.lines] == [0.5, 1.234]
        assert ax.get_xscale() == "log"
        low, high = ax.get_xlim()
        assert low < 0.5
        assert high > 1.234

    def test_on_given_axes_which_keep_their_limits(self):
        _, ax = plt.subplots()
        ax.set_xscale("log")
        ax.set_xlim(1e-6, 1.0)
        assert made_curvature().plot(ax) is ax
        assert ax.get_xlim() == (1e-6, 1.0)
        assert texts(ax) == ["safe up to 0.5"]  # the other lies outside

    def test_told_apart_without_colour(self):
        safe, critical = made_curvature().plot().lines
        assert safe.get_linestyle() != critical.get_linestyle()

    def test_nothing_known(self):
        ax = made_curvature(safe_up_to=None, critical_rate=None).plot()
        assert texts(ax) == ["no rate known"]


class TestNoiseScale:
    def test_half_of_the_progress_at_the_noise_scale(self):
        noise = estimated(1.0 + np.random.default_rng(0).normal(size=(16, 5)), 10)
        ax = noise.plot()
        sizes, progress = ax.lines[0].get_data()
        assert np.interp(noise.noise_scale, sizes, progress) == pytest.approx(0.5, abs=0.01)
        assert texts(ax)[0].startswith("noise scale ")
        assert texts(ax)[1] == "now 10"

    def test_without_an_upper_bound(self):
        noise = estimated(np.random.default_rng(1).normal(size=(16, 50)), 8)
        assert noise.high == math.inf
        assert "no upper bound" in texts(noise.plot())


def made_comparison(curves, **changes):
    names = tuple(curves)
    losses = {name: np.atleast_2d(np.asarray(each, np.float64)) for name, each in curves.items()}
    seeds, steps = losses[names[0]].shape
    final = {name: each[:, -1] for name, each in losses.items()}
    fields = {
        "names": names,
        "steps": steps,
        "seeds": seeds,
        "loss": "train",
        "losses": losses,
        "final": final,
        "valid": dict.fromkeys(names),
        "diverged": {name: np.isnan(values) for name, values in final.items()},
        "best": names[0],
        "gradient_steps": 1.0,
    }
    return Comparison(**{**fields, **changes})


FALLING = np.linspace(2.0, 1.0, 10) + np.arange(3.0)[:, None]


class TestComparison:
    def test_in_the_middle_of_a_run_the_steps_are_those_of_the_run(self):
        ax = made_comparison({"a": FALLING}, start_step=200).plot()
        assert ax.get_xlim() == (200, 209)
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(200, 210))

    def test_median_and_band(self):
        ax = made_comparison({"adam": FALLING, "sgd": FALLING + 0.5}).plot()
        adam, sgd = ax.lines
        np.testing.assert_allclose(adam.get_ydata(), FALLING[1])
        np.testing.assert_allclose(sgd.get_ydata(), FALLING[1] + 0.5)
        assert len(ax.collections) == 2
        assert adam.get_linestyle() != sgd.get_linestyle()
        assert adam.get_color() != sgd.get_color()
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Step", "Training loss")

    def test_labels_stand_at_the_ends_and_not_on_each_other(self):
        ax = made_comparison({"a": FALLING, "b": FALLING, "c": FALLING + 0.01}).plot()
        assert texts(ax) == ["a", "b", "c"]
        heights = sorted(text.xy[1] for text in ax.texts)
        assert np.diff(heights).min() > 0.05

    def test_one_seed_has_no_band(self):
        assert len(made_comparison({"a": FALLING[0]}).plot().collections) == 0

    def test_what_diverged_ends_and_says_so(self):
        lost = FALLING.copy()
        lost[:, 6:] = np.nan
        lost[:, 5] = 1e30
        ax = made_comparison({"wild": lost, "tame": FALLING}).plot()
        assert set(texts(ax)) == {"wild, diverged at 3 of 3", "tame"}
        wild, _ = ax.lines
        assert wild.get_xdata()[-1] == 5
        # It does not flatten the other.
        assert ax.get_ylim()[1] < 5.0

    def test_losses_over_many_decades_are_on_a_log_axis(self):
        curve = np.geomspace(100.0, 0.01, 40)
        assert made_comparison({"a": curve}).plot().get_yscale() == "log"

    def test_negative_losses(self):
        low, high = made_comparison({"a": FALLING - 9.0}).plot().get_ylim()
        assert low < -7.0 < high

    def test_no_finite_loss(self):
        ax = made_comparison({"a": np.full((2, 10), np.nan)}).plot()
        assert texts(ax) == ["no finite loss"]

    def test_more_chains_than_colours(self):
        ax = made_comparison({str(i): FALLING + i for i in range(8)}).plot()
        assert len({(line.get_color(), str(line._dash_pattern)) for line in ax.lines}) == 8

    def test_rates_are_coloured_by_their_order(self):
        names = ["1", "1e-06", "0.1", "0.001", "10", "1e-05", "0.01", "0.0001"]
        lines = made_comparison(dict.fromkeys(names, FALLING)).plot().lines
        colours = {float(name): line.get_color() for name, line in zip(names, lines, strict=True)}
        assert len(set(colours.values())) == len(names)
        # The higher the rate the brighter, for eyes and printers that see no hue.
        brightness = [np.dot(to_rgb(colours[r]), (0.299, 0.587, 0.114)) for r in sorted(colours)]
        assert (np.diff(brightness) > 0).all()

    def test_many_labels_stay_beside_the_axes(self):
        ax = made_comparison({str(i): FALLING + 1e-3 * i for i in range(12)}).plot()
        heights = [text.xy[1] for text in ax.texts]
        assert min(np.diff(sorted(heights))) > 0.05
        assert 0.0 < min(heights) < max(heights) < 1.0

    def test_what_only_rises_a_little_is_in_sight(self):
        idle = FALLING[:, :1] + np.linspace(0.0, 0.15, 10)
        ax = made_comparison({"idle": idle, "learns": FALLING}).plot()
        assert ax.get_ylim()[1] > ax.lines[0].get_ydata()[-1]

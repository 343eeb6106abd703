"""Pictures: what is drawn where. How they look was judged by eye."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

import lrwidget as lrw
from lrwidget.finding import LRSweep
from lrwidget.plotting import plot_run, plot_schedule, plot_sweep
from lrwidget.plotting._style import rate, short_rate


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(ax):
    """Return every label that stands in the picture itself."""
    return [text.get_text().strip() for text in ax.texts]


class TestSchedule:
    def test_the_line_is_the_schedule(self):
        schedule = lrw.schedules.preset("warmup_cosine", peak_value=3e-3, steps=2000)
        ax = plot_schedule(schedule)
        steps, values = ax.lines[-1].get_data()
        np.testing.assert_array_equal(values, schedule(steps))
        assert (steps[0], steps[-1]) == (0, 2000)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Step", "Learning rate")
        assert "3e-3" in texts(ax)

    def test_a_jump_is_upright(self):
        ax = plot_schedule(lrw.schedules.preset("step", peak_value=0.1, steps=900))
        steps, values = ax.lines[-1].get_data()
        jump = np.argmax(np.abs(np.diff(values)))
        assert steps[jump + 1] - steps[jump] < 1e-9

    def test_borders_are_marked(self):
        schedule = lrw.schedules.preset("warmup_cosine", peak_value=3e-3, steps=2000)
        marks = [line.get_xdata()[0] for line in plot_schedule(schedule).lines[:-1]]
        assert marks == list(schedule.borders)

    def test_without_end(self):
        ax = plot_schedule(lrw.schedules.constant(1e-3))
        assert "no end →" in texts(ax)
        assert ax.get_xlim()[1] == 100

    def test_an_exponential_decay_is_a_straight_line(self):
        decay = lrw.Segment("exponential", 100, init_value=1e-1, end_value=1e-5)
        assert plot_schedule(lrw.Schedule(decay)).get_yscale() == "log"

    def test_zero_everywhere_can_be_drawn(self):
        low, high = plot_schedule(lrw.schedules.constant(0.0)).get_ylim()
        assert low == 0.0 < high

    def test_given_axes_are_used(self):
        _, ax = plt.subplots()
        assert lrw.schedules.constant(1e-3).plot(ax=ax) is ax


def made_sweep(**changes):
    rates = np.geomspace(1e-7, 10.0, 100)[:90]
    losses = np.concatenate([np.full(50, 2.3), np.linspace(2.3, 0.8, 30), 3.0 ** np.arange(10)])
    fields = {
        "learning_rates": rates,
        "losses": losses + 0.01,
        "smoothed": losses,
        "by_seed": losses[None] + 0.01,
        "suggestions": {"valley": 1e-3, "minimum": 2e-2},
        "silent": {"steepest": "x", "slide": "y"},
        "stopped": "diverged",
        "diverged_at": float(rates[-1]),
        "gradient_steps": 100,
        "low": 1e-7,
        "high": 10.0,
        "steps": 100,
    }
    return LRSweep(**{**fields, **changes})


class TestSweep:
    def test_raw_and_smoothed_losses_over_the_whole_ladder(self):
        sweep = made_sweep()
        ax = sweep.plot()
        raw, smooth = ax.lines[:2]
        np.testing.assert_array_equal(raw.get_ydata(), sweep.losses)
        np.testing.assert_array_equal(smooth.get_ydata(), sweep.smoothed)
        assert (ax.get_xscale(), ax.get_xlim()) == ("log", (1e-7, 10.0))
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Learning rate", "Loss")

    def test_suggestions_and_divergence_are_labelled(self):
        ax = plot_sweep(made_sweep(diverged_at=1.53))
        assert {"valley 1e-3", "minimum 0.02", "diverged 1.5"} <= set(texts(ax))

    def test_the_blow_up_does_not_flatten_the_fall(self):
        low, high = plot_sweep(made_sweep()).get_ylim()
        assert low < 0.8
        assert 2.3 < high < 5.0

    def test_losses_over_many_decades_are_on_a_log_axis(self):
        losses = np.geomspace(1e4, 1.0, 90)
        ax = plot_sweep(made_sweep(losses=losses, smoothed=losses))
        assert ax.get_yscale() == "log"

    def test_negative_losses(self):
        sweep = made_sweep()
        shifted = dataclasses.replace(
            sweep, losses=sweep.losses - 9.0, smoothed=sweep.smoothed - 9.0
        )
        low, high = plot_sweep(shifted).get_ylim()
        assert low < -8.2
        assert -6.7 < high < -4.0

    def test_the_seeds_are_a_band_and_their_answers_a_bar(self):
        smoothed = made_sweep().smoothed
        sweep = made_sweep(
            band=np.stack([smoothed - 0.1, smoothed + 0.2]),
            suggestions_by_seed={"valley": np.array([5e-4, np.nan, 4e-3])},
        )
        ax = plot_sweep(sweep)
        (band,) = ax.collections
        edges = band.get_paths()[0].vertices[:, 1]
        assert (edges.min(), edges.max()) == (smoothed.min() - 0.1, smoothed.max() + 0.2)
        bars = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
        assert [5e-4, 4e-3] in [list(bar) for bar in bars]
        assert not plot_sweep(made_sweep()).collections

    def test_a_linear_ladder_has_a_linear_axis(self):
        rates = np.linspace(0.0, 0.95, 90)
        sweep = made_sweep(
            learning_rates=rates,
            ladders={"momentum": rates},
            ladder="linear",
            low=0.0,
            high=1.0,
            suggestions={"valley": 0.4},
            diverged_at=None,
        )
        ax = plot_sweep(sweep)
        assert (ax.get_xscale(), ax.get_xlim()) == ("linear", (0.0, 1.0))
        assert ax.get_xlabel() == "momentum"
        marks = [line for line in ax.lines if line.get_marker() == "o"]
        assert marks[0].get_ydata()[0] == pytest.approx(np.interp(0.4, rates, sweep.smoothed))

    def test_what_else_climbed_and_what_was_measured_is_named(self):
        rates = made_sweep().learning_rates
        sweep = made_sweep(
            ladders={"learning_rate": rates, "head": 0.1 * rates},
            objective="valid",
            metric="error_rate",
        )
        ax = plot_sweep(sweep)
        assert ax.get_xlabel() == "Learning rate (head 1e-8 … 0.16)"
        assert ax.get_ylabel() == "Validation error rate"

    def test_rules_that_are_hidden_are_not_marked(self):
        sweep = made_sweep(suggestions={"valley": 1e-3, "ignite": 1e-6})
        assert not any("ignite" in text for text in texts(plot_sweep(sweep)))

    def test_no_finite_loss_at_all(self):
        nothing = np.array([])
        sweep = made_sweep(
            by_seed=nothing[None],
            learning_rates=nothing,
            losses=nothing,
            smoothed=nothing,
            suggestions={},
            stopped="nan",
            diverged_at=1e-7,
        )
        assert texts(plot_sweep(sweep)) == ["no finite loss"]


@pytest.fixture(scope="module")
def trainer():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)

    def loss_fn(params, batch):
        return jnp.mean((batch[0] @ params["w"] - batch[1]) ** 2)

    task = lrw.Task(
        {"w": jnp.zeros(4)},
        loss_fn,
        train=(x, x @ np.arange(4, dtype=np.float32)),
        valid=(x, x @ np.arange(4, dtype=np.float32)),
        batch_size=16,
    )
    schedule = lrw.schedules.preset("cosine", peak_value=0.1, steps=40)
    made = lrw.Trainer(task, lrw.Chain.of(lrw.optimizers.adam(schedule)))
    made.step(10)
    made.scale(learning_rate=2.0)
    made.step(10)
    yield made
    made.stop()


class TestRun:
    def test_loss_above_rate_below(self, trainer):
        loss_axes, rate_axes = plot_run(trainer)
        np.testing.assert_array_equal(loss_axes.lines[1].get_ydata(), trainer.history.loss)
        assert (loss_axes.get_ylabel(), rate_axes.get_ylabel()) == ("Loss", "Learning rate")
        assert rate_axes.get_xlabel() == "Step"
        assert loss_axes.get_xlim() == rate_axes.get_xlim() == (0, 40)
        assert set(texts(loss_axes)) == {"training", "validation"}

    def test_the_future_and_the_edits_of_a_trainer(self, trainer):
        _, rate_axes = plot_run(trainer)
        edit, future, past = rate_axes.lines
        assert list(edit.get_xdata()) == [10, 10]
        np.testing.assert_array_equal(past.get_ydata(), trainer.history.learning_rate)
        steps = future.get_xdata()
        assert (steps[0], steps[-1]) == (pytest.approx(20, abs=0.1), 40)
        np.testing.assert_array_equal(future.get_ydata(), trainer.plan()(steps))

    def test_a_number_that_is_held_is_the_future(self, trainer):
        held = lrw.Trainer(trainer.task, trainer.chain)
        held.set(learning_rate=0.03)
        _, rate_axes = plot_run(held)
        assert set(rate_axes.lines[1].get_ydata()) == {0.03}

    def test_each_of_several_rates_has_its_line(self, trainer):
        chain = lrw.Chain.of(lrw.optimizers.sgd(1e-3), lrw.optimizers.sgd(1.0))
        _, rate_axes = plot_run(lrw.Trainer(trainer.task, chain, steps=10))
        labels = [text.get_text() for text in rate_axes.get_legend().get_texts()]
        assert labels == ["sgd.learning_rate", "sgd_2.learning_rate"]

    def test_a_history_has_only_its_past(self, trainer):
        _, rate_axes = plot_run(trainer.history)
        assert len(rate_axes.lines) == 1
        assert rate_axes.get_xlim() == (0, 19)

    def test_a_trainer_that_has_not_begun(self, trainer):
        idle = lrw.Trainer(trainer.task, trainer.chain)
        loss_axes, rate_axes = plot_run(idle)
        assert len(loss_axes.lines) == 0
        assert len(rate_axes.lines[0].get_xdata()) > 100

    def test_given_axes_are_used(self, trainer):
        _, axes = plt.subplots(2)
        assert plot_run(trainer, axes) == tuple(axes)
        with pytest.raises(ValueError, match="axes must be two matplotlib axes, got 3"):
            plot_run(trainer, plt.subplots(3)[1])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.2e-3, "3.2e-3"),
        (1e-7, "1e-7"),
        (0.05, "0.05"),
        (10.0, "10"),
        (2.5e5, "2.5e5"),
        (0.0012345, "1.234e-3"),
    ],
)
def test_rates_are_written_as_people_write_them(value, text):
    assert rate(value) == text


def test_labels_have_two_digits():
    assert [short_rate(x) for x in (4.8612e-3, 0.02641, 0.0)] == ["4.9e-3", "0.026", "0"]

"""The gradient noise scale against problems whose answer is known."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.finding import CancelledError, NothingToMeasureError, noise_scale
from lrwidget.finding._noise_scale import _fieller, estimated
from lrwidget.finding._student import t_quantile
from tests.finding.tasks import X, Y, callable_task

EXAMPLES, WIDTH, BATCH = 4096, 8, 32


def linear_task(offset, batch_size=BATCH, examples=EXAMPLES):
    """Linear regression at `offset` from the truth, with noisy targets."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(examples, WIDTH)).astype(np.float32)
    true = rng.normal(size=WIDTH)
    y = (x @ true + rng.normal(size=examples)).astype(np.float32)

    def loss(params, batch):
        return 0.5 * jnp.mean((batch[0] @ params["w"] - batch[1]) ** 2)

    task = lrw.Task(
        {"w": jnp.asarray(true + offset, jnp.float32)}, loss, train=(x, y), batch_size=batch_size
    )
    w = np.asarray(task.initial[0]["w"], np.float64)
    per_example = x * (x @ w - y)[:, None]
    mean = per_example.mean(0)
    trace = ((per_example - mean) ** 2).sum() / (examples - 1)
    # Without the share of the noise in the mean of this many examples.
    return task, trace, mean @ mean - trace / examples


class TestEstimate:
    @pytest.mark.parametrize("offset", [0.1, 0.5, 2.0])
    def test_a_whole_pass_is_the_per_example_answer(self, offset):
        task, trace, squared = linear_task(offset)
        found = noise_scale(task, batches=EXAMPLES // BATCH)
        assert found.trace == pytest.approx(trace, rel=0.15)
        assert found.gradient_squared == pytest.approx(squared, rel=0.05, abs=2e-3)
        assert found.low < trace / squared < found.high
        assert found.noise_scale == pytest.approx(trace / squared, rel=0.2)

    def test_unbiased_with_an_interval_that_holds_what_it_says(self):
        # Gradients of batches of 10 with |G|^2 = 5 and a trace of 5 * 40.
        rng, true = np.random.default_rng(0), 200.0 / 5.0
        estimates, held = [], 0
        for _ in range(400):
            rows = 1.0 + rng.normal(size=(16, 5)) * math.sqrt(40.0 / 10.0)
            found = estimated(rows, 10)
            estimates.append((found.trace, found.gradient_squared))
            held += found.low <= true <= found.high
        trace, squared = np.mean(estimates, 0)
        assert trace == pytest.approx(200.0, rel=0.02)
        assert squared == pytest.approx(5.0, rel=0.1)
        assert 0.88 <= held / 400 <= 0.99

    def test_a_handful_of_batches(self):
        task, trace, squared = linear_task(0.5)
        found = noise_scale(task)
        assert (found.batches, found.gradient_steps, found.batch_size) == (16, 16.0, BATCH)
        assert found.low < trace / squared < found.high
        assert found == noise_scale(task)
        assert found != noise_scale(task, seed=1)

    def test_noise_that_hides_the_gradient(self):
        rng = np.random.default_rng(1)
        rows = rng.normal(size=(16, 50))
        found = estimated(rows - rows.mean(0) * 0.99, 8)
        assert found.noise_scale == found.high == math.inf
        assert 0.0 < found.low < math.inf
        assert "hides the gradient" in found.meaning

    def test_no_noise(self):
        found = estimated(np.ones((8, 3)), 4)
        assert found.noise_scale == pytest.approx(0.0, abs=1e-9)
        assert "Half the batch size" in found.meaning


class TestMeaning:
    def test_progress_is_a_half_at_the_noise_scale(self):
        found = estimated(1.0 + np.random.default_rng(0).normal(size=(16, 5)), 10)
        assert found.progress(found.noise_scale) == pytest.approx(0.5)
        assert repr(found).startswith(f"NoiseScale: {found.noise_scale:.3g} examples (")

    @pytest.mark.parametrize(
        ("spread", "words"),
        [(9.0, "Twice the batch size"), (3.0, "a fair compromise"), (1.0, "Half the batch size")],
    )
    def test_what_to_do(self, spread, words):
        # Batches whose noise is `spread / 3` squared times their gradient.
        rows = 3.0 + spread * np.random.default_rng(0).normal(size=(64, 50))
        assert words in estimated(rows, 128).meaning


class TestUse:
    def test_at_most_one_pass_is_used(self):
        task, *_ = linear_task(0.5, batch_size=16, examples=80)
        assert noise_scale(task, batches=50).batches == 5

    def test_nor_is_more_of_an_iterable_whose_length_nobody_knows(self):
        assert noise_scale(callable_task(), batches=50).batches == 6

    def test_one_batch_of_data_has_no_noise_to_see(self):
        task, *_ = linear_task(0.5, batch_size=64, examples=64)
        with pytest.raises(ValueError, match=r"at least 3 batches in a pass .* got 1 of 64"):
            noise_scale(task)

    def test_gradients_that_are_not_finite(self):
        with pytest.raises(ValueError, match="the gradients must be finite"):
            estimated(np.full((4, 2), np.nan), 8)

    @pytest.mark.parametrize(
        ("loss", "why"),
        [
            (lambda p, b: jnp.mean(b[0]) + 0.0 * p["w"].sum(), "the gradient is exactly zero"),
            (lambda p, b: jnp.sum(p["w"]) * jnp.nan, "the loss is nan before the first step"),
            (lambda p, b: jnp.sum(jnp.sqrt(0.0 * p["w"])), "the gradient is not finite"),
        ],
        ids=["constant", "nan", "infinite slope"],
    )
    def test_nothing_to_measure(self, loss, why):
        task = lrw.Task({"w": jnp.ones(3)}, loss, train=(X, Y), batch_size=16)
        with pytest.raises(NothingToMeasureError, match=why) as caught:
            noise_scale(task)
        assert caught.value.remedy in str(caught.value)

    def test_one_batch_without_a_gradient_is_no_obstacle(self):
        x = np.ones((64, 1), np.float32)
        x[:8] = 0.0
        batches = [x[i : i + 8] for i in range(0, 64, 8)]
        task = lrw.Task({"w": jnp.ones(1)}, lambda p, b: jnp.mean(b * p["w"]), train=batches)
        assert noise_scale(task).batches == 8

    @pytest.mark.parametrize("after", [0, 3])
    def test_cancelled(self, task, after):
        asked = itertools.count()
        with pytest.raises(CancelledError):
            noise_scale(task, cancel=SimpleNamespace(is_set=lambda: next(asked) >= after))
        assert next(asked) == after + 1

    def test_bad_input(self, task):
        with pytest.raises(TypeError, match="task must be a Task, got str"):
            noise_scale("task")
        with pytest.raises(ValueError, match=r"batches must be a whole number >= 3 .*, got 2"):
            noise_scale(task, batches=2)
        with pytest.raises(ValueError, match="seed must be a whole number >= 0"):
            noise_scale(task, seed=-1)
        with pytest.raises(TypeError, match=r"cancel must have is_set\(\)"):
            noise_scale(task, cancel=True)


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.706), (2, 4.3027), (3, 3.1824), (4, 2.7764), (7, 2.3646), (15, 2.1314), (60, 2.0003)],
)
def test_student_s_quantiles_are_those_of_the_tables(freedom, expected):
    assert t_quantile(0.975, freedom) == pytest.approx(expected, rel=5e-3)


def test_the_interval_of_an_exact_ratio_is_a_point():
    assert _fieller(6.0, 2.0, np.zeros((2, 2)), 2.0) == (3.0, 3.0)

"""Complex parameters: what takes them, and what says that it does not."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.finding import curvature, noise_scale

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype(np.float32)
Y = X @ (RNG.normal(size=4) + 1j * RNG.normal(size=4)).astype(np.complex64)
SGD = lrw.Chain.of(lrw.optimizers.sgd(0.05))


def off(real, imaginary, batch):
    """The squared error of weights that are given in two parts."""
    x, there, beside = batch
    return jnp.mean((x @ real - there) ** 2 + (x @ imaginary - beside) ** 2)


def task_of(params, loss):
    return lrw.Task(params, loss, train=(X, Y.real, Y.imag), batch_size=16)


@pytest.fixture(scope="module")
def task():
    return task_of(
        {"w": jnp.zeros(4, jnp.complex64)}, lambda p, b: off(p["w"].real, p["w"].imag, b)
    )


@pytest.fixture(scope="module")
def parts():
    """The same, with the two parts of each weight as weights of their own."""
    zeros = jnp.zeros(4, jnp.float32)
    return task_of({"real": zeros, "imag": zeros}, lambda p, b: off(p["real"], p["imag"], b))


class TestComplexParameters:
    def test_training_is_that_of_their_two_parts(self, task, parts):
        """The gradient that JAX gives is conjugated: as it is, it leads up the imaginary axis."""
        losses = []
        for each in (task, parts):
            trainer = lrw.Trainer(each, SGD, steps=30, measure=("gradient_norm",))
            trainer.run_sync()
            losses.append((trainer.history.loss, trainer.history.gradient_norm))
        np.testing.assert_allclose(*losses, rtol=1e-4)
        assert losses[0][0][-1] < 0.1 * losses[0][0][0]

    def test_no_script_is_written_that_would_go_up_the_imaginary_axis(self, task):
        trainer = lrw.Trainer(task, SGD, steps=2)
        trainer.run_sync()
        with pytest.raises(ValueError, match="to_code needs real parameters, got complex ones"):
            trainer.to_code()

    @pytest.mark.parametrize(
        "links",
        [
            (lrw.optimizers.sgd(0.05), lrw.optimizers.hypergradient()),
            (lrw.optimizers.sgd(0.05), lrw.optimizers.stability_guard()),
            (lrw.optimizers.sgd(0.05), lrw.optimizers.sharpness_aware_rate()),
            # Its first slope is right where `grad` is what Optax is given to go down.
            (lrw.optimizers.sgd(1.0), lrw.optimizers.scale_by_zoom_linesearch(8)),
        ],
        ids=lambda links: links[-1].name,
    )
    def test_what_finds_the_rate_while_training_sees_both_parts(self, task, parts, links):
        losses = []
        for each in (task, parts):
            trainer = lrw.Trainer(each, lrw.Chain.of(*links), steps=12)
            trainer.run_sync()
            losses.append(trainer.history.loss)
        np.testing.assert_allclose(*losses, rtol=1e-3, atol=1e-6)

    def test_the_finders_say_of_them_what_they_say_of_the_parts(self, task, parts):
        swept, of_parts = (lrw.find_lr(each, SGD, steps=40) for each in (task, parts))
        np.testing.assert_allclose(swept.losses, of_parts.losses, rtol=1e-3)
        advised = lrw.advise(task, SGD, steps=60, budget=200)
        assert advised.refused is None
        assert advised.evidence.curvature is None
        assert 0.02 < advised.learning_rate < 1.0

    def test_the_noise_is_that_of_the_parts(self, task, parts):
        found, of_parts = (noise_scale(each, batches=6) for each in (task, parts))
        assert found.noise_scale == pytest.approx(of_parts.noise_scale, rel=1e-4)

    def test_curvature_says_that_it_takes_none(self, task):
        with pytest.raises(TypeError, match=r"parameters must be real .*, got complex ones"):
            curvature(task, SGD)

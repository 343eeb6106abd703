"""With 64-bit numbers switched on (``jax_enable_x64``) everything is found as without."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import lrwidget as lrw
from tests.finding.tasks import X, Y, pytree_loss

PROGRAM = """
import jax
jax.config.update("jax_enable_x64", True)
import lrwidget as lrw
from tests.finding.tasks import nnx_task
from tests.finding.test_wide_numbers import ADAM, made

print(*lrw.find_lr(made(96), ADAM, steps=20).losses)
print(lrw.finding.curvature(made(96), ADAM).sharpness)
print(lrw.finding.noise_scale(made(16)).noise_scale)
trainer = lrw.Trainer(nnx_task(), ADAM, steps=12)
trainer.run_sync()
print(trainer.history.loss[-1])
"""

ADAM = lrw.optimizers.adam(1e-2)


def made(batch_size):
    """Return a task that draws no random weights: 64 bits draw others."""
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    return lrw.Task(params, pytree_loss, train=(X, Y), batch_size=batch_size)


SHAPES = {"w": (8, 16), "v": (16, 3)}


def test_all_of_it_runs_and_finds_the_same():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    losses, sharpness, noise, last = (list(map(float, x.split())) for x in done.stdout.splitlines())
    np.testing.assert_allclose(losses, lrw.find_lr(made(96), ADAM, steps=20).losses, rtol=1e-4)
    own = lrw.finding.curvature(made(96), ADAM).sharpness
    assert sharpness == [pytest.approx(own, rel=1e-2)]
    assert noise[0] > 0.0
    assert 0.0 < last[0] < 10.0

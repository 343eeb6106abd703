"""The exported training script, executed without lrwidget."""

from __future__ import annotations

import builtins

import jax
import numpy as np
import pytest
from flax import nnx

import lrwidget as lrw
from tests.training import models

STEPS = 40


def execute(code):
    """Run a script in a namespace of its own that cannot import lrwidget."""
    compile(code, "script", "exec")
    real_import = builtins.__import__

    def guarded(name, *args, **kwargs):
        assert not name.startswith("lrwidget"), "the script must stand alone"
        return real_import(name, *args, **kwargs)

    namespace = {"__builtins__": {**vars(builtins), "__import__": guarded}, "__name__": "script"}
    exec(code, namespace)
    return namespace


def lively(task, chain, **more):
    """Return a finished run that was changed by hand on its way."""
    t = lrw.Trainer(task, chain, steps=STEPS, **more)
    t.step(10)
    t.set(learning_rate=0.02)
    t.step(10)
    t.release()
    t.scale(learning_rate=0.5)
    t.resume()
    t.wait()
    return t


def trained(kind, namespace):
    model, loss_fn = models.KINDS[kind]()
    result, losses = namespace["train"](model, loss_fn, models.data())
    if kind == "nnx":
        assert result is model
        params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    elif kind == "linen":
        params = result["params"]
    elif kind == "train_state":
        assert int(result.step) == STEPS
        params = result.params
    else:
        params = result
    return params, losses


@pytest.mark.parametrize("kind", models.KINDS)
def test_repeats_the_run(kind):
    schedule = lrw.schedules.preset("cosine", peak_value=0.05, steps=STEPS)
    t = lively(models.task(kind), models.sgd(schedule, momentum=0.9))
    params, losses = trained(kind, execute(t.to_code()))
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-4, atol=1e-6)
    assert models.distance(t.params, params) < 1e-6


def test_holds_every_hyperparameter_that_was_changed():
    chain = lrw.Chain.of(
        lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.adamw(0.01, weight_decay=0.1)
    )
    t = lrw.Trainer(models.task(), chain, steps=STEPS)
    t.step(15)
    t.set({"clip_by_global_norm.max_norm": 0.2}, b1=0.5, weight_decay=0.3)
    t.resume()
    t.wait()
    params, losses = trained("pytree", execute(t.to_code()))
    assert models.distance(t.params, params) < 1e-5
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-3)


def test_repeats_adam():
    t = lively(models.task("nnx"), models.adam(0.01))
    params, _ = trained("nnx", execute(t.to_code()))
    assert models.distance(t.params, params) < 1e-5


def test_is_as_long_as_the_run_went():
    t = lrw.Trainer(models.task(), models.sgd(), steps=1000)
    t.step(7)
    assert "STEPS = 7" in t.to_code()
    t.stop()
    _, losses = trained("pytree", execute(t.to_code()))
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-5)


@pytest.mark.parametrize("form", ["list", "callable"])
def test_takes_batches_from_an_iterable(form):
    x, y = models.data()
    batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, len(x), 8)]
    data = batches if form == "list" else lambda: iter(batches)
    task = models.task("pytree", train=data, batch_size=None)
    t = lrw.Trainer(task, models.sgd(), steps=20)
    t.run_sync()
    params, losses = execute(t.to_code())["train"](models.pytree_params(), models.pytree_loss, data)
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-5)
    assert models.distance(t.params, params) < 1e-6


def test_gives_a_pytree_loss_its_key():
    task = models.task(loss_fn=models.noisy_pytree_loss)
    t = lrw.Trainer(task, models.sgd(), steps=20)
    t.run_sync()
    params, _ = execute(t.to_code())["train"](
        models.pytree_params(), models.noisy_pytree_loss, models.data()
    )
    assert models.distance(t.params, params) < 1e-6


def test_needs_a_step():
    with pytest.raises(ValueError, match="to_code needs a run with at least one step"):
        lrw.Trainer(models.task(), models.sgd(), steps=5).to_code()


def test_reads_well():
    t = lrw.Trainer(models.task("linen"), models.sgd(), steps=5)
    t.run_sync()
    code = t.to_code()
    assert max(map(len, code.splitlines())) <= 100
    assert "\n\n\n\n" not in code
    assert jax.tree.leaves(t.params)

"""Runs the whole table of links with the JAX and Optax that are on the path.

A script of its own, since a process can hold one Optax. It prints what was found as JSON:
``python -m tests.optimizers.versions.whole_table``.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import lrwidget as lrw
from lrwidget.optimizers import write_hyperparameters
from lrwidget.optimizers._declared import BUILT_IN
from tests.optimizers.programs import Program, executed, flat, strong
from tests.optimizers.samples import sample

PARAMS = {"w": jnp.linspace(0.1, 1.0, 6).reshape(2, 3), "b": jnp.ones(3)}
# Line searches and optimizers made of them compile for seconds each.
PLAIN_ALONE = ("scale_by_backtracking_linesearch", "scale_by_zoom_linesearch", "lbfgs")


def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((jnp.tanh(x @ params["w"] + params["b"]) - y) ** 2)


BATCH = (np.linspace(-1.0, 1.0, 8, dtype=np.float32).reshape(4, 2), np.ones((4, 3), np.float32))


def loss(params):
    return loss_fn(params, BATCH)


def three_steps(chain, tx, rows=None):
    """Return the parameters after three steps of a compiled program."""

    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        known = {
            "value": value,
            "grad": grads,
            "value_fn": loss,
            "obj_fn": loss,
            "valid_value": value,
        }
        extra = {name: known[name] for name in chain.needs}
        updates, state = tx.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state

    params, state = PARAMS, strong(tx.init(PARAMS))
    program = Program(step, params, state)
    for i in range(3):
        if rows is not None:
            state = write_hyperparameters(state, chain.injection().names, rows[i])
        params, state = program(params, state)
    return flat(params)


def check(declared):
    """Raise what goes wrong with a link; return what its factory lacks."""
    parameters = inspect.signature(declared.factory).parameters
    lacking = [h.name for h in declared.hyperparameters if h.name not in parameters]
    chain = sample(declared.name)
    plain = three_steps(chain, chain.to_optax())
    if not np.all(np.isfinite(plain)):
        raise ValueError(f"the parameters are {plain}")
    if declared.name in PLAIN_ALONE:
        return lacking
    np.testing.assert_array_equal(three_steps(chain, executed(chain.to_code())), plain)
    if chain.addresses():
        rows = chain.injection().columns(chain.rows(0, 3))
        live = three_steps(chain, chain.live(), rows)
        np.testing.assert_allclose(live, plain, rtol=1e-5, atol=1e-6)
    return lacking


def check_training():
    """Train an NNX model for a few steps, all the way through a task."""

    def loss_fn(model, batch):
        x, y = batch
        return jnp.mean((model(x) - y) ** 2)

    with warnings.catch_warnings():
        warnings.simplefilter("default")  # an older Flax asks a newer JAX for what it deprecates
        task = lrw.Task(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), loss_fn, train=BATCH, batch_size=4)
        trainer = lrw.Trainer(task, sample("adamw"), steps=4)
        trainer.run_sync()
    assert trainer.state == "finished", trainer.error


def main():
    warnings.simplefilter("error")
    failed, lacking = {}, {}
    for declared in BUILT_IN:
        try:
            if found := check(declared):
                lacking[declared.name] = found
        except Exception as error:  # noqa: BLE001  (whatever it is, it is told)
            failed[declared.name] = f"{type(error).__name__}: {error}"[:500]
    try:
        check_training()
    except Exception as error:  # noqa: BLE001
        failed["Trainer"] = f"{type(error).__name__}: {error}"[:500]
    found = {
        "versions": {m.__name__: m.__version__ for m in (jax, flax, optax)},
        "failed": failed,
        "lacking": lacking,
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

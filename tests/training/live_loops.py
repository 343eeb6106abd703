"""Training loops as people write them, with and without live control."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from flax.training.train_state import TrainState

from tests.training import models

Update = Callable[..., Any]


@dataclasses.dataclass
class Done:
    """What a loop came to."""

    params: Any
    opt_state: Any
    losses: list[Any]
    traces: int

    @property
    def loss(self) -> np.ndarray:
        return np.asarray(jax.device_get(self.losses))


def batch(step: int) -> Any:
    x, y = models.data()
    start = step % models.STEPS_PER_EPOCH * models.BATCH
    return x[start : start + models.BATCH], y[start : start + models.BATCH]


def untouched(holder: Any, step: int, **_: Any) -> Any:
    return holder


def plain(tx: Any, steps: Iterable[int], update: Update = untouched) -> Done:
    """A pytree and Optax by hand, state donated."""
    traces = 0

    def train_step(params, opt_state, batch):
        nonlocal traces
        traces += 1
        (loss, metrics), grads = jax.value_and_grad(models.pytree_loss, has_aux=True)(params, batch)
        updates, opt_state = tx.update(grads, opt_state, params, value=loss)
        return optax.apply_updates(params, updates), opt_state, loss, metrics["accuracy"]

    jitted = jax.jit(train_step, donate_argnums=(0, 1))
    params = models.pytree_params()
    opt_state, losses = optax.with_extra_args_support(tx).init(params), []
    tx = optax.with_extra_args_support(tx)
    for step in steps:
        params, opt_state, loss, accuracy = jitted(params, opt_state, batch(step))
        losses.append(loss)
        opt_state = update(opt_state, step, loss=loss, accuracy=accuracy)
    return Done(params, opt_state, losses, traces)


def flax_nnx(tx: Any, steps: Iterable[int], update: Update = untouched) -> Done:
    """The NNX loop of Flax's MNIST tutorial."""
    traces = 0
    model = models.Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def train_step(model, optimizer, batch):
        nonlocal traces
        traces += 1
        (loss, metrics), grads = nnx.value_and_grad(models.nnx_loss, has_aux=True)(model, batch)
        optimizer.update(model, grads)
        return loss, metrics["accuracy"]

    losses = []
    for step in steps:
        loss, accuracy = train_step(model, optimizer, batch(step))
        losses.append(loss)
        assert update(optimizer, step, loss=loss, accuracy=accuracy) is optimizer
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    return Done(params, nnx.as_pure(optimizer.opt_state), losses, traces)


def train_state(tx: Any, steps: Iterable[int], update: Update = untouched) -> Done:
    """The Linen loop of Flax's examples."""
    traces = 0
    variables = models.linen_variables()
    state = models.NormedState.create(apply_fn=models.LinenNet().apply, tx=tx, **variables)

    @jax.jit
    def train_step(state, batch, key):
        nonlocal traces
        traces += 1
        x, y = batch

        def loss_fn(params):
            logits, changed = state.apply_fn(
                {"params": params, "batch_stats": state.batch_stats},
                x,
                train=True,
                rngs={"dropout": jax.random.fold_in(key, state.step)},
                mutable=["batch_stats"],
            )
            return models.cross_entropy(logits, y), changed

        (loss, changed), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
        state = state.apply_gradients(grads=grads)
        return state.replace(batch_stats=changed["batch_stats"]), loss

    losses, key = [], jax.random.key(0)
    for step in steps:
        state, loss = train_step(state, batch(step), key)
        losses.append(loss)
        state = update(state, step, loss=loss)
        assert isinstance(state, TrainState)
    return Done(state.params, state.opt_state, losses, traces)


LOOPS = {"plain": plain, "nnx": flax_nnx, "train_state": train_state}

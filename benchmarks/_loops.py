"""The loops that people write by hand, for the models of `_models.py`.

All have the data on the device, reshuffle it every epoch by a folded key, gather each batch by
index in the compiled step, and return every step's loss as NumPy. The models draw no random
numbers, so that no loop folds keys by step.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import _models
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

if TYPE_CHECKING:
    from collections.abc import Callable

    from _models import Model


def _functional(model: Model) -> tuple[Any, Any, Callable[..., Any]]:
    """Return a module's parameters, its other state, and its loss as a function of both.

    Plain dictionaries cross the border of `jax.jit` several times faster than modules do.
    """
    graph, params, rest = nnx.split(model.make(), nnx.Param, ...)

    def loss(params: Any, rest: Any, batch: Any) -> Any:
        module = nnx.merge(graph, params, rest)
        value = _models.loss_fn(module, batch)
        return value, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param)))

    return nnx.to_pure_dict(params), nnx.to_pure_dict(rest), loss


def _order(epoch: jax.Array, examples: int) -> jax.Array:
    key = jax.random.fold_in(jax.random.key(0), epoch)
    return jax.random.permutation(key, examples)


def async_jit(model: Model, steps: int) -> Callable[[], np.ndarray]:
    """Return a loop that calls one jitted step; everything that it can keep on the device is."""
    optimizer = _models.chain(steps).to_optax()
    inputs, labels = map(jnp.asarray, model.arrays)
    params, rest, loss_fn = _functional(model)
    size, per_epoch = model.batch_size, model.steps_per_epoch
    shuffle = jax.jit(functools.partial(_order, examples=len(inputs)))

    @functools.partial(jax.jit, donate_argnums=0)
    def step(carry: Any, inputs: jax.Array, labels: jax.Array, order: jax.Array) -> Any:
        params, rest, opt_state, i = carry
        index = jax.lax.dynamic_slice(order, (i % per_epoch * size,), (size,))
        batch = (inputs[index], labels[index])
        (loss, rest), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, rest, batch)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (jax.tree.map(jnp.add, params, updates), rest, opt_state, i + 1), loss

    def run() -> np.ndarray:
        begin = jax.tree.map(jnp.copy, (params, rest))
        carry = (*begin, optimizer.init(params), jnp.int32(0))
        losses = []
        for i in range(steps):
            if i % per_epoch == 0:
                order = shuffle(np.int32(i // per_epoch))
            carry, loss = step(carry, inputs, labels, order)
            losses.append(loss)
        return np.array(jax.device_get(losses))

    return run


def one_scan(model: Model, steps: int) -> Callable[[], np.ndarray]:
    """Return a run that is one call: a scan over epochs of a scan over batches."""
    optimizer = _models.chain(steps).to_optax()
    inputs, labels = map(jnp.asarray, model.arrays)
    params, rest, loss_fn = _functional(model)
    size, per_epoch = model.batch_size, model.steps_per_epoch

    @functools.partial(jax.jit, donate_argnums=0)
    def train(carry: Any, inputs: jax.Array, labels: jax.Array) -> Any:
        def step(carry: Any, index: jax.Array) -> Any:
            params, rest, opt_state = carry
            batch = (inputs[index], labels[index])
            (loss, rest), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, rest, batch)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (jax.tree.map(jnp.add, params, updates), rest, opt_state), loss

        def epoch(carry: Any, number: jax.Array) -> Any:
            order = _order(number, len(inputs))[: per_epoch * size]
            return jax.lax.scan(step, carry, order.reshape(per_epoch, size))

        return jax.lax.scan(epoch, carry, jnp.arange(steps // per_epoch))

    def run() -> np.ndarray:
        begin = jax.tree.map(jnp.copy, (params, rest))
        _, losses = train((*begin, optimizer.init(params)), inputs, labels)
        return np.asarray(losses).reshape(-1)

    return run


def nnx_loop(model: Model, steps: int) -> Callable[[], np.ndarray]:
    """Return the loop of Flax's own guides: `nnx.jit`, `nnx.value_and_grad`, `nnx.Optimizer`."""
    tx = _models.chain(steps).to_optax()
    inputs, labels = map(jnp.asarray, model.arrays)
    size, per_epoch = model.batch_size, model.steps_per_epoch
    shuffle = jax.jit(functools.partial(_order, examples=len(inputs)))

    @nnx.jit
    def train_step(
        module: nnx.Module,
        optimizer: nnx.Optimizer[Any],
        inputs: jax.Array,
        labels: jax.Array,
        index: jax.Array,
    ) -> jax.Array:
        batch = (inputs[index], labels[index])
        loss, grads = nnx.value_and_grad(_models.loss_fn)(module, batch)
        optimizer.update(module, grads)
        return loss

    def run() -> np.ndarray:
        module = model.make()
        optimizer = nnx.Optimizer(module, tx, wrt=nnx.Param)
        losses = []
        for i in range(steps):
            if i % per_epoch == 0:
                order = np.asarray(shuffle(np.int32(i // per_epoch)))
            at = i % per_epoch * size
            index = order[at : at + size]
            losses.append(train_step(module, optimizer, inputs, labels, index))
        return np.array(jax.device_get(losses))

    return run

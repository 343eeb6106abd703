"""The networks as JAX people write them: data, loss, Task and Chain for `lrwidget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrwidget as lrw

if TYPE_CHECKING:
    from _bench import Network


def examples(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and labels: ten noisy clusters, so that there is something to learn."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, network.outputs, network.examples).astype(np.int32)
    centres = rng.normal(size=(network.outputs, network.inputs))
    inputs = centres[labels] + 2.0 * rng.normal(size=(network.examples, network.inputs))
    return inputs.astype(np.float32), labels


def parameters(network: Network) -> dict[str, jax.Array]:
    """Return the weights: a plain pytree, the fastest form that a hand-written loop can take."""
    first, second = jax.random.split(jax.random.key(0))
    return {
        "w1": jax.random.normal(first, (network.inputs, network.hidden)) * network.inputs**-0.5,
        "b1": jnp.zeros(network.hidden),
        "w2": jax.random.normal(second, (network.hidden, network.outputs)) * network.hidden**-0.5,
        "b2": jnp.zeros(network.outputs),
    }


def loss_fn(params: dict[str, jax.Array], batch: Any) -> jax.Array:
    """Return the mean cross-entropy of a batch ``(inputs, labels)``."""
    inputs, labels = batch
    hidden = jax.nn.relu(inputs @ params["w1"] + params["b1"])
    logits = hidden @ params["w2"] + params["b2"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def task(network: Network) -> lrw.Task:
    """Return the network and its data as a Task."""
    return lrw.Task(
        parameters(network), loss_fn, train=examples(network), batch_size=network.batch_size
    )


def chain(steps: int) -> lrw.Chain:
    """Return Adam under a warm-up and a cosine, as half the world trains."""
    schedule = lrw.schedules.preset("warmup_cosine", peak_value=1e-3, steps=steps)
    return lrw.Chain.of(lrw.optimizers.adam(schedule))

"""The losses and gradients of a few batches before anything is trained."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from lrwidget.finding._refusals import Refusal, trouble_at_start

if TYPE_CHECKING:
    from lrwidget.finding._start import Start
    from lrwidget.training import Task
    from lrwidget.training._batches import Source

BATCHES = 4


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FirstLook:
    """The losses and the gradients of the first batches, at unmoved parameters.

    Attributes
    ----------
    losses
        The loss of each batch, shape (4,).
    gradient_norms
        The norm of the gradient of each, shape (4,).
    gradient_steps
        What it cost: 4.
    sample
        What else is measured on.
    """

    losses: tuple[float, ...]
    gradient_norms: tuple[float, ...]
    gradient_steps: float
    sample: Sample = dataclasses.field(repr=False)

    @property
    def complex(self) -> bool:
        """Whether some of the parameters are complex numbers."""
        return any(map(jnp.iscomplexobj, jax.tree.leaves(self.sample.grads)))

    @property
    def trouble(self) -> Refusal | None:
        """What stands in the way of training from here, and what would help; None for nothing."""
        return trouble_at_start(self.losses, self.gradient_norms)


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Some batches' losses and gradients, and the first of the batches."""

    batch: Any
    key: jax.Array
    losses: jax.Array  # (k,)
    grads: Any  # like the parameters, stacked: (k, …)
    size: Any  # like the parameters: the root of the gradients' mean square


class NothingToMeasureError(ValueError):
    """Raised where the loss or its gradient is not finite at the start, or the gradient is zero.

    Attributes
    ----------
    reason
        What stands in the way.
    remedy
        What would help.
    """

    def __init__(self, trouble: Refusal) -> None:
        super().__init__(
            f"there must be something to measure at the start, but {trouble.reason}; "
            f"{trouble.remedy}"
        )
        self.reason, self.remedy = trouble


def first_look(start: Start, *, replica: int = 0) -> FirstLook:
    """Look at four batches from a state, for the price of four gradients.

    Parameters
    ----------
    start
        The state; see `started`. Nothing changes it.
    replica
        Which order of the data and which randomness; 0 for those of a run.
    """
    count = min(BATCHES, start.runner.source.max_chunk)
    steps = list(gradients(start, count, replica=replica))
    gathered = start.task.compiled.setdefault("gathered", jax.jit(_gathered))
    losses, grads, size, largest, norms = gathered(
        [loss for loss, *_ in steps], [grads for _, grads, _, _ in steps]
    )
    norms = np.asarray(largest, np.float64) * np.asarray(norms, np.float64)
    _, _, batch, key = steps[0]
    return FirstLook(
        losses=tuple(np.asarray(losses, np.float64).tolist()),
        gradient_norms=tuple(norms.tolist()),
        gradient_steps=float(count),
        sample=Sample(batch, key, losses, grads, size),
    )


def gradients(
    start: Start, count: int, *, replica: int = 0
) -> Iterator[tuple[jax.Array, Any, Any, jax.Array]]:
    """Yield loss, gradient, batch and key of each of the next steps, at unmoved parameters."""
    source, task = start.runner.source, start.task
    key = ("gradients", source.size)
    if key not in task.compiled:
        task.compiled[key] = jax.jit(functools.partial(_step, task, source))
    carry, root = start.carry(), start.root(replica)
    stream = start.stream(replica)
    try:
        done = 0
        while done < count:
            chunk = stream.take(min(count - done, source.max_chunk), 0)
            for place in range(chunk.steps):
                step = np.int32(start.step + done + place)
                yield task.compiled[key](
                    carry.params, carry.state, chunk.feed, root, step, np.int32(place)
                )
            done += chunk.steps
    finally:
        stream.close()


# ---- traced -------------------------------------------------------------------------------------


def _step(
    task: Task,
    source: Source,
    params: Any,
    state: Any,
    feed: Any,
    root: jax.Array,
    step: jax.Array,
    place: jax.Array,
) -> tuple[jax.Array, Any, Any, jax.Array]:
    batch, key = source.pick(feed, step, place), jax.random.fold_in(root, step)
    loss, grads = jax.value_and_grad(lambda p: task.loss(p, state, batch, key)[0])(params)
    return loss.astype(jnp.float32), grads, batch, key


def _gathered(losses: list[jax.Array], grads: list[Any]) -> tuple[Any, ...]:
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *grads)
    size = jax.tree.map(_root_mean_square, stacked)
    # The norms are those of the gradients over their largest entries: squares of what is far from
    # 1 would over- or underflow. They are finite and not zero where the entries are.
    rows = [_wide(g).reshape(g.shape[0], -1) for g in jax.tree.leaves(stacked)]
    largest = functools.reduce(jnp.maximum, [jnp.max(jnp.abs(r), 1, initial=0.0) for r in rows])
    by = _divisor(largest)[:, None]
    norms = jnp.sqrt(sum(jnp.sum(jnp.square(r / by), 1) for r in rows))
    return jnp.stack(losses), stacked, size, largest, norms


def _root_mean_square(grads: jax.Array) -> jax.Array:
    wide = _wide(grads)
    largest = jnp.max(jnp.abs(wide), 0)
    mean = jnp.mean(jnp.square(wide / _divisor(largest)), 0)
    return (largest * jnp.sqrt(mean)).astype(_size_type(grads))


def _divisor(largest: jax.Array) -> jax.Array:
    return jnp.where(largest == 0.0, 1.0, largest)


def _wide(grads: jax.Array) -> jax.Array:
    # Of a complex number, how large it is.
    grads = jnp.abs(grads) if jnp.iscomplexobj(grads) else grads
    return grads.astype(jnp.promote_types(grads.dtype, jnp.float32))


def _size_type(grads: jax.Array) -> Any:
    return grads.real.dtype if jnp.iscomplexobj(grads) else grads.dtype

"""The loss around a state: its Hessian's largest eigenvalue, and its values along an update."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
from jax.flatten_util import ravel_pytree

from lrwidget.finding._lanczos import Krylov, begun, iterated, largest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrwidget.finding._first_look import FirstLook
    from lrwidget.finding._start import Start
    from lrwidget.training import Task


def largest_eigenvalue(
    start: Start,
    look: FirstLook,
    weights: npt.NDArray[np.floating[Any]],
    *,
    iterations: int,
    seed: int,
    check: Callable[[], object],
) -> float:
    """Return the largest eigenvalue of ``W**(1/2) H W**(1/2)`` on the look's first batch.

    Parameters
    ----------
    start, look
        Where.
    weights
        The diagonal of ``W``, >= 0, of the shape (weights of the model,).
    iterations, seed
        Products with ``H`` to take, and the seed of the vector that they begin with.
    check
        Called before each product that is dispatched by itself, or before all of them together.
    """
    task, sample, carry = start.task, look.sample, start.carry()
    programs = task.compiled.setdefault(("lanczos", iterations), {})
    if not programs:
        step = functools.partial(_step, task)
        programs["step"] = jax.jit(step)
        programs["loop"] = jax.jit(functools.partial(_loop, step, iterations))
    roots = np.sqrt(weights).astype(np.float32)
    random = np.random.default_rng(seed).standard_normal(roots.shape)
    run = begun(random * (roots > 0.0), iterations)
    where = (carry.params, carry.state, sample.batch, sample.key, roots)
    if task.convolves and jax.default_backend() == "cpu":
        # XLA's loops run convolutions 15 to 30 times slower there (jax-ml/jax#12868).
        for place in range(iterations):
            check()
            run = programs["step"](run, np.int32(place), *where)
    else:
        check()
        run = programs["loop"](run, *where)
    return largest(run.diagonal, run.beside)


class Along:
    """The loss of the look's first batch after an update."""

    def __init__(self, start: Start, look: FirstLook, check: Callable[[], object]) -> None:
        self._check = check
        programs = start.task.compiled.setdefault("along", {})
        if not programs:
            programs["loss"] = jax.jit(functools.partial(_after, start.task))
        carry, sample = start.carry(), look.sample
        self._loss = functools.partial(
            programs["loss"], carry.params, carry.state, sample.batch, sample.key
        )

    def __call__(self, update: Any, scale: float = 1.0) -> float:
        """Return the loss after `scale` times the update; one forward pass."""
        self._check()
        return float(self._loss(update, np.float32(scale)))


# ---- traced -------------------------------------------------------------------------------------


def _step(
    task: Task,
    run: Krylov,
    place: jax.Array,
    params: Any,
    state: Any,
    batch: Any,
    key: jax.Array,
    roots: jax.Array,
) -> Krylov:
    flat, back = ravel_pytree(params)

    def loss(params: Any) -> jax.Array:
        return task.loss(params, state, batch, key)[0]

    def product(vector: jax.Array) -> jax.Array:
        along = back((roots * vector).astype(flat.dtype))
        curved = jax.jvp(jax.grad(loss), (params,), (along,))[1]
        flat_curved: jax.Array = ravel_pytree(curved)[0]
        return roots * flat_curved.astype(jnp.float32)

    return iterated(run, place, product)


def _loop(step: Any, iterations: int, run: Krylov, *where: Any) -> Krylov:
    done: Krylov = jax.lax.fori_loop(
        0, iterations, lambda place, run: step(run, place, *where), run
    )
    return done


def _after(
    task: Task, params: Any, state: Any, batch: Any, key: jax.Array, update: Any, scale: jax.Array
) -> jax.Array:
    moved = optax.apply_updates(params, jax.tree.map(lambda u: scale * u, update))
    return task.loss(moved, state, batch, key)[0]

"""The transformations that a `LiveControl` gives to a person's own loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import io_callback

from lrwidget.optimizers import Chain, Injection
from lrwidget.optimizers._optax import write_hyperparameters
from lrwidget.training._arrays import strong

InitialRow = Callable[[], Mapping[str, Any]]
Fetch = Callable[[int, float | None], Any]


def plain(
    chain: Chain, injection: Injection, initial_row: InitialRow
) -> optax.GradientTransformationExtraArgs:
    """Return the live chain, whose state begins with `initial_row`."""
    inner = chain.live(injection.addresses)

    def init(params: Any) -> Any:
        row = initial_row()
        state = write_hyperparameters(inner.init(params), tuple(row), tuple(row.values()))
        # A weak type would be strong after one step, and the second a new trace.
        return _apart(jax.tree.map(strong, state))

    return optax.GradientTransformationExtraArgs(init, inner.update)


def _apart(tree: Any) -> Any:
    """Return a tree in which no array is there twice: a step may take what it is given."""
    seen: set[int] = set()

    def once(leaf: Any) -> Any:
        if id(leaf) in seen:
            return jnp.copy(leaf)
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(once, tree)


class CallingState(NamedTuple):
    """State of a transformation that calls the host."""

    step: jax.Array  # int32, shape (): updates so far
    row: jax.Array  # float32, shape (keys,): what the host gave last
    inner: Any  # of the live chain


def calling(
    chain: Chain,
    injection: Injection,
    initial_row: InitialRow,
    every: int,
    fetch: Fetch,
) -> optax.GradientTransformationExtraArgs:
    """Return the live chain, which has `fetch` called before every so many updates."""
    inner = plain(chain, injection, initial_row)

    def init(params: Any) -> CallingState:
        state = inner.init(params)
        row = jnp.stack([state.hyperparams[name] for name in injection.names])
        return CallingState(step=jnp.zeros((), jnp.int32), row=row, inner=state)

    def update(
        updates: Any, state: CallingState, params: Any = None, *, value: Any = None, **extra: Any
    ) -> tuple[Any, CallingState]:
        told = {} if value is None else {"loss": jnp.asarray(value, jnp.float32)}

        def host(step: Any, told: Mapping[str, Any]) -> Any:
            loss = float(np.asarray(told["loss"])) if told else None
            return np.asarray(fetch(int(np.asarray(step)), loss), np.float32)

        def call() -> Any:
            return io_callback(host, state.row, state.step, told)

        row = jax.lax.cond(state.step % every == 0, call, lambda: state.row)
        live = write_hyperparameters(state.inner, injection.names, list(row))
        if value is not None:
            extra["value"] = value
        updates, live = inner.update(updates, live, params, **extra)
        return updates, CallingState(step=state.step + 1, row=row, inner=live)

    return optax.GradientTransformationExtraArgs(init, update)

"""What the links' states tell at each step, where a training loop finds it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class ReportedState(NamedTuple):
    """The state of a link whose reports are taken."""

    inner: Any
    reports: dict[str, jax.Array]  # "<label>.<name>" -> float32, shape ()


def reporting(
    inner: optax.GradientTransformation, label: str, names: tuple[str, ...]
) -> optax.GradientTransformationExtraArgs:
    """Return a transformation that does the same and keeps `names` of its state at hand."""
    extended = optax.with_extra_args_support(inner)

    def told(state: Any) -> dict[str, jax.Array]:
        return {f"{label}.{name}": _value(state, label, name) for name in names}

    def init(params: Any) -> ReportedState:
        state = inner.init(params)
        return ReportedState(state, told(state))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        updates, after = extended.update(updates, state.inner, params, **extra)
        return updates, ReportedState(after, told(after))

    return optax.GradientTransformationExtraArgs(init, update)


def reports(opt_state: Any) -> dict[str, jax.Array]:
    """Return the newest reports in the state of a live chain, address -> float32 scalar."""
    found: dict[str, jax.Array] = {}
    for node in jax.tree.leaves(opt_state, is_leaf=lambda x: isinstance(x, ReportedState)):
        if isinstance(node, ReportedState):
            found |= node.reports
            found |= reports(node.inner)
    return found


def _value(state: Any, label: str, name: str) -> jax.Array:
    found = optax.tree_utils.tree_get_all_with_path(state, name)
    if not found:
        raise ValueError(f"the state of {label} must have {name!r} to report it, got {state!r:.80}")
    # An inner optimizer may have a field of the same name, and so may a parameter: both lie deeper.
    _, value = min(found, key=lambda place: len(place[0]))
    # Mechanic keeps a scale for each of its memories, and multiplies by their sum.
    return jnp.sum(jnp.asarray(value, jnp.float32))

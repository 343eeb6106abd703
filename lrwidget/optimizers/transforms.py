"""Optax transformations of our own, for anyone's chain; the module loads Optax."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers._evaluation import within

__all__ = ["LookaheadState", "lookahead", "lookahead_eval_params"]


class LookaheadState(NamedTuple):
    """The state of `lookahead`."""

    fast_state: Any
    slow: Any  # like the parameters
    steps_since_sync: jax.Array  # int32, shape ()


def lookahead(
    fast_optimizer: optax.GradientTransformation,
    sync_period: int = 5,
    slow_step_size: Any = 0.5,
    reset_state: bool = False,  # noqa: FBT001, FBT002  (Optax's own signature)
) -> optax.GradientTransformationExtraArgs:
    r"""Return an optimizer that every few steps goes back part of the way, to slow weights.

    .. math::

        \phi \leftarrow \phi + \alpha (\theta - \phi), \qquad \theta \leftarrow \phi
        \qquad \text{at every } k\text{-th step}

    The same as ``optax.lookahead``, which asks that the loop train a pair of fast and slow
    parameters. Here the slow ones are in the state, the loop trains the fast ones like any
    parameters, and the update of every `sync_period`-th step takes them where they belong.

    Parameters
    ----------
    fast_optimizer
        The optimizer of the fast weights.
    sync_period
        Steps from one meeting of the two to the next, :math:`k \ge 1`.
    slow_step_size
        How far the slow weights follow, :math:`\alpha` in [0, 1]; may be traced.
    reset_state
        Whether the optimizer begins anew at each meeting.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Evaluate with `lookahead_eval_params`.

    Raises
    ------
    ValueError
        If `sync_period` is less than 1.

    References
    ----------
    Zhang et al. 2019, "Lookahead Optimizer: k steps forward, 1 step back", arXiv 1907.08610.

    Examples
    --------
    >>> tx = lookahead(optax.sgd(0.1), sync_period=2)
    >>> params = jnp.array(1.0)
    >>> state = tx.init(params)
    >>> for _ in range(2):
    ...     updates, state = tx.update(params, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> print(f"{params:.3f} {lookahead_eval_params(state, params):.3f}")
    0.905 0.905
    """
    if sync_period < 1:
        raise ValueError(f"sync_period must be an integer >= 1, got {sync_period!r}")
    extended = optax.with_extra_args_support(fast_optimizer)

    def init(params: Any) -> LookaheadState:
        # Copied: a loop that donates its buffers would donate the parameters' twice.
        slow = jax.tree.map(jnp.copy, params)
        return LookaheadState(extended.init(params), slow, jnp.zeros([], jnp.int32))

    def update(updates: Any, state: LookaheadState, params: Any = None, **extra: Any) -> Any:
        if params is None:
            raise ValueError("update of lookahead must be given the parameters, got none")
        updates, fast_state = extended.update(updates, state.fast_state, params, **extra)
        meets = state.steps_since_sync == sync_period - 1
        apart = jax.tree.map(lambda f, u, s: f + u - s, params, updates, state.slow)
        slow = jax.tree.map(
            lambda s, d: jnp.where(meets, s + slow_step_size * d, s).astype(s.dtype),
            state.slow,
            apart,
        )
        updates = jax.tree.map(
            lambda u, d: jnp.where(meets, u - (1 - slow_step_size) * d, u), updates, apart
        )
        if reset_state:
            fast_state = jax.tree.map(
                lambda kept, new: jnp.where(meets, new, kept), fast_state, extended.init(params)
            )
        steps = (state.steps_since_sync + 1) % sync_period
        return updates, LookaheadState(fast_state, slow, steps)

    return optax.GradientTransformationExtraArgs(init, update)


def lookahead_eval_params(opt_state: Any, params: Any) -> Any:
    """Return the slow weights, which are the ones to evaluate with.

    Parameters
    ----------
    opt_state
        The state of `lookahead`, or of a chain that has it.
    params
        The fast weights; not looked at.

    Raises
    ------
    ValueError
        If the state holds none.
    """
    del params
    return within(opt_state, LookaheadState).slow

"""Raise the rate while the loss falls, lower it while it does not."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrwidget import _checks
from lrwidget.optimizers.adaptive import _arguments, _monitor, _trees
from lrwidget.optimizers.adaptive._curve import Curve


class GreedyState(NamedTuple):
    """The state of `greedy`."""

    scale: jax.Array  # shape=(), dtype=float32; what the last updates were multiplied by
    own_scale: jax.Array  # shape=(), dtype=float32; what the rule has learned
    best_value: jax.Array  # shape=(), dtype=float32; the lowest smoothed value that counted
    smooth_value: jax.Array  # shape=(), dtype=float32; NaN before the first value
    good_count: jax.Array  # shape=(), dtype=int32; better values in a row
    bad_count: jax.Array  # shape=(), dtype=int32; values in a row that were no better
    rest_count: jax.Array  # shape=(), dtype=int32; values for which nothing is counted yet
    floor_count: jax.Array  # shape=(), dtype=int32; reductions in a row at the floor
    step: jax.Array  # shape=(), dtype=int32; updates so far


def greedy(
    factor: Any = 0.95,
    patience: Any = 10,
    rtol: Any = 1e-4,
    atol: Any = 0.0,
    cooldown: Any = 0,
    warmup: Any = 0,
    min_scale: Any = 1e-3,
    max_scale: Any = 100.0,
    smoothing: Any = 0.9,
    reset_after: Any = 0,
    monitor: str = "train",
    curve: str = "multiplier",
    learning_rate: Any = None,
    own_rate: Any = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Raise the rate while a loss falls, and lower it while it does not.

    A smoothed value is better than the best so far as in `reduce_on_plateau`. After more than
    `patience` better values in a row, or as many that are not,

    .. math::

        s \leftarrow \min(s / f,\ s_\max) \qquad\text{or}\qquad s \leftarrow \max(f s,\ s_\min).

    Parameters
    ----------
    factor
        :math:`f` in (0, 1).
    patience
        More than so many values of one kind in a row change the rate.
    rtol, atol
        By how much a value must be lower, relative to the best and absolutely.
    cooldown, warmup
        Values after a reduction, and after an increase, for which none is counted.
    min_scale, max_scale
        The bounds of :math:`s`.
    smoothing
        Decay rate in [0, 1) of the running mean of the values that is judged; 0 for none. A value
        that is not finite is left out of the mean and counts as no better.
    reset_after
        So many reductions in a row that find the rate at its floor start the rule anew, at
        :math:`s = 1`; 0 for never.
    monitor, curve, learning_rate, own_rate
        As in `reduce_on_plateau`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Goes after the optimizer, whose updates it multiplies by ``state.scale``. Its ``update``
        needs ``value`` or ``valid_value``. `monitor` and `curve` are static, all numbers may be
        traced.

    References
    ----------
    "GreedyLR: A Novel Adaptive Learning Rate Scheduler", 2025, arXiv 2512.14527, with the counting
    of the scheduler in Hugging Face Transformers. There the rate itself is bounded, here what it is
    multiplied by.

    Examples
    --------
    >>> tx = optax.chain(optax.sgd(1.0), greedy(factor=0.5, patience=1, smoothing=0.0))
    >>> state = tx.init(jnp.array(1.0))
    >>> for loss in (3.0, 2.0):
    ...     updates, state = tx.update(jnp.array(1.0), state, value=loss)
    >>> updates
    Array(-2., dtype=float32)
    """
    _arguments.number("factor", factor, low=0, high=1, low_open=True, high_open=True)
    _arguments.integer("patience", patience, low=0)
    _arguments.number("rtol", rtol, low=0, high=1)
    _arguments.number("atol", atol, low=0)
    _arguments.integer("cooldown", cooldown, low=0)
    _arguments.integer("warmup", warmup, low=0)
    _arguments.scales(min_scale, max_scale)
    _arguments.number("smoothing", smoothing, low=0, high=1, high_open=True)
    _arguments.integer("reset_after", reset_after, low=0)
    _checks.choice("monitor", monitor, _monitor.MONITORS)
    above = Curve.of(curve, learning_rate, own_rate)

    def init(params: Any) -> GreedyState:
        del params
        zero, none = jnp.zeros([], jnp.float32), jnp.zeros([], jnp.int32)
        return GreedyState(
            zero + 1, zero + 1, zero + jnp.inf, zero + jnp.nan, none, none, none, none, none
        )

    def judge(state: GreedyState, newest: jax.Array) -> GreedyState:
        smooth = _monitor.smoothed(
            state.smooth_value, newest, smoothing, first=jnp.isnan(state.smooth_value)
        )
        better = jnp.isfinite(newest) & (smooth < (1 - rtol) * state.best_value - atol)
        resting = state.rest_count > 0
        good = jnp.where(resting | ~better, 0, state.good_count + 1)
        bad = jnp.where(resting | better, 0, state.bad_count + 1)
        rise, fall = good > patience, bad > patience
        own = jnp.where(rise, jnp.minimum(state.own_scale / factor, max_scale), state.own_scale)
        own = jnp.where(fall, jnp.maximum(own * factor, min_scale), own)
        at_floor = jnp.where(fall & (own <= min_scale), state.floor_count + 1, state.floor_count)
        at_floor = jnp.where(rise, 0, at_floor)
        anew = (jnp.asarray(reset_after) > 0) & (at_floor >= reset_after)
        rest = jnp.where(rise, warmup, jnp.where(fall, cooldown, state.rest_count - resting))
        best = jnp.where(better & ~resting, smooth, state.best_value)
        return state._replace(
            own_scale=jnp.where(anew, 1.0, own).astype(jnp.float32),
            best_value=jnp.where(anew, jnp.inf, best),
            smooth_value=jnp.where(anew, jnp.nan, smooth).astype(jnp.float32),
            good_count=jnp.where(rise | anew, 0, good),
            bad_count=jnp.where(fall | anew, 0, bad),
            rest_count=jnp.where(anew, 0, rest).astype(jnp.int32),
            floor_count=jnp.where(anew, 0, at_floor),
        )

    def update(
        updates: Any,
        state: GreedyState,
        params: Any = None,
        *,
        value: Any = None,
        valid_value: Any = None,
        **_: Any,
    ) -> tuple[Any, GreedyState]:
        del params
        newest, new = _monitor.read("greedy", monitor, value, valid_value)
        judged = judge(state, newest)
        state = jax.tree.map(lambda n, o: jnp.where(new, n, o), judged, state)
        scale = above.scale(state.own_scale, state.step).astype(jnp.float32)
        return _trees.times(scale, updates), state._replace(scale=scale, step=state.step + 1)

    return optax.GradientTransformationExtraArgs(init, update)

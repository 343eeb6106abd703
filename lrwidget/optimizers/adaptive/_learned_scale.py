"""Compare rates while training: raise while the loss falls faster for it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers.adaptive import _arguments, _trees
from lrwidget.optimizers.adaptive._curve import Curve


class LearnedScaleState(NamedTuple):
    """The state of `learned_scale`."""

    scale: jax.Array  # shape=(), dtype=float32; what the last updates were multiplied by
    own_scale: jax.Array  # shape=(), dtype=float32; what the rule has learned
    velocity: jax.Array  # shape=(), dtype=float32; descent per step of the last window
    baseline: jax.Array  # shape=(), dtype=float32; the velocity that a trial has to beat
    factor: jax.Array  # shape=(), dtype=float32; by which the next trial raises, > 1
    trial: jax.Array  # shape=(), dtype=bool; whether this window tries a raised rate
    position: jax.Array  # shape=(), dtype=int32; losses of this window so far
    first: jax.Array  # shape=(), dtype=float32; the first loss of this window
    total: jax.Array  # shape=(), dtype=float32; sum of its losses less the first
    moment: jax.Array  # shape=(), dtype=float32; the same, each times its place in the window
    step: jax.Array  # shape=(), dtype=int32; updates so far


def learned_scale(
    window: Any = 20,
    raise_factor: Any = 2.0,
    lower_factor: Any = 0.5,
    refinement: Any = 0.9,
    tolerance: Any = 0.0,
    min_scale: Any = 1e-3,
    max_scale: Any = 1e3,
    curve: str = "multiplier",
    learning_rate: Any = None,
    own_rate: Any = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Search for the rate while training, by the velocity with which the loss falls.

    The velocity of a window of `window` losses is minus the slope of the line fitted to them by
    least squares:

    .. math::

        v = -\frac{12}{k (k^2 - 1)} \sum_{i=0}^{k-1} \left(i - \tfrac{k - 1}{2}\right) \ell_i .

    After a window with the velocity :math:`v_0 \ge 0` the rate is raised by a factor
    :math:`\alpha` for a trial window. If the loss then falls faster,
    :math:`v > (1 + \text{tolerance})\, v_0`, the rate stays and is raised again; otherwise it steps
    back and the next window measures anew. With each step back :math:`\alpha` comes nearer to 1.
    A window over which the loss rises, or is not finite, lowers the rate by :math:`\beta`.

    Parameters
    ----------
    window
        Losses to a window, :math:`k \ge 3`.
    raise_factor
        :math:`\alpha > 1` of the first trial.
    lower_factor
        :math:`\beta` in (0, 1).
    refinement
        What :math:`\alpha - 1` is multiplied by at each step back, in (0, 1].
    tolerance
        By how much faster, relatively, the loss must fall for a trial to be kept.
    min_scale, max_scale
        The bounds of :math:`s`.
    curve, learning_rate, own_rate
        As in `reduce_on_plateau`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Goes after the optimizer, whose updates it multiplies by ``state.scale``. Its ``update``
        needs ``value``. `curve` is static, all numbers may be traced.

    References
    ----------
    "AdaLRS: Loss-Guided Adaptive Learning Rate Search for Efficient Foundation Model Pretraining",
    2025, arXiv 2506.13274. There a trial that fails also takes the parameters back; a
    transformation cannot know whether the loop can do that, so here only the rate steps back.

    Examples
    --------
    >>> tx = optax.chain(optax.sgd(1.0), learned_scale(window=3))
    >>> state = tx.init(jnp.array(1.0))
    >>> for loss in (3.0, 2.0, 1.0):
    ...     updates, state = tx.update(jnp.array(1.0), state, value=loss)
    >>> updates
    Array(-2., dtype=float32)
    """
    _arguments.integer("window", window, low=3)
    _arguments.number("raise_factor", raise_factor, low=1, low_open=True)
    _arguments.number("lower_factor", lower_factor, low=0, high=1, low_open=True, high_open=True)
    _arguments.number("refinement", refinement, low=0, high=1, low_open=True)
    _arguments.number("tolerance", tolerance, low=0)
    _arguments.scales(min_scale, max_scale)
    above = Curve.of(curve, learning_rate, own_rate)

    def init(params: Any) -> LearnedScaleState:
        del params
        zero, none = jnp.zeros([], jnp.float32), jnp.zeros([], jnp.int32)
        return LearnedScaleState(
            scale=zero + 1,
            own_scale=zero + 1,
            velocity=zero,
            baseline=zero,
            factor=jnp.asarray(raise_factor, jnp.float32),
            trial=jnp.zeros([], jnp.bool_),
            position=none,
            first=zero,
            total=zero,
            moment=zero,
            step=none,
        )

    def judge(state: LearnedScaleState) -> LearnedScaleState:
        size = jnp.asarray(window, jnp.float32)
        sloped = state.moment - (size - 1) / 2 * state.total
        velocity = -12 / (size * (size**2 - 1)) * sloped
        falls = velocity >= 0  # not so for NaN either
        faster = falls & (velocity > (1 + tolerance) * state.baseline)
        back = state.trial & ~faster
        factor = jnp.where(back, 1 + (state.factor - 1) * refinement, state.factor)
        own = jnp.where(back, state.own_scale / state.factor, state.own_scale)
        own = jnp.where(falls, own, own * lower_factor)
        rise = falls & ~back
        own = jnp.clip(jnp.where(rise, own * factor, own), min_scale, max_scale)
        return state._replace(
            own_scale=own.astype(jnp.float32),
            velocity=velocity,
            baseline=jnp.where(rise, velocity, state.baseline),
            factor=factor.astype(jnp.float32),
            trial=rise,
            position=jnp.zeros([], jnp.int32),
        )

    def update(
        updates: Any,
        state: LearnedScaleState,
        params: Any = None,
        *,
        value: Any = None,
        **_: Any,
    ) -> tuple[Any, LearnedScaleState]:
        del params
        _arguments.given("learned_scale", value=value)
        loss, begins = _arguments.loss(value), state.position == 0
        # Sums of differences from the first loss keep their digits where the loss hardly moves.
        first = jnp.where(begins, loss, state.first)
        rest = loss - first
        state = state._replace(
            first=first,
            total=jnp.where(begins, 0.0, state.total) + rest,
            moment=jnp.where(begins, 0.0, state.moment) + state.position * rest,
            position=state.position + 1,
        )
        state = jax.lax.cond(state.position >= window, judge, lambda s: s, state)
        scale = above.scale(state.own_scale, state.step).astype(jnp.float32)
        return _trees.times(scale, updates), state._replace(scale=scale, step=state.step + 1)

    return optax.GradientTransformationExtraArgs(init, update)

"""Take the rate from the slope and the curvature of the loss along the update."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers.adaptive import _arguments, _trees
from lrwidget.optimizers.adaptive._curve import Curve


class SharpnessAwareRateState(NamedTuple):
    """The state of `sharpness_aware_rate`."""

    scale: jax.Array  # shape=(), dtype=float32; what the last updates were multiplied by
    own_scale: jax.Array  # shape=(), dtype=float32; what the rule has found
    slope: jax.Array  # shape=(), dtype=float32; running mean of the descent along the updates
    curvature: jax.Array  # shape=(), dtype=float32; running mean of the curvature along them
    reference: jax.Array  # shape=(), dtype=float32; the rate at which `own_scale` 1 stands
    step: jax.Array  # shape=(), dtype=int32; updates so far


def sharpness_aware_rate(
    sigma: Any = 0.1,
    ema_decay: Any = 0.9,
    every: Any = 1,
    eps: Any = 1e-12,
    min_scale: Any = 1e-6,
    max_scale: Any = 1e6,
    curve: str = "multiplier",
    learning_rate: Any = None,
    own_rate: Any = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Take the rate from the slope and the curvature of the loss along the update (CDAT).

    With the gradient :math:`g`, the Hessian :math:`H` and the update :math:`u` of the batch,

    .. math::

        n = \max(-g \cdot u,\ 0), \qquad d = |u \cdot H u| + \varepsilon, \qquad
        s = \sigma\, \frac{\mathrm{EMA}(n)}{\mathrm{EMA}(d)}.

    On a quadratic :math:`\sigma = 1` goes to the minimum along the update and :math:`\sigma = 2`
    to where the loss is again what it was, the edge of stability. A warm-up comes by itself: where
    the loss is sharp, the rate is low.

    The size of the updates does not matter to the result. So that a drawn curve does, the rule
    works as if the updates had the rate `own_rate`, or else the largest value of `learning_rate` so
    far: a warm-up in the curve is then the rule's own business, a decay is applied. Without
    `learning_rate` the curve has no effect at all.

    Parameters
    ----------
    sigma
        :math:`\sigma > 0`. The paper finds 2 best where a batch is the whole data, and less where
        it is small. With small batches and momentum or Adam 0.3 can diverge; hence the default.
    ema_decay
        Decay rate in [0, 1) of the running means of :math:`n` and :math:`d`.
    every
        Steps from one measurement to the next; each costs about two gradients.
    eps
        :math:`\varepsilon > 0`.
    min_scale, max_scale
        The bounds of :math:`s`.
    curve, learning_rate, own_rate
        As in `reduce_on_plateau`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Goes after the optimizer, whose updates it multiplies by ``state.scale``. Its ``update``
        needs the parameters and ``value_fn``, the loss of the batch as a function of them.
        `curve` is static, all numbers may be traced. A measurement that is not finite is left out.

    References
    ----------
    Roulet et al. 2024, "Stepping on the Edge: Curvature Aware Learning Rate Tuners", arXiv
    2407.06183.

    Examples
    --------
    >>> tx = optax.chain(optax.sgd(1e-4), sharpness_aware_rate(sigma=1.0))
    >>> params, loss = jnp.array(3.0), lambda x: 2 * (x - 1) ** 2
    >>> updates, _ = tx.update(jax.grad(loss)(params), tx.init(params), params, value_fn=loss)
    >>> print(f"{params + updates:.3f}")
    1.000
    """
    _arguments.number("sigma", sigma, low=0, low_open=True)
    _arguments.number("ema_decay", ema_decay, low=0, high=1, high_open=True)
    _arguments.integer("every", every, low=1)
    _arguments.number("eps", eps, low=0, low_open=True)
    _arguments.scales(min_scale, max_scale)
    above = Curve.of(curve, learning_rate, own_rate)

    def init(params: Any) -> SharpnessAwareRateState:
        del params
        zero = jnp.zeros([], jnp.float32)
        return SharpnessAwareRateState(zero + 1, zero + 1, zero, zero, zero, jnp.int32(0))

    def update(
        updates: Any,
        state: SharpnessAwareRateState,
        params: Any = None,
        *,
        value_fn: Any = None,
        **_: Any,
    ) -> tuple[Any, SharpnessAwareRateState]:
        _arguments.given("sharpness_aware_rate", params=params, value_fn=value_fn)
        reference = above.reference(state.reference, state.step)
        # The updates are those of the reference's rate times this.
        relative = above.at(state.step) / jnp.where(reference > 0, reference, 1.0)

        def uphill(params: Any) -> Any:
            # Of complex parameters `jax.grad` gives the conjugate; real ones this leaves alone.
            return jax.tree.map(jnp.conj, jax.grad(value_fn)(params))

        def measure() -> tuple[jax.Array, jax.Array]:
            along = _trees.like(updates, params)
            grad, curved = jax.jvp(uphill, (params,), (along,))
            slope = jnp.maximum(-_trees.dot(grad, along), 0.0)
            return slope, jnp.abs(_trees.dot(along, curved))

        def skip() -> tuple[jax.Array, jax.Array]:
            return jnp.full([], jnp.nan, jnp.float32), jnp.full([], jnp.nan, jnp.float32)

        due = (state.step % every == 0) & (relative > 0)
        slope, curvature = jax.lax.cond(due, measure, skip)
        safe = jnp.where(relative > 0, relative, 1.0)
        slope, curvature = slope / safe, curvature / safe**2 + eps
        known = jnp.isfinite(slope) & jnp.isfinite(curvature)
        # Both means begin at zero; what that takes off them cancels in their ratio.
        slope = jnp.where(known, ema_decay * state.slope + (1 - ema_decay) * slope, state.slope)
        curvature = jnp.where(
            known, ema_decay * state.curvature + (1 - ema_decay) * curvature, state.curvature
        )
        found = sigma * slope / jnp.where(curvature > 0, curvature, 1.0)
        own = jnp.where(known, jnp.clip(found, min_scale, max_scale), state.own_scale)
        own = own.astype(jnp.float32)
        scale = above.scale(own, state.step).astype(jnp.float32)
        new = SharpnessAwareRateState(
            scale,
            own,
            slope.astype(jnp.float32),
            curvature.astype(jnp.float32),
            reference,
            state.step + 1,
        )
        return _trees.times(scale, updates), new

    return optax.GradientTransformationExtraArgs(init, update)

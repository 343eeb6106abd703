"""Adapt the rate by whether each step should have been longer."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers.adaptive import _arguments, _trees
from lrwidget.optimizers.adaptive._curve import Curve


class HypergradientState(NamedTuple):
    """The state of `hypergradient`."""

    scale: jax.Array  # shape=(), dtype=float32; what the last updates were multiplied by
    own_scale: jax.Array  # shape=(), dtype=float32; what the rule has learned
    alignment: jax.Array  # shape=(), dtype=float32; the last cosine, in [-1, 1]
    previous: Any  # like the parameters; the updates before this one, not multiplied
    step: jax.Array  # shape=(), dtype=int32; updates so far


def hypergradient(
    hyper_rate: Any = 0.02,
    min_scale: Any = 1e-3,
    max_scale: Any = 1e3,
    curve: str = "multiplier",
    learning_rate: Any = None,
    own_rate: Any = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Adapt the rate by the alignment of successive updates.

    The derivative of the loss in the rate of the last step is :math:`g_t \cdot u_{t-1}`, with the
    gradient :math:`g_t` after that step and its updates :math:`u_{t-1}`. The rule goes against it,
    in the multiplicative form that does not depend on the size of either:

    .. math::

        s_t = s_{t-1} (1 + \beta \cos(-g_t, u_{t-1})), \qquad s_\min \le s_t \le s_\max.

    Without ``grad`` the updates :math:`u_t` stand for :math:`-g_t`. For plain SGD that is the same;
    with momentum successive updates are always alike and the rate only rises, so pass ``grad``
    there, as for Adam.

    Parameters
    ----------
    hyper_rate
        :math:`\beta` in [0, 1): by how much one step may change the rate.
    min_scale, max_scale
        The bounds of :math:`s`.
    curve, learning_rate, own_rate
        As in `reduce_on_plateau`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Goes after the optimizer, whose updates it multiplies by ``state.scale``. Its ``update``
        takes ``grad``. It costs two inner products a step and remembers one tree of updates.
        `curve` is static, all numbers may be traced. An alignment that is not finite changes
        nothing.

    References
    ----------
    Baydin et al. 2018, "Online Learning Rate Adaptation with Hypergradient Descent", arXiv
    1703.04782. The paper's Adam-HD aligns the gradient with Adam's last direction, as this does.

    Examples
    --------
    >>> tx = optax.chain(optax.sgd(0.1), hypergradient(hyper_rate=0.5))
    >>> state = tx.init(jnp.array(1.0))
    >>> for _ in range(2):  # the same direction twice: the second step is longer
    ...     updates, state = tx.update(jnp.array(1.0), state)
    >>> updates
    Array(-0.15, dtype=float32)
    """
    _arguments.number("hyper_rate", hyper_rate, low=0, high=1, high_open=True)
    _arguments.scales(min_scale, max_scale)
    above = Curve.of(curve, learning_rate, own_rate)

    def init(params: Any) -> HypergradientState:
        one = jnp.ones([], jnp.float32)
        previous = jax.tree.map(jnp.zeros_like, params)
        return HypergradientState(one, one, 0 * one, previous, jnp.zeros([], jnp.int32))

    def update(
        updates: Any, state: HypergradientState, params: Any = None, *, grad: Any = None, **_: Any
    ) -> tuple[Any, HypergradientState]:
        del params
        downhill = _trees.dot(updates, state.previous)
        length = _trees.dot(updates, updates)
        if grad is not None:
            downhill, length = -_trees.dot(grad, state.previous), _trees.dot(grad, grad)
        length = jnp.sqrt(length) * jnp.sqrt(_trees.dot(state.previous, state.previous))
        cosine = downhill / jnp.where(length > 0, length, 1.0)
        known = (length > 0) & jnp.isfinite(cosine)
        alignment = jnp.where(known, jnp.clip(cosine, -1.0, 1.0), 0.0)
        own = jnp.clip(state.own_scale * (1 + hyper_rate * alignment), min_scale, max_scale)
        scale = above.scale(own.astype(jnp.float32), state.step).astype(jnp.float32)
        new = HypergradientState(
            scale,
            own.astype(jnp.float32),
            alignment,
            _trees.like(updates, state.previous),
            state.step + 1,
        )
        return _trees.times(scale, updates), new

    return optax.GradientTransformationExtraArgs(init, update)

"""Lower the rate when the loss has stopped falling."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrwidget import _checks
from lrwidget.optimizers.adaptive import _arguments, _monitor, _trees
from lrwidget.optimizers.adaptive._curve import Curve


class ReduceOnPlateauState(NamedTuple):
    """The state of `reduce_on_plateau`."""

    scale: jax.Array  # shape=(), dtype=float32; what the last updates were multiplied by
    own_scale: jax.Array  # shape=(), dtype=float32; the product of all reductions
    best_value: jax.Array  # shape=(), dtype=float32; the lowest value that counted as better
    plateau_count: jax.Array  # shape=(), dtype=int32; values since then
    cooldown_count: jax.Array  # shape=(), dtype=int32; values for which nothing is counted yet
    count: jax.Array  # type: ignore[assignment]  # shape=(), dtype=int32; values in `avg_value`
    avg_value: jax.Array  # shape=(), dtype=float32; mean of the values since the last judgement
    smooth_value: jax.Array  # shape=(), dtype=float32; NaN before the first value
    step: jax.Array  # shape=(), dtype=int32; updates so far


def reduce_on_plateau(
    factor: Any = 0.1,
    patience: Any = 10,
    rtol: Any = 1e-4,
    atol: Any = 0.0,
    cooldown: Any = 0,
    accumulation_size: Any = 1,
    min_scale: Any = 0.0,
    smoothing: Any = 0.0,
    monitor: str = "train",
    curve: str = "multiplier",
    learning_rate: Any = None,
    own_rate: Any = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Lower the rate when a loss has stopped falling.

    A value :math:`\ell` counts as better than the best so far, :math:`\ell^*`, if

    .. math::

        \ell < (1 - \text{rtol})\,\ell^* - \text{atol},

    and after `patience` values in a row that are not, :math:`s \leftarrow \max(f s, s_\min)`.
    With the arguments that ``optax.contrib.reduce_on_plateau`` has, float32 updates are bit for bit
    the same as with that.

    Parameters
    ----------
    factor
        What the rate is multiplied by, :math:`f` in (0, 1).
    patience
        So many values in a row that are no better lower the rate.
    rtol, atol
        By how much a value must be lower, relative to the best and absolutely; not both 0.
    cooldown
        Values after a reduction for which none is counted.
    accumulation_size
        Values whose mean is judged as one. A value that is not finite makes the mean count as no
        better.
    min_scale
        The floor of :math:`s`.
    smoothing
        Decay rate in [0, 1) of a running mean that is judged in place of the values: 0.9 for
        losses of small batches. A value that is not finite is left out of it.
    monitor
        ``"train"`` judges ``value``, ``"valid"`` judges ``valid_value``; an update whose
        ``valid_value`` is NaN brings no new one and changes nothing.
    curve
        ``"multiplier"``: the rate is the curve times :math:`s`. ``"ceiling"``: it is the lower of
        the curve and `own_rate` times :math:`s`.
    learning_rate
        The curve, needed for a ceiling with `own_rate`: a number or a function of the step.
    own_rate
        None, or the rate under a ceiling at :math:`s = 1`; None stands for the curve itself.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Goes after the optimizer, whose updates it multiplies by ``state.scale``. Its ``update``
        needs ``value`` or ``valid_value``. `monitor` and `curve` are static, all numbers may be
        traced.

    References
    ----------
    ``torch.optim.lr_scheduler.ReduceLROnPlateau``; ``optax.contrib.reduce_on_plateau``.

    Examples
    --------
    >>> tx = optax.chain(optax.sgd(1.0), reduce_on_plateau(factor=0.5, patience=2))
    >>> state = tx.init(jnp.array(1.0))
    >>> for loss in (3.0, 3.0, 3.0):
    ...     updates, state = tx.update(jnp.array(1.0), state, value=loss)
    >>> updates
    Array(-0.5, dtype=float32)
    """
    _arguments.number("factor", factor, low=0, high=1, low_open=True, high_open=True)
    _arguments.integer("patience", patience, low=1)
    _arguments.number("rtol", rtol, low=0, high=1)
    _arguments.number("atol", atol, low=0)
    traced = isinstance(rtol, jax.core.Tracer) or isinstance(atol, jax.core.Tracer)
    if not traced and rtol == 0 and atol == 0:
        raise ValueError(f"rtol or atol must be > 0, got rtol={rtol!r} and atol={atol!r}")
    _arguments.integer("cooldown", cooldown, low=0)
    _arguments.integer("accumulation_size", accumulation_size, low=1)
    _arguments.number("min_scale", min_scale, low=0)
    _arguments.number("smoothing", smoothing, low=0, high=1, high_open=True)
    _checks.choice("monitor", monitor, _monitor.MONITORS)
    above = Curve.of(curve, learning_rate, own_rate)

    def init(params: Any) -> ReduceOnPlateauState:
        del params
        zero, none = jnp.zeros([], jnp.float32), jnp.zeros([], jnp.int32)
        return ReduceOnPlateauState(
            scale=zero + 1,
            own_scale=zero + 1,
            best_value=zero + jnp.inf,
            plateau_count=none,
            cooldown_count=none,
            count=none,
            avg_value=zero,
            smooth_value=zero + jnp.nan,
            step=none,
        )

    def judge(state: ReduceOnPlateauState) -> ReduceOnPlateauState:
        value = state.avg_value
        better = value < (1 - rtol) * state.best_value - atol
        waiting = jnp.where(better, 0, state.plateau_count + 1)
        cooling = state.cooldown_count > 0
        plateau = ~cooling & (waiting == patience)
        lowered = jnp.maximum(
            jnp.where(plateau, state.own_scale * factor, state.own_scale), min_scale
        )
        return state._replace(
            own_scale=jnp.where(cooling, state.own_scale, lowered).astype(jnp.float32),
            best_value=jnp.where(better, value, state.best_value),
            plateau_count=jnp.where(cooling | plateau, 0, waiting),
            cooldown_count=jnp.where(
                cooling, state.cooldown_count - 1, jnp.where(plateau, cooldown, 0)
            ).astype(jnp.int32),
            count=jnp.zeros([], jnp.int32),
            avg_value=jnp.zeros([], jnp.float32),
        )

    def update(
        updates: Any,
        state: ReduceOnPlateauState,
        params: Any = None,
        *,
        value: Any = None,
        valid_value: Any = None,
        **_: Any,
    ) -> tuple[Any, ReduceOnPlateauState]:
        del params
        newest, new = _monitor.read("reduce_on_plateau", monitor, value, valid_value)
        smooth = _monitor.smoothed(
            state.smooth_value, newest, smoothing, first=jnp.isnan(state.smooth_value)
        ).astype(jnp.float32)
        # Unsmoothed, a value that is not finite is judged as it is.
        judged = jnp.where(jnp.asarray(smoothing) > 0, smooth, newest)
        count = state.count + 1
        average = ((state.count * state.avg_value + judged) / count).astype(jnp.float32)
        told = state._replace(count=count, avg_value=average, smooth_value=smooth)
        told = jax.lax.cond(count == accumulation_size, judge, lambda s: s, told)
        state = jax.tree.map(lambda n, o: jnp.where(new, n, o), told, state)
        scale = above.scale(state.own_scale, state.step).astype(jnp.float32)
        return _trees.times(scale, updates), state._replace(scale=scale, step=state.step + 1)

    return optax.GradientTransformationExtraArgs(init, update)

"""Keep the rate at a fraction of the step that would no longer lower the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers.adaptive import _arguments, _trees
from lrwidget.optimizers.adaptive._curve import Curve
from lrwidget.optimizers.adaptive._search import critical_step

_NAME = "stability_guard"
_DECAY = 0.95  # of the running means over tests
_DOWN = 3.0  # a bad test counts up to so many times as much as a good one
_LEARNED = ("own_scale", "critical_scale", "slope", "curvature", "size", "searched")
_LOWEST = 0.5  # and lowers the rate to no less than half


class StabilityGuardState(NamedTuple):
    """The state of `stability_guard`."""

    scale: jax.Array  # shape=(), dtype=float32; what the last updates were multiplied by; first 0
    own_scale: jax.Array  # shape=(), dtype=float32; what the guard has learned
    critical_scale: jax.Array  # shape=(), dtype=float32; where the loss would be as before the step
    slope: jax.Array  # shape=(), dtype=float32; mean descent along the updates at own_scale 1
    curvature: jax.Array  # shape=(), dtype=float32; mean curvature along them
    size: jax.Array  # shape=(), dtype=float32; mean size of what the tests measure
    reference: jax.Array  # shape=(), dtype=float32; the rate at which `own_scale` 1 stands
    relative: jax.Array  # shape=(), dtype=float32; the last rate over that of the guard itself
    previous: Any  # like the parameters; the last updates, as applied or as withheld
    searched: jax.Array  # shape=(), dtype=bool; whether the first search is done
    step: jax.Array  # shape=(), dtype=int32; updates so far


def _packed(state: StabilityGuardState) -> jax.Array:
    return jnp.stack([getattr(state, name).astype(jnp.float32) for name in _LEARNED])


def _unpacked(learned: jax.Array, state: StabilityGuardState) -> StabilityGuardState:
    fields = dict(zip(_LEARNED, learned, strict=True))
    return state._replace(**{**fields, "searched": fields["searched"] > 0})


class _Rule(NamedTuple):
    """The arguments by which a test moves the scale; each may be traced."""

    fraction: Any
    fast: Any
    slow: Any
    settle: Any
    dense: Any
    every: Any
    min_scale: Any
    max_scale: Any

    def speed(self, step: jax.Array) -> jax.Array:
        """Return how far a test at this step may move the logarithm of the scale."""
        kappa = self.slow + (self.fast - self.slow) * self.settle / (self.settle + step)
        weight = jnp.sqrt(jnp.asarray(self.every, jnp.float32))
        rare = jnp.minimum(kappa * weight, jnp.maximum(self.fast, self.slow))
        return jnp.where(step <= self.dense, kappa, rare)

    def learn(
        self, state: StabilityGuardState, slope: jax.Array, curvature: jax.Array
    ) -> StabilityGuardState:
        """Return the state after a test of the last updates."""
        # As if the last rate had been the guard's own, which the curve may have lowered.
        length = jnp.where(state.relative > 0, state.relative, 1.0)
        slope, curvature = slope / length, curvature / length**2
        descent = 2 * self.fraction * slope
        size = jnp.abs(descent) + jnp.abs(curvature)
        known, began = jnp.isfinite(size), state.size > 0

        def mean(old: jax.Array, new: jax.Array) -> jax.Array:
            both = jnp.where(began, _DECAY * old + (1 - _DECAY) * new, new)
            return jnp.where(known, both, old).astype(jnp.float32)

        # One wild batch must not make the guard deaf to the following ones.
        typical = mean(state.size, jnp.where(began, jnp.minimum(size, 10 * state.size), size))
        vote = (descent - curvature) / jnp.where(typical > 0, typical, 1.0)
        vote = jnp.where(known, jnp.clip(vote, -_DOWN, 1.0), -_DOWN)
        change = jnp.maximum(self.speed(state.step) * vote, jnp.log(_LOWEST))
        own = jnp.clip(state.own_scale * jnp.exp(change), self.min_scale, self.max_scale)
        # At own_scale 1, so that the means outlive changes of the scale.
        slopes = mean(state.slope, slope / state.own_scale)
        curvatures = mean(state.curvature, curvature / state.own_scale**2)
        critical = 2 * jnp.maximum(slopes, 0) / jnp.maximum(curvatures, 1e-30)
        return state._replace(
            own_scale=own.astype(jnp.float32),
            critical_scale=critical.astype(jnp.float32),
            slope=slopes,
            curvature=curvatures,
            size=typical,
        )


def stability_guard(
    fraction: Any = 0.7,
    start: Any = 0.01,
    fast: Any = 0.2,
    slow: Any = 0.02,
    settle: Any = 30,
    dense: Any = 30,
    every: Any = 16,
    search_steps: Any = 12,
    min_scale: Any = 1e-6,
    max_scale: Any = 1e6,
    curve: str = "multiplier",
    learning_rate: Any = None,
    own_rate: Any = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Keep the rate at a fraction of the step that would no longer lower the loss.

    The critical step along an update is the shortest that leaves the loss no lower than it was; a
    rate beyond it is unstable. The guard lowers a rate that is too high for that, and raises one
    that is too low, from whatever rate the optimizer was given. With ``max_scale=1`` it only
    lowers.

    *Every update is judged on a batch that it has not seen*: on its own, a small batch makes any
    update look better than it is. So the first update is withheld, and on the second batch its
    critical step :math:`c` is searched by forward passes at lengths :math:`4^{\pm i}`. From there
    on updates are multiplied by :math:`s`, first :math:`\text{start} \cdot c`, since momentum has
    yet to build up.

    *A test* looks back along the last update :math:`u_{t-1}`. With the loss
    :math:`\ell(r) = L_t(\theta_{t-1} + r u_{t-1})` of the new batch along the last update, one
    forward pass for :math:`\ell(0)`, the loss :math:`\ell(1)` and the slope
    :math:`\ell'(1) = g_t \cdot u_{t-1}`, both at hand, give the curvature
    :math:`q = 2 (\ell(0) - \ell(1) + \ell'(1))` and the descent :math:`a = q - \ell'(1)`. A
    parabola through them has its critical step at :math:`2 a / q`, and with

    .. math::

        s \leftarrow s \exp\Bigl(\kappa_t \,
        \frac{2 \varphi a - q}{\mathrm{EMA}(|2 \varphi a| + |q|)}\Bigr), \qquad
        \kappa_t = \kappa + (\kappa_0 - \kappa) \frac{h}{h + t},

    :math:`s` comes to rest where the fraction :math:`\varphi` of the critical step is taken, in the
    mean over batches, since :math:`a` and :math:`q` enter linearly. Where the loss has reached the
    floor that its noise allows at this rate, no step lowers it in the mean and the rate falls: the
    guard anneals by itself.

    The size of the updates does not matter to what is found. So that a drawn curve does, the guard
    finds the rate as if it were `own_rate`, or else the largest value of `learning_rate` so far: a
    warm-up in the curve is then the guard's own business, a decay is applied on top. Without
    `learning_rate` the curve is followed only as fast as the guard forgets.

    Parameters
    ----------
    fraction
        :math:`\varphi` in (0, 1]: 0.5 goes to the minimum along the update, 1 stays at the edge.
    start
        The fraction of the critical step taken first, in (0, 1].
    fast, slow
        :math:`\kappa_0` and :math:`\kappa`, in [0, 1]: how far a test moves :math:`\log s` at first
        and in the long run.
    settle
        :math:`h > 0`, the steps after which it is half as much.
    dense
        The steps at first of which each is tested.
    every
        Steps from one test to the next afterwards, each then with :math:`\sqrt{\text{every}}` times
        the weight.
    search_steps
        The most forward passes of the first search, at least 1; 12 reach a factor of
        :math:`10^7` both ways.
    min_scale, max_scale
        The bounds of :math:`s`.
    curve, learning_rate, own_rate
        As in `reduce_on_plateau`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Goes last in the chain: it must see the updates as they are applied. It multiplies them by
        ``state.scale``. Its ``update`` needs the parameters, ``value``, ``grad`` and ``value_fn``,
        the loss of the batch as a function of the parameters. A test costs a forward pass and an
        inner product, and the state has one more copy of the parameters. `curve` is static, all
        numbers may be traced. A test that is not finite counts as the worst.

    References
    ----------
    Kalra et al. 2026, "A Scalable Measure of Loss Landscape Curvature for Analyzing the Training
    Dynamics of LLMs", arXiv 2601.16979: the critical step by a few forward passes. Roulet et al.
    2024, arXiv 2407.06183: why a little below it is better than the minimum along the update.

    Examples
    --------
    A rate ten thousand times too high:

    >>> tx = optax.chain(optax.sgd(1e4), stability_guard())
    >>> params, loss = jnp.array([3.0, -2.0]), lambda x: jnp.sum(x**2)
    >>> @jax.jit
    ... def step(params, state):
    ...     value, grad = jax.value_and_grad(loss)(params)
    ...     updates, state = tx.update(
    ...         grad, state, params, value=value, grad=grad, value_fn=loss
    ...     )
    ...     return optax.apply_updates(params, updates), state
    >>> state = tx.init(params)
    >>> for _ in range(40):
    ...     params, state = step(params, state)
    >>> bool(loss(params) < 1e-3)
    True
    """
    _arguments.number("fraction", fraction, low=0, high=1, low_open=True)
    _arguments.number("start", start, low=0, high=1, low_open=True)
    _arguments.number("fast", fast, low=0, high=1)
    _arguments.number("slow", slow, low=0, high=1)
    _arguments.number("settle", settle, low=0, low_open=True)
    _arguments.integer("dense", dense, low=0)
    _arguments.integer("every", every, low=1)
    _arguments.integer("search_steps", search_steps, low=1)
    _arguments.scales(min_scale, max_scale)
    rule = _Rule(fraction, fast, slow, settle, dense, every, min_scale, max_scale)
    above = Curve.of(curve, learning_rate, own_rate)

    def init(params: Any) -> StabilityGuardState:
        zero = jnp.zeros([], jnp.float32)
        return StabilityGuardState(
            scale=zero + 1,
            own_scale=zero + 1,
            critical_scale=zero + jnp.nan,
            slope=zero,
            curvature=zero,
            size=zero,
            reference=zero,
            relative=zero + 1,
            previous=jax.tree.map(jnp.zeros_like, params),
            searched=jnp.zeros([], jnp.bool_),
            step=jnp.zeros([], jnp.int32),
        )

    def update(
        updates: Any,
        state: StabilityGuardState,
        params: Any = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        **_: Any,
    ) -> tuple[Any, StabilityGuardState]:
        _arguments.given(_NAME, params=params, value=value, grad=grad, value_fn=value_fn)
        loss = _arguments.loss(value)
        rate, reference = above.at(state.step), above.reference(state.reference, state.step)
        # The guard's rate stays as it is where the curve rises above what it was.
        grown = jnp.where(state.reference > 0, state.reference / reference, 1.0)
        # Scalars only: a tree that goes through a conditional would be copied on its way.
        previous = state.previous
        state = state._replace(
            own_scale=state.own_scale * grown, reference=reference, previous=None
        )

        def search() -> StabilityGuardState:
            found = critical_step(value_fn, params, previous, loss, search_steps)
            critical = found * state.relative * grown
            # A curve that begins at zero has given no update to search along yet.
            moves = (_trees.dot(previous, previous) > 0) & jnp.isfinite(loss)
            own = jnp.clip(start * critical, min_scale, max_scale)
            return state._replace(
                own_scale=jnp.where(moves, own, 1.0),
                critical_scale=jnp.where(moves, critical, state.critical_scale),
                searched=moves,
            )

        def test() -> StabilityGuardState:
            before = _arguments.loss(value_fn(_trees.moved(params, -1, previous)))
            end = _trees.dot(grad, previous)
            curvature = 2 * (before - loss + end)
            return rule.learn(state, curvature - end, curvature)

        due = (state.step <= dense) | (state.step % every == 0)
        case = jnp.where(state.searched, jnp.where(due, 1, 2), 0)
        # One vector out of the branches is dearer to write and cheaper to run than many scalars.
        branches = [lambda f=f: _packed(f()) for f in (search, test, lambda: state)]
        state = _unpacked(jax.lax.switch(case, branches), state)
        # What depends on the conditional is written where `previous` was: no copy of either.
        applied = above.scale(state.own_scale, state.step).astype(jnp.float32)
        applied = jnp.where(state.searched, applied, 1.0)
        own = jnp.where(state.searched, reference * state.own_scale, reference)
        # Else XLA computes the optimizer's square roots twice, for the state and for the result.
        kept = _trees.written(_trees.times(applied, updates))
        withheld = jnp.where(state.searched, 1.0, 0.0)
        state = state._replace(
            scale=applied * withheld,
            relative=jnp.where(own > 0, rate * applied / jnp.where(own > 0, own, 1.0), 1.0),
            previous=_trees.like(kept, previous),
            step=state.step + 1,
        )
        return _trees.times(withheld, kept), state

    return optax.GradientTransformationExtraArgs(init, update)

"""What an optimizer makes of gradients while the parameters stay where they are.

Nothing here knows an optimizer by its name. What it divides by, and what its momentum does, is
read off the updates with which the chain answers gradients that are made for the purpose.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from lrwidget import optimizers
from lrwidget.optimizers import Chain
from lrwidget.training._arrays import strong

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrwidget.finding._first_look import Sample
    from lrwidget.finding._start import Start
    from lrwidget.training import Task
    from lrwidget.training._runner import Carry, Runner

FloatArray = npt.NDArray[np.floating[Any]]

# Updates before one counts as typical: four times through four batches. Most of a momentum of 0.9
# has built up by then, and what a first update has of its own (RAdam's, ADOPT's) is over.
WARM = 16
# Line searches and estimates of the curvature compute gradients of their own at every update.
WARM_DEAR = 4
# `multi_steps` and the like hold updates back; after so many more there is none.
_PATIENCE = 64

# Updates until the answer to an oscillating gradient has settled: 0.9**64 is 0.001.
_SETTLING = 64
# A few tell already whether each weight is treated by itself, and Muon's are dear.
_SETTLING_BRIEFLY = 5

# Small, since a few optimizers bound their rates from above.
NOMINAL_RATE = 2.0**-10
# Beside the weights; less drowns in rounding where an update is a difference of weights.
_VISIBLE = 1e-2
_BUMP = 0.1

# What float32 leaves of an exact zero, and what counts as the same factor for every weight.
_SPILL = 1e-3
_EVEN = 1e-2
# A sign answers a bump of its input with nothing; momentum's answer is above one.
_LEAST_ANSWER = 0.05


class Typical(NamedTuple):
    """An update as training makes it, at some rate."""

    update: Any  # float32, like the parameters
    slope: float  # of the loss of the first batch along it


@dataclasses.dataclass(frozen=True, eq=False)
class Reading:
    """How a chain answers a gradient that changes its sign at every step.

    At the edge of stability the parameters swing from one side of a valley to the other, and so
    does the gradient. To a gradient ``g (-1)**t`` an optimizer that treats each weight by itself
    answers, at the rate ``r``, with ``-r d g (-1)**t``. The swing grows where ``r`` times the
    largest eigenvalue of ``d**(1/2) H d**(1/2)`` exceeds 2.

    Attributes
    ----------
    answer
        ``d``, float32, of shape (weights,); zero where the gradient is, or where another rate
        rules.
    uniform
        Whether it is the same everywhere: then the optimizer divides by nothing.
    momentum
        ``d`` over the answer to a gradient that stays: ``(1 - m) / (1 + m)`` for a momentum
        ``m`` in Adam's form. 1 where `uniform`, or where that answer is of another kind.
    """

    answer: npt.NDArray[np.float32]
    uniform: bool
    momentum: float


class Responses:
    """Asks a chain for its updates at one state; nothing there changes.

    Parameters
    ----------
    start
        The state.
    chain
        The start's chain, or one that is derived from it.
    sample
        The first batches and their gradients.
    check
        Called before the chain is asked.
    """

    def __init__(
        self, start: Start, chain: Chain, sample: Sample, check: Callable[[], object]
    ) -> None:
        self._check = check
        same = chain is start.chain
        self.runner: Runner = start.runner
        carry = start.carry()
        if not same:
            self.runner = start.task.runner(chain, batch_size=start.runner.source.size)
            carry = self.runner.initial((carry.params, carry.state))
        self._carry: Carry = carry
        # What a run's optimizer has in mind of larger gradients would be taken for its form.
        self._anew: Carry = self.runner.initial((carry.params, carry.state))
        self._sample = sample
        self._injection = chain.injection(self.runner.addresses)
        self._row = start.rows(0, 1)[0] if same else _row(chain, self.runner.addresses)
        self._rate, self.static_rate = _rate_of(chain, self.runner.addresses)
        self.dear = bool(self.runner.needs & {"value_fn", "obj_fn"})
        self._free = any(link.declaration.category == "free" for _, link in chain.labelled())
        compiled = start.task.compiled
        key = ("responses", self.runner)
        if key not in compiled:
            compiled[key] = jax.jit(_Feed(start.task, self.runner, self._injection.names).__call__)
        self._feed = compiled[key]

    @property
    def live(self) -> bool:
        """Whether the rate can be set; if not, updates are as they are at `static_rate`."""
        return self._rate is not None

    @property
    def warm(self) -> int:
        """Updates before one counts as typical."""
        return WARM_DEAR if self.dear else WARM

    def typical(self, rate: float) -> Typical:
        """Return an update at a rate, as it is after some gradients at unmoved parameters.

        The gradients of the batches follow each other, the first batch's last; then that one
        alone, until the update goes downhill on that batch.
        """
        count, places = len(self._sample.losses), np.arange(self.warm)
        update, _, slope = self._fed(
            self._sample.grads, places[::-1] % count, rate, patience=_PATIENCE
        )
        return Typical(update, float(slope))

    def reading(self) -> Reading | None:
        """Return what the optimizer divides by and what its momentum does; None if it is not so.

        Not so: where one weight's update depends on another's gradient (Muon, LAMB, clipping that
        is at work), where only a gradient's sign counts, where there is no rate to set, and where
        the optimizer finds its rate itself.
        """
        if not self.live or self.dear or self._free:
            return None
        size = flat(self._sample.size)
        there = size > 0.0
        briefly = self._swing(_SETTLING_BRIEFLY, NOMINAL_RATE)
        if self._coupled(briefly, _SETTLING_BRIEFLY, NOMINAL_RATE):
            return None
        rate = self._visible(briefly.last)
        settled = self._swing(_SETTLING, rate)
        if self._coupled(settled, _SETTLING, rate):
            return None
        # Of two rates, so that what another rate rules drops out. Half the difference of two
        # updates leaves out what is the same in both: weight decay, and the rest of the start.
        twice = self._swing(_SETTLING, 2.0 * rate)
        swing = 0.5 * ((twice.last - twice.before) - (settled.last - settled.before))
        with np.errstate(divide="ignore", invalid="ignore"):
            # The last gradient of an even number is a negative one, and an update goes against it.
            answer = np.where(there, swing / (rate * size), 0.0)
        known = answer[there & (answer != 0.0)]
        if not known.size or not np.isfinite(known).all() or known.min() < 0.0:
            return None
        if _even(known):
            # Weights without a gradient on these batches are no exception.
            everywhere = known.size == int(there.sum())
            moves = np.median(known)
            answer = np.where(everywhere | (answer > 0.0), moves, 0.0)
            return Reading(answer.astype(np.float32), uniform=True, momentum=1.0)
        steady = self._swing(_SETTLING, rate, turns=False).last
        opposite = self._swing(_SETTLING, rate, turns=False, sign=-1.0).last
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (answer * rate * size / (0.5 * (opposite - steady)))[answer != 0.0]
        # AdaBelief, for one, divides by surprise, and a gradient that stays is none.
        momentum = float(np.median(ratio)) if _even(ratio) else 1.0
        return Reading(answer.astype(np.float32), uniform=False, momentum=momentum)

    def _coupled(self, swing: _Swing, steps: int, rate: float) -> bool:
        """Return whether a weight's update follows another's gradient, or not its own."""
        chosen = flat(self._bumps) > 1.0
        change = self._swing(steps, rate, bumped=True).last - swing.last
        moved = float(np.linalg.norm(change[chosen]))
        spilled = float(np.linalg.norm(change[~chosen]))
        expected = _BUMP * float(np.linalg.norm(swing.last[chosen]))
        finite = math.isfinite(moved) and math.isfinite(spilled)
        return not finite or moved < _LEAST_ANSWER * expected or spilled > _SPILL * moved

    def _visible(self, update: FloatArray) -> float:
        weights, moved = flat(self._carry.params), float(np.linalg.norm(update))
        factor = _VISIBLE * float(np.linalg.norm(weights)) / moved if moved > 0.0 else 1.0
        return NOMINAL_RATE * float(np.clip(factor, 1.0, 1.0 / NOMINAL_RATE))

    def _swing(
        self,
        steps: int,
        rate: float,
        *,
        turns: bool = True,
        sign: float = 1.0,
        bumped: bool = False,
    ) -> _Swing:
        order = np.arange(steps) % 2 if turns else np.zeros(steps, np.int64)
        if bumped:
            order[-1] += 2
        last, before, _ = self._fed(self._swinging(sign), order, rate, carry=self._anew)
        return _Swing(flat(last), flat(before))

    def _swinging(self, sign: float) -> Any:
        # The gradient there and back, and both with every other weight's a little larger.
        def four(size: jax.Array, bump: FloatArray) -> Any:
            one = np.asarray(size).astype(np.float32) * np.float32(sign)
            both = np.stack([one, -one, one * bump, -one * bump])
            return both.astype(size.dtype)

        return jax.tree.map(four, self._sample.size, self._bumps)

    @functools.cached_property
    def _bumps(self) -> Any:
        draw = np.random.default_rng(0)
        return jax.tree.map(
            lambda g: (1.0 + _BUMP * draw.integers(0, 2, g.shape)).astype(np.float32),
            self._sample.size,
        )

    def _fed(
        self,
        grads: Any,
        order: npt.NDArray[np.integer[Any]],
        rate: float,
        patience: int = 0,
        *,
        carry: Carry | None = None,
    ) -> tuple[Any, Any, Any]:
        self._check()
        padded = np.zeros(_SETTLING, np.int32)
        padded[: len(order)] = order
        row = self._row.copy()
        if self._rate is not None:
            row[self._rate] = rate
        fed: tuple[Any, Any, Any] = self._feed(
            carry or self._carry,
            self._sample.batch,
            self._sample.key,
            self._sample.losses,
            grads,
            self._injection.columns(row[None])[0],
            padded,
            np.int32(len(order)),
            np.int32(patience),
        )
        return fed


class _Swing(NamedTuple):
    last: FloatArray
    before: FloatArray


class _Feed:
    """The loop of updates at unmoved parameters; compiled once for a runner."""

    def __init__(self, task: Task, runner: Runner, names: tuple[str, ...]) -> None:
        self._task, self._runner, self._names = task, runner, names

    def __call__(
        self,
        carry: Carry,
        batch: Any,
        key: jax.Array,
        losses: jax.Array,
        grads: Any,
        row: jax.Array,
        order: jax.Array,
        steps: jax.Array,
        patience: jax.Array,
    ) -> tuple[Any, Any, jax.Array]:
        """Return the last update, the one before it, and the slope along the last; to be traced.

        After `steps` gradients in an order, gradient 0 comes on, at most `patience` times, until
        the update goes downhill on it.
        """
        first = jax.tree.map(lambda g: g[0], grads)
        count = losses.shape[0]

        def goes_on(now: Any) -> jax.Array:
            place, _, _, _, slope = now
            on: jax.Array = (place < steps) | ((place < steps + patience) & ~(slope < 0.0))
            return on

        def body(now: Any) -> Any:
            place, opt_state, last, _, _ = now
            which = jnp.where(place < steps, order[jnp.minimum(place, len(order) - 1)], 0)
            grad = jax.tree.map(lambda g: g[which], grads)
            loss = losses[jnp.minimum(which, count - 1)]
            updates, opt_state = self._update(carry, opt_state, batch, key, loss, grad, row)
            return place + 1, opt_state, updates, last, _dot(first, updates)

        nothing = jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.float32), carry.params)
        begin = (jnp.int32(0), carry.opt_state, nothing, nothing, jnp.float32(0.0))
        _, _, last, before, slope = jax.lax.while_loop(goes_on, body, begin)
        return last, before, slope

    def _update(
        self, carry: Carry, opt_state: Any, batch: Any, key: Any, loss: Any, grad: Any, row: Any
    ) -> tuple[Any, Any]:
        def value_fn(params: Any) -> jax.Array:
            return self._task.loss(params, carry.state, batch, key)[0]

        extra = {
            "value": loss,
            "grad": grad,
            "value_fn": value_fn,
            "obj_fn": value_fn,
            "valid_value": jnp.float32(jnp.nan),
        }
        needed = {name: value for name, value in extra.items() if name in self._runner.needs}
        written = optimizers.write_hyperparameters(opt_state, self._names, row)
        updates, after = self._runner.tx.update(grad, written, carry.params, **needed)
        after = jax.tree.map(lambda new, old: strong(new, old.dtype), after, opt_state)
        return jax.tree.map(lambda u: u.astype(jnp.float32), updates), after


def flat(tree: Any) -> FloatArray:
    """Return all entries in a row, as `ravel_pytree` has them, float64 on the host.

    A complex number is two of them.
    """
    return np.concatenate([_row_of(np.asarray(x)) for x in jax.tree.leaves(tree)])


def _row_of(array: npt.NDArray[Any]) -> FloatArray:
    if np.iscomplexobj(array):
        array = np.stack([array.real, array.imag], axis=-1)
    return np.ravel(array).astype(np.float64)


def _row(chain: Chain, addresses: tuple[str, ...]) -> npt.NDArray[np.float64]:
    columns = [chain.addresses().index(address) for address in addresses]
    return chain.rows(0, 1)[0, columns]


def _rate_of(chain: Chain, addresses: tuple[str, ...]) -> tuple[int | None, float]:
    """Return the column of the learning rate; or None, and the number that is compiled in."""
    if chain.rate in addresses:
        return addresses.index(chain.rate), math.nan
    rates = [
        link[link.declaration.rate]
        for _, link in chain.labelled()
        if link.declaration.rate in link.hyperparameters
    ]
    if len(rates) > 1:
        raise ValueError(f"chain must have one learning rate, got {len(rates)} in {chain!r}")
    # Where Optax needs none it takes steps as they come.
    fixed = rates[0] if rates else None
    return None, 1.0 if fixed is None else float(fixed)


def _even(values: npt.NDArray[np.float64]) -> bool:
    if not values.size or not np.isfinite(values).all():
        return False
    low, middle, high = np.quantile(values, (0.02, 0.5, 0.98))
    return bool(middle > 0.0 and high - low <= _EVEN * middle)


def _dot(one: Any, other: Any) -> jax.Array:
    products = jax.tree.map(lambda a, b: jnp.vdot(a.astype(jnp.float32), b), one, other)
    total: jax.Array = jnp.sum(jnp.stack(jax.tree.leaves(products)))
    return total

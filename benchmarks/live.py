"""What `LiveControl` costs a training loop of one's own.

Run it with ``python benchmarks/live.py`` (``--quick``: fewer and shorter runs, two minutes on two
cores). It prints one table and writes it to ``benchmarks/results/``. Interrupted, it goes on where
it stopped.

Three loops as people write them, with Optax alone, with Flax's `TrainState` and with
`nnx.Optimizer`, train the same network on batches that are on the device, and read the losses at
the end. Each is timed in turn, round after round, so that whatever else the machine does meets all:

- *without*: with the chain's plain ``to_optax()``;
- *rate live*: with ``LiveControl(chain, live=["learning_rate"])`` and its `update` after each step;
- *all live*: with ``LiveControl(chain)``, whose state has every hyperparameter of Adam as a scalar
  that goes through the jitted step: five of them and two complements, beside four arrays of
  weights;
- *callback*: with Optax alone, ``to_optax(callback_every=10)`` and no `update`;
- *no callback*: the same with a callback that is never due but at the first step: what it costs to
  have one in a jitted step at all.

Compilation happens before. A ratio is a round's own, of a way to *without* in the same loop.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from typing import TYPE_CHECKING, Any

import _bench
import _jax_side
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from flax.training.train_state import TrainState

import lrwidget as lrw

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPS = ("Optax", "TrainState", "nnx.Optimizer")
WAYS = ("without", "rate live", "all live")
EVERY = 10  # updates from one callback to the next
BATCHES = 16


class Net(nnx.Module):
    """The network of the other loops, in NNX."""

    def __init__(self, network: _bench.Network) -> None:
        rngs = nnx.Rngs(0)
        self.inner = nnx.Linear(network.inputs, network.hidden, rngs=rngs)
        self.outer = nnx.Linear(network.hidden, network.outputs, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        return self.outer(nnx.relu(self.inner(inputs)))


def untouched(holder: Any, _: int, **__: Any) -> Any:
    """Stand where `LiveControl.update` stands."""
    return holder


class Loop:
    """One of the loops under one transformation, its step compiled once.

    Parameters
    ----------
    name
        One of `LOOPS`.
    network, steps
        What is trained, and how long.
    live
        The control, or None to train without.
    tx
        The transformation.
    """

    def __init__(
        self, name: str, network: _bench.Network, steps: int, live: lrw.LiveControl | None, tx: Any
    ) -> None:
        inputs, labels = map(jnp.asarray, _jax_side.examples(network))
        size = network.batch_size
        self._batches = [
            (inputs[i * size : (i + 1) * size], labels[i * size : (i + 1) * size])
            for i in range(BATCHES)
        ]
        self._network = network
        self._steps = steps
        self._tx = optax.with_extra_args_support(tx)
        self._update = untouched if live is None else live.update
        self._step = {"Optax": self._plain, "TrainState": self._state, "nnx.Optimizer": self._nnx}[
            name
        ]()
        self._begin = {
            "Optax": self._plain_start,
            "TrainState": self._state_start,
            "nnx.Optimizer": self._nnx_start,
        }[name]

    def run(self) -> np.ndarray:
        """Train from the start, and return every step's loss."""
        carry, losses = self._begin(), []
        for step in range(self._steps):
            carry, holder, loss = self._step(carry, self._batches[step % BATCHES])
            carry = (*carry[:-1], self._update(holder, step, loss=loss))
            losses.append(loss)
        return np.array(jax.device_get(losses))

    # Each step returns the carry, whose last part is what `update` gets, that part, and the loss.

    def _plain_start(self) -> Any:
        params = jax.tree.map(jnp.copy, _jax_side.parameters(self._network))
        return params, self._tx.init(params)

    def _plain(self) -> Callable[..., Any]:
        @jax.jit
        def train_step(params: Any, opt_state: Any, batch: Any) -> Any:
            loss, grads = jax.value_and_grad(_jax_side.loss_fn)(params, batch)
            updates, opt_state = self._tx.update(grads, opt_state, params, value=loss)
            return optax.apply_updates(params, updates), opt_state, loss

        def step(carry: Any, batch: Any) -> Any:
            params, opt_state, loss = train_step(*carry, batch)
            return (params, opt_state), opt_state, loss

        return step

    def _state_start(self) -> Any:
        params = jax.tree.map(jnp.copy, _jax_side.parameters(self._network))
        return (TrainState.create(apply_fn=_jax_side.loss_fn, params=params, tx=self._tx),)

    def _state(self) -> Callable[..., Any]:
        @jax.jit
        def train_step(state: TrainState, batch: Any) -> Any:
            loss, grads = jax.value_and_grad(_jax_side.loss_fn)(state.params, batch)
            return state.apply_gradients(grads=grads), loss

        def step(carry: Any, batch: Any) -> Any:
            state, loss = train_step(*carry, batch)
            return (state,), state, loss

        return step

    def _nnx_start(self) -> Any:
        model = Net(self._network)
        return model, nnx.Optimizer(model, self._tx, wrt=nnx.Param)

    def _nnx(self) -> Callable[..., Any]:
        def loss_fn(model: Net, batch: Any) -> jax.Array:
            logits = model(batch[0])
            return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

        @nnx.jit
        def train_step(model: Net, optimizer: nnx.Optimizer[Net], batch: Any) -> jax.Array:
            loss, grads = nnx.value_and_grad(loss_fn)(model, batch)
            optimizer.update(model, grads)
            return loss

        def step(carry: Any, batch: Any) -> Any:
            return carry, carry[-1], train_step(*carry, batch)

        return step


def loops(name: str, network: _bench.Network, steps: int) -> dict[str, Loop]:
    """Return a loop in each way."""
    chain = _jax_side.chain(steps)
    rate = lrw.LiveControl(chain, live=["learning_rate"])
    everything = lrw.LiveControl(chain)
    made = {
        "without": Loop(name, network, steps, None, chain.to_optax()),
        "rate live": Loop(name, network, steps, rate, rate.to_optax()),
        "all live": Loop(name, network, steps, everything, everything.to_optax()),
    }
    if name == "Optax":
        unseen = lrw.LiveControl(chain, live=["learning_rate"])
        made["callback"] = Loop(name, network, steps, None, unseen.to_optax(callback_every=EVERY))
        once = lrw.LiveControl(chain, live=["learning_rate"])
        made["no callback"] = Loop(name, network, steps, None, once.to_optax(callback_every=steps))
    return made


def timed(loop: Loop, steps: int) -> float:
    """Return the seconds of a run, all of whose losses must have come."""
    gc.collect()
    began = time.perf_counter()
    losses = loop.run()
    seconds = time.perf_counter() - began
    if losses.shape != (steps,) or not np.isfinite(losses).all():
        sys.exit(f"a run gave losses of shape {losses.shape} in place of {(steps,)}")
    return seconds


def one_round(made: dict[str, Loop], number: int, steps: int) -> dict[str, float]:
    """Return one run's seconds in each way; each round begins with another of them."""
    ways = [*made]
    turn = number % len(ways)
    order = ways[turn:] + ways[:turn]
    return {way: timed(made[way], steps) for way in order} | {"load": _bench.load()}


def compare(
    kept: _bench.Measurements, network: _bench.Network, name: str, rounds: int, steps: int
) -> tuple[list[list[str]], list[float]]:
    """Measure every way of one loop on one network; return the table's rows, and the loads."""
    made = loops(name, network, steps)
    for loop in made.values():
        timed(loop, steps)
    measured = [kept.get((network.name, name, i), one_round, made, i, steps) for i in range(rounds)]
    rows = []
    for way in made:
        ratios = [m[way] / m["without"] for m in measured]
        more = [1e6 * (m[way] - m["without"]) / steps for m in measured]
        rows.append(
            [
                network.name,
                name,
                way,
                _bench.spread((1e6 * m[way] / steps for m in measured), ".1f"),
                "" if way == "without" else _bench.spread(more, ".1f"),
                "1" if way == "without" else _bench.spread(ratios, ".3f"),
            ]
        )
    return rows, [m["load"] for m in measured]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    options = parser.parse_args()
    rounds, length = (11, 1) if options.quick else (31, 3)
    lengths = [1000 * length, 300 * length]
    packages = _bench.versions("lrwidget", "jax", "jaxlib", "optax", "flax")
    device = jax.devices()[0]
    kept = _bench.Measurements(
        "live",
        {
            "about": packages,
            "machine": _bench.machine(),
            "quick": options.quick,
            "device": device.device_kind,
        },
    )
    rows, loads = [], []
    for network, steps in zip(_bench.NETWORKS, lengths, strict=True):
        for name in LOOPS:
            more_rows, more_loads = compare(kept, network, name, rounds, steps)
            rows += more_rows
            loads += more_loads
    columns = ("network", "loop", "way", "µs a step", "µs more", "time / without")
    _bench.publish(
        "live",
        "LiveControl in three loops: microseconds a step",
        _bench.table(columns, rows),
        [
            _bench.machine(),
            f"{device.device_kind} ({jax.default_backend()}), {packages}",
            f"load average while measuring: {_bench.spread(loads)}",
            f"median [quartiles] of {rounds} rounds, {' and '.join(map(str, lengths))} steps a run",
            "ratios and differences: median [quartiles] of the rounds' own",
            f"callback: one call in {EVERY} updates",
        ],
        quick=options.quick,
    )
    kept.finish()


if __name__ == "__main__":
    main()

"""What live control costs: `Trainer` against hand-written training loops.

Run it with ``python benchmarks/loop.py`` (``--quick``: fewer and shorter runs, two minutes on two
cores). It prints one table and writes it to ``benchmarks/results/``. Interrupted, it goes on where
it stopped.

Four ways to train the same network on the same data for the same number of steps are timed in
turn, round after round, so that whatever else the machine does meets all of them:

- *async jit*: one jitted step called from Python, nothing read until the end;
- *scan*: the whole run as one jitted `jax.lax.scan`;
- *Trainer*: `lrwidget.Trainer.run_sync()`;
- *Trainer + widget*: the same with an `LRWidget` watching, its messages serialised and dropped.

All have the data on the device, reshuffle it every epoch by a folded key, gather each batch by
index, run Adam under a warm-up and cosine schedule and return every step's loss as NumPy. (The
network draws no random numbers, so neither loop folds keys by step.) The baseline is the faster of
the first two by its median. Compilation happens before, and is shown apart. Where the machine has
a core to spare, the trainer is ahead of the scan on the small network: it shuffles the epochs to
come on a thread of its own.
"""

from __future__ import annotations

import argparse
import functools
import gc
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import _bench
import _jax_side
import comm
import jax
import jax.numpy as jnp
import numpy as np
from jupyter_client.session import Session

import lrwidget as lrw

if TYPE_CHECKING:
    from collections.abc import Callable

WAYS = ("async jit", "scan", "Trainer", "Trainer + widget")


def async_jit(network: _bench.Network, steps: int) -> Callable[[], np.ndarray]:
    """Return a loop that calls one jitted step; everything that it can keep on the device is."""
    optimizer = _jax_side.chain(steps).to_optax()
    inputs, labels = map(jnp.asarray, _jax_side.examples(network))
    start = _jax_side.parameters(network)
    size, per_epoch = network.batch_size, network.steps_per_epoch

    @jax.jit
    def shuffle(epoch: jax.Array) -> jax.Array:
        return jax.random.permutation(jax.random.fold_in(jax.random.key(0), epoch), len(inputs))

    @functools.partial(jax.jit, donate_argnums=0)
    def step(carry: Any, inputs: jax.Array, labels: jax.Array, order: jax.Array) -> Any:
        params, opt_state, i = carry
        index = jax.lax.dynamic_slice(order, (i % per_epoch * size,), (size,))
        loss, grads = jax.value_and_grad(_jax_side.loss_fn)(params, (inputs[index], labels[index]))
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (jax.tree.map(jnp.add, params, updates), opt_state, i + 1), loss

    def run() -> np.ndarray:
        params = jax.tree.map(jnp.copy, start)
        carry = (params, optimizer.init(params), jnp.int32(0))
        losses = []
        for i in range(steps):
            if i % per_epoch == 0:
                order = shuffle(np.int32(i // per_epoch))
            carry, loss = step(carry, inputs, labels, order)
            losses.append(loss)
        return np.array(jax.device_get(losses))

    return run


def one_scan(network: _bench.Network, steps: int) -> Callable[[], np.ndarray]:
    """Return a run that is one call: a scan over epochs of a scan over batches."""
    optimizer = _jax_side.chain(steps).to_optax()
    inputs, labels = map(jnp.asarray, _jax_side.examples(network))
    start = _jax_side.parameters(network)
    size, per_epoch = network.batch_size, network.steps_per_epoch

    @functools.partial(jax.jit, donate_argnums=0)
    def train(carry: Any, inputs: jax.Array, labels: jax.Array) -> Any:
        def step(carry: Any, index: jax.Array) -> Any:
            params, opt_state = carry
            batch = (inputs[index], labels[index])
            loss, grads = jax.value_and_grad(_jax_side.loss_fn)(params, batch)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (jax.tree.map(jnp.add, params, updates), opt_state), loss

        def epoch(carry: Any, number: jax.Array) -> Any:
            key = jax.random.fold_in(jax.random.key(0), number)
            order = jax.random.permutation(key, len(inputs))[: per_epoch * size]
            return jax.lax.scan(step, carry, order.reshape(per_epoch, size))

        return jax.lax.scan(epoch, carry, jnp.arange(steps // per_epoch))

    def run() -> np.ndarray:
        params = jax.tree.map(jnp.copy, start)
        _, losses = train((params, optimizer.init(params)), inputs, labels)
        return np.asarray(losses).reshape(-1)

    return run


def trainer(task: lrw.Task, steps: int) -> Callable[[], np.ndarray]:
    """Return a run of `Trainer`."""
    chain = _jax_side.chain(steps)

    def run() -> np.ndarray:
        made = lrw.Trainer(task, chain, steps=steps)
        made.run_sync()
        return made.history.loss

    return run


class SerialisingComm:
    """A browser that is always there: messages are packed and signed as a kernel does."""

    kernel = "benchmark"

    def __init__(self, **_: Any) -> None:
        self.comm_id = "benchmark"
        self._session = Session(key=b"benchmark")
        self.messages = 0

    def on_msg(self, _: Any) -> None:
        """Nobody writes."""

    def send(self, data: Any, buffers: Any = None, **_: Any) -> None:
        content = {"comm_id": self.comm_id, "data": data}
        self._session.serialize(self._session.msg("comm_msg", content=content))
        for buffer in buffers or ():
            bytes(buffer)
        self.messages += 1

    def close(self, **_: Any) -> None:
        """Nobody listens."""


def watched_trainer(task: lrw.Task, steps: int) -> Callable[[], np.ndarray]:
    """Return a run of `Trainer` that an `LRWidget` shows."""
    chain = _jax_side.chain(steps)
    comm.create_comm = SerialisingComm
    widget = lrw.LRWidget(task, chain)

    def run() -> np.ndarray:
        sent = widget.comm.messages
        made = lrw.Trainer(task, chain, steps=steps)
        widget.trainer = made
        made.run_sync()
        if widget.comm.messages == sent:
            sys.exit("the widget was told nothing of the run")
        return made.history.loss

    return run


def timed(run: Callable[[], np.ndarray], steps: int) -> float:
    """Return the seconds of a run, all of whose losses must have come."""
    gc.collect()
    began = time.perf_counter()
    losses = run()
    seconds = time.perf_counter() - began
    if losses.shape != (steps,) or not np.isfinite(losses).all():
        sys.exit(f"a run gave losses of shape {losses.shape} in place of {(steps,)}")
    return seconds


def one_round(
    runs: dict[str, Callable[[], np.ndarray]], number: int, steps: int
) -> dict[str, float]:
    """Return one run's seconds in each way; each round begins with another of them."""
    turn = number % len(WAYS)
    order = WAYS[turn:] + WAYS[:turn]
    return {way: timed(runs[way], steps) for way in order} | {"load": _bench.load()}


def compare(
    kept: _bench.Measurements, network: _bench.Network, rounds: int, length: int
) -> tuple[list[list[str]], list[float]]:
    """Measure every way on one network; return the table's rows, and the machine's loads."""
    steps = length * network.epochs * network.steps_per_epoch
    task = _jax_side.task(network)
    runs = {
        "async jit": async_jit(network, steps),
        "scan": one_scan(network, steps),
        "Trainer": trainer(task, steps),
        "Trainer + widget": watched_trainer(task, steps),
    }
    # The widget's trainer finds the trainer's step compiled: both are shown as they come.
    first = {way: kept.get((network.name, way, "first"), timed, runs[way], steps) for way in WAYS}
    for way in WAYS:
        timed(runs[way], steps)
    measured = [
        kept.get((network.name, "round", i), one_round, runs, i, steps) for i in range(rounds)
    ]
    seconds = {way: [m[way] for m in measured] for way in WAYS}
    baseline = min(WAYS[:2], key=lambda way: statistics.median(seconds[way]))
    rows = []
    for way in WAYS:
        ratios = [a / b for a, b in zip(seconds[way], seconds[baseline], strict=True)]
        rows.append(
            [
                network.name,
                way + (" (baseline)" if way == baseline else ""),
                f"{max(0.0, first[way] - statistics.median(seconds[way])):.2f} s",
                _bench.spread((1e6 * s / steps for s in seconds[way]), ".1f"),
                "1" if way == baseline else _bench.spread(ratios, ".3f"),
            ]
        )
    return rows, [m["load"] for m in measured]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    options = parser.parse_args()
    rounds, length = (15, 1) if options.quick else (31, 4)
    packages = _bench.versions("lrwidget", "jax", "jaxlib", "optax")
    device = jax.devices()[0]
    kept = _bench.Measurements(
        "loop",
        {
            "about": packages,
            "machine": _bench.machine(),
            "quick": options.quick,
            "device": device.device_kind,
        },
    )
    rows, loads = [], []
    for network in _bench.NETWORKS:
        more_rows, more_loads = compare(kept, network, rounds, length)
        rows += more_rows
        loads += more_loads
    steps = ", ".join(str(length * n.epochs * n.steps_per_epoch) for n in _bench.NETWORKS)
    _bench.publish(
        "loop",
        "Trainer against hand-written loops: microseconds a step",
        _bench.table(("network", "way", "compilation", "µs a step", "time / baseline's"), rows),
        [
            _bench.machine(),
            f"{device.device_kind} ({jax.default_backend()}), {packages}",
            f"load average while measuring: {_bench.spread(loads)}",
            f"median [quartiles] of {rounds} rounds, {steps} steps a run",
            "ratios: median [quartiles] of the rounds' own ratios",
            "compilation: the first run's time less the median",
        ],
        quick=options.quick,
    )
    kept.finish()


if __name__ == "__main__":
    main()

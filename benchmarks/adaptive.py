"""Adaptive links from wrong learning rates: what they reach, and what they cost.

Run it with ``python benchmarks/adaptive.py`` (``--quick``: three tasks, fewer steps and seeds, a
few minutes on two cores). It prints one table and writes it to ``benchmarks/results/``.
Interrupted, it goes on where it stopped. ``--only`` makes a table of some tasks, ``--development``
one of those on which the default was chosen.

Small tasks are trained with SGD (momentum 0.9) and with AdamW for a fixed number of steps. For each
the best constant rate is found on a grid of factor 2, by the mean final loss over the seeds: the
loss on all training data. Every method then starts from 0.01, 0.1, 1, 10 and 100 times that rate.
What it reaches is the normalised regret

    (its final loss - the best constant rate's) / (the initial loss - the best constant rate's),

0 for the best constant rate, below 0 for better, 1 for no progress. A task counts as solved from a
rate if the median over the seeds is at most 5 %, and as solved if it is from all five. Prodigy and
DoG are told no rate (theirs is 1): they have the same result in all columns.

THE DEFAULT, named before any of the runs whose results are committed, is `stability_guard` with the
default arguments; both were chosen on the development tasks, seven of which it solves. It fails on
the spirals, whose loss stays flat and noisy for hundreds of steps before it falls, and only at high
rates: what helps there does not help at the next step, which is all that the guard looks at.

Costs: a forward pass counts as a third of a gradient, a Hessian-vector product (with its gradient)
as two. The times are those of one task's run with and without the method, one after the other,
round after round, without `vmap`: as one `jax.lax.scan`, which is the fastest plain loop there is,
and, for the default, as one jitted call a step, which is what most people write.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import _adaptive_tasks
import _bench
import jax
import jax.numpy as jnp
import numpy as np
import optax

from lrwidget.optimizers import adaptive

DEFAULT = "stability_guard"
WRONG = (0.01, 0.1, 1.0, 10.0, 100.0)
GRIDS = {"SGD": 2.0 ** np.arange(-12, 4), "AdamW": 2.0 ** np.arange(-13, 1)}
PEAKS = 2.0 ** np.arange(-2, 6)  # of the best cosine, times the best constant rate
WITHIN = 0.05
BUSY = 2.0  # load average above which times say nothing
TIMED = ("digits MLP",)
OPTIMIZERS = {
    "SGD": lambda rate: optax.sgd(rate, momentum=0.9),
    "AdamW": lambda rate: optax.adamw(rate, weight_decay=1e-4),
}


class Method(NamedTuple):
    """A way to train: from a rate and a number of steps to a transformation."""

    make: Callable[[str, Any, int], Any]
    gradients: Callable[[int], float] = lambda _: 1.0  # a step
    told_rate: bool = True
    average: bool = False  # whether other parameters are evaluated than are trained
    branches: bool = False  # whether it computes some things rarely, which `vmap` makes always


def after(link: Callable[[], Any]) -> Callable[[str, Any, int], Any]:
    return lambda optimizer, rate, _: optax.chain(OPTIMIZERS[optimizer](rate), link())


def guarded_cosine(optimizer: str, rate: Any, steps: int) -> Any:
    curve = optax.cosine_decay_schedule(rate, steps)
    return optax.chain(OPTIMIZERS[optimizer](curve), adaptive.stability_guard(learning_rate=curve))


def free(optimizer: str, rate: Any, _: int) -> Any:
    return (optax.contrib.dog if optimizer == "SGD" else optax.contrib.prodigy)(rate)


def schedule_free(optimizer: str, rate: Any, _: int) -> Any:
    if optimizer == "SGD":
        return optax.contrib.schedule_free_sgd(rate, b1=0.9)
    return optax.contrib.schedule_free_adamw(rate, weight_decay=1e-4)


def tests(steps: int) -> float:
    """Return the gradients a step with the guard: its search, its tests and the step itself."""
    dense, every, search = 30, 16, 7
    return 1 + (search + min(dense, steps) + max(0, steps - dense) / every) / 3 / steps


METHODS = {
    "constant": Method(lambda optimizer, rate, _: OPTIMIZERS[optimizer](rate)),
    "cosine": Method(
        lambda optimizer, rate, steps: OPTIMIZERS[optimizer](
            optax.cosine_decay_schedule(rate, steps)
        )
    ),
    "stability_guard": Method(after(adaptive.stability_guard), tests, branches=True),
    "stability_guard, cosine": Method(guarded_cosine, tests, branches=True),
    "sharpness_aware_rate": Method(after(adaptive.sharpness_aware_rate), lambda _: 3.0),
    "hypergradient": Method(after(adaptive.hypergradient)),
    "learned_scale": Method(after(adaptive.learned_scale)),
    "greedy": Method(after(adaptive.greedy)),
    "reduce_on_plateau": Method(after(lambda: adaptive.reduce_on_plateau(0.5, 30, smoothing=0.9))),
    "DoG / Prodigy": Method(free, told_rate=False),
    "mechanize": Method(
        lambda optimizer, rate, _: optax.contrib.mechanize(OPTIMIZERS[optimizer](rate))
    ),
    "schedule_free": Method(schedule_free, average=True),
}


def trainer(task: _adaptive_tasks.Small, method: Method, optimizer: str, steps: int) -> Any:
    """Return ``(rate, key) -> carry`` and ``(carry, indices) -> carry, loss``: start and step."""
    data = tuple(map(jnp.asarray, task.data))

    def transformation(rate: Any) -> Any:
        return optax.with_extra_args_support(method.make(optimizer, rate, steps))

    def start(rate: Any, key: jax.Array) -> Any:
        params = task.init(key)
        return params, transformation(rate).init(params)

    def step(rate: Any, carry: Any, index: jax.Array) -> Any:
        params, state = carry
        batch = tuple(each[index] for each in data)

        def value_fn(params: Any) -> jax.Array:
            return task.loss(params, batch)

        value, grad = jax.value_and_grad(value_fn)(params)
        updates, state = transformation(rate).update(
            grad, state, params, value=value, grad=grad, value_fn=value_fn
        )
        return (optax.apply_updates(params, updates), state), value

    return start, step


def finals(
    task: _adaptive_tasks.Small,
    method: Method,
    optimizer: str,
    rates: Sequence[float],
    seeds: int,
    steps: int,
) -> dict[str, list[Any]]:
    """Return the losses before (seeds) and after (rates, seeds) training, all data's."""
    start, step = trainer(task, method, optimizer, steps)
    data = tuple(map(jnp.asarray, task.data))

    def run(rate: jax.Array, key: jax.Array, batches: jax.Array) -> Any:
        carry = start(rate, key)
        before = task.loss(carry[0], data)
        (params, state), _ = jax.lax.scan(functools.partial(step, rate), carry, batches)
        if method.average:
            params = optax.contrib.schedule_free_eval_params(state, params)
        return before, task.loss(params, data)

    batches = np.stack([task.batches(seed, steps) for seed in range(seeds)])
    keys = jnp.stack([jax.random.key(seed) for seed in range(seeds)])

    def over(rates: jax.Array, keys: jax.Array, batches: jax.Array) -> Any:
        def seeds(rate: jax.Array) -> Any:
            one = functools.partial(run, rate)
            if method.branches:
                return jax.lax.map(lambda each: one(*each), (keys, batches))
            return jax.vmap(one)(keys, batches)

        return jax.lax.map(seeds, rates) if method.branches else jax.vmap(seeds)(rates)

    before, last = jax.jit(over)(jnp.asarray(rates, jnp.float32), keys, batches)
    last = np.where(np.isfinite(last), last, np.inf)
    return {"before": np.asarray(before[0]).tolist(), "after": last.tolist()}


# ------------------------------------------------------------------------------------------ times


def scanned(
    task: _adaptive_tasks.Small, method: Method, optimizer: str, rate: float, steps: int
) -> Callable[[], None]:
    start, step = trainer(task, method, optimizer, steps)
    batches = jnp.asarray(task.batches(0, steps))

    @jax.jit
    def run(key: jax.Array, batches: jax.Array) -> Any:
        return jax.lax.scan(functools.partial(step, rate), start(rate, key), batches)

    return lambda: jax.block_until_ready(run(jax.random.key(0), batches))


def called(
    task: _adaptive_tasks.Small, method: Method, optimizer: str, rate: float, steps: int
) -> Callable[[], None]:
    start, step = trainer(task, method, optimizer, steps)
    batches = [jnp.asarray(row) for row in task.batches(0, steps)]
    once = jax.jit(functools.partial(step, rate), donate_argnums=0)

    def run() -> None:
        carry = jax.jit(functools.partial(start, rate))(jax.random.key(0))
        for index in batches:
            carry, _ = once(carry, index)
        jax.block_until_ready(carry)

    return run


def times(
    task: _adaptive_tasks.Small, optimizer: str, rate: float, steps: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return each method's time over plain training's, in both loops: medians over rounds."""
    ratios: dict[str, dict[str, float]] = {}
    for loop, names in ((scanned, METHODS), (called, ("constant", DEFAULT))):
        runs = {}
        for name in names:
            told = rate if METHODS[name].told_rate else 1.0
            runs[name] = loop(task, METHODS[name], optimizer, told, steps)
        for run in runs.values():
            run()
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                began = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - began)
        for name, each in seconds.items():
            pairs = zip(each, seconds["constant"], strict=True)
            ratios.setdefault(name, {})[loop.__name__] = statistics.median(a / b for a, b in pairs)
    return ratios


# ------------------------------------------------------------------------------------- the table


class Reached(NamedTuple):
    """One method on one task: regrets, one row per starting rate, one column per seed."""

    regrets: np.ndarray

    @property
    def solved(self) -> np.ndarray:
        """Whether the task is solved, from each rate."""
        return np.median(self.regrets, 1) <= WITHIN


def regrets(after: Any, before: Any, best: float) -> np.ndarray:
    return (np.asarray(after, float) - best) / (np.mean(before) - best)


def percent(values: np.ndarray) -> str:
    """Write the median with the quartiles, in per cent."""
    low, middle, high = (
        ">999" if q > 9.99 else f"{100 * q:.1f}"
        for q in np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    )
    return f"{middle} [{low} to {high}]"


def shown(name: str, optimizer: str) -> str:
    if name == "DoG / Prodigy":
        return "DoG" if optimizer == "SGD" else "Prodigy"
    return name + (" (default)" if name == DEFAULT else "")


def spread(values: list[float]) -> str:
    return _bench.spread(values) if values else ""


def measure(
    kept: _bench.Measurements, task: _adaptive_tasks.Small, optimizer: str, seeds: int, steps: int
) -> tuple[float, dict[str, Reached]]:
    """Return the best constant rate of a task and what each method reaches."""
    grid = GRIDS[optimizer]
    constant = METHODS["constant"]
    found = kept.get(
        (task.name, optimizer, "grid"), finals, task, constant, optimizer, grid, seeds, steps
    )
    means = np.mean(found["after"], 1)
    rate, best = float(grid[np.argmin(means)]), float(np.min(means))
    if np.argmin(means) in (0, len(grid) - 1):
        print(f"{task.name}, {optimizer}: the best rate {rate:g} is at the end of the grid")
    reached = {}
    for name, method in METHODS.items():
        rates = [rate * wrong for wrong in WRONG] if method.told_rate else [1.0]
        key = (task.name, optimizer, name)
        took = kept.get(key, finals, task, method, optimizer, rates, seeds, steps)
        losses = took["after"] * (1 if method.told_rate else len(WRONG))
        reached[name] = Reached(regrets(losses, took["before"], best))
    peaks = [rate * factor for factor in PEAKS]
    key = (task.name, optimizer, "best cosine")
    took = kept.get(key, finals, task, METHODS["cosine"], optimizer, peaks, seeds, steps)
    chosen = int(np.argmin(np.mean(took["after"], 1)))
    losses = [took["after"][chosen]] * len(WRONG)
    reached["best cosine"] = Reached(regrets(losses, took["before"], best))
    print(f"{task.name}, {optimizer}: best constant rate {rate:g}, loss {best:.4g}", flush=True)
    return rate, reached


def rows(
    optimizer: str,
    reached: dict[str, dict[str, Reached]],
    ratios: list[dict[str, dict[str, float]]],
    steps: int,
) -> list[list[str]]:
    """Return a line of the table for each method."""
    lines = []
    for name in [*METHODS, "best cosine"]:
        each = [methods[name] for methods in reached.values()]
        told = name in METHODS and METHODS[name].told_rate
        all_regrets = np.concatenate([one.regrets for one in each], 1)
        cells = [percent(row) for row in all_regrets]
        solved = [int(sum(one.solved[i] for one in each)) for i in range(len(WRONG))]
        everywhere = sum(bool(one.solved.all()) for one in each)
        cost = METHODS.get(name, METHODS["cosine"])
        took = [ratio[name] for ratio in ratios if name in ratio]
        lines.append(
            [
                optimizer,
                shown(name, optimizer),
                *(cells if told else [cells[0], "", "", "", ""]),
                "/".join(map(str, solved)) if told else str(solved[0]),
                f"{everywhere} of {len(each)}",
                f"{100 * np.mean(~np.isfinite(all_regrets)):.0f} %",
                f"{cost.gradients(steps):.2f}",
                *(spread([one[loop] for one in took if loop in one]) for loop in LOOPS),
            ]
        )
    return lines


LOOPS = ("scanned", "called")
COLUMNS = (
    "optimizer",
    "method",
    *(f"regret % from {wrong:g}x" for wrong in WRONG),
    "tasks solved from each",
    "from all",
    "diverged",
    "gradients a step",
    "time, scan",
    "time, calls",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer tasks, seeds and steps")
    parser.add_argument(
        "--development", action="store_true", help="the tasks on which the default was chosen"
    )
    parser.add_argument("--only", nargs="+", metavar="TASK", help="a table of these tasks")
    options = parser.parse_args()
    tasks = _adaptive_tasks.development() if options.development else _adaptive_tasks.tasks()
    tasks = tasks[::3] if options.quick else tasks
    tasks = [task for task in tasks if task.name in (options.only or [task.name])]
    seeds, steps, rounds = (3, 400, 5) if options.quick else (5, 1000, 7)
    packages = _bench.versions("lrwidget", "jax", "jaxlib", "optax")
    kept = _bench.Measurements(
        "adaptive",
        {
            "about": packages,
            "machine": _bench.machine(),
            "quick": options.quick,
            "development": options.development,
        },
    )
    reached: dict[str, dict[str, dict[str, Reached]]] = {name: {} for name in OPTIMIZERS}
    ratios: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in OPTIMIZERS}
    body, facts, loads = [], [], []
    for task in tasks:
        for optimizer in OPTIMIZERS:
            rate, reached[optimizer][task.name] = measure(kept, task, optimizer, seeds, steps)
            key = (task.name, optimizer, "times")
            if task.name in TIMED and _bench.load() > BUSY:
                print(f"load {_bench.load():.1f}: too busy to time anything, left out of the table")
            elif task.name in TIMED:  # compiling every method takes longer than measuring it
                ratios[optimizer].append(kept.get(key, times, task, optimizer, rate, steps, rounds))
                loads.append(kept.get((*key, "load"), _bench.load))
    for optimizer, of_tasks in reached.items():
        body += rows(optimizer, of_tasks, ratios[optimizer], steps)
        worst = {
            name: np.median(methods[DEFAULT].regrets, 1).max() for name, methods in of_tasks.items()
        }
        listed = ", ".join(f"{name} {100 * value:.1f}" for name, value in worst.items())
        facts.append(f"{DEFAULT} with {optimizer}, worst of the five rates, regret in %: {listed}")
    _bench.publish(
        "adaptive-development" if options.development else "adaptive",
        "Adaptive links from wrong learning rates: regret against the best constant rate",
        _bench.table(COLUMNS, body),
        [
            _bench.machine(),
            f"{packages}; {jax.default_backend()}",
            f"load average while timing: {_bench.spread(loads)}"
            if loads
            else "no times: busy machine",
            (
                f"{len(tasks)} tasks: {', '.join(task.name for task in tasks)}; {seeds} seeds, "
                f"{steps} steps"
            ),
            "regret: median [quartiles] over tasks and seeds; 0: as the best constant rate's",
            f"solved: at most {100 * WITHIN:.0f} % in the median over seeds",
            *facts,
            "gradients a step: a forward pass counts as 1/3, a Hessian-vector product as 2",
            "time: that of plain training in the same rounds is 1; median [quartiles] over tasks",
        ],
        quick=options.quick,
    )
    if not options.only:
        kept.finish()


if __name__ == "__main__":
    main()

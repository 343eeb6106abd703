"""Runs with a life: many commands at random, forks, rewinds and a divergence, the same each time.

Run as a program it replays such a run from its journal, in a process that knows nothing else:
``python -m tests.training.stories KIND JOURNAL RESULT …``, three words for each run.
"""

from __future__ import annotations

import functools
import pathlib
import random
import sys
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group
from lrwidget.training import Journal, Keep
from tests.training import models

STEPS = 300
HUGE = 3e38  # a rate that no model survives
COMMANDS = 30

CURVE = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=STEPS)
OTHER = lrw.schedules.linear(0.04, 120, end_value=0.002)
BIASES = Group("biases", chain=lrw.optimizers.sgd(0.02, momentum=0.5), kinds=["bias"])


@functools.cache
def task(kind: str) -> lrw.Task:
    return models.task(kind, valid=models.data(29, seed=1))


def chain() -> Chain:
    o = lrw.optimizers
    return Chain.of(o.clip_by_global_norm(1.0), o.adamw(CURVE, weight_decay=0.01), groups=[BIASES])


RATE = "all/adamw.learning_rate"


def _command(choose: random.Random, t: lrw.Trainer) -> None:
    """Give one command at random; some of them are refused."""
    at = choose.choice([None, None, t.position + choose.randrange(1, 25)])
    value, few = 10 ** choose.uniform(-4, -1.5), choose.randrange(1, 20)
    from_now, factor, size = (
        choose.random() < 0.5,
        choose.choice([0.5, 2.0]),
        choose.choice([8, 16]),
    )
    waiting = choose.choice([number for number, _, _ in t.scheduled] or [0])
    choose.choice(
        (
            lambda: t.set({RATE: value}, at=at),
            lambda: t.set({RATE: OTHER}, from_now=from_now, at=at),
            lambda: t.set({"biases/sgd.momentum": factor / 4, "b1": 0.8}, source="widget", at=at),
            lambda: t.scale({RATE: factor, "weight_decay": 0.9}, at=at),
            lambda: t.nudge({RATE: value / 10}, at=at),
            lambda: t.release(at=at),
            lambda: t.extend(few, at=at),
            lambda: t.cooldown(200 + few, at=at),
            lambda: t.restart_warmup(few, at=at),
            lambda: t.freeze("biases", at=at),
            lambda: t.thaw("biases", at=at),
            lambda: t.set_batch_size(size, at=at),
            t.undo,
            lambda: t.cancel(waiting),
        )
    )()


def _commands(choose: random.Random, t: lrw.Trainer, count: int) -> None:
    """Give so many commands that take effect, with some steps after each."""
    while count:
        try:
            _command(choose, t)
        except ValueError:
            continue
        count -= 1
        if t.position < t.steps:
            t.step(choose.randrange(1, 9))


def tell(kind: str, seed: int) -> lrw.Trainer:
    """Return a run at rest that has been through everything, forks and all."""
    choose = random.Random(seed)
    t = lrw.Trainer(
        task(kind),
        chain(),
        steps=STEPS,
        valid_every=13,
        measure=("gradient_norm",),
        snapshots=Keep(every=choose.randrange(3, 40), memory=choose.choice([10_000, 10**8])),
    )
    _commands(choose, t, 8)
    lower = t.fork(name="lower")
    lower.scale({RATE: 0.5})
    _commands(choose, lower, 3)
    _commands(choose, t, 6)
    earlier = t.fork(choose.randrange(t.position), name="earlier")
    _commands(choose, earlier, 2)
    t.rewind(choose.randrange(t.position // 2, t.position))
    _commands(choose, t, 4)
    _diverge(t)
    t.rewind(choose.randrange(t.position // 2, t.position - 4))
    _commands(choose, t, 3)
    if choose.random() < 0.5:
        t.take(choose.choice([lower, earlier]))
    _commands(choose, t, 4)
    if t.position < t.steps and choose.random() < 0.5:
        t.resume()
        t.wait()
    return t


def _diverge(t: lrw.Trainer) -> None:
    t.set({RATE: HUGE})
    t.resume()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        t.wait()
    if t.state != "diverged":
        raise AssertionError(f"{t!r} should have diverged")


def result(t: lrw.Trainer) -> dict[str, np.ndarray]:
    """Return everything that a run has come to, by name, its forks' too."""
    found = {}
    for name, tree in (("params", t.params), ("opt_state", t.opt_state), ("state", _state(t))):
        for path, leaf in jax.tree.leaves_with_path(tree):
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                leaf = jax.random.key_data(leaf)  # noqa: PLW2901
            found[f"{name}{jax.tree_util.keystr(path)}"] = np.asarray(leaf)
    for name, table in (("history", t.history), ("valid", t.history.valid)):
        found |= {f"{name}.{column}": table[column] for column in table.names}
    found["rows"] = t.applied_rows()
    found["where"] = np.array([t.position, t.steps, t.state == "finished"])
    found["sizes"] = np.array(t.batch_sizes)
    found["scheduled"] = np.array([each[:2] for each in t.scheduled]).reshape(-1, 2)
    for fork in t.forks:
        found |= {f"{fork.name}: {name}": value for name, value in result(fork).items()}
    return found


def _state(t: lrw.Trainer) -> Any:
    return t._loop.ask(lambda carry: jax.tree.map(jnp.copy, carry.state))


def differing(a: Any, b: Any) -> list[str]:
    """Return the names of what is not equal bit for bit."""
    different = sorted(set(a.keys()) ^ set(b.keys()))
    for name in sorted(set(a.keys()) & set(b.keys())):
        one, other = np.asarray(a[name]), np.asarray(b[name])
        if one.dtype != other.dtype or one.shape != other.shape or one.tobytes() != other.tobytes():
            different.append(name)
    return different


def main() -> None:
    words = sys.argv[1:]
    for kind, journal, saved in zip(words[::3], words[1::3], words[2::3], strict=True):
        again = lrw.replay(Journal.from_json(pathlib.Path(journal).read_text()), task(kind))
        np.savez(saved, **result(again))


if __name__ == "__main__":
    main()

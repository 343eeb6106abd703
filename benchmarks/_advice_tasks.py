"""The pairs of task and optimizer of advice.py, and the chains that they are trained with."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
from _advice_kinds import KINDS

import lrwidget as lrw

Group = Literal["develop", "report"]
Schedule = Literal["cosine", "constant"]

SCHEDULES: tuple[Schedule, ...] = ("cosine", "constant")
WARMUP = 0.05

# The rates of a grid begin here: seven decades up from it hold the best rate of every pair, and
# what lies on both sides of it. Links that take a step of the rate's own size begin lower.
LOWEST = {
    "sgd": 1e-5, "momentum": 1e-5, "muon": 1e-5, "adagrad": 1e-5,
    "lion": 1e-7, "signum": 1e-7,
}  # fmt: skip
LOWEST_ADAPTIVE = 1e-6
DECADES = 7


@dataclasses.dataclass(frozen=True)
class Pair:
    """A task with an optimizer and a horizon."""

    task: str
    optimizer: str
    steps: int
    group: Group = "develop"

    @property
    def name(self) -> str:
        return f"{self.task}, {self.optimizer}, {self.steps}"

    @property
    def lowest(self) -> float:
        """The lowest rate of its grid."""
        return LOWEST.get(self.optimizer, LOWEST_ADAPTIVE)

    def rates(self, per_decade: int) -> np.ndarray:
        """Return its grid, float64: seven decades, both ends included."""
        exponents = np.arange(DECADES * per_decade + 1) / per_decade
        return self.lowest * 10.0**exponents


def make(pair: Pair, seed: int) -> lrw.Task:
    """Return the task of a pair; its weights, order and dropout are those of `seed`."""
    kind = KINDS[pair.task]
    train, valid = kind.split
    return lrw.Task(
        kind.model(seed),
        kind.loss,
        train=train,
        valid=valid,
        batch_size=kind.batch_size,
        seed=seed,
    )


def chain(pair: Pair, schedule: Schedule, peak: float = 1e-3) -> lrw.Chain:
    """Return the chain of a pair under warm-up and cosine, or at a constant rate."""
    rate: Any = peak
    if schedule == "cosine":
        warmup = max(1, round(WARMUP * pair.steps))
        rate = lrw.schedules.warmup_cosine(
            peak_value=peak, warmup_steps=warmup, decay_steps=pair.steps
        )
    return lrw.Chain.of(link(pair, rate))


def link(pair: Pair, rate: Any) -> lrw.Link:
    """Return the optimizer of a pair with this rate, a number or a schedule."""
    if pair.optimizer == "momentum":
        return lrw.optimizers.sgd(rate, momentum=0.9)
    return getattr(lrw.optimizers, pair.optimizer)(rate)


PAIRS: tuple[Pair, ...] = (
    Pair("diabetes", "sgd", 1000),
    Pair("diabetes", "adam", 500),
    Pair("digits MLP", "momentum", 300),
    Pair("digits MLP", "adamw", 400),
    Pair("digits MLP", "signum", 600),
    Pair("autoencoder", "adam", 300),
    Pair("autoencoder", "muon", 300),
    Pair("blobs", "sgd", 500),
    Pair("blobs", "lion", 300),
    Pair("blobs", "rmsprop", 300),
    Pair("GRU", "adam", 400),
    Pair("GRU", "momentum", 300),
    Pair("raw cancer", "sgd", 300),
    Pair("raw cancer", "adagrad", 400),
    Pair("factorisation", "adam", 300),
    Pair("factorisation", "sgd", 1000),
    Pair("BatchNorm", "momentum", 400),
    Pair("BatchNorm", "adam", 300),
    Pair("friedman", "sgd", 600, "report"),
    Pair("friedman", "adamw", 500, "report"),
    Pair("friedman", "lion", 400, "report"),
    Pair("digits softmax", "momentum", 300, "report"),
    Pair("digits softmax", "adagrad", 600, "report"),
    Pair("wine", "adam", 300, "report"),
    Pair("wine", "sgd", 300, "report"),
    Pair("wine", "lion", 400, "report"),
    Pair("ill-conditioned", "sgd", 2000, "report"),
    Pair("ill-conditioned", "momentum", 500, "report"),
    Pair("embedding", "adam", 500, "report"),
    Pair("embedding", "rmsprop", 600, "report"),
    Pair("embedding", "adafactor", 400, "report"),
    Pair("attention", "adamw", 300, "report"),
    Pair("attention", "lion", 400, "report"),
    Pair("attention", "muon", 300, "report"),
    Pair("dropout", "adam", 500, "report"),
    Pair("dropout", "momentum", 400, "report"),
    Pair("dropout", "lamb", 1000, "report"),
    Pair("deep", "nadam", 500, "report"),
    Pair("deep", "sgd", 1000, "report"),
    Pair("deep", "muon", 400, "report"),
    Pair("Linen", "adamw", 300, "report"),
    Pair("Linen", "momentum", 500, "report"),
    Pair("Linen", "signum", 400, "report"),
    Pair("RNN", "rmsprop", 400, "report"),
    Pair("RNN", "adagrad", 300, "report"),
)
"""What the algorithm is developed on, and what is only reported: other kinds of tasks."""

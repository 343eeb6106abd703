"""The methods of advice.py: what each answers on a pair, and what that takes."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _advice_tasks
from _advice_tasks import Pair, Schedule
from _advice_truth import Loss, Truth, yardstick_runs

import lrwidget as lrw
from lrwidget.finding._rules._suggest import suggest

if TYPE_CHECKING:
    import _bench

DEFAULTS = (1e-1, 1e-2, 1e-3)
BUDGETS = (200, "quick", 800, 1200, "thorough")
CURVE_SEEDS = 3  # of what only shows how regret falls with cost, and of the validation loss
VALIDATION = "thorough, for validation"
FIRST_SEED = 100  # the truth's and the yardsticks' are lower


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a method says.

    Attributes
    ----------
    learning_rate
        None where it says nothing.
    cost
        Gradient steps.
    band
        Lowest and highest rate that it thinks good, if it tells.
    """

    learning_rate: float | None
    cost: float
    band: tuple[float, float] | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Method:
    """A row of the table: its answers by pair name, schedule and then one each seed."""

    name: str
    answers: dict[tuple[str, Schedule], list[Answer]]
    loss: Loss = "train"
    kind: str = "other"  # "rule", "default", "grid", "advise"


def methods(
    kept: _bench.Measurements, pairs: Sequence[Pair], truths: dict[Any, Truth], seeds: int
) -> list[Method]:
    """Run all methods, and return them in the order of the table."""
    collected: dict[tuple[str, Loss, str], dict[tuple[str, Schedule], list[Answer]]] = {}
    for pair in pairs:
        for schedule in _advice_tasks.SCHEDULES:
            where = pair.name, schedule
            for method in (
                *_swept(kept, pair, seeds),
                *_fixed(pair, seeds),
                *_yardsticks(pair, truths[where], seeds),
                *_advised(kept, pair, schedule, seeds),
            ):
                (name, loss, kind), answers = method
                collected.setdefault((name, loss, kind), {})[where] = answers
        _task.cache_clear()
        print(pair.name, flush=True)
    return [Method(name, answers, loss, kind) for (name, loss, kind), answers in collected.items()]


Row = tuple[tuple[str, Loss, str], list[Answer]]


@functools.cache
def _task(pair: Pair, seed: int) -> lrw.Task:
    return _advice_tasks.make(pair, FIRST_SEED + seed)


def _swept(kept: _bench.Measurements, pair: Pair, seeds: int) -> Iterator[Row]:
    """Every rule on one sweep a seed; the ladder replaces the schedule, so it serves both."""

    def sweep(seed: int) -> dict[str, Any]:
        found = lrw.find_lr(_task(pair, seed), _advice_tasks.chain(pair, "constant"))
        # The rules as they are: `find_lr` itself holds them back where the loss does not respond.
        said, _ = suggest(found.learning_rates, found.smoothed, found.steps)
        return {"suggestions": dict(said), "steps": len(found.losses)}

    found = [kept.get((pair.name, "sweep", seed), sweep, seed) for seed in range(seeds)]
    for name, rule in lrw.finding.rules.items():
        answers = [Answer(each["suggestions"].get(name), each["steps"]) for each in found]
        yield (rule.title, "train", "rule"), answers


def _fixed(pair: Pair, seeds: int) -> Iterator[Row]:
    for rate in DEFAULTS:
        yield (f"fixed {rate:g}", "train", "default"), [Answer(rate, 0)] * seeds
    link = _advice_tasks.link(pair, 1.0)
    own = next(h for h in link.declaration.hyperparameters if h.name == "learning_rate").default
    rate = float(own) if own is not None else None
    yield ("the optimizer's default", "train", "default"), [Answer(rate, 0)] * seeds


def _yardsticks(pair: Pair, truth: Truth, seeds: int) -> Iterator[Row]:
    for name, rates in truth.yardsticks().items():
        cost = yardstick_runs(name) * pair.steps
        yield (name, "train", "grid"), [Answer(rate, cost) for rate in rates[:seeds]]


def _advised(
    kept: _bench.Measurements, pair: Pair, schedule: Schedule, seeds: int
) -> Iterator[Row]:
    def advise(seed: int, budget: Any, loss: Loss) -> dict[str, Any]:
        said = lrw.advise(
            _task(pair, seed),
            _advice_tasks.chain(pair, schedule),
            steps=pair.steps,
            budget=budget,
            loss=loss,
            seed=FIRST_SEED + seed,
        )
        return {
            "rate": said.learning_rate,
            "band": None if said.low is None else [said.low, said.high],
            "cost": said.gradient_steps,
            "refused": said.refused,
        }

    asked: list[tuple[Any, Loss]] = [(budget, "train") for budget in BUDGETS]
    for budget, loss in [*asked, ("thorough", "valid")]:
        whole = isinstance(budget, str) and loss == "train"
        found = [
            kept.get((pair.name, schedule, budget, loss, seed), advise, seed, budget, loss)
            for seed in range(seeds if whole else min(seeds, CURVE_SEEDS))
        ]
        name = VALIDATION if loss == "valid" else f"advise, {budget}"
        yield (
            (name, loss, "advise"),
            [
                Answer(
                    None if each["refused"] else each["rate"],
                    each["cost"],
                    each["band"] and tuple(each["band"]),
                    each["refused"] or "",
                )
                for each in found
            ],
        )


def digest() -> str:
    """Tell one state of the finder's code from another: answers of both do not mix."""
    code = hashlib.sha256()
    for path in sorted((Path(lrw.__file__).parent / "finding").rglob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()[:12]

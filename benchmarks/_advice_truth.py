"""What advice.py holds its methods to: grids of whole runs, and the file that keeps them."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any, Literal

import _advice_tasks
import _bench
import jax
import jax.numpy as jnp
import numpy as np
from _advice_tasks import Pair, Schedule

Loss = Literal["train", "valid"]
Against = Literal["start", "grid"]

FILE = _bench.RESULTS / "advice_truth.json"
PER_DECADE = 8
SEEDS = tuple(range(3))  # of the truth
FRESH = tuple(range(3, 7))  # of the yardsticks; the methods have seeds of their own again
DIGITS = 4

# The final training loss is that of so many examples, the same for all; pieces of text are long.
JUDGED, JUDGED_PIECES = 1024, 256

SPARSE = 4  # every fourth rate, but for both ends: 13 of them, two a decade
GRID_OF_13 = "grid of 13, whole runs"
ORACLE = "oracle, one fresh seed"
ORACLE_OF_3 = "oracle, three fresh seeds"


class Grid:
    """Whole runs of a pair at every rate of its grid, side by side.

    All rates of a seed share weights, batches and dropout masks. The final training loss is taken
    as a step takes it: BatchNorm by the statistics of the judged examples, dropout on, with the
    same masks for all.

    Parameters
    ----------
    pair, schedule
        What is run.
    """

    def __init__(self, pair: Pair, schedule: Schedule) -> None:
        self._pair = pair
        self._task = _advice_tasks.make(pair, 0)
        chain = _advice_tasks.chain(pair, schedule, 1.0)
        self._runner = self._task.runner(chain)
        rates = pair.rates(PER_DECADE)
        # Warm-up and cosine are proportional to their peak.
        self._rows = np.repeat(chain.rows(0, pair.steps)[None], len(rates), 0)
        self._rows[:, :, chain.addresses().index(chain.rate)] *= rates[:, None]
        train, valid = _advice_tasks.KINDS[pair.task].split
        count = JUDGED_PIECES if train[1].ndim > 1 and train[1].dtype == np.int32 else JUDGED
        judged, held_out = jax.tree.map(jnp.asarray, (tuple(x[:count] for x in train), valid))
        key = jax.random.key(12345)

        def evaluate(params: Any, state: Any) -> tuple[jax.Array, jax.Array]:
            final = self._task.loss(params, state, judged, key)[0]
            return final, self._task.measures(params, state, held_out)["loss"]

        self._evaluate = jax.jit(evaluate)
        self._evaluate_all = jax.jit(jax.vmap(evaluate))

    def finals(self, seed: int) -> dict[str, Any]:
        """Return the losses before and after the runs of a seed; None where not finite."""
        task = self._task if seed == 0 else _advice_tasks.make(self._pair, seed)
        start = self._runner.initial(start=task.initial)
        before = self._evaluate(start.params, start.state)
        count = len(self._rows)
        carries = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), start)
        stream = task.stream()
        chunk = stream.take(self._pair.steps)
        stream.close()
        after, _ = self._runner.run_side_by_side(carries, 0, self._rows, chunk)
        train, valid = map(_short, self._evaluate_all(after.params, after.state))
        first, first_valid = _short(np.array(before))
        return {"initial": first, "initial_valid": first_valid, "train": train, "valid": valid}


def _short(losses: Any) -> list[float | None]:
    return [float(f"{x:.{DIGITS}g}") if np.isfinite(x) else None for x in np.asarray(losses)]


def _array(losses: Any) -> np.ndarray:
    return np.array([[np.inf if x is None else x for x in row] for row in losses])


@dataclasses.dataclass(frozen=True)
class Truth:
    """Final losses by rate of one pair under one schedule.

    Attributes
    ----------
    rates
        The grid, shape (n,).
    curves
        The median over the seeds of the final loss, by ``"train"`` and ``"valid"``: shape (n,),
        infinite where most runs diverged.
    initial
        The loss before training, in the same way.
    fresh
        Final training losses of other seeds, shape (seeds, n); empty while they are missing.
    """

    rates: np.ndarray
    curves: dict[Loss, np.ndarray]
    initial: dict[Loss, float]
    fresh: np.ndarray

    def best(self, loss: Loss = "train") -> float:
        """Return the best rate."""
        return minimum(self.rates, self.curves[loss])

    def loss_at(self, rate: float, loss: Loss = "train") -> float:
        """Return the final loss at a rate: between those of the grid, in the rate's logarithm.

        Where only one neighbour diverged, the edge is taken to lie half way.
        """
        curve = self.curves[loss]
        step = np.log(self.rates[1] / self.rates[0])
        # Rounded, so that a rate of the grid does not lie beside itself.
        place = round(float(np.log(rate / self.rates[0]) / step), 6)
        place = min(max(place, 0.0), len(curve) - 1.0)
        left, beyond = int(place), place % 1
        if beyond == 0:
            return float(curve[left])
        pair = curve[left : left + 2]
        if not np.isfinite(pair).all():
            return float(pair[round(beyond)])
        return float(pair[0] + beyond * (pair[1] - pair[0]))

    def regret(self, rate: float, loss: Loss = "train", against: Against = "start") -> float:
        """Return (L - L*) over (L_init - L*), or over (the median of the grid - L*)."""
        curve = self.curves[loss]
        usual, lowest = self.initial[loss], float(curve.min())
        middle = float(np.median(curve))
        if against == "grid" and np.isfinite(middle):
            usual = middle
        return (self.loss_at(rate, loss) - lowest) / (usual - lowest)

    def window(self, share: float) -> float:
        """Return how many decades around the best rate have at most this regret."""
        fine = np.linspace(np.log10(self.rates[0]), np.log10(self.rates[-1]), 1401)
        within = np.array([self.regret(10.0**x) <= share for x in fine])
        place = int(np.argmin(abs(fine - np.log10(self.rates[self.curves["train"].argmin()]))))
        outside = np.flatnonzero(~within)
        low = outside[outside < place].max(initial=-1)
        high = outside[outside > place].min(initial=len(fine))
        return float((high - low - 1) * (fine[1] - fine[0]))

    def yardsticks(self) -> dict[str, list[float]]:
        """Return the rates that grids with fresh seeds choose, one each seed; none without them."""
        count = len(self.fresh)
        sparse = slice(SPARSE, -SPARSE, SPARSE)
        threes = [np.median(self.fresh[np.arange(k, k + 3) % count], 0) for k in range(count)]
        if not count:
            return {}
        return {
            GRID_OF_13: [minimum(self.rates[sparse], row[sparse]) for row in self.fresh],
            ORACLE: [minimum(self.rates, row) for row in self.fresh],
            ORACLE_OF_3: [minimum(self.rates, row) for row in threes],
        }


def yardstick_runs(name: str) -> int:
    """Return how many whole runs a yardstick takes."""
    grid = _advice_tasks.DECADES * PER_DECADE + 1
    return {GRID_OF_13: (grid - 2 * SPARSE - 1) // SPARSE + 1, ORACLE: grid, ORACLE_OF_3: 3 * grid}[
        name
    ]


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return the rate with the lowest loss, refined by a parabola in its logarithm.

    The parabola is fitted to the two points on either side, or to one where two are not there or
    not finite; it moves the answer by at most one step of the grid.
    """
    place = int(np.argmin(losses))
    logs = np.log(rates)
    for reach in (2, 1):
        near = slice(place - reach, place + reach + 1)
        if place < reach or place + reach >= len(rates) or not np.isfinite(losses[near]).all():
            continue
        # Of the parabola a (x - m)^2 + b (x - m) + c around the middle point.
        a, b, _ = np.polyfit(logs[near] - logs[place], losses[near], 2)
        if a > 0:
            step = logs[1] - logs[0]
            return float(np.exp(logs[place] + np.clip(-b / (2 * a), -step, step)))
    return float(rates[place])


def measure(pairs: Sequence[Pair]) -> None:
    """Run all grids and write the file; interrupted, it goes on where it stopped.

    The truth comes first, and the file is usable from then on; the yardsticks follow.
    """
    kept = _bench.Measurements("advice-truth", {"per_decade": PER_DECADE, "pairs": about(pairs)})
    whole: dict[str, Any] = {pair.name: {} for pair in pairs}
    for part, seeds in (("truth", SEEDS), ("fresh", FRESH)):
        for pair in pairs:
            for schedule in _advice_tasks.SCHEDULES:
                runs = _runs(kept, pair, schedule, seeds)
                if part == "fresh":  # what chooses a rate needs no more
                    runs = [run["train"] for run in runs]
                whole[pair.name].setdefault(schedule, {})[part] = runs
            print(f"{part}: {pair.name}", flush=True)
            if part == "fresh" or pair is pairs[-1]:
                _write(whole, pairs)
    kept.finish()
    print(f"written to {FILE.relative_to(_bench.HERE.parent)}")


def _runs(
    kept: _bench.Measurements, pair: Pair, schedule: Schedule, seeds: Sequence[int]
) -> list[Any]:
    grid = functools.cache(lambda: Grid(pair, schedule))  # compiled only where a seed is missing
    return [
        kept.get((pair.name, schedule, seed), lambda seed: grid().finals(seed), seed)
        for seed in seeds
    ]


def _write(whole: dict[str, Any], pairs: Sequence[Pair]) -> None:
    made = {
        "command": "python benchmarks/advice.py truth",
        "versions": _bench.versions("lrwidget", "jax", "jaxlib", "optax", "flax", "scikit-learn"),
        "machine": _bench.machine(),
        "seeds": SEEDS,
        "fresh_seeds": FRESH,
        "rates": f"from the lowest, {PER_DECADE} a decade, {_advice_tasks.DECADES} decades",
        "schedules": f"constant; warm-up over {_advice_tasks.WARMUP:.0%} and cosine to zero",
        "losses": f"final, by rate, in {DIGITS} digits; null: not finite; training: of the first "
        f"{JUDGED} examples ({JUDGED_PIECES} of text), as a step takes it",
        "pairs": about(pairs),
    }
    lines = [
        f"{json.dumps(name)}: {json.dumps(runs, separators=(',', ':'))}"
        for name, runs in whole.items()
    ]
    head = f'{{"made": {json.dumps(made, indent=1)},\n"runs": {{\n'
    FILE.write_text(head + ",\n".join(lines) + "\n}}\n")


def about(pairs: Sequence[Pair]) -> dict[str, dict[str, Any]]:
    """Return what each pair is, as JSON data."""
    told = {}
    for pair in pairs:
        kind = _advice_tasks.KINDS[pair.task]
        examples, held_out = (len(part[0]) for part in kind.split)
        told[pair.name] = {
            **dataclasses.asdict(pair),
            "about": kind.about,
            "batch_size": kind.batch_size,
            "examples": examples,
            "held_out": held_out,
            "lowest": pair.lowest,
        }
    return told


def load(pairs: Sequence[Pair]) -> dict[tuple[str, Schedule], Truth]:
    """Return the stored truth of these pairs; ValueError where it was made for other pairs."""
    stored = json.loads(FILE.read_text())
    truths = {}
    for name, told in about(pairs).items():
        if stored["made"]["pairs"].get(name) != told:
            raise ValueError(
                f"{FILE.name} must hold the truth of {name!r} as it is now, and it does not: "
                "python benchmarks/advice.py truth"
            )
    for pair in pairs:
        for schedule in _advice_tasks.SCHEDULES:
            runs = stored["runs"][pair.name][schedule]
            own = runs["truth"]
            truths[pair.name, schedule] = Truth(
                pair.rates(PER_DECADE),
                {loss: np.median(_array([r[loss] for r in own]), 0) for loss in ("train", "valid")},
                {
                    "train": float(np.median([r["initial"] for r in own])),
                    "valid": float(np.median([r["initial_valid"] for r in own])),
                },
                _array(runs.get("fresh", [])),
            )
    return truths

"""How good advice on a learning rate is, and what it costs, on pairs of task and optimizer.

Run it with ``python benchmarks/advice.py`` (``--quick``: few pairs and two seeds, minutes on two
cores). It writes a table for each group of pairs to ``benchmarks/results/``: those on which
`lrw.advise` was developed, and those that are only reported, which are other kinds of tasks.
Interrupted, it goes on where it stopped, as long as the finder's code stays as it is. ``--group``
makes the table of one group, ``--only`` a printed one of some tasks.

THE TRUTH is a grid of whole runs, eight rates a decade over seven decades, three seeds, under
warm-up over 5 % and cosine, and at a constant rate; ``python benchmarks/advice.py truth`` remakes
``results/advice_truth.json``, which says what made it. The best rate is where the median over the
seeds of the final training loss is lowest, refined by a parabola. What a suggested rate reaches is
read off the same curve. With L for that, and L* for the lowest, its *regret* is

    (L - L*) / (the loss before training - L*),

which a huge loss at the start flatters, and beside it (L - L*) / (the grid's median - L*).

EVERY METHOD is asked on ten seeds (``--seeds``) that are not the truth's, each with weights, order
and dropout of its own. One that says nothing has missed: its error and its regret are infinite.
*Rules* read the curve of `lrw.find_lr` as it comes. *Oracles* are the truth's grid with fresh
seeds, of which the file holds four. `lrw.advise` is told the chain that will be used and the number
of steps; *advise, 200* has that many gradient steps, *quick* 400, *thorough* 3000. Its last row
asks for the best final validation loss, and its error is from the rate that is best for that.

A gradient costs 1, a Hessian-vector product 2, a forward pass a third.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence

import _advice_methods
import _advice_tasks
import _advice_truth
import _bench
import jax
import numpy as np
from _advice_methods import CURVE_SEEDS, Answer, Method
from _advice_tasks import Pair, Schedule
from _advice_truth import Against, Loss, Truth

SEEDS, QUICK_SEEDS = 10, 2
EVERY = 6  # of the quick form: every sixth pair
CLOSE, NEAR = 0.05, 0.2

Truths = dict[tuple[str, Schedule], Truth]

COLUMNS = (
    "method",
    "error, decades",
    "error, 90th",
    "within 5 %",
    "within 20 %",
    "5 % of grid",
    "20 % of grid",
    "valid 5 %",
    "valid 20 %",
    "regret %",
    "spread",
    "silent",
    "cost, most",
    "band holds",
    "band, decades",
)


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of values that may be infinite: one of them, never between two."""
    return float(np.quantile(np.array(values, float), share, method="inverted_cdf"))


def number(value: float, digits: int = 2, most: float = 99.0) -> str:
    return f"{value:.{digits}f}" if value <= most else f">{most:.0f}"


def percent(values: Sequence[bool]) -> str:
    return f"{100 * np.mean(values):.0f} %" if len(values) else ""


def judged(method: Method, schedule: Schedule) -> Iterator[tuple[tuple[str, Schedule], Answer]]:
    """Give every answer of a method under a schedule, with its pair."""
    for where, answers in method.answers.items():
        if where[1] == schedule:
            yield from ((where, answer) for answer in answers)


def error(answer: Answer, truth: Truth, loss: Loss) -> float:
    if answer.learning_rate is None:
        return float("inf")
    return float(np.log10(answer.learning_rate / truth.best(loss)))


def regret(answer: Answer, truth: Truth, loss: Loss, against: Against = "start") -> float:
    if answer.learning_rate is None:
        return float("inf")
    return truth.regret(answer.learning_rate, loss, against)


def spread(answers: Sequence[Answer]) -> float:
    """Return the decades between the 10th and the 90th percentile of what seeds answer."""
    said = [np.log10(a.learning_rate) for a in answers if a.learning_rate is not None]
    return float(np.subtract(*np.quantile(said, [0.9, 0.1]))) if len(said) > 1 else float("nan")


def held(answer: Answer, truth: Truth, loss: Loss) -> bool:
    if answer.learning_rate is None or answer.band is None:
        return False
    return answer.band[0] <= truth.best(loss) <= answer.band[1]


def line(method: Method, schedule: Schedule, truths: Truths) -> list[str]:
    """Return a method's row of the table."""
    each = list(judged(method, schedule))

    def within(limit: float, loss: Loss, against: Against = "start") -> str:
        return percent([regret(a, truths[w], loss, against) <= limit for w, a in each])

    errors = [abs(error(answer, truths[where], method.loss)) for where, answer in each]
    regrets = [regret(answer, truths[where], method.loss) for where, answer in each]
    spreads = [spread(a) for where, a in method.answers.items() if where[1] == schedule]
    spreads = [one for one in spreads if np.isfinite(one)]
    costs = [answer.cost for _, answer in each]
    bands = [a.band for _, a in each if a.band is not None]
    return [
        method.name,
        number(quantile(errors, 0.5)),
        number(quantile(errors, 0.9)),
        within(CLOSE, "train"),
        within(NEAR, "train"),
        within(CLOSE, "train", "grid"),
        within(NEAR, "train", "grid"),
        within(CLOSE, "valid"),
        within(NEAR, "valid"),
        ", ".join(number(100 * quantile(regrets, share), 1, 999) for share in (0.5, 0.9)),
        f"{np.median(spreads):.2f}, {quantile(spreads, 0.9):.2f}" if spreads else "",
        percent([answer.learning_rate is None for _, answer in each]),
        f"{np.median(costs):.0f}, {max(costs):.0f}",
        percent([held(a, truths[w], method.loss) for w, a in each]) if bands else "",
        f"{np.median([np.log10(high / low) for low, high in bands]):.2f}" if bands else "",
    ]


NOTES = (
    (
        "error: |log10 (suggested / best rate)|, median and 90th percentile over pairs and seeds; "
        "in the table of pairs: the median over seeds, with its sign"
    ),
    (
        "within 5 %, 20 %: share of answers with at most this regret, over the loss before "
        "training; of grid: over the grid's median; valid: of the final validation loss"
    ),
    "regret: over the loss before training, median and 90th percentile",
    f"advise with 200, 800 and 1200, and for validation: {CURVE_SEEDS} seeds at most",
    (
        "spread: from the 10th to the 90th percentile over seeds, decades; median and 90th "
        "percentile over pairs"
    ),
    "silent: no answer or a refusal, counted as missed; cost: gradient steps, median and most",
)

PAIR_COLUMNS = (
    "pair",
    "best rate",
    "5 % window, decades",
    "quick: error",
    "within 5 %",
    "thorough: error",
    "within 5 %",
    "band holds",
    "band, decades",
    "silent",
)


def pair_lines(
    pairs: Sequence[Pair], schedule: Schedule, found: Sequence[Method], truths: Truths
) -> Iterator[list[str]]:
    """Give a row for each pair: how `advise` does on it, errors with their sign."""
    by_name = {method.name: method for method in found}
    quick, thorough = (by_name[f"advise, {budget}"] for budget in ("quick", "thorough"))
    for pair in pairs:
        where = pair.name, schedule
        truth = truths[where]
        cells = [pair.name, f"{truth.best():.2g}", f"{truth.window(CLOSE):.2f}"]
        for method in (quick, thorough):
            answers = method.answers[where]
            said = [error(a, truth, "train") for a in answers if a.learning_rate is not None]
            cells.append(f"{np.median(said):+.2f}" if said else "")
            cells.append(percent([regret(a, truth, "train") <= CLOSE for a in answers]))
        answers = thorough.answers[where]
        bands = [np.log10(a.band[1] / a.band[0]) for a in answers if a.band is not None]
        cells.append(percent([held(a, truth, "train") for a in answers]))
        cells.append(f"{np.median(bands):.2f}" if bands else "")
        cells.append(percent([a.learning_rate is None for a in answers]))
        yield cells


TITLES: dict[Schedule, str] = {
    "cosine": "Warm-up over 5 % and cosine",
    "constant": "Constant rate",
}


def body(pairs: Sequence[Pair], found: Sequence[Method], truths: Truths) -> str:
    """Write both schedules' tables."""
    parts = []
    for schedule, title in TITLES.items():
        rows = [line(method, schedule, truths) for method in found]
        parts += [f"## {title}", "", _bench.table(COLUMNS, rows), ""]
        rows = list(pair_lines(pairs, schedule, found, truths))
        parts += [f"### {title}: each pair", "", _bench.table(PAIR_COLUMNS, rows), ""]
        refusals = reasons(found, schedule)
        if refusals:
            parts += [f"### {title}: why `advise` refused", "", *refusals, ""]
    return "\n".join(parts).rstrip()


def reasons(found: Sequence[Method], schedule: Schedule) -> list[str]:
    """List what `advise` refused, and the reason it gave the first time."""
    lines = []
    for method in found:
        for where, answers in method.answers.items():
            said = [answer.reason for answer in answers if answer.reason]
            if where[1] == schedule and said:
                lines.append(f"- {method.name}: {where[0]} ({len(said)} seeds): {said[0]}")
    return lines


def report(group: str, pairs: Sequence[Pair], seeds: int, *, quick: bool, only: bool) -> None:
    """Run every method on the pairs, and publish the table, or print it if it is of some only."""
    packages = _bench.versions("lrwidget", "jax", "jaxlib", "optax", "flax")
    truths = _advice_truth.load(pairs)
    settings = {"versions": packages, "code": _advice_methods.digest(), "group": group}
    kept = _bench.Measurements("advice", settings)
    found = _advice_methods.methods(kept, pairs, truths, seeds)
    text = body(pairs, found, truths)
    if only:
        print(text)
        return
    made = json.loads(_advice_truth.FILE.read_text())["made"]
    gridded = sum(truths[pair.name, "cosine"].fresh.size > 0 for pair in pairs)
    kinds = sorted({pair.task for pair in pairs})
    _bench.publish(
        f"advice-{group}",
        f"Learning rates that methods suggest, {group}: {len(pairs)} pairs, {seeds} seeds",
        text,
        [
            _bench.machine(),
            f"{packages}; {jax.default_backend()}",
            f"truth: `{made['command']}`, {len(made['seeds'])} seeds, {made['versions']}",
            f"grid of 13 and oracles: on {gridded} of the {len(pairs)} pairs",
            *NOTES,
            *(f"{kind}: {_advice_tasks.KINDS[kind].about}" for kind in kinds),
        ],
        quick=quick,
    )
    kept.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("report", "truth"), default="report")
    parser.add_argument("--quick", action="store_true", help="few pairs, two seeds")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"default {SEEDS}")
    parser.add_argument("--group", choices=("develop", "report"), help="one group only")
    parser.add_argument("--only", nargs="+", metavar="TASK", help="print a table of these tasks")
    options = parser.parse_args()
    if options.what == "truth":
        _advice_truth.measure(_advice_tasks.PAIRS)
        return
    seeds = options.seeds or (QUICK_SEEDS if options.quick else SEEDS)
    for group in (options.group,) if options.group else ("develop", "report"):
        pairs = [pair for pair in _advice_tasks.PAIRS if pair.group == group]
        pairs = [pair for pair in pairs if pair.task in (options.only or [pair.task])]
        pairs = pairs[::EVERY] if options.quick and not options.only else pairs
        if pairs:
            report(group, pairs, seeds, quick=options.quick, only=options.only is not None)


if __name__ == "__main__":
    main()

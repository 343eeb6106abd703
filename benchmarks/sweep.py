"""What a range test costs: `find_lr` against torch-lr-finder, fastai and Lightning.

Run it with ``python benchmarks/sweep.py`` (``--quick``: fewer rounds, three minutes on two cores).
It prints two tables and writes them to ``benchmarks/results/``. Interrupted, it goes on where it
stopped.

The peers live in an environment of their own, ``benchmarks/.peers``, which the first run creates
(``--peers FOLDER`` puts it elsewhere; ``--peers-python PROGRAM`` uses one that has the peers, with
a PyTorch for the GPU, say). A peer that cannot be had is an error.

Each finder runs 100 steps from 1e-7 to 10 on the same two networks with Adam, no early stop,
progress bars off, suggestions and restored weights included. Each has a process of its own; the
processes take turns, one call each, so that whatever else the machine does meets all of them.
*First call*: in a fresh process after imports and construction; for lrwidget that includes the
compile that training afterwards is spared. *Warm call*: any later one. The peers are given the
fastest loader that PyTorch has, and whichever number of threads suits them better: one or all.

The second table: what eight seeds at once cost, against one of ours, in the same rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _bench
from _sweep_worker import FINDERS, OURS, OURS_OF_SEEDS, SEEDS, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS = tuple(name for name in FINDERS if name not in (OURS, OURS_OF_SEEDS))

CALLS = ("first", "warm")

# fastai asks for far more than its finder needs (spaCy, torchvision): it is installed bare, and
# what it imports by hand.
REQUIREMENTS = ("torch==2.13.0", "torch-lr-finder", "lightning", "matplotlib")
BARE_REQUIREMENTS = ("fastai",)
FASTAI_IMPORTS = (
    "cloudpickle", "fastcore", "fastdownload", "fastprogress", "fasttransform", "pandas",
    "plum-dispatch<2.10", "python-fasthtml", "requests", "scikit-learn", "scipy",
)  # fmt: skip


def peers_python(folder: Path) -> Path:
    """Return the Python of the peers' environment, which is made unless it is there."""
    python = folder / "bin" / "python"
    stamp = folder / "installed.json"
    wanted = json.dumps([REQUIREMENTS, BARE_REQUIREMENTS, FASTAI_IMPORTS])
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"installing the peers into {folder} (some minutes, about 1.5 GB)")
        venv.create(folder, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _bench.run([*install, *REQUIREMENTS])
        _bench.run([*install, "--no-deps", *BARE_REQUIREMENTS])
        _bench.run([*install, *FASTAI_IMPORTS])
        stamp.write_text(wanted)
    return python


class Worker:
    """A finder that waits in a process of its own."""

    def __init__(self, python: Path, finder: str, network: int, threads: int) -> None:
        script = _bench.HERE / "_sweep_worker.py"
        self._finder = finder
        self._process = subprocess.Popen(
            [python, script, finder, str(network), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_bench.HERE.parent,
        )
        self.about = self._read()

    def call(self) -> float:
        """Run the sweep once; return its seconds."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._read()
        if answer["steps"] != STEPS:
            sys.exit(f"{self._finder} ran {answer['steps']} of {STEPS} steps: no fair comparison")
        return answer["seconds"]

    def _read(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self._finder} failed:\n{self._process.stderr.read()}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()


@contextlib.contextmanager
def worker(python: Path, finder: str, network: int, threads: int = 0) -> Iterator[Worker]:
    """Give a worker that ends with the block."""
    made = Worker(python, finder, network, threads)
    try:
        yield made
    finally:
        made.close()


def first_call(python: Path, finder: str, network: int, threads: int) -> float:
    """Return the seconds of the first call in a fresh process."""
    with worker(python, finder, network, threads) as fresh:
        return fresh.call()


def best_threads(python: Path, finder: str, network: int) -> int:
    """Return 1 or 0 (all): the number of threads with which a peer's warm call is faster."""
    seconds = {}
    for threads in (0, 1):
        with worker(python, finder, network, threads) as one:
            seconds[threads] = min(one.call() for _ in range(6))
    return min(seconds, key=seconds.get)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--peers", type=Path, default=_bench.HERE / ".peers", metavar="FOLDER")
    parser.add_argument("--peers-python", type=Path, metavar="PROGRAM")
    options = parser.parse_args()
    theirs = options.peers_python or peers_python(options.peers)
    pythons = dict.fromkeys(FINDERS, Path(sys.executable)) | dict.fromkeys(PEERS, theirs)
    firsts, rounds = (3, 15) if options.quick else (7, 61)

    about = {}
    for name in FINDERS:
        with worker(pythons[name], name, 0) as one:
            about[name] = one.about
    kept = _bench.Measurements(
        "sweep", {"about": about, "machine": _bench.machine(), "quick": options.quick}
    )
    rows, seeds_rows, loads = [], [], []
    for number, network in enumerate(_bench.NETWORKS):
        threads, first, warm, more_loads = measure(kept, pythons, number, firsts, rounds)
        rows += describe(network.name, threads, first, warm)
        seeds_rows.append(describe_seeds(network.name, first, warm))
        loads += more_loads
    peers_table = _bench.table(
        ("network", "finder", "first call", "warm call", *(f"{OURS} / it, {c}" for c in CALLS)),
        rows,
    )
    seeds_table = _bench.table(
        ("network", "finder", "first call", "warm call", *(f"it / one seed, {c}" for c in CALLS)),
        seeds_rows,
    )
    _bench.publish(
        "sweep",
        f"find_lr against its peers: {STEPS} steps, milliseconds a call",
        f"{peers_table}\n\nAll {SEEDS} seeds of one call:\n\n{seeds_table}",
        [
            _bench.machine(),
            f"load average while measuring: {_bench.spread(loads)}",
            *(
                f"{name}: {it['versions']} on {it['device']}"
                for name, it in about.items()
                if name != OURS_OF_SEEDS
            ),
            f"first call: median of {firsts} fresh processes",
            f"warm call: median [quartiles] of {rounds} rounds",
            "ratios of warm calls: median [quartiles] of the rounds' own ratios",
        ],
        quick=options.quick,
    )
    kept.finish()


def measure(
    kept: _bench.Measurements,
    pythons: dict[str, Path],
    number: int,
    firsts: int,
    rounds: int,
) -> tuple[dict[str, int], dict[str, list[float]], dict[str, list[float]], list[float]]:
    """Measure every finder on one network.

    Returns their threads (0 for all), the seconds of their first calls, those of their warm calls,
    and the machine's loads meanwhile.
    """
    network = _bench.NETWORKS[number].name
    threads = dict.fromkeys(FINDERS, 0)
    for name in PEERS:
        threads[name] = kept.get(
            (network, name, "threads"), best_threads, pythons[name], name, number
        )
    first = {name: [] for name in FINDERS}
    for i in range(firsts):
        for name, seconds in first.items():
            key = (network, name, "first", i)
            seconds.append(kept.get(key, first_call, pythons[name], name, number, threads[name]))
    warm = {name: [] for name in FINDERS}
    loads = []
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(worker(pythons[name], name, number, threads[name]))
            for name in FINDERS
        }
        for one in workers.values():
            for _ in range(3):
                one.call()
        for i in range(rounds):
            measured = kept.get((network, "round", i), one_round, workers, i)
            loads.append(measured["load"])
            for name, seconds in warm.items():
                seconds.append(measured[name])
    return threads, first, warm, loads


def one_round(workers: dict[str, Worker], number: int) -> dict[str, float]:
    """Return one call's seconds of each finder; each round begins with another of them."""
    names = list(workers)
    turn = number % len(names)
    return {n: workers[n].call() for n in names[turn:] + names[:turn]} | {"load": _bench.load()}


def describe(
    network: str,
    threads: dict[str, int],
    first: dict[str, list[float]],
    warm: dict[str, list[float]],
) -> Iterator[list[str]]:
    """Yield a row for each finder, the fastest peer marked."""
    fastest = min(PEERS, key=lambda name: statistics.median(warm[name]))
    for name in (OURS, *PEERS):
        row = [
            network,
            name + (" (fastest peer)" if name == fastest else ""),
            *milliseconds(first[name], warm[name]),
        ]
        if name == OURS:
            yield [*row, "", ""]
            continue
        if threads[name] == 1:
            row[1] += ", 1 thread"
        yield [*row, *ratios(OURS, name, first, warm)]


def describe_seeds(
    network: str, first: dict[str, list[float]], warm: dict[str, list[float]]
) -> list[str]:
    """Return the row that says what several seeds cost."""
    name = OURS_OF_SEEDS
    times = milliseconds(first[name], warm[name])
    return [network, name, *times, *ratios(name, OURS, first, warm)]


def milliseconds(first: list[float], warm: list[float]) -> tuple[str, str]:
    """Write what a finder's first call takes, and its warm one."""
    return f"{1e3 * statistics.median(first):.0f}", _bench.spread((1e3 * s for s in warm), ".1f")


def ratios(
    one: str, other: str, first: dict[str, list[float]], warm: dict[str, list[float]]
) -> tuple[str, str]:
    """Write how many times as long as another a finder takes: first call, and warm ones."""
    rounds = [its / others for its, others in zip(warm[one], warm[other], strict=True)]
    return (
        f"{statistics.median(first[one]) / statistics.median(first[other]):.2f}",
        _bench.spread(rounds),
    )


if __name__ == "__main__":
    main()

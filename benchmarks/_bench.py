"""What the benchmarks share: the models, pairs that can be resumed, the table and where it goes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PARTIAL = HERE / ".partial"  # ignored by git: measurements of runs that are not finished yet


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """A multilayer perceptron with one hidden layer, and how much it is fed."""

    inputs: int
    hidden: int
    outputs: int
    batch_size: int
    examples: int
    epochs: int  # of one timed run of loop.py: about half a second on two cores

    @property
    def name(self) -> str:
        return f"MLP {self.inputs}-{self.hidden}-{self.outputs}, batch {self.batch_size}"

    @property
    def steps_per_epoch(self) -> int:
        return self.examples // self.batch_size


NETWORKS = (
    Network(inputs=64, hidden=64, outputs=10, batch_size=32, examples=1797, epochs=400),
    Network(inputs=784, hidden=256, outputs=10, batch_size=128, examples=12800, epochs=5),
)


class Measurements:
    """Measurements that survive an interruption: one JSON line each, in a file of their settings.

    Parameters
    ----------
    name
        The benchmark.
    settings
        Everything that must be equal for measurements to belong together.
    """

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        text = json.dumps(settings, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        PARTIAL.mkdir(exist_ok=True)
        self._path = PARTIAL / f"{name}-{digest}.jsonl"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self._records = {json.dumps(r["key"]): r["value"] for r in map(json.loads, lines)}
        if self._records:
            print(f"resuming with {len(self._records)} measurements from {self._path.name}")

    def get(self, key: Sequence[Any], measure: Callable[..., Any], *arguments: Any) -> Any:
        """Return ``measure(*arguments)`` of now, or of before the interruption, under `key`."""
        text = json.dumps(list(key))
        if text not in self._records:
            value = measure(*arguments)
            with self._path.open("a") as file:
                file.write(json.dumps({"key": list(key), "value": value}) + "\n")
            self._records[text] = value
        return self._records[text]

    def finish(self) -> None:
        """Forget the measurements: the table is written."""
        self._path.unlink(missing_ok=True)


def spread(values: Iterable[float], digits: str = ".2f") -> str:
    """Write the median with the quartiles: ``0.98 [0.95-1.02]``."""
    values = sorted(values)
    if len(values) < 2:
        return f"{values[0]:{digits}}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{digits}} [{low:{digits}}-{high:{digits}}]"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write rows as a Markdown table, aligned for the terminal."""
    cells = [list(columns), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def publish(name: str, title: str, body: str, facts: Sequence[str], *, quick: bool) -> None:
    """Print the table, and write it with its circumstances to results/."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = "\n".join([f"# {title}", "", body, "", *(f"- {fact}" for fact in [now, *facts]), ""])
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}{'-quick' if quick else ''}.md"
    path.write_text(text)
    print(text)
    print(f"written to {path.relative_to(HERE.parent)}")


def versions(*packages: str) -> str:
    """Return ``name version`` of each package."""
    return ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)


def machine() -> str:
    """Return the processor, its number of cores, system and Python version."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = models[0].partition(":")[2].strip() if models else processor
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def load() -> float:
    """Return the machine's load average over the last minute; 0 where it has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def run(command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and return its output; its own error text ends the benchmark if it fails."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nfailed:\n{done.stdout}{done.stderr}")
    return done

"""What a notebook waits for: the imports, and the size of the front end.

Run it with ``python benchmarks/import_time.py`` (``--quick``: fewer processes). It prints one table
and writes it to ``benchmarks/results/``. Each import happens in a fresh process; the time that the
bare interpreter takes is measured beside it and subtracted. The bundle must have been built.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import time

import _bench

BUNDLE = _bench.HERE.parent / "lrwidget" / "static"
BUNDLE_LIMIT = 203_000  # bytes, minified
IMPORT_LIMIT = 0.5  # seconds

# What a person does, and what it must not load.
CASES = {
    "import lrwidget": ("import lrwidget", ("jax", "anywidget", "matplotlib")),
    "a schedule": (
        "import lrwidget; lrwidget.schedules.preset('cosine', peak_value=1e-3, steps=100)",
        ("jax", "anywidget", "matplotlib"),
    ),
    "a designer": ("import lrwidget; lrwidget.ScheduleDesigner()", ("jaxlib", "matplotlib")),
    "import jax, optax, flax.nnx": ("import jax, optax; from flax import nnx", ()),
}


def seconds(program: str) -> float:
    """Return how long a fresh process takes."""
    began = time.perf_counter()
    _bench.run([sys.executable, "-c", program], cwd=BUNDLE.parent.parent)
    return time.perf_counter() - began


def loaded(program: str, unwanted: tuple[str, ...]) -> list[str]:
    """Return which of the unwanted packages the program loads."""
    check = f"{program}\nimport sys; print(*[m for m in {unwanted!r} if m in sys.modules])"
    return _bench.run([sys.executable, "-c", check], cwd=BUNDLE.parent.parent).stdout.split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer processes")
    options = parser.parse_args()
    rounds = 7 if options.quick else 31
    files = [BUNDLE / "widget.js", BUNDLE / "widget.css"]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        sys.exit(f"{', '.join(missing)} not found in {BUNDLE}: run `make bundle` first")

    taken = {name: [] for name in ("", *CASES)}
    for _ in range(rounds):
        taken[""].append(seconds("pass"))
        for name, (program, _) in CASES.items():
            taken[name].append(seconds(program))
    bare = statistics.median(taken[""])
    rows = []
    for name, (program, unwanted) in CASES.items():
        surplus = loaded(program, unwanted)
        rows.append([
            name,
            _bench.spread((1e3 * (s - bare) for s in taken[name]), ".0f") + " ms",
            f"{1e3 * IMPORT_LIMIT:.0f} ms" if name == "import lrwidget" else "",
            f"loads {', '.join(surplus)}" if surplus
            else f"without {', '.join(unwanted)}" if unwanted else "for comparison",
        ])  # fmt: skip
    for file in files:
        content = file.read_bytes()
        rows.append([
            f"static/{file.name}",
            f"{len(content) / 1e3:.1f} kB",
            f"{BUNDLE_LIMIT / 1e3:.0f} kB" if file.suffix == ".js" else "",
            f"{len(gzip.compress(content)) / 1e3:.1f} kB compressed",
        ])  # fmt: skip
    _bench.publish(
        "import_time",
        "What a notebook waits for",
        _bench.table(("what", "measured", "limit", "remark"), rows),
        [
            _bench.machine(),
            f"load average at the end {_bench.load():.1f}",
            _bench.versions("lrwidget", "anywidget", "jax", "optax", "flax"),
            f"median [quartiles] of {rounds} fresh processes",
            f"less {1e3 * bare:.0f} ms for the bare interpreter",
        ],
        quick=options.quick,
    )


if __name__ == "__main__":
    main()

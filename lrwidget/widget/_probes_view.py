"""The short runs behind an advice on their way to the browser: few, thinned and packed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.widget import _columns
from lrwidget.widget._run_status import finite

if TYPE_CHECKING:
    from lrwidget.finding import Fit, Probe, ProbeRun

MOST_RUNS = 80
POINTS = 60

NO_PROBES: dict[str, Any] = {"seq": 0, "steps": None, "runs": [], "fits": [], "optimum": None}
"""The ``_probes`` trait before the first probe."""


def best_run(runs: Sequence[ProbeRun]) -> int | None:
    """Return the place of the run that ended lowest, of those with the longest horizon.

    Runs of another length end elsewhere, and are no match. None where none of them has a loss.
    """
    ended = [i for i, run in enumerate(runs) if not run.diverged and math.isfinite(run.final)]
    if not ended:
        return None
    longest = max(runs[i].horizon for i in ended)
    return min((i for i in ended if runs[i].horizon == longest), key=lambda i: runs[i].final)


def probes_shown(
    seq: int, steps: int | None, runs: Sequence[ProbeRun], probe: Probe | None
) -> dict[str, Any]:
    """Return the ``_probes`` trait.

    Parameters
    ----------
    seq
        The number of this state of it.
    steps
        The length of the run for which a rate is looked for, where it is known.
    runs
        The probes so far, in the order in which they came. The newest 80 are shown, and the best.
    probe
        What came of them all; None while they go on.
    """
    best = best_run(runs)
    shown = list(range(max(0, len(runs) - MOST_RUNS), len(runs)))
    if best is not None and best < shown[0]:
        shown[0] = best
    fits: Mapping[int, Fit] = {} if probe is None else probe.fits
    optimum = None if probe is None else probe.optimum
    return {
        "seq": seq,
        "steps": steps,
        "runs": [_run(runs[i], best=i == best) for i in shown],
        "fits": [{"horizon": int(each), **_fit(fits[each])} for each in sorted(fits)],
        "optimum": None if optimum is None else _fit(optimum),
    }


def thinned(losses: NDArray[Any], points: int = POINTS) -> dict[str, NDArray[np.float64]]:
    """Return a run's curve up to its first loss that is not finite, each point a mean of several.

    Means, not extremes: in a fan of noisy lines it is their level that is compared.
    """
    values = np.asarray(losses, dtype=np.float64)
    known = np.isfinite(values)
    count = len(values) if known.all() else int(np.argmin(known))
    if count == 0:
        return {"step": np.empty(0), "loss": np.empty(0)}
    edges = np.unique(np.linspace(0, count, min(points, count) + 1).astype(np.int64))
    sums = np.add.reduceat(values[:count], edges[:-1])
    return {"step": (edges[:-1] + edges[1:] - 1) / 2, "loss": sums / np.diff(edges)}


def _run(run: ProbeRun, *, best: bool) -> dict[str, Any]:
    return {
        "rate": float(run.learning_rate),
        "horizon": int(run.horizon),
        "seed": int(run.seed),
        "diverged": bool(run.diverged),
        "final": finite(run.final),
        "best": best,
        "columns": _columns.encode(thinned(run.losses)),
    }


def _fit(fit: Fit) -> dict[str, float | None]:
    return {"rate": finite(fit.best), "low": finite(fit.low), "high": finite(fit.high)}

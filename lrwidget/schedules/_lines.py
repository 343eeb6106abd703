"""Points as few straight lines, none of which strays further than a tolerance."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.schedules._parts import Segment
from lrwidget.schedules._schedule import Schedule


def through(
    steps: npt.NDArray[np.int64], values: npt.NDArray[np.float64], tolerance: float
) -> Schedule:
    """Return straight lines within `tolerance` of every point; at 0 through each of them.

    Parameters
    ----------
    steps
        Whole numbers, rising, from 0, at least two.
    values
        As many values, >= 0.
    tolerance
        The largest distance along y, >= 0.
    """
    kept = _corners(steps.astype(np.float64), values, tolerance)
    return Schedule(
        *(
            Segment(
                "linear",
                int(steps[b] - steps[a]),
                init_value=float(values[a]),
                end_value=float(values[b]),
            )
            if values[a] != values[b]
            else Segment("constant", int(steps[b] - steps[a]), value=float(values[a]))
            for a, b in pairwise(kept)
        )
    )


def smoothed(schedule: Schedule, window: int, tolerance: float) -> Schedule:
    """Return the means of a schedule over a window as lines; see `Schedule.smoothed`."""
    window = _checks.integer("window", window, low=2)
    tolerance = _checks.finite("tolerance", tolerance, low=0.0, high=1.0)
    if schedule.steps is None:
        raise ValueError("a schedule without end cannot be smoothed: give it one with sliced(0, n)")
    steps = np.arange(schedule.steps + 1)
    sums = np.concatenate([[0.0], np.cumsum(schedule(steps))])
    reach = np.minimum(window // 2, np.minimum(steps, schedule.steps - steps))
    means = (sums[steps + reach + 1] - sums[steps - reach]) / (2 * reach + 1)
    return through(steps, np.maximum(means, 0.0), tolerance * float(np.max(means)))


def _corners(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], tolerance: float) -> list[int]:
    """Return the indices of the points to keep: Ramer, Douglas and Peucker, along y."""
    # Rounding alone must not keep a point that lies on its line.
    tolerance = max(tolerance, 1e-13 * float(np.max(np.abs(y))))
    kept = [0, len(x) - 1]
    waiting = [(0, len(x) - 1)]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        inner = slice(a + 1, b)
        line = y[a] + (y[b] - y[a]) * ((x[inner] - x[a]) / (x[b] - x[a]))
        away = np.abs(y[inner] - line)
        worst = int(np.argmax(away))
        if away[worst] > tolerance:
            middle = a + 1 + worst
            kept.append(middle)
            waiting += [(a, middle), (middle, b)]
    return sorted(kept)

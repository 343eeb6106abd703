"""The guard: tells when a run has gone wrong, from its losses alone."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.training._usual import Floats, Stretch

Action = Literal["stop", "pause", "roll_back"]
Kind = Literal["nan", "inf", "diverged"]

_ACTIONS = ("stop", "pause", "roll_back")


@dataclasses.dataclass(frozen=True)
class Guard:
    """What a run does when its loss is NaN or infinite, or when it diverges.

    A run has *diverged* when for 40 steps its loss stands more than `deviations` of its own usual
    spreads above its usual level, the median of the 200 steps before, and more than the part
    `lost` of what it had gained since the start is lost again. A loss that has gained nothing, or
    that grows, as in adversarial training, has diverged when it leaves everything so far behind.
    All of this is relative to the run's own past: the loss may be near zero or negative, and its
    unit does not matter. In the first 88 steps only NaN and Inf are trouble.

    Parameters
    ----------
    action
        ``"stop"`` ends the run, ``"pause"`` waits for a person, and ``"roll_back"`` goes back to
        the last good snapshot and goes on from there with every learning rate scaled.
    factor
        What a roll-back multiplies the learning rates by; in (0, 1).
    most
        How many times a run is rolled back before it stops, at least 1.
    deviations
        How many spreads above its usual level a loss must stand to have diverged; > 0.
    lost
        The part of its gain that it must have lost; > 0. With 1 it must stand above its start.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> Guard("roll_back", factor=0.25).most
    3
    """

    action: Action = "stop"
    factor: float = 0.5
    most: int = 3
    deviations: float = 10.0
    lost: float = 0.5

    def __post_init__(self) -> None:
        checked = {
            "action": _checks.choice("action", self.action, _ACTIONS),
            "factor": _checks.finite(
                "factor", self.factor, low=0, high=1, low_open=True, high_open=True
            ),
            "most": _checks.integer("most", self.most, low=1),
            "deviations": _checks.finite("deviations", self.deviations, low=0, low_open=True),
            "lost": _checks.finite("lost", self.lost, low=0, low_open=True),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def guard_of(value: Any) -> Guard | None:
    """Return what a trainer's argument `guard` means: a `Guard`, its action, or None for none."""
    if value is None or isinstance(value, Guard):
        return value
    if isinstance(value, str):
        return Guard(_checks.choice("guard", value, _ACTIONS))  # type: ignore[arg-type]
    raise TypeError(f"guard must be one of {', '.join(_ACTIONS)}, a Guard or None, got {value!r}")


class Verdict(NamedTuple):
    """What is wrong with a run, and since when."""

    step: int  # whose loss showed it
    kind: Kind
    reason: str
    good_until: int  # the last step border before the trouble began


class Watch:
    """The losses of one run, judged as they come.

    They are taken in blocks that are aligned to the steps of the run, so that the length of the
    chunks in which they come cannot matter, and a watch that is shown the same rows once more,
    after a rewind or a restart from disk, is the same watch. Not for several threads at once.

    Parameters
    ----------
    guard
        What counts as divergence.
    """

    def __init__(self, guard: Guard):
        self._guard = guard
        self._stretches = [self._stretch(0)]

    def look(self, start: int, losses: npt.ArrayLike) -> Verdict | None:
        """Take the losses of the steps from `start` on and say whether something is wrong.

        Rows after the one that shows the trouble are not taken. If the run goes on after it, it is
        judged afresh: what came before is no measure for it any more. Rows that were taken before
        from `start` on are forgotten, and where some are left out the watch begins anew.
        """
        rows = np.asarray(losses, np.float32)
        self.rewound(start)
        stretch = self._stretches[-1]
        if start > stretch.stop:
            # Nothing of a watch that has just begun is worth keeping.
            stretch = self._stretch(start)
            self._stretches = [*(s for s in self._stretches if s.stop > s.first), stretch]
        bad = np.flatnonzero(~np.isfinite(rows))
        count = int(bad[0]) if bad.size else len(rows)
        verdict = self._verdict(stretch, stretch.extend(rows[:count]))
        if verdict is None and bad.size:
            verdict = _not_finite(stretch, float(rows[count]))
        if verdict is not None:
            stretch.cut(verdict.step + 1)
            # What follows a verdict begins with weights that may be spoilt.
            self._stretches.append(self._stretch(verdict.step + 1, verdict.good_until))
        return verdict

    def recall(self, start: int, losses: npt.ArrayLike) -> None:
        """Take losses whatever they are, as those of a run that is read from disk."""
        rows = np.asarray(losses, np.float32)
        while (verdict := self.look(start, rows)) is not None:
            rows, start = rows[verdict.step + 1 - start :], verdict.step + 1

    def rewound(self, step: int) -> None:
        """Forget the rows from `step` on."""
        while len(self._stretches) > 1 and self._stretches[-1].first > step:
            self._stretches.pop()
        if self._stretches[-1].first > step:
            self._stretches = [self._stretch(step)]
        self._stretches[-1].cut(step)

    def accepted(self, step: int) -> None:
        """Judge the rows from `step` on, the next that come, without those before."""
        self._stretches.append(self._stretch(step))

    def signals(self, start: int, count: int) -> dict[str, Floats]:
        """Return the columns ``guard_level`` and ``guard_limit`` of `count` steps from `start` on.

        The usual loss, and the one above which it is trouble; NaN where there is too little to
        tell, and for steps that have not been looked at.
        """
        level, limit = np.full(count, np.nan), np.full(count, np.nan)
        for stretch in self._stretches:
            first, stop = max(start, stretch.first), min(start + count, stretch.stop)
            if first < stop:
                place = slice(first - start, stop - start)
                level[place], limit[place] = stretch.usual(first, stop)
        return {"guard_level": level, "guard_limit": limit}

    def _stretch(self, step: int, good: int | None = None) -> Stretch:
        return Stretch(step, self._guard.deviations, self._guard.lost, good)

    def _verdict(self, stretch: Stretch, block: int | None) -> Verdict | None:
        if block is None:
            return None
        trouble = stretch.trouble(block)
        reason = (
            f"the loss stood near {trouble.now:.4g} from step {trouble.first} to {trouble.last}, "
            f"after {trouble.level:.4g} with a spread of {trouble.spread:.2g}: that is above the "
            f"limit of {trouble.limit:.4g}"
        )
        return Verdict(trouble.last, "diverged", reason, stretch.good_until(block))


def _not_finite(stretch: Stretch, loss: float) -> Verdict:
    kind: Kind = "nan" if np.isnan(loss) else "inf"
    step = stretch.stop
    return Verdict(step, kind, f"the loss was {loss} at step {step}", stretch.good_until(None))

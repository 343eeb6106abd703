"""Early stopping: a run ends when what it watches has not improved for a while."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget import _checks

# A column of the training history is noise from step to step: means of so many steps are watched.
MEAN_STEPS = 100

_VALID = "valid/"


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """End a run when a measure has not improved for so many validation passes.

    Parameters
    ----------
    monitor
        ``"valid/loss"`` or ``"valid/<name>"`` for a measure of the validation passes; ``"loss"``
        or another measure of the history for the means of 100 training steps each, which then
        take the place of the passes.
    patience
        How many passes in a row may bring no improvement, at least 1.
    min_delta
        What counts as one: a change by more than this, >= 0.
    mode
        Whether the measure shall become small, ``"min"``, or large, ``"max"``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> watch = EarlyStopping(patience=2).fresh()
    >>> [watch.look(step, loss) for step, loss in [(10, 0.5), (20, 0.6), (30, 0.5)]]
    [False, False, True]
    """

    monitor: str = "valid/loss"
    patience: int = 10
    min_delta: float = 0.0
    mode: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        if not isinstance(self.monitor, str) or not self.monitor.removeprefix(_VALID):
            raise TypeError(
                f'monitor must be the name of a measure, such as "valid/loss", got {self.monitor!r}'
            )
        checked = {
            "patience": _checks.integer("patience", self.patience, low=1),
            "min_delta": _checks.finite("min_delta", self.min_delta, low=0),
            "mode": _checks.choice("mode", self.mode, ("min", "max")),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def in_validation(self) -> bool:
        """Whether the measure is one of the validation passes."""
        return self.monitor.startswith(_VALID)

    @property
    def column(self) -> str:
        """The measure's name in its table: without ``valid/``."""
        return self.monitor.removeprefix(_VALID)

    def check(self, measures: Iterable[str], valid: Iterable[str]) -> None:
        """Raise a ValueError unless the measure is one of these.

        Parameters
        ----------
        measures
            Those of the training steps.
        valid
            Those of the validation passes, without ``valid/``.
        """
        known = [*(_VALID + name for name in valid), *measures]
        if self.in_validation and not any(name.startswith(_VALID) for name in known):
            raise ValueError(
                f"early_stopping watches {self.monitor}, and the task has no validation data: give "
                'it some, or watch another measure, EarlyStopping(monitor="loss")'
            )
        if self.monitor not in known:
            raise ValueError(
                f"early_stopping must watch one of {', '.join(known)}; got {self.monitor!r}"
                f"{_checks.did_you_mean(self.monitor, known)}"
            )

    def fresh(self) -> Patience:
        """Return one that has seen nothing yet, for one run."""
        return Patience(self)


def early_stopping_of(value: Any) -> EarlyStopping | None:
    """Return what a trainer's argument `early_stopping` means; a number is the patience."""
    if value is None or isinstance(value, EarlyStopping):
        return value
    if isinstance(value, bool | str | Collection):
        raise TypeError(
            f"early_stopping must be a number of passes, an EarlyStopping or None, got {value!r}"
        )
    return EarlyStopping(patience=_checks.integer("early_stopping", value, low=1))


class _Pass(NamedTuple):
    step: int
    value: float


class Patience:
    """What one run's early stopping has seen.

    Attributes
    ----------
    best
        The best value yet and its step, as ``(step, value)``; None before the first.
    waited
        Passes without an improvement since.
    """

    def __init__(self, rule: EarlyStopping):
        self.best: tuple[int, float] | None = None
        self.waited = 0
        self._rule = rule
        self._passes: list[_Pass] = []
        self._rows: list[npt.NDArray[np.float64]] = []  # of the mean that is not complete
        self._stop: int | None = None  # where the rows end

    def look(self, step: int, value: float) -> bool:
        """Take the value of the pass after `step` steps; return whether the run shall end.

        NaN is no improvement.
        """
        self._passes.append(_Pass(step, float(value)))
        self._count(self._passes[-1])
        return self.waited >= self._rule.patience

    def look_at_rows(self, start: int, values: npt.ArrayLike) -> int | None:
        """Take a column of the training steps from `start` on.

        Returns
        -------
        int or None
            The number of steps after which the run shall end; None if it shall go on. Rows after
            that are not taken.
        """
        rows = np.asarray(values, np.float64)
        if self._stop != start:
            self._rows = []  # the first of a run, or some are missing
        self._stop = start
        while len(rows):
            # Means of whole hundreds of the run's steps, however the rows come.
            now, rows = np.split(rows, [MEAN_STEPS - self._stop % MEAN_STEPS])
            self._rows.append(now)
            self._stop += len(now)
            if self._stop % MEAN_STEPS == 0:
                mean = float(np.concatenate(self._rows).mean())
                self._rows = []
                if self.look(self._stop, mean):
                    return self._stop
        return None

    def rewound(self, step: int) -> None:
        """Forget what came after `step` steps."""
        passes = [seen for seen in self._passes if seen.step <= step]
        if self._stop is not None and self._stop > step:
            # What is left of a mean begins again where the run does.
            self._rows, self._stop = [], None
        self.best, self.waited, self._passes = None, 0, passes
        for seen in passes:
            self._count(seen)

    def __str__(self) -> str:
        """Return why the run ends, in words."""
        rule = self._rule
        if self.best is None:
            return f"{rule.monitor} was no number for {self.waited} {_passes(rule, self.waited)}"
        step, value = self.best
        return (
            f"{rule.monitor} has not improved on {value:.4g}, its best at step {step}, for "
            f"{self.waited} {_passes(rule, self.waited)}"
        )

    def _count(self, seen: _Pass) -> None:
        if self._improves(seen.value):
            self.best, self.waited = tuple(seen), 0  # type: ignore[assignment]
        else:
            self.waited += 1

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        change = value - self.best[1]
        return (change if self._rule.mode == "max" else -change) > self._rule.min_delta


def _passes(rule: EarlyStopping, count: int) -> str:
    if not rule.in_validation:
        return f"times {MEAN_STEPS} steps"
    return "validation pass" if count == 1 else "validation passes"

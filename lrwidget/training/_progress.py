"""How far a run is, told in a terminal: a bar where tqdm is installed, else a line now and then.

It is a callback like any other, so that a terminal that takes its time stalls nothing.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, TextIO

from lrwidget.training._callbacks import Rows

_LINE_SECONDS = 5.0
# A line at each twentieth of a run, unless that would be many a second.
_LINE_PARTS = 20
_LEAST_LINE_SECONDS = 1.0


def progress_of(value: Literal["auto"] | bool) -> Progress | None:  # noqa: FBT001
    """Return what a trainer's argument `progress` asks for: a callback, or None for nothing.

    ``"auto"`` shows a run's progress where a person looks on at a terminal, and nothing in a
    notebook, which has a widget for that, or in a log.
    """
    if value == "auto" and isinstance(value, str):
        return Progress() if _is_terminal(sys.stderr) and not _in_kernel() else None
    if isinstance(value, bool):
        return Progress() if value else None
    raise TypeError(f'progress must be "auto", True or False, got {value!r}')


class Progress:
    """The callback that tells how far a run is.

    Parameters
    ----------
    stream
        Where to; default standard error.
    clock
        Seconds of some beginning, for tests.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic):
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._bar: Any = None
        self._told: tuple[float, int] | None = None  # when the last line was written, at which step

    def on_start(self, trainer: Any) -> None:
        """Show that it begins."""
        if _is_terminal(self._stream) and importlib.util.find_spec("tqdm") is not None:
            # Not tqdm.auto: in a kernel that would be a widget, and there is a better one.
            from tqdm import tqdm

            self._bar = tqdm(
                total=trainer.steps,
                initial=trainer.position,
                desc=trainer.name,
                unit="step",
                file=self._stream,
                dynamic_ncols=True,
            )
        else:
            self._told = (self._clock(), trainer.position)

    def on_chunk(self, trainer: Any, rows: Rows) -> None:
        """Show how far it is, if it is time."""
        if self._bar is not None:
            self._move(trainer)
            self._bar.set_postfix_str(", ".join(_measures(rows)), refresh=False)
            self._bar.update(0)
        elif self._is_time(trainer):
            self._tell(trainer, rows)

    def on_end(self, trainer: Any) -> None:
        """Show how it ended."""
        if self._bar is not None:
            self._move(trainer)
            self._bar.set_postfix_str(trainer.state)
            self._bar.close()
            self._bar = None
        else:
            of = "" if trainer.state == "finished" else f" of {trainer.steps}"
            history = trainer.history
            last = {name: history[name][-1:] for name in history.names} if len(history) else {}
            parts = [f"{trainer.state} at step {trainer.position}{of}", *_measures(last)]
            self._write(trainer, parts)

    def _move(self, trainer: Any) -> None:
        # A run's length may change, and its position may go back.
        self._bar.total = trainer.steps
        advance = trainer.position - self._bar.n
        if advance >= 0:
            self._bar.update(advance)
        else:
            self._bar.n = self._bar.last_print_n = trainer.position
            self._bar.refresh()

    def _is_time(self, trainer: Any) -> bool:
        seconds, step = self._told or (-math.inf, 0)
        passed = self._clock() - seconds
        if passed >= _LINE_SECONDS:
            return True
        part = abs(trainer.position - step) * _LINE_PARTS >= trainer.steps
        return part and passed >= _LEAST_LINE_SECONDS

    def _tell(self, trainer: Any, rows: Rows) -> None:
        position, steps = trainer.position, trainer.steps
        parts = [f"step {position} of {steps} ({position / max(steps, 1):.0%})", *_measures(rows)]
        if trainer.steps_per_second is not None:
            parts.append(f"{trainer.steps_per_second:.3g} steps/s")
        if trainer.seconds_left is not None:
            parts.append(f"{_duration(trainer.seconds_left)} left")
        self._write(trainer, parts)
        self._told = (self._clock(), position)

    def _write(self, trainer: Any, parts: list[str]) -> None:
        # In one piece: two runs may share the terminal.
        self._stream.write(f"{trainer.name}: {', '.join(parts)}\n")
        self._stream.flush()


def _measures(rows: Rows) -> list[str]:
    """Return the newest loss and learning rates in words."""
    rates = [name for name in rows if name.replace(".", "/").split("/")[-1] == "learning_rate"]
    # The rates of several groups would fill the line.
    shown = {"loss": "loss", **({rates[0]: "rate"} if len(rates) == 1 else {})}
    return [
        f"{word} {float(rows[name][-1]):.4g}"
        for name, word in shown.items()
        if name in rows and len(rows[name])
    ]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _is_terminal(stream: Any) -> bool:
    # pythonw and some servers have no standard error at all.
    isatty = getattr(stream, "isatty", None)
    return bool(isatty is not None and isatty())


def _in_kernel() -> bool:
    # A kernel must have imported it, so that nothing is imported to find out.
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None

"""The range test: train briefly while the learning rate rises geometrically."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from lrwidget import _checks
from lrwidget.finding._curve import GrowingCurve
from lrwidget.finding._measured import measured
from lrwidget.finding._rules import FloatArray, suggest
from lrwidget.finding._sweep import LRSweep, Stopped
from lrwidget.optimizers import Chain, Link, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lrwidget.optimizers import Hyperparameter
    from lrwidget.training import Task

_FEWEST_STEPS = 10

# Rates reach the compiled step as float32; below its smallest normal number they would be zero.
_LOWEST_RATE = float(np.finfo(np.float32).tiny)
_HIGHEST_RATE = float(np.finfo(np.float32).max)

# Chunks of the sweep, in steps and seconds: short enough that the curve is seen to grow and that
# Stop is felt at once, long enough that handing them out costs nothing.
_FIRST_CHUNK = 5
_LONGEST_CHUNK = 25
_CHUNK_SECONDS = 0.1


class Progress(NamedTuple):
    """The sweep so far, as `on_progress` gets it; every array is the receiver's to keep."""

    learning_rates: FloatArray  # shape (n,)
    losses: FloatArray  # shape (n,)
    smoothed: FloatArray  # shape (n,)


class CancelFlag(Protocol):
    """What `find_lr` asks of `cancel`; a `threading.Event` has it."""

    def is_set(self) -> bool:
        """Return whether the sweep should end."""


def find_lr(
    task: Task,
    chain: Chain | Link,
    *,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.98,
    stop_factor: float | None = 4.0,
    address: str | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    cancel: CancelFlag | None = None,
) -> LRSweep:
    """Run the learning-rate range test.

    Trains a copy of the task's initial state for `steps` steps while the learning rate climbs
    the geometric ladder ``low * (high / low) ** (i / (steps - 1))``, from exactly `low` to exactly
    `high`; every other hyperparameter is what the chain says. Model, optimizer state, randomness
    and data start afresh and are thrown away, so that training afterwards is, bit for bit, what it
    would have been without. (An iterable of batches is asked for passes of its own: one that
    shuffles from a generator of its own moves that generator, as it does for every pass.)

    Parameters
    ----------
    task
        What is trained.
    chain
        The optimizer chain, or its one link; it needs a live learning rate. Links that choose the
        size of the steps themselves are left out; see Notes.
    low, high
        First and last learning rate, ``0 < low < high``.
    steps
        Rungs of the ladder, at least 10.
    smoothing
        Weight of the past in the bias-corrected exponential average of the loss, in [0, 1).
        The default is fastai's and Lightning's. The rules are made for it: in our calibration
        less smoothing made "minimum" and "slide" worse and more scattered.
    stop_factor
        The sweep stops when the smoothed loss exceeds `stop_factor` times the best one, and the
        level at which it began by more than its noise; > 1. None runs to the end of the ladder.
        A NaN or infinite loss stops the sweep at once, always.
    address
        Which hyperparameter climbs; default the chain's learning rate. Groups with a chain of
        their own keep their rates.
    on_progress
        Called with a `Progress` after each chunk of at most 25 steps, on the calling thread.
    cancel
        A `threading.Event` or the like; when set, the sweep ends after the chunk that runs.

    Returns
    -------
    LRSweep

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the chain has no live learning rate.

    Notes
    -----
    Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3; the
    geometric ladder, the smoothing and the stop rule are fastai's ``lr_find``. The compiled step
    is that of `Trainer`: whichever comes second starts without a compile.

    Adaptive links (``stability_guard``, ``reduce_on_plateau``, …), ``mechanize`` and line searches
    scale the steps by what they learn on the way, so that the loss would tell of another rate than
    the ladder's; ``apply_if_finite`` would hide where training diverges. The test trains without
    them, `LRSweep.left_out` names them, and the step is compiled for it alone. All else is in it:
    under ``multi_steps`` only every k-th rung is applied. Optimizers that find the size of the
    steps themselves, such as ``prodigy``, are tested as they are: what is found is a factor of
    theirs, and 1 is their authors' choice.

    Examples
    --------
    >>> sweep = find_lr(task, chain)  # doctest: +SKIP
    >>> sweep.suggestions["valley"]  # doctest: +SKIP
    0.0019
    """
    from lrwidget.training import Task  # JAX, which the rules and a finished sweep do without

    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {type(task).__name__}")
    chain = chain_of(chain)
    low = _checks.finite("low", low, low=_LOWEST_RATE)
    high = _checks.finite("high", high, low=low, low_open=True, high=_HIGHEST_RATE)
    steps = _checks.integer("steps", steps, low=_FEWEST_STEPS)
    smoothing = _checks.finite("smoothing", smoothing, low=0.0, high=1.0, high_open=True)
    if stop_factor is not None:
        stop_factor = _checks.finite("stop_factor", stop_factor, low=1.0, low_open=True)
    if on_progress is not None and not callable(on_progress):
        raise TypeError(f"on_progress must be a function or None, got {on_progress!r}")
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise TypeError(
            f"cancel must have is_set(), as threading.Event, or be None, got {cancel!r}"
        )
    chain, left_out = measured(chain)
    climbing, column = _live_column(chain, address)
    for name, end in (("low", low), ("high", high)):
        climbing.check(name, end)

    ladder = np.geomspace(low, high, steps)
    curve = GrowingCurve(steps=steps, smoothing=smoothing, stop_factor=stop_factor)
    stopped: Stopped = "end"
    spent = 0
    for losses, handed_out in _climb(task, chain, column, ladder):
        spent = handed_out
        verdict = next((stop for loss in losses if (stop := curve.append(loss))), None)
        if on_progress is not None:
            on_progress(Progress(ladder[: len(curve)].copy(), curve.losses, curve.smoothed))
        if verdict is not None:
            stopped = verdict
            break
        if cancel is not None and cancel.is_set() and len(curve) < steps:
            stopped = "cancelled"
            break

    count = len(curve)
    # A NaN is not kept, so the rung at which it came is the next one.
    last = {"nan": count, "diverged": count - 1}.get(stopped)
    suggestions, silent = suggest(ladder[:count], curve.smoothed, steps)
    return LRSweep(
        learning_rates=_read_only(ladder[:count].copy()),
        losses=_read_only(curve.losses),
        smoothed=_read_only(curve.smoothed),
        suggestions=MappingProxyType(suggestions),
        silent=MappingProxyType(silent),
        stopped=stopped,
        diverged_at=None if last is None else float(ladder[last]),
        gradient_steps=spent,
        low=low,
        high=high,
        steps=steps,
        left_out=left_out,
    )


class _Flight(NamedTuple):
    """A chunk that has been handed to the device."""

    out: Any  # what `Runner.run` gives: `read()` waits for it
    steps: int
    launched: float  # seconds of time.perf_counter
    compiled: bool  # then its time says nothing


def _climb(
    task: Task, chain: Chain, column: int, ladder: FloatArray
) -> Iterator[tuple[list[float], int]]:
    """Train up the ladder; yield each chunk's losses, and how many steps were handed out.

    One chunk flies while the one before it is read and shown, so that the device never waits.
    """
    runner, stream = task.runner(chain), task.stream()
    carry = runner.initial()
    longest = min(_LONGEST_CHUNK, runner.max_chunk)
    size = min(max(_FIRST_CHUNK, runner.usual_chunk), longest)
    flying: _Flight | None = None
    handed_out, looked = 0, 0.0
    while flying is not None or handed_out < len(ladder):
        landing, flying = flying, None
        if (steps := min(size, len(ladder) - handed_out)) > 0:
            rows = chain.rows(handed_out, steps)
            rows[:, column] = ladder[handed_out : handed_out + steps]
            chunk = stream.take(steps, len(ladder) - handed_out - steps)
            launched, traces = time.perf_counter(), runner.traces
            carry, out = runner.run(carry, handed_out, rows, chunk)
            flying = _Flight(out, steps, launched, compiled=runner.traces != traces)
            handed_out += steps
        if landing is not None:
            losses = landing.out.read()[:, 0].astype(np.float64).tolist()
            # It could not begin before the one ahead of it was done; what the watcher did
            # meanwhile is not its time.
            seconds = time.perf_counter() - max(landing.launched, looked)
            if not landing.compiled:
                size = int(np.clip(landing.steps * _CHUNK_SECONDS / seconds, 1, longest))
                runner.usual_chunk = max(runner.usual_chunk, size)
            yield losses, handed_out
            looked = time.perf_counter()


def _live_column(chain: Chain, address: str | None) -> tuple[Hyperparameter, int]:
    """Return the climbing hyperparameter and its place in the chain's rows."""
    addresses = chain.addresses()
    if address is None:
        address = chain.rate or "learning_rate"
    try:
        full = chain.resolve(address)
        return chain.hyperparameter(full), addresses.index(full)
    except ValueError as error:
        raise ValueError(
            f"chain must have a live {address} for the range test to raise, "
            f"got {', '.join(addresses) or 'no live hyperparameter'}: {error}"
        ) from error


def _read_only(array: FloatArray) -> FloatArray:
    array.flags.writeable = False
    return array

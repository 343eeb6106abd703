"""The diagnosis of a run: which of its steps to take again, and from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lrwidget.training._batches import Origin
from lrwidget.training._diagnose import Diagnosis, diagnose
from lrwidget.training._runner import Carry

if TYPE_CHECKING:
    from lrwidget.training._batch_sizes import BatchSizes
    from lrwidget.training._forks import Forks
    from lrwidget.training._loop import Loop


class _Stretch(NamedTuple):
    """What led to a loss that is not finite."""

    carry: Carry
    start: int
    stream: Any  # where the training data stood at the start, as they tell it themselves
    rows: npt.NDArray[np.float64]  # of the steps from `start` to the bad one
    sizes: BatchSizes
    valid: dict[int, float]


def diagnose_run(run: Forks) -> Diagnosis:
    """Return what first gave NaN or Inf in a run or what a rewind cut off; see `Forks.diagnose`."""
    loop = run._loop  # noqa: SLF001
    stretch = loop.ask(lambda _: _stretch(loop))
    carry, at, saved = stretch.carry, stretch.start, stretch.stream
    end = at + len(stretch.rows)
    while True:
        span = stretch.sizes.at(at)
        border = min(stretch.sizes.next_change(at) or end, end)
        runner = loop.runner_of(span.size)
        stream = runner.source.stream(at, Origin(span.step, span.epoch), saved)
        rows = stretch.rows[at - stretch.start : border - stretch.start]
        try:
            if border == end:
                return diagnose(run.task, runner, carry, at, rows, stream, stretch.valid)
            while at < border:
                # Of another batch size, and sound: only the way to the stretch that is not.
                count = min(border - at, runner.max_chunk)
                done = len(rows) - (border - at)
                chunk = stream.take(count)
                carry, _ = runner.run(carry, at, rows[done : done + count], chunk)
                at += count
        finally:
            stream.close()
        saved = None


def _stretch(loop: Loop) -> _Stretch:
    found = _newest_bad(loop)
    if found is None:
        raise ValueError("diagnose needs a run with a loss that is NaN or infinite: there is none")
    bad, shared, columns = found
    state = loop.state_before(min(bad, shared))
    edits = loop.edits
    # Of a line that a rewind has cut off the plans are gone, and what was applied is in its rows.
    rows = edits.plans.rows(state.step, bad + 1 - state.step)
    shown = dict(zip(loop.history.keys(), loop.history.names, strict=True))
    for column, address in enumerate(edits.plans.addresses):
        if columns is not None and shared <= bad:
            rows[shared - state.step :, column] = columns[shown[address]][: bad + 1 - shared]
    assert edits.sizes is not None  # noqa: S101  (a task's run knows its batch sizes)
    valid = loop.history.valid.columns()
    losses = valid.get("loss", np.full(len(valid["step"]), np.nan))
    heard = dict(zip(valid["step"].tolist(), losses.tolist(), strict=True))
    return _Stretch(state.carry, state.step, state.stream, rows, edits.sizes, heard)


def _newest_bad(loop: Loop) -> tuple[int, int, Any] | None:
    """Return the newest bad step, how far the run has come that way, and the rows after that."""
    history = loop.history
    bad = np.flatnonzero(~np.isfinite(history.loss))
    if bad.size:
        return int(bad[0]), len(history), None
    for line in reversed(loop.lines):
        bad = np.flatnonzero(~np.isfinite(line.columns["loss"]))
        if bad.size:
            return line.start + int(bad[0]), line.start, line.columns
    return None

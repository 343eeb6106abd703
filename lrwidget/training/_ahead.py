"""Taking steps from a state without touching the run that it is from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lrwidget.training._batches import Origin
from lrwidget.training._edits import Edits
from lrwidget.training._keeper import own_copy
from lrwidget.training._snapshots import Snapshot

if TYPE_CHECKING:
    from lrwidget.training._runner import Runner

# Who looks ahead is seen to do so, and can be stopped, at least this often.
_LONGEST = 256


def ahead(
    runner: Callable[[int], Runner],
    edits: Edits,
    state: Snapshot,
    steps: int,
    stopped: threading.Event,
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield what the steps after `state` report, chunk by chunk, shape (steps, columns).

    Parameters
    ----------
    runner
        Returns the compiled step for a batch size.
    edits
        What is applied.
    state
        Where to begin; stays as it is.
    steps
        How many to take.
    stopped
        Ends it at the next chunk.
    """
    carry, at, end = own_copy(state, "ahead").carry, state.step, state.step + steps
    saved = state.stream
    while at < end and not stopped.is_set():
        assert edits.sizes is not None  # noqa: S101  (a task's run knows its batch sizes)
        span = edits.sizes.at(at)
        border = min(edits.sizes.next_change(at) or end, end)
        step = runner(span.size)
        stream = step.source.stream(at, Origin(span.step, span.epoch), saved)
        try:
            while at < border and not stopped.is_set():
                count = min(border - at, step.max_chunk, _LONGEST)
                chunk = stream.take(count, border - at - count)
                carry, out = step.run(carry, at, edits.plans.rows(at, count), chunk)
                yield out.read()
                at += count
        finally:
            stream.close()
        saved = None

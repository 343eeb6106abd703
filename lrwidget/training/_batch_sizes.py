"""The batch sizes of a run: each from a border between epochs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class BatchSpan(NamedTuple):
    """A stretch of a run with one batch size.

    Attributes
    ----------
    step
        Its first step.
    epoch
        The epoch that begins there.
    size
        Examples in a batch.
    """

    step: int
    epoch: int
    size: int


class BatchSizes:
    """Immutable: what was, is and will be the batch size.

    Parameters
    ----------
    spans
        Ascending, the first at step 0.
    steps_per_epoch
        Returns the steps of an epoch for a batch size; None where that is not known. ValueError
        if the data cannot be taken in such batches.
    """

    def __init__(self, spans: tuple[BatchSpan, ...], steps_per_epoch: Callable[[int], int | None]):
        self.spans = spans
        self._steps_per_epoch = steps_per_epoch

    def at(self, step: int) -> BatchSpan:
        """Return the stretch that a step belongs to."""
        return next(span for span in reversed(self.spans) if span.step <= step)

    def next_change(self, step: int) -> int | None:
        """Return the first step after `step` with another batch size; None if there is none."""
        return next((span.step for span in self.spans if span.step > step), None)

    def changed(self, step: int, size: int) -> BatchSizes:
        """Return these sizes with `size` from the first epoch on that begins at `step` or later.

        Raises
        ------
        ValueError
            If the data cannot be taken in such batches, or its epochs are not known.
        """
        now = self.at(step)
        self._steps_per_epoch(size)  # raises where it is not possible
        length = self._steps_per_epoch(now.size)
        if length is None:
            raise ValueError(
                "the batch size changes at the border of an epoch, and how long an epoch of this "
                "data is, is not known"
            )
        epochs = -(-(step - now.step) // length)
        begins = BatchSpan(now.step + epochs * length, now.epoch + epochs, size)
        kept = tuple(span for span in self.spans if span.step < begins.step)
        if kept and kept[-1].size == size:
            return BatchSizes(kept, self._steps_per_epoch)
        return BatchSizes((*kept, begins), self._steps_per_epoch)

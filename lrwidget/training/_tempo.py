"""How long the next chunk of a run is, and when it may go."""

from __future__ import annotations

import collections
import time

# A chunk aims at this: 20 reports a second, and a pause within 0.1 s.
CHUNK_SECONDS = 0.05

# The rate that is shown is the mean over this time.
_RATE_SECONDS = 2.0

# A first guess from a single step may be far off in either direction.
_FASTEST_GROWTH = 8


class Tempo:
    """The measured speed of a run, and the pace that it is held to.

    Parameters
    ----------
    chunk
        Steps of the first chunk.
    longest
        Steps of the longest chunk that there may be.
    pace
        Most steps a second; None for no limit.

    Attributes
    ----------
    chunk
        Steps that take about 0.05 s, as far as is known.
    pace
        As given, or as set since.
    """

    def __init__(self, chunk: int, longest: int, pace: float | None):
        self.chunk = chunk
        self.pace = pace
        self._longest = longest
        self._due = 0.0
        self._read = 0.0
        self._marks: collections.deque[tuple[float, int]] = collections.deque()

    @property
    def steps_per_second(self) -> float | None:
        """The mean over about two seconds; None before it is known."""
        marks = list(self._marks)  # one operation, so that another thread may append meanwhile
        if len(marks) < 2 or marks[-1][0] == marks[0][0]:
            return None
        return (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])

    @property
    def limit(self) -> int:
        """The most steps that the next chunk may have."""
        if self.pace is None:
            return min(self.chunk, self._longest)
        return min(self.chunk, self._longest, max(1, int(self.pace * CHUNK_SECONDS)))

    @property
    def delay(self) -> float:
        """Seconds until the next chunk may go; 0 or less if it may go now."""
        return 0.0 if self.pace is None else self._due - time.monotonic()

    def set_pace(self, pace: float | None) -> None:
        """Change the pace at once: also of the chunk that is waited for."""
        self.pace = pace
        if pace is not None:
            self._due = min(self._due, time.monotonic() + 1.0 / pace)

    def handed_out(self, began: float, steps: int) -> None:
        """Note that a chunk of `steps` was handed out at `began`."""
        if self.pace is not None:
            self._due = max(self._due, began) + steps / self.pace

    def read(self, began: float | None, steps: int, position: int) -> None:
        """Note that a chunk's reports are there.

        Parameters
        ----------
        began
            When it was handed out; None if its time says nothing, since it compiled.
        steps
            How many it had.
        position
            Steps of the run that are done.
        """
        now = time.monotonic()
        if began is not None:
            # It could not begin before the one ahead of it was done.
            seconds_per_step = (now - max(began, self._read)) / steps
            wanted = CHUNK_SECONDS / max(seconds_per_step, 1e-9)
            wanted = min(max(wanted, self.chunk / 2), self.chunk * _FASTEST_GROWTH, self._longest)
            self.chunk = max(1, round(wanted))
        self._read = now
        if self._marks and position < self._marks[-1][1]:
            # The guard went back: what was taken before says nothing of the steps from there.
            self._marks.clear()
        self._marks.append((now, position))
        while now - self._marks[0][0] > _RATE_SECONDS and len(self._marks) > 2:
            self._marks.popleft()

    def rested(self) -> None:
        """Note that the run goes on after a pause, which counts for nothing."""
        self._marks.clear()
        self._due = 0.0

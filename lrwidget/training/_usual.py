"""What is usual for the losses of a run, and from where on they are not: robust block statistics.

Losses are judged in blocks of eight steps, each by its median, so that a bad batch moves nothing.
What is usual for a block is told by blocks that lie before it and before the four ahead of it: the
five that must all stand above a limit have no part in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BLOCK = 8
# A run has diverged when so many blocks in a row stand above the limit: a spike recovers before.
_IN_A_ROW = 5
# What is usual is told by so many blocks; at the beginning, where a loss falls fast, by those of
# the later half of the run, and no fewer than so many.
_WINDOW = 25
_LEAST = 6
# The start is the highest of so many blocks. Until a run has come down from there by so many
# spreads it has gained nothing, and so there is nothing to be lost.
_START = 4
_GAIN = 3.0
# A loss without any noise may move by this part of itself,
_QUIET = 0.01
# and one that never gained may rise by this part, times the deviations.
_RISE = 0.1
# A block that stands so many spreads above what is usual may be part of the trouble already.
_SUSPECT = 3.0

_NORMAL = 1.4826  # from a median absolute deviation to a standard deviation
_MEDIAN_NOISE = 1.57 / BLOCK**0.5  # from a mean absolute deviation to the deviation of a median

# A single loss spreads so many times as far as the median of a block.
_SINGLE = BLOCK**0.5 / 1.25

_FIRST_CAPACITY = 128


class Trouble(NamedTuple):
    """Five blocks in a row that stand above the limit."""

    first: int  # step
    last: int  # step
    now: float  # the median of the last block
    level: float
    spread: float
    limit: float


class Stretch:
    """Consecutive losses, what is usual in them, and the limit above which they are trouble.

    Parameters
    ----------
    first
        The step of the first loss. Blocks are aligned to step 0: what comes before the first whole
        block counts for nothing.
    deviations, lost
        As in `Guard`.
    good
        The last step border that is known to be good; default `first`.

    Attributes
    ----------
    first, stop
        The losses of the steps from `first` to before `stop` are known.
    """

    def __init__(self, first: int, deviations: float, lost: float, good: int | None = None):
        self.first = self.stop = first
        self._good = first if good is None else good
        self._origin = -(-first // BLOCK)  # the number of the first whole block
        self._deviations = deviations
        self._lost = lost
        self._losses = _Column(np.float32)
        # Of each block: its median and the noise in it; the lowest and highest median so far.
        self._medians, self._noises, self._lows, self._highs = (_Column() for _ in range(4))
        # Of each block and the one that has begun: what is usual there; the lowest level so far.
        self._levels, self._spreads, self._limits, self._best = (_Column() for _ in range(4))
        self._tell()

    def extend(self, losses: npt.NDArray[np.float32]) -> int | None:
        """Take finite losses; return the first block that is the fifth in a row above the limit."""
        self._losses.extend(losses)
        self.stop += len(losses)
        done = len(self._medians)
        end = max(self.stop // BLOCK - self._origin, 0)
        if end <= done:
            return None
        offset = self._origin * BLOCK - self.first
        rows = self._losses.view()[offset + done * BLOCK : offset + end * BLOCK]
        rows = np.sort(rows.reshape(-1, BLOCK).astype(np.float64), axis=1)
        # The mean of the two in the middle, taken so that it cannot overflow.
        medians = rows[:, BLOCK // 2 - 1] / 2 + rows[:, BLOCK // 2] / 2
        noises = np.abs(rows - medians[:, None]).mean(1) * _MEDIAN_NOISE
        self._medians.extend(medians)
        self._noises.extend(noises)
        self._lows.extend_by(np.minimum, medians)
        self._highs.extend_by(np.maximum, medians)
        self._tell()
        return self._fifth_above(max(done, _IN_A_ROW - 1), end)

    def cut(self, stop: int) -> None:
        """Forget the losses from step `stop` on."""
        if stop >= self.stop:
            return
        self.stop = stop
        self._losses.cut(stop - self.first)
        blocks = max(stop // BLOCK - self._origin, 0)
        for column in (self._medians, self._noises, self._lows, self._highs):
            column.cut(blocks)
        for column in (self._levels, self._spreads, self._limits, self._best):
            column.cut(blocks + 1)

    def usual(self, first: int, stop: int) -> tuple[Floats, Floats]:
        """Return the level and the limit of each step; NaN where they cannot be told."""
        blocks = np.arange(first, stop) // BLOCK - self._origin
        known = blocks >= 0
        level, limit = np.full(len(blocks), np.nan), np.full(len(blocks), np.nan)
        level[known] = self._levels.view()[blocks[known]]
        limit[known] = self._limits.view()[blocks[known]]
        return level, limit

    def trouble(self, block: int) -> Trouble:
        """Return what a block is that `extend` returned."""
        last = (self._origin + block + 1) * BLOCK - 1
        columns = (self._medians, self._levels, self._spreads, self._limits)
        figures = (float(column.view()[block]) for column in columns)
        return Trouble(last + 1 - _IN_A_ROW * BLOCK, last, *figures)

    def good_until(self, block: int | None) -> int:
        """Return the last step border before the trouble began that shows in `block`.

        None stands for the step after the last. The loss of a step tells of the weights before
        it: thus the border that begins a usual block is good, and the one that ends it need not be.
        """
        place = len(self._medians) if block is None else block
        level, spread = self._levels.view()[place], self._spreads.view()[place]
        medians = self._medians.view()
        while place > 0:
            place -= 1
            if medians[place] <= level + _SUSPECT * spread:
                border = (self._origin + place) * BLOCK
                end = self.stop if block is None else self.trouble(block).first + BLOCK
                return self._sound_until(border, end, level, spread)
        return self._good

    def _sound_until(self, border: int, end: int, level: float, spread: float) -> int:
        """Return the last border from `border` on before which all single losses are usual.

        A trouble that begins in the middle of a block, with an edit perhaps, thus leaves the
        snapshot from just before it good.
        """
        # No further than into the block that is not usual as a whole.
        end = min(end, border + 2 * BLOCK)
        losses = self._losses.view()[border - self.first : end - self.first]
        sound = losses <= level + _SUSPECT * spread * _SINGLE
        unsound = np.flatnonzero(~sound)
        count = int(unsound[0]) if unsound.size else len(losses)
        return border + max(count - 1, 0)

    def _fifth_above(self, first: int, end: int) -> int | None:
        if first >= end:
            return None
        medians = self._medians.view()
        lowest = np.minimum.reduce(
            [medians[first - back : end - back] for back in range(_IN_A_ROW)]
        )
        # A limit that is not known yet is NaN, which nothing is above.
        above = np.flatnonzero(lowest > self._limits.view()[first:end])
        return first + int(above[0]) if above.size else None

    # ---- what is usual --------------------------------------------------------------------------

    def _tell(self) -> None:
        """Tell what is usual up to the block that has begun."""
        end = len(self._medians) + 1
        while (block := len(self._levels)) < end:
            # Block k is told by those before k - 4.
            before = block - _IN_A_ROW + 1
            if before < _LEAST:
                self._note(*(np.array([np.nan]),) * 3)
                self._best.extend(np.array([np.inf]))
                continue
            window = min(max(before // 2, _LEAST), _WINDOW)
            stop = before + 1 if window < _WINDOW else end - _IN_A_ROW + 1
            self._tell_of(np.arange(before, stop), window)

    def _tell_of(self, stops: npt.NDArray[np.int64], window: int) -> None:
        """Tell what is usual for blocks that are judged by the `window` ones before `stops`."""
        first = int(stops[0]) - window
        places = np.arange(first, int(stops[-1]))
        medians = np.lib.stride_tricks.sliding_window_view(self._medians.view()[places], window)
        noises = np.lib.stride_tricks.sliding_window_view(self._noises.view()[places], window)
        level = _median(medians)
        deviation = _NORMAL * _median(np.abs(medians - level[:, None]))
        spread = np.hypot(deviation, _median(noises))
        spread = np.maximum(spread, _QUIET * np.abs(level))
        self._best.extend_by(np.minimum, level)
        best = self._best.view()[-len(stops) :]

        low, high = self._lows.view(), self._highs.view()
        start = high[_START - 1]
        usual = level + self._deviations * spread
        lost = low[stops - 1] + self._lost * (high[stops - 1] - low[stops - 1])
        # Beyond everything in the first half of the run, measured by the range of that half: no
        # steady growth comes so far, and an exponential one does, however slow it is.
        low, high = low[stops // 2 - 1], high[stops // 2 - 1]
        range_ = high - low + _RISE * np.maximum(np.abs(high), np.abs(low))
        risen = high + self._deviations * range_
        gained = start - best >= _GAIN * spread
        limit = np.where(gained, np.minimum(np.maximum(usual, lost), risen), risen)
        self._note(level, spread, limit)

    def _note(self, level: Floats, spread: Floats, limit: Floats) -> None:
        self._levels.extend(level)
        self._spreads.extend(spread)
        self._limits.extend(limit)


def _median(rows: Floats) -> Floats:
    """Return the medians of rows, the upper one of an even number."""
    middle = rows.shape[1] // 2
    median: Floats = np.partition(rows, middle, axis=1)[:, middle]
    return median


class _Column:
    """Numbers that grow at the end and are cut off there."""

    def __init__(self, dtype: npt.DTypeLike = np.float64):
        self._values: npt.NDArray[Any] = np.empty(_FIRST_CAPACITY, dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def view(self) -> npt.NDArray[Any]:
        return self._values[: self._length]

    def extend(self, values: npt.NDArray[Any]) -> None:
        end = self._length + len(values)
        if end > len(self._values):
            grown = np.empty(max(end, 2 * len(self._values)), self._values.dtype)
            grown[: self._length] = self.view()
            self._values = grown
        self._values[self._length : end] = values
        self._length = end

    def extend_by(self, function: np.ufunc, values: npt.NDArray[Any]) -> None:
        """Extend by the running `function`, the minimum or maximum of all values so far."""
        running = function.accumulate(values)
        self.extend(function(running, self.view()[-1]) if self._length else running)

    def cut(self, length: int) -> None:
        self._length = min(self._length, length)

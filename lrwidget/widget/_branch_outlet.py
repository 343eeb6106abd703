"""The lines beside a run on their way to the browser: thinned, packed, and rarely."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrwidget.optimizers._addresses import shortened
from lrwidget.widget import _columns
from lrwidget.widget._branches import Line
from lrwidget.widget._stream import Table

if TYPE_CHECKING:
    from lrwidget.widget._run_feed import RunFeed

_POINTS = 400
_SECONDS = 0.5

NO_BRANCHES: dict[str, Any] = {"seq": 0, "run": 0, "address": None, "lines": []}


class BranchOutlet:
    """Writes the ``_branches`` trait when a line has grown, at most twice a second.

    Parameters
    ----------
    feed
        Returns the run that is shown, or None.
    write
        Writes the trait for the browser.
    """

    def __init__(
        self, feed: Callable[[], RunFeed | None], write: Callable[[dict[str, Any]], None]
    ) -> None:
        self._feed = feed
        self._write = write
        self._seq = 0
        self._sent: object = None
        self._at = -math.inf
        self._thinned: dict[object, _Thinned] = {}

    def due(self, now: float) -> float:
        """Return when the lines should go; inf if the browser has them."""
        return math.inf if self._state() == self._sent else max(now, self._at + _SECONDS)

    def send(self, now: float) -> None:
        """Write the lines."""
        feed, self._sent, self._at = self._feed(), self._state(), now
        self._seq += 1
        if feed is None:
            self._write({**NO_BRANCHES, "seq": self._seq})
            return
        head = {"seq": self._seq, "run": feed.number, "address": feed.address}
        self._write({**head, "lines": list(self._nodes(feed))})

    def _state(self) -> object:
        feed = self._feed()
        if feed is None:
            return None
        lines = feed.branches.lines(feed.trainer)
        if not lines and self._sent is None:
            return None
        return feed.number, feed.address, [line.state for line in lines]

    def _nodes(self, feed: RunFeed) -> Iterator[dict[str, Any]]:
        known, self._thinned = self._thinned, {}
        for line in feed.branches.lines(feed.trainer):
            key = (feed.number, feed.address, *line.key)
            thinned = self._thinned[key] = known.get(key) or _Thinned(line, feed)
            yield {
                "id": line.id,
                "kind": line.kind,
                "name": line.name,
                "step": line.step,
                "columns": _columns.encode(thinned.rows(line.source)),
            }


class _Thinned:
    """A line as it is drawn: each row is looked at once, however long the line grows."""

    def __init__(self, line: Line, feed: RunFeed) -> None:
        self._table = Table("step")
        self._shown: dict[str, NDArray[Any]] = {}
        self._names = {name: name for name in ("step", *feed.measures)}
        if feed.address is not None:
            short = shortened(feed.trainer.addresses)[feed.address]
            # By its full address in a dictionary of columns; by its short name in a history.
            self._names |= {feed.address: "rate", short: "rate"}
        self._taken = 0
        if line.kind == "fork":
            # Its history begins with that of the run: the plots have that already.
            steps = line.source.columns()["step"]
            self._taken = int(np.searchsorted(steps, line.step))

    def rows(self, source: Any) -> dict[str, NDArray[Any]]:
        """Return the line's rows, thinned."""
        if isinstance(source, dict):
            new = {name: column[self._taken :] for name, column in source.items()}
        else:
            new = source.columns(self._taken)
        if count := _columns.length(new):
            self._taken += count
            self._table.append({self._names[n]: c for n, c in new.items() if n in self._names})
            self._shown = self._table.rows(_POINTS)
        return self._shown

"""Reading an iterable of batches, pass after pass, from any place on."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lrwidget import _checks
from lrwidget.training._batches import short
from lrwidget.training._stacks import Leaves

if TYPE_CHECKING:
    from lrwidget.training._pass_source import PassSource


class Pass:
    """One pass: the leaves of its batches, which have the form of the source's first batch.

    Parameters
    ----------
    source
        What is read.
    epoch
        The number of the pass.
    """

    def __init__(self, source: PassSource, epoch: int):
        self.place = 0  # batches so far
        self._source = source
        self._iterator = source.begin(epoch)

    def read(self) -> Leaves | None:
        """Return the next batch, or None at the end; ValueError if it has another form."""
        batch = next(self._iterator, self)
        if batch is self:
            if self.place == 0:
                raise self._source.empty()
            return None
        leaves = self._source.leaves(batch, self.place)
        if leaves is None:
            # It is smaller, which only the last one may be: it is dropped.
            if next(self._iterator, self) is not self:
                raise self._source.ragged(batch, self.place)
            return None
        self.place += 1
        return leaves

    def state(self) -> Any:
        """Return what the iterator says of itself, as JSON data; None if it does not."""
        get_state = getattr(self._iterator, "get_state", None)
        if get_state is None or not hasattr(self._iterator, "set_state"):
            return None
        return _encoded(get_state())

    def restore(self, place: int, state: Any) -> None:
        """Go to where the iterator said `state`, after `place` batches."""
        set_state = getattr(self._iterator, "set_state", None)
        if set_state is None:
            raise ValueError(
                f"{self._source.name} must give iterators with get_state and set_state, as it did "
                f"when the run was saved, got {short(self._iterator)}"
            )
        set_state(_decoded(state))
        self.place = place


class Passes:
    """The batches of a source, pass after pass.

    Parameters
    ----------
    source
        What is read.
    epoch
        The number of the first pass.
    skip
        How many of the batches to pass over.
    saved
        Where to begin instead: what `StackStream.state` said.
    """

    def __init__(self, source: PassSource, epoch: int, skip: int, saved: dict[str, Any] | None):
        self._source = source
        self._epoch = epoch
        self._pass: Pass | None = None
        if saved is not None:
            self._epoch, skip = saved["epoch"], saved["skip"]
            if saved["iterator"] is None:
                skip += saved["place"]
            else:
                self._pass = Pass(source, self._epoch)
                self._pass.restore(saved["place"], saved["iterator"])
        self._pass_over(skip)

    def read(self) -> Leaves:
        """Return the next batch."""
        while True:
            if self._pass is None:
                self._pass = Pass(self._source, self._epoch)
            leaves = self._pass.read()
            if leaves is not None:
                return leaves
            self._source.counted(self._epoch, self._pass.place)
            self._epoch, self._pass = self._epoch + 1, None

    def state(self) -> dict[str, Any] | None:
        """Return where it stands as JSON data; None if the iterators do not tell."""
        if self._pass is None:
            return None
        iterator = self._pass.state()
        if iterator is None:
            return None
        return {"epoch": self._epoch, "place": self._pass.place, "iterator": iterator}

    def _pass_over(self, batches: int) -> None:
        # Whole passes without reading them, where it is known how long they are.
        while self._pass is None and batches:
            length = self._source.length(self._epoch)
            if length is None or length > batches:
                break
            self._epoch, batches = self._epoch + 1, batches - length
        for _ in range(batches):
            self.read()


def checked_state(name: str, saved: Any) -> dict[str, Any] | None:
    """Return what `StackStream.state` said, or raise a ValueError if it cannot have been that."""
    if saved is None:
        return None
    keys = ("epoch", "place", "skip")
    if not isinstance(saved, Mapping) or not {*keys, "iterator"} <= saved.keys():
        raise ValueError(
            f"saved must be what the stream of {name} said of its state, got {short(saved)}"
        )
    numbers = {key: _checks.integer(f"saved[{key!r}]", saved[key], low=0) for key in keys}
    return {**numbers, "iterator": saved["iterator"]}


def _encoded(state: Any) -> Any:
    # Some iterators tell their state as bytes (grain's DataLoader), others as a dictionary.
    # It is written out at once: the iterator may go on changing what it gave.
    if isinstance(state, bytes | bytearray):
        return {"bytes": base64.b64encode(state).decode("ascii")}
    try:
        return {"json": json.dumps(state, allow_nan=False, default=_plain)}
    except (TypeError, ValueError):
        return None  # the stream finds its place by counting


def _decoded(state: Any) -> Any:
    try:
        if "bytes" in state:
            return base64.b64decode(state["bytes"], validate=True)
        return json.loads(state["json"])
    except (TypeError, ValueError, KeyError):
        raise ValueError(
            f"saved['iterator'] must be a state as it was saved, got {short(state)}"
        ) from None


def _plain(value: Any) -> Any:
    item = getattr(value, "item", None)  # NumPy's numbers
    if item is None or getattr(value, "shape", None) != ():
        raise TypeError(f"{type(value).__name__} is not JSON")
    return item()

"""A page that is always there: what a widget sends is packed as a kernel does, and dropped."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import comm
from jupyter_client.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable


class SerialisingComm:
    """The kernel's end of the line to one widget.

    Attributes
    ----------
    messages
        How many were sent.
    replied
        The id of each command that was answered -> when that was sent, and what it says.
    """

    kernel = "benchmark"

    def __init__(self, **_: Any) -> None:
        self.comm_id = f"benchmark-{next(_numbers)}"
        self._session = Session(key=b"benchmark")
        self._receive: Callable[[dict[str, Any]], None] = lambda _: None
        self._ids = itertools.count(1)
        self.messages = 0
        self.replied: dict[Any, tuple[float, dict[str, Any]]] = {}

    def on_msg(self, callback: Callable[[dict[str, Any]], None]) -> None:
        self._receive = callback

    def send(self, data: Any, buffers: Any = None, **_: Any) -> None:
        content = {"comm_id": self.comm_id, "data": data}
        self._session.serialize(self._session.msg("comm_msg", content=content))
        for buffer in buffers or ():
            bytes(buffer)
        self.messages += 1
        custom = data.get("content") or {}
        if custom.get("kind") == "reply":
            self.replied[custom["id"]] = (time.perf_counter(), custom)

    def command(self, kind: str, **fields: Any) -> int:
        """Have the widget receive a command, as from a page; return its id."""
        id = next(self._ids)  # noqa: A001  (the messages' own word)
        content = {"id": id, "kind": kind, **fields}
        self._receive(
            {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
        )
        return id

    def close(self, **_: Any) -> None:
        """Nobody listens."""


_numbers = itertools.count(1)


def use() -> None:
    """Give every widget that is made from now on such a page."""
    comm.create_comm = SerialisingComm

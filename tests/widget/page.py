"""A widget's other end: a comm that keeps what is sent, and a page that sends commands."""

from __future__ import annotations

import copy
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from ipywidgets.widgets.widget import _put_buffers

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 120.0


class StubComm:
    """What ipywidgets asks of a comm."""

    kernel = "stub"

    def __init__(self, data: dict[str, Any], **_: Any) -> None:
        self.comm_id = f"comm-{next(_numbers)}"
        self.opened = data
        self.messages: list[tuple[dict[str, Any], list[Any]]] = []
        self.arrived = threading.Condition()
        self.closed = False
        self.receive: Callable[[dict[str, Any]], None] = lambda message: None

    def on_msg(self, callback: Callable[[dict[str, Any]], None]) -> None:
        self.receive = callback

    def send(self, data: dict[str, Any], buffers: list[Any] | None = None, **_: Any) -> None:
        with self.arrived:
            # As it is now, not as it may be changed later.
            data, buffers = copy.deepcopy(data), list(buffers or [])
            if data["method"] == "update":
                _put_buffers(data["state"], data["buffer_paths"], buffers)
            self.messages.append((data, buffers))
            self.arrived.notify_all()

    def close(self) -> None:
        self.closed = True


_numbers = itertools.count()


class Page:
    """A browser's page with one widget on it."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.comm: StubComm = widget.comm
        self._ids = itertools.count(1)

    def unpaced(self) -> Page:
        """Have edits answered as fast as they come; a property test makes hundreds."""
        self.widget._publisher._spacing = 0.0
        return self

    def post(self, content: Any) -> None:
        """Send a custom message and return."""
        data = {"method": "custom", "content": content}
        self.comm.receive({"content": {"data": data}, "buffers": []})

    def write(self, **state: Any) -> None:
        """Write traits, as ``save_changes`` does."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        self.comm.receive({"content": {"data": data}, "buffers": []})

    def command(self, kind: str, **fields: Any) -> str:
        """Send a command and return its id."""
        id = f"{kind}-{next(self._ids)}"  # noqa: A001
        self.post({"id": id, "kind": kind, **fields})
        return id

    def reply(self, id: Any) -> dict[str, Any]:  # noqa: A002
        """Wait for a command's reply."""
        return self.wait(lambda: next((r for r in self.replies() if r["id"] == id), None))

    def ask(self, kind: str, **fields: Any) -> Any:
        """Send a command, and return the value of its reply."""
        reply = self.reply(self.command(kind, **fields))
        assert reply.get("ok"), reply
        return reply["value"]

    def refused(self, kind: str, **fields: Any) -> str:
        """Send a command, and return the error of its reply."""
        reply = self.reply(self.command(kind, **fields))
        assert "ok" not in reply
        return reply["error"]

    def customs(self) -> list[tuple[dict[str, Any], list[Any]]]:
        messages = list(self.comm.messages)
        return [(m["content"], buffers) for m, buffers in messages if m["method"] == "custom"]

    def replies(self) -> list[dict[str, Any]]:
        return [content for content, _ in self.customs() if content["kind"] == "reply"]

    def deltas(self, stream: str = "train") -> list[tuple[dict[str, Any], list[Any]]]:
        return [
            (content, buffers)
            for content, buffers in self.customs()
            if content["kind"] == "delta" and content["stream"] == stream
        ]

    def updates(self, trait: str) -> list[Any]:
        """Return every value of a trait that was sent since the widget was opened."""
        return [
            message["state"][trait]
            for message, _ in list(self.comm.messages)
            if message["method"] == "update" and trait in message["state"]
        ]

    def wait(self, happened: Callable[[], Any]) -> Any:
        """Wait until `happened` returns something true, and return that."""
        end = time.monotonic() + PATIENCE
        with self.comm.arrived:
            while not (found := happened()):
                assert time.monotonic() < end, "nothing of that kind has arrived"
                # Not until a message comes: a run's own numbers may change without one.
                self.comm.arrived.wait(0.1)
        return found

    def wait_for(self, trait: str, key: str, *values: Any) -> dict[str, Any]:
        """Wait until a trait has been sent with one of `values` under `key`."""
        return self.wait(
            lambda: next((v for v in reversed(self.updates(trait)) if v.get(key) in values), None)
        )


def decoded(column: dict[str, Any], data: bytes | None = None) -> np.ndarray:
    """Read a column as the browser does."""
    return np.frombuffer(column["data"] if data is None else data, dtype=column["dtype"])


def decoded_delta(message: dict[str, Any], buffers: list[Any], part: str = "columns") -> Any:
    """Read the columns of a delta as the browser does."""
    heads = [*message["columns"], *message.get("valid", [])]
    names = [head["name"] for head in message[part]]
    at = 0 if part == "columns" else len(message["columns"])
    arrays = [decoded(head, b) for head, b in zip(heads, buffers, strict=True)]
    assert [len(a) for a in arrays] == [head["length"] for head in heads]
    return dict(zip(names, arrays[at : at + len(names)], strict=True))

"""A real kernel of a chosen ipykernel, and the comm messages to and from one widget in it."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime as dt
import itertools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
UNHEARD = 3.0

# What each needs besides what this environment has; each lies in a folder of its own, put first
# on the kernel's path.
RELEASES = {
    "6.31": ["ipykernel==6.31.*", "nest-asyncio"],
    "7.3": ["ipykernel==7.3.*", "nest-asyncio2"],
    "newest": ["ipykernel", "nest-asyncio2"],
}


def overlay(cache: Path, release: str) -> Path:
    """Return the folder with one ipykernel, installed where it is not there yet."""
    year, week, _ = dt.datetime.now(tz=dt.UTC).isocalendar()
    name = f"{release}-{year}-{week}" if release == "newest" else release
    folder = cache / f"{name}-py{sys.version_info.major}{sys.version_info.minor}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch) / "site"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            subprocess.run([*pip, "--target", str(made), *RELEASES[release]], check=True)
            # Half an installation must not pass for one; somebody else's is as good.
            with contextlib.suppress(OSError):
                made.rename(folder)
    return folder


_DUMPS = """
import faulthandler, signal
_stacks = open({path!r}, "w")
if hasattr(signal, "SIGUSR1"):
    faulthandler.register(signal.SIGUSR1, file=_stacks, all_threads=True)
"""


class KernelError(Exception):
    """A cell raised."""


@dataclasses.dataclass
class Cell:
    """What has been heard of a cell so far."""

    printed: list[str] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)
    ended: bool = False


class Session:
    """One kernel, one front end."""

    def __init__(self, client: Any, manager: KernelManager, dump: Path) -> None:
        self.client = client
        self._manager = manager
        self._dump = dump
        self.sockets: list[Any] = []
        self.seen: collections.deque[tuple[Any, ...]] = collections.deque(maxlen=12)
        self.comms: list[dict[str, Any]] = []
        self.comm_id = ""
        self.subshell: str | None = None
        self._ids = itertools.count(1)
        self._cells: dict[str, Cell] = {}

    # ---- cells --------------------------------------------------------------------------------

    def begin(self, code: str) -> str:
        """Send a cell and return its message's id."""
        cell = str(self.client.execute(code, store_history=False))
        self._cells[cell] = Cell()
        return cell

    def finish(self, cell: str) -> str:
        """Wait for a cell's end and return what it printed."""
        heard = self._cells[cell]
        # It may have ended while the reply to a command was waited for.
        if not heard.ended:
            self._read_until(lambda _: heard.ended)
        if heard.errors:
            raise KernelError(heard.errors[0])
        return "".join(heard.printed).strip()

    def run(self, code: str) -> str:
        """Run a cell and return what it printed."""
        return self.finish(self.begin(code))

    def interrupt(self) -> None:
        """Interrupt the kernel, as Kernel → Interrupt does."""
        self._manager.interrupt_kernel()

    # ---- the widget ---------------------------------------------------------------------------

    def command(self, kind: str, **fields: Any) -> str:
        """Send a command, as a page does, and return its id."""
        id = f"{kind}-{next(self._ids)}"  # noqa: A001
        self.post({"id": id, "kind": kind, **fields})
        return id

    def post(self, content: Any) -> None:
        """Send a custom message to the widget."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": self.comm_id, "data": data})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def reply(self, id: Any) -> dict[str, Any]:  # noqa: A002
        """Wait for a command's reply."""
        return self.wait(lambda c: c.get("kind") == "reply" and c.get("id") == id)

    def ask(self, kind: str, **fields: Any) -> Any:
        """Send a command, and return the value of its reply."""
        reply = self.reply(self.command(kind, **fields))
        assert reply.get("ok"), reply
        return reply["value"]

    def customs(self) -> list[dict[str, Any]]:
        return [data["content"] for data in self.comms if data["method"] == "custom"]

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a custom message, and return it."""
        return self._await(lambda: next((c for c in self.customs() if wanted(c)), None))

    def wait_for(self, trait: str, key: str, value: Any) -> dict[str, Any]:
        """Wait until a trait is sent with `value` under `key`, and return it."""
        return self._await(
            lambda: next(
                (
                    data["state"][trait]
                    for data in self.comms
                    if data["method"] == "update" and data["state"].get(trait, {}).get(key) == value
                ),
                None,
            )
        )

    def _await(self, found: Callable[[], Any]) -> Any:
        if (value := found()) is None:
            self._read_until(lambda m: m["msg_type"] == "comm_msg" and found() is not None)
            value = found()
        return value

    def _read_until(self, done: Callable[[dict[str, Any]], bool]) -> None:
        end = time.monotonic() + PATIENCE
        nudge_at = time.monotonic() + UNHEARD
        while (now := time.monotonic()) < end:
            if now >= nudge_at:
                self._nudge()
                nudge_at = now + UNHEARD
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, nudge_at - now))
            except queue.Empty:
                continue
            content = message["content"]
            asked = message["parent_header"].get("msg_type")
            self.seen.append((message["msg_type"], asked, content))
            self._note(message)
            if message["msg_type"] == "comm_msg" and content["comm_id"] == self.comm_id:
                self.comms.append(content["data"])
            if done(message):
                return
        last = "\n".join(map(str, self.seen))
        raise AssertionError(
            f"the kernel has not sent what was waited for. It sent last:\n{last}\n"
            f"and its threads are at:\n{self._stacks()}"
        )

    def _note(self, message: dict[str, Any]) -> None:
        """Keep what a message says of the cell that it belongs to."""
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        if cell is None:
            return
        kind, content = message["msg_type"], message["content"]
        if kind == "stream" and content["name"] == "stdout":
            cell.printed.append(content["text"])
        elif kind == "error":
            cell.errors.append("\n".join(content["traceback"]))
        elif kind == "status" and content["execution_state"] == "idle":
            cell.ended = True

    def _stacks(self) -> str:
        """Return where each thread of the kernel is, asked for past its message loop."""
        if not hasattr(signal, "SIGUSR1"):
            return "unknown"
        written = self._dump.stat().st_size
        self._manager.signal_kernel(signal.SIGUSR1)
        end = time.monotonic() + 5.0
        while time.monotonic() < end and self._dump.stat().st_size <= written:
            time.sleep(0.05)
        return self._dump.read_text(encoding="utf-8")[written:]

    def _nudge(self) -> None:
        """Connect once more, and send a request that means nothing.

        ipykernel 7 now and then leaves a request lying on its shell socket, with a widget or
        without, until somebody connects anew (its issue 1554).
        """
        socket = self._manager.connect_shell()
        self.client.session.send(socket, "kernel_info_request", {})
        self.sockets.append(socket)

    # ---- subshells ----------------------------------------------------------------------------

    def control(self, kind: str, **content: Any) -> dict[str, Any]:
        """Send a control request and return its reply's content."""
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        while True:
            answer = self.client.get_control_msg(timeout=PATIENCE)
            if answer["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(answer["content"])

    @contextlib.contextmanager
    def in_subshell(self) -> Iterator[None]:
        """Send messages with a subshell in the header, as JupyterLab does."""
        self.subshell = self.control("create_subshell_request")["subshell_id"]
        try:
            yield
        finally:
            gone, self.subshell = self.subshell, None
            self.control("delete_subshell_request", subshell_id=gone)


@contextlib.contextmanager
def kernel(site: Path, home: Path) -> Iterator[Session]:
    """Start a kernel whose ipykernel is the one in `site`."""
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="test",
        language="python",
    )
    path = os.pathsep.join([str(site), str(ROOT)])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "IPYTHONDIR": str(home),
        "JAX_PLATFORMS": "cpu",
    }
    manager.start_kernel(env=environment, cwd=str(home))
    client = manager.client()
    client.start_channels()
    session = None
    try:
        client.wait_for_ready(timeout=PATIENCE)
        session = Session(client, manager, home / "stacks.txt")
        session.run(_DUMPS.format(path=str(home / "stacks.txt")))
        yield session
    finally:
        for socket in [] if session is None else session.sockets:
            socket.close(linger=0)
        client.stop_channels()
        manager.shutdown_kernel(now=True)

"""A line to the kernel on which what the page says is held up, as by a slow network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# JavaScript: from now on commands of one kind wait in a row until they are let on.
_HOLD = """(kind) => {
  const send = WebSocket.prototype.send;
  const line = (window.lateLine = { waiting: [], open: false });
  WebSocket.prototype.send = function (data) {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    if (!line.open && text.includes(`"kind":"${kind}"`)) {
      line.waiting.push(() => send.call(this, data));
    } else {
      send.call(this, data);
    }
  };
}"""
_LET_ON = "() => lateLine.waiting.shift()()"
_OPEN = "() => { lateLine.open = true; lateLine.waiting.splice(0).forEach((go) => go()); }"


class LateLine:
    """Holds up the commands of one kind that a page sends.

    Parameters
    ----------
    page
        The page, with a notebook open in it.
    kind
        The kind of command, such as ``"design.set"``.
    """

    def __init__(self, page: Page, kind: str) -> None:
        self._page = page
        page.evaluate(_HOLD, kind)

    def await_commands(self, count: int) -> None:
        """Wait until so many commands are held up."""
        self._page.wait_for_function("(count) => lateLine.waiting.length === count", arg=count)

    def let_on(self) -> None:
        """Let the oldest one go on to the kernel."""
        self._page.evaluate(_LET_ON)

    def open(self) -> None:
        """Let all of them go on, and whatever comes after them."""
        self._page.evaluate(_OPEN)

"""What a page puts into the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# JavaScript: the first text that is there, which is written some time after a click; none if there
# is none in a minute.
_READ = """async () => {
  const end = performance.now() + 60_000;
  let text = "";
  while (text === "" && performance.now() < end) {
    await new Promise(requestAnimationFrame);
    text = await navigator.clipboard.readText();
  }
  return text;
}"""


def empty(page: Page) -> None:
    """Let the page use the clipboard, in which there is nothing."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('')")


def read(page: Page) -> str:
    """Return what has been copied since, and wait for it."""
    text: str = page.evaluate(_READ)
    assert text, "nothing was copied"
    return text

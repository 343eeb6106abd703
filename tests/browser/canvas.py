"""A hand on the canvas: where a step and a value lie on the page, and how to go there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.test_quickstart import hook, values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Locator, Page

    from tests.browser.lab import Notebook

# JavaScript: the labelled ticks of a linear axis, as (its number, its pixel on the page).
TICKS = """(plot) => {
  const { x, y } = plot.getBoundingClientRect();
  const read = (name, at) => [...plot.querySelectorAll(`.lrw-tick-${name}`)]
    .map((e) => [Number(e.textContent.replace(/\\s/g, "")), at(e)]);
  return { x: read("x", (e) => x + Number(e.getAttribute("x"))),
           y: read("y", (e) => y + Number(e.getAttribute("y")) - 4) };
}"""


class Canvas:
    """The canvas of one designer.

    Parameters
    ----------
    page
        The browser's page.
    root
        The widget's root element.
    """

    def __init__(self, page: Page, root: Locator) -> None:
        self.page = page
        self.root = root
        self.plot = root.locator(hook("design-canvas"))
        # It is drawn when its size is known, which is a frame later.
        self.handle(0).wait_for()

    def at(self, step: float, value: float) -> tuple[float, float]:
        """Return where a step and a value lie on the page now."""
        ticks = self.plot.evaluate(TICKS)
        return (_along(ticks["x"], step), _along(ticks["y"], value))

    def handle(self, index: int) -> Locator:
        """Return the handle of a knot, counted from the left."""
        return self.root.locator(hook(f"handle-{index}"))

    def place(self, index: int) -> tuple[float, float]:
        """Return where the handle of a knot is on the page."""
        box = self.handle(index).locator(".lrw-handle-mark").bounding_box()
        assert box is not None
        return (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def drag(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        drop: bool = True,
        steps: int = 8,
    ) -> None:
        """Drag from one place of the page to another; without `drop` the button stays down."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=steps)
        if drop:
            self.page.mouse.up()

    def drag_knot(self, index: int, step: float, value: float, *, drop: bool = True) -> None:
        """Drag a knot to two pixels beside a step and a value."""
        x, y = self.at(step, value)
        self.drag(self.place(index), (x + 2, y + 2), drop=drop)

    def draw(self, points: Iterable[tuple[float, float]]) -> None:
        """Draw from point to point of the page with the button down."""
        [first, *others] = points
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for point in others:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def settle(self) -> None:
        """Wait until Python has answered every edit."""
        expect(self.root.locator(".lrw-code[data-stale]")).to_have_count(0)

    def choose(self, menu: str, item: str) -> None:
        """Open a menu with the mouse and take one of its commands."""
        self.root.locator(hook(menu)).click()
        self.root.locator(hook(item)).click()


def design(notebook: Notebook) -> dict[str, Any]:
    """Return the whole design in the kernel, every track, as plain data."""
    return values(
        notebook,
        "{n: s.to_node() for n, s in {'': designer.schedule, **designer.tracks}.items()}",
    )


def _along(ticks: list[tuple[float, float]], number: float) -> float:
    [(low, start), *_, (high, end)] = ticks
    assert math.isfinite(low)
    assert high > low, ticks
    return start + (end - start) * (number - low) / (high - low)

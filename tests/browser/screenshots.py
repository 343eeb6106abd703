"""Screenshots of the panels for people to look at: ``make screenshots``.

Every state is taken at three widths, in light and in dark, into an ignored folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

from tests.browser import chromium, find_states, train_states
from tests.browser.lab import Notebook, running_lab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

WIDTHS = (480, 700, 1400)
THEMES = ("light", "dark")
VIEWPORT = {"width": 1640, "height": 2300}

NOTEBOOK = """
import lrwidget as lrw

schedule = lrw.schedules.wsd(
    peak_value=3e-3, warmup_steps=100, stable_steps=1500, decay_steps=400, decay="1-sqrt"
)
weight_decay = lrw.schedules.cosine(0.1, decay_steps=2000)
designer = lrw.ScheduleDesigner(
    schedule, tracks={"weight_decay": weight_decay}, steps_per_epoch=200
)
designer
"""


def hook(name: str) -> str:
    return f'[data-lrw="{name}"]'


def canvas(page: Page, root: Locator) -> None:
    page.mouse.move(0, 0)


def selected_knots(page: Page, root: Locator) -> None:
    root.locator(hook("handle-1")).focus()
    page.keyboard.press("Control+a")


def pencil(page: Page, root: Locator) -> None:
    root.locator(hook("tool-pencil")).click()
    box = root.locator(hook("design-canvas")).bounding_box()
    assert box is not None
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
    page.mouse.move(*at(0.3, 0.5))
    page.mouse.down()
    for i in range(20):
        page.mouse.move(*at(0.3 + 0.02 * i, 0.5 - 0.3 * (i % 7) / 7))


def inspector(page: Page, root: Locator) -> None:
    root.locator(hook("segment-0")).click()


def wrong_number(page: Page, root: Locator) -> None:
    field = root.locator(hook("field-peak"))
    field.fill("-3e-3 maybe")
    field.press("Enter")


def second_track(page: Page, root: Locator) -> None:
    root.locator(hook("track")).select_option(index=1)


def repeated(page: Page, root: Locator) -> None:
    root.locator(hook("gallery")).click()
    root.page.locator(hook("preset-noisy")).first.click()
    expect(root.locator(hook("code-proof"))).to_contain_text("equals", timeout=60_000)
    root.locator(hook("segment-0")).click()


def chain(page: Page, root: Locator) -> None:
    """A chain with a track and two groups; one link is open, and one is in a wrong place."""
    press = lambda name: root.locator(hook(name)).click()  # noqa: E731
    press("chain-start")
    for text in ("clip by global", "add decayed"):
        press("chain-add")
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    press("chain-open-0")
    press("chain-open-2")
    press("chain-open-1")
    press("chain-group-add")
    press("chain-group-add")
    root.locator(hook("chain-group-chain-1")).select_option("chain")
    expect(root.locator(hook("code-proof"))).to_contain_text("equals", timeout=60_000)
    page.mouse.move(0, 0)


DESIGN: dict[str, Callable[[Page, Locator], None]] = {
    "canvas": canvas,
    "knots": selected_knots,
    "pencil": pencil,
    "gallery": canvas,
    "export": canvas,
    "inspector": inspector,
    "error": wrong_number,
    "track": second_track,
    "node": repeated,
    "chain": chain,
    "chain-add": chain,
}

# A notebook each, and what is done in its widget.
DESIGNS = {name: (NOTEBOOK, act) for name, act in DESIGN.items()}
STATES = find_states.STATES | DESIGNS | train_states.STATES


# Opened again for each picture: what happens elsewhere in JupyterLab closes a menu.
MENUS = ("gallery", "export", "chain-add")


def main(folder: Path, wanted: list[str]) -> None:
    """Take every state, or those in `wanted`, into `folder`."""
    folder.mkdir(exist_ok=True)
    executable = chromium.find()
    if executable is None:
        raise SystemExit("screenshots need Chromium: python -m tests.browser.chromium --install")
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_lab(Path(scratch)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(chromium.ARGUMENTS)
        )
        page = browser.new_page(viewport=VIEWPORT)
        for state in wanted or STATES:
            source, act = STATES[state]
            notebook = Notebook(page, lab, lab.write(f"{state}.ipynb", source))
            notebook.run_all()
            root = notebook.output(0).locator(".lrw-root")
            root.wait_for()
            if source is NOTEBOOK:
                expect(root.locator(hook("code-proof"))).to_contain_text("equals", timeout=60_000)
            act(page, root)
            if source is not NOTEBOOK:
                page.mouse.move(0, 0)  # from the button that was pressed last
            for theme in THEMES:
                notebook.set_theme(theme)
                for width in WIDTHS:
                    root.evaluate("(e, width) => { e.style.width = `${width}px`; }", width)
                    if state in MENUS and root.locator(":popover-open").count() == 0:
                        root.locator(hook(state)).click()
                    page.wait_for_function("() => new Promise(requestAnimationFrame)")
                    root.evaluate("(e) => e.scrollIntoView()")
                    # A whole page of the output: popovers reach out of the widget.
                    box = root.bounding_box()
                    assert box is not None
                    clip = {
                        "x": box["x"] - 8,
                        "y": max(0, box["y"] - 8),
                        "width": min(width + 16, VIEWPORT["width"] - box["x"]),
                        "height": min(box["height"] + 120, VIEWPORT["height"] - max(0, box["y"])),
                    }
                    page.screenshot(path=folder / f"{state}-{width}-{theme}.png", clip=clip)
                    if state in MENUS:
                        page.keyboard.press("Escape")
            page.goto("about:blank")
            lab.shut_down_kernels()
        browser.close()


if __name__ == "__main__":
    main(Path(".screenshots"), sys.argv[1:])

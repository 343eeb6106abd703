"""The browser, the page and the JupyterLab of the browser tests."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.chromium import ARGUMENTS
from tests.browser.lab import Lab, Notebook, running_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Route, WebSocket

ROOT = Path(__file__).parents[2]
LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1"}
LOCAL_SCHEMES = {"about", "blob", "data"}
VIEWPORT = {"width": 1400, "height": 1000}

# Under load a page and a kernel answer late; to wait for what comes at once costs nothing.
EXPECTED_MS = 30_000
DONE_MS = 90_000
expect.set_options(timeout=EXPECTED_MS)


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An isolated JupyterLab that shows copies of ``notebooks/*.ipynb``."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    with running_lab(tmp_path_factory.mktemp("jupyterlab"), notebooks) as lab:
        yield lab


# Not for the session: while Playwright runs, this thread has an event loop, and a later test's
# `asyncio.run` would be refused.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclasses.dataclass(kw_only=True)
class Witness:
    """What a page did that nobody should see: complaints, and requests that leave the machine."""

    console_errors: list[str] = dataclasses.field(default_factory=list)
    foreign_requests: list[str] = dataclasses.field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on("websocket", self._see_socket)
        page.route("**/*", self._let_through_or_block)

    def _hear(self, message: ConsoleMessage) -> None:
        place = message.location.get("url", "")
        # Every ten seconds JupyterLab asks which kernels there are. Jupyter Server (2.21) fails to
        # say while one of them starts: that one's `last_activity` is still None.
        listing = urlsplit(place).path == "/api/kernels" and "500" in message.text
        if message.type == "error" and not listing:
            self.console_errors.append(f"{message.text} ({place})")

    def _see_socket(self, socket: WebSocket) -> None:
        if not _is_local(socket.url):
            self.foreign_requests.append(socket.url)

    def _let_through_or_block(self, route: Route) -> None:
        if _is_local(route.request.url):
            route.continue_()
        else:
            self.foreign_requests.append(route.request.url)
            route.abort()


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in LOCAL_SCHEMES or parts.hostname in LOCAL_HOSTS


@pytest.fixture
def witness() -> Witness:
    """The page's console errors and foreign requests, as lists; must be empty at a test's end."""
    return Witness()


@pytest.fixture
def page(browser: Browser, witness: Witness) -> Iterator[Page]:
    """An empty page in a profile of its own; it may reach this machine and nothing else."""
    with _watched_page(browser, witness) as page:
        yield page


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Iterator[Page]:
    """A page such as `page`, which all tests of a module share: to open one takes seconds."""
    with _watched_page(browser, Witness()) as page:
        yield page


@contextlib.contextmanager
def _watched_page(browser: Browser, witness: Witness) -> Iterator[Page]:
    context = browser.new_context(viewport=VIEWPORT, service_workers="block")
    context.set_default_timeout(DONE_MS)
    page = context.new_page()
    witness.watch(page)
    yield page
    context.close()
    assert witness.console_errors == []
    assert witness.foreign_requests == []


@pytest.fixture
def open_notebook(page: Page, jupyterlab: Lab) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook by its name: ``open_notebook("quickstart.ipynb", theme="dark")``."""
    yield functools.partial(Notebook, page, jupyterlab)
    page.goto("about:blank")  # a page that is still open complains when its kernel goes
    jupyterlab.shut_down_kernels()


@pytest.fixture
def axe(page: Page) -> Callable[..., list[dict[str, Any]]]:
    """Run axe-core on a part of the page: ``axe(".lrw-root")`` gives its violations."""
    source = (ROOT / "node_modules/axe-core/axe.min.js").read_text()

    def violations(selector: str = ".lrw-root") -> list[dict[str, Any]]:
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(source)
        result = page.evaluate("(selector) => axe.run(selector)", selector)
        return result["violations"]

    return violations

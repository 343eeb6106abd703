"""Every widget here has a stub comm and a small bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import comm
import ipywidgets
import pytest

from lrwidget.widget import _bundle
from tests.widget.page import StubComm

if TYPE_CHECKING:
    from collections.abc import Iterator

BUNDLE = {"widget.js": "export default {};", "widget.css": ".lrw-root {}"}


@pytest.fixture(autouse=True)
def _stub_comm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(comm, "create_comm", lambda **kwargs: StubComm(**kwargs))
    yield
    ipywidgets.Widget.close_all()


@pytest.fixture(autouse=True)
def _small_bundle(
    request: pytest.FixtureRequest, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let widgets open without a build, except in the tests of the bundle itself."""
    if "real_bundle" in request.fixturenames:
        return
    static = tmp_path_factory.mktemp("static")
    for name, text in BUNDLE.items():
        (static / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(_bundle, "STATIC", static)


@pytest.fixture
def real_bundle() -> None:
    """Have the widget open with what ``npm run build`` made."""

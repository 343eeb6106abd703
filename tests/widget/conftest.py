"""Every widget here has a stub comm and a small bundle; the tests of Find share a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import comm
import ipywidgets
import jax.numpy as jnp
import pytest

import lrwidget as lrw
from lrwidget import finding, optimizers
from lrwidget.widget import LRWidget, _bundle
from tests.widget.page import PATIENCE, Page, StubComm
from tests.widget.probing import COSINE, Probing, X, Y, loss_fn

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


@pytest.fixture
def _endless_range_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let range tests wait behind their first points until they are stopped."""
    real = finding.find_lr

    def find_lr(*args: Any, on_progress: Any, cancel: Any, **given: Any) -> Any:
        def tell(so_far: Any) -> None:
            on_progress(so_far)
            assert cancel.wait(PATIENCE)

        return real(*args, on_progress=tell, cancel=cancel, **given)

    monkeypatch.setattr(finding, "find_lr", find_lr)


# ---- for the tests of Find; other modules have their own `task` and `page` ----------------------


@pytest.fixture(scope="module")
def task() -> lrw.Task:
    return lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), batch_size=32)


@pytest.fixture
def page(task: lrw.Task) -> Iterator[Page]:
    """A widget whose run is slow and long, so that there is time for everything."""
    made = Page(LRWidget(task, optimizers.sgd(COSINE), pace=400))
    yield made
    made.widget.close()


@pytest.fixture
def probing(monkeypatch: pytest.MonkeyPatch) -> Probing:
    return Probing(monkeypatch)

"""The built front end: one JavaScript module and one style sheet, handed over as text."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import anywidget
import traitlets

STATIC = pathlib.Path(__file__).resolve().parent.parent / "static"

# With ANYWIDGET_HMR=1 anywidget watches the files and reloads every open view on each build.
HOT_RELOAD = os.environ.get("ANYWIDGET_HMR") == "1" and (STATIC / "widget.js").is_file()

_MISSING = (
    "the widget's front end {path} has not been built. In a clone of lrwidget run "
    "`npm ci && npm run build` (Node.js 20 or newer), or `make`, and create the widget again. "
    "If lrwidget was installed from a wheel, install it again: the wheel is damaged."
)


def bundle_text(name: str) -> str:
    """Return the text of a built file.

    Parameters
    ----------
    name
        ``"widget.js"`` or ``"widget.css"``.

    Raises
    ------
    FileNotFoundError
        If it has not been built; the message says how to.
    """
    path = STATIC / name
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(_MISSING.format(path=path)) from None


class BundledWidget(anywidget.AnyWidget):
    """An anywidget whose front end is lrwidget's own bundle.

    The text is read for each widget and is a trait from the start: given as a path on the class,
    anywidget keeps every instance alive for as long as the class (its issue 929).
    """

    if HOT_RELOAD:
        _esm: Any = STATIC / "widget.js"
        _css: Any = STATIC / "widget.css"
    else:
        _esm = traitlets.Unicode().tag(sync=True)
        _css = traitlets.Unicode().tag(sync=True)

    def __init__(self, **state: Any) -> None:
        if not HOT_RELOAD:
            state |= {"_esm": bundle_text("widget.js"), "_css": bundle_text("widget.css")}
        super().__init__(**state)

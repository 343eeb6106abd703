"""The step of the Python build that makes the front end: `hatch-jupyter-builder` calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_BUNDLE = [_ROOT / "lrwidget/static/widget.js", _ROOT / "lrwidget/static/widget.css"]

_OLDEST_NODE = 20
_CURE = (
    "Installing lrwidget from source needs Node >= {oldest} with npm, to build its front end, and "
    "{found}. Install Node from nodejs.org or from your system's packages and try again, or "
    "install a wheel of lrwidget, which needs neither."
)


class FrontEndBuildError(RuntimeError):
    """The front end could not be built; the message says what is missing and how to mend it."""


def bundle(target_name: str, version: str) -> None:
    """Build ``lrwidget/static`` with npm.

    A source distribution carries its bundle, so a wheel made from it needs no Node. With
    ``HATCH_JUPYTER_BUILDER_SKIP_NPM=1`` nothing is built either: a wheel then takes the bundle
    that is there and fails if there is none, and an editable install does without.

    Parameters
    ----------
    target_name
        ``"wheel"`` or ``"sdist"``; both carry the bundle.
    version
        ``"standard"`` or ``"editable"``; both are served alike.

    Raises
    ------
    FrontEndBuildError
        If Node or npm is missing or too old, or the build fails.
    """
    del target_name, version
    if os.environ.get("HATCH_JUPYTER_BUILDER_SKIP_NPM") == "1" or _in_source_distribution():
        return
    npm = _npm()
    for arguments in (["ci"], ["run", "build"]):
        try:
            subprocess.run([npm, *arguments], cwd=_ROOT, check=True)  # noqa: S603
        except subprocess.CalledProcessError as error:
            command = " ".join(["npm", *arguments])
            raise FrontEndBuildError(
                f"`{command}` failed with exit code {error.returncode}; its output above says why"
            ) from error


def _in_source_distribution() -> bool:
    return (_ROOT / "PKG-INFO").exists() and all(path.exists() for path in _BUNDLE)


def _npm() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = "node" if node is None else "npm"
        raise FrontEndBuildError(_CURE.format(oldest=_OLDEST_NODE, found=f"found no `{missing}`"))
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    number = shown.stdout.strip().removeprefix("v")
    if int(number.split(".")[0]) < _OLDEST_NODE:
        raise FrontEndBuildError(_CURE.format(oldest=_OLDEST_NODE, found=f"found Node {number}"))
    return npm

"""The package as others receive it: its version, its wheel, and what stands in the repository."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUNDLE = {"lrwidget/static/widget.js", "lrwidget/static/widget.css"}


def tracked_files() -> list[Path]:
    """Return the files that are committed, or would be."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def build(
    kind: str, source: Path, out: Path, *, path: str | None = None, npm: bool = False
) -> subprocess.CompletedProcess[str]:
    """Build a ``wheel`` or an ``sdist`` with the tools of this environment."""
    environment = {k: v for k, v in os.environ.items() if k != "HATCH_JUPYTER_BUILDER_SKIP_NPM"}
    if not npm:
        environment["HATCH_JUPYTER_BUILDER_SKIP_NPM"] = "1"
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", out],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the tracked files: no bundle, no node_modules."""
    folder = tmp_path / "checkout"
    for path in tracked_files():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, made with the bundle that `make` has built."""
    missing = [name for name in BUNDLE if not (ROOT / name).exists()]
    if missing:
        pytest.fail(f"{', '.join(missing)} not built: run `make bundle`")
    out = tmp_path_factory.mktemp("dist")
    result = build("sdist", ROOT, out)
    assert result.returncode == 0, result.stderr
    (path,) = out.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the source distribution on a machine without Node."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    result = build("wheel", source, folder / "dist", path="", npm=True)
    assert result.returncode == 0, result.stderr
    (path,) = (folder / "dist").glob("*.whl")
    return path


def test_there_is_one_version():
    version = json.loads((ROOT / "package.json").read_text())["version"]
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert importlib.metadata.version("lrwidget") == version
    assert lock["version"] == lock["packages"][""]["version"] == version


def test_the_source_distribution_carries_what_a_build_needs(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= BUNDLE | {"js/index.js", "js/build.mjs", "package-lock.json", "pyproject.toml"}
    assert not any(name.startswith(("tests/", "node_modules/", ".venv/")) for name in names)


def test_the_wheel_carries_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names >= BUNDLE | {"lrwidget/__init__.py", "lrwidget/py.typed"}
    assert {name.split("/")[0].split("-")[0] for name in names} == {"lrwidget"}


def test_the_wheel_installs_and_opens_its_widget(wheel, tmp_path):
    target = tmp_path / "site"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import lrwidget as lrw\n"
        "assert lrw.__file__.startswith(sys.argv[1]), lrw.__file__\n"
        "assert 'jax' not in sys.modules\n"
        "assert 'export' in lrw.ScheduleDesigner()._esm"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, target],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_a_wheel_without_its_bundle_fails(checkout, tmp_path):
    result = build("wheel", checkout, tmp_path / "dist")
    assert result.returncode != 0
    assert "lrwidget/static/widget.js" in result.stderr


def test_a_build_without_node_says_what_mends_it(checkout, tmp_path):
    result = build("wheel", checkout, tmp_path / "dist", path="", npm=True)
    assert result.returncode != 0
    assert "needs Node >= 20" in result.stderr
    assert "install a wheel of lrwidget" in result.stderr


# Written in halves, so that this file does not name what it looks for.
UNWANTED = {
    "a registry's address": "|".join(
        re.escape(first + second)
        for first, second in [
            ("registry.", "npmjs"),
            ("registry.", "yarnpkg"),
            ("files.", "pythonhosted"),
            ("pypi.", "org"),
            ("deb.", "debian"),
            ("index-", "url"),
            ('"resolved', '":'),
        ]
    ),
    "a path of one machine": r"(?:^|[^\w./-])/(?:" + "work|home|Users|root" + r")/\w",
}


@pytest.mark.parametrize("what", UNWANTED)
def test_no_tracked_file_names(what):
    pattern = re.compile(UNWANTED[what], re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group().strip()}"
        for path in tracked_files()
        if (match := pattern.search(path.read_text(errors="ignore")))
    ]
    assert found == []

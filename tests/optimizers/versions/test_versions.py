"""The whole table with the oldest JAX, Flax and Optax that we ask for, and with the newest.

The oldest are the lower bounds in pyproject.toml. Each set is installed once into pytest's cache
and put before this environment's packages, in a process of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

pytestmark = [pytest.mark.versions, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BOUNDS = dict(
    match.groups()
    for requirement in PROJECT["dependencies"]
    if (match := re.fullmatch(r"(flax|jax|optax)>=([\d.]+)", requirement))
)
RELEASES = {
    # Optax 0.2.6 is the last that imports Chex.
    "oldest": [
        *(f"{name}=={version}" for name, version in BOUNDS.items()),
        f"jaxlib=={BOUNDS['jax']}",
        "absl-py",
        "chex==0.1.92",
        "toolz",
    ],
    "newest": ["flax", "jax", "jaxlib", "optax"],
}

# What Optax 0.2.6 has not yet. At their defaults the arguments are left out.
LACKING = {
    "amsgrad": ["bias_correction_mu", "bias_correction_nu"],
    "multi_steps": ["accumulator_dtype"],
    "muon": ["preconditioning", "adam_learning_rate", "consistent_rms"],
    "scale_by_amsgrad": ["bias_correction_mu", "bias_correction_nu"],
}
MISSING = {"galore", "madgrad", "scale_by_galore", "scale_by_madgrad", "signum"}
FAILING = {
    "scale_by_lion": "a live smooth_beta, which Optax 0.2.6 does not take",
    "scale_by_distance_over_gradients": "Optax 0.2.6 mixes up the arguments of its inner function",
}


def overlay(cache, release):
    """Return the folder with one set of packages, installed where it is not there yet."""
    name = "-".join(RELEASES[release][:3]).replace("==", "-")
    if release == "newest":
        year, week, _ = dt.datetime.now(tz=dt.UTC).isocalendar()
        name = f"newest-{year}-{week}"
    folder = cache / f"{name}-py{sys.version_info.major}{sys.version_info.minor}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch) / "site"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            subprocess.run([*pip, "--target", str(made), *RELEASES[release]], check=True)
            # Half an installation must not pass for one; somebody else's is as good.
            with contextlib.suppress(OSError):
                made.rename(folder)
    return folder


@pytest.fixture(scope="module")
def found(request):
    """What the script found with each set; the two run at the same time."""
    cache = request.config.cache.mkdir("versions")
    running = {release: start(overlay(cache, release)) for release in RELEASES}
    found = {}
    for release, process in running.items():
        out, err = process.communicate()
        assert process.returncode == 0, err
        found[release] = json.loads(out)
    return found


def start(site):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "JAX_PLATFORMS": "cpu",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.optimizers.versions.whole_table"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_oldest_are_the_lower_bounds(found):
    assert found["oldest"]["versions"] == BOUNDS


def test_with_the_oldest_only_what_they_have_not_yet_is_missing(found):
    failed = dict(found["oldest"]["failed"])
    for name in MISSING:
        assert "which the installed optax does not have: install a newer one" in failed.pop(name)
    assert set(failed) == set(FAILING), failed
    assert found["oldest"]["lacking"] == LACKING


def test_with_the_newest_all_of_it_works(found):
    newest = found["newest"]
    assert newest["failed"] == {}
    assert newest["lacking"] == {}
    for name, version in newest["versions"].items():
        assert numbers(version) >= numbers(BOUNDS[name])


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]

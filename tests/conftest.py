"""What every test may ask for."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile

import hypothesis
import pytest

from tests.browser import chromium as chromium_program

# Before anything imports JAX: the tests' figures are those of the CPU backend.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# The name of the folder, for the workers of xdist, which inherit it.
COMPILATIONS = "LRWIDGET_TESTS_COMPILATIONS"


def pytest_configure(config: pytest.Config) -> None:
    from tests import compilations

    if not hasattr(config, "workerinput"):
        os.environ[COMPILATIONS] = tempfile.mkdtemp(prefix="lrwidget-compilations-")
    compilations.share(os.environ[COMPILATIONS])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(COMPILATIONS, ""), ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def _leave_older_objects_alone() -> None:
    """Let the collector look at a module's own objects only.

    A full collection goes through all that JAX and the modules before have left, millions of
    objects, and was a sixth of the suite's time.
    """
    gc.collect()
    gc.freeze()


# The first example compiles, the machine is shared, and a test that fails fails for everyone alike.
hypothesis.settings.register_profile("lrwidget", deadline=None, derandomize=True)
hypothesis.settings.load_profile("lrwidget")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; one that is missing is a failure, never a skip."""
    path = chromium_program.find()
    if path is None:
        pytest.fail(chromium_program.complaint())
    return path

"""What every test may ask for."""

from __future__ import annotations

import os

import hypothesis
import pytest

from tests.browser import chromium as chromium_program

# Before any test module imports JAX: the tests' figures are those of the CPU backend.
os.environ.setdefault("JAX_PLATFORMS", "cpu")


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

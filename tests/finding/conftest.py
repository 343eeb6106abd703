"""A task and a chain that the tests of the finder share; nothing changes them."""

from __future__ import annotations

import pytest

import lrwidget as lrw
from tests.finding.tasks import pytree_task


@pytest.fixture(scope="package")
def task():
    return pytree_task()


@pytest.fixture(scope="package")
def chain():
    return lrw.Chain.of(
        lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.adamw(1e-3, weight_decay=0.1)
    )

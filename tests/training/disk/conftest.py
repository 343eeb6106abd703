"""Savers that other tests have left behind are none of these tests' business."""

from __future__ import annotations

import pytest

from tests.training.disk import saving


@pytest.fixture(autouse=True)
def _older_savers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "older", saving.savers())

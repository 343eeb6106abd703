"""The short form of the soak in ``tests/soak/test_long_run.py``: counts, and no memory."""

from __future__ import annotations

import pytest

from tests.soak.long_run import EVERY, long_run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

STEPS = 60_000


def test_edits_every_thousand_steps_are_followed_at_ten_messages_a_second(
    page, jupyterlab, open_notebook
):
    outcome = long_run(page, jupyterlab, open_notebook, STEPS)
    assert outcome.late.step == STEPS
    assert outcome.edits == [*range(EVERY, STEPS, EVERY)]
    assert outcome.messages > 5
    # A message that a busy machine notes late comes close to the next.
    assert outcome.busiest <= 11
    assert outcome.sustained <= 100
    assert outcome.again["canvas"] <= 3
    assert outcome.again["curve"] <= 3
    assert outcome.drawings > 0

"""A million steps with an edit every thousand, a widget open: nothing grows but the history."""

from __future__ import annotations

import pytest

# Fixtures, by their names.
from tests.browser.conftest import (  # noqa: F401
    browser,
    jupyterlab,
    open_notebook,
    page,
    witness,
)
from tests.soak.long_run import EVERY, long_run

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

STEPS = 1_000_000


def test_a_million_steps_leave_memory_traffic_and_plots_as_they_were(
    page,  # noqa: F811
    jupyterlab,  # noqa: F811
    open_notebook,  # noqa: F811
    capsys,
):
    outcome = long_run(page, jupyterlab, open_notebook, STEPS)
    with capsys.disabled():
        print(f"\nsoak, a long run: {outcome.summary()}")
    assert outcome.late.step == STEPS
    assert outcome.edits == [*range(EVERY, STEPS, EVERY)]
    assert outcome.kernel <= 1.1
    assert outcome.page <= 1.1
    assert outcome.late.threads <= outcome.early.threads
    assert outcome.messages > 50
    # A message that a busy machine notes late comes close to the next.
    assert outcome.busiest <= 11
    assert outcome.sustained <= 100
    assert outcome.again["canvas"] <= 3
    assert outcome.again["curve"] <= 3
    assert 50 < outcome.drawings <= outcome.messages

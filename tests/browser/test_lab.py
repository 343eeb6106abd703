"""The ground that the browser tests stand on: a notebook runs in the tests' own JupyterLab."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.browser


def test_a_notebook_runs_in_this_interpreter(open_notebook, jupyterlab):
    name = jupyterlab.write("sum.ipynb", "1 + 1", "import sys; sys.executable")
    notebook = open_notebook(name)
    notebook.run_all()
    assert notebook.output(0).inner_text().strip() == "2"
    assert notebook.evaluate("sys.executable") == repr(sys.executable)


def test_a_cell_that_raises_fails_the_test(open_notebook, jupyterlab):
    notebook = open_notebook(jupyterlab.write("raises.ipynb", "1 / 0"))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        notebook.run_all()


def test_foreign_requests_are_blocked_and_seen(open_notebook, jupyterlab, page, witness):
    open_notebook(jupyterlab.write("empty.ipynb", ""), theme="dark")
    # The console may tell of it some time after it was refused.
    with page.expect_console_message(lambda heard: "example.org" in heard.location["url"]):
        blocked = page.evaluate("() => fetch('http://example.org/x').catch((error) => `${error}`)")
    assert "Failed to fetch" in blocked
    assert witness.foreign_requests == ["http://example.org/x"]
    assert any("example.org" in text for text in witness.console_errors)
    witness.foreign_requests.clear()
    witness.console_errors.clear()

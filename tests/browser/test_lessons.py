"""The lessons answer the hand that plays with them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_quickstart import hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FIRST_LESSON = 7


def test_a_dragged_schedule_trains_anew_below_itself(page, open_notebook):
    notebook = open_notebook("schedules.ipynb")
    notebook.run_all()
    cell = notebook.cell(FIRST_LESSON)
    root = cell.locator(".lrw-root")
    root.wait_for()
    chart = cell.locator(".jp-OutputArea-output img")
    before = chart.get_attribute("src")
    peak = root.locator(hook("field-peak"))
    peak.fill("0.05")
    peak.press("Enter")
    # A run, a picture by matplotlib, and on a busy machine all that twice as slow.
    expect(chart).not_to_have_attribute("src", before, timeout=120_000)
    # The same run that a script would do gives the number in the title.
    loss = values(notebook, "run(schedules.constant(0.05, STEPS)).valid['loss'][-1].item()")
    assert 0.1 < loss < 0.5
    root.locator(hook("undo")).click()
    expect(chart).to_have_attribute("src", before, timeout=120_000)


MOMENTUM = 9


def test_a_slider_of_momentum_walks_and_trains_anew(page, open_notebook):
    notebook = open_notebook("optimizers.ipynb")
    notebook.run_all()
    # The cells after it train some sixty networks, and a slider has to wait for these.
    values(notebook, "len(results)")
    cell = notebook.cell(MOMENTUM)
    chart = cell.locator(".jp-OutputArea-output img")
    before = chart.get_attribute("src")
    readout = cell.locator(".widget-readout").nth(1)
    readout.click()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    expect(chart).not_to_have_attribute("src", before, timeout=120_000)
    expect(readout).to_have_text("0.50")
    # Half the memory circles less: it is nearer to the floor than at 0.99.
    heights = values(
        notebook,
        "[float(valley(walk(optimizers.sgd(0.1, momentum=m))[-1])) for m in (0.5, 0.99)]",
    )
    assert heights[0] < heights[1]

"""The whole path as a person takes it: JupyterLab, Chromium, the quickstart notebook."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser import clipboard
from tests.browser.gates import SweepGate

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

WIDGET_CELL = 5
SECOND = 1_000


def hook(name):
    return f'[data-lrw="{name}"]'


def values(notebook, expression):
    """Return a JSON-able Python value from the kernel."""
    text = notebook.evaluate(f"__import__('json').dumps({expression})")
    return json.loads(text[1:-1].encode().decode("unicode_escape"))


def drag(page, locator, dx, dy, steps=8):
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=steps)
    page.mouse.up()


@pytest.fixture
def quickstart(page, open_notebook):
    notebook = open_notebook("quickstart.ipynb")
    notebook.run_all()
    root = notebook.output(WIDGET_CELL).locator(".lrw-root")
    root.wait_for()
    return notebook, root


def test_find_design_export_and_train_live(page, quickstart, tmp_path):
    notebook, root = quickstart

    # Find: the curve grows, the rules answer, and one of them is used.
    root.locator(hook("tab-find")).click()
    before = values(notebook, "widget.schedule.peak_value")
    plot = root.locator(hook("find-plot"))
    # A hundred steps of this model take 10 ms, so that they are held up to be looked at.
    gate = SweepGate(notebook)
    root.locator(hook("find-start")).click()
    expect(root.locator(hook("status"))).to_contain_text("finding")
    expect(plot).to_have_attribute("aria-label", re.compile(": 25 points"))
    gate.let_on()
    expect(plot).to_have_attribute("aria-label", re.compile(": 50 points"))
    gate.open()
    expect(plot).to_have_attribute("aria-label", re.compile("100 points.*suggestions"))
    expect(root.locator(hook("find-start"))).to_be_visible(timeout=90 * SECOND)
    use = root.locator(hook("find-use")).first
    assert values(notebook, "widget.sweep.steps") == 100
    use.click()
    expect(root.locator(hook("design-canvas"))).to_be_visible()
    found = values(notebook, "widget.schedule.peak_value")
    assert found != before
    assert any(
        abs(found - s) <= 1e-9 * s
        for s in values(notebook, "list(widget.sweep.suggestions.values())")
    )

    # Design: ten times as long, which leaves anybody the time to pause it ten times; a knot is
    # dragged, the code follows, and its proof shows a figure.
    total = root.locator(hook("field-total"))
    total.fill("4400")
    total.press("Enter")
    expect(root.locator(".lrw-code[data-stale]")).to_have_count(0)
    code = root.locator(hook("code-text"))
    text = code.inner_text()
    drag(page, root.locator(hook("handle-1")), 60, 25)
    expect(code).not_to_have_text(text)
    proof = root.locator(hook("code-proof"))
    expect(proof).to_contain_text(re.compile(r"equals the curve to \d(\.\d)?e-\d+"), timeout=60_000)
    drawn = notebook.evaluate("widget.schedule.peak_value")
    assert float(drawn) < found

    # Export: what is copied runs in a fresh process without lrwidget and gives the drawn curve.
    clipboard.empty(page)
    root.locator(hook("code-copy")).click()
    copied = clipboard.read(page)
    assert copied.strip() == code.inner_text().strip()
    steps = list(range(0, 4400, 70))
    curve = values(
        notebook, f"widget.schedule(__import__('numpy').array({steps}, dtype=float)).tolist()"
    )
    script = tmp_path / "copied.py"
    script.write_text(
        f"{copied}\nimport json, sys\n"
        f"print(json.dumps([float(learning_rate(s)) for s in {steps}]))\n"
        "assert 'lrwidget' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", str(script)], capture_output=True, text=True, check=True
    )
    peak = values(notebook, "widget.schedule.peak_value")
    np.testing.assert_allclose(json.loads(done.stdout), curve, rtol=0, atol=1e-6 * peak)

    # Train: it starts, the loss falls, each of ten pauses is confirmed and holds the run.
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-start")).click()
    status = root.locator(hook("status"))
    expect(status).to_contain_text("training", timeout=60 * SECOND)
    progress = root.locator(hook("progress"))
    for _ in range(10):
        # Some steps on between two pauses: the run is really under way.
        position = progress.get_attribute("aria-valuenow")
        expect(progress).not_to_have_attribute("aria-valuenow", position)
        root.locator(hook("train-pause")).click()
        expect(status).to_contain_text("paused")
        # How soon is measured in benchmarks/answer.py.
        state, position = values(notebook, "[widget.trainer.state, widget.trainer.position]")
        assert state == "paused"
        expect(progress).to_have_attribute("aria-valuenow", str(position))
        root.locator(hook("train-resume")).click()
        expect(status).to_contain_text("training")
    commands = values(notebook, "[e.command for e in widget.trainer.journal]")
    assert commands == ["pause", "resume"] * 10

    # The rest of the curve is dragged in the middle of the run, and the run follows it.
    root.locator(hook("train-pause")).click()
    expect(status).to_contain_text("paused")
    at = values(notebook, "widget.trainer.position")
    assert 0 < at < 4400
    future = root.locator(f'{hook("rate-plot")} [role="slider"]').last
    drag(page, future, 0, -30)
    drawn = float(re.search(r"rate ([\d.e-]+)", future.get_attribute("aria-valuetext"))[1])
    expect(root.locator(hook("journal"))).to_contain_text("learning rate")
    root.locator(hook("train-pace")).select_option(label="max")
    root.locator(hook("train-resume")).click()
    expect(status).to_contain_text("finished", timeout=60 * SECOND)
    loss = values(notebook, "[float(v) for v in widget.trainer.history.loss]")
    assert np.mean(loss[-20:]) < 0.5 * np.mean(loss[:5])
    applied = values(notebook, "[float(v) for v in widget.trainer.history.learning_rate]")
    bent = values(
        notebook, "widget.trainer.plan()(widget.trainer.history.step.astype(float)).tolist()"
    )
    designed = values(
        notebook, "widget.schedule(widget.trainer.history.step.astype(float)).tolist()"
    )
    np.testing.assert_allclose(applied[:at], designed[:at], rtol=0, atol=1e-6 * peak)
    np.testing.assert_allclose(applied[at:], bent[at:], rtol=0, atol=1e-6 * peak)
    assert applied[-1] == pytest.approx(drawn, rel=0.02)
    assert drawn > designed[-1] + 1e-3 * peak

    # Reload: history and controls are back.
    notebook.reload()
    root = notebook.output(WIDGET_CELL).locator(".lrw-root")
    # The page, the kernel's news and the widget, on a machine that may be busy.
    expect(root.locator(hook("status"))).to_contain_text("finished", timeout=60 * SECOND)
    expect(root.locator(hook("train-restart"))).to_be_enabled()
    expect(root.locator(hook("progress"))).to_have_attribute("aria-valuenow", "4400")
    expect(root.locator(hook("loss-value"))).to_contain_text(re.compile(r"\d\.\d"))
    expect(root.locator(hook("journal"))).to_contain_text("learning rate")
    root.locator(hook("tab-design")).click()
    expect(root.locator(hook("code-text"))).to_have_text(copied)

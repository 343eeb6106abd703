"""Without a mouse, and for a screen reader: everything is reached, used, named and legible."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from playwright.sync_api import expect

from tests.browser.test_quickstart import hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SMALL = """
import jax.numpy as jnp, numpy as np
import lrwidget as lrw

x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
task = lrw.Task(
    {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)},
    lambda p, batch: jnp.mean((batch[0] @ p["w"] + p["b"] - batch[1]) ** 2),
    train=(x, 2 * x + 1),
    valid=(x, 2 * x + 1),
    batch_size=8,
)
widget = lrw.LRWidget(
    task,
    lrw.optimizers.sgd(0.1),
    # At this pace it takes seven minutes: no run is over before a key is pressed.
    schedule=lrw.schedules.warmup_cosine(peak_value=0.1, warmup_steps=40, decay_steps=4000),
    pace=10,
)
widget
"""

# What a person can act on, in the order of the page: the elements that Tab must reach. Of tabs and
# other groups that the arrows walk through, Tab reaches one.
CONTROLS = """(root) => [...root.querySelectorAll(
  'button, select, input, summary, [role="slider"], [tabindex="0"]')]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled
                 && (e.tabIndex >= 0
                     || !e.matches('[role="tab"], [role="radio"], [role="toolbar"] *'))
                 && !(e.matches('details:not([open]) *') && !e.matches('summary')))
  .map((e) => e.dataset.lrw || e.getAttribute('aria-label') || e.textContent.trim())"""

FOCUSED = """() => {
  const e = document.activeElement;
  return [Boolean(e.closest('.lrw-root')),
          e.dataset.lrw || e.getAttribute('aria-label') || e.textContent.trim()];
}"""


@pytest.fixture(scope="module")
def small(jupyterlab):
    return jupyterlab.write("small.ipynb", SMALL)


@pytest.fixture
def widget(page, open_notebook, small):
    notebook = open_notebook(small)
    notebook.run_all()
    root = notebook.output(0).locator(".lrw-root")
    root.wait_for()
    return notebook, root


def walk(page, root):
    """Press Tab from the first tab on; return what had the focus on the way."""
    root.get_by_role("tab", selected=True).focus()
    seen = []
    for _ in range(80):
        inside, name = page.evaluate(FOCUSED)
        if not inside:
            return seen
        seen.append(name)
        page.keyboard.press("Tab")
    raise AssertionError(f"the focus never left the widget: {seen}")


def tab_to(page, root, name):
    """Press Tab from the first tab on until the focus is on a control."""
    root.get_by_role("tab", selected=True).focus()
    for _ in range(80):
        inside, focused = page.evaluate(FOCUSED)
        assert inside, f"Tab does not reach {name}"
        if focused == name:
            return root.locator(hook(name))
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {name}")


def test_tab_reaches_every_control_of_every_panel(page, widget):
    _, root = widget
    root.get_by_role("tab", selected=True).focus()
    for tab in ("tab-find", "tab-design", "tab-train"):
        if root.locator(hook(tab)).get_attribute("aria-selected") != "true":
            root.get_by_role("tab", selected=True).focus()
            page.keyboard.press("ArrowRight")
        expect(root.locator(hook(tab))).to_have_attribute("aria-selected", "true")
        expected = root.evaluate(CONTROLS)
        assert len(expected) >= 3
        missing = Counter(expected) - Counter(walk(page, root))
        assert not missing, f"Tab does not reach {missing} of {tab}"


def test_a_schedule_is_designed_by_keyboard_alone(page, widget):
    notebook, root = widget
    root.get_by_role("tab", selected=True).focus()
    page.keyboard.press("ArrowRight")
    expect(root.locator(hook("design-canvas"))).to_be_visible()

    knot = tab_to(page, root, "handle-1")
    before = knot.get_attribute("aria-valuetext")
    assert "step 40" in before
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(knot).not_to_have_attribute("aria-valuetext", before)
    expect(root.locator(hook("undo"))).to_be_enabled()
    expect(root.locator(hook("code-proof"))).to_contain_text("equals", timeout=60_000)
    assert values(notebook, "widget.schedule.peak_value") > 0.1
    assert values(notebook, "widget.schedule.borders[0]") > 40

    tab_to(page, root, "handle-1")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(knot).to_have_attribute("aria-valuetext", before)

    # Enter opens the exact field; a wrong word stays, is marked, and says the rule.
    tab_to(page, root, "handle-1")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("nonsense")
    page.keyboard.press("Enter")
    field = root.locator('input[aria-invalid="true"]')
    expect(field).to_have_value("nonsense")
    described = field.get_attribute("aria-describedby")
    expect(root.locator(f"#{described.split()[-1]}")).not_to_be_empty()
    expect(field).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.05")
    page.keyboard.press("Enter")
    expect(root.locator('input[aria-invalid="true"]')).to_have_count(0)
    expect(knot).to_have_attribute("aria-valuetext", re.compile(r"0\.05|5e-2"))


def test_a_run_is_steered_by_keyboard_alone(page, widget):
    notebook, root = widget
    status = root.locator(hook("status"))
    root.get_by_role("tab", selected=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    tab_to(page, root, "train-start")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("training", timeout=60_000)

    tab_to(page, root, "train-pause")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("paused")
    missing = Counter(root.evaluate(CONTROLS)) - Counter(walk(page, root))
    assert not missing, f"Tab does not reach {missing} of a paused run"
    at = values(notebook, "widget.trainer.position")
    tab_to(page, root, "train-step")
    page.keyboard.press("Enter")
    expect(status).to_contain_text(f"{at + 1}")

    tab_to(page, root, "quick-0.5")
    page.keyboard.press("Enter")
    expect(root.locator(hook("journal"))).to_contain_text("learning rate × 0.5")

    future = root.locator(f'{hook("rate-plot")} [role="slider"]').last
    tab_to(page, root, future.get_attribute("data-lrw"))
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Tab")
    expect(root.locator(hook("journal"))).to_contain_text("curve")

    # Space, anywhere in the panel but in a field or on a button, pauses and resumes.
    root.locator(".lrw-train").focus()
    page.keyboard.press("Space")
    expect(status).to_contain_text("training")
    page.keyboard.press("Space")
    expect(status).to_contain_text("paused")
    pace = tab_to(page, root, "train-pace")
    page.keyboard.type("max")
    expect(pace.locator("option:checked")).to_have_text("max")
    tab_to(page, root, "train-resume")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("finished", timeout=60_000)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, widget, axe, theme):
    notebook, root = widget
    notebook.set_theme(theme)
    root.locator(hook("tab-find")).click()
    root.locator(hook("find-start")).click()
    expect(root.locator(hook("find-use")).first).to_be_enabled(timeout=90_000)
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-pace")).select_option("max")
    root.locator(hook("train-start")).click()
    expect(root.locator(hook("status"))).to_contain_text("finished", timeout=60_000)
    for tab in ("tab-find", "tab-design", "tab-train"):
        root.locator(hook(tab)).click()
        serious = [
            (v["id"], [n["html"] for n in v["nodes"]])
            for v in axe(".lrw-root")
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], f"{tab}, {theme}"

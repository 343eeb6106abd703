"""A rate is found, by mouse and by keyboard: stopped, found again, refused, used, checked again."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.gates import SweepGate
from tests.browser.lab import Notebook
from tests.browser.test_access import CONTROLS, tab_to, walk
from tests.browser.test_quickstart import SECOND, hook, values
from tests.browser.test_train import reached

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

# Under load a page answers late, and a search compiles before it runs.
SOON, FOUND = 30 * SECOND, 90 * SECOND
STEPS, PEAK = 400, 0.003
SWEPT = re.compile(r"[1-9]\d* points")

# JavaScript: a canvas as it is when all that waits for the next frame is painted.
PAINTED = """(canvas) => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => done(canvas.toDataURL())));
})"""

# While the gate is closed nothing new is compiled, and a search waits there on any machine.
MODEL = f"""
import threading

import jax
import jax.numpy as jnp
import numpy as np
import lrwidget as lrw

rng = np.random.default_rng(0)
x = rng.normal(size=(480, 8)).astype(np.float32)
y = x @ np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
y = y + 0.3 * rng.normal(size=y.shape).astype(np.float32)
params = {{"kernel": jnp.zeros((8, 1)), "bias": jnp.zeros(1)}}
gate = threading.Event()
gate.set()


def loss_fn(params, batch):
    gate.wait({FOUND // SECOND})
    x, y = batch
    return jnp.mean((x @ params["kernel"] + params["bias"] - y) ** 2)


def frozen_loss(params, batch):
    return loss_fn(jax.lax.stop_gradient(params), batch)


def task_of(loss_fn):
    valid = (x[400:], y[400:])
    return lrw.Task(params, loss_fn, train=(x[:400], y[:400]), valid=valid, batch_size=16)


curve = lrw.schedules.preset("warmup_cosine", peak_value={PEAK}, steps={STEPS})
chain = lrw.optimizers.sgd(curve)
task = task_of(loss_fn)
"""
# Each test has a widget, and where something must be new to it a task, of its own.
CELLS = {
    "clicked": "lrw.LRWidget(task_of(loss_fn), chain)",
    "typed": "lrw.LRWidget(task, chain)",
    "frozen": "lrw.LRWidget(task_of(frozen_loss), chain)",
    "begun": "lrw.LRWidget(task, chain, pace=10)",
}


@pytest.fixture
def page(shared_page):
    return shared_page


@pytest.fixture(scope="module")
def notebook(shared_page, jupyterlab):
    cells = [f"{name} = {source}\n{name}" for name, source in CELLS.items()]
    notebook = Notebook(shared_page, jupyterlab, jupyterlab.write("find.ipynb", MODEL, *cells))
    notebook.run(0)
    yield notebook
    shared_page.goto("about:blank")  # a page that is still open complains when its kernel goes
    jupyterlab.shut_down_kernels()


def shown(notebook, name):
    """Run the cell of a widget and return the root of what it shows."""
    cell = 1 + list(CELLS).index(name)
    notebook.run(cell)
    root = notebook.output(cell).locator(".lrw-root")
    expect(root.locator(hook("find-start"))).to_be_visible(timeout=SOON)
    return root


def enter(root, **fields):
    for name, text in fields.items():
        root.locator(hook(f"field-{name}")).fill(text)
        root.locator(hook(f"field-{name}")).press("Enter")


def ended(root, state):
    """Wait for the end of a search with an advice, and return the card."""
    card = root.locator(hook("advice"))
    expect(card).to_have_attribute("data-state", state, timeout=FOUND)
    expect(root.locator(hook("find-start"))).to_be_visible(timeout=SOON)
    return card


def all_there(notebook, root, name):
    """Wait until the page has every point of the range test and every short run."""
    points = re.compile(f": {values(notebook, f'len({name}.sweep.losses)')} points")
    expect(root.locator(hook("find-plot"))).to_have_attribute("aria-label", points, timeout=SOON)
    tried = values(notebook, f"len({name}.probe.runs) if {name}.probe else 0")
    expect(root.locator(hook("probe-0"))).to_have_count(min(tried, 1), timeout=SOON)


def designed(notebook, name):
    """Return the designed rates, so many that a curve that was bent is not taken for another."""
    return np.array(values(notebook, f"{name}.schedule(np.arange({STEPS}.0)).tolist()"))


def serious(axe):
    return [v["id"] for v in axe(".lrw-find") if v["impact"] in ("serious", "critical")]


def test_a_rate_is_found_and_used(page, notebook, axe):
    root = shown(notebook, "clicked")
    status, plot = root.locator(hook("status")), root.locator(hook("find-plot"))
    start, stop = root.locator(hook("find-start")), root.locator(hook("find-stop"))
    root.locator(hook("find-settings")).click()

    # What is wrong stands in the field that it is about, which opens and gets the focus.
    wrong = root.locator(hook("field-high")), root.locator(hook("field-steps"))
    enter(root, steps="5", high="1e-9")
    root.locator(hook("find-settings")).click()
    start.click()
    expect(wrong[0]).to_be_focused()
    expect(wrong[0]).to_have_accessible_description("the highest rate must be > 1e-7")
    expect(wrong[1]).to_have_accessible_description(re.compile("steps must be .* 10 to 10"))
    expect(root.locator("[aria-live]")).to_have_text("The highest rate must be > 1e-7")
    assert values(notebook, "clicked.sweep") is None

    # Stopped while the range test runs: what has come until then is kept.
    enter(root, high="10", steps="100", seeds="3")
    expect(root.locator("[aria-invalid]")).to_have_count(0)
    sweeps = SweepGate(notebook)
    start.click()
    expect(status).to_contain_text("finding", timeout=SOON)
    expect(plot).to_have_attribute("aria-label", SWEPT, timeout=FOUND)
    stop.click()
    expect(status).to_have_text("stopping…")
    # The page says that at once, and this when the kernel has heard of it.
    expect(root.locator(".lrw-find")).to_contain_text("Stopping as soon as", timeout=SOON)
    sweeps.open()
    expect(root.locator(".lrw-find")).to_contain_text("Stopped before the end.", timeout=FOUND)
    points = re.search(r"(\d+) points", plot.get_attribute("aria-label"))
    assert 0 < int(points[1]) < 100
    expect(root.locator(hook("advice"))).to_be_hidden()

    # The range test alone, and a rule that is hidden in it.
    root.locator(hook("find-budget-none")).click()
    start.click()
    rules = re.compile(r"points; diverged at .*suggestions: Valley", re.IGNORECASE)
    expect(plot).to_have_attribute("aria-label", rules, timeout=FOUND)
    expect(start).to_be_visible(timeout=SOON)
    expect(root.locator(".lrw-key-band")).to_have_text("range of 3 seeds")
    expect(root.locator(hook("advice"))).to_be_hidden()
    assert values(notebook, "clicked.advice") is None
    box, canvas = root.locator(hook("rule-hide-valley")), plot.locator("canvas")
    all_there(notebook, root, "clicked")
    drawn = canvas.evaluate(PAINTED)
    same = "([canvas, drawn, same]) => (canvas.toDataURL() === drawn) === same"
    for check, as_before in ((box.uncheck, False), (box.check, True), (box.uncheck, False)):
        check()
        page.wait_for_function(same, arg=[canvas.element_handle(), drawn, as_before], timeout=SOON)

    # Stopped among the short runs: the range test stands.
    root.locator(hook("find-budget-quick")).click()
    notebook.evaluate("gate.clear()")
    start.click()
    expect(status).to_contain_text("probes", timeout=FOUND)
    stop.click()
    # Heard at once, although the search can only end when the gate is open.
    expect(stop).to_have_text("Stopping…", timeout=SOON)
    expect(root.locator(".lrw-find")).to_contain_text("Stopping as soon as", timeout=SOON)
    expect(status).to_have_text("stopping…")
    notebook.evaluate("gate.set()")
    expect(ended(root, "stopped")).to_contain_text("Stopped")
    expect(root.locator(".lrw-find")).to_contain_text("The short runs were stopped.")
    expect(plot).to_have_attribute("aria-label", rules)
    expect(root.locator(hook("advice-use"))).to_be_hidden()

    # To the end: a rate, how sure it is, why, and what it cost.
    start.click()
    card = ended(root, "advised")
    all_there(notebook, root, "clicked")
    advice = advised(notebook, "clicked")
    expect(card).to_contain_text(
        re.compile(r"Use [\d.e-]+the best lies between [\d.e-]+ and [\d.e-]+")
    )
    expect(card).to_contain_text(advice["sure"])
    reasons = root.locator(f"{hook('advice-reasons')} li")
    assert reasons.all_inner_texts() == advice["reasons"]
    assert 2 <= len(advice["reasons"]) <= 4
    cost = re.search(r"and ([\d\s]+) for the advice", card.inner_text())
    assert int(re.sub(r"\s", "", cost[1])) == pytest.approx(advice["gradient_steps"], abs=1)
    assert advice["gradient_steps"] <= 400
    expect(plot).to_have_attribute("aria-label", re.compile("safe up to .*; advice "))
    expect(box).not_to_be_checked()
    for theme in ("dark", "light"):
        notebook.set_theme(theme)
        assert serious(axe) == [], theme

    # The rate of a short run, and then the one that is advised: the whole curve follows.
    before = designed(notebook, "clicked")
    root.locator(hook("probe-0")).click()
    handle = root.locator(hook("handle-1"))
    expect(handle).to_be_visible(timeout=SOON)
    rates = values(notebook, "[r.learning_rate for r in clicked.probe.runs]")
    peak = values(notebook, "clicked.schedule.peak_value")
    assert any(peak == pytest.approx(rate, rel=1e-9) for rate in rates)
    root.locator(hook("tab-find")).click()
    root.locator(hook("advice-use")).click()
    expect(root.locator(hook("design-canvas"))).to_be_visible(timeout=SOON)
    after, rate = designed(notebook, "clicked"), advice["learning_rate"]
    np.testing.assert_allclose(after, before * rate / PEAK, rtol=1e-6)
    peak = re.search(r"learning rate ([\d.e-]+)", handle.get_attribute("aria-valuetext"))
    assert float(peak[1]) == pytest.approx(rate, rel=0.01)

    # Another day: the advice is there, and the rule is still hidden.
    notebook.reload()
    root = notebook.output(1).locator(".lrw-root")
    root.locator(hook("tab-find")).click()
    expect(root.locator(hook("advice"))).to_have_attribute("data-state", "advised", timeout=SOON)
    assert root.locator(f"{hook('advice-reasons')} li").all_inner_texts() == advice["reasons"]
    expect(root.locator(hook("rule-hide-valley"))).not_to_be_checked()
    expect(root.locator(hook("rule-hide-minimum"))).to_be_checked()
    expect(root.locator(hook("probe-0"))).to_be_enabled()


def advised(notebook, name):
    """Return what Python has of an advice."""
    names = "learning_rate", "low", "high", "sure", "reasons", "gradient_steps"
    return values(notebook, f"{{n: getattr({name}.advice, n) for n in {names}}}")


def test_a_rate_is_found_and_used_by_keyboard_alone(page, notebook):
    root = shown(notebook, "typed")
    press, plot = page.keyboard.press, root.locator(hook("find-plot"))
    start, stop = root.locator(hook("find-start")), root.locator(hook("find-stop"))

    def enter_by_keyboard(**fields):
        for name, text in fields.items():
            tab_to(page, root, f"field-{name}")
            press("Control+a")
            page.keyboard.type(text)
            press("Enter")

    tab_to(page, root, "find-settings")
    press("Enter")
    enter_by_keyboard(steps="200", seeds="2")
    tab_to(page, root, "find-budget-quick")
    press("ArrowRight")
    expect(root.locator(hook("find-settings"))).to_contain_text("thorough")
    press("ArrowLeft")
    expect(root.locator(hook("find-settings"))).to_contain_text("quick")

    # The button that takes the place of the one that was pressed has the focus.
    sweeps = SweepGate(notebook)
    tab_to(page, root, "find-start")
    press("Enter")
    expect(stop).to_be_focused(timeout=SOON)
    expect(plot).to_have_attribute("aria-label", SWEPT, timeout=FOUND)
    press("Enter")
    expect(stop).to_have_text("Stopping…", timeout=SOON)
    expect(root.locator(".lrw-find")).to_contain_text("Stopping as soon as", timeout=SOON)
    sweeps.open()
    expect(root.locator(".lrw-find")).to_contain_text("Stopped before the end.", timeout=FOUND)
    expect(start).to_be_focused()
    enter_by_keyboard(steps="100", seeds="3")
    tab_to(page, root, "find-start")
    press("Enter")
    ended(root, "advised")
    all_there(notebook, root, "typed")
    expect(start).to_be_focused()
    missing = Counter(root.evaluate(CONTROLS)) - Counter(walk(page, root))
    assert not missing, f"Tab does not reach {missing}"

    box = tab_to(page, root, "rule-hide-valley")
    press("Space")
    expect(box).not_to_be_checked()
    rate = values(notebook, "typed.advice.learning_rate")
    before = designed(notebook, "typed")
    use = tab_to(page, root, "advice-use")
    assert use.get_attribute("aria-label").startswith("Use this: ")
    press("Enter")
    expect(root.locator(hook("design-canvas"))).to_be_visible(timeout=SOON)
    np.testing.assert_allclose(designed(notebook, "typed"), before * rate / PEAK, rtol=1e-6)
    expect(root.locator(hook("tab-design"))).to_be_focused()
    press("ArrowLeft")
    expect(box).not_to_be_checked()


def test_what_cannot_be_advised_is_refused_with_a_reason_and_a_remedy(notebook, axe):
    root = shown(notebook, "frozen")
    root.locator(hook("find-start")).click()
    card = ended(root, "refused")
    all_there(notebook, root, "frozen")
    expect(card).to_contain_text("No advice")
    refusal = root.locator(hook("advice-refused"))
    reason, remedy = values(notebook, "[frozen.advice.refused, frozen.advice.remedy]")
    assert "gradient" in reason
    expect(refusal).to_contain_text(reason, ignore_case=True)
    expect(refusal).to_contain_text(f"What would help: {remedy}")
    expect(refusal).to_have_attribute("role", "status")
    expect(card).to_contain_text(re.compile("Cost: .* for the advice"))
    expect(root.locator(hook("advice-use"))).to_be_hidden()
    assert "advice" not in root.locator(hook("find-plot")).get_attribute("aria-label")
    np.testing.assert_allclose(designed(notebook, "frozen").max(), PEAK)
    assert serious(axe) == []


def test_a_run_is_checked_again_from_where_it_is(page, notebook):
    root = shown(notebook, "begun")
    status, again = root.locator(hook("status")), root.locator(hook("find-again-here"))
    expect(again).to_be_hidden()
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-start")).click()
    reached(root, 30)
    root.locator(hook("train-pause")).click()
    expect(status).to_contain_text("paused", timeout=SOON)
    at = values(notebook, "begun.trainer.position")
    weights = "[begun.trainer.params[n].tolist() for n in ('kernel', 'bias')]"
    before = values(notebook, weights)

    root.locator(hook("tab-find")).click()
    again.click()
    card = ended(root, "advised")
    all_there(notebook, root, "begun")
    expect(card).to_contain_text(f"after {STEPS - at} steps from where the run is")
    assert values(notebook, "begun.trainer.position") == at
    assert values(notebook, weights) == before
    rate = values(notebook, "begun.advice.learning_rate")
    use = root.locator(hook("advice-use"))
    expect(use).to_have_text("Use this from here")
    use.click()
    expect(root.locator(hook("journal"))).to_be_visible(timeout=SOON)

    # The past stays, the rest goes on at the rate that was found, and so does the design.
    root.locator(hook("train-pace")).select_option("max")
    root.locator(hook("train-resume")).click()
    expect(status).to_contain_text("finished", timeout=FOUND)
    applied = np.array(values(notebook, "begun.trainer.history.learning_rate.tolist()"))
    curve = designed(notebook, "begun")
    assert curve.max() == pytest.approx(PEAK)
    np.testing.assert_allclose(applied[:at], curve[:at], atol=1e-6 * PEAK)
    assert applied[at:].max() == pytest.approx(rate, rel=1e-3)

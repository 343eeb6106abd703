"""The optimizer chain as a person builds it: by mouse, and by keyboard alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.test_design_panel import settle
from tests.browser.test_quickstart import hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# What the exported code and the kernel's own chain both do, to be compared: their updates over a
# few steps, for parameters of all kinds.
STEPS = """
def walk(optimizer):
    import jax, jax.numpy as jnp, optax
    params = {
        "body": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)},
        "head": {"kernel": jnp.full((2, 1), 2.0)},
    }
    state = optimizer.init(params)
    for step in range(5):
        grads = jax.tree.map(lambda p: (step + 1) * p, params)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return [float(x) for leaf in jax.tree.leaves(params) for x in leaf.ravel()]
"""
DESIGNER = f"""
import lrwidget as lrw
{STEPS}
designer = lrw.ScheduleDesigner(lrw.schedules.cosine(0.01, decay_steps=100))
designer
"""
WORKBENCH = """
import jax.numpy as jnp, numpy as np
import lrwidget as lrw

x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
task = lrw.Task(
    {"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)},
    lambda p, batch: jnp.mean((batch[0] @ p["kernel"] + p["bias"] - batch[1]) ** 2),
    train=(x, 2 * x + 1),
    batch_size=8,
)
widget = lrw.LRWidget(task, lrw.optimizers.adamw(0.01), steps=200)
widget
"""
FOCUS = "() => document.activeElement.dataset.lrw"
CLIP, ADAMW = "clip_by_global_norm", "adamw"


@pytest.fixture(scope="module")
def notebook_name(jupyterlab):
    return jupyterlab.write("chain.ipynb", DESIGNER)


@pytest.fixture
def designer(open_notebook, notebook_name):
    notebook = open_notebook(notebook_name)
    notebook.run_all()
    root = notebook.output(0).locator(".lrw-root")
    root.wait_for()
    return notebook, root


def links(notebook):
    return values(notebook, "[link.name for link in designer.chain.links]")


def shown(root):
    return root.locator('[data-lrw^="chain-open-"] .lrw-link-label').all_inner_texts()


def centre(locator):
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


class Mouse:
    """A person with a mouse, who types what only can be typed."""

    def __init__(self, page, root):
        self.page, self.root = page, root

    def press(self, name):
        self.root.locator(hook(name)).click()

    def write(self, name, text):
        self.root.locator(hook(name)).fill(text)
        self.page.keyboard.press("Enter")

    def add(self, text, name):
        self.press("chain-add")
        self.page.keyboard.type(text)
        self.root.page.locator(hook(f"chain-pick-{name}")).click()

    def choose(self, name, value):
        self.root.locator(hook(name)).select_option(value)

    def move(self, index, to):
        x, y = centre(self.root.locator(hook(f"chain-handle-{index}")))
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        target = self.root.locator(hook(f"chain-link-{to}")).bounding_box()
        edge = target["x"] + (target["width"] - 4 if to > index else 4)
        self.page.mouse.move(edge, target["y"] + target["height"] - 4 if to > index else 4, steps=4)
        self.page.mouse.move(edge, target["y"] + (target["height"] - 4 if to > index else 4))
        expect(self.root.locator("[data-drop]")).to_have_count(1)
        self.page.mouse.up()


class Keyboard:
    """A person without a mouse: Tab, arrows, Enter, Space and letters."""

    def __init__(self, page, root):
        self.page, self.root = page, root

    def reach(self, name):
        for _ in range(120):
            if self.page.evaluate(FOCUS) == name:
                return
            self.page.keyboard.press("Tab")
            if not self.page.evaluate("() => !!document.activeElement.closest('.lrw-root')"):
                self.root.locator("button, select").first.focus()
        raise AssertionError(f"Tab does not reach {name}")

    def press(self, name):
        self.reach(name)
        self.page.keyboard.press("Space")

    def write(self, name, text):
        self.reach(name)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def add(self, text, name):
        self.press("chain-add")
        assert self.page.evaluate(FOCUS) == "chain-search"
        self.page.keyboard.type(text)
        expect(self.root.locator('[data-lrw^="chain-pick-"]').first).to_have_text(name)
        self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Enter")

    def choose(self, name, value):
        self.reach(name)
        field = self.root.locator(hook(name))
        for key in ("Home", *["ArrowDown"] * 3):
            if field.input_value() == value:
                return
            self.page.keyboard.press(key)
        expect(field).to_have_value(value)

    def move(self, index, to):
        self.reach(f"chain-handle-{index}")
        for _ in range(abs(to - index)):
            self.page.keyboard.press("ArrowRight" if to > index else "ArrowLeft")
        assert self.page.evaluate(FOCUS) == f"chain-handle-{to}"


@pytest.mark.parametrize("person", [Mouse, Keyboard])
def test_clip_and_adamw_with_a_track_and_two_groups(page, designer, axe, tmp_path, person):
    notebook, root = designer
    hand = person(page, root)
    assert notebook.evaluate("designer.chain") == "None"
    hand.press("chain-start")
    settle(root)
    assert links(notebook) == [ADAMW]

    # A link is found by a few letters and goes where it works; it can be moved, and moved back.
    hand.add("clip by global", CLIP)
    settle(root)
    assert shown(root) == links(notebook) == [CLIP, ADAMW]
    assert page.evaluate(FOCUS) == "chain-handle-0"
    hand.move(0, 1)
    settle(root)
    assert shown(root) == links(notebook) == [ADAMW, CLIP]
    hand.move(1, 0)
    settle(root)
    assert shown(root) == links(notebook) == [CLIP, ADAMW]
    hand.write(f"chain-field-{CLIP}.max_norm", "0.5")
    settle(root)
    assert values(notebook, f"designer.chain.value('{CLIP}.max_norm')") == 0.5

    # Weight decay becomes a track, and is bent.
    hand.press("chain-open-1")
    hand.write("chain-field-adamw.weight_decay", "0.02")
    hand.press("chain-track-adamw.weight_decay")
    settle(root)
    expect(root.locator(hook("track"))).to_have_value("adamw.weight_decay")
    assert values(notebook, "designer.tracks['weight_decay'].peak_value") == 0.02
    hand.write("field-value", "0.05")
    settle(root)

    # Two groups: the biases with a smaller rate, the head with a chain of its own.
    hand.press("chain-group-add")
    hand.write("chain-group-name-0", "biases")
    hand.write("chain-group-multiplier-0", "0.25")
    hand.press("chain-group-add")
    hand.write("chain-group-name-1", "head")
    hand.choose("chain-group-by-1", "paths")
    hand.write("chain-group-match-1", "head/*")
    hand.choose("chain-group-chain-1", "chain")
    settle(root)
    hand.press("chain-1-open-0")
    hand.write("chain-field-head/adamw.b1", "0.5")
    settle(root)
    assert root.locator('[aria-invalid="true"]').count() == 0
    groups = values(notebook, "[(g.name, g.multiplier) for g in designer.chain.groups]")
    assert groups == [["biases", 0.25], ["head", None]]

    serious = [v for v in axe() if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in serious] == []

    # What the code pane shows runs alone, and does what the chain does.
    expect(root.locator(hook("code-proof"))).to_contain_text("equals", timeout=60_000)
    script = tmp_path / "chain.py"
    script.write_text(
        f"{root.locator(hook('code-text')).text_content()}\n{STEPS}\n"
        "import json, sys\nprint(json.dumps(walk(optimizer)))\n"
        "assert 'lrwidget' not in sys.modules\n"
    )
    alone = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    expected = values(notebook, "walk(designer.chain.to_optax())")
    np.testing.assert_allclose(json.loads(alone.stdout), expected, rtol=1e-6)

    # Every edit was one step: undone to the end, nothing is left.
    for _ in range(40):
        if root.locator(hook("undo")).get_attribute("aria-disabled"):
            break
        root.locator(hook("undo")).press("Enter")
        settle(root)
    assert notebook.evaluate("designer.chain") == "None"
    expect(root.locator(hook("chain-start"))).to_be_visible()


def test_a_drag_is_taken_back_with_escape(page, designer):
    notebook, root = designer
    hand = Mouse(page, root)
    hand.press("chain-start")
    hand.add("clip by global", CLIP)
    settle(root)
    x, y = centre(root.locator(hook("chain-handle-0")))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 300, y + 200, steps=4)
    expect(root.locator("[data-drop]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(root.locator("[data-drop]")).to_have_count(0)
    page.mouse.up()
    assert shown(root) == links(notebook) == [CLIP, ADAMW]


def test_what_python_refuses_is_said_and_taken_back(page, designer):
    notebook, root = designer
    hand = Mouse(page, root)
    hand.press("chain-start")
    settle(root)
    hand.press("chain-open-0")
    field = root.locator(hook("chain-field-adamw.b2"))
    hand.write("chain-field-adamw.b2", "1")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("1")
    described = root.locator(f"#{field.get_attribute('aria-describedby')}")
    expect(described).to_contain_text("b2 must be")
    page.keyboard.press("Escape")
    expect(field).to_have_value("0.999")

    hand.press("chain-group-add")
    settle(root)
    name = root.locator(hook("chain-group-name-0"))
    hand.write("chain-group-name-0", "no/such name")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_value("no/such name")
    assert values(notebook, "[g.name for g in designer.chain.groups]") == ["group"]


def test_a_link_is_removed_by_a_key_and_its_track_goes_with_it(page, designer):
    notebook, root = designer
    hand = Keyboard(page, root)
    hand.press("chain-start")
    settle(root)
    hand.add("ema", "ema")
    settle(root)
    assert links(notebook) == [ADAMW, "ema"]
    hand.press("chain-track-ema.decay")
    settle(root)
    assert values(notebook, "list(designer.tracks)") == ["ema.decay"]
    hand.reach("chain-handle-1")
    page.keyboard.press("Delete")
    settle(root)
    assert links(notebook) == [ADAMW]
    assert values(notebook, "list(designer.tracks)") == []
    expect(root.locator(hook("track"))).to_have_value("learning_rate")
    assert page.evaluate(FOCUS) == "chain-handle-0"
    page.keyboard.press("Control+z")
    settle(root)
    assert values(notebook, "list(designer.tracks)") == ["ema.decay"]
    assert shown(root) == [ADAMW, "ema"]


def test_a_combination_that_is_known_to_be_wrong_is_said_beside_its_link(page, designer):
    _, root = designer
    hand = Mouse(page, root)
    hand.press("chain-start")
    hand.add("add decayed", "add_decayed_weights")
    settle(root)
    warning = root.locator(hook("chain-link-1")).locator(hook("chain-warning")).first
    expect(warning).to_have_role("note")
    expect(warning).to_contain_text(re.compile(r"\w{4}"))
    hand.move(1, 0)
    settle(root)
    expect(root.locator(hook("chain-link-0")).locator(hook("chain-warning"))).to_have_count(0)


def test_rates_beside_the_curve_and_what_links_report_are_seen_in_train(
    page, open_notebook, jupyterlab, axe
):
    notebook = open_notebook(jupyterlab.write("chain_train.ipynb", WORKBENCH))
    notebook.run_all()
    root = notebook.output(0).locator(".lrw-root")
    root.wait_for()
    hand = Mouse(page, root)
    hand.press("tab-design")
    hand.add("reduce on", "reduce_on_plateau")
    hand.press("chain-group-add")
    hand.write("chain-group-multiplier-0", "0.5")
    settle(root)
    hand.press("tab-train")
    hand.press("train-start")
    expect(root.locator(hook("status"))).to_contain_text("finished", timeout=90_000)
    lines = root.locator(".lrw-rates .lrw-effective")
    expect(lines).to_have_count(2)
    expect(lines.locator("text")).to_have_text([re.compile("^effective "), re.compile("^group ")])
    # The rows come after the word that the run has finished.
    for line in lines.locator("path").all():
        expect(line).to_have_attribute("d", re.compile(".{100}"))
    metric = root.locator(".lrw-losses select")
    metric.select_option("reduce_on_plateau.scale")
    expect(root.locator(hook("loss-plot"))).to_have_attribute(
        "aria-label", re.compile(r"reduce_on_plateau\.scale \d")
    )
    assert [v["id"] for v in axe() if v["impact"] in ("serious", "critical")] == []

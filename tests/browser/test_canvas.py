"""The canvas in a real browser: what hand and keys do, and what Python gets of it."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.canvas import Canvas, design
from tests.browser.test_quickstart import hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HEIGHT = 1.2e-3  # of the axis on which `start` is drawn
DESIGNER = """
import lrwidget as lrw
from lrwidget.schedules import Schedule, Segment

start = Schedule(
    Segment("linear", 100, init_value=0.0, end_value=1e-3),
    Segment("constant", 300, value=1e-3),
    Segment("cosine", 400, init_value=1e-3, end_value=5e-4),
    Segment("linear", 200, init_value=5e-4, end_value=0.0),
)
"""
# A person begins with what is there; by hand and by key it shall become `start`.
BY_MOUSE = "by_mouse = lrw.ScheduleDesigner()\nby_mouse"
BY_KEYS = "by_keys = lrw.ScheduleDesigner()\nby_keys"
FROM_START = f"{DESIGNER}\ndesigner = lrw.ScheduleDesigner(start)\ndesigner"
FOCUS = "() => document.activeElement.dataset.lrw"


@pytest.fixture(scope="module")
def two_designers(jupyterlab):
    return jupyterlab.write("two_designers.ipynb", DESIGNER, BY_MOUSE, BY_KEYS)


@pytest.fixture(scope="module")
def from_start(jupyterlab):
    return jupyterlab.write("from_start.ipynb", FROM_START)


@pytest.fixture
def designer(page, open_notebook, from_start):
    notebook = open_notebook(from_start)
    notebook.run_all()
    root = notebook.output(0).locator(".lrw-root")
    root.wait_for()
    return notebook, Canvas(page, root)


# ---- one schedule, two ways ------------------------------------------------------------------


def test_mouse_alone_and_keyboard_alone_build_the_same_schedule(page, open_notebook, two_designers):
    notebook = open_notebook(two_designers)
    notebook.run_all()
    for index, build in ((1, build_by_mouse), (2, build_by_keys)):
        root = notebook.output(index).locator(".lrw-root")
        root.wait_for()
        build(page, Canvas(page, root))
    assert notebook.evaluate("by_mouse.schedule") == notebook.evaluate("start")
    assert notebook.evaluate("by_keys.schedule") == notebook.evaluate("start")
    assert values(notebook, "by_mouse.schedule == by_keys.schedule == start")


def build_by_mouse(page, canvas):
    root = canvas.root
    canvas.choose("gallery", "preset-linear")
    expect(root.locator(".lrw-strip-segment")).to_have_count(1)
    for count, (step, value) in enumerate([(150, 8.5e-4), (450, 5.5e-4), (700, 3e-4)], start=2):
        page.mouse.dblclick(*canvas.at(step, value))
        expect(root.locator(".lrw-strip-segment")).to_have_count(count)
    # Each is let go beside its place, which draws it there.
    canvas.drag_knot(1, 100, 1e-3)
    canvas.drag_knot(2, 400, 1e-3)
    canvas.drag_knot(3, 800, 5e-4)
    canvas.drag_knot(0, 0, 0)
    # The list of a <select> opens outside the page, where only its own driver can click.
    root.locator(hook("segment-1")).click()
    root.locator(hook("shape")).select_option("constant")
    page.mouse.click(*canvas.at(600, 7.5e-4))
    expect(root.locator(hook("segment-2"))).to_have_attribute("aria-pressed", "true")
    root.locator(hook("shape")).select_option("cosine")
    canvas.settle()


def build_by_keys(page, canvas):
    root = canvas.root
    root.locator(hook("track")).focus()
    tab_to(page, "gallery")
    page.keyboard.press("Enter")
    page.keyboard.type("linear")
    page.keyboard.press("ArrowDown")
    for _ in range(20):
        if page.evaluate(FOCUS) == "preset-linear":
            break
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(root.locator(".lrw-strip-segment")).to_have_count(1)

    # Knots at 500, 750 and 875, which arrows and number fields bring to where they belong.
    tab_to(page, "handle-0")
    press(page, "Insert", "Insert", "Insert")
    assert page.evaluate(FOCUS) == "handle-3"
    expect(root.locator(".lrw-strip-segment")).to_have_count(4)
    tab_to(page, "handle-1", back=True)
    press(page, *4 * ["Shift+ArrowLeft"], "Enter")
    write(page, canvas, "1e-3")
    tab_to(page, "handle-2", back=True)
    press(page, *3 * ["Shift+ArrowLeft"], *5 * ["ArrowLeft"], "Enter")
    write(page, canvas, "peak")
    tab_to(page, "handle-3", back=True)
    page.keyboard.press("Enter")
    write(page, canvas, "5e-4")
    tab_to(page, "handle-0", back=True)
    press(page, *11 * ["Shift+ArrowDown"])

    # A length in percent, and two shapes to which the arrows walk through others.
    tab_to(page, "segment-1")
    page.keyboard.press("Enter")
    tab_to(page, "shape")
    press(page, "ArrowDown", "Home")
    expect(root.locator(hook("shape"))).to_have_value("constant")
    tab_to(page, "segment-2", back=True)
    page.keyboard.press("Enter")
    tab_to(page, "shape")
    for key in ("Home", "ArrowDown", "ArrowDown"):
        press(page, key)
        canvas.settle()  # also where Python has answered on the way
    expect(root.locator(hook("shape"))).to_have_value("cosine")
    tab_to(page, "field-steps")
    write(page, canvas, "40%")


def tab_to(page, name, *, back=False):
    """Press Tab, or Shift+Tab, until the focus is on the control that is meant."""
    passed = []
    while (focused := page.evaluate(FOCUS)) != name:
        assert len(passed) < 60, f"Tab does not reach {name}, but {passed}"
        passed.append(focused)
        page.keyboard.press("Shift+Tab" if back else "Tab")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def write(page, canvas, text):
    """Write into the number field that has the focus, and wait for Python."""
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    canvas.settle()


# ---- freehand --------------------------------------------------------------------------------


def stroke(canvas):
    """Return a wave over the middle of the curve, in steps and values and on the page."""
    steps = np.linspace(150, 850, 60)
    heights = 5e-4 + 3e-4 * np.cos(steps / 90)
    return steps, heights, [canvas.at(*point) for point in zip(steps, heights, strict=True)]


def finger(page, points):
    """Draw with one finger."""
    session = page.context.new_cdp_session(page)
    for i, (x, y) in enumerate(points):
        kind = "touchMove" if i else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


@pytest.mark.parametrize("way", ["mouse", "touch"])
def test_what_the_pencil_draws_becomes_knots_in_one_undo_step(page, designer, way):
    notebook, canvas = designer
    before = design(notebook)
    canvas.root.locator(hook("tool-pencil")).click()
    steps, heights, points = stroke(canvas)
    if way == "mouse":
        canvas.draw(points)
    else:
        finger(page, points)
    expect(canvas.root.locator(hook("undo"))).to_be_enabled()
    canvas.settle()

    # At its two ends the stroke may begin a step beside where the hand put it down.
    drawn = values(notebook, f"[designer.schedule(s) for s in {steps[1:-1].tolist()}]")
    assert np.max(np.abs(drawn - heights[1:-1])) < 0.01 * HEIGHT
    # Knots that one can go on with, not a table; beside the stroke nothing has changed.
    parts = values(notebook, "len(designer.schedule.parts)")
    assert 6 <= parts <= 20
    beside = [0, 50, 100, 149, 852, 900, 1000]
    same = f"[designer.schedule(s) - start(s) for s in {beside}]"
    np.testing.assert_allclose(values(notebook, same), 0, atol=1e-12)
    # Where the stroke breaks off beside the curve, either side of the jump has a handle.
    assert canvas.root.locator('[data-lrw^="handle-"]').count() == parts + 3

    canvas.root.locator(hook("undo")).click()
    expect(canvas.root.locator(hook("undo"))).to_be_disabled()
    canvas.settle()
    assert design(notebook) == before
    canvas.root.locator(hook("tool-select")).click()
    canvas.drag_knot(1, 200, 1e-3)
    canvas.settle()
    assert values(notebook, "designer.schedule.borders[0]") == 200


def test_the_keyboard_draws_too_and_escape_leaves_the_pencil(page, designer):
    notebook, canvas = designer
    canvas.root.locator(hook("tool-pencil")).click()
    canvas.plot.focus()
    press(page, "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter", "Escape")
    expect(canvas.root.locator(".lrw-ink")).to_have_attribute("d", "")
    press(page, "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter", "Enter")
    expect(canvas.root.locator(hook("undo"))).to_be_enabled()
    canvas.settle()
    assert values(notebook, "designer.schedule != start")
    page.keyboard.press("Escape")
    expect(canvas.root.locator(hook("tool-select"))).to_have_attribute("aria-checked", "true")
    expect(canvas.plot).to_be_focused()


# ---- undo and redo ---------------------------------------------------------------------------


def edit_in_many_ways(page, canvas):
    """Make edits of every kind on two tracks; yield after each, when Python has it."""
    root = canvas.root

    def done():
        canvas.settle()
        expect(root.locator(hook("undo"))).to_be_enabled()

    canvas.drag_knot(1, 200, 8e-4)
    yield done()
    page.mouse.dblclick(*canvas.at(600, _value(canvas, 600)))
    yield done()
    canvas.handle(3).focus()
    press(page, "Shift+ArrowUp")
    yield done()
    page.keyboard.press("Delete")
    yield done()
    root.locator(hook("field-peak")).focus()
    write(page, canvas, "2e-3")
    yield done()
    root.locator(hook("segment-3")).click()
    root.locator(hook("shape")).select_option("exponential")
    yield done()
    canvas.choose("track-add", "track-add-momentum")
    expect(root.locator(hook("track"))).to_have_value("momentum")
    yield done()
    canvas.drag(canvas.place(0), canvas.at(0, 0.5))
    yield done()
    root.locator(hook("segment-split")).click()
    yield done()
    root.locator(hook("segment-0")).click()
    root.locator(hook("segment-more")).click()
    root.locator(hook("segment-reverse")).click()
    yield done()
    root.locator(hook("track")).select_option("learning_rate")
    root.locator(hook("tool-pencil")).click()
    canvas.draw([canvas.at(s, 1e-3 + 5e-4 * math.sin(s / 50)) for s in range(300, 500, 10)])
    yield done()
    root.locator(hook("tool-select")).click()
    root.locator(hook("segment-add")).click()
    yield done()
    canvas.choose("gallery", "preset-one_cycle")
    expect(root.locator(hook("told"))).to_contain_text("one-cycle", ignore_case=True)
    yield done()
    root.locator(hook("field-total")).focus()
    write(page, canvas, "2000")
    yield done()


def _value(canvas, step):
    """Hold the mouse over a step and read the curve off."""
    canvas.page.mouse.move(*canvas.at(step, 0))
    readout = canvas.root.locator(".lrw-readout")
    expect(readout).to_contain_text(f"step {step} ")
    return float(readout.inner_text().split("·")[1])


def test_undo_all_and_redo_all_bring_back_the_first_and_the_last_state(page, designer):
    notebook, canvas = designer
    undo, redo = (canvas.root.locator(hook(name)) for name in ("undo", "redo"))
    states = [design(notebook)]
    for _ in edit_in_many_ways(page, canvas):
        states.append(design(notebook))
        assert states[-1] != states[-2], f"edit {len(states) - 1} did not arrive"
    assert len(states) > 12
    assert set(states[-1]) == {"", "momentum"}

    # Back one by one, each state exactly as it was, and forward as fast as the mouse clicks.
    for state in reversed(states[:-1]):
        undo.click()
        canvas.settle()
        assert design(notebook) == state
    expect(undo).to_be_disabled()
    for _ in states[1:]:
        redo.click()
    expect(redo).to_be_disabled()
    canvas.settle()
    assert design(notebook) == states[-1]
    canvas.plot.focus()
    press(page, *["Control+z"] * (len(states) - 1))
    expect(undo).to_be_disabled()
    canvas.settle()
    assert design(notebook) == states[0]
    press(page, *["Control+Shift+z"] * (len(states) - 1))
    expect(redo).to_be_disabled()
    canvas.settle()
    assert design(notebook) == states[-1]


# ---- what a hand can do besides --------------------------------------------------------------


def test_several_knots_move_together_by_hand_and_by_key(page, designer):
    notebook, canvas = designer
    page.keyboard.down("Shift")
    for index in (2, 3):
        page.mouse.click(*canvas.place(index))
    page.keyboard.up("Shift")
    expect(canvas.root.locator(".lrw-chosen")).to_have_count(2)
    canvas.drag_knot(2, 300, 8e-4)
    canvas.settle()
    borders, ends = "designer.schedule.borders", "[p.end_value for p in designer.schedule.parts]"
    assert values(notebook, borders) == [100, 300, 700]
    # Both by the same amount, a fifth of the grid's line; the constant part goes along.
    moved = values(notebook, ends)
    assert moved[1] - moved[2] == pytest.approx(5e-4, rel=1e-9)
    assert moved[1] == pytest.approx(8e-4, rel=0.02)

    # A frame with Shift held chooses what is inside it; keys then move all of it, as one edit.
    page.mouse.click(*canvas.at(50, 1.1e-3))
    expect(canvas.root.locator(".lrw-chosen")).to_have_count(0)
    page.keyboard.down("Shift")
    canvas.drag(canvas.at(250, 1.1e-3), canvas.at(750, 1e-4))
    page.keyboard.up("Shift")
    expect(canvas.root.locator(".lrw-chosen")).to_have_count(2)
    canvas.handle(3).focus()
    press(page, "Shift+ArrowRight")
    canvas.settle()
    assert values(notebook, borders) == [100, 400, 800]
    press(page, "Control+z", "Control+z")
    expect(canvas.root.locator(hook("undo"))).to_be_disabled()
    canvas.settle()
    assert values(notebook, "designer.schedule == start")


def test_a_drag_shows_the_mark_that_draws_it_and_ctrl_frees_it(page, designer):
    notebook, canvas = designer
    guide = canvas.root.locator(".lrw-guide")
    expect(guide).to_have_attribute("d", "")
    canvas.drag_knot(3, 700, 5e-4, drop=False)
    across = canvas.at(700, 0)[0] - canvas.plot.bounding_box()["x"]
    expect(guide).to_have_attribute("d", re.compile(rf"^M{across:.1f} "))
    page.mouse.up()
    expect(guide).to_have_attribute("d", "")
    canvas.settle()
    assert values(notebook, "designer.schedule.borders[2]") == 700

    page.keyboard.down("Control")
    canvas.drag_knot(3, 600, 5e-4)
    page.keyboard.up("Control")
    canvas.settle()
    assert values(notebook, "designer.schedule.borders[2]") in (602, 603)

    # Escape takes a drag back while the button is still down.
    canvas.drag_knot(3, 500, 9e-4, drop=False)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert values(notebook, "designer.schedule.borders[2]") in (602, 603)


def test_a_segment_is_dragged_by_its_body_and_with_alt_its_neighbours_keep_their_lengths(
    page, designer
):
    notebook, canvas = designer
    lengths = "[p.steps for p in designer.schedule.parts]"
    # Beside the diamond in the middle, which bends it.
    height = values(notebook, "start(500)")
    canvas.drag(canvas.at(500, height), canvas.at(600, height))
    canvas.settle()
    assert values(notebook, lengths) == pytest.approx([100, 400, 400, 100], abs=2)
    canvas.root.locator(hook("undo")).click()
    expect(canvas.root.locator(hook("undo"))).to_be_disabled()

    # With Alt the neighbours come along, and those behind them give and take.
    page.mouse.dblclick(*canvas.at(900, 2.5e-4))
    canvas.settle()
    page.keyboard.down("Alt")
    canvas.drag(canvas.at(500, height), canvas.at(450, height))
    page.keyboard.up("Alt")
    canvas.settle()
    assert values(notebook, lengths) == pytest.approx([50, 300, 400, 100, 150], abs=2)
    page.keyboard.down("Alt")
    canvas.drag(canvas.at(450, height), canvas.at(20, height))
    page.keyboard.up("Alt")
    canvas.settle()
    assert values(notebook, lengths) == pytest.approx([1, 300, 400, 100, 199], abs=2)


def test_ctrl_and_wheel_zoom_and_fit_shows_everything_again(page, designer):
    notebook, canvas = designer
    ticks = canvas.root.locator(".lrw-tick-x")
    whole = ticks.all_text_contents()
    top = page.evaluate("scrollY")
    at = canvas.place(2)
    page.mouse.move(round(at[0]), at[1] + 50)
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    expect(ticks.first).not_to_have_text("0")
    # What was under the mouse still is, but for the part of a pixel; the page has not scrolled.
    assert canvas.place(2)[0] == pytest.approx(at[0], abs=3)
    assert page.evaluate("scrollY") == top
    expect(canvas.handle(0)).to_have_count(0)
    # A pixel is finer now, and a drag under the axis moves what is seen.
    canvas.drag_knot(2, 420, 1e-3)
    canvas.settle()
    assert values(notebook, "designer.schedule.borders[1]") == 420
    (x, y), right = canvas.at(420, 0), canvas.at(430, 0)[0]
    canvas.drag((x, y + 15), (right, y + 15))
    assert canvas.at(420, 0)[0] == pytest.approx(right, abs=1)
    canvas.root.locator(hook("fit")).click()
    expect(ticks).to_have_text(whole)
    canvas.plot.focus()
    press(page, "+", "+", "ArrowRight")
    expect(ticks.first).not_to_have_text("0")
    press(page, "0")
    expect(ticks).to_have_text(whole)


# ---- in a narrow notebook --------------------------------------------------------------------

# JavaScript: the controls that lie outside the widget, or under something else.
HIDDEN = """(root) => {
  const { left, right } = root.getBoundingClientRect();
  return [...root.querySelectorAll("button, select, input, summary, [role=slider]")]
    .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest("[popover]"))
    .filter((e) => {
      e.scrollIntoView({ block: "center", inline: "nearest" });
      const box = e.getBoundingClientRect();
      const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      return box.width < 1 || box.left < left || box.right > right
             || !(hit && (e.contains(hit) || hit.contains(e)));
    })
    .map((e) => e.dataset.lrw ?? e.ariaLabel ?? e.textContent);
}"""


def test_at_480_pixels_nothing_overflows_and_every_control_is_visible(page, designer):
    _, canvas = designer
    root = canvas.root
    canvas.choose("track-add", "track-add-momentum")
    root.locator(hook("track")).select_option("learning_rate")
    root.evaluate("(e) => { e.style.width = '480px'; }")
    for index in range(4):
        root.locator(hook(f"segment-{index}")).click()
        width, content = root.evaluate("(e) => [e.clientWidth, e.scrollWidth]")
        assert content <= width <= 480
        assert root.evaluate(HIDDEN) == []

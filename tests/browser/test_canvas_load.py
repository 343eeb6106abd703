"""What an edit costs: work in the page while a knot is dragged, messages from the kernel after it.

Counts, not times: how long a frame takes is measured by ``benchmarks/canvas.py``.
"""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import expect

from tests.browser.canvas import Canvas
from tests.browser.test_quickstart import hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LONG = """
import lrwidget as lrw
from lrwidget.schedules import Schedule, Segment

designer = lrw.ScheduleDesigner(
    Schedule(
        Segment("linear", 100_000, init_value=0.0, end_value=3e-3),
        Segment("constant", 400_000, value=3e-3),
        Segment("cosine", 300_000, init_value=3e-3, end_value=1e-3),
        Segment("exponential", 200_000, init_value=1e-3, end_value=1e-5),
    )
)
seen = []
designer.observe(lambda change: seen.append(change.new), "schedule")
designer
"""

# JavaScript: counts, while the canvas is used, frames, how often the curve is drawn in one of
# them at most, and elements that are made.
COUNT_WORK = """(root) => {
  const work = (window.canvasWork = { frames: 0, draws: 0, most: 0, built: [] });
  let before = 0;
  new MutationObserver((records) => {
    work.draws += records.some(({ target }) => target.matches(".lrw-curve"));
    for (const { addedNodes } of records) {
      const elements = [...addedNodes].filter((node) => node instanceof Element);
      work.built.push(...elements.map((element) => element.outerHTML));
    }
  }).observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ["d"] });
  requestAnimationFrame(function tick() {
    work.frames += 1;
    work.most = Math.max(work.most, work.draws - before);
    before = work.draws;
    requestAnimationFrame(tick);
  });
}"""

# JavaScript: what has been counted when all that waits for the next frame is drawn.
COUNTED = """() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => done(canvasWork)));
})"""

# JavaScript: many moves of the mouse that is down, in one task.
MOVE_AT_ONCE = """(plot, [x, y]) => {
  for (let i = 0; i < 40; i += 1) {
    const at = { pointerId: 1, clientX: x + i, clientY: y, bubbles: true };
    plot.dispatchEvent(new PointerEvent("pointermove", at));
  }
}"""


# JavaScript: when the kernel has sent each message of a widget. Its binary protocol: a count, so
# many offsets, then the channel, the header and so on.
KEEP_DATES = """{
  window.sentByKernel = [];
  window.WebSocket = class extends WebSocket {
    constructor(...how) {
      super(...how);
      this.addEventListener("message", ({ data }) => {
        if (data instanceof ArrayBuffer) {
          const offset = (i) => Number(new DataView(data).getBigUint64(8 * i, true));
          const bytes = new Uint8Array(data, offset(2), offset(3) - offset(2));
          const { msg_type, date } = JSON.parse(new TextDecoder().decode(bytes));
          if (msg_type === "comm_msg") {
            sentByKernel.push(date);
          }
        }
      });
    }
  };
}"""


@pytest.fixture(scope="module")
def long_schedule(jupyterlab):
    return jupyterlab.write("long_schedule.ipynb", LONG)


@pytest.fixture
def designer(page, open_notebook, long_schedule):
    page.add_init_script(KEEP_DATES)
    notebook = open_notebook(long_schedule)
    notebook.run_all()
    root = notebook.output(0).locator(".lrw-root")
    root.wait_for()
    # The first proof starts a process: what it does is no part of what is counted.
    expect(root.locator(hook("code-proof"))).to_contain_text("equals", timeout=60_000)
    return notebook, Canvas(page, root)


def test_a_drag_draws_once_a_frame_and_builds_nothing(page, designer):
    notebook, canvas = designer
    start = canvas.place(1)
    # The first pixels select the segment and bring up the ghost.
    canvas.drag(start, (start[0] + 5, start[1] + 5), drop=False)
    canvas.root.evaluate(COUNT_WORK)
    for i in range(60):
        page.mouse.move(start[0] + 60 + 50 * (i % 7) / 7, start[1] + 40 + 30 * (i % 11) / 11)
    work = page.evaluate(COUNTED)
    assert 10 <= work["draws"] <= work["frames"]
    assert work["most"] == 1
    assert work["built"] == []

    draws = work["draws"]
    canvas.plot.evaluate(MOVE_AT_ONCE, [start[0] + 90, start[1] + 50])
    work = page.evaluate(COUNTED)
    assert work["draws"] == draws + 1
    page.mouse.up()
    canvas.settle()
    assert len(values(notebook, "[s.steps for s in seen]")) == 1


def test_fifty_edits_leave_the_kernel_no_more_than_ten_messages_a_second(page, designer):
    notebook, canvas = designer
    page.evaluate("sentByKernel.length = 0")
    canvas.handle(1).focus()
    for i in range(25):
        page.keyboard.press("ArrowUp" if i % 2 else "ArrowRight")
    # From knot to knot: which segment is selected goes to Python as well. A fast hand has to do it
    # more often, before there are messages to be counted.
    for i in range(500):
        if i >= 25 and page.evaluate("sentByKernel.length") >= 20:
            break
        knot = 1 + i % 3
        x, y = canvas.place(knot)
        canvas.drag((x, y), (x + (6 if i % 6 < 3 else -6), y + (5 if i % 2 else -5)), steps=2)
    canvas.settle()
    expect(canvas.root.locator(hook("code-proof"))).to_contain_text("equals", timeout=60_000)

    # Nothing was lost: what is shown is what Python has.
    shown = canvas.handle(1).get_attribute("aria-valuenow")
    assert values(notebook, "designer.schedule.parts[0].end_value") == float(shown)
    assert values(notebook, "seen[-1] == designer.schedule")
    dates = page.evaluate("sentByKernel")
    sent = sorted(dt.datetime.fromisoformat(date).timestamp() for date in dates)
    assert len(sent) >= 20
    most = max(sum(start <= at < start + 1 for at in sent) for start in sent)
    assert most <= 10, str([round(at - sent[0], 3) for at in sent])

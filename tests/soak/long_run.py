"""A long run with edits all along, watched in Chromium: what it leaves in memory and sends."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.test_canvas_load import KEEP_DATES
from tests.browser.test_quickstart import SECOND, hook, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.lab import Lab, Notebook

EVERY = 1000

MODEL = """
import ctypes
import gc
import random
import threading

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import lrwidget as lrw

rng = np.random.default_rng(0)
x = rng.normal(size=(512, 8)).astype(np.float32)
y = np.sin(x @ rng.normal(size=8)).astype(np.float32) + 0.3 * rng.normal(size=512)

class MLP(nnx.Module):
    def __init__(self, rngs):
        self.inner = nnx.Linear(8, 16, rngs=rngs)
        self.outer = nnx.Linear(16, 1, rngs=rngs)

    def __call__(self, x):
        return self.outer(jnp.tanh(self.inner(x)))[:, 0]

def loss_fn(model, batch):
    x, y = batch
    return jnp.mean((model(x) - y) ** 2)

model = MLP(nnx.Rngs(0))
task = lrw.Task(model, loss_fn, train=(x, y.astype(np.float32)), batch_size=16, seed=0)

def memory():
    gc.collect()
    # What has been freed since compilation may be given back now or later.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
"""

# Edits are given a little ahead, for the steps at which they are to take effect, and by a
# subscriber, so that nobody has to be quick.
RUN = """
STEPS, EVERY, SEED = {steps}, {every}, {seed}
curve = lrw.schedules.preset("cosine", peak_value=0.02, steps=STEPS)
trainer = lrw.Trainer(task, lrw.optimizers.sgd(curve), steps=STEPS)
borders = iter(range(EVERY, STEPS, EVERY))
dice = random.Random(SEED)
held = factor = None

def give(at):
    global held, factor
    if held:
        trainer.release(at=at)
        held = None
    elif factor:
        trainer.scale(learning_rate=1 / factor, at=at)
        factor = None
    elif dice.random() < 0.5:
        factor = dice.uniform(0.7, 1.4)
        trainer.scale(learning_rate=factor, at=at)
    else:
        held = dice.uniform(0.001, 0.02)
        trainer.set(learning_rate=held, at=at)

given = EVERY

def give_ahead(trainer):
    global given
    while given < STEPS and given < trainer.position + 20 * EVERY:
        at, given = given, given + EVERY
        give(at)

give_ahead(trainer)
trainer.subscribe(give_ahead)
widget = lrw.LRWidget(trainer)
widget
"""

# JavaScript: counts how often plots are drawn, and how often one of them again in the same frame.
COUNT_DRAWINGS = """{
  const work = (window.drawings = { canvas: 0, curve: 0, again: { canvas: 0, curve: 0 } });
  const seen = new WeakMap();
  const note = (element, kind) => {
    const frame = document.timeline.currentTime;
    work[kind] += 1;
    work.again[kind] += seen.get(element) === frame;
    seen.set(element, frame);
  };
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...area) {
    if (this.canvas.closest(".lrw-root")) {
      note(this.canvas, "canvas");
    }
    return clear.apply(this, area);
  };
  const set = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "d" && this.matches(".lrw-train .lrw-curve")) {
      note(this, "curve");
    }
    return set.call(this, name, value);
  };
}"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moment:
    """What there was in memory when so many steps had been taken."""

    step: int
    kernel: int  # bytes
    page: int
    nodes: int
    threads: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a long run left behind.

    Attributes
    ----------
    early, late
        Memory when a tenth of the steps had been taken, and at the end.
    edits
        The steps at which edits took effect.
    messages
        How many there were from the kernel in all.
    busiest, sustained
        The most of them in a second, and in ten.
    drawings
        How often the canvas with the loss was drawn.
    again
        How often it was drawn a second time in one frame; likewise the curve below it, which a
        change of its size draws again.
    """

    early: Moment
    late: Moment
    edits: list[int]
    messages: int
    busiest: int
    sustained: int
    drawings: int
    again: dict[str, int]
    seconds: float

    @property
    def kernel(self) -> float:
        """The kernel's memory at the end, over that at a tenth."""
        return self.late.kernel / self.early.kernel

    @property
    def page(self) -> float:
        """The page's memory at the end, over that at a tenth."""
        return self.late.page / self.early.page

    def summary(self) -> str:
        """Return all of it in one line."""
        early, late = self.early, self.late
        return (
            f"{late.step} steps in {self.seconds:.0f} s, {len(self.edits)} edits: kernel "
            f"{early.kernel / 1e6:.0f} -> {late.kernel / 1e6:.0f} MB ({self.kernel:.3f}), page "
            f"{early.page / 1e6:.1f} -> {late.page / 1e6:.1f} MB ({self.page:.3f}), nodes "
            f"{early.nodes} -> {late.nodes}; at most {self.busiest} messages a second, "
            f"{self.sustained} in ten, {self.messages} in all; {self.drawings} drawings, twice in "
            f"a frame {self.again['canvas']} + {self.again['curve']}"
        )


def long_run(
    page: Page, lab: Lab, open_notebook: Callable[..., Notebook], steps: int, *, seed: int = 0
) -> Outcome:
    """Train for `steps` steps with an edit every thousand, and watch."""
    page.add_init_script(KEEP_DATES)
    page.add_init_script(COUNT_DRAWINGS)
    run = RUN.format(steps=steps, every=EVERY, seed=seed)
    notebook = open_notebook(lab.write("long_run.ipynb", MODEL, run))
    notebook.run_all()
    root = notebook.output(1).locator(".lrw-root")
    root.wait_for()
    root.locator(hook("tab-train")).click()
    root.locator(hook("loss-plot")).scroll_into_view_if_needed()
    # What opening takes is no part of what is counted.
    expect(root.locator(hook("train-start"))).to_be_enabled()
    page.evaluate("() => { sentByKernel.length = drawings.canvas = drawings.curve = 0; }")
    status = root.locator(hook("status"))
    patience = (60 + steps / 1000) * SECOND
    began = dt.datetime.now(tz=dt.UTC)
    notebook.evaluate("trainer.step(STEPS // 10)")
    expect(status).to_contain_text("paused", timeout=patience)
    early = look(page, notebook)
    notebook.evaluate("trainer.resume()")
    expect(status).to_contain_text("finished", timeout=patience)
    ended = dt.datetime.now(tz=dt.UTC)
    late = look(page, notebook)
    applied = (
        "[e.step for e in trainer.journal if e.command in ('set', 'scale', 'release')"
        " and not e.undone]"
    )
    sent = sorted(
        dt.datetime.fromisoformat(date).timestamp() for date in page.evaluate("sentByKernel")
    )
    drawings = page.evaluate("drawings")
    return Outcome(
        early=early,
        late=late,
        edits=values(notebook, applied),
        messages=len(sent),
        busiest=most_within(1.0, sent),
        sustained=most_within(10.0, sent),
        drawings=drawings["canvas"],
        again=drawings["again"],
        seconds=(ended - began).total_seconds(),
    )


def look(page: Page, notebook: Notebook) -> Moment:
    """Return what is in memory now, garbage left out."""
    inspector = page.context.new_cdp_session(page)
    inspector.send("HeapProfiler.collectGarbage")
    heap: dict[str, Any] = inspector.send("Runtime.getHeapUsage")
    counters = inspector.send("Memory.getDOMCounters")
    inspector.detach()
    # Arrays and elements lie outside the heap that JavaScript sees.
    parts = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
    step, kernel, threads = values(
        notebook, "[trainer.position, memory(), threading.active_count()]"
    )
    return Moment(
        step=step,
        kernel=kernel,
        page=int(sum(heap.get(part, 0) for part in parts)),
        nodes=counters["nodes"],
        threads=threads,
    )


def most_within(seconds: float, times: list[float]) -> int:
    """Return the most of some times, in order, that lie within so many seconds."""
    most = first = 0
    for i, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, i + 1 - first)
    return most

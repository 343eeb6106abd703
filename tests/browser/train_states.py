"""States of a run for the screenshots: how each is reached, by hand as a person reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.test_quickstart import hook
from tests.browser.test_train import SOON, reached

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

MODEL = """
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import lrwidget as lrw

rng = np.random.default_rng(0)
x = rng.normal(size=(500, 8)).astype(np.float32)
y = np.sin(x @ np.linspace(-1, 1, 8, dtype=np.float32)[:, None])
y = y + 0.3 * rng.normal(size=y.shape).astype(np.float32)
body, head = jax.random.split(jax.random.key(0))
params = {
    "body": 0.3 * jax.random.normal(body, (8, 16)),
    "head": 0.3 * jax.random.normal(head, (16, 1)),
}

def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((jnp.tanh(x @ params["body"]) @ params["head"] - y) ** 2)

task = lrw.Task(params, loss_fn, train=(x[:400], y[:400]), valid=(x[400:], y[400:]), batch_size=8)
curve = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=1500)
chain = lrw.Chain.of(
    lrw.optimizers.sgd(curve, momentum=0.9),
    groups=[lrw.optimizers.Group("head", paths=["head"], multiplier=0.5)],
)
"""
STEERED = f"""{MODEL}
widget = lrw.LRWidget(task, chain, guard="roll_back", pace=200)
widget
"""
FRAGILE = f"""{MODEL}
widget = lrw.LRWidget(task, chain, pace=200)
widget
"""
FAILING = f"""{MODEL}
def batches():
    for i in range(131):
        yield x[:8], y[:8]
    raise OSError("images/000131.png is truncated: expected 49 152 bytes, got 8 192")

widget = lrw.LRWidget(lrw.Task(params, loss_fn, train=batches), chain, pace=200)
widget
"""
SAVED = f"""{MODEL}
trainer = lrw.Trainer(task, chain, directory=tempfile.mkdtemp() + "/blobs")
trainer.start()
trainer.pause()
trainer.step(500)
trainer.scale(learning_rate=0.5)
trainer.step(300)
fork = trainer.fork(learning_rate=0.002)
fork.start()
fork.wait()
trainer.step(150)
trainer.stop()
widget = lrw.LRWidget(lrw.open_run(trainer.directory))
widget
"""


def running(page: Page, root: Locator) -> None:
    """An edit, and a fork beside the run; slow, so that the pictures show about the same."""
    _start(root, 300)
    root.locator(hook("quick-0.5")).click()
    reached(root, 400)
    root.locator(".lrw-snapshot").nth(-3).click()
    root.locator(hook("snapshot-fork")).click()
    root.locator(".lrw-fork-loss", has_text=".").wait_for()
    root.locator(hook("train-pace")).select_option("10")


def rolled_back(page: Page, root: Locator) -> None:
    running(page, root)
    _hold(root, "100*peak")
    expect(root.locator(hook("status"))).to_contain_text("rolled back", timeout=2 * SOON)
    root.locator(hook("journal")).locator("summary").click()


def fan(page: Page, root: Locator) -> None:
    _start(root, 400)
    root.locator(hook("more")).click()
    root.locator(hook("fan-open")).click()
    root.locator(hook("field-fan-rates")).fill("x0.1 x0.5 x2 x40")
    root.locator(hook("fan-start")).click()
    root.locator(".lrw-fan-result .lrw-best").wait_for(timeout=2 * SOON)


def fan_form(page: Page, root: Locator) -> None:
    _start(root, 400)
    root.locator(hook("train-pause")).click()
    root.locator(hook("fan-open")).click()
    root.locator(hook("more")).click()
    root.locator(hook("field-at")).fill("900")
    root.locator(hook("quick-0.5")).click()
    root.locator(hook("journal")).locator("summary").click()


def diverged(page: Page, root: Locator) -> None:
    _start(root, 400)
    _hold(root, "1000*peak")
    expect(root.locator(hook("status"))).to_contain_text("diverged", timeout=2 * SOON)
    root.locator(hook("diagnose")).click()
    root.locator(".lrw-trouble-found").wait_for(timeout=2 * SOON)


def failed(page: Page, root: Locator) -> None:
    _start(root, 1)
    expect(root.locator(hook("status"))).to_contain_text("failed", timeout=2 * SOON)
    root.locator(hook("traceback")).locator("summary").click()


def saved(page: Page, root: Locator) -> None:
    root.locator(hook("tab-train")).click()
    root.locator(hook("journal")).locator("summary").click()


def _start(root: Locator, until: int) -> None:
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-start")).click()
    reached(root, until)


def _hold(root: Locator, value: str) -> None:
    root.locator(hook("rate-field")).fill(value)
    root.locator(hook("rate-field")).press("Enter")


STATES: dict[str, tuple[str, Callable[[Page, Locator], None]]] = {
    "train": (STEERED, running),
    "train-rolled-back": (STEERED, rolled_back),
    "train-moves": (STEERED, fan_form),
    "train-fan": (STEERED, fan),
    "train-diverged": (FRAGILE, diverged),
    "train-failed": (FAILING, failed),
    "train-saved": (SAVED, saved),
}

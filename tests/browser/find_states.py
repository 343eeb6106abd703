"""States of a search for the screenshots: how each is reached, by hand as a person reaches it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.test_find import FOUND, SOON, SWEPT, ended, enter
from tests.browser.test_quickstart import hook
from tests.browser.test_train import reached

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

# Something happens to a search that has had so many batches, once, before the next.
MODEL = """
import time

import jax
import jax.numpy as jnp
import numpy as np
import lrwidget as lrw

rng = np.random.default_rng(0)
x = rng.normal(size=(600, 12)).astype(np.float32)
y = np.argmax(x @ rng.normal(size=(12, 5)), 1)
params = {
    "hidden": jnp.asarray(rng.normal(size=(12, 32)) / 3.5, jnp.float32),
    "head": jnp.asarray(rng.normal(size=(32, 5)) / 5.6, jnp.float32),
}


def batches():
    global left
    draw = np.random.default_rng(1)
    while True:
        left -= 1
        if left == 0:
            interrupt()
        rows = draw.integers(0, 500, 16)
        yield x[rows], y[rows]


def loss_fn(params, batch):
    x, y = batch
    logits = jax.nn.relu(x @ params["hidden"]) @ params["head"]
    return jnp.mean(jax.nn.logsumexp(logits, 1) - jnp.take_along_axis(logits, y[:, None], 1)[:, 0])


def frozen_loss(params, batch):
    return loss_fn(jax.lax.stop_gradient(params), batch)


def task_of(loss_fn):
    valid = (x[500:], y[500:])
    return lrw.Task(params, loss_fn, train=(x[:500], y[:500]), valid=valid, batch_size=16)


curve = lrw.schedules.preset("warmup_cosine", peak_value=3e-3, steps=1500)
chain = lrw.optimizers.adam(curve)
"""
LEARNING = f"{MODEL}\nwidget = lrw.LRWidget(task_of(loss_fn), chain, pace=40)\nwidget"
FROZEN = f"{MODEL}\nlrw.LRWidget(task_of(frozen_loss), chain)"
STREAM = "lrw.LRWidget(lrw.Task(params, loss_fn, train=batches), chain, steps=1500)"


def interrupted(batches: int, how: str = "time.sleep(300)") -> str:
    """Return a notebook with a search that gets so many batches, and then waits or fails."""
    return f"{MODEL}\nleft = {batches}\n\ndef interrupt():\n    {how}\n\n{STREAM}"


FAILING = interrupted(120, 'raise OSError("images/000120.png is truncated")')


def wrong(page: Page, root: Locator) -> None:
    root.locator(hook("find-settings")).click()
    enter(root, steps="5", high="1e-9")
    root.locator(hook("find-start")).click()


def live(page: Page, root: Locator, *, text: str, stop: bool = False) -> None:
    root.locator(hook("find-start")).click()
    expect(root.locator(".lrw-find")).to_contain_text(text, timeout=FOUND)
    if stop:
        root.locator(hook("find-stop")).click()


def found(page: Page, root: Locator, *, state: str = "advised", budget: str = "quick") -> None:
    root.locator(hook("find-settings")).click()
    root.locator(hook(f"find-budget-{budget}")).click()
    root.locator(hook("find-settings")).click()
    root.locator(hook("find-start")).click()
    if budget != "none":
        ended(root, state)
    expect(root.locator(hook("find-plot"))).to_have_attribute("aria-label", SWEPT, timeout=FOUND)
    expect(root.locator(hook("find-start"))).to_be_visible(timeout=FOUND)


def rules(page: Page, root: Locator) -> None:
    """All of them but one."""
    found(page, root, budget="none")
    root.locator(".lrw-other-rules summary").click()
    for box in root.locator(".lrw-other-rules input").all():
        box.check()
    root.locator(hook("rule-hide-valley")).uncheck()


def stopped(page: Page, root: Locator) -> None:
    live(page, root, text="so far", stop=True)
    ended(root, "stopped")


def failed(page: Page, root: Locator) -> None:
    root.locator(hook("find-start")).click()
    root.locator(".lrw-find > .lrw-error").wait_for(timeout=FOUND)


def training(page: Page, root: Locator) -> None:
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-start")).click()
    reached(root, 60)
    root.locator(hook("tab-find")).click()
    expect(root.locator(hook("find-again-here"))).to_be_enabled(timeout=SOON)


def here(page: Page, root: Locator) -> None:
    training(page, root)
    root.locator(hook("find-again-here")).click()
    ended(root, "advised")


STATES: dict[str, tuple[str, Callable[[Page, Locator], None]]] = {
    "find-empty": (LEARNING, lambda page, root: None),
    "find-wrong": (LEARNING, wrong),
    "find-sweeping": (interrupted(250), functools.partial(live, text=" of 100")),
    "find-probing": (interrupted(950), functools.partial(live, text="so far")),
    "find-stopping": (interrupted(950), functools.partial(live, text="so far", stop=True)),
    "find-stopped": (interrupted(950, "time.sleep(4)"), stopped),
    "find-rules": (LEARNING, rules),
    "find-quick": (LEARNING, found),
    "find-thorough": (LEARNING, functools.partial(found, budget="thorough")),
    "find-refused": (FROZEN, functools.partial(found, state="refused")),
    "find-failed": (FAILING, failed),
    "find-training": (LEARNING, training),
    "find-here": (LEARNING, here),
}

"""What the tests of Find share: a small task, and what stands in for `lrwidget.advise`."""

from __future__ import annotations

import math
import threading
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from lrwidget import finding, schedules
from tests.widget.page import PATIENCE

COSINE = schedules.preset("cosine", peak_value=0.05, steps=100_000)
WARMUP = schedules.preset("warmup_cosine", peak_value=0.05, steps=400)
X = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32)
PLAIN = {"low": 1e-5, "high": 1.0, "steps": 40, "seeds": 1, "budget": "none"}


def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] - y) ** 2)


def started(page):
    """Start a run, and return it when it trains."""
    page.ask("train.start")
    page.wait_for("_train", "state", "running")
    return page.widget.trainer


def creeping(page, steps):
    """Start a run that takes so many steps and then, while it goes on, at most one more.

    It neither ends nor moves before its pace is lifted, however late the next command comes.
    """
    page.ask("train.pace", steps_per_second=None)
    page.ask("train.step", steps=steps)
    page.wait(lambda: page.widget.trainer.state == "paused")
    page.ask("train.pace", steps_per_second=1e-3)
    page.ask("train.resume")
    return page.widget.trainer


def found(page):
    """Wait for the end of the newest search; return ``_find`` as it then is."""
    state = page.widget._search().done.result(timeout=PATIENCE)["state"]
    return page.wait_for("_find", "state", state)


def newest(page, trait):
    """Return what a trait was last sent as; an empty dictionary if it never was."""
    return (page.updates(trait) or [{}])[-1]


def run(rate, horizon=50, *, losses=(2.0, 1.5, 1.0), seed=0, diverged=False):
    losses = np.array(losses)
    final = math.inf if diverged else float(losses[-1])
    return SimpleNamespace(
        learning_rate=rate,
        horizon=horizon,
        seed=seed,
        losses=losses,
        final=final,
        diverged=diverged,
    )


RUNS = (run(1e-3), run(1e-2, losses=(2.0, 1.0, 0.5)), run(1.0, losses=(2.0, np.inf), diverged=True))
CURVATURE = SimpleNamespace(
    safe_up_to=8e-3,
    critical_rate=0.016,
    sharpness=125.0,
    meaning="curvature allows up to 8e-3 at the start",
    preconditioned=False,
)
PROBE = SimpleNamespace(
    runs=RUNS,
    fits={50: SimpleNamespace(best=9e-3, low=5e-3, high=2e-2)},
    optimum=SimpleNamespace(best=8e-3, low=4e-3, high=math.inf),
)


def advice(**changes):
    said = {
        "learning_rate": 2.4e-3,
        "low": 1.3e-3,
        "high": 4.1e-3,
        "sure": "fairly sure",
        "reasons": ("five of six probes at 200 steps were best here", "curvature allows it"),
        "refused": None,
        "remedy": None,
        "gradient_steps": 412.3,
        "steps": 400,
        "evidence": SimpleNamespace(probe=PROBE, curvature=CURVATURE, sweep=None),
    }
    return SimpleNamespace(**{**said, **changes})


REFUSAL = advice(
    learning_rate=None,
    low=None,
    high=None,
    refused="the loss does not depend on the learning rate",
    remedy="check that the optimizer sees the parameters",
)


class Probing:
    """Stands in for `lrw.advise`: it begins, and ends as it is told to when it is told to."""

    def __init__(self, monkeypatch):
        self.given = []
        self.gate = threading.Event()
        self.outcome = advice()
        self.stages = [("probes of 50 steps", 0.25, RUNS[:2], CURVATURE, 60.0)]
        monkeypatch.setattr(finding, "advise", self, raising=False)

    def __call__(self, task, chain, **given):
        self.given.append({"task": task, "chain": chain, **given})
        for stage, share, runs, curvature, cost in self.stages:
            given["on_progress"](
                SimpleNamespace(
                    stage=stage, share=share, runs=runs, curvature=curvature, gradient_steps=cost
                )
            )
        while not self.gate.wait(0.01):
            if given["cancel"].is_set():
                return REFUSAL
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

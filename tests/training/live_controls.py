"""What the tests of a person's own loop share."""

from __future__ import annotations

import jax.numpy as jnp

import lrwidget as lrw

STEPS = 60
CURVE = lrw.schedules.preset("warmup_cosine", peak_value=0.05, steps=STEPS)
ENDLESS = 10**6


def control(steps=None, **more):
    return lrw.LiveControl(lrw.optimizers.sgd(CURVE, momentum=0.9), steps, **more)


def state_of(live):
    return live.to_optax().init({"w": jnp.zeros(2)})


def quick(live, steps, loss=1.0):
    """Return a loop that does nothing but report."""

    def train():
        state = state_of(live)
        for step in steps:
            state = live.update(state, step, loss=loss)
        return "done"

    return train

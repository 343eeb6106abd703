"""What a `LiveControl` refuses, and how it says so."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrwidget as lrw

SGD = lrw.optimizers.sgd(0.1)


def live():
    return lrw.LiveControl(SGD, 10)


def state(control):
    return control.to_optax().init({"w": jnp.zeros(2)})


def updated(**arguments):
    def call():
        control = live()
        given = {"opt_state": state(control), "step": 0, "loss": 1.0, **arguments}
        return control.update(given.pop("opt_state"), given.pop("step"), **given)

    return call


def traced():
    control = live()
    jax.jit(lambda s: control.update(s, 0, loss=1.0))(state(control))


def traced_loss():
    control = live()
    held = state(control)
    jax.jit(lambda x: control.update(held, 0, loss=x))(1.0)


def other_metrics():
    control = live()
    held = control.update(state(control), 0, loss=1.0, accuracy=0.5)
    control.update(held, 1, loss=1.0, error=0.5)


async def coroutine():
    pass


REFUSED = {
    "no chain": (lambda: lrw.LiveControl(optax.sgd(0.1), 10), TypeError, "chain must be a Chain"),
    "no length": (lambda: lrw.LiveControl(SGD), ValueError, "steps must be given where no sched"),
    "no steps": (lambda: lrw.LiveControl(SGD, 0), ValueError, "steps must be a whole number >= 1"),
    "unknown keyword": (lambda: lrw.LiveControl(SGD, 10, epochs=3), TypeError, "epochs"),
    "pace": (lambda: lrw.LiveControl(SGD, 10, pace=0), ValueError, "pace must be a finite number"),
    "live": (lambda: lrw.LiveControl(SGD, 10, live="lr"), TypeError, "must be a sequence of add"),
    "step on the device": (
        updated(step=jnp.int32(0)),
        TypeError,
        "step must be a Python int, got a jax.Array: reading it would wait",
    ),
    "step of text": (
        updated(step="0"),
        TypeError,
        "step must be a whole number >= 0 and <= 2147483647, got '0'",
    ),
    "step below zero": (updated(step=np.int64(-1)), ValueError, "step must be a whole number >= 0"),
    "loss of a batch": (updated(loss=jnp.ones(3)), ValueError, r"loss must be a scalar, .* \(3,\)"),
    "metric": (updated(accuracy=np.ones(2)), ValueError, r"accuracy must be a scalar"),
    "other metrics": (other_metrics, ValueError, "metrics of an update must be those of the first"),
    "another state": (
        updated(opt_state=optax.adam(0.1).init({"w": jnp.zeros(2)})),
        ValueError,
        r"opt_state must be, or hold, the state of live.to_optax\(\), got tuple without it",
    ),
    "no state": (updated(opt_state=None), ValueError, "got NoneType without it"),
    "within jit": (traced, TypeError, "live.update must be called outside of jit"),
    "loss within jit": (traced_loss, TypeError, "loss must be an array, got a tracer"),
    "no function": (lambda: live().run(3), TypeError, "train_fn must be a plain function .* got 3"),
    "async function": (lambda: live().run(coroutine), TypeError, "train_fn must be a plain func"),
    "range": (lambda: next(live().range(-1)), ValueError, "step must be a whole number >= 0"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""Loops that people bring with them, steered by mouse: pause, bend what is left, resume."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.test_quickstart import SECOND, drag, hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

LOOPS = Path(__file__).parent / "loops"
STEPS = 800

# What is added to a loop, in one cell, and the widget.
LIVE = f"""
import jax
import numpy as np
import lrwidget as lrw

curve = lrw.schedules.preset("warmup_cosine", peak_value=0.1, steps={STEPS})
chain = lrw.Chain.of(lrw.optimizers.sgd(curve, momentum=0.9))
live = lrw.LiveControl(chain, pace=10)  # a minute for whoever pauses it
tx = live.to_optax()

def my_loop():
    return train(tx, range({STEPS}), live.update)

live.run(my_loop, start=False)
"""

# Without edits: the same numbers by a table of them, and plain Optax, without live control.
WITHOUT = f"""
import jax.numpy as jnp
import optax

table = jnp.asarray(curve(np.arange({STEPS})), jnp.float32)
plain = optax.sgd(lambda count: table[count], momentum=0.9)
without = train(plain, range(100), lambda state, step, **_: state)
other = lrw.LiveControl(chain)
with_live = train(other.to_optax(), range(100), other.update)
same = jax.tree.map(lambda a, b: bool((a == b).all()), with_live, without)
assert jax.tree.all(same), same
adam = lrw.Chain.of(lrw.optimizers.adam(curve.with_peak(0.003)))
other = lrw.LiveControl(adam)
a = train(other.to_optax(), range(20), other.update)
b = train(adam.to_optax(), range(20), lambda state, step, **_: state)
flat = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(t)]) for t in (a, b)]
assert np.linalg.norm(flat[0] - flat[1]) <= 1e-6 * np.linalg.norm(flat[1])
traces.clear()
"""


# The other two differ in what `live.update` is given, which tests without a browser hold to.
SOAKED = [pytest.param(name, marks=pytest.mark.soak) for name in ("train_state_loop", "optax_loop")]


@pytest.mark.parametrize("name", ["nnx_loop", *SOAKED])
def test_a_foreign_loop_is_paused_bent_and_resumed_by_mouse(page, open_notebook, jupyterlab, name):
    source = (LOOPS / f"{name}.py").read_text()
    notebook = open_notebook(jupyterlab.write(f"{name}.ipynb", source, LIVE, WITHOUT, "live"))
    notebook.run_all()
    root = notebook.output(3).locator(".lrw-root")
    root.wait_for()
    expect(root.locator(hook("tab-find"))).to_have_count(0)
    expect(root.locator(hook("tab-design"))).to_have_count(1)

    # Start calls the person's function; a pause is confirmed when the loop rests.
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-start")).click()
    status = root.locator(hook("status"))
    expect(status).to_contain_text("training", timeout=60 * SECOND)
    progress = root.locator(hook("progress"))
    expect(progress).not_to_have_attribute("aria-valuenow", "0", timeout=60 * SECOND)
    root.locator(hook("train-pause")).click()
    expect(status).to_contain_text("paused")
    at = values(notebook, "live.position")
    assert 0 < at < STEPS
    assert values(notebook, "live.state") == "paused"

    # What is left of the curve is dragged.
    future = root.locator(f'{hook("rate-plot")} [role="slider"]').last
    drag(page, future, 0, -30)
    drawn = float(re.search(r"rate ([\d.e-]+)", future.get_attribute("aria-valuetext"))[1])
    expect(root.locator(hook("journal"))).to_contain_text("learning rate")
    root.locator(hook("train-pace")).select_option(label="max")
    root.locator(hook("train-resume")).click()
    expect(status).to_contain_text("finished", timeout=120 * SECOND)

    # The loop followed, in one trace, and the record says what was applied.
    assert values(notebook, "len(traces)") == 1
    loss = values(notebook, "[float(v) for v in live.history.loss]")
    assert len(loss) == STEPS
    assert np.mean(loss[-20:]) < 0.5 * np.mean(loss[:5])
    applied = values(notebook, "[float(v) for v in live.history.learning_rate]")
    steps = f"np.arange({STEPS})"
    np.testing.assert_allclose(applied[:at], values(notebook, f"curve({steps}).tolist()")[:at])
    bent = values(notebook, f"live.plan()({steps}).tolist()")
    np.testing.assert_allclose(applied[at:], bent[at:], rtol=1e-6, atol=1e-12)
    assert applied[-1] == pytest.approx(drawn, rel=0.02)
    commands = values(notebook, "[(e.command, e.source) for e in live.journal]")
    assert {source for _, source in commands} == {"widget"}
    assert [command for command, _ in commands] == ["pause", "set", "set_pace", "resume"]

    # The parameters are those of the loop fed with these very numbers, without live control.
    notebook.evaluate(
        "globals().update(by_table=train(optax.sgd("
        "lambda count, table=jnp.asarray(live.history.learning_rate): table[count], momentum=0.9),"
        f" range({STEPS}), lambda state, step, **_: state))"
    )
    same = "jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), live.result, by_table))"
    assert values(notebook, same) is True

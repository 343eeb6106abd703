"""A run that is played by mouse: bent, broken, rolled back, forked, fanned out, and repeated."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser import clipboard
from tests.browser.late_line import LateLine
from tests.browser.test_quickstart import SECOND, drag, hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# Under load a page answers late; an expectation that is met costs nothing.
SOON = 30 * SECOND
# Two minutes at the pace below, and the rate stays up: a hand need not be quick.
STEPS, PEAK = 24_000, 0.14
RATE, LOSS = "widget.trainer.history.learning_rate", "widget.trainer.history.loss"

# Near the highest stable rate noise keeps the loss far above the minimum: it answers at once when
# the rate falls. The script that is copied gets the same model and data.
MODEL = """
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
x = rng.normal(size=(480, 32)).astype(np.float32)
y = x @ np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
y = y + rng.normal(size=y.shape).astype(np.float32)
params = {"kernel": jnp.zeros((32, 1)), "bias": jnp.zeros(1)}


def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((x @ params["kernel"] + params["bias"] - y) ** 2)
"""
WIDGET = f"""
import lrwidget as lrw

task = lrw.Task(params, loss_fn, train=(x[:400], y[:400]), valid=(x[400:], y[400:]), batch_size=16)
curve = lrw.schedules.wsd(
    peak_value={PEAK}, warmup_steps=100, stable_steps={STEPS} - 4100, decay_steps=4000
)
widget = lrw.LRWidget(task, lrw.optimizers.sgd(curve), guard="roll_back", pace=200)
widget
"""
RUN_THE_COPY = """
import json
import sys

import copied
import model

_, losses = copied.train(model.params, model.loss_fn, (model.x[:400], model.y[:400]))
assert "lrwidget" not in sys.modules
print(json.dumps([float(loss) for loss in losses]))
"""


@pytest.fixture
def run(page, open_notebook, jupyterlab):
    """The Train tab, with a run that is well under way."""
    notebook = open_notebook(jupyterlab.write("train.ipynb", MODEL, WIDGET))
    notebook.run_all()
    root = notebook.output(1).locator(".lrw-root")
    root.wait_for()
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-start")).click()
    reached(root, 500)
    return notebook, root


def reached(root, step):
    """Wait until the page shows that a step has been taken."""
    root.page.wait_for_function(
        "([bar, step]) => Number(bar.getAttribute('aria-valuenow')) >= step",
        arg=[root.locator(hook("progress")).element_handle(), step],
        timeout=2 * SOON,
    )


def position(notebook):
    return values(notebook, "widget.trainer.position")


def shown_loss(root):
    return float(root.locator(hook("loss-value")).inner_text())


def test_a_run_is_bent_broken_rolled_back_forked_fanned_out_and_repeated(page, run, axe, tmp_path):
    notebook, root = run
    status, journal = root.locator(hook("status")), root.locator(hook("journal"))
    press = lambda name: root.locator(hook(name)).click()  # noqa: E731
    journal.locator("summary").click()

    # The future is dragged down, and the loss answers.
    press("train-pause")
    expect(status).to_contain_text("paused", timeout=SOON)
    before, at = shown_loss(root), position(notebook)
    drag(page, root.locator(f'{hook("rate-plot")} [role="slider"]').first, 0, 120)
    expect(journal).to_contain_text("a new curve", timeout=SOON)
    press("train-resume")
    reached(root, at + 400)
    rates = values(notebook, f"{RATE}.tolist()")
    assert rates[at - 1] > 0.8 * PEAK
    assert rates[at + 300] < 0.25 * PEAK
    assert shown_loss(root) < before
    losses = values(notebook, f"{LOSS}.tolist()")
    assert np.mean(losses[at + 300 : at + 400]) < 0.85 * np.mean(losses[at - 100 : at])

    # A hundred times the peak: the run diverges, goes back by itself, and says so everywhere.
    root.locator(hook("rate-field")).fill("100*peak")
    root.locator(hook("rate-field")).press("Enter")
    expect(status).to_contain_text(re.compile("diverged at .*, rolled back to"), timeout=SOON)
    for plot in (".lrw-losses", ".lrw-rates"):
        labels = root.locator(f"{plot} .lrw-flag-guard .lrw-flag-label")
        expect(labels.filter(has_text="rolled back")).to_be_visible(timeout=SOON)
    expect(journal).to_contain_text("rolled back: ", timeout=SOON)
    press("train-pause")
    expect(status).to_contain_text("paused", timeout=SOON)

    # A dot of the time line: another run goes on from there, beside this one.
    dot = root.locator(".lrw-snapshot").nth(-2)
    step = int(dot.get_attribute("data-step"))
    dot.click()
    press("snapshot-fork")
    chip = root.locator(hook("fork-1"))
    expect(chip).to_contain_text("fork 1", timeout=SOON)
    expect(chip.locator(".lrw-fork-loss")).not_to_be_empty(timeout=SOON)
    assert values(notebook, "[f.name for f in widget.trainer.forks]") == ["fork 1"]
    assert step < position(notebook)
    expect(journal).to_contain_text("forked: fork 1", timeout=SOON)

    # Four rates are tried from here, and the best one is taken.
    press("fan-open")
    press("fan-start")
    result = root.locator(".lrw-fan-result")
    expect(result.locator(".lrw-best")).to_have_count(1, timeout=2 * SOON)
    expect(result.locator("tbody tr")).to_have_count(4)
    ends = [float(text) for text in result.locator("tbody .lrw-number").all_inner_texts()]
    best = int(np.argmin(ends))
    expect(result.locator("tbody tr").nth(best)).to_have_class(re.compile("lrw-best"))
    # All that this tab has to show is shown now.
    assert [v for v in axe(".lrw-train") if v["impact"] in ("serious", "critical")] == []
    press(f"fan-take-{best}")
    expect(result).to_be_hidden(timeout=SOON)

    # To the end, and what was done is a script that gives the same numbers to the last bit.
    root.locator(hook("train-pace")).select_option("max")
    press("train-resume")
    expect(status).to_contain_text("finished", timeout=2 * SOON)
    clipboard.empty(page)
    press("script-exact")
    press("script-copy")
    (tmp_path / "copied.py").write_text(clipboard.read(page))
    (tmp_path / "model.py").write_text(MODEL)
    done = subprocess.run(
        [sys.executable, "-c", RUN_THE_COPY],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout)
    assert len(losses) == STEPS
    assert losses[-1] == values(notebook, f"float({LOSS}[-1])")
    assert losses == values(notebook, f"{LOSS}.tolist()")


def test_moves_that_follow_each_other_before_an_answer_do_what_they_show(page, run):
    notebook, root = run
    journal = root.locator(hook("journal"))
    root.locator(hook("train-pause")).click()
    expect(root.locator(hook("status"))).to_contain_text("paused", timeout=SOON)

    # The curve is bent, and bent on: what Python tells of the first does not take back the second.
    line = LateLine(page, "train.plan")
    end = root.locator(f'{hook("rate-plot")} [role="slider"]').last
    before = end.get_attribute("aria-valuetext")
    drag(page, end, 0, -30)
    line.await_commands(1)
    first = end.get_attribute("aria-valuetext")
    drag(page, end, 0, -30)
    line.await_commands(2)
    second = end.get_attribute("aria-valuetext")
    assert len({before, first, second}) == 3
    line.let_on()
    expect(journal).to_contain_text("Journal (2)", timeout=SOON)
    assert end.get_attribute("aria-valuetext") == second
    line.open()
    expect(journal).to_contain_text("Journal (3)", timeout=SOON)
    expect(end).to_have_attribute("aria-valuetext", second)
    drawn = float(re.search(r"rate ([\d.e-]+)", second)[1])
    assert values(notebook, f"widget.trainer.plan()({STEPS} - 1)") == pytest.approx(drawn, rel=0.02)

    # One move is planned for later; the next, before the answer, is for now.
    root.locator(hook("more")).click()
    line = LateLine(page, "train.scale")
    at = root.locator(hook("field-at"))
    at.fill("20000")
    root.locator(hook("quick-0.5")).click()
    expect(at).to_have_value("")
    root.locator(hook("quick-0.8")).click()
    line.await_commands(2)
    line.open()
    # Both of them, and what is planned stands there twice.
    expect(journal).to_contain_text("Journal (6)", timeout=SOON)
    assert values(notebook, "[step for _, step, _ in widget.trainer.scheduled]") == [20_000]

    # What the run shows is answer enough: no button waits for a reply that comes late.
    notebook.evaluate("setattr(widget._router, '_send', lambda message: None)")
    for done, then in (("train-resume", "train-pause"), ("train-pause", "train-resume")):
        root.locator(hook(done)).click()
        expect(root.locator(hook(then))).to_be_enabled(timeout=SOON)


FAILING = """
import jax.numpy as jnp
import numpy as np
import lrwidget as lrw

x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
mended = False


def batches():
    for i in range(200):
        if i == 30 and not mended:
            raise OSError("image 30 is truncated")
        yield x, 2 * x


def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((x * params["slope"] - y) ** 2)


task = lrw.Task({"slope": jnp.zeros(1)}, loss_fn, train=batches)
widget = lrw.LRWidget(task, lrw.optimizers.sgd(0.1), steps=100)
widget
"""


def test_what_the_users_own_code_raises_is_shown_and_the_run_goes_on_where_it_was(
    page, open_notebook, jupyterlab
):
    notebook = open_notebook(jupyterlab.write("failing.ipynb", FAILING, "mended = True"))
    notebook.run(0)
    root = notebook.output(0).locator(".lrw-root")
    root.wait_for()
    status, trouble = root.locator(hook("status")), root.locator(hook("trouble"))
    root.locator(hook("tab-train")).click()
    root.locator(hook("train-start")).click()
    expect(status).to_contain_text("failed at 30", timeout=2 * SOON)
    expect(trouble).to_contain_text("OSError: image 30 is truncated", timeout=SOON)
    trouble.locator("summary").click()
    expect(trouble.locator("pre")).to_contain_text('raise OSError("image 30 is truncated")')

    notebook.run(1)
    root = notebook.output(0).locator(".lrw-root")
    root.locator(hook("trouble-rewind")).click()
    expect(root.locator(hook("status"))).to_contain_text("paused at 30", timeout=SOON)
    expect(root.locator(hook("trouble"))).to_be_hidden(timeout=SOON)
    root.locator(hook("train-resume")).click()
    expect(root.locator(hook("status"))).to_contain_text("finished 100", timeout=2 * SOON)
    assert values(notebook, f"len({LOSS})") == 100

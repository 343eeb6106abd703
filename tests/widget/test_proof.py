"""The tick beside the code: a process of its own executes the text and holds it to the curve."""

from __future__ import annotations

import sys
import threading

import numpy as np
import psutil
import pytest

from lrwidget import schedules
from lrwidget.schedules import Schedule, Segment
from lrwidget.widget._proof import Claim, ProofWorker, checked_steps

PATIENCE = 100.0
CONSTANT = schedules.constant(0.1)


def claim(text, schedule=CONSTANT, name="learning_rate"):
    return Claim(text=text, curves={name: schedule})


def verdict(worker, given, key="one"):
    answered = threading.Event()
    answers = []
    worker.submit(key, given, lambda v: (answers.append(v), answered.set()))
    assert answered.wait(PATIENCE)
    return answers[0]


@pytest.fixture(scope="module")
def worker():
    made = ProofWorker()
    yield made
    made.close()


@pytest.mark.parametrize("name", schedules.names())
@pytest.mark.parametrize("steps", [2000, pytest.param(10, marks=pytest.mark.soak)])
def test_the_code_of_every_preset_equals_its_curve(worker, name, steps):
    schedule = schedules.preset(name, peak_value=3e-3, steps=steps)
    given = verdict(worker, claim(schedule.to_code(), schedule))
    assert given.state == "equal", given
    assert 0 <= given.error <= 1e-6
    assert given.message.startswith("equals the curve ")


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(Segment("exponential", 400, init_value=1e-2, end_value=1e-6)),
        Schedule(Segment("polynomial", 400, init_value=1e-2, end_value=0.0, power=2.5)),
        schedules.preset("one_cycle", peak_value=1.0, steps=900).sliced(123, 500),
        schedules.preset("warmup_cosine", peak_value=3e-3, steps=90).extended(30),
        schedules.knots(range(0, 800, 2), [i % 7 / 7 for i in range(400)]),
    ],
    ids=["exponential", "polynomial", "slices", "extended", "400 knots"],
)
def test_so_does_that_of_other_curves(worker, schedule):
    assert verdict(worker, claim(schedule.to_code(), schedule)).state == "equal"


def test_every_curve_of_a_text_is_checked(worker):
    curves = {"learning_rate": CONSTANT, "b1": schedules.preset("cosine", peak_value=0.9, steps=50)}
    text = "".join(curve.to_code(name) for name, curve in curves.items())
    given = verdict(worker, Claim(text=text, curves=curves))
    assert given.state == "equal", given
    assert given.message.startswith("all 2 curves equal their code ")
    wrong = verdict(worker, Claim(text=text.replace("0.9", "0.8"), curves=curves))
    assert wrong.state == "differs"
    assert wrong.message.startswith(
        "b1 differs by 1.1e-01 of the peak at step 0: the curve has 0.9"
    )
    missing = verdict(worker, Claim(text=CONSTANT.to_code(), curves=curves))
    assert "KeyError: 'b1'" in missing.message


def test_a_border_one_step_off_is_found(worker):
    drawn = schedules.preset("step", peak_value=0.1, steps=1_000_000)
    border = drawn.borders[0]
    text = drawn.to_code().replace(str(border), str(border + 1))
    given = verdict(worker, claim(text, drawn))
    assert given.state == "differs"
    assert given.error == pytest.approx(0.9)
    assert f"at step {border}: the curve has 0.01, the code gives 0.1" in given.message


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        ("learning_rate = (", "failed", "SyntaxError"),
        ("x = 1", "failed", "KeyError: 'learning_rate'"),
        ("learning_rate = 0.1", "failed", "TypeError"),
        ("import nowhere_to_be_found", "failed", "ModuleNotFoundError"),
        ("raise SystemExit(1)", "failed", "SystemExit"),
        ("import os\nos._exit(3)", "failed", "ended with status 3"),
        ("def learning_rate(step):\n    return step * float('nan')", "differs", "not a finite"),
        ("def learning_rate(step):\n    return 0.1 + 2e-7", "differs", "differs by 2.0e-06"),
        ("print('{}')\ndef learning_rate(step):\n    return 0.1", "equal", "equals the curve"),
        ("import lrwidget.widget\nlearning_rate = 0", "failed", ""),
    ],
)
def test_what_goes_wrong_is_said_and_the_next_text_is_checked(worker, text, state, said):
    given = verdict(worker, claim(text))
    assert given.state == state
    assert said in given.message
    assert verdict(worker, claim(CONSTANT.to_code())).state == "equal"


def test_a_text_that_never_ends_is_given_up():
    worker = ProofWorker(timeout=1.0)
    try:
        given = verdict(worker, claim("while True: pass"))
    finally:
        worker.close()
    assert given.state == "failed"
    assert "did not end within 1 seconds" in given.message


def test_an_interpreter_that_is_gone_is_said():
    worker = ProofWorker(python="/no/such/python")
    try:
        given = verdict(worker, claim("x = 1"))
    finally:
        worker.close()
    assert given.state == "failed"
    assert "No such file" in given.message


def test_the_process_starts_with_the_first_claim_is_kept_and_ends_with_close():
    worker = ProofWorker()
    assert worker.pid is None
    verdict(worker, claim("x = 1"))
    pid = worker.pid
    verdict(worker, claim("y = 1"))
    assert worker.pid == pid
    process = psutil.Process(pid)
    worker.close()
    assert not process.is_running()
    worker.submit("one", claim("x = 1"), pytest.fail)


def test_only_the_newest_claim_of_a_widget_is_answered():
    worker = ProofWorker()
    answers = []
    gate, done = threading.Event(), threading.Event()

    def slow(_):
        gate.wait(PATIENCE)

    try:
        worker.submit("other", claim("x = 1"), slow)
        worker.submit("one", claim("old = 1"), lambda v: answers.append("old"))
        worker.submit("gone", claim("gone = 1"), lambda v: answers.append("gone"))
        worker.submit("one", claim("new = 1"), lambda v: (answers.append("new"), done.set()))
        worker.forget("gone")
        gate.set()
        assert done.wait(PATIENCE)
    finally:
        worker.close()
    assert answers == ["new"]


def test_it_runs_on_the_cpu_backend_alone(worker):
    text = (
        "import jax\n"
        "assert [d.platform for d in jax.devices()] == ['cpu'], jax.devices()\n"
        "learning_rate = lambda step: 0.1"
    )
    assert verdict(worker, claim(text)).state == "equal"


def test_the_interpreter_is_the_kernels_own(worker):
    text = f"import sys\nassert sys.executable == {sys.executable!r}\nlearning_rate = lambda c: 0.1"
    assert verdict(worker, claim(text)).state == "equal"


def test_borders_ends_and_what_lies_between_are_checked():
    schedule = schedules.preset("step", peak_value=0.1, steps=1_000_000)
    steps = checked_steps(schedule)
    wanted = {0, 999_999, *(b + d for b in schedule.borders for d in (-1, 0, 1))}
    assert wanted <= set(steps.tolist())
    assert steps.max() == 999_999
    assert len(steps) <= 2000
    assert np.diff(steps).max() < 1000


def test_a_curve_without_end_is_followed_past_its_last_border():
    schedule = Schedule(Segment("linear", 3000), Segment("constant", value=0.1))
    assert checked_steps(schedule).max() == 6000
    assert checked_steps(CONSTANT).max() == 1000

"""The messages of a page against real kernels, without a browser.

Which click arrives during training depends on the kernel: on ipykernel 6 and on 7.4 nothing does
while a plain cell runs, on 7.0 to 7.3 only what goes through a subshell. A run on a thread, whose
cell has returned, is the one form that works on all; this is what is held to here.
"""

from __future__ import annotations

import contextlib
import json

import pytest

from lrwidget import schedules
from tests.kernel.session import KernelError, kernel, overlay
from tests.widget.malformed import MALFORMED

pytestmark = pytest.mark.kernel

SETUP = """
import jax.numpy as jnp
import numpy as np
import lrwidget as lrw

x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
y = x @ np.array([1.0, -2.0, 0.5, 3.0], "float32")

def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] - y) ** 2)

task = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(x, y), batch_size=32)
curve = lrw.schedules.preset("cosine", peak_value=0.05, steps=1_000_000)
"""
WIDGET = """
widget = lrw.LRWidget(task, lrw.optimizers.sgd(curve), pace=300)
print(widget.comm.comm_id)
"""
BENT = schedules.preset("linear", peak_value=0.02, steps=1_000_000)


@pytest.fixture(scope="module")
def kernels(request, tmp_path_factory):
    """Give the kernel of a release, one for all tests."""
    with contextlib.ExitStack() as stack:
        running = {}

        def start(release):
            site = overlay(request.config.cache.mkdir("kernels"), release)
            session = stack.enter_context(kernel(site, tmp_path_factory.mktemp("home")))
            session.run(SETUP)
            place = session.run("import ipykernel; print(ipykernel.__file__)")
            version = session.run("print(ipykernel.__version__)")
            assert place.startswith(str(site))
            assert release == "newest" or version.startswith(release)
            return session

        def get(release):
            if release not in running:
                running[release] = start(release)
            return running[release]

        yield get


# Messages go as VS Code sends them, to the shell, or as JupyterLab does, to a subshell; ipykernel 6
# has none, and no front end asks it for one.
WAYS = ["6.31 shell", "7.3 shell", "7.3 subshell", "newest shell", "newest subshell"]


@pytest.fixture(params=WAYS)
def session(kernels, request):
    """A kernel with a new widget."""
    release, way = request.param.split()
    opened = kernels(release)
    opened.comms.clear()
    opened.comm_id = opened.run(WIDGET)
    with opened.in_subshell() if way == "subshell" else contextlib.nullcontext():
        yield opened
        # The next test counts the runs that go on.
        opened.run("widget.close()\nfor left in list(lrw.Trainer.live_trainers): left.stop()")


def test_pause_and_set_arrive_while_it_trains(session):
    session.ask("ready")
    assert session.ask("train.start") == {"step": 0}
    session.wait_for("_train", "state", "running")
    paused_at = session.ask("train.pause")["step"]
    state = session.run("print(widget.trainer.state, widget.trainer.position)")
    assert state == f"paused {paused_at}"
    session.ask("train.resume")
    set_at = session.ask("train.set", value=0.001)["step"]
    scaled_at = session.ask("train.scale", factor=0.5)["step"]
    session.wait_for("_train", "held", 0.0005)
    bent_at = session.ask("train.plan", schedule=BENT.to_node())["step"]
    session.wait_for("_train", "plan", BENT.to_node())
    stopped_at = session.ask("train.stop")["step"]
    assert 0 <= paused_at <= set_at <= scaled_at <= bent_at <= stopped_at
    session.run(
        f"""
        steps = np.arange({stopped_at})
        expected = curve(steps)
        expected[{set_at}:] = 0.001
        expected[{scaled_at}:] = 0.0005
        bent = lrw.Schedule.from_node({BENT.to_node()!r})
        expected[{bent_at}:] = bent(steps[{bent_at}:])
        np.testing.assert_allclose(
            widget.trainer.history.learning_rate, expected, rtol=1e-6, atol=1e-12
        )
        assert [e.command for e in widget.trainer.journal] == [
            "pause", "resume", "set", "scale", "set", "stop"
        ]
        assert {{e.source for e in widget.trainer.journal}} == {{"widget"}}
        """.replace("\n        ", "\n")
    )


def test_an_edit_arrives_while_it_trains(session):
    session.run("edits = []; widget.observe(lambda c: edits.append(c['new']), 'schedule')")
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    assert session.ask("schedule.set", schedule=BENT.to_node()) == {"seq": 1}
    session.ask("schedule.preset", name="one_cycle", peak_value=0.3, steps=500)
    session.run("assert widget.schedule == edits[-1] and len(edits) == 2 and widget.steps == 500")
    session.run("assert widget.trainer.plan() == curve")


def test_deltas_come_while_it_trains(session):
    session.ask("train.start")
    seen = [session.wait(lambda c, n=n: c["kind"] == "delta" and c["seq"] == n) for n in (1, 2, 3)]
    assert {d["run"] for d in seen} == {1}
    assert [h["name"] for h in seen[-1]["columns"]] == ["step", "loss", "learning_rate"]


def test_a_range_test_runs_beside_the_cells(session):
    session.ask("find.start", low=1e-5, high=1.0, steps=40)
    session.wait_for("_find", "state", "done")
    assert session.run("print(len(widget.sweep.losses) > 20)") == "True"


def test_code_is_proved_in_a_process_of_its_own(session):
    session.ask("ready")
    verdict = session.wait_for("_code", "state", "equal")
    assert verdict["error"] <= 1e-6


def test_a_run_lives_on_after_every_malformed_message(session):
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    # The wire itself carries neither infinite numbers nor NaN.
    sendable = [m for m, _ in MALFORMED.values() if _is_json(m) and m is not None]
    assert len(sendable) >= 25
    for number, message in enumerate(sendable, start=1):
        session.post(message)
        session._await(lambda n=number: True if len(_errors(session)) == n else None)
    assert all(set(e) == {"kind", "id", "error"} for e in _errors(session))
    session.ask("train.pause")
    assert session.run("print(widget.trainer.state, len(widget.trainer.journal))") == "paused 1"


def test_a_page_that_reloads_still_reaches_the_run(session):
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    if session.subshell is not None:
        # A reload takes the page's subshell with it, and the comm must not be bound to that.
        session.control("delete_subshell_request", subshell_id=session.subshell)
        session.subshell = session.control("create_subshell_request")["subshell_id"]
    session.ask("resync", stream="train")
    session.wait_for("_history", "run", 1)
    session.ask("train.pause")


def test_the_cell_that_runs_again_leaves_one_run(session):
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    session.run("first = widget")
    session.comm_id = session.run(WIDGET)
    session.comms.clear()
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    assert session.run("print(first.trainer.state, len(lrw.Trainer.live_trainers))") == "stopped 1"


def test_an_error_in_the_loss_is_shown_and_the_kernel_lives_on(session):
    session.run(
        "def batches():\n"
        "    yield from [(x[:32], y[:32])] * 50\n"
        "    raise OSError('the disk is gone')\n"
        "broken = lrw.Task({'w': jnp.zeros(4)}, loss_fn, train=batches)"
    )
    session.comm_id = session.run(
        "widget = lrw.LRWidget(broken, lrw.optimizers.sgd(curve)); print(widget.comm.comm_id)"
    )
    session.ask("train.start")
    assert "the disk is gone" in session.wait_for("_train", "state", "failed")["error"]
    with pytest.raises(KernelError, match="the disk is gone"):
        session.run("widget.trainer.wait()")
    session.ask("ready")


@pytest.mark.parametrize("session", ["newest shell", "newest subshell"], indirect=True)
def test_a_cell_that_awaits_the_run_hears_commands_on_a_new_kernel(session):
    session.run("widget.trainer = lrw.Trainer(task, widget.chain, pace=300)")
    cell = session.begin("await widget.trainer.run()\nprint(widget.trainer.state, flush=True)")
    session.wait_for("_train", "state", "running")
    session.ask("train.set", value=0.001)
    session.ask("train.stop")
    assert session.finish(cell) == "stopped"


# ---- a loop of the person's own ------------------------------------------------------------------

LIVE = """
import jax
import optax

live = lrw.LiveControl(lrw.optimizers.sgd(curve), pace=300)
tx = live.to_optax()
traces = []

@jax.jit
def train_step(params, state):
    traces.append(1)
    loss, grads = jax.value_and_grad(loss_fn)(params, (x, y))
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state, loss

def train():
    print("the loop begins")
    params = {"w": jnp.zeros(4)}
    state = tx.init(params)
    for step in range(1_000_000):
        params, state, loss = train_step(params, state)
        state = live.update(state, step, loss=loss)

widget = lrw.LRWidget(live)
print(widget.comm.comm_id)
"""


@pytest.fixture
def own_loop(session):
    """The session with a widget for a loop of the person's own."""
    session.run("widget.close()")
    session.comm_id = session.run(LIVE)
    session.comms.clear()
    yield session
    session.run("live.stop() if live.state in ('compiling', 'running', 'paused') else None")


def test_commands_arrive_at_a_loop_on_a_thread(own_loop):
    session = own_loop
    session.run("live.run(train)")
    session.wait_for("_train", "state", "running")
    paused_at = session.ask("train.pause")["step"]
    assert session.run("print(live.state, live.position)") == f"paused {paused_at}"
    session.ask("train.resume")
    set_at = session.ask("train.set", value=0.001)["step"]
    bent_at = session.ask("train.plan", schedule=BENT.to_node())["step"]
    session.wait_for("_train", "plan", BENT.to_node())
    stopped_at = session.ask("train.stop")["step"]
    assert 0 < paused_at <= set_at <= bent_at <= stopped_at
    session.run(
        f"""
        steps = np.arange({stopped_at})
        expected = curve(steps)
        expected[{set_at}:] = 0.001
        expected[{bent_at}:] = lrw.Schedule.from_node({BENT.to_node()!r})(steps[{bent_at}:])
        np.testing.assert_array_equal(live.history.learning_rate, np.float32(expected))
        assert len(traces) == 1
        assert {{e.source for e in live.journal}} == {{"widget"}}
        """.replace("\n        ", "\n")
    )
    # Restart calls the function again.
    session.ask("train.restart")
    session.wait_for("_train", "run", 2)
    session.ask("train.stop")
    session.run("assert live.state == 'stopped' and len(traces) == 1")


def test_what_a_loop_on_a_thread_raises_is_shown(own_loop):
    session = own_loop
    session.run("def broken():\n    raise OSError('the disk is gone')\nlive.run(broken)")
    assert "the disk is gone" in session.wait_for("_train", "state", "failed")["error"]
    with pytest.raises(KernelError, match="the disk is gone"):
        session.run("live.wait()")


@pytest.mark.parametrize("session", ["newest shell"], indirect=True)
def test_what_a_loop_prints_stands_below_its_cell(own_loop):
    session = own_loop
    session.run(
        "import threading\n"
        "go = threading.Event()\n"
        "def late():\n"
        "    go.wait()\n"
        "    print('from the loop')"
    )
    cell = session.begin("live.run(late)")
    session.finish(cell)
    parents = []

    def printed(message):
        if message["msg_type"] == "stream" and "from the loop" in message["content"]["text"]:
            parents.append(message["parent_header"]["msg_id"])
        return bool(parents)

    session.begin("go.set(); live.wait()")
    session._read_until(printed)
    assert parents == [cell]


@pytest.mark.parametrize("session", ["newest shell", "newest subshell"], indirect=True)
def test_commands_arrive_at_a_loop_that_awaits_on_a_new_kernel(own_loop):
    session = own_loop
    cell = session.begin(
        """
        params = {"w": jnp.zeros(4)}
        state = tx.init(params)
        for step in live.range():
            params, state, loss = train_step(params, state)
            state = await live.update_async(state, step, loss=loss)
        print(live.state)
        """.replace("\n        ", "\n")
    )
    session.wait_for("_train", "state", "running")
    paused_at = session.ask("train.pause")["step"]
    session.ask("train.set", value=0.001)
    session.ask("train.resume")
    session.wait_for("_train", "held", 0.001)
    session.ask("train.stop")
    assert session.finish(cell) == "stopped"
    session.run(
        f"assert (live.history.learning_rate[{paused_at}:] == np.float32(0.001)).all()\n"
        f"assert live.history.learning_rate[{paused_at} - 1] > 0.04"
    )


def _errors(session):
    return [c for c in session.customs() if c["kind"] == "reply" and "error" in c]


def _is_json(message):
    try:
        json.dumps(message, allow_nan=False)
    except ValueError:
        return False
    return len(repr(message)) < 300_000

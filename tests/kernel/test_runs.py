"""What happens to runs when people do to a kernel what people do: each has one outcome.

===============================  ==================================================================
two trainers at once             both run, each with its own numbers
the cell runs again              the run before it is stopped, one is left
the kernel is interrupted        the cell that waits ends, and so does its run; its weights stay
the widget is closed             the run that it began is stopped
the last reference goes          a run at rest ends; one that trains goes on to its end
a data iterator that ends        refused when the task is made
a data iterator that raises      the run has failed, at the very step, with the weights of then
a callable that blocks           Pause waits for it and says so; Stop and the kernel do not
===============================  ==================================================================

No thread and no weights are left behind by any of them.
"""

from __future__ import annotations

import pytest

from tests.kernel.session import KernelError, kernel, overlay
from tests.kernel.test_kernel import SETUP, WIDGET

pytestmark = pytest.mark.kernel

HELPERS = """
import gc, sys, threading, time, weakref
from lrwidget.training import Pause, Stop

def threads():
    gc.collect()
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("lrwidget-trainer"))

def settle(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (condition, threads())
        time.sleep(0.02)

def tell_when_waiting(t):
    # An interrupt before the cell sleeps inside `wait` might end the cell alone.
    main = threading.get_ident()
    asleep, waits = threading.Condition.wait.__code__, type(t).wait.__code__
    def inside():
        frame = sys._current_frames()[main]
        sleeps = frame.f_code is asleep
        while frame is not None and frame.f_code is not waits:
            frame = frame.f_back
        return sleeps and frame is not None
    def tell():
        settle(inside)
        print("it waits", flush=True)
    threading.Thread(target=tell, daemon=True).start()

def same(a, b):
    return bool((np.asarray(a["w"]) == np.asarray(b["w"])).all())

def weights():
    gc.collect()
    return sum(x.nbytes for x in __import__("jax").live_arrays())
"""


@pytest.fixture(scope="module")
def started(request, tmp_path_factory):
    site = overlay(request.config.cache.mkdir("kernels"), "newest")
    with kernel(site, tmp_path_factory.mktemp("home")) as session:
        session.run(SETUP + HELPERS)
        yield session


@pytest.fixture
def session(started):
    """The kernel, in which no run goes on before a test and none after it."""
    started.run("assert threads() == [], threads()")
    yield started
    started.run(
        """
        for left in list(lrw.Trainer.live_trainers):
            left.stop()
        settle(lambda: threads() == [])
        """.replace("\n        ", "\n")
    )


def run(session, code):
    return session.run(code.replace("\n        ", "\n"))


def test_two_trainers_at_once_do_not_touch_each_other(session):
    run(
        session,
        """
        chain = lrw.optimizers.sgd(curve)
        alone = lrw.Trainer(task, chain, steps=3000)
        alone.run_sync()
        one, two = lrw.Trainer(task, chain, steps=3000), lrw.Trainer(task, chain, steps=3000)
        two.scale(learning_rate=0.5, at=1500)
        one.start()
        two.start()
        one.wait()
        two.wait()
        assert same(one.params, alone.params) and not same(two.params, alone.params)
        assert (one.history.loss == alone.history.loss).all()
        assert (two.history.loss[:1500] == alone.history.loss[:1500]).all()
        assert one.state == two.state == "finished"
        settle(lambda: threads() == [])
        """,
    )


def test_the_cell_that_runs_again_leaves_one_run_and_no_thread(session):
    session.comms.clear()
    session.comm_id = session.run(WIDGET)
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    session.run("first = widget.trainer")
    session.comm_id = session.run(WIDGET)
    session.comms.clear()
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    run(
        session,
        """
        assert first.state == "stopped" and len(first.history) == first.position
        settle(lambda: threads() == ["lrwidget-trainer"])
        del first
        widget.close()
        settle(lambda: threads() == [])
        """,
    )


def test_an_interrupt_ends_the_cell_and_its_run_and_keeps_the_weights(session):
    # At this pace it takes an hour: it goes on whenever the interrupt comes.
    session.run("t = lrw.Trainer(task, lrw.optimizers.sgd(curve), pace=300)")
    cell = session.begin(
        "t.start()\nsettle(lambda: t.position > 99)\ntell_when_waiting(t)\nt.wait()"
    )
    session._read_until(
        lambda m: m["msg_type"] == "stream" and "it waits" in m["content"].get("text", "")
    )
    session.interrupt()
    with pytest.raises(KernelError, match="KeyboardInterrupt"):
        session.finish(cell)
    run(
        session,
        """
        assert t.state == "stopped" and t.position == len(t.history) > 0
        again = lrw.Trainer(task, lrw.optimizers.sgd(curve), steps=t.position)
        again.run_sync()
        assert same(t.params, again.params)
        t.rewind(0)                      # a stopped run can be opened again …
        t.stop()                         # … and ended
        settle(lambda: threads() == [])
        """,
    )


def test_a_widget_that_is_closed_stops_its_run(session):
    session.comms.clear()
    session.comm_id = session.run(WIDGET)
    session.ask("train.start")
    session.wait_for("_train", "state", "running")
    run(
        session,
        """
        t = widget.trainer
        widget.close()
        t.wait()
        assert t.state == "stopped"
        settle(lambda: threads() == [])
        """,
    )


def test_a_run_without_references_ends_or_goes_on_to_its_end(session):
    run(
        session,
        """
        heavy = lrw.Task({"w": jnp.zeros(4), "pad": jnp.zeros(250_000)},
                         lambda p, b: loss_fn(p, b) + 0.0 * p["pad"][0], (x, y), batch_size=32)
        lrw.Trainer(heavy, lrw.optimizers.sgd(curve), steps=5).run_sync()    # compiled
        before = weights()
        t = lrw.Trainer(heavy, lrw.optimizers.sgd(curve))
        t.step(50)
        t.fork(20)
        t.snapshot()
        t.rewind(30)
        assert weights() >= before + 2_000_000
        gone = weakref.ref(t)
        del t
        settle(lambda: threads() == [] and gone() is None)
        settle(lambda: weights() <= before + 1000)
        t = lrw.Trainer(task, lrw.optimizers.sgd(curve), steps=40_000)
        t.start()
        del t
        settle(lambda: threads() == [])
        """,
    )


def test_a_data_iterator_that_ends_is_refused_and_one_that_raises_keeps_the_last_step(session):
    with pytest.raises(KernelError, match="must be iterable more than once"):
        session.run("lrw.Task({'w': jnp.zeros(4)}, loss_fn, train=iter([(x[:32], y[:32])] * 50))")
    run(
        session,
        """
        def batches():
            yield from [(x[i : i + 32], y[i : i + 32]) for i in range(77)]
            raise OSError("the disk is gone")

        broken = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=batches)
        t = lrw.Trainer(broken, lrw.optimizers.sgd(curve))
        t.start()
        try:
            t.wait()
        except OSError as error:
            assert "the disk is gone" in str(error)
        else:
            raise AssertionError("it must raise")
        assert t.state == "failed" and "batches" in t.traceback, t.traceback
        assert t.position == len(t.history) == 77
        whole = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=[
            (x[i : i + 32], y[i : i + 32]) for i in range(77)])
        good = lrw.Trainer(whole, lrw.optimizers.sgd(curve), steps=77)
        good.run_sync()
        assert same(t.params, good.params)
        settle(lambda: threads() == [])
        """,
    )


def test_a_callable_that_blocks_holds_up_a_pause_and_nothing_else(session):
    run(
        session,
        """
        go = threading.Event()
        passed = []

        def batches():
            for number in range(200):
                if number == 60:
                    passed.append(go.wait(60))
                yield x[:32], y[:32]

        def blocked():
            # All that came has been taken, and then it waits for more. In this order: what it
            # waited for before is no longer waited for by the time that so many are handed out.
            return t._loop.handed == 60 and t._loop._taking

        slow = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=batches)
        # So slow that each chunk is one step.
        t = lrw.Trainer(slow, lrw.optimizers.sgd(curve), steps=10**6, pace=39)
        t.start()
        settle(blocked)
        paused = t.submit(Pause())
        try:
            paused.result(0.3)
        except TimeoutError:
            assert t.state == "running"                        # "pausing…"
        else:
            raise AssertionError("a pause is confirmed at rest, and the data still block")
        assert passed == []
        go.set()
        assert paused.result(60) == 61 and t.state == "paused"
        t.rewind(0)
        go.clear()
        passed.clear()
        t.resume()
        settle(blocked)
        t.stop()
        assert t.state == "stopped" and passed == []           # the data block as before
        go.set()
        settle(lambda: threads() == [])
        """,
    )

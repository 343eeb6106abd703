"""Runs on disk: shown without their model, gone on with, changed on the way, and damaged."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import Extend, Keep, Set
from lrwidget.training._arrays import copied
from tests.training import models
from tests.training.running import TIMEOUT, shared, wait_for_step

STEPS = 60
COSINE = lrw.schedules.preset("cosine", peak_value=0.05, steps=STEPS)
CHAIN = models.sgd(COSINE, momentum=0.9)
KEEP = Keep(every=10)
VALID = models.data(29, seed=1)


@pytest.fixture(scope="module")
def task():
    return models.task(valid=VALID)


def trainer(task, path, **more):
    more = {"steps": STEPS, "snapshots": KEEP, "valid_every": 7 if task.validates else None, **more}
    return lrw.Trainer(task, CHAIN, directory=path, **more)


def carry(t):
    return t._loop.ask(copied)


def assert_columns(a, b):
    assert a.names == b.names
    for name in a.names:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def assert_same(a, b):
    models.assert_equal(carry(a), carry(b))
    assert_columns(a.history, b.history)
    assert_columns(a.history.valid, b.history.valid)


def finish(t):
    t.resume()
    assert t.wait(TIMEOUT)
    return t


def broken_off(t):
    """Return the folder of a run, at rest, as a kill would leave it, for another one to go on."""
    for each in (t, *t.forks):
        each._place.saver.flush()
    path = t.directory.with_name("broken")
    shutil.copytree(t.directory, path, ignore=shutil.ignore_patterns("lock"))
    t.stop()
    return path


@pytest.fixture(scope="module")
def done(task, tmp_path_factory):
    """A run that was bent, taken back, and came to its end."""
    path = tmp_path_factory.mktemp("runs") / "done"
    t = trainer(task, path, name="digits")
    t.step(20)
    t.scale(learning_rate=0.5, source="widget")
    t.step(15)
    t.rewind(30)
    t.set(momentum=0.8, at=40)
    finish(t)
    t._place.close()
    return t, path


# ---- shown ---------------------------------------------------------------------------------------


def test_a_finished_run_is_shown_without_its_model(done):
    t, path = done
    run = lrw.open_run(path)
    assert (run.name, run.state, run.position, run.steps) == ("digits", "finished", STEPS, STEPS)
    assert (run.chain, run.addresses, run.measures) == (CHAIN, t.addresses, t.measures)
    assert_columns(run.history, t.history)
    assert_columns(run.history.valid, t.history.valid)
    assert run.journal == t.journal
    assert [e.undone for e in run.journal] == [e.undone for e in t.journal]
    assert run.plan() == t.plan()
    assert run.effective_schedule() == t.effective_schedule()
    assert run.effective_chain() == t.effective_chain()
    assert run.held("momentum") == 0.8
    assert run.best == t.best
    assert run.steps_per_epoch == 8
    [line] = run.lines
    assert (line.start, len(line.columns["step"])) == (30, 5)
    np.testing.assert_array_equal(line.columns["loss"], t.lines[0].columns["loss"])
    steps = [s.step for s in run.snapshots]
    assert (steps[0], steps[-1], run.snapshots[-1].reason) == (0, STEPS, "end")
    assert repr(run) == f"SavedRun({str(path)!r}, finished, step 60 of 60)"
    axes = run.plot()
    assert len(axes) == 2


def test_a_preview_shows_both_curves(done):
    _, path = done
    run = lrw.open_run(path)
    seen = run.preview(steps=90, learning_rate=0.01)
    assert (seen.step, seen.steps_before, seen.steps_after) == (STEPS, STEPS, 90)
    old, new = seen.changes["sgd.learning_rate"]
    assert (old(70), new(70)) == (COSINE(60) / 2, 0.01)
    assert "the run has 90 steps instead of 60" in str(seen)
    assert run.steps == STEPS
    with pytest.raises(ValueError, match="steps must be a whole number >= 60"):
        run.preview(steps=50)
    with pytest.raises(ValueError, match="learning_rate must be"):
        run.preview(learning_rate=-1.0)


def test_a_run_is_shown_while_it_goes_on(task, tmp_path):
    t = trainer(task, tmp_path / "run", steps=2**30, snapshots=None)
    t.start()
    wait_for_step(t, 50)
    t.scale(learning_rate=0.5)
    run = lrw.open_run(tmp_path / "run")
    assert run.state == "broken"
    assert [e.command for e in run.journal] == ["scale"]
    count = run.position
    assert (run.history.step == np.arange(count)).all()
    with pytest.raises(ValueError, match="process"):
        run.resume(task)
    t.pause()
    np.testing.assert_array_equal(run.history.loss, t.history.loss[:count])
    t._place.saver.flush()
    assert lrw.open_run(tmp_path / "run").position == t.position
    t.stop()
    assert lrw.open_run(tmp_path / "run").state == "stopped"
    t._place.close()


# ---- gone on with --------------------------------------------------------------------------------


def test_a_longer_horizon(done, task, tmp_path):
    t, path = done
    shutil.copytree(path, tmp_path / "run", ignore=shutil.ignore_patterns("lock"))
    again = lrw.open_run(tmp_path / "run").resume(task, steps=80, learning_rate=0.01)
    assert (again.state, again.position, again.steps) == ("paused", STEPS, 80)
    assert_same(again, t)
    assert again.origin == STEPS
    finish(again)
    np.testing.assert_array_equal(again.history.learning_rate[STEPS:], np.float32(0.01))
    assert [e.command for e in again.journal][-3:] == ["extend", "set", "resume"]
    again.rewind(25)
    assert again.history.learning_rate[24] == np.float32(COSINE(24) / 2)
    again._place.close()
    assert lrw.open_run(tmp_path / "run").position == 25


@pytest.mark.parametrize("kind", ["nnx", "linen", "list"])
def test_a_run_that_broke_off_goes_on_as_if_it_had_not(kind, tmp_path):
    x, y = models.data()
    if kind == "list":
        batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 64, 8)]
        task = models.task(train=batches, batch_size=None)
    else:
        task = shared(kind)

    def told(path):
        t = trainer(task, path)
        t.step(15)
        t.set(learning_rate=0.02, at=33)
        if kind != "list":
            t.set_batch_size(16)
        t.step(9)
        return t

    whole = finish(told(None))
    path = broken_off(told(tmp_path / "run"))
    run = lrw.open_run(path)
    assert (run.state, run.position) == ("broken", 24)
    t = run.resume(task, snapshots=KEEP)
    assert (t.state, t.position, len(t.scheduled)) == ("paused", 24, 1)
    assert_same(finish(t), whole)
    t._place.close()
    saved = lrw.open_run(path)
    assert saved.state == "finished"
    assert_columns(saved.history, whole.history)


def test_rows_that_never_reached_the_disk_are_computed_again(task, tmp_path):
    t = trainer(task, tmp_path / "run", snapshots=Keep(every=25))
    t.step(50)
    there = carry(t)
    t.set(learning_rate=0.01)
    path = broken_off(t)
    rows = (path / "history.bin").read_bytes()
    # The last records are torn; what was given at step 50 says how far the run had come.
    (path / "history.bin").write_bytes(rows[: len(rows) // 2])
    run = lrw.open_run(path)
    assert run.position < 50
    again = run.resume(task)
    assert again.position == len(again.history) == 50
    models.assert_equal(carry(again), there)
    assert list(again.history.valid.step) == [7, 14, 21, 28, 35, 42, 49]
    whole = trainer(task, None)
    whole.step(50)
    whole.set(learning_rate=0.01)
    assert_same(finish(again), finish(whole))
    again._place.close()
    assert_columns(lrw.open_run(path).history.valid, whole.history.valid)


@pytest.mark.parametrize("step", [3, 28])
def test_a_pass_that_never_reached_the_disk_is_made_again(task, tmp_path, step):
    t = trainer(task, tmp_path / "run", snapshots=Keep(every=7))
    t.step(step)
    path = broken_off(t)
    (path / "valid.bin").unlink()
    again = lrw.open_run(path).resume(task)
    assert list(again.history.valid.step) == ([28] if step == 28 else [])
    again.step(8)
    assert list(again.history.valid.step) == ([28, 35] if step == 28 else [7])
    again._place.close()


def test_a_damaged_snapshot_is_passed_over(task, tmp_path, caplog):
    t = trainer(task, tmp_path / "run")
    t.step(35)
    there = carry(t)
    path = broken_off(t)
    for file in sorted((path / "snapshots").iterdir())[-2:]:
        data = bytearray(file.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 8] = bytes(8)
        file.write_bytes(data)
    again = lrw.open_run(path).resume(task)
    assert again.position == 35
    models.assert_equal(carry(again), there)
    again._place.close()


def test_a_chain_that_hears_validation_goes_on(task, tmp_path):
    o = lrw.optimizers
    plateau = o.reduce_on_plateau(factor=0.5, patience=1, rtol=1.0, monitor="valid")
    chain = lrw.Chain.of(o.sgd(0.05), plateau)

    def told(path):
        t = lrw.Trainer(task, chain, STEPS, valid_every=7, directory=path, snapshots=Keep(every=7))
        t.step(28)
        return t

    whole = finish(told(None))
    t = lrw.open_run(broken_off(told(tmp_path / "run"))).resume(task)
    assert_same(finish(t), whole)
    assert len(set(whole.history["reduce_on_plateau.scale"])) > 2
    t._place.close()


def test_forks_are_kept_and_go_on(task, tmp_path):
    t = trainer(task, tmp_path / "run")
    t.step(20)
    fork = t.fork(name="hot", learning_rate=0.02)
    fork.step(15)
    gone = t.fork(name="gone")
    t.drop(gone)
    grandchild = fork.fork(name="small")
    grandchild.step(3)
    t.step(5)
    grandchild._place.saver.flush()
    path = broken_off(t)
    run = lrw.open_run(path)
    assert [f.name for f in run.forks] == ["hot"]
    [saved] = run.forks
    assert (saved.state, saved.position, saved.held()) == ("broken", 35, 0.02)
    assert saved.forks[0].name == "small"
    assert_columns(saved.history, fork.history)
    again = saved.resume(task)
    assert_same(again, fork)
    again._place.close()
    main = run.resume(task)
    assert main.fork().id == "fork-3"
    assert [f.name for f in lrw.open_run(path).forks] == ["hot", "fork 3"]
    main.forks[0]._place.close()
    main._place.close()


def test_a_fork_that_was_taken_is_the_run_on_disk(task, tmp_path):
    t = trainer(task, tmp_path / "run")
    t.step(20)
    fork = t.fork(learning_rate=0.02)
    fork.step(20)
    t.scale(learning_rate=0.1)
    t.step(5)
    t.take(fork)
    t.step(3)
    there, journal = carry(t), t.journal
    path = broken_off(t)
    run = lrw.open_run(path)
    assert (run.position, run.held(), run.forks) == (43, 0.02, ())
    assert run.journal == journal
    again = run.resume(task)
    models.assert_equal(carry(again), there)
    again._place.close()


def test_a_diverged_run_is_taken_back(tmp_path):
    path = tmp_path / "run"
    t = trainer(shared(), path, guard=None)
    t.set(learning_rate=3e38, at=30)
    t.start()
    with pytest.warns(RuntimeWarning, match="diverged"):
        t.wait()
    t._place.close()
    run = lrw.open_run(path)
    assert run.state == "diverged"
    again = run.resume(shared())
    assert again.state == "paused"
    again.rewind(29)
    again.cancel(again.scheduled[0][0])
    plain = lrw.Trainer(shared(), CHAIN, steps=STEPS)
    plain.run_sync()
    assert_same(finish(again), plain)
    again._place.close()


# ---- what cannot be ------------------------------------------------------------------------------


def test_a_folder_is_used_once(done, task, tmp_path):
    _, path = done
    with pytest.raises(ValueError, match=r"open it with lrw\.open_run"):
        trainer(task, path)
    (tmp_path / "letter.txt").write_text("")
    with pytest.raises(ValueError, match=r"which holds letter\.txt"):
        trainer(task, tmp_path)
    with pytest.raises(ValueError, match="must be a folder"):
        trainer(task, tmp_path / "letter.txt")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"seed": 3}, "whose seed was 0, and this one has 3"),
        ({"batch_size": 4}, "whose batch_size was 8"),
        ({"valid": None}, "whose valid_columns was"),
    ],
)
def test_another_task_is_refused_and_nothing_is_locked(done, changes, match):
    _, path = done
    run = lrw.open_run(path)
    for _ in range(2):
        with pytest.raises(ValueError, match=match):
            run.resume(models.task(**{"valid": VALID, **changes}))
    with pytest.raises(TypeError, match="task must be a Task"):
        run.resume(None)


def test_a_model_of_another_shape_is_refused(done):
    _, path = done
    params = {
        name: np.zeros([n + 1 for n in p.shape], np.float32)
        for name, p in models.pytree_params().items()
    }

    def loss_fn(params, batch):
        x, y = batch
        return models.pytree_loss(
            {k: v[tuple(slice(n - 1) for n in v.shape)] for k, v in params.items()}, (x, y)
        )

    wrong = models.task(model=params, loss_fn=loss_fn, valid=VALID)
    with pytest.raises(ValueError, match="whose model was"):
        lrw.open_run(path).resume(wrong)


def test_a_shorter_run_is_refused(done, task):
    _, path = done
    with pytest.raises(ValueError, match="steps must be a whole number >= 60"):
        lrw.open_run(path).resume(task, steps=59)


def test_folders_without_a_run_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be the folder of a run"):
        lrw.open_run(tmp_path)
    with pytest.raises(ValueError, match=r"must be the folder of a run"):
        lrw.open_run(tmp_path / "nothing")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        lrw.open_run(tmp_path)


def test_a_disk_that_fails_does_not_end_the_run(task, tmp_path, monkeypatch, caplog):
    t = trainer(task, tmp_path / "run")
    t.step(20)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    directory = type(t._place.directory)
    for name in ("append_entry", "append_rows", "save_snapshot"):
        monkeypatch.setattr(directory, name, full)
    t.scale(learning_rate=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finish(t)
    assert t.state == "finished"
    assert "No space left" in t.disk_error
    assert "no longer kept on disk" in caplog.text
    monkeypatch.undo()
    t._place.close()


def test_the_config_is_plain(done):
    _, path = done
    config = json.loads((path / "run.json").read_text())
    assert "chain" in json.dumps(config)
    run = lrw.open_run(path)
    assert run.header["batch_size"] == 8
    assert run.header["versions"]["backend"] == "cpu"


def test_what_is_given_at_rest_is_there_at_once(task, tmp_path):
    t = trainer(task, tmp_path / "run")
    t.step(5)
    for command in (Extend(steps=7), Set(values={"momentum": 0.5}, at=20)):
        t.submit(command).result()
    run = lrw.open_run(tmp_path / "run")
    assert run.steps == STEPS + 7
    assert [e.command for e in run.journal][-2:] == ["extend", "schedule"]
    t.stop()
    t._place.close()

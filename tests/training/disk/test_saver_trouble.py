"""The saver in trouble: no error of a disk ends a run, and nothing is left behind."""

from __future__ import annotations

import gc
import logging
import shutil
import threading
import weakref

import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training._disk import RunDirectory, Saver, _writing
from tests.training.disk.saving import TIMEOUT, TREE, kept, rows, saved, savers, steps


@pytest.fixture
def errors():
    return []


@pytest.fixture
def saver(tmp_path, errors):
    saver = Saver(RunDirectory.create(tmp_path / "run", {}), None, errors.append)
    yield saver
    saver.close(TIMEOUT)


# ---- errors of the disk ------------------------------------------------------------------------


class Refusing:
    """Make a method of a directory fail while `on`."""

    def __init__(self, directory, name):
        self._method = getattr(directory, name)
        self.on, self.calls = True, 0
        setattr(directory, name, self)

    def __call__(self, *arguments, **more):
        self.calls += 1
        if self.on:
            raise OSError(28, "No space left on device", "history.bin")
        return self._method(*arguments, **more)


def test_rows_that_a_full_disk_refuses_are_told_of_once_and_written_when_it_has_room(saver, errors):
    full = Refusing(saver.directory, "append_rows")
    for start in range(0, 8, 2):
        saver.rows("train", rows(start, start + 2))
        assert not saver.flush(TIMEOUT)
    path = saver.directory.path
    text = f"the history of this run could not be written to {path}: No space left on device. "
    assert errors == [text + "The run itself goes on."]
    assert saver.trouble == errors[0]
    assert steps(saver) == []
    full.on = False
    assert saver.flush(TIMEOUT)
    assert saver.trouble is None
    assert steps(saver) == list(range(8))
    assert len(errors) == 1


def test_a_refusing_disk_is_tried_again_without_being_asked(saver, errors, monkeypatch):
    monkeypatch.setattr(_writing, "_RETRY_SECONDS", 0.01)
    full = Refusing(saver.directory, "append_rows")
    told = threading.Event()
    errors_append = errors.append

    def tell(text):
        errors_append(text)
        full.on = False
        told.set()

    saver._writing._on_error = lambda: tell
    written = threading.Event()
    method = full._method
    full._method = lambda *a, **k: (method(*a, **k), written.set())
    saver.rows("train", rows(0, 2))
    assert told.wait(TIMEOUT)
    assert written.wait(TIMEOUT)
    assert steps(saver) == [0, 1]


def test_entries_that_a_full_disk_refuses_are_written_in_order_later(saver, errors):
    full = Refusing(saver.directory, "append_entry")
    saver.entry({"n": 0})
    saver.entry({"n": 1}, cut=3)
    saver.rows("train", rows(0, 5))
    assert kept(saver).entries() == []
    assert [text[:30] for text in errors] == ["the journal of this run could "]
    full.on = False
    saver.entry({"n": 2})
    assert kept(saver).entries() == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert saver.flush(TIMEOUT)
    assert steps(saver) == list(range(5))  # they came after the cut
    assert saver.trouble is None


def test_a_snapshot_that_a_full_disk_refuses_is_given_up(saver, errors):
    full = Refusing(saver.directory, "save_snapshot")
    saver.snapshot(1, TREE, {})
    saver.rows("train", rows(0, 2))
    assert saver.flush(TIMEOUT)
    assert [text[:31] for text in errors] == ["the snapshot of this run could "]
    assert saver.trouble == errors[0]
    assert steps(saver) == [0, 1]
    full.on = False
    saver.snapshot(2, TREE, {})
    assert saver.flush(TIMEOUT)
    assert saved(saver) == [2]
    assert saver.trouble is None
    assert full.calls == 2


def test_closing_ends_the_thread_even_if_the_disk_is_full(saver, errors):
    Refusing(saver.directory, "append_rows")
    saver.rows("train", rows(0, 2))
    assert not saver.close(TIMEOUT)
    assert savers() == []
    with RunDirectory.open(saver.directory.path, write=True):
        pass


def test_a_folder_that_is_taken_away_ends_nothing(saver, errors):
    shutil.rmtree(saver.directory.path)
    saver.entry({})
    saver.rows("train", rows(0, 2))
    saver.snapshot(2, TREE, {}, mark="best")
    saver.flush(TIMEOUT)
    assert [text[:31] for text in errors] == ["the snapshot of this run could "]


def test_a_tree_that_cannot_be_saved_is_told_of_and_the_rest_goes_on(saver, errors):
    lost = jnp.zeros(3)
    saver.snapshot(1, {"w": "text"}, {})
    saver.snapshot(2, {"w": lost}, {"reason": "edit"})
    lost.delete()
    saver.rows("train", {"loss": np.zeros(2)})
    saver.rows("train", rows(0, 2))
    saver.flush(TIMEOUT)
    assert steps(saver) == [0, 1]
    assert any("columns must hold step" in text for text in errors)


def test_what_is_told_may_fail_itself(tmp_path, caplog):
    def fail(text):
        raise ZeroDivisionError

    saver = Saver(RunDirectory.create(tmp_path / "run", {}), None, fail)
    Refusing(saver.directory, "append_rows")
    saver.rows("train", rows(0, 2))
    with caplog.at_level(logging.ERROR, "lrwidget"):
        assert not saver.flush(TIMEOUT)
    assert "what was told of an error on disk failed itself" in caplog.text
    saver.close(TIMEOUT)


def test_who_is_told_may_close_the_saver(tmp_path):
    directory = RunDirectory.create(tmp_path / "run", {})
    saver = Saver(directory, None, lambda text: (saver.close(), closed.set()))
    closed = threading.Event()
    Refusing(directory, "append_rows")
    saver.rows("train", rows(0, 2))
    assert closed.wait(TIMEOUT)
    assert saver.close(TIMEOUT) in (True, False)
    assert savers() == []


# ---- nothing is left behind --------------------------------------------------------------------


def test_a_saver_that_is_forgotten_finishes_and_ends(tmp_path):
    saver = Saver(RunDirectory.create(tmp_path / "run", {}), None, print)
    path = saver.directory.path
    saver.rows("train", rows(0, 2))
    saver.snapshot(2, TREE, {})
    [thread] = savers()
    del saver
    gc.collect()
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    with RunDirectory.open(path, write=True) as directory:
        assert directory.rows("train").columns["step"].tolist() == [0, 1]
        assert [snapshot.step for snapshot in directory.snapshots()] == [2]


def test_a_saver_keeps_nobody_alive_who_listens(tmp_path):
    class Trainer:
        def __init__(self, path):
            self.saver = Saver(RunDirectory.create(path, {}), None, self.told)

        def told(self, text):
            pass

    trainer = Trainer(tmp_path / "run")
    trainer.saver.rows("train", rows(0, 2))
    [thread] = savers()
    gone = weakref.ref(trainer)
    del trainer
    gc.collect()
    assert gone() is None
    thread.join(TIMEOUT)
    assert not thread.is_alive()

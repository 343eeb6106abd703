"""The saver: order is kept, nobody waits for the disk, and its errors end no run."""

from __future__ import annotations

import gc
import threading
import weakref

import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training._disk import RunDirectory, Saver
from tests.training.disk.saving import TIMEOUT, TREE, kept, rows, saved, savers, steps
from tests.training.disk.states import assert_same


class SlowDirectory(RunDirectory):
    """A run directory whose snapshots wait for `gate`, and which writes down what is done."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.gate, self.reached = threading.Event(), threading.Event()
        self.done = []

    def save_snapshot(self, step, tree, meta, **more):
        self.reached.set()
        assert self.gate.wait(TIMEOUT)
        self.done.append(("snapshot", step))
        return super().save_snapshot(step, tree, meta, **more)

    def append_rows(self, table, columns, **more):
        self.done.append((table, *np.asarray(columns["step"]).tolist()))
        super().append_rows(table, columns, **more)

    def cut(self, table, step, **more):
        self.done.append(("cut", table, step))
        super().cut(table, step, **more)


@pytest.fixture
def errors():
    return []


@pytest.fixture
def slow(tmp_path, errors):
    """Return a saver whose first snapshot, of step 0, is being saved until the gate opens."""
    directory = SlowDirectory.create(tmp_path / "run", {})
    saver = Saver(directory, None, errors.append)
    saver.snapshot(0, TREE, {"reason": "interval"})
    assert directory.reached.wait(TIMEOUT)
    yield saver
    directory.gate.set()
    assert saver.close(TIMEOUT)
    assert errors == []


@pytest.fixture
def saver(tmp_path, errors):
    saver = Saver(RunDirectory.create(tmp_path / "run", {}), None, errors.append)
    yield saver
    saver.close(TIMEOUT)


# ---- what is given is kept ---------------------------------------------------------------------


def test_all_that_is_given_is_on_the_disk_after_a_flush(saver, errors):
    saver.rows("train", rows(0, 5))
    saver.rows("valid", rows(5, 6))
    saver.entry({"command": "set"})
    saver.snapshot(5, TREE, {"reason": "best", "value": 0.5}, mark=("best", "last"))
    saver.rows("train", rows(5, 8))
    assert saver.flush(TIMEOUT)
    assert steps(saver) == list(range(8))
    assert steps(saver, "valid") == [5]
    assert kept(saver).entries() == [{"command": "set"}]
    assert kept(saver).marks() == {"best": 5, "last": 5}
    tree, meta = kept(saver).load_snapshot(5, TREE)
    assert_same(TREE, tree)
    assert meta == {"reason": "best", "value": 0.5}
    assert errors == []
    assert saver.trouble is None


def test_closing_flushes_ends_the_thread_and_lets_others_write(saver):
    saver.rows("train", rows(0, 5))
    assert saver.close(TIMEOUT)
    assert saver.close(TIMEOUT)
    assert savers() == []
    with RunDirectory.open(saver.directory.path, write=True):
        pass
    assert steps(saver) == list(range(5))
    for call in (lambda: saver.rows("train", rows(5, 6)), lambda: saver.entry({})):
        with pytest.raises(ValueError, match="is closed"):
            call()
    assert saver.flush(TIMEOUT)


def test_a_saver_that_did_nothing_closes(saver):
    assert saver.close(TIMEOUT)
    with RunDirectory.open(saver.directory.path, write=True):
        pass


def test_rows_are_kept_as_they_were_when_they_were_given(slow):
    columns = rows(0, 3)
    slow.rows("train", columns)
    columns["loss"][:] = -1
    slow.directory.gate.set()
    assert slow.flush(TIMEOUT)
    assert kept(slow).rows("train").columns["loss"].tolist() == [0, 1, 2]


def test_meta_data_is_kept_as_it_was_when_it_was_given(slow):
    meta = {"reason": "edit", "stream": [1]}
    slow.snapshot(1, TREE, meta)
    meta["reason"] = "other"
    meta["stream"].append(2)
    slow.directory.gate.set()
    assert slow.flush(TIMEOUT)
    assert kept(slow).snapshots()[1].meta == {"reason": "edit", "stream": [1]}


def test_what_is_no_json_is_refused_where_it_is_given(saver, errors):
    with pytest.raises(TypeError, match="JSON data"):
        saver.entry({"a": {1}})
    with pytest.raises(TypeError, match="JSON data"):
        saver.snapshot(0, TREE, {"a": {1}})
    saver.entry({"a": 1})
    assert saver.flush(TIMEOUT)
    assert kept(saver).entries() == [{"a": 1}]
    assert errors == []


def test_a_resumed_run_goes_on(saver):
    saver.rows("train", rows(0, 3))
    saver.snapshot(3, TREE, {"reason": "end"})
    saver.close(TIMEOUT)
    again = Saver(RunDirectory.open(saver.directory.path, write=True), 2500, print)
    again.rows("train", rows(3, 5))
    again.snapshot(4, TREE, {})
    again.snapshot(5, TREE, {}, mark="last")
    assert again.close(TIMEOUT)
    assert steps(again) == list(range(5))
    assert saved(again) == [3, 5]  # the budget counts what was there before


# ---- order -------------------------------------------------------------------------------------


def test_an_entry_is_on_file_before_it_returns_whatever_the_disk_is_busy_with(slow):
    slow.rows("train", rows(0, 3))
    slow.entry({"command": "set"})
    assert kept(slow).entries() == [{"command": "set"}]
    assert steps(slow) == []


def test_the_order_is_kept_and_rows_are_written_together(slow):
    slow.rows("train", rows(0, 2))
    slow.rows("valid", rows(1, 2))
    slow.rows("train", rows(2, 4))
    slow.snapshot(4, TREE, {}, mark="best")
    slow.rows("train", rows(4, 6))
    slow.cut(4)
    slow.rows("train", rows(4, 5))
    slow.directory.gate.set()
    assert slow.flush(TIMEOUT)
    assert slow.directory.done == [
        ("snapshot", 0),
        ("valid", 1),
        ("train", 0, 1, 2, 3),
        ("snapshot", 4),
        ("train", 4, 5),
        ("cut", "train", 4),
        ("cut", "valid", 5),
        ("train", 4),
    ]
    assert steps(slow) == [0, 1, 2, 3, 4]


def test_rows_that_nothing_follows_are_written_soon(slow):
    slow.directory.gate.set()
    assert slow.flush(TIMEOUT)
    written = threading.Event()
    append = slow.directory.append_rows
    slow.directory.append_rows = lambda *a, **k: (append(*a, **k), written.set())
    slow.rows("train", rows(0, 2))
    assert written.wait(TIMEOUT)
    assert steps(slow) == [0, 1]


def test_a_cut_takes_snapshots_behind_it_along_also_those_that_wait(slow):
    slow.directory.gate.set()
    for step in (5, 10):
        slow.snapshot(step, TREE, {}, mark=f"m{step}")
    assert slow.flush(TIMEOUT)
    slow.directory.gate.clear()
    slow.directory.reached.clear()
    slow.snapshot(6, TREE, {"reason": "edit"})
    assert slow.directory.reached.wait(TIMEOUT)
    slow.snapshot(7, TREE, {"reason": "edit"})
    slow.entry({"command": "rewind"}, cut=5)
    assert saved(slow) == [0, 5]  # at once, while the disk is still busy
    slow.snapshot(7, TREE, {"reason": "edit", "new": True})
    slow.directory.gate.set()
    assert slow.flush(TIMEOUT)
    assert slow.directory.done.count(("snapshot", 6)) == 1  # it was being written
    assert slow.directory.done.count(("snapshot", 7)) == 1  # the first of them was dropped
    assert [found.meta for found in kept(slow).snapshots()][2:] == [{"reason": "edit", "new": True}]
    assert kept(slow).marks() == {"m5": 5}
    assert len(list((slow.directory.path / "snapshots").iterdir())) == 3


def test_a_snapshot_that_is_there_can_be_marked_and_one_that_is_not_is_let_be(saver, errors):
    saver.snapshot(3, TREE, {})
    saver.mark("best", 3)
    saver.mark("last", 4)
    assert saver.flush(TIMEOUT)
    assert kept(saver).marks() == {"best": 3}
    assert errors == []


# ---- a slow disk -------------------------------------------------------------------------------


def test_snapshots_that_wait_are_dropped_for_later_ones_but_for_dear_ones(slow):
    slow.snapshot(1, TREE, {"reason": "interval"})
    slow.snapshot(2, TREE, {"reason": "best"}, mark="best")
    slow.snapshot(3, TREE, {"reason": "epoch"})
    slow.snapshot(4, TREE, {"reason": "edit"})
    slow.snapshot(5, TREE, {"reason": "end"})
    slow.snapshot(6, TREE, {"reason": "interval"}, mark="other")
    slow.snapshot(7, TREE, {"reason": "interval"})
    slow.directory.gate.set()
    assert slow.flush(TIMEOUT)
    assert saved(slow) == [0, 2, 4, 5, 6, 7]


def test_dropped_snapshots_give_their_memory_back(slow):
    lost = jnp.arange(3.0)
    memory = weakref.ref(lost)
    slow.snapshot(1, {"w": lost}, {})
    slow.snapshot(2, TREE, {})
    del lost
    gc.collect()
    assert memory() is None


def test_saved_snapshots_give_their_memory_back(slow):
    large = jnp.arange(3.0)
    memory = weakref.ref(large)
    slow.snapshot(1, {"w": large}, {})
    del large
    slow.directory.gate.set()
    assert slow.flush(TIMEOUT)
    gc.collect()
    assert memory() is None


def test_too_many_dear_ones_are_dropped_too_the_oldest_first(tmp_path, errors):
    directory = SlowDirectory.create(tmp_path / "run", {})
    saver = Saver(directory, None, errors.append, waiting_bytes=1500)
    saver.snapshot(0, TREE, {"reason": "start"})
    assert directory.reached.wait(TIMEOUT)
    saver.snapshot(1, TREE, {"reason": "best"}, mark="best")
    saver.snapshot(2, TREE, {"reason": "end"})
    for step in range(3, 8):
        saver.snapshot(step, TREE, {"reason": "edit"})
    saver.snapshot(8, TREE, {"reason": "best"}, mark="best")
    saver.snapshot(9, TREE, {})
    directory.gate.set()
    assert saver.close(TIMEOUT)
    assert saved(saver) == [0, 2, 8, 9]
    assert kept(saver).marks() == {"best": 8}


# ---- the budget --------------------------------------------------------------------------------


def test_snapshots_on_disk_are_thinned_to_the_budget(tmp_path, errors):
    saver = Saver(RunDirectory.create(tmp_path / "run", {}), 12_000, errors.append)
    for step in range(0, 400, 10):
        saver.snapshot(step, TREE, {"reason": "interval"}, mark="best" if step == 130 else ())
        assert saver.flush(TIMEOUT)
    left = kept(saver).snapshots()
    assert sum(snapshot.nbytes for snapshot in left) <= 12_000
    assert len(left) >= 8
    assert {0, 130, 370, 380, 390} <= {snapshot.step for snapshot in left}
    gaps = np.diff([snapshot.step for snapshot in left])
    assert gaps[-1] == 10
    assert gaps.max() >= 80
    assert kept(saver).marks() == {"best": 130}
    assert saver.close(TIMEOUT)
    assert errors == []


def test_a_budget_for_nothing_keeps_what_must_stay(tmp_path, errors):
    saver = Saver(RunDirectory.create(tmp_path / "run", {}), 0, errors.append)
    for step in range(6):
        saver.snapshot(step, TREE, {"reason": "hand"}, mark="best" if step in (1, 3) else None)
        assert saver.flush(TIMEOUT)
    assert saved(saver) == [0, 3, 5]
    assert saver.close(TIMEOUT)


def test_snapshots_by_hand_go_after_the_others(tmp_path, errors):
    saver = Saver(RunDirectory.create(tmp_path / "run", {}), 6_000, errors.append)
    for step in range(20):
        saver.snapshot(step, TREE, {"reason": "hand" if step in (4, 5) else "interval"})
        assert saver.flush(TIMEOUT)
    assert {0, 4, 5, 19} <= set(saved(saver))
    assert saver.close(TIMEOUT)

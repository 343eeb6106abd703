"""A run's folder: what is kept is found again, and only by those who may."""

from __future__ import annotations

import json
import os

import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training._disk import Damaged, RunDirectory, _run_file, _trees
from tests.training.disk.damage import flips, truncations
from tests.training.disk.states import assert_same

CONFIG = {"name": "run", "steps": 100, "chain": {"links": []}}
ENTRY = {"step": 3, "command": "set", "after": 0.1}
TREE = {"w": jnp.arange(3.0)}


def rows(start, stop):
    return {"step": np.arange(start, stop), "loss": np.arange(start, stop, dtype=np.float32)}


def steps(directory, table="train"):
    return directory.rows(table).columns.get("step", np.empty(0)).tolist()


@pytest.fixture
def run(tmp_path):
    with RunDirectory.create(tmp_path / "run", CONFIG) as directory:
        yield directory


def test_what_is_kept_is_found_again(run):
    run.append_entry(ENTRY)
    run.append_rows("train", rows(0, 5))
    run.append_rows("valid", rows(4, 5))
    run.save_snapshot(4, TREE, {"reason": "epoch"})
    run.mark("best", 4)
    for opened in (run, RunDirectory.open(run.path)):
        assert opened.config == CONFIG
        assert opened.entries() == [ENTRY]
        assert opened.entry_count == 1
        assert steps(opened) == [0, 1, 2, 3, 4]
        assert steps(opened, "valid") == [4]
        [snapshot] = opened.snapshots()
        assert snapshot[:2] == (4, {"reason": "epoch"})
        assert snapshot.nbytes == snapshot.path.stat().st_size
        assert opened.marks() == {"best": 4}
        tree, meta = opened.load_snapshot(4, TREE)
        assert_same(TREE, tree)
        assert meta == {"reason": "epoch"}
    assert sorted(path.name for path in run.path.iterdir()) == [
        "history.bin",
        "journal.jsonl",
        "lock",
        "marks.json",
        "run.json",
        "snapshots",
        "valid.bin",
    ]
    assert [path.name for path in (run.path / "snapshots").iterdir()] == ["step_000000004.npz"]


def test_a_new_run_has_nothing(run):
    opened = RunDirectory.open(run.path)
    assert opened.entries() == opened.snapshots() == []
    assert opened.marks() == {}
    assert opened.forks() == ()
    assert opened.rows("train") == ({}, ())


def test_a_closed_run_goes_on_where_it_was(run):
    run.append_entry(ENTRY)
    run.append_rows("train", rows(0, 5))
    run.close()
    with RunDirectory.open(run.path, write=True) as again:
        again.append_entry({**ENTRY, "step": 9})
        again.append_rows("train", rows(5, 7))
    assert [entry["step"] for entry in RunDirectory.open(run.path).entries()] == [3, 9]
    assert steps(RunDirectory.open(run.path)) == list(range(7))


def test_the_config_can_be_replaced(run):
    run.set_config({"name": "other"})
    assert run.config == RunDirectory.open(run.path).config == {"name": "other"}


# ---- who may begin, write and read -------------------------------------------------------------


def test_a_folder_that_holds_a_run_takes_no_other(run):
    run.close()
    with pytest.raises(ValueError, match=r"holds a run already: open it with lrw.open_run\('"):
        RunDirectory.create(run.path, {})
    assert RunDirectory.open(run.path).config == CONFIG


def test_a_folder_with_other_files_takes_no_run_and_is_left_as_it_was(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "more").mkdir()
    with pytest.raises(ValueError, match=r"an empty or a new folder, got .* holds more and 1 more"):
        RunDirectory.create(tmp_path, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more", "notes.txt"]


def test_an_empty_folder_and_what_a_killed_beginner_left_take_a_run(tmp_path):
    (tmp_path / "lock").write_text("")
    (tmp_path / ".run.json.0123abcd.tmp").write_text("{")
    (tmp_path / ".DS_Store").write_text("")
    RunDirectory.create(tmp_path, CONFIG).close()
    assert not (tmp_path / ".run.json.0123abcd.tmp").exists()
    assert (tmp_path / ".DS_Store").exists()


def test_a_file_takes_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="directory must be a folder, got the file"):
        RunDirectory.create(tmp_path / "file", {})
    with pytest.raises(ValueError, match="directory must be a folder that can be written, got"):
        RunDirectory.create(tmp_path / "file" / "inside", {})
    with pytest.raises(ValueError, match="path must be the folder of a run"):
        RunDirectory.open(tmp_path / "file")


def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ValueError, match=r"that can be written, got .*Read-only file system"):
        RunDirectory.create(tmp_path / "run", {})
    monkeypatch.undo()
    RunDirectory.create(tmp_path / "run", {}).close()  # the lock was let go


def test_a_config_that_is_no_json_is_refused_and_begins_no_run(tmp_path):
    with pytest.raises(TypeError, match="JSON data"):
        RunDirectory.create(tmp_path / "run", {"a": {1}})
    RunDirectory.create(tmp_path / "run", {}).close()


def test_a_folder_without_a_run_is_not_opened(tmp_path):
    with pytest.raises(ValueError, match=r"path must be the folder of a run, got .* no run.json"):
        RunDirectory.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    RunDirectory.create("~/run", {}).close()
    assert (tmp_path / "run" / "run.json").is_file()


def test_a_run_that_is_being_written_can_be_read_but_not_written(run):
    with pytest.raises(ValueError, match="is being written by another Trainer of this process"):
        RunDirectory.open(run.path, write=True)
    reader = RunDirectory.open(run.path)
    run.append_entry(ENTRY)
    assert reader.entries() == [ENTRY]


@pytest.mark.parametrize(
    "write",
    [
        lambda run: run.append_entry(ENTRY),
        lambda run: run.append_rows("train", rows(0, 1)),
        lambda run: run.cut("train", 0),
        lambda run: run.save_snapshot(0, TREE, {}),
        lambda run: run.remove_snapshot(0),
        lambda run: run.mark("best", 0),
        lambda run: run.set_config({}),
        lambda run: run.fork("a", {}),
    ],
)
def test_who_reads_cannot_write(run, write):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(ValueError, match="is open to read: open it with write=True"):
        write(RunDirectory.open(run.path))
    assert sorted(run.path.rglob("*")) == before


def test_a_newer_format_is_said_to_be_newer(tmp_path, monkeypatch):
    monkeypatch.setattr(_run_file, "_VERSION", 2)
    RunDirectory.create(tmp_path, {}).close()
    monkeypatch.undo()
    with pytest.raises(ValueError, match="newer lrwidget, in format 2; this one reads up to 1"):
        RunDirectory.open(tmp_path)


def test_a_table_that_there_is_not_is_refused(run):
    with pytest.raises(ValueError, match="table must be one of train, valid; got 'test'"):
        run.rows("test")
    with pytest.raises(ValueError, match="table must be one of"):
        run.append_rows("test", rows(0, 1))


# ---- damage ------------------------------------------------------------------------------------


def test_a_run_file_that_is_damaged_is_said_to_be_so(run):
    path = run.path / "run.json"
    json.loads(path.read_text())  # it is JSON to everybody
    for _ in flips(path):
        with pytest.raises(Damaged, match="is damaged"):
            RunDirectory.open(run.path)
    for _ in truncations(path):
        with pytest.raises(Damaged, match="is damaged"):
            RunDirectory.open(run.path)
    assert RunDirectory.open(run.path).config == CONFIG


def test_what_killed_writers_left_is_cleared_away(run):
    run.append_entry(ENTRY)
    run.save_snapshot(1, TREE, {})
    run.close()
    left = [
        run.path / ".marks.json.01234567.tmp",
        run.path / "snapshots" / ".step_000000009.npz.89abcdef.tmp",
    ]
    for path in left:
        path.write_text("half")
    with (run.path / "journal.jsonl").open("ab") as file:
        file.write(b'{"n":1,"crc32":"00')
    assert RunDirectory.open(run.path).entries() == [ENTRY]
    assert all(path.exists() for path in left)  # reading changes nothing
    with RunDirectory.open(run.path, write=True) as again:
        assert not any(path.exists() for path in left)
        again.append_entry(ENTRY)
    assert RunDirectory.open(run.path).entries() == [ENTRY, ENTRY]


def test_damage_in_the_middle_is_no_torn_end(run):
    for _ in range(3):
        run.append_entry(ENTRY)
    run.close()
    path = run.path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.2", 1))
    with pytest.raises(Damaged, match="line 1 of"):
        RunDirectory.open(run.path).entries()
    with pytest.raises(Damaged, match="line 1 of"):
        RunDirectory.open(run.path, write=True)
    # Neither is the lock kept by who could not open it.
    path.write_bytes(path.read_bytes().replace(b"0.2", b"0.1", 1))
    RunDirectory.open(run.path, write=True).close()


# ---- snapshots ---------------------------------------------------------------------------------


def test_a_snapshot_that_is_not_there_is_an_error_that_says_which_are(run):
    with pytest.raises(
        ValueError, match=r"step must be that of a snapshot \(there are none\), got"
    ):
        run.load_snapshot(3, TREE)
    run.save_snapshot(1, TREE, {})
    run.save_snapshot(20, TREE, {})
    with pytest.raises(ValueError, match=r"of a snapshot \(1, 20\), got 3"):
        run.load_snapshot(3, TREE)


def test_the_last_whole_snapshot_is_found_behind_damaged_ones(run):
    for step in (10, 20, 30, 40):
        run.save_snapshot(step, {"w": jnp.full(3, step)}, {"at": step})
    path = run.path / "snapshots" / "step_000000040.npz"
    path.write_bytes(path.read_bytes()[:100])
    path = run.path / "snapshots" / "step_000000030.npz"
    path.write_bytes(path.read_bytes().replace(b"\x1e\0\0\0", b"\x1f\0\0\0"))  # 30 -> 31
    assert [snapshot.step for snapshot in run.snapshots()] == [10, 20, 30]
    like = {"w": jnp.zeros(3, int)}
    step, tree, meta, damaged = run.load_latest(like)
    assert (step, tree["w"][0], meta) == (20, 20, {"at": 20})
    assert [("000000040" in text, "000000030" in text) for text in damaged] == [
        (True, False),
        (False, True),
    ]
    assert run.load_latest(like, at_most=19).step == 10
    with pytest.raises(Damaged, match="must hold a whole snapshot of step <= 9, got none"):
        run.load_latest(like, at_most=9)
    with pytest.raises(ValueError, match=r"leaf \['w'\] must be float32\[3\], and is int32\[3\]"):
        run.load_latest(TREE)
    with pytest.raises(Damaged):
        run.load_snapshot(40, like)


def test_a_list_of_snapshots_shows_what_there_is_now(run):
    reader = RunDirectory.open(run.path)
    for number in range(5):
        run.save_snapshot(1, TREE, {"number": [number]})
        for directory in (run, reader):
            [snapshot] = directory.snapshots()
            assert snapshot.meta == {"number": [number]}
            snapshot.meta["number"].append("changed by who asked")
    run.remove_snapshot(1)
    assert run.snapshots() == reader.snapshots() == []


def test_listing_snapshots_again_opens_no_file(run, monkeypatch):
    for step in range(3):
        run.save_snapshot(step, TREE, {})
    listed = run.snapshots()
    monkeypatch.setattr(_trees, "read_meta", None)
    assert run.snapshots() == listed


def test_other_files_among_the_snapshots_are_none(run):
    run.save_snapshot(1, TREE, {})
    for name in ("step_2.npz", "step_000000003.npz.bak", "notes.txt", ".step_000000004.npz"):
        (run.path / "snapshots" / name).write_text("")
    assert [snapshot.step for snapshot in run.snapshots()] == [1]


def test_a_removed_snapshot_takes_its_marks_along(run):
    for step in (1, 2):
        run.save_snapshot(step, TREE, {})
        run.mark(f"m{step}", step)
    run.mark("last", 2)
    run.remove_snapshot(2)
    run.remove_snapshot(2)
    assert run.marks() == {"m1": 1}
    run.save_snapshot(2, TREE, {})
    assert run.marks() == {"m1": 1}
    with pytest.raises(ValueError, match="step must be that of a snapshot, got 7 for the mark"):
        run.mark("best", 7)


# ---- cuts --------------------------------------------------------------------------------------


def test_an_entry_with_a_cut_hides_what_it_leaves_at_once(run):
    run.append_rows("train", rows(0, 10))
    run.append_rows("valid", rows(0, 10))
    for step in (0, 4, 8):
        run.save_snapshot(step, TREE, {})
        run.mark(f"m{step}", step)
    run.append_entry({"command": "rewind"}, cut=4)
    for opened in (run, RunDirectory.open(run.path)):
        assert steps(opened) == [0, 1, 2, 3]
        assert steps(opened, "valid") == [0, 1, 2, 3, 4]
        assert [snapshot.step for snapshot in opened.snapshots()] == [0, 4]
        assert opened.marks() == {"m0": 0, "m4": 4}
        assert opened.entries() == [{"command": "rewind"}]
        assert opened.load_latest(TREE).step == 4
        with pytest.raises(ValueError, match=r"snapshot \(0, 4\), got 8"):
            opened.load_snapshot(8, TREE)
        [line] = opened.rows("train").lines
        assert line.start == 4
        assert line.columns["step"].tolist() == [4, 5, 6, 7, 8, 9]


def test_what_comes_after_a_cut_counts(run):
    run.append_rows("train", rows(0, 10))
    run.save_snapshot(8, TREE, {})
    run.mark("best", 8)
    run.append_entry({}, cut=4)
    run.append_rows("train", rows(4, 9))
    run.save_snapshot(8, TREE, {"new": True})
    assert steps(run) == list(range(9))
    assert [snapshot.meta for snapshot in run.snapshots()] == [{"new": True}]
    assert run.marks() == {}  # what was the best belongs to the line that was left


def test_who_opens_to_write_clears_away_what_cuts_left(run):
    for step in (0, 4, 8):
        run.save_snapshot(step, TREE, {})
    run.append_entry({}, cut=4)
    run.close()
    with RunDirectory.open(run.path, write=True):
        names = sorted(path.name for path in (run.path / "snapshots").iterdir())
    assert names == ["step_000000000.npz", "step_000000004.npz"]


def test_what_was_measured_before_a_cut_is_cut_even_if_it_is_written_after_it(run):
    run.append_entry({}, cut=4)
    run.append_rows("train", rows(0, 10), entries=0)
    run.save_snapshot(8, TREE, {}, entries=0)
    assert steps(run) == [0, 1, 2, 3]
    assert run.snapshots() == []


def test_what_followed_an_entry_that_a_power_failure_took_goes_with_it(run):
    run.append_entry(ENTRY)
    run.append_rows("train", rows(0, 3))
    run.save_snapshot(3, TREE, {})
    run.append_entry({"lost": True})
    run.append_rows("train", rows(3, 6))
    run.append_rows("valid", rows(6, 7))
    run.save_snapshot(6, TREE, {})
    run.mark("best", 3)
    run.close()
    path = run.path / "journal.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    reader = RunDirectory.open(run.path)
    assert steps(reader) == [0, 1, 2]
    assert steps(reader, "valid") == []
    assert [found.step for found in reader.snapshots()] == [3]
    assert reader.marks() == {}
    with RunDirectory.open(run.path, write=True) as again:
        again.append_entry({"new": True})
    assert steps(reader) == [0, 1, 2]
    assert [found.step for found in reader.snapshots()] == [3]
    assert not (run.path / "snapshots" / "step_000000006.npz").exists()
    assert reader.marks() == {}


# ---- forks -------------------------------------------------------------------------------------


def test_a_fork_is_a_run_of_its_own(run):
    with run.fork("b-2", {"name": "slow", "at": 3}) as fork, fork.fork("c", {}) as inner:
        fork.append_rows("train", rows(3, 5))
        inner.append_entry(ENTRY)
    with run.fork("a", {}):
        pass
    opened = RunDirectory.open(run.path)
    assert opened.forks() == ("a", "b-2")
    assert opened.open_fork("b-2").config == {"name": "slow", "at": 3}
    assert steps(opened.open_fork("b-2")) == [3, 4]
    assert opened.open_fork("b-2").open_fork("c").entries() == [ENTRY]
    with run.open_fork("b-2", write=True) as fork:
        fork.append_rows("train", rows(5, 6))
    assert steps(opened.open_fork("b-2")) == [3, 4, 5]


def test_a_fork_whose_beginner_was_killed_is_none(run):
    (run.path / "forks" / "a").mkdir(parents=True)
    (run.path / "forks" / "a" / "lock").write_text("")
    assert run.forks() == ()
    run.fork("a", CONFIG).close()
    assert run.forks() == ("a",)
    with pytest.raises(ValueError, match="holds a run already"):
        run.fork("a", CONFIG)


@pytest.mark.parametrize("fork", ["", "../out", "a/b", ".hidden", "a" * 65, "a b", None, 3])
def test_the_id_of_a_fork_leads_nowhere_else(run, fork):
    for method in (run.open_fork, lambda one: run.fork(one, {})):
        with pytest.raises(ValueError, match="fork must be 1 to 64 letters, digits"):
            method(fork)

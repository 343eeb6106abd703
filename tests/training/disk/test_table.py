"""Tables: columns in chunks, cuts, and the lines that these leave."""

from __future__ import annotations

import json
import os

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._table import TableFile, _record, read_table
from tests.training.disk.damage import flips, truncations


def rows(start, stop, loss=0.0):
    steps = np.arange(start, stop)
    return {"step": steps, "loss": (steps + loss).astype(np.float32)}


def written(path, *chunks):
    table = TableFile(path)
    for chunk in chunks:
        table.cut(chunk) if isinstance(chunk, int) else table.append(chunk)
    table.close()
    return path


@pytest.fixture
def path(tmp_path):
    return written(tmp_path / "history.bin", rows(0, 4), rows(4, 6), rows(6, 9))


def test_chunks_are_read_as_columns(path):
    columns, lines = read_table(path)
    assert columns["step"].tolist() == list(range(9))
    assert columns["loss"].tolist() == list(range(9))
    assert columns["step"].dtype == np.int64
    assert columns["loss"].dtype == np.float32
    assert lines == ()


def test_a_file_that_is_not_there_has_no_rows(tmp_path):
    assert read_table(tmp_path / "none") == ({}, ())


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.int8, np.uint64, bool, ">f4", ">i8"]
)
def test_numbers_come_back_bit_for_bit(tmp_path, dtype):
    column = np.frombuffer(np.random.default_rng(0).bytes(64), np.uint8).astype(dtype)
    path = written(tmp_path / "table", {"step": np.arange(64), "x": column})
    read = read_table(path).columns["x"]
    assert read.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(read, column)


def test_bfloat16_is_kept_as_float32(tmp_path):
    column = jnp.asarray([0.1, 3.0], jnp.bfloat16)
    path = written(tmp_path / "table", {"step": [0, 1], "x": np.asarray(column)})
    read = read_table(path).columns["x"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, np.asarray(column, np.float32))


def test_any_text_names_a_column(tmp_path):
    names = ["", "a b", "loss\n", "head/λ", "f0", "\0"]
    path = written(tmp_path / "table", {"step": [5], **{name: [1.5] for name in names}})
    assert list(read_table(path).columns) == ["step", *names]


def test_columns_that_come_and_go_are_nan_where_they_were_not(tmp_path):
    path = written(
        tmp_path / "table",
        {"step": [0, 1], "loss": np.float32([1, 2])},
        {"step": [2], "loss": np.float32([3]), "norm": np.float32([9])},
        {"step": [3], "norm": np.float32([8])},
    )
    columns = read_table(path).columns
    assert columns["step"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(columns["loss"], np.float32([1, 2, 3, np.nan]))
    np.testing.assert_array_equal(columns["norm"], np.float32([np.nan, np.nan, 9, 8]))
    assert columns["loss"].dtype == np.float32


def test_a_file_that_is_opened_again_goes_on(path):
    written(path, rows(9, 12))
    assert read_table(path).columns["step"].tolist() == list(range(12))


@pytest.mark.parametrize(
    "columns",
    [
        {"loss": [1.0]},
        {"step": [1.0]},
        {"step": [2, 1]},
        {"step": 3},
        {"step": [1, 2], "loss": [1.0]},
        {"step": [1], "loss": [[1.0]]},
        {"step": [1], "loss": ["a"]},
        {"step": [1], "loss": [None]},
        {"step": [1], "loss": [1j]},
    ],
)
def test_what_is_no_rows_is_refused_and_nothing_is_written(path, columns):
    before = path.read_bytes()
    table = TableFile(path)
    with pytest.raises(ValueError, match="columns must"):
        table.append(columns)
    table.close()
    assert path.read_bytes() == before


def test_no_rows_write_nothing(path):
    before = path.read_bytes()
    written(path, rows(3, 3))
    assert path.read_bytes() == before


# ---- cuts --------------------------------------------------------------------------------------


def test_a_cut_forgets_rows_and_leaves_them_as_a_line(path):
    written(path, 5, rows(5, 7, loss=0.5))
    columns, [line] = read_table(path)
    assert columns["loss"].tolist() == [0, 1, 2, 3, 4, 5.5, 6.5]
    assert line.start == 5
    assert line.columns["loss"].tolist() == [5, 6, 7, 8]


def test_a_cut_behind_the_end_leaves_no_line(path):
    written(path, 9, 100)
    assert read_table(path).lines == ()
    assert len(read_table(path).columns["step"]) == 9


def test_rows_at_a_step_that_is_there_take_its_place(path):
    written(path, rows(3, 5, loss=0.5))
    columns, [line] = read_table(path)
    assert columns["loss"].tolist() == [0, 1, 2, 3.5, 4.5]
    assert line.start == 3


def test_everything_can_be_cut(path):
    written(path, 0)
    columns, [line] = read_table(path)
    assert columns["step"].tolist() == []
    assert columns["loss"].dtype == np.float32
    assert line.columns["step"].tolist() == list(range(9))


def test_cuts_of_another_book_apply_to_what_was_there_before_them(tmp_path):
    table = TableFile(tmp_path / "table")
    table.append(rows(0, 10), stamp=0)
    table.append(rows(10, 12), stamp=2)
    table.append(rows(4, 6, loss=0.5), stamp=4)
    table.close()
    columns, lines = read_table(tmp_path / "table", [(1, 11), (3, 4)])
    assert columns["loss"].tolist() == [0, 1, 2, 3, 4.5, 5.5]
    assert [(line.start, len(line.columns["step"])) for line in lines] == [(4, 8)]
    # The cut that was written in both books counts once.
    columns, lines = read_table(tmp_path / "table", [(4, 2)])
    assert columns["loss"].tolist() == [0, 1]


changes = st.lists(
    st.tuples(st.just("cut"), st.integers(-1, 40))
    | st.tuples(st.just("rows"), st.integers(1, 9))
    | st.tuples(st.just("book"), st.integers(0, 40))
    | st.just(("reopen", 0)),
    max_size=25,
)


@settings(max_examples=100)
@given(changes=changes)
def test_cuts_and_rows_in_any_order_are_as_a_list_would_have_them(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("table") / "file"
    table, expected, lost, cuts = TableFile(path), [], [], []
    for number, (what, value) in enumerate(changes):
        if what == "rows":
            start = expected[-1][0] + 1 if expected else 0
            new = [(step, number) for step in range(start, start + value)]
            steps, loss = np.array(new).T
            table.append({"step": steps, "by": loss}, stamp=len(cuts))
            expected += new
        elif what == "reopen":
            table.close()
            table = TableFile(path)
        else:
            lost += [row for row in expected if row[0] >= value]
            expected = [row for row in expected if row[0] < value]
            if what == "cut":
                table.cut(value, stamp=len(cuts))
            else:
                cuts.append((len(cuts), value))
    table.close()
    columns, lines = read_table(path, cuts)
    if columns:
        assert list(zip(*(column.tolist() for column in columns.values()), strict=True)) == expected
    else:
        assert expected == []
    read = [
        row
        for line in lines
        for row in zip(*(column.tolist() for column in line.columns.values()), strict=True)
    ]
    assert read == lost


# ---- damage ------------------------------------------------------------------------------------


def test_a_torn_end_is_ignored_and_cut_off_when_more_is_appended(path):
    seen = set()
    for _ in truncations(path):
        steps = read_table(path).columns.get("step", np.empty(0)).tolist()
        assert steps in ([], list(range(4)), list(range(6)))
        seen.add(len(steps))
        size = path.stat().st_size
        written(path, rows(20, 22))
        assert read_table(path).columns["step"].tolist() == [*steps, 20, 21]
        assert path.stat().st_size < size + 300
    assert seen == {0, 4, 6}


def test_no_flipped_bit_goes_unnoticed(path):
    last = len(_record(3, 0, 0, b"")) + 3 * 12
    whole = path.stat().st_size
    for place in flips(path):
        if place < whole - last:
            with pytest.raises(Damaged, match=r"record \d of .*, at byte \d+, is damaged"):
                read_table(path)
        else:  # the end of a file cannot be told from a torn one
            assert read_table(path).columns["step"].tolist() == list(range(6))


def test_records_inside_records_are_no_records(tmp_path):
    inner = np.frombuffer(_record(2, 0, 1, b"\0" * 8), np.uint8)
    chunk = {"step": np.arange(len(inner)), "x": inner.astype(np.uint8)}
    path = written(tmp_path / "table", chunk)
    assert len(read_table(path).columns["step"]) == len(inner)


def test_types_that_are_no_numbers_are_not_read(tmp_path):
    path = tmp_path / "table"
    named = json.dumps([["step", "<i8"], ["x", "|O"]]).encode()
    path.write_bytes(_record(1, 0, 0, named) + _record(2, 0, 1, b"\0" * 16))
    with pytest.raises(Damaged, match="number"):
        read_table(path)


def test_a_disk_that_refuses_rows_leaves_none_of_them(path, monkeypatch):
    table = TableFile(path)
    write = os.write

    def half(file, data):
        if len(data) < 60:
            raise OSError(28, "No space left on device")
        return write(file, bytes(data)[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space"):
            table.append({**rows(9, 10), "new": [1.0]})
    table.append({**rows(9, 10), "new": [1.0]})
    table.close()
    assert read_table(path).columns["step"].tolist() == list(range(10))

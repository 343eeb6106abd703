"""Columns that grow while others read them."""

from __future__ import annotations

import threading

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lrwidget.training._history import History, Table


@hypothesis.given(st.lists(st.integers(0, 3000), max_size=8))
def test_a_table_is_what_was_appended(lengths):
    table = Table({"step": np.int64, "loss": np.float32})
    snapshots = []
    total = 0
    for n in lengths:
        steps = np.arange(total, total + n)
        table.append({"step": steps, "loss": steps / 7})
        total += n
        snapshots.append((total, table.loss))
    assert len(table) == total
    np.testing.assert_array_equal(table.step, np.arange(total))
    assert table.loss.dtype == np.float32
    for length, snapshot in snapshots:
        np.testing.assert_array_equal(snapshot, np.float32(np.arange(length) / 7))


def test_columns_are_read_only():
    table = Table({"loss": np.float32})
    table.append({"loss": [1.0]})
    with pytest.raises(ValueError, match="read-only"):
        table.loss[0] = 2.0
    with pytest.raises(ValueError, match="read-only"):
        table.columns()["loss"][0] = 2.0


def test_rows_must_have_equal_lengths():
    table = Table({"a": np.float32, "b": np.float32})
    with pytest.raises(ValueError, match="of equal length"):
        table.append({"a": [1.0], "b": [1.0, 2.0]})
    assert len(table) == 0


def test_an_unknown_column_names_those_that_there_are():
    table = Table({"step": np.int64, "loss": np.float32})
    with pytest.raises(KeyError, match="'lose' is no column; there are step, loss"):
        table["lose"]
    with pytest.raises(AttributeError, match="there are step, loss"):
        _ = table.lose
    assert {"step", "loss"} <= set(dir(table))


def test_all_columns_end_together_while_a_thread_appends():
    table = Table({"a": np.int64, "b": np.int64})
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            table.append({"a": [n], "b": [n]})
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(300):
        columns = table.columns()
        np.testing.assert_array_equal(columns["a"], columns["b"])
    stop.set()
    writer.join()


def test_columns_can_begin_later():
    table = Table({"a": np.int64})
    table.append({"a": np.arange(10)})
    np.testing.assert_array_equal(table.columns(7)["a"], [7, 8, 9])
    assert len(table.columns(99)["a"]) == 0


def test_hyperparameters_go_by_their_bare_names_where_these_are_their_own():
    history = History(
        ["loss", "eps"],
        ["adam.learning_rate", "adam.eps", "clip.max_norm", "clip_2.max_norm"],
        ["loss"],
    )
    assert history.names == (
        "step",
        "loss",
        "eps",
        "learning_rate",
        "adam.eps",
        "clip.max_norm",
        "clip_2.max_norm",
    )
    row = {key: [i] for i, key in enumerate(history._columns)}
    history.append(row)
    assert history.learning_rate == history["adam.learning_rate"] == 3
    assert history.eps == 2
    assert history["adam.eps"] == 4
    assert set(history.columns()) == set(history.names)


def test_a_history_becomes_a_data_frame():
    history = History(["loss"], ["sgd.learning_rate"], ["loss", "accuracy"])
    history.append({"step": [0, 1], "loss": [2.0, 1.0], "sgd.learning_rate": [0.1, 0.1]})
    frame = history.to_pandas()
    assert list(frame.columns) == ["step", "loss", "learning_rate"]
    assert len(frame) == 2
    assert history.valid.names == ("step", "loss", "accuracy")
    assert len(history.valid.to_pandas()) == 0

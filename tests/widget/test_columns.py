"""Columns: thinned without changing the picture, and byte for byte what a browser reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lrwidget.widget import _columns
from lrwidget.widget._stream import KEPT_ROWS, SNAPSHOT_ROWS, Stream, Table
from tests.widget.page import decoded, decoded_delta

VALUES = st.floats(-1e6, 1e6) | st.just(float("nan"))


@given(
    loss=hnp.arrays(np.float64, st.integers(1, 3000), elements=VALUES),
    limit=st.integers(2, 600),
    stride=st.integers(1, 1000),
)
def test_thinning_keeps_ends_order_and_extremes(loss, limit, stride):
    step = np.arange(len(loss)) * stride
    rate = np.linspace(0, 1, len(loss))
    thin = _columns.thin({"step": step, "loss": loss, "rate": rate}, "step", limit)
    kept = thin["step"] // stride
    assert len(kept) <= max(limit, 1)
    assert kept[0] == 0
    assert kept[-1] == len(loss) - 1
    assert np.all(np.diff(kept) > 0)
    np.testing.assert_array_equal(thin["loss"], loss[kept])
    np.testing.assert_array_equal(thin["rate"], rate[kept])
    if limit >= 6 and np.isfinite(loss).any():
        assert np.nanmin(thin["loss"]) == np.nanmin(loss)
        assert np.nanmax(thin["loss"]) == np.nanmax(loss)


def test_few_rows_stay_as_they_are():
    columns = {"step": np.arange(500), "loss": np.arange(500.0)}
    thin = _columns.thin(columns, "step", 500)
    assert thin["loss"] is columns["loss"]


def test_many_columns_leave_evenly_spaced_rows():
    columns = {"step": np.arange(1000)} | {f"m{i}": np.arange(1000.0) for i in range(40)}
    assert _columns.length(_columns.thin(columns, "step", 50)) <= 50


def test_a_flat_column_costs_one_row_a_bucket():
    columns = {"step": np.arange(100_000), "loss": np.ones(100_000)}
    assert _columns.length(_columns.thin(columns, "step", 500)) <= 251


def test_steps_travel_as_float64_and_losses_as_float32():
    step = np.array([2**24 + 1, 2**40 + 1])
    packed = _columns.encode({"step": step, "loss": np.array([0.1, 1e300])})
    np.testing.assert_array_equal(decoded(packed["step"]), step)
    assert packed["loss"]["dtype"] == "float32"
    np.testing.assert_array_equal(decoded(packed["loss"]), np.float32([0.1, np.inf]))


@given(blocks=st.lists(st.integers(0, 300), min_size=1, max_size=12), cut=st.integers(0, 12))
def test_a_snapshot_and_the_deltas_after_it_are_the_whole_history(blocks, cut):
    stream = Stream("train", x="step")
    shown: dict[str, list[float]] = {}
    history = {"step": np.arange(sum(blocks)), "loss": np.arange(sum(blocks)) * 0.5}
    at = 0
    for number, rows in enumerate(blocks, start=1):
        block = {name: values[at : at + rows] for name, values in history.items()}
        message, buffers = stream.delta(block, {})
        assert message["seq"] == number
        at += rows
        if number == cut:
            snapshot = stream.snapshot()
            assert snapshot["seq"] == cut
            shown = {n: list(decoded(c)) for n, c in snapshot["columns"].items()}
        elif number > cut:
            for name, values in decoded_delta(message, buffers).items():
                shown.setdefault(name, []).extend(values)
    if at and cut <= len(blocks):
        np.testing.assert_array_equal(shown["step"], history["step"])
        np.testing.assert_array_equal(shown["loss"], np.float32(history["loss"]))


def test_both_tables_of_a_delta_come_in_the_order_of_their_heads():
    stream = Stream("train", x="step")
    message, buffers = stream.delta(
        {"step": np.arange(3), "loss": np.ones(3)}, {"step": np.array([3]), "loss": np.zeros(1)}
    )
    assert decoded_delta(message, buffers, "valid")["step"].tolist() == [3.0]
    assert decoded_delta(message, buffers)["loss"].tolist() == [1.0, 1.0, 1.0]


def test_a_long_delta_and_a_long_snapshot_are_thinned():
    stream = Stream("train", x="step")
    rows = 50_000
    loss = np.random.default_rng(0).normal(size=rows)
    loss[31_234] = 1e6
    message, _ = stream.delta({"step": np.arange(rows), "loss": loss}, {})
    assert message["columns"][0]["length"] <= 500
    snapshot = stream.snapshot()["columns"]
    assert len(decoded(snapshot["step"])) <= SNAPSHOT_ROWS
    assert decoded(snapshot["loss"]).max() == 1e6


def test_memory_stays_bounded_and_extremes_survive_a_million_rows():
    table = Table("step")
    for start in range(0, 1_000_000, 5000):
        loss = np.cos(np.arange(start, start + 5000) / 1e5)
        if start == 250_000:
            loss[17] = -7.0
        table.append({"step": np.arange(start, start + 5000), "loss": loss})
        assert table._rows <= KEPT_ROWS
    rows = table.rows()
    assert rows["loss"].min() == -7.0
    assert rows["step"][[0, -1]].tolist() == [0, 999_999]
    assert np.all(np.diff(rows["step"]) > 0)


def test_the_rows_of_a_caller_may_change_afterwards():
    table = Table("step")
    buffer = np.arange(4.0)
    table.append({"step": buffer})
    buffer[:] = -1
    assert table.rows()["step"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row(rows):
    stream = Stream("train", x="step")
    stream.delta({"step": np.arange(rows), "loss": np.ones(rows)}, {})
    assert len(stream.snapshot()["columns"]) == 2 * rows

"""Lines: what is appended is read again; a torn end is cut off, damage before it is named."""

from __future__ import annotations

import json
import math
import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._lines import Lines, read_lines
from tests.training.disk.damage import flips, truncations

VALUES = [
    {"step": 3, "command": "set", "after": 0.1},
    {"text": "a\nb \u2028 ü \ud800", "crc32": '","line":{}}'},
    [],
    {"step": 9, "arguments": {"reason": "NaN", "at": -1}},
]

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def path(tmp_path):
    return written(tmp_path / "journal.jsonl", VALUES)


def written(path, values):
    lines = Lines(path)
    for value in values:
        lines.append(value)
    lines.close()
    return path


def test_what_is_appended_is_read(path):
    assert read_lines(path) == VALUES


def test_each_line_is_json_of_its_own(path):
    numbers = [json.loads(line)["n"] for line in path.read_text().splitlines()]
    assert numbers == [0, 1, 2, 3]


def test_a_file_that_is_not_there_has_no_lines(tmp_path):
    assert read_lines(tmp_path / "none") == []


@settings(max_examples=30)
@given(values=st.lists(json_data, max_size=5))
def test_any_json_comes_back(tmp_path_factory, values):
    path = written(tmp_path_factory.mktemp("lines") / "file", values)
    assert read_lines(path) == values


def test_what_is_not_finite_comes_back(tmp_path):
    path = written(tmp_path / "file", [{"loss": math.nan, "norm": np.float32(np.inf)}])
    [line] = read_lines(path)
    assert math.isnan(line["loss"])
    assert line["norm"] == math.inf


def test_a_line_is_on_file_when_append_returns(tmp_path):
    lines = Lines(tmp_path / "file")
    lines.append("a")
    assert read_lines(tmp_path / "file") == ["a"]
    lines.close()


def test_a_torn_end_is_ignored_and_cut_off_when_more_is_appended(path):
    ends = np.cumsum([len(line) for line in path.read_bytes().splitlines(keepends=True)])
    for length in truncations(path):
        whole = VALUES[: int(np.searchsorted(ends, length, "right"))]
        assert read_lines(path) == whole
        assert read_lines(written(path, ["more"])) == [*whole, "more"]


def test_no_flipped_bit_goes_unnoticed(path):
    ends = np.cumsum([len(line) for line in path.read_bytes().splitlines(keepends=True)])
    for place in flips(path):
        line = int(np.searchsorted(ends, place, "right"))
        found = read_or_complaint(path)
        if isinstance(found, str):
            assert f"line {line + 1} of " in found
        else:
            # The end of a file cannot be told from a torn one.
            assert found == VALUES[:line]
            assert line >= len(VALUES) - 2
        if line < len(VALUES) - 2:
            with pytest.raises(Damaged):
                Lines(path)


def read_or_complaint(path):
    try:
        return read_lines(path)
    except Damaged as error:
        return str(error)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], lines[2], lines[3]], 2),
        (lambda lines: [lines[0], lines[1], lines[1], *lines[2:]], 3),
        (lambda lines: [lines[0], b"\0" * 40 + b"\n", *lines[2:]], 2),
    ],
)
def test_lines_that_are_missing_or_doubled_are_named(path, change, line):
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(Damaged, match=rf"^line {line} of {re.escape(str(path))} is damaged"):
        read_lines(path)


def test_zeros_at_the_end_as_a_power_failure_leaves_them_are_torn(path):
    path.write_bytes(path.read_bytes() + b"\0" * 4096)
    assert read_lines(path) == VALUES
    assert read_lines(written(path, ["more"])) == [*VALUES, "more"]


def test_what_is_no_json_is_refused_and_nothing_is_written(path):
    lines = Lines(path)
    circle = []
    circle.append(circle)
    for value in [{1, 2}, object(), {"a": b"b"}, np.zeros(3), np.complex64(1), circle]:
        with pytest.raises(TypeError, match="JSON data"):
            lines.append(value)
    lines.append("more")
    lines.close()
    assert read_lines(path) == [*VALUES, "more"]


def test_a_disk_that_takes_half_a_line_leaves_none_of_it(path, monkeypatch):
    lines = Lines(path)
    write = os.write

    def fills_up(file, data):
        monkeypatch.setattr(os, "write", full)
        return write(file, bytes(data)[:10])

    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(OSError, match="No space"):
        lines.append("lost")
    assert read_lines(path) == VALUES
    assert path.read_bytes().endswith(b"\n")
    monkeypatch.setattr(os, "write", write)
    lines.append("more")
    lines.close()
    assert read_lines(path) == [*VALUES, "more"]


def test_half_a_line_that_cannot_be_cut_off_at_once_is_cut_off_later(path, monkeypatch):
    lines = Lines(path)
    with monkeypatch.context() as patch:
        write, calls = os.write, []

        def half(file, data):
            calls.append(data)
            if len(calls) > 1:
                raise OSError(5, "Input/output error")
            return write(file, bytes(data)[:10])

        def refuse(file, length):
            raise OSError(5, "Input/output error")

        patch.setattr(os, "write", half)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(OSError, match="Input"):
            lines.append("lost")
    assert read_lines(path) == VALUES
    lines.append("more")
    lines.close()
    assert read_lines(path) == [*VALUES, "more"]

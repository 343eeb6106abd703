"""Early stopping: what is an improvement, how long it is waited for, and what a rewind forgets."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrwidget.training._early import EarlyStopping, early_stopping_of


def ends_at(values: list[float], **rule: object) -> int | None:
    patience = EarlyStopping(**rule).fresh()
    for number, value in enumerate(values):
        if patience.look(10 * number, value):
            return number
    return None


@pytest.mark.parametrize(
    ("values", "rule", "end"),
    [
        ([5, 4, 3, 2, 1], {"patience": 1}, None),
        ([5, 4, 4, 3, 3, 3], {"patience": 1}, 2),
        ([5, 4, 4, 3, 3, 3], {"patience": 2}, 5),
        ([5, 6, 4.9, 5, 5, 4.8], {"patience": 3}, None),
        ([5, 4.9, 4.8, 4.7, 4.6], {"patience": 2, "min_delta": 0.25}, 2),
        ([5, 4.9, 4.7, 4.6, 4.4], {"patience": 2, "min_delta": 0.25}, None),
        ([0.1, 0.2, 0.3, 0.2, 0.3], {"patience": 2, "mode": "max"}, 4),
        ([-1, -2, -3], {"patience": 1}, None),
        ([-1, -2, -3], {"patience": 2, "mode": "max"}, 2),
        ([math.nan, 1, math.nan, math.nan], {"patience": 2}, 3),
        ([math.nan] * 3, {"patience": 3}, 2),
        ([math.inf, 1], {"patience": 1}, None),
    ],
)
def test_ends_after_so_many_passes_without_an_improvement(
    values: list[float], rule: dict, end: int | None
) -> None:
    assert ends_at(values, **rule) == end


def test_says_what_was_best() -> None:
    patience = EarlyStopping(patience=2).fresh()
    assert patience.best is None
    for step, value in [(100, 0.5), (200, 0.25), (300, 0.3), (400, 0.4)]:
        patience.look(step, value)
    assert patience.best == (200, 0.25)
    assert patience.waited == 2
    assert str(patience) == (
        "valid/loss has not improved on 0.25, its best at step 200, for 2 validation passes"
    )


def test_says_when_there_was_no_number() -> None:
    patience = EarlyStopping("loss", patience=1).fresh()
    assert patience.look_at_rows(0, [math.nan] * 150) == 100
    assert str(patience) == "loss was no number for 1 times 100 steps"


def test_training_steps_count_by_the_mean_of_hundreds() -> None:
    rng = np.random.default_rng(0)
    means = [5, 4, 4.1, 3, 3.5, 3.2, 2]
    noise = rng.normal(size=(len(means), 100))
    losses = (np.array(means)[:, None] + noise - noise.mean(1, keepdims=True)).ravel()
    patience = EarlyStopping("loss", patience=2).fresh()
    assert patience.look_at_rows(0, losses) == 600
    assert patience.best == pytest.approx((400, 3.0))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 350), min_size=1, max_size=8))
def test_how_the_rows_come_does_not_matter(chunks: list[int]) -> None:
    losses = np.r_[np.linspace(3, 1, 1000), np.full(2000, 1.5)]
    patience = EarlyStopping("loss", patience=4).fresh()
    start, end = 0, None
    while end is None:
        length = chunks[start % len(chunks)]
        end = patience.look_at_rows(start, losses[start : start + length])
        start += length
    assert end == 1400


def test_a_rewind_forgets_the_passes_after_it() -> None:
    patience, other = (EarlyStopping(patience=3).fresh() for _ in range(2))
    for step, value in [(10, 3.0), (20, 2.0), (30, 2.5), (40, 1.0), (50, 5.0), (60, 5.0)]:
        patience.look(step, value)
    patience.rewound(30)
    assert patience.best == (20, 2.0)
    assert patience.waited == 1
    for step, value in [(10, 3.0), (20, 2.0), (30, 2.5)]:
        other.look(step, value)
    assert [patience.look(s, 4.0) for s in (40, 50)] == [other.look(s, 4.0) for s in (40, 50)]


def test_a_rewind_forgets_the_rows_after_it() -> None:
    patience = EarlyStopping("loss", patience=5).fresh()
    patience.look_at_rows(0, np.r_[np.full(100, 3.0), np.full(100, 1.0), np.full(50, 9.0)])
    patience.rewound(150)
    assert patience.best == (100, 3.0)
    patience.look_at_rows(150, np.full(50, 2.0))
    assert patience.best == (200, 2.0)


def test_a_run_that_begins_in_mid_hundred() -> None:
    patience = EarlyStopping("loss", patience=1).fresh()
    assert patience.look_at_rows(630, np.r_[np.full(70, 1.0), np.full(100, 2.0)]) == 800
    assert patience.best == (700, 1.0)


def test_what_a_trainer_takes() -> None:
    assert early_stopping_of(None) is None
    assert early_stopping_of(3) == EarlyStopping(patience=3)
    assert early_stopping_of(np.int64(3)) == EarlyStopping(patience=3)
    assert early_stopping_of(own := EarlyStopping("valid/accuracy", mode="max")) is own
    assert (own.in_validation, own.column) == (True, "accuracy")
    loss = EarlyStopping("loss")
    assert (loss.in_validation, loss.column) == (False, "loss")


def test_the_measure_must_be_there() -> None:
    EarlyStopping().check(["loss"], ["loss", "accuracy"])
    EarlyStopping("accuracy").check(["loss", "accuracy"], [])
    with pytest.raises(ValueError, match="watches valid/loss, and the task has no validation"):
        EarlyStopping().check(["loss"], [])
    with pytest.raises(ValueError, match=r"one of valid/loss, loss; got 'valid/los'.*'valid/loss'"):
        EarlyStopping("valid/los").check(["loss"], ["loss"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EarlyStopping(monitor=3), "monitor must be the name of a measure.*got 3"),
        (lambda: EarlyStopping("valid/"), "monitor must be the name of a measure"),
        (lambda: EarlyStopping(patience=0), "patience must be a whole number >= 1, got 0"),
        (lambda: EarlyStopping(min_delta=-1), "min_delta must be a finite number >= 0, got -1"),
        (lambda: EarlyStopping(mode="best"), "mode must be one of max, min; got 'best'"),
        (lambda: early_stopping_of(0), "early_stopping must be a whole number >= 1, got 0"),
        (lambda: early_stopping_of(True), "early_stopping must be a number of passes"),
        (lambda: early_stopping_of("loss"), "early_stopping must be a number of passes"),
    ],
)
def test_bad_arguments(call: Callable, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()

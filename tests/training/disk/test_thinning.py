"""Thinning: within the budget, first, last and kept ones stay, sparser the longer ago."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lrwidget.training._disk import surplus


@given(
    sizes=st.dictionaries(st.integers(0, 500), st.integers(0, 9), max_size=30),
    budget=st.integers(0, 150),
    data=st.data(),
)
def test_what_stays_fits_or_must_stay(sizes, budget, data):
    keep = data.draw(st.sets(st.sampled_from(sorted(sizes)))) if sizes else set()
    gone = surplus(sizes, budget, keep)
    left = {step: size for step, size in sizes.items() if step not in gone}
    must = keep | ({min(sizes), max(sizes)} if sizes else set())
    assert len(set(gone)) == len(gone)
    assert must <= set(left)
    assert sum(left.values()) <= budget or set(left) == must
    # None too many: what went last would not have fitted.
    if gone:
        assert sum(left.values()) + sizes[gone[-1]] > budget


def test_nothing_goes_that_fits():
    assert surplus({0: 5, 10: 5}, 10) == []


def test_a_long_run_keeps_gaps_that_grow_with_age():
    there = {}
    for step in range(0, 20_000, 10):
        there[step] = 1
        for gone in surplus(there, 24):
            del there[gone]
    steps = np.array(sorted(there))
    assert len(steps) == 24
    ages = 19_990 - steps
    assert ages[-5:].tolist() == [40, 30, 20, 10, 0]
    gaps = np.diff(steps)[1:-1]
    # No gap is a larger part of its age than others by more than thinning by halves explains.
    assert (gaps / ages[1:-2]).max() < 2.5
    assert gaps[0] > 50 * gaps[-1]

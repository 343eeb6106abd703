"""`Schedule` on the host: what it says and what can be made of it."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrwidget.schedules import Schedule, Segment, Slice, knots, one_cycle, preset, warmup_cosine
from tests.schedules.strategies import schedules

WARMUP_COSINE = warmup_cosine(peak_value=3e-3, warmup_steps=100, decay_steps=2000)


def test_warmup_cosine_against_its_formula():
    steps = np.arange(2001)
    expected = np.where(
        steps < 100, 3e-3 * steps / 100, 3e-3 * 0.5 * (1 + np.cos(np.pi * (steps - 100) / 1900))
    )
    np.testing.assert_allclose(WARMUP_COSINE(steps), expected, atol=1e-18, rtol=1e-12)
    assert WARMUP_COSINE(steps).dtype == np.float64


def test_one_cycle_against_its_formula():
    schedule = one_cycle(peak_value=1.0, transition_steps=10)
    rise = [0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * t / 3)) for t in range(3)]
    np.testing.assert_allclose(schedule(np.arange(3)), rise, rtol=1e-12)
    assert schedule(3) == pytest.approx(1.0, rel=1e-15)
    assert schedule(10) == pytest.approx(4e-6, rel=1e-12)


def test_a_number_gives_a_float_and_an_array_its_shape():
    assert type(WARMUP_COSINE(50)) is float
    assert WARMUP_COSINE(np.zeros((2, 3))).shape == (2, 3)
    assert WARMUP_COSINE(0.5) == pytest.approx(1.5e-5)


def test_a_border_belongs_to_the_part_that_follows():
    stairs = preset("step", peak_value=1.0, steps=30)
    assert [stairs(s) for s in (9, 10, 19, 20)] == pytest.approx([1.0, 0.1, 0.1, 0.01])


def test_the_last_value_holds():
    assert WARMUP_COSINE(2000) == WARMUP_COSINE(10**9) == 0.0
    assert knots([0, 5], [1.0, 0.25])(77) == 0.25


def test_length_borders_segments_and_peak():
    assert WARMUP_COSINE.steps == 2000
    assert WARMUP_COSINE.borders == (100,)
    assert [s.shape.name for s in WARMUP_COSINE.segments] == ["linear", "cosine"]
    assert WARMUP_COSINE.peak_value == 3e-3
    assert Schedule(Segment("constant", value=1.0)).steps is None


@given(schedules())
def test_copies_are_equal_and_hash_alike(schedule):
    for other in (
        copy.deepcopy(schedule),
        pickle.loads(pickle.dumps(schedule)),
        Schedule.from_json(schedule.to_json()),
    ):
        assert other == schedule
        assert hash(other) == hash(schedule)


@given(schedules(), st.integers(0, 400), st.integers(1, 400))
def test_a_slice_is_the_curve_shifted(schedule, start, steps):
    part = schedule.sliced(start, steps)
    assert part.steps == steps
    at = np.arange(steps)
    near = 1e-12 * schedule.peak_value
    np.testing.assert_allclose(part(at), schedule(at + start), rtol=1e-9, atol=near)


@given(schedules(), st.integers(0, 400))
def test_the_rest_of_a_curve_keeps_its_end(schedule, start):
    rest = schedule.sliced(start)
    at = np.arange(600)
    near = 1e-12 * schedule.peak_value
    np.testing.assert_allclose(rest(at), schedule(at + start), rtol=1e-9, atol=near)


@given(schedules(), schedules(), st.integers(0, 400))
def test_a_replaced_rest_is_the_old_before_and_the_new_after(old, new, step):
    joined = old.replaced_from(step, new)
    at = np.arange(800)
    near = 1e-12 * max(old.peak_value, new.peak_value)
    expected = np.where(at < step, old(at), new(at))
    np.testing.assert_allclose(joined(at), expected, rtol=1e-9, atol=near)


@given(schedules(), st.floats(1e-3, 1e3))
def test_scaling_scales_every_value(schedule, factor):
    at = np.arange(600)
    near = 1e-12 * schedule.peak_value * factor
    np.testing.assert_allclose(
        schedule.scaled(factor)(at), factor * schedule(at), rtol=1e-9, atol=near
    )


@given(schedules(positive=True), st.floats(1e-6, 10.0))
def test_with_peak_has_that_peak(schedule, peak):
    assert schedule.with_peak(peak).peak_value == pytest.approx(peak, rel=1e-9)


@given(schedules(), st.integers(10, 5000))
def test_stretching_gives_the_length_and_keeps_every_part(schedule, steps):
    stretched = schedule.stretched(steps)
    assert stretched.steps == steps
    assert len(stretched.parts) == len(schedule.parts)
    assert stretched(0) == pytest.approx(schedule(0), rel=0.2, abs=1e-9 + schedule.peak_value)


def test_cooldown_extended_and_shifted():
    cooled = WARMUP_COSINE.cooldown_from(1050, 100)
    assert cooled.steps == 1150
    assert cooled(1049) == pytest.approx(WARMUP_COSINE(1049), rel=1e-12)
    assert cooled(1100) == pytest.approx(WARMUP_COSINE(1050) / 2, rel=1e-12)
    assert cooled(1150) == 0.0
    assert WARMUP_COSINE.extended(50, 1e-4).steps == 2050
    assert WARMUP_COSINE.extended(50)(2049) == 0.0
    assert WARMUP_COSINE.shifted(7)(107) == WARMUP_COSINE(100)


def test_only_what_has_no_parameters_for_a_stretch_of_itself_becomes_a_slice():
    kinds = [type(p) for p in WARMUP_COSINE.sliced(50, 500).parts]
    assert kinds == [Segment, Slice]
    assert WARMUP_COSINE.sliced(50, 500).parts[0].end_value == 3e-3


def test_an_endless_constant_takes_the_length_it_is_given():
    endless = Schedule(
        Segment("linear", 10, init_value=0, end_value=1), Segment("constant", value=1)
    )
    assert endless.stretched(50).steps == 50
    assert endless.stretched(50).borders == (10,)


@pytest.mark.parametrize(
    "name", ["constant", "linear", "cosine", "warmup_cosine", "one_cycle", "step", "knots"]
)
def test_every_preset_works_from_its_peak_and_length_alone(name):
    for steps in (10, 333, 100_000):
        schedule = preset(name, peak_value=0.02, steps=steps)
        assert schedule.steps == steps
        assert schedule.peak_value == pytest.approx(0.02, rel=1e-12)


def test_smoothing_takes_means_over_a_window_and_keeps_both_ends():
    peak = warmup_cosine(peak_value=3e-3, warmup_steps=100, decay_steps=2000)
    bent = peak.replaced_from(700, peak.scaled(3.0)).replaced_from(1200, peak.scaled(0.2))
    smooth = bent.smoothed(200, tolerance=0.0)
    values = bent(np.arange(2001))
    for step, reach in ((0, 0), (40, 40), (700, 100), (1250, 100), (1990, 10), (2000, 0)):
        mean = values[step - reach : step + reach + 1].mean()
        np.testing.assert_allclose(smooth(step), mean, rtol=1e-9, atol=1e-15)
    few = bent.smoothed(200)
    assert few.steps == 2000
    assert len(few.parts) < 40
    error = np.max(np.abs(few(np.arange(2001)) - smooth(np.arange(2001))))
    assert error <= 0.0051 * smooth.peak_value


def test_smoothing_refuses_what_has_no_mean():
    endless = Schedule(Segment("constant", value=1e-3))
    with pytest.raises(ValueError, match="without end cannot be smoothed"):
        endless.smoothed(10)
    with pytest.raises(ValueError, match="window must be"):
        endless.sliced(0, 10).smoothed(1)

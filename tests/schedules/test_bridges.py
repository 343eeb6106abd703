"""A schedule in Optax, in a jit, and as executed source text: always the curve that was drawn."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lrwidget import schedules
from lrwidget.schedules import Schedule, Segment, preset
from tests.schedules.strategies import LONGEST
from tests.schedules.strategies import schedules as random_schedules


def executed(code, name="learning_rate"):
    names: dict = {}
    exec(compile(code, "exported", "exec"), names)
    return names[name]


def shares(schedule, values, at):
    """Return how far each row of values is from the host's, as a share of the peak."""
    away = np.abs(np.asarray(values, np.float64) - schedule(at))
    return away / max(schedule.peak_value, 1e-30)


def error(schedule, *functions, at):
    """Return the largest difference from the host's values, as a share of the peak."""
    # In one compilation, which takes longer than all that it computes.
    got = jax.jit(lambda x: [jax.vmap(f)(x) for f in functions])(jnp.asarray(at))
    return max(shares(schedule, values, at).max() for values in got)


def held(schedule):
    """Return every way of evaluating a schedule that must hold its last value past the end."""
    return schedule.to_optax(), executed(schedule.to_code(hold=True))


def check(drawn):
    """Hold ten random schedules against their host values, at every step and past the end."""
    at = np.arange(LONGEST + 100)
    steps = jnp.asarray(at)
    functions = [f for schedule in drawn for f in held(schedule)]
    compiled = jax.jit(lambda x: [jax.vmap(f)(x) for f in functions])(steps)
    for i, schedule in enumerate(drawn):
        within = at[: schedule.steps]
        written = jnp.broadcast_to(executed(schedule.to_code())(steps), steps.shape)
        away = [
            shares(schedule, compiled[2 * i], at).max(),
            shares(schedule, compiled[2 * i + 1], at).max(),
            shares(schedule, schedule(steps), at).max(),
            shares(schedule, written[: within.size], within).max(),
        ]
        assert max(away) <= 1e-6, f"{away} of the peak: {schedule.to_json()}"


class Ten(list):
    def __repr__(self):
        # All ten written out would be pages; `check` says which one fails.
        return "ten schedules"


def tens(**kinds):
    drawn = st.lists(random_schedules(endless=True, **kinds), min_size=10, max_size=10)
    return drawn.map(Ten)


def check_tens(count, **kinds):
    # What fails is not made smaller: each try would be a compilation of seconds.
    @settings(max_examples=count, phases=[Phase.generate])
    @given(tens(**kinds))
    def each(drawn):
        check(drawn)

    each()


few_or_many = pytest.mark.parametrize("count", [4, pytest.param(25, marks=pytest.mark.soak)])


@few_or_many
def test_random_segments_joined_are_the_same_everywhere(count):
    check_tens(count, depth=0)


@few_or_many
def test_a_random_tree_is_the_same_everywhere(count):
    check_tens(count, depth=2)


@pytest.mark.parametrize(
    "lengths", [(10, 100_000), pytest.param((2000,), marks=pytest.mark.soak)], ids=str
)
@pytest.mark.parametrize("name", schedules.names())
def test_a_preset_is_the_same_everywhere(name, lengths):
    for steps in lengths:
        schedule = preset(name, peak_value=3e-3, steps=steps)
        near = [m + d for m in schedule.marks for d in (-1, 0, 1) if m + d < steps]
        at = np.unique([*np.linspace(0, steps - 1, 4001).astype(int), *near])
        assert error(schedule, executed(schedule.to_code()), at=at) <= 1e-6
        assert error(schedule, *held(schedule), schedule, at=np.r_[at, steps : steps + 50]) <= 1e-6


def test_what_shows_only_the_foot_of_a_curve_keeps_its_digits():
    cosine = Schedule(Segment("cosine", 1000, init_value=1.0, end_value=0.0))
    late = Schedule(Segment("constant", 990, value=1e-6), Segment("constant", 10, value=1.0))
    line = Schedule(Segment("linear", 1000, init_value=1.0, end_value=0.0))
    rise = {"init_value": 0.0, "end_value": 1.0}
    for schedule in (
        cosine.sliced(950),
        cosine.clipped(high=1e-3),
        line * late,
        schedules.cosine_hard_restarts(1.0, 1000).sliced(980),
        Schedule(Segment("cosine_restarts", 1000, **rise)).sliced(250, 20),
        Schedule(Segment("rex", 99_991, **rise)).sliced(0, 50),
        Schedule(Segment("shifted_exponential", 99_991, **rise)).sliced(0, 50),
        Schedule(Segment("shifted_exponential", 1000, **rise, decay_rate=0.9)).sliced(0, 5),
    ):
        assert error(schedule, *held(schedule), at=np.arange(schedule.steps + 20)) <= 1e-6


def test_a_restarting_cosine_keeps_its_digits_on_the_host():
    got = schedules.cosine_hard_restarts(1.0, 299_973, 3)(99_990)
    assert got == pytest.approx(np.sin(0.5 * np.pi / 99_991) ** 2, rel=1e-14, abs=0)


@pytest.mark.parametrize("every", [3, 7, 10, 41, 1000, 4999])
def test_a_staircase_begins_each_stair_at_its_step(every):
    # Optax rounds a float32 quotient down, which may lie just below a whole number.
    decay = Schedule(Segment("exponential", 100_003, init_value=1.0, end_value=1e-3))
    schedule = decay.staircase(every)
    at = np.unique(np.r_[0:200_000:every, every - 1 : 200_000 : every][:20_000])
    assert error(schedule, *held(schedule), at=at) <= 1e-6
    assert error(schedule, executed(schedule.to_code()), at=at[at < 100_003]) <= 1e-6


def test_a_repetition_keeps_its_phase_and_its_decay_in_a_long_run():
    cycle = Schedule(Segment("cosine", 1013, init_value=1.0, end_value=0.0))
    schedule = cycle.repeated(20_000, decay_rate=0.9999)
    at = np.unique(np.linspace(0, schedule.steps + 10, 5003).astype(int))
    assert error(schedule, *held(schedule), at=at) <= 1e-6


def test_many_equal_scales_do_not_drift():
    # The product of these float32 factors does: Optax's function is left alone then.
    levels = [1.0, 0.59, 0.67] * 67
    factors = np.float32([1.0, *(new / old for old, new in itertools.pairwise(levels))])
    assert np.abs(np.cumprod(factors, dtype=np.float32) - levels).max() > 2e-6
    schedule = Schedule(*(Segment("constant", 2, value=v) for v in levels))
    assert error(schedule, *held(schedule), at=np.arange(2 * len(levels) + 100)) <= 1e-6


def test_a_schedule_is_an_optax_schedule_as_it_is():
    schedule = preset("warmup_cosine", peak_value=0.1, steps=20)
    params = {"w": jnp.ones(3)}
    ours, theirs = optax.sgd(schedule), optax.sgd(schedule.to_optax())
    for tx in (ours, theirs):
        state, out = tx.init(params), params
        for _ in range(5):
            updates, state = jax.jit(tx.update)({"w": jnp.ones(3)}, state)
            out = optax.apply_updates(out, updates)
        expected = 1.0 - sum(schedule(s) for s in range(5))
        np.testing.assert_allclose(out["w"], expected, rtol=1e-6)


@pytest.mark.parametrize("power", [0.5, 1.5])
def test_a_fractional_power_stays_a_number_at_and_past_its_end(power):
    # Optax's own polynomial_schedule is NaN there under jit for most lengths.
    for steps in (3, 7, 100, 1000):
        schedule = Schedule(
            Segment("polynomial", steps, init_value=1.0, end_value=0.1, power=power)
        )
        past = np.arange(steps + 20)
        assert error(schedule, *held(schedule), schedule, at=past) <= 1e-6


@pytest.mark.parametrize("steps", [100, 1000, 100_003])
@pytest.mark.parametrize(
    "segment",
    [
        ("cosine", {"init_value": 1.0, "end_value": 0.0, "exponent": 0.05}),
        ("cosine", {"init_value": 1.0, "end_value": 0.1, "exponent": 0.3}),
        ("cosine", {"init_value": 0.01, "end_value": 1.0, "exponent": 10.0}),
        ("polynomial", {"init_value": 1.0, "end_value": 0.0, "power": 10.0}),
        ("polynomial", {"init_value": 0.0, "end_value": 1.0, "power": 0.05}),
        ("exponential", {"init_value": 1e-8, "end_value": 10.0}),
        ("exponential", {"init_value": 10.0, "end_value": 1e-8}),
    ],
    ids=str,
)
def test_extreme_parameters_keep_the_promise(segment, steps):
    shape, parameters = segment
    schedule = Schedule(Segment(shape, steps, **parameters))
    ends = np.r_[0:200, steps // 2 : steps // 2 + 200, max(0, steps - 2000) : steps]
    at = np.unique(ends[ends < steps])
    written = executed(schedule.to_code())
    assert error(schedule, written, schedule.to_optax(), schedule, at=at) <= 1e-6

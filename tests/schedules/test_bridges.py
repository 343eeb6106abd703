"""A schedule in Optax, in a jit, and as source text: always the curve that was drawn."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings

from lrwidget import schedules
from lrwidget.schedules import Schedule, Segment, preset
from tests.schedules.strategies import schedules as random_schedules


def executed(code, name="learning_rate"):
    names: dict = {}
    exec(compile(code, "exported", "exec"), names)
    return names[name]


def error(schedule, function, steps):
    """Return the largest difference from the host's values, as a share of the peak."""
    got = np.asarray(jax.jit(jax.vmap(function))(jnp.asarray(steps)), np.float64)
    return np.max(np.abs(got - schedule(steps))) / max(schedule.peak_value, 1e-30)


@settings(max_examples=25)
@given(random_schedules())
def test_a_random_schedule_is_the_same_everywhere(schedule):
    steps = np.arange(schedule.steps)
    past = np.arange(schedule.steps + 50)
    assert error(schedule, executed(schedule.to_code()), steps) <= 1e-6
    assert error(schedule, executed(schedule.to_code(hold=True)), past) <= 1e-6
    assert error(schedule, schedule.to_optax(), past) <= 1e-6
    assert error(schedule, schedule, past) <= 1e-6


@pytest.mark.parametrize("name", schedules.names())
@pytest.mark.parametrize("steps", [10, 2000, 100_000])
def test_a_preset_is_the_same_everywhere(name, steps):
    schedule = preset(name, peak_value=3e-3, steps=steps)
    at = np.unique(np.linspace(0, steps - 1, 4001).astype(int))
    assert error(schedule, executed(schedule.to_code()), at) <= 1e-6
    assert error(schedule, schedule.to_optax(), at) <= 1e-6


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


EXPECTED = {
    "constant": """\
import optax

learning_rate = optax.constant_schedule(value=0.003)
""",
    "linear": """\
import optax

learning_rate = optax.linear_schedule(
    init_value=0.003,
    end_value=0.0,
    transition_steps=2000,
)
""",
    "cosine": """\
import optax

learning_rate = optax.cosine_decay_schedule(init_value=0.003, decay_steps=2000)
""",
    "warmup_cosine": """\
import optax

learning_rate = optax.warmup_cosine_decay_schedule(
    init_value=0.0,
    peak_value=0.003,
    warmup_steps=100,
    decay_steps=2000,
    end_value=0.0,
)
""",
    "one_cycle": """\
import optax

learning_rate = optax.cosine_onecycle_schedule(
    transition_steps=2000,
    peak_value=0.003,
    pct_start=0.3,
    div_factor=25.0,
    final_div_factor=10000.0,
)
""",
    "step": """\
import optax

learning_rate = optax.piecewise_constant_schedule(
    init_value=0.003,
    boundaries_and_scales={667: 0.1, 1333: 0.1},
)
""",
    "knots": """\
import jax.numpy as jnp


def learning_rate(step):
    steps = jnp.array([0, 200, 1000, 2000])
    values = jnp.array([0.0003, 0.003, 0.0015, 0.0])
    return jnp.interp(step, steps, values)
""",
}


@pytest.mark.parametrize("name", schedules.names())
def test_a_preset_is_written_as_an_optax_user_would(name):
    assert preset(name, peak_value=3e-3, steps=2000).to_code() == EXPECTED[name]


def test_what_fits_no_single_function_is_joined():
    schedule = Schedule(
        Segment("linear", 100, init_value=0, end_value=1e-3),
        Segment("constant", 800, value=1e-3),
        Segment("exponential", 100, init_value=1e-3, end_value=1e-5),
    )
    assert (
        schedule.to_code("rate")
        == """\
import optax

rate = optax.join_schedules(
    schedules=[
        optax.linear_schedule(init_value=0.0, end_value=0.001, transition_steps=100),
        optax.constant_schedule(value=0.001),
        optax.exponential_decay(
            init_value=0.001,
            transition_steps=100,
            decay_rate=0.01,
        ),
    ],
    boundaries=[100, 900],
)
"""
    )
    assert "end_value=1e-05" in schedule.to_code("rate", hold=True)


def test_a_rise_from_zero_that_optax_cannot_write_is_plain_jax():
    code = Schedule(Segment("cosine", 50, init_value=0, end_value=0.01)).to_code()
    assert (
        code
        == """\
import jax.numpy as jnp


def learning_rate(step):
    q = jnp.clip((50 - step) / 50, 0.0, 1.0)
    return 0.01 - 0.01 * jnp.sin(0.5 * jnp.pi * q) ** 2.0
"""
    )


def test_exported_code_runs_without_lrwidget(tmp_path):
    schedule = preset("warmup_cosine", peak_value=3e-3, steps=2000).cooldown_from(700, 200)
    script = tmp_path / "script.py"
    check = "import sys\nassert 'lrwidget' not in sys.modules\nprint(float(learning_rate(650)))\n"
    script.write_text(schedule.to_code() + check)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert float(done.stdout) == pytest.approx(schedule(650), abs=1e-6 * 3e-3)


def test_long_tables_are_wrapped():
    steps = list(range(0, 400, 10))
    schedule = schedules.knots(steps, [1 / (3 + s) for s in steps])
    assert max(map(len, schedule.to_code().splitlines())) <= 88
    assert error(schedule, executed(schedule.to_code()), np.arange(500)) <= 1e-6


@pytest.mark.parametrize("power", [0.5, 1.5])
def test_a_fractional_power_stays_a_number_at_and_past_its_end(power):
    # Optax's own polynomial_schedule is NaN there under jit for most lengths.
    for steps in (3, 7, 100, 1000):
        schedule = Schedule(
            Segment("polynomial", steps, init_value=1.0, end_value=0.1, power=power)
        )
        past = np.arange(steps + 20)
        assert error(schedule, executed(schedule.to_code(hold=True)), past) <= 1e-6
        assert error(schedule, schedule.to_optax(), past) <= 1e-6
        assert error(schedule, schedule, past) <= 1e-6


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
    assert error(schedule, executed(schedule.to_code()), at) <= 1e-6
    assert error(schedule, schedule.to_optax(), at) <= 1e-6
    assert error(schedule, schedule, at) <= 1e-6

"""What the front end's edits make of random schedules, Python takes, and reads alike."""

from __future__ import annotations

import json
import pathlib
import subprocess

import numpy as np
import pytest

from lrwidget.schedules import Schedule
from lrwidget.schedules._presets import catalogue

ROOT = pathlib.Path(__file__).parents[2]


def edited(first: int, count: int) -> list[dict]:
    """Return schedules that random edits in JavaScript made, with values at some steps."""
    ran = subprocess.run(
        ["node", "tests/js/random_edits.js", str(first), str(count)],
        cwd=ROOT,
        input=json.dumps(catalogue()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture(scope="module", params=[300, pytest.param(3000, marks=pytest.mark.soak)])
def cases(request: pytest.FixtureRequest) -> list[dict]:
    cases = edited(1, request.param)
    assert len(cases) == request.param
    return cases


def told(case: dict) -> str:
    return f"seed {case['seed']}, {', '.join(case['edits'])}: {json.dumps(case['node'])}"


def assert_alike(schedule: Schedule, own: np.ndarray, theirs: np.ndarray, where: str) -> None:
    # Nodes can take away all but the last digits of what is inside them: a clip just above a zero.
    size = max(np.max(own), *(segment.peak_value for segment in schedule.segments))
    wrong = np.abs(own - theirs) > 1e-12 * size
    assert not wrong.any(), f"{where}: {own[wrong]} and {theirs[wrong]}"


def test_python_takes_every_edited_schedule_and_reads_the_same_values(cases):
    seen = {name for case in cases for name in case["edits"]}
    assert len(seen) > 15, f"hardly any edit was made: {seen}"
    for case in cases:
        try:
            schedule = Schedule.from_node(case["node"])
        except (TypeError, ValueError) as error:
            raise AssertionError(f"{told(case)}: {error}") from error
        own = schedule(np.array(case["at"], np.float64))
        assert_alike(schedule, own, np.array(case["values"]), told(case))
        assert Schedule.from_node(schedule.to_node()) == schedule, told(case)


def test_both_stretch_and_scale_a_schedule_alike(cases):
    compared = 0
    for case in cases:
        schedule = Schedule.from_node(case["node"])
        at = np.linspace(0, 1.1 * case["length"], 60).round()
        if "error" not in case["resized"]:
            stretched = schedule.stretched(case["length"])
            theirs = Schedule.from_node(case["resized"])
            assert theirs.steps == stretched.steps == case["length"], told(case)
            assert_alike(stretched, stretched(at), theirs(at), told(case))
            compared += 1
        if "error" not in case["higher"]:
            scaled, theirs = schedule.scaled(3), Schedule.from_node(case["higher"])
            assert_alike(scaled, scaled(at), theirs(at), told(case))
    assert compared > len(cases) / 2

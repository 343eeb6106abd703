"""The rules against loops written out by hand, and on curves whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrwidget.finding import SilentRuleError, rules
from lrwidget.finding._rules import suggest

LADDER = np.geomspace(1e-7, 10.0, 100)


def v_shape(rates, lowest=0.1, start=2.3, slope=0.8):
    """Fall of `slope` a decade from 1e-4 on to `lowest`, then a steep rise."""
    decades = np.log10(rates)
    fall = np.clip(decades + 4.0, 0.0, math.log10(lowest) + 4.0)
    rise = np.clip(decades - math.log10(lowest), 0.0, None)
    return start - slope * fall + 30.0 * rise**2


def reference_valley(rates, losses):
    n = len(losses)
    best = [1] * n
    for i in range(n):
        for j in range(i):
            if losses[j] > losses[i]:
                best[i] = max(best[i], best[j] + 1)
    longest = max(best)
    end = best.index(longest)
    if longest == 1:
        return None
    third = longest / 3
    return rates[max(0, end - longest + int(third) + int(third / 2))]


def reference_steepest(rates, losses):
    slopes = [
        (losses[i + 1] - losses[i]) / (math.log(rates[i + 1]) - math.log(rates[i]))
        for i in range(len(rates) - 1)
    ]
    return rates[slopes.index(min(slopes))] if min(slopes) < 0 else None


def reference_minimum(rates, losses):
    lowest = min(range(len(losses)), key=lambda i: losses[i])
    return rates[lowest] / 10 if lowest else None


def reference_slide(rates, losses, distance=15, threshold=0.005):
    n = len(losses)
    slopes = np.gradient(np.asarray(losses))
    right, left = -1, -1 - distance
    answer = None
    while left >= -n and abs(slopes[right] - slopes[left]) > threshold:
        answer = rates[left]
        right, left = right - 1, left - 1
    return None if left < -n else answer


def reference_by_index(rates, losses):
    n = len(losses)
    slopes = [
        losses[min(i + 1, n - 1)] - losses[max(i - 1, 0)] if 0 < i < n - 1 else None
        for i in range(n)
    ]
    slopes = [None if slope is None else slope / 2 for slope in slopes]
    slopes[0], slopes[-1] = losses[1] - losses[0], losses[-1] - losses[-2]
    return rates[slopes.index(min(slopes))] if min(slopes) < 0 else None


def reference_ignite(rates, losses):
    falling = list(losses)[: list(losses).index(min(losses)) + 1]
    if len(falling) < 3:
        return None
    slopes = [0.5 * (falling[i + 1] - falling[i - 1]) for i in range(1, len(falling) - 1)]
    return rates[slopes.index(min(slopes)) + 1] if min(slopes) < 0 else None


def reference_linear(rates, losses):
    """The formula of ``torch.gradient`` with coordinates, in its float32."""
    x, y = np.float32(rates), np.float32(losses)
    left, right = np.diff(x)[:-1], np.diff(x)[1:]
    inner = (
        -right / (left * (left + right)) * y[:-2]
        + (right - left) / (left * right) * y[1:-1]
        + left / (right * (left + right)) * y[2:]
    )
    ends = np.diff(y)[[0, -1]] / np.diff(x)[[0, -1]]
    slopes = np.concatenate([ends[:1], inner, ends[1:]])
    return rates[int(np.argmin(slopes))] if slopes.min() < 0 else None


REFERENCES = {
    "valley": reference_valley,
    "steepest": reference_steepest,
    "minimum": reference_minimum,
    "slide": reference_slide,
    "lightning": reference_by_index,
    "torch_lr_finder": reference_by_index,
    "ignite": reference_ignite,
    "steepest_linear": reference_linear,
}
SHOWN = ["valley", "steepest", "minimum", "slide"]


def said(rule, rates, losses):
    try:
        return rule(rates, losses)
    except SilentRuleError:
        return None


def test_every_rule_has_a_reference_and_words_for_people():
    assert list(rules) == list(REFERENCES)
    assert [name for name, rule in rules.items() if rule.shown] == SHOWN
    for name, rule in rules.items():
        assert rule.name == name
        assert rule.title
        assert rule.help.endswith(".")


@pytest.mark.parametrize("name", REFERENCES)
@given(
    losses=st.lists(st.floats(-100.0, 100.0, width=32), min_size=16, max_size=60),
    smooth=st.booleans(),
)
def test_rule_equals_its_reference_on_any_curve(name, losses, smooth):
    losses = np.asarray(losses)
    if smooth:
        losses = np.cumsum(losses) / 100.0
    rates = np.geomspace(1e-6, 1.0, len(losses))
    if name == "steepest_linear":
        # In its float32 the order of the operations decides between slopes that are alike.
        rates, losses = np.arange(1.0, len(losses) + 1) ** 2, np.round(losses)
    assert said(rules[name], rates, losses) == REFERENCES[name](rates, losses)


@pytest.mark.parametrize("name", ["valley", "steepest", "minimum"])
@given(losses=st.lists(st.integers(-3, 3), min_size=2, max_size=6))
def test_short_curves_with_ties(name, losses):
    losses = np.asarray(losses, dtype=float)
    rates = np.geomspace(1e-3, 1.0, len(losses))
    assert said(rules[name], rates, losses) == REFERENCES[name](rates, losses)


def trimmed(losses, name="valley", rates=LADDER, steps=100):
    return rules[name].trim(rates, losses, steps)


def test_minimum_is_a_tenth_of_the_lowest_place():
    rates, losses = trimmed(v_shape(LADDER))
    lowest = rates[np.argmin(np.abs(rates - 0.1))]
    assert rules["minimum"](rates, losses) == pytest.approx(lowest / 10)


def test_valley_is_the_middle_of_the_second_third_of_a_clean_fall():
    rates = np.geomspace(1e-6, 1.0, 61)
    losses = np.concatenate([np.full(10, 3.0), np.linspace(2.9, 1.0, 30), np.linspace(2, 9, 21)])
    # 31 falling points (the last of the flat ones among them) that end at index 39.
    assert rules["valley"](rates, losses) == rates[39 - 31 + 10 + 5]


def test_steepest_is_measured_per_decade():
    rates = np.array([1e-3, 2e-3, 1e-1, 1.0])
    losses = np.array([3.0, 2.5, 1.0, 0.9])
    # 0.5 over a factor of two is steeper than 1.5 over a factor of fifty.
    assert rules["steepest"](rates, losses) == 1e-3


def test_steepest_does_not_see_the_scale_of_the_rates():
    losses = -np.tanh(np.log10(LADDER) + 3.0)
    low, high = (rules["steepest"](LADDER * factor, losses) for factor in (1.0, 1e3))
    assert high == pytest.approx(low * 1e3)


def test_slide_stops_where_the_curve_turns_straight():
    rates = np.geomspace(1e-6, 1.0, 60)
    bend = 40
    index = np.arange(60)
    losses = 2.0 - 0.001 * index + np.where(index > bend, 0.05 * (index - bend) ** 2, 0.0)
    answer = rules["slide"](rates, losses)
    assert bend - 17 <= np.searchsorted(rates, answer) <= bend - 13


@pytest.mark.parametrize("name", ["valley", "steepest", "minimum"])
@pytest.mark.parametrize("losses", [np.full(90, 2.3), np.linspace(1.0, 4.0, 90)])
def test_a_loss_that_never_falls_silences_the_rule(name, losses):
    with pytest.raises(SilentRuleError, match=r"never falls|lowest at the low end"):
        rules[name](np.geomspace(1e-6, 1.0, 90), losses)


def test_slide_says_why_it_is_silent():
    rates = np.geomspace(1e-6, 1.0, 40)
    with pytest.raises(SilentRuleError, match="does not bend at the high end"):
        rules["slide"](rates, np.full(40, 2.3))
    with pytest.raises(SilentRuleError, match="fixed threshold is never met"):
        rules["slide"](rates, np.arange(40.0) ** 2)
    with pytest.raises(SilentRuleError, match="needs 16 points and has 15"):
        rules["slide"](rates[:15], np.arange(15.0) ** 2)


def test_trim_drops_a_tenth_of_the_ladder_and_the_last_five():
    rates, losses = trimmed(np.arange(100.0))
    assert (rates[0], rates[-1]) == (LADDER[10], LADDER[94])
    assert (losses[0], losses[-1]) == (10.0, 94.0)


def test_trim_counts_the_whole_ladder_when_the_sweep_stopped_early():
    rates, _ = trimmed(np.arange(40.0), rates=LADDER[:40])
    assert (rates[0], rates[-1]) == (LADDER[10], LADDER[34])


@pytest.mark.parametrize("name", ["valley", "steepest", "minimum", "lightning", "steepest_linear"])
@pytest.mark.parametrize("losses", [np.full(90, 2.3), np.linspace(1.0, 4.0, 90)])
def test_nothing_is_suggested_where_the_loss_never_falls(name, losses):
    suggestions, silent = suggest(LADDER[:90], losses, 100)
    assert name not in suggestions
    assert name in silent


@pytest.mark.parametrize("count", [0, 1, 2, 11])
def test_too_short_a_sweep_silences_every_rule_with_its_reason(count):
    suggestions, silent = suggest(LADDER[:count], np.linspace(3.0, 2.0, count), 100)
    said = {"ignite"} if count == 11 else set()  # it leaves nothing out
    assert set(suggestions) == said
    assert set(silent) == set(rules) - said
    assert all("points" in reason for reason in silent.values())
    assert "one step in 10 at the low end and 5 at the high end are left out" in silent["valley"]
    assert "10 points at the low end and 1 at the high end" in silent["lightning"]


def test_suggest_asks_every_rule():
    suggestions, silent = suggest(LADDER, v_shape(LADDER), 100)
    assert set(suggestions) == set(rules)
    assert silent == {}
    assert {name: REFERENCES[name](*trimmed(v_shape(LADDER), name)) for name in rules} == (
        pytest.approx(suggestions)
    )
    assert all(LADDER[0] / 10 <= rate <= LADDER[-1] for rate in suggestions.values())


@pytest.mark.parametrize("name", rules)
@pytest.mark.parametrize(
    ("rates", "losses", "message"),
    [
        (
            np.ones((4, 4)),
            np.ones((4, 4)),
            r"learning_rates must have one axis, got shape \(4, 4\)",
        ),
        (
            LADDER,
            np.ones(99),
            r"losses must have the shape of learning_rates \(100,\), got \(99,\)",
        ),
        (LADDER[::-1], np.ones(100), "learning_rates must be finite, >= 0 and rising"),
        (LADDER - 1e-6, np.ones(100), "learning_rates must be finite, >= 0 and rising"),
        (LADDER, np.full(100, np.nan), "losses must be finite"),
    ],
)
def test_bad_curves_are_refused(name, rates, losses, message):
    with pytest.raises(ValueError, match=message):
        rules[name](rates, losses)


def test_a_loss_that_only_rounding_moves_gives_no_suggestion():
    rates = np.geomspace(1e-7, 10.0, 100)
    losses = 2.3025851 + 1e-8 * np.sin(np.arange(100.0))
    suggestions, silent = suggest(rates, losses, 100)
    assert not suggestions
    assert set(silent) == set(rules)
    # A real movement of the same form is read.
    assert suggest(rates, 2.3 + 1e-3 * np.sin(np.arange(100.0) / 9.0), 100)[0]

"""The guard: what it takes for trouble, what it leaves alone, and since when things went wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrwidget.training._guard import Guard, Verdict, Watch, guard_of

STEPS = 6000


def watched(losses: np.ndarray, chunk: int = 997, guard: Guard | None = None) -> Verdict | None:
    watch = Watch(guard or Guard())
    for start in range(0, len(losses), chunk):
        verdict = watch.look(start, losses[start : start + chunk])
        if verdict is not None:
            return verdict
    return None


def falling(rng: np.random.Generator, steps: int = STEPS) -> np.ndarray:
    return 2.2 * np.exp(-np.arange(steps) / 500) + 0.1 + 0.05 * rng.normal(size=steps)


def with_spikes(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    losses = falling(rng)
    for start in np.arange(500, STEPS - 100, 300) + rng.integers(0, 200):
        losses[start : start + rng.integers(3, 20)] += rng.exponential(20.0)
    return losses


def restarted(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    # A cosine with restarts: at each one the loss leaps to a third of where it began.
    return 0.7 * np.exp(-(t % 1500) / 200) + 1.6 * np.exp(-t / 300) + 0.02 + 0.02 * noise(rng)


def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=STEPS)


HARMLESS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "falls": lambda rng, t: falling(rng),
    "stays": lambda rng, t: 2.3 + 0.1 * noise(rng),
    "constant": lambda rng, t: np.full(STEPS, 0.6931),
    "zero": lambda rng, t: np.zeros(STEPS),
    "without noise": lambda rng, t: np.exp(-t / 100),
    "near zero": lambda rng, t: np.exp(-t / 200) * (1 + 0.5 * noise(rng)),
    "negative": lambda rng, t: 500 - 1500 * (1 - np.exp(-t / 300)) + 30 * noise(rng),
    "a large constant in it": lambda rng, t: 1000 + falling(rng),
    "heavy noise": lambda rng, t: rng.standard_t(1.5, size=STEPS),
    "log-normal": lambda rng, t: np.exp(2 * noise(rng)),
    "mostly zero": lambda rng, t: 5.0 * (rng.random(STEPS) < 0.4),
    "spikes": with_spikes,
    "restarts": restarted,
    "one cycle": lambda rng, t: falling(rng) + np.exp(-(((t - 1800) / 600) ** 2)),
    "saw": lambda rng, t: falling(rng) + 0.5 * (t % 1000) / 1000,
    "grows": lambda rng, t: 0.7 + t / 1000 + 0.1 * noise(rng),
    "grows like a cube": lambda rng, t: 0.7 + (t / 1000) ** 3 + 0.1 * noise(rng),
    "swings": lambda rng, t: 1 + 0.6 * np.sin(t / 150) + 0.15 * noise(rng),
    "edge of stability": lambda rng, t: np.exp(-t / 900) * (1 + 0.5 * ((t // 7) % 11 == 0)),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_leaves_a_harmless_run_alone(name: str) -> None:
    for seed in range(4):
        losses = HARMLESS[name](np.random.default_rng(seed), np.arange(STEPS))
        assert watched(losses) is None, seed


# Each from step 3000 on: a function of the steps since, and how many it may take to be seen.
TROUBLE = {
    "a leap": (lambda s: 3.0 + 0 * s, 60),
    "a leap without end": (lambda s: 1e30 + 0 * s, 60),
    "fast growth": (lambda s: 0.1 * np.exp(np.minimum(s / 8, 60.0)), 90),
    "slow growth": (lambda s: 0.1 * np.exp(np.minimum(s / 300, 60.0)), 2200),
    "what was gained is lost": (lambda s: 1.6 + 0 * s, 60),
}


@pytest.mark.parametrize("name", TROUBLE)
@pytest.mark.parametrize("of", [lambda x: x, lambda x: 0.03125 * x, lambda x: 512 * x - 4000])
def test_sees_trouble_and_since_when(name: str, of: Callable) -> None:
    course, most = TROUBLE[name]
    for seed in range(4):
        losses = falling(np.random.default_rng(seed))
        losses[3000:] += course(np.arange(STEPS - 3000)) - 0.1
        verdict = watched(of(losses))
        assert verdict is not None
        assert verdict.kind == "diverged"
        assert 3000 < verdict.step < 3000 + most
        assert verdict.good_until <= 3000 or "growth" in name
        assert 2900 < verdict.good_until < verdict.step


def test_the_unit_of_the_loss_does_not_matter() -> None:
    losses = falling(np.random.default_rng(0))
    losses[3000:] += 2
    verdicts = [watched(losses * unit) for unit in (1, 2.0**40, 2.0**-40)]
    assert len({(v.step, v.good_until) for v in verdicts}) == 1


def test_what_never_gained_diverges_by_leaving_everything_behind() -> None:
    losses = 1 + 0.1 * noise(np.random.default_rng(0))
    losses[3000:] += 1
    assert watched(losses) is None
    losses[3000:] += 20
    assert 2984 <= watched(losses).good_until < 3000


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "inf")])
@pytest.mark.parametrize("step", [0, 5, 7, 8, 9, 87, 1000, 1003])
def test_what_is_not_finite_is_trouble_at_once(value: float, kind: str, step: int) -> None:
    losses = falling(np.random.default_rng(0))
    losses[step:] = value
    verdict = watched(losses)
    assert verdict[:2] == (step, kind)
    assert verdict.reason == f"the loss was {value} at step {step}"
    # The last loss before it was as usual, and so were the weights that it came from.
    assert max(0, step - 16) <= verdict.good_until <= max(0, step - 1) or verdict.good_until == 0


def test_a_growth_that_ends_in_infinity_began_before_it() -> None:
    losses = falling(np.random.default_rng(0))
    losses[3000:3030] *= 10.0 ** np.arange(30)
    losses[3030:] = np.inf
    verdict = watched(losses)
    assert verdict[:2] == (3030, "inf")
    assert 2984 <= verdict.good_until <= 3001


def test_a_trouble_in_the_middle_of_a_block_leaves_what_was_just_before_it_good() -> None:
    losses = falling(np.random.default_rng(0))
    losses[3005:] *= 1e3
    verdict = watched(losses)
    assert 3000 <= verdict.good_until <= 3004


def test_the_reason_has_the_numbers() -> None:
    losses = np.r_[np.full(96, 2.0), np.full(800, 0.5), np.full(104, 3.0)]
    assert watched(losses) == Verdict(
        935,
        "diverged",
        "the loss stood near 3 from step 896 to 935, after 0.5 with a spread of 0.005: that is "
        "above the limit of 1.25",
        895,
    )


def test_deviations_and_the_lost_part_are_the_persons() -> None:
    losses = falling(np.random.default_rng(0))
    losses[3000:] += 1.5  # of 2.2
    assert watched(losses) is not None
    assert watched(losses, guard=Guard(lost=0.9)) is None
    assert watched(losses, guard=Guard(deviations=100)) is None


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.integers(0, 20))
def test_chunks_do_not_matter(chunks: list[int], first: int) -> None:
    losses = falling(np.random.default_rng(1), 2000).astype(np.float32)
    losses[1500:] += 2
    expected = Watch(Guard())
    verdict = expected.look(first, losses[first:])
    watch, start, found = Watch(Guard()), first, None
    while found is None:
        length = chunks[start % len(chunks)]
        found = watch.look(start, losses[start : start + length])
        start += length
    assert found == verdict
    assert_alike(watch, expected)


def assert_alike(a: Watch, b: Watch) -> None:
    for one, other in zip(a.signals(0, 2100).values(), b.signals(0, 2100).values(), strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.lists(st.integers(0, 1999), min_size=1, max_size=5))
def test_a_rewound_watch_is_one_that_never_saw_the_rows(borders: list[int]) -> None:
    losses = falling(np.random.default_rng(2), 2000).astype(np.float32)
    watch, expected = Watch(Guard()), Watch(Guard())
    watch.look(0, losses)
    for border in borders:
        watch.rewound(border)
        watch.look(min(border, stop := 2000), losses[border:stop])
    watch.rewound(borders[0])
    expected.look(0, losses[: borders[0]])
    assert_alike(watch, expected)
    losses[borders[0] :] += 5
    assert watch.look(borders[0], losses[borders[0] :]) == expected.look(
        borders[0], losses[borders[0] :]
    )


def test_after_a_verdict_the_run_is_judged_afresh() -> None:
    losses = falling(np.random.default_rng(0), 4000)
    losses[2000:] += 3
    losses[3000] = np.nan
    watch = Watch(Guard("pause"))
    first = watch.look(0, losses)
    second = watch.look(first.step + 1, losses[first.step + 1 :])
    assert (first.kind, second.kind) == ("diverged", "nan")
    assert 2984 <= second.good_until < 3000
    # Nothing good has been seen since: what was good before the first trouble is good still.
    losses[3001] = np.inf
    third = watch.look(3001, losses[3001:])
    assert (third.step, third.good_until) == (3001, second.good_until)
    # A rewind to before all of this brings the old measure back.
    watch.rewound(2000)
    assert watch.look(2000, losses[2000:]) == first


def test_what_a_person_accepts_is_the_new_measure() -> None:
    losses = falling(np.random.default_rng(0), 4000)
    losses[2000:] += 3
    watch = Watch(Guard())
    watch.look(0, losses[:2003])
    watch.accepted(2003)
    assert watch.look(2003, losses[2003:]) is None


def test_a_watch_that_recalls_a_run_is_the_watch_that_saw_it() -> None:
    losses = falling(np.random.default_rng(0), 2000)
    losses[1000:] += 3
    losses[1500] = np.nan
    seen, recalled = Watch(Guard("pause")), Watch(Guard("pause"))
    start = 0
    while (verdict := seen.look(start, losses[start:])) is not None:
        start = verdict.step + 1
    recalled.recall(0, losses)
    assert_alike(seen, recalled)


def test_a_watch_may_begin_anywhere() -> None:
    losses = falling(np.random.default_rng(0), 2000)
    losses[1500:] += 3
    watch = Watch(Guard())
    verdict = watch.look(603, losses[603:])
    assert 1480 <= verdict.good_until < 1500
    assert np.isnan(watch.signals(0, 603)["guard_level"]).all()
    # Where rows are left out it begins anew.
    assert watch.look(9000, losses[:500]) is None
    assert np.isnan(watch.signals(9000, 80)["guard_limit"]).all()
    assert 9480 <= watch.look(9500, [np.nan]).good_until < 9500


def test_signals_tell_what_is_usual() -> None:
    rng = np.random.default_rng(0)
    watch = Watch(Guard())
    losses = falling(rng)
    watch.look(0, losses)
    signals = watch.signals(10, STEPS)
    assert list(signals) == ["guard_level", "guard_limit"]
    level, limit = signals.values()
    assert level.shape == limit.shape == (STEPS,)
    assert np.isnan(level[:70]).all()
    assert np.isnan(level[-10:]).all()
    assert np.isfinite(limit[70:-10]).all()
    np.testing.assert_allclose(level[-500:-10], 0.1, atol=0.03)
    np.testing.assert_allclose(limit[-500:-10], 1.2, atol=0.1)  # half of what was gained is lost


def test_real_runs() -> None:
    # Linear regression by SGD, which bears ten times this rate, and not thirty times.
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3000, 16, 20)), rng.normal(size=20)
    y = x @ w + 0.5 * rng.normal(size=(3000, 16))

    def losses(rates: np.ndarray) -> np.ndarray:
        weights, out = np.zeros(20), []
        with np.errstate(all="ignore"):
            for step, rate in enumerate(rates):
                error = x[step] @ weights - y[step]
                out.append(np.float32(np.mean(error**2)))
                weights -= rate * 2 * x[step].T @ error / 16
        return np.array(out)

    t = np.arange(3000)
    assert watched(losses(np.full(3000, 0.02))) is None
    assert watched(losses(0.04 * (1 + np.cos(np.pi * (t % 600) / 600)) / 2)) is None
    for at in (300, 1500):
        for factor in (40, 200):
            verdict = watched(losses(np.where(t < at, 0.02, 0.02 * factor)))
            assert at < verdict.step < at + 100
            assert at - 16 <= verdict.good_until <= at


def test_what_a_trainer_takes_as_guard() -> None:
    assert guard_of(None) is None
    assert guard_of("roll_back") == Guard("roll_back", 0.5, 3, 10.0, 0.5)
    assert guard_of(own := Guard(most=np.int64(5), factor=np.float32(0.25))) is own
    assert type(own.most) is int


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guard_of("rollback"), "guard must be one of .*; got 'rollback'.*'roll_back'"),
        (lambda: guard_of(1), "guard must be one of stop, pause, roll_back, a Guard or None"),
        (lambda: Guard("explode"), "action must be one of"),
        (lambda: Guard(factor=1), "factor must be a finite number > 0 and < 1, got 1"),
        (lambda: Guard(most=0), "most must be a whole number >= 1, got 0"),
        (lambda: Guard(deviations=np.nan), "deviations must be a finite number > 0, got nan"),
        (lambda: Guard(lost=-1), "lost must be a finite number > 0, got -1"),
    ],
)
def test_bad_arguments(call: Callable, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()

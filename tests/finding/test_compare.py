"""Chains side by side: same weights, same batches, and claims only where the seeds allow them."""

from __future__ import annotations

import math
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.finding import Comparison, ComparisonProgress
from lrwidget.finding._comparison import lost_runs
from tests.finding.tasks import TASKS, X, Y, cross_entropy, pytree_loss, pytree_task, weights

STEPS = 24
ADAM = lrw.optimizers.adam(0.05)
CHAINS = {"adam": ADAM, "slow": lrw.optimizers.adam(1e-4), "same": lrw.optimizers.adam(0.05)}


@pytest.fixture(scope="module")
def validated():
    return lrw.Task(
        weights(), pytree_loss, train=(X[:64], Y[:64]), valid=(X[64:], Y[64:]), batch_size=16
    )


@pytest.fixture(scope="module")
def three(validated):
    return lrw.compare(validated, CHAINS, steps=STEPS)


def made(finals, *, diverged=None, **changes):
    """A result with the given final losses, name to one of each seed."""
    finals = {name: np.array(values, np.float64) for name, values in finals.items()}
    seeds = len(next(iter(finals.values())))
    lost = diverged or {}
    fields = {
        "names": tuple(finals),
        "steps": 10,
        "seeds": seeds,
        "loss": "train",
        "losses": {name: np.outer(v, np.linspace(2.0, 1.0, 10)) for name, v in finals.items()},
        "final": finals,
        "valid": dict.fromkeys(finals),
        "diverged": {name: np.array(lost.get(name, [False] * seeds)) for name in finals},
        "best": next(iter(finals)),
        "gradient_steps": 60.0,
    }
    return Comparison(**{**fields, **changes})


class TestRuns:
    def test_the_shape_of_things(self, three):
        assert three.names == tuple(CHAINS)
        assert (three.steps, three.seeds, three.loss) == (STEPS, 3, "train")
        for name in CHAINS:
            assert three.losses[name].shape == (3, STEPS)
            assert three.final[name].shape == three.valid[name].shape == (3,)
            assert not three.diverged[name].any()
            assert not three.losses[name].flags.writeable
        # A gradient for each step, eight common batches and two of validation for each run; and
        # the four of a first look.
        assert three.gradient_steps == pytest.approx(4 + 9 * (STEPS + 8 / 3 + 2 / 3))

    def test_the_first_seed_is_the_run_itself(self, validated, three):
        trainer = lrw.Trainer(validated, lrw.Chain.of(ADAM), steps=STEPS)
        trainer.run_sync()
        np.testing.assert_array_equal(
            three.losses["adam"][0].astype(np.float32), np.float32(trainer.history.loss)
        )
        assert three.valid["adam"][0] == pytest.approx(
            float(pytree_loss(trainer.params, (X[64:], Y[64:]))), rel=1e-5
        )

    def test_every_chain_gets_the_same_of_each_seed(self, three):
        # The first loss is of the same weights on the same batch; another seed has another batch.
        first = np.stack([three.losses[name][:, 0] for name in CHAINS])
        np.testing.assert_array_equal(first, np.broadcast_to(first[0], first.shape))
        assert len(set(first[0])) == 3
        # Chains that are alike are alike throughout, and the better one is better.
        np.testing.assert_array_equal(three.losses["adam"], three.losses["same"])
        assert three.final["adam"].mean() < three.final["slow"].mean()
        assert three.best in {"adam", "same"}

    @pytest.mark.soak
    def test_dropout_of_an_nnx_model_is_that_of_the_seed(self):
        task = TASKS["nnx"]()
        found = lrw.compare(task, {"a": ADAM, "b": ADAM}, steps=6, seeds=2)
        np.testing.assert_array_equal(found.losses["a"], found.losses["b"])
        assert not np.array_equal(found.losses["a"][0], found.losses["a"][1])

    def test_steps_are_the_longest_schedule_s(self, validated):
        cosine = lrw.schedules.preset("cosine", peak_value=0.05, steps=12)
        found = lrw.compare(
            validated, {"cosine": lrw.optimizers.adam(cosine), "adam": ADAM}, seeds=1
        )
        assert found.steps == 12

    def test_what_diverges_is_kept_as_such(self):
        task = pytree_task(
            lambda p, b: jnp.mean((b[0] @ p["w"] @ p["v"] - jax.nn.one_hot(b[1], 3)) ** 2)
        )
        found = lrw.compare(
            task,
            {"wild": lrw.optimizers.sgd(10.0), "tame": lrw.optimizers.sgd(1e-3)},
            steps=30,
            seeds=2,
        )
        assert found.diverged["wild"].all()
        assert not found.diverged["tame"].any()
        assert np.isinf(found.final["wild"]).all()
        wild = found.losses["wild"][0]
        assert np.isfinite(wild[0])
        assert np.isnan(wild[-1])
        assert found.best == "tame"
        assert found.difference("wild", "tame").clear
        assert found.difference("wild", "tame").mean == math.inf
        assert "diverged at 2 of 2" in repr(found)

    def test_what_ends_far_above_its_start_counts_as_diverged(self):
        task = pytree_task(lambda p, b: cross_entropy(b[0] @ p["w"][:, :3], b[1]))
        chains = {"wild": lrw.optimizers.sgd(1e4), "tame": lrw.optimizers.sgd(1e-2)}
        found = lrw.compare(task, chains, steps=10, seeds=2)
        assert np.isfinite(found.final["wild"]).all()
        assert found.diverged["wild"].all()
        assert found.best == "tame"

    @pytest.mark.parametrize("offset", [0.0, -2.0, -3.0, 50.0])
    def test_where_the_loss_begins_near_zero_a_little_above_it_is_not_lost(self, offset):
        losses = {name: np.full((2, 5), 2.01 + offset) for name in ("good", "high", "wild")}
        ends = {"good": [0.5, 0.6], "high": [8.0, np.nan], "wild": [900.0, np.inf]}
        final = {name: np.array(each) + offset for name, each in ends.items()}
        lost = {name: each.tolist() for name, each in lost_runs(losses, final).items()}
        assert lost == {"good": [False] * 2, "high": [False] * 2, "wild": [True] * 2}

    def test_by_validation_loss(self, validated):
        found = lrw.compare(validated, {"adam": ADAM}, steps=STEPS, seeds=2, loss="valid")
        assert found.loss == "valid"
        np.testing.assert_array_equal(found.final["adam"], found.valid["adam"])
        assert "final validation loss" in repr(found)

    def test_data_in_an_order_of_its_own(self):
        found = lrw.compare(TASKS["list"](), {"adam": ADAM}, steps=7, seeds=2)
        assert found.losses["adam"][0, 0] != found.losses["adam"][1, 0]
        assert found.valid["adam"] is None


class TestAround:
    def test_in_the_middle_of_a_run_nothing_is_touched(self, validated):
        chain = lrw.Chain.of(ADAM)

        def run(*, look):
            trainer = lrw.Trainer(validated, chain, steps=30)
            trainer.step(10)
            found = None
            if look:
                found = lrw.compare(
                    validated, {"on": ADAM, "new": lrw.optimizers.sgd(0.1)}, steps=5, start=trainer
                )
            trainer.step(20)
            trainer.stop()
            return np.array(trainer.history.loss), found

        alone, _ = run(look=False)
        after, found = run(look=True)
        np.testing.assert_array_equal(after, alone)
        # The first seed is what the run itself does next.
        np.testing.assert_array_equal(np.float32(found.losses["on"][0]), np.float32(alone[10:15]))

    def test_in_a_run_its_own_chain_has_its_edits_and_others_count_its_steps(self, validated):
        def adam(peak, steps=30):
            return lrw.optimizers.adam(
                lrw.schedules.preset("cosine", peak_value=peak, steps=steps, end_value=0.0)
            )

        own = lrw.Chain.of(adam(0.02))
        trainer = lrw.Trainer(validated, own, steps=30)
        trainer.step(10)
        trainer.scale(learning_rate=4.0)
        chains = {"own": own, "other": adam(0.08), "as it was": adam(0.02).replace(b1=0.89)}
        found = lrw.compare(validated, chains, seeds=1, start=trainer)
        assert (found.steps, found.start_step) == (20, 10)
        with pytest.raises(
            ValueError, match=r"chains\['short'\] must have a rate above 0 .* at 10;"
        ):
            lrw.compare(validated, {"own": own, "short": adam(0.02, 10)}, start=trainer)
        trainer.step(20)
        trainer.stop()
        np.testing.assert_array_equal(np.float32(found.losses["own"][0]), trainer.history.loss[10:])
        # A fourfold peak from the beginning has the same rates from here.
        np.testing.assert_allclose(found.losses["other"], found.losses["own"], rtol=1e-4)
        assert found.final["as it was"][0] > 1.01 * found.final["own"][0]

    def test_progress(self, validated):
        told: list[ComparisonProgress] = []
        lrw.compare(
            validated, {"adam": ADAM, "slow": CHAINS["slow"]}, steps=20, seeds=2,
            on_progress=told.append,
        )  # fmt: skip
        assert list(dict.fromkeys((p.seed, p.name) for p in told)) == [
            (0, "adam"), (0, "slow"), (1, "adam"), (1, "slow"),
        ]  # fmt: skip
        shares = [p.share for p in told]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert len(told[-1].losses) == 20

    def test_cancel_keeps_the_runs_that_are_complete(self, validated):
        cancel = threading.Event()

        def look(progress):
            if progress.seed == 1:
                cancel.set()

        found = lrw.compare(
            validated, {"adam": ADAM, "slow": CHAINS["slow"]}, steps=20, on_progress=look,
            cancel=cancel,
        )  # fmt: skip
        assert found.cancelled
        assert np.isfinite(found.final["adam"][0])
        assert np.isnan(found.final["slow"][1:]).all()
        assert found.best == "adam"
        assert "cancelled" in repr(found)

    def test_cancelled_before_it_began(self, validated):
        cancel = threading.Event()
        cancel.set()
        found = lrw.compare(validated, {"adam": ADAM}, steps=20, cancel=cancel)
        assert found.cancelled
        assert np.isnan(found.final["adam"]).all()
        assert found.best is None
        assert found.gradient_steps == 0
        assert "unknown" not in repr(found)

    def test_where_all_are_lost_none_is_the_best(self):
        task = pytree_task(lambda p, b: jnp.mean((b[0] @ p["w"] @ p["v"]) ** 2))
        wild = {"a": lrw.optimizers.sgd(1e10), "b": lrw.optimizers.sgd(1e12)}
        found = lrw.compare(task, wild, steps=10, seeds=2)
        assert found.best is None
        assert "against" not in repr(found)
        assert repr(found).count("diverged at 2 of 2") == 2


class TestNothingToTrain:
    @pytest.mark.parametrize(
        ("loss", "why"),
        [
            (lambda p, b: jnp.mean(b[0]) + 0.0 * p["w"].sum(), "the gradient is exactly zero"),
            (lambda p, b: jnp.log(-jnp.square(p["w"]).sum()), "the loss is nan before the first"),
        ],
        ids=["constant", "nan"],
    )
    def test_nothing_is_run_and_it_says_why(self, loss, why):
        found = lrw.compare(pytree_task(loss), CHAINS, steps=1000)
        assert why in found.refused
        assert found.best is None
        assert found.gradient_steps == 4
        assert all(np.isnan(each).all() for each in found.final.values())
        assert repr(found).splitlines()[1:] == [
            f"  refused: {found.refused}",
            f"  {found.remedy}",
        ]
        assert math.isnan(found.difference("adam", "slow").mean)

    def test_data_that_is_used_up(self):
        batches = iter([(X[i : i + 16], Y[i : i + 16]) for i in range(0, 96, 16)])
        task = lrw.Task(weights(), pytree_loss, train=lambda: batches)
        assert "used up" in lrw.compare(task, CHAINS, steps=100).refused

    def test_noise_leaves_a_place_without_a_gradient(self):
        """The product of two zeros is a saddle, and not the end of all training."""
        task = lrw.Task(
            {"a": jnp.zeros(2), "b": jnp.zeros(2)},
            lambda p, b: jnp.mean((p["a"] * p["b"] - 1.0) ** 2) + 0.0 * b[0].mean(),
            train=(X, Y),
            batch_size=16,
        )
        noisy = lrw.Chain.of(
            lrw.optimizers.add_noise(eta=0.1, gamma=0.1, key=0), lrw.optimizers.sgd(0.2)
        )
        found = lrw.compare(task, {"noisy": noisy, "plain": CHAINS["slow"]}, steps=60, seeds=1)
        assert found.refused is None
        assert found.best == "noisy"
        alone = lrw.compare(task, {"plain": CHAINS["slow"]}, steps=60, seeds=1)
        assert "exactly zero" in alone.refused


class TestClear:
    def test_a_difference_larger_than_the_spread(self):
        found = made({"a": [1.0, 2.0, 3.0], "b": [1.5, 3.01, 4.49], "c": [1.1, 1.5, 3.9]})
        # Seed by seed it is half more, although the seeds themselves lie far apart.
        difference = found.difference("b", "a")
        assert difference.is_ratio
        assert difference.mean == pytest.approx(1.5, rel=1e-3)
        assert difference.clear
        assert found.difference("a", "b").mean == pytest.approx(1 / 1.5, rel=1e-3)
        assert not found.difference("c", "a").clear

    def test_where_one_seed_stands_out_what_is_worse_at_all_is_clearly_worse(self):
        found = made({"a": [0.010, 0.012, 0.011], "b": [0.27, 0.33, 4.0]})
        plain = found.final["b"] - found.final["a"]
        assert plain.mean() < 4.3 * plain.std(ddof=1) / math.sqrt(3)  # not clear by differences
        difference = found.difference("b", "a")
        assert difference.clear
        assert difference.mean == pytest.approx(np.prod([27.0, 27.5, 4 / 0.011]) ** (1 / 3))
        assert found.best == "a"

    def test_the_interval_is_student_s(self):
        half = 4.3027 / math.sqrt(3)
        found = made({"a": [1.0, 1.0, 1.0], "b": np.exp([1.0, 2.0, 3.0])})
        wanted = (*np.exp([2.0, 2.0 - half, 2.0 + half]), True)
        assert found.difference("b", "a") == pytest.approx(wanted, rel=1e-4)

    @pytest.mark.parametrize("lowest", [0.0, -3.0])
    def test_losses_that_are_not_all_positive_are_subtracted(self, lowest):
        half = 4.3027 / math.sqrt(3)
        found = made({"a": [lowest] * 3, "b": lowest + np.array([1.0, 2.0, 3.0]), "c": [5.0] * 3})
        wanted = (2.0, 2.0 - half, 2.0 + half, False)
        assert found.difference("b", "a") == pytest.approx(wanted, rel=1e-4)
        # One comparison has one scale.
        assert found.difference("c", "b").mean == pytest.approx(3.0 - lowest)

    @pytest.mark.parametrize("scale", [np.asarray, np.exp], ids=["differences", "ratios"])
    def test_chains_that_are_alike_seldom_seem_to_differ(self, scale):
        rng = np.random.default_rng(0)
        claims = [
            made({name: scale(rng.normal(size=3)) for name in "ab"}).difference("a", "b").clear
            for _ in range(500)
        ]
        assert 0.02 < np.mean(claims) < 0.09

    def test_one_seed_tells_nothing(self):
        difference = made({"a": [1.0], "b": [9.0]}).difference("b", "a")
        assert difference.mean == pytest.approx(9.0)
        assert math.isnan(difference.low)
        assert not difference.clear

    def test_no_float_is_too_small_for_a_ratio(self):
        found = made({"a": [1.0, 1e-300], "b": [1e200, 1.0]})
        assert found.difference("b", "a").high == math.inf
        assert found.difference("a", "b").low == 0.0
        assert "times" in repr(found)

    def test_now_and_then_diverging_has_no_number(self):
        found = made({"a": [1.0, 1.0], "b": [0.5, math.inf]}, diverged={"b": [False, True]})
        assert math.isnan(found.difference("b", "a").mean)
        assert not found.difference("b", "a").clear

    def test_unknown_names(self):
        with pytest.raises(ValueError, match="name must be one of a; got 'b'"):
            made({"a": [1.0]}).difference("a", "b")


class TestTable:
    def test_sorted_with_what_is_clear(self):
        found = made(
            {
                "good": [1.0, 1.1, 1.2],
                "worse": [1.5, 1.61, 1.7],
                "lost": [math.inf] * 3,
                "near": [1.0, 1.2, 1.15],
                "mixed": [0.5, math.inf, 0.6],
            },
            diverged={"lost": [True] * 3, "mixed": [False, True, False]},
        )
        unclear = "no clear difference: +1.5 % (-14 % to +20 %)"
        assert repr(found).splitlines() == [
            "Comparison of 5: 10 steps, 3 seeds, 60 gradient steps",
            "         final training loss  over the seeds  against good",
            # The geometric means.
            "  good   1.097                1 to 1.2        best",
            "  near   1.113                1 to 1.2        " + unclear,
            "  worse  1.601                1.5 to 1.7      worse: +46 % (+36 % to +57 %)",
            "  mixed  0.5477               0.5 to 0.6      diverged at 1 of 3",
            "  lost   diverged                             diverged at 3 of 3",
        ]

    def test_one_seed(self):
        rows = repr(made({"a": [1.0], "b": [9.0]})).splitlines()
        assert rows[0].startswith("Comparison of 2: 10 steps, 1 seed,")
        assert rows[-1].split() == ["b", "9", "9", "times,", "one", "seed"]

    def test_large_ratios_are_written_out(self):
        rows = repr(made({"a": [0.001, 0.002], "b": [0.29, 0.578]})).splitlines()
        assert rows[-1].endswith("worse: 290 times (280 to 300)")
        rows = repr(made({"a": [1.0, 1.0], "b": [1.0, 2.4]})).splitlines()
        assert rows[-1].endswith("no clear difference: +55 % (-99 % to +40000 %)")

    def test_losses_below_zero(self):
        rows = repr(made({"a": [-3.0, -2.9], "b": [-1.0, -0.9]})).splitlines()
        assert rows[-1].split(maxsplit=2)[2] == "-1 to -0.9      worse: +2 (+2 to +2)"

    def test_from_where_in_a_run(self):
        assert ", from step 40 of a run, " in repr(made({"a": [1.0]}, start_step=40))


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "error", "words"),
        [
            ({"chains": [ADAM]}, TypeError, "chains must map names to chains"),
            ({"chains": {}}, ValueError, "chains must hold at least one chain, got none"),
            ({"chains": {3: ADAM}}, TypeError, "the names of chains must be text, got 3"),
            ({"chains": {"a": 0.1}}, TypeError, r"chains\['a'\] must be a Chain or a Link"),
            ({"task": 1}, TypeError, "task must be a Task, got int"),
            ({"steps": None}, ValueError, "steps must be given where no chain has a schedule"),
            ({"steps": 0}, ValueError, "steps must be a whole number >= 1 .*, got 0"),
            ({"steps": 10**9}, ValueError, "steps must be .* <= 10000000, got 1000000000"),
            ({"seeds": 0}, ValueError, "seeds must be a whole number >= 1, got 0"),
            ({"loss": "best"}, ValueError, "loss must be one of train, valid; got 'best'"),
            ({"loss": "valid"}, ValueError, 'loss must be "train" for a Task without'),
            ({"start": "here"}, ValueError, "start must be None"),
            ({"on_progress": 1}, TypeError, "on_progress must be a function or None"),
            ({"cancel": 1}, TypeError, r"cancel must have is_set\(\)"),
        ],
        ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
    )
    def test_is_refused_at_once(self, task, changes, error, words):
        arguments = {"task": task, "chains": {"adam": ADAM}, "steps": 5, **changes}
        with pytest.raises(error, match=words):
            lrw.compare(arguments.pop("task"), arguments.pop("chains"), **arguments)

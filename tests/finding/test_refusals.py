"""When there is no honest advice it is refused, with the reason and what would help; else not."""

from __future__ import annotations

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import optimizers as opt
from lrwidget.finding import Fit, ProbeRun, advise
from lrwidget.finding._fit import vertex
from lrwidget.finding._refusals import RefusedError, check_first_rate, check_start
from lrwidget.finding._start import started
from lrwidget.finding._verdict import check_response

RNG = np.random.default_rng(0)
EXAMPLES = 320
X = RNG.normal(size=(EXAMPLES, 4)).astype(np.float32)
TRUE = RNG.normal(size=(4, 2)).astype(np.float32)
Y = (X @ TRUE + 0.1 * RNG.normal(size=(EXAMPLES, 2))).astype(np.float32)
LABELS = RNG.integers(0, 3, EXAMPLES).astype(np.int32)
W = RNG.normal(size=(4, 2)).astype(np.float32)


def squares(params, batch):
    return jnp.mean(jnp.square(batch[0] @ params["w"] - batch[1]))


def cross_entropy(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def task(loss=squares, params=None, train=(X, Y), batch_size=16, **more):
    params = params or {"w": jnp.asarray(W)}
    return lrw.Task(params, loss, train=train, batch_size=batch_size, **more)


def advice(made, chain=None, *, budget=150, **more):
    chain = lrw.Chain.of(opt.sgd(1e-2)) if chain is None else chain
    return advise(made, chain, steps=200, budget=budget, **more)


def assert_refused(found, reason, remedy):
    assert found.refused is not None, found
    assert reason in found.refused
    assert remedy in found.remedy
    assert (found.learning_rate, found.low, found.high, found.reasons) == (None, None, None, ())
    assert found.gradient_steps <= found.budget


def frozen_bias(params, batch):
    # The labels are random, and all that could learn of the inputs is frozen.
    return cross_entropy(batch[0] @ jax.lax.stop_gradient(params["w"]) + params["b"], batch[1])


def bare_walls(params, batch):
    away = jnp.sum(jnp.square(params["w"] - W))
    return squares(params, batch) + jnp.where(away > 0.0, 1e30, 0.0) * away


def used_up(batches):
    iterator = iter(
        [(X[i % 300 : i % 300 + 16], Y[i % 300 : i % 300 + 16]) for i in range(batches)]
    )
    return lambda: iterator


def with_nan(at):
    wrong = X.copy()
    wrong[at, 1] = np.nan
    return wrong


class TestNothingToLearn:
    def test_a_constant_loss(self):
        found = advice(task(lambda _, batch: jnp.mean(batch[0])))
        assert_refused(found, "the gradient is exactly zero", "stops its gradients")

    def test_random_labels_and_a_frozen_model(self):
        def loss(params, batch):
            return cross_entropy(batch[0] @ jax.lax.stop_gradient(params["w"]), batch[1])

        params = {"w": jnp.asarray(RNG.normal(size=(4, 3)), jnp.float32)}
        found = advice(task(loss, params, (X, LABELS)))
        assert_refused(found, "the gradient is exactly zero", "whether the model is frozen")

    def test_a_saddle_of_two_factors_that_are_zero(self):
        def loss(p, batch):
            return jnp.mean(jnp.square(batch[0] @ p["u"] @ p["v"] - batch[1]))

        found = advice(task(loss, {"u": jnp.zeros((4, 2)), "v": jnp.zeros((2, 2))}))
        assert_refused(found, "the gradient is exactly zero", "the start is a saddle")
        assert "does not depend" not in found.refused

    def test_random_labels_and_no_more_than_a_bias(self):
        params = {"w": jnp.zeros((4, 3)), "b": jnp.zeros(3)}
        found = advice(task(frozen_bias, params, (X, LABELS)), budget=400)
        assert_refused(found, "no rate helps", "the sign of the loss")

    def test_a_model_frozen_by_a_group(self):
        group = opt.Group("rest", multiplier=0.0, paths=["*"])
        found = advice(task(), lrw.Chain.of(opt.adam(1e-3), groups=[group]))
        assert_refused(found, "the same before and after training", "a group of it is frozen")

    def test_updates_that_are_taken_away(self):
        found = advice(task(), lrw.Chain.of(opt.sgd(1e-3), opt.scale(0.0)))
        assert_refused(found, "the same before and after training", "takes its updates away")


class TestNotFinite:
    @pytest.mark.parametrize(
        ("loss", "word"),
        [
            (lambda params, batch: jnp.log(-squares(params, batch)), "nan"),
            (lambda params, batch: squares(params, batch) / 0.0, "inf"),
            (lambda params, batch: -squares(params, batch) / 0.0, "-inf"),
        ],
    )
    def test_a_loss_at_the_start(self, loss, word):
        found = advice(task(loss))
        assert_refused(found, f"the loss is {word} before the first step", "division of zero")

    def test_a_gradient_with_a_finite_loss(self):
        def loss(params, batch):
            return squares(params, batch) + jnp.sqrt(jnp.sum(0.0 * params["w"]))

        found = advice(task(loss))
        assert_refused(found, "the gradient is not finite before the first step", "square root")

    def test_not_so_where_the_chain_bears_it(self):
        def loss(params, batch):
            return squares(params, batch) + jnp.sqrt(jnp.sum(0.0 * params["b"]))

        made = task(loss, {"w": jnp.asarray(W), "b": jnp.zeros(1)})
        found = advice(made, lrw.Chain.of(opt.zero_nans(), opt.sgd(1e-2)), budget=300)
        assert found.refused is None
        assert found.evidence.curvature is None

    def test_one_example_of_many(self):
        # Example 3 is in none of the first four batches of this order.
        made = task(train=(with_nan(3), Y), seed=1)
        found = advice(made)
        assert found.gradient_steps > 4
        assert_refused(found, "is nan", "NaN in")

    def test_check_start_says_on_how_many(self):
        with pytest.raises(RefusedError, match="on 2 of 4 batches"):
            check_start(np.array([1.0, np.nan, 2.0, np.inf]))
        with pytest.raises(RefusedError, match=r"the loss is inf before the first step$"):
            check_start(np.array([np.inf, np.inf]))
        check_start(np.array([-1.0, 0.0]))


class TestTooLittleData:
    def test_one_batch_of_arrays(self):
        found = advice(task(train=(X[:16], Y[:16])))
        assert_refused(found, "one batch of 16 examples", "smaller batch_size")
        assert found.gradient_steps == 0

    def test_a_list_of_one_batch(self):
        found = advice(lrw.Task({"w": jnp.asarray(W)}, squares, train=[(X[:16], Y[:16])]))
        assert_refused(found, "one batch of 16 examples", "give more data")

    @pytest.mark.parametrize("batches", [3, 60])
    def test_an_iterator_that_is_used_up(self, batches):
        made = lrw.Task({"w": jnp.asarray(W)}, squares, train=used_up(batches))
        found = advice(made)
        assert_refused(found, "the training data is used up", "a new iterator each time")

    def test_an_error_of_the_persons_own_data_is_not_hidden(self):
        def passes():
            yield X[:16], Y[:16]
            raise ValueError("the disk is gone")

        made = lrw.Task({"w": jnp.asarray(W)}, squares, train=passes)
        with pytest.raises(ValueError, match="the disk is gone"):
            advice(made)


class TestARateWithoutEffect:
    def test_an_optimizer_that_undoes_it(self):
        # COCOB's steps do not depend on the scale of its gradients, which its rate is.
        found = advice(task(), lrw.Chain.of(opt.cocob()))
        assert_refused(found, "the rate has no effect", "train as it is")

    def test_signs_after_the_optimizer(self):
        found = advice(
            task(params={"w": jnp.zeros((4, 2))}),
            lrw.Chain.of(opt.sgd(1e-2), opt.scale_by_sign(), opt.scale(1e-3)),
        )
        assert_refused(found, "the rate has no effect", "after the optimizer undoes the rate")

    def test_a_chain_without_a_rate_is_an_error(self):
        told = "live learning_rate to look for, and that of lbfgs has none; give lbfgs a learning"
        with pytest.raises(ValueError, match=f"chain must have a {told}_rate"):
            advice(task(), lrw.Chain.of(opt.lbfgs()))
        told = "of scale_by_adam, scale has none; name what .* address: scale_by_adam.b1, "
        with pytest.raises(ValueError, match=told):
            advice(task(), lrw.Chain.of(opt.scale_by_adam(), opt.scale(-0.1)))


def rising(first=0.0, steps=200):
    return lrw.schedules.warmup_cosine(1.0, steps // 10, steps, init_value=first)


class TestAFirstRateOfZero:
    @pytest.mark.parametrize("make", [opt.prodigy, opt.dadapt_adamw])
    @pytest.mark.parametrize("find", [lrw.advise, lrw.probe])
    def test_by_which_the_optimizer_divides(self, make, find):
        found = find(task(), make(rising()))
        assert f"the first rate is 0, and {make().name} divides by a sum" in found.refused
        assert found.remedy.startswith("begin the warm-up above 0, or leave it out")
        assert found.gradient_steps == 0.0

    def test_another_value_is_advised_on(self):
        found = advice(task(), opt.prodigy(rising()), address="eps")
        assert "the first rate is 0" in found.refused

    def test_not_where_it_begins_above(self):
        assert advice(task(), opt.prodigy(rising(0.05)), budget=300).refused is None

    def test_nor_where_it_is_what_is_looked_for(self):
        chain = lrw.Chain.of(opt.prodigy(0.0))
        with started(task(), chain) as begin:
            check_first_rate(begin, chain, begin.addresses.index("prodigy.learning_rate"))
            with pytest.raises(RefusedError, match="the first rate is 0"):
                check_first_rate(begin, chain, begin.addresses.index("prodigy.eps"))

    def test_in_the_middle_of_a_run_its_sums_have_begun(self):
        made, chain = task(), lrw.Chain.of(opt.prodigy(rising(0.05)))
        trainer = lrw.Trainer(made, chain)
        trainer.step(4)
        zero = lrw.schedules.Schedule(lrw.Segment("linear", 200, init_value=0.0, end_value=0.0))
        other = lrw.Chain.of(opt.prodigy(zero))
        with started(made, other, trainer) as begin:
            assert begin.goes_on
            check_first_rate(begin, other, -1)
        with started(made, other) as begin, pytest.raises(RefusedError, match="is 0, and prodigy"):
            check_first_rate(begin, other, -1)


class TestNoBestRate:
    def test_a_loss_without_a_lower_bound(self):
        found = advice(task(lambda params, batch: jnp.sum(params["w"]) + jnp.mean(batch[1])))
        assert_refused(found, "still falls faster at the highest rate", "no lower bound")

    def test_nor_one_so_far_as_a_search_goes(self):
        """The loss falls by as much as the rate is higher, however high."""
        made = task(lambda p, batch: jnp.mean((batch[0] + 0.3) @ p["w"]), {"w": jnp.ones(4)})
        found = advice(made, budget=300)
        assert_refused(found, "still falls faster at the highest rate", "no lower bound")
        assert not found.remedy.startswith("ask for a larger budget")

    @pytest.mark.parametrize("make", [opt.sgd, opt.adam])
    def test_a_schedule_that_ends_long_before_the_runs(self, make):
        chain = lrw.Chain.of(make(rising(steps=200)))
        found = advise(task(), chain, steps=100_000, budget=150)
        assert_refused(found, "schedule has only 200 steps of the 100000", "stretch the schedule")

    def test_a_weight_decay_that_training_would_rather_do_without(self):
        made = task(params={"w": jnp.zeros((4, 2))})
        found = advice(made, opt.adamw(1e-2), address="weight_decay", budget=300)
        assert_refused(found, "which value is best cannot be told", 'loss="valid"')

    def test_a_wall_around_the_start(self):
        found = advice(task(bare_walls), budget=400)
        assert_refused(found, "no rate helps", "other weights than those it begins with")

    def test_a_chain_that_goes_uphill(self):
        found = advice(task(), lrw.Chain.of(opt.sgd(1e-2), opt.scale(-1.0)), budget=400)
        assert_refused(found, "no rate helps", "the sign of the loss and of the updates")

    def test_seeds_that_disagree(self):
        """Two valleys, and noise of the batches alone says which: with few examples in each."""

        def loss(params, batch):
            v, noise = params["v"], jnp.mean(batch[0][:, 0])
            wells = jnp.mean(v**4 / 4 - v**2 / 2 - 0.35 * jnp.tanh(4.0 * v) * (v > 0.0))
            return wells + 8.0 * noise * jnp.sum(v - jax.lax.stop_gradient(v))

        made = task(loss, {"v": jnp.zeros(1)}, (X, Y), 4, seed=SPLIT)
        chain = lrw.Chain.of(opt.clip_by_global_norm(0.5), opt.sgd(0.1))
        found = advice(made, chain, budget=400)
        assert_refused(found, "seeds disagree: over", "larger batches")


@pytest.fixture(scope="module")
def plain():
    return advice(task(), budget=400)


class TestNearMisses:
    """Advice, and about the right one, where a careless look would refuse it."""

    @pytest.mark.parametrize(
        "offset", [-100.0, -float(squares({"w": W}, (X, Y)))], ids=["negative", "near zero"]
    )
    def test_where_the_loss_lies_does_not_matter(self, plain, offset):
        found = advice(task(lambda *given: squares(*given) + offset), budget=400)
        assert found.refused is None
        assert abs(math.log10(found.learning_rate / plain.learning_rate)) < 0.3

    def test_nor_how_small_it_is(self, plain):
        found = advice(task(lambda *given: 1e-9 * squares(*given)), budget=400)
        assert found.refused is None
        assert abs(math.log10(found.learning_rate * 1e-9 / plain.learning_rate)) < 0.3

    def test_all_of_five_hundred_examples_in_a_batch(self):
        x = RNG.normal(size=(500, 4)).astype(np.float32)
        found = advice(task(train=(x, x @ TRUE), batch_size=500))
        assert found.refused is None

    def test_little_to_learn_among_much_noise(self):
        x = RNG.normal(size=(4000, 4)).astype(np.float32)
        y = (0.15 * x @ TRUE + RNG.normal(size=(4000, 2))).astype(np.float32)
        found = advice(
            task(params={"w": jnp.zeros((4, 2))}, train=(x, y), batch_size=64), budget=400
        )
        assert found.refused is None
        best = found.evidence.probe.best.final / found.evidence.probe.initial
        assert 0.85 < best < 0.99

    def test_weights_that_know_most_of_it(self):
        near = {"w": jnp.asarray(TRUE + 0.1 * RNG.normal(size=TRUE.shape).astype(np.float32))}
        assert advice(task(params=near), budget=400).refused is None

    def test_the_middle_of_a_run(self):
        made = task()
        trainer = lrw.Trainer(made, opt.sgd(1e-2), steps=400)
        trainer.step(30)
        found = advise(made, trainer.chain, start=trainer, budget=400)
        assert found.refused is None
        assert found.steps == 370

    def test_gradients_that_are_gathered(self):
        chain = lrw.Chain.of(opt.multi_steps(4), opt.sgd(1e-2))
        assert advice(task(), chain, budget=400).refused is None

    def test_groups(self):
        params = {"w": jnp.asarray(W), "b": jnp.ones(2)}
        made = task(lambda p, batch: squares(p, (batch[0], batch[1] - p["b"])), params)
        group = opt.Group("bias", multiplier=0.1, paths=["b"])
        assert advice(made, lrw.Chain.of(opt.sgd(1e-2), groups=[group])).refused is None

    def test_a_link_that_makes_its_own_rate(self):
        chain = lrw.Chain.of(opt.adam(1e-2), opt.stability_guard())
        assert advice(task(), chain, budget=400).refused is None

    @pytest.mark.parametrize(
        "make",
        [
            lambda: opt.lion(1e-3),
            pytest.param(lambda: opt.sgd(1e-2, momentum=0.9), marks=pytest.mark.soak),
            pytest.param(lambda: opt.adam(1e-3), marks=pytest.mark.soak),
            pytest.param(lambda: opt.prodigy(), marks=pytest.mark.soak),
            pytest.param(lambda: opt.muon(1e-2), marks=pytest.mark.soak),
            pytest.param(lambda: opt.dog(), marks=pytest.mark.soak),
            pytest.param(lambda: opt.adafactor(1e-2), marks=pytest.mark.soak),
            pytest.param(lambda: opt.schedule_free_adamw(1e-2), marks=pytest.mark.soak),
            pytest.param(lambda: opt.polyak_sgd(), marks=pytest.mark.soak),
            pytest.param(lambda: opt.momo(), marks=pytest.mark.soak),
            pytest.param(lambda: opt.lbfgs(0.5), marks=pytest.mark.soak),
        ],
    )
    def test_every_family_of_optimizers(self, make):
        found = advice(task(), lrw.Chain.of(make()), budget=400)
        assert found.refused is None
        assert found.evidence.probe.best.final < 0.7 * found.evidence.probe.initial


# ---- runs that were made up ---------------------------------------------------------------------

RATES = (1e-4, 1e-3, 1e-2, 1e-1)


def judge(ends, others=(), *, initial=2.0, noise=0.01, losses=None, horizon=10, longer=None, **so):
    """Give `check_response` runs with these ends: those of replica 0, and of replica 1.

    `so` is how the prober is: its `steps`, `step`, `ends_after`, `is_rate`.
    """
    wave = noise * np.array([1.0, -1.0, 1.0, -1.0])
    runs, judged, by_horizon, by_other = [], [], {}, {}
    points = [(horizon, 0, rate, end) for rate, end in zip(RATES, ends, strict=False)]
    points += [(horizon, 1, rate, end) for rate, end in zip(RATES, others, strict=False) if end]
    points += [(100, 0, rate, end) for rate, end in zip(RATES, longer or (), strict=False)]
    for number, (length, seed, rate, end) in enumerate(points):
        made = losses[number] if losses else np.full(length, 1.5)
        runs.append(
            ProbeRun(
                learning_rate=rate,
                horizon=length,
                seed=seed,
                losses=np.asarray(made, float),
                final=end,
                gradient_steps=float(length),
            )
        )
        judged.append(end + 2.0 * wave if math.isfinite(end) else np.array([math.inf]))
        (by_other if seed else by_horizon).setdefault(length, {})[round(math.log10(rate), 4)] = end
    vertices = {h: v for h, e in by_horizon.items() if (v := vertex(e, initial)) is not None}
    survey = SimpleNamespace(
        ends=by_horizon,
        others=by_other,
        vertices=vertices,
        limits=(-12.0, 6.0),
        bound=math.inf,
        initial=lambda _: initial,
    )
    horizons = tuple(sorted(by_horizon))
    alive = [run for run in runs if run.horizon == horizons[-1] and not run.diverged]
    found = SimpleNamespace(
        runs=tuple(runs),
        horizons=horizons,
        best=min(alive, key=lambda run: run.final, default=None),
        loss="train",
        fits={h: Fit(best=1.0, low=1.0, high=1.0) for h in horizons},
    )
    if found.best is None:
        shorter = [run for run in runs if not run.diverged]
        found.best = min(shorter, key=lambda run: run.final, default=None)
    so = {"steps": 1000, "step": 0, "ends_after": None, "is_rate": True, **so}
    replicas = SimpleNamespace(start=SimpleNamespace(step=so.pop("step")))
    prober = SimpleNamespace(runs=runs, judged=judged, replicas=replicas, **so)
    check_response(prober, survey, found, initial + wave)


INF = math.inf


class TestJudging:
    @pytest.mark.parametrize(
        ("runs", "reason"),
        [
            ({"ends": (INF, INF, INF, INF)}, "no run came to its end: .* from 1e-4 to 0.1"),
            ({"ends": (2.0, 2.0, 2.0, 2.0), "noise": 0}, "same before and after training"),
            ({"ends": (1.0, 1.0, 1.0, 1.0)}, "the rate has no effect"),
            # Where rounding swallows the smallest updates.
            ({"ends": (2.0, 1.0, 1.0, 1.0), "noise": 0}, "the rate has no effect"),
            ({"ends": (1.0, 1.0, 1.0), "longer": (INF, INF, INF)}, "the rate has no effect"),
            ({"ends": (1.9, 1.0, INF), "longer": (INF, INF)}, "no run over 100 steps came to its"),
            ({"ends": (1.9, 1.0)}, "the budget paid for runs at 2 rates"),
            ({"ends": (1.9999, 1.998, 2.1)}, "does not respond .* fell by 2e-3 ± 6e-3"),
            ({"ends": (1.9999, 1.99, 2.1)}, "too noisy to tell: .* fell by 0.01 ± 6e-3"),
            ({"ends": (2.1, 2.0005, 2.1)}, "does not respond .* rose by 5e-4"),
            ({"ends": (2.3, 2.2, 2.4)}, "training raises the loss at every rate .* by 0.2"),
            ({"ends": (2.0, INF, INF), "noise": 0}, "no rate helps: .* lost, from "),
            ({"ends": (2.0, 2.4, 2.5), "noise": 0}, "no rate helps: .* ends higher above"),
            ({"ends": (1.8, 1.0, 1.9), "others": (None, 1.95, None)}, "seeds disagree: .* 1.95"),
            ({"ends": (1.8, 1.0, 1.9), "others": (None, INF, None)}, "disagree: .* was lost"),
            ({"ends": (1.9, 1.8, 1.5, 1.0)}, "falls faster at the highest rate .*, 0.1"),
            ({"ends": (1.0, 1.2, 1.3, 1.4)}, "the lowest rate that was tried, 1e-4"),
        ],
    )
    def test_refused(self, runs, reason):
        with pytest.raises(RefusedError, match=reason) as error:
            judge(**runs)
        assert len(error.value.refusal.remedy) > 10

    @pytest.mark.parametrize(
        "runs",
        [
            {"ends": (1.8, 1.0, 1.9)},
            {"ends": (1.8, 1.0, INF)},
            {"ends": (1.99, 1.95, 1.99)},  # five standard errors
            {"ends": (-102.1, -103.0, -102.2), "initial": -102.0},
            {"ends": (0.01, -0.3, 0.02), "initial": 0.0, "noise": 0.02},
            {"ends": (1.8, 1.0, 1.9), "others": (None, 1.3, None)},
            # The batches agree at the rates that were tried with both, and another was better.
            {"ends": (1.9, 1.75, 0.9, 1.5), "others": (1.92, 1.8)},
            # Above a certain rate it has no effect any more; below it has.
            {"ends": (1.9, 1.0, 1.0, 1.3)},
            # A short run was lost above what was the best of longer ones.
            {"ends": (1.5, 1.2, 1.0, INF), "longer": (1.3, 0.9, 0.8)},
            # After ten steps batches differ by more than was gained; a hundred settle it.
            {
                "ends": (1.99, 1.9, 1.95),
                "others": (None, 2.0, None),
                "longer": (1.9, 0.5, 1.2),
            },
        ],
    )
    def test_not_refused(self, runs):
        judge(**runs)

    @pytest.mark.parametrize(
        "ends",
        [
            (2.0, 2.0, 2.0, 2.0),
            (2.0, 2.4, 2.5),
            (2.1, 2.0005, 2.1),
            (1.9, 1.8, 1.5, 1.0),
            (1.0, 1.2, 1.3, 1.4),
        ],
    )
    def test_a_schedule_that_is_far_too_short_is_the_likely_reason(self, ends):
        has = r"\. The likely reason: the schedule has only 300 steps of the 1000 asked for"
        with pytest.raises(RefusedError, match=has) as error:
            judge(ends, noise=0, ends_after=300)
        assert error.value.refusal.remedy.startswith("stretch the schedule")
        with pytest.raises(RefusedError) as error:
            judge(ends, noise=0, ends_after=600)
        assert "likely reason" not in error.value.refusal.reason

    def test_not_of_runs_that_were_lost(self):
        with pytest.raises(RefusedError) as error:
            judge((INF, INF, INF, INF), ends_after=300)
        assert "likely reason" not in error.value.refusal.reason

    @pytest.mark.parametrize("ends", [(1.9999, 1.998, 2.1), (2.0, 2.4, 2.5), (2.3, 2.2, 2.4)])
    def test_late_in_a_run_nobody_is_alarmed(self, ends):
        with pytest.raises(RefusedError) as error:
            judge(ends, step=215)
        assert error.value.refusal.remedy.startswith("ask for a larger budget; what is left")

    @pytest.mark.parametrize("ends", [(1.0, 1.0, 1.0005, 1.5), (1.0002, 1.0, 1.5)])
    def test_other_values_that_are_all_the_same_down_to_the_lowest(self, ends):
        with pytest.raises(RefusedError, match=r"from 1e-4 to .* loss ends alike") as error:
            judge(ends, is_rate=False)
        assert 'loss="valid"' in error.value.refusal.remedy

    @pytest.mark.parametrize("ends", [(1.3, 1.0, 1.5), (1.2, 1.0, 1.0, 1.5)])
    def test_not_where_lower_ones_are_worse(self, ends):
        judge(ends, is_rate=False)

    def test_a_step_that_is_nan_at_every_rate(self):
        losses = [[1.5, 1.5, np.nan]] * 3 + [[1.5, 1.5]]
        with pytest.raises(RefusedError, match=r"the loss of step 3 is nan at every rate") as error:
            judge((INF, INF, INF), losses=losses)
        assert "NaN in the data" in error.value.refusal.remedy

    def test_one_that_comes_sooner_at_higher_rates_is_divergence(self):
        losses = [[1.5, 1.5, 9.0, np.nan], [1.5, 9.0, np.nan], [1.5, np.nan]]
        with pytest.raises(RefusedError, match="no run came to its end"):
            judge((INF, INF, INF), losses=losses)


# An order of the data with which replicas 0 and 1 go to different valleys.
SPLIT = 2

"""Sharpness against exact Hessians, and rates against training at them."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.flatten_util import ravel_pytree

import lrwidget as lrw
from lrwidget.finding import CancelledError, Curvature, NothingToMeasureError, curvature
from lrwidget.finding._critical import MOST_PASSES, critical_rate
from lrwidget.finding._lanczos import begun, iterated, largest
from lrwidget.optimizers import names
from lrwidget.training._randomness import step_root
from tests.finding.tasks import TASKS, X, Y, pytree_loss, pytree_task
from tests.optimizers.samples import sample

RNG = np.random.default_rng(5)
INPUTS = RNG.normal(size=(64, 6)).astype(np.float32) * np.array([1, 2, 0.5, 1, 3, 0.1], np.float32)
TARGETS = (INPUTS @ RNG.normal(size=6)).astype(np.float32)
FIRST = RNG.normal(size=6).astype(np.float32)
HESSIAN = (INPUTS.T @ INPUTS / 64).astype(np.float64)
GRADIENT = (INPUTS.T @ (INPUTS @ FIRST - TARGETS) / 64).astype(np.float64)
SHARPNESS = np.linalg.eigvalsh(HESSIAN)[-1]


def quadratic_loss(params, batch):
    x, y = batch
    return 0.5 * jnp.mean((x @ params["w"] - y) ** 2)


@pytest.fixture(scope="module")
def quadratic():
    """Every batch is the whole data: its Hessian is known and its runs have no noise."""
    task = lrw.Task({"w": FIRST}, quadratic_loss, train=(INPUTS, TARGETS), batch_size=64)
    assert np.isclose(SHARPNESS, np.linalg.eigvalsh(np.cov(INPUTS.T, bias=True))[-1], rtol=0.2)
    return task


def exact_sharpness(task):
    """The largest eigenvalue of the Hessian that `jax.hessian` makes of the first step's loss."""
    stream = task.stream()
    batch = task.source.pick(stream.take(4).feed, jnp.int32(0), jnp.int32(0))
    stream.close()
    params, state = task.initial
    flat, back = ravel_pytree(params)
    key = jax.random.fold_in(step_root(task.seed), 0)
    hessian = jax.jit(jax.hessian(lambda w: task.loss(back(w), state, batch, key)[0]))(flat)
    return np.linalg.eigvalsh(np.asarray(hessian, np.float64))[-1]


class TestLanczos:
    @pytest.mark.parametrize(
        "eigenvalues", [[5.0, 3.0, 1.0, -9.0], [2.0] * 4, [-1.0, -2.0, -3.0, -4.0], [1e-6, 1e6]]
    )
    def test_finds_the_largest(self, eigenvalues):
        basis, _ = np.linalg.qr(RNG.normal(size=(len(eigenvalues),) * 2))
        matrix = jnp.asarray(basis @ np.diag(eigenvalues) @ basis.T, jnp.float32)
        # More iterations than there are directions, which must not find what is not there.
        run = begun(RNG.normal(size=len(eigenvalues)), 7)
        for place in range(7):
            run = iterated(run, jnp.int32(place), lambda v: matrix @ v)
        assert largest(run.diagonal, run.beside) == pytest.approx(max(eigenvalues), rel=1e-4)

    def test_what_is_not_finite_is_nan(self):
        assert np.isnan(largest([1.0, np.inf], [1.0, 1.0]))


class TestSharpness:
    @pytest.mark.parametrize("kind", [pytest.param("nnx", marks=pytest.mark.soak), "pytree"])
    def test_is_that_of_the_exact_hessian(self, kind):
        # The NNX one with the dropout masks and the BatchNorm statistics of the first step.
        task = TASKS[kind]()
        exact = exact_sharpness(task)
        found = curvature(task, lrw.optimizers.sgd(0.1))
        assert found.sharpness == pytest.approx(exact, rel=2e-2)
        assert found.preconditioned is False
        assert found.safe_up_to == pytest.approx(2.0 / found.sharpness, rel=1e-6)
        if kind == "pytree":
            found = curvature(task, lrw.optimizers.sgd(0.1), iterations=25)
            assert found.sharpness == pytest.approx(exact, rel=1e-4)

    def test_convolutions_on_a_cpu_are_not_put_into_a_loop(self, quadratic, monkeypatch):
        looped = curvature(quadratic, lrw.optimizers.sgd(0.1))
        monkeypatch.setattr(quadratic, "convolves", True)
        monkeypatch.setitem(quadratic.compiled["lanczos", 10], "loop", None)
        stepped = curvature(quadratic, lrw.optimizers.sgd(0.1))
        assert stepped.sharpness == pytest.approx(looped.sharpness, rel=1e-5)

    def test_the_adaptive_scale_is_divided_out(self, quadratic):
        root = np.sqrt(np.abs(GRADIENT) + 1e-8)
        expected = np.linalg.eigvalsh(HESSIAN / root[:, None] / root)[-1]
        for link in (lrw.optimizers.adam(1e-3), lrw.optimizers.adamw(1e-3, weight_decay=0.3)):
            found = curvature(quadratic, link)
            assert found.preconditioned is True
            assert found.sharpness == pytest.approx(expected, rel=2e-3)
            assert found.edge == pytest.approx(38.0, rel=5e-3)
            assert found.safe_up_to == pytest.approx(38.0 / expected, rel=5e-3)

    def test_adagrad_divides_by_what_it_has_summed(self, quadratic):
        # Of 63 and 64 gradients, of which half the difference is taken.
        root = (0.1 + 63.5 * GRADIENT**2) ** 0.25
        expected = np.linalg.eigvalsh(HESSIAN / root[:, None] / root)[-1]
        found = curvature(quadratic, lrw.optimizers.adagrad(0.01))
        assert 2.0 / found.safe_up_to == pytest.approx(expected, rel=1e-2)

    @pytest.mark.parametrize("name", ["lion", "muon", "prodigy"])
    def test_none_where_there_is_no_such_form(self, task, name):
        found = curvature(task, sample(name))
        assert (found.sharpness, found.edge, found.safe_up_to) == (None, None, None)
        assert found.meaning.startswith("No safe rate can be computed")
        assert found.critical_rate > 0.0
        assert found.gradient_steps < 4 + MOST_PASSES

    def test_a_loss_that_curves_nowhere_upwards(self):
        task = lrw.Task(
            {"w": jnp.ones(3)},
            lambda p, batch: -jnp.mean(batch[0] @ p["w"] ** 2),
            train=(INPUTS[:, :3] ** 2,),
            batch_size=16,
        )
        found = curvature(task, lrw.optimizers.sgd(0.1))
        assert found.sharpness < 0.0
        assert found.safe_up_to is None
        assert found.critical_rate is None
        assert "upwards in no direction" in found.meaning
        assert "No rate that was tried raised the loss" in found.meaning


def excess_after(task, link, steps=400):
    """The loss after some real steps, over the lowest that there is."""
    chain = lrw.Chain.of(link)
    runner, stream = task.runner(chain), task.stream()
    _, out = runner.run(runner.initial(), 0, chain.rows(0, steps), stream.take(steps))
    stream.close()
    return float(out.read()[-1, 0])


class TestSafe:
    @pytest.mark.parametrize(
        ("settings", "edge"),
        [
            ({}, 2.0),
            ({"momentum": 0.9}, 3.8),
            ({"momentum": 0.9, "nesterov": True}, 3.8 / 2.8),
        ],
        ids=["plain", "momentum", "nesterov"],
    )
    def test_below_it_training_converges_and_above_it_diverges(self, quadratic, settings, edge):
        found = curvature(quadratic, lrw.optimizers.sgd(0.1, **settings), iterations=15)
        assert found.edge == pytest.approx(edge, rel=1e-3)
        assert found.sharpness == pytest.approx(SHARPNESS, rel=1e-4)
        before = found.loss
        below = lrw.optimizers.sgd(0.99 * found.safe_up_to, **settings)
        above = lrw.optimizers.sgd(1.01 * found.safe_up_to, **settings)
        assert excess_after(quadratic, below) < 0.2 * before
        assert excess_after(quadratic, above) > 2.0 * before

    def test_clipping_is_left_out_where_it_is_at_work(self, quadratic):
        clip = lrw.optimizers.clip_by_global_norm(0.1)
        alone = curvature(quadratic, lrw.optimizers.sgd(0.1))
        clipped = curvature(quadratic, lrw.Chain.of(clip, lrw.optimizers.sgd(0.1)))
        assert clipped.safe_up_to == pytest.approx(alone.safe_up_to, rel=1e-5)
        assert "Clipping" in clipped.meaning
        # The critical rate is of the chain as it is: a clipped step may be longer.
        factor = np.linalg.norm(GRADIENT) / 0.1
        assert clipped.critical_rate == pytest.approx(factor * alone.critical_rate, rel=1e-3)

    @pytest.mark.soak
    def test_a_group_with_a_rate_of_its_own_is_not_asked_about(self):
        def loss(params, batch):
            return quadratic_loss({"w": jnp.concatenate([params["a"], params["b"]])}, batch)

        first = {"a": FIRST[:2], "b": FIRST[2:]}
        task = lrw.Task(first, loss, train=(INPUTS, TARGETS), batch_size=64)
        own = lrw.optimizers.Group("b", paths=("b",), chain=lrw.optimizers.sgd(0.3))
        found = curvature(task, lrw.Chain.of(lrw.optimizers.sgd(0.1), groups=(own,)))
        expected = 2.0 / np.linalg.eigvalsh(HESSIAN[:2, :2])[-1]
        assert found.safe_up_to == pytest.approx(expected, rel=1e-3)


class TestCriticalRate:
    def test_on_a_quadratic_along_the_gradient(self, quadratic):
        found = curvature(quadratic, lrw.optimizers.sgd(0.1))
        expected = 2.0 * GRADIENT @ GRADIENT / (GRADIENT @ HESSIAN @ GRADIENT)
        assert found.critical_rate == pytest.approx(expected, rel=1e-4)
        assert found.critical_rate >= found.safe_up_to

    @pytest.mark.soak
    def test_a_rate_that_is_compiled_in(self, quadratic):
        adam_like = curvature(quadratic, sample("rprop"))
        # Rprop's first steps are all of the size of its rate, which grows where signs stay.
        assert adam_like.critical_rate > 0.0
        lbfgs = curvature(quadratic, sample("lbfgs"))
        assert lbfgs.critical_rate == pytest.approx(2.0, rel=0.1)  # its line search finds 1

    @pytest.mark.soak
    def test_updates_that_are_not_in_proportion_to_the_rate(self, task):
        madgrad = curvature(task, sample("madgrad"))
        assert madgrad.critical_rate > 0.0
        assert curvature(task, sample("momo")).critical_rate is None  # bounds its own steps
        assert "No rate that was tried" in curvature(task, sample("momo")).meaning

    def test_frozen_parameters_have_none(self, task):
        found = curvature(task, sample("freeze"))
        assert found.critical_rate is None
        assert "do not go downhill" in found.meaning

    @pytest.mark.parametrize("guess", [1e-2, 0.5, 3.0, 1e4])
    @pytest.mark.parametrize(
        ("loss", "edge"),
        [
            (lambda r: 7.0 - 3.0 * r + r**2, 3.0),
            (lambda r: -5.0 - 3.0 * r + 3.0 * r**4, 1.0),
            (lambda r: 1.0 - r if r < 2.0 else np.inf, 2.0),
        ],
        ids=["quadratic", "quartic", "cliff"],
    )
    def test_within_few_passes_from_any_guess(self, loss, edge, guess):
        asked = []

        def loss_at(rate):
            asked.append(rate)
            return float(loss(rate))

        slope = (loss(1e-6) - loss(0.0)) / 1e-6
        found = critical_rate(loss_at, float(loss(0.0)), slope, guess)
        assert found.passes == len(asked) <= MOST_PASSES < 10
        assert found.rate == pytest.approx(edge, rel=0.15)

    def test_no_edge(self):
        found = critical_rate(lambda r: -r, 0.0, -1.0, 1.0)
        assert (found.rate, found.never) == (None, True)
        found = critical_rate(lambda _: 1.0, 0.0, -1.0, 1.0)
        assert (found.rate, found.never) == (None, False)


class TestEveryOptimizer:
    @pytest.mark.soak
    @pytest.mark.parametrize("name", ["adabelief", "sophia", "multi_steps"])
    def test_has_a_critical_rate(self, task, name):
        found = curvature(task, sample(name))
        assert np.isfinite(found.critical_rate)
        assert found.critical_rate > 0.0

    @pytest.mark.soak
    @pytest.mark.timeout(900)
    def test_all_of_them(self, task):
        # Their steps are bounded by the loss, do not depend on the rate, or are none.
        without = {"cocob", "freeze", "momo", "momo_adam", "polyak_sgd"}
        silent, preconditioned = set(), set()
        for name in names():
            found = curvature(task, sample(name))
            if found.critical_rate is None:
                silent.add(name)
            else:
                assert np.isfinite(found.critical_rate), name
                assert found.critical_rate > 0.0, name
            if found.preconditioned:
                preconditioned.add(name)
        print(f"{len(names())} optimizers, {len(preconditioned)} preconditioned, {silent} without")
        assert silent == without
        assert {"adam", "adamw", "nadam", "rmsprop", "adagrad", "yogi", "amsgrad"} < preconditioned


class TestStart:
    def test_nothing_is_touched(self, task, chain):
        def trained(*, look):
            trainer = lrw.Trainer(task, chain, steps=20)
            trainer.step(10)
            if look:
                curvature(task, chain)
                curvature(task, chain, start=trainer)
            trainer.step(10)
            trainer.stop()
            return [np.asarray(leaf) for leaf in jax.tree.leaves(trainer.params)]

        for alone, after in zip(trained(look=False), trained(look=True), strict=True):
            np.testing.assert_array_equal(after, alone)

    def test_in_a_run_it_is_that_of_the_run_s_weights(self, quadratic):
        chain = lrw.Chain.of(lrw.optimizers.adam(0.02))
        trainer = lrw.Trainer(quadratic, chain, steps=300)
        trainer.step(200)
        there = curvature(quadratic, chain, start=trainer)
        trainer.stop()
        # Adam's denominators are those of the run, which began with larger gradients.
        assert there.loss == pytest.approx(float(trainer.history.loss[-1]), rel=0.2)
        assert there.sharpness != pytest.approx(curvature(quadratic, chain).sharpness, rel=0.1)

    def test_a_seed_is_another_batch(self, task):
        link = lrw.optimizers.sgd(0.1)
        first, again, other = (curvature(task, link, seed=seed) for seed in (0, 0, 1))
        assert first == again
        assert first.sharpness != other.sharpness
        assert first.sharpness == pytest.approx(other.sharpness, rel=1.0)

    def test_a_second_call_compiles_nothing(self):
        calls = []

        def loss(params, batch):
            calls.append(None)
            return pytree_loss(params, batch)

        task = pytree_task(loss)
        chain = lrw.Chain.of(lrw.optimizers.adam(1e-3))
        curvature(task, chain)
        before = len(calls)
        curvature(task, chain.replace(learning_rate=0.1), seed=1)
        assert len(calls) == before

    @pytest.mark.parametrize(
        ("loss", "why"),
        [
            (lambda p, b: jnp.sum(p["w"]) * jnp.nan, "the loss is nan"),
            (lambda p, b: jnp.sum(p["w"]) * 0.0 + 1.0, "the gradient is exactly zero"),
            (lambda p, b: jnp.sum(jnp.sqrt(p["w"] * 0.0)), "the gradient is not finite"),
        ],
        ids=["nan", "constant", "infinite slope"],
    )
    def test_nothing_to_measure(self, loss, why):
        task = lrw.Task({"w": jnp.ones(3)}, loss, train=(X, Y), batch_size=16)
        with pytest.raises(NothingToMeasureError, match=why) as caught:
            curvature(task, lrw.optimizers.sgd(0.1))
        assert why in caught.value.reason

    @pytest.mark.parametrize("after", [0, 1, 4])
    def test_cancelled(self, task, after):
        asked = itertools.count()
        cancel = SimpleNamespace(is_set=lambda: next(asked) >= after)
        with pytest.raises(CancelledError):
            curvature(task, lrw.optimizers.adam(1e-3), cancel=cancel)
        assert next(asked) == after + 1

    def test_what_chooses_its_own_steps_is_left_out(self, task):
        chain = lrw.Chain.of(lrw.optimizers.sgd(0.1), lrw.optimizers.stability_guard())
        assert curvature(task, chain).left_out == ("stability_guard",)

    def test_bad_input(self, task):
        link = lrw.optimizers.sgd(0.1)
        with pytest.raises(TypeError, match="task must be a Task, got int"):
            curvature(3, link)
        with pytest.raises(TypeError, match="chain must be a Chain or a Link"):
            curvature(task, 0.1)
        with pytest.raises(ValueError, match="iterations must be a whole number >= 1 and <= 100"):
            curvature(task, link, iterations=0)
        with pytest.raises(ValueError, match="seed must be a whole number >= 0, got -1"):
            curvature(task, link, seed=-1)
        with pytest.raises(TypeError, match=r"cancel must have is_set\(\)"):
            curvature(task, link, cancel=True)
        with pytest.raises(ValueError, match="start must be None"):
            curvature(task, link, start="here")
        with pytest.raises(ValueError, match="chain must have one learning rate, got 2"):
            curvature(task, lrw.Chain.of(link, link))


class TestResult:
    def test_says_what_it_cost(self, quadratic):
        found = curvature(quadratic, lrw.optimizers.sgd(0.1), iterations=7)
        passes = 3 * (found.gradient_steps - 4 - 2 * 7)
        assert passes == pytest.approx(round(passes), abs=1e-6)
        assert 2 <= passes <= MOST_PASSES

    def test_repr(self):
        shown = Curvature(
            sharpness=3.9312,
            preconditioned=True,
            edge=38.0,
            safe_up_to=9.67,
            critical_rate=None,
            meaning="",
            loss=1.0,
            gradient_norm=1.0,
            gradient_steps=25.67,
        )
        assert repr(shown) == (
            "Curvature: sharpness 3.93 (preconditioned), safe up to 9.67, critical rate none, "
            "26 gradient steps"
        )


class LinenLine(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(1)(x)[:, 0]


@pytest.mark.parametrize("kind", ["nnx", pytest.param("linen", marks=pytest.mark.soak)])
def test_a_line_s_curvature_is_that_of_its_inputs(kind):
    model = nnx.Linear(6, 1, rngs=nnx.Rngs(0)) if kind == "nnx" else LinenLine()

    def loss(model, batch):
        return jnp.mean((model(batch[0]).reshape(-1) - batch[1]) ** 2)

    task = lrw.Task(model, loss, train=(INPUTS, TARGETS), batch_size=64)
    wide = np.hstack([INPUTS, np.ones((64, 1))])
    expected = np.linalg.eigvalsh(2.0 * wide.T @ wide / 64)[-1]
    found = curvature(task, lrw.optimizers.sgd(0.1))
    assert found.sharpness == pytest.approx(expected, rel=1e-4)


def test_formulas_are_written_once_escaped():
    assert r"\Delta" in critical_rate.__doc__
    assert r"\\" not in critical_rate.__doc__

"""Several seeds at once: what differs between them, what is made of them, and how they end."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lrwidget as lrw
from lrwidget import optimizers
from lrwidget._numbers import short_rate
from lrwidget.finding import _lockstep, find_lr, rules
from lrwidget.finding._curve import GrowingCurve
from lrwidget.finding._lockstep import Watched, side_by_side
from lrwidget.finding._rules import suggest
from lrwidget.finding._start import started
from tests.finding.tasks import TASKS, LinenNet, NNXNet, X, Y, cross_entropy, pytree_loss, weights


@pytest.fixture(scope="module")
def sweep(task, chain):
    return find_lr(task, chain, steps=60, seeds=4)


class TestWhatDiffers:
    def test_the_first_is_the_sweep_of_one_seed(self, task, chain, sweep):
        alone = find_lr(task, chain, steps=60)
        n = len(sweep.losses)
        np.testing.assert_array_equal(sweep.by_seed[0], alone.losses[:n])
        assert alone.by_seed.shape == (1, len(alone.losses))
        assert alone.band is None

    def test_the_others_have_the_data_in_other_orders(self, sweep):
        assert sweep.by_seed.shape == (4, len(sweep.losses))
        assert len({tuple(row) for row in sweep.by_seed}) == 4

    def test_all_begin_with_the_same_weights(self):
        """On the full batch nothing is left to differ."""
        task = lrw.Task(weights(), pytree_loss, train=(X, Y), batch_size=96)
        sweep = find_lr(task, optimizers.sgd(1e-3), seeds=3, steps=12)
        np.testing.assert_allclose(sweep.by_seed[1:], sweep.by_seed[:1].repeat(2, 0), rtol=1e-5)

    @pytest.mark.parametrize("kind", ["nnx", "linen"])
    def test_the_steps_randomness_differs_too(self, kind):
        """One batch, always the same: dropout is all that can tell the seeds apart.

        An NNX model draws it from keys of its own, which it carries, and not from the step's.
        """
        if kind == "nnx":
            model, loss = NNXNet(nnx.Rngs(0)), lambda m, b: cross_entropy(m(b[0]), b[1])
        else:
            model, loss = LinenNet(), lambda m, b, train: cross_entropy(m(b[0], train=train), b[1])
        task = lrw.Task(model, loss, train=[(X, Y)])
        sweep = find_lr(task, optimizers.sgd(1e-3), seeds=3, steps=12, high=1e-5)
        assert len({tuple(row) for row in sweep.by_seed}) == 3

    @pytest.mark.parametrize("kind", ["list", "callable"])
    def test_data_in_an_order_of_its_own_is_taken_from_other_places(self, kind):
        sweep = find_lr(TASKS[kind](), optimizers.adam(1e-3), seeds=3, steps=20)
        assert len({tuple(row) for row in sweep.by_seed}) == 3

    def test_the_sweep_may_be_as_long_as_some_passes(self):
        data = [(X[9 * i : 9 * i + 9], Y[9 * i : 9 * i + 9]) for i in range(10)]
        task = lrw.Task(weights(), pytree_loss, train=data)
        sweep = find_lr(task, optimizers.adam(1e-3), seeds=3, steps=20)
        assert len({tuple(row) for row in sweep.by_seed}) == 3


class TestWhatIsMade:
    def test_losses_are_the_mean_and_the_band_the_extremes(self, sweep):
        np.testing.assert_allclose(sweep.losses, sweep.by_seed.mean(axis=0), rtol=1e-12)
        curves = []
        for row in sweep.by_seed:
            curve = GrowingCurve(steps=60, smoothing=0.98, stop_factor=None)
            for loss in row:
                curve.append(loss)
            curves.append(curve.smoothed)
        np.testing.assert_allclose(sweep.band, [np.min(curves, 0), np.max(curves, 0)], rtol=1e-12)
        np.testing.assert_allclose(sweep.smoothed, np.mean(curves, 0), rtol=1e-12)

    def test_every_rule_reads_the_mean_and_each_seed(self, sweep):
        assert set(sweep.suggestions_by_seed) == set(rules)
        for name, rate in sweep.suggestions.items():
            inner = rules[name].trim(sweep.learning_rates, sweep.smoothed, 60)
            assert rate == rules[name](*inner)
        for by_seed in sweep.suggestions_by_seed.values():
            assert by_seed.shape == (4,)
            assert not by_seed.flags.writeable
            said = by_seed[np.isfinite(by_seed)]
            assert ((said >= sweep.low) & (said <= sweep.high)).all()

    def test_the_spread_holds_what_is_said_of_every_seed_and_of_the_mean(self, sweep):
        assert set(sweep.spread) <= set(sweep.suggestions)
        assert len(sweep.spread) > 3
        for name, (low, high) in sweep.spread.items():
            said = [*sweep.suggestions_by_seed[name], sweep.suggestions[name]]
            assert (low, high) == (np.nanmin(said), np.nanmax(said))
            assert f"({short_rate(low, 3)} to {short_rate(high, 3)} over" in repr(sweep) or (
                not rules[name].shown
            )

    def test_the_mean_of_curves_is_none_of_them(self, sweep):
        """What a rule reads off it may lie outside, and is held all the same."""
        by_seed = {**sweep.suggestions_by_seed, "valley": np.array([1e-3, 2e-3, np.nan, 4e-3])}
        apart = dataclasses.replace(
            sweep, suggestions={"valley": 5e-3}, suggestions_by_seed=by_seed
        )
        assert apart.spread == {"valley": (1e-3, 5e-3)}
        assert "valley    5e-3  (1e-3 to 5e-3 over the seeds, 1 cannot say)" in repr(apart)

    def test_one_seed_has_no_spread(self, task, chain):
        assert find_lr(task, chain, steps=12).spread == {}

    def test_one_sweep_is_the_same_every_time(self, task, chain, sweep):
        """fastai's differs from run to run (its 3295)."""
        again = find_lr(task, chain, steps=60, seeds=4)
        np.testing.assert_array_equal(again.by_seed, sweep.by_seed)
        assert again.suggestions == sweep.suggestions

    def test_several_seeds_narrow_the_spread(self):
        """Sixty-four seeds, each by itself, and in eights as a sweep of eight seeds would."""
        noise = np.random.default_rng(3).normal(size=(256, 1)).astype(np.float32)
        task = lrw.Task(
            {"w": jnp.ones(1)},
            lambda params, batch: jnp.mean((params["w"] - batch) ** 2),
            train=noise,
            batch_size=2,
        )
        taken = {"low": 1e-5, "smoothing": 0.9, "stop_factor": None}
        sweep = find_lr(task, optimizers.sgd(0.1), seeds=64, **taken)
        alone = np.log10(sweep.suggestions_by_seed["minimum"])
        eights = []
        for rows in np.split(sweep.by_seed, 8):
            curve = GrowingCurve(steps=100, smoothing=0.9, stop_factor=None, seeds=8)
            for losses in rows.T:
                curve.append(losses)
            said, _ = suggest(sweep.learning_rates, curve.smoothed, 100)
            eights.append(np.log10(said["minimum"]))
        assert np.std(eights) < 0.6 * np.nanstd(alone)

    def test_gradient_steps_count_all_seeds(self, task, chain):
        sweep = find_lr(task, chain, steps=12, seeds=3, high=1e-5)
        assert sweep.gradient_steps == 36

    def test_the_repr_tells_of_them(self, sweep):
        assert "4 seeds" in repr(sweep)
        assert "over the seeds" in repr(sweep)

    def test_they_are_seen_to_grow_together(self, task, chain):
        seen = []

        def watch(progress):
            seen.append(progress.by_seed.shape)
            n = len(progress.learning_rates)
            assert progress.by_seed.shape == (3, n)
            assert progress.band.shape == (2, n)
            assert (progress.band[0] <= progress.smoothed + 1e-12).all()
            assert (progress.band[1] >= progress.smoothed - 1e-12).all()

        find_lr(task, chain, steps=60, seeds=3, stop_factor=None, on_progress=watch)
        assert len(seen) > 1
        assert seen[-1] == (3, 60)


def one_that_fails(bad):
    """A task in whose data a marked example makes the loss `bad`: some order meets it first."""
    data = np.ones((40, 1), np.float32)
    data[7] = 0.0
    return lrw.Task(
        {"a": jnp.float32(1.0)},
        lambda params, batch: params["a"] + jnp.where(batch.min() < 0.5, bad, 0.0),
        train=data,
        batch_size=2,
    )


class TestEnds:
    @pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
    def test_one_seed_s_nan_ends_it_at_once(self, bad):
        task = one_that_fails(bad)
        sweep = find_lr(task, optimizers.sgd(1e-3), seeds=5, steps=60, stop_factor=None)
        assert sweep.stopped == "nan"
        assert np.isfinite(sweep.by_seed).all()
        # Whichever meets the example first, by its own order of the data.
        orders = []
        with started(task, lrw.Chain.of(optimizers.sgd(1e-3))) as start:
            for seed in range(5):
                source = start.runner.source.reseeded(start.seed(seed))
                order = jax.random.permutation(
                    jax.random.fold_in(jax.random.key(source.seed), 0), 40
                )
                orders.append(int(np.flatnonzero(np.asarray(order) == 7)[0]) // 2)
        assert len(sweep.losses) == min(orders)
        assert sweep.lost_seed == orders.index(min(orders))
        assert f"of which number {sweep.lost_seed} was lost" in repr(sweep)

    def test_the_mean_is_what_diverges(self):
        curve = GrowingCurve(steps=50, smoothing=0.0, stop_factor=4.0, seeds=4)
        for _ in range(10):
            assert curve.append([1.0, 1.1, 0.9, 1.0]) is None
        assert curve.append([7.0, 1.0, 1.0, 1.0]) is None  # one alone, and the mean is 2.5
        assert curve.append([7.0, 7.0, 7.0, 1.0]) == "diverged"
        assert curve.culprit is None

    def test_the_culprit_is_the_first_that_is_lost(self):
        curve = GrowingCurve(steps=50, smoothing=0.0, stop_factor=4.0, seeds=3)
        assert curve.append([1.0, np.inf, np.nan]) == "nan"
        assert curve.culprit == 1
        assert len(curve) == 0


class TestSideBySide:
    def test_one_vmapped_step_gives_the_same_curves(self, monkeypatch):
        def loss(params, batch, key):
            return jnp.mean((params["w"] * batch - 1.0 + jax.random.normal(key, (8, 1))) ** 2)

        task = lrw.Task({"w": jnp.zeros(1)}, loss, train=X[:, :1], batch_size=8)
        chain = lrw.Chain.of(optimizers.adam(1e-2))
        settings = {"steps": 30, "seeds": 3, "low": 1e-4, "high": 1e-1, "stop_factor": None}
        in_turn = find_lr(task, chain, **settings)
        traces = task.runner(chain).traces
        monkeypatch.setattr(_lockstep, "side_by_side", lambda *_: True)
        together = find_lr(task, chain, **settings)
        np.testing.assert_allclose(together.by_seed, in_turn.by_seed, rtol=1e-5)
        assert len({tuple(row) for row in together.by_seed}) == 3
        assert together.gradient_steps == 90
        assert task.runner(chain).traces == traces

    @pytest.mark.parametrize(
        ("backend", "seeds", "convolves", "validation", "expected"),
        [
            ("cpu", 8, False, False, False),  # nothing to gain, and a compile more
            ("gpu", 8, False, False, True),
            ("gpu", 1, False, False, False),
            ("gpu", 8, True, False, False),
            ("gpu", 8, False, True, False),
        ],
    )
    def test_it_is_chosen_where_it_may_pay(
        self, monkeypatch, backend, seeds, convolves, validation, expected
    ):
        task = lrw.Task(weights(), pytree_loss, train=(X, Y), batch_size=16)
        with started(task, lrw.Chain.of(optimizers.sgd(1e-3))) as start:
            monkeypatch.setattr(jax, "default_backend", lambda: backend)
            task.convolves = convolves
            watched = Watched("loss", in_validation=validation)
            assert side_by_side(start, seeds, watched) is expected

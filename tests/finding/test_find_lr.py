"""The range test itself: its ladder, its ends, its reports, and what it must not touch."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget._numbers import short_rate
from lrwidget.finding import LRSweep, find_lr, rules
from lrwidget.finding._rules import suggest
from tests.finding.tasks import pytree_loss, pytree_task


@pytest.fixture(scope="module")
def sweep(task, chain):
    return find_lr(task, chain, steps=60)


class TestLadder:
    def test_it_is_geometric_and_meets_both_ends_exactly(self, task, chain):
        sweep = find_lr(task, chain, low=3e-6, high=0.7, steps=37, stop_factor=None)
        rates = sweep.learning_rates
        assert (rates[0], rates[-1], len(rates)) == (3e-6, 0.7, 37)
        np.testing.assert_allclose(rates[1:] / rates[:-1], (0.7 / 3e-6) ** (1 / 36), rtol=1e-12)

    def test_each_step_is_taken_with_its_rung(self):
        """With plain SGD on a linear loss, the weights say which rates were applied."""
        seen = []

        def loss(params, batch):
            return params["a"] * batch.mean()

        task = lrw.Task({"a": jnp.float32(0.0)}, loss, train=np.ones((4, 1), "f4"), batch_size=4)
        chain = lrw.Chain.of(lrw.optimizers.sgd(1.0))
        sweep = find_lr(task, chain, low=0.01, high=1.0, steps=30, stop_factor=None)
        # Before step i the weight, and the loss, is minus the sum of the rungs before.
        seen = -np.concatenate([[0.0], np.cumsum(sweep.learning_rates)[:-1]])
        np.testing.assert_allclose(sweep.losses, seen, rtol=1e-5)

    def test_other_hyperparameters_are_the_chain_s(self, task, chain):
        """A huge weight decay drives the loss towards that of zero weights, ln 3."""
        decayed = chain.replace(weight_decay=1000.0)
        sweep = find_lr(task, decayed, low=1e-4, high=1e-3, steps=40)
        assert sweep.losses[-1] == pytest.approx(np.log(3), abs=0.05)
        assert abs(find_lr(task, chain, low=1e-4, high=1e-3, steps=40).losses[-1] - np.log(3)) > 0.2

    def test_a_scheduled_rate_is_replaced_by_the_ladder(self, task, chain):
        schedule = lrw.schedules.preset("warmup_cosine", peak_value=5.0, steps=20)
        scheduled = chain.replace(learning_rate=schedule)
        plain = find_lr(task, chain, steps=30, stop_factor=None)
        same = find_lr(task, scheduled, steps=30, stop_factor=None)
        np.testing.assert_array_equal(plain.losses, same.losses)

    def test_a_single_link_will_do(self, task):
        assert find_lr(task, lrw.optimizers.sgd(1e-3), steps=12).gradient_steps == 12

    def test_of_several_rates_the_address_says_which(self, task):
        chain = lrw.Chain.of(lrw.optimizers.sgd(1e-3), lrw.optimizers.sgd(1.0))
        with pytest.raises(ValueError, match=r"sgd\.learning_rate or sgd_2\.learning_rate"):
            find_lr(task, chain)
        assert find_lr(task, chain, steps=12, address="sgd_2.learning_rate").gradient_steps == 12


class TestCompilation:
    def test_finder_and_later_sweeps_share_one_trace(self, chain):
        task = pytree_task()
        find_lr(task, chain, steps=60)
        runner = task.runner(chain)
        traces = runner.traces
        find_lr(task, chain.replace(weight_decay=0.0), low=1e-5, high=1.0, steps=43)
        assert task.runner(chain) is runner
        assert runner.traces == traces

    def test_training_afterwards_starts_without_a_trace(self, chain):
        task = pytree_task()
        find_lr(task, chain, steps=30)
        traces = task.runner(chain).traces
        lrw.Trainer(task, chain, steps=50).run_sync()
        assert task.runner(chain).traces == traces

    def test_a_linear_ladder_takes_equal_steps(self, task):
        sweep = find_lr(
            task, lrw.optimizers.sgd(1e-3), ladder="linear", low=0.0, high=0.2, steps=21
        )
        np.testing.assert_allclose(sweep.learning_rates, np.linspace(0.0, 0.2, 21))
        assert sweep.learning_rates[-1] == 0.2
        assert sweep.ladder == "linear"
        assert ", linear" in repr(sweep)

    def test_numbers_below_zero_in_the_chain_do_not_shift_the_columns(self, task):
        chain = lrw.Chain.of(lrw.optimizers.sgd(1e-3), lrw.optimizers.scale(-1.0))
        turned = lrw.Chain.of(lrw.optimizers.scale(-1.0), lrw.optimizers.sgd(1e-3))
        low, high = (find_lr(task, c, steps=20, high=1e-2).losses for c in (chain, turned))
        np.testing.assert_allclose(low, high, rtol=1e-5)


class TestEnds:
    def test_end(self, task, chain):
        sweep = find_lr(task, chain, low=1e-6, high=1e-4, steps=20)
        assert (sweep.stopped, sweep.diverged_at, sweep.gradient_steps) == ("end", None, 20)
        assert len(sweep.learning_rates) == len(sweep.losses) == len(sweep.smoothed) == 20

    def test_diverged(self, task):
        chain = lrw.Chain.of(lrw.optimizers.sgd(1e-3))
        sweep = find_lr(task, chain, high=1e4, steps=120, smoothing=0.5)
        assert sweep.stopped == "diverged"
        assert sweep.diverged_at == sweep.learning_rates[-1] < 1e4
        assert sweep.smoothed[-1] > 4 * sweep.smoothed.min()
        assert len(sweep.losses) <= sweep.gradient_steps <= len(sweep.losses) + 50

    @pytest.mark.parametrize("shift", [-50.0, -3.0])
    def test_a_negative_loss_diverges_where_it_blows_up(self, shift):
        task = pytree_task(lambda params, batch: pytree_loss(params, batch) + shift)
        sweep = find_lr(task, lrw.optimizers.sgd(1e-3), high=1e6, steps=150, smoothing=0.5)
        assert sweep.stopped == "diverged"
        assert sweep.diverged_at > 1.0
        assert sweep.smoothed[-1] > sweep.losses[:15].mean()

    @pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
    def test_nan_and_infinity_stop_at_once(self, bad):
        def loss(params, batch):
            good = params["a"] ** 2 + batch.mean()
            return jnp.where(params["a"] < 0.5, bad, good)

        task = lrw.Task({"a": jnp.float32(1.0)}, loss, train=np.ones((4, 1), "f4"), batch_size=4)
        sweep = find_lr(
            task, lrw.optimizers.sgd(1.0), low=1e-3, high=0.1, steps=50, stop_factor=None
        )
        assert sweep.stopped == "nan"
        assert np.isfinite(sweep.losses).all()
        assert sweep.losses[-1] >= 0.25 + 1.0
        rung = len(sweep.losses)
        assert sweep.diverged_at == pytest.approx(1e-3 * 100 ** (rung / 49))

    def test_a_loss_that_never_was_finite(self):
        def loss(params, batch):
            return jnp.log(-1.0 - params["a"] ** 2) + batch.mean()

        task = lrw.Task({"a": jnp.float32(1.0)}, loss, train=np.ones((4, 1), "f4"), batch_size=4)
        sweep = find_lr(task, lrw.optimizers.sgd(1.0))
        assert (sweep.stopped, sweep.diverged_at, len(sweep.losses)) == ("nan", 1e-7, 0)
        assert sweep.suggestions == {}
        assert set(sweep.silent) == set(rules)
        assert set(sweep.silent.values()) == {"the loss is not finite at the very first step"}
        assert "NaN or infinite loss at 1e-7" in repr(sweep)

    def test_cancelled(self, task, chain):
        cancel = threading.Event()
        sweep = find_lr(task, chain, steps=200, on_progress=lambda _: cancel.set(), cancel=cancel)
        assert sweep.stopped == "cancelled"
        assert 0 < len(sweep.losses) <= 25
        assert sweep.gradient_steps <= 50
        assert sweep.diverged_at is None

    def test_cancelling_when_all_is_over_changes_nothing(self, task, chain):
        cancel = threading.Event()

        def at_the_end(progress):
            if len(progress.losses) == 20:
                cancel.set()

        sweep = find_lr(task, chain, steps=20, high=1e-5, on_progress=at_the_end, cancel=cancel)
        assert sweep.stopped == "end"


class TestProgress:
    def test_the_curve_grows_in_steps_short_enough_to_watch(self, task, chain):
        lengths, last = [], []

        def watch(progress):
            assert len(progress.learning_rates) == len(progress.losses) == len(progress.smoothed)
            lengths.append(len(progress.losses))
            last[:] = [progress]

        sweep = find_lr(task, chain, steps=110, stop_factor=None, on_progress=watch)
        assert max(np.diff([0, *lengths])) <= 25
        assert lengths[-1] == 110
        for name in ("learning_rates", "losses", "smoothed"):
            np.testing.assert_array_equal(getattr(last[0], name), getattr(sweep, name))

    def test_what_the_watcher_does_to_its_arrays_stays_with_it(self, task, chain, sweep):
        def spoil(progress):
            for array in progress:
                if array is not None:  # the band of one seed
                    array[:] = 0.0

        again = find_lr(task, chain, steps=60, on_progress=spoil)
        np.testing.assert_array_equal(again.losses, sweep.losses)
        np.testing.assert_array_equal(again.learning_rates, sweep.learning_rates)

    def test_an_error_of_the_watcher_reaches_the_caller(self, task, chain):
        def fail(progress):
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            find_lr(task, chain, on_progress=fail)


class TestResult:
    def test_it_is_frozen_to_the_last_array(self, sweep):
        with pytest.raises(dataclasses.FrozenInstanceError):
            sweep.losses = None
        arrays = (sweep.learning_rates, sweep.losses, sweep.smoothed, sweep.by_seed)
        for array in (*arrays, *sweep.ladders.values()):
            assert array.dtype == np.float64
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1.0
        for mapping in (sweep.suggestions, sweep.suggestions_by_seed, sweep.ladders):
            with pytest.raises(TypeError):
                mapping["valley"] = 1.0

    def test_every_rule_has_spoken_or_given_its_reason(self, sweep):
        assert set(sweep.suggestions) | set(sweep.silent) == set(rules)
        assert not set(sweep.suggestions) & set(sweep.silent)

    def test_the_suggestions_are_the_rules_on_the_trimmed_smoothed_curve(self, sweep):
        for name, rate in sweep.suggestions.items():
            inner = rules[name].trim(sweep.learning_rates, sweep.smoothed, 60)
            assert rate == rules[name](*inner)

    @pytest.mark.parametrize("seeds", [1, 3])
    def test_what_was_not_swept_is_not_suggested(self, task, chain, seeds):
        found = find_lr(task, chain, low=1e-2, high=8e-2, steps=60, seeds=seeds)
        exact = rules["minimum"]
        tenth = exact(*exact.trim(found.learning_rates, found.smoothed, 60))
        assert tenth < 1e-2
        assert found.silent["minimum"] == (
            f"it says {short_rate(tenth)}, below 0.01, where the sweep began"
        )
        assert np.isnan(found.suggestions_by_seed["minimum"]).all()
        assert found.suggestions
        assert all(1e-2 <= rate <= 8e-2 for rate in found.suggestions.values())
        for said in found.suggestions_by_seed.values():
            assert (np.isnan(said) | (said >= 1e-2)).all()

    def test_the_same_sweep_twice_gives_the_same_numbers(self, task, chain, sweep):
        again = find_lr(task, chain, steps=60)
        np.testing.assert_array_equal(again.losses, sweep.losses)
        assert again.suggestions == sweep.suggestions

    def test_repr_is_a_table_for_people(self, sweep):
        first, *lines = repr(sweep).splitlines()
        assert first.startswith("LRSweep: ")
        assert "of 60 steps from 1e-7 to 10, " in first
        assert [line.split()[0] for line in lines] == [r.name for r in rules.values() if r.shown]
        for line in lines:
            name = line.split()[0]
            said = (
                short_rate(sweep.suggestions[name], 3)
                if name in sweep.suggestions
                else "cannot say"
            )
            assert said in line


def test_the_rules_need_no_backend():
    """A designer shows their names before anything is trained."""
    program = "import lrwidget.finding, sys; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


def test_the_result_draws_itself(sweep):
    assert isinstance(sweep, LRSweep)
    assert sweep.plot().get_xlabel() == "Learning rate"


@pytest.fixture(scope="module")
def frozen():
    def loss(params, batch):
        return jnp.mean(batch) + 0.0 * params["a"]

    noise = np.random.default_rng(0).normal(3.0, 1.0, (64, 1)).astype(np.float32)
    return lrw.Task({"a": jnp.float32(0.0)}, loss, train=noise, batch_size=8)


class TestNoResponse:
    @pytest.mark.parametrize("seeds", [1, 3])
    def test_it_is_said_and_nothing_suggested(self, frozen, seeds):
        found = find_lr(frozen, lrw.optimizers.sgd(0.1), seeds=seeds)
        assert np.ptp(found.smoothed) > 0.01  # the rules would read that
        assert found.suggestions == {}
        assert found.suggestions_by_ladder["learning_rate"] == {}
        assert all(np.isnan(said).all() for said in found.suggestions_by_seed.values())
        assert set(found.silent) == set(rules)
        assert "the loss does not respond" in repr(found)

    def test_in_the_middle_of_a_run_too(self, frozen):
        chain = lrw.Chain.of(lrw.optimizers.sgd(0.1))
        trainer = lrw.Trainer(frozen, chain, steps=60)
        trainer.step(20)
        found = find_lr(frozen, chain, start=trainer)
        assert found.suggestions == {}
        assert "the loss does not respond" in found.silent["valley"]

    def test_where_it_only_rises_in_a_run_only_the_rise_is_read(self):
        """A run that is at its end: a higher rate can only do harm."""
        task = pytree_task()
        chain = lrw.Chain.of(lrw.optimizers.sgd(0.1))
        trainer = lrw.Trainer(task, chain, steps=2000)
        trainer.step(1000)
        found = find_lr(task, chain, start=trainer, seeds=3, high=1e3)
        trainer.stop()
        assert found.stopped == "diverged"
        assert set(found.suggestions) <= {"slide"}
        why = {found.silent[name] for name in rules if name not in ("slide", *found.suggestions)}
        assert why == {"the loss falls nowhere by more than its noise; more seeds may tell"}
        assert np.isnan(found.suggestions_by_seed["valley"]).all()
        # The rules read any curve: this is what they would have said.
        said, _ = suggest(found.learning_rates, found.smoothed, 100)
        assert len(said) > 2

    def test_where_it_still_falls_in_a_run_all_are_heard(self):
        x = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
        task = lrw.Task(
            {"w": jnp.zeros(4)},
            lambda params, batch: jnp.mean((batch @ params["w"] - batch.sum(1)) ** 2),
            train=x,
            batch_size=32,
        )
        chain = lrw.Chain.of(lrw.optimizers.sgd(0.01))
        trainer = lrw.Trainer(task, chain, steps=200)
        trainer.step(20)
        found = find_lr(task, chain, start=trainer)
        trainer.stop()
        assert {"valley", "minimum"} <= set(found.suggestions)

    def test_one_that_was_stopped_has_not_been_seen_whole(self, frozen):
        cancel = threading.Event()
        found = find_lr(
            frozen,
            lrw.optimizers.sgd(0.1),
            steps=200,
            on_progress=lambda _: cancel.set(),
            cancel=cancel,
        )
        assert found.stopped == "cancelled"
        why = "the sweep was stopped before the loss fell by more than its noise"
        assert set(found.silent.values()) == {why}
        assert found.suggestions == {}


def test_initials_are_understood(task, chain):
    with pytest.raises(ValueError, match=r"did you mean 'learning_rate'\?"):
        find_lr(task, chain, address="lr")

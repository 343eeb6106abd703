"""The compiled step with the batches and the randomness of another seed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training._array_source import ArraySource, as_arrays
from lrwidget.training._host_source import HostSource, host_arrays
from lrwidget.training._pass_source import PassSource
from lrwidget.training._randomness import step_root
from tests.training import models
from tests.training.models import assert_equal
from tests.training.streams import taken

ARRAYS = {"i": np.arange(23), "x": np.arange(46.0).reshape(23, 2)}


def array_source(seed=5):
    return ArraySource(*as_arrays("train", ARRAYS), 4, seed)


def host_source(seed=5):
    return HostSource(*host_arrays("train", ARRAYS), 4, seed)


class TestSources:
    @pytest.mark.parametrize("make", [array_source, host_source])
    def test_it_is_the_same_data_in_the_order_of_that_seed(self, make):
        source = make()
        other = source.reseeded(8)
        batches = taken(other, [3, 7])
        assert_equal(batches, taken(make(8), [10]))
        assert (batches[0]["i"] != taken(source, [1])[0]["i"]).any()
        assert_equal(taken(source.reseeded(5), [6]), taken(source, [6]))

    @pytest.mark.parametrize("make", [array_source, host_source])
    def test_the_source_itself_is_left_alone(self, make):
        source = make()
        before = taken(source, [9])
        taken(source.reseeded(8), [9])
        assert_equal(taken(source, [9]), before)

    @pytest.mark.parametrize("make", [array_source, host_source])
    def test_its_chunks_have_the_same_form(self, make):
        source = make()
        other = source.reseeded(8)
        feeds = [each.stream().take(3).feed for each in (source, other)]
        forms = [jax.tree.map(lambda x: (x.shape, x.dtype), feed) for feed in feeds]
        assert forms[0] == forms[1]
        assert (other.size, other.max_chunk, other.steps_per_epoch, other.spec) == (
            source.size, source.max_chunk, source.steps_per_epoch, source.spec,
        )  # fmt: skip

    def test_arrays_on_the_device_are_not_copied(self):
        source = array_source()
        assert source.reseeded(8).arrays is source.arrays

    def test_an_order_of_its_own_stays(self):
        source = PassSource("train", [np.full(2, i) for i in range(4)])
        assert source.reseeded(8) is source


@pytest.fixture(scope="module")
def noisy():
    """A task with dropout from the step's own key."""
    return models.task(loss_fn=models.noisy_pytree_loss, seed=2)


@pytest.fixture(scope="module")
def runner(noisy):
    return noisy.runner(models.adam())


class TestSteps:
    @staticmethod
    def losses(runner, source, root=None, steps=6):
        rows = models.adam().rows(0, steps)
        carry, out = runner.run(runner.initial(), 0, rows, source.stream().take(steps), root=root)
        return out.read()[:, 0], carry

    def test_the_default_is_the_tasks_own_seed(self, runner):
        plain, carry = self.losses(runner, runner.source)
        told, again = self.losses(runner, runner.source, step_root(2))
        np.testing.assert_array_equal(plain, told)
        assert_equal(carry, again)

    def test_another_root_is_other_dropout(self, runner):
        plain, _ = self.losses(runner, runner.source)
        other, _ = self.losses(runner, runner.source, step_root(3))
        assert (plain != other).any()

    def test_with_another_order_it_is_a_task_of_that_seed(self, runner):
        mine, carry = self.losses(runner, runner.source.reseeded(3), step_root(3))
        task = models.task(loss_fn=models.noisy_pytree_loss, seed=3)
        theirs, other = self.losses(task.runner(models.adam()), task.source)
        np.testing.assert_array_equal(mine, theirs)
        assert_equal(carry, other)

    def test_nothing_is_traced_again(self, runner):
        self.losses(runner, runner.source)
        for seed in (4, 5):
            self.losses(runner, runner.source.reseeded(seed), step_root(seed), steps=seed)
        assert runner.traces == 1

    @pytest.mark.parametrize("stay", [pytest.param(False, marks=pytest.mark.soak), True])
    def test_side_by_side_each_has_its_own(self, stay):
        more = {"device_data": False} if stay else {}
        task = models.task(loss_fn=models.noisy_pytree_loss, seed=2, **more)
        runner, seeds, rates = task.runner(models.adam()), (2, 3, 4), (1e-3, 1e-2, 1e-1)
        sources = [runner.source.reseeded(seed) for seed in seeds]
        rows = np.stack([models.adam(rate).rows(0, 5) for rate in rates])
        carries = jax.tree.map(lambda x: jnp.stack([x] * 3), runner.initial())
        after, reports = runner.run_side_by_side(
            carries,
            0,
            rows,
            [source.stream().take(5) for source in sources],
            [step_root(seed) for seed in seeds],
        )
        assert reports.shape == (3, 5, len(runner.columns))
        for place, (seed, source) in enumerate(zip(seeds, sources, strict=True)):
            carry, out = runner.run(
                runner.initial(), 0, rows[place], source.stream().take(5), root=step_root(seed)
            )
            np.testing.assert_allclose(reports[place], out.read(), rtol=1e-5)
            jax.tree.map(
                lambda all_, one, place=place: np.testing.assert_allclose(
                    all_[place], one, rtol=1e-4, atol=1e-6
                ),
                after.params,
                carry.params,
            )
        assert runner.traces == 1

    def test_one_chunk_for_all(self, runner):
        rows = np.stack([models.adam(rate).rows(0, 5) for rate in (1e-3, 1e-2)])
        carries = jax.tree.map(lambda x: jnp.stack([x] * 2), runner.initial())
        _, reports = runner.run_side_by_side(carries, 0, rows, runner.source.stream().take(5))
        # The first loss is before any update: the same batch and the same dropout for both.
        np.testing.assert_allclose(reports[0, 0], reports[1, 0])
        assert (reports[0, 1:] != reports[1, 1:]).any()

    def test_arrays_that_are_the_same_in_all_are_not_stacked(self):
        from lrwidget.training._runner import _side_by_side

        source = array_source()
        feeds = [source.reseeded(seed).stream().take(2).feed for seed in (1, 2)]
        together, axes = _side_by_side(feeds)
        assert axes == [None, None, 0, 0]
        assert all(together[0][name] is array for name, array in source.arrays.items())

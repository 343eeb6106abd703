"""What an advice says of orders of the data that ruin training, and of what is no rate."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from lrwidget.finding import ProbeRun
from lrwidget.finding._fit import Fit
from lrwidget.finding._reasons import reasons_for, unseen_side
from tests.plotting.test_probe import made_probe, run


def made_twice(own, again):
    """A probe over all of its steps, with rates to ends of the first batches and of others."""
    runs = tuple(
        ProbeRun(
            learning_rate=rate, horizon=80, seed=seed, losses=np.ones(80), final=end,
            gradient_steps=83.0, initial=1.3,
        )
        for seed, ends in enumerate((own, again))
        for rate, end in ends.items()
    )  # fmt: skip
    fits = {80: Fit(best=0.1, low=0.05, high=0.2)}
    return made_probe(runs=runs, fits=fits, steps=80, edge=None)


class TestAnotherOrder:
    @pytest.mark.parametrize(
        ("rate", "end", "words"),
        [
            (0.1, math.inf, "at 0.1 a run ended at 0.3 with one order and was lost"),
            (0.15, 0.9, "at 0.15 a run ended at 0.4 with one order and ended at 0.9"),
        ],
    )
    def test_where_other_batches_ruin_a_run_at_the_advised_rate_or_near_it(self, rate, end, words):
        fit = Fit(best=0.1, low=0.05, high=0.2)
        own = {0.05: 0.5, 0.1: 0.3, 0.15: 0.4, 0.4: 0.9}
        again = {0.05: 0.52, 0.1: 0.31, 0.15: 0.5, rate: end, 0.4: math.inf}
        said = " ".join(reasons_for(made_twice(own, again), fit, None))
        assert f"The order of the data can ruin training here: {words} with the other that" in said
        assert f"; at {0.05 if rate == 0.1 else 0.1} it went well with both." in said
        # What is bearable, or far above the advice, is not worth a sentence.
        again[rate] = own[rate] + 0.25
        assert "can ruin" not in " ".join(reasons_for(made_twice(own, again), fit, None))


def test_a_value_that_is_no_rate_is_not_called_one():
    fit = Fit(best=8e-3, low=3e-3, high=2e-2)
    assert "the best rate went" in " ".join(reasons_for(made_probe(), fit, None))
    said = " ".join(reasons_for(made_probe(), fit, None, what="value"))
    assert "the best value went" in said
    assert "rate" not in said


class TestTheEndOfWhatWasTried:
    FIT = Fit(best=0.1, low=0.05, high=0.2)

    def said(self, own, **more):
        return " ".join(reasons_for(made_twice(own, {}), self.FIT, None, **more))

    def test_the_other_side_of_it_nobody_has_seen(self):
        assert "That is the highest rate that was run for so long" in self.said(
            {0.05: 0.5, 0.1: 0.3}
        )
        assert "That is the lowest rate that was run for so long" in self.said({0.1: 0.3, 0.2: 0.5})

    def test_a_run_that_was_lost_not_far_above_is_its_other_side(self):
        probe = made_twice({0.05: 0.5, 0.1: 0.3}, {})
        assert unseen_side(probe) == "highest"
        assert unseen_side(dataclasses.replace(probe, edge=(0.1, 0.31))) is None
        assert unseen_side(dataclasses.replace(probe, edge=(0.1, 1.0))) == "highest"
        below = made_twice({0.1: 0.3, 0.2: 0.5}, {})
        assert unseen_side(dataclasses.replace(below, edge=(0.2, 0.3))) == "lowest"

    def test_one_that_was_alone_has_two_unseen_sides(self):
        assert "That is the only rate that was run for so long" in self.said({0.1: 0.3})

    def test_worse_ones_on_both_sides_need_no_word(self):
        assert "for so long" not in self.said({0.05: 0.5, 0.1: 0.3, 0.2: math.inf})

    def test_the_lowest_end_is_that_of_the_same_batches(self):
        runs = made_twice({0.05: 0.5, 0.1: 0.3, 0.2: 0.4}, {0.2: 0.2})
        said = " ".join(reasons_for(runs, self.FIT, None))
        # Of four runs three had the same batches.
        assert "Of 3 real runs" in said
        assert (
            ", all with the same batches, the one at 0.1 ended lowest: training loss 0.3," in said
        )

    def test_what_is_left_of_a_run_is_scaled(self):
        said = self.said({0.05: 0.5, 0.1: 0.3, 0.2: 0.4}, left=0.04)
        assert (
            "In the next 80 steps the run's highest rate is 0.04; scaled by 2.5, it is the" in said
        )
        assert "scaled" not in self.said({0.05: 0.5, 0.1: 0.3, 0.2: 0.4})


class TestTheLengthsOfRuns:
    """What 10 steps bear and what 80 do are two numbers; a longer run may bear less than both."""

    FIT = Fit(best=8e-3, low=3e-3, high=2e-2)

    def said(self, **changes):
        return " ".join(reasons_for(made_probe(**changes), self.FIT, None))

    def test_what_was_lost_and_what_was_not_are_named_with_theirs(self):
        assert "A run of 80 steps at 0.1 was lost; one of 80 steps at 0.03 came to" in self.said()
        # At 0.1 one of 10 steps was not, and that at 1.0 was.
        assert (
            "A run of 10 steps at 1 was lost; one of 10 steps at 0.1 came to its end."
            in self.said(edge=(0.1, 1.0), steps=80)
        )

    def test_they_are_told_apart_where_two_figures_do_not(self):
        runs = (run(1e-2, 80, 0.9), run(0.1004, 80, 1.0), run(0.1009, 10, math.inf))
        said = self.said(runs=runs, edge=(0.1004, 0.1009))
        assert "A run of 10 steps at 0.101 was lost; one of 80 steps at 0.1 came to its" in said

    @pytest.mark.parametrize(("steps", "warned"), [(321, True), (2000, True), (320, False)])
    def test_a_much_longer_run_may_bear_less(self, steps, warned):
        count = f"{steps:,}".replace(",", " ")
        assert (f"A run of all {count} steps may bear less." in self.said(steps=steps)) is warned
        assert "may bear less" not in self.said(steps=steps, edge=None)

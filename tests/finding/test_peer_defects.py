"""The known defects of other libraries' rules: shown where the rule is exact, absent elsewhere.

Each rule is its library's to the letter, so that what is wrong with it can be seen here; what
surrounds the rules, `suggest` and the sweep, must not have the defect.
"""

from __future__ import annotations

import numpy as np
import pytest

from lrwidget.finding import SilentRuleError, rules
from lrwidget.finding._rules import suggest

LADDER = np.geomspace(1e-7, 10.0, 100)


def fall(rates, at=1e-2, noise=0.0, seed=0):
    """Fall of 2 around `at`, a blow-up behind 1, and a little noise."""
    decades = np.log10(rates / at)
    rise = 10.0 * np.clip(np.log10(rates), 0.0, None) ** 2
    return (
        2.5 - np.tanh(decades) + rise + noise * np.random.default_rng(seed).normal(size=len(rates))
    )


def off(name, losses):
    """Return how many decades a rule lies from the steepest place."""
    return np.log10(rules[name](*rules[name].trim(LADDER, losses, 100)) / 1e-2)


class TestCoordinateOfTheDerivative:
    """Lightning since 2.5.3 divides by the rate where it should by its logarithm (its 21141)."""

    def test_noise_of_a_thousandth_moves_it_to_the_low_end(self):
        losses = fall(LADDER, noise=2e-3)
        assert abs(off("steepest", losses)) < 0.5
        assert abs(off("lightning", losses)) < 0.5
        assert off("steepest_linear", losses) < -3.5

    def test_the_rounding_of_float32_alone_moves_it(self):
        """All of the fall lies at 1e-2, and nothing happens below but the last digit."""
        losses = np.where(LADDER < 1e-3, np.float64(np.float32(2.5)), 2.5 - LADDER)
        losses[25] = np.nextafter(np.float32(2.5), np.float32(0.0))
        assert rules["steepest_linear"](LADDER, losses) < 1e-5

    def test_on_a_linear_ladder_it_is_sound(self):
        rates = np.linspace(0.001, 0.1, 100)
        losses = 2.5 - np.tanh((rates - 0.04) / 0.01)
        assert rules["steepest_linear"](rates, losses) == pytest.approx(0.04, abs=0.002)

    def test_by_index_the_ladder_decides(self):
        """The same loss as a function of the rate, on two ladders: the answers are not one."""
        linear = np.linspace(1e-4, 0.1, 100)
        geometric = np.geomspace(1e-4, 0.1, 100)

        def loss(rates):
            return 2.5 - np.tanh((rates - 0.02) / 0.02)

        said = [rules["lightning"](rates, loss(rates)) for rates in (linear, geometric)]
        assert said[1] > 1.2 * said[0]


class TestOffsets:
    def test_ktrain_loses_its_offset_and_the_rules_here_do_not(self):
        """It looks at ``losses[32:lowest]`` and reads the rate at the place in that."""
        losses = fall(LADDER)
        lowest = int(np.argmin(losses))
        place = int(np.argmin(np.gradient(losses[32:lowest])))
        assert LADDER[place] < 1e-2 * 10**-2
        right = LADDER[place + 32]
        assert right == pytest.approx(1e-2, rel=0.25)  # a rung is 20 %
        for name in ("steepest", "lightning", "torch_lr_finder", "ignite"):
            said = rules[name](*rules[name].trim(LADDER, losses, 100))
            assert said == pytest.approx(right, rel=0.25), name

    @pytest.mark.parametrize("name", rules)
    @pytest.mark.parametrize("steps", [100, 200])
    def test_what_is_left_out_does_not_shift_the_answer(self, name, steps):
        """A rule's answer on the trimmed curve is a rate of that curve, a tenth for minimum."""
        ladder = np.geomspace(1e-7, 10.0, steps)
        rates, losses = rules[name].trim(ladder, fall(ladder), steps)
        said = rules[name](rates, losses) * (10.0 if name == "minimum" else 1.0)
        assert np.isclose(rates, said, rtol=1e-12).sum() == 1


class TestNoise:
    def test_valley_lays_a_window_over_points_that_are_no_neighbours(self):
        """Two falls with a rise between: the answer lies in the rise."""
        losses = np.concatenate(
            [np.linspace(5.0, 4.0, 20), np.linspace(4.0, 4.5, 41)[1:], np.linspace(3.9, 3.0, 20)]
        )
        rates = np.geomspace(1e-6, 1.0, len(losses))
        # The longest falling subsequence has both falls, 40 points, and ends at the last one. Two
        # thirds through its points would be the second fall; the window of 40 neighbours is not.
        place = np.searchsorted(rates, rules["valley"](rates, losses))
        assert 20 < place < 60
        assert losses[place] > losses[place - 1]

    def test_slide_depends_on_the_scale_of_the_loss(self):
        losses = fall(LADDER)
        rates, values = rules["slide"].trim(LADDER, losses, 100)
        with pytest.raises(SilentRuleError, match="does not bend"):
            rules["slide"](rates, values * 1e-4)
        with pytest.raises(SilentRuleError, match="fixed threshold"):
            rules["slide"](rates, values * 1e6)
        assert rules["slide"](rates, values) > 0

    def test_ignite_takes_an_early_dip(self):
        """One batch at the very beginning that happens to be easy."""
        losses = fall(LADDER)
        losses[2:4] -= 0.3
        assert rules["ignite"](LADDER, losses) < 1e-6
        # It leaves nothing out; the others do.
        assert abs(off("lightning", losses)) < 0.3

    def test_ignite_cuts_at_one_low_outlier(self):
        losses = fall(LADDER)
        losses[40] = 0.1
        assert rules["ignite"](LADDER, losses) <= LADDER[40]

    @pytest.mark.parametrize("name", ["steepest", "lightning"])
    def test_one_noisy_pair_decides(self, name):
        losses = fall(LADDER)
        losses[20] += 1.0
        assert off(name, losses) < -3.0


class TestBehindTheBlowUp:
    """A loss that jumps up and comes back falls steeper there than anywhere."""

    def curve(self):
        losses = fall(LADDER)
        losses[90:93] = (9.0, 30.0, 12.0)
        losses[93:] = 11.0
        return losses

    @pytest.mark.parametrize("name", ["steepest", "lightning", "torch_lr_finder"])
    def test_the_exact_rule_answers_from_there(self, name):
        rates, losses = rules[name].trim(LADDER, self.curve(), 100)
        assert rules[name](rates, losses) > 1.0

    def test_it_is_not_suggested(self):
        losses = self.curve()
        suggestions, silent = suggest(LADDER, losses, 100)
        lowest = LADDER[np.argmin(losses)]
        assert all(rate <= lowest for rate in suggestions.values())
        for name in ("steepest", "lightning", "torch_lr_finder"):
            assert silent[name].startswith("it says ")
            assert "where the loss is lowest" in silent[name]

    def test_a_loss_that_falls_to_the_end_is_no_blow_up(self):
        losses = 2.5 - np.clip(np.log10(LADDER / 1e-3), 0.0, None)
        suggestions, silent = suggest(LADDER, losses, 100)
        assert "lightning" in suggestions, silent

    def test_the_noise_of_the_first_points_is_not_the_lowest_place(self):
        losses = fall(LADDER)
        losses[3] = 0.01
        assert {"valley", "steepest", "minimum"} <= set(suggest(LADDER, losses, 100)[0])


class TestOtherHyperparameters:
    def test_a_tenth_is_a_convention_of_rates(self):
        _, silent = suggest(np.linspace(0.1, 0.99, 100), fall(LADDER), 100, of_rates=False)
        assert silent["minimum"] == "what it goes by is a convention for learning rates"

    def test_a_ladder_from_zero_has_no_logarithm_there(self):
        rates = np.linspace(0.0, 0.99, 100)
        with pytest.raises(SilentRuleError, match="the ladder begins at 0"):
            rules["steepest"](rates, fall(LADDER))
        for name in ("valley", "minimum", "lightning", "ignite", "steepest_linear"):
            assert rules[name](rates, fall(LADDER)) >= 0.0

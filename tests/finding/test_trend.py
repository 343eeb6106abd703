"""What trend of the best rate is expected of a schedule and an optimizer."""

from __future__ import annotations

import pytest

import lrwidget as lrw
from lrwidget.finding._trend import usual_trend

ADAM, LION = (lrw.Chain.of(getattr(lrw.optimizers, name)(1e-3)) for name in ("adam", "lion"))


def test_a_rate_that_stays_up_is_expected_to_fall_with_the_steps():
    annealed, held = usual_trend(ADAM, 0.0), usual_trend(ADAM, 1.0)
    assert annealed.usual == 0.0 > held.usual
    assert held.spread < annealed.spread


def test_between_them_it_is_in_between():
    half = usual_trend(ADAM, 0.5)
    assert half.usual == pytest.approx(usual_trend(ADAM, 1.0).usual / 2.0)


@pytest.mark.parametrize("held", [0.0, 1.0])
def test_updates_of_a_fixed_length_fall_more(held):
    assert usual_trend(LION, held).usual < usual_trend(ADAM, held).usual
    inside = lrw.Chain.of(lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.lion(1e-3))
    assert usual_trend(inside, held) == usual_trend(LION, held)

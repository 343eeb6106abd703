"""What steps cost where an optimizer computes gradients and losses of its own."""

from __future__ import annotations

import itertools

import pytest

import lrwidget as lrw
from lrwidget.finding._price import FORWARD, PRODUCT, price_of_steps

o = lrw.optimizers


def priced(*links, steps=100, groups=()):
    return price_of_steps(lrw.Chain(*links, groups=groups), steps)


class TestPriceOfSteps:
    @pytest.mark.parametrize(
        ("links", "more"),
        [
            ((o.adam(1e-3),), 0.0),
            ((o.clip_by_global_norm(1.0), o.prodigy()), 0.0),
            # Its step uphill is a training step.
            ((o.sam(), o.sgd(0.1)), 0.0),
            ((o.sophia(1e-3, update_interval=8),), 13 * PRODUCT),
            ((o.adam(1e-3), o.sharpness_aware_rate(every=3)), 34 * PRODUCT),
            ((o.adam(1e-3), o.stability_guard(dense=20, every=16)), 25 * FORWARD),
            ((o.adam(1e-3), o.stability_guard(dense=200)), 100 * FORWARD),
            ((o.lbfgs(),), 100.0),
            ((o.sgd(1.0), o.scale_by_zoom_linesearch(max_linesearch_steps=5)), 100.0),
            (
                (o.sgd(1.0), o.scale_by_backtracking_linesearch(max_backtracking_steps=5)),
                100 * FORWARD,
            ),
            (
                (
                    o.sgd(1.0),
                    o.scale_by_backtracking_linesearch(max_backtracking_steps=5, store_grad=True),
                ),
                100.0,
            ),
        ],
        ids=lambda value: value[-1].name if isinstance(value, tuple) else "",
    )
    def test_what_a_chain_tells_of_its_own_passes(self, links, more):
        assert priced(*links) == pytest.approx(100 + more)

    def test_accumulation_asks_for_one_update_in_so_many(self):
        inner = (o.sophia(1e-3, update_interval=5),)
        assert priced(o.multi_steps(4), *inner) == pytest.approx(100 + 5 * PRODUCT)

    def test_pieces_add_up(self):
        chain = lrw.Chain(o.sophia(1e-3))
        prices = [price_of_steps(chain, steps) for steps in range(40)]
        assert prices[0] == 0.0
        assert all(before < after for before, after in itertools.pairwise(prices))

"""The unit of cost, a gradient step, and what a step costs where the optimizer computes more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrwidget.optimizers._assembly import Around, Split, assembly

if TYPE_CHECKING:
    from lrwidget.optimizers import Chain, Link
    from lrwidget.optimizers._assembly import Nest

FORWARD = 1.0 / 3.0
"""What a forward pass over one batch costs, in gradient steps."""

PRODUCT = 2.0
"""What a Hessian-vector product costs, in gradient steps."""

MOST_STEPS = 10_000_000
"""Of one run that is really made: each step has a row in memory."""


def price_of_steps(chain: Chain, steps: int) -> float:
    """Return what so many training steps of a chain cost at least, in gradient steps.

    Each has its own gradient. What the optimizer computes besides is counted where the chain tells
    how often it does:

    - ``sharpness_aware_rate`` takes a Hessian-vector product for each measurement, and ``sophia``
      one for each estimate of the curvature (an estimator of one's own counts as that);
    - ``stability_guard`` takes a forward pass for each test;
    - a line search tries at least one step: with a gradient in ``scale_by_zoom_linesearch`` and in
      ``lbfgs``, with a forward pass in ``scale_by_backtracking_linesearch``, and with a gradient
      there where it stores one.

    How many more steps a line search tries nobody knows before, and none of them is counted, nor
    are the passes with which ``stability_guard`` begins, at most its ``search_steps``. The step
    uphill of ``sam`` is a training step and counts as one. What ``multi_steps`` is around is asked
    for one update in so many steps.

    Parameters
    ----------
    chain
        What is trained with.
    steps
        How many, from the beginning.
    """
    return steps + _besides(assembly(chain), steps)


def _besides(nest: Nest, steps: int) -> float:
    spent = 0.0
    for item in nest:
        if isinstance(item, Split):
            spent += sum(_besides(way, steps) for way in item.ways.values())
            continue
        spent += _own(item.link, steps // item.every)
        if isinstance(item, Around):
            spent += _besides(item.inner, steps)
    return spent


def _own(link: Link, updates: int) -> float:
    """Return what a link computes for itself in so many updates."""
    name = link.name
    if name == "sharpness_aware_rate":
        return PRODUCT * _times(updates, link["every"])
    if name == "sophia":
        return PRODUCT * _times(updates, link["update_interval"])
    if name == "stability_guard":
        dense = min(updates, int(link["dense"]))
        return FORWARD * (dense + (updates - dense) // int(link["every"]))
    if name not in ("lbfgs", "scale_by_zoom_linesearch", "scale_by_backtracking_linesearch"):
        return 0.0
    with_gradient = (
        name == "scale_by_zoom_linesearch"
        or (name == "lbfgs" and link["linesearch"] is None)
        or (name == "scale_by_backtracking_linesearch" and link["store_grad"])
    )
    return updates * (1.0 if with_gradient else FORWARD)


def _times(updates: int, every: float) -> int:
    """Return how often that is done which is done first at once, and then every so many updates."""
    return -(-updates // int(every))

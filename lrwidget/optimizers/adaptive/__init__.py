"""Optax transformations that adapt the learning rate while training, for anyone's chain.

Each goes after the optimizer and multiplies its updates by ``state.scale``, a float32 scalar. The
default, named before it was measured (``benchmarks/adaptive.py``), is `stability_guard` with its
default arguments: it starts from any rate, and costs a forward pass every sixteenth step. It looks
one step ahead and no further: where a loss must be left flat and noisy for long before it falls, it
lowers the rate too early.

Several may follow one another, the guard last: it must see the updates as they are applied.

=========================  ================================================  =====================
transformation             by what the rate is set                           ``update`` needs
=========================  ================================================  =====================
`stability_guard`          the step that would no longer lower the loss      value, grad, value_fn
`sharpness_aware_rate`     slope and curvature along the update (CDAT)       value_fn
`hypergradient`            whether the last step should have been longer     grad
`learned_scale`            whether the loss falls faster at a higher rate    value
`greedy`                   whether the loss falls or not                     value or valid_value
`reduce_on_plateau`        whether the loss has stopped falling              value or valid_value
=========================  ================================================  =====================
"""

from lrwidget.optimizers.adaptive._greedy import GreedyState, greedy
from lrwidget.optimizers.adaptive._hypergradient import HypergradientState, hypergradient
from lrwidget.optimizers.adaptive._learned_scale import LearnedScaleState, learned_scale
from lrwidget.optimizers.adaptive._reduce_on_plateau import (
    ReduceOnPlateauState,
    reduce_on_plateau,
)
from lrwidget.optimizers.adaptive._sharpness_aware_rate import (
    SharpnessAwareRateState,
    sharpness_aware_rate,
)
from lrwidget.optimizers.adaptive._stability_guard import StabilityGuardState, stability_guard

__all__ = [
    "GreedyState",
    "HypergradientState",
    "LearnedScaleState",
    "ReduceOnPlateauState",
    "SharpnessAwareRateState",
    "StabilityGuardState",
    "greedy",
    "hypergradient",
    "learned_scale",
    "reduce_on_plateau",
    "sharpness_aware_rate",
    "stability_guard",
]

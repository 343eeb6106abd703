"""Every kind of link that lrwidget knows, in the order of the palette; imports no Optax."""

from lrwidget.optimizers._adaptive_declarations import ADAPTIVE
from lrwidget.optimizers._declared import blocks, contrib, gradients, optimizers, updates, wrappers

BUILT_IN = (
    optimizers.SGD,
    *optimizers.ADAM,
    *contrib.NEWER,
    *optimizers.DESCENT,
    *optimizers.OTHER,
    *contrib.FREE,
    optimizers.POLYAK,
    *gradients.GRADIENTS,
    *updates.UPDATES,
    *updates.LINE_SEARCHES,
    *blocks.BLOCKS,
    *wrappers.WRAPPERS,
    *ADAPTIVE,
)

"""Every kind of link that lrwidget knows, in the order of the palette; imports no Optax."""

from lrwidget.optimizers._declared import contrib, gradients, optimizers, updates, wrappers

try:
    from lrwidget.optimizers._adaptive_declarations import ADAPTIVE
except ModuleNotFoundError:  # until they are written
    ADAPTIVE = ()

BUILT_IN = (
    *optimizers.SGD,
    *optimizers.ADAM,
    *contrib.NEWER,
    *optimizers.OTHER,
    *contrib.FREE,
    optimizers.POLYAK,
    *gradients.GRADIENTS,
    *updates.UPDATES,
    *updates.LINE_SEARCHES,
    *updates.BLOCKS,
    *wrappers.WRAPPERS,
    *ADAPTIVE,
)

"""How many batches make one update."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrwidget.optimizers._groups import ALL

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain


def accumulated(chain: Chain, address: str | None = None) -> int:
    """Return how many steps make one update; 1 unless the chain waits for several gradients.

    Parameters
    ----------
    chain
        What is trained with.
    address
        A full address, for the parameters that it belongs to: those of a group with links of its
        own wait as well for what these accumulate. Default what all parameters wait for.
    """
    group = "" if address is None else address.rpartition("/")[0]
    links = [link for name in (ALL, group) if name for _, link in chain.labelled_in(name)]
    # Of multi_steps, and of sam, every other gradient of which is taken uphill.
    return math.prod(int(link[every]) for link in links if (every := link.declaration.every))

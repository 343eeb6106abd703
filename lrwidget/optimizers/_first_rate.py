"""Optimizers that cannot begin with a rate of 0: they divide by a sum that begins with it.

Every optimizer of the registry was trained with a warm-up from 0; these two become NaN. The sums
are the denominators of the estimates in ``optax.contrib``'s ``prodigy`` and ``dadapt_adamw``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lrwidget.optimizers._accumulation import accumulated

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain
    from lrwidget.optimizers._link import Link

# The flag with which the rate is left out of the sum; empty where there is none.
_DIVIDE = {"prodigy": "safeguard_warmup", "dadapt_adamw": ""}

# These give a NaN at once, which outlives a step that multi_steps leaves out; of the others, only
# their state has one, and that of such a step is not kept.
_AT_ONCE = frozenset({"prodigy"})


def must_begin_above_zero(chain: Chain) -> Iterator[tuple[str, Link, int]]:
    """Yield what cannot begin with a rate of 0: the rate's address, the link, and at which step.

    The step is counted from the optimizer's first, 0; it is a later one where several gradients
    make one update.
    """
    for label, link in chain.labelled():
        if link.name not in _DIVIDE or link.hyperparameters.get(_DIVIDE[link.name]):
            continue
        address = f"{label}.{link.declaration.rate}"
        yield address, link, 0 if link.name in _AT_ONCE else accumulated(chain, address) - 1


def how_to_begin(link: Link) -> str:
    """Return what to do about it, in words."""
    flag = _DIVIDE[link.name]
    return "begin the warm-up above 0, or leave it out" + (f", or set {flag}=True" if flag else "")

"""The parameters to evaluate with, where these are not those that are trained."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
from optax import contrib

Evaluation = Callable[[Any, Any], Any]


@functools.cache
def find_evaluations() -> dict[str, Evaluation]:
    """Return ``(opt_state, params) -> params`` by the name that declarations give it."""
    from lrwidget.optimizers import transforms

    return {"schedule_free": _schedule_free, "lookahead": transforms.lookahead_eval_params}


def _schedule_free(opt_state: Any, params: Any) -> Any:
    state = within(opt_state, contrib.ScheduleFreeState)
    return contrib.schedule_free_eval_params(state, params)


def within(opt_state: Any, kind: type) -> Any:
    """Return the first state of a kind in the state of a chain, or raise a ValueError."""
    for node in jax.tree.leaves(opt_state, is_leaf=lambda x: isinstance(x, kind)):
        if isinstance(node, kind):
            return node
    raise ValueError(f"opt_state must be that of the chain, with a {kind.__name__}, got none")

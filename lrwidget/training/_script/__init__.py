"""The training script: a run as plain code that needs JAX, Optax, NumPy and the model's library.

Each form of it is put together from templates. What differs between kinds of model is in
`_models`, and what between kinds of data in `_data_code`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from lrwidget.training._script._exact import write_exact
from lrwidget.training._script._readable import write_readable

if TYPE_CHECKING:
    from lrwidget.training._trainer import Trainer


def write_script(trainer: Trainer, *, exact: bool = False) -> str:
    """Return the script of a run as far as it went; see `Trainer.to_code`."""
    if trainer.position == 0:
        raise ValueError("to_code needs a run with at least one step, got none yet")
    if any(jnp.iscomplexobj(leaf) for leaf in jax.tree.leaves(trainer.task.initial[0])):
        raise ValueError("to_code needs real parameters, got complex ones")
    return write_exact(trainer) if exact else write_readable(trainer)

"""Validation: the mean of each measure over all of the validation data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from lrwidget.training._array_source import ArrayData
from lrwidget.training._arrays import PyTree
from lrwidget.training._data import validation_data
from lrwidget.training._jaxpr import has_convolution
from lrwidget.training._pass_source import PassSource

if TYPE_CHECKING:
    from lrwidget.training._task import Task


class Evaluator:
    """The validation pass of a task.

    Batches have the size of the training batches, and the last one what is left; each counts by
    its number of examples.

    Parameters
    ----------
    task
        Whose model, functions and batch size are used.
    valid
        Arrays, an iterable of batches, or a function that returns an iterator.

    Attributes
    ----------
    names
        The measures: ``"loss"`` and the loss function's metrics, or those of ``eval_fn``.
    """

    def __init__(self, task: Task, valid: Any):
        self._task = task
        self._data = validation_data("valid", valid, task.batch_size, task.device_data)
        params, state = task.initial
        spec = self._data.spec
        forms = [str(jax.tree.structure(each)) for each in (spec, task.source.spec)]
        if task.eval_fn is None and forms[0] != forms[1]:
            raise ValueError(
                f"valid must have the structure of train where loss_fn is called with both, "
                f"{forms[1]}, got {forms[0]}"
            )
        self.names: tuple[str, ...] = ()

        def trace(params: PyTree, state: PyTree, batch: PyTree) -> dict[str, jax.Array]:
            measures = self._measures(params, state, batch)
            self.names = tuple(measures)  # JAX sorts what it returns
            return measures

        jaxpr = jax.make_jaxpr(trace)(params, state, spec)
        if not self.names:
            raise ValueError("eval_fn must return at least one measure, got none")
        self._one_by_one: bool = isinstance(self._data, PassSource) or (
            jax.default_backend() == "cpu" and has_convolution(jaxpr.jaxpr)
        )
        self._whole: Any = jax.jit(self._sum)
        self._batch: Callable[..., Any] = jax.jit(self._add)
        self._compiled: Any = None

    @property
    def examples(self) -> int | None:
        """Examples in a pass; None where only a pass can tell."""
        return self._data.examples if isinstance(self._data, ArrayData) else None

    def compile(self, params: PyTree, state: PyTree) -> None:
        """Compile ahead, so that the first pass of a run does not hold up a pause."""
        if isinstance(self._data, ArrayData) and not self._one_by_one and self._compiled is None:
            self._compiled = self._whole.lower(params, state, self._data.arrays).compile()

    def start(self, params: PyTree, state: PyTree) -> tuple[jax.Array, int]:
        """Start a pass and return what `read` takes; does not wait for it."""
        if not self._one_by_one:
            run = self._compiled or self._whole
            return run(params, state, self._data.arrays), self._data.examples  # type: ignore[union-attr]
        total = jnp.zeros(len(self.names), jnp.float32)
        examples = 0
        for batch, size in self._data.batches():
            total = self._batch(total, params, state, batch, np.float32(size))
            examples += size
        return total, examples

    def loss(self, started: tuple[jax.Array, int]) -> jax.Array | float:
        """Return the mean loss of a pass, still on the device; NaN where no measure is ``loss``."""
        total, examples = started
        return total[self.names.index("loss")] / examples if "loss" in self.names else math.nan

    def read(self, started: tuple[jax.Array, int]) -> dict[str, float]:
        """Wait for a pass and return its means by name."""
        total, examples = started
        return dict(zip(self.names, (np.asarray(total) / examples).tolist(), strict=True))

    def _measures(self, params: PyTree, state: PyTree, batch: PyTree) -> dict[str, jax.Array]:
        try:
            return self._task.measures(params, state, batch)
        except Exception as error:
            error.add_note(
                "This was in validation, where the model is in evaluation form. A loss_fn that "
                "declares train: bool gets False here, to pass on to the model; or give eval_fn."
            )
            raise

    def _add(
        self, total: jax.Array, params: PyTree, state: PyTree, batch: PyTree, size: Any
    ) -> jax.Array:
        measures = self._measures(params, state, batch)
        if set(measures) != set(self.names):
            raise ValueError(
                f"every batch must give the measures {', '.join(self.names)}, "
                f"got {', '.join(measures)}"
            )
        values = [measures[name].astype(jnp.float32) for name in self.names]
        added: jax.Array = total + size * jnp.stack(values)
        return added

    def _sum(self, params: PyTree, state: PyTree, arrays: PyTree) -> jax.Array:
        data = self._data
        size, rest = data.size, data.examples % data.size  # type: ignore[union-attr]

        def add(i: jax.Array, total: jax.Array) -> jax.Array:
            batch = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, i * size, size), arrays)
            return self._add(total, params, state, batch, size)

        total = jnp.zeros(len(self.names), jnp.float32)
        total = jax.lax.fori_loop(0, data.examples // size, add, total)  # type: ignore[union-attr]
        if rest:
            tail = jax.tree.map(lambda x: x[-rest:], arrays)
            total = self._add(total, params, state, tail, rest)
        return total

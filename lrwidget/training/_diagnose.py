"""Diagnosis: a bad stretch of a run is taken again, to find what gave the first NaN or Inf."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from lrwidget.training._arrays import PyTree, copied
from lrwidget.training._blame import Culprit, blame, not_finite
from lrwidget.training._randomness import step_root
from lrwidget.training._runner import Carry, uphill

if TYPE_CHECKING:
    from lrwidget.training._batches import Stream
    from lrwidget.training._runner import Runner
    from lrwidget.training._task import Task

_HERE = os.path.realpath(__file__)


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What gave the first NaN or Inf of a run.

    Attributes
    ----------
    step
        The step in which it appeared; None if all steps that were taken again were sound.
    operation
        The name of the JAX primitive that gave it from finite numbers, such as ``"log"``, ``"div"``
        or ``"exp"``; None if no operation did: NaN in a batch, for example.
    message
        All of it in words.
    where
        The line of the person's code from which the operation came, ``"file:line: code"``; an
        operation of a gradient has the line of the forward pass that it belongs to. None if it
        came from a library alone, such as the optimizer.
    """

    step: int | None
    operation: str | None
    message: str
    where: str | None = None

    def __str__(self) -> str:
        return self.message


def diagnose(
    task: Task,
    runner: Runner,
    carry: Carry,
    start: int,
    rows: npt.NDArray[np.float64],
    stream: Stream,
    valid: Mapping[int, float] | None = None,
) -> Diagnosis:
    """Take steps again, one by one, and look into the first that goes wrong.

    The compiled step finds it; then every operation of its loss, its gradient and its update is
    looked at, for the one that gave NaN or Inf from finite numbers.

    Parameters
    ----------
    task, runner
        What is trained, and its compiled step.
    carry
        The state before step `start`, which stays as it is.
    start
        The first step.
    rows
        The hyperparameters of the steps to take, shape (steps, addresses).
    stream
        The batches from step `start` on.
    valid
        The validation losses that a step was told of, by its number.
    """
    # Model state may hold infinities from the beginning, as a smallest value yet does.
    before = _bad_leaves(carry)
    bad = next(filter(None, before[: len(jax.tree.leaves(carry.params))]), None)
    if bad is not None:
        return Diagnosis(
            None,
            None,
            f"the weights at step {start} hold {bad} already, at the beginning of what was taken "
            "again: what gave it lies before",
        )
    told = valid or {}
    for place in range(len(rows)):
        step = start + place
        chunk = stream.take(1, len(rows) - place - 1)
        valid_value = told.get(step, np.nan)
        # The step gives up the arrays that it starts from.
        after, out = runner.run(copied(carry), step, rows[place : place + 1], chunk, valid_value)
        bad_leaves = _bad_leaves(after)
        spoilt = any(now and not then for then, now in zip(before, bad_leaves, strict=True))
        if spoilt or not np.isfinite(out.read()[0, 0]):
            batch = _pick(runner, chunk.feed, step)
            return _Step(task, runner, step, (carry, after), batch, valid_value).diagnosis()
        carry, before = after, bad_leaves
    return Diagnosis(
        None,
        None,
        f"all of the steps from {start} to {start + len(rows) - 1} gave finite losses and weights "
        "when they were taken again",
    )


class _Step:
    """A step that went wrong."""

    def __init__(
        self,
        task: Task,
        runner: Runner,
        step: int,
        states: tuple[Carry, Carry],
        batch: PyTree,
        valid_value: float,
    ):
        self._task = task
        self._runner = runner
        self._step = step
        self._before, self._after = states
        self._batch = batch
        self._valid_value = valid_value
        self._key = jax.random.fold_in(step_root(task.seed), step)

    def diagnosis(self) -> Diagnosis:
        paths, leaves = zip(*jax.tree.leaves_with_path(self._batch), strict=True)
        for path, held in zip(paths, not_finite(leaves), strict=True):
            if held is not None:
                name = f"batch{jax.tree_util.keystr(path)}"
                text = f"{name} of step {self._step} holds {held}: look at the training data"
                return Diagnosis(self._step, None, text)
        params, state, _ = self._before
        arguments = (params, state, self._batch, self._key)
        found = blame(self._loss, arguments, _HERE)
        if found is not None:
            return self._blamed(found[1], "loss")
        # What the compiled step wrote last are the hyperparameters of this one.
        opt_state = self._before.opt_state._replace(hyperparams=self._after.opt_state.hyperparams)
        found = blame(self._rest, (opt_state, *arguments), _HERE)
        if found is not None:
            return self._blamed(found[1], ("gradient", "update")[found[0]])
        return Diagnosis(
            self._step,
            None,
            f"step {self._step} went wrong, and gave only finite numbers when it was taken apart: "
            "there are numbers near the end of the range, which the compiler then puts together in "
            "another order",
        )

    def _blamed(self, culprit: Culprit, part: str) -> Diagnosis:
        took = f" from {culprit.took}" if culprit.took else ""
        text = f"{culprit.operation} gave {culprit.gave}{took} in the {part} of step {self._step}"
        place = culprit.where or culprit.among
        if place:
            text += f", at {place}"
        return Diagnosis(self._step, culprit.operation, text, culprit.where)

    # ---- the parts of a step, as the runner has them -------------------------------------------

    def _loss(self, params: PyTree, state: PyTree, batch: PyTree, key: jax.Array) -> Any:
        loss, (_, after) = self._task.loss(params, state, batch, key)
        return loss, after

    def _rest(
        self, opt_state: Any, params: PyTree, state: PyTree, batch: PyTree, key: jax.Array
    ) -> tuple[PyTree, PyTree]:
        def value_fn(params: PyTree) -> jax.Array:
            return self._task.loss(params, state, batch, key)[0]

        value, grads = jax.value_and_grad(value_fn)(params)
        gradients = uphill(grads)
        extra = {
            "value": value,
            "grad": gradients,
            "value_fn": value_fn,
            "obj_fn": value_fn,
            "valid_value": jnp.float32(self._valid_value),
        }
        needed = {name: given for name, given in extra.items() if name in self._runner.needs}
        updates, _ = self._runner.tx.update(gradients, opt_state, params, **needed)
        return grads, optax.apply_updates(params, updates)


def _pick(runner: Runner, feed: PyTree, step: int) -> PyTree:
    return jax.jit(runner.source.pick)(feed, jnp.int32(step), jnp.int32(0))


def _bad_leaves(carry: Carry) -> list[str | None]:
    """Return what is not finite in weights and model state; the optimizer's may well be."""
    return not_finite(jax.tree.leaves((carry.params, carry.state)))

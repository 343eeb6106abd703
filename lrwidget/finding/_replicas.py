"""Short real runs from one state: each on a copy, through the step that a Trainer compiles."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from lrwidget.finding._cancel import CancelFlag, check_cancelled
from lrwidget.finding._keys import with_keys_of
from lrwidget.finding._price import FORWARD, price_of_steps

if TYPE_CHECKING:
    from lrwidget.finding._start import Start
    from lrwidget.training import Task
    from lrwidget.training._batches import Chunk, Source
    from lrwidget.training._runner import Carry

FloatArray = npt.NDArray[np.float64]
Objective = Literal["train", "valid"]

# A replica that is lost is seen to be so, and one that is cancelled ends, after so many steps.
_LONGEST = 64
_SHORTEST = 8

# The end of a run is judged on batches of the training data that are the same for every replica:
# these many, more where they are small, and more where the run is so long that they cost next to
# nothing.
_JUDGING = 8
_JUDGING_EXAMPLES = 64
_MOST_JUDGING = 32
_JUDGED_SHARE = 0.06

# A number that no replica of a run has: judging looks at an order of its own.
_JUDGE = 1_000_003


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Replica:
    """A short run.

    Attributes
    ----------
    losses
        The loss of each step's batch before its update, float64, shape (n,); n is less than what
        was asked for where it was given up.
    end
        The objective after the last step; infinite where the run was lost.
    judged
        The objective on each of the common batches, float64; with validation data one number.
    carry
        The state after the last step; None where the run was lost or nobody asked for it.
    gradient_steps
        What it cost.
    """

    losses: FloatArray
    end: float
    judged: FloatArray
    carry: Carry | None
    gradient_steps: float

    @property
    def diverged(self) -> bool:
        """Whether it was lost."""
        return not math.isfinite(self.end)


class Replicas:
    """Runs replicas one after another, and keeps the account of what they cost.

    They go through the step that a `Trainer` of the task compiles, so that there is nothing to
    compile but the judging, and convolutions on a CPU are taken step by step as they are there.

    Parameters
    ----------
    start
        Where each of them begins.
    objective
        What `Replica.end` is: the mean loss of common batches of the training data, in training
        form; or the validation loss.
    cancel
        A `threading.Event` or the like; when set, the next chunk raises a `CancelledError`.

    Attributes
    ----------
    spent
        Gradient steps so far; a forward pass counts as a third. Of what an optimizer computes for
        itself it holds what `price_of_steps` knows.
    """

    def __init__(
        self, start: Start, *, objective: Objective = "train", cancel: CancelFlag | None = None
    ) -> None:
        self.start = start
        self.objective = objective
        self.spent = 0.0
        self._cancel = cancel
        self._task = start.task
        self._price_of_steps = functools.partial(price_of_steps, start.chain)
        self._validation_price = 0.0  # of an iterable: known when a pass has been made
        if objective == "valid" and (examples := start.task.evaluator.examples) is not None:
            self._validation_price = self._passed(examples)
        self._judges: Chunk | None = None
        source = start.runner.source
        programs = self._task.compiled.setdefault(
            ("judge", source.size, start.runner.max_chunk), {}
        )
        if not programs:
            programs["all"] = jax.jit(functools.partial(_judge_all, self._task, source))
            programs["one"] = jax.jit(functools.partial(_judge_one, self._task, source))
        self._programs = programs
        self._one_by_one = self._task.convolves and jax.default_backend() == "cpu"

    def run(
        self,
        rows: FloatArray,
        *,
        replica: int = 0,
        limit: float = math.inf,
        keep: bool = False,
        on_chunk: Callable[[FloatArray], object] | None = None,
    ) -> Replica:
        """Take a step for each row.

        Parameters
        ----------
        rows
            The hyperparameters of each step, shape (steps, addresses), float64.
        replica
            Which order of the data and which randomness; 0 is what the run itself would have.
        limit
            The run is lost where the mean loss of a chunk exceeds this.
        keep
            Whether to return the state after the last step.
        on_chunk
            Called with the losses so far after each chunk.

        Returns
        -------
        Replica

        Raises
        ------
        CancelledError
            If `cancel` was set.
        """
        runner, steps = self.start.runner, len(rows)
        length = min(max(_SHORTEST, -(-steps // 4)), _LONGEST, runner.max_chunk)
        carry, root = self.start.carry(), self.start.root(replica)
        if replica:
            carry = with_keys_of(carry, self.start.seed(replica))
        losses: list[FloatArray] = []
        done, lost, before = 0, False, self.spent
        stream = self.start.stream(replica)
        try:
            while done < steps and not lost:
                self.check_cancelled()
                count = min(length, steps - done)
                chunk = stream.take(count, steps - done - count)
                carry, out = runner.run(
                    carry, self.start.step + done, rows[done : done + count], chunk, root=root
                )
                losses.append(out.read()[:, 0].astype(np.float64))
                done += count
                self.spent = before + self._price_of_steps(done)
                mean = float(losses[-1].mean())
                lost = not math.isfinite(mean) or mean > limit
                if on_chunk is not None:
                    on_chunk(np.concatenate(losses))
        finally:
            stream.close()
        judged = np.array([math.inf])
        if not lost:
            judged = self.judged(carry, self.judging(steps))
        end = float(judged.mean())
        if not math.isfinite(end) or end > limit:
            end, lost = math.inf, True
        return Replica(
            losses=np.concatenate(losses),
            end=end,
            judged=judged,
            carry=carry if keep and not lost else None,
            gradient_steps=self.spent - before,
        )

    def judging(self, steps: int) -> int:
        """Return how many batches judge the end of a run of so many steps."""
        by_length = int(_JUDGED_SHARE * steps / FORWARD)
        by_size = -(-_JUDGING_EXAMPLES // self.start.runner.source.size)
        most = min(_MOST_JUDGING, self.start.runner.max_chunk)
        return min(max(_JUDGING, by_size, by_length), most)

    def price(self, steps: int) -> float:
        """Return what a run of so many steps costs with its judging."""
        return self._price_of_steps(steps) + self.judging_price(steps)

    def judging_price(self, steps: int) -> float:
        """Return what it costs to judge the end of a run of so many steps."""
        if self.objective == "train":
            return self.judging(steps) * FORWARD
        return self._validation_price

    def judged(self, carry: Carry, batches: int) -> FloatArray:
        """Return the objective of a state on each of the common batches; see `Replicas`."""
        self.check_cancelled()
        params = self.start.runner.eval_params(carry)
        if self.objective == "valid":
            evaluator = self._task.evaluator
            started = evaluator.start(params, carry.state)
            self._validation_price = self._passed(started[1])
            self.spent += self._validation_price
            return np.array([float(evaluator.loss(started))])
        self.spent += batches * FORWARD
        step, root = np.int32(self.start.step), self.start.root(_JUDGE)
        where = (params, carry.state, self._common_batches().feed, step, root)
        if self._one_by_one:
            one = self._programs["one"]
            return np.array([float(one(*where, np.int32(place))) for place in range(batches)])
        losses = np.asarray(self._programs["all"](*where, np.int32(batches)))
        return losses[:batches].astype(np.float64)

    def _passed(self, examples: int) -> float:
        return -(-examples // self.start.runner.source.size) * FORWARD

    def _common_batches(self) -> Chunk:
        if self._judges is None:
            count = min(_MOST_JUDGING, self.start.runner.max_chunk)
            stream = self.start.stream(_JUDGE)
            try:
                self._judges = stream.take(count)
            finally:
                stream.close()
        return self._judges

    def check_cancelled(self) -> None:
        """Raise a CancelledError if `cancel` was set."""
        check_cancelled(self._cancel)


# ---- traced -------------------------------------------------------------------------------------


def _judge_one(
    task: Task,
    source: Source,
    params: Any,
    state: Any,
    feed: Any,
    step: jax.Array,
    root: jax.Array,
    place: jax.Array,
) -> jax.Array:
    batch = source.pick(feed, step + place, place)
    key = jax.random.fold_in(root, place)
    return task.loss(params, state, batch, key)[0].astype(jnp.float32)


def _judge_all(
    task: Task,
    source: Source,
    params: Any,
    state: Any,
    feed: Any,
    step: jax.Array,
    root: jax.Array,
    count: jax.Array,
) -> jax.Array:
    def write(place: jax.Array, losses: jax.Array) -> jax.Array:
        loss = _judge_one(task, source, params, state, feed, step, root, place)
        return losses.at[place].set(loss)

    none = jnp.zeros(_MOST_JUDGING, jnp.float32)
    losses: jax.Array = jax.lax.fori_loop(0, count, write, none)
    return losses

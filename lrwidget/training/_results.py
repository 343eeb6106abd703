"""What a run of a task has to show: its course, and its weights."""

from __future__ import annotations

from typing import Any

from lrwidget.training._arrays import PyTree, copied
from lrwidget.training._loop import Loop
from lrwidget.training._record import Record
from lrwidget.training._runner import Runner
from lrwidget.training._task import Task


class Results(Record):
    """The part of a `Trainer` that reads a run, at any moment and from any thread.

    Attributes
    ----------
    task
        What is trained.
    starts_elsewhere
        Whether the run began with other weights than the task's initial ones.
    """

    task: Task
    starts_elsewhere: bool
    _loop: Loop

    @property
    def runner(self) -> Runner:
        """The compiled step."""
        raise NotImplementedError

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns of the history that are measured: loss, metrics, reports of links."""
        return self.runner.columns

    @property
    def steps_per_epoch(self) -> int | None:
        """How many steps an epoch has; None where that is not known."""
        return self.task.steps_per_epoch

    @property
    def params(self) -> PyTree:
        """A copy of the parameters as they are now, also while it runs."""
        return self._loop.ask(lambda carry: copied(carry.params))

    @property
    def opt_state(self) -> PyTree:
        """A copy of the optimizer's state as it is now, also while it runs."""
        return self._loop.ask(lambda carry: copied(carry.opt_state))

    @property
    def model(self) -> Any:
        """The model with the weights as they are now, also while it runs.

        For NNX the very object that the task was made of, brought up to date; for Linen and
        TrainState a bound module, called as ``t.model(x)``; for a pytree the parameters.

        These are the weights that are trained. With ``schedule_free`` or ``lookahead`` validation
        is at others: ``t.chain.eval_params(t.opt_state, t.params)``, which are the ones to use.
        """
        adapter = self.task.adapter
        if adapter.kind == "nnx" and not self._loop.owner:
            # A fork has an object of its own: the person's has the weights of the run itself.
            return self._loop.ask(lambda carry: adapter.separate(*copied(carry[:2])))  # type: ignore[attr-defined]
        if self._loop.state == "idle" and adapter.kind == "nnx":
            # Nothing has been trained, and looking must not change the person's own object.
            return adapter.current_model()
        # On the run's own thread, so that what it writes at a pause cannot be overtaken.
        return self._loop.ask(lambda carry: adapter.model(*copied((carry.params, carry.state))))

    def train_state(self) -> Any:
        """Return a `flax.training.train_state.TrainState` of what the run is at now.

        For a task made of a TrainState it is of the same class, with step, parameters, optimizer
        and collections replaced; for a Linen module it has the collections as fields. Its ``tx``
        is the live chain: ``opt_state.hyperparams`` holds the values that it goes on with.
        TypeError for other models.
        """
        # The step is read where the arrays are: while it runs, more are handed out than are done.
        carry, step = self._loop.ask(lambda carry: (copied(carry), self._loop.handed))
        return self.task.adapter.train_state(
            carry.params, carry.state, carry.opt_state, self.runner.tx, step
        )

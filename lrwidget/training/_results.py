"""What a run has to show: history, journal, schedules, weights."""

from __future__ import annotations

from typing import Any

from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule
from lrwidget.training._arrays import PyTree, copied
from lrwidget.training._edits import Edits
from lrwidget.training._history import History
from lrwidget.training._journal import JournalEntry
from lrwidget.training._loop import Loop
from lrwidget.training._plan import as_schedule
from lrwidget.training._runner import Runner
from lrwidget.training._task import Task


class Results:
    """The part of a `Trainer` that reads a run, at any moment and from any thread.

    Attributes
    ----------
    task, chain, runner
        What is trained, how, and the compiled step.
    starts_elsewhere
        Whether the run began with other weights than the task's initial ones.
    """

    task: Task
    chain: Chain
    runner: Runner
    starts_elsewhere: bool
    _edits: Edits
    _loop: Loop

    @property
    def history(self) -> History:
        """What happened at each step."""
        return self._loop.history

    @property
    def journal(self) -> tuple[JournalEntry, ...]:
        """Every command that took effect, in order."""
        return tuple(self._edits.journal)

    def plan(self, address: str = "learning_rate") -> Schedule:
        """Return the schedule that is and will be applied, in absolute steps of the run.

        Its past is not what was applied; that is `effective_schedule`. A held number overrides it.
        """
        return self._edits.plans.plan(self._edits.plans.resolve(address))

    def held(self, address: str = "learning_rate") -> float | None:
        """Return the number that was set by hand and holds until its release, or None."""
        return self._edits.plans.held(self._edits.plans.resolve(address))

    def effective_schedule(self, address: str = "learning_rate") -> Schedule:
        """Return the schedule that was really applied so far, and goes on as things stand."""
        full = self.chain.resolve(address)
        if full not in self.runner.addresses:
            return as_schedule(self.chain.value(full))
        return self._edits.plans.effective(full)

    def effective_chain(self) -> Chain:
        """Return the chain with the schedules that were really applied."""
        return self.chain.replace(
            {
                address: self._edits.plans.effective(address)
                for address in self.runner.addresses
                if self._edits.plans.changed(address)
            }
        )

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
        """
        adapter = self.task.adapter
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

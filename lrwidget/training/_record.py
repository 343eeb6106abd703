"""What a run has to show of its course: history, journal, plans, the schedules really applied."""

from __future__ import annotations

from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule
from lrwidget.training._history import History
from lrwidget.training._journal import Journal
from lrwidget.training._plan import as_schedule
from lrwidget.training._steered import Steered


class Record:
    """The part of a `Trainer` or a `LiveControl` that tells of a run, from any thread.

    Attributes
    ----------
    chain
        How the run trains.
    addresses
        The hyperparameters that can change in it, full addresses.
    """

    chain: Chain
    addresses: tuple[str, ...]
    _loop: Steered

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns of the history that are measured: loss, metrics, reports of links."""
        raise NotImplementedError

    @property
    def steps_per_epoch(self) -> int | None:
        """How many steps an epoch has; None where that is not known."""
        raise NotImplementedError

    @property
    def history(self) -> History:
        """What happened at each step."""
        return self._loop.history

    @property
    def journal(self) -> Journal:
        """Every command that took effect, in order."""
        return Journal(
            list(self._loop.edits.journal), position=self._loop.position, chain=self.chain
        )

    def plan(self, address: str = "learning_rate") -> Schedule:
        """Return the schedule that is and will be applied, in absolute steps of the run.

        Its past is not what was applied; that is `effective_schedule`. A held number overrides it.
        """
        plans = self._loop.edits.plans
        return plans.plan(plans.resolve(address))

    def held(self, address: str = "learning_rate") -> float | None:
        """Return the number that was set by hand and holds until its release, or None."""
        plans = self._loop.edits.plans
        return plans.held(plans.resolve(address))

    def effective_schedule(self, address: str = "learning_rate") -> Schedule:
        """Return the schedule that was really applied so far, and goes on as things stand."""
        full = self.chain.resolve(address)
        if full not in self.addresses:
            return as_schedule(self.chain.value(full))
        return self._loop.edits.plans.effective(full)

    def effective_chain(self) -> Chain:
        """Return the chain with the schedules that were really applied."""
        plans = self._loop.edits.plans
        return self.chain.replace(
            {
                address: plans.effective(address)
                for address in self.addresses
                if plans.changed(address)
            }
        )

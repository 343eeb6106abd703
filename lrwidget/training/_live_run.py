"""One run of a person's own loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrwidget.optimizers import Chain
from lrwidget.training._controls import Controls
from lrwidget.training._history import History
from lrwidget.training._live_loop import LiveLoop

if TYPE_CHECKING:
    from lrwidget.training._live_runs import LiveRuns


class LiveRecord(Controls):
    """What `LiveControl` and each of its runs tell."""

    _loop: LiveLoop

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns of the history that are measured: loss, metrics, reports of links."""
        return self._loop.measures

    @property
    def steps_per_epoch(self) -> int | None:
        """None: a loop of the person's own counts steps."""
        return None

    @property
    def history(self) -> History:
        """What happened at each step; on the loop's own thread up to the last one."""
        if self._loop.on_own_thread:
            self._loop.drain()
        return self._loop.history

    def to_code(self) -> str:
        """Return the optimizer with the schedules that were really applied, as plain Optax."""
        code = self.effective_chain().to_code("optimizer", hold=True)
        return f"# In place of live.to_optax(): what was applied in {self.position} steps.\n{code}"


class LiveRun(LiveRecord):
    """One run of a loop under a `LiveControl`, for good: the control goes on to the next.

    It has the commands and the record of a `Trainer`; see there.
    """

    def __init__(self, control: LiveRuns, chain: Chain, loop: LiveLoop):
        self.chain = chain
        self.addresses = control.addresses
        self._control = control
        self._loop = loop
        self._subscriptions = []

    def __repr__(self) -> str:
        return f"LiveRun({self.state}, step {self.position} of {self.steps})"

    def start(self) -> None:
        """Call the loop that the control was given."""
        if self.state != "idle":
            raise ValueError(f"a run starts once, and this one is {self.state}")
        self._control._launch(self._loop)  # noqa: SLF001  (its other half)

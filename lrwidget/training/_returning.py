"""How a run goes back, branches, and goes on as another one."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lrwidget.training._commands import Rewind
from lrwidget.training._computing import Computing
from lrwidget.training._edits import Edits
from lrwidget.training._handover import Beginning, Line, Surrendered, best_of
from lrwidget.training._keeper import own_copy
from lrwidget.training._runner import Carry
from lrwidget.training._snapshots import Snapshot


class Returning(Computing):
    """The part of a `Loop` that makes its state another one."""

    def _arrive(self) -> None:
        """Get the arrays of where the run begins."""
        if self._carry is None:
            beginning = self._beginning
            snapshot = None if beginning is None else beginning.snapshot
            if snapshot is not None:
                self.keeper.snapshots.add(snapshot)
            with self._doing(f"catching up to step {self.origin}" if self.origin else None):
                self._go_to(self.origin)
            # A rewind, and what comes after it, knows nothing of the passes there were once.
            self._beginning = None
            if self.keeper.is_new_on_disk:
                self._use_batches()
                self.keeper.take(self._state(), "start", disk=True)

    def _go_to(self, step: int) -> None:
        """Make the state what it was on arriving at a step, by replay from before it."""
        self._catching_up = True
        try:
            self._replay_to(step)
        finally:
            self._catching_up = False
        if self._watches:
            self._watch.recall(0, self.history.loss)

    def _replay_to(self, step: int) -> None:
        # From no later than where the history ends, so that none of its rows is left out.
        self._restore(min(step, len(self.history)))
        passes = () if self._beginning is None else self._beginning.passes
        while self.handed < step:
            self._use_batches()
            limits = [self.tempo.chunk, self.runner.max_chunk, step - self.handed]
            if (border := self._next_size()) is not None:
                limits.append(border - self.handed)
            if self._valid_every is not None:
                limits.append(self._valid_every - self.handed % self._valid_every)
            limits += [at - self.handed for at in passes if at > self.handed]
            before = self.handed
            self._hand_out(max(1, min(limits)))
            if self.handed == before:
                # Stopped while the data were waited for: the run ends where it has come to.
                self._drain()
                self._cut(self.handed)
                return
            self._validate(at_end=self.handed in passes)
            while len(self._flight) > 1:
                self._collect()
        self._drain()

    @property
    def _watches(self) -> bool:
        return self._guard is not None or bool(self._signals)

    def _restore(self, step: int) -> None:
        """Make the state that of the last snapshot at or before a step."""
        snapshot = self.keeper.nearest(step, self._like)
        self._flight.clear()
        self._close_stream()
        if snapshot is None:
            self._carry, self.handed, self._validated = self._first(), 0, 0
            self._valid_value = math.nan
            return
        self._carry = own_copy(snapshot, snapshot.reason).carry
        self.handed, self._validated = snapshot.step, snapshot.validated
        self._valid_value = snapshot.valid_value
        self._use_batches(snapshot.stream)
        passes = self.history.valid.step
        if self._validated == self.handed > (passes[-1] if len(passes) else 0):
            # A kill came between the snapshot and what the pass before it told.
            self._validated = -1
            self._validate()

    def _first(self) -> Carry:
        if self._start is None and self._elsewhere:
            raise ValueError(
                "the run began with weights that another one had trained, and no state before "
                "this step is kept"
            )
        return self.runner.initial(self._start)

    def _like(self) -> Carry:
        """Return a state of the run's form."""
        return self.runner.initial(None)

    @contextlib.contextmanager
    def _doing(self, what: str | None) -> Any:
        self.activity = what
        if what is not None:
            self._on_change()
        try:
            yield
        finally:
            self.activity = None

    # ---- rewinds ---------------------------------------------------------------------------------

    def _check_reached(self, step: int) -> None:
        if self._start is None and self._elsewhere:
            first = min((info.step for info in self.keeper.infos()), default=self.handed)
            if step < first:
                raise ValueError(
                    f"step must be at least {first}, the first state that is kept of a run that "
                    f"began with weights of another one, got {step}"
                )
        if step > self.position:
            raise ValueError(
                f"step must be one that the run has reached, 0 to {self.position}, got {step}"
            )

    def _rewind(self, command: Rewind) -> None:
        at = self.position
        self._go_back(command.step, lambda: self._edits.note_rewind(command, at))
        self._paused, self._until = True, None

    def _go_back(
        self, step: int, note: Callable[[], None], then: Callable[[], None] | None = None
    ) -> None:
        """Take everything back to how it was on arriving at a step, and give edits there."""
        if self._stopped_early:
            # What was to end the run has not happened any more.
            self._stopping = self._stopped_early = False
        note()
        self._edits.rewind(step)
        if then is not None:
            # At once: the way back may take long, and a kill on it must not part them.
            then()
        self._keep_line(step)
        with self._doing(f"rewinding to step {step}"):
            self._cut(step)
            self._go_to(step)
        self._verdict = self.error = self.traceback = self.exception = None
        self._written = -1

    def _cut(self, step: int) -> None:
        """Forget what came after arriving at a step."""
        self.history.cut(step)
        valid = self.history.valid
        valid.cut(int(np.searchsorted(valid.step, step, side="right")))
        self.position = step
        self.shared = min(self.shared, step)
        best = self.keeper.best
        if best is not None and best[0] > step:
            best = best_of(valid.columns())
        self.keeper.went_back(step, best)
        self._watch.rewound(step)
        if self._patience is not None:
            self._patience.rewound(step)
        self._rolled_back = [at for at in self._rolled_back if at <= step]

    def _keep_line(self, step: int) -> None:
        rows = self.history.columns(step)
        if len(rows["step"]):
            name = f"until {self.position}"
            copies = {key: np.array(column) for key, column in rows.items()}
            self.lines = (*self.lines, Line(name, step, copies))[-_MOST_LINES:]

    # ---- forks and fans, all for `ask` -----------------------------------------------------------

    def fork_point(self, step: int | None) -> tuple[Edits, Beginning]:
        """Return what a run needs that goes on from here, or from arriving at a step.

        For `ask`.
        """
        self._drain()
        if step is not None:
            self._check_reached(step)
        at = self.position if step is None else step
        edits = self._edits.copy(step)
        edits.settle(at)
        if at == self.handed:
            self._use_batches()
            snapshot: Snapshot | None = own_copy(self._state(), "start")
        else:
            snapshot = self.keeper.nearest(at, self._like)
        valid = self.history.valid.columns()
        known = int(np.searchsorted(valid["step"], at, side="right"))
        best = best_of({name: column[:known] for name, column in valid.items()})
        return edits, Beginning(
            step=at,
            snapshot=snapshot,
            rows={name: column[:at] for name, column in self._rows().items()},
            valid={name: column[:known] for name, column in valid.items()},
            best=best,
        )

    def _rows(self) -> dict[str, npt.NDArray[Any]]:
        """Return the history by full addresses, as `History.append` takes it."""
        return {key: self.history[key] for key in self.history.keys()}  # noqa: SIM118

    def surrender(self) -> Surrendered:
        """Return everything that another run needs to go on as this one; for `ask`."""
        self._drain()
        self._use_batches()
        state = own_copy(self._state(), "edit")
        rows, valid = self._rows(), self.history.valid.columns()
        return Surrendered(state=state, edits=self._edits.copy(), rows=rows, valid=valid)

    def adopt(self, other: Surrendered, name: str, source: str) -> None:
        """Go on as another run does, which was forked from this one; for `ask`."""
        self._drain()
        cut = self._common(other.rows)
        self._keep_line(cut)
        self._edits.adopt(other.edits, name, at=self.position, cut=cut, source=source)
        self._cut(cut)
        fresh = {key: column[cut:] for key, column in other.rows.items()}
        known = int(np.searchsorted(other.valid["step"], cut, side="right"))
        valid = {key: column[known:] for key, column in other.valid.items()}
        self.history.append(fresh)
        self.history.valid.append(valid)
        self.keeper.rows("train", fresh)
        self.keeper.rows("valid", valid)
        self.keeper.best = best_of(self.history.valid.columns())
        self.keeper.snapshots.add(other.state)
        self._carry = own_copy(other.state, "edit").carry
        self.handed = self.position = other.state.step
        self._validated, self._valid_value = other.state.validated, other.state.valid_value
        self._close_stream()
        self._use_batches(other.state.stream)
        if self._watches:
            self._watch.recall(0, self.history.loss)
        self._verdict = self.error = self.traceback = self.exception = None
        self._written, self._paused, self._until = -1, True, None

    def _common(self, rows: Mapping[str, npt.NDArray[Any]]) -> int:
        """Return up to which step another run's history is this one's."""
        count = min(self.position, len(rows["step"]))
        for key, column in self._rows().items():
            same = _equal(column[:count], rows[key][:count])
            count = count if same.all() else int(np.argmin(same))
        return count

    def look_ahead(self) -> Surrendered:
        """Return the run as it is now, whose state is kept for a rewind; for `ask`."""
        ahead = self.surrender()
        self.keeper.snapshots.add(ahead.state)
        return ahead

    def is_still(self, state: Snapshot, edits: Edits) -> bool:
        """Return whether the run is at rest where it was when it gave these by `look_ahead`."""
        return (
            self.state in ("idle", "paused")
            and self.position == state.step
            and self._edits.settings == edits.settings
        )

    def state_before(self, step: int) -> Snapshot:
        """Return the last state that is kept from before a step, with arrays of its own."""
        snapshot = self.keeper.nearest(step, self._like)
        if snapshot is not None:
            return own_copy(snapshot, snapshot.reason)
        return Snapshot(
            step=0,
            carry=self._first(),
            reason="start",
            stream=None,
            valid_value=math.nan,
            validated=0,
        )

    def keep_beginning(self) -> None:
        """Have the disk keep what a run has from the one that it is from."""
        for entry in self._edits.journal:
            self.keeper.entry(entry)
        if len(self.history):
            self.keeper.rows("train", self._rows())
            self.keeper.rows("valid", self.history.valid.columns())

    def keep_now(self, reason: str) -> int:
        """Take a snapshot and return its step; for `ask`."""
        self._drain()
        self._use_batches()
        self.keeper.take(self._state(), reason, disk=True)
        return self.handed


# Abandoned lines that are kept for the plots.
_MOST_LINES = 12


def _equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (a == b) | ((a != a) & (b != b))  # noqa: PLR0124  (NaN)
    return same

"""What an edit would do to a run, seen before it is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lrwidget.schedules import Schedule
from lrwidget.training._effects import Settings
from lrwidget.training._plan import as_schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclasses.dataclass(frozen=True)
class Preview:
    """The old and the new rest of a run; printed, it says what changes.

    Attributes
    ----------
    step
        The first step that would feel the edit.
    steps_before, steps_after
        The length of the run.
    changes
        Address -> the old and the new schedule, both in absolute steps, of what changes.
    """

    step: int
    steps_before: int
    steps_after: int
    changes: Mapping[str, tuple[Schedule, Schedule]]

    @classmethod
    def of(cls, step: int, before: Settings, after: Settings) -> Preview:
        """Return the preview of an edit from how everything is before and after it."""
        changes = {
            address: (as_schedule(track.applied), as_schedule(after.tracks[address].applied))
            for address, track in before.tracks.items()
            if track.applied != after.tracks[address].applied
        }
        return cls(step, before.steps, after.steps, changes)

    def __str__(self) -> str:
        lines = [f"from step {self.step} on:"]
        if self.steps_before != self.steps_after:
            lines.append(f"the run has {self.steps_after} steps instead of {self.steps_before}")
        for address, (old, new) in self.changes.items():
            lines.append(f"{address}: {old.compared_with(new, self.step)}")
        return "\n".join(lines if len(lines) > 1 else [*lines, "nothing changes"])

    def plot(self, address: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the old and the new curve of an address, by default the first that changes.

        ValueError if nothing changes there.
        """
        found = next(iter(self.changes), "") if address is None else address
        if found not in self.changes:
            raise ValueError(
                f"address must be one that changes ({', '.join(self.changes) or 'none does'}), "
                f"got {found!r}"
            )
        old, new = self.changes[found]
        return old.compared_with(new, self.step).plot(ax)

"""`ScheduleDesigner`: the Design panel alone."""

from __future__ import annotations

import os
from typing import Any

from lrwidget import _checks, schedules
from lrwidget.optimizers import Chain, Link, chain_of
from lrwidget.schedules import Schedule
from lrwidget.widget._design import DesignWidget, first_schedule, opened_file


class ScheduleDesigner(DesignWidget):
    """A curve to bend by hand, its Optax code beside it.

    It needs no model and no backend: JAX is not imported in the kernel's process.

    Parameters
    ----------
    schedule
        What to begin with; by default the chain's learning rate, else a warmup and a cosine decay
        up to 1e-3 over 1000 steps.
    chain
        An optimizer chain or a single link: it is shown under the curve, and the code is that of
        the whole chain with the designed schedule as its learning rate.
    steps_per_epoch
        Steps in an epoch, at least 1, with which lengths can be read and typed in epochs.
    path
        A JSON file in which every committed edit is kept. Where it exists, the design in it is
        brought back, and `schedule` counts only as long as there is none. A file that cannot be
        read is never overwritten: the first edit moves it aside.

    Attributes
    ----------
    schedule
        The `Schedule` as it is now. Setting it moves the curve; ``observe(fn, "schedule")`` calls
        ``fn`` after each committed edit.
    chain
        The chain with the designed schedule in it, ready for ``to_optax()``; None without one.
    peak_value, steps
        The schedule's highest value and its length (None without end). Setting them rescales and
        stretches; ``ipywidgets.link`` and ``jslink`` work on them.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or unknown.
    FileNotFoundError
        If the front end has not been built.

    Examples
    --------
    >>> designer = ScheduleDesigner(path="lr.json")  # doctest: +SKIP
    >>> optimizer = optax.adam(designer.schedule)  # doctest: +SKIP
    """

    def __init__(
        self,
        schedule: Schedule | None = None,
        *,
        chain: Chain | Link | None = None,
        steps_per_epoch: int | None = None,
        path: str | os.PathLike[str] | None = None,
        **unknown: Any,
    ) -> None:
        _checks.known_keywords(
            "ScheduleDesigner", unknown, ["schedule", "chain", "steps_per_epoch", "path"]
        )
        chain = None if chain is None else chain_of(chain)
        if steps_per_epoch is not None:
            steps_per_epoch = _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
        first = first_schedule(schedule, chain, None)
        file, kept = opened_file(path)
        super().__init__(
            first if kept is None else kept,
            chain,
            steps_per_epoch=steps_per_epoch,
            file=file,
            panels=["design"],
            catalogue={**schedules.catalogue(), "rules": []},
        )

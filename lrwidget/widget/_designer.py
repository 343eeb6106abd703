"""`ScheduleDesigner`: the Design panel alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lrwidget import _checks, schedules
from lrwidget.optimizers import Chain, Link, chain_of
from lrwidget.schedules import Schedule
from lrwidget.widget._design import DesignWidget
from lrwidget.widget._opening import opened


class ScheduleDesigner(DesignWidget):
    """Curves to bend by hand, their Optax code beside them.

    It needs no model and no backend: JAX is not imported in the kernel's process.

    Parameters
    ----------
    schedule
        What to begin with; by default the chain's learning rate, else a warmup and a cosine decay
        up to 1e-3 over 1000 steps.
    tracks
        Schedules of other hyperparameters, drawn on the same x axis and exported together: a
        dictionary of name -> `Schedule`. Without a chain a name is any Python identifier; with one
        it is the address of a number in it, such as ``"weight_decay"``. A chain that comes with
        scheduled hyperparameters brings these as tracks too.
    chain
        An optimizer chain or a single link: it is shown and edited under the curve, and the code is
        that of the whole chain with the designed schedule as its learning rate. It must have one
        learning rate that can change while training.
    steps_per_epoch
        Steps in an epoch, at least 1, with which lengths can be read and typed in epochs.
    path
        A JSON file in which every committed edit is kept. Where it exists, the design in it is
        brought back, and `schedule` counts only as long as there is none; so does `chain`, unless
        the code gives another one since. A chain with a mask, a function or a custom link is not
        kept, which the panel says. A file that cannot be read is never overwritten: the first edit
        moves it aside.

    Attributes
    ----------
    schedule
        The `Schedule` as it is now. Setting it moves the curve; ``observe(fn, "schedule")`` calls
        ``fn`` after each committed edit.
    tracks
        The other schedules by name, to be set as a whole:
        ``designer.tracks = designer.tracks | {"b1": schedule}``. With a chain the names are full
        addresses, and a bare name finds its track too. A track that is taken away leaves the
        hyperparameter with the number that it had before.
    chain
        The chain with the designed schedules in it, ready for ``to_optax()``; None without one.
        Setting it sets the tracks to its scheduled hyperparameters; where there was none before,
        the tracks stay that it has too, and a warning names the others.
    peak_value, steps
        The schedule's highest value and its length (None without end). Setting them rescales and
        stretches, the latter with all tracks of the same length; ``ipywidgets.link`` and
        ``jslink`` work on them.

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
        tracks: Mapping[str, Schedule] | None = None,
        chain: Chain | Link | None = None,
        steps_per_epoch: int | None = None,
        path: str | os.PathLike[str] | None = None,
        **unknown: Any,
    ) -> None:
        _checks.known_keywords(
            "ScheduleDesigner",
            unknown,
            ["schedule", "tracks", "chain", "steps_per_epoch", "path"],
        )
        chain = None if chain is None else chain_of(chain)
        if steps_per_epoch is not None:
            steps_per_epoch = _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
        design, file = opened(schedule, tracks, chain, path=path)
        super().__init__(
            design,
            steps_per_epoch=steps_per_epoch,
            file=file,
            panels=["design"],
            catalogue={**schedules.catalogue(), "rules": []},
        )

"""With which design a widget opens: what it was given, or what it kept on disk."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping

from lrwidget import _checks, schedules
from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule
from lrwidget.widget._file import DesignFile, Kept
from lrwidget.widget._rate import rate_of
from lrwidget.widget._tracks import Design

DEFAULT_PEAK = 1e-3
DEFAULT_STEPS = 1000


def opened(
    schedule: Schedule | None,
    tracks: Mapping[str, Schedule] | None,
    chain: Chain | None,
    *,
    steps: int | None = None,
    path: str | os.PathLike[str] | None = None,
    chosen: bool = True,
    needed: bool = False,
) -> tuple[Design, DesignFile | None]:
    """Return the design with which a widget opens, and the file in which it is kept.

    What is on disk goes before all arguments, a chain unless the code gives another one since it
    was kept. Without that, the design is of `schedule`, else of the chain's learning rate (a number
    is a flat line), else of a warmup and a cosine decay up to 1e-3; stretched to `steps` where
    these are given. `chosen` is whether the chain is one that the code gives, and `needed` whether
    there must be one.
    """
    design = _given(schedule, tracks, chain, steps)
    if path is None:
        return design, None
    file = DesignFile(path, design.base)
    kept = file.load()
    if kept is not None:
        chosen = chosen and chain is not None
        design = _kept(file, kept, design, chosen=chosen, needed=needed)
    file.tracked = file.tracked or bool(design.tracks)
    if file.warning is not None:
        warnings.warn(file.warning, stacklevel=3)
    return design, file


def first_schedule(steps: int | None = None) -> Schedule:
    """Return what is designed from where nothing is given: a warmup and a cosine decay to zero."""
    if steps is not None:
        steps = _checks.integer("steps", steps, low=1)
    return schedules.preset("warmup_cosine", peak_value=DEFAULT_PEAK, steps=steps or DEFAULT_STEPS)


def _given(
    schedule: Schedule | None,
    tracks: Mapping[str, Schedule] | None,
    chain: Chain | None,
    steps: int | None,
) -> Design:
    if schedule is not None and not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be a Schedule or None, got {schedule!r}")
    if steps is not None:
        steps = _checks.integer("steps", steps, low=1)
    if schedule is None and chain is not None:
        rate = chain.value(rate_of(chain))
        if not isinstance(rate, Schedule):
            flat = schedules.constant(rate, steps or DEFAULT_STEPS)
            return Design.of(flat, tracks, chain)
        schedule = rate
    if schedule is None:
        schedule = first_schedule(steps)
    design = Design.of(schedule, tracks, chain)
    return design if steps in (None, schedule.steps) else design.stretched(steps)


def _kept(file: DesignFile, kept: Kept, given: Design, *, chosen: bool, needed: bool) -> Design:
    """Return the design on disk; what of it cannot come back is said."""
    refused = []
    design = given
    if kept.unread:
        refused.append(f"the chain ({kept.unread})")
    elif kept.chained and chosen and kept.given != file.given:
        refused.append("the chain (the code gives another one by now)")
    elif kept.chain is not None or (kept.chained and chosen and not needed):
        try:
            design = given.edited(None, {}, kept.chain)
        except ValueError as error:
            refused.append(f"the chain ({error})")
    # An older file, or one of a design that never had a track, says nothing of tracks.
    tracks = given.tracks if kept.tracks is None else kept.tracks
    design = design.replaced(tracks={})
    try:
        design = design.replaced(kept.schedule)
    except ValueError as error:
        refused.append(f"the learning rate ({error})")
    design = design.joined(tracks)
    refused += design.left_out
    if refused:
        file.mistrust(f"Of {file.name} this design leaves out {', '.join(refused)}.")
    return dataclasses.replace(design, left_out=())

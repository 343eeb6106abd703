"""The traits of a design, kept in line with one another, with observers and with the page."""

from __future__ import annotations

import contextlib
import math
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from lrwidget import _checks
from lrwidget.optimizers import Chain
from lrwidget.schedules import Schedule
from lrwidget.widget._bundle import BundledWidget
from lrwidget.widget._outlets import EditOutlet
from lrwidget.widget._publisher import Publisher
from lrwidget.widget._tracks import Design, Tracks, mapping
from lrwidget.widget._traits import ChainTrait, NumberTrait, TracksTrait

# What a page may write: the two scalars made for linking, and what belongs to the host of any
# widget. Everything else on the wire has Python as its only writer.
_LINKED = frozenset({"peak_value", "steps"})
_HOST = frozenset({"_dom_classes", "_view_count", "layout", "tabbable", "tooltip"})

# The traits that are the design, in the order in which changes of it are told. One that is derived
# comes after that from which it is, so that a widget linked by several is whole after the first.
_PARTS = ("chain", "tracks", "schedule", "peak_value", "steps")
# What edits change on the page, and what a page remembers of itself while it is edited: it goes in
# the rhythm of the publisher, in one message.
_PACED = frozenset({"_design", "_code", "_view", *_LINKED})

_REFUSALS = (traitlets.TraitError, TypeError, ValueError, OverflowError)


class DesignState(BundledWidget):
    """A widget that has a design.

    `_now` is the design in force. Whatever is set, by whomever, goes through `_become`: it makes
    the next design or raises, brings all traits in line with it at once, and only then tells
    observers, each once.

    Threads: commands come on any thread, verdicts on the proof's, linked traits on the kernel's.
    `_lock` guards everything that is written for the browser; no code of the user's runs under it,
    except observers of a change that a page itself made to a linked trait. The loop of a run never
    takes it.
    """

    schedule = traitlets.Instance(Schedule, help="The learning rate being designed.")
    tracks = TracksTrait(Tracks(), help="The schedules of other hyperparameters, by name.")
    chain = ChainTrait(Chain, allow_none=True, help="The optimizer chain, with the design in it.")
    peak_value = NumberTrait(help="The schedule's highest value; setting it rescales.").tag(
        sync=True
    )
    steps = traitlets.Int(
        None, allow_none=True, help="The schedule's length in steps; setting it stretches."
    ).tag(sync=True)

    _design = traitlets.Dict().tag(sync=True)
    _code = traitlets.Dict().tag(sync=True)

    # Until the constructor is through, traits are just stored.
    _opened = False

    def __init__(self, design: Design, **state: Any) -> None:
        self._lock = threading.RLock()
        self._assigning = threading.local()
        self._closed = False
        self._now = design
        self._edits = EditOutlet(self._send_traits)
        self._publisher = Publisher(edits=self._edits)
        super().__init__(**self._parts(), **state)
        self._opened = True

    # ---- from one design to the next ----------------------------------------------------------

    def _parts(self) -> dict[str, Any]:
        """Return the value of each trait that is part of the design."""
        now = self._now
        return {
            "chain": now.chain,
            "tracks": now.tracks,
            "schedule": now.schedule,
            "peak_value": now.schedule.peak_value,
            "steps": now.schedule.steps,
        }

    def _next(self, name: str, value: Any) -> Design:
        """Return the design in which one part has a new value, or raise."""
        now = self._now
        match name:
            case "schedule":
                return now if value == now.schedule else now.replaced(self._fitted(value))
            case "tracks":
                return now.replaced(tracks=mapping(value))
            case "chain":
                self._check_chain(value)
                changed = now.with_chain(value)
                fitted = self._fitted(changed.schedule)
                return changed if fitted is changed.schedule else changed.replaced(fitted)
            case "steps":
                if value is None or value != now.schedule.steps:
                    value = _checks.integer("steps", value, low=now.least_steps)
                return now if value == now.schedule.steps else now.stretched(value)
            case _:
                if _same(value, now.schedule.peak_value):
                    return now
                return now.replaced(now.schedule.with_peak(value))

    def _fitted(self, schedule: Schedule) -> Schedule:
        """Return a schedule as this widget can use it."""
        return schedule

    def _check_chain(self, chain: Chain | None) -> None:
        """Raise where this widget cannot do with such a chain."""

    @traitlets.validate(*_PARTS)
    def _check_part(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if not self._opened or self._held() is not None:
            return value
        design = self._next(name, value)
        return getattr(design, name) if name in ("chain", "tracks", "schedule") else value

    def notify_change(self, change: Any) -> None:
        """Bring the rest of the design in line with a part that was set, then tell of it all."""
        held = self._held() if self._opened else None
        if not self._opened or change["name"] not in _PARTS or change["type"] != "change":
            super().notify_change(change)
        elif held is not None:
            held.append(change)
        else:
            self._become(lambda: self._next(change["name"], change["new"]), change)

    def _become(self, make: Callable[[], Design], change: Any = None) -> None:
        """Take the design that `make` returns; `change` is what has been set already."""
        with self._lock:
            before = self._now
            try:
                self._now = make()
                changes = self._assign()
            except Exception:
                self._now = before
                # traitlets asks no validator about None: what it has stored is taken back.
                self._assign()
                raise
            if change is not None:
                changes.append(change)
            warning = self._took(before)
            if change is not None:
                warning = warning or _said(self._now.left_out)
        self._tell(sorted(changes, key=lambda change: _PARTS.index(change["name"])))
        if warning is not None:
            warnings.warn(warning, stacklevel=2)

    def _took(self, before: Design) -> str | None:
        """Do what a new design asks for, before anyone is told; return a warning or None."""
        raise NotImplementedError

    def _assign(self) -> list[Any]:
        """Set the traits to the design in force; return the changes, of which nobody knows yet."""
        changes = self._assigning.changes = []
        try:
            for name, value in self._parts().items():
                have = getattr(self, name)
                if have != value and not (name == "peak_value" and _same(have, value)):
                    setattr(self, name, value)
        finally:
            self._assigning.changes = None
        return changes

    def _held(self) -> list[Any] | None:
        changes: list[Any] | None = getattr(self._assigning, "changes", None)
        return changes

    def _tell(self, changes: list[Any]) -> None:
        """Tell the page, then every observer, even where one before it raises."""
        for name in {change["name"] for change in changes} & _LINKED:
            self._should_send_property(name, getattr(self, name))
        self._publisher.send_edits()
        raised = None
        for change in changes:
            # An observer before may have gone on to another design, and told of that.
            if getattr(self, change["name"]) == change["new"]:
                try:
                    traitlets.HasTraits.notify_change(self, change)
                except Exception as error:  # noqa: BLE001  (raised below)
                    raised = raised or error
        if raised is not None:
            raise raised

    # ---- to and from the page -----------------------------------------------------------------

    def _should_send_property(self, key: str, value: Any) -> bool:
        wanted = bool(super()._should_send_property(key, value))
        if wanted and key in _PACED:
            self._edits.mark(key)
            return False
        return wanted

    def _send_traits(self, names: set[str]) -> None:
        with self._lock:
            if not self._closed:
                self.send_state(names)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take state from a page: only what a page may write, and only valid values."""
        refused = [name for name in sync_data if name in self.keys and name not in _HOST]
        allowed = {name: value for name, value in sync_data.items() if name not in refused}
        with self._lock:
            for name in _LINKED & sync_data.keys():
                # Checked here: while it holds notifications back, traitlets lets bad values stay.
                with contextlib.suppress(*_REFUSALS):
                    value = self.traits()[name].validate(self, sync_data[name])
                    self._next(name, value)
                    allowed[name] = value
                    refused.remove(name)
            if allowed:
                super().set_state(allowed)
            if refused:
                # The page now believes what it wrote: tell it what holds.
                self.send_state(refused)

    def _send(self, msg: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        super()._send(msg, buffers)
        # ipykernel 7.4 sends whatever comes for a comm to the subshell from which the comm last
        # spoke. JupyterLab deletes that when a notebook's tab is closed; opened again, nothing
        # would reach the widget. Forgotten, messages go where the page addresses them.
        if getattr(self.comm, "_reply_subshell_id", None) is not None:
            with contextlib.suppress(AttributeError):
                delattr(self.comm, "_reply_subshell_id")

    # ---- at the end ---------------------------------------------------------------------------

    def close(self) -> None:
        """Take the widget off every page."""
        self._closed = True
        # ipywidgets closes half-built widgets too, where a constructor refused its arguments.
        if self._opened:
            self._publisher.close()
        super().close()


def _said(left_out: Sequence[str]) -> str | None:
    return f"The new chain leaves out {', '.join(left_out)}." if left_out else None


def _same(a: float, b: float) -> bool:
    # Rescaling rounds in the last bit; that is no reason to scale again.
    return math.isclose(a, b, rel_tol=1e-12)

"""The part that all widgets share: one schedule being designed, on screen, on disk, as code."""

from __future__ import annotations

import contextlib
import math
import numbers
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import traitlets

from lrwidget import _checks, schedules
from lrwidget.optimizers import Chain, Link
from lrwidget.schedules import Schedule
from lrwidget.widget._bundle import BundledWidget
from lrwidget.widget._file import DesignFile
from lrwidget.widget._pictures import describe_schedule, schedule_panel, schedule_title
from lrwidget.widget._proof import Claim, Verdict, shared_worker
from lrwidget.widget._protocol import Router
from lrwidget.widget._static import Panel, picture, rate_text

ADDRESS = "learning_rate"
"""The hyperparameter that is designed."""

DEFAULT_PEAK = 1e-3
DEFAULT_STEPS = 1000

# What a page may write: the two scalars made for linking, and what belongs to the host of any
# widget. Everything else on the wire has Python as its only writer.
_LINKED = frozenset({"peak_value", "steps"})
_HOST = frozenset({"_dom_classes", "_view_count", "layout", "tabbable", "tooltip"})

_REFUSALS = (traitlets.TraitError, TypeError, ValueError, OverflowError)


class _ChainTrait(traitlets.Instance[Any]):
    """A chain; a single link will do, as in the constructors."""

    def validate(self, obj: Any, value: Any) -> Any:
        return super().validate(obj, Chain(value) if isinstance(value, Link) else value)


class _NumberTrait(traitlets.Float[float, float]):
    """A float; NumPy's own will do."""

    def validate(self, obj: Any, value: Any) -> Any:
        if not isinstance(value, bool) and isinstance(value, numbers.Real):
            value = float(value)
        return super().validate(obj, value)


class DesignWidget(BundledWidget):
    """A widget in which one schedule is designed.

    Subclasses decide on the panels and on the first schedule.

    Threads: commands come on any thread, verdicts on the proof's, linked traits on the kernel's.
    `_lock` guards everything that is written for the browser; no code of the user's runs under it,
    except observers of a change that a page itself made to a linked trait. The loop of a run never
    takes it.
    """

    schedule = traitlets.Instance(Schedule, help="The schedule being designed.")
    chain = _ChainTrait(
        Chain, allow_none=True, help="The optimizer chain, with the designed schedule in it."
    )
    peak_value = _NumberTrait(help="The schedule's highest value; setting it rescales.").tag(
        sync=True
    )
    steps = traitlets.Int(
        None, allow_none=True, help="The schedule's length in steps; setting it stretches."
    ).tag(sync=True)

    _panels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _catalogue = traitlets.Dict().tag(sync=True)
    _design = traitlets.Dict().tag(sync=True)
    _code = traitlets.Dict().tag(sync=True)
    _view = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        schedule: Schedule,
        chain: Chain | None,
        *,
        steps_per_epoch: int | None,
        file: DesignFile | None,
        panels: Iterable[str],
        catalogue: Mapping[str, Any],
        **state: Any,
    ) -> None:
        self._lock = threading.RLock()
        self._mirrored = threading.local()
        self._file = file
        self._steps_per_epoch = steps_per_epoch
        self._seen = False
        self._closed = False
        self._seq = 0
        if chain is not None:
            chain = chain.replace({ADDRESS: schedule})
        super().__init__(
            schedule=schedule,
            chain=chain,
            peak_value=schedule.peak_value,
            steps=schedule.steps,
            _panels=list(panels),
            _catalogue=dict(catalogue),
            _design=self._design_of(schedule, chain),
            _code=self._code_of(schedule, chain),
            **state,
        )
        self.observe(self._follow_schedule, "schedule")
        self.observe(self._follow_chain, "chain")
        self.observe(self._follow_peak, "peak_value")
        self.observe(self._follow_steps, "steps")
        self._router = Router(self.send, self._handlers())
        self.on_msg(lambda _, content, __: self._router.receive(content))

    # ---- changes from Python and from linked widgets ------------------------------------------

    @traitlets.validate("chain")
    def _check_chain(self, proposal: Any) -> Chain | None:
        chain: Chain | None = proposal["value"]
        if chain is not None:
            chain.resolve(ADDRESS)
        return chain

    @traitlets.validate("peak_value", "steps")
    def _check_linked(self, proposal: Any) -> Any:
        return self._linked(proposal["trait"].name, proposal["value"])

    def _linked(self, name: str, value: Any) -> Any:
        """Return `value` if the schedule can be rescaled or stretched to it, or raise."""
        if name == "steps" and value != self.schedule.steps:
            return _checks.integer("steps", value, low=len(self.schedule.parts))
        if name == "peak_value" and not _same(value, self.schedule.peak_value):
            self.schedule.with_peak(value)
        return value

    def _follow_schedule(self, _: Any) -> None:
        with self._lock:
            kept = self._file is None or self._file.save(self.schedule)
            self._show()
        self._mirror()
        if self._file is not None and not kept:
            warnings.warn(str(self._file.warning), stacklevel=2)

    def _mirror(self) -> None:
        """Bring what is derived from the schedule up to date, observers included."""
        schedule = self._mirrored.schedule = self.schedule
        try:
            if self.chain is not None:
                self.chain = self.chain.replace({ADDRESS: schedule})
            if not _same(self.peak_value, schedule.peak_value):
                self.peak_value = schedule.peak_value
            self.steps = schedule.steps
        finally:
            self._mirrored.schedule = None

    def _current(self) -> Schedule:
        """Return the schedule that this thread is mirroring, else the one in force."""
        mirrored: Schedule | None = getattr(self._mirrored, "schedule", None)
        return self.schedule if mirrored is None else mirrored

    def _follow_chain(self, change: Any) -> None:
        chain: Chain | None = change["new"]
        current = self._current()
        if chain is not None and (rate := chain.value(ADDRESS)) != current:
            if isinstance(rate, Schedule):
                self.schedule = rate
            else:
                # A plain number is what the chain came with; the designed curve takes its place.
                self.chain = chain.replace({ADDRESS: current})
        with self._lock:
            self._show()

    def _follow_peak(self, change: Any) -> None:
        if not _same(change["new"], self._current().peak_value):
            self.schedule = self.schedule.with_peak(change["new"])

    def _follow_steps(self, change: Any) -> None:
        steps = self._current().steps
        if change["new"] is None and steps is not None:
            # traitlets asks no validator about None.
            self.steps = steps
            raise ValueError(f"steps must be a whole number, got None (it was {steps})")
        if change["new"] != steps:
            self.schedule = self.schedule.stretched(change["new"])

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take state from a page: only what a page may write, and only valid values."""
        refused = [name for name in sync_data if name in self.keys and name not in _HOST]
        allowed = {name: value for name, value in sync_data.items() if name not in refused}
        with self._lock:
            for name in _LINKED & sync_data.keys():
                # Checked here: while it holds notifications back, traitlets lets bad values stay.
                with contextlib.suppress(*_REFUSALS):
                    trait = self.traits()[name]
                    allowed[name] = self._linked(name, trait.validate(self, sync_data[name]))
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

    # ---- commands -----------------------------------------------------------------------------

    def _handlers(self) -> dict[str, Callable[..., Any]]:
        return {
            "ready": self._on_ready,
            "view": self._on_view,
            "schedule.set": self._on_schedule,
            "schedule.preset": self._on_preset,
        }

    def _on_ready(self) -> None:
        """Take note that somebody looks: from now on code is proved."""
        with self._lock:
            if not self._seen:
                self._seen = True
                self._prove()

    def _on_view(self, state: dict[str, Any]) -> None:
        with self._lock:
            self._view = state

    def _on_schedule(self, schedule: Schedule) -> dict[str, int]:
        self.schedule = schedule
        return {"seq": self._seq}

    def _on_preset(
        self, name: str, peak_value: float | None = None, steps: int | None = None
    ) -> dict[str, int]:
        current = self.schedule
        return self._on_schedule(
            schedules.preset(
                name,
                peak_value=current.peak_value or DEFAULT_PEAK if peak_value is None else peak_value,
                steps=current.steps or DEFAULT_STEPS if steps is None else steps,
            )
        )

    # ---- what the browser sees ----------------------------------------------------------------

    def _show(self) -> None:
        """Write the design and its code if either has changed; the lock is held."""
        design = self._design_of(self.schedule, self.chain)
        code = self._code_of(self.schedule, self.chain)
        new_code = (code["text"], code["message"]) != (self._code["text"], self._written_note)
        if {**design, "seq": self._seq} == self._design and not new_code:
            return
        self._seq += 1
        self._design = {**design, "seq": self._seq}
        self._code = {**code, "seq": self._seq}
        self._prove()

    def _design_of(self, schedule: Schedule, chain: Chain | None) -> dict[str, Any]:
        if chain is not None:
            chain = chain.replace({ADDRESS: schedule})
        return {
            "seq": self._seq,
            "schedule": schedule.to_node(samples=True),
            "steps_per_epoch": self._steps_per_epoch,
            "chain": [] if chain is None else chain.to_parts(),
            "saved": None if self._file is None else self._file.name,
            "warning": None if self._file is None else self._file.warning,
        }

    def _code_of(self, schedule: Schedule, chain: Chain | None) -> dict[str, Any]:
        name = ADDRESS
        note = ""
        if chain is None:
            text = schedule.to_code(name)
        else:
            chain = chain.replace({ADDRESS: schedule})
            try:
                text = chain.to_code()
                name = chain.short(ADDRESS).replace(".", "_")
            except ValueError as error:
                # A mask that no import can find: the schedule is still worth its text.
                text, note = schedule.to_code(name), f"only the schedule: {error}"
        self._claim = Claim(text=text, name=name, schedule=schedule)
        self._written_note = note
        return {
            "seq": self._seq,
            "text": text,
            "state": "checking",
            "error": None,
            "message": note,
        }

    def _prove(self) -> None:
        """Have the shown text executed elsewhere; the lock is held."""
        if not self._seen or self._closed:
            return
        seq = self._seq
        shared_worker().submit(id(self), self._claim, lambda verdict: self._judge(seq, verdict))

    def _judge(self, seq: int, verdict: Verdict) -> None:
        with self._lock:
            # An edit since then has a text, and a claim, of its own.
            if seq == self._seq and not self._closed:
                said = "; ".join(filter(None, [verdict.message, self._written_note]))
                self._code = {
                    **self._code,
                    "state": verdict.state,
                    "error": verdict.error,
                    "message": said,
                }

    # ---- without a front end ------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        title, description, panels = self._pictured()
        data["text/plain"] = repr(self)
        data["image/svg+xml"] = picture(panels, title=title, description=description)
        return data, metadata

    def _pictured(self) -> tuple[str, str, list[Panel]]:
        """Return the title, the description and the panels of the static picture."""
        schedule = self.schedule
        return (
            schedule_title(schedule),
            describe_schedule(schedule),
            [schedule_panel(schedule)],
        )

    def __repr__(self) -> str:
        parts = " → ".join(
            part.shape.name + ("" if part.steps is None else f" {part.steps}")
            for part in self.schedule.segments[:6]
        )
        more = " → …" if len(self.schedule.segments) > 6 else ""
        return f"{type(self).__name__}({parts}{more}, peak {rate_text(self.schedule.peak_value)})"

    def close(self) -> None:
        """Take the widget off every page and end what works for it."""
        self._closed = True
        # ipywidgets closes half-built widgets too, where a constructor refused its arguments.
        if getattr(self, "_seen", False):
            shared_worker().forget(id(self))
        super().close()


def opened_file(path: str | os.PathLike[str] | None) -> tuple[DesignFile | None, Schedule | None]:
    """Return the file for ``path=`` and the schedule in it; warn where it cannot be read."""
    if path is None:
        return None, None
    file = DesignFile(path)
    schedule = file.load()
    if file.warning is not None:
        warnings.warn(file.warning, stacklevel=4)
    return file, schedule


def first_schedule(schedule: Schedule | None, chain: Chain | None, steps: int | None) -> Schedule:
    """Return the schedule with which a widget opens.

    That is `schedule`, else the chain's learning rate (a number is a flat line), else a warmup and
    a cosine decay up to 1e-3; stretched to `steps` where these are given.
    """
    if schedule is not None and not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be a Schedule or None, got {schedule!r}")
    if steps is not None:
        steps = _checks.integer("steps", steps, low=1)
    if schedule is None and chain is not None:
        rate = chain.value(ADDRESS)
        if not isinstance(rate, Schedule):
            return schedules.constant(rate, steps or DEFAULT_STEPS)
        schedule = rate
    if schedule is None:
        return schedules.preset(
            "warmup_cosine", peak_value=DEFAULT_PEAK, steps=steps or DEFAULT_STEPS
        )
    return schedule if steps in (None, schedule.steps) else schedule.stretched(steps)


def _same(a: float, b: float) -> bool:
    # Rescaling rounds in the last bit; that is no reason to scale again.
    return math.isclose(a, b, rel_tol=1e-12)

"""The part that all widgets share: one design, on screen, on disk, as code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import traitlets

from lrwidget import schedules
from lrwidget.optimizers import Chain
from lrwidget.optimizers._parts import groups_shown, links_shown
from lrwidget.schedules import Schedule
from lrwidget.widget import _chain_node
from lrwidget.widget._chain_node import Keepsakes, Node
from lrwidget.widget._export import Exported, exported, written
from lrwidget.widget._file import DesignFile, read_design
from lrwidget.widget._opening import DEFAULT_PEAK, DEFAULT_STEPS
from lrwidget.widget._pictures import describe_schedule, schedule_panel, schedule_title
from lrwidget.widget._proof import Claim, Verdict, shared_worker
from lrwidget.widget._protocol import Router
from lrwidget.widget._state import DesignState
from lrwidget.widget._static import Panel, picture
from lrwidget.widget._tracks import ADDRESS, Design
from lrwidget.widget._words import in_short

# A command without a chain leaves that as it is; None takes it away.
_AS_IT_IS: Any = object()


class DesignWidget(DesignState):
    """A widget in which a learning rate, the tracks beside it and their chain are designed.

    Subclasses decide on the panels and on the first design.
    """

    _panels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _catalogue = traitlets.Dict().tag(sync=True)
    _view = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        design: Design,
        *,
        steps_per_epoch: int | None,
        file: DesignFile | None,
        panels: Iterable[str],
        catalogue: Mapping[str, Any],
        **state: Any,
    ) -> None:
        self._file = file
        self._keepsakes = Keepsakes()
        self._steps_per_epoch = steps_per_epoch
        self._seen = False
        self._seq = 0
        self._written = written(design)
        super().__init__(
            design,
            _panels=list(panels),
            _catalogue={**catalogue, "links": _chain_node.catalogue()},
            _design=self._design_shown(design),
            _code=self._code_shown(),
            **state,
        )
        self._router = Router(self.send, self._handlers())
        self.on_msg(lambda _, content, __: self._router.receive(content))

    def _took(self, before: Design) -> str | None:
        now, file = self._now, self._file
        kept = True
        if file is not None and (now.schedule, now.tracks, now.base) != (
            before.schedule,
            before.tracks,
            before.base,
        ):
            kept = file.save(now.schedule, now.tracks, now.base)
        self._show()
        return None if kept or file is None else file.warning

    # ---- commands -----------------------------------------------------------------------------

    def _handlers(self) -> dict[str, Callable[..., Any]]:
        return {
            "ready": self._on_ready,
            "view": self._on_view,
            "design.set": self._edit,
            "schedule.set": self._edit,
            "schedule.preset": self._on_preset,
            "schedule.import": self._on_import,
            "export.text": self._on_export,
        }

    def _on_ready(self) -> None:
        """Take note that somebody looks: from now on code is proved."""
        with self._lock:
            if not self._seen:
                self._seen = True
                self._prove()

    def _on_view(self, state: dict[str, Any]) -> Future[None]:
        with self._lock:
            self._view = state
        confirmed = self._edits.confirm(None)
        self._publisher.send_edits()
        return confirmed

    def _edit(
        self,
        schedule: Schedule | None = None,
        tracks: Mapping[str, Schedule] | None = None,
        chain: Node | None = _AS_IT_IS,
    ) -> Future[dict[str, int]]:
        """Set the schedule, all tracks, the chain, or all at once; nothing if one is refused."""
        if chain is _AS_IT_IS:
            fitted = None if schedule is None else self._fitted(schedule)
            return self._edit_to(lambda: self._now.replaced(fitted, tracks))
        base = None if chain is None else self._keepsakes.chain(chain)
        return self._edit_chain(schedule, tracks, base)

    def _edit_chain(
        self, schedule: Schedule | None, tracks: Mapping[str, Schedule] | None, base: Chain | None
    ) -> Future[dict[str, int]]:
        fitted = None if schedule is None else self._fitted(schedule)
        self._check_chain(base)
        return self._edit_to(lambda: self._now.edited(fitted, tracks, base))

    def _edit_to(self, make: Callable[[], Design]) -> Future[dict[str, int]]:
        self._become(make)
        confirmed = self._edits.confirm({"seq": self._seq})
        # The state that it confirms may just have gone; a reply follows on its heels.
        self._publisher.send_edits(ahead=1)
        return confirmed

    def _edit_one(self, track: str | None, curve: Schedule) -> Future[dict[str, int]]:
        if track in (None, ADDRESS):
            return self._edit(curve)
        return self._edit(tracks=self._now.tracks | {self._now.find(str(track)): curve})

    def _on_preset(
        self,
        name: str,
        peak_value: float | None = None,
        steps: int | None = None,
        track: str | None = None,
    ) -> Future[dict[str, int]]:
        now = self._now
        current = now.schedule
        if track not in (None, ADDRESS):
            current = now.tracks[now.find(str(track))]
        if peak_value is None:
            peak_value = current.peak_value or DEFAULT_PEAK
        steps = current.steps or DEFAULT_STEPS if steps is None else steps
        chosen = schedules.preset(name, peak_value=peak_value, steps=steps)
        # Noise rises above the peak that it was asked for; walking through the gallery must not.
        return self._edit_one(track, chosen.with_peak(peak_value))

    def _on_import(self, text: str, track: str | None = None) -> Future[dict[str, int]]:
        if not text.lstrip().startswith("{"):
            return self._edit_one(track, Schedule.from_csv(text))
        kept = read_design(text)
        if track not in (None, ADDRESS) or kept.tracks is None:
            return self._edit_one(track, kept.schedule)
        if kept.unread:
            raise ValueError(kept.unread)
        if kept.chain is not None:
            return self._edit_chain(kept.schedule, kept.tracks, kept.chain)
        schedule, tracks = self._fitted(kept.schedule), kept.tracks
        return self._edit_to(lambda: self._now.replaced(schedule, {}).joined(tracks))

    def _on_export(self, format: str, track: str | None = None) -> Exported:  # noqa: A002
        return exported(self._now, format, track)

    # ---- what the browser sees ----------------------------------------------------------------

    def _show(self) -> None:
        """Write the design and its code if either has changed; the lock is held."""
        before, self._written = self._written, written(self._now)
        design = self._design_shown(self._now)
        same_code = (before.text, before.note) == (self._written.text, self._written.note)
        if design == self._design and same_code:
            return
        self._seq += 1
        self._design = {**design, "seq": self._seq}
        self._code = self._code_shown()
        self._prove()

    def _design_shown(self, design: Design) -> dict[str, Any]:
        return {
            "seq": self._seq,
            "schedule": design.schedule.to_node(samples=True),
            "tracks": design.shown(),
            "candidates": design.candidates(),
            "steps_per_epoch": self._steps_per_epoch,
            **self._chain_shown(design),
            "saved": None if self._file is None else self._file.name,
            "warning": None if self._file is None else self._file.warning,
        }

    def _chain_shown(self, design: Design) -> dict[str, Any]:
        chain, base = design.chain, design.base
        said = [{"label": "", "text": f"left out: {each}"} for each in design.left_out]
        if chain is None or base is None:
            return {"chain": [], "groups": [], "chain_node": None, "chain_warnings": said}
        return {
            "chain": links_shown(chain, base=base),
            "groups": groups_shown(chain, base),
            "chain_node": self._keepsakes.node(base),
            "chain_warnings": [*said, *map(dataclasses.asdict, chain.warnings(self._parameters()))],
        }

    def _parameters(self) -> Any:
        """Return the parameters that the chain is for; None where they are not known."""
        return None

    def _code_shown(self) -> dict[str, Any]:
        return {
            "seq": self._seq,
            "text": self._written.text,
            "state": "checking",
            "error": None,
            "message": self._written.note,
        }

    def _prove(self) -> None:
        """Have the shown text executed elsewhere; the lock is held."""
        if not self._seen or self._closed:
            return
        seq = self._seq
        shown = self._written
        claim = Claim(text=shown.text, curves=shown.curves, optimizer=shown.optimizer)
        shared_worker().submit(id(self), claim, lambda verdict: self._judge(seq, verdict))

    def _judge(self, seq: int, verdict: Verdict) -> None:
        with self._lock:
            # An edit since then has a text, and a claim, of its own.
            if seq != self._seq or self._closed:
                return
            said = "; ".join(filter(None, [verdict.message, self._written.note]))
            self._code = {
                **self._code,
                "state": verdict.state,
                "error": verdict.error,
                "message": said,
            }
        self._publisher.send_edits()

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
        schedule, tracks = self._now.schedule, self._now.labelled()
        return (
            schedule_title(schedule),
            describe_schedule(schedule, tracks),
            [schedule_panel(schedule, tracks)],
        )

    def __repr__(self) -> str:
        tracks = (f"; {name}: {in_short(t, 3)}" for name, t in self._now.labelled().items())
        return f"{type(self).__name__}({in_short(self._now.schedule)}{''.join(tracks)})"

    def close(self) -> None:
        """Take the widget off every page and end what works for it."""
        if getattr(self, "_seen", False):
            shared_worker().forget(id(self))
        super().close()

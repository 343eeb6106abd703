"""The second part of a search: probes at several rates, and the advice that comes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lrwidget.widget._probes_view import probes_shown
from lrwidget.widget._run_status import finite

if TYPE_CHECKING:
    import threading

    from lrwidget.finding import Advice, AdviceProgress, Curvature, Probe, ProbeRun
    from lrwidget.optimizers import Chain
    from lrwidget.training import Task, Trainer

_NOTHING: dict[str, Any] = {
    "learning_rate": None,
    "low": None,
    "high": None,
    "sure": None,
    "reasons": [],
    "refused": None,
    "remedy": None,
    "gradient_steps": 0,
    "error": None,
}


class AdviceSearch:
    """One call of `lrwidget.advise`, and how a page is told of it.

    Parameters
    ----------
    steps
        The length of the run that the rate is for; None where the chain knows it.
    settings
        ``budget`` and ``loss`` of `lrwidget.advise`.
    cancel
        Set when it is to end.
    changed
        Called when there is something new, on the thread of `run`.
    """

    def __init__(
        self,
        steps: int | None,
        settings: dict[str, Any],
        *,
        cancel: threading.Event,
        changed: Callable[[], None],
    ) -> None:
        self._cancel, self._changed = cancel, changed
        self._given = {"budget": settings["budget"], "loss": settings["loss"]}
        self._steps = steps
        self._status = {
            **_NOTHING,
            **self._given,
            "state": "running",
            "stage": "",
            "share": 0.0,
            "steps": steps,
        }
        self._curvature: Curvature | None = None
        self._runs: Sequence[ProbeRun] = ()
        self._probe: Probe | None = None
        self.changes = 0

    def run(self, task: Task, chain: Chain, start: Trainer | None) -> Advice | None:
        """Probe, and return the advice; None if that failed or was stopped before there was any.

        Parameters
        ----------
        task, chain
            What is trained, and with what.
        start
            The run whose present state it begins from; None for the initial weights.
        """
        from lrwidget.finding import advise

        try:
            advice = advise(
                task,
                chain,
                steps=self._steps,
                **self._given,
                start=start,
                on_progress=self._progress,
                cancel=self._cancel,
            )
        except Exception as error:  # noqa: BLE001  (the person's own loss function may raise anything)
            self._end("failed", error=f"{type(error).__name__}: {error}")
            return None
        evidence = advice.evidence
        self._curvature = evidence.curvature or self._curvature
        self._probe = evidence.probe
        if evidence.probe is not None:
            self._runs = evidence.probe.runs
        refused = advice.learning_rate is None
        stopped = refused and self._cancel.is_set()
        self._end(
            "stopped" if stopped else "refused" if refused else "advised",
            learning_rate=finite(advice.learning_rate),
            low=finite(advice.low),
            high=finite(advice.high),
            sure=None if refused else advice.sure,
            reasons=list(advice.reasons),
            # What was stopped has not refused anything.
            refused=None if stopped else advice.refused,
            remedy=None if stopped else advice.remedy,
            gradient_steps=float(advice.gradient_steps),
            steps=advice.steps,
        )
        return None if stopped else advice

    # ---- for the page, on any thread ------------------------------------------------------------

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return float(self._status["share"])

    @property
    def state(self) -> str:
        """``"running"``, ``"advised"``, ``"refused"``, ``"failed"`` or ``"stopped"``."""
        return str(self._status["state"])

    def status(self) -> dict[str, Any]:
        """Return what ``_find`` has under ``advice``."""
        return self._status

    def curvature(self) -> dict[str, Any] | None:
        """Return what ``_find`` has under ``curvature``."""
        found = self._curvature
        if found is None:
            return None
        return {
            "safe_up_to": finite(found.safe_up_to),
            "critical_rate": finite(found.critical_rate),
            "sharpness": finite(found.sharpness),
            "meaning": found.meaning,
            "preconditioned": bool(found.preconditioned),
        }

    def probes(self, seq: int) -> dict[str, Any]:
        """Return the ``_probes`` trait."""
        return probes_shown(seq, self._status["steps"], self._runs, self._probe)

    # ---- its thread -----------------------------------------------------------------------------

    def _progress(self, so_far: AdviceProgress) -> None:
        self._curvature = so_far.curvature or self._curvature
        if len(so_far.runs) != len(self._runs):
            self._runs = so_far.runs
            self.changes += 1
        # One assignment: the publisher reads on another thread.
        self._status = {
            **self._status,
            "stage": so_far.stage,
            "share": min(max(float(so_far.share), 0.0), 1.0),
            "gradient_steps": float(so_far.gradient_steps),
        }
        self._changed()

    def _end(self, state: str, **found: Any) -> None:
        self.changes += 1
        self._status = {**self._status, "state": state, "share": 1.0, "stage": "", **found}

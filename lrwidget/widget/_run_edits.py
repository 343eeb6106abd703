"""The commands that bend what is left of a run, and what they would do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lrwidget.schedules import Schedule
from lrwidget.training import (
    Cancel,
    Cooldown,
    Edit,
    Extend,
    Freeze,
    Nudge,
    Release,
    RestartWarmup,
    Scale,
    Set,
    SetBatchSize,
    Thaw,
    Undo,
)
from lrwidget.widget._run_status import of_task
from lrwidget.widget._steering import SOURCE, Steering


class RunEdits:
    """Makes commands of what a page asks for.

    Parameters
    ----------
    steering
        The run.
    """

    def __init__(self, steering: Steering) -> None:
        self._steering = steering
        self._makers: dict[str, Callable[..., Edit]] = {
            "set": self._set,
            "scale": self._scale,
            "nudge": self._nudge,
            "release": self._release,
            "plan": self._plan,
            "extend": lambda **given: Extend(**given, source=SOURCE),
            "cooldown": lambda **given: Cooldown(**given, source=SOURCE),
            "warmup": lambda **given: RestartWarmup(**given, source=SOURCE),
            "freeze": self._freeze,
            "thaw": self._thaw,
            "batch": self._batch,
            "undo": lambda: Undo(source=SOURCE),
        }

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""
        return {
            **{f"train.{kind}": self._handler(kind) for kind in self._makers},
            "train.cancel": self._on_cancel,
            "train.preview": self._on_preview,
        }

    def _handler(self, kind: str) -> Callable[..., Future[dict[str, int]]]:
        def handle(**fields: Any) -> Future[dict[str, int]]:
            return self._steering.submit(self._command(kind, fields))

        return handle

    def _command(self, kind: str, fields: dict[str, Any]) -> Edit:
        run = self._steering.run()
        command = self._makers[kind](**fields)
        if not of_task(run) and (isinstance(command, SetBatchSize) or fields.get("at") is not None):
            self._steering.task_run("train.batch" if kind == "batch" else "an edit for later")
        return command

    def _on_cancel(self, number: int) -> Future[None]:
        run = self._steering.task_run("train.cancel")
        command = Cancel(number=number, source=SOURCE)
        return self._steering.after_others(lambda: run.submit(command), lambda _: None)

    def _on_preview(self, command: str, **fields: Any) -> dict[str, Any]:
        run = self._steering.run()
        preview = run.preview(self._command(command, fields))
        given = fields.get("address")
        address = self._steering.feed().address if given is None else run.chain.resolve(given)
        if address is None or address not in preview.changes:
            return {"plan": None, "total": preview.steps_after}
        _, plan = preview.changes[address]
        return {
            "address": address,
            "plan": plan.to_node(samples=True),
            "total": preview.steps_after,
            "step": preview.step,
        }

    # ---- from fields to commands --------------------------------------------------------------

    def _set(self, value: float, address: str | None = None, at: int | None = None) -> Edit:
        return Set(values={self._steering.address(address): value}, at=at, source=SOURCE)

    def _plan(self, schedule: Schedule, address: str | None = None, at: int | None = None) -> Edit:
        return Set(values={self._steering.address(address): schedule}, at=at, source=SOURCE)

    def _scale(self, factor: float, address: str | None = None, at: int | None = None) -> Edit:
        return Scale(factors={self._steering.address(address): factor}, at=at, source=SOURCE)

    def _nudge(self, amount: float, address: str | None = None, at: int | None = None) -> Edit:
        return Nudge(amounts={self._steering.address(address): amount}, at=at, source=SOURCE)

    def _release(self, address: str | None = None, at: int | None = None) -> Edit:
        return Release(addresses=(self._steering.address(address),), at=at, source=SOURCE)

    def _freeze(self, group: str, at: int | None = None) -> Edit:
        return Freeze(groups=(group,), at=at, source=SOURCE)

    def _thaw(self, group: str, at: int | None = None) -> Edit:
        return Thaw(groups=(group,), at=at, source=SOURCE)

    def _batch(self, size: int, at: int | None = None) -> Edit:
        return SetBatchSize(batch_size=size, at=at, source=SOURCE)

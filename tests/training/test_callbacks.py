"""Callbacks: what they are given; a slow one stalls nothing, and a bad one ends nothing."""

from __future__ import annotations

import gc
import logging
import threading
import types
from typing import Any

import numpy as np
import pytest

from lrwidget.training._callbacks import Callbacks

TIMEOUT = 120.0


class Trainer:
    """Stands for one; nothing of it is used here."""

    state = "running"


TRAINER = Trainer()


class Recorder:
    """A callback that notes what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.threads: set[threading.Thread] = set()

    def on_start(self, trainer: Any) -> None:
        self._note("start", None)

    def on_chunk(self, trainer: Any, rows: dict) -> None:
        self._note("chunk", rows)

    def on_valid(self, trainer: Any, row: dict) -> None:
        self._note("valid", row)

    def on_end(self, trainer: Any) -> None:
        self._note("end", None)

    def _note(self, what: str, value: Any) -> None:
        self.calls.append((what, value))
        self.threads.add(threading.current_thread())


class Blocked(Recorder):
    """One whose first chunk takes until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = threading.Event(), threading.Event()

    def on_chunk(self, trainer: Any, rows: dict) -> None:
        self.reached.set()
        assert self.go.wait(TIMEOUT)
        super().on_chunk(trainer, rows)


def rows(start: int, count: int) -> dict[str, np.ndarray]:
    steps = np.arange(start, start + count)
    return {"step": steps, "loss": (steps / 10).astype(np.float32)}


def test_each_is_told_everything_in_order_on_one_other_thread() -> None:
    recorders, trainer = [Recorder(), Recorder()], Trainer()
    callbacks = Callbacks(recorders)
    callbacks.start(trainer)
    callbacks.chunk(trainer, rows(0, 3))
    callbacks.valid(trainer, {"step": 3, "loss": 0.5})
    callbacks.chunk(trainer, rows(3, 2))
    callbacks.end(trainer)
    assert callbacks.join(TIMEOUT)
    for recorder in recorders:
        assert [what for what, _ in recorder.calls] == ["start", "chunk", "valid", "chunk", "end"]
        np.testing.assert_array_equal(recorder.calls[1][1]["step"], [0, 1, 2])
        assert recorder.calls[2][1] == {"step": 3, "loss": 0.5}
        np.testing.assert_array_equal(recorder.calls[3][1]["loss"], np.float32([0.3, 0.4]))
        assert recorder.calls[3][1]["loss"].dtype == np.float32
    assert recorders[0].threads == recorders[1].threads
    assert threading.current_thread() not in recorders[0].threads


def test_rows_that_wait_come_together_and_none_is_lost() -> None:
    blocked, trainer = Blocked(), Trainer()
    callbacks = Callbacks([blocked])
    callbacks.start(trainer)
    callbacks.chunk(trainer, rows(0, 5))
    assert blocked.reached.wait(TIMEOUT)
    for start in range(5, 5000, 5):  # none of these waits for the callback
        callbacks.chunk(trainer, rows(start, 5))
    callbacks.valid(trainer, {"step": 5000})
    callbacks.chunk(trainer, rows(5000, 5))
    callbacks.end(trainer)
    assert not callbacks.join(0)
    blocked.go.set()
    assert callbacks.join(TIMEOUT)
    names = [what for what, _ in blocked.calls]
    assert names == ["start", "chunk", "chunk", "valid", "chunk", "end"]
    steps = np.concatenate([value["step"] for what, value in blocked.calls if what == "chunk"])
    np.testing.assert_array_equal(steps, np.arange(5005))


def test_what_one_raises_is_said_once_and_stops_neither_it_nor_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Recorder):
        def on_chunk(self, trainer: Any, rows: dict) -> None:
            super().on_chunk(trainer, rows)
            raise SystemExit("no space left")

        def on_end(self, trainer: Any) -> None:
            super().on_end(trainer)
            raise ValueError("closed already")

    broken, sound, trainer, shown = Broken(), Recorder(), Trainer(), []
    callbacks = Callbacks([broken, sound], on_error=shown.append)
    with caplog.at_level(logging.ERROR, "lrwidget"):
        callbacks.start(trainer)
        callbacks.chunk(trainer, rows(0, 1))
        callbacks.valid(trainer, {})
        callbacks.chunk(trainer, rows(1, 1))
        callbacks.end(trainer)
        assert callbacks.join(TIMEOUT)
    assert [what for what, _ in broken.calls] == [what for what, _ in sound.calls]
    assert callbacks.errors == shown == ["Broken.on_chunk raised SystemExit: no space left"]
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info[0] is SystemExit


def test_an_error_that_cannot_be_shown_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def on_chunk(self, trainer: Any, rows: dict) -> None:
            raise ValueError("bad")

    def show(text: str) -> None:
        raise RuntimeError("no widget")

    callbacks = Callbacks([Broken()], on_error=show)
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, rows(0, 1))
    callbacks.end(TRAINER)
    assert callbacks.join(TIMEOUT)
    assert [r.exc_info[0] for r in caplog.records] == [ValueError, RuntimeError]


def test_only_on_chunk_is_needed() -> None:
    seen: list[int] = []
    small = types.SimpleNamespace(on_chunk=lambda trainer, rows: seen.extend(rows["step"]))
    callbacks = Callbacks([small])
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, rows(0, 2))
    callbacks.valid(TRAINER, {})
    callbacks.end(TRAINER)
    assert callbacks.join(TIMEOUT)
    assert seen == [0, 1]
    assert not callbacks.errors


def test_a_callback_may_change_what_it_is_given() -> None:
    given = rows(0, 3)

    def spoil(trainer: Any, rows: dict) -> None:
        rows["loss"] *= 0

    callbacks = Callbacks([types.SimpleNamespace(on_chunk=spoil)])
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, given)
    callbacks.end(TRAINER)
    assert callbacks.join(TIMEOUT)
    assert not callbacks.errors
    np.testing.assert_array_equal(given["loss"], rows(0, 3)["loss"])


def test_a_run_that_is_taken_up_again_calls_them_again() -> None:
    recorder = Recorder()
    callbacks = Callbacks([recorder])
    for _ in range(2):
        callbacks.start(TRAINER)
        callbacks.chunk(TRAINER, rows(0, 1))
        callbacks.end(TRAINER)
        callbacks.chunk(TRAINER, rows(1, 1))  # after the end there is nothing to tell
        assert callbacks.join(TIMEOUT)
    assert [what for what, _ in recorder.calls] == ["start", "chunk", "end"] * 2


def test_taken_up_again_before_the_end_has_been_called() -> None:
    blocked = Blocked()
    callbacks = Callbacks([blocked])
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, rows(0, 1))
    assert blocked.reached.wait(TIMEOUT)
    callbacks.end(TRAINER)
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, rows(1, 1))
    callbacks.end(TRAINER)
    blocked.go.set()
    assert callbacks.join(TIMEOUT)
    assert [what for what, _ in blocked.calls] == ["start", "chunk", "end"] * 2
    assert len(blocked.threads) == 1


def test_no_callbacks_have_no_thread() -> None:
    before = set(threading.enumerate())
    callbacks = Callbacks([])
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, rows(0, 1))
    assert set(threading.enumerate()) <= before
    callbacks.end(TRAINER)
    assert callbacks.join(0)


def test_joining_on_the_own_thread_waits_for_nothing() -> None:
    answers: list[bool] = []
    ender = types.SimpleNamespace(
        on_chunk=print, on_end=lambda trainer: answers.append(callbacks.join())
    )
    callbacks = Callbacks([ender])
    callbacks.start(TRAINER)
    callbacks.end(TRAINER)
    assert callbacks.join(TIMEOUT)
    assert answers == [False]


def test_the_thread_neither_keeps_a_trainer_alive_nor_outlives_it() -> None:
    told, trainer = threading.Event(), Trainer()
    recorder = Recorder()
    recorder.on_valid = lambda trainer, row: told.set()
    callbacks = Callbacks([recorder])
    callbacks.start(trainer)
    callbacks.valid(trainer, {})
    assert told.wait(TIMEOUT)
    del trainer
    gc.collect()
    # It may still be on its way out of the last call, with the trainer in its hands.
    assert callbacks.join(TIMEOUT)
    assert [what for what, _ in recorder.calls] == ["start"]


# ---- writers as people have them ----------------------------------------------------------------


class FakeWriter:
    """With the methods of clu's and tensorboardX's writers that the examples use."""

    def __init__(self) -> None:
        self.scalars: list[tuple[str, float, int]] = []
        self.closed = False

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, float(value), step))

    def close(self) -> None:
        self.closed = True


class TensorBoard:
    """The README's example."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def on_chunk(self, trainer: Any, rows: dict) -> None:
        for name in ("loss", "learning_rate"):
            self.writer.add_scalar(name, rows[name][-1], int(rows["step"][-1]))

    def on_valid(self, trainer: Any, row: dict) -> None:
        self.writer.add_scalar("valid/loss", row["loss"], row["step"])

    def on_end(self, trainer: Any) -> None:
        self.writer.close()


def test_a_writer_in_the_manner_of_tensorboard() -> None:
    writer = FakeWriter()
    callbacks = Callbacks([TensorBoard(writer)])
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, {**rows(0, 3), "learning_rate": np.full(3, 0.5, np.float32)})
    callbacks.valid(TRAINER, {"step": 3, "loss": 0.75})
    callbacks.end(TRAINER)
    assert callbacks.join(TIMEOUT)
    assert not callbacks.errors
    assert writer.scalars == [
        ("loss", pytest.approx(0.2), 2),
        ("learning_rate", 0.5, 2),
        ("valid/loss", 0.75, 3),
    ]
    assert writer.closed


class FakeWandb:
    """With what `wandb.init` returns that the example uses."""

    def __init__(self) -> None:
        self.logged: list[tuple[dict, int]] = []
        self.summary: dict[str, Any] = {}
        self.finished = False

    def log(self, values: dict, step: int) -> None:
        self.logged.append((values, step))

    def finish(self) -> None:
        self.finished = True


class Wandb:
    """In the manner of Weights & Biases: every row, and how the run ended."""

    def __init__(self, run: Any) -> None:
        self.run = run

    def on_chunk(self, trainer: Any, rows: dict) -> None:
        for number, step in enumerate(rows["step"]):
            values = {name: column[number].item() for name, column in rows.items()}
            self.run.log(values, step=int(step))

    def on_end(self, trainer: Any) -> None:
        self.run.summary["state"] = trainer.state
        self.run.finish()


def test_a_writer_in_the_manner_of_wandb() -> None:
    run = FakeWandb()
    callbacks = Callbacks([Wandb(run)])
    callbacks.start(TRAINER)
    callbacks.chunk(TRAINER, rows(0, 2))
    callbacks.end(TRAINER)
    assert callbacks.join(TIMEOUT)
    assert not callbacks.errors
    assert run.logged == [
        ({"step": 0, "loss": 0.0}, 0),
        ({"step": 1, "loss": pytest.approx(0.1)}, 1),
    ]
    assert run.summary == {"state": "running"}
    assert run.finished


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (3, "callbacks must be a sequence of callbacks, got 3"),
        (Recorder(), "callbacks must be a sequence of callbacks, got"),
        ([print], r"callbacks must hold objects with a method on_chunk\(trainer, rows\), got <bu"),
        ([Recorder], r"callbacks must hold objects, got the class Recorder: Recorder\(…\) makes"),
        ([types.SimpleNamespace(on_chunk=print, on_end=3)], "the on_end of a callback must be a"),
    ],
)
def test_what_is_no_callback(callbacks: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Callbacks(callbacks)

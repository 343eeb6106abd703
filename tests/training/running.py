"""Waiting for a run without sleeping, and tasks that tests share so as to compile once."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import lrwidget as lrw
from tests.training import models

TIMEOUT = 120.0


@functools.cache
def shared(kind: str = "pytree", **changes: Any) -> lrw.Task:
    """Return a task that every test may use: trainers do not change it."""
    return models.task(kind, **changes)


def wait_for(t: lrw.Trainer, condition: Callable[[], Any]) -> None:
    """Wait until `condition` holds after a chunk, a command or a change of state."""
    reached = threading.Event()

    def look(_: lrw.Trainer) -> None:
        if condition():
            reached.set()

    unsubscribe = t.subscribe(look)
    look(t)
    assert reached.wait(TIMEOUT), f"{t!r} never got there"
    unsubscribe()


def wait_for_step(t: lrw.Trainer, step: int) -> None:
    wait_for(t, lambda: t.position >= step)


def command_when(t: Any, condition: Callable[[], Any], command: Any) -> Callable[[], int]:
    """Have a command given when `condition` first holds; return what waits for its reply.

    It is given on the run's own thread. Another one may be late, and the run be past that step, or
    at its end, before it has noticed.
    """
    given: concurrent.futures.Future[Any] = concurrent.futures.Future()
    first = threading.Lock()

    def look(_: Any) -> None:
        if condition() and first.acquire(blocking=False):
            given.set_result(t.submit(command))

    t.subscribe(look)
    return lambda: given.result(TIMEOUT).result(TIMEOUT)


def creeping(t: lrw.Trainer, steps: int) -> lrw.Trainer:
    """Start a run that takes so many steps and then, while it goes on, at most one more.

    It neither ends nor moves before its pace is lifted, however late the next command comes.
    """
    t.step(steps)
    t.set_pace(1e-3)
    t.resume()
    return t


@contextlib.contextmanager
def endless(task: lrw.Task | None = None, chain: Any = None, **more: Any) -> Iterator[lrw.Trainer]:
    """Yield a run that has begun and does not end by itself."""
    t = lrw.Trainer(task or shared(), chain or models.sgd(0.01), steps=2**30, **more)
    t.start()
    wait_for_step(t, 1)
    try:
        yield t
    finally:
        t.stop()

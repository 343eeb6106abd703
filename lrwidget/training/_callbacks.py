"""What others do with a run's rows while it goes on: writers of logs, tables, messages.

A callback is any object with a method ``on_chunk(trainer, rows)``, and `on_start`, `on_valid` and
`on_end` if it likes. They are called one after the other on a thread of their own: a slow one
stalls nothing, it is given more rows at a time.
"""

from __future__ import annotations

import atexit
import collections
import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Rows = dict[str, npt.NDArray[Any]]

_log = logging.getLogger("lrwidget")

# How long the interpreter's exit waits for what has not been told yet.
_EXIT_SECONDS = 5.0


class Callback(Protocol):
    """What a callback must have; the other three methods may be missing.

    ``on_start(trainer)`` is called when the run begins; ``on_valid(trainer, row)`` after each
    validation pass, with its row as numbers; ``on_end(trainer)`` after the last rows, however the
    run ended. After a rewind the steps go on from where it went back to.

    What a callback raises is logged once, shown, and never ends the run. The trainer may be read
    and given commands, as from any other thread.

    Examples
    --------
    For TensorBoard, with the writer of clu or tensorboardX:

    >>> class TensorBoard:
    ...     def __init__(self, writer):
    ...         self.writer = writer
    ...
    ...     def on_chunk(self, trainer, rows):
    ...         for name in ("loss", "learning_rate"):
    ...             self.writer.add_scalar(name, rows[name][-1], int(rows["step"][-1]))
    ...
    ...     def on_end(self, trainer):
    ...         self.writer.close()
    """

    def on_chunk(self, trainer: Any, rows: Rows) -> object:
        """Take the rows that have come: a column of each name in the history, of equal length."""


class _Event(NamedTuple):
    method: str
    trainer: Any
    # Rows that wait are gathered in one event, and put together when their turn comes.
    given: tuple[Any, ...] | list[Mapping[str, npt.ArrayLike]]


class Callbacks:
    """The callbacks of one run and their thread.

    Every method may be called from the run's thread: none waits but `join`. The thread begins with
    the run, ends after `end`, and no callbacks have none.

    Parameters
    ----------
    callbacks
        As the person gave them.
    on_error
        Called with a text, on the callbacks' thread, when one of them raises for the first time.

    Raises
    ------
    TypeError
        If one of them is no callback.

    Attributes
    ----------
    callbacks
        As given, checked.
    errors
        The first error of each callback that raised, as text.
    """

    def __init__(
        self,
        callbacks: Iterable[Callback],
        on_error: Callable[[str], object] = lambda _: None,
    ):
        self.callbacks = tuple(map(_checked, _iterated(callbacks)))
        self._on_error = on_error
        self._failed: set[int] = set()
        self._events: collections.deque[_Event] = collections.deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._goes_on = False
        self._forgotten: weakref.finalize[Any, Any] | None = None
        self.errors: list[str] = []

    def start(self, trainer: Any) -> None:
        """Begin: `on_start`. Again after `end`, for a run that is taken up again.

        The trainer is always the same one. When it is gone, so is the thread.
        """
        with self._changed:
            if not self.callbacks or self._goes_on:
                return
            self._goes_on = True
            self._put(_Event("on_start", trainer, ()))
            if self._forgotten is None:
                # A trainer that nobody wants any more does not end as others do.
                self._forgotten = weakref.finalize(trainer, self._give_up)
                self._forgotten.atexit = False
            _all.add(self)
            if self._thread is None:
                # A daemon: a writer that hangs must not keep the interpreter from its end.
                self._thread = threading.Thread(
                    target=self._main, name="lrwidget-callbacks", daemon=True
                )
                self._thread.start()

    def chunk(self, trainer: Any, rows: Mapping[str, npt.ArrayLike]) -> None:
        """Hand over rows: `on_chunk`. They are kept as they are until their turn comes."""
        self._put(_Event("on_chunk", trainer, [rows]))

    def valid(self, trainer: Any, row: Mapping[str, float]) -> None:
        """Hand over the row of a validation pass: `on_valid`."""
        self._put(_Event("on_valid", trainer, (dict(row),)))

    def end(self, trainer: Any) -> None:
        """End when all that waits has been called: `on_end`."""
        with self._changed:
            self._put(_Event("on_end", trainer, ()))
            self._goes_on = False

    def join(self, timeout: float | None = None) -> bool:
        """Wait until everything has been called after `end`; return whether that is so.

        At once on the callbacks' own thread.
        """
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return thread is None
        thread.join(timeout)
        return not thread.is_alive()

    def _give_up(self) -> None:
        with self._changed:
            self._goes_on = False
            self._changed.notify_all()

    def _put(self, event: _Event) -> None:
        with self._changed:
            if not self._goes_on:
                return
            waiting = self._events[-1].given if self._events else None
            if isinstance(waiting, list) and isinstance(event.given, list):
                waiting.extend(event.given)
            else:
                self._events.append(event)
            self._changed.notify_all()

    def _main(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._events or not self._goes_on)
                if not self._events:
                    self._thread = None
                    return
                event = self._events.popleft()
            self._call(event)
            # While it waits for the next, this thread must not keep a trainer alive.
            del event

    def _call(self, event: _Event) -> None:
        given = (_together(event.given),) if isinstance(event.given, list) else event.given
        for place, callback in enumerate(self.callbacks):
            method = getattr(callback, event.method, None)
            if method is None:
                continue
            try:
                method(event.trainer, *given)
            except BaseException as error:  # noqa: BLE001  (also of a writer that calls sys.exit)
                self._note(place, event.method, error)

    def _note(self, place: int, method: str, error: BaseException) -> None:
        if place in self._failed:
            return
        self._failed.add(place)
        name = type(self.callbacks[place]).__name__
        text = f"{name}.{method} raised {type(error).__name__}: {error}"
        _log.error("%s (later errors of this callback are not shown)", text, exc_info=error)
        self.errors.append(text)
        try:
            self._on_error(text)
        except Exception:  # noqa: BLE001
            _log.exception("the error of a callback could not be shown")


_all: weakref.WeakSet[Callbacks] = weakref.WeakSet()


@atexit.register
def _join_all() -> None:
    # Of a run that has ended; one that goes on is stopped elsewhere.
    for callbacks in [each for each in list(_all) if not each._goes_on]:  # noqa: SLF001
        callbacks.join(_EXIT_SECONDS)


def _together(parts: list[Mapping[str, npt.ArrayLike]]) -> Rows:
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _iterated(callbacks: Any) -> Iterable[Any]:
    if isinstance(callbacks, Iterable):
        return callbacks
    raise TypeError(f"callbacks must be a sequence of callbacks, got {callbacks!r}")


def _checked(callback: Any) -> Callback:
    if isinstance(callback, type):
        raise TypeError(
            f"callbacks must hold objects, got the class {callback.__name__}: "
            f"{callback.__name__}(…) makes one"
        )
    if not callable(getattr(callback, "on_chunk", None)):
        raise TypeError(
            f"callbacks must hold objects with a method on_chunk(trainer, rows), got {callback!r}"
        )
    for name in ("on_start", "on_valid", "on_end"):
        if not callable(getattr(callback, name, print)):
            raise TypeError(f"the {name} of a callback must be a method, got one of {callback!r}")
    return callback  # type: ignore[no-any-return]

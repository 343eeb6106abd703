"""The thread behind a `Saver`, and what waits for it."""

from __future__ import annotations

import collections
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from lrwidget.training._disk._directory import RunDirectory
from lrwidget.training._disk._jobs import Cut, Job, Mark, NewRows, Snapshot, merged, superseded
from lrwidget.training._disk._json import json_text
from lrwidget.training._disk._thinning import surplus

_ROWS_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_log = logging.getLogger("lrwidget")


class Writing:
    """A queue of jobs, and the thread that does them in order.

    Parameters
    ----------
    directory
        Opened to write; closed when the thread ends.
    budget
        Bytes of snapshots on disk.
    on_error
        Gives the function to call with what goes wrong, or None if there is none any more.
    waiting_bytes
        Bytes of snapshots in the queue.
    """

    def __init__(
        self,
        directory: RunDirectory,
        budget: float,
        on_error: Callable[[], Callable[[str], None] | None],
        waiting_bytes: int,
    ):
        self.directory = directory
        self._budget = budget
        self._on_error = on_error
        self._waiting_bytes = waiting_bytes
        self._changed = threading.Condition()
        self._jobs: collections.deque[Job] = collections.deque()
        self._flushes: list[Future[bool]] = []
        self._ending = False
        self._failing = False
        self._thread: threading.Thread | None = None
        self._journal = threading.Lock()
        self._unwritten: list[tuple[Mapping[str, Any], int | None]] = []
        self._told: set[tuple[str, Any]] = set()
        self._troubles: dict[str, str] = {}
        # Of the snapshots on disk; read by the thread when it begins.
        self._sizes: dict[int, int] = {}
        self._by_hand: set[int] = set()
        self._marks: dict[str, int] = {}

    # ---- the callers' side ----------------------------------------------------------------------

    @property
    def trouble(self) -> str | None:
        """What could not be written when it was last tried."""
        return next(iter(list(self._troubles.values())), None)

    @property
    def entries(self) -> int:
        """How many entries the journal has, with those that the disk has not taken yet."""
        with self._journal:
            return self.directory.entry_count + len(self._unwritten)

    def entry(self, entry: Mapping[str, Any], cut: int | None) -> None:
        """Write an entry, or keep it for later if the disk does not take it."""
        self._check_open()
        json_text(dict(entry))
        with self._journal:
            self._unwritten.append((entry, cut))
        if not self._write_entries():
            self._wake()

    def put(self, job: Job) -> None:
        """Append a job to the queue."""
        self._check_open()
        with self._changed:
            self._jobs.append(job)
            if isinstance(job, Cut):
                self._drop([each for each in self._snapshots() if each.step > job.step])
            elif isinstance(job, Snapshot):
                self._drop(superseded(self._snapshots(), self._waiting_bytes))
            # Rows behind others need not wake a thread that sleeps until there are more.
            if len(self._jobs) == 1 or not isinstance(job, NewRows):
                self._wake()

    def flush(self, timeout: float | None) -> bool:
        """Wait until the queue has been worked off, or until that failed once more."""
        future: Future[bool] = Future()
        with self._changed:
            # Its own thread would wait for itself.
            if self._ending or threading.current_thread() is self._thread:
                return not self._jobs and not self._unwritten
            self._flushes.append(future)
            self._wake()
            if self._thread is not None and not self._thread.is_alive():
                return False  # in a forked process, which has no threads
        with contextlib.suppress(TimeoutError):
            return future.result(timeout)
        return False

    def end(self) -> None:
        """Let the thread end when it has tried all that waits; does not wait for it."""
        with self._changed:
            if self._ending:
                return
            self._ending = True
            if self._thread is not None:
                self._changed.notify_all()
                return
        self.directory.close()

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread's end."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _check_open(self) -> None:
        if self._ending:
            raise ValueError(f"the saver of {self.directory.path} is closed")

    def _snapshots(self) -> list[Snapshot]:
        return [job for job in self._jobs if isinstance(job, Snapshot)]

    def _drop(self, jobs: Any) -> None:
        for job in jobs:
            self._jobs.remove(job)

    def _wake(self) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._main, name="lrwidget-saver", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    # ---- the thread -----------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            self._look()
            while self._round():
                pass
        except Exception as error:  # noqa: BLE001  (saving must not end a run)
            self._tell("rest", error)
        finally:
            self.directory.close()
            with self._changed:
                self._ending = True
                for future in self._flushes:
                    future.set_result(False)

    def _round(self) -> bool:
        """Wait for work and do it; return whether to go on."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._jobs or self._unwritten or self._flushes or self._ending
            )
            seconds = _RETRY_SECONDS if self._failing else _ROWS_SECONDS
            self._changed.wait_for(self._is_urgent, seconds)
            flushes, self._flushes = self._flushes, []
            ending = self._ending
        good = self._write_entries() and self._work_off()
        if flushes or ending:
            good = self._tried("journal and history", self.directory.sync) and good
        self._failing = not good
        for future in flushes:
            future.set_result(good)
        return not ending

    def _is_urgent(self) -> bool:
        if self._flushes or self._ending:
            return True
        return not self._failing and any(not isinstance(job, NewRows) for job in self._jobs)

    def _work_off(self) -> bool:
        while True:
            with self._changed:
                self._merge()
                if not self._jobs:
                    return True
                job = self._jobs.popleft()
            if not self._do(job):
                with self._changed:
                    self._jobs.appendleft(job)
                return False
            del job  # its arrays may be large, and the next one is long in coming

    def _merge(self) -> None:
        rows: list[NewRows] = []
        while self._jobs and isinstance(job := self._jobs[0], NewRows):
            rows.append(job)
            self._jobs.popleft()
        self._jobs.extendleft(merged(rows)[::-1])

    def _do(self, job: Job) -> bool:
        """Do a job; return False if it must be tried again."""
        directory = self.directory
        match job:
            case NewRows(table, columns, entries):
                return self._tried(
                    "history", lambda: directory.append_rows(table, columns, entries=entries)
                )
            case Cut():
                return self._tried("history", lambda: self._cut(job))
            case Mark(name, step, entries):
                if step in self._sizes:
                    self._tried("mark", lambda: self._mark(name, step, entries))
            case Snapshot():
                self._tried("snapshot", lambda: self._save(job))
        return True

    def _look(self) -> None:
        def look() -> None:
            for snapshot in self.directory.snapshots():
                self._sizes[snapshot.step] = snapshot.nbytes
                if isinstance(snapshot.meta, dict) and snapshot.meta.get("reason") == "hand":
                    self._by_hand.add(snapshot.step)
            self._marks = self.directory.marks()

        self._tried("snapshots", look)

    def _cut(self, job: Cut) -> None:
        self.directory.cut("train", job.step, entries=job.entries)
        # A validation pass at a step was made before that step was taken.
        self.directory.cut("valid", job.step + 1, entries=job.entries)
        for step in [step for step in self._sizes if step > job.step]:
            self._remove(step)

    def _save(self, job: Snapshot) -> None:
        # So that no power failure leaves a snapshot without the rows before it.
        self.directory.sync()
        self._sizes[job.step] = self.directory.save_snapshot(
            job.step, job.tree, job.meta, entries=job.entries
        )
        self._by_hand.discard(job.step)
        if job.reason == "hand":
            self._by_hand.add(job.step)
        for mark in job.marks:
            self._mark(mark, job.step, job.entries)
        marked = set(self._marks.values())
        gone = surplus(self._sizes, self._budget, marked | self._by_hand)
        for step in gone:
            self._remove(step)
        for step in surplus(self._sizes, self._budget, marked):
            self._remove(step)

    def _mark(self, name: str, step: int, entries: int) -> None:
        self.directory.mark(name, step, entries=entries)
        self._marks[name] = step

    def _remove(self, step: int) -> None:
        self.directory.remove_snapshot(step)
        del self._sizes[step]
        self._by_hand.discard(step)
        self._marks = {name: at for name, at in self._marks.items() if at != step}

    # ---- trouble --------------------------------------------------------------------------------

    def _write_entries(self) -> bool:
        """Write the entries that wait; return whether none are left."""
        with self._journal:
            while self._unwritten:
                entry, cut = self._unwritten[0]
                write = functools.partial(self.directory.append_entry, entry, cut=cut)
                trouble = self._attempt(write)
                if trouble is not None:
                    break
                del self._unwritten[0]
            else:
                self._troubles.pop("journal", None)
                return True
        # Not under the lock: whoever is told may look at the run.
        self._tell("journal", trouble)
        return False

    def _tried(self, what: str, write: Callable[[], object]) -> bool:
        """Write; return False if the disk did not take it. Anything else is a fault of ours."""
        trouble = self._attempt(write)
        if trouble is None:
            self._troubles.pop(what, None)
        else:
            self._tell(what, trouble)
        return not isinstance(trouble, OSError)

    @staticmethod
    def _attempt(write: Callable[[], object]) -> Exception | None:
        try:
            write()
        except Exception as error:  # noqa: BLE001  (saving must not end a run)
            return error
        return None

    def _tell(self, what: str, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = self._troubles[what] = (
            f"the {what} of this run could not be written to {self.directory.path}: {reason}. "
            "The run itself goes on."
        )
        kind = (what, getattr(error, "errno", None) or type(error))
        on_error = self._on_error()
        if kind in self._told or on_error is None:
            return
        self._told.add(kind)
        try:
            on_error(text)
        except Exception:  # noqa: BLE001  (saving must not end a run)
            _log.exception("what was told of an error on disk failed itself")

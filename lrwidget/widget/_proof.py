"""The tick beside the code pane: exported code is executed elsewhere and held against the curve."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrwidget.schedules import Schedule

TOLERANCE = 1e-6
"""How far code may be from the curve, relative to its highest value: Optax counts in float32."""

_WORKER = pathlib.Path(__file__).with_name("_proof_worker.py")
_SAMPLES = 1500
_ENDLESS_STEPS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one text: ``error`` is the largest difference relative to a curve's peak."""

    state: Literal["equal", "differs", "failed"]
    error: float | None
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """That a text, executed alone, defines each of `curves` under its name.

    Where it has an `optimizer`, that name is an Optax transformation.
    """

    text: str
    curves: Mapping[str, Schedule]
    optimizer: str = ""

    def request(self) -> str:
        """Return the claim as one line for the worker."""
        curves = []
        for name, schedule in self.curves.items():
            steps = checked_steps(schedule)
            values = schedule(steps).tolist()
            curves.append({"name": name, "steps": steps.tolist(), "values": values})
        # Where the kernel finds a factory of the person's own, the text must find it too.
        path = [str(pathlib.Path(place).absolute()) for place in sys.path]
        request = {"text": self.text, "curves": curves, "optimizer": self.optimizer, "path": path}
        return json.dumps(request)


def checked_steps(schedule: Schedule) -> NDArray[np.int64]:
    """Return the steps at which code is compared: the first, the last, every border's neighbours.

    Between those, 1500 more in equal distances. A schedule of n steps has its last at n - 1: what
    code that was not asked to hold does after it is no part of the claim. A schedule without end
    is followed as far again as its last border, and at least for 1000 steps.
    """
    borders = np.asarray(schedule.marks, dtype=np.int64)
    if schedule.steps is None:
        last = max(2 * int(borders.max(initial=0)), _ENDLESS_STEPS)
    else:
        last = schedule.steps - 1
    between = np.linspace(0, last, _SAMPLES).round().astype(np.int64)
    near = np.concatenate([borders - 1, borders, borders + 1])
    return np.unique(np.clip(np.concatenate([between, near]), 0, last))


class ProofWorker:
    """A process on the CPU backend that checks claims, one after the other.

    It starts with the first claim, serves all widgets of a kernel, and never holds up a caller.
    A claim with the key of one that still waits replaces it.

    Parameters
    ----------
    python
        The interpreter; the kernel's own by default, since the text is meant for it.
    timeout
        Seconds after which a text that does not end is given up, and its process with it.
    """

    def __init__(self, python: str = sys.executable, timeout: float = 60.0) -> None:
        self._python = python
        self._timeout = timeout
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, tuple[Claim, Callable[[Verdict], None]]] = {}
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, key: Hashable, claim: Claim, answer: Callable[[Verdict], None]) -> None:
        """Check a claim and hand the verdict to `answer`, on the worker's thread."""
        with self._changed:
            if self._closed:
                return
            self._waiting.pop(key, None)
            self._waiting[key] = (claim, answer)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="lrwidget-proof", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def forget(self, key: Hashable) -> None:
        """Drop the claim that waits under a key, if one does."""
        with self._changed:
            self._waiting.pop(key, None)

    @property
    def pid(self) -> int | None:
        """The process, once it has started."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the thread and the process; claims that wait are dropped."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()
        self._kill()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                key = next(iter(self._waiting))
                claim, answer = self._waiting.pop(key)
            verdict = self._verdict(claim)
            with self._changed:
                stale = self._closed or key in self._waiting
            if not stale:
                # The widget may have gone meanwhile; the next one must not suffer for it.
                with contextlib.suppress(Exception):
                    answer(verdict)

    def _verdict(self, claim: Claim) -> Verdict:
        try:
            answer = self._ask(claim.request())
        except Exception as error:  # noqa: BLE001  (whatever goes wrong, the tick must not stay blank)
            self._kill()
            answer = {"failed": str(error)}
        if "failed" in answer:
            return Verdict(
                state="failed", error=None, message=f"could not be checked: {answer['failed']}"
            )
        return _judged(answer["curves"])

    def _ask(self, request: str) -> dict[str, Any]:
        process = self._started()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._timeout, give_up)
        timer.daemon = True
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                _pipe(process.stdin).write(request + "\n")
                _pipe(process.stdin).flush()
            line = _pipe(process.stdout).readline()
        finally:
            timer.cancel()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        if late.is_set():
            raise TimeoutError(f"the code did not end within {self._timeout:g} seconds")
        raise ChildProcessError(f"the checking process ended with status {process.wait()}")

    def _started(self) -> subprocess.Popen[str]:
        if self._closed:
            raise ChildProcessError("the checking process has been closed")
        if self._process is None or self._process.poll() is not None:
            self._kill()
            self._process = subprocess.Popen(  # noqa: S603  (our own script)
                # -P: the script's folder has modules that are not meant for the exported text.
                [self._python, "-P", str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""},
            )
        return self._process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    _pipe(pipe).close()


def _judged(results: list[dict[str, Any]]) -> Verdict:
    """Return the verdict on a text, that on its worst curve."""
    several = len(results) > 1
    worst = max(results, key=lambda r: np.inf if r["error"] is None else r["error"])
    far = worst["error"]
    if far is not None and far <= TOLERANCE:
        how = "exactly" if far == 0 else f"to {far:.0e}"
        what = f"all {len(results)} curves equal their code" if several else "equals the curve"
        return Verdict(state="equal", error=far, message=f"{what} {how}")
    who = f"{worst['name']} " if several else ""
    said = "is not a finite number" if far is None else f"differs by {far:.1e} of the peak"
    return Verdict(
        state="differs",
        error=far,
        message=f"{who}{said} at step {worst['step']}: the curve has {worst['drawn']:g}, "
        f"the code gives {worst['code']}",
    )


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise OSError("the checking process has no pipe")
    return pipe


_shared_lock = threading.Lock()
_shared: ProofWorker | None = None


def shared_worker() -> ProofWorker:
    """Return the worker of this kernel; its process starts with the first claim."""
    global _shared  # noqa: PLW0603  (one a kernel)
    with _shared_lock:
        if _shared is None:
            _shared = ProofWorker()
            atexit.register(_shared.close)
        return _shared

"""Progress in a terminal: which form it has where, what a line says, and when it is said."""

from __future__ import annotations

import importlib.machinery
import io
import sys
import types
from typing import Any

import numpy as np
import pytest

from lrwidget.training._callbacks import Callbacks
from lrwidget.training._progress import Progress, progress_of


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


class Trainer:
    """What progress reads of one."""

    def __init__(self) -> None:
        self.name, self.state = "run", "running"
        self.position, self.steps = 0, 1000
        self.steps_per_second: float | None = None
        self.seconds_left: float | None = None
        self.rate_names = ["learning_rate"]

    @property
    def history(self) -> Any:
        table = {name: np.float32([0.25]) for name in ("loss", *self.rate_names)}

        class History:
            names = tuple(table)
            __len__ = lambda self: 1  # noqa: E731
            __getitem__ = lambda self, name: table[name]  # noqa: E731

        return History()

    def rows(self) -> dict[str, np.ndarray]:
        return {"loss": np.float32([3, 0.5]), **dict.fromkeys(self.rate_names, np.float32([1, 2]))}


class Told:
    """A progress by lines, whose clock the test turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stream = io.StringIO()
        self.trainer = Trainer()
        self.progress = Progress(self.stream, lambda: self.now)
        self.progress.on_start(self.trainer)

    def at(self, now: float, position: int) -> list[str]:
        self.now, self.trainer.position = now, position
        before = len(self.stream.getvalue())
        self.progress.on_chunk(self.trainer, self.trainer.rows())
        return self.stream.getvalue()[before:].splitlines()


def test_a_line_says_it_all() -> None:
    told = Told()
    told.trainer.steps_per_second, told.trainer.seconds_left = 812.34, 3725.0
    assert told.at(5, 120) == [
        "run: step 120 of 1000 (12%), loss 0.5, rate 2, 812 steps/s, 1 h 02 min left"
    ]
    told.trainer.seconds_left = 62.0
    assert told.at(10, 130)[0].endswith("1 min 02 s left")


def test_a_line_says_only_what_is_known() -> None:
    told = Told()
    told.trainer.rate_names = ["head/learning_rate", "body/learning_rate"]
    assert told.at(5, 1) == ["run: step 1 of 1000 (0%), loss 0.5"]
    told.trainer.rate_names = ["adamw.learning_rate"]
    assert told.at(10, 2) == ["run: step 2 of 1000 (0%), loss 0.5, rate 2"]


def test_a_line_comes_after_five_seconds_or_a_twentieth() -> None:
    told = Told()
    places = {0: 10, 4.9: 20, 5: 30, 9: 40, 9.5: 80, 9.6: 81, 10.4: 140}
    said = [now for now, position in places.items() if told.at(now, position)]
    assert said == [5, 9.5]
    # However fast a run is, a second passes between two lines; and a rewind counts as a way too.
    assert told.at(10.5, 141)
    assert told.at(11.6, 20)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("finished", "run: finished at step 640, loss 0.25, rate 0.25\n"),
        ("stopped", "run: stopped at step 640 of 1000, loss 0.25, rate 0.25\n"),
    ],
)
def test_the_last_line_says_how_it_ended(state: str, line: str) -> None:
    told = Told()
    told.trainer.position, told.trainer.state = 640, state
    told.progress.on_end(told.trainer)
    assert told.stream.getvalue() == line


def test_it_is_a_callback() -> None:
    stream, trainer = io.StringIO(), Trainer()
    callbacks = Callbacks([Progress(stream)])
    callbacks.start(trainer)
    callbacks.chunk(trainer, trainer.rows())
    callbacks.end(trainer)
    assert callbacks.join(60)
    assert not callbacks.errors
    assert stream.getvalue().startswith("run: running at step 0 of 1000")


class FakeBar:
    """What is used of `tqdm.tqdm`."""

    made: list[FakeBar]

    def __init__(self, *, total: int, initial: int, desc: str, **more: Any):
        self.total, self.n, self.last_print_n, self.desc = total, initial, initial, desc
        self.postfix, self.closed, self.more = "", False, more
        self.made.append(self)

    def update(self, count: int) -> None:
        self.n += count

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:  # noqa: FBT001, FBT002
        self.postfix = text

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[FakeBar]:
    module = types.ModuleType("tqdm")
    module.__spec__ = importlib.machinery.ModuleSpec("tqdm", None)
    module.tqdm = FakeBar
    monkeypatch.setitem(sys.modules, "tqdm", module)
    monkeypatch.setattr(FakeBar, "made", [], raising=False)
    return FakeBar.made


def test_a_bar_where_tqdm_is_and_somebody_looks_on(bars: list[FakeBar]) -> None:
    stream, trainer = Terminal(), Trainer()
    progress = Progress(stream)
    progress.on_start(trainer)
    (bar,) = bars
    assert (bar.total, bar.n, bar.desc, bar.more["file"]) == (1000, 0, "run", stream)
    trainer.position = 120
    progress.on_chunk(trainer, trainer.rows())
    assert (bar.n, bar.postfix) == (120, "loss 0.5, rate 2")
    # A rewind, and a longer run.
    trainer.position, trainer.steps = 40, 2000
    progress.on_chunk(trainer, trainer.rows())
    assert (bar.n, bar.total) == (40, 2000)
    trainer.position, trainer.state = 2000, "finished"
    progress.on_end(trainer)
    assert (bar.n, bar.postfix, bar.closed) == (2000, "finished", True)
    assert not stream.getvalue()


def test_lines_where_nobody_looks_on(bars: list[FakeBar]) -> None:
    Progress(io.StringIO()).on_start(Trainer())
    assert not bars


def test_lines_where_tqdm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    stream, trainer = Terminal(), Trainer()
    progress = Progress(stream)
    progress.on_start(trainer)
    progress.on_end(trainer)
    assert stream.getvalue().startswith("run: ")


def test_auto_shows_it_in_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(progress_of("auto"), Progress)
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        assert progress_of("auto") is None


def test_auto_shows_nothing_in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    for kernel, shown in [(object(), False), (None, True)]:
        shell = types.SimpleNamespace(kernel=kernel)
        module = types.SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", module)
        assert (progress_of("auto") is not None) is shown
        assert progress_of(True) is not None


def test_what_else_a_trainer_takes() -> None:
    assert isinstance(progress_of(True), Progress)
    assert progress_of(False) is None
    for value in ("always", 1, None):
        with pytest.raises(TypeError, match='progress must be "auto", True or False, got'):
            progress_of(value)

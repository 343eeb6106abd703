"""Forks, fans and abandoned lines on their way to the browser: packed, thinned, and rarely."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from lrwidget import Chain, optimizers
from lrwidget.training import History
from lrwidget.widget._branch_outlet import NO_BRANCHES, BranchOutlet
from lrwidget.widget._branches import Branches
from lrwidget.widget._publisher import Publisher
from tests.widget.page import decoded

CHAIN = Chain.of(optimizers.sgd(0.1, momentum=0.9))
RATE, MOMENTUM = "sgd.learning_rate", "sgd.momentum"
MEASURES = ("loss", "mae")


def history(start=0, rows=0):
    made = History(MEASURES, CHAIN.addresses(), ())
    grow(made, start, rows)
    return made


def grow(table, start, rows):
    steps = np.arange(start, start + rows)
    table.append(
        {
            "step": steps,
            "loss": 1 / (1 + steps),
            "mae": np.sin(steps),
            RATE: np.full(rows, 0.1),
            MOMENTUM: np.full(rows, 0.9),
        }
    )


@dataclasses.dataclass(eq=False)
class Run:
    """A run as the branches see it; a fork is one too."""

    name: str = "run"
    fork_step: int = 0
    id: str = "fork-1"
    history: Any = dataclasses.field(default_factory=history)
    forks: tuple = ()
    lines: tuple = ()
    state: str = "running"
    steps: int = 2000
    chain: Chain = CHAIN
    addresses: tuple = CHAIN.addresses()
    newest_fan: Any = None
    fan: Any = None
    subscribed: list = dataclasses.field(default_factory=list)

    @property
    def position(self):
        return len(self.history)

    def subscribe(self, fn):
        self.subscribed.append(fn)
        return lambda: self.subscribed.remove(fn)


@dataclasses.dataclass
class Line:
    name: str
    start: int
    columns: dict


@dataclasses.dataclass
class Fan:
    losses: Any
    labels: tuple = ("×0.5", "3e-3")
    diverged: tuple = (False, False)
    state: str = "running"
    step: int = 100
    steps: int = 50
    done: float = 0.0
    best: int | None = None
    error: str | None = None

    @property
    def ends(self):
        return self.losses[:, -10:].mean(axis=1)


@dataclasses.dataclass
class Feed:
    trainer: Run
    branches: Branches
    number: int = 1
    address: str | None = RATE
    measures: tuple = MEASURES


class Bench:
    """An outlet under a clock of its own, and what it wrote."""

    def __init__(self, run=None):
        self.woken = []
        self.run = run or Run()
        self.feed = Feed(self.run, Branches(lambda: self.woken.append(1)))
        self.now = 0.0
        self.written = []
        self.outlet = BranchOutlet(lambda: self.feed, self.written.append)

    def settle(self, seconds=0.1):
        """Let time pass, and send what is due."""
        self.now += seconds
        if self.outlet.due(self.now) <= self.now:
            self.outlet.send(self.now)


def test_a_run_alone_sends_nothing():
    bench = Bench()
    bench.settle()
    assert bench.written == []
    assert bench.outlet.due(1.0) == math.inf


def test_a_fork_is_a_line_with_its_rate_and_measures():
    fork = Run("slow", fork_step=600, history=history(0, 630))
    bench = Bench(Run(forks=(fork,)))
    bench.settle()
    [sent] = bench.written
    assert {**sent, "lines": []} == {**NO_BRANCHES, "seq": 1, "run": 1, "address": RATE}
    [line] = sent["lines"]
    assert (line["id"], line["kind"], line["name"], line["step"]) == ("1", "fork", "slow", 600)
    columns = {name: decoded(column) for name, column in line["columns"].items()}
    assert list(columns) == ["step", "loss", "mae", "rate"]
    np.testing.assert_array_equal(columns["step"], np.arange(600, 630))
    np.testing.assert_array_equal(columns["loss"], fork.history.loss[600:])
    np.testing.assert_array_equal(columns["rate"], np.float32(0.1))
    assert line["columns"]["step"]["dtype"] == "float64"
    assert line["columns"]["loss"]["dtype"] == "float32"


def test_the_rate_is_that_of_what_is_watched():
    bench = Bench(Run(forks=(Run(history=history(0, 5)),)))
    bench.settle()
    bench.feed.address = MOMENTUM
    bench.settle(1.0)
    shown = decoded(bench.written[-1]["lines"][0]["columns"]["rate"])
    np.testing.assert_array_equal(shown, np.float32(0.9))
    bench.feed.address = None
    bench.settle(1.0)
    assert "rate" not in bench.written[-1]["lines"][0]["columns"]


def test_a_line_of_a_million_steps_travels_as_four_hundred_points():
    fork = Run(history=history(0, 1_000_000))
    bench = Bench(Run(forks=(fork,)))
    bench.settle()
    steps = decoded(bench.written[0]["lines"][0]["columns"]["step"])
    assert len(steps) <= 400
    assert (steps[0], steps[-1]) == (0, 999_999)


def test_a_line_that_grows_is_not_looked_at_from_its_start_each_time(monkeypatch):
    fork = Run(history=history(0, 50_000))
    bench = Bench(Run(forks=(fork,)))
    bench.settle()
    asked = []
    whole = fork.history.columns
    monkeypatch.setattr(
        fork.history, "columns", lambda start=0: asked.append(start) or whole(start)
    )
    grow(fork.history, 50_000, 10)
    bench.settle(1.0)
    assert asked == [50_000]
    steps = decoded(bench.written[-1]["lines"][0]["columns"]["step"])
    assert (len(steps) <= 400, steps[0], steps[-1]) == (True, 0, 50_009)
    fork.history.cut(100)
    bench.settle(1.0)
    assert decoded(bench.written[-1]["lines"][0]["columns"]["step"])[-1] == 99


def test_lines_that_grow_are_sent_twice_a_second_and_no_more():
    fork = Run(history=history(0, 10))
    bench = Bench(Run(forks=(fork,)))
    for tick in range(200):
        grow(fork.history, 10 + tick, 1)
        bench.settle(0.05)
    assert 18 <= len(bench.written) <= 21
    count = len(bench.written)
    bench.settle(1.0)
    bench.settle(1.0)
    assert len(bench.written) <= count + 1
    assert [sent["seq"] for sent in bench.written] == list(range(1, len(bench.written) + 1))


def test_with_a_publisher_they_share_its_ten_messages_a_second():
    fork = Run(history=history(0, 10))
    bench = Bench(Run(forks=(fork,)))
    sent = []

    class Eager:
        def due(self, now):
            return now

        def send(self, now):
            sent.append(now)

    clock = [0.0]
    publisher = Publisher([bench.outlet, Eager()], clock=lambda: clock[0])
    for tick in range(1000):
        clock[0] += 0.01
        grow(fork.history, 10 + tick, 1)
        publisher.tick()
    assert len(sent) + len(bench.written) <= 101
    assert 16 <= len(bench.written) <= 21


def test_the_newest_twelve_lines_are_shown_the_fan_first():
    forks = tuple(Run(f"fork {i}", id=f"fork-{i}", history=history(0, 3)) for i in range(9))
    lines = tuple(Line(f"until {i}", i, history(i, 4).columns()) for i in range(9))
    losses = np.full((2, 50), np.nan)
    losses[:, :7] = 1.0
    bench = Bench(Run(forks=forks, lines=lines))
    bench.run.newest_fan = Fan(losses)
    bench.settle()
    shown = bench.written[0]["lines"]
    assert [line["id"] for line in shown[:3]] == ["c0", "c1", "8"]
    assert [line["kind"] for line in shown] == ["fan"] * 2 + ["fork"] * 9 + ["abandoned"]
    assert shown[-1]["id"] == "a8"
    assert shown[-1]["name"] == "until 8"
    np.testing.assert_array_equal(decoded(shown[0]["columns"]["step"]), np.arange(100, 107))


def test_a_fork_is_found_by_its_id():
    first, second = Run("first"), Run("second", id="fork-2")
    run = Run(forks=(first, second))
    branches = Branches(lambda: None)
    assert [fork["id"] for fork in branches.shown(run)["forks"]] == ["1", "2"]
    run.forks = (second, Run("third", id="fork-3"))
    assert [fork["id"] for fork in branches.shown(run)["forks"]] == ["2", "3"]
    assert branches.find(run, "2") is second
    with pytest.raises(ValueError, match="the id of a fork of this run, 2, 3; got '1'"):
        branches.find(run, "1")
    with pytest.raises(ValueError, match="this run has no forks"):
        branches.find(Run(), "1")


def test_a_fork_of_a_fork_names_its_parent():
    inner = Run("inner", id="fork-1-1", fork_step=70)
    run = Run(forks=(Run("outer", fork_step=50, forks=(inner,)), Run("other", id="fork-2")))
    shown = Branches(lambda: None).shown(run)["forks"]
    assert [(f["name"], f["id"], f["parent"]) for f in shown] == [
        ("outer", "1", None),
        ("inner", "1-1", "1"),
        ("other", "2", None),
    ]


def test_a_fork_wakes_the_publisher_once_for_each_of_its_changes():
    fork = Run(history=history(0, 603), fork_step=600)
    bench = Bench(Run(forks=(fork,)))
    for _ in range(3):
        bench.settle()
        bench.feed.branches.shown(bench.run)
    [changed] = fork.subscribed
    changed(fork)
    assert bench.woken == [1]
    bench.feed.branches.close()
    assert fork.subscribed == []


def test_forks_that_are_gone_are_not_heard():
    branches = Branches(lambda: None)
    inner = Run("inner", id="fork-1-1")
    gone = Run("gone", forks=(inner,))
    run = Run(forks=(gone,))
    branches.shown(run)
    assert (len(gone.subscribed), len(inner.subscribed)) == (1, 1)
    gone.forks = ()
    branches.shown(run)
    assert (len(gone.subscribed), len(inner.subscribed)) == (1, 0)
    run.forks = ()
    branches.shown(run)
    assert gone.subscribed == []
    assert branches._followed == {}


def test_the_status_of_a_fork_travels_as_json():
    fork = Run("slow", fork_step=600, history=history(0, 630))
    fork.history.append(
        {"step": [630], "loss": [math.nan], "mae": [0.0], RATE: [0.1], MOMENTUM: [0.9]}
    )
    [shown] = Branches(lambda: None).shown(Run(forks=(fork,)))["forks"]
    assert shown == {
        "id": "1",
        "parent": None,
        "name": "slow",
        "step": 600,
        "state": "running",
        "position": 631,
        "total": 2000,
        "loss": None,
    }


def test_a_fan_tells_how_far_each_candidate_is():
    losses = np.full((2, 50), np.nan)
    losses[0, :7] = np.linspace(1.0, 0.4, 7)
    losses[1, :5] = 2.0
    run, branches = Run(), Branches(lambda: None)
    assert branches.shown(run)["fan"] is None
    made = Fan(losses, done=0.12, diverged=(False, True), best=0)
    run.newest_fan = made
    fan = branches.shown(run)["fan"]
    assert fan["candidates"] == [
        {"label": "×0.5", "loss": pytest.approx(0.4), "diverged": False},
        {"label": "3e-3", "loss": 2.0, "diverged": True},
    ]
    assert (fan["step"], fan["steps"], fan["done"], fan["best"]) == (100, 50, 0.12, None)
    losses[0] = np.linspace(1.0, 0.1, 50)
    run.newest_fan = dataclasses.replace(made, state="done", done=1.0)
    fan = branches.shown(run)["fan"]
    assert fan["best"] == 0
    assert fan["candidates"][0]["loss"] == pytest.approx(losses[0, -10:].mean())
    run.newest_fan = None
    assert branches.shown(run)["fan"] is None


def test_a_fan_is_sent_while_it_grows_and_then_no_more():
    losses = np.full((2, 50), np.nan)
    bench = Bench()
    bench.run.newest_fan = Fan(losses)
    for taken in (10, 20):
        losses[0, :taken] = 1.0
        bench.settle(1.0)
        bench.settle(1.0)
    assert len(bench.written) == 2
    shown = [decoded(sent["lines"][0]["columns"]["step"]) for sent in bench.written]
    assert [len(steps) for steps in shown] == [10, 20]
    bench.run.newest_fan = Fan(losses + 1)
    bench.settle(1.0)
    assert decoded(bench.written[-1]["lines"][0]["columns"]["loss"])[0] == 2.0


def test_what_was_cut_off_keeps_its_number():
    run = Run(lines=(Line("until 9", 3, history(3, 6).columns()),))
    bench = Bench(run)
    bench.settle()
    run.lines = (*run.lines, Line("until 20", 5, history(5, 15).columns()))
    bench.settle(1.0)
    run.lines = run.lines[1:]
    bench.settle(1.0)
    ids = [[line["id"] for line in sent["lines"]] for sent in bench.written]
    assert ids == [["a0"], ["a1", "a0"], ["a1"]]


def test_the_last_line_gone_is_told_too():
    fork = Run(history=history(0, 4))
    bench = Bench(Run(forks=(fork,)))
    bench.settle()
    bench.run.forks = ()
    bench.settle(1.0)
    assert bench.written[-1]["lines"] == []
    assert len(bench.written) == 2

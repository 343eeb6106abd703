"""The publisher under an injected clock: how often, in which order, and when not at all."""

from __future__ import annotations

import dataclasses
import itertools
import math
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrwidget.widget._outlets import DeltaOutlet, SnapshotOutlet, StatusOutlet, WholeOutlet
from lrwidget.widget._publisher import SPACING, Publisher
from tests.widget.page import PATIENCE


@dataclasses.dataclass
class Clock:
    now: float = 0.0

    def __call__(self):
        return self.now


@dataclasses.dataclass
class Feed:
    """A run that grows when it is told to."""

    key: object = 1
    seq: int = 0
    settled: bool = False
    rows: int = 0

    def fresh(self):
        return self.rows > 0

    def delta(self):
        self.seq += 1
        rows, self.rows = self.rows, 0
        return {"seq": self.seq, "rows": rows}, []

    def snapshot(self):
        return {"key": self.key, "seq": self.seq}


class Bench:
    """A publisher with the outlets of one run, and a list of what it sent when."""

    def __init__(self, spacing=0.1):
        self.clock = Clock()
        self.feed = Feed()
        self.status = {"state": "idle", "step": 0}
        self.sent = []
        snapshots = SnapshotOutlet(lambda: self.feed, lambda v: self.note("snapshot", v))
        self.snapshots = snapshots
        status = StatusOutlet(
            lambda: dict(self.status), lambda value: self.note("status", value), ["state"]
        )
        deltas = DeltaOutlet(lambda: self.feed, snapshots, lambda m, b: self.note("delta", m))
        self.publisher = Publisher([status, snapshots, deltas], clock=self.clock, spacing=spacing)

    def note(self, kind, value):
        self.sent.append((self.clock.now, kind, value))

    def kinds(self):
        return [kind for _, kind, _ in self.sent]

    def settle(self):
        """Tick as the thread would until nothing is left; return how long that took."""
        began = self.clock.now
        while (delay := self.publisher.tick()) is not None:
            self.clock.now += delay
        return self.clock.now - began


@pytest.fixture
def bench():
    return Bench()


def test_nothing_changed_nothing_sent(bench):
    bench.feed = None
    assert bench.publisher.tick() is None
    assert bench.sent == []


def test_at_rest_it_asks_not_to_be_woken(bench):
    bench.feed.settled = True
    bench.settle()
    bench.sent.clear()
    for _ in range(50):
        bench.clock.now += 1.0
        assert bench.publisher.tick() is None
    assert bench.sent == []


@given(
    st.lists(
        st.tuples(st.floats(0, 0.08), st.integers(0, 200), st.booleans()), min_size=20, max_size=300
    ),
    st.floats(0, 0.09),
)
def test_never_more_than_ten_messages_in_any_second(wakes, late):
    """Not even where the first of them is a little late on its way."""
    bench = Bench(SPACING)
    for gap, rows, urgent in wakes:
        bench.clock.now += gap
        bench.feed.rows += rows
        bench.status["step"] += rows
        if urgent:
            bench.status["state"] = str(bench.clock.now)
        bench.publisher.tick()
    times = [at for at, _, _ in bench.sent]
    for at in times:
        assert sum(at < other < at + late + 1.0 - 1e-9 for other in times) < 10


def test_a_busy_run_gets_all_three_kinds_at_their_rhythm(bench):
    for i in range(1000):
        bench.clock.now = i * 0.01
        bench.feed.rows += 5
        bench.status["step"] += 5
        bench.publisher.tick()
    count = Counter(bench.kinds())
    assert 90 <= sum(count.values()) <= 101
    assert 4 <= count["snapshot"] <= 6
    assert 25 <= count["status"] <= 34
    assert count["delta"] >= 55


def test_deltas_are_numbered_without_a_gap(bench):
    for i in range(200):
        bench.clock.now = i * 0.05
        bench.feed.rows += 3
        bench.publisher.tick()
    bench.feed.settled = True
    bench.settle()
    deltas = [value for _, kind, value in bench.sent if kind == "delta"]
    assert [d["seq"] for d in deltas] == list(range(1, len(deltas) + 1))
    assert sum(d["rows"] for d in deltas) == 600


def test_a_change_that_a_person_waits_for_goes_at_once(bench):
    bench.settle()
    bench.clock.now = 10.0
    bench.status["step"] = 1
    bench.publisher.tick()
    bench.clock.now = 10.16
    bench.status["step"] = 2
    assert bench.publisher.tick() == pytest.approx(0.14)
    bench.status["state"] = "paused"
    bench.publisher.tick()
    assert bench.sent[-1] == (10.16, "status", {"state": "paused", "step": 2})


def test_changes_that_people_wait_for_leave_turns_to_the_numbers(bench):
    for i in range(1000):
        bench.clock.now = i * 0.01
        bench.feed.rows += 1
        bench.status["state"] = str(i)
        bench.publisher.tick()
    count = Counter(bench.kinds())
    assert count["status"] >= 45
    assert count["delta"] >= 35


def test_on_a_machine_so_busy_that_each_turn_is_late_the_numbers_come_too(bench):
    for i in range(100):
        bench.clock.now = i * 0.4
        bench.feed.rows += 1
        bench.status["step"] = i
        bench.publisher.tick()
    count = Counter(bench.kinds())
    assert min(count["status"], count["delta"]) >= 30
    assert count["snapshot"] >= 10


class Always:
    """An outlet that always has something."""

    def __init__(self, name, sent, *, error=None, due_error=None):
        self.name, self.sent, self.error, self.due_error = name, sent, error, due_error

    def due(self, now):
        if self.due_error is not None:
            raise self.due_error
        return now

    def send(self, now):
        self.sent.append(self.name)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("edited", [False, True])
def test_of_many_that_are_always_due_each_has_its_turn(edited):
    clock, sent = Clock(), []
    outlets = [Always(name, sent) for name in "abcde"]
    publisher = Publisher(
        outlets, edits=Always("!", sent) if edited else None, clock=clock, spacing=0.1
    )
    for turn in range(20):
        clock.now = float(turn)
        publisher.tick()
    assert "".join(sent) == ("!a!b!c!d!e" * 2 if edited else "abcde" * 4)


@pytest.mark.parametrize("place", ["error", "due_error"])
def test_one_that_fails_leaves_the_others_their_turns_and_is_asked_again(caplog, place):
    clock, sent = Clock(), []
    bad = Always("bad", sent, **{place: ValueError("no such buffer")})
    publisher = Publisher([bad, Always("good", sent)], clock=clock, spacing=0.1)
    for turn in range(10):
        clock.now = float(turn)
        publisher.tick()
    assert sent.count("good") >= 9
    assert len(caplog.records) == 1
    bad.error = bad.due_error = None
    publisher._failed.clear()  # as when it is woken
    publisher.tick()
    clock.now += 1.0
    publisher.tick()
    assert sent[-2:].count("bad") == 1


class Edits:
    """Somebody who edits without a pause: a state and a reply each turn."""

    def __init__(self, bench):
        self.bench = bench

    def due(self, now):
        return now

    def send(self, now):
        self.bench.note("edit", None)
        return 2


def test_edits_go_first_and_leave_every_other_turn_to_the_run():
    bench = Bench()
    publisher = Publisher(
        bench.publisher._outlets, edits=Edits(bench), clock=bench.clock, spacing=0.1
    )
    for i in range(600):
        bench.clock.now = i * 0.01
        bench.feed.rows += 1
        publisher.tick()
    assert bench.kinds()[::2] == ["edit"] * len(bench.kinds()[::2])
    assert set(bench.kinds()[1::2]) == {"delta", "snapshot"}
    messages = sum(2 if kind == "edit" else 1 for kind in bench.kinds())
    assert 48 <= messages <= 62


def test_edits_go_at_once_where_the_rhythm_allows_it():
    bench = Bench()
    publisher = Publisher(edits=Edits(bench), clock=bench.clock, spacing=0.1)
    publisher.wake = lambda: bench.note("wake", None)
    for at in (0.0, 0.1, 0.27, 0.35):
        bench.clock.now = at
        publisher.send_edits()
    publisher.send_edits(ahead=2)
    publisher.close()
    publisher.send_edits(ahead=100)
    sent = [(at, kind) for at, kind, _ in bench.sent if kind == "edit"]
    assert sent == [(0.0, "edit"), (0.27, "edit"), (0.35, "edit")]
    assert bench.kinds().count("wake") >= 2


def test_at_rest_the_last_rows_go_first_and_one_snapshot_holds_them(bench):
    bench.settle()
    bench.feed.rows = 7
    bench.settle()
    bench.feed.rows, bench.feed.settled = 4, True
    bench.sent.clear()
    assert bench.settle() <= 0.3
    assert bench.kinds() == ["delta", "snapshot"]
    assert bench.sent[-1][2]["seq"] == bench.sent[0][2]["seq"]


def test_a_new_run_shows_its_snapshot_before_its_first_delta(bench):
    bench.feed.rows = 3
    bench.settle()
    bench.feed = Feed(key=2, rows=5)
    bench.sent.clear()
    bench.settle()
    assert bench.kinds()[:2] == ["snapshot", "delta"]
    assert bench.sent[0][2] == {"key": 2, "seq": 0}


def test_a_page_that_asks_gets_the_snapshot_again(bench):
    bench.feed.settled = True
    bench.settle()
    bench.sent.clear()
    bench.snapshots.ask()
    bench.settle()
    assert bench.kinds() == ["snapshot"]


class Sends:
    """An outlet that has something whenever it is told, on the real clock."""

    def __init__(self, error=None):
        self.todo = 0
        self.done = threading.Semaphore(0)
        self.error = error

    def due(self, now):
        return now if self.todo else math.inf

    def send(self, now):
        self.todo -= 1
        self.done.release()
        if self.error is not None:
            raise self.error


def test_its_thread_starts_with_the_first_wake_sleeps_and_ends():
    outlet = Sends()
    publisher = Publisher([outlet], spacing=0.001)
    assert publisher._thread is None
    for _ in range(3):
        outlet.todo = 1
        publisher.wake()
        assert outlet.done.acquire(timeout=PATIENCE)
    thread = publisher._thread
    publisher.close()
    thread.join(timeout=PATIENCE)
    assert not thread.is_alive()
    publisher.wake()
    assert publisher._thread is thread


def test_a_message_that_fails_is_logged_once_and_others_go_on(caplog):
    outlet = Sends(ValueError("no such buffer"))
    publisher = Publisher([outlet], spacing=0.001)
    for _ in range(3):
        outlet.todo = 1
        publisher.wake()
        assert outlet.done.acquire(timeout=PATIENCE)
    publisher.close()
    assert [r.message for r in caplog.records] == ["lrwidget could not update the view of a run"]


def test_what_goes_as_a_whole_goes_when_it_has_changed_and_twice_a_second_at_most():
    whole, clock, sent = {"seq": 0}, Clock(), []
    outlet = WholeOutlet(
        lambda: whole["seq"], lambda: dict(whole), lambda value: sent.append((clock.now, value))
    )
    publisher = Publisher([outlet], clock=clock, spacing=0.1)
    assert publisher.tick() is None
    for tick in range(200):
        clock.now = tick / 100
        whole["seq"] = tick + 1
        publisher.tick()
    while (delay := publisher.tick()) is not None:
        clock.now += delay
    times = [now for now, _ in sent]
    assert times[0] == 0.0
    assert all(after - before >= 0.5 - 1e-9 for before, after in itertools.pairwise(times))
    assert len(times) == 5
    assert sent[-1][1] == {"seq": 200}

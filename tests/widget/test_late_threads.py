"""A thread that the machine lets wait for seconds changes nothing of what a page is told."""

from __future__ import annotations

import math

import jax.numpy as jnp
import pytest

import lrwidget as lrw
from lrwidget import optimizers
from lrwidget.training import Trainer
from lrwidget.widget import LRWidget
from lrwidget.widget._publisher import Publisher
from lrwidget.widget._search import Search
from tests.widget.page import PATIENCE, Page
from tests.widget.probing import X, Y, loss_fn


@pytest.fixture
def page():
    task = lrw.Task({"w": jnp.zeros(4)}, loss_fn, train=(X, Y), batch_size=32)
    made = Page(LRWidget(task, optimizers.sgd(0.01), steps=200))
    yield made
    made.widget.close()


@pytest.mark.parametrize("kind", ["train.start", "train.restart"])
def test_the_reply_to_a_start_names_the_first_step_however_late_it_goes(page, monkeypatch, kind):
    start = Trainer.start

    def start_and_be_late(trainer):
        start(trainer)
        trainer.wait(PATIENCE)

    monkeypatch.setattr(Trainer, "start", start_and_be_late)
    assert page.ask(kind) == {"step": 0}
    assert page.widget.trainer.position == 200


def test_a_page_that_is_told_of_a_range_test_can_ask_the_widget_for_it(page, monkeypatch):
    shown, note = [], Search._note

    def note_and_look(search, sweep):
        shown.append((dict(search.status()["suggestions"]), page.widget.sweep is sweep))
        note(search, sweep)

    monkeypatch.setattr(Search, "_note", note_and_look)
    page.ask("find.start", low=1e-4, high=10.0, steps=40, budget="none")
    page.wait_for("_find", "state", "done")
    assert shown == [({}, True)]


class Late:
    """An outlet whose messages leave long after their turn has begun."""

    def __init__(self):
        self.now, self.lateness, self.sent = 0.0, [], []

    def due(self, now):
        return now if self.lateness else math.inf

    def send(self, now):
        self.now = now + self.lateness.pop(0)
        self.sent.append(self.now)


def test_a_message_that_leaves_late_keeps_the_next_at_its_distance():
    outlet = Late()
    outlet.lateness = [0.0, 2.0, 0.0, 0.05, 0.0, 0.9, 0.0, 0.0]
    publisher = Publisher([outlet], clock=lambda: outlet.now, spacing=0.1)
    # As its thread does while a run wakes it all the time.
    while publisher.tick() is not None:
        outlet.now = max(outlet.now, publisher._free_at)
    gaps = [b - a for a, b in zip(outlet.sent, outlet.sent[1:], strict=False)]
    assert len(gaps) == 7
    assert min(gaps) >= 0.1 - 1e-9

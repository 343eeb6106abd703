"""Random sequences of edit commands, driven through the router against a small model of it all."""

from __future__ import annotations

import json

import ipywidgets
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lrwidget import Chain, Schedule, optimizers, schedules
from lrwidget.widget import ScheduleDesigner
from tests.schedules.strategies import schedules as random_schedules
from tests.widget.malformed import MALFORMED
from tests.widget.page import Page


def a_mask(params):
    return params


CHAIN = Chain.of(
    optimizers.clip_by_global_norm(2.0),
    optimizers.adamw(1e-3, b1=schedules.preset("linear", peak_value=0.8, steps=50), mask=a_mask),
)
# Below 1, so that each may be any track.
CURVES = random_schedules().map(lambda s: s.with_peak(0.9) if s.peak_value > 0.9 else s)
FREE = ["b1", "b2", "weight_decay", "momentum", "own"]
REFUSED = [
    {"b2": schedules.constant(1.0)},
    {"no identifier": schedules.constant(0.1)},
]
BEFORE = [
    {"link": "clip", "hyperparameters": {"max_delta": 1.0}},
    {"link": "multi_steps", "hyperparameters": {"every_k_schedule": 4}},
    {"link": "add_decayed_weights", "hyperparameters": {"weight_decay": 1e-4}},
    {"link": "add_decayed_weights", "hyperparameters": {}},
]
OPTIMIZERS = [
    {"link": "adamw", "hyperparameters": {"learning_rate": 1e-3, "weight_decay": 0.5}},
    {"link": "sgd", "hyperparameters": {"learning_rate": 0.1, "momentum": 0.9}},
    {"link": "sgd", "hyperparameters": {"learning_rate": 0.1}},
    {"link": "polyak_sgd", "hyperparameters": {}},
]
GROUPS = [
    {"name": "head", "paths": ["head/*"], "multiplier": 0.5},
    {"name": "small", "kinds": ["bias", "norm"], "links": OPTIMIZERS[:1]},
    {"name": "rest", "paths": ["*"], "links": [BEFORE[0], OPTIMIZERS[1]]},
]
BAD_CHAINS = [
    {"links": [], "groups": []},
    {"links": BEFORE[:1], "groups": []},
    {"links": OPTIMIZERS[:2], "groups": []},
    {"links": [OPTIMIZERS[0], BEFORE[1]], "groups": []},
    {"links": OPTIMIZERS[:1], "groups": [GROUPS[0], GROUPS[0]]},
    {"links": [{"link": "adamw", "hyperparameters": {"mask": {"kept": 99}}}], "groups": []},
]


@st.composite
def chain_nodes(draw):
    """A chain as a page writes it: any links before one optimizer, and some groups."""
    before = draw(st.lists(st.sampled_from(BEFORE), max_size=3))
    groups = draw(st.lists(st.sampled_from(GROUPS), max_size=3, unique_by=lambda g: g["name"]))
    return {"links": [*before, draw(st.sampled_from(OPTIMIZERS))], "groups": groups}


class Edits(RuleBasedStateMachine):
    """What a page may do, and what Python may do; each refusal must change nothing."""

    @initialize(chain=st.sampled_from([None, CHAIN]))
    def open(self, chain):
        self.page = Page(ScheduleDesigner(chain=chain)).unpaced()
        self.widget = self.page.widget
        self.past = [self.state()]
        self.edits = {"schedule": 0, "tracks": 0, "chain": 0}
        for name in self.edits:
            self.widget.observe(self.count, name)
        self.refused = False

    def count(self, change):
        self.edits[change["name"]] += 1

    def state(self):
        widget = self.widget
        node = widget._design["chain_node"]
        return widget.schedule, dict(widget.tracks), widget.chain, node, widget._code["text"]

    def names(self):
        """Return what may be a track, some of it by a bare name, and what may not."""
        if self.widget.chain is None:
            return FREE
        design = self.widget._design
        known = [*(t["name"] for t in design["tracks"]), *(c["name"] for c in design["candidates"])]
        return [*known, *(a.rpartition(".")[2] for a in known[:1]), "none.such"]

    def send(self, kind, **fields):
        """Send a command; whether it was taken, with what it changed counted once."""
        before, edits = self.state(), dict(self.edits)
        sent = len(self.page.comm.messages)
        reply = self.page.reply(self.page.command(kind, **fields))
        after = self.state()
        if "error" in reply:
            assert after == before
            assert self.edits == edits
            assert len(self.page.comm.messages) == sent + 1
            return False
        assert self.edits == {
            "schedule": edits["schedule"] + (before[0] != after[0]),
            "tracks": edits["tracks"] + (before[1] != after[1]),
            "chain": edits["chain"] + (before[2] != after[2]),
        }
        assert reply["value"] == {"seq": self.widget._design["seq"]}
        if after != before:
            self.past.append(after)
        return True

    def set_all(self, schedule, tracks, **chain):
        nodes = {name: track.to_node() for name, track in tracks.items()}
        return self.send("design.set", schedule=schedule.to_node(), tracks=nodes, **chain)

    def takes(self, tracks):
        """Return whether the design takes these tracks, asked in the plainest way."""
        chain = self.widget.chain
        if chain is None:
            return True
        try:
            named = {chain.resolve(name): track for name, track in tracks.items()}
            chain.replace(named)
        except ValueError:
            return False
        return len(named) == len(tracks)

    @rule(schedule=CURVES, data=st.data())
    def set_everything(self, schedule, data):
        tracks = data.draw(st.dictionaries(st.sampled_from(self.names()), CURVES, max_size=3))
        expected = self.takes(tracks)
        assert self.set_all(schedule, tracks) == expected

    @rule(node=chain_nodes(), schedule=CURVES)
    def set_a_chain_without_tracks(self, node, schedule):
        assert self.set_all(schedule, {}, chain=node)
        chain = self.widget.chain
        assert [link.name for link in chain.links] == [link["link"] for link in node["links"]]
        assert [group.name for group in chain.groups] == [group["name"] for group in node["groups"]]
        assert chain.learning_rate == schedule
        assert self.widget.tracks == {}

    @rule(node=chain_nodes())
    def set_a_chain_with_the_tracks_that_it_has(self, node):
        before = self.widget.tracks
        assert self.send("design.set", chain=node)
        assert len(self.widget.tracks) + len(self.widget._design["chain_warnings"]) >= len(before)

    @rule()
    def take_the_chain_away(self):
        assert self.send("design.set", chain=None)
        assert self.widget.chain is None

    @rule(data=st.data())
    def move_or_remove_a_link(self, data):
        node = self.widget._design["chain_node"]
        if node is None:
            return
        links = data.draw(st.permutations(node["links"]))[data.draw(st.integers(0, 1)) :]
        if self.set_all(self.widget.schedule, {}, chain={**node, "links": links}):
            assert self.widget._design["chain_node"]["links"] == links

    @rule(schedule=CURVES, node=st.sampled_from(BAD_CHAINS))
    def send_a_chain_that_is_refused(self, schedule, node):
        assert not self.set_all(schedule, {}, chain=node)

    @rule(schedule=CURVES)
    def set_the_schedule(self, schedule):
        before = dict(self.widget.tracks)
        assert self.send("schedule.set", schedule=schedule.to_node())
        assert self.widget.schedule == schedule
        assert self.widget.tracks == before

    @rule(data=st.data(), curve=CURVES)
    def add_or_change_a_track(self, data, curve):
        name = data.draw(st.sampled_from(self.names()))
        tracks = self.widget.tracks | {name: curve}
        expected = self.takes(tracks)
        assert self.set_all(self.widget.schedule, tracks) == expected
        assert not expected or self.widget.tracks[name] == curve

    @rule(data=st.data())
    def remove_a_track(self, data):
        tracks = dict(self.widget.tracks)
        if tracks:
            del tracks[data.draw(st.sampled_from(sorted(tracks)))]
            assert self.set_all(self.widget.schedule, tracks)
            assert self.widget.tracks == tracks

    @rule(name=st.sampled_from(schedules.names()), data=st.data(), steps=st.integers(1, 300))
    def choose_a_preset(self, name, data, steps):
        track = data.draw(st.sampled_from(["learning_rate", *self.widget.tracks]))
        self.send("schedule.preset", name=name, steps=steps, peak_value=0.5, track=track)

    @rule(data=st.data())
    def undo(self, data):
        """To undo is to set an earlier state: everything is as it was, the chain's numbers too."""
        earlier = data.draw(st.sampled_from(self.past))
        assert self.set_all(earlier[0], earlier[1], chain=earlier[3])
        assert self.state() == earlier

    @rule(message=st.sampled_from([m for m, _ in MALFORMED.values()]))
    def send_nonsense(self, message):
        before, sent = self.state(), len(self.page.comm.messages)
        self.page.post(message)
        assert self.state() == before
        assert len(self.page.comm.messages) == sent + 1
        assert "error" in self.page.replies()[-1]

    @rule(schedule=CURVES, tracks=st.sampled_from(REFUSED))
    def send_what_is_refused(self, schedule, tracks):
        assert not self.set_all(schedule, {**self.widget.tracks, **tracks})
        rate = "learning_rate" if self.widget.chain is None else self.widget.chain.rate
        assert not self.set_all(schedule, {rate: schedule})

    @rule(factor=st.floats(0.5, 1.0))
    def rescale_in_python(self, factor):
        if self.widget.peak_value > 1e-9:
            self.widget.peak_value *= factor
            self.past.append(self.state())

    @rule()
    def look_at_every_export(self):
        for format in ("json", "csv", "svg"):  # noqa: A001
            assert self.page.ask("export.text", format=format)["text"]

    @invariant()
    def it_is_whole_and_can_be_sent(self):
        if not hasattr(self, "widget"):
            return
        widget, design = self.widget, self.widget._design
        json.dumps(design, allow_nan=False)
        assert Schedule.from_node(design["schedule"]) == widget.schedule
        shown = {t["name"]: Schedule.from_node(t["schedule"]) for t in design["tracks"]}
        assert shown == widget.tracks
        assert not shown.keys() & {c["name"] for c in design["candidates"]}
        assert widget.steps == widget.schedule.steps
        assert abs(widget.peak_value - widget.schedule.peak_value) <= 1e-9
        if widget.chain is not None:
            assert widget.chain.learning_rate == widget.schedule
            scheduled = {
                address: value
                for address in widget.chain.addresses()
                if isinstance(value := widget.chain.value(address), Schedule)
            }
            assert scheduled == {widget.chain.rate: widget.schedule, **widget.tracks}
            kept = widget._keepsakes.chain(design["chain_node"])
            assert kept.replace(scheduled) == widget.chain

    def teardown(self):
        ipywidgets.Widget.close_all()


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=12, stateful_step_count=25)


@pytest.mark.soak
class TestManyEdits(Edits.TestCase):
    settings = settings(max_examples=200, stateful_step_count=25)

"""Thousands of messages of every kind to a run that goes on: what is valid counts, and only that.

The page's commands are mixed with junk: wrong types, ranges and ids, fields too many and too few,
duplicates, bytes. Every message must be answered, and the run must then be that of a trainer which
was given the accepted commands alone, each at the step that its reply named: bit for bit.
"""

from __future__ import annotations

import collections
import logging

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import lrwidget as lrw
from lrwidget import Chain, optimizers, schedules, training
from lrwidget.optimizers import Group
from lrwidget.widget import LRWidget
from lrwidget.widget._protocol import COMMANDS
from tests.widget.malformed import MALFORMED
from tests.widget.page import PATIENCE, Page
from tests.widget.test_protocol import GOOD

STEPS = 10_000_000
RATE, MOMENTUM = "sgd.learning_rate", "sgd.momentum"
COSINE = schedules.preset("cosine", peak_value=0.01, steps=STEPS)
CURVES = [
    schedules.preset("linear", peak_value=0.02, steps=STEPS),
    schedules.constant(0.005, STEPS),
    schedules.preset("wsd", peak_value=0.01, steps=50_000),
]
X = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32)

# ---- what is valid, and the command that it stands for ------------------------------------------

rates = st.sampled_from([1e-4, 3e-3, 0.02])
factors = st.sampled_from([0.5, 0.8, 1.25, 2.0])
lengths = st.integers(1, 500)
later = st.integers(1, 4000)
EFFECTS = {
    "train.set": (
        {"value": rates},
        lambda f: training.Set(values={f["address"]: f["value"]}, at=f.get("at")),
    ),
    "train.scale": (
        {"factor": factors},
        lambda f: training.Scale(factors={f["address"]: f["factor"]}, at=f.get("at")),
    ),
    "train.nudge": (
        {"amount": st.sampled_from([1e-3, -1e-3, 1e-2])},
        lambda f: training.Nudge(amounts={f["address"]: f["amount"]}, at=f.get("at")),
    ),
    "train.release": ({}, lambda f: training.Release(addresses=(f["address"],))),
    "train.plan": (
        {"schedule": st.sampled_from([curve.to_node() for curve in CURVES])},
        lambda f: training.Set(values={f["address"]: schedules.Schedule.from_node(f["schedule"])}),
    ),
    "train.extend": ({"steps": lengths}, lambda f: training.Extend(steps=f["steps"])),
    "train.warmup": ({"steps": lengths}, lambda f: training.RestartWarmup(steps=f["steps"])),
    "train.cooldown": (
        {"steps": st.just(STEPS)},
        lambda f: training.Cooldown(steps=f["steps"]),
    ),
    "train.freeze": ({"group": st.just("head")}, lambda f: training.Freeze(groups=("head",))),
    "train.thaw": ({"group": st.just("head")}, lambda f: training.Thaw(groups=("head",))),
    "train.batch": (
        {"size": st.sampled_from([16, 32])},
        lambda f: training.SetBatchSize(batch_size=f["size"]),
    ),
    "train.undo": ({}, lambda f: training.Undo()),
    "train.rewind": ({"step": st.integers(-50, 20)}, None),  # from where it is
    # Of the rate, which has no upper bound: whether a fan may begin is asked before it is paused.
    "train.fan": (
        {"factors": st.just([0.5, 1.5]), "steps": st.integers(1, 5), "address": st.just(RATE)},
        None,
    ),
    "train.fan_take": ({"index": st.integers(0, 1)}, None),
}
"""Kind -> its fields, and the command with the same effect, where it is one."""

AT = ("train.set", "train.scale", "train.nudge")
HARMLESS = {
    "train.pause": {},
    "train.resume": {},
    "train.step": {"steps": st.integers(1, 40)},
    "train.pace": {"steps_per_second": st.sampled_from([500, 3000, None])},
    "train.snapshot": {},
    "train.preview": {"command": st.just("scale"), "factor": factors},
    "train.watch": {"address": st.sampled_from([RATE, MOMENTUM])},
    "train.script": {},
    "resync": {"stream": st.sampled_from(["train", "find"])},
}


@st.composite
def valid_messages(draw):
    """A command of the page; of a step, how many from now."""
    kind = draw(st.sampled_from([*EFFECTS, *EFFECTS, *HARMLESS]))
    fields = EFFECTS[kind][0] if kind in EFFECTS else HARMLESS[kind]
    message = {"kind": kind, **{name: draw(value) for name, value in fields.items()}}
    if kind in AT and draw(st.integers(0, 3)) == 0:
        message["at"] = draw(later)
    if kind in ("train.set", "train.scale") and draw(st.integers(0, 3)) == 0:
        message["address"] = MOMENTUM
        message |= {
            name: 0.4 if name == "value" else 0.9 for name in ("value", "factor") if name in message
        }
    return message


# ---- what is not --------------------------------------------------------------------------------

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.binary(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
).filter(lambda content: not isinstance(content, dict) or "kind" not in content)
# Of the fields of these kinds none may be any of these values, and no id may be such.
KINDS = sorted(kind for kind in GOOD if kind.startswith(("train.", "find.", "resync")))
WRONG = st.sampled_from([[], {}, b"\x00\xff", float("nan"), float("inf"), "", -1.5, [[[]]]])
WRONG_IDS = st.sampled_from([None, True, 1.5, [], {}, b"id", "x" * 500, float("nan")])


@st.composite
def spoilt_messages(draw):
    """A command of the page with one thing wrong."""
    kind = draw(st.sampled_from(KINDS))
    message = {"id": draw(st.integers() | st.just("j")), "kind": kind, **GOOD[kind]}
    fields = [name for name in GOOD[kind] if kind != "train.preview" or name != "at"]
    match draw(st.sampled_from(["value", "missing", "extra", "id", "kind"])):
        case "value" if fields:
            wrong = WRONG.filter(lambda value: not (kind == "train.nudge" and value == -1.5))
            message[draw(st.sampled_from(fields))] = draw(wrong)
        case "missing" if needed := [n for n in fields if not _optional(kind, n)]:
            del message[draw(st.sampled_from(needed))]
        case "id":
            message["id"] = draw(WRONG_IDS)
        case "kind":
            message["kind"] = draw(
                st.sampled_from(["train.wind", "", "rm -rf", "design"]) | anything
            )
        case _:
            message[draw(st.sampled_from(["colour", "source", "__class__", "kinds"]))] = draw(
                anything
            )
    return message


def _optional(kind, name):
    declared = COMMANDS[kind if kind != "train.preview" else "train.scale"]
    return name != "command" and declared[name].optional


malformed = st.sampled_from([message for message, _ in MALFORMED.values()])
junk = anything | spoilt_messages() | spoilt_messages() | malformed


# ---- the run ------------------------------------------------------------------------------------


def loss_fn(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] + params["b"] - y) ** 2)


@pytest.fixture(scope="module")
def task():
    params = {"w": jnp.zeros(4), "b": jnp.zeros(())}
    return lrw.Task(params, loss_fn, train=(X, Y), valid=(X, Y), batch_size=32)


def chain():
    head = Group("head", multiplier=1.0, paths=["b"])
    return Chain.of(optimizers.sgd(COSINE, momentum=0.5), groups=[head])


class Storm:
    """A page that sends everything, and remembers what it sent."""

    def __init__(self, task):
        self.trainer = lrw.Trainer(task, chain(), pace=3000)
        self.page = Page(LRWidget(self.trainer)).unpaced()
        self.page.ask("train.start")
        self.page.wait(lambda: self.trainer.position)
        self.sent = []  # what was valid, by number
        self.watched = [RATE]  # and which hyperparameter was watched then
        self.junk = 0
        self.posted = 1
        self._read = self._replies = 0

    def play(self, messages):
        """Send messages, and wait until each of them has been answered."""
        for valid, content in messages:
            if valid:
                self._send(content)
            else:
                self.junk += 1
                self._post(content)
        self._post({"id": f"end-{self.posted}", "kind": "train.resume"})
        self.page.wait(self._answered)

    def _send(self, content):
        message = {**content, "id": f"v{len(self.sent)}"}
        name = "step" if message["kind"] == "train.rewind" else "at"
        if name in message:
            message[name] = max(0, message[name] + self.trainer.position)
        # Some come twice, with the very same id.
        for _ in range(1 if len(self.sent) % 13 else 2):
            self.sent.append(message)
            known = message["kind"] == "train.watch"
            self.watched.append(message["address"] if known else self.watched[-1])
            self._post(message)

    def _post(self, content):
        self.posted += 1
        self.page.post(content)

    def _answered(self):
        new = self.page.comm.messages[self._read :]
        self._read += len(new)
        self._replies += sum(m.get("content", {}).get("kind") == "reply" for m, _ in new)
        return self._replies >= self.posted

    def accepted(self):
        """Return the messages that took effect, in order, and the step that each reply named."""
        replies = collections.defaultdict(collections.deque)
        for reply in self.page.replies():
            if _is_ours(reply):
                replies[reply["id"]].append(reply)
        answers = [(message, replies[message["id"]].popleft()) for message in self.sent]
        return [
            (reply["value"]["step"], {"address": watched, **message})
            for (message, reply), watched in zip(answers, self.watched[1:], strict=True)
            if message["kind"] in EFFECTS and reply.get("ok")
        ]

    def refused(self):
        """Return the replies to junk."""
        return [reply for reply in self.page.replies() if not _is_ours(reply)]


def _is_ours(reply):
    return isinstance(reply["id"], str) and reply["id"].startswith(("v", "end-", "train."))


def repeated(task, storm, until):
    """Return a trainer that was given what was accepted and nothing else."""
    alone = lrw.Trainer(task, chain())
    alone.step(1)
    alone.rewind(0)
    fan = None
    for step, message in storm.accepted():
        kind = message["kind"]
        if kind == "train.fan_take":
            fan.take(message["index"])
            assert alone.position == step
            continue
        if step < alone.position:
            assert kind == "train.rewind"
            alone.rewind(step)
        elif step > alone.position:
            alone.step(step - alone.position)
        if kind == "train.fan":
            factors = [{"scale": factor} for factor in message["factors"]]
            fan = alone.fan(factors, message["steps"], address=message["address"])
            assert fan.wait(PATIENCE)
        elif kind != "train.rewind":
            alone.submit(EFFECTS[kind][1](message)).result()
    if until > alone.position:
        alone.step(until - alone.position)
    return alone


def effects(trainer):
    """Return what took effect, without what only says when a hand was where."""
    quiet = ("pause", "resume", "step", "set_pace", "rewind", "take", "refused")
    return [
        (e.step, e.command, e.address, e.before, e.after)
        for e in trainer.journal
        if e.command not in quiet and not e.undone
    ]


def check(task, storm):
    """Compare the run with that of the accepted commands alone, and return how many these were."""
    page, trainer = storm.page, storm.trainer
    page.ask("train.pause")
    assert len(page.replies()) == storm.posted + 1
    assert len(storm.refused()) == storm.junk
    assert all("error" in reply and "ok" not in reply for reply in storm.refused())
    assert trainer.state == "paused"
    alone = repeated(task, storm, trainer.position)
    assert effects(trainer) == effects(alone)
    assert alone.position == trainer.position
    for name in trainer.history.names:
        np.testing.assert_array_equal(trainer.history[name], alone.history[name], err_msg=name)
    for name, values in trainer.params.items():
        np.testing.assert_array_equal(values, alone.params[name])
    count = len(storm.accepted())
    alone.stop()
    return count


def bombard(task, caplog, *, examples, size):
    """Send ``examples × size`` messages, and check what came of them."""
    storm = Storm(task)

    @seed(6)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(
            st.tuples(st.just(True), valid_messages()) | st.tuples(st.just(False), junk),
            min_size=size,
            max_size=size,
        )
    )
    def play(messages):
        storm.play(messages)

    with caplog.at_level(logging.WARNING):
        play()
        count = check(task, storm)
    storm.page.widget.close()
    storm.trainer.stop()
    refused = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert refused == []
    return storm, count


def test_what_is_valid_counts_and_only_that(task, caplog):
    storm, count = bombard(task, caplog, examples=12, size=25)
    assert count > 20
    assert storm.junk > 100
    assert len(storm.sent) > len({message["id"] for message in storm.sent}) + 5


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_thousand_messages(task, caplog, capsys):
    storm, count = bombard(task, caplog, examples=200, size=50)
    with capsys.disabled():
        print(
            f"\nfuzz: {storm.posted} messages, {count} took effect, every one was "
            f"answered, {storm.trainer.position} steps bit-equal"
        )

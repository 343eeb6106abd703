"""Commands: each field is checked before anything is touched, and each message is answered once."""

from __future__ import annotations

import json
from concurrent.futures import Future

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrwidget import optimizers, schedules
from lrwidget.widget import ScheduleDesigner
from lrwidget.widget._protocol import COMMANDS, PREVIEWED, MalformedMessageError, Router, parse
from tests.widget.malformed import MALFORMED
from tests.widget.page import Page

NODE = schedules.preset("warmup_cosine", peak_value=1e-3, steps=100).to_node()
GOOD = {
    "ready": {},
    "view": {"state": {"tab": "train", "hidden": ["slide"], "zoom": None, "log": True, "x": 0.5}},
    "resync": {"stream": "train"},
    "design.set": {
        "schedule": NODE,
        "tracks": {"b1": NODE, "adamw.weight_decay": NODE, "head/adamw.learning_rate": NODE},
        "chain": {"links": [{"link": "adamw", "hyperparameters": {"learning_rate": 1e-3}}]},
    },
    "schedule.set": {"schedule": NODE},
    "schedule.preset": {"name": "cosine", "peak_value": 1e-3, "steps": 200, "track": "b1"},
    "schedule.import": {"text": "step,value\n0,1\n9,0\n", "track": "b1"},
    "export.text": {"format": "pytorch", "track": "b1"},
    "find.start": {
        "low": 1e-7,
        "high": 10,
        "steps": 100,
        "seeds": 3,
        "ladder": "linear",
        "loss": "valid",
        "budget": "thorough",
        "from": "here",
    },
    "find.stop": {},
    "find.use": {"learning_rate": 2.4e-3, "from": "start"},
    "train.start": {},
    "train.pause": {},
    "train.resume": {},
    "train.step": {"steps": 10},
    "train.stop": {},
    "train.restart": {},
    "train.pace": {"steps_per_second": None},
    "train.set": {"value": 1e-3, "address": "adam.learning_rate", "at": 1200},
    "train.release": {"address": "learning_rate", "at": 0},
    "train.scale": {"factor": 0.5, "at": 7},
    "train.nudge": {"amount": -1e-3, "address": "momentum", "at": 9},
    "train.plan": {"schedule": NODE, "address": "momentum", "at": 9},
    "train.extend": {"steps": 500, "at": 9},
    "train.cooldown": {"steps": 100.0},
    "train.warmup": {"steps": 100, "at": 10},
    "train.freeze": {"group": "head", "at": 10},
    "train.thaw": {"group": "head"},
    "train.batch": {"size": 64, "at": 10},
    "train.undo": {},
    "train.cancel": {"number": 0},
    "train.snapshot": {},
    "train.rewind": {"step": 0},
    "train.fork": {"step": 600, "name": "slower"},
    "train.take": {"fork": "1"},
    "train.drop": {"fork": "1"},
    "train.name": {"fork": "1", "name": "slower"},
    "train.fan": {"factors": [0.25, 0.5, 2.0, 4], "steps": 50, "address": "learning_rate"},
    "train.fan_take": {"index": 3},
    "train.fan_drop": {},
    "train.watch": {"address": "momentum"},
    "train.preview": {"command": "scale", "factor": 0.5, "address": "momentum", "at": 9},
    "train.script": {"exact": True},
    "train.diagnose": {},
}


def test_every_command_has_an_example_here():
    assert set(GOOD) == set(COMMANDS)


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_command_is_read(kind):
    command = parse({"id": 1, "kind": kind, **GOOD[kind]})
    assert (command.id, command.kind) == (1, kind)
    assert set(command.fields) == set(GOOD[kind])


def test_fields_arrive_as_python_means_them():
    assert parse({"id": "a", "kind": "train.cooldown", "steps": 100.0}).fields == {"steps": 100}
    assert parse({"id": "a", "kind": "schedule.set", "schedule": NODE}).fields == {
        "schedule": schedules.Schedule.from_node(NODE)
    }


@pytest.mark.parametrize("kind", sorted(PREVIEWED))
def test_a_preview_takes_the_fields_of_what_it_previews(kind):
    fields = GOOD[f"train.{kind}"]
    command = parse({"id": 1, "kind": "train.preview", "command": kind, **fields})
    assert command.fields == {"command": kind, **parse(_of(kind, fields)).fields}
    with pytest.raises(MalformedMessageError, match="colour"):
        parse({"id": 1, "kind": "train.preview", "command": kind, **fields, "colour": 1})


def _of(kind, fields):
    return {"id": 1, "kind": f"train.{kind}", **fields}


@pytest.mark.parametrize("kind", GOOD)
def test_an_unknown_field_is_refused_by_name(kind):
    with pytest.raises(MalformedMessageError, match="colour"):
        parse({"id": 1, "kind": kind, **GOOD[kind], "colour": "red"})


@pytest.mark.parametrize(("message", "said"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_gets_one_error_and_changes_nothing(message, said):
    page = Page(ScheduleDesigner())
    before = page.widget.schedule
    page.post(message)
    [reply] = page.replies()
    assert set(reply) == {"kind", "id", "error"}
    assert said in reply["error"]
    own = message.get("id") if isinstance(message, dict) else None
    assert reply["id"] == (own if isinstance(own, str) and len(own) < 100 else None)
    assert page.widget.schedule is before
    assert len(page.comm.messages) == 1
    page.ask("schedule.set", schedule=NODE)


def test_a_message_far_too_deep_is_answered():
    deep: object = 0
    for _ in range(50_000):
        deep = [deep]
    page = Page(ScheduleDesigner())
    page.post({"id": "deep", "kind": "view", "state": {"x": deep}})
    page.post({"id": "deep", "kind": "schedule.set", "schedule": deep})
    page.post(deep)
    assert [r["id"] for r in page.replies()] == ["deep", "deep", None]


def test_an_error_for_a_huge_value_stays_readable():
    page = Page(ScheduleDesigner())
    text = page.refused("schedule.preset", name="x" * 190, steps=100, peak_value="9" * 10_000)
    assert len(text) < 1000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
field_names = sorted({name for fields in COMMANDS.values() for name in fields})
almost_commands = st.fixed_dictionaries(
    {"id": st.text(max_size=5) | st.integers() | json_values, "kind": st.sampled_from(list(GOOD))},
    optional={name: json_values | st.just(NODE) for name in field_names}
    | {
        "tracks": st.dictionaries(
            st.sampled_from(["b1", "weight_decay", "adamw.b2", "learning_rate", "own", "1", ""])
            | st.text(max_size=5),
            st.just(NODE) | json_values,
            max_size=3,
        )
        | json_values,
        "track": st.sampled_from(["b1", "weight_decay", "learning_rate", "nowhere"]) | json_values,
        "text": st.text(max_size=30) | st.just("0,1\n5,0") | json_values,
        "format": st.sampled_from(["optax", "pytorch", "keras", "json", "csv", "svg"])
        | json_values,
    },
)


anything = st.lists(json_values | almost_commands, min_size=1, max_size=5)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anything)
def test_whatever_comes_is_answered_once_and_the_design_stays_valid(fuzz_page, messages):
    assert_answered(fuzz_page, messages)


@pytest.mark.soak
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anything)
def test_so_is_much_more_of_it(fuzz_page, messages):
    assert_answered(fuzz_page, messages)


def assert_answered(fuzz_page, messages):
    count = len(fuzz_page.replies())
    for message in messages:
        fuzz_page.post(message)
    assert len(fuzz_page.replies()) == count + len(messages)
    design = fuzz_page.widget._design
    json.dumps(design, allow_nan=False)
    assert schedules.Schedule.from_node(design["schedule"]) == fuzz_page.widget.schedule
    shown = {t["name"]: schedules.Schedule.from_node(t["schedule"]) for t in design["tracks"]}
    assert shown == fuzz_page.widget.tracks


@pytest.fixture(params=["alone", "with a chain"])
def fuzz_page(request):
    chain = optimizers.adamw(1e-3) if request.param == "with a chain" else None
    return Page(ScheduleDesigner(chain=chain)).unpaced()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    peak=st.floats() | st.integers(),
    steps=st.floats() | st.integers(-5, 10**6),
    name=st.sampled_from(schedules.names()),
)
def test_a_preset_is_taken_or_refused_with_a_rule(fuzz_page, peak, steps, name):
    id = fuzz_page.command("schedule.preset", name=name, peak_value=peak, steps=steps)  # noqa: A001
    reply = fuzz_page.reply(id)
    assert reply.get("ok") or "must be" in reply["error"]


class Wire:
    """A router with handlers of the test's own."""

    def __init__(self, **handlers):
        self.replies = []
        named = {name.replace("_", "."): handler for name, handler in handlers.items()}
        self.router = Router(self.replies.append, named)

    def send(self, kind):
        self.router.receive({"id": 7, "kind": kind})


def test_a_future_is_answered_when_it_resolves():
    future = Future()
    wire = Wire(train_pause=lambda: future)
    wire.send("train.pause")
    assert wire.replies == []
    future.set_result({"step": 12})
    assert wire.replies == [{"kind": "reply", "id": 7, "ok": True, "value": {"step": 12}}]


def test_a_future_that_fails_or_is_cancelled_is_an_error():
    failing, cancelled = Future(), Future()
    wire = Wire(train_pause=lambda: failing, train_stop=lambda: cancelled)
    wire.send("train.pause")
    wire.send("train.stop")
    failing.set_exception(ValueError("pause needs a run"))
    cancelled.cancel()
    assert [r["error"] for r in wire.replies] == [
        "pause needs a run",
        "the run ended before it took the command",
    ]


def test_what_a_handler_raises_is_the_error():
    def broken():
        raise ZeroDivisionError("in the loss")

    wire = Wire(train_start=broken)
    wire.send("train.start")
    assert wire.replies == [{"kind": "reply", "id": 7, "error": "ZeroDivisionError: in the loss"}]


def test_a_page_hears_of_an_interrupt_too():
    def interrupted():
        raise KeyboardInterrupt

    wire = Wire(train_start=interrupted)
    with pytest.raises(KeyboardInterrupt):
        wire.send("train.start")
    assert wire.replies == [{"kind": "reply", "id": 7, "error": "KeyboardInterrupt"}]


def test_a_command_without_a_handler_says_what_it_needs():
    wire = Wire()
    wire.send("train.start")
    assert "needs a widget with a task" in wire.replies[0]["error"]


def test_a_reply_that_cannot_be_sent_does_not_hurt_the_caller():
    def gone(_):
        raise OSError("socket closed")

    Router(gone, {"train.start": lambda: None}).receive({"id": 1, "kind": "train.start"})

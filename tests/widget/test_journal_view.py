"""A run's journal in words: what is said of each command, and which of them are flags."""

from __future__ import annotations

import dataclasses

import pytest

from lrwidget import schedules
from lrwidget.training import JournalEntry, Scale
from lrwidget.training._commands import (
    Cooldown,
    Extend,
    Freeze,
    Nudge,
    Release,
    RestartWarmup,
    Set,
    SetBatchSize,
    Thaw,
    Undo,
)
from lrwidget.widget._journal_view import JournalView, marks, notice
from lrwidget.widget._journal_words import label, of_command, sentence

LINE = schedules.preset("linear", peak_value=0.5, steps=1000)
NODE = LINE.to_node()
HALF = LINE.scaled(0.5).to_node()
RATE = "adamw.learning_rate"


def entry(command, step=400, **given):
    return JournalEntry(step=step, seconds=1.23456, command=command, source="widget", **given)


SAID = {
    "a number": (
        entry("set", address=RATE, before=NODE, after=3e-3),
        ("learning rate", "the curve", "3e-3"),
        "3e-3",
    ),
    "a curve": (
        entry("set", address="head/sgd.momentum", before=0.9, after=NODE),
        ("head momentum", "0.9", "a new curve"),
        "new curve",
    ),
    "a factor on a curve": (
        entry("scale", address=RATE, before=NODE, after=HALF, arguments={"factor": 0.5}),
        ("learning rate × 0.5", "0.3", "0.15"),
        "×0.5",
    ),
    "a factor on a multiplier": (
        entry(
            "scale",
            address="head/scale.step_size",
            before=1.0,
            after=0.25,
            arguments={"factor": 0.25},
        ),
        ("head multiplier × 0.25", "1", "0.25"),
        "×0.25",
    ),
    "a nudge down": (
        entry("nudge", address=RATE, before=0.5, after=0.4, arguments={"amount": -0.1}),
        ("learning rate − 0.1", "0.5", "0.4"),
        "− 0.1",
    ),
    "a release": (
        entry("release", address=RATE, before=0.1, after=NODE),
        ("learning rate released", "0.1", "the curve"),
        "released",
    ),
    "an extension": (
        entry("extend", before=2000, after=2500, arguments={"steps": 500}),
        ("extended by 500", "2\N{THIN SPACE}000", "2\N{THIN SPACE}500"),
        "+500",
    ),
    "a cooldown": (
        entry(
            "cooldown",
            address=RATE,
            before=NODE,
            after=HALF,
            arguments={"steps": 100, "end_value": 0.0, "run_steps": 500},
        ),
        ("learning rate: cool down over 100 steps", "the curve", "0"),
        "cool down",
    ),
    "a warmup": (
        entry(
            "restart_warmup",
            address=RATE,
            before=NODE,
            after=HALF,
            arguments={"steps": 100, "init_value": 0.0},
        ),
        ("learning rate: warm up over 100 steps", "0", "the curve"),
        "warm up",
    ),
    "a freeze": (
        entry("freeze", address="head/scale.step_size", before=1.0, after=0.0),
        ("froze head", "", ""),
        "froze head",
    ),
    "a thaw": (
        entry("thaw", address="head/adamw.learning_rate", before=0.0, after=NODE),
        ("thawed head", "", ""),
        "thawed head",
    ),
    "a batch size": (
        entry("set_batch_size", before=32, after=64),
        ("batch size", "32", "64"),
        "batch 64",
    ),
    "a pace": (
        entry("set_pace", before=None, after=50.0),
        ("pace", "no limit", "50 steps/s"),
        None,
    ),
    "steps taken": (entry("step", after=7), ("7 steps taken", "", ""), None),
    "a pause": (entry("pause"), ("paused", "", ""), None),
    "a rewind": (entry("rewind", before=900, after=400), ("rewound", "900", "400"), "rewound"),
    "a roll-back": (
        entry(
            "roll_back",
            before=650,
            after=600,
            arguments={"reason": "the loss was nan at step 631", "at": 631, "factor": 0.5},
        ),
        ("rolled back: the loss was nan at step 631; learning rate × 0.5", "650", "600"),
        "rolled back",
    ),
    "a guard that pauses": (
        entry("pause", arguments={"reason": "the loss was nan at step 3"}),
        ("paused: the loss was nan at step 3", "", ""),
        None,
    ),
    "an early end": (
        entry("early_stop", arguments={"reason": "no better loss in 10 passes"}),
        ("stopped early: no better loss in 10 passes", "", ""),
        "stopped early",
    ),
    "a fork": (
        entry("fork", arguments={"name": "slower"}),
        ("forked: slower", "", ""),
        "slower",
    ),
    "an edit for later": (
        entry(
            "schedule",
            arguments={"at": 1200, "command": Scale(factors={RATE: 0.5}, at=1200).to_node()},
        ),
        ("at 1\N{THIN SPACE}200: learning rate × 0.5", "", ""),
        None,
    ),
    "what nobody knows": (entry("lookahead_reset"), ("lookahead reset", "", ""), None),
}


@pytest.mark.parametrize(("given", "said", "flag"), SAID.values(), ids=SAID)
def test_each_command_is_said_in_words(given, said, flag):
    assert sentence(given) == said
    if flag is not None:
        assert label(given) == flag
    shown = JournalView()([given])
    assert len(shown["edits"]) == (flag is not None)
    assert shown["journal"] == [
        {
            "step": 400,
            "seconds": 1.235,
            "text": said[0],
            "from": said[1],
            "to": said[2],
            "source": "widget",
            "undone": False,
        }
    ]


COMMANDS = {
    "learning rate × 0.5": Scale(factors={RATE: 0.5}),
    "learning rate 0.1, momentum a new curve": Set(values={RATE: 0.1, "sgd.momentum": LINE}),
    "learning rate + 1e-3": Nudge(amounts={RATE: 1e-3}),
    "momentum released": Release(addresses=("sgd.momentum",)),
    "everything released": Release(),
    "extended by 500": Extend(steps=500),
    "cool down over 100 steps": Cooldown(steps=100),
    "warm up over 100 steps": RestartWarmup(steps=100),
    "freeze head, body": Freeze(groups=("head", "body")),
    "thaw head": Thaw(groups=("head",)),
    "batch size 64": SetBatchSize(batch_size=64),
    "undo": Undo(),
}


@pytest.mark.parametrize(("said", "command"), COMMANDS.items(), ids=COMMANDS)
def test_a_command_that_waits_is_said_in_words(said, command):
    assert of_command(command) == said
    assert of_command(type(command).from_node(command.to_node())) == said


def test_a_command_about_several_hyperparameters_is_one_flag():
    cooled = [
        entry("cooldown", address=a, call=3, arguments={"steps": 9, "end_value": 0.0}, before=1.0)
        for a in (RATE, "head/adamw.learning_rate")
    ]
    view = JournalView()(cooled)
    assert [flag["label"] for flag in view["edits"]] == ["cool down"]
    assert len(view["journal"]) == 2
    assert [mark.label for mark in marks(cooled)] == ["cool down"]


def test_flags_tell_who_and_whether_they_still_count():
    guard = JournalEntry(step=600, seconds=0, command="scale", arguments={"factor": 0.5},
                         source="guard", before=1.0, after=0.5, call=1)  # fmt: skip
    undone = entry("extend", before=1, after=2, arguments={"steps": 1}, undone=True, call=2)
    flags = JournalView()([guard, undone, entry("rewind", before=9, after=4, call=3)])["edits"]
    assert [flag["kind"] for flag in flags] == ["guard", "edit", "rewind"]
    assert [flag["undone"] for flag in flags] == [False, True, False]
    assert [mark.label for mark in marks([guard, undone])] == ["×0.5"]


def test_what_was_taken_back_is_named_and_struck_through():
    scaled = entry("scale", address=RATE, before=1.0, after=0.5, arguments={"factor": 0.5}, call=4)
    waits = entry("schedule", arguments={"number": 5, "at": 9, "command": None}, call=5)
    undo = entry("undo", address=RATE, before=0.5, after=1.0, arguments={"undoes": 4}, call=6)
    cancel = entry("cancel", before=5, call=7)
    view = JournalView()
    assert view([scaled])["journal"][0]["undone"] is False
    shown = view([scaled, waits, undo, cancel])
    assert [line["text"] for line in shown["journal"][2:]] == [
        "undone: learning rate × 0.5",
        "cancelled: at 9: a command",
    ]
    assert [line["undone"] for line in shown["journal"]] == [True, False, False, False]
    assert [flag["undone"] for flag in shown["edits"]] == [True]
    assert marks([scaled, undo]) == []
    rewound = [scaled, dataclasses.replace(undo, undone=True)]
    assert view(rewound)["journal"][0]["undone"] is False


def test_a_rewind_has_its_flag_where_it_led():
    [flag] = JournalView()([entry("rewind", step=900, before=900, after=400)])["edits"]
    assert flag["step"] == 400


def test_the_newest_two_hundred_are_shown_and_put_into_words_once():
    journal = [entry("pause", call=i) for i in range(700)]
    view = JournalView()
    first = view(journal)["journal"]
    assert len(first) == 200
    again = view([*journal, entry("resume", call=700)])["journal"]
    assert again[-1]["text"] == "resumed"
    assert all(old is new for old, new in zip(first[1:], again[:-1], strict=True))


def test_what_the_guard_did_is_said_until_somebody_changes_something():
    rolled = entry("roll_back", before=650, after=600, arguments={"at": 631})
    journal = [rolled, entry("scale", call=1, arguments={"factor": 0.5}), entry("resume", call=2)]
    assert notice([]) is None
    assert notice([rolled, entry("pause")]) == "diverged at 631, rolled back to 600"
    assert notice(journal) is None
    paused = JournalEntry(
        step=640, seconds=0, command="pause", source="guard", arguments={"at": 631}
    )
    assert notice([paused]) == "diverged at 631"
    assert notice([paused, entry("resume")]) is None
    guards = JournalEntry(step=600, seconds=0, command="scale", source="guard", call=1)
    assert notice([rolled, guards]) == "diverged at 631, rolled back to 600"

"""Messages that no page of ours sends: name -> (message, what the error must say).

The kernel tests send them to a run that goes on.
"""

from __future__ import annotations

from typing import Any

_SEGMENT = {"node": "segment", "shape": "linear", "steps": 100}
_SGD = {"link": "sgd", "hyperparameters": {"learning_rate": 0.1}}
_LINE = {**_SEGMENT, "parameters": {"init_value": 1e-3, "end_value": 0.0}}


def _line(**changes: Any) -> dict[str, Any]:
    return {"id": "m", "kind": "schedule.set", "schedule": {**_LINE, **changes}}


def _command(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": "m", "kind": kind, **fields}


def _find(**fields: Any) -> dict[str, Any]:
    return _command("find.start", low=1e-7, high=1.0, steps=100, **fields)


def _tracks(tracks: Any) -> dict[str, Any]:
    return {"id": "m", "kind": "design.set", "schedule": _LINE, "tracks": tracks}


def _chain(node: Any) -> dict[str, Any]:
    return {"id": "m", "kind": "design.set", "tracks": {}, "chain": node}


def _level(value: float) -> dict[str, Any]:
    return {"node": "segment", "shape": "constant", "steps": 10, "parameters": {"value": value}}


MALFORMED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "a message must be a JSON object"),
    "a list": ([1, 2], "a message must be a JSON object"),
    "text": ("train.pause", "a message must be a JSON object"),
    "a number": (3.5, "a message must be a JSON object"),
    "empty": ({}, "id must be text or a whole number"),
    "no id": ({"kind": "train.pause"}, "id must be"),
    "id is true": ({"id": True, "kind": "train.pause"}, "id must be"),
    "id is a list": ({"id": [1], "kind": "train.pause"}, "id must be"),
    "id is too long": ({"id": "x" * 5000, "kind": "train.pause"}, "id must be"),
    "no kind": ({"id": "m"}, "kind must be one of"),
    "unknown kind": (_command("train.wind"), "kind must be one of"),
    "mistyped kind": (_command("train.paus"), "did you mean 'train.pause'"),
    "kind is an object": ({"id": "m", "kind": {}}, "kind must be one of"),
    "field too many": (_command("train.pause", step=3), "got 'step'"),
    "field missing": (_command("train.extend"), "must have the field 'steps'"),
    "steps is text": (_command("train.extend", steps="10"), "steps must be a whole number"),
    "steps is zero": (_command("train.step", steps=0), "steps must be a whole number >= 1"),
    "steps is half": (_command("train.step", steps=1.5), "steps must be a whole number"),
    "steps is true": (_command("train.cooldown", steps=True), "steps must be a whole number"),
    "steps is endless": (_command("train.extend", steps=2**40), "steps must be a whole number"),
    "rate is NaN": (_command("train.set", value=float("nan")), "value must be a finite number"),
    "rate is infinite": (_command("find.use", learning_rate=float("inf")), "finite number"),
    "rate is negative": (_command("find.use", learning_rate=-1e-3), "learning_rate must be"),
    "rate is null": (_command("train.set", value=None), "value must be a finite number"),
    "rate is huge": (_command("train.set", value=10**400), "must be a finite number"),
    "factor is zero": (_command("train.scale", factor=0), "factor must be"),
    "factor is an object": (_command("train.scale", factor={}), "factor must be"),
    "pace is zero": (_command("train.pace", steps_per_second=0), "steps_per_second must be"),
    "address is a number": (_command("train.release", address=3), "address must be text"),
    "address is empty": (_command("train.release", address=""), "address must be text"),
    "stream is unknown": (_command("resync", stream="test"), "stream must be one of find, train"),
    "preset is unknown": (_command("schedule.preset", name="cosin"), "did you mean 'cosine'"),
    "rungs are few": (_command("find.start", low=1e-7, high=1, steps=2), "steps must be"),
    "low is zero": (_command("find.start", low=0, high=1, steps=100), "low must be"),
    "no seeds": (_find(seeds=0), "seeds must be a whole number >= 1 and <= 16, got 0"),
    "seeds are many": (_find(seeds=17), "seeds must be a whole number >= 1 and <= 16, got 17"),
    "ladder is unknown": (_find(ladder="linaer"), "did you mean 'linear'"),
    "loss is unknown": (_find(loss="test"), "loss must be one of train, valid; got 'test'"),
    "budget is a number": (_find(budget=400), "budget must be one of none, quick, thorough"),
    "from nowhere": (_find(**{"from": "there"}), "from must be one of here, start"),
    "used from a step": (
        _command("find.use", learning_rate=1e-3, **{"from": 7}),
        "from must be one of here, start; got 7",
    ),
    "view is a list": (_command("view", state=[]), "state must be a JSON object"),
    "view is large": (_command("view", state={"x": "y" * 30_000}), "at most 20000 characters"),
    "view has NaN": (_command("view", state={"zoom": [0.0, float("nan")]}), "finite numbers"),
    "schedule is null": (_command("schedule.set", schedule=None), "must be a JSON object"),
    "schedule is text": (_command("schedule.set", schedule="cosine"), "must be a JSON object"),
    "node is unknown": (_line(node="tree"), "schedule.node must be one of"),
    "shape is unknown": (_line(shape="linea"), "did you mean 'linear'"),
    "shape is a list": (_line(shape=["linear"]), "shape must be one of"),
    "segment of no steps": (_line(steps=0), "steps must be a whole number >= 1"),
    "segment without end": (_line(steps=None), "got None"),
    "segment too long": (_line(steps=2**40), "must have <="),
    "parameter is negative": (_line(parameters={"init_value": -1.0}), "init_value must be"),
    "parameter is NaN": (_line(parameters={"end_value": float("nan")}), "end_value must be"),
    "parameter is unknown": (_line(parameters={"peak": 1.0}), "got 'peak'"),
    "parameters are a list": (_line(parameters=[1.0]), "parameters must be a JSON object"),
    "join of nothing": (
        _command("schedule.set", schedule={"node": "join", "parts": []}),
        "must be a list of 1 to",
    ),
    "tracks are a list": (_tracks([_LINE]), "tracks must be a JSON object"),
    "track is null": (_tracks({"b1": None}), "the track 'b1': schedule must be a JSON object"),
    "track beyond its range": (_tracks({"b1": _level(1.0)}), "b1 must be a finite number >= 0 and"),
    "track below its range": (_tracks({"weight_decay": _level(-1.0)}), "value must be"),
    "track of an address beyond its range": (
        _tracks({"adamw.b2": _level(3.0)}),
        "adamw.b2 must be a finite number >= 0 and < 1, got 3.0",
    ),
    "one track of two is bad": (
        _tracks({"b1": _level(0.5), "b2": _level(1.5)}),
        "the track 'b2'",
    ),
    "track without a name": (_tracks({"": _level(0.1)}), "the name of a track must be text"),
    "track with a long name": (_tracks({"b" * 300: _level(0.1)}), "of 1 to 200 characters"),
    "tracks without number": (
        _tracks({f"t{i}": _level(0.1) for i in range(65)}),
        "tracks must be at most 64 schedules, got 65",
    ),
    "chain is a list": (_chain([]), "chain must be a JSON object, got []"),
    "chain of nothing": (_chain({"links": []}), "a chain must have at least one link"),
    "chain of a thousand links": (_chain({"links": [_SGD] * 1000}), "at most 64, got 1000"),
    "chain of an unknown link": (
        _chain({"links": [{**_SGD, "link": "sdg"}]}),
        "links[0].link must be the name of a link, got 'sdg' (did you mean 'sgd'?)",
    ),
    "chain without a rate": (
        _chain({"links": [{"link": "centralize", "hyperparameters": {}}]}),
        "the chain must have a learning rate",
    ),
    "chain with two rates": (_chain({"links": [_SGD, _SGD]}), "must have one learning rate"),
    "chain with a number beyond its range": (
        _chain({"links": [{**_SGD, "hyperparameters": {"learning_rate": -1.0}}]}),
        "learning_rate must be a finite number >= 0",
    ),
    "chain with a curve in it": (
        _chain({"links": [{**_SGD, "hyperparameters": {"learning_rate": {"schedule": _LINE}}}]}),
        "its curve is one of tracks",
    ),
    "chain with what it never had": (
        _chain({"links": [{**_SGD, "kept": 0}]}),
        "kept must be the number of what this widget has had as link: one of none, got 0",
    ),
    "chain with a group of two minds": (
        _chain({"links": [_SGD], "groups": [{"name": "a", "kinds": ["bias"], "paths": ["b"]}]}),
        "the group a must have a multiplier or a chain, one of them",
    ),
    "preset for no track": (_command("schedule.preset", name="cosine", track=3), "track must be"),
    "preset for an unknown track": (
        _command("schedule.preset", name="cosine", track="gamma"),
        "track must be one of learning_rate",
    ),
    "file is empty": (_command("schedule.import", text=""), "text must be text of 1 to 1000000"),
    "file is large": (_command("schedule.import", text="0,1\n" * 400_000), "got 1600000"),
    "file is bytes": (_command("schedule.import", text=[1, 2]), "text must be text of"),
    "file is prose": (_command("schedule.import", text="hello"), "the CSV must have"),
    "format is unknown": (_command("export.text", format="torch"), "format must be one of"),
    "format is missing": (_command("export.text"), "must have the field 'format'"),
    "export of an unknown track": (
        _command("export.text", format="csv", track="gamma"),
        "track must be one of learning_rate",
    ),
    "slice without end": (
        _command(
            "schedule.set",
            schedule={"node": "slice", "part": _LINE, "start": 0, "steps": None},
        ),
        "got None",
    ),
    "at is negative": (_command("train.scale", factor=2, at=-1), "at must be a whole number >= 0"),
    "at is half": (_command("train.extend", steps=2, at=1.5), "at must be a whole number"),
    "at is beyond": (_command("train.undo", at=3), "got 'at'"),
    "amount is infinite": (_command("train.nudge", amount=float("inf")), "amount must be"),
    "rewind to nowhere": (_command("train.rewind"), "must have the field 'step'"),
    "rewind before the start": (_command("train.rewind", step=-1), "step must be a whole number"),
    "rewind to text": (_command("train.rewind", step="0"), "step must be a whole number"),
    "fork is a number": (_command("train.take", fork=1), "fork must be text"),
    "fork without a name": (_command("train.name", fork="1", name=""), "name must be text"),
    "name is long": (_command("train.fork", name="x" * 201), "name must be text of 1 to 200"),
    "fan of one": (_command("train.fan", factors=[2], steps=5), "a list of 2 to 12 numbers, got 1"),
    "fan of many": (_command("train.fan", rates=[0.1] * 13, steps=5), "2 to 12 numbers, got 13"),
    "fan of text": (_command("train.fan", factors=[1, "2"], steps=5), "factors[1] must be"),
    "fan of a negative": (_command("train.fan", rates=[0.1, -1], steps=5), "rates[1] must be"),
    "fan of no steps": (_command("train.fan", rates=[0.1, 1], steps=0), "steps must be"),
    "fan is an object": (_command("train.fan", rates={}, steps=5), "rates must be a list"),
    "index is out of range": (_command("train.fan_take", index=12), "index must be a whole"),
    "exact is a number": (_command("train.script", exact=1), "exact must be true or false"),
    "group is missing": (_command("train.freeze"), "must have the field 'group'"),
    "batch of none": (_command("train.batch", size=0), "size must be a whole number >= 1"),
    "preview of nothing": (_command("train.preview"), "command must be one of"),
    "preview of a rewind": (_command("train.preview", command="rewind", step=0), "command must"),
    "preview of a preview": (_command("train.preview", command="preview"), "command must"),
    "preview with a field too many": (
        _command("train.preview", command="undo", factor=2),
        "got 'factor'",
    ),
    "preview with a bad field": (
        _command("train.preview", command="scale", factor=-2),
        "factor must be",
    ),
    "plan beyond float32": (
        _command(
            "train.plan",
            schedule={**_LINE, "parameters": {"init_value": 1e300, "end_value": 0.0}},
        ),
        "the peak of schedule must be",
    ),
}

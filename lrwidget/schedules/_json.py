"""Schedules as plain JSON data, with a schema and a version; what is read is checked, never run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lrwidget import _checks
from lrwidget.schedules._parts import Part, Segment, Slice

if TYPE_CHECKING:
    from lrwidget.schedules._schedule import Schedule

SCHEMA = "lrwidget/schedule"
VERSION = 1

# A drawing of more parts than this is a table, and would stall the page that draws it.
MAX_PARTS = 10_000


def to_node(schedule: Schedule, *, samples: bool = False) -> dict[str, Any]:
    """Return the schedule's tree; with `samples`, shapes without a twin carry 257 values."""
    nodes = []
    for part in schedule.parts:
        node = part.to_node()
        inner, segment = (node["part"], part.segment) if isinstance(part, Slice) else (node, part)
        if samples and not segment.shape.twin:
            inner["samples"] = segment.samples()
        nodes.append(node)
    return nodes[0] if len(nodes) == 1 else {"node": "join", "parts": nodes}


def from_node(node: Any) -> list[Part]:
    """Return the parts that `node` describes, or raise a ValueError that says where it is wrong."""
    return _node("schedule", node, {**_LEAVES, "join": _join})


def to_json(schedule: Schedule) -> str:
    """Return the schedule as JSON text."""
    return document(SCHEMA, VERSION, {"root": to_node(schedule)})


def from_json(text: str) -> list[Part]:
    """Return the parts in JSON text, or raise a ValueError that says where it is wrong."""
    return from_node(parse_document(text, SCHEMA, VERSION, {"root"})["root"])


def document(schema: str, version: int, content: Mapping[str, Any]) -> str:
    """Return `content` as JSON text that says what it is."""
    return json.dumps({"schema": schema, "version": version, **content}, allow_nan=False)


def parse_document(text: Any, schema: str, version: int, keys: set[str]) -> dict[str, Any]:
    """Return the content of JSON text written by `document`, its schema and version checked."""
    if not isinstance(text, str):
        raise TypeError(f"the JSON text of {schema} must be a str, got {type(text).__name__}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the JSON text of {schema} cannot be read: {error}") from None
    content = fields(schema, content, {"schema", "version", *keys})
    if content["schema"] != schema:
        raise ValueError(f"schema must be {schema!r}, got {content['schema']!r}")
    if content["version"] != version:
        raise ValueError(
            f"version of {schema} must be {version}, got {content['version']!r}; "
            "a newer lrwidget may have written it"
        )
    return content


def fields(
    where: str, value: Any, names: set[str], optional: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return `value` if it is a JSON object with just these fields, or raise a ValueError."""
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"{where} must be a JSON object, got {value!r:.80}"
        )
    missing = sorted(names - value.keys())
    unknown = sorted(map(str, value.keys() - names - optional))
    if missing or unknown:
        found = f"without {', '.join(missing)}" if missing else f"with {', '.join(unknown)}"
        raise ValueError(
            f"{where} must have the fields {', '.join(sorted(names))}, got one {found}"
        )
    return value


def _node(where: str, node: Any, readers: Mapping[str, _Reader]) -> list[Part]:
    if not isinstance(node, dict) or not isinstance(node.get("node"), str):
        rule = "must be a JSON object with a field node"
        raise ValueError(f"{where} {rule}, got {node!r:.80}")  # noqa: TRY004  (as above)
    kind = _checks.choice(f"{where}.node", node["node"], readers)
    return readers[kind](where, node)


def _segment(where: str, node: Any) -> list[Part]:
    node = fields(
        where, node, {"node", "shape", "steps", "parameters"}, optional=frozenset({"samples"})
    )
    parameters = node["parameters"]
    if not isinstance(parameters, dict):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"{where}.parameters must be a JSON object, got {parameters!r:.80}"
        )
    try:
        return [Segment(node["shape"], node["steps"], **parameters)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def _slice(where: str, node: Any) -> list[Part]:
    node = fields(where, node, {"node", "part", "start", "steps"})
    [part] = _node(f"{where}.part", node["part"], {"segment": _segment})
    assert isinstance(part, Segment)  # noqa: S101  (the one reader that was given)
    try:
        return [Slice(part, node["start"], node["steps"])]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def _join(where: str, node: Any) -> list[Part]:
    parts = fields(where, node, {"node", "parts"})["parts"]
    if not isinstance(parts, list) or not 1 <= len(parts) <= MAX_PARTS:
        raise ValueError(
            f"{where}.parts must be a list of 1 to {MAX_PARTS} parts, got {parts!r:.80}"
        )
    return [
        leaf for i, part in enumerate(parts) for leaf in _node(f"{where}.parts[{i}]", part, _LEAVES)
    ]


_Reader = Callable[[str, Any], list[Part]]
_LEAVES: dict[str, _Reader] = {"segment": _segment, "slice": _slice}

"""Schedules as plain JSON data, with a schema and a version; what is read is checked, never run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from lrwidget import _checks
from lrwidget.schedules._nodes import Clip, Product, Repeat, Reverse, Staircase
from lrwidget.schedules._parts import MAX_DEPTH, MAX_PARTS, Part, Segment, Slice
from lrwidget.schedules._schedule import Schedule

_T = TypeVar("_T")
_SAMPLES = frozenset({"samples"})

SCHEMA = "lrwidget/schedule"
VERSION = 1


def to_node(schedule: Schedule, *, samples: bool = False) -> dict[str, Any]:
    """Return the schedule's tree; with `samples`, shapes without a twin carry 257 values."""
    nodes = [part.to_node(samples=samples) for part in schedule.parts]
    return nodes[0] if len(nodes) == 1 else {"node": "join", "parts": nodes}


def from_node(node: Any) -> Schedule:
    """Return the schedule that `node` describes, or raise a ValueError that says where it fails."""
    return _Reading().schedule("schedule", node, 0)


def to_json(schedule: Schedule) -> str:
    """Return the schedule as JSON text."""
    return document(SCHEMA, VERSION, {"root": to_node(schedule)})


def from_json(text: str) -> Schedule:
    """Return the schedule in JSON text, or raise a ValueError that says where it is wrong."""
    return from_node(parse_document(text, SCHEMA, VERSION, {"root"})["root"])


def document(schema: str, version: int, content: Mapping[str, Any]) -> str:
    """Return `content` as JSON text that says what it is."""
    return json.dumps({"schema": schema, "version": version, **content}, allow_nan=False)


def parse_document(
    text: Any,
    schema: str,
    version: int,
    keys: set[str],
    optional: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the content of JSON text written by `document`, its schema and version checked."""
    if not isinstance(text, str):
        raise TypeError(f"the JSON text of {schema} must be a str, got {type(text).__name__}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the JSON text of {schema} cannot be read: {error}") from None
    content = fields(schema, content, {"schema", "version", *keys}, optional)
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


class _Reading:
    """One reading of a tree: what is read is counted, so that no small text becomes a huge one."""

    def __init__(self) -> None:
        self._left = MAX_PARTS
        self._readers: dict[str, Callable[[str, dict[str, Any], int], Part]] = {
            "segment": self._segment,
            "slice": self._slice,
            "product": self._product,
            "repeat": self._repeat,
            "reverse": self._reverse,
            "clip": self._clip,
            "staircase": self._staircase,
        }

    def schedule(self, where: str, node: Any, depth: int) -> Schedule:
        """Return a join or a part as a schedule."""
        if _kind(where, node, ["join", *self._readers]) != "join":
            return Schedule(self.part(where, node, depth))
        nodes = fields(where, node, {"node", "parts"})["parts"]
        if not isinstance(nodes, list) or not 1 <= len(nodes) <= MAX_PARTS:
            raise ValueError(
                f"{where}.parts must be a list of 1 to {MAX_PARTS} parts, got {nodes!r:.80}"
            )
        parts = [self.part(f"{where}.parts[{i}]", part, depth) for i, part in enumerate(nodes)]
        return _made(where, lambda: Schedule(*parts))

    def part(self, where: str, node: Any, depth: int) -> Part:
        """Return a part that lies within `depth` nodes."""
        if depth > MAX_DEPTH:
            raise ValueError(f"{where} must be nested at most {MAX_DEPTH} deep, got {depth}")
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"{where} must be one of at most {MAX_PARTS} parts in all, got more")
        return self._readers[_kind(where, node, self._readers)](where, node, depth)

    def _segment(self, where: str, node: dict[str, Any], depth: int) -> Part:
        node = fields(where, node, {"node", "shape", "steps", "parameters"}, _SAMPLES)
        parameters = node["parameters"]
        if not isinstance(parameters, dict):
            raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
                f"{where}.parameters must be a JSON object, got {parameters!r:.80}"
            )
        return _made(where, lambda: Segment(node["shape"], node["steps"], **parameters))

    def _slice(self, where: str, node: dict[str, Any], depth: int) -> Part:
        fields(where, node, {"node", "part", "start", "steps"})
        part = self.part(f"{where}.part", node["part"], depth + 1)
        return _made(where, lambda: Slice(part, node["start"], node["steps"]))

    def _product(self, where: str, node: dict[str, Any], depth: int) -> Part:
        fields(where, node, {"node", "left", "right"})
        left = self.schedule(f"{where}.left", node["left"], depth + 1)
        right = self.schedule(f"{where}.right", node["right"], depth + 1)
        return _made(where, lambda: Product(left, right))

    def _repeat(self, where: str, node: dict[str, Any], depth: int) -> Part:
        fields(where, node, {"node", "part", "times", "decay_rate", "floor"})
        part = self._inner(where, node, depth)
        more = {name: node[name] for name in ("times", "decay_rate", "floor")}
        return _made(where, lambda: Repeat(part, **more))

    def _reverse(self, where: str, node: dict[str, Any], depth: int) -> Part:
        fields(where, node, {"node", "part"})
        part = self._inner(where, node, depth)
        return _made(where, lambda: Reverse(part))

    def _clip(self, where: str, node: dict[str, Any], depth: int) -> Part:
        fields(where, node, {"node", "part", "low", "high"})
        part = self._inner(where, node, depth)
        return _made(where, lambda: Clip(part, node["low"], node["high"]))

    def _staircase(self, where: str, node: dict[str, Any], depth: int) -> Part:
        fields(where, node, {"node", "part", "every"})
        part = self._inner(where, node, depth)
        return _made(where, lambda: Staircase(part, node["every"]))

    def _inner(self, where: str, node: dict[str, Any], depth: int) -> Schedule:
        return self.schedule(f"{where}.part", node["part"], depth + 1)


def _kind(where: str, node: Any, kinds: Iterable[str]) -> str:
    if not isinstance(node, dict) or not isinstance(node.get("node"), str):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"{where} must be a JSON object with a field node, got {node!r:.80}"
        )
    return _checks.choice(f"{where}.node", node["node"], kinds)


def _made(where: str, make: Callable[[], _T]) -> _T:
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None

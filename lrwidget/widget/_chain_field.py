"""The field ``chain`` of a command: its form and its size are checked before it is read."""

from __future__ import annotations

import difflib
import math
from typing import Any

from lrwidget.optimizers._registry import declarations
from lrwidget.schedules._json import fields

MOST_LINKS = 64
MOST_GROUPS = 32
_MOST_WORDS = 64
_MOST_HYPERPARAMETERS = 64
_MOST_NUMBERS = 16
_LONGEST_TEXT = 200
_HIGHEST = 3.4e38
# Python's whole numbers have no end; those of a compiled step do.
_HIGHEST_INTEGER = 2**31 - 1

_LINK = {"link", "hyperparameters"}
_GROUP = frozenset({"paths", "kinds", "mask", "multiplier", "links"})


def chain_field(name: str, value: Any) -> dict[str, Any] | None:
    """Return a chain's node, whose numbers and names are for the chain itself to check.

    Raises
    ------
    TypeError, ValueError
        If it has another form, or is larger than any chain that is of use.
    """
    if value is None:
        return None
    node = fields(name, value, {"links"}, frozenset({"groups"}))
    groups = _list(f"{name}.groups", node.get("groups", []), MOST_GROUPS)
    lists = {f"{name}.links": _list(f"{name}.links", node["links"], MOST_LINKS)}
    for i, group in enumerate(groups):
        where = f"{name}.groups[{i}]"
        _group(where, group)
        if "links" in group:
            lists[f"{where}.links"] = _list(f"{where}.links", group["links"], MOST_LINKS)
    count = sum(map(len, lists.values()))
    if count > MOST_LINKS:
        raise ValueError(f"{name} must have at most {MOST_LINKS} links in all, got {count}")
    for where, links in lists.items():
        for i, link in enumerate(links):
            _link(f"{where}[{i}]", link)
    return node


def _group(where: str, group: Any) -> None:
    fields(where, group, {"name"}, _GROUP)
    _text(f"{where}.name", group["name"])
    for key in ("paths", "kinds"):
        for word in _list(f"{where}.{key}", group.get(key, []), _MOST_WORDS):
            _text(f"a word of {where}.{key}", word)
    if "mask" in group:
        _kept(f"{where}.mask", group["mask"])
    if "multiplier" in group:
        _number(f"{where}.multiplier", group["multiplier"])


def _link(where: str, link: Any) -> None:
    fields(where, link, _LINK, frozenset({"kept"}))
    name = _text(f"{where}.link", link["link"])
    if "kept" not in link and name not in declarations():
        close = difflib.get_close_matches(name, declarations(), n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"{where}.link must be the name of a link, got {name!r}{meant}")
    if "kept" in link:
        _kept(where, {"kept": link["kept"]})
    values = link["hyperparameters"]
    if not isinstance(values, dict) or len(values) > _MOST_HYPERPARAMETERS:
        raise TypeError(
            f"{where}.hyperparameters must be a JSON object of at most {_MOST_HYPERPARAMETERS} "
            f"fields, got {values!r:.80}"
        )
    for key, value in values.items():
        _value(f"{where}.{key}", value)


def _value(where: str, value: Any) -> None:
    match value:
        case None | bool():
            pass
        case int() | float():
            _number(where, value)
        case str():
            _text(where, value)
        case list():
            for i, number in enumerate(_list(where, value, _MOST_NUMBERS)):
                _number(f"{where}[{i}]", number)
        case {"schedule": _}:
            raise ValueError(f"{where} must be a number here: its curve is one of tracks")
        case _:
            _kept(where, value)


def _number(where: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    most = _HIGHEST_INTEGER if isinstance(value, int) else _HIGHEST
    # A comparison with NaN is false, and a huge whole number never becomes a float.
    if not number or not -most <= value <= most or not math.isfinite(value):
        raise ValueError(f"{where} must be a finite number up to {most:g}, got {value!r:.80}")


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError(
            f"{where} must be text of 1 to {_LONGEST_TEXT} characters, got {value!r:.80}"
        )
    return value


def _list(where: str, value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        size = f"{len(value)} of them" if isinstance(value, list) else f"{value!r:.80}"
        raise ValueError(f"{where} must be a list of at most {most}, got {size}")
    return value


def _kept(where: str, value: Any) -> None:
    token = fields(where, value, {"kept"})["kept"]
    if isinstance(token, bool) or not isinstance(token, int):
        raise TypeError(f"{where}.kept must be a whole number, got {token!r:.80}")

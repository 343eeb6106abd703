"""A chain as plain JSON data for a front end that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._groups import ALL, Group
from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain

# Of these the browser only learns whether there is one.
_OBJECTS = ("mask", "function", "chain")
_DECLARED = ("name", "kind", "live", "optional", "choices", "help")
_BOUNDS = ("low", "high", "low_open", "high_open")


def links_shown(chain: Chain, group: str = ALL) -> list[dict[str, Any]]:
    """Return the links of one group, or of all parameters, with all of their fields."""
    return [_link(label, link) for label, link in chain.labelled_in(group)]


def groups_shown(chain: Chain) -> list[dict[str, Any]]:
    """Return the groups with what they match and what is done with them."""
    return [_group(chain, group) for group in chain.groups]


def _group(chain: Chain, group: Group) -> dict[str, Any]:
    by = next((words for words in ("paths", "kinds") if getattr(group, words)), "mask")
    [*links] = links_shown(chain, group.name)
    return {
        "name": group.name,
        "by": by,
        "match": None if by == "mask" else ", ".join(getattr(group, by)),
        "multiplier": None if group.own else links[0]["hyperparameters"][0],
        "chain": links if group.own else None,
    }


def _link(label: str, link: Link) -> dict[str, Any]:
    declared = link.declaration
    return {
        "link": link.name,
        "label": label,
        "category": declared.category,
        "help": declared.help,
        "hyperparameters": [
            _hyperparameter(f"{label}.{h.name}", h, link[h.name]) for h in declared.hyperparameters
        ],
    }


def _hyperparameter(address: str, declared: Hyperparameter, value: Any) -> dict[str, Any]:
    scheduled = isinstance(value, Schedule)
    shown = value
    if scheduled:
        shown = None
    elif declared.kind in _OBJECTS and value is not None and not isinstance(value, bool):
        shown = "set"
    told = {field: getattr(declared, field) for field in (*_DECLARED, *_BOUNDS)}
    return {
        "address": address,
        "value": list(shown) if isinstance(shown, tuple) else shown,
        "default": not (scheduled or declared.required) and _alike(value, declared.default),
        "scheduled": scheduled,
        **told,
        "live": declared.kind == "number" and declared.live,
        "choices": list(declared.choices),
    }


def _alike(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))

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


def links_shown(chain: Chain, group: str = ALL, base: Chain | None = None) -> list[dict[str, Any]]:
    """Return the links of one group, or of all parameters, with all of their fields.

    `base` is the same chain with numbers where `chain` has schedules: these are shown then.
    """
    plain = dict((base or chain).labelled_in(group))
    return [_link(label, link, plain[label]) for label, link in chain.labelled_in(group)]


def groups_shown(chain: Chain, base: Chain | None = None) -> list[dict[str, Any]]:
    """Return the groups with what they match and what is done with them."""
    return [_group(chain, group, base) for group in chain.groups]


def _group(chain: Chain, group: Group, base: Chain | None) -> dict[str, Any]:
    by = next((words for words in ("paths", "kinds") if getattr(group, words)), "mask")
    links = links_shown(chain, group.name, base) if group.own else None
    return {
        "name": group.name,
        "by": by,
        "match": None if by == "mask" else ", ".join(getattr(group, by)),
        "multiplier": None if group.own else _multiplier(chain, group, base),
        "chain": links,
    }


def _multiplier(chain: Chain, group: Group, base: Chain | None) -> dict[str, Any]:
    address = chain.resolve(f"{group.name}/multiplier")
    declared = chain.hyperparameter(address)
    return _hyperparameter(address, declared, group.multiplier, (base or chain).value(address))


def _link(label: str, link: Link, plain: Link) -> dict[str, Any]:
    declared = link.declaration
    return {
        "link": link.name,
        "label": label,
        "category": declared.category,
        "help": declared.help,
        "hyperparameters": [
            _hyperparameter(f"{label}.{h.name}", h, link[h.name], plain[h.name])
            for h in declared.hyperparameters
        ],
    }


def _hyperparameter(
    address: str, declared: Hyperparameter, value: Any, plain: Any
) -> dict[str, Any]:
    scheduled = isinstance(value, Schedule)
    shown = plain
    if isinstance(plain, Schedule):
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

"""Chains as JSON text, with a schema and a version; what is read is checked, never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._groups import Group
from lrwidget.optimizers._link import Link
from lrwidget.optimizers._registry import declaration
from lrwidget.schedules import Schedule
from lrwidget.schedules._json import document, fields, parse_document

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain

SCHEMA = "lrwidget/chain"
VERSION = 1

_OPTIONAL = frozenset({"groups"})
_MATCHING = frozenset({"paths", "kinds", "mask", "multiplier", "links"})

Node = dict[str, Any]
# Of an object that JSON cannot hold: where it belongs ("adamw.mask", "mask" for that of a group,
# "link" for a custom one), and the object, for which plain data stands; or that, which gives the
# object back.
Keep = Callable[[str, Any], Any]
Kept = Callable[[str, Any], Any]


def to_json(chain: Chain) -> str:
    """Return the chain as JSON text."""
    return document(SCHEMA, VERSION, to_node(chain))


def from_json(text: str) -> tuple[list[Link], list[Group]]:
    """Return what is in JSON text, or raise a ValueError that says where it is wrong."""
    content = parse_document(text, SCHEMA, VERSION, {"links"}, _OPTIONAL)
    return from_node({name: content[name] for name in ("links", "groups") if name in content})


def to_node(chain: Chain, *, keep: Keep | None = None) -> Node:
    """Return the chain as plain JSON data, defaults left out.

    Parameters
    ----------
    chain
        What is written.
    keep
        Returns what is written as ``{"kept": …}`` for an object that JSON cannot hold; by default
        such objects are refused.
    """
    node: Node = {"links": [_link_node(*each, keep=keep) for each in chain.labelled_in("all")]}
    if chain.groups:
        node["groups"] = [_group_node(chain, group, keep=keep) for group in chain.groups]
    return node


def from_node(node: Any, kept: Kept | None = None) -> tuple[list[Link], list[Group]]:
    """Return the links and groups of a node; `kept` gives what ``{"kept": …}`` stands for."""
    node = fields("the chain", node, {"links"}, _OPTIONAL)
    try:
        links = _links("links", node["links"], kept)
        groups = _list("groups", node.get("groups", []))
        return links, [_group(f"groups[{i}]", group, kept) for i, group in enumerate(groups)]
    except RecursionError:
        raise ValueError("the chain must not be nested so deep") from None


# ---- writing -----------------------------------------------------------------------------------


def _link_node(label: str, link: Link, *, keep: Keep | None) -> Node:
    custom: Node = {}
    if not link.declaration.registered:
        if keep is None:
            raise ValueError(
                f"{label} must be one of lrwidget's links to be written as JSON, got a custom one: "
                "register a Declaration"
            )
        custom = {"kept": keep("link", link)}
    values = {
        h.name: _written(label, link, h, keep=keep)
        for h in link.declaration.hyperparameters
        if h.required or not _is_default(h, link[h.name])
    }
    return {"link": link.name, "hyperparameters": values, **custom}


def _group_node(chain: Chain, group: Group, *, keep: Keep | None) -> Node:
    node: Node = {"name": group.name}
    if group.mask is None:
        by = "paths" if group.paths else "kinds"
        node[by] = list(getattr(group, by))
    elif keep is not None:
        node["mask"] = {"kept": keep("mask", group.mask)}
    else:
        raise ValueError(f"the group {group.name} must have no mask to be written as JSON")
    links = [_link_node(*each, keep=keep) for each in chain.labelled_in(group.name)]
    if group.own:
        node["links"] = links
    else:
        node["multiplier"] = links[0]["hyperparameters"]["step_size"]
    return node


def _is_default(h: Hyperparameter, value: Any) -> bool:
    return value is h.default or (type(value) is type(h.default) and bool(value == h.default))


def _written(label: str, link: Link, h: Hyperparameter, *, keep: Keep | None) -> Any:
    value = link[h.name]
    if isinstance(value, Schedule):
        return {"schedule": value.to_node()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if h.kind == "numbers":
        return list(value)
    if keep is not None:
        return {"kept": keep(f"{link.name}.{h.name}", value)}
    if h.kind == "chain":
        return {"chain": to_node(value)}
    raise ValueError(f"{label}.{h.name} must be None to be written as JSON, got {value!r}")


# ---- reading -----------------------------------------------------------------------------------


def _links(where: str, nodes: Any, kept: Kept | None) -> list[Link]:
    return [_link(f"{where}[{i}]", node, kept) for i, node in enumerate(_list(where, nodes))]


def _link(where: str, node: Any, kept: Kept | None) -> Link:
    custom = frozenset({"kept"} if kept is not None else ())
    node = fields(where, node, {"link", "hyperparameters"}, custom)
    values = node["hyperparameters"]
    if not isinstance(values, dict):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"{where}.hyperparameters must be a JSON object, got {values!r:.80}"
        )
    try:
        if kept is not None and "kept" in node:
            custom_one: Declaration = kept("link", node["kept"])
            return Link(custom_one, **_values(where, custom_one.name, values, kept))
        _refuse_objects(declaration(node["link"]), values)
        read = _values(where, node["link"], values, kept)
        return Link(node["link"], **read)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def _values(where: str, link: Any, values: Node, kept: Kept | None) -> dict[str, Any]:
    return {k: _read(f"{where}.{k}", v, f"{link}.{k}", kept) for k, v in values.items()}


def _refuse_objects(declared: Declaration, values: Node) -> None:
    for h in declared.hyperparameters:
        value = values.get(h.name)
        is_kept = isinstance(value, dict) and value.keys() == {"kept"}
        if h.kind == "function" and value is not None and not is_kept:
            raise ValueError(f"{h.name} must be null in JSON, got {value!r:.80}")
        if h.kind == "mask" and not (isinstance(value, bool | None) or is_kept):
            raise ValueError(f"{h.name} must be null, true or false in JSON, got {value!r:.80}")


def _read(where: str, value: Any, place: str, kept: Kept | None) -> Any:
    if not isinstance(value, dict):
        return value
    if kept is not None and "kept" in value:
        return kept(place, value["kept"])
    if "chain" in value:
        from lrwidget.optimizers._chain import Chain  # which is read by this module

        links, groups = from_node(fields(where, value, {"chain"})["chain"])
        return Chain(*links, groups=groups)
    return Schedule.from_node(fields(where, value, {"schedule"})["schedule"])


def _group(where: str, node: Any, kept: Kept | None) -> Group:
    from lrwidget.optimizers._chain import Chain  # which is read by this module

    node = fields(where, node, {"name"}, _MATCHING)
    name = node["name"]
    given = {key: node[key] for key in ("paths", "kinds") if key in node}
    if "mask" in node:
        if kept is None:
            raise ValueError(f"{where}.mask cannot be read from JSON")
        given["mask"] = kept("mask", fields(f"{where}.mask", node["mask"], {"kept"})["kept"])
    try:
        if "links" in node:
            given["chain"] = Chain(*_links(f"{where}.links", node["links"], kept))
        if "multiplier" in node:
            multiplier = node["multiplier"]
            given["multiplier"] = _read(where, multiplier, "scale.step_size", kept)
        return Group(name, **given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"{where} must be a list, got {value!r:.80}"
        )
    return value

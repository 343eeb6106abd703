"""Chains as JSON text, with a schema and a version; what is read is checked, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule
from lrwidget.schedules._json import document, fields, parse_document

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain

SCHEMA = "lrwidget/chain"
VERSION = 1


def to_json(chain: Chain) -> str:
    """Return the chain as JSON text."""
    links = [
        {
            "link": link.name,
            "hyperparameters": {
                h.name: _written(f"{label}.{h.name}", link[h.name])
                for h in link.declaration.hyperparameters
            },
        }
        for label, link in chain.labelled()
    ]
    return document(SCHEMA, VERSION, {"links": links})


def from_json(text: str) -> list[Link]:
    """Return the links in JSON text, or raise a ValueError that says where it is wrong."""
    links = parse_document(text, SCHEMA, VERSION, {"links"})["links"]
    if not isinstance(links, list):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"links must be a list, got {links!r:.80}"
        )
    return [_link(f"links[{i}]", link) for i, link in enumerate(links)]


def _link(where: str, node: Any) -> Link:
    node = fields(where, node, {"link", "hyperparameters"})
    values = node["hyperparameters"]
    if not isinstance(values, dict):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"{where}.hyperparameters must be a JSON object, got {values!r:.80}"
        )
    try:
        return Link(node["link"], **{k: _read(f"{where}.{k}", v) for k, v in values.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def _written(where: str, value: Any) -> Any:
    if isinstance(value, Schedule):
        return {"schedule": value.to_node()}
    if value is None or isinstance(value, bool | float):
        return value
    raise ValueError(f"{where} must be None to be written as JSON, got {value!r}")


def _read(where: str, value: Any) -> Any:
    if isinstance(value, dict):
        return Schedule.from_node(fields(where, value, {"schedule"})["schedule"])
    return value

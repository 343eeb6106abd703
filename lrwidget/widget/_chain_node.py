"""A chain between the widget and its page: as data that can be edited, and back."""

from __future__ import annotations

from typing import Any

from lrwidget.optimizers import Chain
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._declared import BUILT_IN
from lrwidget.optimizers._json import from_node, to_node
from lrwidget.optimizers._registry import declarations

Node = dict[str, Any]

_TITLES = {
    "optimizer": "Optimizers",
    "free": "Learning-rate-free",
    "gradient": "Gradients",
    "update": "Updates",
    "wrapper": "Around the rest",
    "adaptive": "Adaptive rate",
}
_PLUG_INS = "Plug-ins"
_OURS = frozenset(declared.name for declared in BUILT_IN)
_OBJECTS = ("function", "chain")
# Where an optimizer would go without a rate: the number for which that is another word.
_NO_RATE = 1.0


class Keepsakes:
    """The objects of a widget's chains that JSON cannot hold, each known to the page by a number.

    The page may move a link with a mask, remove it, and bring it back by undo: what has been in a
    chain once stays here for the widget's life.
    """

    def __init__(self) -> None:
        self._things: list[tuple[str, Any]] = []

    def node(self, chain: Chain) -> Node:
        """Return the chain as data, with numbers in place of objects."""
        return {"groups": [], **to_node(chain, keep=self._keep)}

    def chain(self, node: Node) -> Chain:
        """Return the chain of a page's data, or raise a ValueError that says where it is wrong."""
        links, groups = from_node(node, kept=self._kept)
        return Chain(*links, groups=groups)

    def _keep(self, place: str, thing: Any) -> int:
        if place == "link":
            # Its hyperparameters are data like any other's.
            thing = thing.declaration
        for number, (known, kept) in enumerate(self._things):
            if place == known and (kept is thing or (isinstance(thing, Chain) and kept == thing)):
                return number
        self._things.append((place, thing))
        return len(self._things) - 1

    def _kept(self, place: str, number: Any) -> Any:
        here = [i for i, (known, _) in enumerate(self._things) if known == place]
        if isinstance(number, bool) or number not in here:
            raise ValueError(
                f"kept must be the number of what this widget has had as {place}: one of "
                f"{', '.join(map(str, here)) or 'none'}, got {number!r:.80}"
            )
        return self._things[number][1]


def catalogue() -> list[dict[str, Any]]:
    """Return what a palette offers: every registered link that JSON can begin."""
    return [
        {
            "name": name,
            "help": declared.help,
            "category": declared.category,
            "group": _TITLES[declared.category] if name in _OURS else _PLUG_INS,
            "hyperparameters": _first(declared),
        }
        for name, declared in declarations().items()
        if not any(h.required and h.kind in _OBJECTS for h in declared.hyperparameters)
    ]


def _first(declared: Declaration) -> dict[str, Any]:
    """Return what a link begins with: what is required, and a rate for the curve to be."""
    return {
        h.name: _start(h)
        for h in declared.hyperparameters
        if h.required or (h.name == declared.rate and h.default is None)
    }


def _start(h: Hyperparameter) -> Any:
    if h.default is None and h.kind == "number":
        return _NO_RATE
    return list(h.default) if isinstance(h.default, tuple) else h.default

"""How the links of a chain nest: what the Optax bridge builds and the code writer writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lrwidget.optimizers._groups import ALL, Group
from lrwidget.optimizers._link import Link

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain


@dataclasses.dataclass(frozen=True)
class Step:
    """One link; `every` steps of a run make one update of it."""

    label: str
    link: Link
    every: int


@dataclasses.dataclass(frozen=True)
class Around:
    """A link that goes around others."""

    label: str
    link: Link
    every: int
    inner: Nest


@dataclasses.dataclass(frozen=True)
class Split:
    """Groups of parameters, each of which goes its own way; the first is the rest."""

    ways: dict[str, Nest]


Nest = tuple[Step | Around | Split, ...]


def assembly(chain: Chain) -> Nest:
    """Return the nesting of a chain's links."""
    return _nest(list(chain.labelled_in(ALL)), chain, 1, inside=False)


def _nest(links: list[tuple[str, Link]], chain: Chain, every: int, *, inside: bool) -> Nest:
    """Return the nesting of `links`; `inside` where groups have been dealt with."""
    items: list[Step | Around | Split] = []
    first = len(links) if inside else first_of_its_own([link for _, link in links])
    for i, (label, link) in enumerate(links):
        if i == first and chain.groups:
            return (*items, *_split(links[i:], chain, every))
        declared = link.declaration
        if declared.wraps:
            inner = every * (link[declared.every] if declared.every else 1)
            rest = _nest(links[i + 1 :], chain, inner, inside=inside)
            return (*items, Around(label, link, every, rest))
        items.append(Step(label, link, every))
    return tuple(items)


def _split(
    rest: list[tuple[str, Link]], chain: Chain, every: int
) -> Iterator[Step | Around | Split]:
    main = _nest(rest, chain, every, inside=True)
    own = {g.name: _way(g, chain, every) for g in chain.groups if g.own}
    if own:
        yield Split({ALL: main, **own})
    else:
        yield from main
    scaled = {g.name: _way(g, chain, every) for g in chain.groups if not g.own}
    if scaled:
        yield Split({ALL: (), **scaled})


def _way(group: Group, chain: Chain, every: int) -> Nest:
    return _nest(list(chain.labelled_in(group.name)), chain, every, inside=True)


def first_of_its_own(links: Sequence[Link]) -> int:
    """Return the index of the link from which on a group may have a chain of its own.

    That is the first optimizer; where a chain is made of building blocks, the first of these.
    """
    for wanted in (("optimizer", "free"), ("update", "adaptive")):
        for i, link in enumerate(links):
            if link.declaration.category in wanted:
                return i
    return len(links) - 1

"""What may stand where in a chain."""

from __future__ import annotations

from collections.abc import Sequence

from lrwidget.optimizers._assembly import first_of_its_own
from lrwidget.optimizers._declaration import Need
from lrwidget.optimizers._groups import Group
from lrwidget.optimizers._link import Link

# What is a function of all parameters, or has as many entries as they.
_WHOLE: frozenset[Need] = frozenset({"value_fn", "obj_fn", "grad"})
_SEARCHES = ("lbfgs", "scale_by_backtracking_linesearch", "scale_by_zoom_linesearch")


def check_order(links: Sequence[Link], groups: Sequence[Group]) -> None:
    """Raise a ValueError if links stand where they cannot work."""
    own = [group.links for group in groups if group.own]
    for each in (links, *own):
        _check_wrappers(each)
    if own:
        inside = [*links[first_of_its_own(links) :], *(link for each in own for link in each)]
        _check_whole(inside)
    for each in (links, *own):
        _check_flatten(each, groups if each is links else ())
    everywhere = [*links, *(link for each in own for link in each)]
    _check_arguments(everywhere)
    _check_sam(everywhere)
    _check_searches(everywhere)


def _check_wrappers(links: Sequence[Link]) -> None:
    if links[-1].declaration.wraps:
        raise ValueError(
            f"{links[-1].name} goes around the links after it, and there is none: put an "
            "optimizer after it"
        )


def _check_whole(inside: Sequence[Link]) -> None:
    for link in inside:
        if link.declaration.evaluate or _WHOLE & link.needs:
            raise ValueError(
                f"{link.name} needs all parameters at once, and cannot be in a chain whose "
                "groups have chains of their own: give the groups multipliers"
            )


def _check_flatten(links: Sequence[Link], groups: Sequence[Group]) -> None:
    """Refuse what asks for single parameters where ``flatten`` has left one vector."""
    names = [link.name for link in links]
    if "flatten" not in names:
        return
    if groups:
        raise ValueError(
            "flatten leaves one vector, in which no group can be told from another, and cannot be "
            f"in a chain with groups; got {', '.join(group.name for group in groups)}"
        )
    for link in links[names.index("flatten") + 1 :]:
        masks = [h.name for h in link.declaration.hyperparameters if h.kind == "mask"]
        told = [name for name in masks if not isinstance(link[name], bool | None)]
        if told or _WHOLE & link.needs:
            what = " and ".join(told or sorted(_WHOLE & link.needs))
            raise ValueError(
                f"flatten leaves one vector, while {what} of {link.name} is of the parameters as "
                "they are: leave flatten out"
            )


def _check_arguments(links: Sequence[Link]) -> None:
    """Refuse chains that need the loss as arguments of a link, which hands them only gradients."""
    for link in links:
        for h in link.declaration.hyperparameters:
            inner = link[h.name] if h.kind == "chain" else None
            if inner is not None and inner.needs:
                raise ValueError(
                    f"{h.name} of {link.name} gets nothing beside the gradients, while "
                    f"{' and '.join(each.name for each in inner.links if each.needs)} needs "
                    f"{' and '.join(sorted(inner.needs))}: leave it out there"
                )


def _check_sam(links: Sequence[Link]) -> None:
    """Refuse what needs the loss beside ``sam``, whose update takes nothing of the kind."""
    if not any(link.name == "sam" for link in links):
        return
    for link in links:
        if link.needs:
            raise ValueError(
                f"sam takes no loss and passes none on, while {link.name} needs "
                f"{_in_words(link, link.needs)}: use another optimizer"
            )


def _check_searches(links: Sequence[Link]) -> None:
    """Refuse what needs other keywords beside a line search, which hands all on to the loss."""
    for search in links:
        if search.name not in _SEARCHES:
            continue
        for link in links:
            if unknown := link.needs - search.needs:
                raise ValueError(
                    f"{search.name} hands every keyword of update but its own on to the loss "
                    f"function, while {link.name} needs {_in_words(link, unknown)}: "
                    + (
                        "let it judge the training loss (monitor='train')"
                        if unknown == {"valid_value"}
                        else "keep one of the two"
                    )
                )


def _in_words(link: Link, needs: frozenset[Need]) -> str:
    return " and ".join(need for need in link.declaration.needs if need in needs)

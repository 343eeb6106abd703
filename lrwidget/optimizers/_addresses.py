"""How addresses of hyperparameters are read: ``"<group>/<label>.<name>"``."""

from __future__ import annotations

from collections.abc import Iterable

from lrwidget.optimizers._groups import ALL

MULTIPLIER = "scale.step_size"
"""What a group's multiplier is in its chain; alone in it, it goes by its own word."""


def bare(address: str) -> str:
    """Return the hyperparameter's own name in an address."""
    return address.rpartition(".")[2]


def group_of(label: str) -> str:
    """Return the group that a link's label belongs to."""
    return label.rpartition("/")[0] or ALL


def named(known: Iterable[str], name: str, group: str) -> list[str]:
    """Return the addresses in a group that `name` may mean, full or bare."""
    prefix = "" if group == ALL else f"{group}/"
    inside = [a for a in known if a.rpartition("/")[0] == prefix[:-1]]
    if prefix + name in inside:
        return [prefix + name]
    return [address for address in inside if bare(address) == name]


def shortened(addresses: Iterable[str]) -> dict[str, str]:
    """Return the shortest form of each address that means it and no other of its group."""
    by_group: dict[str, list[str]] = {}
    for address in addresses:
        by_group.setdefault(address.rpartition("/")[0], []).append(address)
    short = {}
    for group, inside in by_group.items():
        prefix = f"{group}/" if group else ""
        names = [bare(address) for address in inside]
        for address, name in zip(inside, names, strict=True):
            alone = group and inside == [prefix + MULTIPLIER]
            word = "multiplier" if alone else name
            short[address] = prefix + word if names.count(name) == 1 else address
    return short

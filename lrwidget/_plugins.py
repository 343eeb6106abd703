"""Declarations of other packages, found through entry points."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from typing import Protocol, TypeVar


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Declared = TypeVar("Declared", bound=_Named)


def declared(group: str, kind: type[Declared], own: Iterable[Declared]) -> dict[str, Declared]:
    """Return declarations by name: our own, then those that installed packages list in `group`.

    Raises
    ------
    TypeError
        If an entry is not a `kind`.
    ValueError
        If two declarations share a name.
    """
    found = {declaration.name: declaration for declaration in own}
    for entry in importlib.metadata.entry_points(group=group):
        declaration = entry.load()
        if not isinstance(declaration, kind):
            raise TypeError(
                f"the entry point {group}:{entry.name} must be a {kind.__name__}, "
                f"got {declaration!r}"
            )
        if declaration.name in found:
            raise ValueError(
                f"the entry point {group}:{entry.name} must have a name of its own, "
                f"got {declaration.name!r}, which is taken"
            )
        found[declaration.name] = declaration
    return found

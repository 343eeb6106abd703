"""The links of lrwidget, one declaration each, and those of installed packages."""

from __future__ import annotations

import functools

from lrwidget import _checks, _plugins
from lrwidget.optimizers._declaration import Declaration
from lrwidget.optimizers._declared import BUILT_IN


@functools.cache
def declarations() -> dict[str, Declaration]:
    """Return every kind of link by name: ours, then those of installed packages.

    Packages list theirs in the entry-point group ``lrwidget.optimizers``; each entry is a
    `Declaration` with a name of its own, or this raises a TypeError or a ValueError.
    """
    return _plugins.declared("lrwidget.optimizers", Declaration, BUILT_IN)


def declaration(name: str) -> Declaration:
    """Return the declaration called `name`, or raise a ValueError that lists the names."""
    return declarations()[_checks.choice("link", name, declarations())]

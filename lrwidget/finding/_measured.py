"""The chain that a range test trains with: that of the run, without what would hide the rate."""

from __future__ import annotations

from collections.abc import Iterable

from lrwidget.optimizers import Chain, Link

# It hides divergence, which is what the end of a range test looks for.
_HIDING = ("apply_if_finite",)


def measured(chain: Chain) -> tuple[Chain, tuple[str, ...]]:
    """Return the chain for a range test, and the labels of the links that it leaves out.

    Left out are links that choose the size of the steps themselves (adaptive links, mechanize, line
    searches): the loss would tell of the rate that they make of the ladder's. Optimizers stay, and
    so do wrappers that change what an update is, such as multi_steps or lookahead.
    """
    left_out = tuple(label for label, link in chain.labelled() if _hides(link))
    links = _kept(chain.links)
    if not left_out or not links:
        return chain, ()
    groups = [
        group.with_links(_kept(group.links) or group.links) if group.own else group
        for group in chain.groups
    ]
    return type(chain)(*links, groups=groups), left_out


def _hides(link: Link) -> bool:
    declared = link.declaration
    if link.name in _HIDING or declared.category == "adaptive":
        return True
    sizes = bool(declared.scale) or "learning_rate" in declared.reports
    return sizes and declared.category not in ("optimizer", "free")


def _kept(links: Iterable[Link]) -> list[Link]:
    kept = [link for link in links if not _hides(link)]
    # A wrapper around nothing but what is left out.
    while kept and kept[-1].declaration.wraps:
        kept.pop()
    return kept

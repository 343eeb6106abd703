"""Groups of parameters: which they are, and what is done with them."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lrwidget import _checks
from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule
from lrwidget.schedules._export._code import check_identifier

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain

# The group of all parameters that no other group takes.
ALL = "all"

KINDS = ("kernel", "bias", "norm", "embedding")

# What a multiplier may be: unlike the link that it becomes, it turns no update round.
MULTIPLIED = Hyperparameter(
    name="step_size", default=1.0, required=True, help="times the update of the main chain"
)


@dataclasses.dataclass(frozen=True, init=False)
class Group:
    """Some of the parameters, which are trained in another way than the rest.

    A group has a `multiplier` for what the chain does to its parameters, or a `chain` of its own.
    That takes the place of the main chain's links from its first optimizer on; the links before
    it, such as clipping, are shared by all. Of several groups the first that a parameter matches
    takes it, and what none takes belongs to ``"all"``.

    Parameters
    ----------
    name
        Stands before its addresses, ``"head/adamw.weight_decay"``: a Python identifier but "all".
    multiplier
        Times the update of the main chain, a number >= 0 or a `Schedule`; live, at the address
        ``"<name>/multiplier"``. 0 freezes the group.
    chain
        A chain or a link instead of that.
    paths
        Patterns of paths with ``*``, ``?`` and ``[abc]``, such as ``"layers/0/*"``. A path is the
        parameter's place in its pytree with ``/`` between: ``"Dense_0/kernel"``. One that matches
        a whole beginning (``"layers/0"``) takes all below it.
    kinds
        Words of ``kernel``, ``bias``, ``norm``, ``embedding``: a parameter is ``norm`` where its
        path says so or it is called scale, gamma or beta; ``embedding`` likewise; else ``bias``
        where it is called so (attention has some with two axes) or has fewer than two axes; and
        ``kernel``.
    mask
        A function of the parameters that returns a pytree of bools, or that pytree.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or not exactly one of each kind is given.

    Examples
    --------
    >>> Group("head", multiplier=0.1, paths=["Dense_1/*"]).multiplier
    0.1
    """

    name: str
    links: tuple[Link, ...]
    own: bool
    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    mask: Any = dataclasses.field(hash=False)

    def __init__(
        self,
        name: str,
        *,
        multiplier: float | Schedule | None = None,
        chain: Chain | Link | None = None,
        paths: Iterable[str] | str = (),
        kinds: Iterable[str] | str = (),
        mask: Any = None,
    ):
        try:
            check_identifier(name)
        except ValueError as error:
            raise ValueError(f"a group's {error}") from None
        if name == ALL:
            raise ValueError(f"a group's name must not be {ALL!r}, which is the rest")
        if (multiplier is None) == (chain is None):
            raise ValueError(f"the group {name} must have a multiplier or a chain, one of them")
        paths = _words(f"the paths of {name}", paths)
        kinds = _words(f"the kinds of {name}", kinds)
        for kind in kinds:
            _checks.choice(f"a kind of the group {name}", kind, KINDS)
        if isinstance(mask, int | float | str) and not isinstance(mask, bool):
            raise TypeError(
                f"the mask of {name} must be a pytree of bools or a function of the parameters "
                f"that returns one, got {mask!r}"
            )
        if bool(paths) + bool(kinds) + (mask is not None) != 1:
            raise ValueError(f"the group {name} must be given by paths, kinds or mask, one of them")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "links", _links(name, multiplier, chain))
        object.__setattr__(self, "own", chain is not None)
        object.__setattr__(self, "paths", paths)
        object.__setattr__(self, "kinds", kinds)
        object.__setattr__(self, "mask", mask)

    @property
    def multiplier(self) -> float | Schedule | None:
        """Times the main chain's update; None for a group with a chain of its own."""
        return None if self.own else self.links[0]["step_size"]

    def with_links(self, links: Sequence[Link]) -> Group:
        """Return the group with other links, of which one with a multiplier has one."""
        if not self.own:
            links = _links(self.name, links[0]["step_size"], None)
        changed = object.__new__(Group)
        for field in dataclasses.fields(self):
            object.__setattr__(changed, field.name, getattr(self, field.name))
        object.__setattr__(changed, "links", tuple(links))
        return changed

    def __repr__(self) -> str:
        by = next((w for w in ("paths", "kinds") if getattr(self, w)), "mask")
        what = f"chain={list(self.links)!r}" if self.own else f"multiplier={self.multiplier!r}"
        return f"Group({self.name!r}, {what}, {by}={getattr(self, by)!r})"


def layerwise_decay(decay: float, layers: Iterable[str | Sequence[str]]) -> tuple[Group, ...]:
    """Return groups whose multipliers fall from the last layer to the first.

    The last layer's multiplier is 1, that of the one before it `decay`, then ``decay**2``, …

    Parameters
    ----------
    decay
        In (0, 1]; 0.65 to 0.9 are usual where a pretrained model is tuned.
    layers
        Paths of the layers from the first to the last, one pattern or several for each:
        ``["embed*", "layers/0", "layers/1", "head"]``. What none of them matches keeps the full
        rate.

    References
    ----------
    Howard and Ruder 2018, arXiv 1801.06146 (discriminative fine-tuning); Clark et al. 2020, arXiv
    2003.10555 (the exponential form).

    Examples
    --------
    >>> [group.multiplier for group in layerwise_decay(0.5, ["embed*", "layers/0", "head"])]
    [0.25, 0.5, 1.0]
    """
    decay = _checks.finite("decay", decay, low=0.0, low_open=True, high=1.0)
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of patterns, got {layers!r}")
    patterns = list(layers)
    if not patterns:
        raise ValueError("layers must name at least one layer, got none")
    last = len(patterns) - 1
    return tuple(
        Group(f"layer_{i}", multiplier=decay ** (last - i), paths=pattern)
        for i, pattern in enumerate(patterns)
    )


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Return whether a path, or the beginning of it up to a ``/``, matches a pattern."""
    return any(fnmatch.fnmatchcase(path, form) for p in patterns for form in (p, f"{p}/*"))


def _links(name: str, multiplier: Any, chain: Any) -> tuple[Link, ...]:
    if chain is None:
        said = f"the multiplier of {name}"
        try:
            link = Link("scale", step_size=multiplier)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("step_size", said, 1)) from None
        if not isinstance(multiplier, Schedule):
            MULTIPLIED.check(said, multiplier)
        return (link,)
    from lrwidget.optimizers._chain import chain_of  # a chain is made of groups

    own = chain_of(chain, f"the chain of {name}")
    if own.groups:
        raise ValueError(f"the chain of the group {name} must have no groups itself")
    return own.links


def _words(name: str, given: Iterable[str] | str) -> tuple[str, ...]:
    words = (given,) if isinstance(given, str) else given
    if not isinstance(words, Iterable):
        raise TypeError(f"{name} must be text or a list of texts, got {given!r}")
    words = tuple(words)
    for word in words:
        if not isinstance(word, str) or not word:
            raise TypeError(f"{name} must be text or a list of texts, got {given!r}")
    return words

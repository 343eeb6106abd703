"""Random chains for property tests: links, groups and tracks over what is declared."""

from __future__ import annotations

import jax
from hypothesis import strategies as st

from lrwidget.optimizers import Chain, Group, Link
from lrwidget.optimizers._registry import declarations
from lrwidget.optimizers._warnings import _WITH_FLAGS
from lrwidget.schedules import Schedule
from tests.schedules.strategies import segments

# What no random chain has. Every one of them is in the tests of single links.
UNFIT = {
    "lbfgs",  # compiles for seconds
    "scale_by_backtracking_linesearch",
    "scale_by_zoom_linesearch",
    "scale_by_lbfgs",  # explodes without its line search
    "scale_by_muon",  # takes matrices alone
    "scale_by_rprop",  # goes uphill, and its rate is no learning rate
    "scale_by_distance_over_gradients",  # likewise
    "scale_by_madgrad",  # an optimizer that is called a block
    "galore",  # a singular value decomposition, whose sign is the machine's
    "scale_by_galore",
    "freeze",  # all or nothing: in groups it is a multiplier of 0
}


def matrices(params):
    """Return which parameters have two axes: a mask that exported code can import."""
    return jax.tree.map(lambda p: p.ndim > 1, params)


def vectors(params):
    """Return which parameters have one axis."""
    return jax.tree.map(lambda p: p.ndim == 1, params)


MASKS = (matrices, vectors)
PATTERNS = ("norm", "layers/*", "layers/0", "*/bias", "layers/[1-9]/kernel", "nothing")


# ---- values --------------------------------------------------------------------------------------


def usual(h):
    """Return values that a number may well have: few digits, and no explosion within ten steps."""
    if h.name in ("learning_rate", "max_learning_rate", "adam_learning_rate"):
        values = [0.002, 0.01, 0.03]
    elif h.default in (None, 0.0):
        values = [0.001, 0.02, 0.3]
    else:
        values = [h.default, float(f"{0.7 * h.default:.3g}"), float(f"{1.3 * h.default:.3g}")]
    return [value for value in values if allows(h, value)]


def allows(h, value):
    try:
        h.check(h.name, value)
    except ValueError:
        return False
    return True


@st.composite
def tracks(draw, h):
    """Draw a schedule that stays where the hyperparameter may be."""
    top = max(usual(h))
    drawn = Schedule(draw(segments(positive=True)))
    track = drawn.with_peak(top)
    low = 0.3 * top if h.low_open or (h.low or 0.0) > 0.0 or h.decay else None
    # Between its ends a curve may go past its peak.
    high = top if h.high is not None else None
    if (low, high) != (None, None):
        track = track.clipped(None if low is None else max(low, h.low or 0.0), high)
    return track


@st.composite
def values(draw, h):  # noqa: PLR0911  (a kind each)
    """Draw a value, mostly the default."""
    if not h.required and draw(st.integers(0, 5)):
        return h.default
    match h.kind:
        case "number" if h.live:
            if draw(st.integers(0, 3)) or not usual(h):
                return draw(st.sampled_from(usual(h) or [h.default]))
            return draw(tracks(h))
        case "integer" if h.default is None or h.name.endswith("offset"):
            return h.default  # an axis that some have not, or a step that comes later
        case "integer":
            low = int(h.low or 0)
            return draw(st.integers(max(low, 1), max(low, 1) + 2))
        case "flag":
            return draw(st.booleans())
        case "choice":
            return draw(st.sampled_from(h.choices))
        case "mask":
            return draw(st.sampled_from([h.default, True, *MASKS]))
        case _:
            return h.default


@st.composite
def links(draw, names):
    """Draw a link of one of the kinds."""
    declared = declarations()[draw(st.sampled_from(sorted(names)))]
    drawn = {h.name: draw(values(h)) for h in declared.hyperparameters}
    return Link(declared.name, **drawn)


def named(*categories, without=()):
    """Return the names of links of some categories."""
    return [
        name
        for name, declared in declarations().items()
        if declared.category in categories and name not in UNFIT and name not in without
    ]


BLOCKS = [
    name
    for name in named("update")
    if name.startswith("scale_by_") and not name.startswith(("scale_by_param", "scale_by_trust"))
]
# Between a block and its rate, and behind an optimizer: what makes no step of a size of its own.
SIZING = [
    "add_decayed_weights",
    "ema",
    "trace",
    "scale_by_trust_ratio",
    "scale_by_param_block_norm",
    "scale_by_param_block_rms",
    "normalize",
    "normalize_by_update_norm",
]
FINISHING = ["ema", "trace", "apply_every", "scale", "keep_params_nonnegative"]


# ---- chains --------------------------------------------------------------------------------------


@st.composite
def bodies(draw, *, wrapped=()):
    """Draw what makes the steps: an optimizer, or a block with its rate."""
    if draw(st.integers(0, 3)):
        return [draw(links(named("optimizer", "free", without=barred(wrapped))))]
    blocks = [name for name in BLOCKS if name not in barred(wrapped)]
    sizing = draw(st.lists(links(SIZING), max_size=1))
    return [draw(links(blocks)), *sizing, draw(links(["scale_by_learning_rate"]))]


def barred(wrapped):
    """Return what cannot be within these wrappers."""
    declared = declarations().items()
    asking = {name for name, d in declared if d.needs} | {*_WITH_FLAGS}
    if "sam" not in wrapped:
        asking = set()
    whole = {name for name, d in declared if {"value_fn", "obj_fn", "grad"} & set(d.needs)}
    return asking | (whole if "flatten" in wrapped else set())


@st.composite
def groups(draw, i, *, own):
    """Draw the i-th group."""
    by = draw(st.sampled_from(["paths", "kinds", "mask"]))
    if by == "paths":
        match = {"paths": draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2))}
    elif by == "kinds":
        kinds = ["kernel", "bias", "norm", "embedding"]
        match = {"kinds": draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2))}
    else:
        match = {"mask": draw(st.sampled_from(MASKS))}
    name = ["head", "decayed", "slow"][i]
    if own and draw(st.booleans()):
        body = draw(bodies(wrapped=own).filter(lambda links: not together(links)))
        return Group(name, chain=Chain(*body), **match)
    scale = declarations()["scale"].hyperparameter("step_size")
    multiplier = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    if not draw(st.integers(0, 2)):
        multiplier = draw(tracks(scale))
    return Group(name, multiplier=multiplier, **match)


def together(chain_links):
    """Return whether links need all parameters at once, so that no group has its own chain."""
    return any(
        link.declaration.evaluate or {"value_fn", "obj_fn", "grad"} & set(link.declaration.needs)
        for link in chain_links
    )


@st.composite
def chains(draw):
    """Draw a chain of two to six links, with up to three groups and any number of tracks."""
    before = draw(st.lists(links(named("gradient")), max_size=2))
    around = draw(st.lists(links(named("wrapper")), max_size=1 if before else 2))
    if [link.name for link in around] == ["sam", "apply_if_finite"]:
        around.reverse()  # the other way round, sam makes numbers of flags; see the warnings
    wrapped = [link.name for link in around]
    body = draw(bodies(wrapped=wrapped))
    behind = [name for name in named("adaptive") if name not in barred(wrapped)]
    after = draw(st.lists(links([*FINISHING, *behind]), max_size=1))
    around = [
        # In plain Optax it would begin the count of schedules anew; see the warnings.
        link.replace(reset_state=False) if link.name == "lookahead" else link
        for link in around
    ]
    made = [*before, *around, *body, *after]
    if "flatten" in wrapped:
        made = [unmasked(link) for link in made]
    if len(made) < 2:
        made = [draw(links(named("gradient"))), *made]
    own = [] if together(made) else ["", *wrapped]
    count = 0 if "flatten" in wrapped else draw(st.sampled_from([0, 0, 1, 1, 2, 3]))
    return Chain(*made[:6], groups=[draw(groups(i, own=own)) for i in range(count)])


class Drawn:
    """A random chain that a failure's report writes out as it is made, without declarations."""

    def __init__(self, chain):
        self.chain = chain

    def __repr__(self):
        return repr(self.chain)


@st.composite
def drawn(draw):
    """Draw a chain for a test."""
    return Drawn(draw(chains()))


def unmasked(link):
    """Return a link without a mask."""
    masks = [h for h in link.declaration.hyperparameters if h.kind == "mask"]
    return link.replace(**{h.name: h.default for h in masks})


def scheduled(chain):
    """Return whether a chain has a track."""
    return any(isinstance(chain.value(address), Schedule) for address in chain.addresses())

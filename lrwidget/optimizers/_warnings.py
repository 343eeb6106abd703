"""Combinations of links that are known to be wrong, each with its reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from lrwidget.optimizers._first_rate import how_to_begin, must_begin_above_zero
from lrwidget.optimizers._groups import ALL
from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain


@dataclasses.dataclass(frozen=True)
class ChainWarning:
    """What is known to be wrong.

    Attributes
    ----------
    label
        The link that it is about, as in addresses; empty for the chain as a whole.
    text
        What is wrong, why, and what to do.
    """

    label: str
    text: str


Labelled = list[tuple[str, Link]]
Found = Iterator[tuple[str, str]]

_ON_GRADIENTS = (
    "adaptive_grad_clip",
    "centralize",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "zero_nans",
)
_DECAYS = ("weight_decay", "weight_decay_rate")
# Their states have flags.
_WITH_FLAGS = (
    "apply_if_finite",
    "optimistic_adam_v2",
    "optimistic_gradient_descent",
    "scale_by_optimistic_gradient",
)
# What it makes of an array depends on the array's shape, or on its norm.
_BY_ARRAY = (
    "adafactor",
    "adaptive_grad_clip",
    "centralize",
    "clip_by_block_rms",
    "fromage",
    "galore",
    "lamb",
    "lars",
    "muon",
    "novograd",
    "scale_by_distance_over_gradients",
    "scale_by_factored_rms",
    "scale_by_galore",
    "scale_by_muon",
    "scale_by_novograd",
    "scale_by_param_block_norm",
    "scale_by_param_block_rms",
    "scale_by_sm3",
    "scale_by_trust_ratio",
    "sm3",
)


def warnings_of(
    chain: Chain, members: Mapping[str, tuple[str, ...]] | None = None
) -> list[ChainWarning]:
    """Return the warnings about a chain, in the order of its links; see `Chain.members`."""
    members = members or {}
    found: list[ChainWarning] = []
    for each in chain.groups:
        if members and not members[each.name]:
            paths = [path for inside in members.values() for path in inside]
            shown = ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")
            found.append(ChainWarning("", _EMPTY.format(name=each.name, paths=shown)))
    for group in (ALL, *(g.name for g in chain.groups if g.own)):
        links = list(chain.labelled_in(group))
        for rule in _RULES:
            found += [ChainWarning(*each) for each in rule(links)]
    found += [ChainWarning(*each) for each in (*_groups(chain), *_from_zero(chain))]
    order = [label for label, _ in chain.labelled()]
    return sorted(found, key=lambda w: order.index(w.label) if w.label in order else -1)


# So many paths are named where none matches.
_SHOWN = 6
_EMPTY = (
    "no parameter belongs to the group {name}, which so does nothing: none matches it, or groups "
    "before it take them all. The parameters are {paths}."
)
_DECAY_AFTER_RATE = (
    "weight decay after the learning rate: the update has its sign and its size by now, so that "
    "weights would grow by their whole share at each step. Put it before the optimizer, or use one "
    "with weight_decay such as adamw."
)
_AFTER_OPTIMIZER = (
    "{name} after the optimizer works on steps, not on gradients: put it before the optimizer."
)
_TWO_RATES = (
    "a second learning rate after that of {first}: the two multiply, and both turn the step round, "
    "so that it goes uphill. Keep one."
)
_NO_RATE = (
    "no link has a learning rate, and nothing turns the gradient downhill: add an optimizer, or "
    "scale_by_learning_rate at the end."
)
_ONE = (
    "{name} finds the size of the steps itself, and its learning rate multiplies that: 1 is right, "
    "and a schedule should peak at 1, not {value}."
)
_FROM_ZERO = (
    "{name} divides by a sum that begins with the first learning rate, and the schedule's is 0: "
    "the weights become NaN. To mend it, {how}."
)
_VALIDATION = (
    "{name} waits for validation losses: the task needs validation data, and a loop of your own "
    "passes valid_value= to update, NaN where there is no new one."
)
_SKIPPED = (
    "{around} asks {name} only at the last batch of each update, and the newest validation loss "
    "may come at none of these: judge the training loss (monitor='train')."
)
_BEFORE_OPTIMIZER = "{name} scales the step that the optimizer takes: put it after the optimizer."
_TWICE = "weights decay here and in {first}: keep one of the two."
_LIMIT = (
    "apply_if_finite with a limit of 0 lets the first bad step through, and the weights become "
    "NaN: give it the number of bad steps in a row that it may leave out."
)
_UPHILL = (
    "the learning rate of {first} turns the step downhill, and {name} by a negative number turns "
    "it uphill again: make it positive."
)
_FLAGS = (
    "sam makes numbers of the flags that {name} keeps, and the step is traced twice in plain "
    "Optax: put apply_if_finite before sam, or use another optimizer."
)
_RESET = (
    "with reset_state, lookahead begins the count of {name}'s schedules anew at each meeting in "
    "plain Optax, while the trainer follows the curve as it is drawn: set it to False."
)
_FLAT = (
    "flatten leaves one vector, while {name} looks at every array, unit or axis by itself: it does "
    "something else here. Leave flatten out."
)
_MOMENTUM = (
    "schedule_free has a momentum of its own (b1), and that of {name} comes on top: set it to 0 "
    "there."
)
_MULTIPLIED = (
    "multipliers of groups change what {name} believes it has done, since its averages are in its "
    "state: wrap an optimizer with schedule_free instead."
)


def _ends_with_rate(link: Link) -> bool:
    """Return whether a link's updates are steps: downhill, and of the learning rate's size."""
    return bool(link.declaration.rate) and link.declaration.category != "wrapper"


def _after(links: Labelled) -> Labelled:
    """Return the links after the first that has a learning rate."""
    for i, (_, link) in enumerate(links):
        if _ends_with_rate(link):
            return links[i + 1 :]
    return []


def _order(links: Labelled) -> Found:
    for label, link in _after(links):
        if link.name == "add_decayed_weights":
            yield label, _DECAY_AFTER_RATE
        elif link.name in _ON_GRADIENTS:
            yield label, _AFTER_OPTIMIZER.format(name=link.name)
    for i, (label, link) in enumerate(links):
        before = any(_ends_with_rate(each) for _, each in links[:i])
        if link.declaration.category == "adaptive" and not before:
            yield label, _BEFORE_OPTIMIZER.format(name=link.name)


def _rates(links: Labelled) -> Found:
    rates = [label for label, link in links if _ends_with_rate(link)]
    for label in rates[1:]:
        yield label, _TWO_RATES.format(first=rates[0])
    turned = [label for label, link in links if _is_negative(link)]
    for label in turned if rates else ():
        yield label, _UPHILL.format(first=rates[0], name="scale")
    blocks = any(link.declaration.category == "update" for _, link in links)
    optimizers = any(link.declaration.category in ("optimizer", "free") for _, link in links)
    if blocks and not rates and not turned and not optimizers:
        yield "", _NO_RATE


def _is_negative(link: Link) -> bool:
    # As in Optax's own examples: chain(scale_by_adam(), scale(-1e-3)).
    names = {"scale": "step_size", "scale_by_distance_over_gradients": "global_scale"}
    value = link.hyperparameters.get(names.get(link.name, ""))
    return not isinstance(value, Schedule) and value is not None and value < 0.0


def _expected_one(links: Labelled) -> Found:
    for label, link in links:
        declared = link.declaration
        rate = link[declared.rate] if declared.expects_one else None
        if isinstance(rate, Schedule):
            # A curve with the peak 1 is what the authors of these optimizers use themselves.
            if not 0.5 <= rate.peak_value <= 2.0:
                value = f"a curve up to {rate.peak_value:.3g}"
                yield label, _ONE.format(name=link.name, value=value)
        elif rate is not None and not 0.1 <= rate <= 10.0:
            yield label, _ONE.format(name=link.name, value=f"{rate:.3g}")


def _loss(links: Labelled) -> Found:
    for label, link in links:
        if link.hyperparameters.get("monitor") == "valid":
            yield label, _VALIDATION.format(name=link.name)
            for _, around in links[: [at for at, _ in links].index(label)]:
                if around.declaration.every and around[around.declaration.every] > 1:
                    yield label, _SKIPPED.format(around=around.name, name=link.name)
        if link.name == "apply_if_finite" and link["max_consecutive_errors"] == 0:
            yield label, _LIMIT


def _twice(links: Labelled) -> Found:
    decaying = [
        label
        for label, link in links
        # That of mechanize is of its search for a scale.
        if link.declaration.category != "wrapper"
        and any(link.hyperparameters.get(name) not in (None, 0.0) for name in _DECAYS)
    ]
    for label in decaying[1:]:
        yield label, _TWICE.format(first=decaying[0])
    for i, (_, link) in enumerate(links):
        inner = links[i + 1 :] if link.name == "schedule_free" else []
        for at, each in inner:
            if any(each.hyperparameters.get(name) for name in ("momentum", "b1", "beta")):
                yield at, _MOMENTUM.format(name=each.name)


def _within(links: Labelled) -> Found:
    names = [link.name for _, link in links]
    for around, told in (("sam", _FLAGS), ("flatten", _FLAT)):
        inner = links[names.index(around) + 1 :] if around in names else []
        for label, link in inner:
            if link.name in (_BY_ARRAY if around == "flatten" else _WITH_FLAGS):
                yield label, told.format(name=link.name)
    for i, (label, link) in enumerate(links):
        if link.name == "lookahead" and link["reset_state"]:
            for _, each in links[i + 1 :]:
                if any(isinstance(value, Schedule) for value in each.live().values()):
                    yield label, _RESET.format(name=each.name)


def _groups(chain: Chain) -> Found:
    if all(group.own for group in chain.groups):
        return
    for label, link in chain.labelled_in(ALL):
        if link.name.startswith("schedule_free_"):
            yield label, _MULTIPLIED.format(name=link.name)


def _from_zero(chain: Chain) -> Found:
    for address, link, step in must_begin_above_zero(chain):
        rate = chain.value(address)
        # Of a number, the rule about 1 tells.
        if isinstance(rate, Schedule) and float(rate(float(step))) == 0.0:
            how = how_to_begin(link)
            yield address.rpartition(".")[0], _FROM_ZERO.format(name=link.name, how=how)


_RULES: tuple[Callable[[Labelled], Found], ...] = (
    _order,
    _rates,
    _expected_one,
    _loss,
    _twice,
    _within,
)

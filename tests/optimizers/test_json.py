"""Chains as JSON: what comes back, and what is refused."""

from __future__ import annotations

import json

import pytest

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group
from lrwidget.optimizers._json import from_node, to_node
from tests.optimizers.strategies import matrices

o = lrw.optimizers
CURVE = lrw.schedules.warmup_cosine(peak_value=1e-3, warmup_steps=5, decay_steps=40)

FULL = Chain.of(
    o.clip_by_global_norm(1.0),
    o.sam(adv_optimizer=Chain.of(o.normalize(), o.sgd(0.1))),
    o.adamw(CURVE, weight_decay=lrw.schedules.linear(0.1, 30)),
    groups=[
        Group("head", multiplier=lrw.schedules.linear(1.0, 30), paths=["head/*", "layers/1"]),
        Group("plain", chain=Chain.of(o.clip(1.0), o.adamw(CURVE)), kinds=["bias", "norm"]),
    ],
)


def text(**changes):
    """Return the JSON text of a chain with some fields changed."""
    return json.dumps({**json.loads(FULL.to_json()), **changes})


def link(name="sgd", **hyperparameters):
    return {"link": name, "hyperparameters": {"learning_rate": 0.1, **hyperparameters}}


def group(**fields):
    return {"name": "g", "paths": ["a"], "multiplier": 0.5, **fields}


def without(field, **fields):
    return {key: value for key, value in group(**fields).items() if key != field}


def test_a_chain_with_everything_comes_back():
    assert Chain.from_json(FULL.to_json()) == FULL
    assert Chain.from_json(FULL.to_json()).to_json() == FULL.to_json()


def test_it_is_plain_data_with_defaults_left_out():
    chain = Chain.of(
        o.adamw(1e-3, b1=0.8), groups=[Group("biases", multiplier=0.5, kinds=["bias"])]
    )
    assert json.loads(chain.to_json()) == {
        "schema": "lrwidget/chain",
        "version": 1,
        "links": [{"link": "adamw", "hyperparameters": {"learning_rate": 1e-3, "b1": 0.8}}],
        "groups": [{"name": "biases", "kinds": ["bias"], "multiplier": 0.5}],
    }


def test_a_text_without_groups_has_none():
    plain = {"schema": "lrwidget/chain", "version": 1, "links": [link()]}
    assert Chain.from_json(json.dumps(plain)) == Chain.of(o.sgd(0.1))


def test_what_json_cannot_hold_is_kept_by_whoever_asks_for_it():
    def factory(learning_rate):
        raise AssertionError(learning_rate)

    chain = Chain.of(
        o.custom(factory, learning_rate=0.5),
        o.adamw(1e-3, mask=matrices),
        groups=[Group("g", multiplier=0.5, mask={"w": True})],
    )
    with pytest.raises(ValueError, match="factory must be one of lrwidget's links"):
        chain.to_json()
    held = []

    def keep(place, value):
        held.append((place, value))
        return len(held) - 1

    def kept(place, token):
        where, value = held[token]
        assert where == place
        return value.declaration if place == "link" else value

    node = json.loads(json.dumps(to_node(chain, keep=keep)))
    links, groups = from_node(node, kept)
    assert Chain(*links, groups=groups) == chain
    assert sorted(place for place, _ in held) == ["adamw.mask", "link", "mask"]


def nested(depth):
    head = '{"link": "sam", "hyperparameters": {"adv_optimizer": {"chain": {"links": ['
    return (
        '{"schema": "lrwidget/chain", "version": 1, "links": ['
        + head * depth
        + json.dumps(link())
        + "]}}}}" * depth
        + "]}"
    )


BAD = [
    ("[]", "must be a JSON object"),
    ("{", "cannot be read"),
    (text(schema="lrwidget/schedule"), "schema must be 'lrwidget/chain'"),
    (text(version=2), "version of lrwidget/chain must be 1, got 2"),
    (text(more=1), "must have the fields .* got one with more"),
    (text(links=[]), "at least one link"),
    (text(links={}), "links must be a list, got {}"),
    (text(links=["sgd"]), r"links\[0\] must be a JSON object, got 'sgd'"),
    (text(links=[{"link": "sgd"}]), r"links\[0\] must have the fields .* without hyperparameters"),
    (text(links=[{**link(), "kept": 1}]), r"links\[0\] must have the fields .* with kept"),
    (text(links=[{**link(), "label": "x"}]), r"links\[0\] must have the fields .* with label"),
    (text(links=[link("sgdd")]), r"links\[0\]: link must be one of .*did you mean 'sgd'"),
    (text(links=[link(3)]), r"links\[0\]: link must be one of .* got 3"),
    (text(links=[link(None)]), r"links\[0\]: link must be one of .* got None"),
    (text(links=[link({"kept": "sgd"})]), r"links\[0\]: link must be one of"),
    (text(links=[{"link": "sgd", "hyperparameters": []}]), r"hyperparameters must be a JSON obj"),
    (text(links=[{"link": "sgd", "hyperparameters": {}}]), "must be given learning_rate"),
    (text(links=[link(lr=1)]), r"links\[0\]: the link 'sgd' takes .* got 'lr'"),
    (text(links=[link(learning_rate="0.1")]), r"links\[0\]: learning_rate must be .* got '0.1'"),
    (text(links=[link(learning_rate=None)]), r"links\[0\]: learning_rate must be .* got None"),
    (text(links=[link(learning_rate=True)]), r"links\[0\]: learning_rate must be .* got True"),
    (text(links=[link(learning_rate=[1])]), r"links\[0\]: learning_rate must be .* got \[1\]"),
    (text(links=[link(learning_rate=-1)]), r"links\[0\]: learning_rate must be .* got -1"),
    (text(links=[link(learning_rate=float("nan"))]), "learning_rate must be .* got nan"),
    (text(links=[link(learning_rate=float("inf"))]), "learning_rate must be .* got inf"),
    (text(links=[link(learning_rate={})]), "must have the fields schedule"),
    (text(links=[link(learning_rate={"kept": 0})]), "must have the fields schedule"),
    (text(links=[link(learning_rate={"schedule": 1})]), "schedule must be a JSON object .* got 1"),
    (text(links=[link(learning_rate={"links": [link()]})]), "must have the fields schedule"),
    (text(links=[link(nesterov=1)]), "nesterov must be True or False, got 1"),
    (text(links=[link("adamw", mask=[True])]), r"mask must be null, true or false in JSON, got \["),
    (text(links=[link("adamw", mask={"w": True})]), "mask must be null, true or false in JSON"),
    (text(links=[link("adamw", mask="kernels")]), "mask must be null, true .* got 'kernels'"),
    (text(links=[link("adamw", mu_dtype="os.system")]), "mu_dtype must be one of"),
    (text(links=[link("adopt", clip_value_fn="os.system")]), "clip_value_fn must be null in JSON"),
    (text(links=[link("adopt", clip_value_fn=3)]), "clip_value_fn must be null in JSON, got 3"),
    (
        text(links=[link("adopt", clip_value_fn={"schedule": CURVE.to_node()})]),
        "clip_value_fn must be null in JSON",
    ),
    (
        text(links=[link("adopt", clip_value_fn={"chain": {"links": [link()]}})]),
        "clip_value_fn must be null in JSON",
    ),
    (text(links=[link("prodigy", betas=[0.9])]), r"betas must be 2 numbers, got \[0.9\]"),
    (text(links=[link("prodigy", betas="ab")]), "betas must be a tuple of 2 numbers, got 'ab'"),
    (text(links=[link("prodigy", betas=[0.9, "x"])]), r"betas\[1\] must be .* got 'x'"),
    (
        text(links=[{"link": "sam", "hyperparameters": {"adv_optimizer": 3}}, link()]),
        "adv_optimizer must be a Chain or a Link",
    ),
    (
        text(links=[{"link": "sam", "hyperparameters": {"adv_optimizer": {"chain": 3}}}, link()]),
        "the chain must be a JSON object, got 3",
    ),
    (
        text(
            links=[
                {
                    "link": "sam",
                    "hyperparameters": {"adv_optimizer": {"chain": {"links": [link()]}, "x": 1}},
                },
                link(),
            ]
        ),
        "must have the fields chain, got one with x",
    ),
    (text(groups={}), "groups must be a list, got {}"),
    (text(groups=[3]), r"groups\[0\] must be a JSON object, got 3"),
    (text(groups=[without("name")]), r"groups\[0\] must have the fields name"),
    (text(groups=[group(color="red")]), r"groups\[0\] must have the fields .* with color"),
    (text(groups=[group(name="all")]), r"groups\[0\]: a group's name must not be 'all'"),
    (text(groups=[group(name="1")]), r"groups\[0\]: a group's name must be .* got '1'"),
    (text(groups=[group(name=None)]), r"groups\[0\]: a group's name must be .* got None"),
    (text(groups=[group(), group()]), "groups must have names of their own, got 'g' twice"),
    (text(groups=[without("multiplier")]), "must have a multiplier or a chain"),
    (text(groups=[without("paths")]), "must be given by paths, kinds or mask"),
    (text(groups=[group(kinds=["bias"])]), "must be given by paths, kinds or mask, one of them"),
    (text(groups=[group(paths=3)]), "the paths of g must be text or a list of texts, got 3"),
    (text(groups=[group(paths=[3])]), r"the paths of g must be text .* got \[3\]"),
    (text(groups=[without("paths", kinds=["biases"])]), "a kind of the group g .* got 'biases'"),
    (text(groups=[without("paths", mask=True)]), r"groups\[0\].mask cannot be read from JSON"),
    (text(groups=[without("paths", mask={"kept": 0})]), "mask cannot be read from JSON"),
    (text(groups=[group(multiplier=-1)]), "the multiplier of g must be .* got -1"),
    (text(groups=[group(multiplier="1")]), "the multiplier of g must be .* got '1'"),
    (text(groups=[group(multiplier={"kept": 1})]), "must have the fields schedule"),
    (
        text(groups=[group(multiplier={"chain": {"links": [link()]}})]),
        "the multiplier of g must be",
    ),
    (text(groups=[group(links=[link()])]), "must have a multiplier or a chain, one of them"),
    (text(groups=[without("multiplier", links=[])]), r"groups\[0\]: a chain must have at least"),
    (text(groups=[without("multiplier", links=3)]), r"groups\[0\].links must be a list, got 3"),
    (
        text(groups=[without("multiplier", links=[link("sgdd")])]),
        r"groups\[0\].links\[0\]: link must be one of",
    ),
    (nested(300), "nested|cannot be read"),
    (nested(100_000), "cannot be read"),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=lambda c: c[:40])
def test_a_bad_text_is_refused_with_place_rule_and_value(bad, message):
    with pytest.raises(ValueError, match=message):
        Chain.from_json(bad)


@pytest.mark.parametrize("bad", [None, 3, b"{}", {}])
def test_what_is_no_text_is_refused(bad):
    with pytest.raises(TypeError, match="JSON text of lrwidget/chain must be a str"):
        Chain.from_json(bad)


def test_a_number_that_no_float_can_hold_is_refused():
    with pytest.raises(ValueError, match="learning_rate must be"):
        Chain.from_json(text(links=[link(learning_rate=10**400)]))

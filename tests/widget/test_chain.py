"""The chain editor: what the page is told of a chain, and what it may make of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrwidget import Chain, Task, optimizers, schedules
from lrwidget.optimizers import Declaration, Group, Hyperparameter
from lrwidget.optimizers._registry import declaration
from lrwidget.widget import LRWidget, ScheduleDesigner, _chain_node
from lrwidget.widget._chain_node import catalogue
from tests.widget.own import a_mask, own_optimizer, without_default
from tests.widget.page import PATIENCE, Page, decoded_delta

COSINE = schedules.preset("cosine", peak_value=3e-3, steps=500)
STEP = schedules.preset("step", peak_value=0.1, steps=900)
DECAY = schedules.preset("linear", peak_value=0.05, steps=500)
RISE = schedules.constant(0.5, 500)
CHAIN = Chain.of(optimizers.clip_by_global_norm(2.0), optimizers.adamw(1e-3, weight_decay=0.02))
GROUPED = Chain.of(
    optimizers.multi_steps(4),
    optimizers.clip_by_global_norm(1.0),
    optimizers.adamw(COSINE, weight_decay=DECAY),
    groups=[
        Group("head", multiplier=RISE, paths=["head/*", "last"]),
        Group("small", chain=optimizers.sgd(STEP, momentum=0.9), kinds=["bias", "norm"]),
    ],
)
ADAMW = {"link": "adamw", "hyperparameters": {"learning_rate": 1e-3}}
SGD = {"link": "sgd", "hyperparameters": {"learning_rate": 0.1}}


def make_task():
    x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    return Task(
        {"w": np.zeros((1, 1), np.float32)},
        lambda params, batch: ((batch[0] @ params["w"] - batch[1]) ** 2).mean(),
        train=(x, 2 * x),
        batch_size=8,
    )


def nodes(tracks):
    return {name: track.to_node() for name, track in tracks.items()}


def opened(*args, **kwargs):
    return Page(ScheduleDesigner(*args, **kwargs)).unpaced()


def shown(page):
    return page.widget._design


def resend(page, node, **fields):
    """Send a chain with the curves as they are."""
    widget = page.widget
    fields = {"schedule": widget.schedule.to_node(), "tracks": nodes(widget.tracks), **fields}
    return page.ask("design.set", chain=node, **fields)


# ---- what the page is told ---------------------------------------------------------------------


def test_a_chain_is_shown_with_its_links_groups_and_data():
    page = opened(chain=GROUPED)
    design = shown(page)
    json.dumps(design, allow_nan=False)
    assert [part["label"] for part in design["chain"]] == [
        "multi_steps",
        "clip_by_global_norm",
        "adamw",
    ]
    head, small = design["groups"]
    assert (head["name"], head["by"], head["match"], head["chain"]) == (
        "head",
        "paths",
        "head/*, last",
        None,
    )
    assert head["multiplier"]["address"] == "head/scale.step_size"
    assert (head["multiplier"]["value"], head["multiplier"]["scheduled"]) == (0.5, True)
    assert head["multiplier"]["low"] == 0.0
    assert (small["by"], small["match"], small["multiplier"]) == ("kinds", "bias, norm", None)
    assert small["chain"][0]["hyperparameters"][0]["address"] == "small/sgd.learning_rate"
    assert design["chain_node"] == {
        "links": [
            {"link": "multi_steps", "hyperparameters": {"every_k_schedule": 4}},
            {"link": "clip_by_global_norm", "hyperparameters": {"max_norm": 1.0}},
            {
                "link": "adamw",
                "hyperparameters": {"learning_rate": 3e-3, "weight_decay": DECAY(0)},
            },
        ],
        "groups": [
            {"name": "head", "paths": ["head/*", "last"], "multiplier": 0.5},
            {
                "name": "small",
                "kinds": ["bias", "norm"],
                "links": [
                    {
                        "link": "sgd",
                        "hyperparameters": {"learning_rate": STEP(0), "momentum": 0.9},
                    }
                ],
            },
        ],
    }


def test_every_number_that_can_change_is_a_track_or_may_become_one():
    page = opened(chain=GROUPED)
    design = shown(page)
    assert [(t["name"], t["label"]) for t in design["tracks"]] == [
        ("adamw.weight_decay", "weight_decay"),
        ("head/scale.step_size", "head/multiplier"),
        ("small/sgd.learning_rate", "small/learning_rate"),
    ]
    assert {c["name"] for c in design["candidates"]} == {
        "clip_by_global_norm.max_norm",
        "adamw.b1",
        "adamw.b2",
        "adamw.eps",
        "adamw.eps_root",
        "small/sgd.momentum",
    }


def test_a_track_is_shown_with_the_number_that_comes_back():
    page = opened(COSINE, chain=CHAIN, tracks={"weight_decay": DECAY})
    fields = {h["name"]: h for h in shown(page)["chain"][1]["hyperparameters"]}
    assert (fields["weight_decay"]["value"], fields["weight_decay"]["scheduled"]) == (0.02, True)
    assert (fields["learning_rate"]["value"], fields["learning_rate"]["scheduled"]) == (1e-3, True)
    assert (fields["mask"]["kind"], fields["mask"]["value"]) == ("mask", None)


def test_without_a_chain_there_is_no_node():
    design = shown(opened())
    assert (design["chain"], design["groups"], design["chain_node"]) == ([], [], None)


def test_what_is_known_to_be_wrong_is_said():
    chain = Chain.of(optimizers.adamw(1e-3), optimizers.clip_by_global_norm(1.0))
    [warning] = shown(opened(chain=chain))["chain_warnings"]
    assert warning["label"] == "clip_by_global_norm"
    assert "put it before the optimizer" in warning["text"]
    assert shown(opened(chain=CHAIN))["chain_warnings"] == []


@pytest.mark.parametrize("link", catalogue(), ids=[link["name"] for link in catalogue()])
def test_every_link_of_the_palette_can_be_taken(link):
    """Alone where it has a learning rate, else with an optimizer behind it."""
    page = opened(COSINE)
    assert set(link) == {"name", "help", "category", "group", "hyperparameters"}
    node = {"link": link["name"], "hyperparameters": link["hyperparameters"]}
    json.dumps(node, allow_nan=False)
    declared = declaration(link["name"])
    links = [node] if declared.rate else [node, ADAMW]
    if declared.rate and not declared.hyperparameter(declared.rate).live:
        said = page.refused("design.set", chain={"links": links, "groups": []})
        assert f"{link['name']}.learning_rate is fixed once the optimizer is built" in said
        return
    resend(page, {"links": links, "groups": []})
    chain, seq = page.widget.chain, shown(page)["seq"]
    assert chain.links[0].name == link["name"]
    assert chain.learning_rate == COSINE
    # Every field as it is shown can be written back; defaults are then left out again.
    full = [
        {
            "link": part["link"],
            "hyperparameters": {
                h["name"]: h["value"] for h in part["hyperparameters"] if h["value"] != "set"
            },
        }
        for part in shown(page)["chain"]
    ]
    assert resend(page, {"links": full, "groups": []}) == {"seq": seq}
    assert page.widget.chain == chain


def test_the_palette_has_every_kind_and_is_in_the_order_of_the_declarations():
    links = catalogue()
    assert [link["name"] for link in links] == optimizers.names()
    assert [link["group"] for link in links if link["name"] in ("adamw", "prodigy", "sam")] == [
        "Optimizers",
        "Learning-rate-free",
        "Around the rest",
    ]
    assert Page(ScheduleDesigner()).comm.opened["state"]["_catalogue"]["links"] == links


def test_plug_ins_have_a_place_of_their_own_if_json_can_begin_them(monkeypatch):
    rate = Hyperparameter(name="learning_rate", default=0.1, required=True)
    betas = Hyperparameter(name="betas", default=(0.9, 0.99), required=True, kind="numbers")
    rule = Hyperparameter(name="rule", default=None, required=True, kind="function")
    more = {"module": "elsewhere", "function": "mine", "help": "theirs"}
    monkeypatch.setattr(
        _chain_node,
        "declarations",
        lambda: {
            "mine": Declaration(name="mine", hyperparameters=(rate, betas), **more),
            "ruled": Declaration(name="ruled", hyperparameters=(rate, rule), **more),
        },
    )
    assert catalogue() == [
        {
            "name": "mine",
            "help": "theirs",
            "category": "optimizer",
            "group": "Plug-ins",
            "hyperparameters": {"learning_rate": 0.1, "betas": [0.9, 0.99]},
        }
    ]


# ---- edits of the page -------------------------------------------------------------------------


@pytest.mark.parametrize("chain", [CHAIN, GROUPED, Chain.of(optimizers.polyak_sgd(1.0))])
def test_its_own_data_sent_back_changes_nothing(chain):
    page = opened(chain=chain)
    before = shown(page)
    assert resend(page, before["chain_node"]) == {"seq": 0}
    assert shown(page) is before
    assert page.updates("_design") == []


def test_a_chain_is_made_from_nothing_and_taken_away():
    page = opened(COSINE)
    assert resend(page, {"links": [ADAMW], "groups": []}) == {"seq": 1}
    assert page.widget.chain == Chain.of(optimizers.adamw(COSINE))
    assert "optax.adamw(learning_rate=learning_rate)" in page.widget._code["text"]
    assert resend(page, None) == {"seq": 2}
    assert (page.widget.chain, shown(page)["chain_node"]) == (None, None)
    assert page.widget.schedule == COSINE


def test_links_tracks_and_curve_are_one_edit():
    page = opened(COSINE, chain=CHAIN)
    seen = []
    page.widget.observe(lambda change: seen.append(change["name"]), ["chain", "tracks", "schedule"])
    node = {
        "links": [
            {"link": "clip", "hyperparameters": {"max_delta": 0.5}},
            {"link": "lion", "hyperparameters": {"learning_rate": 1e-4, "b1": 0.8}},
        ],
        "groups": [{"name": "bias", "kinds": ["bias"], "multiplier": 2}],
    }
    page.ask(
        "design.set",
        schedule=STEP.to_node(),
        tracks=nodes({"lion.weight_decay": DECAY, "bias/multiplier": RISE}),
        chain=node,
    )
    assert sorted(seen) == ["chain", "schedule", "tracks"]
    assert page.widget.chain == Chain.of(
        optimizers.clip(0.5),
        optimizers.lion(STEP, b1=0.8, weight_decay=DECAY),
        groups=[Group("bias", multiplier=RISE, kinds=["bias"])],
    )
    assert list(page.widget.tracks) == ["lion.weight_decay", "bias/scale.step_size"]
    # Without the track, what the page sent is there.
    page.ask("design.set", tracks={})
    assert page.widget.chain.value("bias/multiplier") == 2.0


def test_a_chain_alone_keeps_the_tracks_that_it_has():
    page = opened(COSINE, chain=CHAIN, tracks={"weight_decay": DECAY, "max_norm": RISE})
    page.ask("design.set", chain={"links": [ADAMW], "groups": []})
    assert page.widget.tracks == {"adamw.weight_decay": DECAY}
    [said] = shown(page)["chain_warnings"]
    assert said["label"] == ""
    assert "left out: the track clip_by_global_norm.max_norm (the chain has no" in said["text"]


def test_tracks_of_a_design_without_a_chain_find_their_addresses_or_stay_out():
    page = opened(COSINE, tracks={"weight_decay": DECAY, "momentum": RISE})
    resend(page, {"links": [ADAMW], "groups": []})
    assert page.widget.tracks == {"adamw.weight_decay": DECAY}
    [said] = shown(page)["chain_warnings"]
    assert said == {
        "label": "",
        "text": "left out: the track momentum (the chain has no number of that name)",
    }
    page.ask("design.set", tracks={})
    assert shown(page)["chain_warnings"] == []


def test_a_track_that_the_new_chain_has_not_is_refused():
    page = opened(COSINE, chain=CHAIN, tracks={"weight_decay": DECAY})
    said = page.refused(
        "design.set", chain={"links": [SGD], "groups": []}, tracks=nodes(page.widget.tracks)
    )
    assert "an address must be one of" in said
    assert page.widget.chain == CHAIN.replace(learning_rate=COSINE, weight_decay=DECAY)


def test_python_hears_what_a_new_chain_leaves_out():
    designer = ScheduleDesigner(COSINE, tracks={"weight_decay": DECAY, "momentum": RISE})
    with pytest.warns(UserWarning, match="new chain leaves out the track momentum"):
        designer.chain = optimizers.adamw(1e-3)
    assert designer.tracks == {"adamw.weight_decay": DECAY}


def test_tracks_in_groups_keep_names_without_their_chain():
    designer = ScheduleDesigner(chain=GROUPED)
    designer.chain = None
    assert set(designer.tracks) == {"weight_decay", "head_multiplier", "small_learning_rate"}


# ---- objects that JSON cannot hold -------------------------------------------------------------


def masked():
    return Chain.of(
        optimizers.add_decayed_weights(1e-4, mask=a_mask),
        optimizers.sgd(0.1),
        groups=[Group("mine", multiplier=0.5, mask=a_mask)],
    )


def test_a_mask_is_a_number_to_the_page_and_comes_back():
    page = opened(COSINE, chain=masked())
    node = shown(page)["chain_node"]
    decay, sgd = node["links"]
    assert decay["hyperparameters"] == {"weight_decay": 1e-4, "mask": {"kept": 0}}
    assert node["groups"][0]["mask"] == {"kept": 1}
    assert shown(page)["groups"][0]["by"] == "mask"
    # Moved, doubled, taken away, and brought back.
    for links in ([sgd, decay], [decay, decay, sgd], [sgd], [decay, sgd]):
        resend(page, {**node, "links": links})
        found = [link for link in page.widget.chain.links if link.name == "add_decayed_weights"]
        assert [link["mask"] for link in found] == [a_mask] * (len(links) - 1)
    assert page.widget.chain == masked().replace(learning_rate=COSINE)
    assert shown(page)["chain_node"] == node


def test_a_custom_link_whose_rate_has_no_default_is_edited_and_moved():
    chain = Chain.of(optimizers.custom(without_default, learning_rate=0.1))
    page = opened(COSINE, chain=chain)
    [link] = shown(page)["chain_node"]["links"]
    resend(page, {"links": [{"link": "clip", "hyperparameters": {"max_delta": 1}}, link]})
    assert [each.name for each in page.widget.chain.links] == ["clip", "without_default"]
    assert page.widget.chain.learning_rate == COSINE


def test_a_custom_link_is_data_like_any_other():
    chain = Chain.of(optimizers.custom(own_optimizer, learning_rate=0.1))
    page = opened(COSINE, chain=chain)
    [link] = shown(page)["chain_node"]["links"]
    assert link == {
        "link": "own_optimizer",
        "hyperparameters": {"learning_rate": 0.1},
        "kept": 0,
    }
    link = {**link, "hyperparameters": {"learning_rate": 0.1, "strength": 0.25}}
    resend(page, {"links": [{"link": "clip", "hyperparameters": {"max_delta": 1}}, link]})
    assert page.widget.chain.value("strength") == 0.25
    assert page.widget.chain.value("own_optimizer.learning_rate") == COSINE
    assert shown(page)["chain_node"]["links"][1] == link
    resend(page, None)
    resend(page, {"links": [link], "groups": []})
    assert page.widget.chain.links[0].declaration.factory is own_optimizer


def test_an_inner_chain_is_kept():
    chain = Chain.of(optimizers.sam(adv_optimizer=optimizers.sgd(0.02)), optimizers.sgd(0.1))
    page = opened(COSINE, chain=chain)
    node = shown(page)["chain_node"]
    assert node["links"][0]["hyperparameters"] == {"adv_optimizer": {"kept": 0}}
    assert resend(page, node) == {"seq": 0}


@pytest.mark.parametrize("token", [1, 7, -1, 2**40, True, 0.0, "0", None, [0]])
@pytest.mark.parametrize("place", ["mask", "custom"])
def test_only_what_a_place_has_had_can_be_taken_there(token, place):
    page = opened(COSINE, chain=masked())
    link = {"link": "add_decayed_weights", "hyperparameters": {"mask": {"kept": token}}}
    if place == "custom":
        link = {"link": "mine", "hyperparameters": {}, "kept": token}
    said = page.refused("design.set", chain={"links": [link, SGD], "groups": []})
    assert "kept" in said
    assert page.widget.chain == masked().replace(learning_rate=COSINE)


# ---- refusals ----------------------------------------------------------------------------------


def of(*links, groups=()):
    return {"links": list(links), "groups": list(groups)}


def adamw(**hyperparameters):
    return {"link": "adamw", "hyperparameters": {"learning_rate": 1e-3, **hyperparameters}}


def group(**fields):
    return of(ADAMW, groups=[{"name": "head", "kinds": ["bias"], **fields}])


REFUSED = {
    "a list": ([], "chain must be a JSON object"),
    "a link": (ADAMW, "chain must have the fields links, got one without links"),
    "no links": (of(), "a chain must have at least one link"),
    "links in an object": ({"links": {}}, "chain.links must be a list of at most 64"),
    "a field too many": ({**of(ADAMW), "steps": 3}, "got one with steps"),
    "an unknown link": (of({**ADAMW, "link": "adammw"}), "got 'adammw' (did you mean 'adamw'?)"),
    "a link without a name": (of({"hyperparameters": {}}), "without link"),
    "a name that is a list": (of({**ADAMW, "link": ["adamw"]}), "link must be text"),
    "an unknown number": (of(adamw(momentum=0.9)), "got 'momentum'"),
    "a number beyond its range": (of(adamw(b2=1.0)), "b2 must be a finite number >= 0 and < 1"),
    "a NaN": (of(adamw(b1=float("nan"))), "b1 must be a finite number"),
    "an endless number": (of(adamw(b1=10**400)), "b1 must be a finite number"),
    "a number that is text": (of(adamw(b1="0.9")), "b1 must be a finite number"),
    "a number that is true": (of(adamw(b1=True)), "b1 must be a finite number"),
    "a flag that is a number": (of(adamw(nesterov=1)), "nesterov must be True or False"),
    "a mask that is text": (of(adamw(mask="all")), "mask must be null"),
    "a curve within": (of(adamw(b1={"schedule": RISE.to_node()})), "its curve is one of tracks"),
    "a chain within": (of(adamw(mask={"chain": of(SGD)})), "got one"),
    "a required number left out": (of({"link": "sgd", "hyperparameters": {}}), "learning_rate"),
    "hyperparameters in a list": (
        of({"link": "sgd", "hyperparameters": [0.1]}),
        "hyperparameters must be a JSON object",
    ),
    "no rate": (
        of({"link": "clip", "hyperparameters": {"max_delta": 1}}),
        "the chain must have a learning rate, which is the curve: add an optimizer such as adamw",
    ),
    "a rate that is none": (
        of({"link": "lbfgs", "hyperparameters": {}}),
        "lbfgs.learning_rate is None: give it a number, such as 1.0",
    ),
    "two rates": (of(ADAMW, SGD), "got adamw.learning_rate and sgd.learning_rate: keep one"),
    "a wrapper at the end": (
        of(ADAMW, {"link": "multi_steps", "hyperparameters": {"every_k_schedule": 2}}),
        "multi_steps goes around the links after it, and there is none",
    ),
    "too many links": (of(*[ADAMW] * 65), "chain.links must be a list of at most 64, got 65"),
    "too many links in all": (
        of(*[ADAMW] * 40, groups=[{"name": "a", "kinds": ["bias"], "links": [ADAMW] * 40}]),
        "at most 64 links in all, got 80",
    ),
    "too many groups": (
        of(
            ADAMW, groups=[{"name": f"g{i}", "kinds": ["bias"], "multiplier": 1} for i in range(33)]
        ),
        "groups must be a list of at most 32",
    ),
    "too long a pattern": (group(paths=["x" * 300], multiplier=1), "text of 1 to 200"),
    "patterns in an object": (group(paths={"a": 1}), "paths must be a list"),
    "a pattern that is a number": (group(paths=[3]), "a word of chain.groups[0].paths must be"),
    "an unknown kind": (group(kinds=["weights"], multiplier=1), "a kind of the group head"),
    "a group by nothing": (group(kinds=[], multiplier=1), "by paths, kinds or mask, one of them"),
    "a group by both": (group(paths=["a"], multiplier=1), "by paths, kinds or mask, one of them"),
    "a group of nothing": (group(), "must have a multiplier or a chain"),
    "a group of both": (group(multiplier=1, links=[SGD]), "must have a multiplier or a chain"),
    "a multiplier below zero": (
        group(multiplier=-1),
        "the multiplier of head must be a finite number >= 0, got -1",
    ),
    "a multiplier that is text": (group(multiplier="2"), "multiplier must be a finite number"),
    "a group without links": (group(links=[]), "at least one link"),
    "a group that is all": (group(name="all", multiplier=1), "must not be 'all'"),
    "a group with a bad name": (group(name="my head", multiplier=1), "Python identifier"),
    "a group without a name": (of(ADAMW, groups=[{"kinds": ["bias"]}]), "without name"),
    "two groups of a name": (
        of(ADAMW, groups=[{"name": "a", "kinds": ["bias"], "multiplier": 1}] * 2),
        "names of their own, got 'a' twice",
    ),
    "a group that is a list": (of(ADAMW, groups=[[]]), "must be a JSON object"),
    "groups in an object": ({"links": [ADAMW], "groups": {}}, "chain.groups must be a list"),
}


@pytest.mark.parametrize(("node", "said"), REFUSED.values(), ids=REFUSED)
def test_a_bad_chain_is_refused_whole(node, said):
    page = opened(COSINE, chain=CHAIN)
    before = shown(page)
    error = page.refused("design.set", schedule=STEP.to_node(), tracks={}, chain=node)
    assert said in error
    assert len(error) < 620
    assert page.widget.chain == CHAIN.replace(learning_rate=COSINE)
    assert shown(page) is before


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        (optimizers.lbfgs(), "lbfgs.learning_rate is None: give it a number"),
        (optimizers.scale_by_adam(), "add an optimizer such as adamw"),
        (
            Chain.of(optimizers.sgd(0.1), optimizers.scale_by_learning_rate(0.1)),
            "got sgd.learning_rate and scale_by_learning_rate.learning_rate: keep one",
        ),
        (optimizers.custom(own_optimizer, learning_rate=None), "learning_rate"),
    ],
)
def test_a_chain_without_one_rate_says_what_to_add(chain, said):
    with pytest.raises(ValueError, match=said):
        ScheduleDesigner(chain=chain)
    with pytest.raises(ValueError, match=said):
        LRWidget(make_task(), chain)
    designer = ScheduleDesigner(COSINE)
    with pytest.raises(ValueError, match=said):
        designer.chain = chain
    assert designer.chain is None


def test_a_widget_with_a_task_needs_a_chain():
    page = Page(LRWidget(make_task(), optimizers.sgd(0.1))).unpaced()
    before = page.widget.chain
    assert "this widget trains with it" in page.refused("design.set", chain=None)
    with pytest.raises(ValueError, match="this widget trains with it"):
        page.widget.chain = None
    assert page.widget.chain == before
    assert Page(LRWidget()).ask("design.set", chain=None) == {"seq": 0}


# ---- rates of other names ----------------------------------------------------------------------


def test_the_curve_is_whatever_the_chain_calls_its_rate():
    page = opened(chain=optimizers.polyak_sgd(0.5))
    assert page.widget.schedule == schedules.constant(0.5, 1000)
    page.ask("schedule.set", schedule=STEP.to_node())
    assert page.widget.chain.value("max_learning_rate") == STEP
    assert "max_learning_rate = optax" in page.widget._code["text"]
    assert "max_learning_rate" not in {c["label"] for c in shown(page)["candidates"]}
    resend(page, of(SGD))
    assert page.widget.chain == Chain.of(optimizers.sgd(STEP))


def test_the_rate_of_a_group_of_its_own_is_a_track():
    page = opened(COSINE, chain=CHAIN)
    node = of(
        *shown(page)["chain_node"]["links"],
        groups=[{"name": "head", "paths": ["head"], "links": [SGD]}],
    )
    resend(page, node, tracks=nodes({"head/sgd.learning_rate": STEP}))
    assert page.widget.schedule == COSINE
    assert page.widget.chain.value("head/learning_rate") == STEP
    page.widget.peak_value = 1e-2
    assert page.widget.chain.value("head/learning_rate") == STEP
    assert page.widget.chain.learning_rate.peak_value == 1e-2


# ---- code and its proof ------------------------------------------------------------------------

HARD = {
    "groups and a wrapper": GROUPED,
    "a mask, twice": masked(),
    "a custom link": Chain.of(
        optimizers.custom(own_optimizer, learning_rate=COSINE, strength=DECAY)
    ),
    "an adaptive link": Chain.of(optimizers.sgd(COSINE), optimizers.stability_guard()),
    "wrappers in wrappers": Chain.of(
        optimizers.apply_if_finite(5),
        optimizers.lookahead(),
        optimizers.sam(adv_optimizer=optimizers.sgd(0.02)),
        optimizers.adamw(STEP, b1=RISE, mask=a_mask),
    ),
    "layers": Chain.of(
        optimizers.polyak_sgd(COSINE),
        groups=optimizers.layerwise_decay(0.5, ["embed*", "layers/0", "head"]),
    ),
}


@pytest.mark.parametrize(
    "chain",
    [
        # Groups and wrappers are proved in the chains' own tests; the others differ in the worker.
        pytest.param(chain, id=name, marks=[pytest.mark.soak] * (name == "groups and a wrapper"))
        for name, chain in HARD.items()
    ],
)
def test_code_of_any_chain_is_proved(chain):
    page = Page(ScheduleDesigner(chain=chain))
    page.ask("ready")
    verdict = page.wait_for("_code", "state", "equal", "differs", "failed")
    assert verdict["state"] == "equal", verdict
    assert page.widget._code["text"] == page.widget.chain.to_code()


def test_code_that_cannot_be_written_says_why_and_the_curves_are_proved():
    page = opened(chain=GROUPED.replace({"adamw.mask": lambda params: params}))
    page.ask("ready")
    verdict = page.wait_for("_code", "state", "equal", "differs", "failed")
    assert verdict["state"] == "equal", verdict
    assert (
        "only the schedules: adamw.mask must be a function that code can import"
        in (verdict["message"])
    )
    assert "small_learning_rate = optax" in verdict["text"]
    resend(page, of(ADAMW), tracks={})
    assert "optax.adamw" in page.widget._code["text"]


# ---- runs --------------------------------------------------------------------------------------


def test_a_run_sends_what_links_tell_and_what_groups_are_trained_with():
    chain = Chain.of(
        optimizers.sgd(0.1),
        optimizers.stability_guard(),
        groups=[Group("rest", multiplier=0.5, paths=["w"])],
    )
    page = Page(LRWidget(make_task(), chain, steps=40))
    idle = page.comm.opened["state"]["_train"]
    assert (idle["effective"], idle["reports"]) == ([], [])
    page.ask("train.start")
    status = page.wait_for("_train", "state", "finished")
    assert status["effective"] == ["effective_learning_rate", "rest/effective_learning_rate"]
    assert status["reports"][0] == "stability_guard.scale"
    page.wait(lambda: sum(d["columns"][0]["length"] for d, _ in page.deltas()) == 40)
    sent = [decoded_delta(*delta) for delta in page.deltas()]
    kept = page.wait(lambda: next((s for s in page.updates("_history") if s["seq"]), None))
    history = page.widget.trainer.history
    for name in (*status["effective"], *status["reports"], "learning_rate"):
        whole = np.concatenate([columns[name] for columns in sent])
        np.testing.assert_array_equal(whole, history[name])
        assert name in kept["columns"]
    scale, rate = history["stability_guard.scale"], history.learning_rate
    np.testing.assert_allclose(history.effective_learning_rate, scale * rate, rtol=1e-6)
    picture = page.widget._repr_mimebundle_()[0]["image/svg+xml"]
    assert "effective " in picture
    assert "rest " in picture


def test_the_rate_of_a_run_is_the_curve_by_whatever_name():
    page = Page(LRWidget(make_task(), optimizers.polyak_sgd(0.5), steps=40))
    page.ask("train.step", steps=10)
    page.wait_for("_train", "state", "paused")
    page.ask("train.scale", factor=0.5)
    page.ask("train.cooldown", steps=20)
    page.ask("train.resume")
    status = page.wait_for("_train", "state", "finished")
    rates = page.widget.trainer.history.max_learning_rate
    np.testing.assert_allclose(rates[[9, 10, 20, 29]], [0.5, 0.25, 0.125, 0.0125])
    assert status["learning_rate"] == rates[-1]


@pytest.mark.parametrize("chain", HARD.values(), ids=HARD)
def test_any_chain_can_be_set_from_python(chain):
    for page in (opened(), Page(LRWidget(make_task())).unpaced()):
        page.widget.chain = chain
        # A plain number takes the curve that there is.
        expected = chain.replace({chain.rate: page.widget.schedule})
        assert page.widget.chain == expected
        json.dumps(shown(page), allow_nan=False)
        assert resend(page, shown(page)["chain_node"]) == {"seq": shown(page)["seq"]}
        assert page.widget.chain == expected


def test_edits_of_the_chain_leave_the_run_and_its_one_trace():
    # So slow that it goes on whenever the edits come.
    page = Page(LRWidget(make_task(), CHAIN, steps=60, pace=1e-3)).unpaced()
    page.ask("train.start")
    page.wait_for("_train", "state", "running")
    trainer = page.widget.trainer
    node = page.widget._design["chain_node"]
    resend(page, {**node, "links": [SGD]}, tracks={})
    page.ask("train.scale", factor=0.5)
    page.ask("train.pace", steps_per_second=None)
    assert trainer.wait(PATIENCE)
    assert trainer.state == "finished"
    assert trainer.runner.traces == 1
    assert trainer.chain.links[1].name == "adamw"
    page.ask("train.restart")
    assert [link.name for link in page.widget.trainer.chain.links] == ["sgd"]


# ---- nonsense ----------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
WORDS = ["links", "groups", "name", "paths", "kinds", "mask", "multiplier", "kept", "schedule"]


def places(value, at=()):
    """Return the way to every part of plain data."""
    inner = enumerate(value) if isinstance(value, list) else ()
    inner = value.items() if isinstance(value, dict) else inner
    return [at, *(place for key, part in inner for place in places(part, (*at, key)))]


def changed(value, at, new):
    if not at:
        return new
    value = value.copy()
    value[at[0]] = changed(value[at[0]], at[1:], new)
    return value


@settings(max_examples=50)
@given(data=st.data())
def test_a_chain_with_anything_in_it_is_answered_and_taken_whole_or_not_at_all(data):
    assert_whole_or_not_at_all(data)


@pytest.mark.soak
@settings(max_examples=500)
@given(data=st.data())
def test_so_is_one_with_much_else_in_it(data):
    assert_whole_or_not_at_all(data)


def assert_whole_or_not_at_all(data):
    page = opened(chain=GROUPED)
    before, node = page.widget.chain, shown(page)["chain_node"]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(places(node)))
        new = anything | st.dictionaries(st.sampled_from(WORDS), anything, max_size=2)
        node = changed(node, at, data.draw(new))
    reply = page.reply(page.command("design.set", chain=node, tracks={}))
    if "error" in reply:
        assert page.widget.chain == before
        assert len(reply["error"]) < 620
    else:
        assert not page.widget.tracks
        assert resend(page, shown(page)["chain_node"])["seq"] == shown(page)["seq"]
    page.widget.close()

"""Which combinations are known to be wrong, and that good ones are left alone."""

from __future__ import annotations

import pytest

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group
from lrwidget.optimizers import _warnings as texts

o = lrw.optimizers
COSINE = lrw.schedules.preset("cosine", peak_value=3e-4, steps=100)
UNIT = lrw.schedules.preset("cosine", peak_value=1.0, steps=100)


def warned(*links, groups=()):
    return [(w.label, w.text) for w in Chain.of(*links, groups=groups).warnings()]


# What people train with, from papers and from Optax's own examples.
GOOD = {
    "sgd": [o.sgd(0.1)],
    "ResNet": [o.add_decayed_weights(5e-4), o.sgd(COSINE, momentum=0.9, nesterov=True)],
    "GPT": [o.clip_by_global_norm(1.0), o.adamw(COSINE, b2=0.95, weight_decay=0.1)],
    "GPT in blocks": [
        o.clip_by_global_norm(1.0),
        o.scale_by_adam(b2=0.95),
        o.add_decayed_weights(0.1),
        o.scale_by_learning_rate(COSINE),
    ],
    "Optax's first chain": [o.scale_by_adam(), o.scale(-1e-3)],
    "accumulated": [o.multi_steps(4), o.clip_by_global_norm(1.0), o.adamw(COSINE)],
    "accumulated, clipped before": [o.clip(1.0), o.multi_steps(4), o.adam(1e-3)],
    "left out where not finite": [o.apply_if_finite(5), o.clip_by_global_norm(1.0), o.adam(1e-3)],
    "left out, and sharp": [o.apply_if_finite(5), o.sam(), o.sgd(0.1, momentum=0.9)],
    "large batches": [o.lamb(COSINE, weight_decay=0.01)],
    "LARS": [o.lars(COSINE, weight_decay=1e-4)],
    "T5": [o.adafactor(1e-3)],
    "Muon": [o.muon(0.02, weight_decay=0.01)],
    "Lion": [o.clip_by_global_norm(1.0), o.lion(1e-4)],
    "prodigy": [o.prodigy()],
    "prodigy under a curve": [o.prodigy(UNIT, safeguard_warmup=True)],
    "D-adaptation": [o.dadapt_adamw(weight_decay=0.01)],
    "DoG": [o.dog()],
    "mechanize": [o.mechanize(), o.adamw(1.0)],
    "schedule-free": [o.schedule_free_adamw(0.0025, warmup_steps=100)],
    "schedule-free around": [o.schedule_free(), o.adam(1e-3, b1=0.0)],
    "schedule-free sgd": [o.schedule_free(), o.sgd(1.0)],
    "lookahead": [o.lookahead(), o.adam(1e-3)],
    "on plateau": [o.adam(1e-3), o.reduce_on_plateau(patience=5)],
    "guarded": [o.clip_by_global_norm(1.0), o.sgd(0.1, momentum=0.9), o.stability_guard()],
    "Polyak": [o.polyak_sgd()],
    "L-BFGS": [o.lbfgs()],
    "a line search": [o.sgd(1.0), o.scale_by_backtracking_linesearch(15)],
    "noise": [o.add_noise(0.01, 0.55, 0), o.adam(1e-3)],
    "flat": [o.flatten(), o.adam(1e-3)],
    "centralised": [o.centralize(), o.sgd(0.1, momentum=0.9)],
    "an average of updates": [o.adam(1e-3), o.ema(0.99)],
    "frozen in part": [o.adamw(1e-3), o.freeze({"w": True})],
}
GROUPED = {
    "no decay for biases and norms": [
        Group("plain", chain=o.adamw(COSINE, weight_decay=0.0), kinds=["bias", "norm"])
    ],
    "fine-tuning": [Group("body", multiplier=0.1, paths=["body"])],
    "layer by layer": o.layerwise_decay(0.8, ["a", "b", "c"]),
    "frozen": [Group("body", multiplier=0.0, paths=["body"])],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_well_known_recipe_is_left_alone(name):
    assert warned(*GOOD[name]) == []


@pytest.mark.parametrize("name", GROUPED)
def test_so_are_usual_groups(name):
    assert warned(o.adamw(COSINE), groups=GROUPED[name]) == []


PLATEAU = o.reduce_on_plateau(patience=5)
WRONG = {
    "weight decay after the rate": (
        [o.sgd(0.1), o.add_decayed_weights(1e-4)],
        [("add_decayed_weights", texts._DECAY_AFTER_RATE)],
    ),
    "clipping after the optimizer": (
        [o.adam(1e-3), o.clip_by_global_norm(1.0)],
        [("clip_by_global_norm", texts._AFTER_OPTIMIZER.format(name="clip_by_global_norm"))],
    ),
    "two optimizers": (
        [o.adam(1e-3), o.sgd(0.1)],
        [("sgd", texts._TWO_RATES.format(first="adam"))],
    ),
    "a rate after an optimizer": (
        [o.adam(1e-3), o.scale_by_learning_rate(0.1)],
        [("scale_by_learning_rate", texts._TWO_RATES.format(first="adam"))],
    ),
    "an optimizer and a negative scale": (
        [o.adam(1e-3), o.scale(-1.0)],
        [("scale", texts._UPHILL.format(first="adam", name="scale"))],
    ),
    "blocks without a rate": ([o.clip(1.0), o.scale_by_adam()], [("", texts._NO_RATE)]),
    "blocks that go uphill": ([o.scale_by_adam(), o.scale(0.1)], [("", texts._NO_RATE)]),
    "a small rate where 1 is right": (
        [o.prodigy(1e-3)],
        [("prodigy", texts._ONE.format(name="prodigy", value="0.001"))],
    ),
    "a usual curve where 1 is right": (
        [o.dog(COSINE)],
        [("dog", texts._ONE.format(name="dog", value="a curve up to 0.0003"))],
    ),
    "a plateau of validation losses": (
        [o.adam(1e-3), PLATEAU.replace(monitor="valid")],
        [("reduce_on_plateau", texts._VALIDATION.format(name="reduce_on_plateau"))],
    ),
    "a plateau of validation losses that are not asked for": (
        [o.multi_steps(4), o.adam(1e-3), PLATEAU.replace(monitor="valid")],
        [
            ("reduce_on_plateau", texts._VALIDATION.format(name="reduce_on_plateau")),
            (
                "reduce_on_plateau",
                texts._SKIPPED.format(around="multi_steps", name="reduce_on_plateau"),
            ),
        ],
    ),
    "a plateau before the optimizer": (
        [PLATEAU, o.adam(1e-3)],
        [("reduce_on_plateau", texts._BEFORE_OPTIMIZER.format(name="reduce_on_plateau"))],
    ),
    "weight decay twice": (
        [o.add_decayed_weights(1e-4), o.adamw(1e-3)],
        [("adamw", texts._TWICE.format(first="add_decayed_weights"))],
    ),
    "no bad step left out": (
        [o.apply_if_finite(0), o.adam(1e-3)],
        [("apply_if_finite", texts._LIMIT)],
    ),
    "flags within sam": (
        [o.sam(), o.apply_if_finite(3), o.sgd(0.1)],
        [("apply_if_finite", texts._FLAGS.format(name="apply_if_finite"))],
    ),
    "schedules that begin anew": (
        [o.lookahead(reset_state=True), o.sgd(COSINE)],
        [("lookahead", texts._RESET.format(name="sgd"))],
    ),
    "one vector of layers": (
        [o.flatten(), o.lamb(1e-3)],
        [("lamb", texts._FLAT.format(name="lamb"))],
    ),
    "momentum within schedule-free": (
        [o.schedule_free(), o.sgd(0.1, momentum=0.9)],
        [("sgd", texts._MOMENTUM.format(name="sgd"))],
    ),
    "Adam's momentum within schedule-free": (
        [o.schedule_free(), o.adam(1e-3)],
        [("adam", texts._MOMENTUM.format(name="adam"))],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_known_to_be_wrong_is_said_with_its_reason(name):
    links, expected = WRONG[name]
    assert warned(*links) == expected


def test_multipliers_and_an_optimizer_that_keeps_averages():
    group = Group("head", multiplier=0.1, paths=["head"])
    [(label, text)] = warned(o.schedule_free_sgd(), groups=[group])
    assert label == "schedule_free_sgd"
    assert "multipliers of groups" in text


def test_the_chain_of_a_group_is_looked_at_too():
    own = Chain.of(o.sgd(0.1), o.add_decayed_weights(1e-4))
    group = Group("head", chain=own, paths=["head"])
    assert warned(o.adam(1e-3), groups=[group]) == [
        ("head/add_decayed_weights", texts._DECAY_AFTER_RATE)
    ]


def test_they_come_in_the_order_of_the_links():
    labels = [label for label, _ in warned(PLATEAU, o.dog(1e-3), o.clip(1.0), o.sgd(0.1))]
    assert labels == ["reduce_on_plateau", "dog", "clip", "sgd"]


def test_every_reason_is_a_sentence_that_says_what_to_do():
    for name, text in vars(texts).items():
        if name.startswith("_") and isinstance(text, str) and name.isupper():
            assert text.endswith("."), name

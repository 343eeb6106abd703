"""What a range test leaves out of a chain: links that would make another rate of the ladder's."""

from __future__ import annotations

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget import Chain, optimizers
from lrwidget.finding import find_lr
from lrwidget.finding._measured import measured
from lrwidget.optimizers import Group
from lrwidget.optimizers._registry import declarations

SGD = optimizers.sgd(0.1)
ADAPTIVE = [name for name, d in declarations().items() if d.category == "adaptive"]


@pytest.mark.parametrize("name", ADAPTIVE)
def test_the_sweep_is_that_of_the_optimizer_alone(task, name):
    plain = find_lr(task, SGD, steps=20, stop_factor=None)
    sweep = find_lr(task, Chain.of(SGD, optimizers.make(name)), steps=20, stop_factor=None)
    np.testing.assert_array_equal(sweep.losses, plain.losses)
    assert sweep.left_out == (name,)
    assert f"without {name}" in repr(sweep)
    assert plain.left_out == ()


@pytest.mark.parametrize(
    ("chain", "links", "left_out"),
    [
        (Chain.of(optimizers.mechanize(), SGD), ["sgd"], ("mechanize",)),
        (Chain.of(optimizers.apply_if_finite(5), SGD), ["sgd"], ("apply_if_finite",)),
        (Chain.of(SGD, optimizers.scale_by_zoom_linesearch(9)), ["sgd"], ("scale_by_zoom_lines",)),
        (Chain.of(optimizers.multi_steps(2), SGD), ["multi_steps", "sgd"], ()),
        (Chain.of(optimizers.lookahead(), SGD), ["lookahead", "sgd"], ()),
        (Chain.of(optimizers.schedule_free(), SGD), ["schedule_free", "sgd"], ()),
        (Chain.of(optimizers.lbfgs(1.0)), ["lbfgs"], ()),
        (Chain.of(optimizers.prodigy(1.0)), ["prodigy"], ()),
        (
            Chain.of(SGD, optimizers.multi_steps(2), optimizers.stability_guard()),
            ["sgd"],
            ("stability_guard",),
        ),
        (Chain.of(optimizers.stability_guard()), ["stability_guard"], ()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_what_chooses_the_size_of_steps_is_left_out_and_all_else_stays(chain, links, left_out):
    kept, without = measured(chain)
    assert [link.name for link in kept.links] == links
    assert len(without) == len(left_out)
    assert all(label.startswith(said) for label, said in zip(without, left_out, strict=True))


def test_groups_keep_their_own_chains_without_it():
    chain = Chain.of(
        SGD,
        groups=[
            Group("head", chain=Chain.of(SGD, optimizers.greedy()), paths=["w"]),
            Group("other", multiplier=0.5, paths=["v"]),
        ],
    )
    kept, without = measured(chain)
    assert without == ("head/greedy",)
    assert kept == Chain.of(
        SGD,
        groups=[Group("head", chain=SGD, paths=["w"]), Group("other", multiplier=0.5, paths=["v"])],
    )


def test_the_rate_climbs_by_whatever_name_it_has(task):
    sweep = find_lr(task, optimizers.polyak_sgd(1.0), steps=12, stop_factor=None)
    assert len(sweep.losses) == 12


def test_a_group_of_its_own_keeps_its_rate(task):
    chain = Chain.of(SGD, groups=[Group("head", chain=optimizers.adam(1e-3), paths=["v"])])
    assert len(find_lr(task, chain, steps=12, stop_factor=None).losses) == 12
    climbing = find_lr(task, chain, steps=12, stop_factor=None, address="head/learning_rate")
    assert len(climbing.losses) == 12


def test_a_chain_of_adaptive_links_alone_has_no_rate(task):
    with pytest.raises(ValueError, match="chain must have a live learning_rate"):
        find_lr(task, lrw.Chain.of(optimizers.stability_guard()))

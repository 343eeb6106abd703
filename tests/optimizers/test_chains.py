"""Random chains of two to six links, with groups and tracks: every form of them is one optimizer.

Links on their own, with every one of their hyperparameters, are in ``test_every_optimizer.py``.
"""

from __future__ import annotations

import copy
import pickle

import jax
import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings

from lrwidget.optimizers import Chain
from lrwidget.optimizers._json import from_node, to_node
from tests.optimizers.forms import PARAMS, distance, equal, executed, program, trained
from tests.optimizers.strategies import drawn, scheduled

STEPS, PARTS = 12, 10
CHAINS = 200 // PARTS


def check_copies(chain):
    """Hold a chain against its copies, and against what JSON gives back."""
    for other in (copy.deepcopy(chain), pickle.loads(pickle.dumps(chain)), chain.replace()):
        assert other == chain
        assert hash(other) == hash(chain)
        assert other.structure() == chain.structure()
    held = []

    def keep(place, value):
        held.append(value)
        return len(held) - 1

    node = to_node(chain, keep=keep)
    links, groups = from_node(node, lambda place, token: held[token])
    assert Chain(*links, groups=groups) == chain
    if not all(isinstance(value, Chain) for value in held):
        with pytest.raises(ValueError, match="to be written as JSON"):
            chain.to_json()
    else:
        assert Chain.from_json(chain.to_json()) == chain


def check_addresses(chain):
    for address in chain.addresses():
        assert chain.resolve(address) == chain.resolve(chain.short(address)) == address
    names = chain.injection().names
    assert len(set(names)) == len(names)


def forms_of(chain):
    """Return every form of a chain, and what the loop writes before a step of each."""
    own = any(link.declaration.module.startswith("lrwidget") for _, link in chain.labelled())
    plain = executed(chain.to_code(hold=True), own=own)
    forms = {"optax": chain.to_optax(), "code": plain["optimizer"]}
    if not chain.addresses():
        return forms, {}
    forms["live"] = chain.live()
    try:
        text = chain.to_code(hold=True, live=True)
    except ValueError as error:
        assert "must have numbers that can change" in str(error)  # noqa: PT017
        return forms, {}
    live = executed(text, own=own)
    forms["live code"] = live["optimizer"]
    hyperparameters = live.get("hyperparameters", lambda _: {})

    def write(state, step):
        now = hyperparameters(step)
        assert now.keys() <= state.hyperparams.keys()
        return state._replace(hyperparams={**state.hyperparams, **now})

    return forms, {"live code": write}


def check_training(chain):
    """Train every form, and compare where they end."""
    forms, before = forms_of(chain)
    tracked = scheduled(chain)
    if not tracked and program(chain, forms["optax"]) == program(chain, forms["code"]):
        del forms["code"]  # the same, letter for letter
    ended = trained(chain, forms, STEPS, before)
    assert all(bool(np.all(np.isfinite(leaf))) for leaf in jax.tree.leaves(ended["optax"]))
    # Optax injects a decay rate that has a schedule as float32 and takes it from one there; the
    # live form does that in float64. Without a schedule, the constants are the same.
    decays = [a for a in chain.addresses() if chain.hyperparameter(a).decay]
    loose = any(scheduled_at(chain, address) for address in decays)
    away = {name: distance(ended["optax"], end) for name, end in ended.items()}
    assert tracked or equal(ended["optax"], ended.get("code", ended["optax"])), away
    assert away.get("code", 0.0) <= 1e-6, away
    assert away.get("live", 0.0) <= (1e-5 if loose else 1e-6), away
    assert away.get("live code", 0.0) <= 1e-5, away
    return distance(PARAMS, ended["optax"])


def scheduled_at(chain, address):
    return not isinstance(chain.value(address), float)


# Parts, so that each stays far below the limit of a test's time. What fails is not made smaller:
# each try would be a compilation.
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.soak) for part in range(1, PARTS))]
)
def test_every_form_of_a_random_chain_is_the_same_optimizer(part):
    seen = {}

    @seed(part)
    @settings(max_examples=30, phases=[Phase.generate])
    @given(drawn())
    def check(example):
        chain = example.chain
        if len(seen) == CHAINS or repr(chain) in seen:
            return
        assert 2 <= len(chain.links) <= 6
        check_copies(chain)
        check_addresses(chain)
        seen[repr(chain)] = check_training(chain)

    check()
    assert len(seen) == CHAINS
    assert sum(moved > 0.0 for moved in seen.values()) >= 0.8 * len(seen)

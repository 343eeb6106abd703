"""Which optimizers become NaN where their first rate is 0: by training, and as it is declared."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group, _registry
from lrwidget.optimizers import _warnings as texts
from lrwidget.optimizers._first_rate import how_to_begin, must_begin_above_zero

# A trainer tells of the chain's warnings, and of a run that was lost.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore:the run diverged:RuntimeWarning"),
]

o = lrw.optimizers
X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = X @ np.arange(1.0, 5.0, dtype=np.float32)


def rising(first=0.0):
    return lrw.schedules.warmup_cosine(1.0, 3, 8, init_value=first)


@pytest.fixture(scope="module")
def made():
    return lrw.Task(
        {"w": jnp.ones(4)},
        lambda p, batch: jnp.mean(jnp.square(batch[0] @ p["w"] - batch[1])),
        train=(X, Y),
        batch_size=16,
    )


def trained(made, chain):
    """Return whether all losses of a few steps are finite."""
    trainer = lrw.Trainer(made, chain, steps=6)
    trainer.run_sync()
    return bool(np.isfinite(trainer.history.loss).all())


FREE = [
    name
    for name, declared in _registry.declarations().items()
    if declared.category == "free" and declared.module.startswith("optax")
]
OTHERS = {
    "safeguard": Chain.of(o.prodigy(rising(), safeguard_warmup=True)),
    "prodigy above 0": Chain.of(o.prodigy(rising(1e-3))),
    "dadapt_adamw above 0": Chain.of(o.dadapt_adamw(rising(1e-3))),
    "accumulated": Chain.of(o.multi_steps(2), o.dadapt_adamw(rising())),
    "accumulated, NaN at once": Chain.of(o.multi_steps(2), o.prodigy(rising())),
    "in a group": Chain.of(
        o.adam(1e-2), groups=[Group("own", paths=["*"], chain=o.prodigy(rising()))]
    ),
}


def declared_sound(chain):
    return not any(
        float(chain.value(address)(float(step))) == 0.0
        for address, _, step in must_begin_above_zero(chain)
    )


@pytest.mark.parametrize("name", FREE)
def test_every_learning_rate_free_one_is_as_declared(made, name):
    link = o.make(name)
    chain = Chain.of(link.replace(**{link.declaration.rate: rising()}))
    assert trained(made, chain) is declared_sound(chain)
    assert declared_sound(chain) is (name not in ("prodigy", "dadapt_adamw"))


@pytest.mark.parametrize("name", OTHERS)
def test_so_are_they_in_other_chains(made, name):
    assert trained(made, OTHERS[name]) is declared_sound(OTHERS[name])
    warned = [w for w in OTHERS[name].warnings() if "divides by a sum" in w.text]
    assert bool(warned) is not declared_sound(OTHERS[name])


def test_the_warning_names_the_link_and_what_to_do():
    [warned] = Chain.of(o.dadapt_adamw(rising())).warnings()
    assert warned.label == "dadapt_adamw"
    assert warned.text == texts._FROM_ZERO.format(
        name="dadapt_adamw", how="begin the warm-up above 0, or leave it out"
    )
    [warned] = Chain.of(o.clip(1.0), o.prodigy(rising())).warnings()
    assert warned.text.endswith("leave it out, or set safeguard_warmup=True.")
    assert how_to_begin(o.prodigy()).endswith("set safeguard_warmup=True")
    [in_group] = OTHERS["in a group"].warnings()
    assert in_group.label == "own/prodigy"

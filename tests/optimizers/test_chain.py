"""`Chain` and `Link`: addresses, rows, export, and the traps of injection."""

from __future__ import annotations

import copy
import importlib.metadata
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrwidget as lrw
from lrwidget import _checks
from lrwidget.optimizers import Declaration, Hyperparameter, _registry, write_hyperparameters

RATE = lrw.schedules.warmup_cosine(peak_value=1e-3, warmup_steps=5, decay_steps=40)
CHAIN = lrw.Chain.of(
    lrw.optimizers.clip_by_global_norm(1.0), lrw.optimizers.adamw(RATE, weight_decay=0.01)
)
PARAMS = {"w": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "b": jnp.ones(3)}


def gradients(params):
    return jax.tree.map(lambda p: 2.0 * p + jnp.sin(p), params)


def trained(tx, steps=20, params=PARAMS, before=lambda i, state: state):
    @jax.jit
    def step(params, state):
        updates, state = tx.update(gradients(params), state, params)
        return optax.apply_updates(params, updates), state

    state = tx.init(params)
    for i in range(steps):
        params, state = step(params, before(i, state))
    return params, step


def distance(a, b):
    return float(
        np.sqrt(
            sum(
                np.sum((np.asarray(x, float) - np.asarray(y, float)) ** 2)
                for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
            )
        )
    )


def executed(code, name="optimizer"):
    names: dict = {}
    exec(compile(code, "exported", "exec"), names)
    return names[name]


CHAINS = {
    "sgd": lrw.Chain.of(lrw.optimizers.sgd(0.1)),
    "sgd momentum": lrw.Chain.of(lrw.optimizers.sgd(RATE, momentum=0.9, nesterov=True)),
    "adam": lrw.Chain.of(lrw.optimizers.adam(RATE, b1=0.8, nesterov=True)),
    "adamw with clip": CHAIN,
    "scheduled decay": CHAIN.replace(weight_decay=lrw.schedules.linear(0.1, 30)),
    "scheduled momentum": lrw.Chain.of(
        lrw.optimizers.sgd(0.01, momentum=lrw.schedules.linear(0.5, 10, end_value=0.9))
    ),
    "l2": lrw.Chain.of(lrw.optimizers.add_decayed_weights(0.1), lrw.optimizers.sgd(0.05)),
    "two of a kind": lrw.Chain.of(
        lrw.optimizers.clip_by_global_norm(5.0),
        lrw.optimizers.clip_by_global_norm(lrw.schedules.linear(1.0, 20, end_value=0.5)),
        lrw.optimizers.sgd(0.05),
    ),
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
class TestEveryForm:
    def test_executed_code_is_the_chain(self, chain):
        ours, _ = trained(chain.to_optax())
        theirs, _ = trained(executed(chain.to_code()))
        assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), ours, theirs))

    def test_the_live_form_fed_with_the_rows_is_the_chain(self, chain):
        injection = chain.injection()
        rows = injection.columns(chain.rows(0, 20))
        ours, step = trained(
            chain.live(), before=lambda i, s: write_hyperparameters(s, injection.names, rows[i])
        )
        assert distance(ours, trained(chain.to_optax())[0]) <= 1e-6
        assert step._cache_size() == 1

    def test_json_copy_and_pickle_give_it_back(self, chain):
        for other in (
            lrw.Chain.from_json(chain.to_json()),
            copy.deepcopy(chain),
            pickle.loads(pickle.dumps(chain)),
        ):
            assert other == chain
            assert hash(other) == hash(chain)

    def test_every_address_resolves_to_itself_and_its_short_form_to_it(self, chain):
        for address in chain.addresses():
            assert chain.resolve(address) == chain.resolve(f"all/{address}") == address
            assert chain.resolve(chain.short(address)) == address


def same(a, b):
    return jax.tree.all(jax.tree.map(lambda x, y: bool(jnp.all(x == y)), a, b))


@pytest.mark.parametrize("live", [None, ["learning_rate"]])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_live_optimizer_is_bit_equal_to_optax(name, live):
    chain = lrw.Chain.of(lrw.optimizers.make(name, learning_rate=0.01))
    injection = chain.injection(live)
    [row] = injection.columns(
        [[chain.value(address) for address in injection.addresses]],
    )
    ours, _ = trained(
        chain.live(live), before=lambda _, s: write_hyperparameters(s, injection.names, row)
    )
    assert same(ours, trained(getattr(optax, name)(0.01))[0])


def test_a_decay_rate_written_alone_counts_though_its_complement_is_old():
    chain = lrw.Chain.of(lrw.optimizers.adam(0.01))
    ours, _ = trained(chain.live(), before=lambda _, s: write_hyperparameters(s, ["b1"], [0.5]))
    assert distance(ours, trained(optax.adam(0.01, b1=0.5))[0]) <= 1e-6


def test_addresses_rows_and_replace():
    assert CHAIN.addresses() == (
        "clip_by_global_norm.max_norm",
        "adamw.learning_rate",
        "adamw.b1",
        "adamw.b2",
        "adamw.eps",
        "adamw.eps_root",
        "adamw.weight_decay",
    )
    rows = CHAIN.rows(3, 4)
    np.testing.assert_array_equal(rows[:, 1], RATE(np.arange(3, 7)))
    assert CHAIN.replace(weight_decay=0.5).value("adamw.weight_decay") == 0.5
    assert CHAIN.learning_rate == RATE
    assert CHAIN.steps == 40
    assert CHAINS["sgd"].steps is None


def test_structure_changes_with_what_recompiles_and_only_with_that():
    assert CHAIN.structure() == CHAIN.replace(learning_rate=1.0, weight_decay=0.3).structure()
    assert CHAIN.structure() != CHAIN.replace(nesterov=True).structure()
    sgd = lrw.Chain.of(lrw.optimizers.sgd(0.1))
    assert sgd.structure() != sgd.replace(momentum=0.9).structure()


def test_a_second_link_of_a_kind_is_numbered_and_its_bare_name_ambiguous():
    chain = CHAINS["two of a kind"]
    assert tuple(label for label, _ in chain.labelled()) == (
        "clip_by_global_norm",
        "clip_by_global_norm_2",
        "sgd",
    )
    assert chain.short("clip_by_global_norm_2.max_norm") == "clip_by_global_norm_2.max_norm"
    with pytest.raises(ValueError, match="'max_norm' is ambiguous: it may be clip_by_global_norm"):
        chain.resolve("max_norm")


class TestTraps:
    """Each is a way in which ``inject_hyperparams`` goes wrong without a word."""

    def test_bfloat16_parameters_keep_b2_and_the_type_of_their_state(self):
        params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS)
        tx = lrw.Chain.of(lrw.optimizers.adam(1e-2)).live()
        state = tx.init(params)
        assert state.hyperparams["b2"] == np.float32(0.999)
        assert state.hyperparams["b2"].dtype == jnp.float32
        _, after = tx.update(gradients(params), state, params)
        assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, state)

    @pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
    def test_every_chain_trains_bfloat16_parameters(self, chain):
        params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS)
        after, step = trained(chain.live(), steps=3, params=params)
        assert {p.dtype for p in jax.tree.leaves(after)} == {jnp.dtype(jnp.bfloat16)}
        assert all(bool(jnp.all(jnp.isfinite(p))) for p in jax.tree.leaves(after))
        assert step._cache_size() == 1

    def test_what_is_written_takes_effect_at_the_next_update(self):
        tx = CHAINS["sgd"].live()
        state = write_hyperparameters(tx.init(PARAMS), ["learning_rate"], [0.5])
        updates, _ = tx.update(gradients(PARAMS), state, PARAMS)
        np.testing.assert_array_equal(updates["b"], -0.5 * gradients(PARAMS)["b"])

    def test_a_scheduled_rate_can_be_overwritten(self):
        tx = lrw.Chain.of(lrw.optimizers.sgd(RATE)).live()
        state = write_hyperparameters(tx.init(PARAMS), ["learning_rate"], [0.5])
        updates, _ = tx.update(gradients(PARAMS), state, PARAMS)
        np.testing.assert_array_equal(updates["b"], -0.5 * gradients(PARAMS)["b"])

    @pytest.mark.parametrize("value", [1, 0.5, np.float64(0.5), jnp.asarray(0.5), jnp.asarray(1)])
    def test_no_way_of_writing_a_number_traces_again(self, value):
        tx = CHAINS["sgd"].live()
        _, step = trained(
            tx,
            steps=3,
            before=lambda i, s: write_hyperparameters(s, ["learning_rate"], [value]) if i else s,
        )
        assert step._cache_size() == 1

    @pytest.mark.parametrize("form", ["to_optax", "live"])
    def test_a_mask_function_keeps_weight_decay_on(self, form):
        def kernels(params):
            return jax.tree.map(lambda p: p.ndim > 1, params)

        zero = jax.tree.map(jnp.zeros_like, PARAMS)
        chain = lrw.Chain.of(lrw.optimizers.adamw(1.0, weight_decay=0.5, mask=kernels))
        for chain_ in (chain, chain.replace(weight_decay=lrw.schedules.constant(0.5))):
            tx = getattr(chain_, form)()
            updates, _ = tx.update(zero, tx.init(PARAMS), PARAMS)
            np.testing.assert_allclose(updates["w"], -0.5 * PARAMS["w"], atol=1e-7)
            np.testing.assert_array_equal(updates["b"], jnp.zeros(3))


def kernels_only(params):
    return jax.tree.map(lambda p: p.ndim > 1, params)


def test_a_mask_that_can_be_imported_is_imported():
    chain = lrw.Chain.of(lrw.optimizers.adamw(1.0, weight_decay=0.5, mask=kernels_only))
    code = chain.to_code()
    assert f"from {kernels_only.__module__} import kernels_only" in code
    assert distance(trained(executed(code))[0], trained(chain.to_optax())[0]) == 0.0


def test_code_is_what_an_optax_user_would_write():
    assert (
        CHAIN.to_code()
        == """\
import optax

learning_rate = optax.warmup_cosine_decay_schedule(
    init_value=0.0,
    peak_value=0.001,
    warmup_steps=5,
    decay_steps=40,
    end_value=0.0,
)

optimizer = optax.chain(
    optax.clip_by_global_norm(max_norm=1.0),
    optax.adamw(learning_rate=learning_rate, weight_decay=0.01),
)
"""
    )
    assert CHAINS["sgd"].to_code("tx") == "import optax\n\ntx = optax.sgd(learning_rate=0.1)\n"


@pytest.mark.parametrize("name", lrw.optimizers.names())
def test_a_link_by_name_equals_its_factory(name):
    required = [h for h in _registry.declaration(name).hyperparameters if h.required]
    arguments = {h.name: h.default for h in required}
    assert lrw.optimizers.make(name, **arguments) == getattr(lrw.optimizers, name)(**arguments)


def test_an_optimizer_of_another_package_is_a_link_like_our_own(monkeypatch):
    lion = Declaration(
        name="my_lion",
        module="optax",
        function="lion",
        hyperparameters=(
            Hyperparameter(name="learning_rate", default=1e-4, required=True, schedulable=True),
            Hyperparameter(name="b1", default=0.9, high=1.0),
        ),
        help="",
    )
    entry = type("Entry", (), {"name": "my_lion", "load": lambda _: lion})()
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry])
    _registry.declarations.cache_clear()
    try:
        chain = lrw.Chain.of(lrw.optimizers.make("my_lion", learning_rate=1e-3))
        assert lrw.Chain.from_json(chain.to_json()) == chain
        assert distance(trained(executed(chain.to_code()))[0], trained(optax.lion(1e-3))[0]) == 0.0
    finally:
        monkeypatch.undo()
        _registry.declarations.cache_clear()


CASES = [
    (lambda: lrw.optimizers.sgd(-0.1), r"learning_rate must be a finite number >= 0, got -0\.1"),
    (lambda: lrw.optimizers.sgd(float("nan")), "learning_rate must be .* got nan"),
    (lambda: lrw.optimizers.sgd("0.1"), "learning_rate must be .* got '0.1'"),
    (lambda: lrw.optimizers.sgd(None), "learning_rate must be .* got None"),
    (lambda: lrw.optimizers.sgd(optax.constant_schedule(1.0)), "learning_rate must be .*function"),
    (lambda: lrw.optimizers.sgd(0.1, momentum=1.0), "momentum must be .* >= 0 and < 1, got 1"),
    (lambda: lrw.optimizers.sgd(0.1, nesterov=1), "nesterov must be True or False, got 1"),
    (lambda: lrw.optimizers.adam(0.1, b2=1.5), r"b2 must be .* < 1, got 1\.5"),
    (lambda: lrw.optimizers.adam(0.1, b1=lrw.schedules.constant(2.0)), "b1 must be .* got 2.0"),
    (lambda: lrw.optimizers.adamw(0.1, weight_decay=-1), "weight_decay must be .* got -1"),
    (
        lambda: lrw.optimizers.adamw(0.1, mask=0.5),
        r"mask must be None, a bool, a pytree .* got 0\.5",
    ),
    (lambda: lrw.optimizers.clip_by_global_norm(0), "max_norm must be a finite number > 0, got 0"),
    (lambda: lrw.optimizers.make("adamm", learning_rate=1), "link must be .*did you mean 'adam"),
    (lambda: lrw.optimizers.make("adam"), "the link 'adam' must be given learning_rate"),
    (lambda: lrw.optimizers.sgd(1e39), r"learning_rate must be a number that float32 can hold"),
    (lambda: lrw.optimizers.make("adam", lr=1), "'adam' takes .*; got 'lr'"),
    (lrw.Chain.of, "at least one link, got none$"),
    (
        lambda: lrw.Chain.of(groups=[lrw.optimizers.Group("head", multiplier=0.1, paths="v")]),
        r"got none beside the groups head: .* make one optimizer the link that trains all other",
    ),
    (lambda: lrw.Chain.of(optax.sgd(0.1)), "must be made of links"),
    (
        lambda: CHAIN.resolve("learning_rat"),
        "an address must be one of .*; got .learning_rat. .did you mean .learning_rate",
    ),
    (
        lambda: CHAIN.resolve("body/adamw.b1"),
        "the group of an address must be one of all; got 'body'",
    ),
    (lambda: CHAIN.resolve(3), "an address must be a str .* got 3"),
    (lambda: CHAIN.resolve("mask"), "an address must be one of .*; got 'mask'"),
    (lambda: CHAIN.replace(learning_rate=-1), "learning_rate must be .* got -1"),
    (lambda: CHAIN.live("learning_rate"), "addresses must be a list .* got 'learning_rate'"),
    (lambda: CHAIN.to_code("class"), "name must be a Python identifier, got 'class'"),
    (
        lambda: lrw.Chain.of(lrw.optimizers.adamw(1.0, mask=lambda p: p)).to_code(),
        "adamw.mask must be a function that code can import",
    ),
    (
        lambda: lrw.Chain.of(lrw.optimizers.adamw(1.0, mask={"w": True})).to_json(),
        "adamw.mask must be None to be written as JSON",
    ),
    (lambda: lrw.Chain.from_json("nonsense"), "cannot be read"),
    (
        lambda: lrw.Chain.from_json('{"schema": "lrwidget/chain", "version": 1, "links": [{}]}'),
        r"links\[0\] must have the fields hyperparameters, link",
    ),
    (
        lambda: lrw.Chain.from_json(CHAIN.to_json().replace('"weight_decay": 0.01', '"x": 0.01')),
        r"links\[1\]: the link 'adamw' takes .*; got 'x'",
    ),
]


@pytest.mark.parametrize(("bad", "message"), CASES, ids=lambda c: c if isinstance(c, str) else "")
def test_bad_input_is_refused_with_argument_value_and_rule(bad, message):
    with pytest.raises((ValueError, TypeError), match=message):
        bad()


@pytest.mark.parametrize(
    ("said", "names", "meant"),
    [
        ("lr", ["adam.b1", "adam.learning_rate"], "adam.learning_rate"),
        ("lr", ["generator/learning_rate"], "generator/learning_rate"),
        ("WD", ["head/adamw.weight_decay", "adamw.weight_decay"], "head/adamw.weight_decay"),
        ("adam.lr", ["adam.b1", "adam.learning_rate"], "adam.learning_rate"),
        ("head/lr", ["tail/learning_rate", "head/learning_rate"], "head/learning_rate"),
        ("ar", ["adam.learning_rate"], None),
        ("b", ["adam.b1"], None),
    ],
)
def test_initials_are_understood_behind_a_qualifier(said, names, meant):
    expected = f" (did you mean {meant!r}?)" if meant else ""
    assert _checks.did_you_mean(said, names) == expected


def test_a_groups_rate_is_found_by_its_initials():
    group = lrw.optimizers.Group("generator", chain=lrw.optimizers.adam(0.1), paths=["w"])
    chain = lrw.Chain.of(lrw.optimizers.scale(1.0), groups=[group])
    with pytest.raises(ValueError, match=r"did you mean 'generator/.*learning_rate'"):
        chain.resolve("lr")

"""Groups of parameters: who belongs to which, and what becomes of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

import lrwidget as lrw
from lrwidget.optimizers import Chain, Group, layerwise_decay, write_hyperparameters
from lrwidget.optimizers._labels import labeller
from tests.optimizers.forms import distance, executed
from tests.optimizers.strategies import matrices

o = lrw.optimizers
FALL = lrw.schedules.linear(1.0, 10, end_value=0.1)
RATE = lrw.schedules.preset("cosine", peak_value=0.1, steps=10)

PARAMS = {
    "embed": {"embedding": jnp.linspace(-1.0, 1.0, 6).reshape(3, 2)},
    "layers": [
        {"kernel": jnp.linspace(0.5, 1.0, 4).reshape(2, 2), "bias": jnp.array([0.1, -0.2])},
        {"kernel": jnp.linspace(-1.0, 0.5, 4).reshape(2, 2), "bias": jnp.array([0.3, 0.4])},
    ],
    "norm": {"scale": jnp.array([1.0, 2.0])},
}


def gradients(params):
    return jax.tree.map(lambda p: 2.0 * p + 0.3, params)


def trained(tx, steps=5, before=None, params=PARAMS):
    """Train for some steps, and assert that this takes one trace."""

    @jax.jit
    def step(params, state):
        updates, state = tx.update(gradients(params), state, params)
        return optax.apply_updates(params, updates), state

    state = tx.init(params)
    for i in range(steps):
        params, state = step(params, before(state, i) if before else state)
    assert step._cache_size() == 1
    return params


def every_form(chain, steps=5):
    """Return where each form of a chain takes the parameters."""
    injection = chain.injection()
    rows = injection.columns(chain.rows(0, steps))
    live = executed(chain.to_code(hold=True, live=True))
    now = live.get("hyperparameters", lambda _: {})
    return {
        "optax": trained(chain.to_optax(), steps),
        "code": trained(executed(chain.to_code(hold=True))["optimizer"], steps),
        "live": trained(
            chain.live(), steps, lambda s, i: write_hyperparameters(s, injection.names, rows[i])
        ),
        "live code": trained(
            live["optimizer"],
            steps,
            lambda s, i: s._replace(hyperparams={**s.hyperparams, **now(i)}),
        ),
    }


def labels(groups, params=PARAMS):
    """Return the group of each parameter by its path."""
    found = labeller(groups, [group.name for group in groups])(params)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): label
        for path, label in jax.tree.leaves_with_path(found)
    }


def of(groups, params=PARAMS):
    """Return the paths of what is in the only group."""
    return {path.removesuffix("/value") for path, g in labels(groups, params).items() if g != "all"}


EVERY = set(labels([Group("none", multiplier=1.0, paths=["nothing"])]))


class TestMatching:
    @pytest.mark.parametrize(
        ("patterns", "inside"),
        [
            ("layers/0", {"layers/0/kernel", "layers/0/bias"}),
            (["layers/*"], {p for p in EVERY if p.startswith("layers")}),
            (["*/bias"], {"layers/0/bias", "layers/1/bias"}),
            (["layers/[!0]/*"], {"layers/1/kernel", "layers/1/bias"}),
            (["norm", "embed"], {"norm/scale", "embed/embedding"}),
            (["*"], EVERY),
            (["kernel"], set()),
            (["layers/?/kernel"], {"layers/0/kernel", "layers/1/kernel"}),
            (["lay"], set()),
        ],
    )
    def test_by_path(self, patterns, inside):
        assert of([Group("some", multiplier=0.5, paths=patterns)]) == inside

    @pytest.mark.parametrize(
        ("kinds", "inside"),
        [
            ("kernel", {"layers/0/kernel", "layers/1/kernel"}),
            ("bias", {"layers/0/bias", "layers/1/bias"}),
            ("norm", {"norm/scale"}),
            ("embedding", {"embed/embedding"}),
            (["bias", "norm"], {"layers/0/bias", "layers/1/bias", "norm/scale"}),
        ],
    )
    def test_by_kind(self, kinds, inside):
        assert of([Group("some", multiplier=0.5, kinds=kinds)]) == inside

    def test_the_biases_of_attention_have_two_axes(self):
        attention = linen.MultiHeadDotProductAttention(num_heads=2)
        params = attention.init(jax.random.key(0), *[jnp.zeros((3, 4))] * 2)["params"]
        assert params["query"]["bias"].ndim == 2
        inside = of([Group("some", multiplier=0.5, kinds=["bias"])], params)
        assert inside == {f"{name}/bias" for name in ("key", "out", "query", "value")}

    def test_by_a_mask_function_a_tree_or_a_prefix_of_one(self):
        tree = matrices(PARAMS)
        inside = {"layers/0/kernel", "layers/1/kernel", "embed/embedding"}
        prefix = {"embed": True, "layers": False, "norm": True}
        assert of([Group("some", multiplier=0.5, mask=matrices)]) == inside
        assert of([Group("some", multiplier=0.5, mask=tree)]) == inside
        assert of([Group("some", multiplier=0.5, mask=prefix)]) == {"embed/embedding", "norm/scale"}

    def test_the_first_match_wins(self):
        groups = [
            Group("first", multiplier=0.5, paths=["layers/0"]),
            Group("second", chain=o.sgd(0.1), kinds=["bias"]),
            Group("third", multiplier=0.1, mask=lambda p: jax.tree.map(lambda _: True, p)),
        ]
        found = labels(groups)
        assert found["layers/0/bias"] == found["layers/0/kernel"] == "first"
        assert found["layers/1/bias"] == "second"
        assert found["layers/1/kernel"] == found["norm/scale"] == "third"

    @pytest.mark.parametrize("turned", [False, True])
    def test_the_first_match_wins_between_multipliers_and_chains_too(self, turned):
        groups = [
            Group("scaled", multiplier=0.5, paths=["layers/0"]),
            Group("own", chain=o.sgd(0.3), kinds=["bias"]),
        ]
        chain = Chain.of(o.sgd(0.1), groups=groups[::-1] if turned else groups)
        for form, after in every_form(chain, 1).items():
            rate = (PARAMS["layers"][0]["bias"] - after["layers"][0]["bias"]) / gradients(PARAMS)[
                "layers"
            ][0]["bias"]
            np.testing.assert_allclose(rate, 0.3 if turned else 0.05, rtol=1e-5, err_msg=form)

    def test_in_nnx_as_a_dict_and_as_a_state(self):
        class Net(nnx.Module):
            def __init__(self, rngs):
                self.embed = nnx.Embed(4, 2, rngs=rngs)
                self.inner = nnx.Linear(2, 3, rngs=rngs)
                self.norm = nnx.LayerNorm(3, rngs=rngs)

        state = nnx.state(Net(nnx.Rngs(0)), nnx.Param)
        groups = [
            Group("norms", multiplier=0.5, kinds=["norm"]),
            Group("inner", multiplier=0.5, paths=["inner/kernel"]),
            Group("biases", multiplier=0.5, kinds=["bias"]),
            Group("embeddings", multiplier=0.5, kinds=["embedding"]),
        ]
        expected = {
            "embed/embedding": "embeddings",
            "inner/bias": "biases",
            "inner/kernel": "inner",
            "norm/bias": "norms",
            "norm/scale": "norms",
        }
        for params in (nnx.to_pure_dict(state), state):
            found = labels(groups, params)
            assert {p.removesuffix("/value"): g for p, g in found.items()} == expected
            tx = Chain.of(o.sgd(0.1), groups=groups).to_optax()
            updates, _ = tx.update(params, tx.init(params), params)
            assert jax.tree.structure(updates) == jax.tree.structure(params)

    def test_in_linen(self):
        class Net(linen.Module):
            @linen.compact
            def __call__(self, x):
                return linen.BatchNorm(use_running_average=True)(linen.Dense(3)(x))

        params = Net().init(jax.random.key(0), jnp.ones((1, 2)))["params"]
        groups = [
            Group("norms", multiplier=0.5, kinds=["norm"]),
            Group("dense", multiplier=0.5, paths=["Dense_0"]),
        ]
        assert set(labels(groups, params).values()) == {"norms", "dense"}
        assert labels(groups, params)["Dense_0/bias"] == "dense"
        assert labels(groups, params)["BatchNorm_0/scale"] == "norms"


class TestUpdates:
    def test_of_sgd_are_the_multiplier_times_the_rate(self):
        steps = 6
        chain = Chain.of(
            o.sgd(RATE),
            groups=[
                Group("slow", multiplier=0.25, paths=["layers/0"]),
                Group("fading", multiplier=FALL, kinds=["norm"]),
                Group("frozen", multiplier=0.0, kinds=["embedding"]),
                Group("own", chain=o.sgd(0.02), kinds=["bias"]),
            ],
        )
        expected = jax.tree.map(lambda p: np.asarray(p, np.float64), PARAMS)
        groups = labels(chain.groups)
        for step in range(steps):
            rates = {
                "all": RATE(step),
                "slow": 0.25 * RATE(step),
                "fading": RATE(step) * FALL(step),
                "frozen": 0.0,
                "own": 0.02,
            }
            expected = jax.tree_util.tree_map_with_path(
                lambda path, p, r=rates: (
                    p
                    - r[groups[jax.tree_util.keystr(path, simple=True, separator="/")]]
                    * (2 * p + 0.3)
                ),
                expected,
            )
        for form, after in every_form(chain, steps).items():
            assert distance(expected, after) < 1e-6, form
            np.testing.assert_array_equal(after["embed"]["embedding"], PARAMS["embed"]["embedding"])

    def test_of_adamw_are_those_of_optimizers_of_their_own(self):
        chain = Chain.of(
            o.adamw(0.05, weight_decay=0.1),
            groups=[
                Group("biases", chain=o.adamw(0.02, b1=0.5, weight_decay=0.0), kinds=["bias"]),
                Group("norms", multiplier=0.3, kinds=["norm"]),
            ],
        )
        main = trained(optax.adamw(0.05, weight_decay=0.1))
        biases = trained(optax.adamw(0.02, b1=0.5, weight_decay=0.0))
        norms = trained(optax.chain(optax.adamw(0.05, weight_decay=0.1), optax.scale(0.3)))
        expected = {
            "embed": main["embed"],
            "layers": [
                {"kernel": m["kernel"], "bias": b["bias"]}
                for m, b in zip(main["layers"], biases["layers"], strict=True)
            ],
            "norm": norms["norm"],
        }
        for form, after in every_form(chain).items():
            assert distance(expected, after) < (0.0 if form == "optax" else 1e-6) + 1e-12, form

    def test_share_what_stands_before_the_optimizer(self):
        # The norm is that of all gradients together, those of the group included.
        group = Group("biases", chain=o.sgd(1.0), kinds=["bias"])
        chain = Chain.of(o.clip_by_global_norm(1e-3), o.sgd(1.0), groups=[group])
        for form, after in every_form(chain, 1).items():
            moved = optax.tree.norm(jax.tree.map(jnp.subtract, after, PARAMS))
            assert moved == pytest.approx(1e-3, rel=1e-3), form

    def test_of_layers_fall_from_the_last_to_the_first(self):
        groups = layerwise_decay(0.5, ["embed", "layers/0", "layers/1"])
        after = trained(Chain.of(o.sgd(0.1), groups=groups).to_optax(), 1)
        share = jax.tree.map(
            lambda new, old, g: (old - new) / (0.1 * g), after, PARAMS, gradients(PARAMS)
        )
        np.testing.assert_allclose(share["embed"]["embedding"], 0.25, rtol=1e-5)
        np.testing.assert_allclose(share["layers"][0]["bias"], 0.5, rtol=1e-5)
        np.testing.assert_allclose(share["layers"][1]["kernel"], 1.0, rtol=1e-5)
        np.testing.assert_allclose(share["norm"]["scale"], 1.0, rtol=1e-5)

    @pytest.mark.parametrize("around", ["multi_steps", "sam"])
    def test_within_a_wrapper_follow_the_step_that_was_drawn(self, around):
        every = 3
        wrapper = o.multi_steps(every) if around == "multi_steps" else o.sam(sync_period=every)
        group = Group("norms", multiplier=FALL, kinds=["norm"])
        chain = Chain.of(wrapper, o.sgd(RATE), groups=[group])
        code = executed(chain.to_code(hold=True))["optimizer"]
        ones = jax.tree.map(jnp.ones_like, PARAMS)
        for tx in (chain.to_optax(), code):
            state, params, start = tx.init(PARAMS), PARAMS, PARAMS
            for step in range(2 * every):
                updates, state = tx.update(ones, state, params)
                params = optax.apply_updates(params, updates)
                if step % every == every - 1:
                    gone = jax.tree.map(jnp.subtract, params, start)
                    np.testing.assert_allclose(gone["layers"][0]["bias"], -RATE(step), rtol=2e-3)
                    expected = -RATE(step) * FALL(step)
                    np.testing.assert_allclose(gone["norm"]["scale"], expected, rtol=2e-3)
                    start = params
        assert f"{every} * count + {every - 1}" in chain.to_code()


class TestAddresses:
    CHAIN = Chain.of(
        o.clip_by_global_norm(1.0),
        o.adamw(RATE),
        groups=[
            Group("head", multiplier=FALL, paths=["norm"]),
            Group("biases", chain=o.adamw(0.01), kinds=["bias"]),
        ],
    )

    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("learning_rate", "adamw.learning_rate"),
            ("all/learning_rate", "adamw.learning_rate"),
            ("head/multiplier", "head/scale.step_size"),
            ("biases/learning_rate", "biases/adamw.learning_rate"),
            ("biases/adamw.b1", "biases/adamw.b1"),
            ("max_norm", "clip_by_global_norm.max_norm"),
        ],
    )
    def test_are_found(self, text, address):
        assert self.CHAIN.resolve(text) == address

    def test_are_short_in_a_history(self):
        assert self.CHAIN.short("head/scale.step_size") == "head/multiplier"
        assert self.CHAIN.short("biases/adamw.b1") == "biases/b1"
        assert self.CHAIN.short("adamw.b1") == "b1"

    def test_replace_changes_one_group_alone(self):
        changed = self.CHAIN.replace({"head/multiplier": 0.5, "biases/b1": 0.8})
        assert changed.group("head").multiplier == 0.5
        assert changed.value("biases/b1") == 0.8
        assert changed.value("b1") == self.CHAIN.value("b1")
        assert changed.structure() == self.CHAIN.structure()

    def test_rows_hold_every_group(self):
        rows = self.CHAIN.rows(2, 3)
        column = self.CHAIN.addresses().index("head/scale.step_size")
        np.testing.assert_array_equal(rows[:, column], FALL(np.arange(2, 5)))


STRANGE = ["a[b", 'say "hi"', "it's", "back\\slash", "läyer/*", "a\tb", "with space"]


@pytest.mark.parametrize("pattern", STRANGE)
def test_any_pattern_is_the_same_in_code(pattern):
    params = {pattern: {"x": jnp.ones(2)}, "other": jnp.ones(2)}
    chain = Chain.of(o.sgd(0.1), groups=[Group("g", multiplier=0.0, paths=[pattern])])
    written = executed(chain.to_code())["groups"](params)
    assert written == labeller(chain.groups, ["g"])(params)
    assert written[pattern]["x"] == "g"


ADAM = o.adam(0.1)


def test_a_link_in_a_group_follows_the_rate_of_its_group():
    own = Chain.of(o.sgd(0.1), o.reduce_on_plateau(curve="ceiling", own_rate=0.05))
    chain = Chain.of(o.sgd(1.0), groups=[Group("biases", chain=own, kinds=["bias"])])
    code = executed(chain.to_code(), own=True)["optimizer"]
    for form, tx in {"optax": chain.to_optax(), "code": code, "live": chain.live()}.items():
        grads = gradients(PARAMS)
        updates, _ = tx.update(grads, tx.init(PARAMS), PARAMS, value=1.0)
        for layer, grad in zip(updates["layers"], grads["layers"], strict=True):
            np.testing.assert_allclose(layer["bias"], -0.05 * grad["bias"], rtol=1e-6, err_msg=form)
            np.testing.assert_allclose(layer["kernel"], -grad["kernel"], err_msg=form)


@pytest.mark.parametrize("live", [False, True])
def test_a_chain_that_is_an_argument_keeps_its_schedules_and_groups_in_code(live):
    uphill = Chain.of(
        o.normalize(), o.sgd(RATE), groups=[Group("norms", multiplier=0.5, kinds=["norm"])]
    )
    groups = [Group("kernels", multiplier=0.5, kinds=["kernel"])]
    sam = o.sam(adv_optimizer=uphill, reset_state=False)
    chain = Chain.of(sam, o.sgd(0.1), groups=groups)
    code = executed(chain.to_code(live=live))["optimizer"]
    assert distance(trained(chain.to_optax(), 6), trained(code, 6)) < 1e-6
    flat = Chain.of(sam.replace(adv_optimizer=uphill.replace(learning_rate=0.1)), o.sgd(0.1))
    assert distance(trained(chain.to_optax(), 6), trained(flat.to_optax(), 6)) > 1e-3


BAD = [
    (lambda: Group("1st", multiplier=1.0, kinds="bias"), "a group's name must be .* got '1st'"),
    (lambda: Group(3, multiplier=1.0, kinds="bias"), "a group's name must be .* got 3"),
    (lambda: Group("all", multiplier=1.0, kinds="bias"), "name must not be 'all'"),
    (lambda: Group("g", kinds="bias"), "the group g must have a multiplier or a chain"),
    (lambda: Group("g", multiplier=1.0, chain=ADAM, kinds="bias"), "one of them"),
    (lambda: Group("g", multiplier=1.0), "must be given by paths, kinds or mask"),
    (lambda: Group("g", multiplier=1.0, kinds="bias", paths="a"), "must be given by paths"),
    (
        lambda: Group("g", multiplier=1.0, kinds="biases"),
        "a kind of the group g must be .*'biases'",
    ),
    (lambda: Group("g", multiplier=1.0, paths=[3]), r"the paths of g must be text .* got \[3\]"),
    (lambda: Group("g", multiplier=1.0, paths=[""]), r"the paths of g must be text .* got \[''\]"),
    (lambda: Group("g", multiplier=1.0, paths=3), "the paths of g must be text .* got 3"),
    (lambda: Group("g", multiplier=1.0, mask=0.5), "the mask of g must be .* got 0.5"),
    (lambda: Group("g", multiplier=-0.1, kinds="bias"), "the multiplier of g must be .* got -0.1"),
    (lambda: Group("g", multiplier="x", kinds="bias"), "the multiplier of g must be .* got 'x'"),
    (lambda: Group("g", multiplier=float("inf"), kinds="bias"), "the multiplier of g .* got inf"),
    (lambda: Group("g", multiplier=optax.constant_schedule(1.0), kinds="bias"), "multiplier of g"),
    (lambda: Group("g", chain=optax.sgd(0.1), kinds="bias"), "the chain of g must be a Chain"),
    (
        lambda: Group("g", chain=TestAddresses.CHAIN, kinds="bias"),
        "the chain of the group g must have no groups itself",
    ),
    (lambda: Group("g", chain=Chain.of(o.multi_steps(2)), kinds="bias"), "goes around the links"),
    (lambda: layerwise_decay(0.0, ["a"]), "decay must be .* > 0 and <= 1, got 0"),
    (lambda: layerwise_decay(1.1, ["a"]), "decay must be .* got 1.1"),
    (lambda: layerwise_decay("x", ["a"]), "decay must be .* got 'x'"),
    (lambda: layerwise_decay(0.5, "a"), "layers must be a list of patterns, got 'a'"),
    (lambda: layerwise_decay(0.5, []), "layers must name at least one layer"),
    (lambda: layerwise_decay(0.5, [["a"], []]), "layer_1 must be given by paths"),
    (lambda: layerwise_decay(0.5, [3]), "the paths of layer_0 must be text"),
    (lambda: layerwise_decay(0.5, 3), "layers must be a list of patterns, got 3"),
    (lambda: Chain.of(ADAM, groups=[ADAM]), "groups must be lrwidget.optimizers.Group objects"),
    (lambda: Chain.of(ADAM, groups=Group("g", multiplier=1.0, kinds="bias")), "groups must be"),
    (
        lambda: Chain.of(ADAM, groups=[Group("g", multiplier=m, kinds="bias") for m in (1, 2)]),
        "groups must have names of their own, got 'g' twice",
    ),
    (
        lambda: Chain.of(o.lbfgs(), groups=[Group("g", chain=ADAM, kinds="bias")]),
        "lbfgs needs all parameters at once",
    ),
    (
        lambda: Chain.of(ADAM, groups=[Group("g", chain=o.schedule_free_sgd(), kinds="bias")]),
        "schedule_free_sgd needs all parameters at once",
    ),
    (
        lambda: Chain.of(o.flatten(), ADAM, groups=[Group("g", multiplier=1.0, kinds="bias")]),
        "flatten leaves one vector, .* got g",
    ),
    (lambda: Chain.of(o.flatten(), o.adamw(0.1, mask=matrices)), "mask of adamw"),
    (lambda: Chain.of(o.flatten(), o.lbfgs()), "grad and value_fn of lbfgs"),
    (
        lambda: Chain.of(o.lbfgs(), o.greedy(monitor="valid")),
        "lbfgs hands every keyword .* while greedy needs valid_value: let it judge the training",
    ),
    (
        lambda: Chain.of(o.lbfgs(), o.sophia(0.1)),
        "lbfgs hands every keyword .* while sophia needs obj_fn: keep one of the two",
    ),
    (
        lambda: Chain.of(o.galore(0.1, base_optimizer=Chain.of(o.scale_by_adam(), o.greedy()))),
        "base_optimizer of galore gets nothing beside the gradients, while greedy needs value",
    ),
    (
        lambda: Chain.of(o.sam(), o.polyak_sgd()),
        "sam takes no loss .* while polyak_sgd needs value",
    ),
    (lambda: Chain.of(ADAM, o.multi_steps(2)), "multi_steps goes around the links after it"),
    (
        lambda: TestAddresses.CHAIN.resolve("heads/multiplier"),
        "group of an address must be .*'heads'",
    ),
    (lambda: TestAddresses.CHAIN.resolve("biases/multiplier"), "must be one of"),
    (lambda: TestAddresses.CHAIN.replace({"head/multiplier": -1.0}), "must be .* got -1"),
    (lambda: TestAddresses.CHAIN.group("heads"), "must be one of all, head, biases; got 'heads'"),
    (lambda: TestAddresses.CHAIN.to_code("groups"), "name must not be that of .* got 'groups'"),
    (lambda: TestAddresses.CHAIN.to_code("learning_rate"), "name must not be .*'learning_rate'"),
    (
        lambda: Chain.of(ADAM, groups=[Group("g", multiplier=1.0, mask=lambda p: p)]).to_code(),
        "the mask of g must be a function that code can import",
    ),
    (
        lambda: Chain.of(ADAM, groups=[Group("g", multiplier=1.0, mask=matrices)]).to_json(),
        "the group g must have no mask to be written as JSON",
    ),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=lambda c: c if isinstance(c, str) else "")
def test_bad_input_is_refused_with_argument_rule_and_value(bad, message):
    with pytest.raises((ValueError, TypeError), match=message):
        bad()

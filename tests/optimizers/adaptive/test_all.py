"""What all adaptive transformations share: the curve, types, wrappers, live numbers, links."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrwidget.optimizers import adaptive
from lrwidget.optimizers._adaptive_declarations import ADAPTIVE
from tests.optimizers.adaptive.drive import Driver, trainer

FACTORIES = {declared.name: getattr(adaptive, declared.name) for declared in ADAPTIVE}
ONE = {"w": jnp.array([1.0, -0.3], jnp.float32)}

every_one = pytest.mark.parametrize("name", FACTORIES)


def loss(params, batch):
    return jnp.sum((params["w"].astype(jnp.float32) - batch) ** 2 * jnp.array([1.0, 0.3]))


def run(tx, params, steps=30, seed=0):
    step, state, traces = trainer(tx, loss, params)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        batch = jnp.asarray(0.1 * rng.normal(size=2), jnp.float32)
        params, state, value = step(params, state, batch)
    return params, state, value, len(traces)


@every_one
def test_scale_is_float32_and_the_state_keeps_its_types(name):
    tx = optax.chain(optax.adam(1e-2), FACTORIES[name]())
    params, state, value, traces = run(tx, ONE)
    assert traces == 1
    assert jnp.isfinite(value)
    scale = optax.tree.get(state, "scale")
    assert (scale.shape, scale.dtype) == ((), jnp.float32)
    assert jax.tree.map(lambda x: x.dtype, state) == jax.tree.map(lambda x: x.dtype, tx.init(ONE))
    assert params["w"].dtype == jnp.float32


@every_one
def test_bfloat16_parameters(name):
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), ONE)
    tx = optax.chain(optax.sgd(1e-2), FACTORIES[name]())
    after, state, value, traces = run(tx, params)
    assert traces == 1
    assert after["w"].dtype == jnp.bfloat16
    assert optax.tree.get(state, "scale").dtype == jnp.float32
    assert value < loss(params, 0.0)
    driver = Driver(adaptive.reduce_on_plateau(0.3, 1), params)
    for _ in range(2):
        updates = driver.step(params, value=1.0)
    assert updates["w"].dtype == jnp.bfloat16


@every_one
def test_the_state_can_be_scanned_over(name):
    tx = optax.chain(optax.sgd(1e-2, momentum=0.9), FACTORIES[name]())
    step, state, _ = trainer(tx, loss, ONE)

    def body(carry, batch):
        params, state, value = step(*carry, batch)
        return (params, state), value

    _, values = jax.lax.scan(body, (ONE, state), jnp.zeros((20, 2)))
    assert values[-1] < values[0]


@every_one
def test_inside_multi_steps(name):
    inner = optax.chain(optax.sgd(1e-2), FACTORIES[name]())
    tx = optax.MultiSteps(inner, 3).gradient_transformation()
    _, state, value, traces = run(tx, ONE, 60)
    assert traces == 1
    assert value < loss(ONE, 0.0)
    assert optax.tree.get(state, "step") == 20


@every_one
def test_numbers_may_be_traced_and_changed_live(name):
    declared = next(d for d in ADAPTIVE if d.name == name)
    words = [h.name for h in declared.hyperparameters if h.kind == "choice"]
    factory = optax.inject_hyperparams(FACTORIES[name], words, hyperparam_dtype=jnp.float32)
    numbers = {
        h.name: h.default for h in declared.hyperparameters if h.kind in ("number", "integer")
    }
    live = optax.chain(optax.sgd(1e-2), factory(**numbers))
    plain = optax.chain(optax.sgd(1e-2), FACTORIES[name]())
    _, state, _, traces = run(live, ONE)
    _, wanted, _, _ = run(plain, ONE)
    assert traces == 1
    np.testing.assert_allclose(
        optax.tree.get(state, "scale"), optax.tree.get(wanted, "scale"), rtol=1e-4
    )


def test_a_live_number_takes_effect_at_the_next_step_without_a_trace():
    factory = optax.inject_hyperparams(
        adaptive.reduce_on_plateau, ("monitor", "curve"), hyperparam_dtype=jnp.float32
    )
    driver = Driver(factory(factor=0.5, patience=1), ONE)
    driver.step(ONE, value=1.0)
    driver.step(ONE, value=1.0)
    driver.state.hyperparams["factor"] = jnp.asarray(0.1, jnp.float32)
    updates = driver.step(ONE, value=1.0)
    np.testing.assert_allclose(updates["w"], 0.05 * ONE["w"], rtol=1e-6)
    assert driver.traces == 1


@pytest.mark.parametrize("first", ["reduce_on_plateau", "hypergradient", "learned_scale"])
def test_the_guard_goes_after_another(first):
    tx = optax.chain(optax.adam(10.0), FACTORIES[first](), adaptive.stability_guard())
    _, _, value, traces = run(tx, ONE, 100)
    assert traces == 1
    assert value < 0.1 * loss(ONE, 0.0)


# ------------------------------------------------------------------------------------- the curve

CURVE = optax.linear_schedule(1.0, 0.0, 10)


def scales_under(**arguments):
    """Return the scales of a rule that halves at each step, and the curve."""
    driver = Driver(adaptive.reduce_on_plateau(0.5, 1, **arguments), ONE)
    scales = []
    for _ in range(12):
        driver.step(ONE, value=1.0)
        scales.append(float(driver.state.scale))
    return np.array(scales), np.array([float(CURVE(t)) for t in range(12)])


HALVED = 0.5 ** np.arange(12.0)


@pytest.mark.parametrize("learning_rate", [None, CURVE, 0.3])
def test_the_curve_as_a_multiplier(learning_rate):
    scales, _ = scales_under(learning_rate=learning_rate)
    np.testing.assert_allclose(scales, HALVED)


@pytest.mark.parametrize("own_rate", [0.5, 4.0, 400.0])
def test_the_curve_as_a_ceiling(own_rate):
    scales, curve = scales_under(curve="ceiling", learning_rate=CURVE, own_rate=own_rate)
    effective = np.minimum(curve, own_rate * HALVED)
    np.testing.assert_allclose(scales * curve, effective, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(scales[10:], 1)  # where the curve is zero


def test_a_ceiling_over_the_curve_itself_never_raises():
    driver = Driver(adaptive.greedy(0.5, 0, smoothing=0.0, curve="ceiling"), ONE)
    for value in (3.0, 2.0, 1.0):
        driver.step(ONE, value=value)
    assert driver.state.own_scale == 8
    assert driver.state.scale == 1


def test_a_ceiling_over_the_guard():
    for own_rate, bound in ((1e-3, False), (None, True)):
        guard = adaptive.stability_guard(
            curve="ceiling", learning_rate=1e-4, own_rate=own_rate, start=1.0
        )
        _, state, _, _ = run(optax.chain(optax.sgd(1e-4), guard), ONE)
        assert optax.tree.get(state, "scale") == 1, (own_rate, bound)
        assert optax.tree.get(state, "own_scale") > 10


@every_one
def test_bad_curves_are_named(name):
    with pytest.raises(ValueError, match=r"^curve must be one of ceiling, multiplier; got 'ceil'"):
        FACTORIES[name](curve="ceil")
    with pytest.raises(ValueError, match=r"^own_rate must be a finite number > 0, got 0"):
        FACTORIES[name](curve="ceiling", learning_rate=1.0, own_rate=0)
    with pytest.raises(ValueError, match=r"^learning_rate must be the curve where"):
        FACTORIES[name](curve="ceiling", own_rate=1.0)
    with pytest.raises(TypeError, match=r"^learning_rate must be a finite number >= 0"):
        FACTORIES[name](learning_rate="cosine")


# ---------------------------------------------------------------------------- what update is given


@pytest.mark.parametrize(
    ("name", "arguments", "extra", "missing"),
    [
        ("reduce_on_plateau", {}, {}, "value, the loss of the batch"),
        ("reduce_on_plateau", {"monitor": "valid"}, {"value": 1.0}, "valid_value, the newest"),
        ("greedy", {}, {}, "value, the loss of the batch"),
        ("learned_scale", {}, {}, "value, the loss of the batch"),
        ("sharpness_aware_rate", {}, {"value": 1.0}, "value_fn, a function of the parameters"),
        ("stability_guard", {}, {}, "value, the loss of the batch"),
        ("stability_guard", {}, {"value": 1.0}, "grad, the gradients"),
        ("stability_guard", {}, {"value": 1.0, "grad": ONE}, "value_fn, a function"),
    ],
)
def test_a_missing_keyword_is_named_when_traced(name, arguments, extra, missing):
    tx = FACTORIES[name](**arguments)
    state = tx.init(ONE)
    with pytest.raises(TypeError, match=f"^the update of {name} must be given {missing}"):
        jax.jit(lambda s: tx.update(ONE, s, ONE, **extra))(state)


@pytest.mark.parametrize("name", ["stability_guard", "sharpness_aware_rate"])
def test_missing_parameters_are_named(name):
    tx = FACTORIES[name]()
    with pytest.raises(TypeError, match=r"must be given params, the parameters: tx.update\(grads,"):
        tx.update(ONE, tx.init(ONE), value=1.0, grad=ONE, value_fn=lambda _: 1.0)


# ------------------------------------------------------------------------------------------ links


@every_one
def test_the_declaration_has_the_signature(name):
    declared = next(d for d in ADAPTIVE if d.name == name)
    assert declared.factory is FACTORIES[name]
    parameters = inspect.signature(FACTORIES[name]).parameters
    assert [h.name for h in declared.hyperparameters] == list(parameters)
    for hyperparameter in declared.hyperparameters:
        assert hyperparameter.default == parameters[hyperparameter.name].default
        assert hyperparameter.check(name, hyperparameter.default) == hyperparameter.default
    state = FACTORIES[name]().init(ONE)
    for report in declared.reports:
        assert getattr(state, report).shape == ()


def test_the_declarations_load_without_jax():
    code = (
        "import json, sys, lrwidget.optimizers._adaptive_declarations;"
        "print(json.dumps([m for m in ('jax', 'optax') if m in sys.modules]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == []

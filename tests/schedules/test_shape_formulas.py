"""Every shape's formula over its whole declared range: on the host, in JAX, and as source text."""

from __future__ import annotations

import ast
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrwidget import schedules
from lrwidget.schedules import Segment
from lrwidget.schedules._declaration import FUNCTIONS, number
from tests.vectors.formulas import FORMULAS, PARAMETERS

SHAPES = {name: shape for name, shape in schedules.shapes().items() if shape.twin}
EVERY = pytest.mark.parametrize("name", SHAPES)
LENGTHS = st.sampled_from([1, 2, 3, 7, 10, 97, 1000, 4096, 10_007, 10**6, 123_457_891])


def _in_range(parameter, levels):
    """Draw any value that the parameter allows, its bounds more often than chance would."""
    if parameter.role not in ("free", "steps"):
        return levels.filter(lambda v: v > 0) if parameter.low_open else levels
    low, high = parameter.low, parameter.high
    if parameter.whole:
        return st.integers(int(low), int(high or 5000)).map(float)
    inner = st.floats(low, high, exclude_min=parameter.low_open, exclude_max=parameter.high_open)
    return st.one_of(st.just(parameter.default), st.floats(low, high).map(_rounded), inner).filter(
        lambda v: _allowed(parameter, v)
    )


def _rounded(value):
    return float(f"{value:.1g}")


def _allowed(parameter, value):
    try:
        parameter.check(value)
    except ValueError:
        return False
    return True


@st.composite
def segments(draw, name, levels):
    """Draw a segment of the shape with any of its parameters."""
    shape = SHAPES[name]
    parameters = {p.name: draw(_in_range(p, levels)) for p in shape.parameters}
    lengths = st.one_of(st.none(), LENGTHS) if shape.endless else LENGTHS
    return Segment(shape, draw(lengths), **parameters)


def _steps(segment):
    """Return whole steps: the first ones, both ends, borders of cycles, and some between."""
    n = 2 * 10**6 if segment.steps is None else segment.steps
    spread = np.linspace(0, n, 201).round()
    cycles = segment.parameters.get("num_cycles", 1)
    borders = [k * n / cycles + d for k in range(1, 20) for d in (-1, 0, 1)]
    steps = np.concatenate([np.arange(min(n, 400) + 1), spread, np.round(borders), [n - 1, n]])
    return np.unique(np.clip(steps, 0, n)).astype(np.int64)


ANY = st.one_of(st.sampled_from([0.0, 1e-12, 1e-3, 1.0]), st.floats(0.0, 1e6))
USUAL = st.one_of(st.sampled_from([1e-3, 1.0]), st.floats(1e-7, 1.0))


@EVERY
@given(data=st.data())
def test_the_ends_are_the_parameters_of_the_ends(name, data):
    segment = data.draw(segments(name, ANY))
    for parameter in segment.shape.parameters:
        expected = segment.parameters[parameter.name]
        if parameter.role in ("start", "level"):
            assert segment.start_value == expected
        if parameter.role in ("end", "level"):
            assert segment.end_value == expected


@EVERY
@given(data=st.data())
def test_every_allowed_value_gives_finite_values_that_are_not_negative(name, data):
    segment = data.draw(segments(name, ANY))
    values = segment.values(np, _steps(segment))
    fine = segment.values(np, np.linspace(0.0, segment.steps or 1e4, 501))
    for each in values, fine:
        assert np.all(np.isfinite(each))
        assert np.all(each >= 0.0)


@EVERY
@given(data=st.data())
def test_a_monotone_shape_is_so_and_stays_between_its_ends(name, data):
    segment = data.draw(segments(name, ANY))
    if not segment.shape.monotone:
        return
    values = segment.values(np, np.linspace(0.0, segment.steps or 100, 1001))
    slack = 1e-13 * np.max(values)
    turns = np.diff(values) * np.sign(segment.end_value - segment.start_value)
    assert np.all(turns >= -slack)


@pytest.mark.parametrize(("name", "index"), [(n, i) for n in PARAMETERS for i in (0, 1)])
def test_a_formula_agrees_with_an_independent_one_at_every_step(name, index):
    n, parameters = PARAMETERS[name][index]
    steps = np.arange(1001 if n is None else n + 1)
    values = Segment(name, n, **parameters).values(np, steps)
    expected = [FORMULAS[name](int(t), n, **parameters) for t in steps]
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-15 * np.max(expected))


@pytest.mark.parametrize("name", [n for n, shape in SHAPES.items() if shape.self_similar])
@given(data=st.data())
def test_a_stretch_of_a_self_similar_shape_is_the_shape(name, data):
    segment = data.draw(segments(name, USUAL))
    if segment.steps is None or segment.steps < 3 or segment.steps > 10**6:
        return
    start = data.draw(st.integers(0, segment.steps - 2))
    steps = data.draw(st.integers(1, segment.steps - start))
    stretch = segment.cut(start, steps)
    assert isinstance(stretch, Segment)
    local = np.linspace(0, steps, 33)
    whole = segment.values(np, start + local)
    np.testing.assert_allclose(stretch.values(np, local), whole, rtol=1e-9)


def executed(segment):
    """Return the function that a segment's source text defines, as `Shape.source` says it."""
    n = segment.steps
    lines = segment.shape.source(number, n, **segment.parameters).splitlines()
    place = ["t = jnp.maximum(step, 0)"]
    if n is not None:
        place = [
            f"t = jnp.clip(step, 0, {n})",
            f"p = jnp.clip(step / {n}, 0.0, 1.0)",
            f"q = jnp.clip(({n} - step) / {n}, 0.0, 1.0)",
        ]
    body = [*place, *lines[:-1], f"return {lines[-1]}"]
    names = {"jnp": jnp}
    exec("\n    ".join(["def value(step):", *body]), names)
    return names["value"]


def _check_in_jax(segment):
    steps = _steps(segment)
    expected = segment.values(np, steps)
    error = 1e-6 * max(segment.peak_value, float(np.max(expected)))
    at = jnp.asarray(steps, jnp.int32)
    for value in (lambda step: segment.values(jnp, step)), executed(segment):
        found = jax.jit(lambda steps, value=value: jnp.broadcast_to(value(steps), steps.shape))(at)
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=error)


@EVERY
@settings(max_examples=6)
@given(data=st.data())
def test_jax_and_the_source_text_agree_with_the_host(name, data):
    _check_in_jax(data.draw(segments(name, USUAL)))


@pytest.mark.parametrize(
    ("name", "index"), [(n, i) for n, s in PARAMETERS.items() for i in range(len(s))]
)
def test_they_agree_over_a_million_steps(name, index):
    _, parameters = PARAMETERS[name][index]
    _check_in_jax(Segment(name, 10**6, **parameters))


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "polynomial", "exponential"])
@settings(max_examples=25)
@given(data=st.data())
def test_the_optax_call_agrees_with_the_host(name, data):
    segment = data.draw(segments(name, USUAL))
    call = segment.steps and segment.shape.optax(segment.steps, **segment.parameters)
    if not call:
        return
    steps = _steps(segment)
    expected = segment.values(np, steps)
    schedule = getattr(optax, call.function)(**call.arguments, **call.hold)
    values = jnp.broadcast_to(jax.jit(schedule)(jnp.asarray(steps, jnp.int32)), steps.shape)
    np.testing.assert_allclose(values, expected, rtol=0.0, atol=1e-6 * np.max(expected))


ALLOWED = (
    ast.Module, ast.Assign, ast.For, ast.Expr, ast.Name, ast.Store, ast.Load, ast.Attribute,
    ast.Call, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip


@EVERY
@given(data=st.data())
def test_the_source_text_uses_only_what_every_framework_has(name, data):
    segment = data.draw(segments(name, ANY))
    text = segment.shape.source(number, segment.steps, **segment.parameters)
    tree = ast.parse(text)
    *statements, last = tree.body
    assert isinstance(last, ast.Expr)
    assert all(isinstance(s, ast.Assign | ast.For) for s in statements)
    given_names = {"t", "jnp", "range"} | ({"p", "q"} if segment.steps is not None else set())
    stored = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    assert not stored & given_names
    for node in ast.walk(tree):
        assert isinstance(node, ALLOWED), ast.dump(node)
        if isinstance(node, ast.Name):
            assert node.id in given_names | stored
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node.value) == "jnp"
            assert node.attr in FUNCTIONS
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            assert math.isfinite(node.value)

"""Every form of a chain, trained beside each other in one compiled step."""

from __future__ import annotations

import builtins

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lrwidget.optimizers import write_hyperparameters

_KEY = jax.random.key(0)


def _normal(i, *shape):
    return 0.4 * jax.random.normal(jax.random.fold_in(_KEY, i), shape)


# Small: every leaf of it is compiled for every form of every chain.
PARAMS = {
    "layers": [{"kernel": _normal(1, 3, 2), "bias": _normal(2, 2)}],
    "norm": {"scale": 1.0 + _normal(3, 2)},
}
_INPUTS, _TARGETS = _normal(4, 8, 3), _normal(5, 8, 2)


def loss(params):
    """Return the error of a small network."""
    hidden = _INPUTS
    for layer in params["layers"]:
        hidden = jnp.tanh(hidden @ layer["kernel"] + layer["bias"])
    return jnp.mean((hidden * params["norm"]["scale"] - _TARGETS) ** 2)


value_and_grad = jax.jit(jax.value_and_grad(loss))


def executed(code, *, own=False):
    """Return what source text defines; it may import lrwidget only where `own` allows it."""

    def guarded(name, *args, **kwargs):
        assert own or not name.startswith("lrwidget"), "the code must run alone"
        return builtins.__import__(name, *args, **kwargs)

    names = {"__builtins__": {**vars(builtins), "__import__": guarded}, "__name__": "exported"}
    exec(compile(code, "exported", "exec"), names)
    return names


def extra(chain, value, grads):
    """Return the keywords that the chain's update needs."""
    known = {"value": value, "grad": grads, "value_fn": loss, "obj_fn": loss, "valid_value": value}
    return {name: given for name, given in known.items() if name in chain.needs}


# Of a program that runs a dozen times, most of the time is the compiler's.
_QUICKLY = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}


def trained(chain, forms, steps, before=None):
    """Train every form for some steps, and return the parameters by form.

    All of it is one program, whose state must keep its types from the start on: a step that is
    called in a loop is then traced once.

    Parameters
    ----------
    chain
        Whose forms they are; its live form is ``"live"``, and is fed with its rows.
    forms
        Name -> transformation.
    steps
        How many.
    before
        Name -> function of state and step, which returns the state that the update gets.
    """
    injection = chain.injection()
    rows = injection.columns(chain.rows(0, steps))
    before = before or {}

    def initial():
        return {name: tx.init(PARAMS) for name, tx in forms.items()}

    def step(params, states, values, grads, row, i):
        # Initialised here, since one compilation is shorter than two.
        states = jax.lax.cond(i == 0, initial, lambda: states)
        after = {}
        for name, tx in forms.items():
            state = states[name]
            if name == "live":
                state = write_hyperparameters(state, injection.names, row)
            if name in before:
                state = before[name](state, i)
            told = extra(chain, values[name], grads[name])
            updates, state = tx.update(grads[name], state, params[name], **told)
            after[name] = optax.apply_updates(params[name], updates), state
        return {n: p for n, (p, _) in after.items()}, {n: s for n, (_, s) in after.items()}

    first = jax.eval_shape(initial)
    states = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), first)
    params, run = dict.fromkeys(forms, PARAMS), None
    for i in range(steps):
        found = {name: value_and_grad(p) for name, p in params.items()}
        values = {name: value for name, (value, _) in found.items()}
        grads = {name: gradient for name, (_, gradient) in found.items()}
        arguments = (params, states, values, grads, rows[i], np.int32(i))
        if run is None:
            traced = jax.jit(step).trace(*arguments)
            assert_kept(first, traced.out_info[1])
            run = _compiled(traced.lower())
        params, states = run(*arguments)
    return params


def assert_kept(before, after):
    """Assert that a state has after an update the structure and the types that it began with."""
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for (path, old), new in zip(
        jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        kept = (old.shape, old.dtype, old.weak_type) == (new.shape, new.dtype, new.weak_type)
        assert kept, f"{jax.tree_util.keystr(path)}: {old} becomes {new}"


def _compiled(lowered):
    try:
        return lowered.compile(compiler_options=_QUICKLY)
    except Exception:  # noqa: BLE001  (options come and go with XLA's versions)
        return lowered.compile()


def norm(tree):
    """Return the norm of all entries together, in float64."""
    return float(
        np.sqrt(sum(np.sum(np.square(x, dtype=np.float64)) for x in jax.tree.leaves(tree)))
    )


def distance(a, b):
    """Return the norm of the difference of two trees, relative to the first's."""
    apart = jax.tree.map(lambda x, y: np.asarray(x, np.float64) - np.asarray(y, np.float64), a, b)
    return norm(apart) / norm(a)


def equal(a, b):
    """Return whether two trees are equal bit for bit."""
    return all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def program(chain, tx):
    """Return the program of an update as text."""

    def update(state, grads, params):
        return tx.update(grads, state, params, **extra(chain, loss(params), grads))

    return str(jax.make_jaxpr(update)(jax.eval_shape(tx.init, PARAMS), PARAMS, PARAMS))

"""The table of links against the installed Optax: nothing is missing, nothing has changed."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import optax
import pytest

from lrwidget.optimizers import _registry
from lrwidget.optimizers._decay import Decay
from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._declared import BUILT_IN
from tests.optimizers import samples

NAMES = tuple(d.name for d in BUILT_IN)
NUMBERS = [
    (d, h)
    for d in BUILT_IN
    for h in d.hyperparameters
    if h.kind == "number" and d.module in ("optax", "optax.contrib")
]

ASSEMBLY = "makes a transformation of others: chains, groups and wrappers do that here"
PER_EXAMPLE = "takes a gradient for every example, which no loop of ours has"
FROM_FUNCTION = "is a function of the user's made into a transformation: `custom` takes those"
MEASURES = "measures, and changes nothing: the history does that here"
NO_TRANSFORMATION = "returns no transformation"

EXCLUDED = {
    "optax": {
        "chain": ASSEMBLY,
        "conditionally_mask": ASSEMBLY,
        "conditionally_transform": ASSEMBLY,
        "identity": "changes nothing",
        "inject_hyperparams": ASSEMBLY,
        "inject_stateful_hyperparams": ASSEMBLY,
        "masked": ASSEMBLY,
        "matrix_inverse_pth_root": NO_TRANSFORMATION,
        "measure_with_ema": MEASURES,
        "monitor": MEASURES,
        "multi_transform": ASSEMBLY,
        "named_chain": ASSEMBLY,
        "optimistic_adam": "Optax warns at every call that optimistic_adam_v2 takes its place",
        "partition": ASSEMBLY,
        "scale_by_schedule": "is `scale` with a schedule",
        "selective_transform": ASSEMBLY,
        "set_to_zero": "is `freeze` of everything",
        "sigmoid_binary_cross_entropy": NO_TRANSFORMATION,
        "snapshot": MEASURES,
        "stateless": FROM_FUNCTION,
        "stateless_with_tree_map": FROM_FUNCTION,
        "update_infinity_moment": NO_TRANSFORMATION,
        "update_moment": NO_TRANSFORMATION,
        "update_moment_per_elem_norm": NO_TRANSFORMATION,
        "with_extra_args_support": ASSEMBLY,
    },
    "optax.contrib": {
        "differentially_private_aggregate": PER_EXAMPLE,
        "dpsgd": PER_EXAMPLE,
        "hutchinson_estimator_diag_hessian": "is a part of sophia: it returns a curvature",
        "schedule_free_eval_params": NO_TRANSFORMATION,
        "scale_by_muon": "fails with more than one parameter unless it is told the axes of each: "
        "muon does that",
        "split_real_and_imaginary": "is for complex parameters, which no layer of Flax has",
    },
}

PRINTS = "prints from inside the step"
OPAQUE = "needs update to be given grad_fn, which computes gradients of batches to come"
LEFT_OUT = {
    ("add_noise", "seed"): "deprecated in Optax: key takes its place",
    ("noisy_sgd", "seed"): "deprecated in Optax: key takes its place",
    ("sam", "batch_axis_name"): OPAQUE,
    ("sam", "opaque_mode"): OPAQUE,
    ("scale_by_backtracking_linesearch", "verbose"): PRINTS,
    ("scale_by_zoom_linesearch", "verbose"): PRINTS,
    ("sophia", "print_win_rate_every_n_steps"): PRINTS,
    ("sophia", "verbose"): PRINTS,
}

OWN_DEFAULT = {
    ("adadelta", "learning_rate"): "without one Optax's goes uphill",
    ("add_noise", "key"): "Optax warns that it will require it",
    ("lookahead", "slow_step_size"): "the paper's, where Optax has none",
    ("lookahead", "sync_period"): "the paper's, where Optax has none",
    ("noisy_sgd", "key"): "Optax warns that it will require it",
    ("sam", "adv_optimizer"): "the paper's step uphill, where Optax has none",
    ("scale_by_learning_rate", "learning_rate"): "without one it does nothing",
    ("schedule_free", "learning_rate"): "the chain's, where Optax has none",
}

SCHEDULE_IN_NAME_ONLY = {
    ("novograd", "weight_decay"): "multiplied by, never called",
    ("optimistic_gradient_descent", "alpha"): "added up, never called",
    ("optimistic_gradient_descent", "beta"): "added up, never called",
}

TO_DO = (
    "Declare what is new in lrwidget/optimizers/_declared/, or list it in this file with the "
    "reason. Where an older Optax differs, see tests/optimizers/versions."
)


def factories(module):
    """Return the public functions that may return a transformation, by name."""
    found = {"MultiSteps": optax.MultiSteps} if module is optax else {}
    for name in dir(module):
        member = getattr(module, name)
        if name.startswith("_") or not isinstance(member, types.FunctionType | functools.partial):
            continue
        function = member.func if isinstance(member, functools.partial) else member
        returned = str(inspect.signature(function).return_annotation)
        # Some have no annotation; these are told apart by hand, in EXCLUDED.
        if "GradientTransformation" in returned or returned == str(inspect.Parameter.empty):
            found[name] = member
    return found


def declared_in(module):
    own = {d.function for d in BUILT_IN if d.module == module.__name__}
    extended = [d.extends.rpartition(".") for d in BUILT_IN if d.extends]
    return own | {name for where, _, name in extended if where == module.__name__}


@pytest.mark.parametrize("module", [optax, optax.contrib], ids=lambda m: m.__name__)
def test_every_factory_of_optax_is_declared_or_excluded(module):
    existing, excluded = set(factories(module)), set(EXCLUDED[module.__name__])
    missing = existing - declared_in(module) - excluded
    assert not missing, f"{module.__name__} has {', '.join(sorted(missing))}. {TO_DO}"
    gone = (declared_in(module) | excluded) - existing
    assert not gone, f"{module.__name__} has no more {', '.join(sorted(gone))}. {TO_DO}"
    assert not declared_in(module) & excluded


def optax_factory(declared):
    """Return the factory of Optax whose arguments a link has; None for one that is all ours."""
    where, _, name = (declared.extends or f"{declared.module}.{declared.function}").rpartition(".")
    return getattr({"optax": optax, "optax.contrib": optax.contrib}[where], name)


COMPARED = [d for d in BUILT_IN if d.extends or d.module in ("optax", "optax.contrib")]


@pytest.mark.parametrize("declared", COMPARED, ids=lambda d: d.name)
def test_the_arguments_are_those_of_optax(declared):
    name = declared.name
    parameters = inspect.signature(optax_factory(declared)).parameters
    expected = [p for p in parameters if p != declared.wraps and (name, p) not in LEFT_OUT]
    ours = [h.name for h in declared.hyperparameters]
    if declared.extends:  # ours has more
        ours = [each for each in ours if each in expected]
    assert ours == expected, f"{name} takes {', '.join(expected)} in Optax. {TO_DO}"
    assert declared.wraps == "" or declared.wraps in parameters
    for h in declared.hyperparameters:
        if h.name in parameters and (name, h.name) not in OWN_DEFAULT:
            assert (h.required, h.default) == in_our_terms(h, parameters[h.name].default), TO_DO


def in_our_terms(h, default):
    """Return whether Optax requires an argument, and its default as a declaration writes it."""
    if default is inspect.Parameter.empty:
        return True, h.default
    if h.kind in ("function", "chain"):  # None is Optax's own, whatever that is
        return False, None
    if h.kind == "dtype" and default is not None:
        return False, default.__name__
    return False, default


def test_the_lists_of_exceptions_hold_nothing_that_is_over():
    parameters = {d.name: inspect.signature(optax_factory(d)).parameters for d in COMPARED}
    arguments = {(d.name, h.name): h for d in COMPARED for h in d.hyperparameters}
    for name, argument in LEFT_OUT:
        assert argument in parameters[name]
        assert (name, argument) not in arguments
    for key in OWN_DEFAULT:
        h = arguments[key]
        assert (h.required, h.default) != in_our_terms(h, parameters[key[0]][h.name].default)
    for key in SCHEDULE_IN_NAME_ONLY:
        assert not arguments[key].schedulable
    assert set(samples.SHOWING) <= set(NAMES)
    assert {name for name, _ in samples.REACHED} <= set(NAMES)


@pytest.mark.parametrize(("declared", "h"), NUMBERS, ids=lambda x: x.name)
def test_a_schedule_is_taken_where_optax_takes_one(declared, h):
    annotation = inspect.signature(declared.factory).parameters[h.name].annotation
    takes = "Callable" in str(annotation) and (declared.name, h.name) not in SCHEDULE_IN_NAME_ONLY
    assert h.schedulable == takes


class Seen:
    """Whether something has been."""

    def __init__(self):
        self.seen = False


@jax.tree_util.register_pytree_node_class
class Watched(Decay):
    """A decay rate that tells when one minus it is asked for."""

    def __init__(self, value, complement, subtracted):
        super().__init__(value, complement)
        self._subtracted = subtracted

    def __rsub__(self, one):
        self._subtracted.seen = True
        return super().__rsub__(one)

    def tree_flatten(self):
        return super().tree_flatten()[0], self._subtracted

    @classmethod
    def tree_unflatten(cls, subtracted, children):
        return cls(*children, subtracted)


SHARES = [(d, h) for d, h in NUMBERS if h.live and (h.decay or (h.high == 1.0 and h.high_open))]


@pytest.mark.parametrize(("declared", "h"), SHARES, ids=lambda x: x.name)
def test_a_decay_rate_is_declared_where_optax_subtracts_it_from_one(declared, h):
    subtracted = Seen()
    half = jnp.float32(0.5)
    tx = built(declared, **{h.name: Watched(half, half, subtracted)})
    grads = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}

    def loss(params):
        return sum(jnp.sum(p**2) for p in jax.tree.leaves(params))

    extra = {"value": 1.0, "grad": grads, "value_fn": loss, "obj_fn": loss}

    def update(grads):
        state = tx.init(grads)
        return tx.update(grads, state, grads, **{name: extra[name] for name in declared.needs})

    jax.eval_shape(update, grads)
    assert h.decay == subtracted.seen


def built(declared, **changes):
    """Return what the factory makes of our defaults, which may be those of a sample's link."""
    chain = samples.sample(declared.name, showing=True)
    link = next(link for link in chain.links if link.name == declared.name)
    values = {
        h.name: link[h.name]
        for h in declared.hyperparameters
        if not (link[h.name] is None and h.kind in ("function", "chain"))
    }
    return declared.factory(**{**values, **changes})


class TestTexts:
    @pytest.mark.parametrize("declared", BUILT_IN, ids=NAMES)
    def test_a_palette_can_be_made_of_them(self, declared):
        for text in (declared.help, *(h.help for h in declared.hyperparameters)):
            assert text
            assert text == text.strip()
            assert not text.endswith(".")
            assert "\n" not in text
        assert len(declared.help) <= 130
        assert max((len(h.help) for h in declared.hyperparameters), default=0) <= 80
        assert declared.name.isidentifier()

    def test_names_and_arguments_are_their_own(self):
        assert len(set(NAMES)) == len(NAMES)
        for declared in BUILT_IN:
            arguments = [h.name for h in declared.hyperparameters]
            assert len(set(arguments)) == len(arguments)


@pytest.mark.parametrize("declared", BUILT_IN, ids=NAMES)
def test_defaults_are_in_range_and_ranges_are_ranges(declared):
    for h in declared.hyperparameters:
        h.check(h.name, h.default)
        if h.kind == "choice":
            assert h.default in h.choices
        if h.kind not in ("number", "integer", "numbers"):
            continue
        assert h.low is None or h.high is None or h.low < h.high
        for bound, below in ((h.low, -1.0), (h.high, 1.0)):
            if bound is None:
                continue
            beyond = bound + below
            value = (beyond,) * len(h.default) if h.kind == "numbers" else type_of(h)(beyond)
            with pytest.raises(ValueError, match=h.name):
                h.check(h.name, value)


def type_of(h: Hyperparameter):
    return int if h.kind == "integer" else float


@pytest.mark.parametrize("declared", BUILT_IN, ids=NAMES)
def test_only_numbers_are_live_and_only_they_follow_schedules(declared):
    for h in declared.hyperparameters:
        assert h.live or h.kind == "number"
        assert not h.schedulable or (h.kind == "number" and h.live)
        assert not h.decay or (h.kind == "number" and h.live)


def test_the_table_is_read_without_jax_and_optax():
    code = (
        "import sys; from lrwidget.optimizers import names; assert 'adamw' in names(); "
        "assert not {'jax', 'optax', 'flax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_not_in_the_table_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'adamw'"):
        _registry.declaration("adamww")

"""Flax Linen modules and `TrainState`: called through `apply`, their collections carried."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import flax.core
import jax
from flax import linen
from flax.training.train_state import TrainState

from lrwidget.training._adapters import Bound, FirstRun, check_params, keep_structure
from lrwidget.training._arrays import PyTree

# Fields of every TrainState; what a subclass adds may be collections of the module.
_OWN_FIELDS = frozenset(field.name for field in dataclasses.fields(TrainState))


class BoundModule:
    """A Linen module with its variables, as the loss function gets it: ``model(x, **kwargs)``.

    Arguments are those of the module's ``__call__``, or of another method named by ``method=``.
    In training the collections besides the parameters are mutable, and a later call sees what an
    earlier one wrote. ``rngs=`` and ``mutable=`` may be given and then work as in ``apply``.
    """

    def __init__(
        self,
        apply: Callable[..., Any],
        variables: Mapping[str, PyTree],
        rngs: Mapping[str, jax.Array],
        mutable: tuple[str, ...],
    ):
        self._apply = apply
        self._variables = dict(variables)
        self._rngs = rngs
        self._mutable = mutable
        self._calls = 0

    @property
    def variables(self) -> dict[str, PyTree]:
        """All collections, the parameters among them."""
        return dict(self._variables)

    @property
    def params(self) -> PyTree:
        """The parameters."""
        return self._variables["params"]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the module."""
        if "rngs" not in kwargs and self._rngs:
            kwargs["rngs"] = _folded(self._rngs, self._calls)
            self._calls += 1
        if "mutable" in kwargs or not self._mutable:
            return self._apply(self._variables, *args, **kwargs)
        out, changed = self._apply(self._variables, *args, mutable=list(self._mutable), **kwargs)
        self._variables.update(changed)
        return out


class LinenAdapter:
    """A Linen module, or anything that is applied like one.

    Parameters
    ----------
    apply
        ``apply(variables, *args, rngs=, mutable=, **kwargs)``, as a Linen module's.
    params, state
        The parameters, and the other collections by name.
    module
        The module itself, where there is one.
    original
        The person's TrainState, where that is what they gave.
    random, mutating
        Whether `apply` takes ``rngs`` and ``mutable``; kept as `takes`.
    """

    def __init__(
        self,
        apply: Callable[..., Any],
        params: PyTree,
        state: dict[str, PyTree],
        *,
        module: linen.Module | None = None,
        original: TrainState | None = None,
        random: bool = True,
        mutating: bool = True,
    ):
        check_params(params)
        self.kind = "linen" if original is None else "train_state"
        self._apply = apply
        self._initial = params, state
        self._module = module
        self._original = original
        self.takes = random, mutating

    def current(self) -> tuple[PyTree, PyTree]:
        """Return what the person gave: modules and TrainStates are immutable."""
        return self._initial

    def bind(self, params: PyTree, state: PyTree, key: jax.Array, *, train: bool) -> Bound:
        """Return the module bound to these arrays; immutable unless `train`."""
        rngs = streams(key)
        model = BoundModule(
            self._apply,
            {"params": params, **state},
            rngs if self.takes[0] else {},
            tuple(state) if train and self.takes[1] else (),
        )

        def after() -> PyTree:
            return keep_structure(state, {name: model.variables[name] for name in state})

        return Bound(model, rngs, after)

    def write_back(self, params: PyTree, state: PyTree) -> None:
        """Do nothing: modules and TrainStates are immutable."""

    def model(self, params: PyTree, state: PyTree) -> Any:
        """Return a module bound to these arrays: ``model(x)`` predicts."""
        if self._module is not None:
            return self._module.bind({"params": params, **state})
        return BoundModule(self._apply, {"params": params, **state}, {}, ())

    def current_model(self) -> Any:
        """Return the module bound to the variables that the person gave."""
        return self.model(*self._initial)

    def train_state(
        self, params: PyTree, state: PyTree, opt_state: PyTree, tx: Any, step: int
    ) -> TrainState:
        """Return the person's TrainState, or one of the module, with these arrays."""
        if self._original is not None:
            given = {
                name: flax.core.freeze(value)
                if isinstance(getattr(self._original, name), flax.core.FrozenDict)
                else value
                for name, value in state.items()
            }
            return self._original.replace(
                step=self._original.step + step,
                params=params,
                tx=tx,
                opt_state=opt_state,
                **given,
            )
        made = _with_fields(tuple(state)) if state else TrainState
        return made(
            step=step, apply_fn=self._apply, params=params, tx=tx, opt_state=opt_state, **state
        )


def linen_adapter(module: linen.Module, variables: Any, first_run: FirstRun) -> LinenAdapter:
    """Return the adapter of a Linen module, initialised through the loss function if need be."""
    if variables is None:
        variables = _initialised(module, first_run)
    if not isinstance(variables, Mapping) or "params" not in variables:
        raise ValueError(
            "variables must be a Linen module's variables with a 'params' collection, "
            f"got {type(variables).__name__}"
            + (f" with {', '.join(map(str, variables))}" if isinstance(variables, Mapping) else "")
        )
    collections = dict(flax.core.unfreeze(dict(variables)))
    params = collections.pop("params")
    return LinenAdapter(module.apply, params, collections, module=module)


def train_state_adapter(given: TrainState) -> LinenAdapter:
    """Return the adapter of a TrainState: fields that hold dictionaries are its collections."""
    collections = {
        field.name: flax.core.unfreeze(getattr(given, field.name))
        for field in dataclasses.fields(given)
        if field.name not in _OWN_FIELDS and isinstance(getattr(given, field.name), Mapping)
    }
    module = getattr(given.apply_fn, "__self__", None)
    if isinstance(module, linen.Module):
        return LinenAdapter(
            given.apply_fn, given.params, collections, module=module, original=given
        )
    if not callable(given.apply_fn):
        raise TypeError(f"the apply_fn of model must be a function, got {given.apply_fn!r}")
    # Any function may stand for `apply`; it gets what it declares.
    parameters = inspect.signature(given.apply_fn).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return LinenAdapter(
        given.apply_fn,
        given.params,
        collections,
        original=given,
        random=every or "rngs" in parameters,
        mutating=every or "mutable" in parameters,
    )


def streams(key: jax.Array) -> dict[str, jax.Array]:
    """Return a step's random streams; one of another name falls back to ``params`` in Linen."""
    return {"dropout": key, "params": jax.random.fold_in(key, 1)}


def _folded(rngs: Mapping[str, jax.Array], calls: int) -> dict[str, jax.Array]:
    if calls == 0:
        return dict(rngs)
    return {name: jax.random.fold_in(key, calls) for name, key in rngs.items()}


class _Initialising:
    """A Linen module that initialises its variables when the loss function calls it.

    They are those of ``module.init(key, ...)``: Linen draws a parameter from the key and the
    parameter's path alone.
    """

    def __init__(self, module: linen.Module, key: jax.Array):
        self._module = module
        self._rngs = {**streams(jax.random.fold_in(key, 1)), "params": key}
        self.variables: dict[str, PyTree] = {}

    @property
    def params(self) -> PyTree:
        return self.variables.get("params", {})

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"loss_fn gets a bound model, which has no {name!r}: call model(x, ...), or "
            "model(x, method=...) for another method"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mutable = kwargs.pop("mutable", False)
        rngs = {**kwargs.pop("rngs", {}), **self._rngs}
        out, variables = self._module.init_with_output(rngs, *args, **kwargs)
        variables = flax.core.unfreeze(dict(variables))
        self.variables = _merged(self.variables, variables)
        return (out, variables) if mutable else out


def _initialised(module: linen.Module, first_run: FirstRun) -> dict[str, PyTree]:
    @jax.jit
    def run(batch: PyTree) -> dict[str, PyTree]:
        model = _Initialising(module, first_run.key)
        first_run.call(model, batch, streams(jax.random.fold_in(first_run.key, 1)))
        return model.variables

    variables: dict[str, PyTree] = run(first_run.batch())
    if not variables:
        raise ValueError("loss_fn must call model(...) to initialise it, or give variables=")
    return variables


def _merged(first: Any, second: Any) -> Any:
    # A loss function may call several methods, each of which creates its own part.
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return first
    shared = {key: _merged(first[key], second[key]) for key in first if key in second}
    return {**second, **first, **shared}


def _with_fields(names: tuple[str, ...]) -> Any:
    annotations = dict.fromkeys(names, Any)
    # Subclasses of TrainState become dataclasses by themselves.
    return type("TrainState", (TrainState,), {"__annotations__": annotations})

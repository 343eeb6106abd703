"""A chain as live Optax transformations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers._addresses import group_of
from lrwidget.optimizers._assembly import Around, Nest, Split, Step, assembly
from lrwidget.optimizers._decay import Decay
from lrwidget.optimizers._declaration import Declaration, Hyperparameter
from lrwidget.optimizers._evaluation import find_evaluations
from lrwidget.optimizers._labels import labeller
from lrwidget.optimizers._link import Link
from lrwidget.optimizers._reports import reporting
from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain
    from lrwidget.optimizers._injection import Injection

Live = dict[str, dict[str, Any]]


def build(chain: Chain) -> optax.GradientTransformation:
    """Return the chain with its numbers as constants and its schedules inside."""
    return _Builder(chain, {}, report=False).build()


class _Builder:
    """Builds a chain, the values in `live` (by label) taking the place of its own."""

    def __init__(self, chain: Chain, live: Live, *, report: bool):
        self._chain = chain
        self._live = live
        self._report = report

    def build(self) -> optax.GradientTransformation:
        return self._sequence(assembly(self._chain))

    def _sequence(self, nest: Nest) -> optax.GradientTransformation:
        built = [self._item(item) for item in nest]
        if not built:
            return optax.identity()
        return built[0] if len(built) == 1 else optax.chain(*built)

    def _item(self, item: Step | Around | Split) -> optax.GradientTransformation:
        match item:
            case Split(ways):
                return optax.partition(
                    {name: self._sequence(way) for name, way in ways.items()},
                    labeller(self._chain.groups, ways),
                )
            case Around(label, link, every, inner):
                inside = self._sequence(inner)
                if self._live:
                    # A wrapper picks old or new updates and states, which must agree in type.
                    inside = _of_one_type(inside)
                return self._link(label, link, every, {link.declaration.wraps: inside})
            case Step(label, link, every):
                return self._link(label, link, every, {})

    def _link(
        self, label: str, link: Link, every: int, around: dict[str, Any]
    ) -> optax.GradientTransformation:
        declared, live = link.declaration, self._live.get(label, {})
        values = {**link.hyperparameters, **live}
        arguments = dict(around)
        following = link.following()
        not_taken = _not_taken(declared)
        for h in declared.hyperparameters:
            value = values[h.name]
            if h.name in following:
                arguments[h.name] = self._followed(label, h, every)
            elif not (h.name in not_taken and value is h.default):
                arguments[h.name] = _argument(value, every, h.first_count)
        injected = [name for name in link.injected() if name not in live]
        factory: Callable[..., Any] = declared.factory
        if injected:
            # Everything else is static: Optax would take a function for a schedule, even one that
            # is only a default, and round the constants of Adam to float32.
            names = inspect.signature(factory).parameters
            static = [name for name in names if name not in injected]
            factory = optax.inject_hyperparams(
                factory, static_args=static, hyperparam_dtype=jnp.float32
            )
        transformation: optax.GradientTransformation = factory(**arguments)
        if declared.method and not injected:
            # MultiSteps hands on what `update` is given, and its method's result would not.
            method = getattr(transformation, declared.method)
            transformation = optax.GradientTransformationExtraArgs(*method())
        if live and declared.one_type:
            transformation = _of_one_type(transformation, jnp.float32)
        if self._report and declared.reports:
            transformation = reporting(transformation, label, declared.reports)
        return transformation

    def _followed(self, label: str, h: Hyperparameter, every: int) -> Any:
        """Return its chain's learning rate for a link that follows it; None without one."""
        address = self._chain.rate_in(group_of(label))
        if address is None:
            return None
        label, _, name = address.rpartition(".")
        live = self._live.get(label, {})
        if name in live:
            return live[name]
        return _argument(self._chain.value(address), every, h.first_count)


def _not_taken(declared: Declaration) -> set[str]:
    """Return the arguments that are not passed at their defaults.

    For a function None is Optax's own, and an older Optax does not know all that we declare.
    """
    taken = inspect.signature(declared.factory).parameters
    older = not any(p.kind is p.VAR_KEYWORD for p in taken.values())
    return {
        h.name
        for h in declared.hyperparameters
        if (h.kind == "function" and h.default is None) or (older and h.name not in taken)
    }


def _argument(value: Any, every: int, first_count: int) -> Any:
    from lrwidget.optimizers._chain import Chain

    if isinstance(value, Chain):
        return build(value)
    if not isinstance(value, Schedule):
        return value
    schedule = value.to_optax()
    if every == 1 and first_count == 0:
        return schedule
    # The link is updated once in so many steps, at the last of them, and counts its own updates.
    last = every - 1 - every * first_count
    return lambda count: schedule(every * count + last)


def _of_one_type(
    inner: optax.GradientTransformation, least: Any = None
) -> optax.GradientTransformationExtraArgs:
    """Return a transformation whose updates and state keep their types.

    Inside it no float has a smaller type than `least`, if that is given.
    """
    extended = optax.with_extra_args_support(inner)

    def widened(x: Any) -> Any:
        if least is None or not jnp.issubdtype(x.dtype, jnp.floating):
            return x
        return x.astype(jnp.promote_types(x.dtype, least))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        wide = jax.tree.map(widened, (updates, state, params))
        new_updates, new_state = extended.update(*wide, **extra)
        return (
            jax.tree.map(_as_before, new_updates, updates),
            jax.tree.map(_as_before, new_state, state),
        )

    return optax.GradientTransformationExtraArgs(inner.init, update)


def build_live(chain: Chain, injection: Injection) -> optax.GradientTransformationExtraArgs:
    """Return the chain as one ``inject_hyperparams`` factory over what `injection` writes."""

    def factory(**live: Any) -> optax.GradientTransformation:
        by_label: Live = {}
        for column, (key, address) in enumerate(
            zip(injection.keys, injection.addresses, strict=True)
        ):
            label, _, name = address.rpartition(".")
            value = live[key]
            if column in injection.decays:
                value = Decay.of(value, live[injection.complement(column)])
            by_label.setdefault(label, {})[name] = value
        return _Builder(chain, by_label, report=True).build()

    # `inject_hyperparams` reads what it may inject off the signature.
    factory.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY) for key in injection.names]
    )
    chosen = [chain.addresses().index(address) for address in injection.addresses]
    [first] = injection.columns(chain.rows(0, 1)[:, chosen])
    # float32 whatever the parameters are: in bfloat16, b2 = 0.999 would become 1.
    injected = optax.inject_hyperparams(factory, hyperparam_dtype=jnp.float32)(
        **dict(zip(injection.names, first.tolist(), strict=True))
    )

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        updates, new_state = injected.update(updates, state, params, **extra)
        # float32 hyperparameters lift bfloat16 moments to float32, and a state that changes its
        # type can neither be looped over nor compiled once.
        return updates, jax.tree.map(_as_before, new_state, state)

    return optax.GradientTransformationExtraArgs(injected.init, update)


def evaluated(chain: Chain, opt_state: Any, params: Any) -> Any:
    """Return the parameters to evaluate with; see `Chain.eval_params`."""
    for _, link in chain.labelled():
        if link.declaration.evaluate:
            # What lies within has its own from the outermost, whose parameters the loop trains.
            return find_evaluations()[link.declaration.evaluate](opt_state, params)
    return params


def write_hyperparameters(opt_state: Any, names: Sequence[str], row: Sequence[Any]) -> Any:
    """Return the state of a live chain with new hyperparameters, for use inside or outside a jit.

    Parameters
    ----------
    opt_state
        The state of ``chain.live(addresses)``.
    names
        Keys of its ``hyperparams``: those of `Injection.names`.
    row
        As many scalars: a row of `Injection.columns`. Each is cast to the type of the one that it
        replaces: a weak type or an int would make the next call trace again.
    """
    hyperparams = dict(opt_state.hyperparams)
    for name, value in zip(names, row, strict=True):
        hyperparams[name] = jnp.asarray(value, hyperparams[name].dtype)
    return opt_state._replace(hyperparams=hyperparams)


def _as_before(new: Any, old: Any) -> Any:
    return new if new.dtype == old.dtype else new.astype(old.dtype)

"""A chain as live Optax transformations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers._assembly import Around, Nest, Split, Step, assembly
from lrwidget.optimizers._decay import Decay
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
                    labeller([group for group in self._chain.groups if group.name in ways]),
                )
            case Around(label, link, every, inner):
                around = {link.declaration.wraps: self._sequence(inner)}
                return self._link(label, link, every, around)
            case Step(label, link, every):
                return self._link(label, link, every, {})

    def _link(
        self, label: str, link: Link, every: int, around: dict[str, Any]
    ) -> optax.GradientTransformation:
        declared, live = link.declaration, self._live.get(label, {})
        values = {**link.hyperparameters, **live}
        arguments = dict(around)
        following = link.following()
        for h in declared.hyperparameters:
            value = values[h.name]
            if h.name in following:
                arguments[h.name] = self._followed(every)
            elif not (value is None and h.default is None and h.kind == "function"):
                arguments[h.name] = _argument(value, every)
        injected = [name for name in link.injected() if name not in live]
        factory: Callable[..., Any] = declared.factory
        if injected:
            # Everything else is static: Optax would take a mask for a schedule, and round the
            # constants of Adam to float32.
            static = [name for name in arguments if name not in injected]
            factory = optax.inject_hyperparams(
                factory, static_args=static, hyperparam_dtype=jnp.float32
            )
        transformation: optax.GradientTransformation = factory(**arguments)
        if declared.method and not injected:
            transformation = getattr(transformation, declared.method)()
        if live and declared.one_type:
            transformation = _in_float32(transformation)
        if self._report and declared.reports:
            transformation = reporting(transformation, label, declared.reports)
        return transformation

    def _followed(self, every: int) -> Any:
        """Return the chain's learning rate for a link that follows it; None without one."""
        address = self._chain.rate
        if address is None:
            return None
        label, _, name = address.rpartition(".")
        live = self._live.get(label, {})
        return live[name] if name in live else _argument(self._chain.value(address), every)


def _argument(value: Any, every: int) -> Any:
    from lrwidget.optimizers._chain import Chain

    if isinstance(value, Chain):
        return build(value)
    if not isinstance(value, Schedule):
        return value
    schedule = value.to_optax()
    if every == 1:
        return schedule
    # The link is updated once in so many steps, at the last of them, and counts its own updates.
    return lambda count: schedule(every * count + (every - 1))


def _in_float32(inner: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    extended = optax.with_extra_args_support(inner)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        wide = jax.tree.map(lambda u: u.astype(jnp.promote_types(u.dtype, jnp.float32)), updates)
        wide, state = extended.update(wide, state, params, **extra)
        return jax.tree.map(_as_before, wide, updates), state

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
    wanted = [link.declaration.evaluate for _, link in chain.labelled()]
    for name in reversed([name for name in wanted if name]):
        params = find_evaluations()[name](opt_state, params)
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

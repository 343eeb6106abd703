"""A chain as live Optax transformations."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax

from lrwidget.optimizers._decay import Decay
from lrwidget.optimizers._link import Link
from lrwidget.schedules import Schedule

if TYPE_CHECKING:
    from lrwidget.optimizers._chain import Chain, Injection


def build(chain: Chain) -> optax.GradientTransformation:
    """Return the chain with its numbers as constants and its schedules inside."""
    built = [build_link(link, {}) for link in chain.links]
    return built[0] if len(built) == 1 else optax.chain(*built)


def build_link(link: Link, live: dict[str, Any]) -> optax.GradientTransformation:
    """Return one link, the values in `live` taking the place of its own."""
    values = {**link.hyperparameters, **live}
    arguments = {k: v.to_optax() if isinstance(v, Schedule) else v for k, v in values.items()}
    injected = [name for name in link.injected() if name not in live]
    factory = link.declaration.factory
    if injected:
        # Everything else is static: Optax would take a mask for a schedule, and round the
        # constants of Adam to float32.
        static = [name for name in arguments if name not in injected]
        factory = optax.inject_hyperparams(
            factory, static_args=static, hyperparam_dtype=jnp.float32
        )
    transformation: optax.GradientTransformation = factory(**arguments)
    return _in_float32(transformation) if live and link.declaration.one_type else transformation


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
        by_label: dict[str, dict[str, Any]] = {}
        for column, (key, address) in enumerate(
            zip(injection.keys, injection.addresses, strict=True)
        ):
            label, _, name = address.rpartition(".")
            value = live[key]
            if column in injection.decays:
                value = Decay.of(value, live[injection.complement(column)])
            by_label.setdefault(label, {})[name] = value
        built = [build_link(link, by_label.get(label, {})) for label, link in chain.labelled()]
        return built[0] if len(built) == 1 else optax.chain(*built)

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

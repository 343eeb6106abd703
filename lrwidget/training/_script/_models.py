"""What a kind of model puts into a training script."""

from __future__ import annotations

import dataclasses
import string
from typing import TYPE_CHECKING

from lrwidget.optimizers._layout import WIDTH, laid_out

if TYPE_CHECKING:
    from lrwidget.training._task import Task

_KEPT = '''\
def kept(before, after):
    """Return `after` without what a model sows: its state keeps its structure."""
    if not isinstance(before, dict):
        return after
    return {name: kept(value, after[name]) for name, value in before.items()}'''

_BOUND = string.Template('''\
class Bound:
    """A Linen module with its variables, as `loss_fn` gets it."""

    def __init__(self, apply, variables, key):
        self.apply = apply
        self.variables = variables
        self.rngs = {"dropout": key, "params": jax.random.fold_in(key, 1)}
        self.calls = 0

    @property
    def params(self):
        return self.variables["params"]

    def __call__(self, *args, **kwargs):
$call''')

_FOLD = """\
        if "rngs" not in kwargs:
            rngs = self.rngs
            if self.calls:
                rngs = {k: jax.random.fold_in(v, self.calls) for k, v in rngs.items()}
            self.calls += 1
            kwargs["rngs"] = rngs
"""

_MUTATING = string.Template("""\
        if "mutable" in kwargs:
            return self.apply(self.variables, *args, **kwargs)
        names = $names
        out, changed = self.apply(self.variables, *args, mutable=names, **kwargs)
        self.variables = {**self.variables, **changed}
        return out""")

_INITIALISE = string.Template('''\
class Initialising:
    """A Linen module that initialises its variables when `loss_fn` calls it."""

    def __init__(self, module, key):
        self.module = module
        self.rngs = {"params": key, "dropout": jax.random.fold_in(key, 1)}
        self.flat = {}

    def __call__(self, *args, mutable=False, rngs=None, **kwargs):
        rngs = {**(rngs or {}), **self.rngs}
        out, new = self.module.init_with_output(rngs, *args, **kwargs)
        self.flat = {**flatten_dict(new), **self.flat}
        return (out, new) if mutable else out


def initialise(model, loss_fn, batch, seed):
    """Return the variables of a Linen module, by running the loss function once."""
    key = jax.random.key(seed)

    @jax.jit
    def run(batch):
        module = Initialising(model, key)
        loss_fn($arguments)
        return unflatten_dict(module.flat)

    return run(batch)''')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """What a kind of model puts into the script.

    Attributes
    ----------
    model_word
        What the model is called in a sentence.
    model
        The name of the first argument of ``train``.
    returns
        The name of what ``train`` returns beside the losses.
    rngs, bound
        The randomness and the model that the loss function gets.
    bind, after
        Lines before the loss function is called, and those that find the state after it.
    setup, finish
        Lines at the beginning and the end of ``train``.
    imports, definitions, more
        Import statements, classes and functions, and further arguments of ``train``.
    """

    model_word: str
    model: str
    returns: str
    rngs: str
    bound: str
    bind: str
    after: str
    setup: str
    finish: str
    imports: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


def form_of(task: Task, first_batch: str) -> Form:
    """Return the form of a task's model; `first_batch` is an expression for a batch of its data."""
    if task.kind == "linen":
        return _linen(task, first_batch)
    return {"pytree": _pytree, "nnx": _nnx, "train_state": _train_state}[task.kind](task)


def arguments(task: Task, model: str, rngs: str) -> str:
    """Return the arguments of a call of the loss function."""
    given = [model, "batch"]
    if task.loss_fn.takes_rngs:
        keyword = task.loss_fn.rngs_keyword
        given.append(rngs if keyword is None else f"{keyword}={rngs}")
    if task.loss_fn.takes_train:
        given.append("train=True")
    return ", ".join(given)


def _pytree(_: Task) -> Form:
    return Form(
        model_word="parameters",
        model="params",
        returns="params",
        rngs="key",
        bind="        # Parameters are all that this model has.",
        bound="params",
        after="",
        setup="    params, state = jax.tree.map(jnp.asarray, params), {}",
        finish="    params, _, _ = carry\n    return params, losses",
    )


def _nnx(_: Task) -> Form:
    return Form(
        model_word="model",
        model="model",
        returns="model",
        rngs="nnx.Rngs(key)",
        bind="        merged = nnx.merge(graphdef, params, state)",
        bound="merged",
        after=(
            "        state = kept(state, nnx.to_pure_dict(nnx.state(merged, nnx.Not(nnx.Param))))\n"
        ),
        # Split once: `nnx.jit` would do it at every step.
        setup=(
            "    graphdef, params, state = nnx.split(model, nnx.Param, ...)\n"
            "    params, state = nnx.to_pure_dict(params), nnx.to_pure_dict(state)"
        ),
        finish=(
            "    params, state, _ = carry\n"
            "    nnx.update(model, params, state)\n"
            "    return model, losses"
        ),
        imports=("from flax import nnx",),
        definitions=(_KEPT,),
    )


def _linen(task: Task, first_batch: str) -> Form:
    collections = list(task.initial[1])
    bound, bind, after = _bound("model.apply", collections, random=True, mutating=True)
    initialised = arguments(task, "module", "module.rngs")
    return Form(
        model_word="model",
        model="model",
        returns="variables",
        rngs="bound.rngs",
        bind=bind,
        bound="bound",
        after=after,
        setup=(
            "    if variables is None:\n"
            f"        first = {first_batch}\n"
            "        variables = initialise(model, loss_fn, first, seed)\n"
            "    state = dict(variables)\n"
            '    params = state.pop("params")'
        ),
        finish=(
            "    params, state, _ = carry\n"
            '    variables = {"params": params, **state}\n'
            "    return variables, losses"
        ),
        imports=("from flax.traverse_util import flatten_dict, unflatten_dict",),
        definitions=(bound, _INITIALISE.substitute(arguments=initialised)),
        more=("variables=None",),
    )


def _train_state(task: Task) -> Form:
    from flax.core import FrozenDict

    collections = list(task.initial[1])
    random, mutating = task.adapter.takes  # type: ignore[attr-defined]
    bound, bind, after = _bound("given.apply_fn", collections, random=random, mutating=mutating)
    given = task.adapter._original  # type: ignore[attr-defined]  # noqa: SLF001
    frozen = {name for name in collections if isinstance(getattr(given, name), FrozenDict)}
    entries = ", ".join(
        f'"{name}": given.{name}' + ".unfreeze()" * (name in frozen) for name in collections
    )
    fields = "".join(
        f'        {name}=freeze(state["{name}"]),\n'
        if name in frozen
        else f'        {name}=state["{name}"],\n'
        for name in collections
    )
    return Form(
        model_word="TrainState",
        model="given",
        returns="trained",
        rngs="bound.rngs",
        bind=bind,
        bound="bound",
        after=after,
        setup=f"    params, state = given.params, {{{entries}}}",
        finish=(
            "    params, state, opt_state = carry\n"
            "    trained = given.replace(\n"
            "        step=given.step + steps,\n"
            "        params=params,\n"
            "        tx=optimizer,\n"
            "        opt_state=opt_state,\n"
            f"{fields}"
            "    )\n"
            "    return trained, losses"
        ),
        imports=("from flax.core import freeze",) if frozen else (),
        definitions=(bound,),
    )


def _bound(apply: str, collections: list[str], *, random: bool, mutating: bool) -> tuple[str, ...]:
    call = "        return self.apply(self.variables, *args, **kwargs)"
    if mutating and collections:
        names = "[" + ", ".join(f'"{name}"' for name in collections) + "]"
        names = laid_out(names, column=len("names = "), width=WIDTH - 8)
        call = _MUTATING.substitute(names=names.replace("\n", "\n        "))
    bound = _BOUND.substitute(call=(_FOLD if random else "") + call)
    bind = f'        bound = Bound({apply}, {{"params": params, **state}}, key)'
    return bound, bind, "        state = {name: bound.variables[name] for name in state}\n"

"""The training script: a run as plain code that needs JAX, Optax, NumPy and the model's library.

A script is put together from the templates below. What differs between kinds of model is how the
arrays get in and out of it, and how the loss function is called.
"""

from __future__ import annotations

import dataclasses
import string
from typing import TYPE_CHECKING

import numpy as np

from lrwidget.optimizers._code import add_chain
from lrwidget.optimizers._layout import WIDTH, laid_out
from lrwidget.schedules._declaration import number
from lrwidget.schedules._export._code import Source, arranged
from lrwidget.training._array_source import ArrayData

if TYPE_CHECKING:
    from lrwidget.training._task import Task
    from lrwidget.training._trainer import Trainer

_SCRIPT = string.Template('''\
"""$summary

Use it with the same $model_word, loss function and data:

    $usage

Shuffling and the randomness of each step follow from the seed, as they did in the run.
"""

$imports

$optimizer

$settings


$definitions


def train($signature):
    """Train $model_word for `steps` steps; return $returns and every step's loss."""
$setup
    carry = params, state, optimizer.init(params)
    step_root = jax.random.fold_in(jax.random.key(seed), 2**32 - 1)

    def loss_of(params, state, batch, key):
$bind
        value = loss_fn($arguments)
        value = value[0] if isinstance(value, tuple) else value
        return value, $state_after

    @jax.jit
    def train_step(carry, batch, step$valid_parameter):
        params, state, opt_state = carry
        key = jax.random.fold_in(step_root, step)
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (value, state), grads = gradient(params, state, batch, key)
$value_fn        $update
        return (optax.apply_updates(params, updates), state, opt_state), value

    losses = []
    for step, batch in zip(range(steps), $stream):
        carry, value = train_step(carry, batch, step$valid_argument)
        losses.append(value)
    params, state, opt_state = carry
$finish''')

_ARRAY_BATCHES = '''\
def batches(data, batch_size, seed):
    """Yield batches without end, reshuffled every epoch; the remainder is dropped."""
    data = jax.tree.map(jnp.asarray, data)
    examples = len(jax.tree.leaves(data)[0])
    for epoch in itertools.count():
        key = jax.random.fold_in(jax.random.key(seed), epoch)
        order = jax.random.permutation(key, examples)
        for start in range(0, examples - batch_size + 1, batch_size):
            index = order[start : start + batch_size]
            yield jax.tree.map(lambda x, i=index: x[i], data)'''

_ITERABLE_BATCHES = '''\
def batches(data):
    """Yield the batches of one pass after the other; a smaller last one is dropped."""
    size = None
    while True:
        for batch in data() if callable(data) else data:
            batch = jax.tree.map(jnp.asarray, batch)
            examples = len(jax.tree.leaves(batch)[0])
            size = size or examples
            if examples == size:
                yield batch'''

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
$call
        return out''')

_FOLD = """\
        rngs = self.rngs
        if self.calls:
            rngs = {k: jax.random.fold_in(v, self.calls) for k, v in rngs.items()}
        self.calls += 1
"""

_MUTATING = string.Template("""\
        out, changed = self.apply(
            self.variables, *args, ${rngs}mutable=$collections, **kwargs
        )
        self.variables = {**self.variables, **changed}""")

_INITIALISE = string.Template('''\
class Initialising:
    """A Linen module that initialises its variables when `loss_fn` calls it."""

    def __init__(self, module, key):
        self.module = module
        self.rngs = {"params": key, "dropout": key}
        self.flat = {}

    def __call__(self, *args, **kwargs):
        out, new = self.module.init_with_output(self.rngs, *args, **kwargs)
        self.flat = {**flatten_dict(new), **self.flat}
        return out


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
class _Form:
    """What a kind of model puts into the script."""

    model_word: str
    model: str  # the name of train's first argument
    returns: str
    rngs: str
    bind: str
    bound: str  # what loss_fn gets
    state_after: str
    setup: str
    finish: str
    imports: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    more: tuple[str, ...] = ()  # further arguments of train


def write_script(trainer: Trainer) -> str:
    """Return the script of a run as far as it went; see `Trainer.to_code`."""
    task, steps = trainer.task, trainer.position
    if steps == 0:
        raise ValueError("to_code needs a run with at least one step, got none yet")
    form = _FORMS[task.kind](task)
    arrays = isinstance(task.source, ArrayData)
    source = Source()
    chain = trainer.effective_chain()
    add_chain(source, chain, "optimizer", hold=True)
    imports = {"import jax", "import jax.numpy as jnp", "import numpy as np", "import optax"}
    imports |= {*form.imports, *source.imports}
    if arrays:
        imports.add("import itertools")
    settings = [f"STEPS = {steps}", f"SEED = {task.seed}"]
    keywords = ["steps=STEPS", "seed=SEED"]
    if arrays:
        settings.append(f"BATCH_SIZE = {task.batch_size}")
        keywords.append("batch_size=BATCH_SIZE")
    if "valid_value" in chain.needs:
        settings.append(_validation(trainer))
    batches = _ARRAY_BATCHES if arrays else _ITERABLE_BATCHES
    signature = [form.model, "loss_fn", "train_data", *form.more, "*", *keywords]
    summary = f"Train as a run of lrwidget did: {steps} steps, seed {task.seed}"
    if trainer.starts_elsewhere:
        summary += ", from weights that another run had trained"
    return (
        _SCRIPT.substitute(
            summary=f"{summary}.",
            model_word=form.model_word,
            usage=f"{form.returns}, losses = train({form.model}, loss_fn, train_data)",
            imports=arranged(imports),
            optimizer=source.body().rstrip(),
            settings="\n".join(settings),
            definitions="\n\n\n".join([batches, *form.classes]),
            signature="".join(f"\n    {argument}," for argument in signature) + "\n",
            setup=form.setup,
            bind=form.bind,
            arguments=_arguments(task, form.bound, form.rngs),
            state_after=form.state_after,
            stream=f"batches(train_data{', batch_size, seed' if arrays else ''})",
            returns=form.returns,
            finish=form.finish,
            **_update(chain.needs),
        )
        + "\n"
    )


# What the step passes for each keyword that the chain's update needs.
_PASSED = {
    "value": "value",
    "grad": "grads",
    "value_fn": "value_fn",
    "obj_fn": "value_fn",
    "valid_value": "valid_value",
}

_VALUE_FN = """\

        def value_fn(params):
            return loss_of(params, carry[1], batch, key)[0]

"""


def _update(needs: frozenset[str]) -> dict[str, str]:
    """Return what the step has to do for the keywords that the chain's update needs."""
    passed = [f"{name}={word}" for name, word in _PASSED.items() if name in needs]
    called = f"optimizer.update({', '.join(['grads', 'opt_state', 'params', *passed])})"
    update = laid_out(called, column=len("updates, opt_state = "), width=WIDTH - 8)
    valid = "valid_value" in needs
    return {
        "value_fn": _VALUE_FN if needs & {"value_fn", "obj_fn"} else "",
        "update": f"updates, opt_state = {update}".replace("\n", "\n        "),
        "valid_parameter": ", valid_value" if valid else "",
        "valid_argument": ", VALID_LOSSES.get(step, np.nan)" if valid else "",
    }


def _validation(trainer: Trainer) -> str:
    """Return the validation losses of the run, which the chain asks for, by step."""
    valid = trainer.history.valid
    losses = [] if "loss" not in valid.names else zip(valid.step, valid.loss, strict=True)
    told = [(step, float(loss)) for step, loss in losses if np.isfinite(loss)]
    entries = ", ".join(f"{step}: {number(loss)}" for step, loss in told)
    table = laid_out(f"{{{entries}}}", column=len("VALID_LOSSES = "))
    return f"# Of the steps that came after a validation pass.\nVALID_LOSSES = {table}"


def _pytree(_: Task) -> _Form:
    return _Form(
        model_word="parameters",
        model="params",
        returns="params",
        rngs="key",
        bind="        # Parameters are all that this model has.",
        bound="params",
        state_after="state",
        setup="    state = {}",
        finish="    return params, np.asarray(jax.device_get(losses))",
    )


def _nnx(_: Task) -> _Form:
    return _Form(
        model_word="model",
        model="model",
        returns="model",
        rngs="nnx.Rngs(key)",
        bind="        merged = nnx.merge(graphdef, params, state)",
        bound="merged",
        state_after="nnx.to_pure_dict(nnx.state(merged, nnx.Not(nnx.Param)))",
        # Split once: `nnx.jit` would do it at every step.
        setup=(
            "    graphdef, params, state = nnx.split(model, nnx.Param, ...)\n"
            "    params, state = nnx.to_pure_dict(params), nnx.to_pure_dict(state)"
        ),
        finish=(
            "    nnx.update(model, params, state)\n"
            "    return model, np.asarray(jax.device_get(losses))"
        ),
        imports=("from flax import nnx",),
    )


def _linen(task: Task) -> _Form:
    collections = list(task.initial[1])
    bound, bind, after = _bound("model.apply", collections, random=True, mutating=True)
    imports = ["from flax.traverse_util import flatten_dict, unflatten_dict"]
    streams = '{"dropout": key, "params": key}'
    initialise = _INITIALISE.substitute(arguments=_arguments(task, "module", streams))
    stream = "train_data, batch_size, seed" if isinstance(task.source, ArrayData) else "train_data"
    return _Form(
        model_word="model",
        model="model",
        returns="variables",
        rngs="bound.rngs",
        bind=bind,
        bound="bound",
        state_after=after,
        setup=(
            "    if variables is None:\n"
            f"        first = next(batches({stream}))\n"
            "        variables = initialise(model, loss_fn, first, seed)\n"
            "    state = dict(variables)\n"
            '    params = state.pop("params")'
        ),
        finish=(
            '    variables = {"params": params, **state}\n'
            "    return variables, np.asarray(jax.device_get(losses))"
        ),
        imports=tuple(imports),
        classes=(bound, initialise),
        more=("variables=None",),
    )


def _train_state(task: Task) -> _Form:
    collections = list(task.initial[1])
    random, mutating = task.adapter.takes  # type: ignore[attr-defined]
    bound, bind, after = _bound("given.apply_fn", collections, random=random, mutating=mutating)
    state = ", ".join(f'"{name}": given.{name}' for name in collections)
    return _Form(
        model_word="TrainState",
        model="given",
        returns="trained",
        rngs="bound.rngs",
        bind=bind,
        bound="bound",
        state_after=after,
        setup=f"    params, state = given.params, {{{state}}}",
        finish=(
            "    trained = given.replace(\n"
            "        step=given.step + steps,\n"
            "        params=params,\n"
            "        tx=optimizer,\n"
            "        opt_state=opt_state,\n"
            "        **state,\n"
            "    )\n"
            "    return trained, np.asarray(jax.device_get(losses))"
        ),
        classes=(bound,),
    )


def _bound(apply: str, collections: list[str], *, random: bool, mutating: bool) -> tuple[str, ...]:
    names = "[" + ", ".join(f'"{name}"' for name in collections) + "]"
    rngs = "rngs=rngs, " if random else ""
    if mutating:
        call = _MUTATING.substitute(rngs=rngs, collections=names)
    else:
        call = f"        out = self.apply(self.variables, *args, {rngs}**kwargs)"
    bound = _BOUND.substitute(call=(_FOLD if random else "") + call)
    bind = f'        bound = Bound({apply}, {{"params": params, **state}}, key)'
    return bound, bind, "{name: bound.variables[name] for name in state}"


_FORMS = {"pytree": _pytree, "nnx": _nnx, "linen": _linen, "train_state": _train_state}


def _arguments(task: Task, model: str, rngs: str) -> str:
    arguments = [model, "batch"]
    if task.loss_fn.takes_rngs:
        keyword = task.loss_fn.rngs_keyword
        arguments.append(rngs if keyword is None else f"{keyword}={rngs}")
    if task.loss_fn.takes_train:
        arguments.append("train=True")
    return ", ".join(arguments)

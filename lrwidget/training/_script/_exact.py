"""The exact form: what was applied as stored rows, in the loop that the run was compiled to.

XLA may round otherwise where the same formula stands in another program, so that the script does
what `Runner` does, in the same order: the loop over steps is compiled, the batch is gathered and
the row of hyperparameters read within it, and the metrics are reported with the loss.
"""

from __future__ import annotations

import base64
import string
import textwrap
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.optimizers._code import add_live, rounded
from lrwidget.optimizers._layout import WIDTH, laid_out
from lrwidget.schedules._export._code import Source, arranged
from lrwidget.training._runner import GRADIENT_NORM, UPDATE_RATIO
from lrwidget.training._script._data_code import data_code
from lrwidget.training._script._models import Form, arguments, form_of
from lrwidget.training._script._parts import (
    blocks,
    from_elsewhere,
    signature,
    update_code,
    valid_losses,
)

if TYPE_CHECKING:
    from lrwidget.training._trainer import Trainer

_HEAD = string.Template('''\
"""$summary

Use it with the same $model_word, loss function and data:

    $usage

The numbers are those of the run to the last bit on the same platform and libraries:
$where.
"""''')

_DECAY = '''\
@jax.tree_util.register_pytree_node_class
class Decay:
    """A decay rate that knows one minus itself, which float32 cannot subtract exactly."""

    def __init__(self, value, complement):
        self.value = value
        plain = 1.0 - value
        self.complement = jnp.where(
            jnp.abs(plain - complement) < 1e-6, complement, plain
        )

    def __rsub__(self, one):
        return self.complement if one == 1 else one - self.value

    def __mul__(self, other):
        return self.value * other

    __rmul__ = __mul__

    def __pow__(self, count):
        return self.value**count

    def __jax_array__(self):
        return jnp.asarray(self.value)

    def tree_flatten(self):
        return (self.value, self.complement), None

    @classmethod
    def tree_unflatten(cls, _, children):
        decay = object.__new__(cls)
        decay.value, decay.complement = children
        return decay'''

UNPACKED = '''\
def unpacked(text):
    """Return a float32 number for each step, from the second differences of their bits."""
    differences = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u4")
    bits = np.cumsum(np.cumsum(differences, dtype=np.uint32), dtype=np.uint32)
    return bits.view(np.float32)'''

_AS_BEFORE = '''\
def as_before(new, old):
    """Return an array in the type that it had: what a loop carries keeps its types."""
    if jnp.issubdtype(old.dtype, jax.dtypes.prng_key):
        return new
    return jax.lax.convert_element_type(new, old.dtype)'''

# As `Runner` takes it: XLA may fuse a step in another way that measures something else.
_NORM = '''\
def norm(tree):
    """Return the norm of all arrays of a tree."""
    leaves = [x.astype(jnp.float32) for x in jax.tree.leaves(tree)]
    squares = jnp.stack([jnp.sum(jnp.square(x)) for x in leaves])
    return jnp.sqrt(jnp.sum(squares))'''

_TRAIN = string.Template('''\
def train($signature):
    """Train $model_word as the run did; return $returns and every step's loss."""
$setup
    carry = params, state, optimizer.init(params)
    carry = jax.tree.map(as_before, carry, carry)
    steps = STEPS
    step_root = jax.random.fold_in(jax.random.key(seed), 2**32 - 1)
    rows = [np.broadcast_to(np.float32(x), steps) for x in HYPERPARAMETERS.values()]
    rows = jnp.asarray(np.array(rows).reshape(-1, steps).T)$valid_rows

    def loss_of(params, state, batch, key):
$bind
        value = loss_fn($arguments)
        value, metrics = value if isinstance(value, tuple) else (value, {})
$after        return value, (metrics, state)

    def train_step(carry, first, place, rows, feed):
        params, state, opt_state = carry
        step = first + place
        batch = pick(feed, place)
        key = jax.random.fold_in(step_root, step)
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (value, (metrics, state)), grads = gradient(params, state, batch, key)
        row = jax.lax.dynamic_index_in_dim(rows$first_rows, step, keepdims=False)
        hyperparams = {name: row[i] for i, name in enumerate(HYPERPARAMETERS)}
        opt_state = opt_state._replace(hyperparams=hyperparams)
$valid_value$value_fn        $update
        after = optax.apply_updates(params, updates), state, opt_state
        report = $report
        report = jnp.stack([jnp.asarray(x, jnp.float32) for x in report])
        return jax.tree.map(as_before, after, carry), report

$run
    losses = np.concatenate(jax.device_get(losses))
$finish''')

_LOOP = string.Template("""\
    @jax.jit
    def train_chunk(carry, first, length, rows, feed):
        def body(place, before):
            carry, reports = before
            carry, report = train_step(carry, first, place, rows, feed)
            return carry, reports.at[place].set(report)

        reports = jnp.zeros((jax.tree.leaves(feed)[-1].shape[0], $columns))
        return jax.lax.fori_loop(0, length, body, (carry, reports))

    losses = []
    for first, length, feed in chunks($parameters, steps):
        carry, reports = train_chunk(carry, first, length, rows, feed)
        losses.append(reports[:length, 0])""")

# The run was so as well: a CPU's loops are slow at convolutions.
_STEP_BY_STEP = string.Template("""\
    train_step = jax.jit(train_step)
    losses = []
    for first, length, feed in chunks($parameters, steps):
        feed = jax.device_put(feed)
        for place in range(length):
            carry, report = train_step(carry, first, place, rows, feed)
            losses.append(report[:1])""")

_MEASURES = {
    GRADIENT_NORM: "norm(grads)",
    UPDATE_RATIO: "norm(updates) / norm(params)",
}


def write_exact(trainer: Trainer) -> str:
    """Return the script of a run that has taken at least one step."""
    task, steps, chain = trainer.task, trainer.position, trainer.chain
    data = data_code(trainer, chunked=True)
    form = form_of(task, data.first_batch)
    source = Source()
    add_live(source, chain, "optimizer", trainer.addresses)
    injection = chain.injection(trainer.addresses)
    columns = np.ascontiguousarray(injection.columns(trainer.applied_rows(0, steps)).T)
    texts, table = _written(dict(zip(injection.names, columns, strict=True)))
    imports = {"import jax", "import jax.numpy as jnp", "import numpy as np", "import optax"}
    if texts:
        imports |= {"import base64", "import zlib"}
    settings = [f"STEPS = {steps}", f"SEED = {task.seed}", *data.settings]
    judged = "valid_value" in chain.needs
    if judged:
        settings.append(valid_losses(trainer))
    value_fn, update = update_code(chain.needs)
    looped = trainer.runner.dispatch == "loop"
    run = (_LOOP if looped else _STEP_BY_STEP).substitute(
        parameters=data.parameters, columns=1 + len(task.metrics) + len(trainer.runner.measure)
    )
    keywords = ["seed=SEED", *data.keywords]
    train = _TRAIN.substitute(
        signature=signature([form.model, "loss_fn", "train_data", *form.more, "*", *keywords]),
        model_word=form.model_word,
        returns=form.returns,
        setup=form.setup,
        bind=form.bind,
        arguments=arguments(task, form.bound, form.rngs),
        after=form.after,
        value_fn=value_fn,
        update=update,
        report=_report(trainer.runner.measure),
        run=run,
        finish=form.finish,
        **_judged(judged=judged),
    )
    return blocks(
        _head(trainer, steps, form),
        arranged(imports | source.imports | {*form.imports, *data.imports}),
        "\n".join(settings),
        *texts,
        UNPACKED if texts else "",
        table,
        _DECAY if injection.decays else "",
        source.body(),
        *data.definitions,
        *form.definitions,
        _AS_BEFORE,
        _NORM if trainer.runner.measure else "",
        train,
    )


def _head(trainer: Trainer, steps: int, form: Form) -> str:
    summary = f"Repeat a run of lrwidget exactly: {steps} steps, seed {trainer.task.seed}"
    libraries = ", ".join(f"{name} {version(name)}" for name in ("jax", "flax", "optax"))
    return _HEAD.substitute(
        summary=f"{summary}{from_elsewhere(trainer)}.",
        model_word=form.model_word,
        usage=f"{form.returns}, losses = train({form.model}, loss_fn, train_data)",
        where=f"{jax.default_backend()}, {libraries}",
    )


def _report(measured: tuple[str, ...]) -> str:
    told = ", ".join(["value", "*metrics.values()", *(_MEASURES[name] for name in measured)])
    report = laid_out(f"[{told}]", column=len("report = "), width=WIDTH - 8)
    return report.replace("\n", "\n        ")


def _judged(*, judged: bool) -> dict[str, str]:
    """Return what a step does that is told the validation loss: it is one more thing by step."""
    if not judged:
        return {"valid_rows": "", "first_rows": "", "valid_value": ""}
    return {
        "valid_rows": (
            "\n    heard = [VALID_LOSSES.get(step, np.nan) for step in range(steps)]"
            "\n    rows = rows, jnp.asarray(heard, jnp.float32)"
        ),
        "first_rows": "[0]",
        "valid_value": "        valid_value = rows[1][step]\n",
    }


def _written(columns: Mapping[str, npt.NDArray[np.float32]]) -> tuple[list[str], str]:
    """Return assignments of packed columns, and that of the table of all of them."""
    texts, entries = [], []
    for name, column in columns.items():
        if np.unique(column.view(np.uint32)).size == 1:
            entries.append(f'"{name}": {rounded(column[0])}')
            continue
        constant = f"{name.upper()}_ROWS"
        text = "\n".join(textwrap.wrap(packed(column), 88))
        texts.append(f'{constant} = """\n{text}\n"""')
        entries.append(f'"{name}": unpacked({constant})')
    expression = laid_out(f"{{{', '.join(entries)}}}", column=len("HYPERPARAMETERS = "))
    comment = "# What is written into the optimizer's state: one number, or one for each step."
    return texts, f"{comment}\nHYPERPARAMETERS = {expression}"


def packed(column: npt.NDArray[np.float32]) -> str:
    """Return float32 numbers as text: second differences, since curves are smooth, compressed."""
    differences = column.view(np.uint32)
    for _ in range(2):
        differences = np.diff(differences, prepend=np.uint32(0))
    compressed = zlib.compress(differences.astype("<u4").tobytes(), 9)
    return base64.b64encode(compressed).decode("ascii")

"""The readable form: the schedules as code, a loop over steps, and nothing else."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from lrwidget.optimizers._code import add_chain
from lrwidget.schedules._export._code import Source, arranged
from lrwidget.training._script._data_code import data_code
from lrwidget.training._script._models import arguments, form_of
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

Shuffling and the randomness of each step follow from the seed, as they did in the run.
"""''')

_TRAIN = string.Template('''\
def train($signature):
    """Train $model_word for `steps` steps; return $returns and every step's loss."""
$setup
    carry = params, state, optimizer.init(params)
    step_root = jax.random.fold_in(jax.random.key(seed), 2**32 - 1)

    def loss_of(params, state, batch, key):
$bind
        value = loss_fn($arguments)
        value = value[0] if isinstance(value, tuple) else value
$after        return value, state

    @jax.jit
    def train_step(carry, batch, step$valid_parameter):
        params, state, opt_state = carry
        key = jax.random.fold_in(step_root, step)
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (value, state), grads = gradient(params, state, batch, key)
$value_fn        $update
        return (optax.apply_updates(params, updates), state, opt_state), value

    losses = []
    for step, batch in zip(range(steps), batches($batches)):
        carry, value = train_step(carry, batch, step$valid_argument)
        losses.append(value)
    losses = np.asarray(jax.device_get(losses))
$finish''')


def write_readable(trainer: Trainer) -> str:
    """Return the script of a run that has taken at least one step."""
    task, steps = trainer.task, trainer.position
    data = data_code(trainer, chunked=False)
    form = form_of(task, data.first_batch)
    source = Source()
    chain = trainer.effective_chain()
    add_chain(source, chain, "optimizer", hold=True)
    imports = {"import jax", "import jax.numpy as jnp", "import numpy as np", "import optax"}
    settings = [f"STEPS = {steps}", f"SEED = {task.seed}", *data.settings]
    judged = "valid_value" in chain.needs
    if judged:
        settings.append(valid_losses(trainer))
    keywords = ["steps=STEPS", "seed=SEED", *data.keywords]
    summary = f"Train as a run of lrwidget did: {steps} steps, seed {task.seed}"
    head = _HEAD.substitute(
        summary=f"{summary}{from_elsewhere(trainer)}.",
        model_word=form.model_word,
        usage=f"{form.returns}, losses = train({form.model}, loss_fn, train_data)",
    )
    value_fn, update = update_code(chain.needs)
    train = _TRAIN.substitute(
        signature=signature([form.model, "loss_fn", "train_data", *form.more, "*", *keywords]),
        model_word=form.model_word,
        returns=form.returns,
        setup=form.setup,
        bind=form.bind,
        arguments=arguments(task, form.bound, form.rngs),
        after=form.after,
        valid_parameter=", valid_value" if judged else "",
        valid_argument=", VALID_LOSSES.get(step, np.nan)" if judged else "",
        value_fn=value_fn,
        update=update,
        batches=data.parameters,
        finish=form.finish,
    )
    return blocks(
        head,
        arranged(imports | source.imports | {*form.imports, *data.imports}),
        source.body(),
        "\n".join(settings),
        *data.definitions,
        *form.definitions,
        train,
    )

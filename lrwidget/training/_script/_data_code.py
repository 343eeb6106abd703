"""What a kind of training data puts into a training script."""

from __future__ import annotations

import dataclasses
import string
from typing import TYPE_CHECKING

from lrwidget.optimizers._layout import laid_out
from lrwidget.training._array_source import ArrayData, ArraySource

if TYPE_CHECKING:
    from lrwidget.training._trainer import Trainer

# Of batches that are stacked for one loop.
_MOST_STACKED = 64

_ARRAY_BATCHES = string.Template('''\
def batches(data, $size_argument, seed):
    """Yield batches without end, reshuffled every epoch; the remainder is dropped."""
$begin    examples = len(jax.tree.leaves(data)[0])
    for epoch in itertools.count():
$size        key = jax.random.fold_in(jax.random.key(seed), epoch)
        order = $permutation
        for start in range(0, examples - batch_size + 1, batch_size):
            index = order[start : start + batch_size]
            yield jax.tree.map(lambda x, i=index: $take, data)$count''')

_ITERABLE_BATCHES = string.Template('''\
def batches(data):
    """Yield the batches of one pass after the other; a smaller last one is dropped."""
    size = None
    $forever:
        for batch in $one_pass:
            batch = jax.tree.map($array, batch)
            examples = len(jax.tree.leaves(batch)[0])
            size = size or examples
            if examples == size:
                yield batch''')

# An epoch a loop: its batches are gathered within the loop, as they were in the run.
_EPOCHS = string.Template('''\
def chunks(data, $size_argument, seed, steps):
    """Yield each epoch's first step, its number of steps, and the data with their order."""
    data = jax.tree.map(jnp.asarray, data)
    examples = len(jax.tree.leaves(data)[0])
    epoch = first = $begin
    while first < steps:
$size        length = examples // batch_size
        key = jax.random.fold_in(jax.random.key(seed), epoch)
        order = jax.random.permutation(key, examples)[: length * batch_size]
        order = order.reshape(length, batch_size)
        yield first, min(length, steps - first), (data, order)
        epoch, first = epoch + 1, first + length


def pick(feed, place):
    """Return the batch at a place of an epoch."""
    data, order = feed
    index = jax.lax.dynamic_index_in_dim(order, place, keepdims=False)
    return jax.tree.map(lambda x: x.at[index].get(mode="promise_in_bounds"), data)''')

_STACKS = string.Template('''\
def chunks($parameters, steps):
    """Yield the first step, the number of steps, and the batches of $most steps, stacked."""
    stream = batches($parameters)
    borders = $borders
    for first, end in itertools.pairwise(borders):
        taken = [*itertools.islice(stream, end - first)]
        taken += taken[-1:] * ($most - len(taken))
        yield first, end - first, jax.tree.map(lambda *x: np.stack(x), *taken)


def pick(feed, place):
    """Return the batch at a place of a stack."""

    def at_place(x):
        return jax.lax.dynamic_index_in_dim(x, place, keepdims=False)

    return jax.tree.map(at_place, feed)''')


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataCode:
    """What a kind of training data puts into the script.

    Attributes
    ----------
    definitions
        Functions: ``batches``, or ``chunks`` and ``pick``.
    parameters
        The arguments of ``batches``, and of ``chunks`` before ``steps``.
    first_batch
        An expression for one batch.
    settings
        The assignments that `keywords` refer to.
    keywords
        Further keyword arguments of ``train``.
    imports
        Import statements.
    """

    definitions: tuple[str, ...]
    parameters: str
    first_batch: str
    settings: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


def data_code(trainer: Trainer, *, chunked: bool) -> DataCode:
    """Return the code that reads a run's data, batch by batch or in chunks for a loop."""
    source = trainer.task.source
    if not isinstance(source, ArrayData):
        return _iterable(trainer, chunked=chunked)
    sizes = {step: size for step, _, size in trainer.batch_sizes if step < trainer.position}
    changes = len(sizes) > 1
    name = "batch_sizes" if changes else "batch_size"
    parameters = f"data, {name}, seed"
    on_device = isinstance(source, ArraySource)
    looped = chunked and on_device
    if looped:
        definitions = [_epochs(name, changes=changes)]
    else:
        definitions = [_batches(name, changes=changes, on_device=on_device)]
        if chunked:
            definitions.append(_stacks(trainer, parameters, changes=changes))
    first = ": batch_sizes[0]" if changes else ":batch_size"
    return DataCode(
        definitions=tuple(definitions),
        parameters=f"train_{parameters}",
        first_batch=f"jax.tree.map(lambda x: x[{first}], train_data)",
        settings=(_sizes(sizes),),
        keywords=(f"{name}={name.upper()}",),
        imports=() if looped else ("import itertools",),
    )


def _sizes(sizes: dict[int, int]) -> str:
    if len(sizes) == 1:
        return f"BATCH_SIZE = {sizes[0]}"
    table = ", ".join(f"{step}: {size}" for step, size in sizes.items())
    table = laid_out(f"{{{table}}}", column=len("BATCH_SIZES = "))
    comment = "# From which step on batches have which size; an epoch begins there."
    return f"{comment}\nBATCH_SIZES = {table}"


def _size_of(epoch: str, *, changes: bool) -> str:
    """Return the line that sets the batch size of an epoch which begins at a step."""
    return f"        batch_size = batch_sizes.get({epoch}, batch_size)\n" if changes else ""


def _batches(name: str, *, changes: bool, on_device: bool) -> str:
    permutation = "jax.random.permutation(key, examples)"
    begin = "    data = jax.tree.map(jnp.asarray, data)\n" if on_device else ""
    return _ARRAY_BATCHES.substitute(
        size_argument=name,
        begin=begin + ("    step = batch_size = 0\n" if changes else ""),
        size=_size_of("step", changes=changes),
        permutation=permutation if on_device else f"np.asarray({permutation})",
        take="x[i]" if on_device else "np.take(x, i, axis=0)",
        count="\n            step += 1" if changes else "",
    )


def _epochs(name: str, *, changes: bool) -> str:
    return _EPOCHS.substitute(
        size_argument=name,
        begin="batch_size = 0" if changes else "0",
        size=_size_of("first", changes=changes),
    )


def _iterable(trainer: Trainer, *, chunked: bool) -> DataCode:
    tells = trainer.task.source.takes_epoch  # type: ignore[attr-defined]
    written = _ITERABLE_BATCHES.substitute(
        forever="for epoch in itertools.count()" if tells else "while True",
        one_pass="data(epoch=epoch)" if tells else 'data if hasattr(data, "__iter__") else data()',
        array="np.asarray" if chunked else "jnp.asarray",
    )
    stacks = (_stacks(trainer, "data", changes=False),) if chunked else ()
    return DataCode(
        definitions=(written, *stacks),
        parameters="train_data",
        first_batch="next(batches(train_data))",
        imports=("import itertools",) if tells or chunked else (),
    )


def _stacks(trainer: Trainer, parameters: str, *, changes: bool) -> str:
    most = min(_MOST_STACKED, trainer.runner.max_chunk)
    borders = f"range(0, steps, {most})"
    return _STACKS.substitute(
        parameters=parameters,
        most=most,
        borders=f"sorted({{*{borders}, *batch_sizes, steps}})"
        if changes
        else f"[*{borders}, steps]",
    )

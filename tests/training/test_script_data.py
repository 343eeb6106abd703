"""How an exported script reads data: the very batches of the run, in its order."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training._batch_sizes import BatchSizes, BatchSpan
from lrwidget.training._batches import Origin
from lrwidget.training._data import source
from lrwidget.training._script._data_code import data_code
from lrwidget.training._script._parts import valid_losses

EXAMPLES, SEED, STEPS = 23, 5, 17
ARRAYS = {"x": np.arange(2.0 * EXAMPLES).reshape(EXAMPLES, 2), "y": np.arange(EXAMPLES)}
BATCHES = [ARRAYS["x"][i : i + 4] for i in range(0, EXAMPLES, 4)]  # the last one is smaller


def of_epoch(epoch):
    return (batch + 100 * epoch for batch in BATCHES)


class Loader:
    """Data that can be iterated, and called as well."""

    def __iter__(self):
        return iter(BATCHES)

    def __call__(self):
        raise AssertionError("what is iterable is iterated")


DATA = {
    "device": ARRAYS,
    "host": ARRAYS,
    "list": BATCHES,
    "function": lambda: iter(BATCHES),
    "function of the epoch": of_epoch,
    "loader": Loader(),
}
FORMS = [(form, sizes) for form in ("device", "host") for sizes in ((4,), (4, 7), (4, 7, 2))]
FORMS += [(form, (4,)) for form in DATA if form not in ("device", "host")]


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: f"{form[0]}-{len(form[1])}")
def run(request):
    """Return what a script knows of a run, its data and its batches."""
    form, sizes = request.param
    batch_size = 4 if form in ("device", "host") else None
    on_device = {"device": True, "host": False}.get(form, "auto")
    read = source("train", DATA[form], batch_size=batch_size, seed=SEED, device_data=on_device)
    spans = BatchSizes((BatchSpan(0, 0, sizes[0]),), lambda size: EXAMPLES // size)
    for step, size in zip((2, 7), sizes[1:], strict=False):
        spans = spans.changed(step, size)
    trainer = SimpleNamespace(
        task=SimpleNamespace(source=read, seed=SEED),
        batch_sizes=spans.spans,
        position=STEPS,
        runner=SimpleNamespace(max_chunk=3),
    )
    return trainer, DATA[form], list(reference(read, spans.spans))


def reference(read, spans):
    for span, end in itertools.pairwise([*spans, BatchSpan(STEPS, 0, 0)]):
        sized = read if span.size == read.size else read.resized(span.size)
        stream = sized.stream(span.step, Origin(span.step, span.epoch))
        for step in range(span.step, end.step):
            yield sized.pick(stream.take(1).feed, jnp.int32(step), jnp.int32(0))
        stream.close()


def execute(code):
    namespace = {"jax": jax, "jnp": jnp, "np": np, "itertools": itertools}
    exec("\n".join([*code.settings, *code.definitions]), namespace)
    return namespace


def arguments(code, namespace, data):
    local = {"train_data": data, "seed": SEED}
    local |= {name: namespace[value] for name, value in (each.split("=") for each in code.keywords)}
    return [local[name] for name in code.parameters.split(", ")]


def assert_same(batch, expected):
    assert jax.tree.structure(batch) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(batch), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_readable_takes_the_batches_of_the_run(run):
    trainer, data, expected = run
    code = data_code(trainer, chunked=False)
    namespace = execute(code)
    batches = namespace["batches"](*arguments(code, namespace, data))
    for want in expected:
        assert_same(next(batches), want)


def test_exact_takes_the_batches_of_the_run(run):
    trainer, data, expected = run
    code = data_code(trainer, chunked=True)
    namespace = execute(code)
    chunks = namespace["chunks"](*arguments(code, namespace, data), STEPS)
    taken = 0
    for first, length, feed in chunks:
        assert first == taken
        for place in range(length):
            assert_same(namespace["pick"](feed, place), expected[taken])
            taken += 1
    assert taken == STEPS


def test_a_chunk_of_one_size_is_one_shape(run):
    # Else each would be another trace.
    trainer, data, _ = run
    code = data_code(trainer, chunked=True)
    namespace = execute(code)
    chunks = namespace["chunks"](*arguments(code, namespace, data), STEPS)
    shapes = {tuple(x.shape for x in jax.tree.leaves(feed)) for _, _, feed in chunks}
    assert len(shapes) == len(trainer.batch_sizes)


def test_an_expression_gives_a_batch_to_initialise_with(run):
    trainer, data, expected = run
    code = data_code(trainer, chunked=False)
    namespace = execute(code)
    names = zip(code.parameters.split(", "), arguments(code, namespace, data), strict=True)
    first = eval(code.first_batch, namespace | dict(names))
    assert [x.shape for x in jax.tree.leaves(first)] == [
        x.shape for x in jax.tree.leaves(expected[0])
    ]


def test_knows_the_sizes_of_steps_that_were_taken():
    read = source("train", ARRAYS, batch_size=4, seed=SEED)
    trainer = SimpleNamespace(
        task=SimpleNamespace(source=read, seed=SEED),
        batch_sizes=(BatchSpan(0, 0, 4), BatchSpan(5, 1, 7)),
        position=5,
    )
    assert data_code(trainer, chunked=False).settings == ("BATCH_SIZE = 4",)


def test_leaves_out_a_validation_at_an_end_that_was_none():
    steps, losses = np.array([7, 14, 20, 21, 25]), np.array([1.5, np.nan, 0.5, 0.25, 0.125])
    trainer = SimpleNamespace(
        options=SimpleNamespace(valid_every=7),
        history=SimpleNamespace(valid=SimpleNamespace(names=("loss",), step=steps, loss=losses)),
        position=25,
    )
    names = {}
    exec(valid_losses(trainer), names)
    assert names["VALID_LOSSES"] == {7: 1.5, 21: 0.25}

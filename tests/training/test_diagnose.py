"""Diagnosis: the step, the operation and the person's own line that gave the first NaN or Inf."""

from __future__ import annotations

import linecache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

import lrwidget as lrw
from lrwidget.training._diagnose import Diagnosis, diagnose
from tests.training import models

ONES = np.ones((32, 2), np.float32)
HERE = "tests/training/test_diagnose.py:"


def diagnosed(
    loss_fn: Any, params: Any = 1.0, rate: float = 0.5, steps: int = 8, **more: Any
) -> Diagnosis:
    """Return what is said of a run of SGD on `loss_fn`, of a model or a single parameter ``w``."""
    model = {"w": jnp.float32(params)} if isinstance(params, float) else params
    task = lrw.Task(model, loss_fn, **{"train": (ONES,), "batch_size": 4, **more})
    return of_task(task, models.sgd(rate), steps)


def of_task(task: lrw.Task, chain: lrw.Chain, steps: int = 8) -> Diagnosis:
    runner = task.runner(chain)
    rows = np.tile([chain.value(address) for address in runner.addresses], (steps, 1))
    before = runner.initial()
    traces = runner.traces
    found = diagnose(task, runner, before, 0, rows, task.stream())
    assert runner.traces <= traces + 1  # the compiled step, if nobody had run it yet
    jax.block_until_ready(before)  # what was given is still there
    return found


def code(found: Diagnosis) -> str:
    assert found.where is not None
    assert found.where.startswith(HERE), found.where
    return found.where.partition(": ")[2]


def test_log_of_zero() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        positive = jnp.maximum(params["w"], 0.0)
        return jnp.log(positive) + 0 * batch[0].sum()

    # The gradient is 1 / w: 1, then 0.5, then -0.5.
    found = diagnosed(loss_fn)
    assert (found.step, found.operation) == (2, "log")
    assert code(found) == "return jnp.log(positive) + 0 * batch[0].sum()"
    assert found.message == f"log gave -inf from 0 in the loss of step 2, at {found.where}"
    assert str(found) == found.message


def test_nothing_by_nothing() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        (x,) = batch
        unit = x / jnp.abs(x).sum(1, keepdims=True)
        return (params["w"] * unit).mean()

    rows = np.ones((32, 2), np.float32)
    rows[17] = 0
    found = diagnosed(loss_fn, train=(rows,))
    step = next(s for s in range(8) if 17 in order(0, s))
    assert (found.step, found.operation) == (step, "div")
    assert code(found) == "unit = x / jnp.abs(x).sum(1, keepdims=True)"
    assert "div gave nan from 0 to 1 and 0 to 2" in found.message


def order(epoch: int, step: int) -> np.ndarray:
    """Return the examples of a batch of four out of 32."""
    key = jax.random.fold_in(jax.random.key(0), epoch)
    return np.asarray(jax.random.permutation(key, 32))[4 * step : 4 * step + 4]


def test_overflow_in_exp() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        grown = jnp.exp(-100 * params["w"])
        return 30 * params["w"] + 0 * jax.lax.stop_gradient(grown) + 0 * batch[0].sum()

    found = diagnosed(loss_fn, rate=0.02)
    assert found.operation == "exp"
    assert found.step == 4  # w is 1 - 0.6 s
    assert code(found) == 'grown = jnp.exp(-100 * params["w"])'
    assert "exp gave inf from 140 in the loss" in found.message


def test_a_gradient_has_the_line_of_its_forward_pass() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        squares = params["w"] * batch[0][:, 0] ** 2
        return jnp.sqrt(squares).mean()

    found = diagnosed(loss_fn, params=0.0)
    assert (found.step, found.operation) == (0, "div")
    assert code(found) == "return jnp.sqrt(squares).mean()"
    assert "in the gradient of step 0" in found.message


def test_an_update_that_is_too_large() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        return 1e3 * params["w"] + 0 * batch[0].sum()

    found = diagnosed(loss_fn, rate=1e37)
    assert (found.step, found.operation, found.where) == (0, "mul", None)
    assert "mul gave" in found.message
    assert "in the update of step 0, at " in found.message
    assert "optax" in found.message


def test_what_the_data_hold() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        return (params["w"] * batch["x"]).mean()

    rows = np.ones((32, 2), np.float32)
    rows[3, 1] = np.nan
    found = diagnosed(loss_fn, train={"x": rows})
    step = next(s for s in range(8) if 3 in order(0, s))
    assert found == Diagnosis(
        step, None, f"batch['x'] of step {step} holds nan: look at the training data"
    )


def test_a_sound_run() -> None:
    def loss_fn(params: Any, batch: Any) -> Any:
        zero = 0 * batch[0].sum()
        return params["w"] ** 2 + zero, {"a metric without a number": zero / zero}

    found = diagnosed(loss_fn, rate=0.1)
    assert (found.step, found.operation, found.where) == (None, None, None)
    assert found.message.startswith("all of the steps from 0 to 7 gave finite losses and weights")


def test_weights_that_were_bad_before() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        return params["w"] ** 2 + 0 * batch[0].sum()

    found = diagnosed(loss_fn, params=float("inf"))
    assert found.step is None
    assert found.message.startswith("the weights at step 0 hold inf already")


# ---- infinities that do no harm ----------------------------------------------------------------


def masked(params: Any, batch: Any, mask: Any) -> jax.Array:
    scores = jnp.where(mask, params["w"] * batch[0], -jnp.inf)
    return jax.nn.softmax(scores, axis=1)


def test_a_mask_is_not_blamed() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        weights = masked(params, batch, jnp.array([True, False]))
        wrong = weights - 1
        return jnp.log(wrong[:, 0]).mean() + params["w"]

    found = diagnosed(loss_fn)
    assert (found.step, found.operation) == (0, "log")
    assert code(found) == 'return jnp.log(wrong[:, 0]).mean() + params["w"]'


def test_a_mask_that_leaves_nothing_is_blamed() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        return masked(params, batch, jnp.array([False, False])).mean()

    found = diagnosed(loss_fn)
    assert (found.step, found.operation) == (0, "sub")
    assert code(found) == "return jax.nn.softmax(scores, axis=1)"


def test_infinity_that_is_the_cause_of_nan_is_blamed() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        large = jnp.exp(1000 * params["w"])
        return large / large + 0 * batch[0].sum()

    found = diagnosed(loss_fn)
    assert found.operation == "exp"
    assert code(found) == 'large = jnp.exp(1000 * params["w"])'


# ---- functions in functions --------------------------------------------------------------------


@jax.jit
def own_function(x: jax.Array) -> jax.Array:
    return jnp.log(x - x).sum()


def test_inside_a_function_of_the_persons() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        return own_function(params["w"] * batch[0])

    found = diagnosed(loss_fn)
    assert (found.step, found.operation) == (0, "log")
    assert code(found) == "return jnp.log(x - x).sum()"


def test_inside_a_function_of_a_library() -> None:
    def first(x: jax.Array) -> jax.Array:
        return jax.nn.logsumexp(x)

    def loss_fn(params: Any, batch: Any) -> jax.Array:
        fine = first(batch[0])
        return fine + jax.nn.logsumexp(params["w"] * batch[0] - jnp.inf)

    found = diagnosed(loss_fn)
    assert found.operation == "log"
    assert code(found).startswith("return fine + jax.nn.logsumexp(")


def test_inside_loops() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        def body(carry: jax.Array, row: jax.Array) -> Any:
            carry = carry * row.sum() * 1e15
            return carry, carry

        return jax.lax.scan(body, params["w"], batch[0])[1].sum()

    found = diagnosed(loss_fn)
    assert (found.step, found.operation) == (0, "mul")
    assert code(found) == "carry = carry * row.sum() * 1e15"
    # In the third pass, from 4e30, and not in the first.
    assert "e+30" in found.message


def test_inside_a_loop_of_unknown_length_and_a_choice() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        def grow(x: jax.Array) -> jax.Array:
            return jax.lax.cond(x > 1e30, lambda x: x * 1e10, lambda x: x * 1e5, x)

        grown = jax.lax.while_loop(lambda x: x < 1e37, grow, jax.lax.stop_gradient(params["w"]))
        return grown + params["w"] + 0 * batch[0].sum()

    found = diagnosed(loss_fn)
    assert (found.step, found.operation) == (0, "mul")
    assert code(found).startswith("return jax.lax.cond(x > 1e30")


def test_with_rematerialisation() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        @jax.checkpoint
        def layer(w: jax.Array) -> jax.Array:
            return jnp.log(w - w)

        return layer(params["w"]) + 0 * batch[0].sum()

    found = diagnosed(loss_fn)
    assert (found.step, found.operation) == (0, "log")
    assert code(found) == "return jnp.log(w - w)"


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("/tmp/ipykernel_17/2834.py", "a cell:3: return jnp.log(zero)"),
        ("<ipython-input-3-9f>", "<ipython-input-3-9f>:3: return jnp.log(zero)"),
    ],
)
def test_a_line_of_a_notebook(file: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "def loss_fn(params, batch):\n",
        "    zero = 0 * batch[0].sum() * params['w']\n",
        "    return jnp.log(zero)\n",
    ]
    monkeypatch.setitem(linecache.cache, file, (len(lines), None, lines, file))
    exec(compile("".join(lines), file, "exec"), cell := {"jnp": jnp})
    assert diagnosed(cell["loss_fn"]).where == shown


# ---- Flax --------------------------------------------------------------------------------------


class Scaled(nnx.Module):
    """Divides by what shrinks to nothing."""

    def __init__(self, rngs: nnx.Rngs):
        self.linear = nnx.Linear(2, 4, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.scale = nnx.Param(jnp.float32(1.0))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.dropout(self.linear(x))
        return x / self.divisor()

    def divisor(self) -> jax.Array:
        return jnp.sqrt(self.scale[...] - 1)


def test_nnx() -> None:
    def loss_fn(model: Scaled, batch: Any) -> jax.Array:
        return (model(batch[0]) ** 2).mean() + model.scale[...]

    found = diagnosed(loss_fn, params=Scaled(nnx.Rngs(0)))
    assert (found.step, found.operation) == (0, "div")
    assert code(found) == "return x / self.divisor()"


class Head(linen.Module):
    """A layer with an overflow."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = linen.Dense(3, bias_init=linen.initializers.constant(100.0))(x)
        return jnp.exp(x)


class Body(linen.Module):
    """A model around it."""

    @linen.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = linen.BatchNorm(use_running_average=not train)(linen.Dense(4)(x))
        return Head()(linen.relu(x))


def test_linen() -> None:
    def loss_fn(model: Any, batch: Any, train: bool) -> jax.Array:  # noqa: FBT001
        return model(batch[0], train=train).mean()

    found = diagnosed(loss_fn, params=Body())
    assert (found.step, found.operation) == (0, "exp")
    assert code(found) == "return jnp.exp(x)"


def test_a_run_that_went_wrong_later() -> None:
    # A rate that is far too high: the weights grow until a product of matrices overflows.
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        x, y = batch
        return jnp.mean((x @ params["w1"] @ params["w2"] - y[:, None]) ** 2)

    task = models.task(loss_fn=loss_fn)
    t = lrw.Trainer(task, chain := models.sgd(3.0), steps=100)
    with pytest.warns(RuntimeWarning, match="diverged"):
        t.run_sync()
    found = of_task(task, chain, 100)
    assert found.step is not None
    # The loss shows it where the weights are bad already, in the step before at the earliest.
    assert t.position - 2 <= found.step <= t.position - 1
    assert found.operation is not None


def test_adam_and_what_an_update_asks_for() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        return jnp.log(params["w"]) + 0 * batch[0].sum()

    task = lrw.Task({"w": jnp.float32(1.0)}, loss_fn, train=(ONES,), batch_size=4)
    for chain in (
        models.adam(0.4),
        lrw.Chain.of(lrw.optimizers.make("reduce_on_plateau"), lrw.optimizers.sgd(0.4)),
    ):
        found = of_task(task, chain)
        assert found.operation == "log"
        assert found.step > 0
        assert code(found).startswith("return jnp.log")


def test_optax_losses_are_the_persons_line() -> None:
    def loss_fn(params: Any, batch: Any) -> jax.Array:
        logits = params["w"] * batch[0] * jnp.array([1e37, 3e38])
        return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.zeros(4, int)).mean()

    found = diagnosed(loss_fn, params=5.0)
    assert found.operation == "mul"
    assert code(found).startswith("logits = ")


def test_a_step_and_its_diagnosis_give_links_one_gradient_of_complex_parameters(monkeypatch):
    """`grad` beside the updates that are made of it; as JAX gives it, it is the conjugate."""
    # At zero the loss is finite and its gradient is not.
    task = lrw.Task(
        {"w": jnp.zeros(2, jnp.complex64)},
        lambda params, batch: jnp.sqrt(jnp.sum(jnp.abs(params["w"]) ** 2)) + 0 * batch.sum(),
        train=ONES,
        batch_size=4,
    )
    chain = lrw.Chain.of(lrw.optimizers.sgd(0.1), lrw.optimizers.hypergradient())
    runner, given = task.runner(chain), []

    def update(updates, *rest, grad):
        given.append(grad is updates)
        return tx.update(updates, *rest, grad=grad)

    tx = runner.tx
    monkeypatch.setattr(runner, "tx", tx._replace(update=update))
    assert "gradient of step 0" in of_task(task, chain).message
    assert len(given) > 1
    assert all(given)

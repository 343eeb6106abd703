"""Bad input: each case raises where it is given, and names argument, value and rule."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

import lrwidget as lrw
from lrwidget.training import Cooldown, Extend, Release, Scale, Set, SetPace, Step
from tests.training import models
from tests.training.running import endless, shared

X, Y = models.data()
COSINE = lrw.schedules.preset("cosine", peak_value=0.1, steps=50)
ON_PLATEAU = lrw.Chain.of(lrw.optimizers.sgd(0.1), lrw.optimizers.greedy(monitor="valid"))
TOO_HIGH = lrw.Schedule(lrw.Segment("linear", 10, init_value=0.5, end_value=1.5))


def returning(value):
    """Return a loss function that returns `value`, or what it computes of its arguments."""
    return lambda params, batch: value(params, batch) if callable(value) else value


def loss(params, batch):
    return models.pytree_loss(params, batch)[0]


class Sowing(linen.Module):
    """A model whose state grows in every step."""

    @linen.compact
    def __call__(self, x):
        self.sow("losses", "size", (x**2).mean())
        return linen.Dense(models.OUTPUTS)(x)


class Dropping(linen.Module):
    """A model that asks whether it trains."""

    @linen.compact
    def __call__(self, x, train):
        return linen.Dropout(0.5, deterministic=not train)(linen.Dense(models.OUTPUTS)(x))


def of_task(**changes):
    return lambda: models.task(**changes)


TASKS = {
    # the model
    "a class": (of_task(model=models.Net), TypeError, "model is the class Net, not an instance"),
    "a function": (
        of_task(model=jnp.sin),
        TypeError,
        "model must be .* a pytree of arrays, and mo",
    ),
    "text": (of_task(model="mlp"), TypeError, "model must be .* and model is a str"),
    "text in a pytree": (
        of_task(model={"w": jnp.ones(2), "name": "mlp"}),
        TypeError,
        r"model must be .* and model\['name'\] is a str",
    ),
    "integers": (
        of_task(model={"w": jnp.ones(2), "n": jnp.arange(3)}),
        TypeError,
        r"model\['n'\] must be a floating array, since it is trained, got int32",
    ),
    "no parameters": (of_task(model={}), ValueError, "model must hold at least one parameter"),
    "nnx without parameters": (
        of_task(model=nnx.Dropout(0.5, rngs=nnx.Rngs(0))),
        ValueError,
        "model must hold at least one nnx.Param, got none",
    ),
    "variables for a pytree": (
        of_task(variables={"params": {}}),
        TypeError,
        "variables must be None unless model is a Linen module, got variables for a dict",
    ),
    "variables without params": (
        lambda: models.task("linen", variables={"batch_stats": {}}),
        ValueError,
        "variables must be .* with a 'params' collection, got dict with batch_stats",
    ),
    "a linen module that is never called": (
        lambda: models.task("linen", loss_fn=returning(1.0)),
        ValueError,
        r"loss_fn must call model\(...\) to initialise it, or give variables=",
    ),
    "state that grows": (
        of_task(model=Sowing(), loss_fn=lambda model, batch: model(batch[0]).mean()),
        ValueError,
        r"the model's state must keep its structure .*\['losses'\]\['size'\]\[1\] goes from absent",
    ),
    "a model that is not told whether it trains": (
        of_task(model=Dropping(), loss_fn=lambda model, batch: model(batch[0]).mean()),
        TypeError,
        r"loss_fn must give the model .*, train=train: as loss_fn.* got Dropping.__call__\(\) miss",
    ),
    "a loss function's own mistake": (
        of_task(loss_fn=lambda params, batch: loss(params)),
        TypeError,
        r"^loss\(\) missing 1 required positional argument: 'batch'",
    ),
    # the loss function
    "no function": (of_task(loss_fn=0.5), TypeError, r"loss_fn must be a function of \(model, bat"),
    "too few arguments": (
        of_task(loss_fn=lambda batch: batch),
        TypeError,
        r"loss_fn must be .* \(model, batch\[, rngs\]\[, train\]\), got one of \(batch\)",
    ),
    "too many arguments": (
        of_task(loss_fn=lambda model, batch, rngs, more: 0.0),
        TypeError,
        r"loss_fn must be .* got one of \(model, batch, rngs, more\)",
    ),
    "a vector": (
        of_task(loss_fn=returning(lambda p, b: (b[0] @ p["w1"]).sum(1))),
        ValueError,
        r"loss_fn must return a scalar loss, got shape \(8,\): take its mean",
    ),
    "an integer": (
        of_task(loss_fn=returning(lambda p, b: (b[1] > 0).sum())),
        ValueError,
        "loss_fn must return a floating loss, got dtype int32",
    ),
    "nothing": (of_task(loss_fn=returning(None)), TypeError, "a scalar loss, got None"),
    "three things": (
        of_task(loss_fn=returning(lambda p, b: (loss(p, b), {}, 1))),
        ValueError,
        r"loss_fn must return a loss or \(loss, \{name: scalar\}\), got a tuple of 3",
    ),
    "metrics that are no dictionary": (
        of_task(loss_fn=returning(lambda p, b: (loss(p, b), 1.0))),
        TypeError,
        "the metrics of loss_fn must be a dictionary .* got a float",
    ),
    "a metric that is no scalar": (
        of_task(loss_fn=returning(lambda p, b: (loss(p, b), {"logits": b[0] @ p["w1"]}))),
        ValueError,
        r"the metric 'logits' of loss_fn must be a real scalar, got shape \(8, 16\)",
    ),
    "a metric that is text": (
        of_task(loss_fn=returning(lambda p, b: (loss(p, b), {"phase": "warm"}))),
        TypeError,
        "the metric 'phase' of loss_fn must be a scalar, got a str",
    ),
    "a metric whose name is taken": (
        of_task(loss_fn=returning(lambda p, b: (loss(p, b), {"step": 1}))),
        ValueError,
        "a metric of loss_fn must have a text .* other than step, loss, learning_rate; got 'step'",
    ),
    # data
    "no batch size": (of_task(batch_size=None), ValueError, "batch_size must be .* got None"),
    "batch larger than data": (
        of_task(batch_size=71),
        ValueError,
        "batch_size must be at most 70, the number of examples in train, got 71",
    ),
    "empty batches": (of_task(batch_size=0), ValueError, "batch_size must be .* >= 1, got 0"),
    "half a batch": (of_task(batch_size=1.5), ValueError, "batch_size must be a whole number"),
    "a batch size for an iterable": (
        of_task(train=[(X, Y)]),
        ValueError,
        "batch_size must be None where train is an iterable.*got 8",
    ),
    "unequal axes": (
        of_task(train=(X, Y[:-1])),
        ValueError,
        r"the arrays of train must have equal leading axes, got \[70, 69\]",
    ),
    "no examples": (of_task(train=(X[:0], Y[:0])), ValueError, "train must hold at least one exam"),
    "no arrays": (of_task(train={}), ValueError, "train must hold at least one array, got none"),
    "a scalar among arrays": (
        of_task(train=(X, np.float32(1))),
        ValueError,
        r"train\[1\] must have a leading axis of examples, got a scalar",
    ),
    "text among arrays": (
        of_task(train={"x": X, "name": "digits"}),
        TypeError,
        r"train\['name'\] must be an array, got 'digits'",
    ),
    "objects": (
        of_task(train=(X, Y.astype(object))),
        TypeError,
        r"train\[1\] must be an array of numbers, got dtype object",
    ),
    "a used-up generator": (
        of_task(train=((X, Y) for _ in range(2)), batch_size=None),
        TypeError,
        "train must be iterable more than once, got <generator.*: give a list, an object",
    ),
    "an empty list": (
        of_task(train=[], batch_size=None),
        ValueError,
        "train must give at least on",
    ),
    "a list of arrays": (
        of_task(train=[X, Y], batch_size=None, loss_fn=returning(lambda p, b: p["w1"].sum())),
        ValueError,
        r"every batch of train must have .* \(a list is read as batches; give arrays as a tuple\)",
    ),
    "a number as data": (of_task(train=3, batch_size=None), TypeError, "train must be arrays .* 3"),
    "a function with arguments": (
        of_task(train=lambda i: [], batch_size=None),
        TypeError,
        "train must be a function without arguments",
    ),
    "a function that returns nothing": (
        of_task(train=lambda: None, batch_size=None),
        TypeError,
        "train must return an iterator of batches, got None",
    ),
    "validation data": (
        of_task(valid=(X, Y[:3])),
        ValueError,
        r"the arrays of valid must have equal leading axes, got \[70, 3\]",
    ),
    "no measures": (
        of_task(valid=(X, Y), eval_fn=lambda model, batch: {}),
        ValueError,
        "eval_fn must return at least one measure, got none",
    ),
    "a measure that is no scalar": (
        of_task(valid=(X, Y), eval_fn=lambda model, batch: {"x": batch[0]}),
        ValueError,
        r"the metric 'x' of eval_fn must be a real scalar, got shape \(8, 6\)",
    ),
    # the rest
    "a negative seed": (of_task(seed=-1), ValueError, "seed must be a whole number >= 0 .* got -1"),
    "a fraction as seed": (of_task(seed=0.5), ValueError, "seed must be a whole number .* got 0.5"),
    "an unknown keyword": (of_task(epochs=3), TypeError, "unexpected keyword argument 'epochs'"),
}


def of_trainer(**changes):
    arguments = {"chain": models.sgd(), "steps": 10, **changes}
    return lambda: lrw.Trainer(arguments.pop("task", shared()), **arguments)


TRAINERS = {
    "no task": (of_trainer(task=3), TypeError, "task must be a Task, got 3"),
    "no chain": (of_trainer(chain=optax.sgd(0.1)), TypeError, "chain must be a Chain or a Link"),
    "no length": (
        of_trainer(steps=None),
        ValueError,
        "steps or epochs must be given where no sche",
    ),
    "two lengths": (of_trainer(epochs=2), ValueError, "steps or epochs must be given, not both; "),
    "no steps": (of_trainer(steps=0), ValueError, "steps must be a whole number >= 1 .* got 0"),
    "too many steps": (
        of_trainer(steps=2**31),
        ValueError,
        "steps must be .* <= 2147483647, got 2147483648",
    ),
    "half an epoch": (
        of_trainer(steps=None, epochs=0.5),
        ValueError,
        "epochs must be a whole number .* got 0.5",
    ),
    "epochs of unknown length": (
        of_trainer(
            task=models.task(train=lambda: iter([(X, Y)]), batch_size=None), steps=None, epochs=2
        ),
        ValueError,
        "epochs needs training data whose steps per epoch are known.*: give steps; got epochs=2",
    ),
    "no pace": (of_trainer(pace=0), ValueError, "pace must be a finite number > 0, got 0"),
    "a pace of NaN": (of_trainer(pace=float("nan")), ValueError, "pace must be .* got nan"),
    "an unknown address": (
        of_trainer(live=["b1"]),
        ValueError,
        "address .*sgd.learning_rate.*'b1'",
    ),
    "live as text": (of_trainer(live="learning_rate"), TypeError, "live must be a sequence of add"),
    "a schedule that is not live": (
        of_trainer(chain=models.adam(COSINE), live=["b1"]),
        ValueError,
        "live must name every scheduled hyperparameter, and adam.learning_rate is scheduled; got",
    ),
    "a loss that is not there": (
        of_trainer(chain=ON_PLATEAU),
        ValueError,
        "greedy must judge a loss that there is, got monitor='valid' for a task with no validation",
    ),
    "a loss that is not measured": (
        lambda: lrw.Trainer(
            models.task(valid=(X, Y), eval_fn=lambda *_: {"one": jnp.ones(())}), ON_PLATEAU, 10
        ),
        ValueError,
        "with an eval_fn that returns no 'loss': give the task that, or take monitor='train'",
    ),
    "a live number below zero": (
        of_trainer(chain=lrw.Chain.of(lrw.optimizers.scale(-0.1)), live=["step_size"]),
        ValueError,
        "live must leave out numbers below zero, .* and scale.step_size is -0.1",
    ),
    "validation without data": (
        of_trainer(valid_every=5),
        ValueError,
        "valid_every must be None for a task without validation data, got 5",
    ),
    "no start": (of_trainer(start="now"), ValueError, 'start must be None, a Trainer or "current"'),
    "an unknown keyword": (of_trainer(lr=0.1), TypeError, "unexpected keyword argument 'lr'"),
}

COMMANDS = {
    "a negative rate": (
        lambda t: t.set(learning_rate=-0.1),
        ValueError,
        "learning_rate must be a f",
    ),
    "a rate of NaN": (
        lambda t: t.set(learning_rate=float("nan")),
        ValueError,
        "learning_rate must be a finite number >= 0, got nan",
    ),
    "an infinite rate": (
        lambda t: t.set(learning_rate=np.inf),
        ValueError,
        "rate must be .* got inf",
    ),
    "text as rate": (
        lambda t: t.set(learning_rate="0.1"),
        TypeError,
        "learning_rate must .* '0.1'",
    ),
    "None as rate": (lambda t: t.set(learning_rate=None), TypeError, "learning_rate must .* None"),
    "True as rate": (lambda t: t.set(learning_rate=True), TypeError, "learning_rate must .* True"),
    "momentum of 1": (
        lambda t: t.set(momentum=1.0),
        ValueError,
        "momentum must be .* < 1, got 1.0",
    ),
    "a schedule out of range": (
        lambda t: t.set(momentum=TOO_HIGH),
        ValueError,
        "momentum must be .* < 1, got 1.5",
    ),
    "an unknown name": (
        lambda t: t.set(lr=0.1),
        ValueError,
        "must be one of sgd.learning_rate.*'lr'",
    ),
    "an unknown group": (
        lambda t: t.set({"body/sgd.momentum": 0.1}),
        ValueError,
        "group .* 'body'",
    ),
    "a static value": (lambda t: t.set(nesterov=True), ValueError, "one of sgd.learning_rate"),
    "a number as name": (lambda t: t.set({3: 0.1}), TypeError, "values must map addresses"),
    "nothing to set": (lambda t: t.set(), ValueError, "set must name at least one hyperparameter"),
    "a list to set": (lambda t: t.set([0.1]), TypeError, r"set takes a mapping .* got \[0.1\]"),
    "one twice": (
        lambda t: t.set({"sgd.momentum": 0.1}, momentum=0.2),
        ValueError,
        "sgd.momentum must be named once, got it a second time as 'momentum'",
    ),
    "from_now as text": (
        lambda t: t.set(momentum=0.1, from_now="yes"),
        TypeError,
        "from_now must be",
    ),
    "scaling by zero": (
        lambda t: t.scale(learning_rate=0),
        ValueError,
        "factor of learning_rate mus",
    ),
    "scaling by NaN": (lambda t: t.scale(learning_rate=np.nan), ValueError, "factor .* got nan"),
    "scaling by a schedule": (
        lambda t: t.scale(learning_rate=COSINE),
        TypeError,
        "the factor of lea",
    ),
    "scaling out of range": (
        lambda t: t.scale(momentum=2.0),
        ValueError,
        "momentum must be .* < 1",
    ),
    "scaling nothing": (lambda t: t.scale(), ValueError, "scale must name at least one"),
    "releasing the unknown": (lambda t: t.release("lr"), ValueError, "must be one of .* got 'lr'"),
    "extending by nothing": (lambda t: t.extend(0), ValueError, "steps must be .* >= 1 .* got 0"),
    "extending too far": (
        lambda t: t.extend(2**31 - 1),
        ValueError,
        "steps must keep the run within",
    ),
    "a cooldown of no steps": (lambda t: t.cooldown(0), ValueError, "steps must be a whole number"),
    "a cooldown below zero": (
        lambda t: t.cooldown(5, -1.0),
        ValueError,
        "end_value must be .*-1.0",
    ),
    "a negative pace": (lambda t: t.set_pace(-3), ValueError, "steps_per_second must be .* got -3"),
    "a pace as text": (lambda t: t.set_pace("fast"), TypeError, "steps_per_second must .* 'fast'"),
    "half a step": (lambda t: t.step(0.5), ValueError, "n must be a whole number .* got 0.5"),
    "an unknown column": (lambda t: t.history["lr"], KeyError, "'lr' is no column; there are step"),
    "the plan of the unknown": (lambda t: t.plan("lr"), ValueError, "must be one of .* got 'lr'"),
    "what is held of nobody": (lambda t: t.held(3), TypeError, "an address must be text, got 3"),
    "an unknown effective schedule": (lambda t: t.effective_schedule("lr"), ValueError, "got 'lr'"),
    "a subscriber that is none": (
        lambda t: t.subscribe(3),
        TypeError,
        "fn must be a function of t",
    ),
    "a negative timeout": (lambda t: t.wait(-1), ValueError, "timeout must be .* >= 0, got -1"),
    "a command of one's own": (lambda t: t.submit("stop"), TypeError, "command must be .* 'stop'"),
}

MADE_COMMANDS = {
    "values": (lambda: Set(values=0.1), TypeError, "values must map addresses to values, got 0.1"),
    "no values": (lambda: Set(values={}), ValueError, "values must name at least one hyperparam"),
    "source": (lambda: Set(values={"momentum": 0.1}, source=3), TypeError, "source must be text"),
    "factors": (lambda: Scale(factors={"a": -1}), ValueError, "the factor of a must be .* got -1"),
    "addresses": (lambda: Release(addresses="momentum"), TypeError, "addresses must be a tuple of"),
    "steps": (lambda: Step(steps=-1), ValueError, "steps must be a whole number >= 1, got -1"),
    "extend": (lambda: Extend(steps="5"), TypeError, "steps must be a whole number .* got '5'"),
    "cooldown": (
        lambda: Cooldown(steps=5, end_value=np.nan),
        ValueError,
        "end_value must be .*nan",
    ),
    "pace": (lambda: SetPace(steps_per_second=np.inf), ValueError, "steps_per_second .* got inf"),
    "unknown": (lambda: Extend(steps=5, epochs=1), TypeError, "unexpected keyword argument 'epoch"),
}


def table(cases):
    return pytest.mark.parametrize(("call", "error", "message"), cases.values(), ids=cases)


@table(TASKS)
def test_a_task_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


@table(TRAINERS)
def test_a_trainer_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


@table(MADE_COMMANDS)
def test_a_command_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_running_trainer_refuses_and_lives_on():
    chain = models.sgd(COSINE, momentum=0.9)
    with endless(chain=chain) as t:
        for call, error, message in COMMANDS.values():
            with pytest.raises(error, match=message):
                call(t)
        assert t.state == "running"
        assert t.journal == ()
        t.set(learning_rate=0.5)
        assert t.held() == 0.5


@table(COMMANDS)
def test_an_idle_trainer_refuses(call, error, message):
    t = lrw.Trainer(shared(), models.sgd(COSINE, momentum=0.9), steps=20)
    if "timeout" in message:
        error, message = ValueError, "timeout"
    if "keep the run" in message:
        message = r"steps must keep the run within 2147483647 steps, got 2147483667"
    with pytest.raises(error, match=message):
        call(t)
    assert t.state == "idle"
    assert t.journal == ()


def test_errors_of_the_persons_own_code_come_through():
    def loss_fn(params, batch):
        return params["w9"].sum()

    with pytest.raises(KeyError, match="w9"):
        models.task(loss_fn=loss_fn)


def test_a_module_of_linen_is_no_model_until_it_is_made():
    with pytest.raises(TypeError, match="model is the class Dense, not an instance"):
        models.task(model=linen.Dense)
    assert jax.tree.leaves(shared().initial)

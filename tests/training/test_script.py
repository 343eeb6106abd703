"""The exported training script, executed without lrwidget."""

from __future__ import annotations

import builtins
import contextlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lrwidget as lrw
from lrwidget.schedules import Schedule
from lrwidget.training._script._exact import UNPACKED, packed
from tests.training import models, running

STEPS = 40
O = lrw.optimizers  # noqa: E741


def execute(code):
    """Run a script in a namespace of its own that cannot import lrwidget."""
    compile(code, "script", "exec")
    real_import = builtins.__import__

    def guarded(name, *args, **kwargs):
        assert not name.startswith("lrwidget"), "the script must stand alone"
        return real_import(name, *args, **kwargs)

    namespace = {"__builtins__": {**vars(builtins), "__import__": guarded}, "__name__": "script"}
    exec(code, namespace)
    return namespace


def trained(kind, namespace, data=None, loss_fn=None):
    model, usual = models.KINDS[kind]()
    given = models.data() if data is None else data
    result, losses = namespace["train"](model, loss_fn or usual, given)
    if kind == "nnx":
        assert result is model
        params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    elif kind == "linen":
        params = result["params"]
    elif kind == "train_state":
        assert int(result.step) == len(losses)
        params = result.params
    else:
        params = result
    return params, losses


def python(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=folder
    )


def assert_exact(t, kind="pytree", **more):
    """Assert that the exact script gives the losses and parameters of a run bit for bit."""
    params, losses = trained(kind, execute(t.to_code(exact=True)), **more)
    np.testing.assert_array_equal(losses, t.history.loss)
    models.assert_equal(params, t.params)


def assert_close(t, kind="pytree", **more):
    params, losses = trained(kind, execute(t.to_code()), **more)
    np.testing.assert_allclose(losses, t.history.loss, rtol=1e-4, atol=1e-6)
    assert models.distance(t.params, params) < 1e-5


# ---- runs with everything in them --------------------------------------------------------------

COSINE = lrw.schedules.preset("cosine", peak_value=0.05, steps=STEPS)
FALLING = lrw.schedules.preset("linear", peak_value=0.3, steps=STEPS)
GROUPS = (
    O.Group("head", paths=["w2"], multiplier=0.5),
    O.Group("bias", paths=["b1"], chain=O.sgd(0.1)),
)
CHAINS = {
    "pytree": lrw.Chain.of(
        O.clip_by_global_norm(1.0), O.adamw(COSINE, weight_decay=FALLING), groups=GROUPS
    ),
    # A bias before BatchNorm has a gradient of nothing but rounding, which Adam would blow up.
    "nnx": lrw.Chain.of(O.clip_by_global_norm(1.0), O.sgd(COSINE, momentum=0.9)),
    "linen": lrw.Chain.of(O.sgd(COSINE, momentum=0.9)),
    "train_state": lrw.Chain.of(O.add_decayed_weights(FALLING), O.sgd(COSINE, momentum=0.9)),
}


def edit_at_random(t, rng, edits, groups=()):
    """Take a few steps before each of so many edits; what is refused is another edit's turn."""
    amount = lambda: float(rng.uniform(0.5, 1.5))  # noqa: E731
    moves = [
        lambda: t.set(learning_rate=0.02 * amount()),
        lambda: t.set(learning_rate=COSINE.scaled(amount())),
        lambda: t.scale(learning_rate=amount()),
        lambda: t.nudge(learning_rate=0.002 * amount()),
        lambda: t.release(),
        lambda: t.restart_warmup(4),
        lambda: t.cooldown(9, 0.001),
        lambda: t.undo(),
        *(lambda g=g: t.freeze(g) for g in groups),
        *(lambda g=g: t.thaw(g) for g in groups),
        *(lambda: t.nudge({"head/multiplier": 0.1 * amount()}) for _ in groups[:1]),
        *(lambda: t.scale(weight_decay=amount()) for _ in groups[:1]),
    ]
    for _ in range(edits):
        t.extend(5)
        t.step(int(rng.integers(1, 5)))
        with contextlib.suppress(ValueError):
            moves[rng.integers(len(moves))]()


def lively(kind, seed=0, edits=6, batch_size=None, task=None, **more):
    """Return a stopped run with random edits, a rewind and perhaps another batch size."""
    t = lrw.Trainer(task or running.shared(kind), CHAINS[kind], steps=STEPS, **more)
    rng = np.random.default_rng(seed)
    groups = tuple(group.name for group in CHAINS[kind].groups)
    edit_at_random(t, rng, edits, groups)
    t.step(3)
    t.rewind(t.position - 5)
    if batch_size:
        t.set_batch_size(batch_size)
    edit_at_random(t, rng, edits, groups)
    t.step(7)
    t.stop()
    return t


@pytest.fixture(scope="module", params=models.KINDS)
def run(request):
    kind = request.param
    measure = ("gradient_norm", "update_ratio") if kind == "train_state" else ()
    return kind, lively(kind, batch_size=12 if kind == "pytree" else None, measure=measure)


def test_exact_repeats_the_run_bit_for_bit(run):
    kind, t = run
    assert_exact(t, kind)


# What tells a TrainState from Linen is the same text in both forms.
@pytest.mark.parametrize("run", ["pytree", "nnx", "linen"], indirect=True)
def test_readable_repeats_the_run(run):
    kind, t = run
    assert_close(t, kind)


def test_both_are_as_long_as_the_run_went(run):
    _, t = run
    assert f"STEPS = {t.position}\n" in t.to_code()
    assert f"STEPS = {t.position}\n" in t.to_code(exact=True)


def assert_rates(t):
    """Assert that each schedule of the readable script gives what was applied."""
    namespace, chain = execute(t.to_code()), t.effective_chain()
    scheduled = [a for a in chain.addresses() if isinstance(chain.value(a), Schedule)]
    words = chain.injection(scheduled).keys
    steps = jnp.arange(t.position)
    rates = jax.jit(lambda steps: [jax.vmap(namespace[word])(steps) for word in words])(steps)
    told = dict(zip(scheduled, rates, strict=True))
    for address, applied in zip(t.addresses, t.applied_rows().T, strict=True):
        rate = told.get(address, chain.value(address))
        apart = np.abs(np.asarray(rate, np.float64) - applied).max()
        assert apart <= 1e-6 * np.abs(applied).max(), address


@pytest.mark.parametrize("seed", range(2))
def test_every_rate_is_what_was_applied(seed):
    t = lively("pytree", seed, edits=15)
    assert len(t.journal) > 40
    assert_rates(t)


def test_writes_what_ruff_would_leave(run, tmp_path):
    _, t = run
    for exact in (True, False):
        code = t.to_code(exact=exact)
        assert max(map(len, code.splitlines())) <= 100
        (tmp_path / f"script_{exact}.py").write_text(code)
    for command in (["check"], ["format", "--diff"]):
        done = python(tmp_path, "-m", "ruff", *command, "--isolated", "--no-cache", ".")
        assert done.returncode == 0, done.stdout + done.stderr


PROBLEM = """
import jax
import jax.numpy as jnp
import numpy as np

def loss_fn(params, batch, key):
    x = batch["x"] * jax.random.bernoulli(key, 0.8, batch["x"].shape)
    return jnp.mean((jnp.tanh(x @ params["w"]) - batch["y"]) ** 2)

rng = np.random.default_rng(0)
data = [{"x": rng.normal(size=(8, 4)), "y": rng.normal(size=(8, 2))} for _ in range(9)]
params = {"w": rng.normal(size=(4, 2)).astype("float32")}
"""

DRIVER = f"""
import sys

sys.modules["lrwidget"] = None
{PROBLEM}
from script import train

params, losses = train(params, loss_fn, data)
np.savez("out.npz", losses=losses, **params)
"""


def test_exact_runs_alone_as_a_file_in_another_process(tmp_path):
    names = {}
    exec(PROBLEM, names)
    task = lrw.Task(names["params"], names["loss_fn"], train=names["data"])
    t = by_hand(task, models.adam(0.01))
    code = t.to_code(exact=True)
    assert code.count("_ROWS = ") == 1
    assert '"b2": 0.999,' in code
    assert '"one_minus_b2": 0.001,' in code
    (tmp_path / "script.py").write_text(code)
    (tmp_path / "driver.py").write_text(DRIVER)
    done = python(tmp_path, "driver.py")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["losses"], t.history.loss)
        np.testing.assert_array_equal(out["w"], t.params["w"])


# ---- other kinds of step and data --------------------------------------------------------------


def by_hand(task=None, chain=None, **more):
    """Return a finished run that was changed once on its way."""
    t = lrw.Trainer(task or running.shared(), chain or models.sgd(), steps=STEPS, **more)
    t.step(10)
    t.scale(learning_rate=0.5)
    t.resume()
    t.wait()
    return t


def test_exact_goes_step_by_step_where_the_run_did():
    def loss_fn(params, batch):
        x, y = batch
        kernel = params["w1"][:3, :4].T[:, None, :]
        hidden = jax.lax.conv_general_dilated(x[:, None, :], kernel, (1,), "SAME")
        return models.pytree_loss(params, (x + hidden.mean(1), y))

    t = by_hand(models.task(loss_fn=loss_fn), models.sgd())
    assert t.runner.dispatch == "step"
    assert "fori_loop" not in t.to_code(exact=True)
    assert_exact(t, loss_fn=loss_fn)


def test_exact_packs_smooth_curves_well():
    steps = np.arange(20_000)
    curve = (0.05 * (1 + np.cos(np.pi * steps / 20_000))).astype(np.float32)
    text = packed(curve)
    assert len(text) < steps.size
    names = {}
    exec(f"import base64, zlib\nimport numpy as np\n{UNPACKED}", names)
    unpacked = names["unpacked"]
    np.testing.assert_array_equal(unpacked(text), curve)


@pytest.mark.parametrize("exact", [True, False])
def test_needs_a_step(exact):
    with pytest.raises(ValueError, match="to_code needs a run with at least one step"):
        lrw.Trainer(running.shared(), models.sgd(), steps=5).to_code(exact=exact)

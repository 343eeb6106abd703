"""Snapshots as Orbax checkpoints: the same two functions, and the same errors."""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training._disk import Damaged, RunDirectory, _orbax
from lrwidget.training._disk._orbax import load_tree, save_tree
from tests.training.disk.states import assert_same, state

META = {"reason": "best"}


def test_a_state_comes_back_bit_for_bit(tmp_path):
    odd = state("odd")
    names = ("bfloat16", "float16", "int8", "bool", "key", "scalar", "none", "tuple")
    tree = {"nnx": state("nnx"), **{name: odd[name] for name in names}, "count": 3, "rate": 0.1}
    save_tree(tmp_path / "state.orbax", tree, META)
    loaded, meta = load_tree(tmp_path / "state.orbax", tree)
    assert_same(tree, loaded)
    assert meta == META == _orbax.read_meta(tmp_path / "state.orbax")
    assert [path.name for path in tmp_path.iterdir()] == ["state.orbax"]
    assert _orbax.size(tmp_path / "state.orbax") > 100


def test_a_run_keeps_its_snapshots_so_when_it_is_asked_to(tmp_path):
    tree = {"w": jnp.arange(3.0)}
    with RunDirectory.create(tmp_path / "run", {}, snapshot_format="orbax") as run:
        run.save_snapshot(1, {"w": jnp.zeros(3)}, META)
        run.save_snapshot(1, tree, META)
        run.save_snapshot(20, tree, {})
        run.mark("best", 1)
        opened = RunDirectory.open(run.path)
        assert [(found.step, found.meta) for found in opened.snapshots()] == [(1, META), (20, {})]
        assert_same(opened.load_snapshot(1, tree)[0], tree)
        with pytest.raises(ValueError, match=r"leaf \['w'\] must be float32\[4\], and is float32"):
            opened.load_snapshot(1, {"w": jnp.zeros(4)})
        names = sorted(path.name for path in (run.path / "snapshots").iterdir())
        assert names == ["step_000000001.orbax", "step_000000020.orbax"]
        run.remove_snapshot(1)
        assert [found.step for found in opened.snapshots()] == [20]
        assert opened.marks() == {}
        for file in (run.path / "snapshots").rglob("*"):
            if file.is_file() and "manifest.json" not in file.name:
                file.write_bytes(b"")
        with pytest.raises(Damaged, match="is damaged"):
            opened.load_snapshot(20, tree)
        (run.path / "snapshots" / names[1] / "manifest.json").unlink()
        assert opened.snapshots() == []
        with pytest.raises(Damaged, match="it has no manifest"):
            opened.load_latest(tree)


def test_a_state_that_cannot_be_saved_leaves_nothing(tmp_path):
    lost = jnp.zeros(3)
    lost.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        save_tree(tmp_path / "state.orbax", {"w": lost}, META)
    with pytest.raises(TypeError, match=r"leaf \['w'\] of a state must be an array"):
        save_tree(tmp_path / "state.orbax", {"w": "text"}, META)
    assert list(tmp_path.iterdir()) == []


def test_arrays_stay_where_the_callers_are(tmp_path):
    tree = {"w": jnp.zeros(3), "pinned": jax.device_put(np.zeros(3), jax.devices()[0])}
    save_tree(tmp_path / "state.orbax", tree, META)
    loaded, _ = load_tree(tmp_path / "state.orbax", tree)
    assert {name: leaf.committed for name, leaf in loaded.items()} == {
        name: leaf.committed for name, leaf in tree.items()
    }


def test_without_orbax_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(ImportError, match=r"pip install 'lrwidget\[checkpoint\]'"):
        RunDirectory.create(tmp_path / "run", {}, snapshot_format="orbax")
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(ValueError, match="snapshot_format must be one of npz, orbax; got 'pickle'"):
        RunDirectory.create(tmp_path / "run", {}, snapshot_format="pickle")

"""A pytree in one file: what is read is what was written, bit for bit, or an error says why."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lrwidget.training._disk import _trees
from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._trees import load_tree, read_meta, save_tree
from tests.training.disk.damage import flips, truncations
from tests.training.disk.states import STATES, assert_same, state

META = {"reason": "best", "value": 0.25, "data": {"index": [1, 2]}, "text": "λ"}
SMALL = {"w": jnp.arange(4.0), "key": jax.random.key(1), "count": 3}


@pytest.fixture
def path(tmp_path):
    save_tree(tmp_path / "state.npz", SMALL, META)
    return tmp_path / "state.npz"


@pytest.mark.parametrize("kind", STATES)
def test_a_state_comes_back_bit_for_bit(tmp_path, kind):
    tree = state(kind)
    save_tree(tmp_path / "state.npz", tree, META)
    loaded, meta = load_tree(tmp_path / "state.npz", tree)
    assert_same(tree, loaded)
    assert meta == META == read_meta(tmp_path / "state.npz")
    assert os.listdir(tmp_path) == ["state.npz"]  # noqa: PTH208


def test_shapes_alone_say_what_to_read(path):
    tree = {"w": jnp.arange(4.0), "key": jax.random.key(1)}
    save_tree(path, tree, None)
    loaded, meta = load_tree(path, jax.eval_shape(lambda: tree))
    assert_same(tree, loaded)
    assert meta is None


def test_what_is_read_stays_where_the_callers_arrays_are(path):
    # An array that is pinned to a device, where the caller's is not, would compile every step anew.
    pinned = jax.device_put(jnp.zeros(4), jax.devices()[0])
    loaded, _ = load_tree(path, SMALL)
    assert loaded["w"].committed == SMALL["w"].committed
    loaded, _ = load_tree(path, {**SMALL, "w": pinned})
    assert loaded["w"].sharding == pinned.sharding
    assert loaded["w"].committed == pinned.committed


def test_leaves_whose_paths_read_alike_are_told_apart(path):
    class Key:
        def __str__(self):
            return "same"

    class Pair(list):
        pass

    jax.tree_util.register_pytree_with_keys(
        Pair, lambda pair: ([(Key(), one) for one in pair], None), lambda _, leaves: Pair(leaves)
    )
    pair = Pair([jnp.zeros(2), jnp.ones(2)])
    save_tree(str(path), pair, None)
    loaded, _ = load_tree(str(path), pair)
    assert [one.tolist() for one in loaded] == [[0, 0], [1, 1]]


def test_any_reader_of_npz_understands_it(path):
    with np.load(path, allow_pickle=False) as file:
        assert sorted(file) == ["leaf_1", "leaf_2", "manifest"]
        np.testing.assert_array_equal(file["leaf_2"], np.arange(4, dtype=np.float32))


def test_a_new_state_takes_the_place_of_the_old(path):
    save_tree(path, {"w": jnp.zeros(2)}, None)
    assert_same(load_tree(path, {"w": jnp.ones(2)})[0], {"w": jnp.zeros(2)})


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({**SMALL, "b": 0}, r"has no leaf \['b'\], which this state has$"),
        (
            {"w": SMALL["w"], "key": SMALL["key"]},
            r"has a leaf \['count'\], which this state has not",
        ),
        (
            {**SMALL, "w": jnp.zeros(5)},
            r"leaf \['w'\] must be float32\[5\], and is float32\[4\] in",
        ),
        (
            {**SMALL, "w": jnp.zeros(4, int)},
            r"leaf \['w'\] must be int32\[4\], and is float32\[4\]",
        ),
        ({**SMALL, "w": jnp.zeros(4, "bfloat16")}, r"must be bfloat16\[4\], and is float32\[4\]"),
        ({**SMALL, "key": jax.random.key(1, impl="rbg")}, r"must be key<rbg>\[\], and is key<fry>"),
        ({**SMALL, "key": jax.random.PRNGKey(1)}, r"must be uint32\[2\], and is key<fry>\[\]"),
        ({**SMALL, "count": 3.0}, r"\['count'\] must be a Python float, and is a Python int in"),
        ({**SMALL, "count": jnp.int32(3)}, r"\['count'\] must be int32\[\], and is a Python int"),
        (jnp.zeros(4), r"has no leaf \(the state itself\)"),
    ],
)
def test_another_state_is_refused_and_the_leaf_named(path, like, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_tree(path, like)
    assert not isinstance(caught.value, Damaged)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "leaf",
    [object(), "text", b"bytes", np.array([object()]), np.array(["a"]), 1j, np.zeros(2, "i4,f4")],
)
def test_what_is_no_state_is_refused_and_the_leaf_named(path, leaf):
    with pytest.raises(TypeError, match=r"leaf \['a'\]\[1\] of a state must"):
        save_tree(path, {"a": [jnp.zeros(1), leaf]}, None)
    assert_same(load_tree(path, SMALL)[0], SMALL)


def test_meta_data_that_is_no_json_is_refused(path):
    with pytest.raises(TypeError, match="JSON data, got set"):
        save_tree(path, SMALL, {"a": {1}})


def test_a_file_that_is_missing_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_tree(tmp_path / "none.npz", SMALL)


# ---- kills and full disks ----------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_state_and_nothing_else(path, monkeypatch, call):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(OSError, match="No space"):
            save_tree(path, {"w": jnp.zeros(1)}, None)
    assert_same(load_tree(path, SMALL)[0], SMALL)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_leaf_that_cannot_be_fetched_leaves_the_old_state(path):
    lost = jnp.zeros(3)
    lost.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        save_tree(path, {"w": lost}, None)
    assert_same(load_tree(path, SMALL)[0], SMALL)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# ---- damage ------------------------------------------------------------------------------------


def test_a_file_cut_short_is_damaged_at_every_length(path):
    for _ in truncations(path, every=7):
        with pytest.raises(Damaged, match=f"{path} is damaged: "):
            load_tree(path, SMALL)


def test_no_flipped_bit_changes_a_number(path):
    noticed = 0
    for _ in flips(path, every=3):
        try:
            loaded, meta = load_tree(path, SMALL)
        except Damaged:
            noticed += 1
            continue
        # A zip file has bytes that mean nothing, such as a member's time.
        assert_same(SMALL, loaded)
        assert meta == META
    assert noticed > path.stat().st_size / 6


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    array = io.BytesIO()
    np.lib.format.write_array(array, np.array([Bomb()], object), allow_pickle=True)
    save_tree(tmp_path / "good.npz", {"w": jnp.zeros(1)}, None)
    with zipfile.ZipFile(tmp_path / "good.npz") as good:
        manifest = good.read("manifest.npy")
    for name, content in {
        "array": {"manifest.npy": manifest, "leaf_0.npy": array.getvalue()},
        "manifest": {"manifest.npy": array.getvalue(), "leaf_0.npy": array.getvalue()},
        "bare": {"manifest.npy": manifest, "leaf_0.npy": pickle.dumps(Bomb())},
    }.items():
        path = tmp_path / f"{name}.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in content.items():
                archive.writestr(member, data)
        with pytest.raises(Damaged):
            load_tree(path, {"w": jnp.zeros(1)})
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(Damaged):
        load_tree(path, {"w": jnp.zeros(1)})
    assert not (tmp_path / "exploded").exists()


def test_a_newer_format_is_said_to_be_newer(path, monkeypatch):
    monkeypatch.setattr(_trees, "_FORMAT", 2)
    save_tree(path, SMALL, None)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="must be of format <= 1, got 2: upgrade lrwidget"):
        load_tree(path, SMALL)

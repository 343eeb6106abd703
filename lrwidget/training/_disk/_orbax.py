"""A pytree of arrays as an Orbax checkpoint: a folder with the same two functions as one file.

For states that one process does not hold alone, and for tools that read Orbax. Needs the extra
``checkpoint``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrwidget.training._arrays import PyTree
from lrwidget.training._disk._atomic import delete, read_json, sync_folder, temporary, write_json
from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._leaves import described, matched

SUFFIX = ".orbax"
_FORMAT = 1
_STEP = 0  # every checkpoint has a manager, and so a folder, of its own


def save_tree(path: str | os.PathLike[str], tree: PyTree, meta: Any) -> None:
    """Save a pytree as a folder; as `_trees.save_tree`."""
    path, ocp = Path(path), orbax()
    manifest = {
        "format": _FORMAT,
        "meta": meta,
        "leaves": [dict(leaf.description) for leaf in described(tree)],
    }
    # Arrays that were given up are an error here, and not in Orbax's threads.
    jax.block_until_ready(tree)  # type: ignore[no-untyped-call]
    new = temporary(path)
    try:
        new.mkdir()
        with ocp.CheckpointManager(new.absolute(), options=_options()) as manager:
            manager.save(_STEP, args=ocp.args.StandardSave({"state": tree}))
        write_json(new / "manifest.json", manifest)
        sync_folder(new)
        _put(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            delete(new)
        raise
    sync_folder(path.parent)


def load_tree(path: str | os.PathLike[str], like: PyTree) -> tuple[PyTree, Any]:
    """Return a pytree that was saved, and its meta data; as `_trees.load_tree`."""
    path, ocp = Path(path), orbax()
    manifest = _manifest(path)
    matched(manifest["leaves"], like, path)
    abstract = jax.tree.map(_abstract, {"state": like})
    try:
        with ocp.CheckpointManager(path.absolute(), options=_options()) as manager:
            tree = manager.restore(_STEP, args=ocp.args.StandardRestore(abstract))
    except Exception as error:
        raise Damaged(f"{path} is damaged: {error}") from error
    return jax.tree.map(_as_like, tree["state"], like), manifest["meta"]


def read_meta(path: Path) -> Any:
    """Return the meta data alone; raises as `load_tree` does."""
    return _manifest(path)["meta"]


def size(path: Path) -> int:
    """Return the bytes that it takes on the disk."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def orbax() -> Any:
    """Return `orbax.checkpoint`; ImportError, which says what to install, where it is missing."""
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError(
            "snapshots as Orbax checkpoints need orbax-checkpoint: pip install "
            "'lrwidget[checkpoint]'"
        ) from error
    return orbax.checkpoint


def _options() -> Any:
    # The saver has a thread of its own, and a checkpoint must be whole when its folder is renamed.
    return orbax().CheckpointManagerOptions(enable_async_checkpointing=False)


def _put(new: Path, path: Path) -> None:
    """Give the folder its name; an older one of that name goes."""
    old = temporary(path)
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, old)  # noqa: PTH104  (a folder cannot take the place of a full one)
    os.rename(new, path)  # noqa: PTH104
    delete(old)


def _manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder")
    try:
        manifest = read_json(path / "manifest.json")
    except FileNotFoundError as error:
        raise Damaged(f"{path} is damaged: it has no manifest") from error
    if manifest["format"] > _FORMAT:
        raise ValueError(
            f"{path} must be of format <= {_FORMAT}, got {manifest['format']}: upgrade lrwidget"
        )
    return dict(manifest)


def _abstract(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array):
        return jax.ShapeDtypeStruct(  # type: ignore[no-untyped-call]
            leaf.shape, leaf.dtype, sharding=leaf.sharding
        )
    return leaf


def _as_like(leaf: Any, like: Any) -> Any:
    if isinstance(like, np.generic):
        return np.asarray(leaf)[()]
    # Only where the caller's array is pinned to devices: pinning others would compile anew.
    if isinstance(leaf, jax.Array) and not getattr(like, "committed", False):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = jnp.array(np.asarray(jax.random.key_data(leaf)))
            return jax.random.wrap_key_data(data, impl=str(jax.random.key_impl(leaf)))
        return jnp.array(np.asarray(leaf))
    return leaf

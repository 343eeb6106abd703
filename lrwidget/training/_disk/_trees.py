"""A pytree of arrays in one file: written whole or not at all, read without executing anything.

The file is an ``.npz``: ``manifest`` is JSON text, as bytes, that names every leaf and holds what
goes with the tree; ``leaf_0``, ``leaf_1``, … are the arrays.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import jax
import numpy as np
import numpy.typing as npt

from lrwidget.training._arrays import PyTree
from lrwidget.training._disk._atomic import write_file
from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._json import json_text
from lrwidget.training._disk._leaves import Leaf, described, matched, restored, stored_form

SUFFIX = ".npz"
_FORMAT = 1
_PIECE = 2**24  # bytes read at a time, so that a large state is not held twice


def save_tree(path: str | os.PathLike[str], tree: PyTree, meta: Any) -> None:
    """Save a pytree in one file.

    Parameters
    ----------
    path
        The file; an older one stays until all of the new one is on the disk.
    tree
        Its leaves are JAX or NumPy arrays of any dtype, typed PRNG keys, or Python numbers.
    meta
        JSON data that goes with it.

    Raises
    ------
    TypeError
        If a leaf or `meta` is something else; it names the leaf.
    OSError
        If the disk does not take the file.
    """
    leaves = described(tree)
    manifest = {
        "format": _FORMAT,
        "meta": meta,
        "leaves": [dict(leaf.description) for leaf in leaves],
    }
    text = np.frombuffer(json_text(manifest).encode("ascii"), np.uint8)
    for leaf in leaves:  # all on their way from the device before the first is waited for
        if isinstance(leaf.array, jax.Array):
            leaf.array.copy_to_host_async()
    write_file(Path(path), lambda file: _write(file, text, leaves))


def load_tree(path: str | os.PathLike[str], like: PyTree) -> tuple[PyTree, Any]:
    """Return a pytree that was saved, and its meta data.

    Parameters
    ----------
    path
        The file.
    like
        A pytree of the same structure, shapes and dtypes: arrays, or what `jax.eval_shape` gives.
        A leaf comes back as a NumPy array where this one has such, else as a JAX array.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    Damaged
        If it is not as it was written.
    ValueError
        If it holds another structure, shape or dtype; it names the leaf.
    """
    path = Path(path)
    with path.open("rb") as file:
        with _noticing_damage(path):
            archive = zipfile.ZipFile(file)
            manifest = _manifest(archive)
            descriptions = manifest["leaves"]
        pairs = matched(descriptions, like, path)
        leaves = []
        for place, leaf in pairs:
            with _noticing_damage(path):
                form = stored_form(descriptions[place])
                stored = None if form is None else _read(archive, f"leaf_{place}", *form)
                leaves.append(restored(descriptions[place], stored, leaf))
    return jax.tree.unflatten(jax.tree.structure(like), leaves), manifest["meta"]


def read_meta(path: Path) -> Any:
    """Return the meta data alone, without reading the arrays; raises as `load_tree` does."""
    with path.open("rb") as file, _noticing_damage(path):
        return _manifest(zipfile.ZipFile(file))["meta"]


def size(path: Path) -> int:
    """Return the bytes that it takes on the disk."""
    return path.stat().st_size


# ---- the archive -------------------------------------------------------------------------------


def _write(file: BinaryIO, manifest: npt.NDArray[np.uint8], leaves: Sequence[Leaf]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _write_array(archive, "manifest", manifest)
        for place, leaf in enumerate(leaves):
            stored = leaf.stored()
            if stored is not None:
                _write_array(archive, f"leaf_{place}", stored)


def _write_array(archive: zipfile.ZipFile, name: str, array: npt.NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(
            member, np.lib.format.header_data_from_array_1_0(array)
        )
        # In one piece: summing and writing then both run beside the training thread.
        member.write(array.reshape(-1).view(np.uint8).data)


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    # The archive's own check sum is tested by reading all of the member, before it is parsed.
    member = io.BytesIO(archive.read("manifest.npy"))
    manifest = json.loads(np.lib.format.read_array(member, allow_pickle=False).tobytes())
    if manifest["format"] > _FORMAT:
        raise _NewerError(manifest["format"])
    return {"leaves": manifest["leaves"], "meta": manifest["meta"]}


def _read(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        np.lib.format.read_magic(member)
        found_shape, fortran, found_dtype = np.lib.format.read_array_header_1_0(member)
        # Before memory is asked for: a damaged header may speak of terabytes.
        if found_shape != shape or found_dtype != dtype or (fortran and len(shape) > 1):
            raise ValueError(f"{name} holds {found_dtype}{list(found_shape)}")
        array = np.empty(shape, dtype)
        rest = array.reshape(-1).view(np.uint8)
        while rest.size:
            piece = member.read(min(_PIECE, rest.size))
            if not piece:
                raise EOFError(f"{name} ends early")
            rest[: len(piece)] = np.frombuffer(piece, np.uint8)
            rest = rest[len(piece) :]
        # Also tests the check sum, which is done at the end of a member.
        if member.read(1):
            raise ValueError(f"{name} goes on behind its end")
        return array


class _NewerError(ValueError):
    """The file is of a later version of the format."""


@contextlib.contextmanager
def _noticing_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except _NewerError as error:
        raise ValueError(
            f"{path} must be of format <= {_FORMAT}, got {error}: upgrade lrwidget"
        ) from error
    except Exception as error:
        # A flipped bit in a zip file shows as nearly any error: a member that seems encrypted,
        # packed by an unknown method, missing, or beyond the file's end.
        raise Damaged(f"{path} is damaged: {error}") from error

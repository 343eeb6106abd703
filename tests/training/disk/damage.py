"""Ways in which a file can differ from what was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def truncations(path: Path, every: int = 1) -> Iterator[int]:
    """Cut the file to each length below its own, or every so-manieth, and yield it."""
    whole = path.read_bytes()
    for length in range(0, len(whole), every):
        path.write_bytes(whole[:length])
        yield length
    path.write_bytes(whole)


def flips(path: Path, every: int = 1) -> Iterator[int]:
    """Flip one bit of each byte in turn, not always the same, and yield the byte's place."""
    whole = path.read_bytes()
    for place in range(0, len(whole), every):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place * 5 + place // 8) % 8
        path.write_bytes(flipped)
        yield place
    path.write_bytes(whole)

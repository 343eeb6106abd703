"""What is written into the state of a live chain at each step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class Injection:
    """What to write into the state of a live chain, and how.

    Attributes
    ----------
    addresses
        The live hyperparameters: one for each column of a row.
    keys
        Their keys in the state's ``hyperparams``.
    decays
        The columns that are decay rates. Of these the state also holds one minus the value, which
        float32 cannot subtract without an error that Adam shows.
    """

    addresses: tuple[str, ...]
    keys: tuple[str, ...]
    decays: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every key that is written: `keys`, then the complements."""
        return (*self.keys, *map(self.complement, self.decays))

    def complement(self, column: int) -> str:
        """Return the key that holds one minus the decay rate of a column."""
        return f"one_minus_{self.keys[column]}"

    def columns(self, rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return rows of shape ``(n, len(addresses))`` as those to write, ``(n, len(names))``."""
        rows = np.asarray(rows, np.float64)
        return np.hstack([rows, 1.0 - rows[:, list(self.decays)]]).astype(np.float32)


def keys_of(shorts: Iterable[str]) -> tuple[str, ...]:
    """Return the short forms of addresses as names of arguments, each another."""
    keys: list[str] = []
    for short in shorts:
        key = short.replace(".", "_").replace("/", "_")
        while key in keys:
            key += "_"
        keys.append(key)
    return tuple(keys)

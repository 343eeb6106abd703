"""What happened at each step of a run, as columns of NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.optimizers._addresses import shortened

if TYPE_CHECKING:
    import pandas as pd

_FIRST_CAPACITY = 1024


class Table:
    """Columns of equal length that grow at the end.

    A column is read as an attribute or by name, ``table.loss`` or ``table["loss"]``, and is a
    read-only snapshot: rows that come later do not appear in it. One thread may append while
    others read.

    Parameters
    ----------
    columns
        Name -> dtype, in order.
    """

    def __init__(self, columns: Mapping[str, npt.DTypeLike]):
        self._columns = {name: np.empty(_FIRST_CAPACITY, dtype) for name, dtype in columns.items()}
        self._length = 0
        self._cuts: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._columns)

    def keys(self) -> tuple[str, ...]:
        """Return the full names of the columns, as `append` takes them."""
        return tuple(self._columns)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._column(self._key(name), self._length)

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        # Copying and pickling ask for attributes of an object that has none yet.
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(name for name in self.names if name.isidentifier())]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows: {', '.join(self.names)})"

    def columns(self, start: int = 0) -> dict[str, npt.NDArray[Any]]:
        """Return every column from row `start` on; all of them end at the same row."""
        start = _checks.integer("start", start, low=0)
        # The length is read once: the writer may append between two columns.
        length = self._length
        return {name: self._column(self._key(name), length)[start:] for name in self.names}

    def to_pandas(self) -> pd.DataFrame:
        """Return the columns as a `pandas.DataFrame`; ImportError where pandas is missing."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas: pip install pandas. The columns themselves are NumPy "
                "arrays."
            ) from error
        return pd.DataFrame(self.columns())

    def append(self, rows: Mapping[str, npt.ArrayLike]) -> None:
        """Append rows, a one-dimensional array of equal length for every column."""
        arrays = {key: np.asarray(rows[key]) for key in self._columns}
        count = len(next(iter(arrays.values())))
        if any(array.shape != (count,) for array in arrays.values()):
            shapes = {key: array.shape for key, array in arrays.items()}
            raise ValueError(f"rows must be one-dimensional and of equal length, got {shapes}")
        end = self._length + count
        for key, array in arrays.items():
            column = self._columns[key]
            if end > len(column):
                grown = np.empty(max(end, 2 * len(column)), column.dtype)
                grown[: self._length] = column[: self._length]
                self._columns[key] = column = grown
            column[self._length : end] = array
        # Last, so that a reader on another thread never sees rows that are not written.
        self._length = end

    @property
    def cuts(self) -> tuple[int, ...]:
        """The lengths to which rewinds have cut the table, in order."""
        return self._cuts

    def cut(self, length: int) -> None:
        """Forget all rows from `length` on; snapshots that were read before keep theirs."""
        if length < self._length:
            self._length = length
            # New arrays: what readers hold must not be written over. They keep the old rows, for
            # a reader that has read the old length and not the columns yet.
            self._columns = {name: column.copy() for name, column in self._columns.items()}
            self._cuts = (*self._cuts, length)

    def _key(self, name: str) -> str:
        if name in self._columns:
            return name
        raise KeyError(f"{name!r} is no column; there are {', '.join(self.names)}")

    def _column(self, key: str, length: int) -> npt.NDArray[Any]:
        view = self._columns[key][:length]
        view.flags.writeable = False
        return view


class History(Table):
    """One row for each step of a run.

    Columns: ``step`` (from 0), ``loss`` and the loss function's metrics (of that step's batch,
    before its update), what the chain's links tell of themselves, each live hyperparameter as it
    was applied, and the effective learning rates of groups and under adaptive links. A
    hyperparameter goes by its bare name, ``history.learning_rate``, where no other column has it,
    that of a group by ``history["head/learning_rate"]``; its full address always works,
    ``history["adamw.learning_rate"]``.

    Parameters
    ----------
    measures
        ``"loss"``, the metrics and the reports of links, in order.
    addresses
        The full addresses of the live hyperparameters, in order.
    valid
        The measures of the validation passes; empty without validation.
    derived
        The columns that are computed from these.

    Attributes
    ----------
    valid
        The validation passes: ``step`` is how many steps had been taken, and each measure is the
        mean over all of the validation data.
    """

    def __init__(
        self,
        measures: Sequence[str],
        addresses: Sequence[str],
        valid: Sequence[str],
        derived: Sequence[str] = (),
    ):
        columns = dict.fromkeys([*measures, *addresses, *derived], np.float32)
        super().__init__({"step": np.int64, **columns})
        self.valid = Table({"step": np.int64, **dict.fromkeys(valid, np.float32)})
        taken = {"step", *measures}
        self._bare = {
            name: address for address, name in shortened(addresses).items() if name not in taken
        }
        shown = {address: name for name, address in self._bare.items()}
        self._names = tuple(shown.get(key, key) for key in self._columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns; hyperparameters by their bare names where these are unique."""
        return self._names

    def _key(self, name: str) -> str:
        return super()._key(self._bare.get(name, name))

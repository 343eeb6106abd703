"""Which notebook cell is running: what tells a cell that runs again from another cell."""

from __future__ import annotations

import sys
from typing import NamedTuple


class Cell(NamedTuple):
    """A run of a cell: the cell's id in the notebook, and the request that ran it."""

    id: str
    run: str

    def again(self, other: Cell | None) -> bool:
        """Return whether `other` is another run of the same cell."""
        return other is not None and other.id == self.id and other.run != self.run


def current_cell() -> Cell | None:
    """Return the cell that is running; None outside a notebook, or where it has no id."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return None
    parent = kernel.get_parent("shell") or {}
    cell = (parent.get("metadata") or {}).get("cellId")
    run = (parent.get("header") or {}).get("msg_id")
    return Cell(str(cell), str(run)) if cell and run else None

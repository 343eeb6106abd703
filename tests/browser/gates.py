"""What holds a range test still, so that a test looks at it in its midst on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.lab import Notebook

# Python, for the kernel: when a search has told of a chunk of points, it goes on where it has leave
# to, and not before.
_GATE = """
import threading
from lrwidget.widget import _search

if not hasattr(_search, "leave"):
    def tell_and_wait(search, so_far, tell=_search.Search._progress):
        tell(search, so_far)
        _search.leave.acquire(timeout=90)

    _search.Search._progress = tell_and_wait
_search.leave = threading.Semaphore(0)
"""
# More chunks than any range test has.
_ALL = 100_000


class SweepGate:
    """A closed gate, to which a range test comes after each chunk of points.

    Parameters
    ----------
    notebook
        The notebook in whose kernel the range test runs.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        notebook.evaluate(f"exec({_GATE!r}, {{}})")

    def let_on(self, chunks: int = 1) -> None:
        """Let the range test go on by so many chunks."""
        module = "__import__('sys').modules['lrwidget.widget._search']"
        self._notebook.evaluate(f"{module}.leave.release({chunks})")

    def open(self) -> None:
        """Let this one go on to its end, and those after it."""
        self.let_on(_ALL)

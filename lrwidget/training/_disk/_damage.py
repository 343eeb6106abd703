"""The error for a file that does not hold what was written to it."""

from __future__ import annotations


class Damaged(ValueError):  # noqa: N818  (read as a word: "except Damaged")
    """A file of a run is not as it was written; a torn end of an appended file is no damage."""

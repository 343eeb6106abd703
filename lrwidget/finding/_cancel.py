"""How a finder is asked to end early."""

from __future__ import annotations

from typing import Protocol


class CancelFlag(Protocol):
    """What a finder asks of `cancel`; a `threading.Event` has it."""

    def is_set(self) -> bool:
        """Return whether it should end."""


class CancelledError(Exception):
    """The person has asked for the end."""


def check_cancelled(cancel: CancelFlag | None) -> None:
    """Raise a CancelledError if `cancel` was set."""
    if cancel is not None and cancel.is_set():
        raise CancelledError("it was cancelled before there was a result")

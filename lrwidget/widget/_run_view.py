"""What an `LRWidget` asks of what it shows runs of: a task, a loop of one's own, a saved run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lrwidget.widget._run_feed import RunFeed
    from lrwidget.widget._search import Search
    from lrwidget.widget._tracks import Design


class RunView(Protocol):
    """Runs on their way to the browser, and a page's commands on their way to them."""

    @property
    def panels(self) -> Sequence[str]:
        """The panels that there are for it."""

    @property
    def feed(self) -> RunFeed | None:
        """How the newest run is shown; None before the first."""

    def open(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever there is something to publish, on any thread."""

    def status(self) -> dict[str, Any]:
        """Return the ``_train`` trait."""

    def search(self) -> Search | None:
        """Return the newest range test."""

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""

    def follow(self, design: Design) -> None:
        """Take note that another chain has been designed."""

    def runs(self) -> list[Any]:
        """Return what another widget must wait for before it begins a run of the same model."""

    def succeed(self, runs: Iterable[Any]) -> None:
        """Begin no run before these have ended."""

    def retire(self) -> None:
        """Stop what goes on: another widget takes over."""

    def close(self) -> None:
        """End what this widget has begun."""

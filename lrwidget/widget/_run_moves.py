"""The commands that go back in a run, or try several ways on from where it is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lrwidget.widget._branches import fork_id
from lrwidget.widget._steering import SOURCE, Steering, apart, stepped

if TYPE_CHECKING:
    from lrwidget.widget._run_feed import RunFeed


class RunMoves:
    """Rewinds, forks and fans of the run that is shown.

    Parameters
    ----------
    steering
        The run.
    rest
        Called before anything that pauses the run; it raises where a run cannot go back now.
    """

    def __init__(self, steering: Steering, rest: Callable[[], None]) -> None:
        self._steering = steering
        self._rest = rest

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handler of each command."""
        return {
            "train.snapshot": self._on_snapshot,
            "train.rewind": self._on_rewind,
            "train.fork": self._on_fork,
            "train.take": self._on_take,
            "train.drop": self._on_drop,
            "train.name": self._on_name,
            "train.fan": self._on_fan,
            "train.fan_take": self._on_fan_take,
            "train.fan_drop": self._on_fan_drop,
            "train.watch": self._on_watch,
            "train.script": self._on_script,
            "train.diagnose": self._on_diagnose,
        }

    # ---- going back ---------------------------------------------------------------------------

    def _on_snapshot(self) -> Future[dict[str, int]]:
        run = self._steering.task_run("train.snapshot")

        return self._steering.do(run.snapshot, stepped)

    def _on_rewind(self, step: int) -> Future[dict[str, int]]:
        run = self._steering.task_run("train.rewind")

        def work() -> int:
            self._rest()
            run.rewind(step, source=SOURCE)
            return step

        return self._steering.do(work, stepped)

    # ---- forks --------------------------------------------------------------------------------

    def _on_fork(self, step: int | None = None, name: str | None = None) -> Future[dict[str, Any]]:
        run = self._steering.task_run("train.fork")

        def work() -> dict[str, Any]:
            self._rest()
            fork = run.fork(step, name, source=SOURCE)
            fork.start()
            return {"step": int(fork.fork_step), "id": fork_id(fork)}

        return self._steering.do(work, _itself)

    def _on_take(self, fork: str) -> Future[dict[str, int]]:
        run = self._steering.task_run("train.take")

        def work() -> int:
            self._rest()
            taken = self._fork(run, fork)
            while taken.parent is not run:
                # A fork of a fork: that goes on as it first.
                taken.parent.take(taken)
                taken = taken.parent
            run.take(taken)
            return int(run.position)

        return self._steering.do(work, stepped)

    def _on_drop(self, fork: str) -> Future[None]:
        run = self._steering.task_run("train.drop")

        def work() -> None:
            dropped = self._fork(run, fork)
            dropped.parent.drop(dropped)

        return self._steering.do(work, _nothing)

    def _on_name(self, fork: str, name: str) -> Future[None]:
        run = self._steering.task_run("train.name")
        return self._steering.do(lambda: self._fork(run, fork).rename(name), _nothing)

    def _fork(self, run: Any, id: str) -> Any:  # noqa: A002
        return self._steering.feed().branches.find(run, id)

    # ---- a fan --------------------------------------------------------------------------------

    def _on_fan(
        self,
        steps: int,
        factors: list[float] | None = None,
        rates: list[float] | None = None,
        address: str | None = None,
    ) -> Future[dict[str, int]]:
        run = self._steering.task_run("train.fan")
        if (factors is None) == (rates is None):
            raise ValueError("train.fan must have factors or rates, one of them")
        candidates = rates if factors is None else [{"scale": factor} for factor in factors]
        full = self._steering.address(address)

        def work() -> int:
            self._rest()
            if run.newest_fan is not None:
                run.newest_fan.stop()
            return int(run.fan(candidates, steps, address=full).step)

        return self._steering.do(work, stepped)

    def _on_fan_take(self, index: int | None = None) -> Future[dict[str, int]]:
        run = self._steering.task_run("train.fan_take")

        def work() -> int:
            self._rest()
            fan = self._fan(run)
            fan.take(index, source=SOURCE)
            self._forget_fan(run)
            return int(fan.step)

        return self._steering.do(work, stepped)

    def _on_fan_drop(self) -> Future[None]:
        run = self._steering.task_run("train.fan_drop")

        def work() -> None:
            self._fan(run).stop()
            self._forget_fan(run)

        return self._steering.do(work, _nothing)

    def _fan(self, run: Any) -> Any:
        if run.newest_fan is None:
            raise ValueError("there is no fan: try some rates first")
        return run.newest_fan

    def _forget_fan(self, run: Any) -> None:
        run.newest_fan = None
        self._steering.feed().branches.changed()

    # ---- looking ------------------------------------------------------------------------------

    def _on_watch(self, address: str) -> None:
        watch(self._steering.feed(), address)

    def _on_script(self, *, exact: bool = False) -> str:
        run = self._steering.run()
        if not exact:
            return run.to_code()
        exactly: str = self._steering.task_run("an exact script").to_code(exact=True)
        return exactly

    def _on_diagnose(self) -> Future[dict[str, Any]]:
        run = self._steering.task_run("train.diagnose")

        def work() -> dict[str, Any]:
            found = run.diagnose()
            return {"step": found.step, "operation": found.operation, "message": found.message}

        return apart(work)


def watch(feed: RunFeed, address: str) -> None:
    """Show another hyperparameter in the lower plot, or raise a ValueError."""
    full = feed.trainer.chain.resolve(address)
    if full not in feed.trainer.addresses:
        raise ValueError(
            f"address must be of a hyperparameter that can change in this run, "
            f"{', '.join(feed.trainer.addresses) or 'of which there is none'}; got {address!r}"
        )
    feed.choose(full)


def _itself(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None

"""What every finder is given: that it is sound, and which horizon and hyperparameter it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrwidget import _checks
from lrwidget.optimizers import Chain, chain_of

if TYPE_CHECKING:
    from lrwidget.finding._start import Start
    from lrwidget.optimizers import Link
    from lrwidget.training import Task

USUAL_STEPS = 1000
"""The horizon of a chain that has no length."""

FEWEST_STEPS = 10
"""A shorter run gets an advice for so many."""


def checked(task: Any, chain: Any, loss: Any, on_progress: Any, cancel: Any) -> Chain:
    """Return the chain, after a look at what every finder is given."""
    check_task(task)
    known = chain_of(chain)
    check_objective(task, loss)
    if loss == "valid":
        check_valid_loss(task)
    check_calls(on_progress, cancel)
    return known


def check_task(task: Any) -> None:
    """Raise a TypeError unless it is a task."""
    from lrwidget.training import Task  # JAX, which a finished result does without

    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {type(task).__name__}")


def check_objective(task: Task, loss: Any) -> None:
    """Raise a ValueError where there is no such loss."""
    if _checks.choice("loss", loss, ("train", "valid")) == "valid" and not task.validates:
        raise ValueError('loss must be "train" for a Task without validation data, got "valid"')


def check_valid_loss(task: Task) -> None:
    """Raise a ValueError where validation measures no loss."""
    names = task.evaluator.names
    if "loss" not in names:
        raise ValueError(
            f'loss="valid" needs a validation measure called "loss", got {", ".join(names)}: '
            'return one from eval_fn, or take loss="train"'
        )


def check_calls(on_progress: Any, cancel: Any) -> None:
    """Raise a TypeError unless the one can be called and the other be asked."""
    if on_progress is not None and not callable(on_progress):
        raise TypeError(f"on_progress must be a function or None, got {on_progress!r}")
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise TypeError(
            f"cancel must have is_set(), as threading.Event, or be None, got {cancel!r}"
        )


def chosen_steps(steps: int | None, chain: Chain, start: Start) -> int:
    """Return the horizon that is asked about."""
    from lrwidget.training._commands import LAST_STEP

    if steps is None:
        if start.left == 0:
            raise ValueError(
                "steps must be given where nothing is left of the run, got None: it is at its "
                f"end, step {start.step}"
            )
        steps = start.left or chain.steps or USUAL_STEPS
        return max(steps, FEWEST_STEPS)
    return _checks.integer("steps", steps, low=FEWEST_STEPS, high=LAST_STEP)


def rate_column(chain: Chain, addresses: tuple[str, ...], address: str | None) -> int:
    """Return which column of the rows holds the rate, or raise a ValueError."""
    if address is None and not _has_rate(chain):
        raise ValueError(_without_rate(chain, addresses))
    wanted = address or chain.rate or "learning_rate"
    try:
        return addresses.index(chain.resolve(wanted))
    except ValueError as error:
        raise ValueError(
            f"chain must have a live {wanted} to look for, "
            f"got {', '.join(addresses) or 'no live hyperparameter'}: {error}"
        ) from error


def _has_rate(chain: Chain) -> bool:
    return any(link.declaration.rate in link.live() for _, link in chain.labelled())


def _without_rate(chain: Chain, addresses: tuple[str, ...]) -> str:
    links = [link for _, link in chain.labelled()]
    names = ", ".join(link.name for link in links)
    # Such as that of lbfgs, which need not be given.
    open_ = [link for link in links if link.declaration.rate and _may_have_rate(link)]
    other = [f"give {link.name} a {link.declaration.rate}" for link in open_[:1]]
    if addresses:
        other.append(f"name what to look for by its address: {', '.join(addresses)}")
    return (
        f"chain must have a live learning_rate to look for, and that of {names} has none; "
        f"{', or '.join(other) or 'nothing in it may change while training'}"
    )


def _may_have_rate(link: Link) -> bool:
    declared = link.declaration.hyperparameter(link.declaration.rate)
    return declared.live and declared.optional


def is_rate(chain: Chain, address: str) -> bool:
    """Return whether an address is a learning rate, of the whole chain or of a group."""
    label, _, name = address.rpartition(".")
    link = dict(chain.labelled()).get(label)
    return link is not None and name in (link.declaration.rate, "learning_rate")


def is_main_rate(chain: Chain, address: str) -> bool:
    """Return whether an address is the learning rate of the whole chain."""
    return chain.rate is not None and chain.resolve(chain.rate) == address

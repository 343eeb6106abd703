"""How sharply the loss is curved where training begins, and which rates that allows."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lrwidget import _checks
from lrwidget._numbers import number, short_rate
from lrwidget.finding._arguments import check_calls, check_task
from lrwidget.finding._cancel import CancelFlag, check_cancelled
from lrwidget.finding._critical import Edge, critical_rate
from lrwidget.finding._curvature_words import meaning
from lrwidget.finding._measured import measured
from lrwidget.finding._price import FORWARD, PRODUCT
from lrwidget.optimizers import Chain, Link, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from lrwidget.finding._first_look import FirstLook
    from lrwidget.finding._response import Reading, Responses
    from lrwidget.finding._start import Start
    from lrwidget.training import Task, Trainer

# They only ever make a step smaller; without them the edge is a lower bound of that with them.
_CLIPPING = ("clip_by_global_norm", "clip", "clip_by_block_rms", "adaptive_grad_clip")

# Two updates that differ by no more are the same but for rounding and the rate.
_IN_PROPORTION = 1e-2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curvature:
    """The curvature of the training loss, on one batch, and the rates that it allows.

    Attributes
    ----------
    sharpness
        The largest eigenvalue of the Hessian ``H`` of the loss; where `preconditioned`, of
        ``P**(-1/2) H P**(-1/2)``, ``P`` being what the optimizer divides each gradient by. None
        where it has no such form; see `curvature`.
    preconditioned
        Whether the optimizer divides the gradients.
    edge
        What rate times sharpness must stay below: 2 for gradient descent, ``2 (1 + m)`` with
        momentum, 38 for Adam with ``b1=0.9``. None without a sharpness.
    safe_up_to
        ``edge / sharpness``: up to this rate a small swing across the sharpest valley dies away.
        None without a sharpness, or where the loss curves upwards nowhere.
    critical_rate
        The smallest rate at which one typical update raises the loss of the batch. None where no
        rate does, or where the updates do not go downhill.
    meaning
        All of it in words.
    loss
        The loss of the batch.
    gradient_norm
        The norm of its gradient.
    gradient_steps
        What it cost: a gradient 1, a Hessian-vector product 2, a forward pass 1/3.
    left_out
        Labels of the chain's links without which it was measured; see `find_lr`.
    """

    sharpness: float | None
    preconditioned: bool
    edge: float | None
    safe_up_to: float | None
    critical_rate: float | None
    meaning: str
    loss: float
    gradient_norm: float
    gradient_steps: float
    left_out: tuple[str, ...] = ()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Mark the rates.

        Parameters
        ----------
        ax
            Matplotlib axes whose horizontal axis is the learning rate, such as those of
            `LRSweep.plot`; by default those of a new figure, which shows the two alone.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from lrwidget.plotting import plot_curvature  # matplotlib, only when drawn

        return plot_curvature(self, ax)

    def __repr__(self) -> str:
        """Return the numbers in one line."""
        sharpness = "none" if self.sharpness is None else number(self.sharpness)
        kind = " (preconditioned)" if self.preconditioned else ""
        safe = "not known" if self.safe_up_to is None else short_rate(self.safe_up_to, 3)
        critical = "none" if self.critical_rate is None else short_rate(self.critical_rate, 3)
        return (
            f"Curvature: sharpness {sharpness}{kind}, safe up to {safe}, "
            f"critical rate {critical}, {self.gradient_steps:.0f} gradient steps"
        )


def curvature(
    task: Task,
    chain: Chain | Link,
    *,
    start: Literal["current"] | Trainer | None = None,
    seed: int = 0,
    iterations: int = 10,
    cancel: CancelFlag | None = None,
) -> Curvature:
    r"""Measure the sharpness of the loss and the critical rate where training begins.

    Parameters
    ----------
    task
        What is trained.
    chain
        The optimizer chain, or its one link. Links that choose the size of the steps themselves
        are left out; see `find_lr`.
    start
        None for the task's initial weights; ``"current"`` for those that the model object has
        now; a `Trainer` for where its run is, which is paused meanwhile and goes on after.
    seed
        Which batches and which randomness: 0 for those that the run has first. Integer >= 0.
    iterations
        Hessian-vector products for the sharpness, 1 to 100. Five find it within a tenth, ten
        within a hundredth on the networks that we tried.
    cancel
        A `threading.Event` or the like; when set, what is measured next raises a `CancelledError`.

    Returns
    -------
    Curvature

    Raises
    ------
    CancelledError
        If `cancel` was set.
    NothingToMeasureError
        A `ValueError`: if the loss or the gradient is not finite at the start, or the gradient is
        zero.
    TypeError
        If an argument is not as described, or the model has complex parameters, of which the
        Hessian is no matrix that Lanczos can be given.
    ValueError
        If an argument is not as described, or the chain has several learning rates.

    Notes
    -----
    **Sharpness.** By Lanczos with full re-orthogonalisation, on the loss of the first batch with
    its dropout masks and its BatchNorm statistics. On a quadratic, gradient descent at the rate
    :math:`r` converges where :math:`r \lambda < 2`, and heavy-ball momentum where
    :math:`r \lambda < 2 (1 + m)`; Adam's edge is at
    :math:`r \lambda(P^{-1} H) = (2 + 2 b_1) / (1 - b_1)` (Cohen et al. 2021, arXiv 2103.00065;
    2022, arXiv 2207.14484). None of these is written down here: the chain is given gradients of
    the size of the first four batches' (their root mean square) which change their sign at every
    step, as they do at the edge, and its updates tell both what it divides by and what its momentum
    makes of it. ``P`` is so that of an optimizer that has seen 64 gradients like these and nothing
    before, in the middle of a run as well: there its own is larger where gradients have become
    smaller, and the rate errs on the safe side. For weights that had no gradient on these batches
    nothing is measured.

    Where an update is not of this form there is no sharpness: sign descent and Lion, whose
    step does not get smaller in a valley; Muon, LAMB, LARS and others that treat a matrix or a
    layer as a whole; those that find their rate themselves. Clipping is left out where it is at
    work, which errs on the safe side.

    **Critical rate.** Of the chain as it is, with clipping and weight decay, by forward passes on
    the first batch (arXiv 2601.16979): at most 9, or 18 where updates are not in proportion to the
    rate and are asked for at each rate anew. The update is that after 16 gradients of four batches
    at unmoved weights, so that momentum and denominators are built up. On a quadratic, along the
    gradient :math:`g`, it is :math:`2\, g \cdot g / (g \cdot H g)`, never below
    :math:`2 / \lambda`. Where a chain's rate cannot be set, it is the number that is compiled in
    times the factor by which updates may be larger.

    Examples
    --------
    >>> curvature(task, chain)  # doctest: +SKIP
    Curvature: sharpness 3.93, safe up to 0.508, critical rate 1.1, 27 gradient steps
    """
    from lrwidget.finding._start import started  # JAX, which a finished measurement does without

    check_task(task)
    check_calls(None, cancel)
    seed = _checks.integer("seed", seed, low=0)
    iterations = _checks.integer("iterations", iterations, low=1, high=100)
    chain, left_out = measured(chain_of(chain))
    with started(task, chain, start) as begin:
        return curvature_at(
            begin,
            seed=seed,
            iterations=iterations,
            left_out=left_out,
            check=functools.partial(check_cancelled, cancel),
        )


def curvature_at(
    start: Start,
    *,
    seed: int = 0,
    iterations: int = 10,
    left_out: tuple[str, ...] = (),
    look: FirstLook | None = None,
    check: Callable[[], object] | None = None,
) -> Curvature:
    """Do what `curvature` does, from a state that is at hand.

    Parameters
    ----------
    start
        The state, with the chain that is measured.
    seed, iterations
        As `curvature` has them.
    left_out
        What to say was left out.
    look
        The first look at `seed`, where it has been taken; then its cost is not counted again.
    check
        Called before the chain is asked, before the products, and before each forward pass; what
        it raises ends the measurement.
    """
    from lrwidget.finding._first_look import NothingToMeasureError, first_look
    from lrwidget.finding._response import Responses

    check = check or _go_on
    check()
    spent = 0.0
    if look is None:
        look = first_look(start, replica=seed)
        spent = look.gradient_steps
    if look.complex:
        raise TypeError(
            "the parameters must be real for their curvature to be measured, got complex ones; "
            "find_lr, probe and advise take them"
        )
    if look.trouble is not None:
        raise NothingToMeasureError(look.trouble)
    responses = Responses(start, start.chain, look.sample, check)
    reading, without = responses.reading(), False
    if reading is None:
        bare = _unclipped(start.chain)
        if bare is not None:
            reading = Responses(start, bare, look.sample, check).reading()
            without = reading is not None
    sharpness = edge = safe = None
    if reading is not None:
        sharpness, edge, safe = _sharpness(start, look, reading, iterations, seed, check)
        spent += PRODUCT * iterations
    found, rate, updates = _critical(start, look, responses, safe, check)
    spent += FORWARD * found.passes
    if responses.dear:
        spent += PRODUCT * responses.warm * updates
    preconditioned = reading is not None and not reading.uniform
    return Curvature(
        sharpness=sharpness,
        preconditioned=preconditioned,
        edge=edge,
        safe_up_to=safe,
        critical_rate=rate,
        meaning=meaning(
            sharpness, edge, safe, rate, found, preconditioned, without, first=start.step == 0
        ),
        loss=look.losses[0],
        gradient_norm=look.gradient_norms[0],
        gradient_steps=spent,
        left_out=left_out,
    )


def _go_on() -> None:
    pass


def _unclipped(chain: Chain) -> Chain | None:
    links = [link for link in chain.links if link.name not in _CLIPPING]
    if len(links) == len(chain.links) or not links or links[-1].declaration.wraps:
        return None
    return Chain(*links, groups=chain.groups)


# ---- sharpness ----------------------------------------------------------------------------------


def _sharpness(
    start: Start,
    look: FirstLook,
    reading: Reading,
    iterations: int,
    seed: int,
    check: Callable[[], object],
) -> tuple[float | None, float | None, float | None]:
    """Return the sharpness, what times the rate must stay below, and the rate."""
    from lrwidget.finding._hessian import largest_eigenvalue

    # What momentum makes of the swing, so that the rest is the Hessian in the optimizer's scale.
    unit = float(reading.answer.max()) if reading.uniform else reading.momentum
    weights = reading.answer / unit
    found = largest_eigenvalue(start, look, weights, iterations=iterations, seed=seed, check=check)
    if not math.isfinite(found):
        return None, None, None
    edge = 2.0 / unit
    return found, edge, edge / found if found > 0.0 else None


# ---- critical rate ------------------------------------------------------------------------------


def _critical(
    start: Start,
    look: FirstLook,
    responses: Responses,
    safe: float | None,
    check: Callable[[], object],
) -> tuple[Edge, float | None, int]:
    """Return what was found, as a rate of the chain, and how often the chain was asked."""
    from lrwidget.finding._hessian import Along
    from lrwidget.finding._response import NOMINAL_RATE

    loss_after = Along(start, look, check)
    loss, asked = look.losses[0], 1
    nominal = NOMINAL_RATE if responses.live else 1.0
    small = responses.typical(nominal)
    slope = small.slope / nominal
    if not (slope < 0.0 and math.isfinite(slope)):
        return Edge(None, 0), None, asked
    # Where the slope alone would bring the loss to zero; the sharpness knows better.
    guess = abs(loss) / -slope if loss else 1.0 / -slope
    guess = min(guess, 2.0 * safe) if safe is not None else guess
    found = Edge(None, 0)
    in_proportion = True
    if responses.live:
        asked += 1
        in_proportion = _alike(responses.typical(guess).update, small.update, guess / nominal)
    if in_proportion:
        found = critical_rate(lambda r: loss_after(small.update, r / nominal), loss, slope, guess)
        if found.rate is not None and responses.live:
            asked += 1
            there = responses.typical(found.rate).update
            in_proportion = _alike(there, small.update, found.rate / nominal)
            guess = found.rate
    if not in_proportion:
        # The edge is the chain's own only where each rate gets its own update.
        before = found.passes
        found = critical_rate(lambda r: loss_after(responses.typical(r).update), loss, slope, guess)
        asked += found.passes
        found = dataclasses.replace(found, passes=found.passes + before)
    if found.rate is None:
        return found, None, asked
    return found, found.rate * (1.0 if responses.live else responses.static_rate), asked


def _alike(large: Any, small: Any, factor: float) -> bool:
    from lrwidget.finding._response import flat

    one, other = flat(large), factor * flat(small)
    return bool(np.linalg.norm(one - other) <= _IN_PROPORTION * np.linalg.norm(one))

"""The gradient noise scale: how large a batch has to be for its gradient to be worth its price."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from lrwidget import _checks
from lrwidget._numbers import number
from lrwidget.finding._arguments import check_calls, check_task
from lrwidget.finding._cancel import CancelFlag, check_cancelled
from lrwidget.finding._refusals import trouble_at_start
from lrwidget.finding._student import t_quantile
from lrwidget.optimizers import Chain, make

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from lrwidget.training import Task, Trainer
    from lrwidget.training._pass_source import PassSource

_FEWEST, _MOST = 3, 1000
_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseScale:
    """The gradient noise scale, and what it says of the batch size.

    Attributes
    ----------
    noise_scale
        In examples: the batch size at which the noise of a batch's gradient is as large as the
        gradient. Infinite where the noise hides the gradient altogether.
    low, high
        The 95 % interval; `high` is infinite where the gradient may be zero for all we see.
    batch_size
        Examples in a batch now.
    batches
        Batches that were looked at.
    gradient_squared
        Estimate of the squared norm of the noiseless gradient; below zero where noise hides it.
    trace
        Estimate of the trace of the covariance of one example's gradient.
    meaning
        What it says of the batch size, in words.
    gradient_steps
        What it cost: one for each batch.
    """

    noise_scale: float
    low: float
    high: float
    batch_size: int
    batches: int
    gradient_squared: float
    trace: float
    meaning: str
    gradient_steps: float

    def progress(self, batch_size: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return how much a step of such a batch achieves, as a share of a noiseless step's.

        ``1 / (1 + noise_scale / batch_size)``, at the best learning rate for each.
        """
        size = np.asarray(batch_size, np.float64)
        return np.asarray(1.0 / (1.0 + self.noise_scale / size))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what a step achieves over the batch size.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; by default those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from lrwidget.plotting import plot_noise_scale  # matplotlib, only when drawn

        return plot_noise_scale(self, ax)

    def __repr__(self) -> str:
        """Return the numbers in one line."""
        return (
            f"NoiseScale: {number(self.noise_scale)} examples "
            f"({number(self.low)} to {number(self.high)}), "
            f"batch size {self.batch_size}, {self.gradient_steps:.0f} gradient steps"
        )


def noise_scale(
    task: Task,
    *,
    start: Literal["current"] | Trainer | None = None,
    batches: int = 16,
    seed: int = 0,
    cancel: CancelFlag | None = None,
) -> NoiseScale:
    r"""Estimate the gradient noise scale at one state.

    Parameters
    ----------
    task
        What is trained.
    start
        None for the task's initial weights; ``"current"`` for those that the model object has
        now; a `Trainer` for where its run is. The noise scale grows while training, mostly by a
        lot, since the gradient gets smaller and its noise does not: one at the start is a lower
        bound of what comes.
    batches
        Batches to look at, 3 to 1000. At most one pass over the data is used: batches that share
        examples would tell of less noise than there is.
    seed
        Which order of the data; 0 for that of a run. Integer >= 0.
    cancel
        A `threading.Event` or the like; when set, the next batch raises a `CancelledError`.

    Returns
    -------
    NoiseScale

    Raises
    ------
    CancelledError
        If `cancel` was set.
    NothingToMeasureError
        A `ValueError`: if the loss or the gradient of a batch is not finite, or the gradients are
        exactly zero.
    TypeError, ValueError
        If an argument is not as described, or a pass has fewer than 3 batches.

    Notes
    -----
    The simple noise scale :math:`\mathrm{tr}(\Sigma) / |G|^2` of McCandlish et al. 2018 (arXiv
    1812.06162, appendix A.1), from the norms of the gradients of batches of :math:`B` examples and
    of all :math:`n` of them together:

    .. math::

        |G|^2 = \frac{n |\bar g|^2 - \overline{|g|^2}}{n - 1}, \qquad
        \mathrm{tr}(\Sigma) = B\, \frac{n}{n - 1} \left(\overline{|g|^2} - |\bar g|^2\right),

    both unbiased; their ratio is not quite. The interval is Fieller's, with the covariance of the
    two from leaving out each batch in turn (jackknife). A model whose batch statistics couple the
    examples (BatchNorm) has no noise per example; the figure is then that of its batch size.

    The gradients of all batches are kept on the host until the end.

    Examples
    --------
    >>> noise_scale(task)  # doctest: +SKIP
    NoiseScale: 212 examples (124 to 391), batch size 64, 16 gradient steps
    """
    # JAX, which a finished estimate does without
    from lrwidget.finding._first_look import NothingToMeasureError, gradients
    from lrwidget.finding._response import flat
    from lrwidget.finding._start import started

    check_task(task)
    check_calls(None, cancel)
    batches = _checks.integer("batches", batches, low=_FEWEST, high=_MOST)
    seed = _checks.integer("seed", seed, low=0)
    # Nothing is trained; a chain is only how a state is asked for.
    with started(task, Chain(make("sgd", learning_rate=1.0)), start) as begin:
        source = begin.runner.source
        there = source.steps_per_epoch
        if there is None:  # of an iterable only a pass tells, which need not be read any farther
            there = cast("PassSource", source).first_length(batches)
        if there is not None and there < _FEWEST:
            raise ValueError(
                f"train must give at least {_FEWEST} batches in a pass for the noise between them "
                f"to be seen, got {there} of {source.size} examples: a smaller batch_size gives "
                "more"
            )
        count = batches if there is None else min(batches, there)
        rows = []
        check_cancelled(cancel)
        for loss, grads, *_ in gradients(begin, count, replica=seed):
            rows.append(flat(grads).astype(np.float32))
            norm = float(np.abs(rows[-1]).max(initial=0.0))
            # One batch that is not finite is enough; of gradients all must be zero.
            trouble = trouble_at_start([float(loss)], [norm or 1.0])
            if trouble is None and len(rows) == count:
                trouble = trouble_at_start([0.0], [float(np.abs(row).max()) for row in rows])
            if trouble is not None:
                raise NothingToMeasureError(trouble)
            check_cancelled(cancel)
        return estimated(np.stack(rows), source.size)


def estimated(gradients: npt.NDArray[np.floating], batch_size: int) -> NoiseScale:
    """Return the noise scale of the gradients of some batches.

    Parameters
    ----------
    gradients
        Shape (batches, weights).
    batch_size
        Examples in each batch.
    """
    count = len(gradients)
    products = gradients.astype(np.float64) @ gradients.T.astype(np.float64)
    if not np.isfinite(products).all():
        raise ValueError("the gradients must be finite for their noise to be measured, got others")
    trace, squared = _estimates(products, batch_size)
    left_out = np.array(
        [_estimates(np.delete(np.delete(products, i, 0), i, 1), batch_size) for i in range(count)]
    )
    covariance = (count - 1) * np.cov(left_out.T, bias=True)
    t = t_quantile(0.5 + 0.5 * _CONFIDENCE, count - 1)
    low, high = _fieller(trace, squared, covariance, t)
    scale = trace / squared if squared > 0.0 else math.inf
    return NoiseScale(
        noise_scale=scale,
        low=min(low, scale),
        high=max(high, scale),
        batch_size=batch_size,
        batches=count,
        gradient_squared=squared,
        trace=trace,
        meaning=_meaning(scale, low, high, batch_size),
        gradient_steps=float(count),
    )


def _estimates(products: npt.NDArray[np.float64], batch_size: int) -> tuple[float, float]:
    count = len(products)
    small, big = float(np.trace(products)) / count, float(products.sum()) / count**2
    squared = (count * big - small) / (count - 1)
    trace = batch_size * count / (count - 1) * (small - big)
    return trace, squared


def _fieller(
    above: float, below: float, covariance: npt.NDArray[np.float64], t: float
) -> tuple[float, float]:
    """Return the interval of a ratio: all R with ``|above - R below|`` within t deviations."""
    (vaa, vab), (_, vbb) = covariance * t * t
    a, b, c = below**2 - vbb, above * below - vab, above**2 - vaa
    if below <= 0.0 < a:
        return above / math.sqrt(vbb) if vbb > 0.0 else math.inf, math.inf
    inside = b * b - a * c
    if inside < 0.0:
        return 0.0, math.inf
    roots = sorted((b + sign * math.sqrt(inside)) / a if a else math.inf for sign in (-1.0, 1.0))
    if a > 0.0:
        return max(roots[0], 0.0), max(roots[1], 0.0)
    # The gradient may be zero: what is left of the ratios > 0 goes on without end.
    positive = [root for root in roots if root > 0.0 and math.isfinite(root)]
    return (max(positive) if positive else 0.0), math.inf


def _meaning(scale: float, low: float, high: float, batch_size: int) -> str:
    if not math.isfinite(scale):
        return (
            f"The noise hides the gradient: batches of {batch_size} differ so much that none is "
            "left in their mean. The noise scale is at least "
            f"{number(low, 2)} examples; more batches would tell."
        )
    share = 1.0 / (1.0 + scale / batch_size)
    text = (
        f"A batch of {batch_size} achieves {share:.0%} of a step without noise. From about "
        f"{number(scale, 2)} examples on (between {number(low, 2)} and {number(high, 2)}) larger "
        "batches pay less and less. "
    )
    if batch_size < scale / 2.0:
        return text + (
            "Twice the batch size would come nearly as far in half the steps, at about twice the "
            "learning rate."
        )
    if batch_size > 2.0 * scale:
        return text + (
            "Half the batch size would come about as far in as many steps, at half the price."
        )
    return text + "The batch size is a fair compromise between steps and examples."

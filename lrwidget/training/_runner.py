"""The compiled training step, run in chunks: one trace for a whole run, whatever is changed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from lrwidget import optimizers
from lrwidget.optimizers import Chain
from lrwidget.training._arrays import PyTree, strong
from lrwidget.training._batches import Chunk, Source
from lrwidget.training._effective import EffectiveRates
from lrwidget.training._randomness import step_root

if TYPE_CHECKING:
    from lrwidget.training._task import Task

Dispatch = Literal["auto", "loop", "step"]

GRADIENT_NORM = "gradient_norm"
UPDATE_RATIO = "update_ratio"
MEASURES = (GRADIENT_NORM, UPDATE_RATIO)
"""What a step can measure besides; see `Trainer`."""

# A chunk this long, by one measure or the other, tells how fast its form is.
_TELLING_STEPS = 16
_TELLING_SECONDS = 0.02


class Carry(NamedTuple):
    """What a step changes."""

    params: PyTree
    state: PyTree  # BatchNorm statistics, an NNX model's own random streams, …
    opt_state: PyTree


class Out(NamedTuple):
    """What a chunk reports, perhaps before it has been computed."""

    buffer: jax.Array  # float32, shape (max_chunk, columns)
    steps: int

    def read(self) -> npt.NDArray[np.float32]:
        """Wait for the chunk and return one row per step, shape (steps, columns)."""
        return np.asarray(self.buffer)[: self.steps]


class Runner:
    """The training step of a task under a chain, compiled once.

    The hyperparameters of every step are data. A chunk is one compiled loop with a run-time trip
    count and buffers of fixed size, so that neither an edit nor another chunk length can cause a
    trace. Get one from `Task.runner`, which keeps them; several runs may share it.

    Parameters
    ----------
    task, chain
        What is trained, and how.
    addresses
        The live hyperparameters, full addresses in the chain's order.
    dispatch
        ``"loop"``, ``"step"`` or ``"auto"``; see `Task.runner`.
    source
        The training data; its batch size is compiled in.
    measure
        Which of `MEASURES` each step reports.

    Attributes
    ----------
    addresses
        The columns of the rows that `run` takes.
    reports
        What the chain's links tell of themselves, as addresses such as ``"prodigy.estim_lr"``.
    columns
        The columns of what it reports: ``"loss"``, then the loss function's metrics, then
        `reports`, then what `measure` asks for.
    effective_rates
        What each group is really trained with, as columns.
    max_chunk
        Steps of the longest chunk.
    needs
        What the chain's update asks for besides gradients; see `Chain.needs`.
    traces
        How often the step has been traced so far.
    usual_chunk
        Steps that fill a chunk's time, as the last run found; a hint to the next.
    source
        The training data that its steps pick their batches from.
    tx
        The Optax transformation, whose state is ``carry.opt_state``.
    """

    def __init__(
        self,
        task: Task,
        chain: Chain,
        addresses: tuple[str, ...],
        dispatch: Dispatch,
        source: Source,
        measure: tuple[str, ...] = (),
    ):
        self.addresses = addresses
        self.reports = chain.reports()
        self.measure = measure
        self.columns = ("loss", *task.metrics, *self.reports, *measure)
        self.effective_rates = EffectiveRates(chain, addresses)
        self.source = source
        self.max_chunk = source.max_chunk
        self.traces = 0
        self.usual_chunk = 1
        self.tx: optax.GradientTransformation = chain.live(addresses)
        self._task = task
        # A static mask is part of what is compiled, and known by its identity.
        self._chain = chain
        self._injection = chain.injection(addresses)
        try:
            jax.eval_shape(self.tx.init, task.initial[0])
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"chain must suit the model's parameters, got {chain!r}, which does not: {error}"
            ) from error
        self.needs = chain.needs
        self._evaluated = jax.jit(chain.eval_params) if _evaluates(chain) else None
        self._choice = _Choice(dispatch, convolves=task.convolves)
        self._root = step_root(task.seed)
        self._start = jax.jit(self._initial)
        self._loop = jax.jit(self._run_loop, donate_argnums=0)
        self._single = jax.jit(self._run_single, donate_argnums=(0, 1, 2))
        self._together: dict[Any, Callable[..., Any]] = {}  # for who looks ahead

    @property
    def dispatch(self) -> Literal["loop", "step"]:
        """Whether the next chunk runs as one compiled loop or step by step."""
        return self._choice.form

    def initial(self, start: tuple[PyTree, PyTree] | None = None) -> Carry:
        """Return what a run begins with, in arrays of its own.

        Parameters
        ----------
        start
            Parameters and model state to begin with; default the task's.
        """
        carry: Carry = self._start(*(self._task.initial if start is None else start))
        return carry

    def eval_params(self, carry: Carry) -> PyTree:
        """Return the parameters to evaluate with; see `Chain.eval_params`."""
        if self._evaluated is None:
            return carry.params
        return self._evaluated(carry.opt_state, carry.params)

    def run(
        self,
        carry: Carry,
        start: int,
        rows: npt.NDArray[np.floating[Any]],
        chunk: Chunk,
        valid_value: jax.Array | float = math.nan,
        root: jax.Array | None = None,
    ) -> tuple[Carry, Out]:
        """Take the steps of `chunk`; does not wait for them.

        Parameters
        ----------
        carry
            What the run is at. Its arrays are given up.
        start
            The first step's number in the run, from which it has its randomness.
        rows
            The hyperparameters of each step, of shape (steps, addresses); float64 if they can be,
            although the step gets them in float32: one minus a decay rate is taken before.
        chunk
            The batches: ``stream.take(steps)``.
        valid_value
            The validation loss, if it was taken just before these steps; for links that ask for
            it. On the device it need not have been computed yet.
        root
            The key that the steps' randomness is folded from; default that of the task's seed.

        Returns
        -------
        tuple
            What the run is at after the steps, and what they report.

        Raises
        ------
        ValueError
            If `rows` does not have the shape that `chunk` asks for.
        """
        if rows.shape != (chunk.steps, len(self.addresses)):
            raise ValueError(
                f"rows must have the shape (steps, addresses) = "
                f"{(chunk.steps, len(self.addresses))}, got {rows.shape}"
            )
        padded = np.zeros((self.max_chunk, len(self._injection.names)), np.float32)
        padded[: chunk.steps] = self._injection.columns(rows)
        # A number as JAX would take it costs a conversion, and that a compile.
        on_device = isinstance(valid_value, jax.Array)
        valid = jnp.asarray(valid_value, jnp.float32) if on_device else np.float32(valid_value)
        root = self._root if root is None else root
        form = self._choice.form
        began, traces = time.perf_counter(), self.traces
        if form == "loop":
            carry, buffer = self._loop(
                carry, np.int32(start), np.int32(chunk.steps), padded, chunk.feed, valid, root
            )
        else:
            carry, buffer = self._step_by_step(carry, start, padded, chunk, valid, root)
        if self._choice.measuring:
            buffer.block_until_ready()
            if self.traces == traces:  # else the time is the compiler's
                self._choice.measured(form, chunk.steps, time.perf_counter() - began)
        buffer.copy_to_host_async()
        return carry, Out(buffer, chunk.steps)

    def run_side_by_side(
        self,
        carries: Carry,
        start: int,
        rows: npt.NDArray[np.float64],
        chunks: Chunk | Sequence[Chunk],
        roots: Sequence[jax.Array] | None = None,
    ) -> tuple[Carry, npt.NDArray[np.float32]]:
        """Take the steps of one chunk from several states at once, and wait for them.

        Parameters
        ----------
        carries
            What each is at, stacked.
        start
            The first step's number.
        rows
            Their hyperparameters, shape (states, steps, addresses).
        chunks
            The batches: one chunk for all, or one of each, of equal lengths.
        roots
            The key that each one's randomness is folded from; default the task's for all.

        Returns
        -------
        tuple
            What each is at after the steps, and what they report, (states, steps, columns).
        """
        first = chunks if isinstance(chunks, Chunk) else chunks[0]
        feed, axes = first.feed, None
        if not isinstance(chunks, Chunk):
            feed, axes = _side_by_side([chunk.feed for chunk in chunks])
        root, root_axis = (self._root, None) if roots is None else (jnp.stack(list(roots)), 0)
        key = (None if axes is None else tuple(axes), root_axis)
        if key not in self._together:
            places = None if axes is None else jax.tree.unflatten(jax.tree.structure(feed), axes)
            self._together[key] = jax.jit(
                jax.vmap(self._run_loop, (0, None, None, 0, places, None, root_axis))
            )
        padded = np.zeros((len(rows), self.max_chunk, len(self._injection.names)), np.float32)
        for place, each in enumerate(rows):
            padded[place, : first.steps] = self._injection.columns(each)
        traces = self.traces
        carries, buffer = self._together[key](
            carries,
            np.int32(start),
            np.int32(first.steps),
            padded,
            feed,
            np.float32(math.nan),
            root,
        )
        self.traces = traces  # those of the step that runs take are what is counted
        return carries, np.asarray(buffer)[:, : first.steps]

    def _step_by_step(
        self,
        carry: Carry,
        start: int,
        padded: npt.NDArray[np.float32],
        chunk: Chunk,
        valid: jax.Array | np.float32,
        root: jax.Array,
    ) -> tuple[Carry, jax.Array]:
        # Everything that a step needs is on the device before the first one, the count of steps
        # included: handing out a step then costs a lookup and no transfer.
        rows, first = jnp.asarray(padded), jnp.asarray(np.int32(start))
        place, buffer, valid = jnp.asarray(np.int32(0)), self._buffer(), jnp.asarray(valid)
        feed = jax.tree.map(jnp.asarray, chunk.feed)
        for _ in range(chunk.steps):
            carry, buffer, place = self._single(
                carry, buffer, place, first, rows, feed, valid, root
            )
        return carry, buffer

    # ---- traced ---------------------------------------------------------------------------------

    def _initial(self, params: PyTree, state: PyTree) -> Carry:
        # Copied, since a chunk gives up the arrays that it starts from.
        params, state = jax.tree.map(jnp.copy, (params, state))
        carry: Carry = jax.tree.map(strong, Carry(params, state, self.tx.init(params)))
        return carry

    def _run_loop(
        self,
        carry: Carry,
        start: jax.Array,
        steps: jax.Array,
        rows: jax.Array,
        feed: PyTree,
        valid: jax.Array,
        root: jax.Array,
    ) -> tuple[Carry, jax.Array]:
        def body(place: jax.Array, before: tuple[Carry, jax.Array]) -> tuple[Carry, jax.Array]:
            return self._step(*before, place, start, rows, feed, valid, root)

        after: tuple[Carry, jax.Array] = jax.lax.fori_loop(0, steps, body, (carry, self._buffer()))
        return self._written(after[0], rows, steps - 1), after[1]

    def _run_single(
        self,
        carry: Carry,
        buffer: jax.Array,
        place: jax.Array,
        start: jax.Array,
        rows: jax.Array,
        feed: PyTree,
        valid: jax.Array,
        root: jax.Array,
    ) -> tuple[Carry, jax.Array, jax.Array]:
        carry, buffer = self._step(carry, buffer, place, start, rows, feed, valid, root)
        return self._written(carry, rows, place), buffer, place + 1

    def _step(
        self,
        carry: Carry,
        buffer: jax.Array,
        place: jax.Array,
        start: jax.Array,
        rows: jax.Array,
        feed: PyTree,
        valid: jax.Array,
        root: jax.Array,
    ) -> tuple[Carry, jax.Array]:
        self.traces += 1
        step = start + place
        batch = self.source.pick(feed, step, place)
        key = jax.random.fold_in(root, step)
        gradient: Callable[..., Any] = jax.value_and_grad(self._task.loss, has_aux=True)
        (loss, (metrics, state)), grads = gradient(carry.params, carry.state, batch, key)
        opt_state = self._write(carry.opt_state, rows, place)

        def value_fn(params: PyTree) -> jax.Array:
            return self._task.loss(params, carry.state, batch, key)[0]

        # What is aligned with updates or with moves of the parameters must not be the conjugate.
        gradients = uphill(grads)
        # Only the first step after a validation pass hears of it.
        extra = {
            "value": loss,
            "grad": gradients,
            "value_fn": value_fn,
            "obj_fn": value_fn,
            "valid_value": jnp.where(place == 0, valid, jnp.nan),
        }
        needed = {name: value for name, value in extra.items() if name in self.needs}
        updates, opt_state = self.tx.update(gradients, opt_state, carry.params, **needed)
        # What a step writes, the next one overwrites: left as it came, it costs a loop nothing.
        opt_state = opt_state._replace(hyperparams=carry.opt_state.hyperparams)
        params = optax.apply_updates(carry.params, updates)
        told = optimizers.reports(opt_state) if self.reports else {}
        measures = [loss, *(metrics[name] for name in self._task.metrics)]
        measures += [told[name] for name in self.reports]
        measures += [self._measured(name, grads, updates, carry.params) for name in self.measure]
        report = jnp.stack([measure.astype(jnp.float32) for measure in measures])
        after = jax.tree.map(_as_before, Carry(params, state, opt_state), carry)
        return after, buffer.at[place].set(report)

    def _measured(self, name: str, grads: PyTree, updates: PyTree, params: PyTree) -> jax.Array:
        if name == GRADIENT_NORM:
            return _norm(grads)
        return _norm(updates) / _norm(params)

    def _write(self, opt_state: Any, rows: jax.Array, place: jax.Array) -> Any:
        row = jax.lax.dynamic_index_in_dim(rows, place, keepdims=False)
        return optimizers.write_hyperparameters(opt_state, self._injection.names, row)

    def _written(self, carry: Carry, rows: jax.Array, place: jax.Array) -> Carry:
        return carry._replace(opt_state=self._write(carry.opt_state, rows, place))

    def _buffer(self) -> jax.Array:
        return jnp.zeros((self.max_chunk, len(self.columns)), jnp.float32)


def uphill(grads: PyTree) -> PyTree:
    """Return the direction in which the loss rises fastest.

    Of complex parameters `jax.grad` gives the conjugate of it, with which every optimizer would
    climb along the imaginary axis.
    """
    return jax.tree.map(lambda g: jnp.conj(g) if jnp.iscomplexobj(g) else g, grads)


def _side_by_side(feeds: list[PyTree]) -> tuple[PyTree, list[int | None]]:
    """Return the feeds of several states as one, and which of its arrays have an axis of states.

    What is the same array in all of them, the data set say, is not copied for each.
    """
    structure = jax.tree.structure(feeds[0])
    leaves = list(zip(*map(jax.tree.leaves, feeds), strict=True))
    shared = [all(leaf is same[0] for leaf in same) for same in leaves]
    together = [
        same[0] if one else jnp.stack(same) for one, same in zip(shared, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, together), [None if one else 0 for one in shared]


def _norm(tree: PyTree) -> jax.Array:
    # Of complex numbers it is that of their absolute values; a cast would drop half of each.
    sizes = [jnp.abs(x) if jnp.iscomplexobj(x) else x for x in jax.tree.leaves(tree)]
    squares = [jnp.sum(jnp.square(x.astype(jnp.float32))) for x in sizes]
    return jnp.sqrt(jnp.sum(jnp.stack(squares)))


def _evaluates(chain: Chain) -> bool:
    return any(link.declaration.evaluate for _, link in chain.labelled())


class _Choice:
    """Which form a runner's chunks have.

    An accelerator decides by measuring: one chunk of each form is timed once it is compiled and
    long enough to tell, and the faster form is kept.
    """

    def __init__(self, dispatch: Dispatch, *, convolves: bool):
        self.measuring = False
        self.form: Literal["loop", "step"] = "loop"
        self._seconds: dict[str, float] = {}
        if dispatch != "auto":
            self.form = dispatch
        elif jax.default_backend() == "cpu":
            # XLA's loops run convolutions 15 to 30 times slower there (jax-ml/jax#12868).
            self.form = "step" if convolves else "loop"
        else:
            self.measuring = True

    def measured(self, form: Literal["loop", "step"], steps: int, seconds: float) -> None:
        """Note the time of a chunk."""
        if steps < _TELLING_STEPS and seconds < _TELLING_SECONDS:
            return
        self._seconds[form] = seconds / steps
        if "step" not in self._seconds:
            self.form = "step"
            return
        self.form = "loop" if self._seconds["loop"] <= self._seconds["step"] else "step"
        self.measuring = False


def _as_before(new: jax.Array, old: jax.Array) -> jax.Array:
    # What a loop carries keeps its types: bfloat16 statistics averaged in float32 go back.
    return strong(new, old.dtype)

"""`Task`: what is trained."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any

import jax

from lrwidget import _checks
from lrwidget.optimizers import Chain, chain_of
from lrwidget.training._adapters import Adapter, FirstRun, adapter
from lrwidget.training._arrays import PyTree, copied
from lrwidget.training._batches import START, Origin, Source, Stream
from lrwidget.training._data import source
from lrwidget.training._evaluation import Evaluator
from lrwidget.training._functions import UserFunction
from lrwidget.training._host_source import DeviceData, check_device_data
from lrwidget.training._identity import outline, told
from lrwidget.training._jaxpr import has_convolution
from lrwidget.training._plan import live_addresses
from lrwidget.training._randomness import step_root, validation_key
from lrwidget.training._runner import Dispatch, Runner


class Task:
    """A model, a loss function and data: what a finder and any number of trainers work on.

    The task copies the model's initial weights and state. Everything starts from these copies
    unless told otherwise, and nothing that runs on the task touches the person's own arrays.

    Parameters
    ----------
    model
        An `flax.nnx.Module`, a Linen module, a `flax.training.train_state.TrainState` (its
        parameters, its ``apply_fn`` and the fields that hold collections, such as
        ``batch_stats``), or a pytree of parameter arrays.
    loss_fn
        ``loss_fn(model, batch[, rngs][, train]) -> loss`` or ``(loss, {name: scalar})``. It gets

        - as ``model`` the NNX module itself; for Linen and TrainState a bound module, called as
          ``model(x, **kwargs)``, whose collections are mutable in training; or the pytree. What
          the model changes in itself, BatchNorm statistics and random streams, is carried on;
        - as ``rngs``, if it has a parameter of this name (or ``rng``, ``key``, or a third one
          without a default), the step's randomness: an `nnx.Rngs`, Linen's dictionary
          ``{"dropout": key, "params": key}``, or for a pytree a key;
        - as ``train``, if it has a parameter of this name, True in steps and False in validation.
    train
        Training data: arrays (a tuple or a dictionary of them with equal leading axes), taken in
        batches and reshuffled every epoch; or an iterable of batches, or a function without
        arguments that returns an iterator of them, one pass being an epoch. A function with a
        parameter called ``epoch`` gets the number of the pass. Batches are any pytrees of arrays
        with equal leading axes. Iterables are read ahead, by a chunk and on a thread of their own;
        iterators with ``get_state`` and ``set_state``, such as grain's, go on from there when a
        run is resumed, others are read again up to the step.
    valid
        Validation data in any of these forms; None for none.
    batch_size
        Examples in a batch, for arrays; at most as many as there are.
    seed
        Of the shuffling, the steps' randomness, and the initial parameters of a Linen module; an
        integer in [0, 2**32).
    eval_fn
        ``eval_fn(model, batch) -> {name: scalar}``, used in validation instead of `loss_fn`.
    variables
        A Linen module's variables. Without them they are ``module.init(jax.random.key(seed), x)``
        for the ``x`` that `loss_fn` gives it.
    device_data
        Whether arrays go to the device as a whole, where each step gathers its batch. If not, they
        stay as they are on the host, must not change while a run uses them, and a thread gathers
        the batches of the next chunk; the order is the same. ``"auto"``: they go there unless they
        take more than a quarter of its memory or are mapped from a file (`numpy.memmap`).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the loss function is traced once to find out.

    Attributes
    ----------
    kind
        ``"nnx"``, ``"linen"``, ``"train_state"`` or ``"pytree"``.
    batch_size
        Examples in a batch of training data.
    seed, device_data
        As given.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    >>> def loss_fn(params, batch):
    ...     x, y = batch
    ...     return jnp.mean((x @ params["w"] - y) ** 2)
    >>> task = Task({"w": jnp.zeros((1, 1))}, loss_fn, train=(x, 2 * x), batch_size=16)
    >>> task.kind, task.steps_per_epoch
    ('pytree', 4)
    """

    def __init__(
        self,
        model: Any,
        loss_fn: Callable[..., Any],
        train: Any,
        valid: Any = None,
        batch_size: int | None = None,
        seed: int = 0,
        eval_fn: Callable[..., Any] | None = None,
        variables: Any = None,
        device_data: DeviceData = "auto",
    ):
        self.seed = _checks.integer("seed", seed, low=0, high=2**32 - 1)
        self.device_data = check_device_data(device_data)
        self.loss_fn = UserFunction("loss_fn", loss_fn)
        self.eval_fn = None if eval_fn is None else UserFunction("eval_fn", eval_fn)
        self.source: Source = source(
            "train", train, batch_size=batch_size, seed=self.seed, device_data=self.device_data
        )
        self.batch_size = self.source.size
        first_run = FirstRun(self._train_call, self.source.first, jax.random.key(self.seed))
        self.adapter: Adapter = adapter(model, variables, first_run)
        self.kind = self.adapter.kind
        self.initial = copied(self.adapter.current())
        self.metrics, self.convolves = self._traced()
        self._evaluator: Evaluator | None = None
        if valid is None and eval_fn is not None:
            raise ValueError("valid must be given where eval_fn is, got None")
        if valid is not None:
            self._evaluator = Evaluator(self, valid)
        self._runners: dict[Any, Runner] = {}
        # What a finder has compiled for this task, kept for the next one; it lives as long.
        self.compiled: dict[Any, Any] = {}
        self._sources: dict[int, Source] = {self.batch_size: self.source}
        # The finder and a trainer may ask from threads of their own.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Task({self.kind}, batch_size={self.batch_size}, seed={self.seed})"

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps in one pass over the training data; None while an iterable has not told."""
        return self.source.steps_per_epoch

    @property
    def evaluator(self) -> Evaluator:
        """The validation pass; ValueError without validation data."""
        if self._evaluator is None:
            raise ValueError("valid must be given to the Task for validation, got None")
        return self._evaluator

    @property
    def validates(self) -> bool:
        """Whether there is validation data."""
        return self._evaluator is not None

    def stream(
        self,
        start: int = 0,
        origin: Origin = START,
        saved: dict[str, Any] | None = None,
    ) -> Stream:
        """Return the batches of a run from step `start` on; see `Source.stream`."""
        return self.source.stream(start, origin, saved)

    def batched(self, batch_size: int | None) -> Source:
        """Return the training data in batches of another size.

        Raises
        ------
        ValueError
            If it brings batches of its own, or has fewer examples.
        """
        size = self.batch_size if batch_size is None else batch_size
        with self._lock:
            if size not in self._sources:
                self._sources[size] = self.source.resized(size)
            return self._sources[size]

    def runner(
        self,
        chain: Chain,
        live: Iterable[str] | None = None,
        dispatch: Dispatch = "auto",
        *,
        batch_size: int | None = None,
        measure: tuple[str, ...] = (),
    ) -> Runner:
        """Return the compiled training of this task under `chain`.

        Runners are kept: chains that differ only in live numbers and schedules share one, so that
        a finder and a trainer compile once.

        Parameters
        ----------
        chain
            The optimizer chain.
        live
            Addresses of the hyperparameters that may change while training; default all. Those
            left out are compiled in as the numbers that they are.
        dispatch
            ``"loop"``: a chunk is one compiled loop. ``"step"``: each step is handed out by
            itself. ``"auto"``: the loop on a CPU unless the model convolves; on an accelerator
            both are measured on the first chunks.
        batch_size
            Examples in a batch; default the task's.
        measure
            What each step measures besides: ``"gradient_norm"``, ``"update_ratio"``.

        Raises
        ------
        TypeError, ValueError
            If an address is unknown, or a scheduled hyperparameter is left out of `live`.
        """
        chain = chain_of(chain)
        dispatch = _checks.choice("dispatch", dispatch, ("auto", "loop", "step"))  # type: ignore[assignment]
        addresses = live_addresses(chain, live)
        compiled_in = tuple(
            (address, chain.value(address))
            for address in chain.addresses()
            if address not in addresses
        )
        source = self.batched(batch_size)
        key = (chain.structure(), addresses, compiled_in, dispatch, source.size, measure)
        with self._lock:
            if key not in self._runners:
                self._runners[key] = Runner(self, chain, addresses, dispatch, source, measure)
            return self._runners[key]

    def evaluate(self, carry: Any) -> dict[str, float]:
        """Return the mean of each measure over the validation data, for what a runner carries."""
        return self.evaluator.read(self.evaluator.start(carry.params, carry.state))

    def current(self) -> tuple[PyTree, PyTree]:
        """Return a copy of (params, state) as the model object holds them now."""
        present: tuple[PyTree, PyTree] = copied(self.adapter.current())
        self._check_alike(present, "the model's present state")
        return present

    def check_start(self, params: PyTree, state: PyTree) -> None:
        """Raise a ValueError unless a run of this task can begin with these."""
        self._check_alike((params, state), "start")

    @functools.cached_property
    def identity(self) -> dict[str, str]:
        """What tells this task's model and data from others, as short texts."""
        return {"model": outline(self.initial[0]), "data": told(self.source)}

    def _check_alike(self, given: tuple[PyTree, PyTree], name: str) -> None:
        forms = [
            [(path, x.shape, x.dtype) for path, x in jax.tree.leaves_with_path(state)]
            for state in (given, self.initial)
        ]
        if forms[0] != forms[1]:
            raise ValueError(
                f"{name} must have the structure, shapes and dtypes of the task's model, and it "
                "has others"
            )

    def loss(
        self, params: PyTree, state: PyTree, batch: PyTree, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], PyTree]]:
        """Return (loss, (metrics, state after)) of a training step; to be traced."""
        bound = self.adapter.bind(params, state, key, train=True)
        returned = self.loss_fn(bound.model, batch, bound.rngs, train=True)
        loss, metrics = self.loss_fn.loss_of(returned)
        return loss, (metrics, bound.state())

    def measures(self, params: PyTree, state: PyTree, batch: PyTree) -> dict[str, jax.Array]:
        """Return the measures of a validation batch; to be traced."""
        bound = self.adapter.bind(params, state, validation_key(self.seed), train=False)
        if self.eval_fn is not None:
            returned = self.eval_fn(bound.model, batch, bound.rngs, train=False)
            return self.eval_fn.metrics_of(returned)
        returned = self.loss_fn(bound.model, batch, bound.rngs, train=False)
        loss, metrics = self.loss_fn.loss_of(returned)
        return {"loss": loss, **metrics}

    def _train_call(self, model: Any, batch: PyTree, rngs: Any) -> Any:
        return self.loss_fn(model, batch, rngs, train=True)

    def _traced(self) -> tuple[tuple[str, ...], bool]:
        # One trace tells the metrics, whether the state keeps its form, and whether there are
        # convolutions; what is wrong shows here and not at the first step of a run.
        params, state = self.initial
        names: tuple[str, ...] = ()

        def trace(params: PyTree, state: PyTree, batch: PyTree, key: jax.Array) -> PyTree:
            nonlocal names
            loss, (metrics, after) = self.loss(params, state, batch, key)
            names = tuple(metrics)  # JAX sorts what it returns
            return loss, metrics, after

        jaxpr, (*_, after) = jax.make_jaxpr(trace, return_shape=True)(
            params, state, self.source.spec, step_root(self.seed)
        )
        _check_carried(state, after)
        return names, has_convolution(jaxpr.jaxpr)


def _check_carried(before: PyTree, after: PyTree) -> None:
    forms = [
        [
            (jax.tree_util.keystr(path), leaf.shape)
            for path, leaf in jax.tree.leaves_with_path(state)
        ]
        for state in (before, after)
    ]
    if forms[0] != forms[1]:
        old, new = (dict(form) for form in forms)
        name = next(n for n in {**old, **new} if old.get(n) != new.get(n))
        raise ValueError(
            "the model's state must keep its structure and shapes in a step, and state"
            f"{name} goes from {old.get(name, 'absent')} to {new.get(name, 'absent')}: what a "
            "model only reports is better returned as a metric"
        )

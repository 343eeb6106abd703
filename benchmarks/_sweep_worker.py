"""One finder in a process of its own: builds its sweep, then runs it each time it is told to.

Called by sweep.py as ``python _sweep_worker.py FINDER NETWORK THREADS``, in the environment that
has the finder. It writes one JSON line when it is ready, and one with the seconds for each line
that it reads.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _bench

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 100
SEEDS = 8
LOW, HIGH = 1e-7, 10.0


def lrwidget(network: _bench.Network, seeds: int = 1) -> tuple[Callable[[], int], str]:
    import _jax_side
    import jax

    from lrwidget import find_lr

    task, chain = _jax_side.task(network), _jax_side.chain(STEPS)

    def call() -> int:
        sweep = find_lr(task, chain, low=LOW, high=HIGH, steps=STEPS, stop_factor=None, seeds=seeds)
        return len(sweep.losses)

    return call, jax.devices()[0].device_kind


def torch_lr_finder(network: _bench.Network) -> tuple[Callable[[], int], str]:
    import torch
    from torch_lr_finder import LRFinder

    device = _device()
    model, loader = _model(network).to(device), _loader(network)
    optimizer, criterion = torch.optim.Adam(model.parameters(), lr=LOW), torch.nn.CrossEntropyLoss()

    def call() -> int:
        finder = LRFinder(model, optimizer, criterion, device=device)
        finder.range_test(
            loader, start_lr=LOW, end_lr=HIGH, num_iter=STEPS, diverge_th=float("inf")
        )
        finder.reset()
        return len(finder.history["loss"])

    return call, device


def fastai(network: _bench.Network) -> tuple[Callable[[], int], str]:
    import torch
    from fastai.callback.schedule import SuggestionMethod
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    loader = _loader(network)
    learner = Learner(
        DataLoaders(loader, loader, device=torch.device(_device())),
        _model(network).to(_device()),
        loss_func=torch.nn.CrossEntropyLoss(),
        # PyTorch's own Adam: faster here than fastai's.
        opt_func=functools.partial(OptimWrapper, opt=torch.optim.Adam),
        path=tempfile.mkdtemp(),
    )
    rules = (
        SuggestionMethod.Valley,
        SuggestionMethod.Slide,
        SuggestionMethod.Minimum,
        SuggestionMethod.Steep,
    )

    def call() -> int:
        with learner.no_bar():
            learner.lr_find(LOW, HIGH, STEPS, stop_div=False, show_plot=False, suggest_funcs=rules)
        return len(learner.recorder.losses)

    return call, _device()


def lightning(network: _bench.Network) -> tuple[Callable[[], int], str]:
    import torch
    from lightning import LightningModule, Trainer
    from lightning.pytorch.tuner import Tuner

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Classifier(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = _model(network)
            self.lr = LOW

        def training_step(self, batch: Any, _: int) -> Any:
            inputs, labels = batch
            return torch.nn.functional.cross_entropy(self.model(inputs), labels)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=self.lr)

    module, loader = Classifier(), _loader(network)
    trainer = Trainer(
        accelerator="gpu" if _device() == "cuda" else "cpu",
        devices=1,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tempfile.mkdtemp(),
    )

    def call() -> int:
        finder = Tuner(trainer).lr_find(
            module,
            train_dataloaders=loader,
            min_lr=LOW,
            max_lr=HIGH,
            num_training=STEPS,
            early_stop_threshold=None,
            update_attr=False,
        )
        finder.suggestion()
        return len(finder.results["loss"])

    return call, _device()


OURS = "lrwidget"
OURS_OF_SEEDS = f"lrwidget, {SEEDS} seeds"
FINDERS = {
    OURS: (lrwidget, ("lrwidget", "jax", "optax")),
    OURS_OF_SEEDS: (functools.partial(lrwidget, seeds=SEEDS), ("lrwidget", "jax", "optax")),
    "torch-lr-finder": (torch_lr_finder, ("torch-lr-finder", "torch")),
    "fastai": (fastai, ("fastai", "torch")),
    "Lightning": (lightning, ("lightning", "torch")),
}


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _model(network: _bench.Network) -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Linear(network.inputs, network.hidden),
        nn.ReLU(),
        nn.Linear(network.hidden, network.outputs),
    )


def _loader(network: _bench.Network) -> Any:
    """Return the fastest loader that PyTorch has: whole batches by index, data on the device."""
    import torch
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(network.outputs, (network.examples,), generator=generator)
    centres = torch.randn(network.outputs, network.inputs, generator=generator)
    noise = torch.randn(network.examples, network.inputs, generator=generator)
    inputs = centres[labels] + 2.0 * noise
    data = TensorDataset(inputs.to(_device()), labels.to(_device()))
    sampler = BatchSampler(RandomSampler(data), network.batch_size, drop_last=True)
    return DataLoader(data, sampler=sampler, batch_size=None)


def main() -> None:
    """Answer on the true standard output; whatever the finders print goes nowhere."""
    finder, network, threads = sys.argv[1], _bench.NETWORKS[int(sys.argv[2])], int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    make, packages = FINDERS[finder]
    if threads:  # which only the peers are told
        import torch

        torch.set_num_threads(threads)
    # tqdm draws its bar on the error stream; a traceback comes when the block is left.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        call, device = make(network)
        versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)
        answers.write(json.dumps({"device": device, "versions": versions}) + "\n")
        for _ in sys.stdin:
            began = time.perf_counter()
            steps = call()
            seconds = time.perf_counter() - began
            answers.write(json.dumps({"seconds": seconds, "steps": steps}) + "\n")


if __name__ == "__main__":
    main()

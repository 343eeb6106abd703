"""What tests of the saver share."""

from __future__ import annotations

import threading

import jax.numpy as jnp
import numpy as np

from lrwidget.training._disk import RunDirectory

TIMEOUT = 120.0
TREE = {"w": jnp.arange(100.0)}  # 400 bytes, and about 1 kB on disk


def rows(start, stop):
    return {"step": np.arange(start, stop), "loss": np.arange(start, stop, dtype=np.float32)}


def kept(saver):
    """Return what a reader finds."""
    return RunDirectory.open(saver.directory.path)


def steps(saver, table="train"):
    return kept(saver).rows(table).columns.get("step", np.empty(0)).tolist()


def saved(saver):
    return [snapshot.step for snapshot in kept(saver).snapshots()]


older = []


def savers():
    """Return the threads of savers that have begun in this test and not ended."""
    alive = [thread for thread in threading.enumerate() if thread.name == "lrwidget-saver"]
    return [thread for thread in alive if thread not in older]

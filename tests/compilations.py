"""What XLA has compiled for one test serves every later one: equal programs, compiled once a run.

Half of the suite's time would go into compiling programs that are equal, of tasks that are not the
same object. JAX's own store of compiled programs holds them for the length of a run of pytest, in a
folder that all of its workers share. Programs are still traced and lowered for each test, so what
counts traces counts as ever; what is taken from the store is the very machine code that was put in.

Processes that tests start know nothing of it: what they do is to be done without the first's help.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import jax
from jax._src.lru_cache import LRUCache


def share(folder: str) -> None:
    """Let this process keep what it compiles in a folder, and take from there what others have."""
    # JAX would write in place, and a second worker read half a program, with a warning.
    LRUCache.put = _put
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _put(self: LRUCache, key: str, value: bytes) -> None:
    """Add a program under its key, whole or not at all."""
    descriptor, scratch = tempfile.mkstemp(dir=self.path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
    Path(scratch).replace(self.path / f"{key}-cache")

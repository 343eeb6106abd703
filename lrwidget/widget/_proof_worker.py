"""The process that executes exported code: a script of its own, which never imports lrwidget.

It reads one JSON request a line and writes one JSON answer a line. Started by `_proof`, it ends
when its input does, so that it cannot outlive the kernel.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from typing import Any


def check(request: dict[str, Any]) -> dict[str, Any]:
    """Execute the text as a fresh module and compare its schedules with the drawn values.

    Parameters
    ----------
    request
        ``text`` to execute, and ``curves``: of each the ``name`` that the text gives to it,
        ``steps`` (whole numbers) and the drawn ``values`` at these, of equal length. ``optimizer``
        is the name of a transformation that the text must define, or empty; ``path`` are the
        folders in which it may look for modules.

    Returns
    -------
    dict
        ``curves``: of each the ``name``, and ``error``, the largest difference relative to the
        highest drawn value, with the ``step`` at which it is, and there ``drawn`` and ``code``.
        Or ``failed``, the reason in words.
    """
    try:
        module: dict[str, Any] = {"__name__": "exported"}
        sys.path.extend(place for place in request.get("path", []) if place not in sys.path)
        exec(compile(request["text"], "<exported code>", "exec"), module)  # noqa: S102
        _check_optimizer(module, request.get("optimizer", ""))
        return {"curves": [_compared(module[c["name"]], c) for c in request["curves"]]}
    except BaseException as error:  # noqa: BLE001  (`SystemExit` in the text is a failure too)
        return {"failed": f"{type(error).__name__}: {error}"[:500]}


def _check_optimizer(module: dict[str, Any], name: str) -> None:
    if name and not (hasattr(module[name], "init") and hasattr(module[name], "update")):
        raise TypeError(f"{name} must be an Optax transformation, got {module[name]!r}")


def _compared(schedule: Any, curve: dict[str, Any]) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    steps = jnp.asarray(curve["steps"], dtype=jnp.int32)
    # As in training: the schedule sees one traced whole number.
    values = [float(value) for value in jax.vmap(schedule)(steps)]
    drawn = curve["values"]
    peak = max(map(abs, drawn)) or 1.0
    errors = [
        abs(code - value) / peak if math.isfinite(code) else math.inf
        for code, value in zip(values, drawn, strict=True)
    ]
    worst = max(range(len(errors)), key=errors.__getitem__)
    return {
        "name": curve["name"],
        "error": errors[worst] if math.isfinite(errors[worst]) else None,
        "step": curve["steps"][worst],
        "drawn": drawn[worst],
        "code": repr(values[worst]),
    }


def main() -> None:
    """Answer requests until the input ends."""
    # What the text prints must not pass for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.suppress(AttributeError, OSError):
        os.nice(10)  # training on the same machine goes first
    for line in sys.stdin:
        answers.write(json.dumps(check(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""Which operation of a traced function gave the first NaN or Inf.

A function may hold infinities that do no harm, such as the minus infinity of a mask. Blamed is
therefore not the first one in time, but the one from which the bad result came: the search goes
backwards, from the result through what went into it.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

# Where an operation is looked for: never in these, which the person did not write.
_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "chex", "lrwidget", "numpy")

# Primitives that call one function with their own operands, by the parameter that holds it.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
}

_BAD = ("nan", "inf", "-inf")


class Culprit(NamedTuple):
    """The operation that gave the first bad value."""

    operation: str  # the primitive's name
    gave: str  # "nan", "inf" or "-inf"
    took: str  # its operands in words; empty if they tell nothing
    where: str | None  # "file:line: code" of the person's own
    among: str | None  # "file:line" of the library, where no line of the person's is known


def blame(
    function: Callable[..., tuple[Any, ...]], arguments: Sequence[Any], stop: str
) -> tuple[int, Culprit] | None:
    """Run a function and look at what each of its operations gives.

    Parameters
    ----------
    function
        What is traced and run. It returns a tuple of pytrees.
    arguments
        Its arguments: pytrees of arrays.
    stop
        The file beyond which the callers of the function are of no interest.

    Returns
    -------
    tuple or None
        Which of the pytrees is the first that is not finite, and the operation to blame for that;
        None if all are finite, or what is not came with the arguments.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    values = _Values(closed.jaxpr, closed.consts, jax.tree.leaves(arguments))
    results = iter(closed.jaxpr.outvars)
    search = _Search(stop)
    for place, part in enumerate(shapes):
        atoms = [next(results) for _ in jax.tree.leaves(part)]
        culprit = search.of(values, [a for a in atoms if _is_var(a) and values.bad(a)])
        if culprit is not None:
            return place, culprit
    return None


def not_finite(values: Sequence[Any]) -> list[str | None]:
    """Return which of ``"nan"``, ``"inf"`` and ``"-inf"`` each array holds, the worst of them."""
    return _words(_compiled_flags(list(values)))


def _words(flags: jax.Array) -> list[str | None]:
    return [
        next((word for word, flag in zip(_BAD, row, strict=True) if flag), None)
        for row in np.asarray(flags)
    ]


def _flags(value: Any) -> jax.Array:
    """Return whether an array holds each of `_BAD`."""
    if not _is_inexact(value):
        return jnp.zeros(len(_BAD), bool)
    value = jnp.asarray(value)
    # Infinities of complex numbers have no sign.
    above, below = (
        (jnp.isinf(value), jnp.zeros_like(value, bool))
        if jnp.iscomplexobj(value)
        else (jnp.isposinf(value), jnp.isneginf(value))
    )
    return jnp.stack([jnp.isnan(value).any(), above.any(), below.any()])


@jax.jit
def _compiled_flags(values: list[Any]) -> jax.Array:
    rows = [_flags(value) for value in values]
    return jnp.stack(rows) if rows else jnp.zeros((0, len(_BAD)), bool)


def _is_inexact(value: Any) -> bool:
    # Keys and tokens have no numbers, and an operand may be a number of Python's.
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float) if dtype is None else bool(jnp.issubdtype(dtype, jnp.inexact))


class _Values:
    """What becomes of some arguments in a jaxpr: which values are bad, and what they are.

    All operations run in one compiled function, which tells of each value that it makes whether it
    is finite. To compile and run each by itself would take many times as long, and to keep all
    of the values many times the memory.
    """

    def __init__(self, jaxpr: Any, consts: Iterable[Any], arguments: Iterable[Any]):
        self.jaxpr = jaxpr
        self._given = [*consts, *arguments]
        self.makers = {var: place for place, made in enumerate(jaxpr.eqns) for var in made.outvars}
        told = jax.jit(self._told)(self._given)
        known = [*jaxpr.constvars, *jaxpr.invars, *self.makers]
        self._bad: dict[Any, str | None] = dict(zip(known, _words(told), strict=True))

    def bad(self, atom: Any) -> str | None:
        """Return what is bad about a value, as `not_finite` does."""
        if isinstance(atom, core.Literal):
            # A scalar: those of masks and of maxima are infinite.
            return not_finite([np.asarray(atom.val)])[0]
        return self._bad[atom]

    def of(self, atoms: Sequence[Any]) -> list[Any]:
        """Return the values of variables and literals."""
        return list(jax.jit(lambda given: self._read(self._all(given), atoms))(self._given))

    def _told(self, given: list[Any]) -> jax.Array:
        values = self._all(given)
        told: jax.Array = _compiled_flags([*given, *(values[var] for var in self.makers)])
        return told

    def _all(self, given: list[Any]) -> dict[Any, Any]:
        values = dict(zip([*self.jaxpr.constvars, *self.jaxpr.invars], given, strict=True))
        for equation in self.jaxpr.eqns:
            with equation.ctx.manager:
                made = _run(equation, self._read(values, equation.invars))
            values.update(zip(equation.outvars, made, strict=True))
        return values

    def _read(self, values: dict[Any, Any], atoms: Iterable[Any]) -> list[Any]:
        return [a.val if isinstance(a, core.Literal) else values[a] for a in atoms]


def _is_var(atom: Any) -> bool:
    return not isinstance(atom, core.Literal)


def _run(equation: Any, operands: list[Any]) -> list[Any]:
    primitive = equation.primitive
    bound = primitive.get_bind_params(equation.params)
    # Before JAX 0.10.2 the functions that a primitive calls came beside its parameters.
    functions, parameters = bound if isinstance(bound, tuple) else ((), bound)
    made = primitive.bind(*functions, *operands, **parameters)
    return list(made) if primitive.multiple_results else [made]


class _Search:
    """The way back from a bad result to the operation that began it."""

    def __init__(self, stop: str):
        self._stop = stop

    def of(self, values: _Values, results: Sequence[Any]) -> Culprit | None:
        ways = sorted(self._ways(values, results))
        equations = values.jaxpr.eqns
        # What gave something bad from nothing bad; else what made NaN out of infinities that were
        # there from the beginning, as those of a mask.
        begun = [p for p in ways if not any(map(values.bad, equations[p].invars))]
        begun += [
            p
            for p in ways
            if "nan" in map(values.bad, equations[p].outvars)
            and "nan" not in map(values.bad, equations[p].invars)
        ]
        return self._within(values, equations[begun[0]]) if begun else None

    def _ways(self, values: _Values, results: Sequence[Any]) -> set[int]:
        """Return the places of all equations through which something bad came to the results."""
        seen: set[int] = set()
        waiting = list(results)
        while waiting:
            place = values.makers.get(waiting.pop())
            if place is None or place in seen:
                continue
            seen.add(place)
            equation = values.jaxpr.eqns[place]
            operands = [v for v in equation.invars if _is_var(v) and values.bad(v)]
            nans = [v for v in operands if values.bad(v) == "nan"]
            # Where there is NaN already, an infinity beside it is another matter.
            spoilt = "nan" in map(values.bad, equation.outvars)
            waiting += nans if spoilt and nans else operands
        return seen

    def _within(self, values: _Values, equation: Any) -> Culprit:
        """Return the operation inside an equation, if it has an inside, else itself."""
        operands = values.of(equation.invars)
        inside = _inside(equation, operands)
        if inside is not None:
            bad = [v for v in inside.jaxpr.outvars if _is_var(v) and inside.bad(v)]
            found = self.of(inside, bad)
            if found is not None:
                if _is_foreign(equation):
                    # JAX keeps what it has traced: the inside may tell of another caller.
                    found = found._replace(where=None)
                if found.where is None:
                    where, among = self._place(equation)
                    found = found._replace(where=where, among=found.among or among)
                return found
        gave = next(filter(None, map(values.bad, equation.outvars)))
        return Culprit(equation.primitive.name, gave, _ranges(operands), *self._place(equation))

    def _place(self, equation: Any) -> tuple[str | None, str | None]:
        """Return the line of the person's own that an operation came from, or the library's."""
        among = None
        for name, line in _frames(equation):
            if os.path.realpath(name) == self._stop:
                break
            if not _is_library(name):
                code = linecache.getline(name, line).strip()
                return f"{_shown(name)}:{line}{': ' if code else ''}{code}", None
            if among is None and not _is_library(name, ("jax", "jaxlib", "numpy")):
                among = f"{_shown(name)}:{line}"
        return None, among


# ---- what an equation holds ---------------------------------------------------------------------


def _inside(equation: Any, operands: list[Any]) -> _Values | None:
    """Return the values inside an equation, of the step of its loop that goes wrong."""
    name, parameters = equation.primitive.name, equation.params
    if name in _CALLS:
        return _values(parameters[_CALLS[name]], operands)
    if name == "cond":
        branch, *rest = operands
        return _values(parameters["branches"][int(branch)], rest)
    if name == "scan":
        return _bad_step(parameters["jaxpr"], _scanned(parameters, operands))
    if name == "while":
        return _bad_step(parameters["body_jaxpr"], _looped(parameters, operands))
    return None


def _values(jaxpr: Any, operands: list[Any]) -> _Values | None:
    # A rematerialised function has a jaxpr without constants.
    inner, consts = getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())
    return _Values(inner, consts, operands) if len(inner.invars) == len(operands) else None


def _bad_step(jaxpr: Any, steps: Iterator[tuple[list[Any], list[Any]]]) -> _Values | None:
    """Return the values of the first step of a loop that gives something bad from nothing bad."""
    for operands, made in steps:
        if any(not_finite(made)) and not any(not_finite(operands)):
            return _values(jaxpr, operands)
    return None


def _scanned(parameters: Any, operands: list[Any]) -> Iterator[tuple[list[Any], list[Any]]]:
    consts, carries = parameters["num_consts"], parameters["num_carry"]
    fixed, carry = operands[:consts], operands[consts : consts + carries]
    rows = operands[consts + carries :]
    body = jax.jit(core.jaxpr_as_fun(parameters["jaxpr"]))
    places = range(parameters["length"])
    for place in reversed(places) if parameters["reverse"] else places:
        given = [*fixed, *carry, *(each[place] for each in rows)]
        made = body(*given)
        yield given, made
        carry = made[:carries]


def _looped(parameters: Any, operands: list[Any]) -> Iterator[tuple[list[Any], list[Any]]]:
    of_condition, of_body = parameters["cond_nconsts"], parameters["body_nconsts"]
    fixed = operands[of_condition : of_condition + of_body]
    carry = operands[of_condition + of_body :]
    condition = jax.jit(core.jaxpr_as_fun(parameters["cond_jaxpr"]))
    body = jax.jit(core.jaxpr_as_fun(parameters["body_jaxpr"]))
    while bool(condition(*operands[:of_condition], *carry)[0]):
        given = [*fixed, *carry]
        carry = body(*given)
        yield given, carry


# ---- words --------------------------------------------------------------------------------------


def _ranges(operands: list[Any]) -> str:
    """Return the operands in words: ``0``, ``1.2 to 88.9``."""
    words = []
    for value in operands:
        if _is_inexact(value):
            numbers = np.asarray(jnp.asarray(value, jnp.float32))
            if numbers.size:
                low, high = float(numbers.min()), float(numbers.max())
                words.append(f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}")
    return " and ".join(words)


def _frames(equation: Any) -> Iterator[tuple[str, int]]:
    """Return file and line of everyone who called an operation, the innermost first."""
    # Not a documented part of JAX; a version without it costs the line and nothing else.
    traceback = getattr(equation.source_info, "traceback", None)
    for frame in getattr(traceback, "frames", ()):
        yield frame.file_name, frame.line_num


def _is_foreign(equation: Any) -> bool:
    """Return whether an equation calls a function that the person did not write."""
    if equation.primitive.name not in _CALLS:
        return False
    inner = equation.params[_CALLS[equation.primitive.name]]
    known = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
    source = getattr(known, "func_src_info", None)
    # It reads: f at /a/file.py:12
    return source is None or _is_library(source.partition(" at ")[2].rpartition(":")[0])


def _is_library(name: str, libraries: Sequence[str] = _LIBRARIES) -> bool:
    if name.startswith("<"):
        # Else made by a library, as dataclasses do.
        return not name.startswith(("<stdin>", "<ipython-input"))
    standard = sysconfig.get_paths()["stdlib"]
    if name.startswith(standard + os.sep) and "site-packages" not in name:
        return True
    roots = [
        str(Path(module.__file__).parent)
        for module in map(sys.modules.get, libraries)
        if module is not None and module.__file__ is not None
    ]
    return any(name.startswith(root + os.sep) for root in roots)


def _shown(name: str) -> str:
    """Return a file's name as a person knows it: from the present folder, if it is in there."""
    # A notebook's cell is a file of a long and meaningless name.
    if f"{os.sep}ipykernel_" in name:
        return "a cell"
    return name.removeprefix(f"{Path.cwd()}{os.sep}")

"""The largest eigenvalue of a matrix that is known only by what it does to vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

# Beside the largest entry of the small matrix; below it a new vector is all rounding.
_NOTHING = 1e-5

MatVec = Callable[[jax.Array], jax.Array]


class Krylov(NamedTuple):
    """A Lanczos run in progress."""

    basis: jax.Array  # float32, (iterations + 1, n): orthonormal rows, zero where not yet reached
    diagonal: jax.Array  # float32, (iterations,)
    beside: jax.Array  # float32, (iterations,): beside the diagonal


def begun(start: npt.NDArray[np.floating[Any]], iterations: int) -> Krylov:
    """Return a run that begins with the vector `start`, shape (n,)."""
    basis = np.zeros((iterations + 1, start.size), np.float32)
    length = np.linalg.norm(start)
    basis[0] = start / length if length > 0.0 else 0.0
    zeros = np.zeros(iterations, np.float32)
    return Krylov(*map(jnp.asarray, (basis, zeros, zeros)))


def iterated(run: Krylov, place: jax.Array, matvec: MatVec) -> Krylov:
    """Take one iteration, with one product; to be traced.

    Every new vector is made orthogonal to all before it, and that twice: in float32 Lanczos loses
    the orthogonality otherwise, and finds the largest eigenvalue again and again.
    """
    now = run.basis[place]
    product = matvec(now).astype(jnp.float32)
    diagonal = jnp.vdot(now, product)
    rest = product - run.basis.T @ (run.basis @ product)
    rest = rest - run.basis.T @ (run.basis @ rest)
    length = jnp.linalg.norm(rest)
    scale = jnp.maximum(jnp.max(jnp.abs(run.diagonal)), jnp.abs(diagonal))
    goes_on = length > _NOTHING * jnp.maximum(scale, jnp.max(run.beside))
    following = jnp.where(goes_on, rest / jnp.where(length > 0, length, 1.0), 0.0)
    return Krylov(
        run.basis.at[place + 1].set(following),
        run.diagonal.at[place].set(diagonal),
        run.beside.at[place].set(jnp.where(goes_on, length, 0.0)),
    )


def largest(diagonal: npt.ArrayLike, beside: npt.ArrayLike) -> float:
    """Return the largest eigenvalue of a run's tridiagonal matrix.

    Parameters
    ----------
    diagonal, beside
        Those of a `Krylov` that is complete, shape (iterations,). What follows a zero beside the
        diagonal is no part of it: there the vectors were used up.

    Returns
    -------
    float
        NaN if a product was not finite.

    References
    ----------
    Lanczos 1950; Golub and Van Loan, "Matrix Computations", section 10.1.
    """
    diagonal, beside = np.asarray(diagonal, np.float64), np.asarray(beside, np.float64)
    if not (np.isfinite(diagonal).all() and np.isfinite(beside).all()):
        return float("nan")
    ends = np.flatnonzero(beside == 0.0)
    count = int(ends[0]) + 1 if ends.size else len(diagonal)
    off = beside[: count - 1]
    small = np.diag(diagonal[:count]) + np.diag(off, 1) + np.diag(off, -1)
    return float(np.linalg.eigvalsh(small)[-1])

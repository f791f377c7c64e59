"""Disjoint ridge regression, compiled: sums of rows, and factors of sums.

Every arm has its own regression of the reward on z = (1, x): precision A = λI + Σ w z z', estimate θ = A⁻¹ Σ w r z.
With A⁻¹ = F F', F triangular, the score of a context has mean z'θ and variance proportional to |F'z|².
"""

from __future__ import annotations

import math

import numpy as np

from bandit.jit import kernel
from bandit.types import Bools, Floats, Ints


@kernel
def add_rows(contexts: Floats, arms: Ints, rewards: Floats, weights: Floats, outer: Floats, cross: Floats) -> Bools:
    """Add w z z' to ``outer`` (K, D, D) and w r z to ``cross`` (K, D), row by row, and return whose sums changed."""
    rows, width = contexts.shape
    z = np.ones(width + 1)
    touched = np.zeros(len(outer), dtype=np.bool_)
    for row in range(rows):
        z[1:] = contexts[row]
        k = arms[row]
        touched[k] = True
        for i in range(width + 1):
            weighted = weights[row] * z[i]
            if weighted != 0.0:
                cross[k, i] += weighted * rewards[row]
                for j in range(width + 1):
                    outer[k, i, j] += weighted * z[j]
    return touched


@kernel
def factorise(touched: Bools, outer: Floats, cross: Floats, ridge: float, factor: Floats, theta: Floats) -> bool:
    """Write F (K, D, D), A⁻¹ = F F', and θ (K, D) of the ``touched`` arms; return whether all are finite.

    They depend on the sums alone, not on how these came about, and use no BLAS: the same bytes on every build. All is
    upper triangular, so that every inner loop, here and in the scores, adds a multiple of one row to another.
    """
    size = outer.shape[1]
    upper = np.empty((size, size))
    projected = np.empty(size)
    for k in range(len(outer)):
        if touched[k]:
            _cholesky(outer[k], ridge, upper)
            _invert(upper, factor[k])
            _solve(factor[k], cross[k], projected, theta[k])
            if not math.isfinite(factor[k].sum() + theta[k].sum()):
                return False
    return True


@kernel
def _cholesky(outer: Floats, ridge: float, upper: Floats) -> None:
    """Write U with U'U = ``outer`` + ``ridge``·I; what is below its diagonal is not used."""
    size = len(outer)
    upper[:] = outer
    for j in range(size):
        # A - λI is positive semi-definite, so that no pivot is below λ: what is, is rounding.
        pivot = math.sqrt(max(upper[j, j] + ridge, ridge))
        upper[j, j] = pivot
        for i in range(j + 1, size):
            upper[j, i] /= pivot
        for i in range(j + 1, size):
            multiple = upper[j, i]
            for m in range(i, size):
                upper[i, m] -= multiple * upper[j, m]


@kernel
def _invert(upper: Floats, factor: Floats) -> None:
    """Write U⁻¹, row by row, from F U = I."""
    size = len(upper)
    factor[:] = 0.0
    for j in range(size):
        factor[j, j] = 1.0
        for m in range(j, size):
            factor[j, m] /= upper[m, m]
            multiple = factor[j, m]
            for i in range(m + 1, size):
                factor[j, i] -= multiple * upper[m, i]


@kernel
def _solve(factor: Floats, cross: Floats, projected: Floats, theta: Floats) -> None:
    """Write F F' ``cross``."""
    projected[:] = 0.0
    for i in range(len(theta)):
        for m in range(i, len(theta)):
            projected[m] += cross[i] * factor[i, m]
    for i in range(len(theta)):
        theta[i] = 0.0
        for m in range(i, len(theta)):
            theta[i] += factor[i, m] * projected[m]

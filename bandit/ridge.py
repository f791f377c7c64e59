"""Disjoint ridge regression, compiled: sums of rows, factors of sums, scores of contexts.

Every arm has its own regression of the reward on z = (1, x): precision A = λI + Σ w z z', estimate θ = A⁻¹ Σ w r z.
With L the Cholesky factor of A, the score of a context has mean z'θ and variance proportional to |L⁻¹z|².
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
    """Write the inverse factors (K, D, D) and estimates (K, D) of the ``touched`` arms; return whether they are finite.

    They depend on the sums alone, not on how these came about, and use no BLAS: the same bytes on every build. An
    inverse factor is kept transposed, upper triangular, so that the scores' inner loop runs along memory.
    """
    size = outer.shape[1]
    lower = np.empty((size, size))
    for k in range(len(outer)):
        if touched[k]:
            _cholesky(outer[k], ridge, lower)
            _invert(lower, factor[k])
            _solve(factor[k], cross[k], theta[k])
            if not math.isfinite(factor[k].sum() + theta[k].sum()):
                return False
    return True


@kernel
def _cholesky(outer: Floats, ridge: float, lower: Floats) -> None:
    for j in range(len(outer)):
        for i in range(j, len(outer)):
            rest = outer[i, j]
            for m in range(j):
                rest -= lower[i, m] * lower[j, m]
            if i == j:
                # A - λI is positive semi-definite, so that no pivot is below λ: what is, is rounding.
                lower[j, j] = math.sqrt(max(rest + ridge, ridge))
            else:
                lower[i, j] = rest / lower[j, j]


@kernel
def _invert(lower: Floats, factor: Floats) -> None:
    """Write the transposed inverse of ``lower``, by forward substitution."""
    factor[:] = 0.0
    for j in range(len(lower)):
        factor[j, j] = 1 / lower[j, j]
        for i in range(j + 1, len(lower)):
            rest = 0.0
            for m in range(j, i):
                rest -= lower[i, m] * factor[j, m]
            factor[j, i] = rest / lower[i, i]


@kernel
def _solve(factor: Floats, cross: Floats, theta: Floats) -> None:
    """Write A⁻¹ ``cross`` = F F' ``cross``, F the transposed inverse factor."""
    theta[:] = 0.0
    for m in range(len(theta)):
        projected = 0.0
        for i in range(m + 1):
            projected += factor[i, m] * cross[i]
        for i in range(m + 1):
            theta[i] += factor[i, m] * projected


@kernel
def score(context: Floats, factor: Floats, theta: Floats, allowed: Bools, mean: Floats, sd: Floats) -> int:
    """Write mean z'θ and |L⁻¹z| of the allowed arms, one after another, and return how many they are."""
    size = len(context) + 1
    found = 0
    projected = np.empty(size)
    for k in range(len(theta)):
        if not allowed[k]:
            continue
        total = theta[k, 0]
        projected[:] = factor[k, 0]
        for j in range(1, size):
            x = context[j - 1]
            if x != 0.0:  # one-hot contexts are mostly zeros
                total += theta[k, j] * x
                for i in range(j, size):
                    projected[i] += factor[k, j, i] * x
        square = 0.0
        for i in range(size):
            square += projected[i] * projected[i]
        mean[found] = total
        sd[found] = math.sqrt(square)
        found += 1
    return found

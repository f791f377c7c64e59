"""Disjoint ridge regression, compiled: sums of rows, and factors of sums.

Every arm has its own regression of the reward on z = (1, x): precision A = λI + Σ w z z', estimate θ = A⁻¹ Σ w r z.
With A⁻¹ = F F', F triangular, the score of a context has mean z'θ and variance proportional to |F'z|².
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from bandit.kernels.jit import kernel
from bandit.kernels.lanes import LANES, add_multiple, add_one_product, fill, load, padded, store
from bandit.types import Bools, Floats, Ints

_ROUNDING: Final = 2.0**-52
_FEW: Final = 4
"""Rows of an arm below which to prepare them costs more than it saves."""
_NEAR: Final = 4096
"""Rows that are sorted by arm together: read in the order of arms, they are still in a cache."""
_TOGETHER: Final = 64
"""Rows that are prepared together: their columns stay in the processor's nearest memory."""


@kernel
def add_rows(contexts: Floats, arms: Ints, rewards: Floats, weights: Floats, outer: Floats, cross: Floats) -> Bools:
    """Add w z z' to ``outer`` (K, D, D) and w r z to ``cross`` (K, D) for all rows, and return whose sums changed.

    Every number is added to in row order, with the same roundings whether rows come one at a time or together. What is
    below the diagonal of ``outer`` is a copy of what is above it.
    """
    touched = np.zeros(len(outer), dtype=np.bool_)
    if len(arms) < _FEW:
        for row in range(len(arms)):
            touched[arms[row]] = True
            _add_row(contexts[row], rewards[row], weights[row], outer[arms[row]], cross[arms[row]])
        return touched
    for start in range(0, len(arms), _NEAR):
        near = slice(start, start + _NEAR)
        _add_rows_by_arm(contexts[near], arms[near], rewards[near], weights[near], outer, cross, touched)
    return touched


@kernel
def _add_rows_by_arm(
    contexts: Floats, arms: Ints, rewards: Floats, weights: Floats, outer: Floats, cross: Floats, touched: Bools
) -> None:
    order, ends = _by_arm(arms, len(outer))
    start = 0
    for k in range(len(outer)):
        rows = order[start : ends[k]]
        touched[k] |= len(rows) > 0
        if len(rows) < _FEW:
            for row in rows:
                _add_row(contexts[row], rewards[row], weights[row], outer[k], cross[k])
        else:
            _add_arm(rows, contexts, rewards, weights, outer[k], cross[k])
        start = ends[k]


@kernel
def _by_arm(arms: Ints, count: int) -> tuple[Ints, Ints]:
    """Return the rows arm by arm, in their order, and where each arm's end."""
    counts = np.zeros(count, dtype=np.int64)
    for k in arms:
        counts[k] += 1
    ends = np.cumsum(counts)
    place = ends - counts
    order = np.empty(len(arms), dtype=np.int64)
    for row in range(len(arms)):
        order[place[arms[row]]] = row
        place[arms[row]] += 1
    return order, ends


@kernel
def _add_row(context: Floats, reward: float, weight: float, outer: Floats, cross: Floats) -> None:
    z = np.ones(len(cross))
    z[1:] = context
    weighted = weight * z
    for i in range(len(z)):
        if weighted[i] != 0.0:  # one-hot contexts are mostly zeros
            cross[i] = add_one_product(weighted[i], reward, cross[i])
            add_run(weighted[i], z[i:], outer[i, i:])
            add_run(z[i], weighted[:i], outer[i, :i])


@kernel
def add_run(multiple: float, row: Floats, total: Floats) -> None:
    """Add a multiple of one run of memory to another."""
    for i in range(len(total)):
        total[i] = add_one_product(multiple, row[i], total[i])


@kernel
def _add_arm(order: Ints, contexts: Floats, rewards: Floats, weights: Floats, outer: Floats, cross: Floats) -> None:
    """Add the rows of one arm, some at a time, eight columns by eight."""
    size = len(cross)
    wide = padded(size)
    sums, total = np.zeros((wide, wide)), np.zeros(wide)
    sums[:size, :size], total[:size] = outer, cross
    flat = sums.reshape(-1)
    plain, weighted = np.zeros((2, _TOGETHER * wide))
    for start in range(0, len(order), _TOGETHER):
        rows = order[start : start + _TOGETHER]
        _pack(rows, contexts, rewards, weights, plain, weighted, total)
        for i in range(0, wide, LANES):
            for j in range(i, wide, LANES):
                _add_block(len(rows), weighted, i * len(rows), plain, j * len(rows), flat, i * wide + j, wide)
    cross[:] = total[:size]
    for i in range(size):
        outer[i, i:] = sums[i, i:size]
        outer[i:, i] = sums[i, i:size]


@kernel
def _pack(
    order: Ints,
    contexts: Floats,
    rewards: Floats,
    weights: Floats,
    plain: Floats,
    weighted: Floats,
    total: Floats,
) -> None:
    """Write z and w z of the rows as runs of eight columns, all rows of a run together, and add w r z to ``total``."""
    wide, rows, width, flat = len(total), len(order), contexts.shape[1], contexts.reshape(-1)
    ends = np.zeros(LANES)
    for row in range(rows):
        source = order[row]
        for j in range(0, wide, LANES):
            begin = source * width + j - 1  # z is the context, after a one
            if j > 0 and begin + LANES <= len(flat):
                eight = load(flat, begin)  # what is read beyond a context's end is added to padding
            else:
                for i in range(LANES):
                    ends[i] = 1.0 if i + j == 0 else flat[begin + i] if i + j <= width else 0.0
                eight = load(ends, 0)
            at = j * rows + row * LANES
            times_weight = add_multiple(weights, source, eight, fill(0.0))
            store(plain, at, eight)
            store(weighted, at, times_weight)
            store(total, j, add_multiple(rewards, source, times_weight, load(total, j)))


@kernel
def _add_block(rows: int, left: Floats, i: int, right: Floats, j: int, sums: Floats, at: int, wide: int) -> None:
    """Add the products of two runs of eight columns to eight rows of eight sums, which stay in registers."""
    s0, s1, s2, s3 = load(sums, at), load(sums, at + wide), load(sums, at + 2 * wide), load(sums, at + 3 * wide)
    below = at + 4 * wide
    s4, s5, s6, s7 = (
        load(sums, below),
        load(sums, below + wide),
        load(sums, below + 2 * wide),
        load(sums, below + 3 * wide),
    )
    for _ in range(rows):
        eight = load(right, j)
        s0, s1 = add_multiple(left, i, eight, s0), add_multiple(left, i + 1, eight, s1)
        s2, s3 = add_multiple(left, i + 2, eight, s2), add_multiple(left, i + 3, eight, s3)
        s4, s5 = add_multiple(left, i + 4, eight, s4), add_multiple(left, i + 5, eight, s5)
        s6, s7 = add_multiple(left, i + 6, eight, s6), add_multiple(left, i + 7, eight, s7)
        i, j = i + LANES, j + LANES
    store(sums, at, s0)
    store(sums, at + wide, s1)
    store(sums, at + 2 * wide, s2)
    store(sums, at + 3 * wide, s3)
    store(sums, below, s4)
    store(sums, below + wide, s5)
    store(sums, below + 2 * wide, s6)
    store(sums, below + 3 * wide, s7)


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
    """Write U with U'U = ``outer`` + ``ridge``·I; what is below its diagonal is not used.

    A - λI is positive semi-definite, so that no pivot is below λ, and what has been lost to rounding is at most some
    2⁻⁵² D of the diagonal: a pivot below either is rounding.
    """
    size = len(outer)
    upper[:] = outer
    for j in range(size):
        least = max(ridge, _ROUNDING * size * outer[j, j])
        pivot = math.sqrt(max(upper[j, j] + ridge, least))
        row = upper[j, j:]
        row[0] = pivot
        for i in range(1, len(row)):
            row[i] /= pivot
        for i in range(1, len(row)):
            add_run(-row[i], row[i:], upper[j + i, j + i :])


@kernel
def _invert(upper: Floats, factor: Floats) -> None:
    """Write U⁻¹, row by row, from F U = I."""
    size = len(upper)
    factor[:] = 0.0
    for j in range(size):
        factor[j, j] = 1.0
        for m in range(j, size):
            factor[j, m] /= upper[m, m]
            add_run(-factor[j, m], upper[m, m + 1 :], factor[j, m + 1 :])


@kernel
def _solve(factor: Floats, cross: Floats, projected: Floats, theta: Floats) -> None:
    """Write F F' ``cross``."""
    projected[:] = 0.0
    for i in range(len(theta)):
        add_run(cross[i], factor[i, i:], projected[i:])
    for i in range(len(theta)):
        theta[i] = 0.0
        for m in range(i, len(theta)):
            theta[i] += factor[i, m] * projected[m]

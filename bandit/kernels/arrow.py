"""Ridge regressions that share parameters, compiled: the algebra of a block arrow.

The reward of arm k in a context is x̃'τ_k + noise with x̃ = (1, x) and τ_k = Σ_j ã_kj β_j + θ_k: ã_k = (1, a_k) are the
arm's attributes, β (q vectors of D = 1 + d numbers, m = q·D in all) is shared and θ_k (D) is the arm's own. In the
order (β, θ_1, ..., θ_K) the precision of all coefficients is an arrow: a block for β, one a θ_k, and edges that join
each θ_k to β alone. As the features of β are products, ã_k ⊗ x̃, both edge and block follow from the arm's own sums,

    G_k = Σ w x̃x̃',        h_k = Σ w r x̃,        A_k = λI + G_k,

and integrating out θ_k leaves for β what arm k tells of it (Schur complement):

    precision   A_0 = λ_0 I + Σ_k ã_k ã_k' ⊗ λ(I - λA_k⁻¹),        A_0 β = Σ_k ã_k ⊗ λA_k⁻¹h_k.

Then τ_k has mean A_k⁻¹(h_k + λ Σ_j ã_kj β_j): the regression of arm k alone, pulled to what its attributes predict
and not to zero. Reference: Li, Chu, Langford and Schapire, WWW 2010, algorithm 2.

Nothing here uses BLAS or depends on how sums came about; sums over arms run in the given ``order``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from bandit.kernels.jit import kernel
from bandit.kernels.lanes import LANES, add_multiple, fill, load, store
from bandit.types import Bools, Floats, Ints

_TINY: Final = 1e-100
"""No variance is less: what is, is rounding."""
_ARMS: Final = 4
"""Arms whose scores are worked out together."""


@kernel
def add(multiple: float, row: Floats, total: Floats) -> None:
    """Add a multiple of one run of memory to another."""
    for i in range(len(total)):
        total[i] += multiple * row[i]


@kernel
def invert(touched: Bools, factor: Floats, inverse: Floats) -> None:
    """Write F F' of the ``touched`` upper triangular F (K, D, D), both triangles."""
    size = factor.shape[1]
    for k in range(len(factor)):
        if touched[k]:
            turned = factor[k].T.copy()
            inverse[k] = 0.0
            for m in range(size):
                for i in range(m + 1):
                    add(turned[m, i], turned[m, i : m + 1], inverse[k, i, i : m + 1])
            for i in range(size):
                inverse[k, i:, i] = inverse[k, i, i:]


@kernel
def tell(
    order: Ints,
    attributes: Floats,
    outer: Floats,
    inverse: Floats,
    theta: Floats,
    ridge: float,
    precision: Floats,
    cross: Floats,
) -> None:
    """Add what the arms in ``order`` tell of β to ``precision`` (m, m), on and above its diagonal, and ``cross`` (m).

    ``attributes`` (K, q) are ã, ``theta`` (K, D) is A⁻¹h of each arm alone. An arm without rows tells nothing.
    """
    size = outer.shape[1]
    for k in order:
        if outer[k, 0, 0] > 0.0:
            told = -ridge * ridge * inverse[k]
            for i in range(size):
                told[i, i] += ridge
            for i in range(attributes.shape[1]):
                add(ridge * attributes[k, i], theta[k], cross[i * size : (i + 1) * size])
                for j in range(i, attributes.shape[1]):
                    multiple = attributes[k, i] * attributes[k, j]
                    if multiple != 0.0:  # one-hot attributes are mostly zeros
                        for row in range(size):
                            add(multiple, told[row], precision[i * size + row, j * size : (j + 1) * size])


@kernel
def totals(attributes: Floats, inverse: Floats, theta: Floats, shared: Floats, ridge: float, total: Floats) -> None:
    """Write the means of τ (K, D), given ``shared``, the mean of β (m)."""
    size = theta.shape[1]
    predicted = np.empty(size)
    for k in range(len(theta)):
        predicted[:] = 0.0
        for i in range(attributes.shape[1]):
            add(attributes[k, i], shared[i * size : (i + 1) * size], predicted)
        total[k] = theta[k]
        for i in range(size):
            add(ridge * predicted[i], inverse[k, i], total[k])


@kernel
def spreads(attributes: Floats, outer: Floats, inverse: Floats, shared: Floats, ridge: float, spread: Floats) -> None:
    """Write the covariances of τ_k (K, D, D) given ``shared``, that of β (m, m), all in units of the noise's variance.

    Cov τ_k = A_k⁻¹ + λ²A_k⁻¹ P_k A_k⁻¹ with P_k = Σ_ij ã_ki ã_kj Cov(β_i, β_j); an arm without rows has A_k = λI.
    """
    size = inverse.shape[1]
    predicted, half = np.empty((2, size, size))
    for k in range(len(inverse)):
        predicted[:] = 0.0
        for i in range(attributes.shape[1]):
            for j in range(attributes.shape[1]):
                multiple = attributes[k, i] * attributes[k, j]
                if multiple != 0.0:
                    for row in range(size):
                        add(multiple, shared[i * size + row, j * size : (j + 1) * size], predicted[row])
        spread[k] = inverse[k]
        if outer[k, 0, 0] > 0.0:
            half[:] = 0.0
            _add_product(ridge, inverse[k], predicted, half)
            _add_product(ridge, half, inverse[k], spread[k])
        else:
            spread[k] += predicted


@kernel
def _add_product(multiple: float, left: Floats, right: Floats, total: Floats) -> None:
    for i in range(len(total)):
        for j in range(len(total)):
            add(multiple * left[i, j], right[j], total[i])


@kernel
def roots(spread: Floats, root: Floats) -> None:
    """Write upper triangular F with F F' = ``spread`` (K, D, D), which is used up."""
    size = spread.shape[1]
    root[:] = 0.0
    for k in range(len(spread)):
        for j in range(size - 1, -1, -1):
            pivot = math.sqrt(max(spread[k, j, j], _TINY))
            root[k, j, j] = pivot
            for i in range(j):
                root[k, i, j] = spread[k, i, j] / pivot
            for i in range(j):
                for m in range(j):
                    spread[k, i, m] -= root[k, i, j] * root[k, m, j]


@kernel
def score(
    x: Floats,
    arms: Ints,
    attributes: Floats,
    inverse: Floats,
    total: Floats,
    root: Floats,
    ridge: float,
    mean: Floats,
    own: Floats,
) -> Floats:
    """Write and return the joint law of the scores x̃'τ_k of some ``arms``, in units of the noise's variance.

    They are ``mean`` + shared n + √``own`` ε with standard normals n (m) and ε: own = x̃'A_k⁻¹x̃, and row k of shared is
    F_0'(ã_k ⊗ λA_k⁻¹x̃), where ``root`` is F_0, upper triangular with F_0 F_0' = A_0⁻¹. The columns of shared, ``root``
    and ``inverse`` are padded with zeros to whole lanes.
    """
    size, wide = inverse.shape[1], root.shape[1]
    z, pulled = np.ones(size), np.empty(inverse.shape[2])
    z[1:] = x
    edges = np.zeros(((len(arms) + _ARMS - 1) // _ARMS * _ARMS, wide))
    for place in range(len(arms)):
        k = arms[place]
        _apply(z, inverse[k], pulled)
        mean[place], own[place] = 0.0, 0.0
        for j in range(size):
            mean[place] += z[j] * total[k, j]
            own[place] += z[j] * pulled[j]
        own[place] = max(own[place], _TINY)
        pulled *= ridge
        for i in range(attributes.shape[1]):
            edge, attribute = edges[place, i * size : (i + 1) * size], attributes[k, i]
            for j in range(size):
                edge[j] = attribute * pulled[j]
    shared = np.empty_like(edges)
    _project(edges, root, shared)
    return shared[: len(arms)]


@kernel
def _apply(z: Floats, rows: Floats, total: Floats) -> None:
    """Write Σ_j z_j times row j, eight columns at a time."""
    wide, flat = rows.shape[1], rows.reshape(-1)
    for at in range(0, wide, LANES):
        eight = fill(0.0)
        for j in range(len(z)):
            eight = add_multiple(z, j, load(flat, j * wide + at), eight)
        store(total, at, eight)


@kernel
def _project(edges: Floats, root: Floats, shared: Floats) -> None:
    """Write F'e of each row e of ``edges``, four rows and eight columns at a time."""
    wide, columns, rows, out = root.shape[1], root.reshape(-1), edges.reshape(-1), shared.reshape(-1)
    for first in range(0, len(rows), _ARMS * wide):
        second, third, fourth = first + wide, first + 2 * wide, first + 3 * wide
        for at in range(0, wide, LANES):
            t0, t1, t2, t3 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
            for j in range(min(at + LANES, len(root))):
                eight = load(columns, j * wide + at)
                t0, t1 = add_multiple(rows, first + j, eight, t0), add_multiple(rows, second + j, eight, t1)
                t2, t3 = add_multiple(rows, third + j, eight, t2), add_multiple(rows, fourth + j, eight, t3)
            store(out, first + at, t0)
            store(out, second + at, t1)
            store(out, third + at, t2)
            store(out, fourth + at, t3)

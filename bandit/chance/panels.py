"""The integral behind P(best), compiled: Gauss-Legendre panels as wide as the narrowest posterior they cross.

With densities f_k and distribution functions F_k over a coordinate u,

    P(k is best) = ∫ f_k(u) Π_{j≠k} F_j(u) du,        E[max] = ∫ t(u) Σ_k f_k(u) Π_{j≠k} F_j(u) du,

t(u) being the value whose coordinate is u: both come from the same nodes. The walk goes from right to left, and
F_k = 1 - S_k where S_k is the integral of f_k so far: no special function is evaluated, and one exponential a node and
arm is nearly the whole cost. It ends where some arm is certain to be above. Within a panel S_k comes from the
polynomial through f_k at the panel's nodes.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from bandit.kernels.jit import kernel
from bandit.types import Floats

NORMAL: Final = 0
"""u is the value; ``first`` and ``second`` are unused."""
BETA: Final = 1
"""u is the log-odds, in which every Beta density is smooth and log-concave; ``first``, ``second`` are a, b."""
STUDENT: Final = 2
"""u is the value; ``first`` is the degrees of freedom."""
GAMMA: Final = 3
"""u is the logarithm of the value, in which every Gamma density is smooth and log-concave; ``first`` is the shape."""
_PLENTY: Final = 1e5
"""Betas with a + b below are written without the mode's value divided out: what cancels is below 1e-11."""


def rule(order: int) -> tuple[Floats, Floats, Floats]:
    """Return (q,) nodes and (q,) weights of Gauss-Legendre on [-1, 1], and the (q, q) matrix of integrals to the right.

    The values at the nodes times column i is the integral from node i to 1 of the polynomial through them, exactly.
    """
    nodes, weights = np.polynomial.legendre.leggauss(order)
    # The coefficient of P_m is (2m + 1)/2 Σ w f P_m, and the integral of P_m from x to 1 is
    # (P_{m-1}(x) - P_{m+1}(x)) / (2m + 1), by Bonnet's recursion; for m = 0 it is 1 - x.
    legendre = np.polynomial.legendre.legvander(nodes, order)
    right = np.empty((order, order))
    right[:, 0] = 1 - nodes
    for m in range(1, order):
        right[:, m] = (legendre[:, m - 1] - legendre[:, m + 1]) / (2 * m + 1)
    degrees = (2 * np.arange(order) + 1) / 2
    tails = right @ (degrees[:, None] * legendre[:, :order].T * weights)
    return nodes, np.asarray(weights), np.ascontiguousarray(tails.T)


@kernel
def beta_drop(x: float, a: float, b: float) -> float:
    """Return log f(mode + x) - log f(mode) of the log-odds of a Beta(a, b).

    It is -(how far it falls), written so that nothing cancels: with p = a/(a + b) it is
    a x - (a + b) log(1 + p (e^x - 1)), taken from the side of the smaller of a and b.
    """
    if a > b:
        a, b, x = b, a, -x
    p = a / (a + b)
    # Beyond 30 the exponential would overflow, and 1 - p is not lost beside it.
    log_mean = math.log1p(p * math.expm1(x)) if x < 30 else x + math.log(p + (1 - p) * math.exp(-x))
    return a * x - (a + b) * log_mean


@kernel
def gamma_drop(x: float, shape: float) -> float:
    """Return log f(mode + x) - log f(mode) of the logarithm of a Gamma variable: -shape (e^x - 1 - x)."""
    if abs(x) > 0.03:
        return -shape * (math.expm1(x) - x)
    # The difference would cancel; the first term left out is below 1e-16 of the sum.
    return -shape * x * x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x / 8) / 7) / 6) / 5) / 4) / 3) / 2


@kernel
def log1pexp(u: float) -> float:
    """Return log(1 + e^u)."""
    return max(u, 0.0) + math.log1p(math.exp(-abs(u)))


@kernel
def integrate(
    kind: int,
    center: Floats,
    scale: Floats,
    left: Floats,
    right: Floats,
    peak: Floats,
    first: Floats,
    second: Floats,
    nodes: Floats,
    weights: Floats,
    tails: Floats,
    width: float,
    best: Floats,
) -> float:
    """Write (K,) probabilities of being best to ``best``, and return the expectation of the largest value.

    Parameters
    ----------
    center, scale
        (K,) mode and width of each density.
    left, right
        (K,) where each density begins and ends, as far as anybody can tell. No scale is below 1e-13 of the distance to
        0, so that every panel moves on.
    peak
        (K,) logarithm of the density at the mode.
    nodes, weights, tails
        What :func:`rule` returns.
    width
        Widest panel, in units of the narrowest scale it crosses.
    """
    arms, order = len(center), len(nodes)
    density, below = np.empty((2, arms, order))
    survival = np.zeros(arms)
    after = np.empty((arms + 1, order))
    place, common, before, highest = np.empty((4, order))
    best[:] = 0.0
    low, edge, top = left.max(), right.max(), 0.0
    while edge > low:
        end = max(low, _end(kind, edge, center, scale, right, width))
        half = 0.5 * (edge - end)
        for i in range(order):
            place[i] = end + half * (1 + nodes[i])
            common[i] = log1pexp(place[i]) if kind == BETA else 0.0
        for k in range(arms):
            if end >= right[k]:
                density[k] = 0.0
                below[k] = 1.0
                continue
            _evaluate(kind, place, common, center[k], scale[k], peak[k], first[k], second[k], density[k])
            density[k] *= half
            survival[k] = _distribute(density[k], survival[k], weights, tails, below[k])
        _multiply(density, below, weights, before, after, highest, best)
        for i in range(order):
            top += _value(kind, place[i]) * highest[i]
        edge = end
    total = best.sum()
    best /= total
    return float(top / total)


@kernel
def _end(kind: int, edge: float, center: Floats, scale: Floats, right: Floats, width: float) -> float:
    """Return the left end of the widest panel from ``edge`` on that no arm forbids; none crosses where one begins."""
    end = -math.inf
    for k in range(len(center)):
        own = width * scale[k]
        if kind == STUDENT:  # its tails are powers, which look the same at every distance
            own = max(own, 0.25 * width * abs(edge - center[k]))
        end = max(end, edge - own if edge <= right[k] else min(edge - own, right[k]))
    return end


@kernel
def _evaluate(
    kind: int,
    place: Floats,
    common: Floats,
    center: float,
    scale: float,
    peak: float,
    first: float,
    second: float,
    density: Floats,
) -> None:
    """Write one arm's density at the nodes of a panel; ``common`` is log(1 + e^u) there, the same for all arms."""
    if kind == BETA and first + second < _PLENTY:
        total = first + second
        start = peak - first * center + total * log1pexp(center)
        for i in range(len(place)):
            density[i] = math.exp(start + first * place[i] - total * common[i])
        return
    for i in range(len(place)):
        x = place[i] - center
        if kind == BETA:
            drop = beta_drop(x, first, second)
        elif kind == GAMMA:
            drop = gamma_drop(x, first)
        elif kind == NORMAL:
            drop = -0.5 * (x / scale) * (x / scale)
        else:
            drop = -0.5 * (first + 1) * math.log1p((x / scale) * (x / scale) / first)
        density[i] = math.exp(peak + drop)


@kernel
def _distribute(density: Floats, survival: float, weights: Floats, tails: Floats, below: Floats) -> float:
    """Write F = 1 - S at the nodes of a panel to ``below``, and return S at its left end."""
    total = 0.0
    below[:] = 1.0 - survival
    for m in range(len(weights)):
        total += weights[m] * density[m]
        # With the nodes innermost nothing waits for the sum before it.
        for i in range(len(weights)):
            below[i] -= tails[m, i] * density[m]
    for i in range(len(weights)):
        below[i] = max(0.0, below[i])
    return survival + total


@kernel
def _multiply(
    density: Floats, below: Floats, weights: Floats, before: Floats, after: Floats, highest: Floats, best: Floats
) -> None:
    """Add a panel's share to ``best``, and write what the largest value has at each node to ``highest``."""
    arms, order = density.shape
    before[:] = weights
    after[arms] = 1.0
    highest[:] = 0.0
    for k in range(arms - 1, -1, -1):
        for i in range(order):
            after[k, i] = after[k + 1, i] * below[k, i]
    for k in range(arms):
        total = 0.0
        for i in range(order):
            share = before[i] * density[k, i] * after[k + 1, i]
            before[i] *= below[k, i]
            highest[i] += share
            total += share
        best[k] += total


@kernel
def _value(kind: int, u: float) -> float:
    """Return t(u), the value whose coordinate is u."""
    if kind == BETA:
        return 1 / (1 + math.exp(-u))
    if kind == GAMMA:
        return math.exp(u)
    return u

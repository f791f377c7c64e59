"""The integral behind P(best), compiled: Gauss-Legendre panels as wide as the narrowest posterior they cross.

With densities f_k and distribution functions F_k over a coordinate u,

    P(k is best) = ∫ f_k(u) Π_{j≠k} F_j(u) du,        E[max] = t(hi) - ∫ t'(u) Π_j F_j(u) du.

The walk goes from right to left, and F_k = 1 - S_k where S_k is the integral of f_k so far: no special function is
evaluated, and one exponential a node and arm is nearly the whole cost. It ends where some arm is certain to be above.
Within a panel S_k comes from the polynomial through f_k at the panel's nodes.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from bandit.jit import kernel
from bandit.types import Floats

NORMAL: Final = 0
"""u is the value; ``first`` and ``second`` are unused."""
BETA: Final = 1
"""u is the log-odds, in which every Beta density is smooth and log-concave; ``first``, ``second`` are a, b."""
STUDENT: Final = 2
"""u is the value; ``first`` is the degrees of freedom."""


def rule(order: int) -> tuple[Floats, Floats, Floats]:
    """Return (q,) nodes and (q,) weights of Gauss-Legendre on [-1, 1], and the (q, q) matrix of integrals to the right.

    Row i times the values at the nodes is the integral from node i to 1 of the polynomial through them, exactly.
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
    return nodes, np.asarray(weights), right @ (degrees[:, None] * legendre[:, :order].T * weights)


@kernel
def log_drop(kind: int, x: float, first: float, second: float) -> float:
    """Return log f(center + x) - log f(center); for STUDENT and NORMAL in units of the scale.

    The Beta form is -(how far it falls), written so that nothing cancels: with p = a/(a + b) it is
    a x - (a + b) log(1 + p (e^x - 1)), taken from the side of the smaller of a and b.
    """
    if kind == NORMAL:
        return -0.5 * x * x
    if kind == STUDENT:
        return -0.5 * (first + 1) * math.log1p(x * x / first)
    if first > second:
        first, second, x = second, first, -x
    p = first / (first + second)
    # Beyond 30 the exponential would overflow, and 1 - p is not lost beside it.
    log_mean = math.log1p(p * math.expm1(x)) if x < 30 else x + math.log(p + (1 - p) * math.exp(-x))
    return first * x - (first + second) * log_mean


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
    """Write (K,) probabilities of being best to ``best``, not yet normalised, and return ∫ t'(u) Π F_j(u) du.

    Parameters
    ----------
    center, scale
        (K,) mode and width of each density.
    left, right
        (K,) where each density begins and ends, as far as anybody can tell.
    peak
        (K,) density at the mode.
    nodes, weights, tails
        What :func:`rule` returns.
    width
        Widest panel, in units of the narrowest scale it crosses.
    """
    arms, order = len(center), len(nodes)
    density, below = np.empty((2, arms, order))
    survival = np.zeros(arms)
    before, after = np.empty((2, arms + 1, order))
    best[:] = 0.0
    low, edge, area = left.max(), right.max(), 0.0
    while edge > low:
        step = min(edge - low, _step(kind, edge, center, scale, right, width))
        half, middle = 0.5 * step, edge - 0.5 * step
        for k in range(arms):
            if edge - step >= right[k]:
                density[k] = 0.0
                below[k] = 1.0
                continue
            unit = 1.0 if kind == BETA else scale[k]
            for i in range(order):
                x = (middle + half * nodes[i] - center[k]) / unit
                density[k, i] = half * peak[k] * math.exp(log_drop(kind, x, first[k], second[k]))
            survival[k] = _distribute(k, density, survival[k], weights, tails, below)
        _multiply(density, below, weights, before, after, best)
        for i in range(order):
            area += half * _slope(kind, middle + half * nodes[i]) * before[arms, i]
        edge -= step
    return area


@kernel
def _step(kind: int, edge: float, center: Floats, scale: Floats, right: Floats, width: float) -> float:
    """Return the widest panel left of ``edge`` that no arm forbids; one that ends further left is met at its end."""
    step = math.inf
    for k in range(len(center)):
        own = width * scale[k]
        if kind == STUDENT:  # its tails are powers, which look the same at every distance
            own = max(own, 0.25 * width * abs(edge - center[k]))
        step = min(step, own if edge <= right[k] else max(own, edge - right[k]))
    return step


@kernel
def _distribute(k: int, density: Floats, survival: float, weights: Floats, tails: Floats, below: Floats) -> float:
    """Write F_k = 1 - S_k at the nodes of a panel to ``below``, and return S_k at its left end."""
    total = 0.0
    for i in range(len(weights)):
        total += weights[i] * density[k, i]
        part = 0.0
        for m in range(len(weights)):
            part += tails[i, m] * density[k, m]
        below[k, i] = max(0.0, 1.0 - survival - part)
    return survival + total


@kernel
def _multiply(density: Floats, below: Floats, weights: Floats, before: Floats, after: Floats, best: Floats) -> None:
    """Add a panel's share to ``best``; leave weight times Π F_j over the arms before k in row k of ``before``."""
    arms, order = density.shape
    for i in range(order):
        before[0, i] = weights[i]
        after[arms, i] = 1.0
    for k in range(arms - 1, -1, -1):
        for i in range(order):
            after[k, i] = after[k + 1, i] * below[k, i]
    for k in range(arms):
        total = 0.0
        for i in range(order):
            before[k + 1, i] = before[k, i] * below[k, i]
            total += before[k, i] * density[k, i] * after[k + 1, i]
        best[k] += total


@kernel
def _slope(kind: int, u: float) -> float:
    """Return dt/du, t being the value whose coordinate u is."""
    if kind != BETA:
        return 1.0
    odds = math.exp(-abs(u))
    return odds / (1 + odds) ** 2

"""Online Laplace approximation of logistic regression, compiled: a normal posterior that takes one row after another.

The coefficients are N(θ, A⁻¹) with A⁻¹ = F F', F upper triangular, kept as its rows from the diagonal on, one after
another: D(D + 1)/2 numbers. A row z with reward r in [0, 1] and weight w has
log-likelihood w(r log p + (1 - r) log(1 - p)), p = 1/(1 + exp(-z'β)). Its posterior is replaced by the normal law with
the same mode and the same curvature there. The mode lies on the line θ + A⁻¹z·g, so that it is one equation in one
unknown, η = z'β at the mode,

    η = m + v·w·(r - p(η)),        m = z'θ,  v = |F'z|²,

whose root is unique; then θ += A⁻¹z·w·(r - p) and A += s·z z' with s = w·p(1 - p), which costs O(D²). F itself is kept,
not A⁻¹: whatever the rows, F F' stays positive definite. References: Bishop, Pattern Recognition and Machine Learning,
section 4.4 (Laplace); Carlson, AIAA Journal 11 (1973), for the update of F.
"""

from __future__ import annotations

import math

import numpy as np

from bandit.jit import kernel
from bandit.shares import share_by_bound, share_by_chance
from bandit.types import Bools, Floats, Ints

LARGEST = 1e50
"""Largest context and weight that are taken: squares, products and sums of them stay finite."""
_STEPS = 200


def prior(size: int, ridge: float) -> Floats:
    """Return the F of A = ``ridge``·I.

    >>> prior(2, 4.0).tolist()
    [0.5, 0.0, 0.5]
    """
    return np.eye(size)[np.triu_indices(size)] / math.sqrt(ridge)


@kernel
def logistic(x: float) -> float:
    """Return 1/(1 + exp(-x)), without overflow."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


@kernel
def project(z: Floats, factor: Floats, projected: Floats) -> float:
    """Write F'z to ``projected`` (D,), and return the variance z'A⁻¹z = |F'z|²."""
    size = len(z)
    projected[:] = 0.0
    start = 0
    for i in range(size):
        if z[i] != 0.0:  # one-hot contexts are mostly zeros
            row, ahead = factor[start : start + size - i], projected[i:]
            for j in range(size - i):
                ahead[j] += z[i] * row[j]
        start += size - i
    square = 0.0
    for j in range(size):
        square += projected[j] * projected[j]
    return square


@kernel
def dot(z: Floats, theta: Floats) -> float:
    """Return z'θ, summed in order."""
    total = 0.0
    for i in range(len(z)):
        total += z[i] * theta[i]
    return total


@kernel
def mode(mean: float, variance: float, reward: float, weight: float) -> float:
    """Return the η of the module's equation, by Newton's steps within a bracket that each of them narrows."""
    pull = variance * weight
    # Beyond |m| by log(1 + vw), or by 1, what pulls at η is less than what holds it.
    far = max(math.log1p(pull), 1.0)
    low = max(mean + pull * (reward - 1), min(mean, 0.0) - far)
    high = min(mean + pull * reward, max(mean, 0.0) + far)
    eta = min(max(mean, low), high)
    for _ in range(_STEPS):
        p = logistic(eta)
        excess = eta - mean - pull * (reward - p)
        if excess > 0:
            high = eta
        else:
            low = eta
        step = excess / (1 + pull * p * (1 - p))
        if abs(step) <= 1e-14 * (1 + abs(eta)):
            break
        eta -= step
        if not low < eta < high:
            eta = 0.5 * (low + high)
    return eta


@kernel
def add_row(z: Floats, reward: float, weight: float, factor: Floats, theta: Floats, projected: Floats) -> None:
    """Move θ (D,) and F from the posterior before a row to the one after it; ``projected`` (D,) is room."""
    variance = project(z, factor, projected)
    p = logistic(mode(dot(z, theta), variance, reward, weight))
    add_evidence(weight * p * (1 - p), weight * (reward - p), projected, factor, theta)


@kernel
def add_evidence(curvature: float, gain: float, projected: Floats, factor: Floats, theta: Floats) -> None:
    """Add ``gain``·A⁻¹z to θ and s·z z' to A = (F F')⁻¹, given s and F'z (Carlson, 1973)."""
    size = len(projected)
    keep, drop = np.empty((2, size))
    before = 1.0
    for j in range(size):
        after = before + curvature * projected[j] * projected[j]
        keep[j] = math.sqrt(before / after)
        drop[j] = curvature * projected[j] / math.sqrt(before * after)
        before = after
    at = 0
    for i in range(size):
        total = 0.0  # of row i of F against F'z: at its end, the entry i of A⁻¹z
        for j in range(i, size):
            old = factor[at]
            factor[at] = keep[j] * old - drop[j] * total
            total += old * projected[j]
            at += 1
        theta[i] += gain * total


@kernel
def add_rows(features: Floats, arms: Ints, rewards: Floats, weights: Floats, factor: Floats, theta: Floats) -> None:
    """Take rows (1, features) one after another into the posteriors of their arms: F a row of ``factor``, θ (K, D)."""
    z, room = np.ones(theta.shape[1]), np.empty(theta.shape[1])
    for row in range(len(features)):
        z[1:] = features[row]
        add_row(z, rewards[row], weights[row], factor[arms[row]], theta[arms[row]], room)


@kernel
def score(features: Floats, factor: Floats, theta: Floats, allowed: Bools, mean: Floats, sd: Floats) -> int:
    """Write z'θ and |F'z|, z = (1, features), of the allowed arms, one after another, and return how many they are."""
    z, room = np.ones(theta.shape[1]), np.empty(theta.shape[1])
    z[1:] = features
    found = 0
    for k in range(len(theta)):
        if allowed[k]:
            mean[found] = dot(z, theta[k])
            sd[found] = math.sqrt(project(z, factor[k], room))
            found += 1
    return found


@kernel
def fill_by_bound(rows: Floats, allowed: Bools, factor: Floats, theta: Floats, alpha: float, law: Floats) -> None:
    """Write the law of the largest mean + ``alpha``·sd into zeros; ``allowed`` has one row, or one for each."""
    mean, sd = np.empty((2, len(theta)))
    for row in range(len(rows)):
        mask = allowed[row if len(allowed) > 1 else 0]
        found = score(rows[row], factor, theta, mask, mean, sd)
        share_by_bound(mean[:found], sd[:found], alpha, mask, law[row])


@kernel
def fill_by_chance(rows: Floats, allowed: Bools, factor: Floats, theta: Floats, spread: float, law: Floats) -> None:
    """Write the probabilities that each N(mean, ``spread``²·sd²) is the largest into zeros."""
    mean, sd = np.empty((2, len(theta)))
    for row in range(len(rows)):
        mask = allowed[row if len(allowed) > 1 else 0]
        found = score(rows[row], factor, theta, mask, mean, sd)
        share_by_chance(mean[:found], spread * sd[:found], mask, law[row])

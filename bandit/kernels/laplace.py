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
from typing import TypeAlias

import numpy as np

from bandit.kernels.jit import kernel
from bandit.kernels.rules import share_out
from bandit.types import Bools, Floats, Ints

How: TypeAlias = tuple[int, float]

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
def answer(how: How, features: Floats, factor: Floats, theta: Floats, allowed: Bools, law: Floats) -> None:
    """Write the law for one visitor, 0 where not allowed; ``how`` is the rule of ``kernels/rules.py`` and its strength.

    Scores are log-odds, in which the arms have the order of their chances.
    """
    mean, sd, shares = np.empty((3, len(theta)))
    found = score(features, factor, theta, allowed, mean, sd)
    share_out(how[0], how[1], mean[:found], sd[:found], shares[:found])
    place = 0
    for k in range(len(law)):
        law[k] = shares[place] if allowed[k] else 0.0
        place += allowed[k]


@kernel
def answers(how: How, rows: Floats, factor: Floats, theta: Floats, allowed: Bools, laws: Floats) -> None:
    """Write the (n, K) laws; ``allowed`` has one row for all, or one for each."""
    for row in range(len(rows)):
        answer(how, rows[row], factor, theta, allowed[row if len(allowed) > 1 else 0], laws[row])


@kernel
def play(
    how: How,
    exploration: float,
    rows: Floats,
    rewards: Floats,
    uniforms: Floats,
    factor: Floats,
    theta: Floats,
    arms: Ints,
    propensities: Floats,
) -> None:
    """Choose, see the reward and learn, round after round, and write the arms that were drawn and with what chance."""
    law = np.empty(len(theta))
    z, room = np.ones(theta.shape[1]), np.empty(theta.shape[1])
    everything = np.ones(len(theta), dtype=np.bool_)
    for row in range(len(rows)):
        answer(how, rows[row], factor, theta, everything, law)
        if exploration > 0:
            law *= 1 - exploration
            law += exploration / len(law)
        k = draw(law, uniforms[row])
        arms[row], propensities[row] = k, law[k]
        z[1:] = rows[row]
        add_row(z, rewards[row, k], 1.0, factor[k], theta[k], room)


@kernel
def draw(law: Floats, uniform: float) -> int:
    """Return the first arm whose cumulative share exceeds ``uniform`` times the whole."""
    whole = 0.0
    for share in law:
        whole += share
    total = 0.0
    for k in range(len(law)):
        total += law[k]
        if total > uniform * whole:
            return k
    return int(law.argmax())

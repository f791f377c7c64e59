"""Logistic regressions that share parameters, compiled: one posterior for what is shared, one for what is an arm's own.

The log-odds of arm k in a context are (ã_k ⊗ x̃)'β + x̃'θ_k, x̃ = (1, x), ã_k = (1, a_k) its attributes: β (m numbers) is
shared, θ_k (D) is the arm's own. All are kept independent of one another: β ~ N(b, B), θ_k ~ N(t_k, C_k), the closest
such law after every row. With v = φ'Bφ + x̃'C_k x̃, φ = ã_k ⊗ x̃, the row's mode and its curvature s = w·p(1 - p) are
those of :mod:`bandit.kernels.laplace`; both means move by the same residual, and the marginal precisions grow by

    B⁻¹ += s/(1 + s·x̃'C_k x̃)·φφ',        C_k⁻¹ += s/(1 + s·φ'Bφ)·x̃x̃',

which are exact; what is left out is their covariance, which is negative: scores are taken as less certain than they
are, by at most a factor √2 in deviation where both parts know equally much. Reference: Bishop, Pattern Recognition and
Machine Learning, section 10.7 (assumed densities); Li, Chu, Langford and Schapire, WWW 2010 (the features).
"""

from __future__ import annotations

import math

import numpy as np

from bandit.chance.normals import prob_best_correlated
from bandit.kernels.jit import kernel
from bandit.kernels.laplace import add_evidence, dot, logistic, mode, project
from bandit.kernels.rules import THOMPSON, share_out
from bandit.types import Bools, Floats, Ints


@kernel
def pair(attributes: Floats, z: Floats, joint: Floats) -> None:
    """Write ã ⊗ x̃."""
    size = len(z)
    for i in range(len(attributes)):
        for j in range(size):
            joint[i * size + j] = attributes[i] * z[j]


@kernel
def add_rows(
    contexts: Floats,
    arms: Ints,
    rewards: Floats,
    weights: Floats,
    attributes: Floats,
    own: tuple[Floats, Floats],
    shared: tuple[Floats, Floats],
) -> None:
    """Take rows one after another; ``own`` is the triangles and means of the arms (K, ·), ``shared`` those of β."""
    factor, theta = own
    joint, told = np.empty((2, len(shared[1])))
    z, room = np.ones(theta.shape[1]), np.empty(theta.shape[1])
    for row in range(len(contexts)):
        k = arms[row]
        z[1:] = contexts[row]
        pair(attributes[k], z, joint)
        common, apart = project(joint, shared[0], told), project(z, factor[k], room)
        mean = dot(joint, shared[1]) + dot(z, theta[k])
        p = logistic(mode(mean, common + apart, rewards[row], weights[row]))
        curvature, gain = weights[row] * p * (1 - p), weights[row] * (rewards[row] - p)
        add_evidence(curvature / (1 + curvature * apart), gain, told, shared[0], shared[1])
        add_evidence(curvature / (1 + curvature * common), gain, room, factor[k], theta[k])


@kernel
def answers(
    how: tuple[int, float],
    contexts: Floats,
    attributes: Floats,
    own: tuple[Floats, Floats],
    shared: tuple[Floats, Floats],
    points: tuple[Floats, Floats],
    allowed: Bools,
    laws: Floats,
) -> None:
    """Write the (n, K) laws; ``points`` are those of :func:`bandit.chance.normals.normals_for`."""
    arms = len(attributes)
    mean, apart, shares = np.empty((3, arms))
    told, z = np.empty((arms, len(shared[1]))), np.ones(own[1].shape[1])
    for row in range(len(contexts)):
        mask = allowed[row if len(allowed) > 1 else 0]
        z[1:] = contexts[row]
        found = _score(z, attributes, own, shared, mask, mean, apart, told)
        if how[0] == THOMPSON:
            scale = how[1]
            apart[:found] *= scale * scale
            told[:found] *= scale
            prob_best_correlated(mean[:found], apart[:found], told[:found], points[0], points[1], shares[:found])
        else:
            for i in range(found):
                apart[i] = math.sqrt(apart[i] + dot(told[i], told[i]))
            share_out(how[0], how[1], mean[:found], apart[:found], shares[:found])
        place = 0
        for k in range(arms):
            laws[row, k] = shares[place] if mask[k] else 0.0
            place += mask[k]


@kernel
def _score(
    z: Floats,
    attributes: Floats,
    own: tuple[Floats, Floats],
    shared: tuple[Floats, Floats],
    allowed: Bools,
    mean: Floats,
    apart: Floats,
    told: Floats,
) -> int:
    """Write of the allowed arms, one after another, means, own variances, and what the shared part adds (m a row)."""
    joint, room = np.empty(len(shared[1])), np.empty(len(z))
    found = 0
    for k in range(len(attributes)):
        if allowed[k]:
            pair(attributes[k], z, joint)
            project(joint, shared[0], told[found])
            apart[found] = project(z, own[0][k], room)
            mean[found] = dot(joint, shared[1]) + dot(z, own[1][k])
            found += 1
    return found

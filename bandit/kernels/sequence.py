"""One visitor after another, compiled: choose, see the reward, learn, next. For simulations and replays.

Sums are what a policy keeps; solving them anew after every row is what makes learning one by one slow. Here the
inverses are kept up to date instead, by Sherman and Morrison's formula: with P = A⁻¹ and u = P z, the row (z, r) gives

    P' = P - u u' / (1 + z'u),        θ' = θ + u (r - z'θ) / (1 + z'u).

That drifts by rounding, so that both are derived anew from the sums after 16, 64, 256, ... and then every 8,192 rounds.
The answers are those of choosing and learning through the policy's two verbs to about 1e-9, and the sums are the same.

An inverse lies in memory in runs of eight columns, all rows of a run together. Since it is symmetric, z'Pz takes only
the runs' rows down to the diagonal; all of it is read for the one arm that learns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from bandit.checks import require_bounded
from bandit.kernels.jit import kernel, long_kernel
from bandit.kernels.lanes import LANES, add_multiple, add_product, add_up, fill, load, store
from bandit.kernels.ridge import add_run
from bandit.kernels.rules import EPSILON, GAP, UCB, share_out, strength
from bandit.types import Floats, Ints
from bandit.validation import require

SHORTEST: Final = 16
LONGEST: Final = 8192
"""Rounds between two derivations, at first and in the end."""
LEARNS: Final = 16
"""Rows that an arm learns before the bound of its deviations is drawn closer."""
CLEAR: Final = 1e-8
"""Relative difference of bounds beyond all rounding, and beyond what counts as a tie."""


@dataclass(frozen=True, slots=True)
class Played:
    """What happened in n rounds."""

    arms: Ints
    """(n,) the arm that was drawn."""
    propensities: Floats
    """(n,) the probability with which it was drawn."""

    @classmethod
    def blank(cls, rounds: int, arms: int, rewards: Floats, uniforms: Floats) -> Self:
        """Return room for n ``rounds`` over K ``arms``, once ``rewards`` (n, K) and ``uniforms`` (n,) fit them.

        Raises
        ------
        InvalidInput
            For wrong shapes, numbers beyond ±1e50, and NaN.
        """
        shapes = (rewards.shape, uniforms.shape)
        require(shapes == ((rounds, arms), (rounds,)), f"there must be {rounds} rounds, found {shapes}")
        require_bounded("rewards", rewards)
        require_bounded("uniforms", uniforms)
        return cls(np.empty(rounds, dtype=np.int64), np.empty(rounds))


def pieces(rounds: int, learned: float = 0.0) -> list[slice]:
    """Return the stretches between derivations: each three times what was ``learned`` before, which moves the most.

    >>> [(piece.start, piece.stop) for piece in pieces(100)]
    [(0, 16), (16, 64), (64, 100)]
    """
    found, start = [], 0
    while start < rounds:
        length = int(min(max(3 * (learned + start), SHORTEST), LONGEST))
        found.append(slice(start, min(start + length, rounds)))
        start += length
    return found


@kernel
def inverses(factor: Floats, inverse: Floats) -> None:
    """Write P = F F' (K, D, D) to ``inverse`` (K, W, W) in runs of eight columns, W = D padded."""
    arms, size = factor.shape[:2]
    wide = inverse.shape[1]
    inverse[:] = 0.0
    for k in range(arms):
        product = np.zeros((size, size))
        columns = factor[k].T.copy()
        for m in range(size):  # P = Σ_m f_m f_m', f_m being F's column m, which ends at its diagonal
            for j in range(m + 1):
                add_run(columns[m, j], columns[m, : m + 1], product[j, : m + 1])
        flat = inverse[k].reshape(-1)
        for j in range(size):
            for i in range(size):
                flat[(i // LANES * wide + j) * LANES + i % LANES] = product[j, i]


@long_kernel
def play(
    how: tuple[int, float, float, float],
    learned: float,
    contexts: Floats,
    rewards: Floats,
    uniforms: Floats,
    inverse: Floats,
    theta: Floats,
    arms: Ints,
    propensities: Floats,
) -> None:
    """Play rounds: draw each arm by a uniform number, pay it what its column of ``rewards`` (n, K) says, and learn.

    ``inverse`` (K, W, W) and ``theta`` (K, W) go along; ``learned`` is the weight of the rows learned before.
    """
    rule, first, halving, exploration = how
    count, wide = theta.shape
    z, along = np.zeros((2, wide))
    mean, sd, shares, largest = np.empty((4, count))
    learns = np.zeros(count, dtype=np.int64)
    for k in range(count):
        largest[k] = _largest(inverse[k].reshape(-1))
    z[0] = 1.0
    for t in range(len(contexts)):
        z[1 : contexts.shape[1] + 1] = contexts[t]
        for k in range(count):
            mean[k] = _mean(z, theta[k])
        strong = strength(rule, first, halving, learned + t)
        _spread(rule, strong, z, inverse, largest, mean, sd)
        share_out(rule, strong, mean, sd, shares)
        if exploration > 0:
            for k in range(count):
                shares[k] = shares[k] * (1 - exploration) + exploration / count
        arm = _draw(shares, uniforms[t])
        arms[t], propensities[t] = arm, shares[arm]
        _learn(z, rewards[t, arm], inverse[arm].reshape(-1), theta[arm], along)
        learns[arm] += 1
        if learns[arm] % LEARNS == 0:
            largest[arm] = _largest(inverse[arm].reshape(-1))


@kernel
def _spread(rule: int, strong: float, z: Floats, inverse: Floats, largest: Floats, mean: Floats, sd: Floats) -> None:
    """Write the deviations √(z'Pz) that the rule will look at, and 0 for the others.

    Under UCB most arms are far behind: z'Pz <= |z|²·|P| bounds what they could reach without a look at all of P, and
    where that is below the leader's bound, by more than what still counts as a tie, the deviation changes nothing.
    """
    sd[:] = 0.0
    if rule in (EPSILON, GAP):
        return
    if rule != UCB:
        for k in range(len(mean)):
            sd[k] = _deviation(z, inverse[k])
        return
    length = strong * math.sqrt(_mean(z, z))
    leader, reach = 0, 0.0
    for k in range(len(mean)):
        at_most = length * largest[k]
        reach = max(reach, abs(mean[k]) + at_most)
        if mean[k] + at_most > mean[leader] + length * largest[leader]:
            leader = k
    sd[leader] = _deviation(z, inverse[leader])
    top = mean[leader] + strong * sd[leader]
    for k in range(len(mean)):
        if k != leader and mean[k] + length * largest[k] >= top - CLEAR * reach:
            sd[k] = _deviation(z, inverse[k])
            top = max(top, mean[k] + strong * sd[k])


@kernel
def _deviation(z: Floats, inverse: Floats) -> float:
    return math.sqrt(max(_variance(z, inverse.reshape(-1)), 0.0))


@kernel
def _largest(inverse: Floats) -> float:
    """Return √|P|, the Frobenius norm's root: no √(z'Pz) is longer than this times |z|, now or after more rows."""
    total = fill(0.0)
    for i in range(0, len(inverse), LANES):
        run = load(inverse, i)
        total = add_product(run, run, total)
    return math.sqrt(math.sqrt(add_up(total)))


@kernel
def _draw(shares: Floats, uniform: float) -> int:
    """Return the arm in whose part of the line a uniform number falls; never one without a share."""
    total = 0.0
    for share in shares:
        total += share
    target, before = uniform * total, 0.0
    for k in range(len(shares)):
        before += shares[k]
        if before > target:
            return k
    return len(shares) - 1


@kernel
def _mean(z: Floats, theta: Floats) -> float:
    total = fill(0.0)
    for i in range(0, len(z), LANES):
        total = add_product(load(z, i), load(theta, i), total)
    return add_up(total)


@kernel
def _variance(z: Floats, inverse: Floats) -> float:
    """Return z'Pz = Σ_b z_b'(2 Σ_{c<b} P_bc z_c + P_bb z_b) over runs b, c of eight columns."""
    wide = len(z)
    total = fill(0.0)
    for i in range(0, wide, LANES):
        above = _times(z, 0, i, inverse, i * wide)
        own = _times(z, i, i + LANES, inverse, i * wide)
        total = add_product(load(z, i), add_product(fill(2.0), above, own), total)
    return add_up(total)


@kernel
def _times(z: Floats, first: int, end: int, inverse: Floats, at: int) -> Any:
    """Return Σ_j z_j P_j over rows j from ``first`` to ``end`` of the run at ``at``: four sums, so that none waits."""
    one, two, three, four = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
    for j in range(first, end, 4):
        row = at + j * LANES
        one = add_multiple(z, j, load(inverse, row), one)
        two = add_multiple(z, j + 1, load(inverse, row + LANES), two)
        three = add_multiple(z, j + 2, load(inverse, row + 2 * LANES), three)
        four = add_multiple(z, j + 3, load(inverse, row + 3 * LANES), four)
    single = fill(1.0)
    return add_product(single, add_product(single, one, two), add_product(single, three, four))


@kernel
def _learn(z: Floats, reward: float, inverse: Floats, theta: Floats, along: Floats) -> None:
    """Let an arm learn a row; ``along`` is room for u."""
    wide = len(z)
    total = fill(0.0)
    for i in range(0, wide, LANES):
        run = _times(z, 0, wide, inverse, i * wide)
        store(along, i, run)
        total = add_product(load(z, i), run, total)
    part = 1.0 / (1.0 + max(add_up(total), 0.0))
    step = fill(part * (reward - _mean(z, theta)))
    for i in range(0, wide, LANES):
        store(theta, i, add_product(step, load(along, i), load(theta, i)))
    less = -part * along
    for i in range(0, wide, LANES):
        run = load(along, i)
        for row in range(wide):
            at = i * wide + row * LANES
            store(inverse, at, add_multiple(less, row, run, load(inverse, at)))

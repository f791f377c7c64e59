"""From scores to shares: what arms get whose expected rewards are known to a mean and a deviation each.

Every rule takes the scores of the K allowed arms in one context and writes K shares that sum to one. Its *strength* is
the one number that it is told; for two of them it depends on how much was learned:

===========  ==========================================================================  =======================
rule         shares                                                                      strength
===========  ==========================================================================  =======================
UCB          all to the largest mean + α·sd                                              α
THOMPSON     P(N(mean, (ν·sd)²) is the largest)                                          ν
EPSILON      1 - ε to the largest mean, ε evenly                                         ε = ε₀ / (1 + n/h)
GAP          1/(K + γ·gap) to each but the best, which takes the rest                    γ = c·√n
===========  ==========================================================================  =======================

n is the weight of the rows learned, h the rows after which ε has halved (0: it stays). Bounds and means that differ by
no more than rounding tie, and ties share evenly: sums that came about in another order have other last bits.
"""

from __future__ import annotations

import math
from typing import Final

from bandit.chance.quick import prob_best_quickly
from bandit.kernels.jit import kernel
from bandit.types import Floats

UCB: Final = 0
THOMPSON: Final = 1
EPSILON: Final = 2
GAP: Final = 3

_ALIKE: Final = 1e-10
"""Relative difference of bounds that is rounding."""


@kernel
def strength(rule: int, first: float, halving: float, rows: float) -> float:
    """Return the strength of a rule after ``rows`` rows, ``first`` being α, ν, ε₀ or c.

    >>> strength(EPSILON, 0.2, 100.0, 300.0), strength(GAP, 2.0, 0.0, 25.0)
    (0.05, 10.0)
    """
    if rule == EPSILON and halving > 0:
        return first / (1.0 + rows / halving)
    if rule == GAP:
        return first * math.sqrt(rows)
    return first


@kernel
def share_out(rule: int, strong: float, mean: Floats, sd: Floats, shares: Floats) -> None:
    """Write the shares that a rule gives; ``sd`` is used up."""
    if rule == THOMPSON:
        sd *= strong
        prob_best_quickly(mean, sd, shares)
    elif rule == GAP:
        _weigh_gaps(strong, mean, shares)
    elif rule == EPSILON:
        _to_highest(0.0, mean, sd, shares)
        shares *= 1.0 - strong
        shares += strong / len(shares)
    else:
        _to_highest(strong, mean, sd, shares)


@kernel
def _to_highest(alpha: float, mean: Floats, sd: Floats, shares: Floats) -> None:
    top, scale = -math.inf, 0.0
    for k in range(len(mean)):
        shares[k] = mean[k] + alpha * sd[k]
        top = max(top, shares[k])
        scale = max(scale, abs(mean[k]) + alpha * sd[k])
    count = 0
    for k in range(len(mean)):
        shares[k] = 1.0 if shares[k] >= top - _ALIKE * scale else 0.0
        count += int(shares[k])
    shares /= count


@kernel
def _weigh_gaps(gamma: float, mean: Floats, shares: Floats) -> None:
    """Write SquareCB's shares (Foster and Rakhlin, ICML 2020, algorithm 1); ties for the best share its rest."""
    arms = len(mean)
    top, scale = mean.max(), 0.0
    for k in range(arms):
        scale = max(scale, abs(mean[k]))
    rest, best = 1.0, 0
    for k in range(arms):
        gap = top - mean[k]
        if gap <= _ALIKE * scale:
            shares[k] = -1.0
            best += 1
        else:
            shares[k] = 1.0 / (arms + gamma * gap)
            rest -= shares[k]
    for k in range(arms):
        if shares[k] < 0:
            shares[k] = rest / best

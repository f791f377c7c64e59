r"""What the posterior says of each variant: a belief, never a proof.

With independent posteriors of the variants' means :math:`\theta_k`,

.. math:: P_k = P(\theta_k = \max_j \theta_j), \qquad L_k = E[\max_j \theta_j] - E[\theta_k].

Both assume that nothing changes over time and are not adjusted for looking often: with a common rate that drifts, a
bandit's 'P(best) >= 95%' named a winner among equal variants in 96% of runs. So no page calls it a result.

References
----------
Scott 2010, A modern Bayesian look at the multi-armed bandit, §3; Gelman et al., Bayesian Data Analysis, §3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bandit.chance.quadrature import expected_loss_beta, expected_loss_normal, prob_best_beta, prob_best_normal
from bandit.types import Floats
from bandit.validation import require
from experiments.statistics.moments import Missing, Moments

MIN_NUMERIC_ROWS = 10
"""Below this many rows the posterior of a numeric mean is too far from normal to be summed up."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Chance to be best and expected loss of each variant, in the order of the moments."""

    best: tuple[float, ...]
    loss: tuple[float, ...]
    """In the metric's unit: what is given up on average by showing this variant alone."""


def belief(variants: Sequence[Moments], *, binary: bool) -> Belief | Missing:
    """The belief about zeros and ones, or about any other numbers."""
    if not any(moments.rows for moments in variants):
        return Missing("no rows have matured yet")
    if len(variants) < 2:
        return Missing("there is nothing to compare with")
    return belief_binary(variants) if binary else belief_normal(variants)


def belief_binary(variants: Sequence[Moments], *, prior: tuple[float, float] = (1.0, 1.0)) -> Belief:
    """Beta posteriors a = a₀ + s, b = b₀ + n − s, uniform prior unless another is given."""
    a = np.array([prior[0] + moments.total for moments in variants])
    b = np.array([prior[1] + moments.rows - moments.total for moments in variants])
    return _belief(prob_best_beta(a, b), expected_loss_beta(a, b))


def belief_normal(variants: Sequence[Moments]) -> Belief | Missing:
    """Normal posteriors N(mean, s²/n) under a flat prior."""
    estimates = [moments.estimate() for moments in variants]
    poorest = min(moments.rows for moments in variants)
    if poorest < MIN_NUMERIC_ROWS:
        return Missing(f"each variant needs {MIN_NUMERIC_ROWS} rows, one has {poorest}")
    known = [estimate for estimate in estimates if not isinstance(estimate, Missing)]
    if len(known) < len(estimates):
        return Missing("the values of a variant do not differ yet")
    mean = np.array([estimate.value for estimate in known])
    sd = np.array([estimate.standard_error for estimate in known])
    return _belief(prob_best_normal(mean, sd), expected_loss_normal(mean, sd))


def _belief(best: Floats, loss: Floats) -> Belief:
    return Belief(best=tuple(best.ravel().tolist()), loss=tuple(loss.ravel().tolist()))


def top_two(mean: Sequence[float], sd: Sequence[float]) -> Floats:
    """Return (K,) half the chance to be the best or the second best, for independent normals: top-two Thompson weights.

    P(second = k) = Σ_j [P(k best without j) − P(k best)]. Russo 2016, Simple Bayesian algorithms for best arm
    identification, §3.3, at an even split.

    >>> top_two([0.0, 0.0, -50.0], [1.0, 1.0, 1.0]).round(6).tolist()
    [0.5, 0.5, 0.0]
    """
    require(len(mean) == len(sd) > 1, f"there must be two variants at least, found {len(mean)} and {len(sd)}")
    means, sds = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    best = prob_best_normal(means, sds)[0]
    either = best.copy()
    for left_out in range(len(means)):
        rest = np.arange(len(means)) != left_out
        either[rest] += prob_best_normal(means[rest], sds[rest])[0] - best[rest]
    return np.asarray(np.maximum(either, 0.0) / either.sum())


def floored(shares: Sequence[float] | Floats, floor: float) -> Floats:
    """Return (K,) shares mixed with even ones so that each is at least ``floor``: floor + (1 − K floor) share.

    >>> floored([0.0, 0.2, 0.8], 0.01).round(6).tolist()
    [0.01, 0.204, 0.786]
    """
    require(0 <= floor <= 1 / len(shares), f"floor must be between 0 and 1/{len(shares)}, found {floor}")
    return np.asarray(floor + (1 - len(shares) * floor) * np.asarray(shares, dtype=np.float64))

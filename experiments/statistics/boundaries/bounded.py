r"""Confidence sequences of the mean of values in [0, 1], without asymptotics, from the values in their order.

**Predictable plug-in.** With bets :math:`\lambda_t` that depend on values before t alone,

.. math:: \frac{\sum \lambda_i x_i}{\sum \lambda_i} \pm
          \frac{\ln(2/\alpha) + \sum v_i\,\psi(\lambda_i)}{\sum \lambda_i},

for Hoeffding with :math:`v = 1`, :math:`\psi = \lambda^2/8` and
:math:`\lambda_t = \min(1, \sqrt{8\ln(2/\alpha)/(t\ln(1+t))})`, for the empirical Bernstein bound with
:math:`v_i = (x_i - \hat\mu_{i-1})^2`, :math:`\psi = -\ln(1-\lambda) - \lambda` and
:math:`\lambda_t = \min(c, \sqrt{2\ln(2/\alpha)/(t\ln(1+t)\,\hat\sigma^2_{t-1})})`.

**Betting.** All m whose capital :math:`\max(\tfrac12 K_t^+(m), \tfrac12 K_t^-(m))` is below 1/α, where
:math:`K_t^\pm(m) = \prod (1 \pm \lambda_i^\pm(m)\,(x_i - m))` and the bets are those of the empirical Bernstein bound,
cut at half of what could lose everything. The narrowest of the three, and the slowest: it needs all values.

The target is the mean given the past: where that moves, the weighted average of the moving means (plug-in), or nothing
that can be read off (betting).

References
----------
Waudby-Smith and Ramdas 2024, JRSS-B 86(1), 1-27, arXiv:2010.09686: §3.1 and §3.2 (plug-in), §4.4 (hedged capital).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bandit.types import Floats
from bandit.validation import require
from experiments.statistics.sequential import ALPHA

PRECISION = 40
"""Halvings of [0, 1] in search of a betting limit."""


def hoeffding_limits(
    values: Sequence[float] | Floats, *, alpha: float = ALPHA, truncation: float = 1.0
) -> tuple[Floats, Floats]:
    """Return (n,) lower and (n,) upper limits after each value, by Hoeffding's bound; not cut to [0, 1].

    >>> low, high = hoeffding_limits([0.0, 1.0] * 100)
    >>> bool(0.35 < low[-1] < 0.5 < high[-1] < 0.65)
    True
    """
    x = _checked(values)
    t = np.arange(1, len(x) + 1)
    bets = np.minimum(np.sqrt(8 * math.log(2 / alpha) / (t * np.log1p(t))), truncation)
    center, total = np.cumsum(bets * x) / np.cumsum(bets), np.cumsum(bets)
    half = (math.log(2 / alpha) + np.cumsum(bets**2 / 8)) / total
    return center - half, center + half


def empirical_bernstein_limits(
    values: Sequence[float] | Floats, *, alpha: float = ALPHA, truncation: float = 0.5
) -> tuple[Floats, Floats]:
    """Return (n,) lower and (n,) upper limits after each value, by the empirical Bernstein bound; not cut to [0, 1].

    >>> low, high = empirical_bernstein_limits([0.0] * 190 + [1.0] * 10)
    >>> bool(low[-1] < 0.05 < high[-1] < 0.3)
    True
    """
    x = _checked(values)
    return _bernstein_lower(x, alpha / 2, truncation), 1 - _bernstein_lower(1 - x, alpha / 2, truncation)


def betting_limits(
    values: Sequence[float] | Floats,
    *,
    alpha: float = ALPHA,
    times: Sequence[int] | None = None,
    truncation: float = 0.5,
) -> tuple[Floats, Floats]:
    """Return lower and upper limits after the given numbers of values (after all, where none are given).

    >>> low, high = betting_limits([0.0] * 190 + [1.0] * 10)
    >>> bool(low[0] < 0.05 < high[0] < 0.2)
    True
    """
    x = _checked(values)
    ends = [len(x)] if times is None else list(times)
    require(all(0 < end <= len(x) for end in ends), f"times must be within the {len(x)} values, found {ends}")
    require(0 < truncation < 1, f"truncation must be between 0 and 1, found {truncation}")
    low = [_betting_lower(x[:end], alpha / 2, truncation) for end in ends]
    high = [1 - _betting_lower(1 - x[:end], alpha / 2, truncation) for end in ends]
    return np.array(low), np.array(high)


def predictable_bets(x: Floats, *, alpha: float) -> Floats:
    """Return (n,) √(2 ln(1/α) / (t ln(1+t) σ̂²_{t−1})), of the mean and variance so far, shrunk to ½ and ¼."""
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    return np.asarray(np.sqrt(2 * math.log(1 / alpha) / (t * np.log1p(t) * before)))


def _bernstein_lower(x: Floats, alpha: float, truncation: float) -> Floats:
    bets = np.minimum(predictable_bets(x, alpha=alpha), truncation)
    mean = np.cumsum(x) / np.arange(1, len(x) + 1)
    spread = (x - np.concatenate([[0.0], mean[:-1]])) ** 2
    half = math.log(1 / alpha) + np.cumsum(spread * (-np.log1p(-bets) - bets))
    return np.asarray((np.cumsum(bets * x) - half) / np.cumsum(bets))


def _betting_lower(x: Floats, alpha: float, truncation: float) -> float:
    """The m at which the capital of betting on a higher mean, which falls as m rises, reaches 1/α."""
    bets = predictable_bets(x, alpha=alpha)
    low, high = 0.0, 1.0
    for _ in range(PRECISION):
        m = (low + high) / 2
        capital = np.log1p(np.minimum(bets, truncation / m) * (x - m)).sum()
        low, high = (m, high) if capital > math.log(1 / alpha) else (low, m)
    return low


def _checked(values: Sequence[float] | Floats) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    require(x.ndim == 1 and len(x) > 0, f"values must be one list that is not empty, found shape {x.shape}")
    require(bool(np.all((x >= 0) & (x <= 1))), "values must be between 0 and 1")
    return x

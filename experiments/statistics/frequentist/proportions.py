r"""Zeros and ones at one look: intervals of one proportion, of two compared, and tests that they are equal.

One proportion, x of n, z the normal quantile: ``wald`` p ± z √(p(1−p)/n), ``agresti-coull`` and ``wilson`` (centre
(x + z²/2)/(n + z²)), ``beta`` the exact Clopper-Pearson, ``jeffreys`` the Beta(½, ½) posterior's.

Two proportions, :math:`p_1` against :math:`p_2`: their difference (``wald``, ``agresti-caffo``, ``newcombe`` from two
Wilson intervals, ``miettinen-nurminen``), ratio (``log``, ``log-adjusted``, ``score``) or odds ratio (``logit``,
``logit-adjusted``, ``score``). Score intervals are all values that the test of Miettinen and Nurminen does not reject;
the variance of that test is taken at the proportions that are most likely under the null, times N/(N − 1).

``wald`` misleads with few conversions or with nearly all: it then covers less than it says. Limits are cut at 0 and 1.

References
----------
Brown, Cai, DasGupta 2001, Statistical Science 16(2): one proportion. Newcombe 1998, Statistics in Medicine 17, 873-890,
method 10. Miettinen and Nurminen 1985, Statistics in Medicine 4, 213-226. Agresti and Caffo 2000. Katz et al. 1978.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from scipy.special import betaincinv, chdtrc, ndtr, ndtri

from bandit.validation import require
from experiments.statistics.frequentist.scores import (
    accepted,
    accepted_ratios,
    difference_score,
    odds_score,
    ratio_score,
)
from experiments.statistics.sequential import ALPHA

Limits = tuple[float, float]


class Method(StrEnum):
    """How to make an interval of one proportion."""

    WALD = "wald"
    AGRESTI_COULL = "agresti-coull"
    WILSON = "wilson"
    BETA = "beta"
    JEFFREYS = "jeffreys"


class DifferenceMethod(StrEnum):
    """How to make an interval of a difference of proportions."""

    WALD = "wald"
    AGRESTI_CAFFO = "agresti-caffo"
    NEWCOMBE = "newcombe"
    MIETTINEN_NURMINEN = "miettinen-nurminen"
    SCORE = "score"
    """What statsmodels 0.15 calls so, which has a slip in the likeliest proportions: for comparison only."""


class RatioMethod(StrEnum):
    """How to make an interval of a ratio of proportions."""

    LOG = "log"
    LOG_ADJUSTED = "log-adjusted"
    SCORE = "score"


class OddsMethod(StrEnum):
    """How to make an interval of a ratio of odds."""

    LOGIT = "logit"
    LOGIT_ADJUSTED = "logit-adjusted"
    SCORE = "score"


def proportion_limits(count: float, rows: float, *, alpha: float = ALPHA, method: Method = Method.WILSON) -> Limits:
    """Limits of one proportion, ``count`` of ``rows``.

    >>> [round(limit, 6) for limit in proportion_limits(37, 420)]
    [0.064588, 0.119069]
    """
    require(rows > 0 and 0 <= count <= rows, f"count must be between 0 and rows > 0, found {count} of {rows}")
    z = _z(alpha)
    if method is Method.BETA:
        low = float(betaincinv(count, rows - count + 1, alpha / 2)) if count > 0 else 0.0
        return low, float(betaincinv(count + 1, rows - count, 1 - alpha / 2)) if count < rows else 1.0
    if method is Method.JEFFREYS:
        a, b = count + 0.5, rows - count + 0.5
        return float(betaincinv(a, b, alpha / 2)), float(betaincinv(a, b, 1 - alpha / 2))
    if method is Method.WALD:
        return _within(_around(count / rows, z * math.sqrt(count / rows * (1 - count / rows) / rows)))
    wide = rows + z * z
    center = (count + z * z / 2) / wide
    if method is Method.AGRESTI_COULL:
        return _within(_around(center, z * math.sqrt(center * (1 - center) / wide)))
    return _within(_around(center, z / wide * math.sqrt(count * (1 - count / rows) + z * z / 4)))


def difference_limits(
    count1: float,
    rows1: float,
    count2: float,
    rows2: float,
    *,
    alpha: float = ALPHA,
    method: DifferenceMethod = DifferenceMethod.NEWCOMBE,
) -> Limits:
    """Limits of p₁ − p₂.

    >>> [round(limit, 6) for limit in difference_limits(1111, 10100, 1000, 10000)]
    [0.001522, 0.018478]
    """
    if method is DifferenceMethod.NEWCOMBE:
        (low1, high1), (low2, high2) = (
            proportion_limits(count, rows, alpha=alpha) for count, rows in ((count1, rows1), (count2, rows2))
        )
        p1, p2 = count1 / rows1, count2 / rows2
        return p1 - p2 - math.hypot(p1 - low1, high2 - p2), p1 - p2 + math.hypot(p2 - low2, high1 - p1)
    if method in (DifferenceMethod.SCORE, DifferenceMethod.MIETTINEN_NURMINEN):
        slip = method is DifferenceMethod.SCORE
        table = count1, rows1, count2, rows2
        return accepted(lambda d: difference_score(*table, null=d, as_statsmodels=slip), -1.0, 1.0, z=_z(alpha))
    more = 1 if method is DifferenceMethod.AGRESTI_CAFFO else 0
    n1, n2 = rows1 + 2 * more, rows2 + 2 * more
    p1, p2 = (count1 + more) / n1, (count2 + more) / n2
    return _around(p1 - p2, _z(alpha) * math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2))


def ratio_limits(
    count1: float,
    rows1: float,
    count2: float,
    rows2: float,
    *,
    alpha: float = ALPHA,
    method: RatioMethod = RatioMethod.LOG_ADJUSTED,
) -> Limits:
    """Limits of p₁/p₂, which ``log`` gives only where both counts are positive."""
    if method is RatioMethod.SCORE:
        return accepted_ratios(lambda r: ratio_score(count1, rows1, count2, rows2, null=r), z=_z(alpha))
    more = 0.5 if method is RatioMethod.LOG_ADJUSTED else 0.0
    require(count1 + more > 0 and count2 + more > 0, "both counts must be positive for the logarithm of their ratio")
    x1, n1, x2, n2 = (value + more for value in (count1, rows1, count2, rows2))
    low, high = _around(math.log(x1 / n1 / (x2 / n2)), _z(alpha) * math.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2))
    return math.exp(low), math.exp(high)


def odds_ratio_limits(
    count1: float,
    rows1: float,
    count2: float,
    rows2: float,
    *,
    alpha: float = ALPHA,
    method: OddsMethod = OddsMethod.LOGIT_ADJUSTED,
) -> Limits:
    """Limits of (p₁/(1−p₁)) / (p₂/(1−p₂)), which ``logit`` gives only where no cell is empty."""
    if method is OddsMethod.SCORE:
        return accepted_ratios(lambda r: odds_score(count1, rows1, count2, rows2, null=r), z=_z(alpha))
    more = 0.5 if method is OddsMethod.LOGIT_ADJUSTED else 0.0
    cells = [cell + more for cell in (count1, rows1 - count1, count2, rows2 - count2)]
    require(min(cells) > 0, "no cell may be empty for the logarithm of the odds")
    center = math.log(cells[0] / cells[1] / (cells[2] / cells[3]))
    low, high = _around(center, _z(alpha) * math.sqrt(sum(1 / cell for cell in cells)))
    return math.exp(low), math.exp(high)


def pooled_z(count1: float, rows1: float, count2: float, rows2: float) -> tuple[float, float]:
    """z and two-sided p of p₁ = p₂, with the pooled proportion in the variance.

    >>> [round(value, 6) for value in pooled_z(1000, 10000, 1111, 10100)]
    [-2.312124, 0.020771]
    """
    pooled = (count1 + count2) / (rows1 + rows2)
    require(0 < pooled < 1, f"there must be zeros and ones, found a share of {pooled}")
    z = (count1 / rows1 - count2 / rows2) / math.sqrt(pooled * (1 - pooled) * (1 / rows1 + 1 / rows2))
    return z, float(2 * ndtr(-abs(z)))


def chi_square_equal(counts: list[float], rows: list[float]) -> tuple[float, float]:
    """χ² and p of K equal proportions (Pearson); for two it is the square of :func:`pooled_z`."""
    x, n = np.asarray(counts, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    pooled = float(x.sum() / n.sum())
    require(0 < pooled < 1, f"there must be zeros and ones, found a share of {pooled}")
    statistic = float(((x - n * pooled) ** 2 / (n * pooled * (1 - pooled))).sum())
    return statistic, float(chdtrc(len(x) - 1, statistic))


def _z(alpha: float) -> float:
    require(0 < alpha < 1, f"alpha must be between 0 and 1, found {alpha}")
    return float(-ndtri(alpha / 2))


def _around(center: float, half: float) -> Limits:
    return center - half, center + half


def _within(limits: Limits) -> Limits:
    return max(limits[0], 0.0), min(limits[1], 1.0)

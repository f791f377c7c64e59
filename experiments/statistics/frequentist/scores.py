r"""Score statistics of two proportions against a null difference, ratio or odds ratio (Miettinen and Nurminen).

With the likeliest proportions :math:`\tilde p_1, \tilde p_2` of those that agree with the null, N rows of both:

.. math:: z_d = \frac{\hat p_1 - \hat p_2 - d}{\sqrt{V}}, \quad
          z_r = \frac{\hat p_1 - r\,\hat p_2}{\sqrt{V_r}}, \qquad
          V = \frac{N}{N-1}\Bigl(\frac{\tilde p_1(1-\tilde p_1)}{n_1} + \frac{\tilde p_2(1-\tilde p_2)}{n_2}\Bigr),

with :math:`r^2` before the second part in :math:`V_r`; for the odds ratio the standardised residuals are compared.

References
----------
Miettinen and Nurminen 1985, Statistics in Medicine 4, 213-226, eq. 8 to 10 and appendix I.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

EDGE = 1e-10
"""How near to an impossible null a limit is looked for."""


def difference_score(
    count1: float, rows1: float, count2: float, rows2: float, *, null: float, as_statsmodels: bool = False
) -> float:
    """z against p₁ − p₂ = null.

    ``as_statsmodels`` takes the second count for the second number of rows in the linear term of the cubic, as
    statsmodels 0.15 does: its limits are off by about a hundredth in tables of a hundred rows. For comparison only.

    >>> round(difference_score(1111, 10100, 1000, 10000, null=0.0), 4)
    2.3121
    """
    p2 = _likeliest_of_difference(count1, rows1, count2, rows2, null, weight=count2 if as_statsmodels else rows2)
    return _z(count1 / rows1 - count2 / rows2 - null, _variance(p2 + null, rows1, p2, rows2, 1.0))


def ratio_score(count1: float, rows1: float, count2: float, rows2: float, *, null: float) -> float:
    """z against p₁/p₂ = null."""
    count, rows = count1 + count2, rows1 + rows2
    b = -(rows1 * null + count1 + rows2 + count2 * null)
    p2 = (-b - math.sqrt(max(b * b - 4 * rows * null * count, 0.0))) / (2 * rows * null)
    return _z(count1 / rows1 - null * count2 / rows2, _variance(p2 * null, rows1, p2, rows2, null * null))


def odds_score(count1: float, rows1: float, count2: float, rows2: float, *, null: float) -> float:
    """z against an odds ratio of null."""
    count, rows = count1 + count2, rows1 + rows2
    a, b = rows2 * (null - 1), rows1 * null + rows2 - count * (null - 1)
    # the same root of a p² + b p − count as (−b + √…)/(2a), which would cancel where null is near 1
    p2 = 2 * count / (b + math.sqrt(max(b * b + 4 * a * count, 0.0)))
    p1 = p2 * null / (1 + p2 * (null - 1))
    s1, s2 = p1 * (1 - p1), p2 * (1 - p2)
    if s1 <= 0 or s2 <= 0:
        return 0.0
    residual = (count1 / rows1 - p1) / s1 - (count2 / rows2 - p2) / s2
    return _z(residual, rows / (rows - 1) * (1 / (s1 * rows1) + 1 / (s2 * rows2)))


def accepted(score: Callable[[float], float], low: float, high: float, *, z: float) -> tuple[float, float]:
    """All nulls between ``low`` and ``high`` whose score, which falls as the null rises, is within ±z."""
    return _crossing(score, z, low, high), _crossing(score, -z, low, high)


def accepted_ratios(score: Callable[[float], float], *, z: float) -> tuple[float, float]:
    """The same for a ratio between e^±30, looked for on the scale of logarithms."""
    low, high = accepted(lambda logarithm: score(math.exp(logarithm)), -30.0, 30.0, z=z)
    return 0.0 if low == -30.0 else math.exp(low), math.inf if high == 30.0 else math.exp(high)


def _crossing(score: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Where the falling score crosses a level, or the end that it never gets past."""
    if score(low + EDGE) <= level:
        return low
    if score(high - EDGE) >= level:
        return high
    return float(brentq(lambda null: score(null) - level, low + EDGE, high - EDGE, xtol=1e-14, rtol=1e-14))


def _likeliest_of_difference(
    count1: float, rows1: float, count2: float, rows2: float, null: float, *, weight: float
) -> float:
    """p₂ by the closed form of the cubic of appendix I."""
    count, rows = count1 + count2, rows1 + rows2
    third = rows
    second = (rows1 + 2 * rows2) * null - rows - count
    first = (weight * null - rows - 2 * count2) * null + count
    zeroth = count2 * null * (1 - null)
    q = (second / (3 * third)) ** 3 - first * second / (6 * third**2) + zeroth / (2 * third)
    p = math.copysign(math.sqrt(max(second**2 / (3 * third) ** 2 - first / (3 * third), 0.0)), q)
    angle = (math.pi + math.acos(min(max(q / p**3, -1.0), 1.0) if p else 0.0)) / 3
    p2 = 2 * p * math.cos(angle) - second / (3 * third)
    return min(max(p2, 0.0, -null), 1.0, 1.0 - null)


def _variance(p1: float, rows1: float, p2: float, rows2: float, weight: float) -> float:
    rows = rows1 + rows2
    return rows / (rows - 1) * (max(p1 * (1 - p1), 0.0) / rows1 + weight * max(p2 * (1 - p2), 0.0) / rows2)


def _z(residual: float, variance: float) -> float:
    if variance > 0:
        return residual / math.sqrt(variance)
    return 0.0 if residual == 0 else math.copysign(math.inf, residual)

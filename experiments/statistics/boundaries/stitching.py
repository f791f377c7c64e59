r"""Boundaries of iterated-logarithm shape: stitched ones for sums, and those of a whole distribution function.

Polynomial stitching, from :math:`v_{min}` on, with :math:`k_1 = (\eta^{1/4} + \eta^{-1/4})/\sqrt2`,
:math:`k_2 = (\sqrt\eta + 1)/2` and ζ Riemann's:

.. math:: \ell = s \ln\ln(\eta v/v_{min}) + \ln\frac{\zeta(s)}{\alpha \ln^s\eta}, \qquad
          b(v) = \sqrt{k_1^2 v \ell + k_2^2 c^2 \ell^2} + k_2 c\,\ell.

They are wider than mixtures at any one time and narrower in the end, as :math:`\sqrt{v \ln\ln v}`. The bounds for
quantiles hold for all times, and for all quantiles at once.

References
----------
Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49(2), theorem 1 and eq. 10 (stitching).
Howard and Ramdas 2022, Bernoulli 28(3), arXiv:1906.09712, §4: bounds for all quantiles, and for all times.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, logit, zeta

from bandit.validation import require


def poly_stitching_bound(
    v: float, *, alpha: float, v_min: float, c: float = 0.0, s: float = 1.4, eta: float = 2.0
) -> float:
    """The stitched boundary at intrinsic time v, sub-gamma of scale c (0: sub-Gaussian).

    >>> round(poly_stitching_bound(100, alpha=0.05, v_min=10, c=3), 5)
    64.48755
    """
    require(v_min > 0 and s > 1 and eta > 1, f"v_min > 0, s > 1, eta > 1 are needed, found {v_min}, {s}, {eta}")
    v = max(v, v_min)
    level = s * math.log(math.log(eta * v / v_min)) + math.log(float(zeta(s)) / (alpha * math.log(eta) ** s))
    return _root(_k1(eta) ** 2 * v * level, (math.sqrt(eta) + 1) / 2 * c * level)


def double_stitching_bound(
    quantile_p: float, t: float, *, alpha: float, t_opt: float, delta: float = 0.5, s: float = 1.4, eta: float = 2.0
) -> float:
    """How far the count of values below the p quantile may be from tp, for all t and all p at once.

    >>> round(double_stitching_bound(0.9, 1000, alpha=0.05, t_opt=100), 5)
    43.72119
    """
    require(0 < quantile_p < 1, f"quantile_p must be between 0 and 1, found {quantile_p}")
    time, odds = max(t, t_opt), float(logit(quantile_p))
    r = quantile_p
    if quantile_p < 0.5:
        r = min(0.5, float(expit(odds + 2 * delta * math.sqrt(t_opt * eta / time))))
    variance, z = r * (1 - r), float(zeta(s))
    j = math.sqrt(time / t_opt) * abs(odds) / (2 * delta) + 1
    level = s * math.log(math.log(eta * time / t_opt)) + s * math.log(j)
    level += math.log(2 * z * (2 * z + 1) / (alpha * math.log(eta) ** s))
    c = (1 - 2 * quantile_p) / 3
    return delta * math.sqrt(eta * time * variance / t_opt) + _root(
        _k1(eta) ** 2 * variance * time * level, (math.sqrt(eta) + 1) / 2 * c * level
    )


def empirical_process_lil_bound(t: float, *, alpha: float, t_min: float, width: float = 0.85) -> float:
    """How far the empirical distribution function may ever be from the true one, anywhere, after t >= t_min values.

    A √((ln(1 + ln(t/t_min)) + C)/t), A the ``width`` above 1/√2 and C the least constant for which the crossing
    probability, minimised over the spacing of epochs, is α. Infinite before t_min.

    >>> round(empirical_process_lil_bound(1000, alpha=0.05, t_min=100), 6)
    0.082048
    """
    require(width > math.sqrt(0.5), f"width must exceed 1/√2, found {width}")
    require(t_min >= 1 and 0 < alpha < 1, f"t_min >= 1 and 0 < alpha < 1 are needed, found {t_min} and {alpha}")
    if t < t_min:
        return math.inf
    low, high = 1e-3, 5.0
    while _least_error(high, width) > alpha:
        high *= 2
    constant = float(brentq(lambda c: math.log(_least_error(c, width) / alpha), low, high, xtol=1e-12))
    return width * math.sqrt((math.log1p(math.log(t / t_min)) + constant) / t)


def _least_error(constant: float, width: float) -> float:
    """The crossing probability for C, minimised over the ratio η of epochs."""

    def slack(eta: float) -> float:
        return math.sqrt(eta / 2) + math.sqrt(2 * (eta - 1) / constant) - width

    most = float(brentq(slack, 1.0, 2 * width**2, xtol=1e-14))

    def error(eta: float) -> float:
        gamma2 = 2 / eta * (width - math.sqrt(2 * (eta - 1) / constant)) ** 2
        if gamma2 <= 1:
            return 1e300
        return 4 * math.exp(-gamma2 * constant) * (1 + 1 / ((gamma2 - 1) * math.log(eta)))

    found = minimize_scalar(error, bounds=(1.0 + 1e-12, most), method="bounded", options={"xatol": 1e-10})
    return float(found.fun)


def _k1(eta: float) -> float:
    return float((eta**0.25 + eta**-0.25) / math.sqrt(2))


def _root(square: float, linear: float) -> float:
    return math.sqrt(square + linear * linear) + linear

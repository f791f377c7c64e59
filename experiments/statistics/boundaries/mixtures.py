r"""Uniform boundaries by the method of mixtures: the curves that a martingale crosses with probability α at most.

For a sum S whose exponential process :math:`\exp(\lambda S - \psi(\lambda) V)` is a supermartingale in the intrinsic
time V, mixed over λ with a density of precision ρ, the logarithm :math:`m(s, v)` of the mixture exceeds ln(1/α) at some
time with probability α at most; the boundary is the s at which it does.

================== ===================================== =====================================================
mixture            ψ is that of                          log m(s, v)
================== ===================================== =====================================================
normal, two sides  a sub-Gaussian sum                    ½ ln(ρ/(v+ρ)) + s²/(2(v+ρ))
normal, one side   the same                              ½ ln(4ρ/(v+ρ)) + s²/(2(v+ρ)) + ln Φ(s/√(v+ρ))
gamma-exponential  sub-exponential, scale c              `exponential_log_mixture`
gamma-Poisson      sub-Poisson, scale c                  `gamma_poisson_log_mixture`
beta-binomial      values in [−g, h]: sub-Bernoulli      `beta_binomial_log_mixture`
================== ===================================== =====================================================

ρ is chosen so that the boundary is tightest at :math:`v^*` for :math:`\alpha^*`: :math:`\rho = v^*/\tau(\alpha^*)`,
with :math:`2\alpha^*` where there is one side, the closed form within 0.01% of the optimum.

References
----------
Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49(2), 1055-1080, arXiv:1810.08240, §3.2 and
propositions 5 to 10. Robbins 1970.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq
from scipy.special import betainc, betaln, gammainc, gammaincc, gammaln, log_ndtr

from bandit.validation import require
from experiments.statistics.sequential import ALPHA, tau

SMALL = 1e-280
"""A probability below this is taken as this, so that its logarithm is finite."""
EDGE = 1e-12
"""How near to 0 and 1 a proportion is looked for."""


def best_rho(v_opt: float, alpha_opt: float = ALPHA, *, one_sided: bool = False) -> float:
    """ρ = v*/τ(α*), or v*/τ(2α*) where there is one side.

    >>> round(best_rho(100, 0.05), 5)
    12.60056
    """
    require(v_opt > 0, f"v_opt must be positive, found {v_opt}")
    return v_opt / tau(2 * alpha_opt if one_sided else alpha_opt)


def normal_log_mixture(s: float, v: float, *, v_opt: float, alpha_opt: float = ALPHA, one_sided: bool = True) -> float:
    """Logarithm of the normal mixture at a sum s and intrinsic time v.

    >>> round(normal_log_mixture(10, 100, v_opt=100, one_sided=False), 7)
    -0.6510052
    """
    rho = best_rho(v_opt, alpha_opt, one_sided=one_sided)
    both = 0.5 * math.log(rho / (v + rho)) + s * s / (2 * (v + rho))
    return both + math.log(2) + float(log_ndtr(s / math.sqrt(v + rho))) if one_sided else both


def normal_mixture_bound(
    v: float, *, alpha: float, v_opt: float, alpha_opt: float = ALPHA, one_sided: bool = True
) -> float:
    """The normal boundary at intrinsic time v, for the sum, or for its size where there are two sides.

    >>> round(normal_mixture_bound(100, alpha=0.05, v_opt=100, one_sided=False), 5)
    30.35209
    """
    if not one_sided:
        rho = best_rho(v_opt, alpha_opt)
        return math.sqrt((v + rho) * (math.log1p(v / rho) - 2 * math.log(alpha)))
    return _crossing(lambda s: normal_log_mixture(s, v, v_opt=v_opt, alpha_opt=alpha_opt), v, alpha)


def gamma_exponential_log_mixture(s: float, v: float, *, v_opt: float, c: float, alpha_opt: float = ALPHA) -> float:
    """Logarithm of the gamma-exponential mixture: for sums with exponential upper tails of scale c."""
    return exponential_log_mixture(s, v, rho=best_rho(v_opt, alpha_opt, one_sided=True), c=c)


def exponential_log_mixture(s: float, v: float, *, rho: float, c: float = 1.0) -> float:
    """The same for a given ρ.

    With a = (v + ρ)/c² and x = (cs + v + ρ)/c²: ρ/c² ln(ρ/c²) − ln γ(ρ/c², ρ/c²) + ln γ(a, x) − a ln x + (cs + v)/c²,
    γ the lower incomplete gamma function.
    """
    require(rho > 0 and c > 0, f"rho and c must be positive, found {rho} and {c}")
    unit, a, x = rho / c**2, (v + rho) / c**2, (c * s + v + rho) / c**2
    require(x > 0, f"c s + v + rho must be positive, found {x * c**2}")
    leading = unit * math.log(unit) - _log_gamma_lower(unit, unit)
    return leading + _log_gamma_lower(a, x) - a * math.log(x) + x - unit


def gamma_exponential_mixture_bound(
    v: float, *, alpha: float, v_opt: float, c: float, alpha_opt: float = ALPHA
) -> float:
    """The gamma-exponential boundary at intrinsic time v.

    >>> round(gamma_exponential_mixture_bound(100, alpha=0.05, v_opt=100, c=2), 5)
    33.02017
    """
    rho = best_rho(v_opt, alpha_opt, one_sided=True)
    return _crossing(lambda s: exponential_log_mixture(s, v, rho=rho, c=c), v, alpha)


def gamma_poisson_log_mixture(s: float, v: float, *, v_opt: float, c: float, alpha_opt: float = ALPHA) -> float:
    """Logarithm of the gamma-Poisson mixture: for sums of values at most c.

    With a = (v + ρ)/c² and b = s/c + a: ρ/c² ln(ρ/c²) − ln Γ(ρ/c², ρ/c²) + ln Γ(b, a) − b ln a + v/c², Γ the upper
    incomplete gamma function.
    """
    rho = best_rho(v_opt, alpha_opt, one_sided=True)
    unit, a = rho / c**2, (v + rho) / c**2
    b = s / c + a
    leading = unit * math.log(unit) - _log_gamma_upper(unit, unit)
    return leading + _log_gamma_upper(b, a) - b * math.log(a) + v / c**2


def gamma_poisson_mixture_bound(v: float, *, alpha: float, v_opt: float, c: float, alpha_opt: float = ALPHA) -> float:
    """The gamma-Poisson boundary at intrinsic time v.

    >>> round(gamma_poisson_mixture_bound(100, alpha=0.05, v_opt=100, c=2), 4)
    30.1949
    """
    return _crossing(lambda s: gamma_poisson_log_mixture(s, v, v_opt=v_opt, c=c, alpha_opt=alpha_opt), v, alpha)


def beta_binomial_log_mixture(
    s: float, v: float, *, v_opt: float, g: float, h: float, alpha_opt: float = ALPHA, one_sided: bool = True
) -> float:
    """Logarithm of the beta-binomial mixture: for sums of values between −g and h, of intrinsic time g h a step.

    With r = max(ρ − gh, gh/1000) and B_x the incomplete beta function, x = h/(g+h) for one side and 1 for two:
    v/(gh) ln(g+h) − (v+hs)/(h(g+h)) ln g − (v−gs)/(g(g+h)) ln h + ln B_x((r+v−gs)/(g(g+h)), (r+v+hs)/(h(g+h)))
    − ln B_x(r/(g(g+h)), r/(h(g+h))).
    """
    require(g > 0 and h > 0, f"g and h must be positive, found {g} and {h}")
    r = max(best_rho(v_opt, alpha_opt, one_sided=one_sided) - g * h, 1e-3 * g * h)
    x = h / (g + h) if one_sided else 1.0
    powers = v / (g * h) * math.log(g + h)
    powers -= (v + h * s) / (h * (g + h)) * math.log(g) + (v - g * s) / (g * (g + h)) * math.log(h)
    after = _log_beta((r + v - g * s) / (g * (g + h)), (r + v + h * s) / (h * (g + h)), x)
    return powers + after - _log_beta(r / (g * (g + h)), r / (h * (g + h)), x)


def beta_binomial_mixture_bound(
    v: float, *, alpha: float, v_opt: float, g: float, h: float, alpha_opt: float = ALPHA, one_sided: bool = True
) -> float:
    """The beta-binomial boundary at intrinsic time v, at most v/g, the most that the sum can be.

    >>> round(beta_binomial_mixture_bound(100, alpha=0.05, v_opt=100, g=0.2, h=0.8), 5)
    28.41238
    """

    def log_mixture(s: float) -> float:
        return beta_binomial_log_mixture(s, v, v_opt=v_opt, g=g, h=h, alpha_opt=alpha_opt, one_sided=one_sided)

    return _crossing(log_mixture, v, alpha, most=v / g)


def bernoulli_limits(
    successes: float, trials: float, *, alpha: float = ALPHA, t_opt: float, alpha_opt: float = ALPHA
) -> tuple[float, float]:
    """Limits of a proportion that hold at all times: every p whose two-sided beta-binomial mixture is below 1/α.

    >>> [round(limit, 4) for limit in bernoulli_limits(700, 1000, t_opt=100)]
    [0.6516, 0.7459]
    """
    require(trials > 0 and 0 <= successes <= trials, f"successes must be within trials, found {successes} of {trials}")
    seen = successes / trials

    def excess(p: float) -> float:
        g, h, v = p, 1 - p, p * (1 - p)
        s, opt = (seen - p) * trials, v * t_opt
        return math.log(alpha) + beta_binomial_log_mixture(
            s, v * trials, v_opt=opt, g=g, h=h, alpha_opt=alpha_opt, one_sided=False
        )

    inner = min(max(seen, EDGE), 1 - EDGE)
    low = 0.0 if seen <= EDGE or excess(EDGE) < 0 else float(brentq(excess, EDGE, inner, xtol=1e-14))
    high = 1.0 if seen >= 1 - EDGE or excess(1 - EDGE) < 0 else float(brentq(excess, inner, 1 - EDGE, xtol=1e-14))
    return low, high


def _crossing(log_mixture: Callable[[float], float], v: float, alpha: float, *, most: float = math.inf) -> float:
    """Return the s > 0 at which a mixture that grows with s reaches ln(1/α)."""
    require(v > 0 and 0 < alpha < 1, f"v must be positive and alpha between 0 and 1, found {v} and {alpha}")
    high = min(v, most)
    while high < most and log_mixture(high) < -math.log(alpha):
        high = min(2 * high, most)
    if log_mixture(high) < -math.log(alpha):
        return most
    return float(brentq(lambda s: log_mixture(s) + math.log(alpha), 0.0, high, xtol=1e-12, rtol=1e-14))


def _log_gamma_lower(a: float, x: float) -> float:
    return float(gammaln(a)) + math.log(max(float(gammainc(a, x)), SMALL))


def _log_gamma_upper(a: float, x: float) -> float:
    return float(gammaln(a)) + math.log(max(float(gammaincc(a, x)), SMALL))


def _log_beta(a: float, b: float, x: float) -> float:
    whole = float(betaln(a, b))
    return whole if x == 1 else whole + math.log(max(float(betainc(a, b, x)), SMALL))

"""P(best) and expected loss of independent posteriors, by quadrature: exact, where sampling would only be close.

The error is at most 1e-9 for any mixture of well and badly known arms; nothing here is random. A draw from these
probabilities has the law of Thompson sampling, and its propensity is known.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bandit.checks import require_finite
from bandit.jit import kernel
from bandit.panels import BETA, NORMAL, STUDENT, integrate, log_drop, rule
from bandit.types import Floats
from bandit.validation import require

_FINE = rule(16)
_WIDTH = 2.0
_DROP = 36.0
"""Densities are cut where they fell by e^-36, near the end of double precision."""


def prob_best_beta(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return the (K,) probabilities that each of K independent Beta(a_k, b_k) is the largest.

    >>> prob_best_beta([2.0, 1.0], [1.0, 1.0]).round(12).tolist()
    [0.666666666667, 0.333333333333]
    """
    return _beta(*_positive(a=a, b=b))[0]


def expected_loss_beta(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return (K,) E[max_j θ_j] - E[θ_k] for independent θ_k ~ Beta(a_k, b_k): what choosing k for good would cost.

    >>> expected_loss_beta([1.0, 1.0], [1.0, 1.0]).round(12).tolist()
    [0.166666666667, 0.166666666667]
    """
    first, second = _positive(a=a, b=b)
    return _loss(_beta(first, second)[1], first / (first + second))


def prob_best_student(mean: npt.ArrayLike, scale: npt.ArrayLike, df: npt.ArrayLike) -> Floats:
    """Return the (K,) probabilities that each of K independent Student-t variables is the largest.

    >>> prob_best_student([0.0, 0.0], [1.0, 5.0], [3.0, 3.0]).round(12).tolist()
    [0.5, 0.5]
    """
    scales, dfs = _positive(scale=scale, df=df)
    means = _finite("mean", mean)
    best = np.empty(len(means))
    _student(means, scales, dfs, *_FINE, _WIDTH, _DROP, best)
    return best


def prob_best_normal(mean: npt.ArrayLike, sd: npt.ArrayLike) -> Floats:
    """Return the (n, K) probabilities that each of K independent N(mean, sd²) is the largest, row by row.

    >>> prob_best_normal([[0.0, 0.0]], [[1.0, 30.0]]).round(12).tolist()
    [[0.5, 0.5]]
    """
    means, sds = np.atleast_2d(_finite("mean", mean)), np.atleast_2d(*_positive(sd=sd))
    best = np.empty(means.shape)
    for row in range(len(means)):
        normal_kernel(means[row], sds[row], *_FINE, _WIDTH, _DROP, best[row])
    return best


def expected_loss_normal(mean: npt.ArrayLike, sd: npt.ArrayLike) -> Floats:
    """Return (K,) E[max_j μ_j] - E[μ_k] for independent μ_k ~ N(mean_k, sd_k²).

    >>> expected_loss_normal([0.0, 0.0], [1.0, 1.0]).round(9).tolist()
    [0.564189584, 0.564189584]
    """
    means, (sds,) = _finite("mean", mean), _positive(sd=sd)
    return _loss(normal_kernel(means, sds, *_FINE, _WIDTH, _DROP, np.empty(len(means))), means)


def _beta(a: Floats, b: Floats) -> tuple[Floats, float]:
    best = np.empty(len(a))
    top = _beta_kernel(a, b, *_FINE, _WIDTH, _DROP, best)
    return best, top


def _loss(top: float, mean: Floats) -> Floats:
    # The largest is at least as large as each: what is below zero is rounding.
    return np.maximum(top - mean, 0.0)


@kernel
def _stirling(x: float) -> float:
    """Return log Γ(x) - [(x - 1/2) log x - x + log(2π)/2]; the asymptotic series is exact to 1e-15 from 20 on."""
    if x < 20:
        return math.lgamma(x) - ((x - 0.5) * math.log(x) - x + 0.5 * math.log(2 * math.pi))
    y = 1 / (x * x)
    return (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y / 1680))) / x


@kernel
def _extent(a: float, b: float, drop: float) -> float:
    """Return how far left of its mode the log-odds of a Beta(a, b) falls by e^-drop.

    Newton's method on a convex function comes down from above, so that stopping early only widens the interval.
    """
    p = a / (a + b)
    x = (drop + (a + b) * math.log1p(a / b)) / a
    for _ in range(100):
        slope = a - (a + b) * p / (p + (1 - p) * math.exp(x)) if x < 700 else a
        step = (-log_drop(BETA, -x, a, b) - drop) / slope
        x -= step
        if step < 0.01 * x:
            break
    return x


@kernel
def _beta_kernel(
    a: Floats, b: Floats, nodes: Floats, weights: Floats, tails: Floats, width: float, drop: float, best: Floats
) -> float:
    arms = len(a)
    center, scale, left, right, peak = np.empty((5, arms))
    for k in range(arms):
        center[k] = math.log(a[k] / b[k])
        spread = math.sqrt(1 / a[k] + 1 / b[k])
        # The logistic function has poles at ±iπ: panels much wider than that would not converge.
        scale[k] = min(spread, 1.5)
        left[k] = center[k] - _extent(a[k], b[k], drop)
        right[k] = center[k] + _extent(b[k], a[k], drop)
        rest = _stirling(a[k] + b[k]) - _stirling(a[k]) - _stirling(b[k])
        peak[k] = math.exp(rest) / (spread * math.sqrt(2 * math.pi))
    area = integrate(BETA, center, scale, left, right, peak, a, b, nodes, weights, tails, width, best)
    best /= best.sum()
    return 1 / (1 + math.exp(-right.max())) - area


@kernel
def _student(
    mean: Floats,
    scale: Floats,
    df: Floats,
    nodes: Floats,
    weights: Floats,
    tails: Floats,
    width: float,
    drop: float,
    best: Floats,
) -> None:
    arms = len(mean)
    reach, peak = np.empty((2, arms))
    for k in range(arms):
        # Here it is the mass beyond, not the density, that fell by e^-drop: heavy tails have mass where they are low.
        reach[k] = scale[k] * math.sqrt(df[k] * math.expm1(min(2 * drop / df[k], 600.0)))
        half = 0.5 * df[k]
        rest = _stirling(half + 0.5) - _stirling(half) + half * math.log1p(0.5 / half) - 0.5
        peak[k] = math.exp(rest) / (scale[k] * math.sqrt(2 * math.pi))
    integrate(STUDENT, mean, scale, mean - reach, mean + reach, peak, df, df, nodes, weights, tails, width, best)
    best /= best.sum()


@kernel
def normal_kernel(
    mean: Floats, sd: Floats, nodes: Floats, weights: Floats, tails: Floats, width: float, drop: float, best: Floats
) -> float:
    """Write (K,) probabilities that each N(mean, sd²) is the largest to ``best``, and return E[max].

    Parameters
    ----------
    nodes, weights, tails, width
        As :func:`bandit.panels.integrate` takes them: what is exact enough is the caller's to say.
    drop
        Densities are cut where they fell by e^-drop.
    """
    reach = math.sqrt(2 * drop) * sd
    right = mean + reach
    peak = 1 / (sd * math.sqrt(2 * math.pi))
    area = integrate(NORMAL, mean, sd, mean - reach, right, peak, sd, sd, nodes, weights, tails, width, best)
    best /= best.sum()
    return float(right.max()) - area


def _finite(name: str, values: npt.ArrayLike) -> Floats:
    array = np.array(values, dtype=np.float64, order="C")
    require_finite(name, array)
    return array


def _positive(**named: npt.ArrayLike) -> list[Floats]:
    arrays = [_finite(name, values) for name, values in named.items()]
    for name, array in zip(named, arrays, strict=True):
        require(bool((array > 0).all()), f"{name} must be positive, found {array.min()!r}")
    return arrays

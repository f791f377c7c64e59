"""P(best) and expected loss of independent posteriors, by quadrature: exact, where sampling would only be close.

The error is at most 1e-9 for any mixture of well and badly known arms; nothing here is random. A draw from these
probabilities has the law of Thompson sampling, and its propensity is known. Both numbers come from the same nodes:
ask for both at once with ``best_and_loss_*``.

What floats cannot tell apart is not told apart: more than 1e15 visitors count as so many, and a standard deviation
below 1e-9 of how far its mean is from the highest mean counts as that.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bandit.chance.panels import BETA, GAMMA, NORMAL, STUDENT, beta_drop, gamma_drop, integrate, rule
from bandit.checks import require_finite
from bandit.kernels.jit import kernel
from bandit.types import Floats
from bandit.validation import InvalidInput, require

_FINE = rule(16)
_WIDTH = 2.5
_DROP = 32.0
"""Densities are cut where they fell by e^-32, 1e-14; with these panels no law errs by more than 3e-12 (measured)."""
_PLENTY = 1e15


def best_and_loss_beta(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return (K,) P(best) and (K,) E[max_j θ_j] - E[θ_k] for independent θ_k ~ Beta(a_k, b_k).

    >>> [values.round(9).tolist() for values in best_and_loss_beta([1.0, 1.0], [1.0, 1.0])]
    [[0.5, 0.5], [0.166666667, 0.166666667]]
    """
    first, second = _positive(a=a, b=b)
    best = np.empty(len(first))
    top = _beta_kernel(first, second, *_FINE, _WIDTH, _DROP, best)
    return best, _loss(top, first / (first + second))


def prob_best_beta(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return the (K,) probabilities that each of K independent Beta(a_k, b_k) is the largest.

    >>> prob_best_beta([2.0, 1.0], [1.0, 1.0]).round(12).tolist()
    [0.666666666667, 0.333333333333]
    """
    return best_and_loss_beta(a, b)[0]


def expected_loss_beta(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return (K,) E[max_j θ_j] - E[θ_k] for independent θ_k ~ Beta(a_k, b_k): what choosing k for good would cost.

    >>> expected_loss_beta([1.0, 1.0], [1.0, 1.0]).round(12).tolist()
    [0.166666666667, 0.166666666667]
    """
    return best_and_loss_beta(a, b)[1]


def best_and_loss_gamma(shape: npt.ArrayLike, rate: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return (K,) P(best) and (K,) expected loss of independent Gamma variables of means shape/rate.

    >>> [values.round(9).tolist() for values in best_and_loss_gamma([1.0, 1.0], [1.0, 3.0])]
    [[0.75, 0.25], [0.083333333, 0.75]]
    """
    shapes, rates = _positive(shape=shape, rate=rate)
    best = np.empty(len(shapes))
    top = _gamma_kernel(shapes, rates, *_FINE, _WIDTH, _DROP, best)
    return best, _loss(top, shapes / rates)


def prob_best_gamma(shape: npt.ArrayLike, rate: npt.ArrayLike) -> Floats:
    """Return the (K,) probabilities that each of K independent Gamma variables of means shape/rate is the largest.

    >>> prob_best_gamma([1.0, 1.0], [1.0, 3.0]).round(12).tolist()
    [0.75, 0.25]
    """
    return best_and_loss_gamma(shape, rate)[0]


def best_and_loss_student(mean: npt.ArrayLike, scale: npt.ArrayLike, df: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return (K,) P(best) and (K,) expected loss of independent Student-t variables with more than one degree.

    >>> [values.round(6).tolist() for values in best_and_loss_student([0.0, 0.0], [1.0, 1.0], [1e9, 1e9])]
    [[0.5, 0.5], [0.56419, 0.56419]]
    """
    scales, dfs = _positive(scale=scale, df=df)
    means = _finite("mean", mean)
    require(bool((dfs > 1).all()), f"df must exceed 1 for a mean to exist, found {dfs.min()!r}")
    best = np.empty(len(means))
    # Values far out count for what they are, not only for how rare they are, so the cut is further out.
    top = _student_kernel(means, scales, dfs, *_FINE, _WIDTH, _DROP * dfs / (dfs - 1), best)
    return best, _loss(top, means)


def prob_best_student(mean: npt.ArrayLike, scale: npt.ArrayLike, df: npt.ArrayLike) -> Floats:
    """Return the (K,) probabilities that each of K independent Student-t variables is the largest.

    >>> prob_best_student([0.0, 0.0], [1.0, 5.0], [3.0, 3.0]).round(12).tolist()
    [0.5, 0.5]
    """
    scales, dfs = _positive(scale=scale, df=df)
    means = _finite("mean", mean)
    best = np.empty(len(means))
    _student_kernel(means, scales, dfs, *_FINE, _WIDTH, np.full(len(means), _DROP), best)
    return best


def best_and_loss_normal(mean: npt.ArrayLike, sd: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return (K,) P(best) and (K,) E[max_j μ_j] - E[μ_k] for independent μ_k ~ N(mean_k, sd_k²).

    >>> [values.round(9).tolist() for values in best_and_loss_normal([0.0, 0.0], [1.0, 1.0])]
    [[0.5, 0.5], [0.564189584, 0.564189584]]
    """
    means, (sds,) = _finite("mean", mean), _positive(sd=sd)
    best = np.empty(len(means))
    return best, _loss(normal_kernel(means, sds, *_FINE, _WIDTH, _DROP, best), means)


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
    return best_and_loss_normal(mean, sd)[1]


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
        step = (-beta_drop(-x, a, b) - drop) / slope
        x -= step
        if step < 0.01 * x:
            break
    return x


@kernel
def _gamma_extent(shape: float, drop: float, side: float) -> float:
    """Return how far right (side 1) or left (-1) of its mode the logarithm of a Gamma variable falls by e^-drop."""
    # From above on either side: e^x - 1 - x ≥ x²/2 to the right, and ≥ x - 1 to the left, where it is also ≤ x²/2.
    ratio = drop / shape
    x = math.sqrt(2 * ratio) if side > 0 else ratio + math.sqrt(2 * ratio)
    for _ in range(100):
        slope = shape * side * math.expm1(side * x)
        step = (-gamma_drop(side * x, shape) - drop) / slope
        x -= step
        if step < 0.01 * x:
            break
    return x


@kernel
def _bounded(size: float) -> float:
    """Return by what to multiply a posterior of so many visitors, that it is not narrower than floats can tell."""
    return min(1.0, _PLENTY / size)


@kernel
def _beta_kernel(
    a: Floats, b: Floats, nodes: Floats, weights: Floats, tails: Floats, width: float, drop: float, best: Floats
) -> float:
    arms = len(a)
    center, scale, left, right, peak = np.empty((5, arms))
    for k in range(arms):
        bound = _bounded(a[k] + b[k])
        a[k], b[k] = max(a[k] * bound, min(a[k], 0.1)), max(b[k] * bound, min(b[k], 0.1))
        center[k] = math.log(a[k] / b[k])
        spread = math.sqrt(1 / a[k] + 1 / b[k])
        # The logistic function has poles at ±iπ: panels much wider than that would not converge.
        scale[k] = min(spread, 1.5)
        left[k] = center[k] - _extent(a[k], b[k], drop)
        right[k] = center[k] + _extent(b[k], a[k], drop)
        rest = _stirling(a[k] + b[k]) - _stirling(a[k]) - _stirling(b[k])
        peak[k] = rest - math.log(spread * math.sqrt(2 * math.pi))
    return integrate(BETA, center, scale, left, right, peak, a, b, nodes, weights, tails, width, best)


@kernel
def _gamma_kernel(
    shape: Floats, rate: Floats, nodes: Floats, weights: Floats, tails: Floats, width: float, drop: float, best: Floats
) -> float:
    arms = len(shape)
    center, scale, left, right, peak = np.empty((5, arms))
    for k in range(arms):
        bound = _bounded(shape[k])
        shape[k], rate[k] = shape[k] * bound, rate[k] * bound
        center[k] = math.log(shape[k] / rate[k])
        # The right side falls as e^-shape·e^u does, however small the shape.
        scale[k] = min(1 / math.sqrt(shape[k]), 1.0)
        left[k] = center[k] - _gamma_extent(shape[k], drop, -1.0)
        right[k] = center[k] + _gamma_extent(shape[k], drop, 1.0)
        peak[k] = 0.5 * math.log(shape[k] / (2 * math.pi)) - _stirling(shape[k])
    return integrate(GAMMA, center, scale, left, right, peak, shape, rate, nodes, weights, tails, width, best)


@kernel
def _student_kernel(
    mean: Floats,
    scale: Floats,
    df: Floats,
    nodes: Floats,
    weights: Floats,
    tails: Floats,
    width: float,
    drop: Floats,
    best: Floats,
) -> float:
    arms = len(mean)
    reach, peak = np.empty((2, arms))
    # Counted from the highest mean, large means cost no digits where arms are told apart.
    center = mean - mean.max()
    scale = np.maximum(scale, -1e-9 * center)
    for k in range(arms):
        # Here it is the mass beyond, not the density, that fell by e^-drop: heavy tails have mass where they are low.
        reach[k] = scale[k] * math.sqrt(df[k] * math.expm1(min(2 * drop[k] / df[k], 600.0)))
        half = 0.5 * df[k]
        rest = _stirling(half + 0.5) - _stirling(half) + half * math.log1p(0.5 / half) - 0.5
        peak[k] = rest - math.log(scale[k] * math.sqrt(2 * math.pi))
    left, right = center - reach, center + reach
    top = integrate(STUDENT, center, scale, left, right, peak, df, df, nodes, weights, tails, width, best)
    return float(mean.max() + top)


@kernel
def normal_kernel(
    mean: Floats, sd: Floats, nodes: Floats, weights: Floats, tails: Floats, width: float, drop: float, best: Floats
) -> float:
    """Write (K,) probabilities that each N(mean, sd²) is the largest to ``best``, and return E[max].

    Parameters
    ----------
    nodes, weights, tails, width
        As :func:`bandit.chance.panels.integrate` takes them: what is exact enough is the caller's to say.
    drop
        Densities are cut where they fell by e^-drop.
    """
    center = mean - mean.max()
    sd = np.maximum(sd, -1e-9 * center)
    reach = math.sqrt(2 * drop) * sd
    left, right = center - reach, center + reach
    peak = -np.log(sd * math.sqrt(2 * math.pi))
    top = integrate(NORMAL, center, sd, left, right, peak, sd, sd, nodes, weights, tails, width, best)
    return float(mean.max() + top)


def _finite(name: str, values: npt.ArrayLike) -> Floats:
    array = np.array(values, dtype=np.float64, order="C")
    require_finite(name, array)
    return array


def _positive(**named: npt.ArrayLike) -> list[Floats]:
    arrays = []
    for name, values in named.items():
        array = _finite(name, values)
        least = array.min()
        if least <= 0:
            raise InvalidInput(f"{name} must be positive, found {least!r}")
        arrays.append(array)
    return arrays

r"""Importance-weighted rewards: the mean that another policy would have had, and limits without asymptotics.

With weights :math:`w = e(a|x)/\pi(a|x)`, rewards r in [low, high], :math:`X_t = w_t (r_t - low)/(high - low)` and the
predictable :math:`\hat X_t = \min\bigl(1, (\tfrac12 + \sum_{i<t} X_i)/t\bigr)`, the wealth of the gamma-exponential
mixture with ρ = 1 at the sum :math:`S - t\mu` and intrinsic time :math:`\sum (X_t - \hat X_t)^2` is a supermartingale
at the true mean μ, whatever moved the propensities. The lower limit is the μ at which it reaches 2/α; the upper one
that of :math:`high - r`. Without a model of rewards the line is wide: :mod:`experiments.statistics.adaptive.bounded`.

The clip at 1 is needed, since the bound holds for :math:`X - \hat X \ge -1` only. vw-estimators leaves it out, which
``clipped=False`` reproduces for comparison and for nothing else.

References
----------
Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro 2022, arXiv:2210.10768, §3.
Karampatziakis, Langford, Mineiro 2020, Empirical likelihood for contextual bandits, NeurIPS, arXiv:1906.03323, §3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from bandit.types import Floats
from bandit.validation import require
from experiments.statistics.boundaries.mixtures import exponential_log_mixture
from experiments.statistics.sequential import ALPHA

RHO = 1.0


def weighted_limits(
    weights: Sequence[float] | Floats,
    rewards: Sequence[float] | Floats,
    *,
    alpha: float = ALPHA,
    low: float = 0.0,
    high: float = 1.0,
    clipped: bool = True,
) -> tuple[float, float]:
    """Limits of the mean reward under the target policy that hold at all times, from (n,) rows in their order.

    >>> [round(limit, 4) for limit in weighted_limits([1.0] * 1000, [0.0, 1.0] * 500)]
    [0.4404, 0.5596]
    """
    w, r = _rows(weights, rewards)
    require(low < high and bool(np.all((r >= low) & (r <= high))), f"rewards must be between {low} and {high}")
    scaled = (r - low) / (high - low)
    floor = _lower(w * scaled, alpha / 2, clipped)
    ceiling = 1 - _lower(w * (1 - scaled), alpha / 2, clipped)
    return low + floor * (high - low), low + ceiling * (high - low)


def cressie_read(
    weights: Sequence[float] | Floats,
    rewards: Sequence[float] | Floats,
    *,
    least: float = 0.0,
    greatest: float = math.inf,
) -> float:
    """The value by empirical likelihood with the Cressie-Read divergence of power −2.

    The distribution over the rows and one that was not seen, of weight ``least`` or ``greatest``, nearest to even among
    those under which the weights have mean 1, as they must; what mass is left to the row not seen has the mean reward.
    Between IPS and SNIPS in bias and variance.

    >>> round(cressie_read([0.5, 1.5, 1.0, 1.2], [0.0, 1.0, 1.0, 0.0]), 6)
    0.630312
    """
    w, r = _rows(weights, rewards)
    n, total = len(w), float(w.sum())
    extra = max(greatest, float(w.max())) if total < n else min(least, float(w.min()))
    if math.isinf(extra):
        level, slope = (1 + n) / n, 0.0
    else:
        mean, square = (extra + total) / (1 + n), (extra**2 + float(w @ w)) / (1 + n)
        require(square > mean * mean, "the weights and the one not seen must not be all equal")
        level, slope = (square - mean) / (square - mean * mean), (1 - mean) / (square - mean * mean)
    mass = (level + slope * w) / (1 + n)
    missing = max(0.0, 1 - float(mass @ w))
    return float((mass * w) @ r) + missing * float(r.mean())


def _lower(x: Floats, alpha: float, clipped: bool) -> float:
    """The lower limit of the mean of X >= 0 at level α, within [0, 1]."""
    t, before = np.arange(1, len(x) + 1), np.concatenate([[0.0], np.cumsum(x)[:-1]])
    plugin = (before + 0.5) / t
    time = float(((x - (np.minimum(plugin, 1.0) if clipped else plugin)) ** 2).sum())
    total, most = float(x.sum()), min(1.0, float(x.mean()))

    def excess(mean: float) -> float:
        return exponential_log_mixture(total - len(x) * mean, time, rho=RHO) + math.log(alpha)

    if excess(0.0) <= 0:
        return 0.0
    return most if excess(most) >= 0 else float(brentq(excess, 0.0, most, xtol=1e-14, rtol=1e-14))


def _rows(weights: Sequence[float] | Floats, rewards: Sequence[float] | Floats) -> tuple[Floats, Floats]:
    w, r = np.asarray(weights, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
    require(
        w.shape == r.shape and w.ndim == 1 and len(w) > 0, f"weights and rewards must agree, found {w.shape}, {r.shape}"
    )
    require(bool(np.all(np.isfinite(w) & (w >= 0)) and np.isfinite(r).all()), "weights must be finite and not negative")
    return w, r

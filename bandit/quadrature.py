"""P(best) of independent posteriors."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from bandit.types import Floats


def prob_best_beta(a: Floats, b: Floats) -> Floats:
    """Return the (K,) probabilities that each Beta(a_k, b_k) is the largest."""
    x, w = np.polynomial.legendre.leggauss(512)
    t, w = (x + 1) / 2, w / 2
    cdf = special.betainc(a[:, None], b[:, None], t)
    pdf = stats.beta.pdf(t, a[:, None], b[:, None])
    p = np.array([(w * pdf[k] * np.delete(cdf, k, axis=0).prod(axis=0)).sum() for k in range(len(a))])
    return np.asarray(p / p.sum())


def prob_best_student(mean: Floats, scale: Floats, df: Floats) -> Floats:
    """Return the (K,) probabilities that each location-scale Student-t is the largest."""
    lo, hi = (mean - 40 * scale).min(), (mean + 40 * scale).max()
    x, w = np.polynomial.legendre.leggauss(512)
    t, w = lo + (hi - lo) * (x + 1) / 2, w / 2
    z = (t - mean[:, None]) / scale[:, None]
    cdf = special.stdtr(df[:, None], z)
    pdf = stats.t.pdf(z, df[:, None]) / scale[:, None]
    p = np.array([(w * pdf[k] * np.delete(cdf, k, axis=0).prod(axis=0)).sum() for k in range(len(mean))])
    return np.asarray(p / p.sum())

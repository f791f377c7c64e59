r"""How many rows a running experiment needs for its proof, if the difference stays what it is estimated at now.

The sequence of a sum :math:`\sum D_t` with mean δ and variance v a row (of :mod:`experiments.statistics.sequential` and
of :mod:`experiments.statistics.adaptive`) leaves zero out at the n at which

.. math:: n\,|\delta| = \sqrt{(nv+\eta)\,\ln\frac{nv+\eta}{\eta a^2}},

which with x = 1 + nv/η is :math:`(x-1)^2\,\delta^2\eta/v^2 = x\,\ln(x/a^2)`: one root, as the left side over the right
one rises from 0. Under traffic that moves, :math:`v = \sum_k s_k^2\,\overline{1/\pi_k}` over the two variants.

About 55% of experiments have their proof by then. It misleads early on: an estimate that happens to be large now says
'soon'; and where a bandit moves traffic away from a variant, 1/π grows and the proof recedes.

References
----------
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv:2103.06476, eq. 9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.optimize import brentq

from bandit.validation import require
from experiments.statistics.moments import N_STAR
from experiments.statistics.sequential import ALPHA, tau


def rows_to_proof(
    gap: float,
    *,
    variances: Sequence[float],
    inverse: Sequence[float],
    alpha: float = ALPHA,
    n_star: float = N_STAR,
    unit: float | None = None,
) -> float:
    """Rows from the start on which both variants may be shown, until the sequence leaves zero out.

    Subtract those that there are: the rest over the rows of a day are the days left.

    Parameters
    ----------
    gap
        δ, the estimated difference; its sign does not matter.
    variances
        s² of one outcome of each of the two variants.
    inverse
        For both, the mean over those rows of 1/π, the inverse of its logged probability (1/share in a fixed split).
    alpha
        a, the level of this contrast: α/(K − 1) where K − 1 share it.
    n_star
        n*, where the sequence is tightest.
    unit
        η·τ(a)/n*; v when left out, as for a fixed split, 4 K s² (s² pooled) of a contrast under moving traffic.

    Returns
    -------
    float
        Infinity where δ is 0, or beyond 1e15.

    >>> round(rows_to_proof(0.01, variances=[0.09, 0.0979], inverse=[2, 2], n_star=30_000))
    34638
    """
    require(len(variances) == 2 and len(inverse) == 2, "variances and inverse must be of two variants")
    require(all(math.isfinite(v) and v >= 0 for v in variances), f"variances must be at least 0, found {variances}")
    require(all(math.isfinite(i) and i >= 1 for i in inverse), f"inverse must be at least 1, found {list(inverse)}")
    require(math.isfinite(gap), f"gap must be a finite number, found {gap}")
    rate = math.fsum(v * i for v, i in zip(variances, inverse, strict=True))
    require(rate > 0, "a variance must be positive, found none")
    eta = (rate if unit is None else unit) * n_star / tau(alpha)
    require(math.isfinite(eta) and eta > 0, f"unit and n_star must be positive, found {unit} and {n_star}")
    scale = gap * gap * eta / rate**2

    def excess(log_x: float) -> float:
        x = math.exp(log_x)
        return scale * (x - 1) ** 2 - x * (log_x - 2 * math.log(alpha))

    farthest = math.log1p(1e15 * rate / eta)
    if gap == 0 or excess(farthest) < 0:
        return math.inf
    return math.expm1(float(brentq(excess, 0.0, farthest, xtol=1e-13, rtol=1e-13))) * eta / rate

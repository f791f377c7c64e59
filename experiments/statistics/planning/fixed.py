r"""Planning a test that is read once: rows, power and detectable difference of means at a fixed number of rows.

With N rows, of which variant k gets the share :math:`w_k`, a true difference :math:`\delta` from the control (variant
0) and variances :math:`v_k` of one outcome, the difference of two means has the standard error

.. math:: s_k / \sqrt N, \qquad s_k^2 = \frac{v_0}{w_0} + \frac{v_k}{w_k},

and :math:`s_{0k}` the same with the variances under 'no difference'. At level a, tested two-sided,

.. math:: N = \max_k \frac{(z_{1-a/2}\, s_{0k} + z_{power}\, s_k)^2}{\delta^2}, \qquad
          power = \Phi\Bigl(\frac{|\delta|\sqrt N - z_{1-a/2}\, s_{0k}}{s_k}\Bigr)
                + \Phi\Bigl(\frac{-|\delta|\sqrt N - z_{1-a/2}\, s_{0k}}{s_k}\Bigr),

where a = α/(K − 1) is shared by the K − 1 contrasts, and the power is that of each of them. The second term, a finding
in the wrong direction, is left out of N unless ``far_tail`` is set.

A covariate of correlation ρ with the outcome (CUPED) leaves the share 1 − ρ² of each variance: :func:`adjusted`.

It misleads when somebody looks before N rows are there and stops at what he likes: see
:mod:`experiments.statistics.planning.watched`. And a mean of few large values is not normal at the N found here.

References
----------
Fleiss, Levin, Paik 2003, Statistical Methods for Rates and Proportions, §4.2 (both forms of the variance).
Deng, Xu, Kohavi, Walker, WSDM 2013, §3: 1 − ρ².
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from bandit.types import Floats
from bandit.validation import require

ALPHA = 0.05
POWER = 0.8


def sample_size(
    delta: float,
    variances: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
    null_variances: Sequence[float] | None = None,
    contrasts: int | None = None,
    far_tail: bool = False,
) -> float:
    """Rows of all variants together, N, before rounding up.

    Parameters
    ----------
    delta
        The difference from the control that must be found, in the metric's unit.
    variances
        (K,) variance of one outcome of each variant, the control first.
    weights
        (K,) how the traffic is split, in any unit; equally when left out.
    alpha, power
        How often a finding may be false, and how often δ must be found.
    null_variances
        (K,) variances if there were no difference; the same when left out.
    contrasts
        Among how many tests α is shared; K − 1 when left out.
    far_tail
        Whether a finding in the wrong direction counts as found.

    >>> round(sample_size(0.1, [4.0, 4.0]), 1)
    12558.2
    """
    require(delta != 0 and math.isfinite(delta), f"delta must not be 0, found {delta}")
    require(0 < alpha < 1, f"alpha must be between 0 and 1, found {alpha}")
    require(alpha < power < 1, f"power must be between alpha and 1, found {power}")
    with_effect, without = _spreads(variances, null_variances, weights)
    critical = _critical(alpha, contrasts, len(with_effect))
    rows = float(((critical * without + ndtri(power) * with_effect) ** 2).max()) / delta**2
    if not far_tail:
        return rows

    def excess(n: float) -> float:
        return float(_found(abs(delta) * math.sqrt(n), with_effect, without, critical).min()) - power

    return float(brentq(excess, 0.0, rows * (1 + 1e-9), xtol=1e-12 * rows, rtol=1e-14))


def power(
    delta: float,
    variances: Sequence[float],
    *,
    rows: float,
    weights: Sequence[float] | None = None,
    alpha: float = ALPHA,
    null_variances: Sequence[float] | None = None,
    contrasts: int | None = None,
) -> float:
    """How often a true difference is found at N = ``rows`` rows of all variants, for the contrast that is hardest.

    Parameters as for :func:`sample_size`; either direction counts as found.

    >>> round(power(0.1, [4.0, 4.0], rows=12_558.2), 4)
    0.8
    """
    require(rows > 0, f"rows must be positive, found {rows}")
    with_effect, without = _spreads(variances, null_variances, weights)
    critical = _critical(alpha, contrasts, len(with_effect))
    return float(_found(abs(delta) * math.sqrt(rows), with_effect, without, critical).min())


def detectable(
    rows: float,
    variances: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
    contrasts: int | None = None,
) -> float:
    """The smallest difference of means that N = ``rows`` rows find with this power, in the metric's unit.

    The inverse of :func:`sample_size` in δ; with proportions the variances depend on δ: :func:`detectable_proportion`.

    >>> round(detectable(12_558.2, [4.0, 4.0]), 4)
    0.1
    """
    require(rows > 0, f"rows must be positive, found {rows}")
    one = sample_size(1.0, variances, weights=weights, alpha=alpha, power=power, contrasts=contrasts)
    return math.sqrt(one / rows)


def detectable_proportion(
    rows: float,
    baseline: float,
    *,
    arms: int = 2,
    rho: float = 0.0,
    weights: Sequence[float] | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
    contrasts: int | None = None,
) -> float | None:
    """The smallest increase of a proportion that ``rows`` rows find, or None where none up to 1 is found.

    >>> round(detectable_proportion(29_500, 0.1), 4)
    0.01
    """
    require(rows > 0, f"rows must be positive, found {rows}")

    def excess(delta: float) -> float:
        spread = adjusted(proportion_variances(baseline, delta, arms=arms), rho)
        return sample_size(delta, spread, weights=weights, alpha=alpha, power=power, contrasts=contrasts) - rows

    largest = 1.0 - baseline
    if excess(largest) > 0:
        return None
    return float(brentq(excess, largest * 1e-9, largest, xtol=1e-15, rtol=1e-12))


def proportion_variances(baseline: float, delta: float = 0.0, *, arms: int = 2) -> tuple[float, ...]:
    """(K,) p(1 − p): of the control at ``baseline``, of all others at ``baseline + delta``.

    >>> proportion_variances(0.25, 0.25)
    (0.1875, 0.25)
    """
    require(0 < baseline < 1, f"baseline must be between 0 and 1, found {baseline}")
    other = baseline + delta
    require(0 <= other <= 1, f"baseline and delta must add up to a proportion, found {other}")
    return (baseline * (1 - baseline), *[other * (1 - other)] * (arms - 1))


def pooled_variance(baseline: float, delta: float, *, weights: Sequence[float] = (1.0, 1.0)) -> float:
    """p̄(1 − p̄) at the mean proportion of both variants: the variance under 'no difference' of a pooled test.

    >>> pooled_variance(0.25, 0.5)
    0.25
    """
    pooled = baseline + delta * weights[1] / (weights[0] + weights[1])
    require(0 < pooled < 1, f"the mean proportion must be between 0 and 1, found {pooled}")
    return pooled * (1 - pooled)


def adjusted(variances: Sequence[float], rho: float) -> tuple[float, ...]:
    """(K,) what a covariate of correlation ρ with the outcome leaves of the variances: v(1 − ρ²).

    >>> adjusted([4.0, 4.0], 0.5)
    (3.0, 3.0)
    """
    require(-1 < rho < 1, f"rho must be above -1 and below 1, found {rho}")
    return tuple(variance * (1 - rho**2) for variance in variances)


def shares_of(weights: Sequence[float] | None, arms: int) -> Floats:
    """(K,) shares that sum to one; equal ones without weights."""
    if weights is None:
        return np.full(arms, 1 / arms)
    require(len(weights) == arms, f"weights must be {arms}, one a variant, found {len(weights)}")
    require(all(math.isfinite(w) and w > 0 for w in weights), f"weights must be positive, found {list(weights)}")
    return np.asarray(weights, dtype=np.float64) / math.fsum(weights)


def whole_rows(rows: float, *, weights: Sequence[float] = (1.0, 1.0)) -> tuple[int, ...]:
    """(K,) rows of each variant, each rounded up.

    >>> whole_rows(12_558.2)
    (6280, 6280)
    """
    return tuple(math.ceil(rows * share) for share in shares_of(weights, len(weights)).tolist())


def spreads(variances: Sequence[float], weights: Sequence[float] | None = None) -> Floats:
    """(K − 1,) s_k, the standard error of each difference from the control, times √N.

    >>> spreads([0.25, 0.25]).tolist()
    [1.0]
    """
    arms = len(variances)
    require(arms >= 2, f"there must be at least two variants, found {arms}")
    require(all(math.isfinite(v) and v >= 0 for v in variances), f"variances must not be below 0, found {variances}")
    require(max(variances) > 0, f"a variance must be positive, found {list(variances)}")
    parts = np.asarray(variances, dtype=np.float64) / shares_of(weights, arms)
    return np.asarray(np.sqrt(parts[0] + parts[1:]))


def _spreads(
    variances: Sequence[float], null: Sequence[float] | None, weights: Sequence[float] | None
) -> tuple[Floats, Floats]:
    """Return (K − 1,) s_k and s_0k."""
    with_effect = spreads(variances, weights)
    return with_effect, with_effect if null is None else spreads(null, weights)


def _critical(alpha: float, contrasts: int | None, treatments: int) -> float:
    """Return z at the level of each contrast."""
    shared = treatments if contrasts is None else contrasts
    require(shared >= 1, f"contrasts must be at least 1, found {shared}")
    return float(-ndtri(alpha / shared / 2))


def _found(shift: float, with_effect: Floats, without: Floats, critical: float) -> Floats:
    """Return (K − 1,) the power of each contrast, ``shift`` being |δ|√N."""
    near, far = (shift - critical * without) / with_effect, (-shift - critical * without) / with_effect
    return np.asarray(ndtr(near) + ndtr(far))

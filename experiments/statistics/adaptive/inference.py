r"""What the doubly robust sums say, at every look at once and whatever moved the traffic.

For a target or a pair with n rows, :math:`T = \sum X`, V the bound of its variance (:mod:`.forms`) and η fixed before,

.. math:: \frac{T}{n} \pm \frac{1}{n}\sqrt{(V+\eta)\,\ln\frac{V+\eta}{\eta\,a^2}}, \qquad
          \eta = \frac{n^*}{\tau(a)}\,(\text{scale of the target, or the sum of both})

covers the running average of the true values (over the rows on which the targets were eligible) at all n with
probability 1 - a, asymptotically. Nothing is said before η is frozen (100 rows, 20 outcomes that are not the default),
nor under 100 rows of a target or pair.

It misleads where the forecasts saw their own row, where the logged probabilities are not those that were drawn from,
and as a statement of *now*: the average since the start is what is covered.

References
----------
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv:2103.06476, eq. 9 and §3 (sequence); Robins, Rotnitzky and Zhao,
JASA 89 (1994) (scores); Howard, Ramdas, McAuliffe, Sekhon, Annals of Statistics 49 (2021), §3.2 (mixture).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bandit.kernels.jit import plain
from bandit.types import Bools, Floats
from experiments.statistics.adaptive.forms import Forms, pairs, values
from experiments.statistics.adaptive.inversion import invert
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.moments import N_STAR
from experiments.statistics.sequential import ALPHA, Tuning, tau


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Estimates and limits, by target (..., T) or pair (..., T, T).

    Parameters
    ----------
    estimate
        0 where there is none.
    low, high
        Minus and plus infinity where not shown.
    variance
        V of the sum at the estimate.
    rows
        n.
    shown
        Where there is enough to say anything; no array is ever NaN.
    """

    estimate: Floats
    low: Floats
    high: Floats
    variance: Floats
    rows: Floats
    shown: Bools


def means(sums: AdaptiveSums, *, alpha: float = ALPHA, n_star: float = N_STAR, forms: Forms | None = None) -> Limits:
    """The value of each target (..., T); with two channels the ratio of its sums, by inversion.

    ``forms`` is :func:`.forms.values` of the sums where the caller has it already.

    >>> rng = np.random.default_rng(0)
    >>> chosen = rng.integers(0, 2, 4000)
    >>> outcomes = (rng.random((4000, 1)) < 0.1 + 0.2 * chosen[:, None]).astype(float)
    >>> sums = AdaptiveSums.cold(2)
    >>> sums.add(chosen, outcomes, np.full((4000, 2), 0.5), np.full((4000, 1, 2), 0.2))
    >>> found = means(sums)
    >>> (found.low[:2] < [0.1, 0.3]).all(), (found.high[:2] > [0.1, 0.3]).all()
    (np.True_, np.True_)
    """
    with np.errstate(all="ignore"):
        known = values(sums) if forms is None else forms
        return _symmetric(known, 1.0, alpha, n_star) if sums.channels == 1 else _inverted(known, alpha, n_star)


def contrasts(
    sums: AdaptiveSums, *, alpha: float = ALPHA, n_star: float = N_STAR, forms: Forms | None = None
) -> Limits:
    """Target i minus target j (..., T, T) on the rows where both were eligible; of ratios, by linearised scores.

    ``forms`` is :func:`.forms.pairs` of the sums where the caller has it already; so below.
    """
    with np.errstate(all="ignore"):
        return _symmetric(pairs(sums) if forms is None else forms, 1.0, alpha, n_star)


def lifts(sums: AdaptiveSums, *, alpha: float = ALPHA, n_star: float = N_STAR, forms: Forms | None = None) -> Limits:
    """Target i relative to target j, minus 1 (..., T, T), by inversion: as valid as :func:`contrasts`.

    Not shown where the mean of j is not yet told from zero.
    """
    with np.errstate(all="ignore"):
        found = _inverted(pairs(sums) if forms is None else forms, alpha, n_star)
        estimate = np.where(found.shown, found.estimate - 1, 0.0)
        return Limits(estimate, found.low - 1, found.high - 1, found.variance, found.rows, found.shown)


def one_sided(
    sums: AdaptiveSums,
    *,
    alpha: float = ALPHA,
    n_star: float = N_STAR,
    factor: float = 1.0,
    forms: Forms | None = None,
) -> Limits:
    r"""Target i minus ``factor`` times target j (..., T, T): each limit alone holds at level α at every look.

    .. math:: \frac{1}{n}\Bigl(T - \sqrt{2(V+\eta)\,\ln\bigl(1 + \tfrac{1}{2\alpha}\sqrt{(V+\eta)/\eta}\bigr)}\Bigr),
              \qquad \eta \text{ tuned at } 2\alpha

    A lower limit above 0 with ``factor`` 1 - m proves 'not worse by more than m'; an upper one below 0 proves 'worse'.
    Source: arXiv:2103.06476, the one-sided mixture of its appendix.
    """
    Tuning(alpha=alpha, n_star=n_star)
    with np.errstate(all="ignore"):
        known = pairs(sums) if forms is None else forms
        total, v, unit = known.at(factor)
        eta = unit * n_star / tau(2 * alpha)
        half = np.sqrt(2 * (v + eta) * np.log1p(np.sqrt((v + eta) / eta) / (2 * alpha)))
        return _around(known, total, half, v)


def log_e(
    sums: AdaptiveSums,
    *,
    alpha: float = ALPHA,
    n_star: float = N_STAR,
    against: float = 0.0,
    factor: float = 1.0,
    forms: Forms | None = None,
) -> Floats:
    r"""Natural logarithm of the e-value against 'target i minus ``factor`` times target j is ``against``' (..., T, T).

    .. math:: \tfrac12\ln\frac{\eta}{V+\eta} + \frac{(T - n\delta)^2}{2(V+\eta)}

    At or above ln 1/α exactly where the limits at α leave ``against`` out; 0 (no evidence) where nothing is shown.
    """
    Tuning(alpha=alpha, n_star=n_star)
    with np.errstate(all="ignore"):
        known = pairs(sums) if forms is None else forms
        total, v, unit = known.at(factor)
        eta = unit * n_star / tau(alpha)
        result = 0.5 * np.log(eta / (v + eta)) + (total - known.rows * against) ** 2 / (2 * (v + eta))
        return np.where(known.shown & np.isfinite(result), result, 0.0)


def _symmetric(forms: Forms, phi: float, alpha: float, n_star: float) -> Limits:
    Tuning(alpha=alpha, n_star=n_star)
    total, v, unit = forms.at(phi)
    eta = unit * n_star / tau(alpha)
    return _around(forms, total, np.sqrt((v + eta) * np.log((v + eta) / (eta * alpha**2))), v)


def _around(forms: Forms, total: Floats, half: Floats, v: Floats) -> Limits:
    """Limits of a mean from those of a sum."""
    rows = np.maximum(forms.rows, 1.0)
    return _limits(forms, total / rows, (total - half) / rows, (total + half) / rows, v)


def _inverted(forms: Forms, alpha: float, n_star: float) -> Limits:
    """Limits of φ = Σ N/Σ D."""
    Tuning(alpha=alpha, n_star=n_star)
    limits = np.empty((2, forms.rows.size))
    coefficients = np.stack([forms.seen, forms.now, forms.then, forms.eta]).reshape(4, 3, -1).transpose(2, 0, 1)
    first, second = plain(forms.first.ravel()), plain(forms.second.ravel())
    invert(first, second, plain(coefficients), n_star / tau(alpha), alpha, limits)
    low, high = limits.reshape(2, *forms.rows.shape)
    estimate = np.where(forms.second > 0, forms.first / forms.second, 0.0)
    return _limits(forms, estimate, low, high, forms.at(estimate)[1])


def _limits(forms: Forms, estimate: Floats, low: Floats, high: Floats, v: Floats) -> Limits:
    """The same with nothing in it that is not a number, however damaged the sums."""
    shown = forms.shown & np.isfinite(estimate) & np.isfinite(low) & np.isfinite(high)
    return Limits(
        estimate=np.where(np.isfinite(estimate), estimate, 0.0),
        low=np.where(shown, low, -np.inf),
        high=np.where(shown, high, np.inf),
        variance=np.where(np.isfinite(v), v, 0.0),
        rows=np.where(np.isfinite(forms.rows), forms.rows, 0.0),
        shown=shown,
    )

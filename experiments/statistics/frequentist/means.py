r"""The t test of Welch, its one-sided forms and its lift: for a split that is over, looked at once.

With an effect d of squared standard error :math:`SE^2` and ν degrees of freedom,

.. math:: t = \frac{d - d_0}{SE}, \qquad d \pm t_{1-\alpha/2,\nu}\,SE, \qquad
          \nu = \frac{(v_C + v_T)^2}{v_C^2/(n_C - 1) + v_T^2/(n_T - 1)}.

The relative effect uses the delta method of :meth:`~experiments.statistics.effect.Effect.relative` with the same ν;
:func:`fieller_limits` inverts the test instead and needs no approximation of the ratio. Infinite ν gives the z test.

It misleads whoever looks more than once: with 10,000 looks at a true null, 57% of such intervals have left out zero at
some time. It assumes a split that nothing moved.

References
----------
Welch 1947, Biometrika 34; Satterthwaite 1946. Fieller 1954, JRSS-B 16(2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy.special import ndtr, ndtri, stdtr, stdtrit

from bandit.validation import require
from experiments.statistics.effect import FAR_FROM_ZERO, Effect
from experiments.statistics.moments import Estimate, Missing
from experiments.statistics.sequential import ALPHA, Interval, fieller


class Side(StrEnum):
    """Which alternative to the null is meant."""

    TWO_SIDED = "two-sided"
    GREATER = "greater"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class FixedTest:
    """A test at one look: limits (None where a side is open), statistic and p-value."""

    estimate: float
    standard_error: float
    low: float | None
    high: float | None
    statistic: float
    p_value: float
    freedom: float


def t_test(
    estimate: Estimate,
    *,
    freedom: float,
    alpha: float = ALPHA,
    side: Side = Side.TWO_SIDED,
    null: float = 0.0,
) -> FixedTest:
    """Test of an estimate against ``null``, with 1 − α limits on the side or sides that are meant.

    >>> test = t_test(Estimate(0.01, 0.0043235482311327**2, 20_100), freedom=math.inf)
    >>> round(test.low, 9), round(test.high, 9)
    (0.001526001, 0.018473999)
    """
    require(0 < alpha < 1, f"alpha must be between 0 and 1, found {alpha}")
    t = (estimate.value - null) / estimate.standard_error
    tails = 2 if side is Side.TWO_SIDED else 1
    half = -_quantile(alpha / tails, freedom) * estimate.standard_error
    beyond = {Side.TWO_SIDED: -abs(t), Side.GREATER: -t, Side.LESS: t}[side]
    return FixedTest(
        estimate=estimate.value,
        standard_error=estimate.standard_error,
        low=None if side is Side.LESS else estimate.value - half,
        high=None if side is Side.GREATER else estimate.value + half,
        statistic=t,
        p_value=tails * _cdf(beyond, freedom),
        freedom=freedom,
    )


def z_test(estimate: Estimate, *, alpha: float = ALPHA, side: Side = Side.TWO_SIDED, null: float = 0.0) -> FixedTest:
    """Test by the normal distribution: a t test with infinitely many degrees of freedom."""
    return t_test(estimate, freedom=math.inf, alpha=alpha, side=side, null=null)


def welch(effect: Effect, *, alpha: float = ALPHA, side: Side = Side.TWO_SIDED, null: float = 0.0) -> FixedTest:
    """Test of the difference of a treatment from a control of unequal variances.

    >>> from experiments.statistics.effect import effect_of
    >>> from experiments.statistics.moments import Moments
    >>> control, treatment = Moments(5000, 26250.0, 165000.0, 5000), Moments(5200, 27976.0, 181500.0, 5200)
    >>> round(welch(effect_of(control.estimate(), treatment.estimate())).p_value, 9)
    0.005961907
    """
    return t_test(effect.difference, freedom=effect.freedom, alpha=alpha, side=side, null=null)


def welch_lift(
    effect: Effect, *, alpha: float = ALPHA, side: Side = Side.TWO_SIDED, null: float = 0.0, far: float = FAR_FROM_ZERO
) -> FixedTest | Missing:
    """Test of the relative effect by the delta method, refused where the control's mean is within ``far`` of zero."""
    relative = effect.relative(far=far)
    if isinstance(relative, Missing):
        return relative
    return t_test(relative, freedom=effect.freedom, alpha=alpha, side=side, null=null)


def fieller_limits(effect: Effect, *, alpha: float = ALPHA) -> Interval | Missing:
    """Both limits of the relative effect by inverting the t test: what to use where the delta method is refused."""
    return fieller(effect, -_quantile(alpha / 2, effect.freedom))


def _quantile(probability: float, freedom: float) -> float:
    return float(ndtri(probability) if math.isinf(freedom) else stdtrit(freedom, probability))


def _cdf(value: float, freedom: float) -> float:
    return float(ndtr(value) if math.isinf(freedom) else stdtr(freedom, value))

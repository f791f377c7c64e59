r"""Metrics with a second value per unit: a covariate known before exposure (CUPED), or the denominator of a ratio.

**CUPED.** With a covariate X that was known before exposure, pooled over the variants,

.. math:: \theta = \frac{\operatorname{Cov}(Y, X)}{\operatorname{Var}(X)}, \qquad \tilde Y = Y - \theta X, \qquad
          \operatorname{Var}\tilde Y = V_Y + \theta^2 V_X - 2\,\theta\,C_{YX}.

The difference of means of :math:`\tilde Y` has the same expectation as that of Y and a variance smaller by the factor
:math:`1 - \rho^2`. For a lift the control's mean below the line is the unadjusted one, and its covariance with the
difference is counted (see :class:`~experiments.statistics.effect.Effect`):

.. math:: \operatorname{SE}^2 = \frac{1}{m_C^2}\Bigl[\frac{\tilde V_T}{n_T} + \frac{1}{n_C}\bigl(V_{Y,C}\,r^2
          - 2\,\theta\,C_{YX,C}\,r + \theta^2 V_{X,C}\bigr)\Bigr], \qquad r = m_T/m_C.

The wheel gbstats 0.8.0 put the adjusted variance of the control there as if it were that of the unadjusted mean;
:func:`cuped_effect` does so too where ``unadjusted`` is false, for comparison with that wheel and for nothing else.

It misleads where X is not from before exposure: then it takes away part of the effect. A unit whose covariate is
unknown keeps a number that was fixed beforehand, such as 0: any function of what was known before is a valid covariate.

**Ratio of two metrics per unit.** With means M and D of numerator and denominator over n units,

.. math:: \operatorname{Var}(M/D) \approx \frac{1}{n D^2}\Bigl(V_M - 2\,\frac{M}{D}\,C + \frac{M^2}{D^2} V_D\Bigr),

the delta method, with the unit that was randomised as the unit of analysis.

References
----------
Deng, Xu, Kohavi, Walker, WSDM 2013, §3: CUPED. Deng, Knoblich, Lu, KDD 2018, arXiv:1803.06336, §3: ratios.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bandit.types import Floats
from bandit.validation import require
from experiments.statistics.effect import FAR_FROM_ZERO, Effect, welch_freedom
from experiments.statistics.moments import EQUAL, Estimate, Missing, Moments

CAP_ROWS = 2_000
"""A cap is settled from so many rows, then frozen: one that moved with the data would not be predictable."""
CAP_SHARE = 0.999


@dataclass(frozen=True, slots=True)
class JointMoments:
    """The sums of two values per unit, y and x: adding two adds their rows.

    Parameters
    ----------
    rows
        n, how many units.
    y, x
        Sums of the metric (or the numerator) and of the covariate (or the denominator).
    yy, xx, xy
        Sums of their squares and of their product.

    Examples
    --------
    >>> JointMoments.of([1.0, 2.0], [3.0, 5.0])
    JointMoments(rows=2, y=3.0, x=8.0, yy=5.0, xx=34.0, xy=13.0)
    """

    rows: int = 0
    y: float = 0.0
    x: float = 0.0
    yy: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    @classmethod
    def of(cls, y: Sequence[float] | Floats, x: Sequence[float] | Floats) -> JointMoments:
        """The sums of (n,) values each of y and x."""
        first, second = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
        require(first.shape == second.shape, f"y and x must agree, found {first.shape} and {second.shape}")
        products = (first @ first, second @ second, first @ second)
        return cls(len(first), float(first.sum()), float(second.sum()), *(float(value) for value in products))

    def __add__(self, other: JointMoments) -> JointMoments:
        return JointMoments(
            rows=self.rows + other.rows,
            y=self.y + other.y,
            x=self.x + other.x,
            yy=self.yy + other.yy,
            xx=self.xx + other.xx,
            xy=self.xy + other.xy,
        )

    @property
    def first(self) -> Moments:
        """The moments of y alone."""
        return Moments.of_sums(self.rows, self.y, self.yy)

    @property
    def second(self) -> Moments:
        """The moments of x alone."""
        return Moments.of_sums(self.rows, self.x, self.xx)

    @property
    def covariance(self) -> float:
        """C, with n − 1 below the line, or n where both are zeros and ones, as their variances have it; 0 below two."""
        if self.rows < 2:
            return 0.0
        both_binary = self.first.is_binary and self.second.is_binary
        return (self.xy - self.x * self.y / self.rows) / (self.rows - (0 if both_binary else 1))

    @property
    def covariance_matrix(self) -> Floats:
        """(2, 2) covariance of y and x; zeros below two rows."""
        vy, vx = self.first.variance or 0.0, self.second.variance or 0.0
        return np.array([[vy, self.covariance], [self.covariance, vx]])


def metric_ratio(moments: JointMoments) -> Estimate | Missing:
    """Return Σy/Σx, a ratio of two metrics per unit, refused where its denominator is not far from zero.

    >>> metric_ratio(JointMoments(2000, y=4200.0, x=6100.0, yy=12500.0, xx=22000.0, xy=14500.0)).value.__round__(6)
    0.688525
    """
    below = moments.second.estimate()
    if isinstance(below, Missing) and moments.rows < 2:
        return below
    if not math.isfinite(moments.y + moments.yy + moments.xy + moments.x + moments.xx):
        return Missing("the sums are not finite numbers")
    vm, vd = moments.first.variance or 0.0, moments.second.variance or 0.0
    n, m, d = moments.rows, moments.y / moments.rows, moments.x / moments.rows
    if d == 0 or abs(d) < FAR_FROM_ZERO * math.sqrt(vd / n):
        return Missing("the denominator is not told from zero yet")
    ratio = m / d
    variance = vm - 2 * ratio * moments.covariance + ratio * ratio * vd
    if variance <= EQUAL * (vm + ratio * ratio * vd):
        return Missing("the ratio is the same for all units" if moments.y != 0 else "no numerator has come yet")
    return Estimate(ratio, variance / d / d / n, n)


def cuped_theta(variants: Sequence[JointMoments]) -> float:
    """θ over all variants; 0, which adjusts nothing, where the covariate or the metric does not vary."""
    whole = sum(variants, JointMoments())
    metric, covariate = whole.first.variance, whole.second.variance
    if metric is None or covariate is None or metric == 0 or covariate == 0:
        return 0.0
    return whole.covariance / covariate


def cuped_effect(
    control: JointMoments, treatment: JointMoments, *, theta: float | None = None, unadjusted: bool = True
) -> Effect | Missing:
    """The effect on y, adjusted by the covariate x; θ is pooled over the two unless one for all variants is given."""
    slope = cuped_theta([control, treatment]) if theta is None else theta
    known = [_residual(moments, slope) for moments in (control, treatment)]
    plain = control.first.estimate()
    for found in (*known, plain):
        if isinstance(found, Missing):
            return found
    low, high, base = (found for found in (*known, plain) if isinstance(found, Estimate))
    # Cov(Ȳ − θX̄, Ȳ) of the control, which the difference has with its sign turned
    shared = base.variance - slope * control.covariance / control.rows
    return Effect(
        value=high.value - low.value,
        variance=low.variance + high.variance,
        baseline=base.value,
        baseline_variance=base.variance if unadjusted else low.variance,
        covariance=-shared if unadjusted else -low.variance,
        rows=control.rows + treatment.rows,
        freedom=welch_freedom(low, high),
        plain=treatment.y / treatment.rows - base.value,
    )


def cuped_means(variants: Sequence[JointMoments], *, theta: float | None = None) -> list[Estimate | Missing]:
    """The adjusted mean of each variant, ȳ − θ(x̄ − X̄) with X̄ the mean of all: to be shown beside each other.

    Differences of variants come from :func:`cuped_effect`, in which X̄ does not occur.
    """
    slope = cuped_theta(variants) if theta is None else theta
    whole = sum(variants, JointMoments())
    center = slope * whole.x / whole.rows if whole.rows else 0.0
    found = [_residual(moments, slope) for moments in variants]
    return [e if isinstance(e, Missing) else Estimate(e.value + center, e.variance, e.rows) for e in found]


def suggested_cap(values: Sequence[float] | Floats, *, share: float = CAP_SHARE) -> float | Missing:
    """The cap for winsorised revenue: the ``share`` quantile of the first ``CAP_ROWS`` values, not 0.

    It must be fixed before the rows that are analysed, or those rows be left out: a cap worked out again at each look
    breaks the martingale that the sequence stands on.

    >>> round(suggested_cap([0.0] * 1990 + [float(v) for v in range(10)]), 9)
    7.001
    """
    require(0 < share < 1, f"share must be between 0 and 1, found {share}")
    first = np.asarray(values, dtype=np.float64)[:CAP_ROWS]
    if len(first) < CAP_ROWS:
        return Missing(f"needs {CAP_ROWS} values, there are {len(first)}")
    if not np.isfinite(first).all():
        return Missing("the values are not finite numbers")
    cap = float(np.quantile(first, share))
    return cap if cap > 0 else Missing(f"fewer than one in {round(1 / (1 - share))} values is above zero")


def _residual(moments: JointMoments, theta: float) -> Estimate | Missing:
    """The mean of y − θx."""
    plain = moments.first.estimate()
    if isinstance(plain, Missing) and (moments.rows < 2 or theta == 0):
        return plain
    if not math.isfinite(moments.x + moments.xx + moments.xy + moments.y + moments.yy):
        return Missing("the sums are not finite numbers")
    vy, vx = moments.first.variance or 0.0, moments.second.variance or 0.0
    variance = vy + theta**2 * vx - 2 * theta * moments.covariance
    if variance <= EQUAL * (vy + theta**2 * vx):
        return Missing("the covariate leaves nothing to vary" if vy > 0 else "all values are equal")
    return Estimate((moments.y - theta * moments.x) / moments.rows, variance / moments.rows, moments.rows)

r"""A treatment against a control: all that its difference and its lift can be worked out from.

With :math:`d` the estimated difference and :math:`m` the control's own mean,

.. math:: \theta = d / |m|, \qquad
          \operatorname{Var}\theta \approx \frac{1}{m^2}\Bigl(V_d - 2\,\frac{d}{m}\,C_{dm} + \frac{d^2}{m^2} V_m\Bigr).

For two independent means :math:`V_d = V_C + V_T` and :math:`C_{dm} = -V_C`. Where the difference is adjusted (by a
covariate, by strata), the control's mean below the line stays the plain one, :math:`C_{dm}` is theirs, and the d of the
variance is the plain difference.

The second formula (delta method) misleads where the control's mean is not far from zero: the ratio is then nothing like
normal. It is refused below three standard errors; :func:`experiments.statistics.sequential.lift` and
:func:`experiments.statistics.frequentist.lift` invert the test instead (Fieller 1954), which holds anywhere.

References
----------
Deng, Knoblich, Lu, KDD 2018, arXiv:1803.06336, §2 and §3: the delta method for lifts and for ratios of two metrics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from experiments.statistics.moments import Estimate, Missing

FAR_FROM_ZERO = 3.0
"""Standard errors that the control's mean must be from zero before anything is divided by it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The difference of a treatment from a control, with what is needed to divide it by the control's mean.

    Parameters
    ----------
    value
        d, in the metric's unit.
    variance
        V_d, its squared standard error.
    baseline
        m, the control's mean, not adjusted.
    baseline_variance
        V_m, its squared standard error.
    covariance
        C_dm, the covariance of the two estimates.
    rows
        n of both variants.
    freedom
        Degrees of freedom of V_d (Welch and Satterthwaite).
    plain
        The difference without adjustment, where d is adjusted.
    """

    value: float
    variance: float
    baseline: float
    baseline_variance: float
    covariance: float
    rows: int
    freedom: float = math.inf
    plain: float | None = None

    @property
    def difference(self) -> Estimate:
        """The difference as an estimate of its own."""
        return Estimate(self.value, self.variance, self.rows)

    @property
    def sign(self) -> float:
        """The sign of the control's mean: a lift is a share of its size, so that more is always up."""
        return math.copysign(1.0, self.baseline)

    def relative(self, *, far: float = FAR_FROM_ZERO) -> Estimate | Missing:
        """Return d/|m| by the delta method, refused where m is within ``far`` standard errors of zero.

        >>> effect_of(Estimate(0.10, 9e-6, 10_000), Estimate(0.11, 9e-6, 10_000)).relative().value.__round__(9)
        0.1
        """
        if self.baseline == 0 or abs(self.baseline) < far * math.sqrt(self.baseline_variance):
            return Missing("not enough control data for a relative lift")
        share = (self.value if self.plain is None else self.plain) / self.baseline
        variance = self.contrast_variance(share) / self.baseline / self.baseline
        return Estimate(self.value / abs(self.baseline), variance, self.rows)

    def contrast(self, share: float) -> Estimate:
        """Return d − θ|m| for a lift θ: zero in expectation if that is the lift."""
        return Estimate(self.value - share * abs(self.baseline), self.contrast_variance(share * self.sign), self.rows)

    def contrast_variance(self, share: float) -> float:
        """Return V_d − 2 s C_dm + s² V_m, the variance of d − s m."""
        return max(self.variance - 2 * share * self.covariance + share * share * self.baseline_variance, 0.0)


def effect_of(control: Estimate, treatment: Estimate) -> Effect:
    """The effect of independent means.

    >>> effect_of(Estimate(1.0, 0.01, 100), Estimate(1.5, 0.03, 50)).difference
    Estimate(value=0.5, variance=0.04, rows=150)
    """
    return Effect(
        value=treatment.value - control.value,
        variance=control.variance + treatment.variance,
        baseline=control.value,
        baseline_variance=control.variance,
        covariance=-control.variance,
        rows=control.rows + treatment.rows,
        freedom=welch_freedom(control, treatment),
    )


def welch_freedom(control: Estimate, treatment: Estimate) -> float:
    """(v_C + v_T)² / (v_C²/(n_C − 1) + v_T²/(n_T − 1)), v the squared standard errors (Welch 1947).

    >>> welch_freedom(Estimate(0.0, 1.0, 11), Estimate(0.0, 1.0, 11))
    20.0
    """
    parts = sum(mean.variance**2 / (mean.rows - 1) for mean in (control, treatment) if mean.rows > 1)
    return (control.variance + treatment.variance) ** 2 / parts if parts > 0 else math.inf

r"""Intervals that hold at every look at once: the asymptotic confidence sequence of the normal mixture.

For an estimate with standard error :math:`SE` after :math:`n` rows,

.. math:: \hat\theta_n \pm c(n)\,SE_n, \qquad
          c(n) = \sqrt{\frac{n+\eta}{n}\,\ln\frac{n+\eta}{\eta\,\alpha^2}}, \qquad \eta = n^*/\tau(\alpha)

covers the truth at *all* n with probability 1 − α as the first look gets late, however often one looks and whenever one
stops. It is tightest near the row count :math:`n^*`, which must be fixed before the first look. It is for a split that
nothing moved: a bandit's traffic breaks it.

Measured: false alarms in 4% of null experiments at 10,000 looks (:math:`n^*` = 5,000, 4,000 runs), where a 95% z test
gives 57%. Under 100 rows, or with fewer than ten conversions, the asymptotics are not trusted and nothing is shown.

References
----------
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv:2103.06476, eq. 9 and the tuning of its appendix.
Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49(2), §3.2: the normal mixture and its tuning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bandit.validation import require
from experiments.statistics.moments import Estimate, Missing, Moments

ALPHA = 0.05
N_STAR = 10_000
"""The row count at which the sequence is tightest unless an experiment plans another."""
MIN_ROWS = 100
MIN_CONVERSIONS = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its limits, valid at every look."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Where a sequence is tightest, and how often it may ever miss. Fixed before the first look."""

    alpha: float = ALPHA
    n_star: float = N_STAR

    def __post_init__(self) -> None:
        require(0 < self.alpha < 1, f"alpha must be between 0 and 1, found {self.alpha}")
        require(self.n_star > 0, f"n_star must be positive, found {self.n_star}")

    @property
    def eta(self) -> float:
        """η = n*/τ(α), the variance of the mixture in rows."""
        return self.n_star / tau(self.alpha)

    def shared(self, contrasts: int) -> Tuning:
        """The tuning of each of ``contrasts`` sequences that together may ever miss with probability ``alpha``."""
        return Tuning(alpha=self.alpha / max(contrasts, 1), n_star=self.n_star)


def tau(alpha: float) -> float:
    """τ(α) = −2 ln α + ln(1 − 2 ln α): the closed form, within 0.01% in width of the exact optimum.

    >>> round(tau(0.05), 4)
    7.9362
    """
    return -2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))


def multiplier(rows: int, tuning: Tuning) -> float:
    """c(n), by which the standard error is multiplied; 1.96 would be the one look of a fixed-size test.

    >>> round(multiplier(10_000, Tuning()) / 1.959964, 2)
    1.55
    """
    eta = tuning.eta
    return math.sqrt((rows + eta) / rows * math.log((rows + eta) / (eta * tuning.alpha**2)))


def interval(estimate: Estimate, tuning: Tuning) -> Interval:
    """Both limits of the sequence, θ ± c(n)·SE, for any asymptotically normal estimate."""
    half = multiplier(estimate.rows, tuning) * estimate.standard_error
    return Interval(estimate.value, estimate.value - half, estimate.value + half)


def log_e_value(estimate: Estimate, tuning: Tuning) -> float:
    """Natural logarithm of the e-value against θ = 0: ½ ln(η/(n+η)) + n z²/(2(n+η)), z = θ/SE.

    It is the wealth of a bettor against the null, who multiplies it by 1/α at some time with probability α at most.
    """
    n, eta = estimate.rows, tuning.eta
    return 0.5 * math.log(eta / (n + eta)) + n * (estimate.value**2 / estimate.variance) / (2 * (n + eta))


def p_value(estimate: Estimate, tuning: Tuning) -> float:
    """min(1, 1/e), at or below α exactly where :func:`interval` leaves out zero."""
    return min(1.0, math.exp(-log_e_value(estimate, tuning)))


def lower_limit(estimate: Estimate, tuning: Tuning) -> float:
    """One-sided lower limit at level α: θ − SE·√(2(nρ²+1)/(nρ²)·ln(1 + √(nρ²+1)/(2α))), ρ² = τ(2α)/n*."""
    scaled = estimate.rows * tau(2 * tuning.alpha) / tuning.n_star
    bound = math.sqrt(2 * (scaled + 1) / scaled * math.log1p(math.sqrt(scaled + 1) / (2 * tuning.alpha)))
    return estimate.value - bound * estimate.standard_error


def difference(control: Estimate, treatment: Estimate) -> Estimate:
    """The difference of two independent means; its rows are those of both."""
    return Estimate(
        value=treatment.value - control.value,
        variance=control.variance + treatment.variance,
        rows=control.rows + treatment.rows,
    )


def relative_lift(control: Estimate, treatment: Estimate, tuning: Tuning) -> Interval | Missing:
    """Limits of θ = m_T/m_C − 1, exactly as valid as those of the difference (Fieller's inversion).

    All θ with ``|m_T − (1+θ) m_C| <= c √(v_T + (1+θ)² v_C)``, v the squared standard errors: the roots in 1 + θ of
    A x² + B x + C with A = m_C² − c² v_C, B = −2 m_C m_T, C = m_T² − c² v_T. Where A <= 0 the control's mean is not yet
    told from zero, and the lift is unbounded.
    """
    if control.value <= 0:
        return Missing("a lift needs a control whose mean is above zero")
    c2 = multiplier(control.rows + treatment.rows, tuning) ** 2
    a = control.value**2 - c2 * control.variance
    if a <= 0:
        return Missing("not enough control data for a relative lift")
    b = -2 * control.value * treatment.value
    c = treatment.value**2 - c2 * treatment.variance
    # B² − 4AC = 4c²(m_C² v_T + m_T² v_C − c² v_C v_T), never negative where A > 0
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return Interval(treatment.value / control.value - 1, (-b - root) / (2 * a) - 1, (-b + root) / (2 * a) - 1)


def estimate_mean(moments: Moments) -> Estimate | Missing:
    """The mean, once there are enough rows for the asymptotics to be trusted; else what is missing."""
    estimate = moments.estimate()
    if isinstance(estimate, Missing):
        return estimate
    if moments.rows < MIN_ROWS:
        return Missing(f"needs {MIN_ROWS} rows, there are {moments.rows}")
    if moments.nonzero < MIN_CONVERSIONS:
        return Missing(f"needs {MIN_CONVERSIONS} conversions, there are {moments.nonzero}")
    if moments.is_binary and moments.rows - moments.nonzero < MIN_CONVERSIONS:
        return Missing(f"needs {MIN_CONVERSIONS} rows without a conversion, there are {moments.rows - moments.nonzero}")
    return estimate

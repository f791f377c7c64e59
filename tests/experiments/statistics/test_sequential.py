from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics import sequential
from experiments.statistics.moments import Estimate, Missing, Moments
from experiments.statistics.sequential import Interval, Tuning

arms = st.builds(
    lambda rows, share: Moments.binary(rows=rows, conversions=round(rows * share)),
    st.integers(1_000, 10**7),
    st.floats(0.02, 0.98),
)


def estimate_of(moments: Moments) -> Estimate:
    """The estimate of moments that are known to have one."""
    estimate = moments.estimate()
    assert isinstance(estimate, Estimate)
    return estimate


@pytest.mark.parametrize(
    ("binary", "control", "treatment", "difference", "standard_error"),
    [
        (True, (10_000, 1_000.0, 1_000.0), (10_100, 1_111.0, 1_111.0), 0.01, 0.0043235482311327),
        (False, (5_000, 26_250.0, 165_000.0), (5_200, 27_976.0, 181_500.0), 0.13, 0.04726505386537791),
    ],
)
def test_standard_errors_come_from_sums(
    binary: bool,
    control: tuple[int, float, float],
    treatment: tuple[int, float, float],
    difference: float,
    standard_error: float,
) -> None:
    """Proportions use p(1 - p), other means the sample variance, as the reference does."""
    moments = [Moments(n, s, q, nonzero=int(s) if binary else n) for n, s, q in (control, treatment)]
    found = sequential.difference(estimate_of(moments[0]), estimate_of(moments[1]))
    assert (found.value, found.standard_error) == pytest.approx((difference, standard_error), rel=1e-9)


def test_reproduces_the_normal_mixture_of_its_authors() -> None:
    """Tuning, bound and log mixture at v = 100 agree with the targets of the authors' own unit tests."""
    tuning = Tuning(0.05, 100)
    unit_variance = Estimate(value=10 / 100, variance=1 / 100, rows=100)
    assert tuning.eta == pytest.approx(12.60056, abs=1e-5)
    assert sequential.multiplier(100, tuning) * math.sqrt(100) == pytest.approx(30.35209, abs=1e-5)
    assert sequential.log_e_value(unit_variance, tuning) == pytest.approx(-0.6510052, abs=1e-5)


@pytest.mark.parametrize(
    ("n_star", "rows", "ratio"),
    [(5_000, 1_000, 1.71), (10_000, 10_000, 1.55), (10_000, 100_000, 1.66), (100_000, 10_000, 1.95)],
)
def test_width_against_a_single_look(n_star: int, rows: int, ratio: float) -> None:
    """The price of looking at any time is the known table's, which tunes by the exact optimum: 1% apart at most."""
    assert sequential.multiplier(rows, Tuning(n_star=n_star)) / 1.959964 == pytest.approx(ratio, rel=0.01)


@given(arms, arms)
def test_mirror_image(control: Moments, treatment: Moments) -> None:
    """Exchanging the two variants mirrors the interval and keeps the p-value."""
    a, b = estimate_of(control), estimate_of(treatment)
    forth = sequential.interval(sequential.difference(a, b), Tuning())
    back = sequential.interval(sequential.difference(b, a), Tuning())
    assert (forth.low, forth.high) == (-back.high, -back.low)


@given(arms, arms, st.floats(0.001, 1_000))
def test_scale_equivariance(control: Moments, treatment: Moments, scale: float) -> None:
    """Another unit of the metric scales the limits and leaves the p-value alone."""
    a, b = estimate_of(control), estimate_of(treatment)
    plain = sequential.difference(a, b)
    scaled = Estimate(plain.value * scale, plain.variance * scale**2, plain.rows)
    assert sequential.interval(scaled, Tuning()).low == pytest.approx(
        scale * sequential.interval(plain, Tuning()).low, rel=1e-9, abs=1e-12 * scale
    )
    assert sequential.p_value(scaled, Tuning()) == pytest.approx(sequential.p_value(plain, Tuning()), rel=1e-6)


@given(arms, arms, st.integers(1, 10))
def test_interval_p_value_and_lift_agree(control: Moments, treatment: Moments, contrasts: int) -> None:
    """p falls below alpha exactly where the interval leaves out zero, and there the lift leaves it out too."""
    a, b = estimate_of(control), estimate_of(treatment)
    tuning = Tuning().shared(contrasts)
    difference = sequential.difference(a, b)
    found = sequential.interval(difference, tuning)
    p, lift = sequential.p_value(difference, tuning), sequential.relative_lift(a, b, tuning)
    assert abs(p / tuning.alpha - 1) < 1e-9 or (found.low > 0 or found.high < 0) == (p < tuning.alpha)
    if isinstance(lift, Interval) and min(abs(found.low), abs(found.high)) > 1e-9:
        assert (lift.low > 0, lift.high < 0) == (found.low > 0, found.high < 0)


def test_lift_limits_solve_the_inversion() -> None:
    """At both limits the contrast m_T - (1 + θ) m_C lies exactly c standard errors from zero."""
    a, b = (estimate_of(Moments.binary(rows=10_000, conversions=s)) for s in (1_000, 1_150))
    tuning = Tuning()
    lift = sequential.relative_lift(a, b, tuning)
    assert isinstance(lift, Interval)
    for theta in (lift.low, lift.high):
        contrast = b.value - (1 + theta) * a.value
        spread = math.sqrt(b.variance + (1 + theta) ** 2 * a.variance)
        assert abs(contrast) / spread == pytest.approx(sequential.multiplier(20_000, tuning), rel=1e-9)


@pytest.mark.parametrize(
    ("moments", "reason"),
    [
        (Moments(), "no rows have matured yet"),
        (Moments(1, 1.0, 1.0, 1), "one row says nothing of the spread"),
        (Moments(500, 0.0, 0.0, 0), "no conversions yet"),
        (Moments.binary(rows=500, conversions=500), "all values are equal"),
        (Moments(3_000, 3_000 * 0.1, 3_000 * 0.1 * 0.1, 3_000), "all values are equal"),
        (Moments.binary(rows=99, conversions=50), "needs 100 rows, there are 99"),
        (Moments.binary(rows=500, conversions=9), "needs 10 conversions, there are 9"),
        (Moments.binary(rows=500, conversions=495), "needs 10 rows without a conversion, there are 5"),
    ],
)
def test_says_what_is_missing(moments: Moments, reason: str) -> None:
    """Too little data is a sentence, never NaN."""
    assert sequential.estimate_mean(moments) == Missing(reason)


def test_a_lift_over_an_unsure_control_is_refused() -> None:
    """A control that cannot be told from zero gives no limits of the lift."""
    control, treatment = Estimate(0.001, 0.001, 200), Estimate(0.5, 0.001, 200)
    assert sequential.relative_lift(control, treatment, Tuning()) == Missing(
        "not enough control data for a relative lift"
    )
    assert isinstance(sequential.relative_lift(Estimate(-1.0, 0.1, 200), treatment, Tuning()), Missing)


def test_an_impossible_tuning_is_refused() -> None:
    """An alpha or n* outside its range names the value."""
    with pytest.raises(InvalidInput, match="found 1"):
        Tuning(alpha=1.0)
    with pytest.raises(InvalidInput, match="found 0"):
        Tuning(n_star=0)


def test_extreme_evidence_stays_finite() -> None:
    """A difference of a thousand standard errors has p = 0, not an overflow."""
    assert sequential.p_value(Estimate(1.0, 1e-6, 10**6), Tuning()) == 0.0


def test_rarely_misses_however_often_it_is_watched() -> None:
    """Over 400 null experiments, watched at 200 looks, at most 5% (plus three standard errors) ever leave out zero."""
    rng = np.random.default_rng(20260101)
    looks = np.arange(100, 20_001, 100)
    counts = rng.binomial(100, 0.1, size=(2, 400, len(looks))).cumsum(axis=2) / looks
    missed = np.zeros(400, dtype=bool)
    for index, rows in enumerate(looks):
        a, b = counts[0, :, index], counts[1, :, index]
        half = sequential.multiplier(2 * int(rows), Tuning()) * np.sqrt((a * (1 - a) + b * (1 - b)) / rows)
        missed |= np.abs(a - b) > half
    assert missed.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.effect import effect_of
from experiments.statistics.frequentist import Side, fieller_limits, proportions, welch, welch_lift, z_test
from experiments.statistics.frequentist.proportions import DifferenceMethod, Method, OddsMethod, RatioMethod
from experiments.statistics.frequentist.scores import difference_score, odds_score, ratio_score
from experiments.statistics.moments import Estimate, Missing
from experiments.statistics.sequential import Interval

MIETTINEN = DifferenceMethod.MIETTINEN_NURMINEN
estimates = st.builds(Estimate, st.floats(-10, 10), st.floats(0.01, 4), st.integers(2, 10_000))
tables = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60)).map(
    lambda cells: (cells[0], cells[0] + cells[1], cells[2], cells[2] + cells[3])
)


@given(estimates, estimates, st.floats(0.001, 0.5))
def test_p_and_limits_agree(control: Estimate, treatment: Estimate, alpha: float) -> None:
    """p falls below alpha exactly where the limits of that side leave out the null."""
    for side in Side:
        test = welch(effect_of(control, treatment), alpha=alpha, side=side)
        assume(abs(test.p_value - alpha) > 1e-9)
        out = (test.low is not None and test.low > 0) or (test.high is not None and test.high < 0)
        assert out == (test.p_value < alpha)


@given(estimates, estimates)
def test_one_sided_tests_mirror_each_other(control: Estimate, treatment: Estimate) -> None:
    """Exchanging the variants exchanges 'greater' and 'less', and the two p-values add up to one."""
    forth = welch(effect_of(control, treatment), side=Side.GREATER)
    back = welch(effect_of(treatment, control), side=Side.LESS)
    assert (forth.p_value, forth.low) == pytest.approx((back.p_value, -back.high if back.high else back.high))
    assert forth.p_value + welch(effect_of(control, treatment), side=Side.LESS).p_value == pytest.approx(1.0)


def test_a_lift_over_an_unsure_control_is_refused_by_the_delta_method() -> None:
    """Within three errors of zero the ratio is not normal; Fieller's limits exist where the test tells it from zero."""
    effect = effect_of(Estimate(1.0, 0.16, 200), Estimate(3.0, 0.16, 200))
    assert isinstance(welch_lift(effect), Missing)
    limits = fieller_limits(effect)
    assert isinstance(limits, Interval)
    assert 0 < limits.low < 2.0 < limits.high
    assert isinstance(fieller_limits(effect_of(Estimate(0.5, 0.16, 200), Estimate(3.0, 0.16, 200))), Missing)


def test_lifts_of_the_delta_method_and_of_fieller_agree_with_plenty_of_data() -> None:
    """With a control a hundred errors from zero the two differ by less than a hundredth of the width."""
    effect = effect_of(Estimate(1.0, 1e-4, 50_000), Estimate(1.05, 1e-4, 50_000))
    delta, exact = welch_lift(effect), fieller_limits(effect)
    assert not isinstance(delta, Missing)
    assert isinstance(exact, Interval)
    assert (delta.low, delta.high) == pytest.approx((exact.low, exact.high), abs=5e-4)


def test_a_lift_over_a_negative_control_is_a_share_of_its_size() -> None:
    """More is up, whatever the sign of the control: from −2 to −1 is +50%."""
    effect = effect_of(Estimate(-2.0, 1e-4, 500), Estimate(-1.0, 1e-4, 500))
    lift, exact = welch_lift(effect), fieller_limits(effect)
    assert not isinstance(lift, Missing)
    assert isinstance(exact, Interval)
    assert lift.estimate == pytest.approx(0.5)
    assert exact.low < 0.5 < exact.high < 0.52


def test_z_is_t_with_plenty_of_freedom() -> None:
    """The normal test is the limit of t tests."""
    effect = effect_of(Estimate(1.0, 1e-3, 10**7), Estimate(1.1, 1e-3, 10**7))
    assert z_test(effect.difference).p_value == pytest.approx(welch(effect).p_value, rel=1e-5)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (Method.WALD, (0.0, 0.20735164862302946)),
        (Method.AGRESTI_COULL, (0.026638889623964837, 0.2641718249152102)),
        (Method.BETA, (0.02111713702972257, 0.2652884504742081)),
        (Method.WILSON, (0.03459988874733416, 0.25621082579184085)),
        (Method.JEFFREYS, (0.028980619032726484, 0.24340160898492716)),
    ],
)
def test_limits_of_three_of_thirty(method: Method, expected: tuple[float, float]) -> None:
    """Every interval of one proportion agrees with statsmodels 0.15."""
    assert proportions.proportion_limits(3, 30, method=method) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (("difference", DifferenceMethod.WALD), (-0.020866531198318092, 0.2008665311983181)),
        (("difference", DifferenceMethod.AGRESTI_CAFFO), (-0.026239099927689843, 0.20489914955548144)),
        (("difference", DifferenceMethod.NEWCOMBE), (-0.021977558612823397, 0.21621207122632324)),
        (("difference", DifferenceMethod.SCORE), (-0.019974599462593622, 0.21747378304552237)),
        (("ratio", RatioMethod.LOG), (0.7635551630578838, 10.267758479429816)),
        (("ratio", RatioMethod.LOG_ADJUSTED), (0.7636054573421799, 8.630687810840607)),
        (("ratio", RatioMethod.SCORE), (0.8288110159643641, 9.621886234403606)),
        (("odds_ratio", OddsMethod.LOGIT), (0.7557045225756597, 12.659435765184451)),
        (("odds_ratio", OddsMethod.LOGIT_ADJUSTED), (0.7502711381995025, 10.693635417477722)),
        (("odds_ratio", OddsMethod.SCORE), (0.8112438413148909, 11.665863341202492)),
    ],
)
def test_limits_of_seven_of_fifty_against_three_of_sixty(limits: tuple[str, str], expected: list[float]) -> None:
    """Every interval of two proportions agrees with statsmodels 0.15."""
    of, method = limits
    found = getattr(proportions, f"{of}_limits")(7, 50, 3, 60, method=method)
    assert found == pytest.approx(expected, rel=1e-7)


@given(tables)
def test_score_limits_are_where_the_score_is_critical(table: tuple[int, int, int, int]) -> None:
    """At each limit that is not at the end of what is possible, the test's statistic is ±1.96."""
    for limits, score, ends in (
        (proportions.difference_limits(*table, method=MIETTINEN), difference_score, (-1.0, 1.0)),
        (proportions.ratio_limits(*table, method=RatioMethod.SCORE), ratio_score, (0.0, math.inf)),
        (proportions.odds_ratio_limits(*table, method=OddsMethod.SCORE), odds_score, (0.0, math.inf)),
    ):
        for limit, z in zip(limits, (1.959963985, -1.959963985), strict=True):
            assert limit in ends or score(*table, null=limit) == pytest.approx(z, abs=1e-4)


@settings(max_examples=30)
@given(tables)
def test_exchanging_proportions_mirrors_their_limits(table: tuple[int, int, int, int]) -> None:
    """Of the difference the sign is turned, of the ratio the inverse is taken."""
    x1, n1, x2, n2 = table
    for method in set(DifferenceMethod) - {DifferenceMethod.SCORE}:
        low, high = proportions.difference_limits(x1, n1, x2, n2, method=method)
        assert proportions.difference_limits(x2, n2, x1, n1, method=method) == pytest.approx((-high, -low), abs=1e-7)
    for ratio in RatioMethod:
        low, high = proportions.ratio_limits(x1, n1, x2, n2, method=ratio)
        assert proportions.ratio_limits(x2, n2, x1, n1, method=ratio) == pytest.approx((1 / high, 1 / low), rel=1e-4)


@pytest.mark.parametrize("count", [0, 20])
def test_none_and_all_have_limits_within_zero_and_one(count: int) -> None:
    """No conversions, or nothing else, give finite limits that hold what was seen."""
    for method in Method:
        low, high = proportions.proportion_limits(count, 20, method=method)
        assert 0 <= low <= high <= 1
    low, high = proportions.difference_limits(count, 20, 20 - count, 20, method=MIETTINEN)
    assert -1 <= low < high <= 1


def test_chi_square_of_two_is_the_square_of_z() -> None:
    """Pearson's test and the pooled z test are one."""
    z, p = proportions.pooled_z(7, 50, 3, 60)
    assert proportions.chi_square_equal([7, 3], [50, 60]) == pytest.approx((z**2, p))


def test_what_cannot_be_tested_is_refused() -> None:
    """More conversions than rows, nothing but zeros, and levels outside (0, 1) name what was found."""
    with pytest.raises(InvalidInput, match="found 3 of 2"):
        proportions.proportion_limits(3, 2)
    with pytest.raises(InvalidInput, match="found a share of 0"):
        proportions.pooled_z(0, 10, 0, 10)
    with pytest.raises(InvalidInput, match="found 1"):
        z_test(Estimate(0.0, 1.0, 10), alpha=1.0)
    with pytest.raises(InvalidInput, match="both counts"):
        proportions.ratio_limits(0, 10, 1, 10, method=RatioMethod.LOG)


def test_the_likeliest_proportions_are_the_likeliest() -> None:
    """The score's variance is taken where the likelihood is greatest among those with the null difference."""
    p2 = np.linspace(0.001, 0.899, 200_000)
    likelihood = 7 * np.log(p2 + 0.1) + 43 * np.log(0.9 - p2) + 3 * np.log(p2) + 57 * np.log(1 - p2)
    best = p2[likelihood.argmax()]
    variance = 110 / 109 * ((best + 0.1) * (0.9 - best) / 50 + best * (1 - best) / 60)
    expected = (7 / 50 - 3 / 60 - 0.1) / math.sqrt(variance)
    assert difference_score(7, 50, 3, 60, null=0.1) == pytest.approx(expected, rel=1e-4)
    assert difference_score(7, 50, 3, 60, null=0.1, as_statsmodels=True) != pytest.approx(expected, rel=1e-3)

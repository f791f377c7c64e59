from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.planning.fixed import (
    adjusted,
    detectable,
    detectable_proportion,
    pooled_variance,
    power,
    proportion_variances,
    sample_size,
    whole_rows,
)


@pytest.mark.parametrize(
    ("rows", "total", "groups"),
    [
        (sample_size(0.005, proportion_variances(0.05)), 59652, (29826, 29826)),
        (sample_size(0.02, proportion_variances(0.3)), 16483, (8242, 8242)),
        (sample_size(0.1, [4, 4]), 12559, (6280, 6280)),
    ],
)
def test_agrees_with_spotify_confidence(rows: float, total: int, groups: tuple[int, ...]) -> None:
    """SampleSize.binomial takes the control's variance for both, SampleSize.continuous the one given (4.1.0)."""
    assert math.ceil(rows) == total
    assert whole_rows(rows) == groups


@pytest.mark.parametrize(
    ("diff", "prop2", "nobs1"), [(0.01, 0.1, 14750.790469044945), (0.005, 0.05, 31233.43794013002)]
)
def test_agrees_with_the_pooled_sample_size_of_statsmodels(diff: float, prop2: float, nobs1: float) -> None:
    """samplesize_proportions_2indep_onetail: both as large, the pooled variance under 'no difference' (0.15)."""
    null = [pooled_variance(prop2, diff)] * 2
    rows = sample_size(diff, proportion_variances(prop2, diff), null_variances=null)
    assert rows / 2 == pytest.approx(nobs1, rel=1e-8)


def test_agrees_with_the_powers_of_statsmodels() -> None:
    """NormalIndPower.solve_power and power_proportions_2indep count both tails (0.15)."""
    assert sample_size(0.1, [1, 1], far_tail=True) / 2 == pytest.approx(1569.7721019023288, rel=1e-8)
    found = power(0.01, proportion_variances(0.1, 0.01), rows=20_000, null_variances=[pooled_variance(0.1, 0.01)] * 2)
    assert found == pytest.approx(0.6356078962785991, rel=1e-8)


means = st.tuples(
    st.floats(0.001, 10), st.lists(st.floats(0.01, 100), min_size=2, max_size=6), st.floats(0.1, 0.99), st.booleans()
)


@given(means)
def test_sample_size_power_and_detectable_difference_are_inverses(case: tuple[float, list[float], float, bool]) -> None:
    """Rows for a power give that power; the difference found with so many rows is the one planned for."""
    delta, variances, wanted, far = case
    rows = sample_size(delta, variances, power=wanted, far_tail=far)
    found = power(delta, variances, rows=rows)
    assert found == pytest.approx(wanted, rel=1e-8) if far else found >= wanted * (1 - 1e-9)
    if not far:
        assert detectable(rows, variances, power=wanted) == pytest.approx(delta, rel=1e-9)


@given(st.floats(0.001, 0.9), st.floats(0.01, 0.99), st.integers(2, 6), st.floats(0, 0.9))
def test_detectable_proportions_are_the_inverse(baseline: float, part: float, arms: int, rho: float) -> None:
    """Of baseline, number of variants and covariate, whatever they are."""
    delta = part * (1 - baseline)
    rows = sample_size(delta, adjusted(proportion_variances(baseline, delta, arms=arms), rho))
    found = detectable_proportion(rows, baseline, arms=arms, rho=rho)
    assert found is not None
    again = sample_size(found, adjusted(proportion_variances(baseline, found, arms=arms), rho))
    assert again == pytest.approx(rows, rel=1e-6)
    assert found <= delta * (1 + 1e-6)


def test_what_ten_rows_cannot_show_is_none() -> None:
    """No increase of a proportion is found with four rows."""
    assert detectable_proportion(4, 0.9) is None


def test_variants_share_alpha_and_unequal_splits_cost_rows() -> None:
    """Three contrasts are tested at a third; 90:10 needs 2.8 times the rows of 50:50; a control may be larger."""
    two = sample_size(0.1, [1.0, 1.0])
    assert sample_size(0.1, [1.0] * 4) == pytest.approx(2 * sample_size(0.1, [1.0, 1.0], alpha=0.05 / 3))
    assert sample_size(0.1, [1.0] * 4, contrasts=1) == pytest.approx(2 * two)
    assert sample_size(0.1, [1.0, 1.0], weights=[9, 1]) == pytest.approx(two * 0.25 / 0.09)
    larger = sample_size(0.1, [1.0] * 5, weights=[2, 1, 1, 1, 1])
    assert larger < sample_size(0.1, [1.0] * 5)
    assert sample_size(0.1, adjusted([1.0, 1.0], 0.6)) == pytest.approx(two * 0.64)
    assert whole_rows(100.5, weights=[2, 1, 1]) == (51, 26, 26)


def test_the_power_is_that_of_simulated_tests() -> None:
    """Of 4,000 simulated tests at the rows planned for, 80% find the difference."""
    delta, shares = 0.02, [0.7, 0.3]
    variances = proportion_variances(0.1, delta)
    groups = whole_rows(sample_size(delta, variances, weights=shares), weights=shares)
    rng = np.random.default_rng(4)
    rates = [rng.binomial(n, p, 4_000) / n for n, p in zip(groups, (0.1, 0.12), strict=True)]
    errors = np.sqrt(sum(rate * (1 - rate) / n for n, rate in zip(groups, rates, strict=True)))
    assert np.mean(np.abs(rates[1] - rates[0]) > 1.959964 * errors) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample_size(0.0, [1, 1]), "delta must not be 0"),
        (lambda: sample_size(math.nan, [1, 1]), "delta"),
        (lambda: sample_size(1, [1]), "at least two"),
        (lambda: sample_size(1, [1, -1]), "not be below 0"),
        (lambda: sample_size(1, [0, 0]), "must be positive"),
        (lambda: sample_size(1, [1, 1], weights=[1]), "one a variant"),
        (lambda: sample_size(1, [1, 1], weights=[1, 0]), "weights must be positive"),
        (lambda: sample_size(1, [1, 1], power=0.01), "power"),
        (lambda: sample_size(1, [1, 1], alpha=0), "alpha"),
        (lambda: power(1, [1, 1], rows=0), "rows"),
        (lambda: detectable(-1, [1, 1]), "rows"),
        (lambda: detectable_proportion(0, 0.1), "rows"),
        (lambda: proportion_variances(0), "baseline"),
        (lambda: proportion_variances(0.5, 0.6), "add up"),
        (lambda: adjusted([1], 1), "rho"),
    ],
)
def test_what_cannot_be_planned_is_refused(call: Callable[[], object], message: str) -> None:
    """In a sentence that holds what was found."""
    with pytest.raises(InvalidInput, match=message):
        call()

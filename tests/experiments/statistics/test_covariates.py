from __future__ import annotations

import numpy as np
import pytest

from bandit.validation import InvalidInput
from experiments.statistics import covariates
from experiments.statistics.covariates import JointMoments
from experiments.statistics.effect import Effect, effect_of
from experiments.statistics.moments import Estimate, Missing, Moments


def arm(seed: int, shift: float) -> tuple[JointMoments, JointMoments]:
    """Sums of a metric that its covariate explains by half, and of that metric with one that explains nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(5.0, 1.0, 4_000)
    y = shift + x + rng.normal(0.0, 1.0, 4_000)
    return JointMoments.of(y, x), JointMoments.of(y, np.full(4_000, 3.0))


def test_the_share_of_variance_that_is_explained_goes() -> None:
    """With a correlation of .7 the squared error is halved, and the effect is still what it was."""
    (a, _), (b, _) = arm(1, 0.0), arm(2, 0.2)
    found = covariates.cuped_effect(a, b)
    plain = effect_of(*(m.first.estimate() for m in (a, b)))  # type: ignore[arg-type]
    assert isinstance(found, Effect)
    assert found.variance == pytest.approx(plain.variance / 2, rel=0.06)
    assert found.value == pytest.approx(0.2, abs=4 * found.difference.standard_error)
    assert (found.baseline, found.baseline_variance) == (plain.baseline, plain.baseline_variance)


def test_a_covariate_that_does_not_vary_adjusts_nothing() -> None:
    """The effect is then the plain one, to the last digit that matters."""
    (_, a), (_, b) = arm(1, 0.0), arm(2, 0.2)
    found = covariates.cuped_effect(a, b)
    plain = effect_of(*(m.first.estimate() for m in (a, b)))  # type: ignore[arg-type]
    assert isinstance(found, Effect)
    assert (found.value, found.variance, found.covariance) == (plain.value, plain.variance, plain.covariance)


def test_adjusted_means_differ_by_the_adjusted_effect_and_average_to_the_plain_ones() -> None:
    """What is shown beside each other agrees with what is said of the difference."""
    variants = [arm(seed, shift)[0] for seed, shift in ((1, 0.0), (2, 0.2), (3, 0.1))]
    theta = covariates.cuped_theta(variants)
    means = [m for m in covariates.cuped_means(variants) if isinstance(m, Estimate)]
    effect = covariates.cuped_effect(variants[0], variants[1], theta=theta)
    assert isinstance(effect, Effect)
    assert means[1].value - means[0].value == pytest.approx(effect.value, abs=1e-12)
    whole = sum(variants, JointMoments())
    assert np.mean([m.value for m in means]) == pytest.approx(whole.y / whole.rows)


def test_an_ill_posed_ratio_is_refused() -> None:
    """A denominator that may be zero, and one that makes the ratio the same for all, have no error to show."""
    rng = np.random.default_rng(1)
    y = rng.random(500)
    assert covariates.metric_ratio(JointMoments.of(y, rng.normal(0, 1, 500))) == Missing(
        "the denominator is not told from zero yet"
    )
    assert covariates.metric_ratio(JointMoments.of(2 * y, y)) == Missing("the ratio is the same for all units")
    assert covariates.metric_ratio(JointMoments.of(0 * y, y)) == Missing("no numerator has come yet")
    assert covariates.metric_ratio(JointMoments()) == Missing("no rows have matured yet")


def test_a_ratio_of_two_metrics_varies_as_its_formula_says() -> None:
    """Over 500 experiments clicks per view are off by one standard error in the root of the mean square."""
    rng = np.random.default_rng(8)
    errors = []
    for _ in range(500):
        views = 1 + rng.poisson(3.0, 300)
        clicks = rng.binomial(views, 0.2)
        found = covariates.metric_ratio(JointMoments.of(clicks.astype(float), views.astype(float)))
        assert isinstance(found, Estimate)
        errors.append((found.value - 0.2) / found.standard_error)
    assert np.std(errors) == pytest.approx(1.0, abs=0.1)


def test_covariances_of_zeros_and_ones_are_as_their_variances_are() -> None:
    """A covariate equal to the metric explains all of it, counted or not."""
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    both = JointMoments.of(y, y)
    assert both.covariance == pytest.approx(both.first.variance)
    assert both.covariance_matrix == pytest.approx(np.full((2, 2), 0.24))
    found = covariates.cuped_effect(both, both)
    assert found == Missing("the covariate leaves nothing to vary")


def test_a_cap_is_settled_from_the_first_values_alone() -> None:
    """Later values do not move it; too few, or too rare ones, have none."""
    rng = np.random.default_rng(0)
    first = rng.exponential(10.0, 2_000)
    cap = covariates.suggested_cap(first)
    assert cap == covariates.suggested_cap(np.concatenate([first, [1e9]]))
    assert isinstance(cap, float)
    assert (first > cap).mean() == pytest.approx(0.001)
    assert covariates.suggested_cap(first[:99]) == Missing("needs 2000 values, there are 99")
    assert isinstance(covariates.suggested_cap(np.zeros(2_000)), Missing)
    assert isinstance(covariates.suggested_cap(np.full(2_000, np.nan)), Missing)


def test_sums_without_counts_know_zeros_and_ones() -> None:
    """S = Q of whole numbers is a proportion; other sums are means of values that may all differ from zero."""
    assert Moments.of_sums(100, 7.0, 7.0) == Moments.binary(rows=100, conversions=7)
    assert Moments.of_sums(100, 7.0, 9.0).nonzero == 100
    assert not Moments.of_sums(2, 0.5, 0.5).is_binary
    with pytest.raises(InvalidInput, match="must agree"):
        JointMoments.of([1.0], [1.0, 2.0])
